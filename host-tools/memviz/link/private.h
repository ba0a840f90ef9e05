/* What the files of the session share. */
#ifndef MEMVIZ_SESSION_PRIVATE_H
#define MEMVIZ_SESSION_PRIVATE_H

#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/recording.h>
#include <memviz/session.h>

/* The kernel's reply cache reaches back so many ids; a repeat must lie inside. */
#define ID_SPAN	      448
#define TIMEOUT_US    2000000u
#define ATTEMPTS      4
#define WINDOW	      64
#define RECONNECT_MIN 100000u
#define RECONNECT_MAX 2000000u
#define HELLO_US      400000u
#define RESYNC_GAP_US 250000u

struct request {
	struct request *next, *prev;
	uint64_t handle;
	uint64_t id; /* on the wire; 0 while it waits in the queue */
	char *method;
	struct json_object *params;
	char *text; /* sealed, for repeats */
	size_t text_len;
	mv_reply_fn fn;
	void *user;
	uint64_t sent_us, first_sent_us;
	unsigned attempts;
	bool raw, reads;
	struct json_object *answer; /* of a replay: ready to be delivered */
	struct mv_error error;
};

struct request_list {
	struct request *first, *last;
	size_t count;
};

enum line_state { LINE_CLOSED, LINE_CONNECTING, LINE_HELLO, LINE_UP };

struct rate {
	uint64_t since_us, rx, tx;
	double rx_per_s, tx_per_s;
};

struct replay;
struct gdb_view;
struct pager;

struct mv_session {
	struct mv_session_options o;
	struct mv_target target;
	struct mv_model *model;
	int epoll, timer, fd;
	bool want_out;

	enum line_state line;
	enum mv_session_state state;
	char message[160];
	bool fatal; /* `once`: it is over */

	/* line */
	struct mv_reader *reader;
	struct mv_buf out;
	struct mv_seq seq;
	struct mv_peer busy; /* the server whose one client is another; pid 0: none */
	uint64_t opened_us, last_rx_us, retry_us, retry_pause_us;
	uint64_t hello_us;
	unsigned hello_count;
	char token[33];
	char session[41];
	bool had_session;
	struct json_object *hello;
	uint64_t hello_came_us;
	struct mv_session_status counters;
	struct rate rate;

	/* requests */
	struct request_list queue, flight, ready;
	struct pager *pagers; /* requests whose answer comes in pages */
	uint64_t next_handle, next_id, burst_us;
	uint64_t head_id, head_us; /* the oldest in flight, and since when it is that */
	double srtt_us;		   /* smoothed round trip */

	/* watching */
	unsigned topics, hz;
	int64_t watch_id; /* -1: none */
	bool watch_asked;
	unsigned watch_generation; /* raised when the topics change */
	unsigned full_seen;	   /* topics whose full state is complete */
	bool resync;
	uint64_t resync_us;
	bool spaces_wanted, spaces_asked, name_asked;
	uint64_t spaces_us, names_after_us;
	bool history_asked;
	uint64_t history_since_us;

	mv_record_fn record_fn;
	void *record_user;
	mv_notify_fn notify_fn;
	void *notify_user;

	struct mv_recorder *recorder;
	size_t extras_left; /* answers that are on their way, of this round */
	size_t extras_round;
	uint64_t extras_us, extras_took_us;
	char recorder_file[256];

	struct replay *replay;
	struct gdb_view *gdb;
};

/* session.c */
void session_say(struct mv_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_silent(struct mv_session *s);
void session_deliver_later(struct mv_session *s, struct request *q);
void session_arm(struct mv_session *s, uint64_t at_us);
bool session_live_link(const struct mv_session *s);

/* request.c */
struct request *request_new(struct mv_session *s, const char *method, struct json_object *params,
			    mv_reply_fn fn, void *user);
void request_free(struct request *q);
void list_add(struct request_list *l, struct request *q);
void list_take(struct request_list *l, struct request *q);
void request_finish(struct mv_session *s, struct request_list *from, struct request *q,
		    struct json_object *reply, const struct mv_error *e);
/* pages.c: false when no pages are asked for under that handle. */
bool pages_cancel(struct mv_session *s, uint64_t handle);
void requests_fail(struct mv_session *s, struct request_list *l, enum mv_status status,
		   const char *why);
void requests_pump(struct mv_session *s);
void requests_reply(struct mv_session *s, uint64_t id, struct json_object *reply);
void requests_unreadable(struct mv_session *s); /* the kernel could not read one */
void requests_gap(struct mv_session *s);
void requests_new_session(struct mv_session *s);
uint64_t requests_timers(struct mv_session *s, uint64_t now);
bool method_reads(const char *method);

/* sync.c */
void sync_connected(struct mv_session *s);
void sync_hello_send(struct mv_session *s);
void sync_hello_reply(struct mv_session *s, struct json_object *reply);
void sync_notify(struct mv_session *s, struct json_object *params, uint64_t time_us);
void sync_gap(struct mv_session *s);
uint64_t sync_timers(struct mv_session *s, uint64_t now);
void sync_update_state(struct mv_session *s);
void sync_watch_changed(struct mv_session *s);

/* recorded.c: a round of what a recording holds beside the watches */
void recorded_ask(struct mv_session *s);

/* replay.c */
bool replay_open(struct mv_session *s, struct mv_error *e);
void replay_close(struct mv_session *s);
uint64_t replay_timers(struct mv_session *s, uint64_t now);

/* behind_gdb.c: a guest behind a GDB stub */
static inline bool session_behind_gdb(const struct mv_session *s)
{
	return s->target.kind == MV_TARGET_GDB;
}
bool gdb_view_open(struct mv_session *s, struct mv_error *e);
void gdb_view_close(struct mv_session *s);
/* Stops the guest, reads its tables anew, lets it run. */
enum mv_status gdb_view_refresh(struct mv_session *s, struct mv_error *e);
/* The answer to a method; NULL with `e`. */
struct json_object *gdb_view_answer(struct mv_session *s, const char *method,
				    struct json_object *params, struct mv_error *e);

#endif
