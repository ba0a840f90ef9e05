/* In-kernel tests of printf, log, parameters, symbols, strings and the clock. */
#include <string.h>

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/ksyms.h>
#include <kernel/log.h>
#include <kernel/params.h>
#include <kernel/printf.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/tsc.h>
#include <kernel/uart.h>

/* ---- the start --------------------------------------------------------------------------------
 */

/* What every boot must have reached, whatever the machine. */
SELFTEST(boot_is_alive, "boot.alive")
{
	const char *fault = memmap_check(&boot_info.memmap);
	uint64_t before_us = time_now_us();

	ST_EXPECT(fault == NULL, "memory map: %s", fault);
	ST_EXPECT(memmap_bytes(&boot_info.memmap, MEMMAP_KERNEL, UINT64_MAX) > 0,
		  "the image is not in the memory map");
	ST_EXPECT(boot_info.fault_count == 0, "the loader's data: %s", boot_info.faults[0]);
	ST_EXPECT(irqs_enabled() && thread_may_sleep(), "this is no thread");
	thread_sleep_us(1000);
	ST_EXPECT(time_now_us() - before_us >= 1000, "time stands still");
	ST_EXPECT(ksyms_count() > 0, "no symbols");
	ST_EXPECT(log_next_seq() > 0, "an empty log");
	ST_EXPECT(uart_present(UART_CONSOLE), "no console, and yet you read this");
}

/* ---- strings ------------------------------------------------------------------------------------
 */

enum { AREA = 400, MARGIN = 16 };

static void fill_area(uint8_t *area, uint8_t seed)
{
	for (int i = 0; i < AREA; i++)
		area[i] = (uint8_t)(seed + i * 7);
}

/* What a byte loop makes of it is right. */
static void slow_move(uint8_t *area, size_t to, size_t from, size_t n)
{
	uint8_t copy[AREA];

	for (size_t i = 0; i < n; i++)
		copy[i] = area[from + i];
	for (size_t i = 0; i < n; i++)
		area[to + i] = copy[i];
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	for (int i = 0; i < AREA; i++) {
		if (a[i] != b[i])
			return false;
	}
	return true;
}

SELFTEST(string_moves, "core.string.memmove")
{
	static uint8_t ours[AREA], expected[AREA];

	for (size_t n = 0; n < 200; n++) {
		for (size_t distance = 0; distance < 2 * MARGIN; distance += 3) {
			size_t from = MARGIN, to = distance;

			fill_area(ours, (uint8_t)n);
			fill_area(expected, (uint8_t)n);
			memmove(ours + to, ours + from, n);
			slow_move(expected, to, from, n);
			ST_REQUIRE(same(ours, expected), "%zu bytes from %zu to %zu", n, from, to);
		}
	}
}

SELFTEST(string_copies_and_fills, "core.string.memcpy_memset")
{
	static uint8_t ours[AREA], expected[AREA], source[AREA];

	fill_area(source, 99);
	for (size_t n = 0; n < 200; n++) {
		for (size_t at = 0; at < MARGIN; at++) {
			fill_area(ours, 1);
			fill_area(expected, 1);
			memcpy(ours + at, source + MARGIN - at, n);
			memset(ours + 250 + at, (int)n, n / 2);
			for (size_t i = 0; i < n; i++)
				expected[at + i] = source[MARGIN - at + i];
			for (size_t i = 0; i < n / 2; i++)
				expected[250 + at + i] = (uint8_t)n;
			ST_REQUIRE(same(ours, expected), "%zu bytes at %zu", n, at);
		}
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

SELFTEST(string_compares, "core.string.compare")
{
	uint8_t a[40], b[40];

	for (size_t n = 1; n < sizeof(a); n++) {
		for (size_t at = 0; at < n; at++) {
			memset(a, 0x80, n);
			memset(b, 0x80, n);
			ST_EQUAL(memcmp(a, b, n), 0);
			b[at] = 0x7f;
			ST_EQUAL(sign(memcmp(a, b, n)), 1);
			ST_EQUAL(sign(memcmp(b, a, n)), -1);
		}
	}
	// cppcheck-suppress staticStringCompare
	ST_EXPECT(strcmp("abc", "abd") < 0 && strcmp("ab", "abc") < 0 && strcmp("", "") == 0,
		  "strcmp");
	// cppcheck-suppress staticStringCompare
	ST_EXPECT(strncmp("abX", "abY", 2) == 0 && strncmp("abX", "abY", 3) < 0, "strncmp");
	ST_EQUAL(strlen("four"), 4);
	ST_EQUAL(strnlen("four", 3), 3);
	ST_EXPECT(strchr("a=b=c", '=')[1] == 'b' && strrchr("a=b=c", '=')[1] == 'c', "strchr");
	ST_EXPECT(strchr("abc", 'x') == NULL && strchr("abc", '\0') != NULL, "strchr at the end");
	ST_EXPECT(strstr("needle in hay", "in") != NULL && strstr("hay", "needle") == NULL &&
			  strstr("hay", "") != NULL,
		  "strstr");
	ST_EXPECT(memchr("abc", 'c', 2) == NULL && memchr("abc", 'c', 3) != NULL, "memchr");
}

/* ---- printf, log, parameters
 * --------------------------------------------------------------------- */

SELFTEST(printf_formats, "core.printf")
{
	char buf[64];

	ksnprintf(buf, sizeof(buf), "%5d|%-4u|%04x|%s|%c|%%", -42, 7u, 0xbeu, "text", 'c');
	ST_EXPECT(strcmp(buf, "  -42|7   |00be|text|c|%") == 0, "\"%s\"", buf);
	ksnprintf(buf, sizeof(buf), "%llx %p", 0x123456789abcdefull, (void *)buf);
	ST_EXPECT(strncmp(buf, "123456789abcdef 0xffff", 22) == 0, "\"%s\"", buf);
	ST_EQUAL(ksnprintf(buf, 4, "%s", "abcdef"), 6);
	ST_EXPECT(strcmp(buf, "abc") == 0, "\"%s\"", buf);
}

static volatile bool logged_in_interrupt;
static void log_from_timer(struct timer *timer)
{
	(void)timer;
	pr_debug("from an interrupt");
	logged_in_interrupt = true;
}

SELFTEST(log_reads_back, "core.log")
{
	static struct timer timer = {.fire = log_from_timer};
	uint64_t cursor = log_next_seq(), now_us = time_now_us();
	struct log_line line = {0};

	pr_debug("first %d", 1);
	timer_set(&timer, time_now_us() + 1000);
	while (!logged_in_interrupt)
		thread_yield();
	ST_REQUIRE(log_read(&cursor, &line), "nothing there");
	ST_EXPECT(strcmp(line.text, "first 1") == 0, "\"%s\"", line.text);
	ST_EXPECT(line.t_us >= now_us && line.t_us <= time_now_us(), "at %llu us",
		  (unsigned long long)line.t_us);
	ST_EQUAL(line.level, LOG_DEBUG);
	ST_REQUIRE(log_read(&cursor, &line), "nothing from the interrupt");
	ST_EXPECT(strcmp(line.text, "from an interrupt") == 0, "\"%s\"", line.text);
}

static void count_report(const char *text, void *context)
{
	(void)text;
	++*(int *)context;
}

SELFTEST(params_parse_words, "core.params")
{
	struct kernel_params params;
	int reports = 0;

	params_defaults(&params);
	ST_EQUAL(params_parse("panic=reboot pannic=exit loglevel=9 gdbwait", &params, count_report,
			      &reports),
		 2);
	ST_EQUAL(reports, 2);
	ST_EXPECT(params.gdbwait, "gdbwait not taken");
	ST_EQUAL(params.loglevel, LOG_INFO);
}

/* ---- symbols
 * --------------------------------------------------------------------------------------- */

SELFTEST(ksyms_find, "core.ksyms")
{
	char text[KSYMS_TEXT_MAX];
	struct ksym symbol;

	ST_REQUIRE(ksyms_count() > 100, "%zu symbols", ksyms_count());
	ST_REQUIRE(ksyms_lookup((uintptr_t)thread_yield + 1, &symbol), "thread_yield is unknown");
	ST_EXPECT(strcmp(symbol.name, "thread_yield") == 0, "it is called %s", symbol.name);
	ST_EQUAL(symbol.address, (uintptr_t)thread_yield);
	ST_EQUAL(symbol.offset, 1);
	ST_EXPECT(ksyms_lookup((uintptr_t)thread_yield, &symbol) && symbol.offset == 0,
		  "its first byte belongs to %s", symbol.name);
	ST_EXPECT(ksyms_lookup((uintptr_t)thread_yield - 1, &symbol) &&
			  strcmp(symbol.name, "thread_yield") != 0,
		  "the byte before it is its own, too");
	ksyms_format(text, sizeof(text), (uintptr_t)thread_yield + 0x12);
	ST_EXPECT(strcmp(text, "thread_yield+0x12") == 0, "\"%s\"", text);
	ksyms_format(text, sizeof(text), 0x1234);
	ST_EXPECT(strcmp(text, "0x1234") == 0, "\"%s\"", text);
	ST_EQUAL(ksyms_address("thread_yield"), (uintptr_t)thread_yield);
	ST_EQUAL(ksyms_address("no_such_symbol"), 0);
	ST_EXPECT(!ksyms_lookup(0, &symbol) && !ksyms_lookup(UINT64_MAX, &symbol),
		  "addresses outside the image have symbols");
}

/* ---- clock and timers
 * ------------------------------------------------------------------------------ */

SELFTEST(time_never_runs_backwards, "time.monotonic")
{
	uint64_t last_ns = time_now_ns(), end_us = time_now_us() + 30000;

	while (time_now_us() < end_us) {
		uint64_t now_ns = time_now_ns();

		ST_REQUIRE(now_ns >= last_ns, "%llu ns after %llu ns", (unsigned long long)now_ns,
			   (unsigned long long)last_ns);
		last_ns = now_ns;
	}
	ST_EXPECT(time_tsc_hz() > 1000000, "%llu Hz", (unsigned long long)time_tsc_hz());
}

/* What measurements told, one after the other; the last one again and again. */
static const struct tsc_round *told_rounds;

static struct tsc_round next_round(void)
{
	const struct tsc_round *round = told_rounds;

	told_rounds += round->counted != 0;
	return *round;
}

static uint64_t measured(const struct tsc_round *rounds)
{
	struct tsc_round best;

	told_rounds = rounds;
	return tsc_best_round(next_round, &best);
}

SELFTEST(time_rounds, "time.rounds")
{
	/* The CPU was away at one end, at the other, for all of it; then it was not. */
	static const struct tsc_round disturbed[] = {
		{7, 100,	 2000},
		{7, 1900, 2600},
		 {7, 0,	5000},
		       {7, 1990, 2000},
		{7, 1000, 1001}
	       };
	static const struct tsc_round never_quiet[] = {
		{7, 100,	 2000},
		{7, 1900, 2100},
		 {0, 1,	900 }
	    };
	static const struct tsc_round dead[] = {
		{0, 0, 0}
	 };

	ST_EXPECT(measured(disturbed) == 1995, "the good round was not taken");
	ST_EXPECT(measured(never_quiet) == 2000, "not the best of bad ones");
	ST_EXPECT(measured(dead) == 0, "a counter that does not count");
}

SELFTEST(time_delays, "time.delay")
{
	uint64_t start_us = time_now_us();

	time_delay_us(5000);
	ST_EXPECT(time_now_us() - start_us >= 5000, "only %llu us",
		  (unsigned long long)(time_now_us() - start_us));
}

enum { TIMERS = 5 };
static struct timer timers[TIMERS];
static volatile int fired[TIMERS], fired_count;
static volatile uint64_t fired_us[TIMERS];

static void note_timer(struct timer *timer)
{
	int i = (int)(timer - timers);

	fired_us[i] = time_now_us();
	fired[fired_count++] = i;
}

SELFTEST(time_timers_fire_in_order, "time.timers")
{
	static const uint32_t delays_us[TIMERS] = {9000, 3000, 6000, 3000, 4000};
	static const int expected[] = {1, 3, 2, 0};
	uint64_t flags = irq_save(); /* none fires before all are set, however slow the host */
	uint64_t start_us = time_now_us();

	fired_count = 0;
	for (int i = 0; i < TIMERS; i++) {
		timers[i].fire = note_timer;
		timer_set(&timers[i], start_us + delays_us[i]);
	}
	ST_EXPECT(timer_cancel(&timers[4]), "a timer that was set cannot be cancelled");
	ST_EXPECT(!timer_cancel(&timers[4]), "it can be cancelled twice");
	timer_set(&timers[2], start_us + 7000); /* moved */
	irq_restore(flags);
	while (fired_count < 4 && time_now_us() < start_us + 2000000)
		thread_sleep_us(1000);
	ST_EQUAL(fired_count, 4);
	for (int i = 0; i < 4; i++)
		ST_EQUAL(fired[i], expected[i]);
	for (int i = 0; i < 4; i++) {
		ST_EXPECT(fired_us[i] >= timers[i].deadline_us, "timer %d fired %llu us early", i,
			  (unsigned long long)(timers[i].deadline_us - fired_us[i]));
	}
	ST_EXPECT(!timer_cancel(&timers[0]), "a timer that fired can be cancelled");
}
