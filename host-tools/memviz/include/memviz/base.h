/*
 * Small things that every layer of memviz needs: memory that cannot fail,
 * growing text, clocks, and strict access to JSON members.
 */
#ifndef MEMVIZ_BASE_H
#define MEMVIZ_BASE_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* ---- memory: these end the program with a line on stderr when it is out ---- */

void *mv_alloc(size_t bytes); /* zeroed */
void *mv_realloc(void *p, size_t bytes);
char *mv_strdup(const char *text);
/* Grows `*array` (element `size` bytes) so that `want` elements fit. */
void mv_grow(void *array, size_t *capacity, size_t want, size_t size);

/* Size of a file; 0 when there is none. */
uint64_t mv_file_bytes(const char *path);
/* Copies at most size - 1 bytes, always terminates. True: nothing was cut. */
bool mv_copy(char *out, size_t size, const char *text);

/* ---- growing text ---- */

struct mv_buf {
	char *data; /* terminated whenever it is not NULL */
	size_t len;
	size_t capacity;
};
void mv_buf_add(struct mv_buf *b, const void *bytes, size_t len);
void mv_buf_text(struct mv_buf *b, const char *text);
void mv_buf_printf(struct mv_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first `len` bytes. */
void mv_buf_consume(struct mv_buf *b, size_t len);
void mv_buf_free(struct mv_buf *b);

/* ---- clocks ---- */

uint64_t mv_now_us(void);  /* CLOCK_MONOTONIC */
uint64_t mv_wall_us(void); /* CLOCK_REALTIME */

/* ---- JSON ---- */

/* Parses one complete text, strictly; NULL when it is not one. The caller owns
 * the result. `e` (may be NULL) says what and where. */
struct json_object *mv_json_parse(const char *text, size_t len, struct mv_error *e);
/* One line, no spaces, `/` not escaped; the object's own buffer. */
const char *mv_json_line(struct json_object *o);

/* Members. The get_ functions return false when the member is missing or of
 * another type, and leave *out alone. */
bool mv_json_u64(struct json_object *o, const char *key, uint64_t *out);
bool mv_json_i64(struct json_object *o, const char *key, int64_t *out);
bool mv_json_flag(struct json_object *o, const char *key, bool *out);
bool mv_json_hex(struct json_object *o, const char *key, uint64_t *out);   /* "0x..." */
const char *mv_json_str(struct json_object *o, const char *key);	   /* NULL: none */
struct json_object *mv_json_get(struct json_object *o, const char *key);   /* any; NULL */
struct json_object *mv_json_array(struct json_object *o, const char *key); /* NULL: none */
struct json_object *mv_json_obj(struct json_object *o, const char *key);   /* NULL: none */
void mv_json_add_hex(struct json_object *o, const char *key, uint64_t value);
void mv_json_add_u64(struct json_object *o, const char *key, uint64_t value);
void mv_json_add_str(struct json_object *o, const char *key, const char *text);

#endif
