#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/printf.h>

/* The C library is the reference: the same text and the same length for everything in our subset.
 */
#define SAME(...)                                                         \
	do {                                                              \
		char ours_[256], theirs_[256];                            \
		int a_ = ksnprintf(ours_, sizeof(ours_), __VA_ARGS__);    \
		int b_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__); \
		assert_string_equal(ours_, theirs_);                      \
		assert_int_equal(a_, b_);                                 \
	} while (0)

/* Formats put together at run time. */
static int ours(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}

static int theirs(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}

/* Arguments wider than the conversion are cut the same way. */
static void same_cut(const char *fmt, int value)
{
	char a[32], b[32];

	assert_int_equal(ours(a, sizeof(a), fmt, value), theirs(b, sizeof(b), fmt, value));
	assert_string_equal(a, b);
}

static void numbers(void **state)
{
	(void)state;
	SAME("%d %i %u", -1, 42, 42u);
	SAME("%d %d", INT32_MIN, INT32_MAX);
	SAME("%lld %llu", LLONG_MIN, ULLONG_MAX);
	SAME("%hhd %hhu %hd %hu", (signed char)-44, (unsigned char)200, (short)-536,
	     (unsigned short)65000);
	same_cut("%hhd", 300);
	same_cut("%hhu", -1);
	same_cut("%hd", 70000);
	same_cut("%hu", -5);
	SAME("%zu %zd %jd %td", SIZE_MAX, (ssize_t)-1, INTMAX_MIN, (ptrdiff_t)-5);
	SAME("%x %X %#x %#X %#x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0u);
	SAME("%o %#o %#o", 8u, 8u, 0u);
	SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
	SAME("[%8.3d] [%-8.3d] [%.0d]", 7, 7, 0);
	SAME("[%*d] [%-*d] [%*d]", 6, 1, 6, 2, -6, 3);
	SAME("[%.*d]", 4, 9);
	SAME("[%#10x] [%#010x] [%-#10x]", 0x1fu, 0x1fu, 0x1fu);
	SAME("%%");
}

static void texts(void **state)
{
	(void)state;
	SAME("%s|%10s|%-10s|%.2s|%10.2s", "abc", "abc", "abc", "abc", "abc");
	SAME("%.*s", 3, "unterminated");
	SAME("%c%c%5c%-5c|", 'a', 'b', 'c', 'd');
	SAME("%p", (void *)0x1234abcd);
}

static void random_formats(void **state)
{
	static const char *const lengths[] = {"ll", "j", "z", "t", "l"};
	static const char letters[] = "diuxXo";

	(void)state;
	srandom(7);
	for (int i = 0; i < 20000; i++) {
		char fmt[64], a[256], b[256];
		char flags[6] = "";
		size_t n = 0;
		int width = (int)(random() % 30), precision = (int)(random() % 25);
		int64_t value = (int64_t)((uint64_t)random() << 33 ^ (uint64_t)random()) >>
				(random() % 64);

		for (const char *f = "-0+ #"; *f != '\0'; f++) {
			if (random() % 3 == 0)
				flags[n++] = *f;
		}
		flags[n] = '\0';
		if (random() % 2)
			snprintf(fmt, sizeof(fmt), "<%%%s%d%s%c>", flags, width,
				 lengths[random() % 5], letters[random() % 6]);
		else
			snprintf(fmt, sizeof(fmt), "<%%%s%d.%d%s%c>", flags, width, precision,
				 lengths[random() % 5], letters[random() % 6]);
		assert_int_equal(ours(a, sizeof(a), fmt, value), theirs(b, sizeof(b), fmt, value));
		assert_string_equal(a, b);
	}
}

static void bounds(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(ksnprintf(buf, 4, "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], 'x');
	assert_int_equal(ksnprintf(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	assert_int_equal(ksnprintf(NULL, 0, "%d", 12345), 5);
	assert_int_equal(ksnprintf(buf, sizeof(buf), "%s", "1234567"), 7);
	assert_string_equal(buf, "1234567");
}

static void hostile(void **state)
{
	char buf[64];

	(void)state;
	/* An unknown conversion is shown, and nothing after it is guessed. */
	ours(buf, sizeof(buf), "a %d %k %d", 1, 2, 3);
	assert_string_equal(buf, "a 1 %k %d");
	ours(buf, sizeof(buf), "end %");
	assert_string_equal(buf, "end %");
	ours(buf, sizeof(buf), "%s", (char *)NULL);
	assert_string_equal(buf, "(null)");
	/* Widths without end are capped. */
	assert_true(ours(buf, sizeof(buf), "%2000000000d", 1) <= 1024);
	assert_true(ours(buf, sizeof(buf), "%.*d", 2000000000, 1) <= 1024);
	assert_true(ours(buf, sizeof(buf), "%*d", -2147483647 - 1, 1) <= 1024);
}

static void growing_text(void **state)
{
	char buf[10];
	struct text text = TEXT_INIT(buf);

	(void)state;
	text_add(&text, "%s", "1234");
	text_add(&text, "%d", 567);
	assert_string_equal(buf, "1234567");
	assert_int_equal(text.cut, 0);
	text_add(&text, "89abc");
	assert_string_equal(buf, "123456789");
	assert_int_equal(text.len, 9);
	assert_int_equal(text.cut, 1);
	text_add(&text, "more");
	assert_string_equal(buf, "123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),	  cmocka_unit_test(texts),
		cmocka_unit_test(random_formats), cmocka_unit_test(bounds),
		cmocka_unit_test(hostile),	  cmocka_unit_test(growing_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("printf", tests, NULL, NULL);
}
