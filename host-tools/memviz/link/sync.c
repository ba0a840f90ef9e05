/*
 * Keeping the picture: hello, the history of a hub, watches, and a fresh full
 * state after every loss.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <memviz/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACES_PAUSE_US 500000u
#define NAMES_PAUSE_US	5000000u /* after a question that brought no name */
#define NAMED_EVENTS	64	 /* the latest events, whose sites get names */
#define HISTORY_PAGE	500

static const char *const topic_names[] = {INSP_TOPIC_NAMES};
#define TOPICS (sizeof topic_names / sizeof *topic_names)

unsigned mv_topic_parse(const char *name)
{
	for (unsigned i = 0; i < TOPICS; i++)
		if (strcmp(name, topic_names[i]) == 0)
			return 1u << i;
	return 0;
}

const char *mv_topic_name(unsigned bit)
{
	for (unsigned i = 0; i < TOPICS; i++)
		if (bit == 1u << i)
			return topic_names[i];
	return "?";
}

/* ---- hello ---- */

void sync_connected(struct mv_session *s)
{
	s->line = LINE_HELLO;
	s->hello_count = 0;
	sync_hello_send(s);
}

void sync_hello_send(struct mv_session *s)
{
	struct mv_buf b = {0};
	size_t len;
	mv_buf_printf(&b,
		      "{\"jsonrpc\":\"2.0\",\"id\":\"hello-%u\",\"method\":\"hello\","
		      "\"params\":{\"token\":\"%s\"}}",
		      ++s->hello_count, s->token);
	char *sealed = mv_record_seal(b.data, b.len, &len);
	mv_buf_add(&s->out, sealed, len);
	free(sealed);
	mv_buf_free(&b);
	s->hello_us = mv_now_us();
}

static void incompatible(struct mv_session *s, uint64_t protocol)
{
	session_say(s, "%s speaks protocol version %llu; this memviz speaks %d", s->target.text,
		    (unsigned long long)protocol, INSP_PROTOCOL_VERSION);
	s->state = MV_SESSION_INCOMPATIBLE;
	/* Asking again soon would only tell the same. */
	s->hello_us = mv_now_us() + RECONNECT_MAX;
	if (s->o.once) {
		s->fatal = true;
		requests_fail(s, &s->queue, MV_LINK, s->message);
	}
}

static void session_begins(struct mv_session *s, struct json_object *result)
{
	const char *session = mv_json_str(result, INSP_F_SESSION);
	const char *features = s->model->hello.features;
	bool same = s->had_session && session && strcmp(session, s->session) == 0;
	mv_copy(s->session, sizeof s->session, session ? session : "");
	if (s->had_session && !same)
		requests_new_session(s);
	if (!same)
		s->next_id = 1;
	if (s->had_session)
		s->counters.reconnects++;
	s->had_session = true;
	s->seq = (struct mv_seq){0};
	s->line = LINE_UP;
	s->message[0] = 0;
	s->retry_pause_us = RECONNECT_MIN;
	s->counters.hub = strstr(features, "hub") != NULL;
	s->state = s->topics ? MV_SESSION_SYNCING : MV_SESSION_LIVE;
	s->watch_id = same ? s->watch_id : -1;
	s->watch_asked = false;
	s->full_seen = 0;
	s->spaces_wanted = true;
	s->names_after_us = 0;
	s->history_since_us = s->history_asked ? s->model->time_us : 0;
	s->history_asked = false;
}

void sync_hello_reply(struct mv_session *s, struct json_object *reply)
{
	struct mv_error e;
	struct json_object *result = mv_json_obj(reply, INSP_F_RESULT);
	const char *token = mv_json_str(result, INSP_F_TOKEN);
	const char *id = mv_json_str(reply, INSP_F_ID);
	uint64_t protocol, seq;
	const char *refusal = mv_json_str(mv_json_obj(reply, INSP_F_ERROR), INSP_F_MESSAGE);
	if (!id || strncmp(id, "hello-", 6) != 0)
		return;
	if (refusal)
		mv_format_safe(refusal, s->message, sizeof s->message);
	if (!result)
		return;
	if (mv_json_u64(result, INSP_F_PROTOCOL, &protocol) && protocol != INSP_PROTOCOL_VERSION) {
		incompatible(s, protocol);
		return;
	}
	if (!token || strcmp(token, s->token) != 0)
		return; /* somebody else's, from before */
	if (mv_model_apply_result(s->model, INSP_M_HELLO, NULL, result, mv_wall_us(), &e) ==
	    MV_MALFORMED) {
		session_say(s, "%s", e.message);
		return;
	}
	json_object_put(s->hello);
	s->hello = json_object_get(result);
	s->hello_came_us = mv_now_us();
	session_begins(s, result);
	if (mv_json_u64(reply, INSP_F_SEQ, &seq))
		mv_seq_see(&s->seq, seq);
}

/* ---- watching ---- */

struct watch_asked {
	struct mv_session *s;
	unsigned generation;
};

static void stop_watch(struct mv_session *s, int64_t id)
{
	struct json_object *p = json_object_new_object();
	json_object_object_add(p, INSP_F_ID, json_object_new_int64(id));
	mv_session_call(s, INSP_M_WATCH_STOP, p, NULL, NULL);
}

static void watch_started(void *user, struct json_object *result, const struct mv_error *error)
{
	struct watch_asked *asked = user;
	struct mv_session *s = asked->s;
	int64_t id;
	bool got = result && mv_json_i64(result, INSP_F_ID, &id);
	if (got && asked->generation != s->watch_generation)
		stop_watch(s, id); /* wanted no more */
	else if (got)
		s->watch_id = id;
	if (error && error->status == MV_REFUSED)
		session_say(s, "the kernel does not let itself be watched: %s", error->message);
	/* No link: the next hello asks again. */
	free(asked);
}

static struct json_object *topic_list(unsigned topics)
{
	struct json_object *list = json_object_new_array();
	for (unsigned i = 0; i < TOPICS; i++)
		if (topics >> i & 1)
			json_object_array_add(list, json_object_new_string(topic_names[i]));
	return list;
}

static void watch_start(struct mv_session *s)
{
	struct json_object *p = json_object_new_object();
	json_object_object_add(p, INSP_F_TOPICS, topic_list(s->topics));
	mv_json_add_u64(p, INSP_F_HZ, s->hz);
	if (s->watch_id >= 0)
		json_object_object_add(p, INSP_F_ID, json_object_new_int64(s->watch_id));
	struct watch_asked *asked = mv_alloc(sizeof *asked);
	*asked = (struct watch_asked){s, s->watch_generation};
	mv_session_call(s, INSP_M_WATCH_START, p, watch_started, asked);
	s->watch_asked = true;
	s->resync = false;
	s->resync_us = mv_now_us();
	s->full_seen = 0;
}

void sync_watch_changed(struct mv_session *s)
{
	if (s->line == LINE_UP && s->watch_id >= 0)
		stop_watch(s, s->watch_id);
	s->watch_generation++;
	s->watch_id = -1;
	s->watch_asked = false;
	s->full_seen = 0;
	if (s->state == MV_SESSION_LIVE && s->topics)
		s->state = MV_SESSION_SYNCING;
	session_arm(s, 1);
}

void mv_session_watch(struct mv_session *s, unsigned topics, unsigned hz)
{
	topics &= MV_TOPIC_ALL;
	hz = hz < 1 ? 1 : hz > INSP_HZ_MAX ? INSP_HZ_MAX : hz;
	if (s->replay || session_behind_gdb(s) || (topics == s->topics && hz == s->hz))
		return;
	s->topics = topics;
	s->hz = hz;
	sync_watch_changed(s);
}

void mv_session_resync(struct mv_session *s)
{
	if (session_behind_gdb(s)) {
		struct mv_error e;
		if (gdb_view_refresh(s, &e) != MV_OK)
			session_say(s, "%s", e.message);
		return;
	}
	if (s->topics && s->line == LINE_UP)
		s->resync = true;
	session_arm(s, 1);
}

void sync_gap(struct mv_session *s)
{
	if (s->topics)
		s->resync = true;
}

static void note_full(struct mv_session *s, struct json_object *params)
{
	const char *topic = mv_json_str(params, INSP_F_TOPIC);
	bool more = false;
	unsigned bit = topic ? mv_topic_parse(topic) : 0;
	mv_json_flag(params, INSP_F_MORE, &more);
	/* Happenings are never complete; a state is when the model shows it. */
	bool state = bit & (MV_TOPIC_FRAMES | MV_TOPIC_MAPPINGS);
	if (bit && (!more || !state || !mv_model_arriving(s->model)))
		s->full_seen |= bit;
	if (bit == MV_TOPIC_MAPPINGS)
		s->spaces_wanted = true;
}

void sync_notify(struct mv_session *s, struct json_object *params, uint64_t time_us)
{
	int64_t id = -1;
	if (!params)
		return;
	mv_json_i64(params, INSP_F_ID, &id);
	bool ours = s->topics && (s->watch_id < 0 || id == s->watch_id);
	if (ours && !s->o.quiet_model) {
		struct mv_error e;
		switch (mv_model_apply_watch(s->model, params, time_us, &e)) {
		case MV_NEED_FULL:
			s->resync = true;
			break;
		case MV_MALFORMED:
			s->counters.bad_records++;
			session_say(s, "%s", e.message);
			s->resync = true;
			break;
		default:
			note_full(s, params);
		}
	}
	if (s->notify_fn)
		s->notify_fn(s->notify_user, params, time_us);
}

/* ---- what watching does not tell: spaces, symbols, the past ---- */

static void keep_answer(struct mv_session *s, const char *method, struct json_object *result)
{
	if (result && s->recorder)
		mv_recorder_answer(s->recorder, method, NULL, result, mv_wall_us());
}

static void spaces_came(void *user, struct json_object *result, const struct mv_error *error)
{
	struct mv_session *s = user;
	(void)error;
	s->spaces_asked = false;
	keep_answer(s, INSP_M_SPACES, result);
}

static void name_came(void *user, struct json_object *result, const struct mv_error *error)
{
	struct mv_session *s = user;
	const char *kind = error ? NULL : mv_json_str(result, INSP_F_KIND);
	s->name_asked = false;
	if (!kind || strcmp(kind, "image") != 0)
		s->names_after_us = mv_now_us() + NAMES_PAUSE_US;
	keep_answer(s, INSP_M_OBJECT, result);
	session_arm(s, 1);
}

static void history_page(void *user, struct json_object *result, const struct mv_error *error);

static void ask_history(struct mv_session *s, struct json_object *cursor)
{
	struct json_object *p = json_object_new_object();
	mv_json_add_u64(p, INSP_F_LIMIT, HISTORY_PAGE);
	if (s->history_since_us)
		mv_json_add_u64(p, "since_us", s->history_since_us);
	if (cursor)
		json_object_object_add(p, INSP_F_CURSOR, json_object_get(cursor));
	mv_session_call(s, "hub.history", p, history_page, s);
}

static void history_page(void *user, struct json_object *result, const struct mv_error *error)
{
	struct mv_session *s = user;
	if (error)
		return;
	mv_model_apply_history(s->model, result, NULL);
	struct json_object *next = mv_json_get(result, INSP_F_NEXT);
	if (next)
		ask_history(s, next);
}

/* The site of one of the latest events that has no name yet; 0: none. */
static uint64_t unnamed_site(const struct mv_model *m)
{
	size_t n = mv_model_events(m), from = n > NAMED_EVENTS ? n - NAMED_EVENTS : 0;
	for (size_t i = n; i > from; i--) {
		uint64_t site = mv_model_event(m, i - 1)->site;
		if (site && !mv_model_symbol(m, site))
			return site;
	}
	return 0;
}

/* Events name their site by address. One question at a time: a program has few sites. */
static void ask_name(struct mv_session *s, uint64_t now)
{
	uint64_t site = now >= s->names_after_us ? unnamed_site(s->model) : 0;
	if (!site)
		return;
	struct json_object *p = json_object_new_object();
	mv_json_add_hex(p, INSP_F_ADDR, site);
	s->name_asked = true;
	mv_session_call(s, INSP_M_OBJECT, p, name_came, s);
}

/* Sends what is due; returns when to look again. */
static uint64_t sync_extras(struct mv_session *s, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	if (s->counters.hub && !s->history_asked && s->full_seen) {
		s->history_asked = true;
		ask_history(s, NULL);
	}
	if (s->spaces_wanted && !s->spaces_asked && s->topics & MV_TOPIC_MAPPINGS) {
		if (now >= s->spaces_us + SPACES_PAUSE_US) {
			s->spaces_wanted = false;
			s->spaces_asked = true;
			s->spaces_us = now;
			mv_session_call_all(s, INSP_M_SPACES, NULL, 0, spaces_came, s);
		} else {
			next = s->spaces_us + SPACES_PAUSE_US;
		}
	}
	if (!s->name_asked && s->topics & MV_TOPIC_EVENTS)
		ask_name(s, now);
	return next;
}

uint64_t sync_timers(struct mv_session *s, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	if (s->line == LINE_HELLO) {
		uint64_t pause = HELLO_US << (s->hello_count < 4 ? s->hello_count / 2 : 2);
		if (now >= s->hello_us + pause) {
			if (s->state != MV_SESSION_INCOMPATIBLE)
				session_silent(s);
			if (s->line == LINE_CLOSED)
				return next;
			sync_hello_send(s);
		}
		return s->hello_us + pause;
	}
	if (s->line != LINE_UP || !s->topics)
		return next;
	if (!s->watch_asked) {
		watch_start(s);
	} else if (s->resync) {
		if (now >= s->resync_us + RESYNC_GAP_US)
			watch_start(s);
		else
			next = s->resync_us + RESYNC_GAP_US;
	}
	if (!s->o.no_hello_state && !s->o.quiet_model) {
		uint64_t extras = sync_extras(s, now);
		next = extras < next ? extras : next;
	}
	return next;
}

void sync_update_state(struct mv_session *s)
{
	if (s->line != LINE_UP)
		return;
	bool whole = !s->topics || (s->full_seen & s->topics) == s->topics;
	s->state = whole ? MV_SESSION_LIVE : MV_SESSION_SYNCING;
}

/* ---- waiting, for commands ---- */

static bool wait_until(struct mv_session *s, bool (*ready)(const struct mv_session *),
		       double timeout_s)
{
	uint64_t end = mv_now_us() + (uint64_t)(timeout_s * 1e6);
	mv_session_process(s);
	while (!ready(s) && !s->fatal && mv_now_us() < end) {
		bool never = false;
		mv_session_wait(s, &never, 0.02);
	}
	return ready(s);
}

static bool has_hello(const struct mv_session *s)
{
	return s->replay || session_behind_gdb(s) || s->line == LINE_UP;
}

static bool is_whole(const struct mv_session *s)
{
	if (s->replay || session_behind_gdb(s))
		return true;
	bool spaces = !(s->topics & MV_TOPIC_MAPPINGS) || s->model->spaces_known ||
		      s->o.no_hello_state;
	return s->state == MV_SESSION_LIVE && spaces;
}

enum mv_status mv_session_wait_hello(struct mv_session *s, double timeout_s, struct mv_error *e)
{
	if (wait_until(s, has_hello, timeout_s))
		return MV_OK;
	return mv_fail(e, MV_LINK, "%s", s->message[0] ? s->message : "no answer");
}

enum mv_status mv_session_wait_live(struct mv_session *s, double timeout_s, struct mv_error *e)
{
	if (wait_until(s, is_whole, timeout_s))
		return MV_OK;
	return mv_fail(e, MV_LINK, "%s",
		       s->message[0] ? s->message : "the state did not arrive in time");
}
