#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/log.h>
#include <kernel/time.h>

/* The clock that log.c asks. */
static uint64_t clock_us;
uint64_t time_now_us(void)
{
	return clock_us;
}

static void line_by_line(void **state)
{
	uint64_t cursor = log_next_seq(), first = cursor;
	struct log_line line;

	(void)state;
	assert_false(log_read(&cursor, &line));
	clock_us = 1234;
	pr_warn("value %d", 7);
	assert_true(log_read(&cursor, &line));
	assert_int_equal(line.seq, first);
	assert_int_equal(line.t_us, 1234);
	assert_int_equal(line.level, LOG_WARN);
	assert_string_equal(line.text, "value 7");
	assert_false(log_read(&cursor, &line));
	assert_int_equal(cursor, first + 1);
}

static void newlines_split(void **state)
{
	static const char *const expected[] = {"one", "", "two", "three"};
	uint64_t cursor = log_next_seq();
	struct log_line line;

	(void)state;
	pr_info("one\n\ntwo\nthree\n");
	for (size_t i = 0; i < 4; i++) {
		assert_true(log_read(&cursor, &line));
		assert_string_equal(line.text, expected[i]);
	}
	assert_false(log_read(&cursor, &line));
	pr_info("%s", "");
	assert_true(log_read(&cursor, &line));
	assert_string_equal(line.text, "");
}

/* Long text becomes several lines that together are the text; UTF-8 is not cut through. */
static void long_lines(void **state)
{
	char text[1000], joined[1001] = "";
	uint64_t cursor = log_next_seq();
	struct log_line line;
	unsigned lines = 0;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[998] = '\0';
	pr_info("%s", text);
	while (log_read(&cursor, &line)) {
		assert_true(strlen(line.text) < LOG_TEXT_MAX);
		assert_int_equal(strlen(line.text) % 2, 0);
		strcat(joined, line.text);
		lines++;
	}
	assert_string_equal(joined, text);
	assert_int_equal(lines, 5);
}

static void too_long_is_marked(void **state)
{
	static char text[5000];
	uint64_t cursor = log_next_seq();
	struct log_line line;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	pr_info("%s", text);
	while (log_read(&cursor, &line))
		;
	assert_string_equal(line.text + strlen(line.text) - 3, "...");
}

static void lost_lines_are_counted(void **state)
{
	uint64_t cursor = log_next_seq(), start = cursor;
	struct log_line line;
	char expected[32];

	(void)state;
	for (unsigned i = 0; i < LOG_LINES + 100; i++)
		pr_debug("line %u", i);
	assert_true(log_read(&cursor, &line));
	assert_int_equal(line.seq - start, 100);
	snprintf(expected, sizeof(expected), "line %d", 100);
	assert_string_equal(line.text, expected);
	for (unsigned i = 101; i < LOG_LINES + 100; i++)
		assert_true(log_read(&cursor, &line));
	assert_false(log_read(&cursor, &line));
}

static unsigned shown;
static char last_shown[LOG_TEXT_MAX];
static void sink(const struct log_line *line, void *context)
{
	assert_ptr_equal(context, &shown);
	shown++;
	memcpy(last_shown, line->text, sizeof(last_shown));
}

static void sinks_see_what_the_level_lets_through(void **state)
{
	unsigned before;

	(void)state;
	log_set_level(LOG_WARN);
	assert_true(log_add_sink(sink, &shown));
	before = shown;
	pr_info("not for you");
	assert_int_equal(shown, before);
	pr_error("for you");
	assert_int_equal(shown, before + 1);
	assert_string_equal(last_shown, "for you");
	log_set_level(LOG_DEBUG);
	pr_debug("now this too");
	assert_string_equal(last_shown, "now this too");
	log_set_level(LOG_ERROR);
	for (int i = 1; i < LOG_SINKS_MAX; i++)
		assert_true(log_add_sink(sink, &shown));
	assert_false(log_add_sink(sink, &shown));
}

/* Writers and a reader at once: every line that is read is whole, and in order. */
enum { WRITERS = 3, LINES_EACH = 20000 };
static void *writer(void *argument)
{
	unsigned id = *(unsigned *)argument;

	for (unsigned i = 0; i < LINES_EACH; i++)
		pr_debug("%u %06u %u %06u", id, i, id, i);
	return NULL;
}

static void concurrent(void **state)
{
	uint64_t start = log_next_seq(), cursor = start, expected = start, read = 0;
	pthread_t threads[WRITERS];
	unsigned ids[WRITERS];
	struct log_line line;

	(void)state;
	log_set_level(LOG_ERROR);
	for (unsigned i = 0; i < WRITERS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &ids[i]), 0);
	}
	while (cursor < start + WRITERS * LINES_EACH) {
		unsigned a, b, c, d;

		if (!log_read(&cursor, &line))
			continue;
		assert_true(line.seq >= expected);
		expected = line.seq + 1;
		assert_int_equal(sscanf(line.text, "%u %u %u %u", &a, &b, &c, &d), 4);
		assert_int_equal(a, c);
		assert_int_equal(b, d);
		read++;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(read > 0);
	assert_int_equal(log_next_seq(), start + WRITERS * LINES_EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_by_line),
		cmocka_unit_test(newlines_split),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(too_long_is_marked),
		cmocka_unit_test(lost_lines_are_counted),
		cmocka_unit_test(sinks_see_what_the_level_lets_through),
		cmocka_unit_test(concurrent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
