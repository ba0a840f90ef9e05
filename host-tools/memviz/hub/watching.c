/*
 * Watches of the clients, all served from one watch on the wire.
 *
 * A watch as fast as the wire's (or faster: then the wire's is raised) gets each
 * notification as it came. A slower one is owed what changed: which figures,
 * which ranges of frames and mappings, which events; when it is due, what it is
 * owed is read from the model. A first full state comes from the model too, in
 * records of bounded length.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_object json;

enum { FRAMES, MAPPINGS };

static unsigned bit_of(const char *topic)
{
	return topic ? mv_topic_parse(topic) : 0;
}

/* ---- sending ---- */

static void send_params(struct hub *h, struct client *c, const struct watch *w, const char *topic,
			bool full, bool more, json *data)
{
	struct mv_buf b = {0};
	mv_buf_printf(&b,
		      "{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":{\"id\":%" PRId64
		      ",\"topic\":\"%s\",\"full\":%s,\"gen\":%" PRIu64 "%s,\"data\":",
		      w->id, topic, full ? "true" : "false", h->m->gen,
		      more ? ",\"more\":true" : "");
	mv_buf_text(&b, mv_json_line(data));
	mv_buf_text(&b, "}");
	client_send(h, c, b.data, b.len);
	mv_buf_free(&b);
}

/* A state with many runs, in several records. */
static void send_state(struct hub *h, struct client *c, const struct watch *w, const char *topic,
		       bool full, json *data)
{
	const char *key = bit_of(topic) == MV_TOPIC_FRAMES     ? INSP_F_RUNS
			  : bit_of(topic) == MV_TOPIC_MAPPINGS ? INSP_F_ADDED
							       : NULL;
	json *list = key ? json_object_get(mv_json_array(data, key)) : NULL;
	size_t n = list ? json_object_array_length(list) : 0, at = 0;
	if (n <= ELEMENTS_PER_RECORD) {
		send_params(h, c, w, topic, full, false, data);
		json_object_put(list);
		return;
	}
	while (at < n) {
		json *part = json_object_new_array();
		for (size_t i = 0; i < ELEMENTS_PER_RECORD && at < n; i++, at++)
			json_object_array_add(part,
					      json_object_get(json_object_array_get_idx(list, at)));
		json *piece = json_object_new_object();
		if (!key[0] || (at <= ELEMENTS_PER_RECORD && mv_json_get(data, INSP_F_REMOVED)))
			json_object_object_add(piece, INSP_F_REMOVED,
					       json_object_get(mv_json_get(data, INSP_F_REMOVED)));
		json_object_object_add(piece, key, part);
		send_params(h, c, w, topic, full, at < n, piece);
		full = false;
		json_object_put(piece);
	}
	json_object_put(list);
}

static bool known(const struct mv_model *m, unsigned bit)
{
	switch (bit) {
	case MV_TOPIC_STAT:
		return m->stat_known;
	case MV_TOPIC_ZONES:
		return m->zones_known;
	case MV_TOPIC_CACHES:
		return m->caches_known;
	case MV_TOPIC_FRAMES:
		return m->frames_known && !mv_model_arriving(m);
	case MV_TOPIC_MAPPINGS:
		return m->mappings_known && !mv_model_arriving(m);
	default:
		return true;
	}
}

static uint64_t newest_log(const struct mv_model *m)
{
	size_t n = mv_model_log_lines(m);
	return n ? mv_model_log_line(m, n - 1)->seq : 0;
}

static void clear_owed(struct owed *o, unsigned bit)
{
	o->topics &= ~bit;
	if (bit == MV_TOPIC_FRAMES || bit == MV_TOPIC_MAPPINGS) {
		int k = bit == MV_TOPIC_FRAMES ? FRAMES : MAPPINGS;
		o->range_count[k] = 0;
		o->all[k] = false;
	}
}

static void send_full(struct hub *h, struct client *c, struct watch *w, unsigned bit)
{
	const char *topic = mv_topic_name(bit);
	json *data;
	if (bit == MV_TOPIC_EVENTS) {
		/* What happened before is told by hub.history. */
		data = json_object_new_object();
		mv_json_add_u64(data, INSP_F_LOST, 0);
		json_object_object_add(data, INSP_F_EVENTS, json_object_new_array());
	} else {
		data = mv_model_topic(h->m, topic);
	}
	if (bit == MV_TOPIC_EVENTS) {
		w->owed.event_number = h->m->events_seen;
		w->owed.events_lost = h->m->events_dropped;
	}
	if (bit == MV_TOPIC_LOG)
		w->owed.log_seq = newest_log(h->m);
	if (data)
		send_state(h, c, w, topic, true, data);
	json_object_put(data);
	w->needs_full &= ~bit;
	clear_owed(&w->owed, bit);
}

static void send_owed_fulls(struct hub *h, struct client *c, struct watch *w)
{
	for (unsigned bit = 1; bit < 1u << TOPIC_COUNT && !c->dropped; bit <<= 1)
		if ((w->needs_full & bit) && known(h->m, bit))
			send_full(h, c, w, bit);
}

/* ---- what a slower watch is owed ---- */

static void owe_range(struct owed *o, int kind, int64_t space, uint64_t first, uint64_t last)
{
	if (o->all[kind])
		return;
	if (o->range_count[kind] >= RANGES_MAX) {
		o->all[kind] = true;
		o->range_count[kind] = 0;
		return;
	}
	mv_grow(&o->ranges[kind], &o->range_capacity[kind], o->range_count[kind] + 1,
		sizeof *o->ranges[kind]);
	o->ranges[kind][o->range_count[kind]++] = (struct mv_range){space, first, last};
}

static void owe_list(struct owed *o, int kind, json *list, const char *at, const char *count,
		     uint64_t unit)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		json *run = json_object_array_get_idx(list, i);
		uint64_t first = 0, n = 0;
		int64_t space = 0;
		mv_json_i64(run, INSP_F_SPACE, &space);
		if (mv_json_hex(run, at, &first) && mv_json_u64(run, count, &n) && n)
			owe_range(o, kind, space, first, first + (n * unit - 1));
	}
}

static void owe(struct owed *o, unsigned bit, json *params)
{
	json *data = mv_json_obj(params, INSP_F_DATA);
	bool full = false;
	mv_json_flag(params, INSP_F_FULL, &full);
	o->topics |= bit;
	if (bit == MV_TOPIC_FRAMES) {
		o->all[FRAMES] = o->all[FRAMES] || full;
		owe_list(o, FRAMES, mv_json_array(data, INSP_F_RUNS), INSP_F_PA, INSP_F_COUNT,
			 MV_FRAME_BYTES);
	} else if (bit == MV_TOPIC_MAPPINGS) {
		o->all[MAPPINGS] = o->all[MAPPINGS] || full;
		owe_list(o, MAPPINGS, mv_json_array(data, INSP_F_REMOVED), INSP_F_VA, INSP_F_LEN,
			 1);
		owe_list(o, MAPPINGS, mv_json_array(data, INSP_F_ADDED), INSP_F_VA, INSP_F_LEN, 1);
	}
}

static void send_events(struct hub *h, struct client *c, struct watch *w)
{
	struct owed *o = &w->owed;
	size_t n = mv_model_events(h->m);
	uint64_t oldest = h->m->events_seen - n; /* number before the oldest kept */
	uint64_t lost = h->m->events_dropped - o->events_lost;
	if (o->event_number < oldest)
		lost += oldest - o->event_number;
	json *data = json_object_new_object(), *list = json_object_new_array();
	mv_json_add_u64(data, INSP_F_LOST, lost);
	json_object_object_add(data, INSP_F_EVENTS, list);
	size_t from = o->event_number > oldest ? (size_t)(o->event_number - oldest) : 0;
	for (size_t i = from; i < n; i++)
		json_object_array_add(list, mv_event_json(mv_model_event(h->m, i)));
	o->event_number = h->m->events_seen;
	o->events_lost = h->m->events_dropped;
	if (from < n || lost)
		send_params(h, c, w, "events", false, false, data);
	json_object_put(data);
}

static void send_log(struct hub *h, struct client *c, struct watch *w)
{
	json *params = json_object_new_object();
	mv_json_add_u64(params, INSP_F_SINCE, w->owed.log_seq + 1);
	json *data = mv_model_answer(h->m, INSP_M_LOG, params, NULL);
	json_object_object_del(data, INSP_F_GEN);
	w->owed.log_seq = newest_log(h->m);
	send_params(h, c, w, "log", false, false, data);
	json_object_put(data);
	json_object_put(params);
}

static void send_ranges(struct hub *h, struct client *c, struct watch *w, unsigned bit)
{
	int kind = bit == MV_TOPIC_FRAMES ? FRAMES : MAPPINGS;
	struct owed *o = &w->owed;
	if (o->all[kind]) {
		send_full(h, c, w, bit);
		return;
	}
	json *data = mv_model_topic_ranges(h->m, mv_topic_name(bit), o->ranges[kind],
					   o->range_count[kind]);
	send_state(h, c, w, mv_topic_name(bit), false, data);
	json_object_put(data);
}

static void send_owed(struct hub *h, struct client *c, struct watch *w)
{
	for (unsigned bit = 1; bit < 1u << TOPIC_COUNT && !c->dropped; bit <<= 1) {
		if (!(w->owed.topics & bit) || !known(h->m, bit))
			continue;
		if (bit == MV_TOPIC_EVENTS)
			send_events(h, c, w);
		else if (bit == MV_TOPIC_LOG)
			send_log(h, c, w);
		else if (bit == MV_TOPIC_FRAMES || bit == MV_TOPIC_MAPPINGS)
			send_ranges(h, c, w, bit);
		else
			send_full(h, c, w, bit);
		clear_owed(&w->owed, bit);
	}
}

/* ---- what comes from the kernel ---- */

static void forward(struct hub *h, struct client *c, struct watch *w, json *params)
{
	struct mv_buf b = {0};
	/* The kernel's words with the client's id. */
	json *id = json_object_get(mv_json_get(params, INSP_F_ID));
	json_object_object_add(params, INSP_F_ID, json_object_new_int64(w->id));
	mv_buf_text(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":");
	mv_buf_text(&b, mv_json_line(params));
	client_send(h, c, b.data, b.len);
	mv_buf_free(&b);
	json_object_object_add(params, INSP_F_ID, id);
}

void watching_notify(struct hub *h, json *params)
{
	unsigned bit = bit_of(mv_json_str(params, INSP_F_TOPIC));
	for (struct client *c = h->clients; bit && c; c = c->next) {
		for (size_t i = 0; i < CLIENT_WATCHES && !c->dropped; i++) {
			struct watch *w = &c->watches[i];
			if (!w->on || !(w->topics & bit) || (w->needs_full & bit))
				continue;
			if (w->hz >= h->hz) {
				forward(h, c, w, params);
				w->owed.event_number = h->m->events_seen;
				w->owed.events_lost = h->m->events_dropped;
				w->owed.log_seq = newest_log(h->m);
			} else {
				owe(&w->owed, bit, params);
			}
		}
	}
}

uint64_t watching_due(struct hub *h, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	for (struct client *c = h->clients; c; c = c->next) {
		for (size_t i = 0; i < CLIENT_WATCHES && !c->dropped; i++) {
			struct watch *w = &c->watches[i];
			if (!w->on)
				continue;
			if (w->needs_full)
				send_owed_fulls(h, c, w);
			if (!w->owed.topics)
				continue;
			if (now >= w->due_us) {
				send_owed(h, c, w);
				w->due_us = now + 1000000u / w->hz;
			}
			if (w->owed.topics && w->due_us < next)
				next = w->due_us > now ? w->due_us : now + 10000;
		}
	}
	return next;
}

/* The wire's rate is that of the fastest watch, and never below the hub's own. */
void watching_rate(struct hub *h)
{
	unsigned hz = h->o->hz ? h->o->hz : 10;
	for (struct client *c = h->clients; c; c = c->next)
		for (size_t i = 0; i < CLIENT_WATCHES; i++)
			if (c->watches[i].on && c->watches[i].hz > hz)
				hz = c->watches[i].hz;
	if (hz == h->hz)
		return;
	h->hz = hz;
	mv_session_watch(h->s, MV_TOPIC_ALL, hz);
}

/* ---- watch.start and watch.stop ---- */

static bool read_topics(json *params, unsigned *topics, struct mv_error *e)
{
	json *list = mv_json_array(params, INSP_F_TOPICS);
	*topics = 0;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		unsigned bit = word ? mv_topic_parse(word) : 0;
		if (!bit) {
			mv_fail(e, MV_REFUSED,
				"topics: \"%.40s\" is none; there are stat, zones, "
				"caches, frames, mappings, events, log",
				word ? word : "null");
			return false;
		}
		*topics |= bit;
	}
	if (!*topics)
		mv_fail(e, MV_REFUSED,
			"topics: an array of stat, zones, caches, frames, mappings, "
			"events, log");
	return *topics != 0;
}

static struct watch *find_watch(struct client *c, int64_t id)
{
	for (size_t i = 0; i < CLIENT_WATCHES; i++)
		if (c->watches[i].on && c->watches[i].id == id)
			return &c->watches[i];
	return NULL;
}

static void end_watch(struct watch *w)
{
	free(w->owed.ranges[FRAMES]);
	free(w->owed.ranges[MAPPINGS]);
	*w = (struct watch){0};
}

json *watching_start(struct hub *h, struct client *c, json *params, struct mv_error *e)
{
	unsigned topics;
	uint64_t hz;
	int64_t id;
	e->code = 0;
	if (!read_topics(params, &topics, e))
		return NULL;
	if (!mv_json_u64(params, INSP_F_HZ, &hz) || hz < 1 || hz > INSP_HZ_MAX) {
		mv_fail(e, MV_REFUSED, "hz: a number from 1 to %d", INSP_HZ_MAX);
		return NULL;
	}
	struct watch *w = NULL;
	if (mv_json_i64(params, INSP_F_ID, &id)) {
		w = find_watch(c, id);
	} else {
		for (size_t i = 0; i < CLIENT_WATCHES && !w; i++)
			w = c->watches[i].on ? NULL : &c->watches[i];
		id = c->next_watch++;
	}
	if (!w) {
		mv_fail(e, MV_REFUSED,
			mv_json_get(params, INSP_F_ID) ? "id: no such watch"
						       : "no more than %d watches at once",
			CLIENT_WATCHES);
		e->code = INSP_E_BUSY;
		return NULL;
	}
	end_watch(w);
	*w = (struct watch){
		.on = true, .id = id, .topics = topics, .hz = (unsigned)hz, .needs_full = topics};
	watching_rate(h);
	json *result = json_object_new_object();
	json_object_object_add(result, INSP_F_ID, json_object_new_int64(id));
	return result;
}

json *watching_stop(struct hub *h, struct client *c, json *params, struct mv_error *e)
{
	int64_t id;
	struct watch *w = mv_json_i64(params, INSP_F_ID, &id) ? find_watch(c, id) : NULL;
	if (!w) {
		mv_fail(e, MV_REFUSED, "id: no such watch");
		return NULL;
	}
	end_watch(w);
	watching_rate(h);
	return json_object_new_object();
}

void watching_forget(struct client *c)
{
	for (size_t i = 0; i < CLIENT_WATCHES; i++)
		end_watch(&c->watches[i]);
}
