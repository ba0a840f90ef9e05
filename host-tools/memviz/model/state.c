/*
 * State as the protocol's JSON: what a hub gives to a client that joins, what a
 * recording begins its blocks with, and what a replay answers.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_object json;

/* ---- elements ---- */

struct json_object *mv_stat_json(const struct mv_stat *s)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, INSP_F_TOTAL, s->total);
	mv_json_add_u64(o, INSP_F_USED, s->used);
	mv_json_add_u64(o, INSP_F_FREE, s->free);
	mv_json_add_u64(o, INSP_F_SHARED, s->shared);
	mv_json_add_u64(o, INSP_F_CACHE_USED, s->cache_used);
	mv_json_add_u64(o, INSP_F_CACHE_FREE, s->cache_free);
	mv_json_add_u64(o, INSP_F_AVAILABLE, s->available);
	return o;
}

struct json_object *mv_zone_json(const struct mv_zone *z)
{
	json *o = json_object_new_object();
	mv_json_add_str(o, INSP_F_NAME, z->name);
	mv_json_add_hex(o, INSP_F_START, z->start);
	mv_json_add_hex(o, INSP_F_END, z->end);
	mv_json_add_u64(o, INSP_F_FRAMES, z->frames);
	mv_json_add_u64(o, INSP_F_FREE, z->free);
	mv_json_add_u64(o, INSP_F_USED, z->used);
	mv_json_add_u64(o, INSP_F_RESERVED, z->reserved);
	mv_json_add_u64(o, INSP_F_LARGEST_RUN, z->largest_free_run);
	return o;
}

struct json_object *mv_cache_json(const struct mv_cache *c)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, INSP_F_SIZE, c->size);
	mv_json_add_u64(o, INSP_F_SLABS, c->slabs);
	mv_json_add_u64(o, INSP_F_OBJECTS, c->objects);
	mv_json_add_u64(o, INSP_F_USED, c->used);
	mv_json_add_u64(o, INSP_F_FREE, c->free);
	mv_json_add_u64(o, INSP_F_BYTES, c->bytes);
	mv_json_add_u64(o, INSP_F_ALLOCS, c->allocs);
	mv_json_add_u64(o, INSP_F_FREES, c->frees);
	mv_json_add_u64(o, INSP_F_FAILED, c->failed);
	return o;
}

struct json_object *mv_event_json(const struct mv_event *e)
{
	char addr[24], site[24];
	json *o = json_object_new_array_ext(6);
	json_object_array_add(o, json_object_new_uint64(e->t_us));
	json_object_array_add(o, json_object_new_string(mv_event_op_name((enum mv_event_op)e->op)));
	json_object_array_add(o,
			      json_object_new_string(mv_format_addr(e->addr, addr, sizeof addr)));
	json_object_array_add(o, json_object_new_uint64(e->size));
	json_object_array_add(o,
			      json_object_new_string(mv_format_addr(e->site, site, sizeof site)));
	json_object_array_add(o, json_object_new_uint64(e->arg));
	return o;
}

json *mv_frame_run_json(const struct mv_frame_run *r, const char *zone)
{
	static const char *const names[] = {INSP_FRAME_ATTRS};
	json *o = json_object_new_object(), *attr = json_object_new_array();
	mv_json_add_hex(o, INSP_F_PA, r->pa);
	mv_json_add_u64(o, INSP_F_COUNT, r->count);
	if (zone)
		mv_json_add_str(o, INSP_F_ZONE, zone);
	else
		json_object_object_add(o, INSP_F_ZONE, NULL);
	mv_json_add_str(o, INSP_F_STATE, mv_frame_state_name((enum mv_frame_state)r->state));
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (r->attr >> i & 1)
			json_object_array_add(attr, json_object_new_string(names[i]));
	json_object_object_add(o, INSP_F_ATTR, attr);
	mv_json_add_u64(o, INSP_F_REFS, r->refs);
	return o;
}

static json *frame_json(const struct mv_model *m, const struct mv_frame_run *r)
{
	bool known = r->zone >= 0 && (size_t)r->zone < m->zone_count;
	return mv_frame_run_json(r, known ? m->zones[r->zone].name : NULL);
}

static json *mapping_json(const struct mv_mapping *r)
{
	char flags[9];
	json *o = json_object_new_object();
	mv_json_add_hex(o, INSP_F_VA, r->va);
	mv_json_add_hex(o, INSP_F_PA, r->pa);
	mv_json_add_u64(o, INSP_F_LEN, r->len);
	mv_json_add_u64(o, INSP_F_PAGE, mv_mapping_page(r));
	mv_map_flags_text(r->flags, (r->flags & (MV_MAP_ACCESSED | MV_MAP_DIRTY)) != 0, flags);
	mv_json_add_str(o, INSP_F_FLAGS, flags);
	return o;
}

static json *space_json(const struct mv_space *s)
{
	json *o = json_object_new_object();
	json_object_object_add(o, INSP_F_ID, json_object_new_int64(s->id));
	mv_json_add_str(o, INSP_F_NAME, s->name);
	mv_json_add_hex(o, INSP_F_ROOT, s->root);
	json_object_object_add(o, INSP_F_CURRENT, json_object_new_boolean(s->current));
	mv_json_add_u64(o, INSP_F_TABLES, s->tables);
	mv_json_add_u64(o, INSP_F_MAPPED_BYTES, s->mapped_bytes);
	return o;
}

static json *list_in(json *o, const char *key)
{
	json *list = json_object_new_array();
	json_object_object_add(o, key, list);
	return list;
}

/* ---- topics ---- */

static json *topic_stat(const struct mv_model *m)
{
	return m->stat_known ? mv_stat_json(&m->stat) : NULL;
}

static json *topic_zones(const struct mv_model *m)
{
	if (!m->zones_known)
		return NULL;
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_ZONES);
	for (size_t i = 0; i < m->zone_count; i++)
		json_object_array_add(list, mv_zone_json(&m->zones[i]));
	return o;
}

static json *topic_caches(const struct mv_model *m)
{
	if (!m->caches_known)
		return NULL;
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_CACHES);
	for (size_t i = 0; i < m->cache_count; i++)
		json_object_array_add(list, mv_cache_json(&m->caches[i]));
	return o;
}

static json *topic_frames(const struct mv_model *m)
{
	if (!m->frames_known)
		return NULL;
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_RUNS);
	for (size_t i = 0; i < m->frame_run_count; i++)
		json_object_array_add(list, frame_json(m, &m->frames[i]));
	return o;
}

static json *topic_mappings(const struct mv_model *m)
{
	if (!m->mappings_known)
		return NULL;
	json *o = json_object_new_object();
	list_in(o, INSP_F_REMOVED);
	json *added = list_in(o, INSP_F_ADDED);
	for (size_t i = 0; i < m->space_count; i++) {
		const struct mv_space *s = &m->spaces[i];
		for (size_t k = 0; k < s->map_count; k++) {
			json *run = mapping_json(&s->maps[k]);
			json_object_object_add(run, INSP_F_SPACE, json_object_new_int64(s->id));
			json_object_array_add(added, run);
		}
	}
	return o;
}

static json *topic_events(const struct mv_model *m)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, INSP_F_LOST, 0);
	json *list = list_in(o, INSP_F_EVENTS);
	for (size_t i = 0; i < mv_model_events(m); i++)
		json_object_array_add(list, mv_event_json(mv_model_event(m, i)));
	return o;
}

static json *log_json(const struct mv_model *m, uint64_t since)
{
	json *o = json_object_new_object();
	mv_json_add_u64(o, INSP_F_LOST, 0);
	json *list = list_in(o, INSP_F_LINES);
	for (size_t i = 0; i < mv_model_log_lines(m); i++) {
		const struct mv_log_line *l = mv_model_log_line(m, i);
		if (l->seq < since)
			continue;
		json *line = json_object_new_object();
		mv_json_add_u64(line, INSP_F_SEQ, l->seq);
		mv_json_add_u64(line, INSP_F_T_US, l->t_us);
		mv_json_add_str(line, INSP_F_LEVEL, l->level);
		mv_json_add_str(line, INSP_F_TEXT, l->text);
		json_object_array_add(list, line);
	}
	return o;
}

static json *topic_log(const struct mv_model *m)
{
	return log_json(m, 0);
}

static const struct {
	const char *name;
	json *(*make)(const struct mv_model *);
} topics[] = {
	{"stat",	 topic_stat	   },
	  {"zones",    topic_zones   },
	{"caches",   topic_caches  },
	{"frames",   topic_frames  },
	  {"mappings", topic_mappings},
	{"events",   topic_events  },
	{"log",	topic_log	 },
};
#define TOPICS	     (sizeof topics / sizeof *topics)
#define STATE_TOPICS 5 /* the first ones; events and log are happenings */

struct json_object *mv_model_topic(const struct mv_model *m, const char *topic)
{
	for (size_t i = 0; i < TOPICS; i++)
		if (strcmp(topics[i].name, topic) == 0)
			return topics[i].make(m);
	return NULL;
}

static json *frame_ranges(const struct mv_model *m, const struct mv_range *ranges, size_t n)
{
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_RUNS);
	for (size_t i = 0; i < n; i++) {
		uint64_t at = ranges[i].first;
		const struct mv_frame_run *r;
		while (at <= ranges[i].last && (r = mv_model_frame_at(m, at)) != NULL) {
			struct mv_frame_run part = *r;
			uint64_t end = frame_spans.last(r);
			frame_spans.crop(&part, at, end > ranges[i].last ? ranges[i].last : end);
			json_object_array_add(list, frame_json(m, &part));
			if (end == UINT64_MAX)
				break;
			at = end + 1;
		}
	}
	return o;
}

static void add_range(const struct mv_space *s, const struct mv_range *range, json *added)
{
	for (size_t i = 0; s && i < s->map_count; i++) {
		struct mv_mapping r = s->maps[i];
		uint64_t first = r.va, last = mapping_spans.last(&r);
		if (last < range->first || first > range->last)
			continue;
		mapping_spans.crop(&r, first < range->first ? range->first : first,
				   last > range->last ? range->last : last);
		json *run = mapping_json(&r);
		json_object_object_add(run, INSP_F_SPACE, json_object_new_int64(s->id));
		json_object_array_add(added, run);
	}
}

static json *mapping_ranges(const struct mv_model *m, const struct mv_range *ranges, size_t n)
{
	json *o = json_object_new_object(), *removed = list_in(o, INSP_F_REMOVED);
	json *added = list_in(o, INSP_F_ADDED);
	for (size_t i = 0; i < n; i++) {
		json *gone = json_object_new_object();
		json_object_object_add(gone, INSP_F_SPACE, json_object_new_int64(ranges[i].space));
		mv_json_add_hex(gone, INSP_F_VA, ranges[i].first);
		mv_json_add_u64(gone, INSP_F_LEN, ranges[i].last - ranges[i].first + 1);
		json_object_array_add(removed, gone);
	}
	for (size_t i = 0; i < n; i++)
		add_range(mv_model_space(m, ranges[i].space), &ranges[i], added);
	return o;
}

struct json_object *mv_model_topic_ranges(const struct mv_model *m, const char *topic,
					  const struct mv_range *ranges, size_t n)
{
	return strcmp(topic, "frames") == 0 ? frame_ranges(m, ranges, n)
					    : mapping_ranges(m, ranges, n);
}

/* ---- keyframes ---- */

static json *hello_json(const struct mv_hello *h)
{
	json *o = json_object_new_object();
	mv_json_add_str(o, INSP_F_NAME, h->name);
	mv_json_add_str(o, INSP_F_VERSION, h->version);
	json_object_object_add(o, INSP_F_PROTOCOL, json_object_new_int(h->protocol));
	mv_json_add_str(o, INSP_F_SESSION, h->session);
	mv_json_add_str(o, INSP_F_BUILD_ID, h->build_id);
	mv_json_add_u64(o, INSP_F_CPUS, h->cpus);
	mv_json_add_u64(o, INSP_F_PAGE_SIZE, h->page_size_bytes);
	mv_json_add_u64(o, INSP_F_FRAME_SIZE, h->frame_size_bytes);
	mv_json_add_u64(o, INSP_F_TSC_HZ, h->tsc_hz);
	mv_json_add_u64(o, INSP_F_MAX_RECORD, h->max_record_bytes);
	mv_json_add_str(o, INSP_F_ACCESS, h->access);
	json *features = list_in(o, INSP_F_FEATURES);
	char words[sizeof h->features], *save = NULL;
	mv_copy(words, sizeof words, h->features);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		json_object_array_add(features, json_object_new_string(w));
	return o;
}

static json *spaces_json(const struct mv_model *m)
{
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_SPACES);
	for (size_t i = 0; i < m->space_count; i++)
		json_object_array_add(list, space_json(&m->spaces[i]));
	return o;
}

static json *symbols_json(const struct mv_model *m)
{
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_SITES);
	for (size_t i = 0; i < m->priv->symbol_count; i++) {
		json *s = json_object_new_object();
		mv_json_add_hex(s, INSP_F_ADDR, m->priv->symbols[i].site);
		mv_json_add_str(s, INSP_F_SYMBOL, m->priv->symbols[i].name);
		json_object_array_add(list, s);
	}
	return o;
}

struct json_object *mv_model_keyframe(const struct mv_model *m)
{
	json *o = json_object_new_object();
	if (m->hello.known)
		json_object_object_add(o, INSP_M_HELLO, hello_json(&m->hello));
	if (m->spaces_known)
		json_object_object_add(o, INSP_M_SPACES, spaces_json(m));
	if (m->priv->symbol_count)
		json_object_object_add(o, INSP_M_TRACE_SITES, symbols_json(m));
	mv_json_add_u64(o, "uptime_us", m->uptime_us);
	json *list = list_in(o, INSP_N_WATCH);
	for (size_t i = 0; i < STATE_TOPICS; i++) {
		json *data = topics[i].make(m);
		if (!data)
			continue;
		json *params = json_object_new_object();
		mv_json_add_u64(params, INSP_F_ID, 0);
		mv_json_add_str(params, INSP_F_TOPIC, topics[i].name);
		json_object_object_add(params, INSP_F_FULL, json_object_new_boolean(true));
		mv_json_add_u64(params, INSP_F_GEN, m->gen);
		json_object_object_add(params, INSP_F_DATA, data);
		json_object_array_add(list, params);
	}
	return o;
}

enum mv_applied mv_model_apply_keyframe(struct mv_model *m, struct json_object *keyframe,
					uint64_t time_us, struct mv_error *e)
{
	static const char *const methods[] = {INSP_M_HELLO, INSP_M_SPACES, INSP_M_TRACE_SITES};
	json *list = mv_json_array(keyframe, INSP_N_WATCH);
	if (!list)
		return malformed(e, "a keyframe");
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		json *result = mv_json_obj(keyframe, methods[i]);
		if (result &&
		    mv_model_apply_result(m, methods[i], NULL, result, time_us, e) == MV_MALFORMED)
			return MV_MALFORMED;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (mv_model_apply_watch(m, json_object_array_get_idx(list, i), time_us, e) ==
		    MV_MALFORMED)
			return MV_MALFORMED;
	uint64_t uptime;
	if (mv_json_u64(keyframe, "uptime_us", &uptime) && uptime > m->uptime_us)
		m->uptime_us = uptime;
	m->time_us = time_us;
	return MV_APPLIED;
}

/* ---- answers ---- */

typedef json *(*answer_fn)(const struct mv_model *, json *params, struct mv_error *);

static json *unknown(struct mv_error *e)
{
	mv_fail(e, MV_REFUSED, "the recording does not tell");
	return NULL;
}

static json *or_unknown(json *o, struct mv_error *e)
{
	return o ? o : unknown(e);
}

static json *answer_hello(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)params;
	return m->hello.known ? hello_json(&m->hello) : unknown(e);
}

static json *answer_stat(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)params;
	return or_unknown(topic_stat(m), e);
}

static json *answer_zones(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)params;
	return or_unknown(topic_zones(m), e);
}

static json *answer_caches(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)params;
	return or_unknown(topic_caches(m), e);
}

static json *answer_spaces(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)params;
	json *o = m->spaces_known ? spaces_json(m) : unknown(e);
	if (o)
		json_object_object_add(o, INSP_F_NEXT, NULL);
	return o;
}

static json *answer_log(const struct mv_model *m, json *params, struct mv_error *e)
{
	(void)e;
	uint64_t since = 0;
	mv_json_u64(params, INSP_F_SINCE, &since);
	return log_json(m, since);
}

static json *answer_frames(const struct mv_model *m, json *params, struct mv_error *e)
{
	const char *zone = mv_json_str(params, INSP_F_ZONE);
	uint64_t from = 0;
	mv_json_hex(params, INSP_F_FROM, &from);
	from -= from % MV_FRAME_BYTES;
	if (!m->frames_known)
		return unknown(e);
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_RUNS);
	for (size_t i = 0; i < m->frame_run_count; i++) {
		struct mv_frame_run r = m->frames[i];
		const char *name = r.zone >= 0 ? m->zones[r.zone].name : "";
		if (frame_spans.last(&r) < from || (zone && strcmp(zone, name) != 0))
			continue;
		if (r.pa < from)
			frame_spans.crop(&r, from, frame_spans.last(&r));
		json_object_array_add(list, frame_json(m, &r));
	}
	json_object_object_add(o, INSP_F_NEXT, NULL);
	return o;
}

static const struct mv_space *asked_space(const struct mv_model *m, json *params,
					  struct mv_error *e)
{
	int64_t id;
	const struct mv_space *s = mv_json_i64(params, INSP_F_SPACE, &id)
					   ? mv_model_space(m, id)
					   : mv_model_current_space(m);
	if (!s || !s->mappings_known)
		unknown(e);
	return s && s->mappings_known ? s : NULL;
}

static void add_cropped(json *list, const struct mv_mapping *run, uint64_t from, uint64_t to)
{
	struct mv_mapping r = *run;
	uint64_t first = r.va, last = mapping_spans.last(&r);
	if (last < from || first > to)
		return;
	mapping_spans.crop(&r, first < from ? from : first, last > to ? to : last);
	json_object_array_add(list, mapping_json(&r));
}

static json *answer_mappings(const struct mv_model *m, json *params, struct mv_error *e)
{
	uint64_t from = 0, to = UINT64_MAX;
	mv_json_hex(params, INSP_F_FROM, &from);
	mv_json_hex(params, INSP_F_TO, &to);
	from -= from % MV_PAGE_BYTES;
	to |= MV_PAGE_BYTES - 1;
	const struct mv_space *s = asked_space(m, params, e);
	if (!s)
		return NULL;
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_RUNS);
	for (size_t i = 0; i < s->map_count; i++)
		add_cropped(list, &s->maps[i], from, to);
	const struct mv_space *kernel = mv_model_space(m, MV_SPACE_KERNEL);
	for (size_t i = 0; kernel && kernel != s && i < kernel->map_count; i++)
		if (kernel->maps[i].va >= MV_KERNEL_HALF)
			add_cropped(list, &kernel->maps[i], from, to);
	json_object_object_add(o, INSP_F_NEXT, NULL);
	return o;
}

static json *answer_translate(const struct mv_model *m, json *params, struct mv_error *e)
{
	uint64_t va;
	if (!mv_json_hex(params, INSP_F_VA, &va)) {
		mv_fail(e, MV_REFUSED, "va: \"0x...\" is missing");
		return NULL;
	}
	const struct mv_space *s = asked_space(m, params, e);
	if (!s)
		return NULL;
	const struct mv_mapping *r = mv_model_mapping_at(m, s->id, va);
	json *o = json_object_new_object();
	mv_json_add_hex(o, INSP_F_VA, va);
	if (r) {
		char flags[9];
		mv_map_flags_text(r->flags, false, flags);
		mv_json_add_hex(o, INSP_F_PA, r->pa + (va - r->va));
		mv_json_add_u64(o, INSP_F_PAGE, mv_mapping_page(r));
		mv_json_add_str(o, INSP_F_FLAGS, flags);
	} else {
		json_object_object_add(o, INSP_F_PA, NULL);
	}
	list_in(o, INSP_F_LEVELS);
	return o;
}

struct part {
	uint64_t va, pa, len;
};

static void add_rmap_run(json *list, const struct mv_space *s, const struct part *r)
{
	json *run = json_object_new_object();
	json_object_object_add(run, INSP_F_SPACE, json_object_new_int64(s->id));
	mv_json_add_hex(run, INSP_F_VA, r->va);
	mv_json_add_hex(run, INSP_F_PA, r->pa);
	mv_json_add_u64(run, INSP_F_LEN, r->len);
	json_object_array_add(list, run);
}

/* Where a space maps [pa, last]; what goes on with other rights is one run here. */
static void add_rmap(json *list, const struct mv_space *s, uint64_t pa, uint64_t last)
{
	struct part run = {0};
	for (size_t i = 0; i < s->map_count; i++) {
		struct part r = {s->maps[i].va, s->maps[i].pa, s->maps[i].len};
		uint64_t end = r.pa + (r.len - 1);
		if (end < pa || r.pa > last)
			continue;
		uint64_t skip = r.pa < pa ? pa - r.pa : 0, cut = end > last ? end - last : 0;
		r.va += skip;
		r.pa += skip;
		r.len -= skip + cut;
		if (run.len && run.va + run.len == r.va && run.pa + run.len == r.pa) {
			run.len += r.len;
			continue;
		}
		if (run.len)
			add_rmap_run(list, s, &run);
		run = r;
	}
	if (run.len)
		add_rmap_run(list, s, &run);
}

static json *answer_rmap(const struct mv_model *m, json *params, struct mv_error *e)
{
	uint64_t pa, len = 1;
	if (!mv_json_hex(params, INSP_F_PA, &pa)) {
		mv_fail(e, MV_REFUSED, "pa: \"0x...\" is missing");
		return NULL;
	}
	mv_json_u64(params, INSP_F_LEN, &len);
	uint64_t last = len && len - 1 <= UINT64_MAX - pa ? pa + (len - 1) : pa;
	json *o = json_object_new_object(), *list = list_in(o, INSP_F_RUNS);
	for (size_t i = 0; i < m->space_count; i++)
		add_rmap(list, &m->spaces[i], pa, last);
	json_object_object_add(o, INSP_F_NEXT, NULL);
	return o;
}

static const struct {
	const char *method;
	answer_fn make;
} answers[] = {
	{INSP_M_HELLO,       answer_hello	   },
	    {INSP_M_STAT,	  answer_stat     },
	{INSP_M_ZONES,       answer_zones	   },
	    {INSP_M_FRAMES,	    answer_frames	 },
	{INSP_M_CACHES,	answer_caches   },
	    {INSP_M_SPACES,	    answer_spaces	 },
	{INSP_M_MAPPINGS,	  answer_mappings },
	    {INSP_M_TRANSLATE,   answer_translate},
	{INSP_M_RMAP,	      answer_rmap	 },
	    {INSP_M_LOG,	 answer_log	   },
	{INSP_M_SLABS,       answer_slabs	   },
	    {INSP_M_OBJECT,	    answer_object	 },
	{INSP_M_TRACE_SITES, answer_sites	 },
	    {INSP_M_TRACE_LEAKS, answer_leaks    },
};

struct json_object *mv_model_answer(const struct mv_model *m, const char *method,
				    struct json_object *params, struct mv_error *e)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].method, method) != 0)
			continue;
		json *o = answers[i].make(m, params, e);
		if (o && strcmp(method, INSP_M_HELLO) != 0)
			mv_json_add_u64(o, INSP_F_GEN, m->gen);
		return o;
	}
	mv_fail(e, MV_REFUSED, "%s needs a running kernel; this is a recording", method);
	return NULL;
}
