/* Numbers as text and back, the configuration, and lines of a kmem trace. */
#include <locale.h>
#include <memviz/base.h>
#include <memviz/config.h>
#include <memviz/format.h>
#include <memviz/ftrace.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

static void sizes_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0",		      0	       },
		 {"80",			80	  },
		   {"4K",			  4096      },
		{"4KiB",		 4096	     },
		 {"2M",			2097152   },
		   {"1G",			  1073741824},
		{"1_000",		  1000      },
		 {"0x1000",		    4096	},
		   {"0xffff_8000",	   0xffff8000},
		{"1.5K",		 1536	     },
		 {"12B",			 12	   },
		   {"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"",
					  "K",
					  "-1",
					  "1KK",
					  "_1",
					  "1_",
					  "1__0",
					  "0x",
					  "0xg",
					  "1.5",
					  "1.K",
					  "16E",
					  " 1",
					  "1 K",
					  "4X",
					  "1e3",
					  "0x1_",
					  "18446744073709551616",
					  "0x10000000000000000"};
	uint64_t v;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		if (!mv_parse_size(good[i].text, &v) || v != good[i].bytes)
			fail_msg("%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (mv_parse_size(bad[i], &v))
			fail_msg("taken for a size: \"%s\"", bad[i]);
}

static void durations_are_read(void **state)
{
	(void)state;
	uint64_t us;
	assert_true(mv_parse_duration("10m", &us) && us == 600000000);
	assert_true(mv_parse_duration("250ms", &us) && us == 250000);
	assert_true(mv_parse_duration("1.5", &us) && us == 1500000);
	assert_false(mv_parse_duration("", &us));
	assert_false(mv_parse_duration("m", &us));
	assert_false(mv_parse_duration("10 m", &us));
	assert_false(mv_parse_duration("-1", &us));
	assert_false(mv_parse_duration("1e30", &us));
}

static void numbers_are_written(void **state)
{
	(void)state;
	char out[64];
	assert_string_equal(mv_format_size(0, out, sizeof out), "0 B");
	assert_string_equal(mv_format_size(1023, out, sizeof out), "1023 B");
	assert_string_equal(mv_format_size(1536, out, sizeof out), "1.50 KiB");
	assert_string_equal(mv_format_size(2097152, out, sizeof out), "2 MiB");
	assert_string_equal(mv_format_size(1073741823, out, sizeof out), "1 GiB");
	assert_string_equal(mv_format_size(UINT64_MAX, out, sizeof out), "16 EiB");
	assert_string_equal(mv_format_size_delta(-4096, out, sizeof out), "-4 KiB");
	assert_string_equal(mv_format_size_delta(INT64_MIN, out, sizeof out), "-8 EiB");
	assert_string_equal(mv_format_count(1234567, out, sizeof out), "1,234,567");
	assert_string_equal(mv_format_count(12, out, sizeof out), "12");
	assert_string_equal(mv_format_short(12345, out, sizeof out), "12.3k");
	assert_string_equal(mv_format_duration(65000000, out, sizeof out), "01:05");
	for (uint64_t v = 1; v && v < UINT64_MAX / 3; v = v * 3 + 1)
		assert_true(strlen(mv_format_size(v, out, sizeof out)) <= 10);
}

static void bars_fill_their_columns(void **state)
{
	(void)state;
	char out[200];
	assert_string_equal(mv_format_bar(1, 2, 8, true, out, sizeof out), "####....");
	assert_string_equal(mv_format_bar(1, 1000000, 4, true, out, sizeof out), "#...");
	assert_string_equal(mv_format_bar(0, 0, 4, true, out, sizeof out), "....");
	assert_string_equal(mv_format_bar(9, 2, 4, true, out, sizeof out), "####");
	for (unsigned part = 0; part <= 100; part++) {
		unsigned columns = 0;
		mv_format_bar(part, 100, 10, false, out, sizeof out);
		for (const char *p = out; *p; p++)
			columns += (*p & 0xc0) != 0x80;
		assert_int_equal(columns, 10);
	}
}

static void text_from_outside_is_harmless(void **state)
{
	(void)state;
	char out[32];
	assert_string_equal(mv_format_safe("a\x1b[2Jb", out, sizeof out), "a?[2Jb");
	assert_string_equal(mv_format_safe("\xc2\x9b"
					   "31m",
					   out, sizeof out),
			    "??31m");
	assert_string_equal(mv_format_safe("\xff\xfe", out, sizeof out), "??");
	assert_string_equal(mv_format_safe("gr\xc3\xbc\xc3\x9f", out, sizeof out),
			    "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(mv_format_safe("\xe2\x82", out, sizeof out), "??");
	/* Never half a character at the end of the room. */
	assert_string_equal(mv_format_safe("ab\xc3\xbc", out, 4), "ab");
}

/* ---- configuration ---- */

static enum mv_status parse(struct mv_config *c, const char *text, struct mv_error *e)
{
	return mv_config_parse(c, text, strlen(text), "config.json", e);
}

static void a_configuration_is_read(void **state)
{
	(void)state;
	struct mv_config c;
	mv_config_default(&c);
	assert_int_equal(parse(&c,
			       "{\"target\":\"unix:/x\",\"color\":\"never\",\"theme\":\"dark\","
			       "\"ascii\":true,\"mouse\":false,\"hz\":30,\"timeout\":0.5,"
			       "\"history\":60,\"screen\":\"map\",\"map_order\":\"hilbert\"}",
			       NULL),
			 MV_OK);
	assert_string_equal(c.target, "unix:/x");
	assert_int_equal(c.color, MV_COLOR_NEVER);
	assert_int_equal(c.theme, MV_THEME_DARK);
	assert_true(c.ascii && !c.mouse);
	assert_int_equal(c.hz, 30);
	assert_true(c.timeout_s == 0.5 && c.history_s == 60);
	assert_string_equal(c.screen, "map");
	assert_int_equal(c.order, MV_ORDER_HILBERT);
}

static void a_wrong_configuration_says_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"{\"hz\":0}",			       "\"hz\" is 0; it takes a whole number from 1 to 60"},
		{"{\"hz\":1.5}",			 "whole number"				       },
		{"{\"color\":\"red\"}",		"\"auto\", \"always\", \"never\""			 },
		{"{\"colour\":\"auto\"}",		  "no setting \"colour\""				 },
		{"{\"mouse\":1}",			  "true or false"					 },
		{"{\"timeout\":\"2\"}",		"a number from 0.1 to 60"				 },
		{"[]",				"one object"				       },
		{"{\n\"hz\": 10,\n\"mouse\": tru\n}", "line 3"					      },
		{"{\"hz\":10} x",			  "line 1"					   },
		{"{\"hz\":",			     "ends too early"				     },
		{"",				  "ends too early"				     },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mv_config c, before;
		struct mv_error e = {0};
		mv_config_default(&c);
		before = c;
		assert_int_equal(parse(&c, rows[i].text, &e), MV_USAGE);
		if (!strstr(e.message, rows[i].says) || strncmp(e.message, "config.json", 11) != 0)
			fail_msg("%s: \"%s\"", rows[i].text, e.message);
		assert_memory_equal(&c, &before, sizeof c);
	}
}

/* ---- traces ---- */

static void read_line(const char *line, struct mv_ftrace *f)
{
	mv_ftrace_parse(line, strlen(line), f);
}

static void trace_lines_are_read(void **state)
{
	(void)state;
	struct mv_ftrace f;
	read_line("   gcc-1 [001] .....  1421.699540: kmalloc: call_site=f+0x8/0x1 "
		  "ptr=0000000016528c94 bytes_req=512 bytes_alloc=1024 gfp_flags=GFP_KERNEL",
		  &f);
	assert_int_equal(f.kind, MV_FTRACE_KMALLOC);
	assert_int_equal(f.time_us, 1421699540);
	assert_int_equal(f.ptr, 0x16528c94);
	assert_int_equal(f.bytes, 512);
	/* A task may be called anything. */
	read_line("a [1] b: kmalloc: -7 [000] d..1. 1.000002: kfree: call_site=x "
		  "ptr=000000000000ff00",
		  &f);
	assert_int_equal(f.kind, MV_FTRACE_KFREE);
	assert_int_equal(f.time_us, 1000002);
	assert_int_equal(f.ptr, 0xff00);
	read_line(
		"x-1 [0] ..... 1.0: mm_page_alloc: page=00000000e7be132a pfn=0x158216 order=9 m=0",
		&f);
	assert_int_equal(f.kind, MV_FTRACE_PAGE_ALLOC);
	assert_int_equal(f.ptr, 0x158216);
	assert_int_equal(f.order, 9);
	read_line("x-1 [0] 1.0: kfree: call_site=x ptr=(null)", &f);
	assert_int_equal(f.kind, MV_FTRACE_KFREE);
	assert_int_equal(f.ptr, 0);
	read_line("# tracer: nop", &f);
	assert_int_equal(f.kind, MV_FTRACE_OTHER);
	read_line("x-1 [0] ..... 1.0: sched_switch: a=b", &f);
	assert_int_equal(f.kind, MV_FTRACE_OTHER);
}

static void bad_trace_lines_are_told(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"x-1 [0] ..... 1.0: kmalloc: ptr=12",
		"x-1 [0] ..... 1.0: kmalloc: ptr=zz bytes_req=5",
		"x-1 [0] ..... 1.0: kmalloc: ptr=12 bytes_req=5x",
		"x-1 [0] ..... 1.0: kmalloc: ptr=12 bytes_req=99999999999999999999",
		"x-1 [0] ..... 1.0: kmalloc: xptr=12 bytes_req=5",
		"x-1 [0] ..... 1.0: kfree: call_site=x",
		"x-1 [0] ..... 1.0: mm_page_free: page=1 pfn=0x order=0",
		"x-1 [0] ..... 1.0: mm_page_free: page=1 pfn=0x1 order=99",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mv_ftrace f;
		read_line(bad[i], &f);
		if (f.kind != MV_FTRACE_BAD || !f.bad)
			fail_msg("not told: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(numbers_are_written),
		cmocka_unit_test(bars_fill_their_columns),
		cmocka_unit_test(text_from_outside_is_harmless),
		cmocka_unit_test(a_configuration_is_read),
		cmocka_unit_test(a_wrong_configuration_says_what_is_wrong),
		cmocka_unit_test(trace_lines_are_read),
		cmocka_unit_test(bad_trace_lines_are_told),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
