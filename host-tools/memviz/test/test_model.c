/*
 * The model: a delta applied equals a fresh full state, always.
 *
 * A shadow of a kernel (cells of frames, cells of pages in three spaces, figures)
 * is changed at random; each change is told to one model as the protocol's
 * deltas, in all the ways that the protocol allows, and now and then a second,
 * fresh model is told the full state. Both must be equal and sound after each
 * step. MEMVIZ_SEED repeats a run.
 */
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/model.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define FRAMES 96
#define PAGES  160
#define SPACES 3
#define STEPS  4000

typedef struct json_object json;

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

struct frame_cell {
	unsigned state, attr, refs;
};
struct page_cell {
	bool mapped;
	unsigned target, flags; /* target: page number in physical memory */
};
static struct shadow {
	struct frame_cell frames[FRAMES];
	struct page_cell pages[SPACES][PAGES];
	struct mv_stat stat;
	struct mv_zone zones[2];
	struct mv_cache caches[3];
	uint64_t gen;
} shadow;

/* ---- the shadow as JSON ---- */

static const char *const zone_names[] = {"ZONE_DMA", "ZONE_NORMAL"};

static json *frame_run(unsigned from, unsigned to)
{
	static const char *const attrs[] = {"PAGE_PGT_MAPPED", "PAGE_KERNEL_INIT", "PAGE_DEVICE",
					    "PAGE_KERNEL", "PAGE_SHARED"};
	const struct frame_cell *c = &shadow.frames[from];
	json *o = json_object_new_object(), *list = json_object_new_array();
	mv_json_add_hex(o, "pa", from * MV_FRAME_BYTES);
	mv_json_add_u64(o, "count", to - from);
	mv_json_add_str(o, "zone", zone_names[from >= FRAMES / 2]);
	mv_json_add_str(o, "state", mv_frame_state_name((enum mv_frame_state)c->state));
	for (unsigned i = 0; i < 5; i++)
		if (c->attr >> i & 1)
			json_object_array_add(list, json_object_new_string(attrs[i]));
	json_object_object_add(o, "attr", list);
	mv_json_add_u64(o, "refs", c->refs);
	return o;
}

static bool same_frame(unsigned a, unsigned b)
{
	return memcmp(&shadow.frames[a], &shadow.frames[b], sizeof shadow.frames[a]) == 0 &&
	       (a >= FRAMES / 2) == (b >= FRAMES / 2);
}

/* Runs of [from, to); sometimes cut where they need not be. */
static void add_frames(json *list, unsigned from, unsigned to, bool cut)
{
	while (from < to) {
		unsigned end = from + 1;
		while (end < to && same_frame(from, end) && !(cut && pick(4) == 0))
			end++;
		json_object_array_add(list, frame_run(from, end));
		from = end;
	}
}

static uint64_t page_va(unsigned space, unsigned page)
{
	return (space ? 0x400000ull : MV_KERNEL_HALF) + page * MV_PAGE_BYTES;
}

static bool continues(unsigned s, unsigned a, unsigned b)
{
	const struct page_cell *x = &shadow.pages[s][a], *y = &shadow.pages[s][b];
	return x->mapped && y->mapped && x->flags == y->flags && y->target == x->target + (b - a);
}

static void add_mappings(json *list, unsigned s, unsigned from, unsigned to)
{
	while (from < to) {
		const struct page_cell *c = &shadow.pages[s][from];
		unsigned end = from + 1;
		if (!c->mapped) {
			from++;
			continue;
		}
		while (end < to && continues(s, from, end))
			end++;
		char flags[9];
		json *o = json_object_new_object();
		mv_json_add_u64(o, "space", s);
		mv_json_add_hex(o, "va", page_va(s, from));
		mv_json_add_hex(o, "pa", c->target * MV_PAGE_BYTES);
		mv_json_add_u64(o, "len", (end - from) * MV_PAGE_BYTES);
		mv_json_add_u64(o, "page", 4096);
		mv_map_flags_text((uint8_t)c->flags, false, flags);
		mv_json_add_str(o, "flags", flags);
		json_object_array_add(list, o);
		from = end;
	}
}

static json *params_of(const char *topic, bool full, bool more, json *data)
{
	json *p = json_object_new_object();
	mv_json_add_u64(p, "id", 1);
	mv_json_add_str(p, "topic", topic);
	json_object_object_add(p, "full", json_object_new_boolean(full));
	mv_json_add_u64(p, "gen", shadow.gen);
	if (more)
		json_object_object_add(p, "more", json_object_new_boolean(true));
	json_object_object_add(p, "data", data);
	return p;
}

static void tell(struct mv_model *m, const char *topic, bool full, bool more, json *data)
{
	struct mv_error e = {0};
	json *p = params_of(topic, full, more, data);
	enum mv_applied r = mv_model_apply_watch(m, p, 1000000 + shadow.gen, &e);
	if (r != MV_APPLIED)
		print_error("%s: %s\n%s\n", topic, e.message, mv_json_line(p));
	assert_int_equal(r, MV_APPLIED);
	json_object_put(p);
}

static json *list_of(json **data, const char *key)
{
	json *list = json_object_new_array();
	if (!*data)
		*data = json_object_new_object();
	json_object_object_add(*data, key, list);
	return list;
}

/* ---- full states ---- */

static json *stat_json(const struct mv_stat *s)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, "total", s->total);
	mv_json_add_u64(o, "used", s->used);
	mv_json_add_u64(o, "free", s->free);
	mv_json_add_u64(o, "shared", s->shared);
	mv_json_add_u64(o, "cache_used", s->cache_used);
	mv_json_add_u64(o, "cache_free", s->cache_free);
	mv_json_add_u64(o, "available", s->available);
	return o;
}

/* All of it, or with `old` what has changed since. */
static json *zone_json(unsigned i, const struct mv_zone *old)
{
	const struct mv_zone *z = &shadow.zones[i];
	json *o = json_object_new_object();
	mv_json_add_str(o, "name", z->name);
	if (!old) {
		mv_json_add_hex(o, "start", z->start);
		mv_json_add_hex(o, "end", z->end);
		mv_json_add_u64(o, "frames", z->frames);
		mv_json_add_u64(o, "reserved", z->reserved);
		mv_json_add_u64(o, "largest_free_run", z->largest_free_run);
	}
	if (!old || z->free != old->free)
		mv_json_add_u64(o, "free", z->free);
	if (!old || z->used != old->used)
		mv_json_add_u64(o, "used", z->used);
	return o;
}

static json *cache_json(unsigned i, bool all)
{
	const struct mv_cache *c = &shadow.caches[i];
	json *o = json_object_new_object();
	mv_json_add_u64(o, "size", c->size);
	mv_json_add_u64(o, "used", c->used);
	mv_json_add_u64(o, "free", c->free);
	mv_json_add_u64(o, "allocs", c->allocs);
	if (all) {
		mv_json_add_u64(o, "slabs", c->slabs);
		mv_json_add_u64(o, "objects", c->objects);
		mv_json_add_u64(o, "bytes", c->bytes);
		mv_json_add_u64(o, "frees", c->frees);
		mv_json_add_u64(o, "failed", c->failed);
	}
	return o;
}

static void full_figures(struct mv_model *m)
{
	json *data = NULL, *list = list_of(&data, "zones");
	tell(m, "stat", true, false, stat_json(&shadow.stat));
	for (unsigned i = 0; i < 2; i++)
		json_object_array_add(list, zone_json(i, NULL));
	tell(m, "zones", true, false, data);
	data = NULL;
	list = list_of(&data, "caches");
	for (unsigned i = 0; i < 3; i++)
		json_object_array_add(list, cache_json(i, true));
	tell(m, "caches", true, false, data);
}

/* In one record, or in several with `more`. */
static void full_frames(struct mv_model *m, bool parts)
{
	unsigned from = 0;
	while (from < FRAMES) {
		unsigned to = parts ? from + 1 + pick(FRAMES - from) : FRAMES;
		json *data = NULL, *list = list_of(&data, "runs");
		add_frames(list, from, to, parts);
		tell(m, "frames", from == 0, to < FRAMES, data);
		from = to;
	}
}

static void full_mappings(struct mv_model *m, bool parts)
{
	for (unsigned s = 0; s < SPACES; s++) {
		json *data = NULL, *list;
		list_of(&data, "removed");
		list = list_of(&data, "added");
		add_mappings(list, s, 0, PAGES);
		if (!parts)
			for (s++; s < SPACES; s++)
				add_mappings(list, s, 0, PAGES);
		tell(m, "mappings", list && (s == 0 || !parts), s + 1 < SPACES, data);
	}
}

static void full_state(struct mv_model *m, bool parts)
{
	full_figures(m);
	full_frames(m, parts);
	full_mappings(m, parts);
}

/* ---- changes, told as deltas ---- */

static void change_frames(struct mv_model *m)
{
	unsigned from = pick(FRAMES), count = 1 + pick(12);
	unsigned to = from + count < FRAMES ? from + count : FRAMES;
	struct frame_cell cell = {pick(MV_FRAME_UNKNOWN), pick(32), pick(3)};
	for (unsigned i = from; i < to; i++)
		shadow.frames[i] = cell;
	/* More than what changed may be told, too. */
	unsigned tell_from = from - (from && pick(3) == 0),
		 tell_to = to + (to < FRAMES && pick(3) == 0);
	json *data = NULL, *list = list_of(&data, "runs");
	add_frames(list, tell_from, tell_to, true);
	tell(m, "frames", false, false, data);
}

static void removed(json *list, unsigned s, unsigned from, unsigned to)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, "space", s);
	mv_json_add_hex(o, "va", page_va(s, from));
	mv_json_add_u64(o, "len", (to - from) * MV_PAGE_BYTES);
	json_object_array_add(list, o);
}

static void change_mappings(struct mv_model *m)
{
	unsigned s = pick(SPACES), from = pick(PAGES), n = 1 + pick(20);
	unsigned to = from + n < PAGES ? from + n : PAGES, target = pick(1000), flags = pick(64);
	bool map = pick(5) < 3, own_record = pick(2) == 0;
	for (unsigned i = from; i < to; i++)
		shadow.pages[s][i] = (struct page_cell){map, map ? target + i - from : 0,
							map ? flags : 0};
	json *data = NULL, *gone = list_of(&data, "removed"), *added = list_of(&data, "added");
	/* A removed range may be larger than what was there; the rest is added again. */
	unsigned wide_from = from - (from ? pick(from < 5 ? from : 5) : 0);
	unsigned wide_to = to + (to < PAGES ? pick(PAGES - to < 5 ? PAGES - to : 5) : 0);
	if (!map || pick(2)) {
		removed(gone, s, wide_from, wide_to);
		if (own_record) {
			/* Told in two records: first gone, then what is there. */
			tell(m, "mappings", false, false, data);
			data = NULL;
			list_of(&data, "removed");
			added = list_of(&data, "added");
		}
		add_mappings(added, s, wide_from, wide_to);
	} else {
		add_mappings(added, s, from, to);
	}
	tell(m, "mappings", false, false, data);
}

static void change_stat(struct mv_model *m)
{
	struct mv_stat old = shadow.stat, *s = &shadow.stat;
	json *o = json_object_new_object();
	if (pick(2)) {
		s->used = MV_FRAME_BYTES * pick(500);
		s->free = s->total - s->used;
	}
	if (pick(2)) {
		uint64_t sum = s->cache_used + s->cache_free;
		if (pick(3) == 0)
			sum = 4096 * (1 + pick(1000));
		s->cache_used = sum ? sum * pick(100) / 100 : 0;
		s->cache_free = sum - s->cache_used;
	}
	s->available = s->free + s->cache_free;
	/* Only what does not follow from the rest. */
	if (s->used != old.used)
		mv_json_add_u64(o, "used", s->used);
	if (s->cache_used != old.cache_used)
		mv_json_add_u64(o, "cache_used", s->cache_used);
	if (s->cache_used + s->cache_free != old.cache_used + old.cache_free)
		mv_json_add_u64(o, "cache_free", s->cache_free);
	tell(m, "stat", false, false, o);
}

static void change_zone(struct mv_model *m)
{
	unsigned i = pick(2);
	struct mv_zone old = shadow.zones[i], *z = &shadow.zones[i];
	z->free = pick(50);
	z->used = z->frames - z->free;
	json *data = NULL, *list = list_of(&data, "zones");
	json_object_array_add(list, zone_json(i, &old));
	tell(m, "zones", false, false, data);
}

static void change_cache(struct mv_model *m)
{
	unsigned i = pick(3);
	struct mv_cache *c = &shadow.caches[i];
	c->used = pick(100);
	c->free = c->objects - c->used;
	c->allocs += pick(10);
	json *data = NULL, *list = list_of(&data, "caches");
	json_object_array_add(list, cache_json(i, false));
	tell(m, "caches", false, false, data);
}

static void change(struct mv_model *m)
{
	static void (*const changes[])(struct mv_model *) = {
		change_frames, change_mappings, change_stat, change_zone, change_cache};
	shadow.gen++;
	changes[pick(5)](m);
}

static void begin_shadow(void)
{
	memset(&shadow, 0, sizeof shadow);
	shadow.stat = (struct mv_stat){.total = 1000 * MV_FRAME_BYTES,
				       .free = 1000 * MV_FRAME_BYTES,
				       .available = 1000 * MV_FRAME_BYTES};
	for (unsigned i = 0; i < 2; i++) {
		struct mv_zone *z = &shadow.zones[i];
		mv_copy(z->name, sizeof z->name, zone_names[i]);
		z->start = i * FRAMES / 2 * MV_FRAME_BYTES;
		z->end = (i + 1) * FRAMES / 2 * MV_FRAME_BYTES;
		z->frames = 50;
	}
	for (unsigned i = 0; i < 3; i++)
		shadow.caches[i] = (struct mv_cache){.size = 32u << i, .objects = 100, .free = 100};
	for (unsigned i = 0; i < FRAMES; i++)
		shadow.frames[i].state = MV_FRAME_FREE;
}

static void assert_sound(const struct mv_model *m)
{
	char why[200] = "";
	if (!mv_model_check(m, why, sizeof why))
		fail_msg("not sound: %s", why);
}

static void assert_equal_models(const struct mv_model *a, const struct mv_model *b)
{
	char why[300] = "";
	if (!mv_model_equal(a, b, why, sizeof why))
		fail_msg("not equal: %s", why);
}

/* ---- tests ---- */

static void random_deltas_equal_a_full_state(void **state)
{
	(void)state;
	const char *env = getenv("MEMVIZ_SEED");
	seed = env ? strtoull(env, NULL, 0) : 20260501;
	print_message("# MEMVIZ_SEED=%llu\n", (unsigned long long)seed);
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL);
	full_state(m, false);
	for (unsigned step = 0; step < STEPS; step++) {
		change(m);
		assert_sound(m);
		if (step % 16)
			continue;
		struct mv_model *fresh = mv_model_new(NULL);
		full_state(fresh, pick(2));
		assert_sound(fresh);
		assert_equal_models(m, fresh);
		mv_model_free(fresh);
	}
	mv_model_free(m);
}

static void a_resync_in_parts_replaces_everything(void **state)
{
	(void)state;
	seed = 7;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL);
	full_state(m, true);
	for (unsigned i = 0; i < 50; i++)
		change(m);
	/* Changes that this model never hears of. */
	struct mv_model *deaf = mv_model_clone(m);
	for (unsigned i = 0; i < 200; i++)
		change(m);
	char why[300];
	assert_false(mv_model_equal(m, deaf, why, sizeof why));
	full_state(deaf, true);
	assert_sound(deaf);
	assert_equal_models(m, deaf);
	mv_model_free(deaf);
	mv_model_free(m);
}

static void a_state_that_arrives_in_parts_is_shown_whole(void **state)
{
	(void)state;
	seed = 11;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL);
	full_state(m, false);
	size_t before = m->frame_run_count;
	json *data = NULL, *list = list_of(&data, "runs");
	shadow.frames[0].state = MV_FRAME_SLAB;
	add_frames(list, 0, 1, false);
	tell(m, "frames", true, true, data);
	assert_true(mv_model_arriving(m));
	assert_int_equal(m->frame_run_count, before);
	data = NULL;
	list = list_of(&data, "runs");
	add_frames(list, 1, FRAMES, false);
	tell(m, "frames", false, false, data);
	assert_false(mv_model_arriving(m));
	assert_int_equal(mv_model_frame_at(m, 0)->state, MV_FRAME_SLAB);
	mv_model_free(m);
}

/* On a line that carries less than what changes `more` never ends. */
static void a_state_that_never_ends_is_shown_after_a_while(void **state)
{
	(void)state;
	seed = 12;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL);
	shadow.pages[0][0] = (struct page_cell){true, 5, MV_MAP_WRITE};
	for (unsigned i = 0; i < 5; i++, shadow.gen += 1000000) {
		json *data = NULL, *list;
		list_of(&data, "removed");
		list = list_of(&data, "added");
		add_mappings(list, 0, 0, PAGES);
		tell(m, "mappings", i == 0, true, data);
		assert_int_equal(m->mappings_known, i == 4);
	}
	assert_false(mv_model_arriving(m));
	assert_int_equal(mv_model_space(m, 0)->map_count, 1);
	mv_model_free(m);
}

static void a_keyframe_and_ranges_carry_the_state(void **state)
{
	(void)state;
	seed = 13;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL), *copy = mv_model_new(NULL);
	full_state(m, false);
	for (unsigned round = 0; round < 40; round++) {
		struct mv_model *before = mv_model_clone(m);
		for (unsigned i = 0; i < 25; i++)
			change(m);
		json *k = mv_model_keyframe(m);
		assert_int_equal(mv_model_apply_keyframe(copy, k, 5, NULL), MV_APPLIED);
		json_object_put(k);
		assert_equal_models(m, copy);
		/* All ranges of the newer state make the older one equal to it. */
		struct mv_range frames = {0, 0, FRAMES * MV_FRAME_BYTES - 1}, maps[SPACES];
		for (unsigned s = 0; s < SPACES; s++)
			maps[s] = (struct mv_range){s, page_va(s, 0), page_va(s, PAGES) - 1};
		tell(before, "frames", false, false,
		     mv_model_topic_ranges(m, "frames", &frames, 1));
		tell(before, "mappings", false, false,
		     mv_model_topic_ranges(m, "mappings", maps, SPACES));
		full_figures(before);
		assert_sound(before);
		assert_equal_models(m, before);
		mv_model_free(before);
	}
	mv_model_free(copy);
	mv_model_free(m);
}

static enum mv_applied apply_text(struct mv_model *m, const char *text)
{
	struct mv_error e = {0};
	json *p = mv_json_parse(text, strlen(text), &e);
	assert_non_null(p);
	enum mv_applied r = mv_model_apply_watch(m, p, 1, &e);
	json_object_put(p);
	return r;
}

static void malformed_records_change_nothing(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"{}",
		"{\"topic\":\"stat\",\"full\":true}",
		"{\"topic\":\"stat\",\"full\":true,\"data\":{\"total\":1}}",
		"{\"topic\":\"stat\",\"full\":false,\"data\":{\"used\":\"x\"}}",
		"{\"topic\":\"stat\",\"full\":false,\"data\":{\"used\":99999999999999}}",
		"{\"topic\":\"frames\",\"full\":false,\"data\":{\"runs\":[{\"pa\":\"0x1\","
		"\"count\":1,\"state\":\"free\",\"attr\":[],\"refs\":0}]}}",
		"{\"topic\":\"frames\",\"full\":false,\"data\":{\"runs\":[{\"pa\":"
		"\"0xffffffffffe00000\",\"count\":2,\"state\":\"free\",\"attr\":[],\"refs\":0}]}}",
		"{\"topic\":\"mappings\",\"full\":false,\"data\":{\"removed\":[],\"added\":[{"
		"\"space\":1,\"va\":\"0x1000\",\"pa\":\"0x0\",\"len\":0,\"page\":4096,"
		"\"flags\":\"------\"}]}}",
		"{\"topic\":\"mappings\",\"full\":false,\"data\":{\"added\":[{\"space\":1,"
		"\"va\":\"0x1000\",\"pa\":\"0x0\",\"len\":1125899906842624,\"page\":4096,"
		"\"flags\":\"------\"}]}}",
		"{\"topic\":\"mappings\",\"full\":false,\"data\":{\"added\":[{\"space\":1,"
		"\"va\":\"0x1000\",\"pa\":\"0x0\",\"len\":4096,\"page\":4096,\"flags\":\"zz\"}]}}",
		"{\"topic\":\"events\",\"full\":false,\"data\":{\"events\":[[1,\"kmalloc\"]]}}",
		"{\"topic\":\"log\",\"full\":false,\"data\":{\"lines\":[{}]}}",
	};
	seed = 3;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL);
	full_state(m, false);
	struct mv_model *before = mv_model_clone(m);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (apply_text(m, bad[i]) != MV_MALFORMED)
			fail_msg("taken for good: %s", bad[i]);
		assert_sound(m);
		assert_equal_models(m, before);
	}
	mv_model_free(before);
	mv_model_free(m);
}

/* A run's length has 50 bits: what would need more stays two runs. */
static void runs_of_a_pib_do_not_join(void **state)
{
	(void)state;
	struct mv_model *m = mv_model_new(NULL);
	assert_int_equal(apply_text(m, "{\"topic\":\"mappings\",\"full\":true,\"data\":{"
				       "\"added\":[{\"space\":0,\"va\":\"0xffff800000000000\","
				       "\"pa\":\"0x0\",\"len\":1125899906838528,"
				       "\"page\":4096,\"flags\":\"w-----\"}]}}"),
			 MV_MALFORMED); /* runs over the end of the address space */
	assert_int_equal(apply_text(m, "{\"topic\":\"mappings\",\"full\":true,\"data\":{"
				       "\"added\":[{\"space\":0,\"va\":\"0xff00000000000000\","
				       "\"pa\":\"0x0\",\"len\":1125899906838528,"
				       "\"page\":4096,\"flags\":\"w-----\"},"
				       "{\"space\":0,\"va\":\"0xff03fffffffff000\","
				       "\"pa\":\"0x3fffffffff000\",\"len\":4096,"
				       "\"page\":4096,\"flags\":\"w-----\"}]}}"),
			 MV_APPLIED);
	assert_sound(m);
	assert_int_equal(mv_model_space(m, 0)->map_count, 2);
	mv_model_free(m);
}

#define ONE_RUN(full, va)                                                                          \
	"{\"topic\":\"mappings\",\"full\":" full ",\"data\":{\"added\":[{\"space\":1,\"va\":\"" va \
	"\",\"pa\":\"0x0\",\"len\":4096,\"page\":4096,\"flags\":\"w-----\"}]}}"

/* Copies share their runs with the original until one of them changes. */
static void a_copy_keeps_its_runs_when_the_original_moves_on(void **state)
{
	(void)state;
	struct mv_model *m = mv_model_new(NULL);
	assert_int_equal(apply_text(m, ONE_RUN("true", "0x1000")), MV_APPLIED);
	struct mv_model *a = mv_model_clone(m), *b = mv_model_clone(a);
	assert_ptr_equal(mv_model_space(a, 1)->maps, mv_model_space(m, 1)->maps);
	assert_int_equal(apply_text(m, ONE_RUN("false", "0x3000")), MV_APPLIED);
	assert_int_equal(apply_text(b, ONE_RUN("false", "0x5000")), MV_APPLIED);
	assert_int_equal(mv_model_space(m, 1)->map_count, 2);
	assert_int_equal(mv_model_space(a, 1)->map_count, 1);
	assert_null(mv_model_mapping_at(a, 1, 0x3000));
	assert_null(mv_model_mapping_at(b, 1, 0x3000));
	assert_non_null(mv_model_mapping_at(b, 1, 0x5000));
	struct mv_model *c = mv_model_clone(m);
	assert_int_equal(apply_text(m, ONE_RUN("true", "0x7000")), MV_APPLIED);
	assert_int_equal(mv_model_space(c, 1)->map_count, 2);
	mv_model_free(m);
	assert_non_null(mv_model_mapping_at(c, 1, 0x3000));
	mv_model_free(a);
	mv_model_free(c);
	mv_model_free(b);
}

static void deltas_without_a_state_ask_for_one(void **state)
{
	(void)state;
	struct mv_model *m = mv_model_new(NULL);
	assert_int_equal(apply_text(m, "{\"topic\":\"stat\",\"full\":false,\"data\":{\"used\":1}}"),
			 MV_NEED_FULL);
	assert_int_equal(
		apply_text(m, "{\"topic\":\"frames\",\"full\":false,\"data\":{\"runs\":[]}}"),
		MV_NEED_FULL);
	assert_int_equal(apply_text(m, "{\"topic\":\"mappings\",\"full\":false,\"data\":{}}"),
			 MV_NEED_FULL);
	assert_int_equal(apply_text(m, "{\"topic\":\"weather\",\"full\":true,\"data\":{}}"),
			 MV_UNCHANGED);
	mv_model_free(m);
}

static void rings_keep_the_newest(void **state)
{
	(void)state;
	struct mv_model_limits limits = {.samples = 4, .events = 5, .log_lines = 3};
	struct mv_model *m = mv_model_new(&limits);
	char text[256];
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(text, sizeof text,
			 "{\"topic\":\"events\",\"full\":false,\"data\":{\"lost\":1,\"events\":"
			 "[[%u,\"map\",\"0x%x\",4096,\"0x0\",1]]}}",
			 i, i);
		assert_int_equal(apply_text(m, text), MV_APPLIED);
		snprintf(text, sizeof text,
			 "{\"topic\":\"log\",\"full\":false,\"data\":{\"lines\":[{\"seq\":%u,"
			 "\"t_us\":%u,\"level\":\"info\",\"text\":\"line\\u001b[31m %u\"}]}}",
			 i, i, i);
		assert_int_equal(apply_text(m, text), MV_APPLIED);
		assert_sound(m);
	}
	assert_int_equal(mv_model_events(m), 5);
	assert_int_equal(mv_model_event(m, 4)->addr, 20);
	assert_int_equal(mv_model_event(m, 0)->addr, 16);
	assert_int_equal(m->events_dropped, 20);
	assert_int_equal(m->events_seen, 20);
	assert_int_equal(mv_model_log_lines(m), 3);
	/* No escape codes from a kernel. */
	assert_string_equal(mv_model_log_line(m, 2)->text, "line?[31m 20");
	assert_int_equal(m->uptime_us, 20);
	mv_model_free(m);
}

static void history_goes_from_model_to_model(void **state)
{
	(void)state;
	seed = 5;
	begin_shadow();
	struct mv_model *m = mv_model_new(NULL), *other = mv_model_new(NULL);
	full_state(m, false);
	for (unsigned i = 0; i < 3000; i++) {
		shadow.gen += 50000;
		change_stat(m);
		if (i == 2500) {
			/* The other one begins to listen here. */
			full_state(other, false);
		} else if (i > 2500) {
			tell(other, "stat", true, false, stat_json(&shadow.stat));
		}
	}
	char cursor[40], *at = NULL;
	for (unsigned pages = 0;; pages++) {
		assert_true(pages < 20);
		json *page = mv_model_history(m, 0, 500, at, NULL);
		assert_int_equal(mv_model_apply_history(other, page, NULL), MV_APPLIED);
		assert_sound(other);
		const char *next = mv_json_str(page, "next");
		if (next)
			mv_copy(cursor, sizeof cursor, next);
		at = next ? cursor : NULL;
		json_object_put(page);
		if (!at)
			break;
	}
	size_t n = mv_model_samples(m);
	assert_int_equal(mv_model_samples(other), n);
	for (size_t i = 0; i < n; i++) {
		const struct mv_sample *a = mv_model_sample(m, i), *b = mv_model_sample(other, i);
		assert_int_equal(a->time_us, b->time_us);
		assert_memory_equal(&a->stat, &b->stat, sizeof a->stat);
	}
	mv_model_free(m);
	mv_model_free(other);
}

static enum mv_applied apply_object(struct mv_model *m, const char *text)
{
	struct json_object *o = json_tokener_parse(text);
	struct mv_error e;
	assert_non_null(o);
	enum mv_applied r = mv_model_apply_result(m, "mm.object", NULL, o, 1, &e);
	json_object_put(o);
	return r;
}

/* What a code address is called, or that it has no name, is known once it was asked. */
static void code_addresses_get_names(void **state)
{
	struct mv_model *m = mv_model_new(NULL);
	(void)state;
	assert_int_equal(apply_object(m, "{\"addr\":\"0xffffffff80001000\",\"kind\":\"image\","
					 "\"symbol\":\"churn_run+0x4c\"}"),
			 MV_APPLIED);
	assert_string_equal(mv_model_symbol(m, 0xffffffff80001000), "churn_run+0x4c");
	assert_int_equal(apply_object(m, "{\"addr\":\"0xffffffff80002000\",\"kind\":\"image\"}"),
			 MV_APPLIED);
	assert_string_equal(mv_model_symbol(m, 0xffffffff80002000), "0xffffffff80002000");
	assert_int_equal(apply_object(m, "{\"addr\":\"0xffff800000001000\",\"kind\":\"slab\","
					 "\"symbol\":\"churn_run+0x4c\"}"),
			 MV_UNCHANGED);
	assert_null(mv_model_symbol(m, 0xffff800000001000));
	assert_int_equal(apply_object(m, "{\"kind\":\"image\"}"), MV_MALFORMED);
	mv_model_free(m);
}

static void answers_come_from_the_state(void **state)
{
	(void)state;
	struct mv_error e;
	seed = 17;
	begin_shadow();
	for (unsigned i = 0; i < 4; i++)
		shadow.pages[1][i] = (struct page_cell){true, 100 + i, MV_MAP_WRITE};
	struct mv_model *m = mv_model_new(NULL);
	full_state(m, false);
	json *p = json_object_new_object();
	mv_json_add_u64(p, "space", 1);
	mv_json_add_hex(p, "va", page_va(1, 2) + 5);
	json *r = mv_model_answer(m, "mm.translate", p, &e);
	assert_string_equal(mv_json_str(r, "pa"), "0x66005");
	assert_string_equal(mv_json_str(r, "flags"), "w-----");
	json_object_put(r);
	mv_json_add_hex(p, "pa", 0x65000);
	r = mv_model_answer(m, "mm.rmap", p, &e);
	json *run = json_object_array_get_idx(mv_json_array(r, "runs"), 0);
	assert_string_equal(mv_json_str(run, "va"), "0x401000");
	json_object_put(r);
	assert_null(mv_model_answer(m, "mm.kmalloc", p, &e));
	assert_int_equal(e.status, MV_REFUSED);
	json_object_put(p);
	mv_model_free(m);
}

static void keep(struct mv_model *m, const char *method, const char *params, const char *result)
{
	json *p = mv_json_parse(params, strlen(params), NULL);
	json *r = mv_json_parse(result, strlen(result), NULL);
	assert_non_null(r);
	mv_model_keep_answer(m, method, p, r, 1000000);
	json_object_put(p);
	json_object_put(r);
}

static json *asked(struct mv_model *m, const char *method, const char *params)
{
	struct mv_error e = {0};
	json *p = mv_json_parse(params, strlen(params), NULL);
	json *r = mv_model_answer(m, method, p, &e);
	json_object_put(p);
	if (!r)
		assert_int_equal(e.status, MV_REFUSED);
	return r;
}

/* What a recording holds of slabs and sites answers for objects too, with how old it is. */
static void kept_answers_tell_objects_and_their_owners(void **state)
{
	(void)state;
	struct mv_model *m = mv_model_new(NULL);
	uint64_t age;
	assert_null(asked(m, "mm.slabs", "{\"size\":64}"));
	assert_null(asked(m, "mm.object", "{\"addr\":\"0x1040\"}"));
	keep(m, "mm.slabs", "{\"size\":64}",
	     "{\"slabs\":[{\"addr\":\"0x1000\",\"size\":64,\"objects\":8,\"used\":2,"
	     "\"used_runs\":[[1,1],[7,1],[3],\"x\"]}],\"next\":null}");
	keep(m, "trace.leaks", "{\"older_than_us\":0}",
	     "{\"objects\":[{\"addr\":\"0x1040\",\"size\":64,\"site\":\"0x77\","
	     "\"symbol\":\"who+1\",\"age_us\":500}],\"next\":null}");
	keep(m, "mm.slabs", "{}", "{\"slabs\":7}"); /* of no class: not kept */
	m->time_us = 1000250;
	json *o = asked(m, "mm.object", "{\"addr\":\"0x1055\"}");
	assert_string_equal(mv_json_str(o, "base"), "0x1040");
	assert_string_equal(mv_json_str(o, "state"), "used");
	assert_string_equal(mv_json_str(o, "symbol"), "who+1");
	assert_true(mv_json_u64(o, "age_us", &age));
	assert_int_equal(age, 750);
	json_object_put(o);
	o = asked(m, "mm.object", "{\"addr\":\"0x1080\"}");
	assert_string_equal(mv_json_str(o, "state"), "free");
	assert_null(mv_json_get(o, "site"));
	json_object_put(o);
	assert_null(asked(m, "mm.object", "{\"addr\":\"0x1200\"}"));
	struct mv_model *copy = mv_model_clone(m);
	mv_model_reset(m);
	assert_null(asked(m, "mm.slabs", "{\"size\":64}"));
	o = asked(copy, "trace.leaks", "{\"older_than_us\":751}");
	assert_int_equal(json_object_array_length(mv_json_array(o, "objects")), 0);
	json_object_put(o);
	o = asked(copy, "mm.slabs", "{\"size\":64}");
	assert_true(mv_json_u64(o, "recorded_us", &age));
	assert_int_equal(age, 1000000);
	json_object_put(o);
	mv_model_free(copy);
	mv_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_deltas_equal_a_full_state),
		cmocka_unit_test(a_resync_in_parts_replaces_everything),
		cmocka_unit_test(a_state_that_arrives_in_parts_is_shown_whole),
		cmocka_unit_test(a_state_that_never_ends_is_shown_after_a_while),
		cmocka_unit_test(a_keyframe_and_ranges_carry_the_state),
		cmocka_unit_test(malformed_records_change_nothing),
		cmocka_unit_test(runs_of_a_pib_do_not_join),
		cmocka_unit_test(a_copy_keeps_its_runs_when_the_original_moves_on),
		cmocka_unit_test(deltas_without_a_state_ask_for_one),
		cmocka_unit_test(rings_keep_the_newest),
		cmocka_unit_test(history_goes_from_model_to_model),
		cmocka_unit_test(code_addresses_get_names),
		cmocka_unit_test(answers_come_from_the_state),
		cmocka_unit_test(kept_answers_tell_objects_and_their_owners),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
