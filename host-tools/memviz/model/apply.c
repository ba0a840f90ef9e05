/*
 * Notifications and answers into state. One handler per topic and per method;
 * each is whole or nothing, except that a record of events or log lines that
 * breaks half way leaves the lines before the break.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

struct update {
	struct json_object *params, *data;
	bool full, more;
	uint64_t time_us;
};
typedef enum mv_applied (*topic_fn)(struct mv_model *, const struct update *, struct mv_error *);

/* ---- figures ---- */

static enum mv_applied topic_stat(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	struct mv_stat next = m->stat;
	if (!u->full && !m->stat_known)
		return MV_NEED_FULL;
	if (!read_stat(&next, u->data, u->full, e))
		return MV_MALFORMED;
	m->stat = next;
	m->stat_known = true;
	model_touch(m, MV_PART_STAT);
	return MV_APPLIED;
}

/* Frames that came before their zones were known get them now. */
static void rezone_frames(struct mv_model *m)
{
	struct span_list old = {m->frames, m->frame_run_count, m->frame_run_capacity};
	struct span_list next = {0};
	const struct mv_frame_run *runs = old.data;
	for (size_t i = 0; i < old.count; i++) {
		struct mv_frame_run r = runs[i];
		const struct mv_zone *z = mv_model_zone_at(m, r.pa);
		if (r.zone < 0 && z && r.state != MV_FRAME_HOLE)
			r.zone = (int8_t)(z - m->zones);
		span_lay(&frame_spans, &next, frame_spans.first(&r), frame_spans.last(&r), &r);
	}
	free(old.data);
	m->frames = next.data;
	m->frame_run_count = next.count;
	m->frame_run_capacity = next.capacity;
}

static enum mv_applied topic_zones(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	if (!u->full && !m->zones_known)
		return MV_NEED_FULL;
	if (!read_zones(m, u->data, u->full, e))
		return MV_MALFORMED;
	if (!m->zones_known && m->frame_run_count)
		rezone_frames(m);
	m->zones_known = true;
	model_touch(m, MV_PART_ZONES);
	return MV_APPLIED;
}

static enum mv_applied topic_caches(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	if (!u->full && !m->caches_known)
		return MV_NEED_FULL;
	if (!read_caches(m, u->data, u->full, e))
		return MV_MALFORMED;
	m->caches_known = true;
	model_touch(m, MV_PART_CACHES);
	return MV_APPLIED;
}

/* A state in parts is shown when it is whole, or after so long: on a line that
 * carries less than what changes, `more` never ends, and a picture that is still
 * filling says more than none. */
#define ARRIVAL_US 3000000u

static bool is_here(const struct update *u, uint64_t began_us)
{
	return !u->more || u->time_us > began_us + ARRIVAL_US;
}

/* ---- frames ---- */

static bool lay_frames(struct mv_model *m, struct json_object *list, struct span_list *into,
		       struct mv_error *e)
{
	size_t n = json_object_array_length(list);
	struct mv_frame_run *runs = mv_alloc((n + 1) * sizeof *runs);
	bool good = true;
	for (size_t i = 0; good && i < n; i++)
		good = read_frame_run(m, json_object_array_get_idx(list, i), &runs[i], e);
	for (size_t i = 0; good && i < n; i++)
		span_lay(&frame_spans, into, frame_spans.first(&runs[i]),
			 frame_spans.last(&runs[i]), &runs[i]);
	free(runs);
	return good;
}

static void show_frames(struct mv_model *m, const struct span_list *l)
{
	m->frames = l->data;
	m->frame_run_count = l->count;
	m->frame_run_capacity = l->capacity;
	m->frames_known = true;
	model_touch(m, MV_PART_FRAMES);
}

static enum mv_applied topic_frames(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	struct mv_model_private *p = m->priv;
	struct json_object *list = mv_json_array(u->data, INSP_F_RUNS);
	if (!list)
		return malformed(e, "runs of frames");
	if (u->full) {
		p->frames_stage.count = 0;
		p->frames_arriving = true;
		p->frames_began_us = u->time_us;
	}
	if (!p->frames_arriving) {
		if (!m->frames_known)
			return MV_NEED_FULL;
		struct span_list l = {m->frames, m->frame_run_count, m->frame_run_capacity};
		bool good = lay_frames(m, list, &l, e);
		show_frames(m, &l);
		return good ? MV_APPLIED : MV_MALFORMED;
	}
	if (!lay_frames(m, list, &p->frames_stage, e)) {
		p->frames_arriving = false;
		return MV_MALFORMED;
	}
	if (is_here(u, p->frames_began_us)) {
		struct span_list old = {m->frames, m->frame_run_count, m->frame_run_capacity};
		show_frames(m, &p->frames_stage);
		p->frames_stage = old;
		p->frames_stage.count = 0;
		p->frames_arriving = false;
	}
	return MV_APPLIED;
}

/* ---- mappings ---- */

/* A list of spaces, the model's or the one that is being built. */
struct space_list {
	struct mv_space **list;
	size_t *count;
};

static int64_t owner_of(int64_t space, uint64_t va)
{
	return va >= MV_KERNEL_HALF ? MV_SPACE_KERNEL : space;
}

static void take_out(struct space_list *in, int64_t id, uint64_t first, uint64_t last)
{
	struct mv_space *s = space_get(in->list, in->count, id, false);
	if (!s || first > last)
		return;
	struct span_list l = space_spans(s);
	span_lay(&mapping_spans, &l, first, last, NULL);
	space_set_spans(s, &l);
}

/* A removed range may span both halves; each half has its own list. Without `in`
 * the element is only read. */
static bool apply_removed(struct space_list *in, struct json_object *o, struct mv_error *e)
{
	int64_t id;
	uint64_t va, len;
	if (!mv_json_i64(o, INSP_F_SPACE, &id) || !mv_json_hex(o, INSP_F_VA, &va) ||
	    !mv_json_u64(o, INSP_F_LEN, &len) || !len) {
		malformed(e, "a removed range");
		return false;
	}
	if (!in)
		return true;
	uint64_t last = len - 1 > UINT64_MAX - va ? UINT64_MAX : va + (len - 1);
	if (va < MV_KERNEL_HALF)
		take_out(in, id, va, last < MV_KERNEL_HALF ? last : MV_KERNEL_HALF - 1);
	if (last >= MV_KERNEL_HALF && (id == MV_SPACE_KERNEL || va >= MV_KERNEL_HALF))
		take_out(in, MV_SPACE_KERNEL, va > MV_KERNEL_HALF ? va : MV_KERNEL_HALF, last);
	return true;
}

static bool lay_mapping(struct space_list *in, int64_t id, const struct mv_mapping *run)
{
	struct mv_space *s = space_get(in->list, in->count, owner_of(id, run->va), true);
	if (!s)
		return false;
	struct span_list l = space_spans(s);
	span_lay(&mapping_spans, &l, mapping_spans.first(run), mapping_spans.last(run), run);
	space_set_spans(s, &l);
	s->mappings_known = true;
	return true;
}

static bool apply_added(struct space_list *in, struct json_object *o, struct mv_error *e)
{
	int64_t id;
	struct mv_mapping run;
	if (!mv_json_i64(o, INSP_F_SPACE, &id)) {
		malformed(e, "space of an added mapping");
		return false;
	}
	if (!read_mapping(o, &run, e))
		return false;
	if (in && !lay_mapping(in, id, &run)) {
		malformed(e, "more spaces than memviz knows");
		return false;
	}
	return true;
}

typedef bool (*range_fn)(struct space_list *, struct json_object *, struct mv_error *);

static bool each_range(struct space_list *in, struct json_object *list, range_fn fn,
		       struct mv_error *e)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (!fn(in, json_object_array_get_idx(list, i), e))
			return false;
	return true;
}

/* Reads all before it changes anything. */
static bool apply_ranges(struct space_list *in, struct json_object *data, struct mv_error *e)
{
	struct json_object *removed = mv_json_array(data, INSP_F_REMOVED);
	struct json_object *added = mv_json_array(data, INSP_F_ADDED);
	return each_range(NULL, removed, apply_removed, e) &&
	       each_range(NULL, added, apply_added, e) &&
	       each_range(in, removed, apply_removed, e) && each_range(in, added, apply_added, e);
}

/* The arrived state becomes the state: names stay, mappings are the new ones. */
static void show_mappings(struct mv_model *m)
{
	struct mv_model_private *p = m->priv;
	for (size_t i = 0; i < m->space_count; i++) {
		m->spaces[i].map_count = 0;
		m->spaces[i].mappings_known = true;
	}
	for (size_t i = 0; i < p->spaces_stage_count; i++) {
		struct mv_space *from = &p->spaces_stage[i];
		struct mv_space *to = space_get(&m->spaces, &m->space_count, from->id, true);
		if (!to)
			continue;
		space_move_maps(to, from);
		to->mappings_known = true;
	}
	spaces_free(p->spaces_stage, p->spaces_stage_count);
	p->spaces_stage = NULL;
	p->spaces_stage_count = 0;
	p->mappings_arriving = false;
	m->mappings_known = true;
}

static enum mv_applied topic_mappings(struct mv_model *m, const struct update *u,
				      struct mv_error *e)
{
	struct mv_model_private *p = m->priv;
	struct space_list live = {&m->spaces, &m->space_count};
	struct space_list stage = {&p->spaces_stage, &p->spaces_stage_count};
	if (u->full) {
		spaces_free(p->spaces_stage, p->spaces_stage_count);
		p->spaces_stage = NULL;
		p->spaces_stage_count = 0;
		p->mappings_arriving = true;
		p->mappings_began_us = u->time_us;
	}
	if (!p->mappings_arriving && !m->mappings_known)
		return MV_NEED_FULL;
	if (!apply_ranges(p->mappings_arriving ? &stage : &live, u->data, e)) {
		p->mappings_arriving = false;
		return MV_MALFORMED;
	}
	if (p->mappings_arriving && is_here(u, p->mappings_began_us))
		show_mappings(m);
	if (!p->mappings_arriving) {
		model_touch(m, MV_PART_MAPPINGS);
		model_touch(m, MV_PART_SPACES);
	}
	return MV_APPLIED;
}

/* ---- events and log ---- */

static enum mv_event_op event_op(const char *name)
{
	for (unsigned i = 0; i < MV_EVENT_OTHER; i++)
		if (strcmp(name, mv_event_op_name((enum mv_event_op)i)) == 0)
			return (enum mv_event_op)i;
	return MV_EVENT_OTHER;
}

/* [t_us, op, addr, size, site, arg] */
static bool read_event(struct json_object *o, struct mv_event *out)
{
	struct json_object *f[6];
	static const enum json_type types[6] = {json_type_int, json_type_string, json_type_string,
						json_type_int, json_type_string, json_type_int};
	if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) < 6)
		return false;
	for (size_t i = 0; i < 6; i++) {
		f[i] = json_object_array_get_idx(o, i);
		if (!json_object_is_type(f[i], types[i]))
			return false;
	}
	out->t_us = json_object_get_uint64(f[0]);
	out->op = (uint8_t)event_op(json_object_get_string(f[1]));
	out->size = json_object_get_uint64(f[3]);
	out->arg = json_object_get_uint64(f[5]);
	return mv_parse_hex(json_object_get_string(f[2]), &out->addr) &&
	       mv_parse_hex(json_object_get_string(f[4]), &out->site);
}

bool model_add_events(struct mv_model *m, struct json_object *data, uint64_t until_us)
{
	struct json_object *list = mv_json_array(data, INSP_F_EVENTS);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct mv_event event;
		if (!read_event(json_object_array_get_idx(list, i), &event))
			return false;
		if (event.t_us >= until_us)
			break;
		event.number = ++m->events_seen;
		if (event.t_us > m->uptime_us)
			m->uptime_us = event.t_us;
		*(struct mv_event *)ring_push(&m->priv->events) = event;
	}
	return true;
}

static enum mv_applied topic_events(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	struct json_object *list = mv_json_array(u->data, INSP_F_EVENTS);
	uint64_t lost;
	if (!list)
		return malformed(e, "events");
	if (mv_json_u64(u->data, INSP_F_LOST, &lost))
		m->events_dropped += lost;
	if (!model_add_events(m, u->data, UINT64_MAX))
		return malformed(e, "an event");
	model_touch(m, MV_PART_EVENTS);
	return MV_APPLIED;
}

static enum mv_applied topic_log(struct mv_model *m, const struct update *u, struct mv_error *e)
{
	if (!read_log(m, u->data, u->full, e))
		return MV_MALFORMED;
	model_touch(m, MV_PART_LOG);
	return MV_APPLIED;
}

static const struct {
	const char *name;
	topic_fn apply;
	bool samples; /* its figures belong to the history */
} topics[] = {
	{"stat",	 topic_stat,     true },
	     {"zones",    topic_zones,    true },
	{"caches",   topic_caches,	 true },
	     {"frames",	topic_frames,   false},
	{"mappings", topic_mappings, false},
	     {"events",	topic_events,   false},
	{"log",	topic_log,	   false},
};

static void newer(struct mv_model *m, struct json_object *o, uint64_t time_us)
{
	mv_json_u64(o, INSP_F_GEN, &m->gen);
	m->time_us = time_us;
}

enum mv_applied mv_model_apply_watch(struct mv_model *m, struct json_object *params,
				     uint64_t time_us, struct mv_error *e)
{
	struct update u = {.params = params, .time_us = time_us};
	const char *topic = mv_json_str(params, INSP_F_TOPIC);
	u.data = mv_json_obj(params, INSP_F_DATA);
	if (!topic || !u.data || !mv_json_flag(params, INSP_F_FULL, &u.full))
		return malformed(e, "a watch notification");
	mv_json_flag(params, INSP_F_MORE, &u.more);
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
		if (strcmp(topic, topics[i].name) != 0)
			continue;
		enum mv_applied r = topics[i].apply(m, &u, e);
		if (r == MV_APPLIED) {
			newer(m, params, time_us);
			if (topics[i].samples)
				model_sample(m, time_us);
		}
		return r;
	}
	return MV_UNCHANGED;
}

/* ---- results of reading methods ---- */

typedef enum mv_applied (*result_fn)(struct mv_model *, struct json_object *params,
				     const struct update *, struct mv_error *);

static enum mv_applied result_hello(struct mv_model *m, struct json_object *params,
				    const struct update *u, struct mv_error *e)
{
	(void)params;
	if (!read_hello(m, u->data, e))
		return MV_MALFORMED;
	model_touch(m, MV_PART_HELLO);
	return MV_APPLIED;
}

#define AS_TOPIC(name, topic)                                                       \
	static enum mv_applied name(struct mv_model *m, struct json_object *params, \
				    const struct update *u, struct mv_error *e)     \
	{                                                                           \
		(void)params;                                                       \
		return topic(m, u, e);                                              \
	}
AS_TOPIC(result_stat, topic_stat)
AS_TOPIC(result_zones, topic_zones)
AS_TOPIC(result_caches, topic_caches)
AS_TOPIC(result_log, topic_log)

/* A part of the frames (a zone, a start, a limit) overlays what is known. */
static enum mv_applied result_frames(struct mv_model *m, struct json_object *params,
				     const struct update *u, struct mv_error *e)
{
	struct update part = *u;
	bool whole = !mv_json_get(params, INSP_F_ZONE) && !mv_json_get(params, INSP_F_FROM) &&
		     !mv_json_get(params, INSP_F_CURSOR) && !mv_json_get(params, INSP_F_LIMIT);
	if (!whole && !m->frames_known)
		return MV_UNCHANGED;
	part.full = whole;
	return topic_frames(m, &part, e);
}

static enum mv_applied result_spaces(struct mv_model *m, struct json_object *params,
				     const struct update *u, struct mv_error *e)
{
	(void)params;
	if (!read_spaces(m, u->data, e))
		return MV_MALFORMED;
	model_touch(m, MV_PART_SPACES);
	return MV_APPLIED;
}

/* A range of one space: [from, to] is replaced by what the answer holds. */
static enum mv_applied result_mappings(struct mv_model *m, struct json_object *params,
				       const struct update *u, struct mv_error *e)
{
	struct space_list live = {&m->spaces, &m->space_count};
	struct json_object *list = mv_json_array(u->data, INSP_F_RUNS);
	uint64_t from = 0, to = UINT64_MAX;
	const struct mv_space *current = mv_model_current_space(m);
	int64_t id = current ? current->id : MV_SPACE_KERNEL;
	mv_json_i64(params, INSP_F_SPACE, &id);
	mv_json_hex(params, INSP_F_FROM, &from);
	mv_json_hex(params, INSP_F_TO, &to);
	if (mv_json_get(params, INSP_F_CURSOR) || mv_json_get(params, INSP_F_LIMIT) || from > to)
		return MV_UNCHANGED;
	if (!list)
		return malformed(e, "runs of mappings");
	size_t n = json_object_array_length(list);
	struct mv_mapping *runs = mv_alloc((n + 1) * sizeof *runs);
	bool good = space_get(live.list, live.count, id, true) != NULL;
	for (size_t i = 0; good && i < n; i++)
		good = read_mapping(json_object_array_get_idx(list, i), &runs[i], e);
	if (good && from < MV_KERNEL_HALF)
		take_out(&live, id, from, to < MV_KERNEL_HALF ? to : MV_KERNEL_HALF - 1);
	if (good && to >= MV_KERNEL_HALF)
		take_out(&live, MV_SPACE_KERNEL, from > MV_KERNEL_HALF ? from : MV_KERNEL_HALF, to);
	for (size_t i = 0; good && i < n; i++)
		good = lay_mapping(&live, id, &runs[i]);
	free(runs);
	if (!good)
		return MV_MALFORMED;
	space_get(live.list, live.count, id, true)->mappings_known = true;
	model_touch(m, MV_PART_MAPPINGS);
	return MV_APPLIED;
}

static enum mv_applied result_sites(struct mv_model *m, struct json_object *params,
				    const struct update *u, struct mv_error *e)
{
	(void)params;
	struct json_object *list = mv_json_array(u->data, INSP_F_SITES);
	if (!list)
		return malformed(e, "sites");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *symbol = mv_json_str(o, INSP_F_SYMBOL);
		uint64_t site;
		char safe[64];
		if (symbol && symbol[0] && mv_json_hex(o, INSP_F_ADDR, &site))
			model_learn_symbol(m, site, mv_format_safe(symbol, safe, sizeof safe));
	}
	model_touch(m, MV_PART_EVENTS);
	return MV_APPLIED;
}

/* An address in the image has a name, or its number for one: that is known, too. */
static enum mv_applied result_object(struct mv_model *m, struct json_object *params,
				     const struct update *u, struct mv_error *e)
{
	(void)params;
	const char *kind = mv_json_str(u->data, INSP_F_KIND);
	uint64_t addr;
	char safe[64];
	if (!kind || !mv_json_hex(u->data, INSP_F_ADDR, &addr))
		return malformed(e, "an object");
	if (strcmp(kind, "image") != 0)
		return MV_UNCHANGED;
	const char *symbol = mv_json_str(u->data, INSP_F_SYMBOL);
	model_learn_symbol(m, addr,
			   symbol && symbol[0] ? mv_format_safe(symbol, safe, sizeof safe)
					       : mv_format_addr(addr, safe, sizeof safe));
	model_touch(m, MV_PART_EVENTS);
	return MV_APPLIED;
}

static const struct {
	const char *method;
	result_fn apply;
	bool samples;
} results[] = {
	{INSP_M_HELLO,       result_hello,    false},
	   {INSP_M_STAT,	 result_stat,     true },
	{INSP_M_ZONES,       result_zones,    true },
	   {INSP_M_CACHES,	   result_caches,	  true },
	{INSP_M_FRAMES,	result_frames,   false},
	   {INSP_M_SPACES,	   result_spaces,	  false},
	{INSP_M_MAPPINGS,	  result_mappings, false},
	   {INSP_M_LOG,		result_log,	    false},
	{INSP_M_TRACE_SITES, result_sites,	   false},
	   {INSP_M_OBJECT,	   result_object,	  false},
};

enum mv_applied mv_model_apply_result(struct mv_model *m, const char *method,
				      struct json_object *params, struct json_object *result,
				      uint64_t time_us, struct mv_error *e)
{
	struct update u = {.data = result, .full = true, .time_us = time_us};
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		if (strcmp(method, results[i].method) != 0)
			continue;
		if (!json_object_is_type(result, json_type_object))
			return malformed(e, "a result that is no object");
		enum mv_applied r = results[i].apply(m, params, &u, e);
		if (r == MV_APPLIED) {
			newer(m, result, time_us);
			if (results[i].samples)
				model_sample(m, time_us);
		}
		return r;
	}
	return MV_UNCHANGED;
}
