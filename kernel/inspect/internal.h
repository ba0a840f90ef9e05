/*
 * Private to kernel/inspect: what its files give each other. Ordered from the bottom up: text,
 * JSON, tables of fields and parameters, calls, lists, links, watches.
 */
#ifndef INSPECT_INTERNAL_H
#define INSPECT_INTERNAL_H

#include <inspect/inspect.h>
#include <inspect/json.h>
#include <inspect/ring.h>
#include <inspect/table.h>
#include <stdarg.h>

#define INSP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- crc.c: CRC-32 (IEEE 802.3, as zlib's crc32), eight bytes a step ---- */

void insp_crc_init(uint32_t table[8][256]);
uint32_t insp_crc(const uint32_t table[8][256], const void *bytes, size_t len);

/* ---- format.c: short texts ---- */

/* Knows %s, %.*s, %u, %lu, %lx, %d and %%; always terminates, cuts to fit. Returns the length. */
size_t insp_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t insp_vformat(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
size_t insp_decimal(char *out, uint64_t value); /* up to 20 digits */
size_t insp_hex(char *out, uint64_t value);	/* up to 16 digits, no prefix */
void insp_copy(char *to, size_t size, const char *from);

/* ---- owned.c: what remote requests allocated ---- */

enum insp_owned { INSP_OWNED_OBJECT, INSP_OWNED_FRAME, INSP_OWNED_SPACE };
bool insp_owned_has(const struct insp *insp, enum insp_owned kind, uint64_t what);
bool insp_owned_room(const struct insp *insp, uint32_t count);
void insp_owned_add(struct insp *insp, enum insp_owned kind, uint64_t what);
void insp_owned_remove(struct insp *insp, enum insp_owned kind, uint64_t what);
bool insp_owned_check(const struct insp *insp, char *why, size_t size);

/* ---- a request being answered ---- */

struct insp_call {
	struct insp *insp;
	struct insp_link *link; /* NULL: insp_call_text() */
	enum insp_access access;
	const struct insp_method *method;
	const struct insp_json *json;
	struct insp_arg arg[INSP_PARAMS_MAX];
	struct insp_writer *w;
	uint64_t gen;
	bool with_ad;	 /* mappings show accessed and dirty */
	bool next_given; /* the page ends before the list: */
	uint32_t next_kind;
	uint64_t next[2];
	uint64_t now_us;
	/* why it failed */
	int code;
	const char *error; /* "ENOMEM" ... or NULL */
	char message[INSP_REASON_MAX + 96];
	char reason[INSP_REASON_MAX];
};

/* Sets code and message; returns code. */
int insp_fail(struct insp_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The answer to a port's status that is not INSP_OK; `what` names what was asked for. */
int insp_fail_status(struct insp_call *call, enum insp_status status, const char *what);
/* The same after insp_port_act(): with its errno and reason. */
int insp_fail_act(struct insp_call *call, enum insp_status status, const struct insp_act *act);
/* Checks params (may be NULL) against the method's table and fills call->arg. */
int insp_check_params(struct insp_call *call, const struct insp_token *params);
/* What a parameter takes, in words. */
size_t insp_param_takes(const struct insp *insp, const struct insp_param *param, char *buf,
			size_t size);
void insp_put_param_schema(const struct insp *insp, struct insp_writer *w,
			   const struct insp_param *param);
/* A text argument, decoded and terminated ("" when it was not given). */
void insp_arg_text(const struct insp_call *call, uint32_t index, char *buf, size_t size);
/* Runs a method whose name and params are known: level, params, handler. Writes the members of the
 * result object. 0 or a code. */
int insp_call_method(struct insp_call *call, const struct insp_token *name,
		     const struct insp_token *params);
/* The error object of a failed call. */
void insp_put_error(struct insp_writer *w, const struct insp_call *call);
/* The zones' names, read once. */
void insp_know_zones(struct insp *insp);

/* ---- list.c ---- */

enum insp_gen_of { INSP_GEN_NOTHING, INSP_GEN_ALL, INSP_GEN_FRAMES, INSP_GEN_MAPPINGS };

union insp_item {
	struct insp_zone zone;
	struct insp_frames frames;
	struct insp_cache cache;
	struct insp_slab slab;
	struct insp_space space;
	struct insp_mapping mapping;
	struct insp_rmap rmap;
	struct insp_level level;
	struct insp_site site;
	struct insp_live live;
	struct insp_text text;
	struct insp_workload workload;
	struct insp_line line;
};

struct insp_list {
	enum insp_kind kind;
	const char *name;	       /* of the array in the result */
	const struct insp_field *item; /* one bare value when item->type is INSP_FT_PLAIN */
	enum insp_gen_of gen;
	bool whole; /* never cut: it must fit one record */
	int (*setup)(struct insp_call *call, struct insp_visit *visit);
	bool (*keep)(struct insp_call *call, const union insp_item *item);
	const char *what;     /* for error messages */
	int8_t limit, cursor; /* index of these parameters, -1 for none */
};
/* Writes `"name":[...]`, sets gen and next; the rest of the result is the caller's. */
int insp_put_list(struct insp_call *call, const struct insp_list *list);
/* Handler of the methods that are one list: detail is a struct insp_list. */
int insp_do_list(struct insp_call *call);
/* insp_port_next(), again while it is busy, within bounds. */
enum insp_status insp_next(enum insp_kind kind, struct insp_visit *visit, void *item);
uint64_t insp_gen_of(const struct insp_gens *gens, enum insp_gen_of which);
void insp_put_item(struct insp_call *call, const struct insp_field *item, const void *from);
int insp_parse_cursor(struct insp_call *call, uint32_t param, uint32_t kind, uint64_t cursor[2]);

/* Tables that several files speak of. */
extern const struct insp_field insp_f_stat[], insp_f_zone[], insp_f_cache[], insp_f_frames[],
	insp_f_mapping[], insp_f_line[];
extern const char *const insp_topic_names[], *const insp_event_names[], *const insp_access_names[];
enum insp_topic {
	INSP_TOPIC_STAT,
	INSP_TOPIC_ZONES,
	INSP_TOPIC_CACHES,
	INSP_TOPIC_FRAMES,
	INSP_TOPIC_MAPPINGS,
	INSP_TOPIC_EVENTS,
	INSP_TOPIC_LOG,
	INSP_TOPICS
};

/* ---- handlers ---- */

int insp_do_hello(struct insp_call *call);
void insp_put_machine(struct insp_call *call);
int insp_do_discover(struct insp_call *call);
int insp_do_stat(struct insp_call *call);
int insp_do_object(struct insp_call *call);
int insp_do_translate(struct insp_call *call);
int insp_do_kmalloc(struct insp_call *call);
int insp_do_kfree(struct insp_call *call);
int insp_do_alloc_pages(struct insp_call *call);
int insp_do_free_pages(struct insp_call *call);
int insp_do_map(struct insp_call *call);
int insp_do_unmap(struct insp_call *call);
int insp_do_check(struct insp_call *call);
int insp_do_space_create(struct insp_call *call);
int insp_do_space_destroy(struct insp_call *call);
int insp_do_read(struct insp_call *call);
int insp_do_trace_start(struct insp_call *call);
int insp_do_trace_stop(struct insp_call *call);
int insp_do_sites(struct insp_call *call);
int insp_do_watch_start(struct insp_call *call);
int insp_do_watch_stop(struct insp_call *call);
int insp_do_workload(struct insp_call *call); /* detail: the op */
int insp_do_fault(struct insp_call *call);
int insp_do_later(struct insp_call *call); /* detail: the op */

/* ---- link.c ---- */

/* Begins and ends a record in link->out. */
void insp_record_begin(struct insp_link *link, struct insp_writer *w);
bool insp_record_end(struct insp_link *link, struct insp_writer *w);
/* Gives the line what it takes; true when nothing is left. */
bool insp_link_drain(struct insp_link *link);
/* Answers one request of what was received; false when there was none. */
bool insp_link_answer(struct insp_link *link);
void insp_session_start(struct insp_link *link);
bool insp_link_check(const struct insp_link *link, char *why, size_t size);

/* ---- events.c ---- */

void insp_events_init(struct insp *insp);
/* Makes room for further events; true when the port has to be told, by INSP_OP_LISTEN. */
bool insp_events_grant(struct insp *insp);
/* Telling `count` of them took so long. */
void insp_events_cost(struct insp *insp, uint64_t told_us, uint32_t count);
/* How many of the wanted kinds were left out beyond what `seen` (INSP_EV_OPS of them) says; moves
 * `seen` on. */
uint64_t insp_take_missed(const struct insp *insp, uint64_t *seen, uint32_t wanted);

/* ---- watch.c ---- */

/* Tells the port which events are wanted. */
enum insp_status insp_listen_update(struct insp *insp);
void insp_watches_end(struct insp_link *link);
/* Sends what is due; returns when it wants to be called again. */
uint64_t insp_watch_poll(struct insp_link *link, uint64_t now_us, uint32_t *budget);
bool insp_watch_check(const struct insp_link *link, char *why, size_t size);

#endif
