#include <stdarg.h>
#include <string.h>

#include <kernel/console.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>

extern const struct selftest selftests_start[], selftests_end[];

/* The test that runs now. One at a time. */
static struct {
	const struct selftest *test;
	unsigned number;
	uint32_t failures;
	bool skipped;
	char reason[160];
} now;
static unsigned total, failed;

static void note(const char *prefix, const char *fmt, va_list args)
{
	char buf[400];

	kvsnprintf(buf, sizeof(buf), fmt, args);
	console_printf("# %s%s\n", prefix, buf);
}

void selftest_fail(const char *file, int line, const char *condition, const char *fmt, ...)
{
	char place[256];
	va_list args;

	__atomic_add_fetch(&now.failures, 1, __ATOMIC_RELAXED);
	ksnprintf(place, sizeof(place), "%s:%d: %s: ", file, line, condition);
	va_start(args, fmt);
	note(place, fmt, args);
	va_end(args);
}

void selftest_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note("", fmt, args);
	va_end(args);
}

void selftest_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	kvsnprintf(now.reason, sizeof(now.reason), fmt, args);
	va_end(args);
	now.skipped = true;
}

void selftest_figure(const char *name, uint64_t value, const char *unit)
{
	console_printf("# bench %s\t%llu\t%s\n", name, (unsigned long long)value, unit);
}

void selftest_figure_hundredths(const char *name, uint64_t hundredths, const char *unit)
{
	console_printf("# bench %s\t%llu.%02llu\t%s\n", name,
		       (unsigned long long)(hundredths / 100),
		       (unsigned long long)(hundredths % 100), unit);
}

/* "bench." tests take their time and "crash." tests end in a panic: only a glob that says so itself
 * selects them. */
static bool glob_selects(const char *glob, const char *name)
{
	static const char *const special[] = {"bench.", "crash."};

	for (size_t i = 0; i < 2; i++) {
		if (strncmp(name, special[i], 6) == 0 && strncmp(glob, special[i], 5) != 0)
			return false;
	}
	return glob_match(glob, name);
}

static bool selected(const char *pattern, const char *name)
{
	char glob[96];

	while (*pattern != '\0') {
		const char *comma = strchr(pattern, ',');
		size_t len = comma != NULL ? (size_t)(comma - pattern) : strlen(pattern);

		if (len < sizeof(glob)) {
			memcpy(glob, pattern, len);
			glob[len] = '\0';
			if (glob_selects(glob, name))
				return true;
		}
		pattern += len + (comma != NULL);
	}
	return false;
}

static void end_machine(bool pass)
{
	console_flush();
	machine_exit(pass ? MACHINE_EXIT_PASS : MACHINE_EXIT_FAIL);
}

/* A test that cannot be ended takes the kernel with it: what follows would prove nothing. */
static void bail_out(const char *why)
{
	console_printf("not ok %u - %s # %s\n", now.number, now.test->name, why);
	console_printf("Bail out! %s: %s\n", now.test->name, why);
	end_machine(false);
}

static void on_panic(const struct trap_frame *frame, const char *message, void *context)
{
	(void)frame;
	(void)message;
	(void)context;
	if (now.test != NULL)
		bail_out("the kernel panicked");
	console_printf("Bail out! the kernel panicked\n");
	end_machine(false);
}

static void test_thread(void *argument)
{
	const struct selftest *test = argument;

	test->run();
}

static void report(uint64_t took_us)
{
	bool bad = now.failures > 0;

	if (now.skipped && !bad)
		console_printf("ok %u - %s # SKIP %s\n", now.number, now.test->name, now.reason);
	else
		console_printf("%s %u - %s\n", bad ? "not ok" : "ok", now.number, now.test->name);
	if (took_us > 1000000)
		console_printf("# %s took %llu ms\n", now.test->name,
			       (unsigned long long)(took_us / 1000));
	failed += bad;
}

static void run_one(const struct selftest *test, unsigned number)
{
	uint64_t start_us = time_now_us();
	struct thread *thread;
	const char *fault;

	memset(&now, 0, sizeof(now));
	now.test = test;
	now.number = number;
	thread = thread_create(test->name, test_thread, (void *)(uintptr_t)test, THREAD_NORMAL);
	if (thread == NULL)
		bail_out("no memory for its thread");
	if (!thread_join_timeout(thread, test->timeout_ms * 1000ull, NULL))
		bail_out("timed out");
	fault = thread_check();
	ST_EXPECT(fault == NULL, "%s", fault);
	report(time_now_us() - start_us);
	now.test = NULL;
}

_Noreturn void selftest_run_all(const char *pattern)
{
	static struct panic_hook hook = {.name = "selftest", .enter = on_panic};
	size_t count = ((uintptr_t)selftests_end - (uintptr_t)selftests_start) /
		       sizeof(struct selftest);
	unsigned number = 0;

	panic_add_hook(&hook);
	console_set_prefix("# ");
	for (size_t i = 0; i < count; i++)
		total += selected(pattern, selftests_start[i].name);
	console_printf("TAP version 13\n1..%u\n", total);
	for (size_t i = 0; i < count; i++) {
		if (selected(pattern, selftests_start[i].name))
			run_one(&selftests_start[i], ++number);
	}
	if (total == 0)
		console_printf("Bail out! no test matches '%s'\n", pattern);
	console_printf("# %u of %u passed\n", total - failed, total);
	end_machine(total > 0 && failed == 0);
	panic("the machine did not end");
}
