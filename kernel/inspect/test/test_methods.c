/* Every method: what it answers when asked well, and what it says to each wrong parameter. */
#include "doc_table.h"
#include "rig.h"
#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <inspect/table.h>

static struct model_options options = {
	.access = INSP_ACCESS_FULL, .seed = 5, .memory_bytes = 512 << 20};
static struct rig *rig;

static int setup(void **state)
{
	(void)state;
	options.access = INSP_ACCESS_FULL;
	rig = rig_start(&options, 65536);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

static struct json_object *get(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no %s in %s", name, json_object_to_json_string(o));
	return v;
}

/* The result is good by its schema, or the test fails; the text of the result. */
static void works(const char *method, const char *params)
{
	struct json_object *record;

	rig_result(rig, method, params, &record);
	json_object_put(record);
}

/* ---- the table ---- */

static void test_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < insp_method_count; i++) {
		const struct insp_method *m = &insp_methods[i];
		assert_true(i == 0 || strcmp(insp_methods[i - 1].name, m->name) < 0);
		assert_ptr_equal(insp_method_find(m->name, strlen(m->name)), m);
		assert_non_null(m->handler);
		assert_non_null(m->result);
		assert_true(m->summary && m->summary[0]);
		assert_true(m->param_count <= INSP_PARAMS_MAX);
	}
	assert_null(insp_method_find("mm.sta", 6));
	assert_null(insp_method_find("mm.statx", 8));
	assert_null(insp_method_find("", 0));
}

/* The names that the specification gives, all of them and no others. */
static void test_names(void **state)
{
	static const char *const names[] = {
		INSP_M_HELLO,	      INSP_M_DISCOVER,	    INSP_M_STAT,
		INSP_M_ZONES,	      INSP_M_FRAMES,	    INSP_M_CACHES,
		INSP_M_SLABS,	      INSP_M_OBJECT,	    INSP_M_SPACES,
		INSP_M_MAPPINGS,      INSP_M_TRANSLATE,	    INSP_M_RMAP,
		INSP_M_KMALLOC,	      INSP_M_KFREE,	    INSP_M_ALLOC_PAGES,
		INSP_M_FREE_PAGES,    INSP_M_MAP,	    INSP_M_UNMAP,
		INSP_M_CHECK,	      INSP_M_SPACE_CREATE,  INSP_M_SPACE_DESTROY,
		INSP_M_READ,	      INSP_M_TRACE_START,   INSP_M_TRACE_STOP,
		INSP_M_TRACE_SITES,   INSP_M_TRACE_LEAKS,   INSP_M_WATCH_START,
		INSP_M_WATCH_STOP,    INSP_M_WORKLOAD_LIST, INSP_M_WORKLOAD_START,
		INSP_M_WORKLOAD_STOP, INSP_M_FAULT_INJECT,  INSP_M_LOG,
		INSP_M_BREAK,	      INSP_M_PANIC,	    INSP_M_POWEROFF};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), insp_method_count);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(insp_method_find(names[i], strlen(names[i])));
}

static void test_nearest(void **state)
{
	static const struct {
		const char *wrong, *near;
	} cases[] = {
		{"mm.stats",   "mm.stat"    },
		 {"stat",	  "mm.stat"	   },
		 {"mm.kmaloc",  "mm.kmalloc" },
		{"helo",	 "hello"	},
		 {"unmap",	   "mm.unmap"   },
		 {"mm.mapings", "mm.mappings"},
		{"log",	"sys.log"	 },
		 {"watch",	   "watch.stop" }
	};

	(void)state;
	for (size_t i = 0; i < 7; i++)
		rig_refused(rig, cases[i].wrong, NULL, INSP_E_METHOD, cases[i].near);
	rig_refused(rig, "", NULL, INSP_E_METHOD, "unknown method");
	rig_refused(rig, "a.very.long.name.that.no.method.has.at.all.in.any.version.of.this", NULL,
		    INSP_E_METHOD, "unknown method");
	rig_refused(rig, "mm\\u002estat", NULL, INSP_E_METHOD, "unknown method");
}

/* Wrong parameters of every method by its own table: each type refuses what it does not take, the
 * message names the parameter and what it takes; a missing one and an unknown one likewise. */
static const char *const not_of_type[INSP_PARAM_TYPES][6] = {
	[INSP_PT_UINT] = {"-1",		"1.5",	       "\"1\"",	"[]",		      "1e3",	     "99999999999999999999"	   },
	[INSP_PT_ADDR] = {"16",		"\"16\"",	  "\"0x\"",	    "\"0x12345678901234567\"", "\"0xg\"",
			  "\"-0x1\""													     },
	[INSP_PT_BOOL] = {"1",	       "\"true\"",	   "0",		"{}",		      "\"\"",	      "[true]"		      },
	[INSP_PT_WORD] = {"\"nothing\"", "1",	      "\"\"",	      "[]",			    "\"STAT\"",	"{}"			    },
	[INSP_PT_WORDS] = {"\"stat\"",    "[\"nothing\"]", "[1]",	       "{}",			     "[[]]",	     "1"				},
	[INSP_PT_ZONE] = {"\"DMA\"",     "0",		  "\"\"",	  "[]",			"\"ZONE_DMA \"", "true"		       },
	[INSP_PT_RIGHTS] = {"\"rw\"",      "1",		   "[]",	 "\"w x\"",		    "\"W\"",	     "\"wwwwwwwwwwwwwwwwwwwwwww\""},
	[INSP_PT_TEXT] =
		{"1",	      "\"\\n\"",	 "[]",	       "\"\\u007f\"",	      "true",
			  "\"0123456789012345678901234567890123456789012345678901234567890123456789\""					     },
	[INSP_PT_CURSOR] = {"1",		 "[]",	       "true",       "{}",			     "1.5",	    "-1"				},
	[INSP_PT_SETTINGS] = {"1",	   "[]",		 "{\"a\":-1}", "{\"a\":\"b\"}",		"\"\"",
			      "{\"0123456789012345678901234567890123\":1}"									   },
};

static void test_wrong_parameters(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < insp_method_count; i++) {
		const struct insp_method *m = &insp_methods[i];
		char params[256], want[160];
		rig_refused(rig, m->name, "{\"no_such\":1}", INSP_E_PARAMS,
			    "unknown parameter no_such");
		rig_refused(rig, m->name, "7", INSP_E_PARAMS, "an object or an array");
		for (uint32_t k = 0; k < m->param_count; k++) {
			const struct insp_param *p = &m->params[k];
			for (int w = 0; w < 6; w++) {
				snprintf(params, sizeof(params), "{\"%s\":%s}", p->name,
					 not_of_type[p->type][w]);
				snprintf(want, sizeof(want), "parameter %s is wrong: it takes ",
					 p->name);
				rig_refused(rig, m->name, params, INSP_E_PARAMS, want);
			}
			snprintf(want, sizeof(want), "parameter %s is missing: it takes ", p->name);
			if (!p->optional && k == 0)
				rig_refused(rig, m->name, NULL, INSP_E_PARAMS, want);
			if (p->type == INSP_PT_UINT && p->max < UINT64_MAX) {
				snprintf(params, sizeof(params), "{\"%s\":%llu}", p->name,
					 (unsigned long long)p->max + 1);
				snprintf(want, sizeof(want), "from %llu to %llu",
					 (unsigned long long)p->min, (unsigned long long)p->max);
				rig_refused(rig, m->name, params, INSP_E_PARAMS, want);
			}
		}
		/* One more than there are, by place. */
		strcpy(params, "[");
		for (uint32_t k = 0; k <= m->param_count; k++)
			strcat(params, k ? ",null" : "null");
		strcat(params, "]");
		struct json_object *r = rig_request(rig, m->name, params);
		assert_int_equal(rig_int(get(r, "error"), "code"), INSP_E_PARAMS);
		json_object_put(r);
	}
	/* None of these did anything. */
	assert_int_equal(model_counts()->kmallocs + model_counts()->kfrees + model_counts()->maps +
				 model_counts()->alloc_pages + model_counts()->panics,
			 0);
}

/* ---- discover ---- */

static void check_document(int link_bytes)
{
	struct json_object *all = rig_all(rig, "rpc.discover", "{}", "methods");

	assert_int_equal(json_object_array_length(all), insp_method_count);
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *m = json_object_array_get_idx(all, i);
		assert_string_equal(rig_str(m, "name"), insp_methods[i].name);
		assert_int_equal(json_object_array_length(get(m, "params")),
				 insp_methods[i].param_count);
		assert_string_equal(rig_str(get(get(m, "result"), "schema"), "type"), "object");
	}
	json_object_put(all);
	(void)link_bytes;
}

static void test_discover(void **state)
{
	struct json_object *record;

	(void)state;
	check_document(65536);
	struct json_object *result = rig_result(rig, "rpc.discover", NULL, &record);
	assert_string_equal(rig_str(result, "openrpc"), "1.2.6");
	json_object_put(record);
	rig_stop(rig);
	rig = rig_start(&options, INSP_RECORD_UART_MAX);
	check_document(INSP_RECORD_UART_MAX);
}

/* The committed document is what the table says. */
static void test_document_in_docs(void **state)
{
	struct json_object *file = json_object_from_file("docs/openrpc.json");
	struct json_object *all = rig_all(rig, "rpc.discover", "{}", "methods");

	(void)state;
	if (!file)
		fail_msg("docs/openrpc.json: %s", json_util_get_last_err());
	if (!json_object_equal(get(file, "methods"), all))
		fail_msg("docs/openrpc.json is old: make it anew with build/openrpc > "
			 "docs/openrpc.json");
	json_object_put(file);
	json_object_put(all);
}

/* The normative text has the table of methods word by word. */
static void test_table_in_docs(void **state)
{
	char *table = NULL, *text = calloc(1, 1 << 20);
	size_t len = 0;
	FILE *memory = open_memstream(&table, &len), *file = fopen("docs/protocol.md", "r");

	(void)state;
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	doc_table(memory);
	fclose(memory);
	if (!strstr(text, table))
		fail_msg("docs/protocol.md is old: its table is what build/openrpc --table prints");
	free(text);
	free(table);
}

/* ---- the methods that read ---- */

static void test_hello(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "hello", "{\"token\":\"\xc3\xa9\"}", &record);
	assert_string_equal(rig_str(r, "token"), "\xc3\xa9");
	assert_int_equal(rig_int(r, "protocol"), 1);
	assert_int_equal(rig_int(r, "page_size"), 4096);
	assert_int_equal(rig_int(r, "frame_size"), 2097152);
	assert_int_equal(rig_int(r, "max_record"), 65536);
	assert_string_equal(rig_str(r, "access"), "full");
	json_object_put(record);
	works("hello", "[]");
	works("hello", "[null]");
}

static void test_stat(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "mm.stat", NULL, &record);
	assert_int_equal(rig_int(r, "used") + rig_int(r, "free"), rig_int(r, "total"));
	assert_int_equal(rig_int(r, "free") + rig_int(r, "cache_free"), rig_int(r, "available"));
	json_object_put(record);
	works("mm.stat", "{}");
}

static void test_zones_and_frames(void **state)
{
	struct json_object *record, *zones, *runs;
	int64_t frames = 0, last = 0;

	(void)state;
	struct json_object *r = rig_result(rig, "mm.zones", NULL, &record);
	zones = get(r, "zones");
	assert_int_equal(json_object_array_length(zones), 3);
	for (int i = 0; i < 3; i++)
		frames += rig_int(json_object_array_get_idx(zones, (size_t)i), "frames");
	json_object_put(record);
	/* Page by page it is the same as at once, and it covers everything in order. */
	struct json_object *once = rig_all(rig, "mm.frames", NULL, "runs");
	runs = rig_all(rig, "mm.frames", "{\"limit\":1}", "runs");
	assert_true(json_object_equal(once, runs));
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		struct json_object *run = json_object_array_get_idx(runs, i);
		assert_int_equal(strtoll(rig_str(run, "pa"), NULL, 16), last);
		last += rig_int(run, "count") * 2097152;
		if (json_object_get(get(run, "zone")) &&
		    strcmp(rig_str(run, "state"), "reserved") != 0 &&
		    strcmp(rig_str(run, "state"), "hole") != 0)
			frames -= rig_int(run, "count");
		json_object_put(get(run, "zone"));
	}
	assert_int_equal(frames, 0);
	json_object_put(once);
	json_object_put(runs);
	runs = rig_all(rig, "mm.frames", "{\"zone\":\"ZONE_DMA\",\"limit\":1}", "runs");
	for (size_t i = 0; i < json_object_array_length(runs); i++)
		assert_string_equal(rig_str(json_object_array_get_idx(runs, i), "zone"),
				    "ZONE_DMA");
	assert_int_equal(json_object_array_length(runs), 2);
	json_object_put(runs);
	runs = rig_all(rig, "mm.frames", "{\"from\":\"0x1000001\"}", "runs");
	assert_string_equal(rig_str(json_object_array_get_idx(runs, 0), "pa"), "0x1000000");
	json_object_put(runs);
	works("mm.frames", "{\"from\":\"0xffffffffffffffff\"}");
}

static void test_caches_and_slabs(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "mm.caches", NULL, &record),
			   *caches = get(r, "caches");
	assert_int_equal(json_object_array_length(caches), 16);
	for (size_t i = 0; i < 16; i++) {
		struct json_object *c = json_object_array_get_idx(caches, i);
		assert_int_equal(rig_int(c, "size"), 32 << i);
		assert_int_equal(rig_int(c, "used") + rig_int(c, "free"), rig_int(c, "objects"));
		char params[64];
		snprintf(params, sizeof(params), "{\"size\":%d}", 32 << i);
		struct json_object *slabs = rig_all(rig, "mm.slabs", params, "slabs");
		int64_t used = 0;
		for (size_t k = 0; k < json_object_array_length(slabs); k++) {
			struct json_object *runs = get(json_object_array_get_idx(slabs, k),
						       "used_runs");
			for (size_t n = 0; n < json_object_array_length(runs); n++)
				used += json_object_get_int64(json_object_array_get_idx(
					json_object_array_get_idx(runs, n), 1));
		}
		assert_int_equal(used, rig_int(c, "used"));
		json_object_put(slabs);
	}
	json_object_put(record);
	rig_refused(rig, "mm.slabs", "{\"size\":48}", INSP_E_PARAMS,
		    "a power of two from 32 to 1048576");
}

/* A slab full of holes has more runs than one element carries. */
static void test_slab_with_many_runs(void **state)
{
	struct json_object *record;
	char params[64];
	static char addr[1024][24];
	int64_t used = 0;

	(void)state;
	for (int i = 0; i < 1024; i++) {
		struct json_object *r = rig_result(rig, "mm.kmalloc", "{\"size\":32}", &record);
		snprintf(addr[i], sizeof(addr[i]), "%s", rig_str(r, "addr"));
		json_object_put(record);
	}
	for (int i = 0; i < 1024; i += 2) {
		snprintf(params, sizeof(params), "{\"addr\":\"%s\"}", addr[i]);
		works("mm.kfree", params);
	}
	struct json_object *slabs = rig_all(rig, "mm.slabs", "{\"size\":32,\"limit\":1}", "slabs");
	struct json_object *first = json_object_array_get_idx(slabs, 0);
	assert_true(json_object_array_length(slabs) > 5);
	for (size_t k = 0; k < json_object_array_length(slabs); k++) {
		struct json_object *slab = json_object_array_get_idx(slabs, k), *runs;
		assert_string_equal(rig_str(slab, "addr"), rig_str(first, "addr"));
		runs = get(slab, "used_runs");
		assert_in_range(json_object_array_length(runs), 1, INSP_RUNS_MAX);
		for (size_t n = 0; n < json_object_array_length(runs); n++)
			used += json_object_get_int64(
				json_object_array_get_idx(json_object_array_get_idx(runs, n), 1));
	}
	assert_int_equal(used, rig_int(first, "used"));
	json_object_put(slabs);
}

static void test_object(void **state)
{
	struct json_object *record;
	char params[64], addr[32];

	(void)state;
	works("trace.start", NULL);
	struct json_object *r = rig_result(rig, "mm.kmalloc", "{\"size\":80}", &record);
	snprintf(addr, sizeof(addr), "%s", rig_str(r, "addr"));
	json_object_put(record);
	rig->clock_us += 77;
	snprintf(params, sizeof(params), "[\"0x%llx\"]", strtoull(addr, NULL, 16) + 17);
	r = rig_result(rig, "mm.object", params, &record);
	assert_string_equal(rig_str(r, "kind"), "slab");
	assert_string_equal(rig_str(r, "state"), "used");
	assert_string_equal(rig_str(r, "base"), addr);
	assert_int_equal(rig_int(r, "size"), 128);
	assert_int_equal(rig_int(r, "age_us"), 77);
	assert_string_equal(rig_str(r, "symbol"), "insp_do_kmalloc+0x3b");
	json_object_put(record);
	r = rig_result(rig, "mm.object", "{\"addr\":\"0xffffffff80000010\"}", &record);
	assert_string_equal(rig_str(r, "kind"), "image");
	assert_false(json_object_object_get_ex(r, "site", NULL));
	assert_false(json_object_object_get_ex(r, "symbol", NULL));
	json_object_put(record);
	r = rig_result(rig, "mm.object", "{\"addr\":\"0xffffffff80001000\"}", &record);
	assert_string_equal(rig_str(r, "symbol"), "churn_run+0x4c");
	json_object_put(record);
	r = rig_result(rig, "mm.object", "{\"addr\":\"0x10\"}", &record);
	assert_string_equal(rig_str(r, "kind"), "none");
	assert_null(get(r, "base"));
	json_object_put(record);
}

/* Entry by entry the runs of a space are its leaves. */
static void compare_leaves(uint32_t space, const char *params)
{
	const struct model_leaf *leaf;
	size_t leaves = model_leaves(space, &leaf), i = 0;
	struct json_object *runs = rig_all(rig, "mm.mappings", params, "runs");

	for (size_t k = 0; k < json_object_array_length(runs); k++) {
		struct json_object *run = json_object_array_get_idx(runs, k);
		uint64_t va = strtoull(rig_str(run, "va"), NULL, 16);
		uint64_t pa = strtoull(rig_str(run, "pa"), NULL, 16);
		uint64_t page = (uint64_t)rig_int(run, "page"), len = (uint64_t)rig_int(run, "len");
		const char *flags = rig_str(run, "flags");
		for (uint64_t at = 0; at < len; at += page, i++) {
			assert_true(i < leaves);
			assert_int_equal(leaf[i].va, va + at);
			assert_int_equal(leaf[i].pa, pa + at);
			assert_int_equal(leaf[i].page, page);
			for (int b = 0; b < 6; b++)
				assert_int_equal(flags[b] != '-', leaf[i].flags >> b & 1);
		}
	}
	assert_int_equal(i, leaves);
	json_object_put(runs);
}

static void test_mappings(void **state)
{
	char params[64];

	(void)state;
	uint32_t hostile = model_make_space("hostile", 33280, 8);
	uint32_t single = model_make_space("single", 4000, 1);
	snprintf(params, sizeof(params), "{\"space\":%u,\"to\":\"0x7fffffffffff\"}", hostile);
	compare_leaves(hostile, params);
	snprintf(params, sizeof(params), "{\"space\":%u,\"to\":\"0x7fffffffffff\",\"limit\":7}",
		 single);
	compare_leaves(single, params);
	compare_leaves(0, "{\"space\":0}");
	compare_leaves(0, NULL);
	/* A space shows the common kernel half behind its own. */
	snprintf(params, sizeof(params), "{\"space\":%u,\"from\":\"0x8000000000000000\"}", single);
	struct json_object *a = rig_all(rig, "mm.mappings", params, "runs");
	struct json_object *b = rig_all(rig, "mm.mappings", NULL, "runs");
	assert_true(json_object_equal(a, b));
	json_object_put(a);
	json_object_put(b);
	rig_refused(rig, "mm.mappings", "{\"space\":99}", INSP_E_PARAMS, "no such space");
	rig_refused(rig, "mm.mappings", "{\"from\":\"0x2\",\"to\":\"0x1\"}", INSP_E_PARAMS,
		    "not below from");
	works("mm.mappings", "{\"ad\":true,\"limit\":1}");
}

/* The same under unrest: walks that are busy, and a state that moves under them. */
static void test_mappings_in_unrest(void **state)
{
	char params[64];

	(void)state;
	uint32_t hostile = model_make_space("hostile", 8000, 3);
	snprintf(params, sizeof(params), "{\"space\":%u,\"to\":\"0x7fffffffffff\"}", hostile);
	model_set_unrest(0, 40);
	compare_leaves(hostile, params);
	model_set_unrest(0, 1);
	compare_leaves(hostile, "{\"space\":1,\"to\":\"0x7fffffffffff\",\"limit\":50}");
	works("mm.caches", NULL);
	works("mm.zones", NULL);
	works("mm.spaces", NULL);
	model_set_unrest(2, 0);
	compare_leaves(hostile, "{\"space\":1,\"to\":\"0x7fffffffffff\",\"limit\":700}");
	works("mm.translate", "{\"va\":\"0xffffffff80000123\"}");
	works("trace.sites", NULL);
	model_set_unrest(0, 0);
}

static void test_hostile_cursors(void **state)
{
	static const char *const wrong[] = {
		"",	 ":",	   "5",	     "5:",     "5:1",
		"5:1:",	 "5::1",   "5:1:1:", "5:g:1",  "5:1:11112222333344445",
		"6:1:1", "05:1:1", " 5:1:1", "5:1:1 ", "5:-1:1"};
	char params[128];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(params, sizeof(params), "{\"cursor\":\"%s\"}", wrong[i]);
		rig_refused(rig, "mm.mappings", params, INSP_E_PARAMS,
			    "that mm.mappings gave as next");
	}
	/* Right in form, wrong in place: an answer, never an accident. */
	for (int i = 0; i < 3000; i++) {
		const char *const methods[] = {"mm.mappings", "mm.frames",    "mm.spaces",
					       "trace.leaks", "mm.rmap",      "mm.slabs",
					       "sys.log",     "workload.list"};
		const char *const more[] = {
			"", "", "", "\"older_than_us\":0,", "\"pa\":\"0x0\",", "\"size\":64,",
			"", ""};
		const int kinds[] = {5, 1, 4, 9, 6, 3, 12, 11};
		int k = i % 8;
		uint64_t a = model_random() >> model_random() % 64,
			 b = model_random() >> model_random() % 64;
		snprintf(params, sizeof(params), "{%s\"limit\":2,\"cursor\":\"%d:%llx:%llx\"}",
			 more[k], kinds[k], (unsigned long long)a, (unsigned long long)b);
		json_object_put(rig_request(rig, methods[k], params));
	}
}

static void test_translate(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "mm.translate", "{\"va\":\"0xffffffff80000123\"}",
					   &record);
	assert_string_equal(rig_str(r, "pa"), "0x1000123");
	assert_int_equal(rig_int(r, "page"), 4096);
	assert_string_equal(rig_str(r, "flags"), "-x-g--");
	assert_int_equal(json_object_array_length(get(r, "levels")), 4);
	json_object_put(record);
	r = rig_result(rig, "mm.translate", "{\"va\":\"0x123\",\"space\":0}", &record);
	assert_null(get(r, "pa"));
	assert_null(get(r, "page"));
	json_object_put(record);
	rig_refused(rig, "mm.translate", "{\"va\":\"0x0\",\"space\":9}", INSP_E_PARAMS,
		    "no such space");
}

static void test_rmap(void **state)
{
	struct json_object *runs = rig_all(rig, "mm.rmap", "{\"pa\":\"0x1000000\"}", "runs");

	(void)state;
	assert_int_equal(json_object_array_length(runs), 2);
	json_object_put(runs);
	rig_refused(rig, "mm.rmap", "{\"pa\":\"0xffffffffffffffff\",\"len\":2}", INSP_E_PARAMS,
		    "past the last");
	works("mm.rmap", "{\"pa\":\"0xfffffffffffff000\",\"len\":4096}");
}

static void test_read(void **state)
{
	struct json_object *a, *b;

	(void)state;
	struct json_object *r = rig_result(rig, "mem.read", "{\"pa\":\"0x1000000\",\"len\":1024}",
					   &a);
	assert_int_equal(strlen(rig_str(r, "hex")), 2048);
	struct json_object *s = rig_result(rig, "mem.read",
					   "{\"va\":\"0xffffffff80000000\",\"len\":1024}", &b);
	assert_string_equal(rig_str(r, "hex"), rig_str(s, "hex"));
	json_object_put(a);
	json_object_put(b);
	rig_refused(rig, "mem.read", "{\"va\":\"0x0\",\"len\":1}", INSP_E_REFUSED, "unreadable");
	rig_refused(rig, "mem.read", "{\"va\":\"0xffffffff802fffff\",\"len\":2}", INSP_E_REFUSED,
		    "unreadable");
	rig_refused(rig, "mem.read", "{\"len\":1}", INSP_E_PARAMS, "either va or pa");
	rig_refused(rig, "mem.read", "{\"va\":\"0x0\",\"pa\":\"0x0\",\"len\":1}", INSP_E_PARAMS,
		    "either va or pa");
	rig_refused(rig, "mem.read", "{\"va\":\"0xffffffffffffffff\",\"len\":2}", INSP_E_PARAMS,
		    "past the last");
	rig_refused(rig, "mem.read", "{\"va\":\"0x0\",\"len\":1,\"space\":7}", INSP_E_PARAMS,
		    "no such space");
}

static void test_trace(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "trace.start",
					   "{\"events\":[\"kmalloc\",\"fail\"]}", &record);
	assert_int_equal(json_object_array_length(get(r, "events")), 2);
	json_object_put(record);
	works("workload.start", "{\"name\":\"leak\"}");
	works("workload.start", "{\"name\":\"churn\"}");
	for (int i = 0; i < 100; i++) {
		rig->clock_us += 10000;
		model_set_clock(rig->clock_us);
		model_run(rig->clock_us);
	}
	works("workload.stop", "{\"name\":\"leak\"}");
	works("workload.stop", "{\"name\":\"churn\"}");
	rig->clock_us++;
	/* What was lost is the leak's and nothing else's. */
	struct json_object *leaks = rig_all(rig, "trace.leaks", "{\"older_than_us\":0}", "objects");
	assert_true(json_object_array_length(leaks) > 150);
	for (size_t i = 0; i < json_object_array_length(leaks); i++)
		assert_string_equal(rig_str(json_object_array_get_idx(leaks, i), "symbol"),
				    "leak_run+0x2a");
	struct json_object *none = rig_all(rig, "trace.leaks", "{\"older_than_us\":100000000}",
					   "objects");
	assert_int_equal(json_object_array_length(none), 0);
	json_object_put(none);
	for (int sort = 0; sort < 5; sort++) {
		static const char *const keys[] = {INSP_SORT_NAMES};
		char params[96];
		snprintf(params, sizeof(params), "{\"sort\":\"%s\",\"limit\":1}", keys[sort]);
		struct json_object *sites = rig_all(rig, "trace.sites", params, "sites");
		assert_int_equal(json_object_array_length(sites), 2);
		if (sort < 4)
			assert_true(rig_int(json_object_array_get_idx(sites, 0), keys[sort]) >=
				    rig_int(json_object_array_get_idx(sites, 1), keys[sort]));
		json_object_put(sites);
	}
	r = rig_result(rig, "trace.sites", NULL, &record);
	struct json_object *site = json_object_array_get_idx(get(r, "sites"), 0);
	assert_string_equal(rig_str(site, "symbol"), "leak_run+0x2a");
	assert_int_equal(rig_int(site, "live_objects"), json_object_array_length(leaks));
	json_object_put(record);
	json_object_put(leaks);
	works("trace.stop", NULL);
	/* A cursor of one order is no cursor of another. */
	rig_refused(rig, "trace.sites", "{\"sort\":\"allocs\",\"cursor\":\"108:1:1\"}",
		    INSP_E_PARAMS, "cursor");
}

static void test_log(void **state)
{
	struct json_object *lines;

	(void)state;
	model_log(1, "control \x01, not UTF-8 \xff, \"quotes\"");
	for (int i = 0; i < 500; i++)
		model_log(2, "line");
	lines = rig_all(rig, "sys.log", "{\"limit\":20}", "lines");
	int64_t seq = rig_int(json_object_array_get_idx(lines, 0), "seq");
	assert_true(seq > 0); /* the ring was lapped */
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		assert_int_equal(rig_int(json_object_array_get_idx(lines, i), "seq"),
				 seq + (int64_t)i);
	json_object_put(lines);
	char params[64];
	snprintf(params, sizeof(params), "{\"since\":%lld}", (long long)seq + 250);
	lines = rig_all(rig, "sys.log", params, "lines");
	assert_int_equal(rig_int(json_object_array_get_idx(lines, 0), "seq"), seq + 250);
	json_object_put(lines);
	works("sys.log", "{\"since\":9007199254740991}");
}

static void test_workloads(void **state)
{
	struct json_object *list = rig_all(rig, "workload.list", "{\"limit\":2}", "workloads");

	(void)state;
	assert_int_equal(json_object_array_length(list), 6);
	json_object_put(list);
	works("workload.start", "{\"name\":\"churn\",\"params\":{\"rate\":7}}");
	list = rig_all(rig, "workload.list", NULL, "workloads");
	assert_true(json_object_get_boolean(get(json_object_array_get_idx(list, 0), "running")));
	json_object_put(list);
	rig_refused(rig, "workload.start", "{\"name\":\"churn\"}", INSP_E_REFUSED, "running");
	rig_refused(rig, "workload.start", "{\"name\":\"nothing\"}", INSP_E_PARAMS,
		    "there are churn");
	rig_refused(rig, "workload.start", "{\"name\":\"leak\",\"params\":{\"x\":1}}",
		    INSP_E_REFUSED, "no such parameter");
	rig_refused(rig, "workload.start", "{\"name\":\"leak\",\"params\":{\"rate\":0}}",
		    INSP_E_REFUSED, "range");
	works("workload.stop", "{\"name\":\"churn\"}");
	rig_refused(rig, "workload.stop", "{\"name\":\"churn\"}", INSP_E_REFUSED, "not running");
}

/* ---- the methods that act ---- */

static void test_kmalloc(void **state)
{
	struct json_object *record;
	struct insp_stat before, after;
	char params[64];

	(void)state;
	works("mm.kmalloc", "{\"size\":80}"); /* the class has a slab */
	insp_port_stat(&before);
	struct json_object *r = rig_result(rig, "mm.kmalloc", "{\"size\":80,\"zero\":true}",
					   &record);
	assert_int_equal(rig_int(r, "size"), 128);
	snprintf(params, sizeof(params), "{\"addr\":\"%s\"}", rig_str(r, "addr"));
	json_object_put(record);
	insp_port_stat(&after);
	assert_int_equal(after.cache_used - before.cache_used, 128);
	works("mm.kfree", params);
	insp_port_stat(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	rig_refused(rig, "mm.kfree", params, INSP_E_REFUSED, "double free");
	rig_refused(rig, "mm.kfree", "{\"addr\":\"0x10\"}", INSP_E_REFUSED, "not a kmalloc object");
	rig_refused(rig, "mm.kmalloc", "{\"size\":1048577}", INSP_E_REFUSED, "at most 1048576");
	works("mm.kmalloc", "{\"size\":0}");
	works("fault.inject", "{\"op\":\"kmalloc\",\"after\":2}");
	works("mm.kmalloc", "{\"size\":1}");
	struct json_object *f = rig_request(rig, "mm.kmalloc", "{\"size\":1}");
	assert_string_equal(rig_str(get(get(f, "error"), "data"), "errno"), "ENOMEM");
	json_object_put(f);
	works("mm.kmalloc", "{\"size\":1}");
}

static void test_alloc_pages(void **state)
{
	struct json_object *record;
	char params[96];

	(void)state;
	works("mm.alloc_pages", "{\"zone\":\"ZONE_NORMAL\",\"num\":63,\"dry_run\":true}");
	assert_int_equal(model_counts()->alloc_pages, 0);
	struct json_object *r = rig_result(
		rig, "mm.alloc_pages",
		"{\"zone\":\"ZONE_UNMAPPED_IN_PGT\",\"num\":3,\"flags\":[\"PAGE_SHARED\"]}",
		&record);
	assert_null(get(r, "va"));
	snprintf(params, sizeof(params), "{\"pa\":\"%s\",\"num\":2}", rig_str(r, "pa"));
	json_object_put(record);
	works("mm.free_pages", params); /* a part of a run */
	rig_refused(rig, "mm.free_pages", params, INSP_E_REFUSED, "not allocated");
	rig_refused(rig, "mm.free_pages", "{\"pa\":\"0x1000\",\"num\":1}", INSP_E_PARAMS,
		    "a multiple of 0x200000");
	rig_refused(rig, "mm.free_pages", "{\"pa\":\"0xffffffffffe00000\",\"num\":2}",
		    INSP_E_PARAMS, "last address");
	rig_refused(rig, "mm.alloc_pages", "{\"zone\":\"ZONE_DMA\",\"num\":63}", INSP_E_REFUSED,
		    "no such run");
	rig_refused(rig, "mm.alloc_pages", "{\"zone\":\"ZONE_DMA\",\"num\":0}", INSP_E_PARAMS,
		    "from 1 to 63");
	rig_refused(rig, "mm.alloc_pages", "{\"zone\":\"ZONE\",\"num\":1}", INSP_E_PARAMS,
		    "ZONE_DMA");
}

static void test_map(void **state)
{
	struct json_object *record;

	(void)state;
	static const char map[] =
		"{\"va\":\"0xffffb00000000000\",\"pa\":\"0x200000\",\"len\":12288,\"flags\":\"w\"}";
	works("mm.map",
	      "{\"va\":\"0xffffb00000000000\",\"pa\":\"0x200000\",\"len\":12288,\"flags\":\"w\","
	      "\"dry_run\":true}");
	assert_int_equal(model_counts()->maps, 0);
	struct json_object *r = rig_result(rig, "mm.map", map, &record);
	assert_int_equal(rig_int(r, "entries"), 3);
	json_object_put(record);
	rig_refused(rig, "mm.map", map, INSP_E_REFUSED, "mapped already");
	r = rig_result(rig, "mm.translate", "{\"va\":\"0xffffb00000001001\"}", &record);
	assert_string_equal(rig_str(r, "pa"), "0x201001");
	assert_string_equal(rig_str(r, "flags"), "w-----");
	json_object_put(record);
	works("mm.unmap", "{\"va\":\"0xffffb00000000000\",\"len\":12288,\"dry_run\":true}");
	r = rig_result(rig, "mm.unmap", "{\"va\":\"0xffffb00000000000\",\"len\":12288}", &record);
	assert_int_equal(rig_int(r, "entries"), 3);
	json_object_put(record);
	rig_refused(rig, "mm.map",
		    "{\"va\":\"0xffff800000000000\",\"pa\":\"0x0\",\"len\":1,\"flags\":\"\"}",
		    INSP_E_REFUSED, "kernel itself");
	rig_refused(rig, "mm.unmap", "{\"va\":\"0xffffffff80000000\",\"len\":4096}", INSP_E_REFUSED,
		    "kernel itself");
	rig_refused(rig, "mm.map",
		    "{\"va\":\"0x800000000000\",\"pa\":\"0x0\",\"len\":1,\"flags\":\"\"}",
		    INSP_E_REFUSED, "canonical");
	rig_refused(rig, "mm.map",
		    "{\"va\":\"0x0\",\"pa\":\"0x0\",\"len\":1,\"flags\":\"\",\"space\":77}",
		    INSP_E_PARAMS, "no such space");
	works("mm.map", "{\"va\":\"0x0\",\"pa\":\"0x0\",\"len\":0,\"flags\":\"c-t\"}");
}

static void test_spaces(void **state)
{
	struct json_object *record;
	char params[128];

	(void)state;
	struct json_object *r = rig_result(rig, "space.create", "{\"name\":\"mine\"}", &record);
	long id = (long)rig_int(r, "id");
	json_object_put(record);
	snprintf(params, sizeof(params),
		 "{\"va\":\"0x1000\",\"pa\":\"0x0\",\"len\":8192,\"flags\":\"wu\",\"space\":%ld}",
		 id);
	works("mm.map", params);
	struct json_object *spaces = rig_all(rig, "mm.spaces", "{\"limit\":1}", "spaces");
	assert_int_equal(json_object_array_length(spaces), 2);
	assert_string_equal(rig_str(json_object_array_get_idx(spaces, 1), "name"), "mine");
	assert_int_equal(rig_int(json_object_array_get_idx(spaces, 1), "mapped_bytes"), 8192);
	json_object_put(spaces);
	snprintf(params, sizeof(params), "{\"id\":%ld}", id);
	r = rig_result(rig, "space.destroy", params, &record);
	assert_int_equal(rig_int(r, "tables"), 4);
	json_object_put(record);
	rig_refused(rig, "space.destroy", params, INSP_E_PARAMS, "no such space");
	rig_refused(rig, "space.destroy", "{\"id\":0}", INSP_E_REFUSED, "kernel's own");
}

static void test_check(void **state)
{
	struct json_object *record;

	(void)state;
	struct json_object *r = rig_result(rig, "mm.check", NULL, &record);
	assert_true(json_object_get_boolean(get(r, "ok")));
	assert_true(rig_int(get(r, "checked"), "objects") > 0);
	json_object_put(record);
}

static void test_watch_limits(void **state)
{
	(void)state;
	rig->clock_us = 0;
	for (int i = 0; i < INSP_WATCHES_MAX; i++) {
		struct json_object *record;
		struct json_object *r = rig_result(rig, "watch.start",
						   "{\"topics\":[\"stat\"],\"hz\":1}", &record);
		assert_int_equal(rig_int(r, "id"), i + 1);
		json_object_put(record);
		record = rig_next(rig, 0); /* its full state */
		json_object_put(record);
	}
	rig_refused(rig, "watch.start", "{\"topics\":[\"stat\"],\"hz\":1}", INSP_E_BUSY,
		    "4 watches already");
	works("watch.stop", "{\"id\":2}");
	rig_refused(rig, "watch.stop", "{\"id\":2}", INSP_E_PARAMS, "no such watch");
	rig_refused(rig, "watch.start", "{\"topics\":[\"stat\"],\"hz\":1,\"id\":2}", INSP_E_PARAMS,
		    "no such watch");
	rig_refused(rig, "watch.start", "{\"topics\":[],\"hz\":1}", INSP_E_PARAMS,
		    "an array of some of");
	rig_refused(rig, "watch.start", "{\"topics\":[\"stat\"],\"hz\":61}", INSP_E_PARAMS,
		    "from 1 to 60");
}

/* ---- access levels ---- */

static void restart(enum insp_access access)
{
	rig_stop(rig);
	options.access = access;
	rig = rig_start(&options, 65536);
}

static void test_level_read(void **state)
{
	(void)state;
	restart(INSP_ACCESS_READ);
	for (uint32_t i = 0; i < insp_method_count; i++) {
		const struct insp_method *m = &insp_methods[i];
		if (m->access > INSP_ACCESS_READ)
			rig_refused(rig, m->name, NULL, INSP_E_ACCESS, "this kernel grants read");
	}
	works("mm.stat", NULL);
}

/* What may change the kernel beyond what came from here needs full. */
static void test_level_alloc(void **state)
{
	struct json_object *record;
	char params[128], addr[32];

	(void)state;
	restart(INSP_ACCESS_ALLOC);
	static const char *const full[] = {"fault.inject", "sys.break", "sys.panic",
					   "sys.poweroff"};
	for (int i = 0; i < 4; i++)
		rig_refused(rig, full[i], NULL, INSP_E_ACCESS, "needs access level full");
	struct json_object *r = rig_result(rig, "mm.kmalloc", "{\"size\":64}", &record);
	snprintf(addr, sizeof(addr), "%s", rig_str(r, "addr"));
	json_object_put(record);
	/* The neighbour is the kernel's. */
	snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}", strtoull(addr, NULL, 16) - 64);
	rig_refused(rig, "mm.kfree", params, INSP_E_ACCESS, "not allocated through this protocol");
	snprintf(params, sizeof(params), "{\"addr\":\"%s\"}", addr);
	works("mm.kfree", params);
	rig_refused(rig, "mm.kfree", params, INSP_E_ACCESS, "not allocated through this protocol");
	assert_int_equal(model_counts()->kfrees, 1);
	/* Frames: each of the run must be ours. */
	r = rig_result(rig, "mm.alloc_pages", "{\"zone\":\"ZONE_NORMAL\",\"num\":2}", &record);
	uint64_t pa = strtoull(rig_str(r, "pa"), NULL, 16);
	json_object_put(record);
	snprintf(params, sizeof(params), "{\"pa\":\"0x%llx\",\"num\":3}", (unsigned long long)pa);
	rig_refused(rig, "mm.free_pages", params, INSP_E_ACCESS, "not allocated through");
	snprintf(params, sizeof(params), "{\"pa\":\"0x%llx\",\"num\":2}", (unsigned long long)pa);
	works("mm.free_pages", params);
	rig_refused(rig, "mm.free_pages", "{\"pa\":\"0x1000000\",\"num\":1}", INSP_E_ACCESS,
		    "frame 0x1000000");
}

static void test_level_alloc_maps(void **state)
{
	static const struct {
		const char *params;
		bool good;
	} cases[] = {
		{"\"va\":\"0xffffb00000000000\",\"len\":4096",	       true },
		{"\"va\":\"0xffffb03fffff0000\",\"len\":65536",		true },
		{"\"va\":\"0xffffb03fffff0000\",\"len\":65537",		false},
		{"\"va\":\"0xffffafffffffffff\",\"len\":2",		    false},
		{"\"va\":\"0xffffb00000000000\",\"len\":9007199254740991", false},
		{"\"va\":\"0x1000\",\"len\":4096",			   false},
		{"\"va\":\"0x1000\",\"len\":4096,\"space\":0",	       false},
		{"\"va\":\"0x1000\",\"len\":4096,\"space\":1",	       true },
		{"\"va\":\"0x7ffffffff000\",\"len\":4096,\"space\":1",     true },
		{"\"va\":\"0x7ffffffff000\",\"len\":4097,\"space\":1",     false},
		{"\"va\":\"0x1000\",\"len\":4096,\"space\":2",	       false},
		{"\"va\":\"0xffffffff80000000\",\"len\":4096,\"space\":1", false},
		{"\"va\":\"0xfffffffffffff000\",\"len\":8192,\"space\":1", false},
	};
	char params[256];

	(void)state;
	restart(INSP_ACCESS_ALLOC);
	works("space.create", NULL);
	model_make_space("not ours", 8, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(params, sizeof(params),
			 "{%s,\"pa\":\"0x0\",\"flags\":\"\",\"dry_run\":true}", cases[i].params);
		/* Unaligned ones that are allowed are the mapper's to refuse. */
		struct json_object *r = rig_request(rig, "mm.map", params), *error;
		bool denied = json_object_object_get_ex(r, "error", &error) &&
			      rig_int(error, "code") == INSP_E_ACCESS;
		if (denied == cases[i].good)
			fail_msg("%s: %s", params, rig_text());
		json_object_put(r);
		snprintf(params, sizeof(params), "{%s,\"dry_run\":true}", cases[i].params);
		r = rig_request(rig, "mm.unmap", params);
		denied = json_object_object_get_ex(r, "error", &error) &&
			 rig_int(error, "code") == INSP_E_ACCESS;
		assert_int_equal(denied, !cases[i].good);
		json_object_put(r);
	}
	rig_refused(rig, "mm.map",
		    "{\"va\":\"0xffffb00000000000\",\"pa\":\"0x0\",\"len\":1,\"flags\":\"u\"}",
		    INSP_E_ACCESS, "nothing for users");
	rig_refused(rig, "space.destroy", "{\"id\":2}", INSP_E_ACCESS, "space 2");
	works("space.destroy", "{\"id\":1}");
}

/* What requests hold is bounded and accounted for exactly. */
static void test_owned_limit(void **state)
{
	static uint64_t held[4096];
	struct json_object *record;
	char params[64];
	int count = 0;

	(void)state;
	restart(INSP_ACCESS_ALLOC);
	for (;; count++) {
		struct json_object *r = rig_request(rig, "mm.kmalloc", "{\"size\":32}"), *result;
		if (!json_object_object_get_ex(r, "result", &result)) {
			assert_non_null(strstr(rig_text(), "hold 3072 things already"));
			json_object_put(r);
			break;
		}
		held[count] = strtoull(rig_str(result, "addr"), NULL, 16);
		json_object_put(r);
	}
	assert_int_equal(count, 3072);
	uint64_t kmallocs = model_counts()->kmallocs;
	rig_refused(rig, "mm.alloc_pages", "{\"zone\":\"ZONE_DMA\",\"num\":1}", INSP_E_REFUSED,
		    "hold 3072");
	rig_refused(rig, "space.create", NULL, INSP_E_REFUSED, "hold 3072");
	assert_int_equal(model_counts()->kmallocs, kmallocs);
	char why[INSP_REASON_MAX];
	while (count) {
		int k = (int)(model_random() % (uint64_t)count);
		snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
			 (unsigned long long)held[k]);
		rig_result(rig, "mm.kfree", params, &record);
		json_object_put(record);
		held[k] = held[--count];
		/* The last one gone, the allocators keep nothing idle on their account. */
		assert_int_equal(model_counts()->trims, !count);
		if (count % 16 == 0 && !insp_check(&rig->insp, why))
			fail_msg("%s", why);
	}
	works("mm.kmalloc", "{\"size\":32}");
}

/* ---- the debugger's entry ---- */

static bool text(const char *line, size_t cap, char *out)
{
	size_t len;
	bool ok = insp_call_text(&rig->insp, line, strlen(line), INSP_ACCESS_FULL, out, cap, &len);

	assert_true(len < cap);
	out[len] = 0;
	struct json_object *o = json_tokener_parse(out);
	assert_non_null(o);
	json_object_put(o);
	return ok;
}

static void test_call_text(void **state)
{
	static const char *const good[] = {
		"mm.stat",
		" mm.stat ",
		"rpc mm.stat",
		"mm.object 0xffff800001000000",
		"mm.frames zone=ZONE_DMA limit=1",
		"mm.frames {\"limit\":1}",
		"rpc {\"method\":\"mm.stat\"}",
		"{\"method\":\"mm.kmalloc\",\"params\":[64]}",
		"mm.kmalloc 0x40 true",
		"mm.alloc_pages ZONE_DMA 1 PAGE_SHARED,PAGE_KERNEL",
		"mm.map 0xffffb00000000000 0x0 4096 w-",
		"workload.start churn {\"rate\":5}",
	};
	static const struct {
		const char *line, *why;
	} bad[] = {
		{"",		     "empty line"		 },
		{"mm.stats",	     "the nearest is mm.stat"},
		{"mm.stat 1",	      "does not take 1"       },
		{"mm.stat x=1",	"does not take x=1"	   },
		{"mm.kmalloc abc",	   "whole number"		 },
		{"mm.kmalloc 0x",	  "whole number"		},
		{"hello",		  "a link of its own"     },
		{"watch.start stat 1", "a link of its own"	  },
		{"{\"method\":1}",	   "method takes a string" },
		{"{\"method\"",	"byte "		       },
		{"[]",		       "unknown method"	       },
		{"rpc",		"unknown method rpc"    },
	};
	char out[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!text(good[i], sizeof(out), out))
			fail_msg("%s: %s", good[i], out);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text(bad[i].line, sizeof(out), out) || !strstr(out, bad[i].why))
			fail_msg("%s: %s", bad[i].line, out);
	rig->insp.changing = true;
	assert_true(text("mm.stat", sizeof(out), out));
	assert_false(text("mm.kmalloc 32", sizeof(out), out));
	assert_non_null(strstr(out, "stopped inside another request"));
	rig->insp.changing = false;
	assert_true(text("mm.kmalloc 32", sizeof(out), out));
	static char long_line[2000];
	memset(long_line, 'a', sizeof(long_line) - 1);
	memcpy(long_line, "mm.object ", 10);
	assert_false(text(long_line, sizeof(out), out));
	assert_non_null(strstr(out, "too long"));
	assert_false(text("mm.kmalloc 0x4g", sizeof(out), out));
	assert_false(text("[1]", sizeof(out), out));
	/* Small room: pages. */
	assert_true(text("mm.frames", 512, out));
	assert_non_null(strstr(out, "\"next\":\""));
	assert_false(text("mm.caches", 512, out));
	assert_non_null(strstr(out, "does not fit"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_table),
		T(test_names),
		T(test_nearest),
		T(test_wrong_parameters),
		T(test_discover),
		T(test_document_in_docs),
		T(test_table_in_docs),
		T(test_hello),
		T(test_stat),
		T(test_zones_and_frames),
		T(test_caches_and_slabs),
		T(test_slab_with_many_runs),
		T(test_object),
		T(test_mappings),
		T(test_mappings_in_unrest),
		T(test_hostile_cursors),
		T(test_translate),
		T(test_rmap),
		T(test_read),
		T(test_trace),
		T(test_log),
		T(test_workloads),
		T(test_kmalloc),
		T(test_alloc_pages),
		T(test_map),
		T(test_spaces),
		T(test_check),
		T(test_watch_limits),
		T(test_level_read),
		T(test_level_alloc),
		T(test_level_alloc_maps),
		T(test_owned_limit),
		T(test_call_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
