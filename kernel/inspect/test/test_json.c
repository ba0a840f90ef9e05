/* The JSON writer and reader. */
#include "compare_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <inspect/json.h>
#include <json-c/json.h>

/* ---- the writer ---- */

static const char *written(struct insp_writer *w)
{
	*w->p = 0;
	return w->start;
}

static void test_writer_commas(void **state)
{
	char buf[256];
	struct insp_writer w;

	(void)state;
	insp_w_init(&w, buf, sizeof(buf) - 1);
	insp_w_open(&w, '{');
	insp_w_key(&w, "a");
	insp_w_open(&w, '[');
	insp_w_u64(&w, 0);
	insp_w_u64(&w, UINT64_MAX);
	insp_w_i64(&w, INT64_MIN);
	insp_w_open(&w, '{');
	insp_w_close(&w, '}');
	insp_w_close(&w, ']');
	insp_w_key(&w, "b");
	insp_w_hex(&w, 0);
	insp_w_key(&w, "c");
	insp_w_hex(&w, UINT64_MAX);
	insp_w_key(&w, "d");
	insp_w_bool(&w, true);
	insp_w_key(&w, "e");
	insp_w_null(&w);
	insp_w_close(&w, '}');
	assert_false(w.full);
	assert_string_equal(written(&w),
			    "{\"a\":[0,18446744073709551615,-9223372036854775808,{}],\"b\":\"0x0\","
			    "\"c\":\"0xffffffffffffffff\",\"d\":true,\"e\":null}");
}

static void test_writer_escapes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"",				     "\"\""						},
		{"a\"b\\c/d",			      "\"a\\\"b\\\\c/d\""					 },
		{"\b\f\n\r\t\x01\x1f\x7f",		   "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""		  },
		{"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
		 "\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\""							   },
		{"\x80",				 "\"\xef\xbf\xbd\""					   },
		{"a\xc0\xaf",			      "\"a\xef\xbf\xbd\xef\xbf\xbd\""			     }, /* overlong */
		{"\xed\xa0\x80",			 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""		   }, /* surrogate */
		{"\xf4\x90\x80\x80",		     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xe4\xb8",			     "\"\xef\xbf\xbd\xef\xbf\xbd\""			   }, /* cut short */
	};
	char buf[256];
	struct insp_writer w;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		insp_w_init(&w, buf, sizeof(buf) - 1);
		insp_w_str(&w, cases[i].in);
		assert_string_equal(written(&w), cases[i].out);
	}
}

/* Whatever the bytes, the string that comes out is JSON and UTF-8. */
static void test_writer_random_strings(void **state)
{
	unsigned char in[64];
	char out[512];
	struct insp_writer w;

	(void)state;
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % sizeof(in);
		for (size_t i = 0; i < len; i++)
			in[i] = (unsigned char)(random() % 3
							? random()
							: "\xe4\xb8\xad\xf0\x9f\"\\\n"[random() %
										       8]);
		insp_w_init(&w, out, sizeof(out) - 1);
		insp_w_text(&w, (char *)in, len);
		assert_false(w.full);
		compare_json((const uint8_t *)out, (size_t)(w.p - out));
		struct json_object *v = json_tokener_parse(written(&w));
		assert_true(json_object_is_type(v, json_type_string));
		json_object_put(v);
	}
}

/* A writer that is full says so, never writes past its end, and rolls back to where it was. */
static void test_writer_bounds(void **state)
{
	char buf[64];
	struct insp_writer w;

	(void)state;
	for (size_t room = 0; room < 40; room++) {
		memset(buf, '#', sizeof(buf));
		insp_w_init(&w, buf, room);
		insp_w_open(&w, '{');
		struct insp_writer mark = w;
		insp_w_key(&w, "key");
		insp_w_str(&w, "va\nl\xff");
		insp_w_key(&w, "n");
		insp_w_u64(&w, 12);
		assert_true(w.p <= w.end);
		for (size_t i = room; i < sizeof(buf); i++)
			assert_int_equal(buf[i], '#');
		insp_w_rollback(&w, mark);
		assert_int_equal(w.full, room < 1 + 1);
	}
}

/* ---- the reader ---- */

static struct insp_json json;

static const char *refusal(const char *text, uint32_t *at)
{
	struct insp_json_error e = {0};

	if (insp_json_parse(&json, text, strlen(text), &e))
		return NULL;
	*at = e.at;
	return e.what;
}

static void test_reader_refuses(void **state)
{
	static const struct {
		const char *text;
		uint32_t at;
		const char *what;
	} cases[] = {
		{"",				    0,	"the text ends where a value should be"},
		{"  ",				  2,  "the text ends where a value should be"},
		{"{\"a\":1,\"a\":2}",		      7,	 "twice"				},
		{"{\"a\":1,\"\\u0061\":2}",		    7,  "twice"				      },
		{"[1,]",				3,  "expected a value"		      },
		{"[1",				  2,  "the array does not end"		  },
		{"{\"a\":1,}",			       7,  "expected a key"			  },
		{"{\"a\" 1}",			      5,	 "expected a colon"			   },
		{"{a:1}",			       1,  "expected a key"			     },
		{"{\"a\":}",			     5,	"expected a value"			  },
		{"[1 2]",			       3,  "expected a comma"		       },
		{"{\"a\":1]",			      6,	 "expected a comma or the end"	      },
		{"1 2",				 2,  "behind the value"		     },
		{"01",				  0,  "leading zero"				},
		{"-",				   0,	 "bad number"			     },
		{"1.",				  0,  "bad number"			      },
		{".5",				  0,  "expected a value"			    },
		{"+1",				  0,  "expected a value"			    },
		{"1e",				  0,  "bad number"			      },
		{"0x10",				1,  "behind the value"		      },
		{"NaN",				 0,  "expected a value"		     },
		{"-Infinity",			      0,	 "bad number"			     },
		{"tru",				 0,  "expected a value"		     },
		{"\"a",				 0,  "does not end"			 },
		{"\"a\nb\"",			     2,	"control character"			   },
		{"\"\\x\"",			     1,  "no such escape"		       },
		{"\"\\u12g4\"",				1,  "four hex digits"			    },
		{"\"\\ud800\"",				1,  "surrogate"			      },
		{"\"\\udc00\"",				1,  "surrogate"			      },
		{"\"\\ud800\\u0041\"",		       1,  "surrogate"			     },
		{"\"\xff\"",			     1,	"UTF-8"				       },
		{"\"\xc0\x80\"",			 1,  "UTF-8"				   },
		{"'a'",				 0,  "expected a value"		     },
		{"/* */1",			      0,  "expected a value"			},
		{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 16, "deep"				  },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t at = 0;
		const char *what = refusal(cases[i].text, &at);
		if (!what || !strstr(what, cases[i].what) || at != cases[i].at)
			fail_msg("%s: \"%s\" at %u", cases[i].text, what ? what : "accepted", at);
		compare_json((const uint8_t *)cases[i].text, strlen(cases[i].text));
	}
}

static void test_reader_limits(void **state)
{
	static char text[8192];
	uint32_t at;

	(void)state;
	/* 511 numbers in an array are 512 values; one more is too many. */
	for (uint32_t n = INSP_TOKENS_MAX - 1; n <= INSP_TOKENS_MAX; n++) {
		strcpy(text, "[");
		for (uint32_t i = 0; i < n; i++)
			strcat(text, i ? ",1" : "1");
		strcat(text, "]");
		const char *what = refusal(text, &at);
		if (n < INSP_TOKENS_MAX)
			assert_null(what);
		else
			assert_ptr_equal(what, INSP_X_TOKENS);
	}
	assert_null(refusal("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", &at));
}

static void test_reader_values(void **state)
{
	static const char text[] =
		"{\"n\":18446744073709551615,\"m\":18446744073709551616,\"f\":1.0,"
		"\"s\":\"\\u00e9\\ud83d\\ude00\\n\",\"t\":[true,{\"x\":null}],\"\":-1}";
	struct insp_json_error e;
	char buf[16];
	uint64_t n;

	(void)state;
	assert_true(insp_json_parse(&json, text, sizeof(text) - 1, &e));
	const struct insp_token *root = json.token;
	assert_true(insp_json_u64(&json, insp_json_member(&json, root, "n"), &n));
	assert_int_equal(n, UINT64_MAX);
	assert_false(insp_json_u64(&json, insp_json_member(&json, root, "m"), &n));
	assert_false(insp_json_u64(&json, insp_json_member(&json, root, "f"), &n));
	assert_false(insp_json_u64(&json, insp_json_member(&json, root, ""), &n));
	const struct insp_token *s = insp_json_member(&json, root, "s");
	assert_int_equal(insp_json_string(&json, s, buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "\xc3\xa9\xf0\x9f\x98\x80\n", 7);
	assert_true(insp_json_string(&json, s, buf, 6) == SIZE_MAX);
	assert_null(insp_json_member(&json, root, "x"));
	assert_int_equal(insp_json_member(&json, root, "t")->type, INSP_T_ARRAY);
}

/* Texts that grammar-aware mutation makes of good ones: the differential smoke. */
static void test_against_json_c(void **state)
{
	static const char *const seeds[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":{\"a\":[1,2.5e3,-0,null]}}",
		"[{\"a\":\"\\u00e9\\ud83d\\ude00\"},[],{},\"\\\\\\\"\\/\\b\",1E+5,true,false]",
		" \t\r\n[ 0 , -12 , 0.5 , 1e-9 , \"\xe4\xb8\xad\" ] ",
	};
	static const char spice[] = "{}[]:,\"\\0123456789.eE+-truefalsn u\t\n\x01\xff\xc3\xa9/dD8";
	char text[512];

	(void)state;
	srandom(11);
	for (int round = 0; round < 200000; round++) {
		const char *seed = seeds[random() % 3];
		size_t len = strlen(seed);
		memcpy(text, seed, len);
		for (long k = random() % 5; k >= 0; k--) {
			size_t at = (size_t)random() % len;
			switch (random() % 4) {
			case 0:
				text[at] = spice[(size_t)random() % (sizeof(spice) - 1)];
				break;
			case 1:
				memmove(text + at, text + at + 1, len - at - 1);
				len -= len > 1;
				break;
			case 2:
				memmove(text + at + 1, text + at, len - at);
				len++;
				break;
			default:
				len = random() % 8 ? len : at + 1;
			}
		}
		compare_json((const uint8_t *)text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_commas),  cmocka_unit_test(test_writer_escapes),
		cmocka_unit_test(test_writer_bounds),  cmocka_unit_test(test_writer_random_strings),
		cmocka_unit_test(test_reader_refuses), cmocka_unit_test(test_reader_limits),
		cmocka_unit_test(test_reader_values),  cmocka_unit_test(test_against_json_c),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
