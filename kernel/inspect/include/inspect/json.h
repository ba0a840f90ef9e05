/*
 * JSON without allocation and without recursion: a bounded writer and a strict reader. Pure
 * functions over the caller's memory; any context.
 */
#ifndef INSPECT_JSON_H
#define INSPECT_JSON_H

#include <inspect/state.h>

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

#endif
