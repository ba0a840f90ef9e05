/*
 * Tests that run inside the kernel with boot parameter `selftest[=PATTERN]`. They speak KTAP on
 * the console and the machine ends through isa-debug-exit with pass or fail.
 *
 *	SELFTEST(sleep_wakes_in_time, "thread.sleep")
 *	{
 *		ST_EXPECT(elapsed_us < 2000, "woke after %llu us", elapsed_us);
 *	}
 *
 * Each test runs in a thread of its own. It fails by a failed ST_EXPECT (goes on) or ST_REQUIRE
 * (returns), by a panic, and when it takes longer than its time limit. Names are
 * "<area>.<what>"; names that start with "bench." (they take their time) or "crash." (they must end
 * in a panic, which a test outside looks for) run only when the pattern itself begins so.
 * PATTERN is a list of globs (* and ?) separated by commas, one of which must match the whole name.
 */
#ifndef KERNEL_SELFTEST_H
#define KERNEL_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

struct selftest {
	const char *name;
	void (*run)(void);
	uint32_t timeout_ms;
};

#define SELFTEST_TIMEOUT_MS 10000

#define SELFTEST_TIMED(function, test_name, limit_ms)                                            \
	static void function(void);                                                              \
	static const struct selftest selftest_##function                                         \
		__attribute__((used, section(".selftests"), aligned(8))) = {test_name, function, \
									    limit_ms};           \
	static void function(void)
/* The linker collects these from `.selftests` between selftests_start and selftests_end. */
#define SELFTEST(function, test_name) SELFTEST_TIMED(function, test_name, SELFTEST_TIMEOUT_MS)

/* Expects `condition`; otherwise the running test fails with the formatted reason, and goes on. */
#define ST_EXPECT(condition, ...)                                                   \
	({                                                                          \
		bool st_ok_ = (condition);                                          \
		if (!st_ok_)                                                        \
			selftest_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
		st_ok_;                                                             \
	})
/* The same, but leaves the (void) function. */
#define ST_REQUIRE(condition, ...)                      \
	do {                                            \
		if (!ST_EXPECT(condition, __VA_ARGS__)) \
			return;                         \
	} while (0)
/* Two integers are the same; prints both. */
#define ST_EQUAL(actual, expected)                                                                 \
	do {                                                                                       \
		uint64_t st_a_ = (uint64_t)(actual), st_e_ = (uint64_t)(expected);                 \
		ST_EXPECT(st_a_ == st_e_, "is 0x%llx, expected 0x%llx", (unsigned long long)st_a_, \
			  (unsigned long long)st_e_);                                              \
	} while (0)

/* May be called from any context while a test runs. */
void selftest_fail(const char *file, int line, const char *condition, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Marks the running test as skipped with the reason; the test returns after it. */
void selftest_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A comment line ("# ...") of the running test. */
void selftest_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A figure of a "bench." test: printed as "# bench <name>\t<value>\t<unit>". */
void selftest_figure(const char *name, uint64_t value, const char *unit);
/* The same for a value in hundredths of the unit. */
void selftest_figure_hundredths(const char *name, uint64_t hundredths, const char *unit);

/*
 * Runs all tests that match and ends the machine. Thread context, after everything started.
 * A pattern that matches no test is a failure.
 */
_Noreturn void selftest_run_all(const char *pattern);

/* A whole-string match of text by glob (* any run, ? any one); pure, linear in practice. */
bool glob_match(const char *glob, const char *text);

#endif
