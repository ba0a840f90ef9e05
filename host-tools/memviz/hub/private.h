/* What the files of the hub share. */
#ifndef MEMVIZ_HUB_PRIVATE_H
#define MEMVIZ_HUB_PRIVATE_H

#include <memviz/base.h>
#include <memviz/hub.h>
#include <memviz/link.h>
#include <memviz/session.h>

#define CLIENTS_MAX	    256
#define CLIENT_WATCHES	    4
#define CLIENT_FLIGHT	    128		/* more of its requests wait unread in its socket */
#define CLIENT_OUT_MAX	    (64u << 20) /* bytes it left unread, and then it is dropped; */
#define CLIENT_STALL_MIN    (1u << 20)	/* or so many, of which it took none */
#define CLIENT_STALL_US	    5000000u	/* for so long */
#define CLIENT_REPLIES	    512		/* for repeats, as the kernel's own cache */
#define DROP_NOTICE_US	    5000000u	/* so long a dropped client may still read why */
#define RANGES_MAX	    512		/* more changes than that are sent as a full state */
#define ELEMENTS_PER_RECORD 1000
#define TOPIC_COUNT	    7

/* What a watch that is slower than the wire still owes its client. */
struct owed {
	unsigned topics;	    /* with anything new */
	struct mv_range *ranges[2]; /* frames, mappings */
	size_t range_count[2], range_capacity[2];
	bool all[2];
	uint64_t event_number, log_seq; /* the last ones sent */
	uint64_t events_lost;
};

struct watch {
	bool on;
	int64_t id;
	unsigned topics, hz;
	unsigned needs_full; /* topics whose first full state is still owed */
	uint64_t due_us;
	struct owed owed;
};

struct reply {
	uint64_t id;
	char *json; /* without seq and crc: {"jsonrpc":...,"result":...} minus its brace */
};

struct client {
	struct client *next;
	uint64_t number;
	int fd;
	struct mv_reader *reader;
	struct mv_buf out;
	uint64_t seq, since_us, rx_bytes, tx_bytes, requests;
	char session[33], token[65];
	bool need_crc, wants_out, paused, dropped;
	bool ended;		       /* it will send no more, but may still read: half closed */
	uint64_t dropped_us, moved_us; /* moved: its socket last took a byte */
	size_t flight;
	uint64_t open_ids[CLIENT_FLIGHT + 8]; /* with a session, not yet answered */
	size_t open_count;
	struct reply replies[CLIENT_REPLIES]; /* by id modulo */
	struct watch watches[CLIENT_WATCHES];
	int64_t next_watch;
};

struct hub {
	const struct mv_hub_options *o;
	struct mv_session *s;
	const struct mv_model *m;
	int epoll, listener;
	struct client *clients;
	size_t client_count;
	uint64_t next_number, dropped_clients;
	unsigned hz; /* of the watch on the wire */
	uint64_t idle_since_us;
	char told[160]; /* the trouble of the link that was told last */
};

/* client.c */
void client_accept(struct hub *h);
void client_ready(struct hub *h, struct client *c, uint32_t events);
void client_flush(struct hub *h, struct client *c);
void client_drop(struct hub *h, struct client *c, const char *why);
void client_remove(struct hub *h, struct client *c);
struct client *client_find(struct hub *h, uint64_t number);
/* Sends `{...` (an object without its closing brace), adding seq and crc. */
void client_send(struct hub *h, struct client *c, const char *open_json, size_t len);
void client_resume(struct hub *h, struct client *c);
/* Drops it when it has stalled; removes it when it was dropped long enough ago. */
void client_check(struct hub *h, struct client *c, uint64_t now);

/* rpc.c */
void rpc_record(struct hub *h, struct client *c, const struct mv_record *rec);
void rpc_forget(struct client *c);

/* watching.c */
struct json_object *watching_start(struct hub *h, struct client *c, struct json_object *params,
				   struct mv_error *e);
struct json_object *watching_stop(struct hub *h, struct client *c, struct json_object *params,
				  struct mv_error *e);
void watching_notify(struct hub *h, struct json_object *params);
/* Sends what is due; returns when to look again. */
uint64_t watching_due(struct hub *h, uint64_t now);
void watching_forget(struct client *c);
void watching_rate(struct hub *h);

#endif
