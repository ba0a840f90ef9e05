/*
 * Requests: queued, in flight, answered exactly once.
 *
 * Each carries the session, so that the kernel runs it once however often it
 * comes. The kernel answers in order, so only the oldest one can be late: it is
 * repeated after a few round trips without an answer, and all are when the line
 * is silent; sooner when a later request was answered first, when a record was
 * lost (a gap in seq), or when the kernel said that it could not read something.
 * A request is given up after `attempts` times the timeout. Ids grow, and none
 * waits more than ID_SPAN ids behind the newest: so many the reply cache holds.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A burst of repeats is not repeated within this time. */
#define BURST_US 60000u
/* How long to wait for an answer before a repeat: four round trips, within: */
#define WAIT_MIN_US   60000u
#define WAIT_FIRST_US 500000u
#define DOUBLINGS     3u
/* On a line where other records flow, so many times longer. */
#define LATE_FACTOR 4u

/* ---- lists ---- */

void list_add(struct request_list *l, struct request *q)
{
	q->next = NULL;
	q->prev = l->last;
	if (l->last)
		l->last->next = q;
	else
		l->first = q;
	l->last = q;
	l->count++;
}

void list_take(struct request_list *l, struct request *q)
{
	if (q->prev)
		q->prev->next = q->next;
	else
		l->first = q->next;
	if (q->next)
		q->next->prev = q->prev;
	else
		l->last = q->prev;
	q->next = q->prev = NULL;
	l->count--;
}

/* ---- life ---- */

bool method_reads(const char *method)
{
	static const char *const readers[] = {
		INSP_M_HELLO,	      INSP_M_DISCOVER, INSP_M_STAT,	   INSP_M_ZONES,
		INSP_M_FRAMES,	      INSP_M_CACHES,   INSP_M_SLABS,	   INSP_M_OBJECT,
		INSP_M_SPACES,	      INSP_M_MAPPINGS, INSP_M_TRANSLATE,   INSP_M_RMAP,
		INSP_M_CHECK,	      INSP_M_READ,     INSP_M_TRACE_SITES, INSP_M_TRACE_LEAKS,
		INSP_M_WORKLOAD_LIST, INSP_M_LOG,
	};
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
		if (strcmp(method, readers[i]) == 0)
			return true;
	return false;
}

struct request *request_new(struct mv_session *s, const char *method, struct json_object *params,
			    mv_reply_fn fn, void *user)
{
	struct request *q = mv_alloc(sizeof *q);
	q->handle = ++s->next_handle;
	q->method = mv_strdup(method);
	q->params = params;
	q->fn = fn;
	q->user = user;
	q->reads = method_reads(method);
	return q;
}

void request_free(struct request *q)
{
	json_object_put(q->params);
	json_object_put(q->answer);
	free(q->method);
	free(q->text);
	free(q);
}

/* The kernel's error object as ours. */
static void read_error(struct json_object *error, struct mv_error *e)
{
	int64_t code = INSP_E_INTERNAL;
	const char *message = mv_json_str(error, INSP_F_MESSAGE);
	struct json_object *data = mv_json_obj(error, INSP_F_DATA);
	const char *name = mv_json_str(data, INSP_F_ERRNO);
	const char *reason = mv_json_str(data, INSP_F_REASON);
	mv_json_i64(error, INSP_F_CODE, &code);
	if (reason && message && strcmp(reason, message) != 0 && !strstr(message, reason))
		mv_fail(e, MV_REFUSED, "%s: %s", message, reason);
	else
		mv_fail(e, MV_REFUSED, "%s", message ? message : "refused without a message");
	e->code = (int)code;
	mv_copy(e->errname, sizeof e->errname, name ? name : "");
	mv_copy(e->reason, sizeof e->reason, reason ? reason : "");
}

void request_finish(struct mv_session *s, struct request_list *from, struct request *q,
		    struct json_object *reply, const struct mv_error *e)
{
	struct mv_error own;
	struct json_object *result = mv_json_get(reply, INSP_F_RESULT);
	list_take(from, q);
	if (reply && q->raw) {
		result = reply;
	} else if (reply && !result) {
		struct json_object *error = mv_json_obj(reply, INSP_F_ERROR);
		read_error(error, &own);
		e = &own;
	} else if (reply && q->reads && !s->o.quiet_model) {
		/* A malformed answer shows itself to the caller, who reads it too. */
		mv_model_apply_result(s->model, q->method, q->params, result, mv_wall_us(), NULL);
	}
	if (q->fn)
		q->fn(q->user, e ? NULL : result, e);
	request_free(q);
}

void requests_fail(struct mv_session *s, struct request_list *l, enum mv_status status,
		   const char *why)
{
	/* What a callback adds meanwhile is not failed here. */
	for (size_t n = l->count; n && l->first; n--) {
		struct mv_error e;
		mv_fail(&e, status, "%s", why);
		request_finish(s, l, l->first, NULL, &e);
	}
}

/* ---- sending ---- */

static void seal(struct mv_session *s, struct request *q)
{
	struct mv_buf b = {0};
	q->id = s->next_id++;
	mv_buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":", q->id);
	struct json_object *name = json_object_new_string(q->method);
	mv_buf_text(&b, mv_json_line(name));
	json_object_put(name);
	if (q->params) {
		mv_buf_text(&b, ",\"params\":");
		mv_buf_text(&b, mv_json_line(q->params));
	}
	mv_buf_printf(&b, ",\"session\":\"%s\"}", s->session);
	free(q->text);
	q->text = mv_record_seal(b.data, b.len, &q->text_len);
	mv_buf_free(&b);
}

static void transmit(struct mv_session *s, struct request *q, uint64_t now)
{
	mv_buf_add(&s->out, q->text, q->text_len);
	q->sent_us = now;
	if (!q->attempts++)
		q->first_sent_us = now;
	else
		s->counters.repeats++;
}

void requests_pump(struct mv_session *s)
{
	if (s->line != LINE_UP)
		return;
	uint64_t now = mv_now_us();
	while (s->queue.first && s->flight.count < s->o.window) {
		if (s->flight.first && s->next_id - s->flight.first->id >= ID_SPAN)
			break;
		struct request *q = s->queue.first;
		list_take(&s->queue, q);
		seal(s, q);
		/* Longer than the kernel takes: it would only say that it cannot read it. */
		uint64_t most = s->model->hello.max_record_bytes;
		if (most && q->text_len > most) {
			mv_fail(&q->error, MV_USAGE,
				"this request has %zu bytes; the kernel takes records of %" PRIu64,
				q->text_len, most);
			session_deliver_later(s, q);
			continue;
		}
		list_add(&s->flight, q);
		transmit(s, q, now);
	}
}

static bool give_up(struct mv_session *s, struct request *q, uint64_t now)
{
	if ((double)(now - q->first_sent_us) < s->o.timeout_s * 1e6 * s->o.attempts)
		return false;
	struct mv_error e;
	mv_fail(&e, MV_LINK, "no answer from %s to %s in %.1f s", s->target.text, q->method,
		(double)(now - q->first_sent_us) / 1e6);
	request_finish(s, &s->flight, q, NULL, &e);
	return true;
}

/* Repeats the requests in flight whose answers `lost` says are lost. */
static void burst(struct mv_session *s, bool oldest_only)
{
	uint64_t now = mv_now_us();
	if (now < s->burst_us + BURST_US)
		return;
	s->burst_us = now;
	struct request *q = s->flight.first;
	for (size_t n = s->flight.count; n && q; n--) {
		struct request *next = q->next;
		if (now >= q->sent_us + BURST_US / 2)
			transmit(s, q, now);
		if (oldest_only)
			return;
		q = next;
	}
}

void requests_unreadable(struct mv_session *s)
{
	burst(s, false);
}

void requests_gap(struct mv_session *s)
{
	burst(s, true);
}

/* The kernel answers in order: who was asked before and is still open was lost. */
static void overtaken(struct mv_session *s, const struct request *answered, uint64_t now)
{
	struct request *q = s->flight.first;
	while (!s->counters.hub && q && q->id < answered->id) {
		struct request *next = q->next;
		if (q->attempts == 1 && answered->attempts == 1)
			transmit(s, q, now);
		q = next;
	}
}

void requests_reply(struct mv_session *s, uint64_t id, struct json_object *reply)
{
	struct request *q = s->flight.first;
	while (q && q->id != id)
		q = q->next;
	if (!q)
		return; /* the second answer to a repeated request */
	uint64_t now = mv_now_us();
	s->counters.rtt_us = (double)(now - q->sent_us);
	if (q->attempts == 1)
		s->srtt_us = s->srtt_us > 0 ? 0.875 * s->srtt_us + 0.125 * s->counters.rtt_us
					    : s->counters.rtt_us;
	overtaken(s, q, now);
	struct json_object *error = mv_json_obj(reply, INSP_F_ERROR);
	int64_t code = 0;
	mv_json_i64(error, INSP_F_CODE, &code);
	const char *message = mv_json_str(error, INSP_F_MESSAGE);
	if (code == INSP_E_BUSY && message && strstr(message, "session")) {
		/* Somebody else said hello on this line, or the kernel is another one. */
		list_take(&s->flight, q);
		q->attempts = 0;
		list_add(&s->queue, q);
		s->line = LINE_HELLO;
		s->hello_count = 0;
		sync_hello_send(s);
		return;
	}
	request_finish(s, &s->flight, q, reply, NULL);
}

/* Another session: what only reads is asked again; what may have run already
 * must not run twice. */
void requests_new_session(struct mv_session *s)
{
	struct request_list old = s->flight;
	s->flight = (struct request_list){0};
	struct request_list again = {0};
	while (old.first) {
		struct request *q = old.first;
		list_take(&old, q);
		if (q->reads) {
			q->attempts = 0;
			list_add(&again, q);
			continue;
		}
		mv_fail(&q->error, MV_LINK,
			"the link was lost before the kernel answered %s; it may have run",
			q->method);
		session_deliver_later(s, q);
	}
	while (s->queue.first) {
		struct request *q = s->queue.first;
		list_take(&s->queue, q);
		list_add(&again, q);
	}
	s->queue = again;
}

/* Doubles with the first attempts, and never exceeds the timeout. */
static uint64_t patience(const struct mv_session *s, const struct request *q)
{
	double most = s->o.timeout_s * 1e6;
	double wait = s->srtt_us > 0 ? 4 * s->srtt_us : WAIT_FIRST_US;
	if (wait < WAIT_MIN_US)
		wait = WAIT_MIN_US;
	for (unsigned i = 1; i < q->attempts && i <= DOUBLINGS; i++)
		wait *= 2;
	return (uint64_t)(wait < most ? wait : most);
}

uint64_t requests_timers(struct mv_session *s, uint64_t now)
{
	struct request *q = s->line == LINE_UP ? s->flight.first : NULL;
	if (!q)
		return UINT64_MAX;
	if (s->head_id != q->id) {
		s->head_id = q->id;
		s->head_us = now;
	}
	uint64_t wait = patience(s, q);
	uint64_t asked = q->sent_us > s->head_us ? q->sent_us : s->head_us;
	uint64_t heard = s->last_rx_us > asked ? s->last_rx_us : asked;
	uint64_t silent_at = heard + wait, late_at = asked + LATE_FACTOR * wait;
	uint64_t at = silent_at < late_at ? silent_at : late_at;
	if (now < at)
		return at;
	if (give_up(s, q, now))
		return now;
	if (now >= silent_at) {
		s->burst_us = 0;
		burst(s, false);
	} else {
		transmit(s, q, now);
	}
	return now + WAIT_MIN_US;
}
