/*
 * Requests of a client: some the hub answers itself, the rest it passes on with
 * an id of its own and gives the answer back under the client's.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct json_object json;

/* ---- answers ---- */

static void send_reply(struct hub *h, struct client *c, json *id, const char *key, json *value,
		       bool cache)
{
	struct mv_buf b = {0};
	uint64_t number = 0;
	mv_buf_text(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	mv_buf_text(&b, mv_json_line(id));
	mv_buf_printf(&b, ",\"%s\":", key);
	mv_buf_text(&b, mv_json_line(value));
	client_send(h, c, b.data, b.len);
	if (cache && json_object_is_type(id, json_type_int)) {
		number = json_object_get_uint64(id);
		struct reply *r = &c->replies[number % CLIENT_REPLIES];
		free(r->json);
		*r = (struct reply){number, b.data};
		return;
	}
	mv_buf_free(&b);
}

static void send_error(struct hub *h, struct client *c, json *id, int code, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
static void send_error(struct hub *h, struct client *c, json *id, int code, const char *fmt, ...)
{
	char message[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	json *error = json_object_new_object();
	json_object_object_add(error, INSP_F_CODE, json_object_new_int(code));
	mv_json_add_str(error, INSP_F_MESSAGE, message);
	send_reply(h, c, id, INSP_F_ERROR, error, false);
	json_object_put(error);
}

/* ---- methods of the hub itself ---- */

/* Truthful: the kernel's own words, but for the session, which is ours. */
static json *own_hello(struct hub *h, struct client *c, json *params, struct mv_error *e)
{
	const char *token = mv_json_str(params, INSP_F_TOKEN);
	struct mv_session_status st;
	mv_session_status(h->s, &st);
	if (!mv_session_hello(h->s) || st.state == MV_SESSION_CONNECTING ||
	    st.state == MV_SESSION_INCOMPATIBLE) {
		mv_fail(e, MV_LINK, "the hub has no kernel: %s",
			st.message[0] ? st.message : "it has not answered yet");
		e->code = INSP_E_INTERNAL;
		return NULL;
	}
	if (token && strlen(token) > INSP_TOKEN_MAX) {
		mv_fail(e, MV_REFUSED, "token: a string of at most %d bytes", INSP_TOKEN_MAX);
		return NULL;
	}
	/* Another token is another session: its watches and answers go. */
	if (!token || strcmp(token, c->token) != 0) {
		rpc_forget(c);
		watching_forget(c);
		mv_copy(c->token, sizeof c->token, token ? token : "");
	}
	json *hello = NULL;
	json_object_deep_copy(mv_session_hello(h->s), &hello, NULL);
	mv_json_add_str(hello, INSP_F_SESSION, c->session);
	mv_json_add_str(hello, INSP_F_TOKEN, c->token);
	uint64_t t_us;
	if (mv_json_u64(hello, INSP_F_T_US, &t_us))
		mv_json_add_u64(hello, INSP_F_T_US, t_us + mv_session_hello_age_us(h->s));
	json *features = mv_json_array(hello, INSP_F_FEATURES);
	if (!features)
		json_object_object_add(hello, INSP_F_FEATURES, features = json_object_new_array());
	json_object_array_add(features, json_object_new_string("hub"));
	return hello;
}

static json *own_history(struct hub *h, struct client *c, json *params, struct mv_error *e)
{
	(void)c;
	uint64_t since = 0, limit = 0, now = mv_wall_us();
	mv_json_u64(params, "since_us", &since);
	mv_json_u64(params, INSP_F_LIMIT, &limit);
	uint64_t oldest = now > h->o->history_us ? now - h->o->history_us : 0;
	return mv_model_history(h->m, since > oldest ? since : oldest, (size_t)limit,
				mv_json_str(params, INSP_F_CURSOR), e);
}

static json *own_status(struct hub *h, struct client *asking, json *params, struct mv_error *e)
{
	(void)params;
	(void)e;
	struct mv_session_status st;
	mv_session_status(h->s, &st);
	uint64_t now = mv_now_us();
	json *o = json_object_new_object(), *list = json_object_new_array();
	mv_json_add_u64(o, "pid", (uint64_t)getpid());
	mv_json_add_str(o, "target", st.target);
	mv_json_add_str(o, "link", mv_session_state_name(st.state));
	mv_json_add_str(o, "message", st.message);
	mv_json_add_u64(o, INSP_F_HZ, h->hz);
	mv_json_add_u64(o, "reconnects", st.reconnects);
	mv_json_add_u64(o, "gaps", st.gaps);
	mv_json_add_u64(o, "bad_records", st.bad_records);
	mv_json_add_u64(o, "samples", mv_model_samples(h->m));
	mv_json_add_u64(o, "dropped_clients", h->dropped_clients);
	for (struct client *c = h->clients; c; c = c->next) {
		json *item = json_object_new_object();
		unsigned watches = 0;
		for (size_t i = 0; i < CLIENT_WATCHES; i++)
			watches += c->watches[i].on;
		mv_json_add_u64(item, "client", c->number);
		json_object_object_add(item, "you", json_object_new_boolean(c == asking));
		mv_json_add_u64(item, INSP_F_AGE_US, now - c->since_us);
		mv_json_add_u64(item, "requests", c->requests);
		mv_json_add_u64(item, "in_flight", c->flight);
		mv_json_add_u64(item, "watches", watches);
		mv_json_add_u64(item, "received_bytes", c->rx_bytes);
		mv_json_add_u64(item, "sent_bytes", c->tx_bytes);
		mv_json_add_u64(item, "waiting_bytes", c->out.len);
		json_object_array_add(list, item);
	}
	json_object_object_add(o, "clients", list);
	return o;
}

static const struct {
	const char *method;
	json *(*make)(struct hub *, struct client *, json *params, struct mv_error *);
} own_methods[] = {
	{INSP_M_HELLO,       own_hello	},
	    {"hub.history",	    own_history   },
	{"hub.status",       own_status	 },
	    {INSP_M_WATCH_START, watching_start},
	{INSP_M_WATCH_STOP,  watching_stop },
};

static bool answered_here(struct hub *h, struct client *c, const char *method, json *id,
			  json *params)
{
	for (size_t i = 0; i < sizeof own_methods / sizeof *own_methods; i++) {
		if (strcmp(method, own_methods[i].method) != 0)
			continue;
		struct mv_error e = {.code = INSP_E_PARAMS};
		json *result = own_methods[i].make(h, c, params, &e);
		if (result)
			send_reply(h, c, id, INSP_F_RESULT, result, false);
		else
			send_error(h, c, id, e.code ? e.code : INSP_E_PARAMS, "%s", e.message);
		json_object_put(result);
		return true;
	}
	return false;
}

/* ---- passing on ---- */

struct passed {
	struct hub *h;
	uint64_t client;
	json *id;
	bool cached;
};

static void close_id(struct client *c, uint64_t id)
{
	for (size_t i = 0; i < c->open_count; i++) {
		if (c->open_ids[i] == id) {
			c->open_ids[i] = c->open_ids[--c->open_count];
			return;
		}
	}
}

static void came_back(void *user, json *reply, const struct mv_error *error)
{
	struct passed *p = user;
	struct client *c = client_find(p->h, p->client);
	if (c) {
		c->flight--;
		if (p->cached)
			close_id(c, json_object_get_uint64(p->id));
		json *result = mv_json_get(reply, INSP_F_RESULT);
		json *refusal = mv_json_get(reply, INSP_F_ERROR);
		if (error || (!result && !refusal))
			send_error(p->h, c, p->id, INSP_E_INTERNAL, "hub: %s",
				   error ? error->message : "an answer without a result");
		else
			send_reply(p->h, c, p->id, result ? INSP_F_RESULT : INSP_F_ERROR,
				   result ? result : refusal, p->cached);
		client_resume(p->h, c);
	}
	json_object_put(p->id);
	free(p);
}

static void pass_on(struct hub *h, struct client *c, const char *method, json *id, json *params,
		    bool in_session)
{
	struct passed *p = mv_alloc(sizeof *p);
	*p = (struct passed){h, c->number, json_object_get(id), false};
	p->cached = in_session && json_object_is_type(id, json_type_int);
	if (p->cached && c->open_count < sizeof c->open_ids / sizeof *c->open_ids)
		c->open_ids[c->open_count++] = json_object_get_uint64(id);
	c->flight++;
	mv_session_call_raw(h->s, method, params ? json_object_get(params) : NULL, came_back, p);
}

/* A repeat of what is under way is not run again; of what was answered the answer
 * is sent again. */
static bool repeated(struct hub *h, struct client *c, json *id)
{
	if (!json_object_is_type(id, json_type_int))
		return false;
	uint64_t number = json_object_get_uint64(id);
	for (size_t i = 0; i < c->open_count; i++)
		if (c->open_ids[i] == number)
			return true;
	const struct reply *r = &c->replies[number % CLIENT_REPLIES];
	if (!r->json || r->id != number)
		return false;
	client_send(h, c, r->json, strlen(r->json));
	return true;
}

void rpc_forget(struct client *c)
{
	for (size_t i = 0; i < CLIENT_REPLIES; i++) {
		free(c->replies[i].json);
		c->replies[i] = (struct reply){0};
	}
}

/* ---- one request ---- */

static void request(struct hub *h, struct client *c, json *o)
{
	json *id = mv_json_get(o, INSP_F_ID), *params = mv_json_get(o, INSP_F_PARAMS);
	const char *method = mv_json_str(o, INSP_F_METHOD);
	const char *session = mv_json_str(o, INSP_F_SESSION);
	bool good_id = json_object_is_type(id, json_type_int) ||
		       json_object_is_type(id, json_type_string);
	c->requests++;
	if (!method || !good_id || strlen(mv_json_line(id)) > INSP_ID_MAX) {
		send_error(h, c, good_id ? id : NULL, INSP_E_REQUEST,
			   "not a request: it needs \"method\", and \"id\" as a number or a string "
			   "of at most %d bytes",
			   INSP_ID_MAX);
		return;
	}
	if (params && !json_object_is_type(params, json_type_object)) {
		send_error(h, c, id, INSP_E_PARAMS, "params: an object {\"name\": value}");
		return;
	}
	if (session && strcmp(session, c->session) != 0) {
		send_error(h, c, id, INSP_E_BUSY, "session: it is over; say hello again");
		return;
	}
	if (session && repeated(h, c, id))
		return;
	if (!answered_here(h, c, method, id, params))
		pass_on(h, c, method, id, params, session != NULL);
}

void rpc_record(struct hub *h, struct client *c, const struct mv_record *rec)
{
	if (rec->kind == MV_RECORD_TEXT) {
		/* An empty line does no harm; anything else is answered. */
		for (size_t i = 0; i < rec->len; i++)
			if (rec->json[i] > ' ') {
				send_error(h, c, NULL, INSP_E_PARSE, "not a JSON object");
				return;
			}
		return;
	}
	int crc = rec->kind == MV_RECORD_GOOD ? mv_record_crc(rec->json, rec->len) : 0;
	if (rec->kind != MV_RECORD_GOOD || (c->need_crc && crc < 0)) {
		send_error(h, c, NULL, INSP_E_PARSE,
			   rec->kind == MV_RECORD_BAD_CRC ? "the CRC is wrong"
							  : "not a whole record");
		return;
	}
	struct mv_error e;
	json *o = mv_json_parse(rec->json, rec->len, &e);
	if (!o) {
		send_error(h, c, NULL, INSP_E_PARSE, "%s", e.message);
		return;
	}
	const char *method = mv_json_str(o, INSP_F_METHOD);
	if (method && strcmp(method, INSP_M_HELLO) == 0)
		c->need_crc = crc == 1;
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			request(h, c, json_object_array_get_idx(o, i));
	} else {
		request(h, c, o);
	}
	json_object_put(o);
}
