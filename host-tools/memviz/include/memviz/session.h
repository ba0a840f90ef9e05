/*
 * A session: one client's view of one kernel, live, replayed or behind GDB.
 *
 * The session never blocks. It owns a single descriptor (mv_session_fd()) that
 * becomes readable whenever there is something to do: bytes, a timeout, the
 * next attempt to connect, the next instant of a replay. The owner polls it
 * beside its own (the keyboard) and calls mv_session_process(), from which all
 * callbacks come. So a screen stays alive whatever the link does.
 *
 *	struct mv_session *s = mv_session_open(target, NULL, &err);
 *	mv_session_watch(s, MV_TOPIC_ALL, 10);
 *	for (;;) {
 *		poll({keyboard, mv_session_fd(s)});
 *		mv_session_process(s);
 *		draw(mv_session_model(s));
 *	}
 *
 * It connects, says hello, asks for the history of a hub, starts the watches,
 * keeps the model (deltas, resync after a gap in seq), repeats unanswered
 * requests with the same id and session, reconnects with growing pauses (0.1 s
 * to 2 s) and starts the watches anew. While the link is down the model keeps
 * the last picture; mv_session_status() tells its age.
 *
 * Behind a GDB stub (target gdb:) there is nothing to watch: opening, and each
 * mv_session_resync(), stops the guest for some milliseconds, reads its page
 * tables and lets it run. These two wait for the stub (at most the timeout for
 * each packet); all else holds.
 *
 * Not thread-safe: one thread owns a session.
 */
#ifndef MEMVIZ_SESSION_H
#define MEMVIZ_SESSION_H

#include <memviz/error.h>
#include <memviz/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mv_session;
struct json_object;

struct mv_session_options {
	double timeout_s;    /* the longest pause between two repeats of a request; 0: 2 s */
	unsigned attempts;   /* a request is given up after so many timeouts; 0: 4 */
	bool once;	     /* do not reconnect: a script's way. A lost link ends all requests */
	bool no_hello_state; /* only hello: no history, spaces and mappings by itself */
	bool quiet_model;    /* do not feed the model at all (drive, call) */
	size_t window;	     /* requests in flight at once; 0: 64 */
	struct mv_model_limits limits;
};

/* Opens `target` ("unix:PATH", "tcp:HOST:PORT", "serial:DEV[,BAUD]", "pty:PATH",
 * "file:RECORDING", "gdb:HOST:PORT", "gdb:PATH"; NULL: mv_target_default()) and
 * begins to connect. NULL with `e` filled when the target's text is wrong
 * (MV_USAGE), or a recording cannot be opened at all (MV_LINK: not there;
 * MV_DAMAGED: not a recording). A kernel that is not there yet is not an error
 * here: the status says so. */
struct mv_session *mv_session_open(const char *target, const struct mv_session_options *options,
				   struct mv_error *e);
/* Ends every request (MV_LINK "closed") and frees all. NULL does nothing. */
void mv_session_close(struct mv_session *s);

/* Poll this for POLLIN. It stays the same for the life of the session. */
int mv_session_fd(const struct mv_session *s);
/* Does all that can be done without waiting. Callbacks come from here; they may
 * call anything in this header except mv_session_close(). */
void mv_session_process(struct mv_session *s);
/* Processes until `*done` is true or `timeout_s` has passed; for commands, not
 * for screens. Returns *done. */
bool mv_session_wait(struct mv_session *s, const bool *done, double timeout_s);

/* The model; the session's own, valid until mv_session_close(). A caller must
 * not change it. */
const struct mv_model *mv_session_model(const struct mv_session *s);

/* The kernel's own answer to hello; borrowed, NULL before the first one. */
struct json_object *mv_session_hello(const struct mv_session *s);
/* Microseconds since it came. */
uint64_t mv_session_hello_age_us(const struct mv_session *s);

enum mv_session_state {
	MV_SESSION_CONNECTING,	 /* nothing heard yet */
	MV_SESSION_SYNCING,	 /* hello is in, the first full state is on its way */
	MV_SESSION_LIVE,	 /* all that was asked for is known and current */
	MV_SESSION_LOST,	 /* was there, is gone; reconnecting unless `once` */
	MV_SESSION_INCOMPATIBLE, /* speaks another protocol version; tries again */
	MV_SESSION_REPLAY,	 /* a recording */
	MV_SESSION_GDB,		 /* behind a GDB stub: a picture of one moment */
};
const char *mv_session_state_name(enum mv_session_state st);

struct mv_session_status {
	enum mv_session_state state;
	const char *target;    /* as given, e.g. "unix:/run/x/inspect.sock" */
	char message[160];     /* one line: why it is not live; "" when it is */
	uint64_t silent_us;    /* since the last record; the age of the picture */
	double rx_bytes_per_s; /* over the last second or so */
	double tx_bytes_per_s;
	uint64_t rx_records, rx_bytes, tx_bytes;
	uint64_t bad_records; /* CRC or JSON wrong */
	uint64_t gaps;	      /* holes in seq: records lost */
	uint64_t repeats;     /* requests sent again */
	uint64_t reconnects;
	double rtt_us;	  /* of the last answered request */
	size_t in_flight; /* requests without an answer */
	bool stalled;	  /* requests wait and nothing has come for 1 s */
	bool hub;	  /* the other end is a memviz hub */
};
void mv_session_status(const struct mv_session *s, struct mv_session_status *out);

/* ---- requests ---- */

/* Called exactly once per request, from mv_session_process() or
 * mv_session_close(). `result` is borrowed; NULL when `error` says why. */
typedef void (*mv_reply_fn)(void *user, struct json_object *result, const struct mv_error *error);

/* Sends (or queues, beyond the window or while the link is down) a request.
 * `params` is taken over, NULL for none. Returns a number > 0 for
 * mv_session_cancel(). In a replay, reading methods are answered from the model
 * and others refused. */
uint64_t mv_session_call(struct mv_session *s, const char *method, struct json_object *params,
			 mv_reply_fn fn, void *user);
/* The same, following `next` through all pages: `result` is the first page with
 * the arrays of all pages joined, `next` null, and "moved":true added when the
 * pages' gen differ even after three tries. At most `limit` elements (0: all), and "cut":true when
 * there are more. */
uint64_t mv_session_call_all(struct mv_session *s, const char *method, struct json_object *params,
			     size_t limit, mv_reply_fn fn, void *user);
/* The reply as it came, {"id",...,"result"} or {...,"error"}, for those who pass
 * it on (the hub); `error` only when none came. */
uint64_t mv_session_call_raw(struct mv_session *s, const char *method, struct json_object *params,
			     mv_reply_fn fn, void *user);
/* The callback of that request will not be called any more. */
void mv_session_cancel(struct mv_session *s, uint64_t request);
/* For commands: calls and waits. `*result` is the caller's (json_object_put). */
enum mv_status mv_session_call_wait(struct mv_session *s, const char *method,
				    struct json_object *params, bool all_pages,
				    struct json_object **result, struct mv_error *e);
/* Waits until hello is in (MV_OK), or says why it will not come (MV_LINK). */
enum mv_status mv_session_wait_hello(struct mv_session *s, double timeout_s, struct mv_error *e);
/* Waits until every watched topic has its full state. */
enum mv_status mv_session_wait_live(struct mv_session *s, double timeout_s, struct mv_error *e);

/* ---- watching ---- */

enum {
	MV_TOPIC_STAT = 1 << 0,
	MV_TOPIC_ZONES = 1 << 1,
	MV_TOPIC_CACHES = 1 << 2,
	MV_TOPIC_FRAMES = 1 << 3,
	MV_TOPIC_MAPPINGS = 1 << 4,
	MV_TOPIC_EVENTS = 1 << 5,
	MV_TOPIC_LOG = 1 << 6,
	MV_TOPIC_ALL = 0x7f,
};
/* Topic bit of a name, 0 for none such. */
unsigned mv_topic_parse(const char *name);
const char *mv_topic_name(unsigned bit);

/* Watches exactly these topics from now on, at `hz` (1..60), over reconnects.
 * 0 topics stops watching. Spaces and their mappings are fetched when
 * MV_TOPIC_MAPPINGS is among them. */
void mv_session_watch(struct mv_session *s, unsigned topics, unsigned hz);
/* Leaves the link and goes on over another (a hub that was put on it): the picture stays, requests
 * without an answer are sent there, watches start anew. MV_USAGE with `e`: a target that is none,
 * or this session has no link to leave. */
enum mv_status mv_session_retarget(struct mv_session *s, const char *target, struct mv_error *e);
/* Asks for a full state of everything watched (what a gap does by itself). */
void mv_session_resync(struct mv_session *s);

/* Told of each record as it came from the kernel (JSON text from `{` to `}`,
 * no RS or LF; valid for the call), and of notifications parsed. NULL: nobody. */
typedef void (*mv_record_fn)(void *user, const char *json, size_t len, uint64_t time_us);
void mv_session_on_record(struct mv_session *s, mv_record_fn fn, void *user);
typedef void (*mv_notify_fn)(void *user, struct json_object *params, uint64_t time_us);
void mv_session_on_notify(struct mv_session *s, mv_notify_fn fn, void *user);

/* ---- recording what this session hears (key `r`) ---- */

enum mv_status mv_session_record_start(struct mv_session *s, const char *file, struct mv_error *e);
/* Before the end: asks for what is asked for, not watched (spaces, slabs, sites), so that the
 * recording ends as the kernel stands; a second is enough for most lines. settled: it is here, or
 * nothing is recorded, or the link is down. */
void mv_session_record_settle(struct mv_session *s);
bool mv_session_record_settled(const struct mv_session *s);
enum mv_status mv_session_record_stop(struct mv_session *s, struct mv_error *e);
bool mv_session_recording(const struct mv_session *s, const char **file, uint64_t *bytes,
			  uint64_t *records);

/* ---- replay: only in state MV_SESSION_REPLAY ---- */

struct mv_replay_status {
	uint64_t first_us, last_us; /* of the recording, CLOCK_REALTIME of the recorder */
	uint64_t now_us;	    /* what the model shows */
	double speed;		    /* 1 is as recorded */
	bool playing;
	bool at_end;
	bool damaged; /* it ends before its time */
	uint64_t damage_offset;
	char damage[160]; /* where and what, one line */
};
/* False: not a replay. A replay opens paused at its first instant. */
bool mv_session_replay_status(const struct mv_session *s, struct mv_replay_status *out);
void mv_session_replay_play(struct mv_session *s, bool playing);
void mv_session_replay_speed(struct mv_session *s, double speed); /* 1/64 .. 4096 */
/* To the state at `time_us` (clamped to the recording). */
void mv_session_replay_seek(struct mv_session *s, uint64_t time_us);
/* `n` recorded changes forward or back. */
void mv_session_replay_step(struct mv_session *s, int n);

/* ---- targets ---- */

/* $MEMVIZ_TARGET, else the socket of the kernel that scripts/run started last:
 * the path written in $XDG_RUNTIME_DIR/vitrine/last (or, without that variable,
 * /tmp/vitrine-UID/last), else build/run/last/inspect.sock below the current
 * folder or one above it. Returns false with `e` when there is none. */
bool mv_target_default(char *out, size_t size, struct mv_error *e);

#endif
