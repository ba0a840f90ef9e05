/* The session's life: its descriptors, its line, and its callers. */
#include "private.h"

#include <errno.h>
#include <inspect/protocol.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* At most so much is read in one go: the keyboard waits meanwhile. */
#define READ_BYTES_MAX (512u << 10)
/* How often to look whether a link that another has is free. */
#define BUSY_US 1000000u

void session_say(struct mv_session *s, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(s->message, sizeof s->message, fmt, args);
	va_end(args);
}

bool session_live_link(const struct mv_session *s)
{
	return !s->replay;
}

/* ---- opening and closing ---- */

static void defaults(struct mv_session *s, const struct mv_session_options *o)
{
	if (o)
		s->o = *o;
	if (!(s->o.timeout_s > 0))
		s->o.timeout_s = TIMEOUT_US / 1e6;
	if (!s->o.attempts)
		s->o.attempts = ATTEMPTS;
	if (!s->o.window)
		s->o.window = WINDOW;
	if (s->o.window > ID_SPAN)
		s->o.window = ID_SPAN;
	s->next_id = 1;
	s->fd = -1;
	s->watch_id = -1;
	s->hz = 10;
	s->retry_pause_us = RECONNECT_MIN;
	unsigned char noise[16] = {0};
	if (getrandom(noise, sizeof noise, 0) != sizeof noise)
		snprintf((char *)noise, sizeof noise, "%x%llx", (unsigned)getpid(),
			 (unsigned long long)mv_now_us());
	for (size_t i = 0; i < sizeof noise; i++)
		snprintf(s->token + 2 * i, 3, "%02x", noise[i]);
}

static void open_descriptors(struct mv_session *s)
{
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = s->timer};
	if (s->epoll < 0 || s->timer < 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->timer, &ev) != 0) {
		perror("memviz: cannot wait for the link");
		_exit(MV_LINK);
	}
}

struct mv_session *mv_session_open(const char *target, const struct mv_session_options *options,
				   struct mv_error *e)
{
	char found[300];
	struct mv_target t;
	if (!target) {
		if (!mv_target_default(found, sizeof found, e))
			return NULL;
		target = found;
	}
	if (mv_target_parse(target, &t, e) != MV_OK)
		return NULL;
	struct mv_session *s = mv_alloc(sizeof *s);
	s->target = t;
	defaults(s, options);
	open_descriptors(s);
	s->model = mv_model_new(&s->o.limits);
	s->reader = mv_reader_new(true, true);
	if (t.kind == MV_TARGET_FILE && !replay_open(s, e)) {
		mv_session_close(s);
		return NULL;
	}
	if (t.kind == MV_TARGET_GDB && !gdb_view_open(s, e)) {
		mv_session_close(s);
		return NULL;
	}
	session_arm(s, mv_now_us());
	return s;
}

static void close_line(struct mv_session *s)
{
	if (s->fd >= 0)
		close(s->fd); /* leaves the epoll set by itself */
	s->fd = -1;
	s->line = LINE_CLOSED;
	s->want_out = false;
	s->out.len = 0;
	mv_reader_reset(s->reader);
}

void mv_session_close(struct mv_session *s)
{
	if (!s)
		return;
	requests_fail(s, &s->ready, MV_LINK, "closed");
	requests_fail(s, &s->flight, MV_LINK, "closed");
	requests_fail(s, &s->queue, MV_LINK, "closed");
	if (s->recorder)
		mv_session_record_stop(s, NULL);
	/* What a last callback may have asked for is dropped unheard. */
	struct request_list *lists[] = {&s->ready, &s->flight, &s->queue};
	for (size_t i = 0; i < 3; i++) {
		while (lists[i]->first) {
			struct request *q = lists[i]->first;
			list_take(lists[i], q);
			request_free(q);
		}
	}
	close_line(s);
	replay_close(s);
	gdb_view_close(s);
	mv_reader_free(s->reader);
	mv_buf_free(&s->out);
	json_object_put(s->hello);
	mv_model_free(s->model);
	close(s->timer);
	close(s->epoll);
	free(s);
}

int mv_session_fd(const struct mv_session *s)
{
	return s->epoll;
}

const struct mv_model *mv_session_model(const struct mv_session *s)
{
	return s->model;
}

struct json_object *mv_session_hello(const struct mv_session *s)
{
	return s->hello;
}

uint64_t mv_session_hello_age_us(const struct mv_session *s)
{
	return s->hello_came_us ? mv_now_us() - s->hello_came_us : 0;
}

/* ---- timer ---- */

void session_arm(struct mv_session *s, uint64_t at_us)
{
	struct itimerspec t = {0};
	if (at_us != UINT64_MAX) {
		/* 0 would disarm it. */
		if (!at_us)
			at_us = 1;
		t.it_value.tv_sec = (time_t)(at_us / 1000000);
		t.it_value.tv_nsec = (long)(at_us % 1000000) * 1000;
	}
	timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* ---- the line ---- */

static void want(struct mv_session *s)
{
	bool out = s->line == LINE_CONNECTING || s->out.len > 0;
	if (s->fd < 0 || out == s->want_out)
		return;
	struct epoll_event ev = {.events = EPOLLIN | (out ? (unsigned)EPOLLOUT : 0u),
				 .data.fd = s->fd};
	epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->fd, &ev);
	s->want_out = out;
}

/* The line is gone: what waits goes on waiting, unless we are not to reconnect. */
static void lost(struct mv_session *s, const char *why)
{
	bool was = s->state != MV_SESSION_CONNECTING || s->line == LINE_UP;
	close_line(s);
	session_say(s, "%s", why);
	s->state = was ? MV_SESSION_LOST : MV_SESSION_CONNECTING;
	s->watch_asked = false;
	s->full_seen = 0;
	s->spaces_asked = s->name_asked = false;
	s->retry_us = mv_now_us() + s->retry_pause_us;
	s->retry_pause_us = s->retry_pause_us * 2 > RECONNECT_MAX ? RECONNECT_MAX
								  : s->retry_pause_us * 2;
	if (!s->o.once)
		return;
	s->fatal = true;
	requests_fail(s, &s->flight, MV_LINK, why);
	requests_fail(s, &s->queue, MV_LINK, why);
}

enum mv_status mv_session_retarget(struct mv_session *s, const char *target, struct mv_error *e)
{
	struct mv_target t;
	if (mv_target_parse(target, &t, e) != MV_OK)
		return e->status;
	if (s->replay || s->gdb || t.kind == MV_TARGET_FILE || t.kind == MV_TARGET_GDB)
		return mv_fail(e, MV_USAGE, "%s: not a link that can be changed to", t.text);
	lost(s, "the link was changed");
	s->target = t;
	s->busy.pid = 0;
	s->retry_us = 0;
	s->retry_pause_us = RECONNECT_MIN;
	session_arm(s, 1);
	return MV_OK;
}

static void connect_line(struct mv_session *s)
{
	struct mv_error e;
	bool connecting;
	s->fd = mv_transport_open(&s->target, &connecting, &e);
	if (s->fd < 0) {
		lost(s, e.message);
		return;
	}
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.fd = s->fd};
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd, &ev);
	s->want_out = true;
	s->opened_us = s->last_rx_us = mv_now_us();
	s->line = LINE_CONNECTING;
	if (!connecting)
		sync_connected(s);
}

static void record(struct mv_session *s, const struct mv_record *rec, uint64_t now)
{
	/* Not in the middle of a state that comes in parts: its rest would be taken
	 * for changes of the keyframe. */
	if (mv_recorder_wants_keyframe(s->recorder, now) && !mv_model_arriving(s->model)) {
		struct json_object *k = mv_model_keyframe(s->model);
		mv_recorder_keyframe(s->recorder, k, now);
		json_object_put(k);
		recorded_ask(s);
	}
	mv_recorder_record(s->recorder, rec->json, rec->len, now);
}

static void dispatch(struct mv_session *s, const struct mv_record *rec)
{
	uint64_t now = mv_wall_us(), seq, id;
	struct json_object *o = mv_json_parse(rec->json, rec->len, NULL);
	if (!o) {
		s->counters.bad_records++;
		return;
	}
	s->counters.rx_records++;
	bool hello = s->line == LINE_HELLO;
	enum mv_seq_verdict verdict = MV_SEQ_OK;
	if (!hello && mv_json_u64(o, INSP_F_SEQ, &seq))
		verdict = mv_seq_see(&s->seq, seq);
	if (verdict == MV_SEQ_REPEAT) {
		json_object_put(o);
		return;
	}
	if (verdict == MV_SEQ_GAP) {
		s->counters.gaps++;
		sync_gap(s);
		requests_gap(s);
	}
	if (s->record_fn && !hello)
		s->record_fn(s->record_user, rec->json, rec->len, now);
	struct json_object *idv = mv_json_get(o, INSP_F_ID);
	const char *method = mv_json_str(o, INSP_F_METHOD);
	if (hello)
		sync_hello_reply(s, o);
	else if (method && strcmp(method, INSP_N_WATCH) == 0)
		sync_notify(s, mv_json_obj(o, INSP_F_PARAMS), now);
	else if (mv_json_u64(o, INSP_F_ID, &id))
		requests_reply(s, id, o);
	else if (!idv && mv_json_obj(o, INSP_F_ERROR))
		requests_unreadable(s);
	/* After the state has taken it in, so that a keyframe never lags behind; the
	 * record follows all the same, for the events in it. */
	if (s->recorder && !hello)
		record(s, rec, now);
	json_object_put(o);
}

static void take_records(struct mv_session *s)
{
	struct mv_record rec;
	while (s->fd >= 0 && mv_reader_next(s->reader, &rec)) {
		if (rec.kind == MV_RECORD_GOOD)
			dispatch(s, &rec);
		else if (rec.kind != MV_RECORD_TEXT)
			s->counters.bad_records++;
	}
}

static void read_line(struct mv_session *s)
{
	static char chunk[65536];
	size_t total = 0;
	while (s->fd >= 0 && total < READ_BYTES_MAX) {
		ssize_t n = read(s->fd, chunk, sizeof chunk);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			lost(s, n == 0 ? "the other end closed the link" : strerror(errno));
			return;
		}
		s->last_rx_us = mv_now_us();
		s->counters.rx_bytes += (uint64_t)n;
		s->rate.rx += (uint64_t)n;
		total += (size_t)n;
		mv_reader_feed(s->reader, chunk, (size_t)n);
		take_records(s);
		if ((size_t)n < sizeof chunk)
			return;
	}
}

static void write_line(struct mv_session *s)
{
	size_t done = 0;
	while (done < s->out.len) {
		ssize_t n = write(s->fd, s->out.data + done, s->out.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			/* What was said before it went may still be there to read. */
			read_line(s);
			if (s->fd >= 0)
				lost(s, "the other end closed the link");
			return;
		}
		done += (size_t)n;
	}
	s->counters.tx_bytes += done;
	s->rate.tx += done;
	mv_buf_consume(&s->out, done);
}

static void line_ready(struct mv_session *s, uint32_t events)
{
	struct mv_error e;
	if (s->line == LINE_CONNECTING) {
		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		if (mv_transport_connected(s->fd, &s->target, &e) != MV_OK) {
			lost(s, e.message);
			return;
		}
		sync_connected(s);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_line(s);
}

/* ---- processing ---- */

/* Why the other end says nothing, as far as can be told. */
void session_silent(struct mv_session *s)
{
	struct mv_clients c = {0};
	if (mv_transport_peer(s->fd, &s->busy))
		c = mv_transport_clients(&s->busy);
	if (!c.accepted || !c.waiting) {
		s->busy.pid = 0;
		session_say(s, "%s does not answer", s->target.text);
		return;
	}
	session_say(
		s,
		"%s serves one client, and another has it: look through a hub's socket, press H "
		"in that memviz, or end it",
		s->target.text);
	if (s->o.once)
		return; /* it may leave in time */
	/* Not in its queue: when it leaves, a hub of its own is to come next. */
	char why[sizeof s->message];
	mv_copy(why, sizeof why, s->message);
	lost(s, why);
}

/* Whether the one that had the link before us has it still. */
static bool still_busy(struct mv_session *s, uint64_t now)
{
	if (!s->busy.pid || !mv_transport_clients(&s->busy).accepted) {
		s->busy.pid = 0;
		return false;
	}
	s->retry_us = now + BUSY_US;
	return true;
}

void session_deliver_later(struct mv_session *s, struct request *q)
{
	list_add(&s->ready, q);
}

static void deliver_ready(struct mv_session *s)
{
	for (size_t n = s->ready.count; n && s->ready.first; n--) {
		struct request *q = s->ready.first;
		list_take(&s->ready, q);
		if (q->fn)
			q->fn(q->user, q->answer, q->answer ? NULL : &q->error);
		request_free(q);
	}
}

static void roll_rate(struct rate *r, uint64_t now)
{
	uint64_t span = now - r->since_us;
	if (span < 1000000)
		return;
	r->rx_per_s = (double)r->rx * 1e6 / (double)span;
	r->tx_per_s = (double)r->tx * 1e6 / (double)span;
	r->rx = r->tx = 0;
	r->since_us = now;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t line_timers(struct mv_session *s, uint64_t now)
{
	if (s->fatal)
		return UINT64_MAX;
	if (s->line == LINE_CLOSED && now >= s->retry_us && !still_busy(s, now))
		connect_line(s);
	uint64_t next = s->line == LINE_CLOSED ? s->retry_us : UINT64_MAX;
	if (s->line == LINE_CONNECTING) {
		next = s->opened_us + (uint64_t)(s->o.timeout_s * 1e6);
		if (now >= next)
			lost(s, "no connection in time");
	}
	return next;
}

void mv_session_process(struct mv_session *s)
{
	struct epoll_event ev[4];
	int n = epoll_wait(s->epoll, ev, 4, 0);
	for (int i = 0; i < n; i++) {
		uint64_t ticks;
		if (ev[i].data.fd == s->timer)
			while (read(s->timer, &ticks, sizeof ticks) > 0)
				;
		else if (ev[i].data.fd == s->fd)
			line_ready(s, ev[i].events);
	}
	uint64_t now = mv_now_us(), next;
	deliver_ready(s);
	if (s->replay) {
		next = replay_timers(s, now);
	} else if (session_behind_gdb(s)) {
		next = UINT64_MAX;
	} else {
		next = line_timers(s, now);
		next = min64(next, sync_timers(s, now));
		next = min64(next, requests_timers(s, now));
		requests_pump(s);
		if (s->fd >= 0 && s->line != LINE_CONNECTING && s->out.len)
			write_line(s);
		want(s);
		sync_update_state(s);
		roll_rate(&s->rate, now);
		if (s->line == LINE_CLOSED && !s->fatal)
			next = min64(next, s->retry_us);
	}
	if (s->ready.count)
		next = now;
	session_arm(s, next);
}

bool mv_session_wait(struct mv_session *s, const bool *done, double timeout_s)
{
	uint64_t end = mv_now_us() + (uint64_t)(timeout_s * 1e6);
	mv_session_process(s);
	while (!*done) {
		uint64_t now = mv_now_us();
		if (now >= end)
			break;
		struct pollfd p = {.fd = s->epoll, .events = POLLIN};
		poll(&p, 1, (int)((end - now) / 1000 + 1));
		mv_session_process(s);
	}
	return *done;
}

/* ---- requests ---- */

static uint64_t submit(struct mv_session *s, struct request *q)
{
	bool gdb = session_behind_gdb(s);
	if (s->replay || gdb) {
		q->answer = gdb ? gdb_view_answer(s, q->method, q->params, &q->error)
				: mv_model_answer(s->model, q->method, q->params, &q->error);
		if (q->answer && q->raw) {
			struct json_object *reply = json_object_new_object();
			json_object_object_add(reply, INSP_F_RESULT, q->answer);
			q->answer = reply;
		}
		list_add(&s->ready, q);
	} else if (s->fatal) {
		mv_fail(&q->error, MV_LINK, "%s", s->message);
		list_add(&s->ready, q);
	} else {
		list_add(&s->queue, q);
		requests_pump(s);
		want(s);
	}
	if (s->ready.count)
		session_arm(s, 1);
	return q->handle;
}

uint64_t mv_session_call(struct mv_session *s, const char *method, struct json_object *params,
			 mv_reply_fn fn, void *user)
{
	return submit(s, request_new(s, method, params, fn, user));
}

uint64_t mv_session_call_raw(struct mv_session *s, const char *method, struct json_object *params,
			     mv_reply_fn fn, void *user)
{
	struct request *q = request_new(s, method, params, fn, user);
	q->raw = true;
	return submit(s, q);
}

void mv_session_cancel(struct mv_session *s, uint64_t request)
{
	if (pages_cancel(s, request))
		return;
	struct request_list *lists[] = {&s->queue, &s->flight, &s->ready};
	for (size_t i = 0; i < 3; i++)
		for (struct request *q = lists[i]->first; q; q = q->next)
			if (q->handle == request)
				q->fn = NULL;
}

struct waiting {
	bool done;
	struct json_object *result;
	struct mv_error error;
};

static void waited(void *user, struct json_object *result, const struct mv_error *error)
{
	struct waiting *w = user;
	w->done = true;
	w->result = result ? json_object_get(result) : NULL;
	if (error)
		w->error = *error;
}

enum mv_status mv_session_call_wait(struct mv_session *s, const char *method,
				    struct json_object *params, bool all_pages,
				    struct json_object **result, struct mv_error *e)
{
	struct waiting w = {0};
	uint64_t handle = all_pages ? mv_session_call_all(s, method, params, 0, waited, &w)
				    : mv_session_call(s, method, params, waited, &w);
	/* The request ends by itself; this bound is for a line that never comes up. */
	double most = s->o.timeout_s * (s->o.attempts + 1) + (all_pages ? 600 : 5);
	if (!mv_session_wait(s, &w.done, most)) {
		mv_session_cancel(s, handle);
		return mv_fail(e, MV_LINK, "no answer from %s%s%s", s->target.text,
			       s->message[0] ? ": " : "", s->message);
	}
	if (!w.result) {
		if (e)
			*e = w.error;
		return w.error.status;
	}
	*result = w.result;
	return MV_OK;
}

/* ---- what others want to hear ---- */

void mv_session_on_record(struct mv_session *s, mv_record_fn fn, void *user)
{
	s->record_fn = fn;
	s->record_user = user;
}

void mv_session_on_notify(struct mv_session *s, mv_notify_fn fn, void *user)
{
	s->notify_fn = fn;
	s->notify_user = user;
}

const char *mv_session_state_name(enum mv_session_state st)
{
	static const char *const names[] = {"connecting",   "syncing", "live", "lost",
					    "incompatible", "replay",  "gdb"};
	return names[st];
}

void mv_session_status(const struct mv_session *s, struct mv_session_status *out)
{
	uint64_t now = mv_now_us();
	*out = s->counters;
	out->state = s->state;
	out->target = s->target.text;
	mv_copy(out->message, sizeof out->message, s->message);
	out->silent_us = s->last_rx_us ? now - s->last_rx_us : 0;
	/* A rate that nothing refreshed for two seconds is nought. */
	bool stale = now > s->rate.since_us + 2500000;
	out->rx_bytes_per_s = stale ? 0 : s->rate.rx_per_s;
	out->tx_bytes_per_s = stale ? 0 : s->rate.tx_per_s;
	out->in_flight = s->flight.count;
	out->stalled = s->flight.count && out->silent_us > 1000000 &&
		       now > s->flight.first->sent_us + 1000000;
}

/* ---- recording ---- */

enum mv_status mv_session_record_start(struct mv_session *s, const char *file, struct mv_error *e)
{
	if (s->replay)
		return mv_fail(e, MV_USAGE, "this is a recording already");
	if (s->recorder)
		return mv_fail(e, MV_USAGE, "already recording to %s", s->recorder_file);
	uint64_t now = mv_wall_us();
	struct json_object *hello = mv_model_answer(s->model, INSP_M_HELLO, NULL, NULL);
	s->recorder = mv_recorder_open(file, s->target.text, hello, now, e);
	json_object_put(hello);
	if (!s->recorder)
		return e ? e->status : MV_USAGE;
	mv_copy(s->recorder_file, sizeof s->recorder_file, file);
	struct json_object *k = mv_model_keyframe(s->model);
	mv_recorder_keyframe(s->recorder, k, now);
	json_object_put(k);
	s->extras_round = 0;
	s->extras_took_us = 0;
	recorded_ask(s);
	return MV_OK;
}

enum mv_status mv_session_record_stop(struct mv_session *s, struct mv_error *e)
{
	struct mv_recorder *r = s->recorder;
	if (!r)
		return mv_fail(e, MV_USAGE, "not recording");
	s->recorder = NULL;
	return mv_recorder_close(r, e);
}

bool mv_session_recording(const struct mv_session *s, const char **file, uint64_t *bytes,
			  uint64_t *records)
{
	if (!s->recorder)
		return false;
	if (file)
		*file = s->recorder_file;
	if (bytes)
		*bytes = mv_recorder_bytes(s->recorder);
	if (records)
		*records = mv_recorder_records(s->recorder);
	return true;
}
