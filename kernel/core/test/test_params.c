#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/selftest.h>

static char logged[1024];
void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(logged, sizeof(logged), fmt, args);
	va_end(args);
}
void log_set_level(enum log_level level)
{
	(void)level;
}

static char reports[4096];
static void report(const char *text, void *context)
{
	(void)context;
	strncat(reports, text, sizeof(reports) - strlen(reports) - 2);
	strcat(reports, "\n");
}

static struct kernel_params params;
static unsigned parse(const char *cmdline)
{
	reports[0] = '\0';
	params_defaults(&params);
	return params_parse(cmdline, &params, report, NULL);
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL), 0);
	assert_int_equal(parse("   \t "), 0);
	assert_int_equal(params.directmap_bytes, 4ull << 30);
	assert_int_equal(params.zone_dma_bytes, 16ull << 20);
	assert_int_equal(params.inspect, INSPECT_ALLOC);
	assert_int_equal(params.panic, PANIC_WAIT);
	assert_int_equal(params.loglevel, LOG_INFO);
	assert_false(params.selftest);
	assert_string_equal(params.workload, "");
	assert_memory_equal(&params, &kernel_params, sizeof(params));
}

static void every_parameter(void **state)
{
	(void)state;
	assert_int_equal(parse("directmap=1G zone_dma=32M inspect=full serial=mux "
			       "workload=churn:rate=5,ramp "
			       "trace=on panic=exit gdbwait gdblost=0 selftest=mm.* loglevel=3 "
			       "poison=1 redzone=1"),
			 0);
	assert_int_equal(params.directmap_bytes, 1ull << 30);
	assert_int_equal(params.zone_dma_bytes, 32ull << 20);
	assert_int_equal(params.inspect, INSPECT_FULL);
	assert_int_equal(params.serial, SERIAL_MUX);
	assert_string_equal(params.workload, "churn:rate=5,ramp");
	assert_true(params.trace);
	assert_int_equal(params.panic, PANIC_EXIT);
	assert_true(params.gdbwait);
	assert_int_equal(params.gdblost, 0);
	assert_true(params.selftest);
	assert_string_equal(params.selftest_pattern, "mm.*");
	assert_int_equal(params.loglevel, 3);
	assert_true(params.poison);
	assert_true(params.redzone);
}

static void later_ones_win(void **state)
{
	(void)state;
	assert_int_equal(parse("panic=exit workload=mixed panic=reboot workload=none"), 0);
	assert_int_equal(params.panic, PANIC_REBOOT);
	assert_string_equal(params.workload, "");
	/* A wrong one later does not undo a right one before. */
	assert_int_equal(parse("panic=exit panic=never"), 1);
	assert_int_equal(params.panic, PANIC_EXIT);
}

static void selftest_alone_means_all(void **state)
{
	(void)state;
	assert_int_equal(parse("selftest"), 0);
	assert_true(params.selftest);
	assert_string_equal(params.selftest_pattern, "*");
}

static void faults_are_named(void **state)
{
	static const struct {
		const char *cmdline, *said;
	} cases[] = {
		{"pannic=exit",			"did you mean 'panic'?"		       },
		{"wrokload=churn",		   "did you mean 'workload'?"	     },
		{"xyzzy=1",			    "is unknown; see"			     },
		{"panic=maybe",			"it takes wait|reboot|exit"		   },
		{"panic",			  "needs a value: panic=wait|reboot|exit"},
		{"panic=",			   "needs a value"			  },
		{"gdbwait=1",		      "takes no value"			      },
		{"gdblost=3601",			 "it takes 0..3600"			   },
		{"loglevel=4",		       "it takes 0..3"			      },
		{"loglevel=x",		       "it takes 0..3"			      },
		{"loglevel=-1",			"it takes 0..3"			       },
		{"directmap=3M",			 "multiple of 2M from 32M to 32T"	 },
		{"directmap=31M",		  "multiple of 2M"			  },
		{"directmap=64T",		  "multiple of 2M"			  },
		{"directmap=4G4",		  "multiple of 2M"			  },
		{"directmap=99999999999999999999", "multiple of 2M"			   },
		{"zone_dma=0",		       "multiple of 2M from 2M to 4G"	     },
		{"poison=yes",		       "it takes 0|1"			     },
		{"trace=1",			    "it takes on|off"			     },
		{"selftest=",		      "[PATTERN]"				 },
	};
	struct kernel_params untouched;

	(void)state;
	params_defaults(&untouched);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].cmdline), 1);
		if (strstr(reports, cases[i].said) == NULL)
			fail_msg("%s: said \"%s\"", cases[i].cmdline, reports);
		assert_memory_equal(&params, &untouched, sizeof(params));
	}
}

static void overlong_words(void **state)
{
	char cmdline[2000] = "workload=";

	(void)state;
	memset(cmdline + 9, 'a', 1000);
	strcat(cmdline, " panic=exit");
	assert_int_equal(parse(cmdline), 1);
	assert_non_null(strstr(reports, "too long"));
	assert_int_equal(params.panic, PANIC_EXIT);

	/* The longest that fits, and one more. */
	memset(cmdline, 0, sizeof(cmdline));
	strcpy(cmdline, "workload=");
	memset(cmdline + 9, 'a', PARAM_TEXT_MAX - 1);
	assert_int_equal(parse(cmdline), 0);
	assert_int_equal(strlen(params.workload), PARAM_TEXT_MAX - 1);
	cmdline[9 + PARAM_TEXT_MAX - 1] = 'a';
	assert_int_equal(parse(cmdline), 1);
}

/* Whatever stands on the command line: no crash, and each fault counted was reported. */
static void random_lines(void **state)
{
	static const char *const pieces[] = {"directmap", "zone_dma", "panic",	  "=",	" ",
					     "4G",	  "exit",     "selftest", "\t", "workload",
					     ",",	  ":",	      "0x",	  "-1", "\xff",
					     "gdbwait",	  "==",	      "loglevel", "2",	"trace=on"};

	(void)state;
	srandom(11);
	for (int i = 0; i < 20000; i++) {
		char cmdline[512] = "";
		unsigned faults, lines = 0;

		for (long n = random() % 20; n > 0; n--)
			strcat(cmdline, pieces[(size_t)random() % 20]);
		faults = parse(cmdline);
		for (const char *at = reports; (at = strchr(at, '\n')) != NULL; at++)
			lines++;
		assert_true(faults == lines || strlen(reports) > 3500);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t bytes;
	} cases[] = {
		{"0",		      true,  0	     },
		{"4096",		 true,  4096	   },
		{"64M",			true,  64ull << 20},
		{"64m",			true,  64ull << 20},
		{"3G",		       true,  3ull << 30 },
		{"1T",		       true,  1ull << 40 },
		{"2k",		       true,  2048	 },
		{"0x1000",		   true,	 4096	     },
		{"0xFf",		 true,  255	  },
		{"18446744073709551615", true,  UINT64_MAX },
		{"18446744073709551616", false, 0		 },
		{"16777216T",	      false, 0	      },
		{"",		     false, 0	     },
		{"K",		      false, 0	      },
		{"0x",		       false, 0	       },
		{"1KB",			false, 0		},
		{"1.5G",		 false, 0		 },
		{"-1",		       false, 0	       },
		{" 1",		       false, 0	       },
		{"1 ",		       false, 0	       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0;

		assert_int_equal(parse_size(cases[i].text, &bytes), cases[i].good);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void distances(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("panic", "panic", 3), 0);
	assert_int_equal(edit_distance("pannic", "panic", 3), 1);
	assert_int_equal(edit_distance("pnaic", "panic", 3), 2);
	assert_int_equal(edit_distance("", "abc", 3), 3);
	assert_int_equal(edit_distance("abcdef", "xyz", 3), 4);
}

static bool slow_glob(const char *glob, const char *text)
{
	if (*glob == '\0')
		return *text == '\0';
	if (*glob == '*')
		return slow_glob(glob + 1, text) || (*text != '\0' && slow_glob(glob, text + 1));
	return *text != '\0' && (*glob == '?' || *glob == *text) && slow_glob(glob + 1, text + 1);
}

static void globs(void **state)
{
	(void)state;
	assert_true(glob_match("thread.*", "thread.sleep"));
	assert_false(glob_match("thread.", "thread.sleep"));
	assert_true(glob_match("*", ""));
	assert_false(glob_match("", "a"));
	assert_true(glob_match("?b*", "abc"));
	srandom(3);
	for (int i = 0; i < 50000; i++) {
		char glob[8] = "", text[10] = "";

		for (long n = random() % 7; n > 0; n--)
			strncat(glob, &"ab*?"[random() % 4], 1);
		for (long n = random() % 9; n > 0; n--)
			strncat(text, &"ab"[random() % 2], 1);
		assert_int_equal(glob_match(glob, text), slow_glob(glob, text));
	}
}

/* docs/boot-parameters.md has exactly the rows that the table gives. */
static void documented(void **state)
{
	char docs[32768], row[1024];
	FILE *file = fopen("docs/boot-parameters.md", "r");
	struct param_doc doc;
	size_t len, rows = 0, found = 0;

	(void)state;
	if (file == NULL)
		fail_msg("docs/boot-parameters.md is not there (run from the root)");
	len = fread(docs, 1, sizeof(docs) - 1, file);
	fclose(file);
	docs[len] = '\0';
	for (size_t i = 0; params_doc(i, &doc); i++, rows++) {
		char form[128];
		size_t n = 0;

		for (const char *c = doc.form; *c != '\0'; c++) {
			if (*c == '|')
				form[n++] = '\\';
			form[n++] = *c;
		}
		form[n] = '\0';
		snprintf(row, sizeof(row), "| `%s%s%s` | %s%s%s | %s |\n", doc.name,
			 doc.form[0] == '\0' || doc.form[0] == '[' ? "" : "=", form,
			 doc.initial[0] != '\0' ? "`" : "",
			 doc.initial[0] != '\0' ? doc.initial : "-",
			 doc.initial[0] != '\0' ? "`" : "", doc.meaning);
		if (strstr(docs, row) == NULL)
			fail_msg("docs/boot-parameters.md lacks the row:\n%s", row);
	}
	for (const char *at = docs; (at = strstr(at, "\n| `")) != NULL; at++)
		found++;
	assert_int_equal(found, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),	    cmocka_unit_test(every_parameter),
		cmocka_unit_test(later_ones_win),   cmocka_unit_test(selftest_alone_means_all),
		cmocka_unit_test(faults_are_named), cmocka_unit_test(overlong_words),
		cmocka_unit_test(random_lines),	    cmocka_unit_test(sizes),
		cmocka_unit_test(distances),	    cmocka_unit_test(globs),
		cmocka_unit_test(documented),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
