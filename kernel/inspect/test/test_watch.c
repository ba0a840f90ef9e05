/*
 * Watching. The client here keeps what it is told, by the rules of protocol.h and nothing else, and
 * is then compared with what the methods say: after any history, equal.
 */
#include "picture.h"
#include "rig.h"

#include <inspect/ring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct model_options options = {
	.access = INSP_ACCESS_FULL, .seed = 9, .memory_bytes = 512 << 20};
static struct rig *rig;

static struct json_object *get(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no %s in %s", name, json_object_to_json_string(o));
	return v;
}

/* ---- the client ---- */

static struct picture c;
static struct {
	size_t largest, bytes, records;
} seen;

static void broken(const char *what)
{
	fail_msg("%s", what);
}

static void apply(struct json_object *record)
{
	size_t len = strlen(rig_text());

	assert_string_equal(rig_str(record, "method"), "watch");
	seen.records++;
	seen.bytes += len + 2;
	seen.largest = len > seen.largest ? len : seen.largest;
	picture_apply(&c, record);
}

/* The runs of a space, but for what all have in common. */
static struct json_object *own_runs(uint32_t space)
{
	char params[96];

	snprintf(params, sizeof(params), "{\"space\":%u%s}", space,
		 space ? ",\"to\":\"0x7fffffffffff\"" : "");
	return rig_all(rig, "mm.mappings", params, "runs");
}

static void compare_all(void)
{
	struct json_object *record, *list, *spaces = rig_all(rig, "mm.spaces", NULL, "spaces");
	size_t at = 0;

	picture_compare_stat(&c, rig_result(rig, "mm.stat", NULL, &record));
	json_object_put(record);
	picture_compare_list(&c, c.zones, get(rig_result(rig, "mm.zones", NULL, &record), "zones"));
	json_object_put(record);
	picture_compare_list(&c, c.caches,
			     get(rig_result(rig, "mm.caches", NULL, &record), "caches"));
	json_object_put(record);
	list = rig_all(rig, "mm.frames", NULL, "runs");
	picture_compare_frames(&c, list);
	json_object_put(list);
	for (size_t i = 0; i < json_object_array_length(spaces); i++) {
		uint32_t space = (uint32_t)rig_int(json_object_array_get_idx(spaces, i), "id");
		list = own_runs(space);
		picture_compare_space(&c, space, list, &at);
		json_object_put(list);
	}
	assert_int_equal(at, c.leaves);
	json_object_put(spaces);
}

/* ---- the line ---- */

/* Lets time pass and takes what comes, until nothing does for a round. */
static void settle(int link, uint64_t step_us)
{
	int quiet = 0;

	for (int i = 0; i < 100000 && quiet < 5; i++) {
		rig->clock_us += step_us;
		rig_poll(rig);
		struct json_object *r;
		quiet++;
		while ((r = rig_next(rig, link))) {
			apply(r);
			json_object_put(r);
			quiet = 0;
		}
	}
	assert_true(quiet >= 5);
}

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	picture_init(&c, broken);
	rig = rig_start(&options, 65536);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	picture_free(&c);
	rig_stop(rig);
	return 0;
}

#define ALL_TOPICS "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\",\"events\",\"log\"]"

static void watch(int link, const char *topics, int hz)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch.start\",\"params\":{"
			 "\"topics\":%s,"
			 "\"hz\":%d}}\n",
			 topics, hz);

	rig_send(rig, link, text, (size_t)n);
	struct json_object *r = rig_next(rig, link);
	assert_non_null(r);
	assert_true(json_object_object_get_ex(r, "result", NULL));
	json_object_put(r);
}

static void test_full_then_nothing(void **state)
{
	(void)state;
	watch(0, ALL_TOPICS, 10);
	settle(0, 100000);
	for (int i = 0; i < 7; i++)
		assert_int_equal(c.fulls[i], 1);
	compare_all();
	size_t records = seen.records;
	settle(0, 100000);
	settle(0, 100000);
	assert_int_equal(seen.records, records);
}

static void change(void)
{
	struct insp_act act = {.op = INSP_OP_KMALLOC, .bytes = 80};

	assert_int_equal(insp_port_act(&act), INSP_OK);
}

/* One kmalloc on a quiet kernel: one small record. */
static void test_delta_size(void **state)
{
	(void)state;
	change();
	watch(0, "[\"stat\"]", 10);
	settle(0, 100000);
	size_t bytes = seen.bytes, records = seen.records;
	change();
	settle(0, 100000);
	assert_int_equal(seen.records, records + 1);
	assert_in_range(seen.bytes - bytes, 100, 160);
}

static void random_history(int link, int steps, int hz, uint64_t step_us)
{
	watch(link, ALL_TOPICS, hz);
	settle(link, step_us);
	rig->link[link].lenient = true;
	for (int i = 0; i < steps; i++) {
		struct json_object *r;
		for (uint64_t k = model_random() % 12; k; k--)
			model_random_step();
		rig->clock_us += model_random() % (2 * step_us);
		rig_poll(rig);
		while (model_random() % 4 && (r = rig_next(rig, link))) {
			apply(r);
			json_object_put(r);
		}
		if (i % 50 == 49) {
			char why[INSP_REASON_MAX];
			settle(link, step_us);
			compare_all();
			if (!insp_check(&rig->insp, why))
				fail_msg("%s", why);
		}
	}
}

static void test_random_fast(void **state)
{
	(void)state;
	random_history(0, 1500, 20, 50000);
	for (int i = 0; i < 5; i++)
		assert_true(c.parts[i] > 0);
}

/* Small records on a line that holds few of them: states go out in many pieces, and the state moves
 * in between. */
static void test_random_small_line(void **state)
{
	(void)state;
	model_make_space("large", 3000, 2);
	rig->link[1].limit = 9000;
	rig->link[1].link.line_bytes = 9000;
	random_history(1, 1000, 20, 50000);
	assert_true(seen.largest < 4096);
}

static void test_random_unrest(void **state)
{
	(void)state;
	watch(0, ALL_TOPICS, 20);
	settle(0, 50000);
	model_set_unrest(53, 37);
	for (int i = 0; i < 120; i++) {
		model_random_step();
		rig->clock_us += 50000;
		rig_poll(rig);
		struct json_object *r;
		for (int k = 0; k < 20 && (r = rig_next(rig, 0)); k++) {
			apply(r);
			json_object_put(r);
		}
	}
	model_set_unrest(0, 0);
	settle(0, 50000);
	compare_all();
}

/* More changes than the ring of touched ranges holds: the topic begins anew. */
static void test_maps_overrun(void **state)
{
	(void)state;
	watch(0, "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\"]", 10);
	settle(0, 100000);
	uint64_t fulls = c.fulls[4];
	for (int i = 0; i < 20000; i++)
		model_random_step();
	settle(0, 100000);
	assert_true(c.fulls[4] > fulls);
	compare_all();
}

/* The ring was lapped, though all that is left in it is one small range. */
static void test_maps_lapped(void **state)
{
	struct insp_act there = {.op = INSP_OP_MAP, .addr = 0xffffb00000000000, .bytes = 4096};
	struct insp_act here = {.op = INSP_OP_MAP, .addr = 0xffffb01000000000, .bytes = 4096};

	(void)state;
	watch(0, "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\"]", 10);
	settle(0, 100000);
	assert_int_equal(insp_port_act(&there), INSP_OK);
	for (int i = 0; i < 2001; i++) {
		here.op = i % 2 ? INSP_OP_UNMAP : INSP_OP_MAP;
		assert_int_equal(insp_port_act(&here), INSP_OK);
	}
	settle(0, 100000);
	compare_all();
}

/* Memory of many frames, each unlike its neighbours, in small records over a line that holds few: a
 * scan takes several calls, a block several records, and all moves meanwhile. */
static void test_many_frames(void **state)
{
	struct model_options large = {
		.access = INSP_ACCESS_FULL, .seed = 4, .memory_bytes = 20ull << 30};
	struct insp_act act = {.op = INSP_OP_ALLOC_PAGES, .zone = 1, .num = 1};

	(void)state;
	rig_stop(rig);
	rig = rig_start(&large, 65536);
	for (uint32_t i = 0; i < 5000; i++) {
		act.flags = i % 2 ? INSP_ATTR_SHARED : 0;
		assert_int_equal(insp_port_act(&act), INSP_OK);
	}
	watch(1, "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\"]", 20);
	for (int i = 0; i < 400; i++) {
		struct json_object *r;
		act.op = model_random() % 2 ? INSP_OP_ALLOC_PAGES : INSP_OP_FREE_PAGES;
		act.num = 1 + (uint32_t)(model_random() % 3);
		act.pa = (16 + model_random() % 5000) * 2097152;
		insp_port_act(&act);
		rig->clock_us += 20000;
		rig_poll(rig);
		for (int k = 0; k < 3 && (r = rig_next(rig, 1)); k++) {
			apply(r);
			json_object_put(r);
		}
	}
	settle(1, 50000);
	assert_true(seen.largest < 4096);
	compare_all();
	/* One frame of a block changes: the block is sent again, and little else. */
	size_t bytes = seen.bytes;
	act = (struct insp_act){.op = INSP_OP_ALLOC_PAGES, .zone = 2, .num = 1};
	assert_int_equal(insp_port_act(&act), INSP_OK);
	settle(1, 50000);
	assert_true(seen.bytes - bytes < 3000);
	compare_all();
}

/* More spaces than a watch knows one by one; they end and nobody reports it. */
static void test_many_spaces(void **state)
{
	uint32_t id[90];

	(void)state;
	for (int i = 0; i < 90; i++)
		id[i] = model_make_space("one of many", 4, 2);
	watch(0, "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\"]", 10);
	settle(0, 100000);
	compare_all();
	for (int i = 0; i < 90; i += 7) {
		struct insp_act act = {.op = INSP_OP_SPACE_DESTROY, .space = id[i]};
		assert_int_equal(insp_port_act(&act), INSP_OK);
		settle(0, 100000);
		compare_all();
	}
}

/* A watch that begins anew keeps its id and sends full states. */
static void test_resync(void **state)
{
	static const char again[] =
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"watch.start\",\"params\":{"
		"\"topics\":[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\"],\"hz\":10,"
		"\"id\":1}}\n";

	(void)state;
	watch(0, ALL_TOPICS, 10);
	settle(0, 100000);
	rig_send(rig, 0, again, sizeof(again) - 1);
	struct json_object *r = rig_next(rig, 0);
	assert_int_equal(rig_int(get(r, "result"), "id"), 1);
	json_object_put(r);
	settle(0, 100000);
	for (int i = 0; i < 5; i++)
		assert_int_equal(c.fulls[i], 2);
	assert_int_equal(c.fulls[5], 1);
	compare_all();
}

static void test_events(void **state)
{
	(void)state;
	watch(0, "[\"events\"]", 10);
	settle(0, 100000);
	assert_true(insp_listening(&rig->insp));
	for (int i = 0; i < 1000; i++)
		change();
	settle(0, 100000);
	assert_int_equal(c.events, 1000);
	assert_int_equal(c.events_lost, 0);
	/* More than the ring holds, at once: it is told until it is full, the rest is counted. */
	for (int i = 0; i < 10000; i++)
		change();
	settle(0, 100000);
	assert_int_equal(c.events + c.events_lost, 11000);
	assert_int_equal(c.events_lost, 10000 - 4096);
}

/* At most so many records of a link go into the picture. */
static void take(int link, struct picture *picture, int records)
{
	struct json_object *r;

	rig_poll(rig);
	while (records-- && (r = rig_next(rig, link))) {
		picture_apply(picture, r);
		json_object_put(r);
	}
}

/* A CPU that has no time left gives events a percent of it; what they cost is measured, but not by
 * this clock that stands still. */
static void test_enough(void **state)
{
	enum { ROUNDS = 20, BURST = 5000, COST_NS = 10000, A_PERCENT = 100 };

	(void)state;
	watch(0, "[\"events\"]", 10);
	settle(0, 100000);
	model_set_load(true);
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < BURST; k++)
			change();
		rig->insp.event_ns = COST_NS;
		rig->clock_us += 100000;
		take(0, &c, 1000);
	}
	/* The first burst was told until the ring was full. */
	assert_in_range(c.events, 4096 + (ROUNDS - 10) * A_PERCENT, 4096 + ROUNDS * A_PERCENT);
	settle(0, 100000);
	assert_int_equal(c.events + c.events_lost, ROUNDS * BURST);
	/* Time makes good, and idle time soon does. */
	model_set_load(false);
	settle(0, 100000);
	uint64_t lost = c.events_lost;
	for (int k = 0; k < 4096; k++)
		change();
	settle(0, 100000);
	assert_int_equal(c.events_lost, lost);
	assert_int_equal(c.events, (ROUNDS * BURST) + 4096 - lost);
}

/* The watch of link 1 begins, or begins anew: what was until now is not its. */
static uint64_t begin_anew(struct picture *slow, uint64_t made)
{
	take(1, slow, 1000);
	if (rig->link[1].link.watch[0].id)
		watch(1, "[\"events\"],\"id\":1", 30);
	else
		watch(1, "[\"events\"]", 30);
	slow->events = slow->events_lost = 0;
	return made;
}

/* Whatever happens, the events that a watch shows and those that it counts as lost are all there
 * were; for a slow line beside a fast one too, and whether the port leaves events out or not. */
static void events_add_up(bool mutes)
{
	struct picture slow;
	uint64_t made = 0, before = 0;

	picture_init(&slow, broken);
	if (!mutes)
		model_never_mute();
	watch(0, "[\"events\"]", 10);
	for (int i = 0; i < 120; i++) {
		bool anew = i % 20 == 10;
		uint64_t most = anew || model_random() % 8 == 0 ? 9000 : 200;
		uint64_t burst = model_random() % most + (anew ? 5000 : 0);
		for (uint64_t k = 0; k < burst; k++)
			change();
		made += burst;
		if (anew)
			before = begin_anew(&slow, made);
		model_set_load(model_random() % 4 != 0);
		rig->insp.event_ns = 20000;
		rig->clock_us += model_random() % 100000;
		take(0, &c, 1000);
		if (model_random() % 3)
			take(1, &slow, 1000);
	}
	settle(0, 100000);
	for (int i = 0; i < 1000; i++, rig->clock_us += 20000)
		take(1, &slow, 1000);
	assert_int_equal(c.events + c.events_lost, made);
	assert_int_equal(slow.events + slow.events_lost, made - before);
	assert_true(c.events > 1000 && c.events_lost > 1000);
	picture_free(&slow);
}

/* A line that is slower than what happens: nothing that it was to tell is overwritten. */
static void test_events_slowly(void **state)
{
	const struct insp_watch *slow = &rig->link[1].link.watch[0];
	enum { ROUNDS = 60, BURST = 3000 };

	(void)state;
	watch(1, "[\"events\"]", 30);
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < BURST; k++)
			change();
		assert_in_range(insp_ring_head(&rig->insp.ring) - slow->event_read, 0, 4096);
		rig->clock_us += 50000;
		take(1, &c, 3);
	}
	settle(1, 100000);
	assert_int_equal(c.events + c.events_lost, ROUNDS * BURST);
}

static void test_events_add_up(void **state)
{
	(void)state;
	events_add_up(true);
}

static void test_events_add_up_unmuted(void **state)
{
	(void)state;
	events_add_up(false);
}

static void test_event_kinds(void **state)
{
	struct json_object *record;

	(void)state;
	rig_result(rig, "trace.start", "{\"events\":[\"fail\"]}", &record);
	json_object_put(record);
	watch(0, "[\"events\"]", 10);
	settle(0, 100000);
	change();
	struct insp_act act = {.op = INSP_OP_ALLOC_PAGES, .zone = 0, .num = 63};
	assert_int_equal(insp_port_act(&act), INSP_REFUSED);
	settle(0, 100000);
	assert_int_equal(c.events, 1);
	/* With mappings watched too, map events arrive but are not shown. */
	watch(0, "[\"mappings\"]", 10);
	settle(0, 100000);
	for (int i = 0; i < 50; i++)
		model_random_step();
	uint64_t events = c.events;
	settle(0, 100000);
	assert_true(c.events - events < 5);
}

static void test_log(void **state)
{
	(void)state;
	watch(0, "[\"log\"]", 10);
	settle(0, 100000);
	for (int i = 0; i < 200; i++)
		model_log(1, "line");
	settle(0, 100000);
	assert_int_equal(c.lines_lost, 0);
	for (int i = 0; i < 1000; i++)
		model_log(1, "line");
	settle(0, 100000);
	assert_int_equal(c.lines_lost, 1000 - 256);
}

/* Not more often than asked for. */
static void test_rate(void **state)
{
	(void)state;
	watch(0, "[\"stat\"]", 5);
	settle(0, 1000);
	size_t records = seen.records;
	for (int ms = 0; ms < 2000; ms++) {
		struct json_object *r;
		change();
		rig->clock_us += 1000;
		rig_poll(rig);
		while ((r = rig_next(rig, 0))) {
			apply(r);
			json_object_put(r);
		}
	}
	assert_in_range(seen.records - records, 9, 11);
}

/* A line that carries 600 bytes a second: the rate falls, is told, and the last state is right; a
 * request is still answered at once between the records. */
static void test_slow_line(void **state)
{
	struct rig_link *l = &rig->link[1];
	static unsigned char kept[1 << 20];
	size_t taken = 0;

	(void)state;
	watch(1, "[\"stat\",\"caches\"]", 30);
	rig->link[1].limit = 8192;
	l->lenient = true;
	for (int ms = 0; ms < 60000; ms += 10) {
		size_t n = l->len < 6 ? l->len : 6;
		memcpy(kept + taken, l->bytes, n);
		taken += n;
		memmove(l->bytes, l->bytes + n, l->len - n);
		l->len -= n;
		if (ms % 50 == 0)
			change();
		rig->clock_us += 10000;
		model_set_clock(rig->clock_us);
		insp_poll(&rig->insp, rig->clock_us);
		assert_true(l->len <= 8192);
	}
	struct insp_link_stats stats;
	insp_link_stats(&l->link, &stats);
	assert_true(stats.throttled > 100);
	/* What came of it, in order. */
	memmove(l->bytes + taken, l->bytes, l->len);
	memcpy(l->bytes, kept, taken);
	l->len += taken;
	l->limit = RIG_LINE;
	settle(1, 100000);
	assert_true(c.told_hz > 0 && c.told_hz < 30);
	assert_true(seen.records < 600);
	struct json_object *record;
	picture_compare_stat(&c, rig_result(rig, "mm.stat", NULL, &record));
	json_object_put(record);
}

static void test_quiet_costs_nothing(void **state)
{
	static const char stop[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"watch.stop\",\"params\":{\"id\":1}}\n";

	(void)state;
	assert_false(insp_listening(&rig->insp));
	assert_true(insp_poll(&rig->insp, rig->clock_us) == UINT64_MAX);
	watch(0, ALL_TOPICS, 10);
	assert_true(insp_listening(&rig->insp));
	settle(0, 100000);
	rig_send(rig, 0, stop, sizeof(stop) - 1);
	assert_false(insp_listening(&rig->insp));
	assert_true(insp_poll(&rig->insp, rig->clock_us) == UINT64_MAX);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_full_then_nothing),
		T(test_delta_size),
		T(test_random_fast),
		T(test_random_small_line),
		T(test_random_unrest),
		T(test_maps_overrun),
		T(test_maps_lapped),
		T(test_many_spaces),
		T(test_many_frames),
		T(test_resync),
		T(test_events),
		T(test_enough),
		T(test_events_slowly),
		T(test_events_add_up),
		T(test_events_add_up_unmuted),
		T(test_event_kinds),
		T(test_log),
		T(test_rate),
		T(test_slow_line),
		T(test_quiet_costs_nothing),
	};

	/* Another story for each seed; the default one is always the same. */
	if (getenv("INSPECT_SEED"))
		options.seed = strtoull(getenv("INSPECT_SEED"), NULL, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
