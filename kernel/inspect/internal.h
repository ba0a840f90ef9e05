/*
 * Private to kernel/inspect: what its files give each other. Ordered from the bottom up: text,
 * JSON, tables of fields and parameters, calls, lists, links, watches.
 */
#ifndef INSPECT_INTERNAL_H
#define INSPECT_INTERNAL_H

#include <inspect/inspect.h>
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

/* ---- writer.c: bounded JSON text ---- */

void insp_w_init(struct insp_writer *w, char *buf, size_t size);
void insp_w_raw(struct insp_writer *w, const char *text, size_t len); /* no comma logic */
void insp_w_open(struct insp_writer *w, char bracket);		      /* '{' or '[' as a value */
void insp_w_close(struct insp_writer *w, char bracket);
void insp_w_key(struct insp_writer *w, const char *name);
void insp_w_u64(struct insp_writer *w, uint64_t value);
void insp_w_i64(struct insp_writer *w, int64_t value);
void insp_w_hex(struct insp_writer *w, uint64_t value); /* "0x..." */
void insp_w_bool(struct insp_writer *w, bool value);
void insp_w_null(struct insp_writer *w);
/* A string; what is not valid UTF-8 becomes U+FFFD. */
void insp_w_text(struct insp_writer *w, const char *text, size_t len);
void insp_w_str(struct insp_writer *w, const char *text);
/* JSON text that is known to be right, as one value. */
void insp_w_value(struct insp_writer *w, const char *json, size_t len);
#define insp_w_literal(w, json) insp_w_value(w, json, sizeof(json) - 1)
/* Back to an earlier state of the same writer. */
static inline void insp_w_rollback(struct insp_writer *w, struct insp_writer mark)
{
	*w = mark;
}

/* Length of the valid UTF-8 sequence at p (1..4), 0 when there is none. */
size_t insp_utf8(const unsigned char *p, size_t len);

/* ---- reader.c: strict JSON ---- */

struct insp_json_error {
	const char *what; /* static; also tells the extra rules apart: see the INSP_X texts */
	uint32_t at;	  /* byte offset */
};
/* Rules beyond RFC 8259, each refused with its own text. */
extern const char INSP_X_DUPLICATE[], INSP_X_DEPTH[], INSP_X_TOKENS[], INSP_X_SURROGATE[],
	INSP_X_UTF8[];

/* Parses one JSON text that fills [text, text + len) but for white space. `text` must outlive
 * *json. Pure. */
bool insp_json_parse(struct insp_json *json, const char *text, size_t len,
		     struct insp_json_error *error);
/* The value of a member of object token `object`; NULL when there is none. */
const struct insp_token *insp_json_member(const struct insp_json *json,
					  const struct insp_token *object, const char *name);
bool insp_json_is(const struct insp_json *json, const struct insp_token *string, const char *text);
/* Decodes a string; SIZE_MAX when it does not fit. Not terminated. */
size_t insp_json_string(const struct insp_json *json, const struct insp_token *string, char *buf,
			size_t size);
/* A number without fraction and exponent in 0..2^64-1. */
bool insp_json_u64(const struct insp_json *json, const struct insp_token *number, uint64_t *value);
static inline uint32_t insp_json_index(const struct insp_json *json, const struct insp_token *token)
{
	return (uint32_t)(token - json->token);
}

/* ---- owned.c: what remote requests allocated ---- */

enum insp_owned { INSP_OWNED_OBJECT, INSP_OWNED_FRAME, INSP_OWNED_SPACE };
bool insp_owned_has(const struct insp *insp, enum insp_owned kind, uint64_t what);
bool insp_owned_room(const struct insp *insp, uint32_t count);
void insp_owned_add(struct insp *insp, enum insp_owned kind, uint64_t what);
void insp_owned_remove(struct insp *insp, enum insp_owned kind, uint64_t what);
bool insp_owned_check(const struct insp *insp, char *why, size_t size);

/* ---- ring.c: events, lock-free ---- */

void insp_ring_init(struct insp_ring *ring, struct insp_slot *slots, uint32_t count);
void insp_ring_put(struct insp_ring *ring, const struct insp_slot *event);
/* The event at *place or the oldest one behind it; moves *place on and adds what was lost to *lost.
 * False: none yet. */
bool insp_ring_get(const struct insp_ring *ring, uint64_t *place, struct insp_slot *event,
		   uint64_t *lost);
uint64_t insp_ring_head(const struct insp_ring *ring);

/* ---- tables of results ---- */

struct insp_call;

enum insp_field_type {
	INSP_FT_U64,
	INSP_FT_U32,
	INSP_FT_BOOL,
	INSP_FT_HEX,	  /* uint64_t as "0x..." */
	INSP_FT_ADDR,	  /* likewise, INSP_NONE is null */
	INSP_FT_ADDR_IF,  /* likewise, INSP_NONE leaves the member out */
	INSP_FT_TEXT,	  /* char array */
	INSP_FT_WORD,	  /* uint32_t, an index into words */
	INSP_FT_ATTRS,	  /* uint32_t mask as an array of words */
	INSP_FT_RIGHTS,	  /* uint32_t INSP_MAP_* as letters */
	INSP_FT_ZONE,	  /* uint32_t zone index as its name, or null */
	INSP_FT_AGE_IF,	  /* uint64_t birth as an age; INSP_NONE leaves it out */
	INSP_FT_SYMBOL,	  /* uint64_t site as "name+0x12"; left out when there is no symbol */
	INSP_FT_USED,	  /* struct insp_slab: [[first,count],...] */
	INSP_FT_STATE,	  /* struct insp_object: used or free */
	INSP_FT_SETTINGS, /* struct insp_workload: its parameters */
	INSP_FT_PLAIN,	  /* struct insp_text as the bare string */
	INSP_FT_GEN,	  /* of the call */
	INSP_FT_NEXT,	  /* cursor of the call, or null */
	/* Written by their handlers; the table tells their shape. */
	INSP_FT_LIST,	     /* array of objects `sub`; of bare values when sub has no name */
	INSP_FT_GROUP,	     /* object `sub` */
	INSP_FT_WORDS,	     /* array of words */
	INSP_FT_STRING,	     /* string */
	INSP_FT_STRING_NULL, /* string or null */
	INSP_FT_NUMBER,	     /* whole number */
	INSP_FT_NUMBER_NULL,
	INSP_FT_DONE_HEX,
	INSP_FT_DONE_HEX_NULL,
	INSP_FT_DONE_BOOL,
	INSP_FT_DOCUMENT, /* any JSON */
	INSP_FIELD_TYPES
};

struct insp_field {
	const char *name; /* NULL ends a table */
	uint8_t type;
	bool optional; /* may be left out of the result */
	uint16_t offset;
	const char *meaning;
	const struct insp_field *sub;
	const char *const *words;
	uint32_t word_count;
};

#define INSP_FIELD(name_, type_, ...)                                 \
	{                                                             \
		.name = name_, .type = INSP_FT_##type_, ##__VA_ARGS__ \
	}
#define INSP_FIELDS_END      \
	{                    \
		.name = NULL \
	}

/* Writes the members that `fields` name, from the struct at `from`. */
void insp_put_fields(struct insp_call *call, const struct insp_field *fields, const void *from);
/* Only those that differ from `old`; `key` (may be NULL) is written always. Returns how many
 * differed. */
uint32_t insp_put_changed(struct insp_call *call, const struct insp_field *fields, const void *from,
			  const void *old, const char *key);
/* The JSON Schema of an object with these fields. */
void insp_put_schema(struct insp_writer *w, const struct insp_field *fields);

/* ---- tables of parameters ---- */

enum insp_param_type {
	INSP_PT_UINT, /* min..max */
	INSP_PT_ADDR, /* "0x..." */
	INSP_PT_BOOL,
	INSP_PT_WORD,	/* one of words */
	INSP_PT_WORDS,	/* array of words, as a mask */
	INSP_PT_ZONE,	/* a zone's name, as its index in insp->zone */
	INSP_PT_RIGHTS, /* letters w x u g t c */
	INSP_PT_TEXT,	/* min..max bytes of printable text */
	INSP_PT_CURSOR,
	INSP_PT_SETTINGS, /* object of whole numbers */
	INSP_PARAM_TYPES
};

struct insp_param {
	const char *name;
	uint8_t type;
	bool optional;
	uint64_t min, max;
	const char *meaning;
	const char *const *words;
	uint32_t word_count;
};
#define INSP_PARAM(name_, type_, ...)                                 \
	{                                                             \
		.name = name_, .type = INSP_PT_##type_, ##__VA_ARGS__ \
	}
#define INSP_PARAMS_MAX 10

struct insp_arg {
	bool given;
	uint64_t u;			/* number, address, bool, index, mask */
	const struct insp_token *token; /* text, settings */
};

struct insp_call;
typedef int (*insp_handler)(struct insp_call *call); /* 0, or an INSP_E_ code, insp_fail()ed */

enum {
	INSP_MF_CHANGES = 1 << 0,     /* runs once per id of a session; refused after a panic */
	INSP_MF_AFTER_PANIC = 1 << 1, /* ... but not this one */
	INSP_MF_LINK = 1 << 2,	      /* needs a link (hello, watch.*) */
};

struct insp_method {
	const char *name, *summary;
	const struct insp_param *params;
	uint32_t param_count;
	const struct insp_field *result;
	enum insp_access access;
	uint32_t flags;
	insp_handler handler;
	const void *detail; /* the handler's own row */
};

/* All methods, sorted by name. */
extern const struct insp_method insp_methods[];
extern const uint32_t insp_method_count;
const struct insp_method *insp_method_find(const char *name, size_t len);
const struct insp_method *insp_method_nearest(const char *name, size_t len);

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

/* The OpenRPC document's method object of one row, and its head. */
void insp_put_method_doc(const struct insp *insp, struct insp_writer *w,
			 const struct insp_method *method);
void insp_put_document_head(struct insp_writer *w);

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

/* ---- watch.c ---- */

/* Tells the port which events are wanted. */
enum insp_status insp_listen_update(struct insp *insp);
void insp_watches_end(struct insp_link *link);
/* Sends what is due; returns when it wants to be called again. */
uint64_t insp_watch_poll(struct insp_link *link, uint64_t now_us, uint32_t *budget);
bool insp_watch_check(const struct insp_link *link, char *why, size_t size);

#endif
