/*
 * Recordings: RFC 7464 records in a file, .xz when the name ends so.
 *
 *	{"memviz":"recording","version":1,"tool":..,"target":..,"time":..,"t_us":N,"hello":{..}}
 *	{"memviz":"keyframe","t_us":N,"state":{..}}	state at that time (mv_model_keyframe)
 *	{"memviz":"time","t_us":N}			host time of the records after it
 *	{"jsonrpc":"2.0","method":"watch",..}		the kernel's records as they came
 *	{"memviz":"answer","t_us":N,"method":"mm.slabs","params":{..},"result":{..}}
 *		what a reading method told that no watch tells: mm.spaces, mm.slabs of each class,
 *		trace.sites, trace.leaks
 *	...
 *	{"memviz":"index","t_us":N,"records":N,"keyframes":[[t_us,offset],..]}
 *
 * A keyframe comes first, and again every MV_KEYFRAME_US or MV_KEYFRAME_BYTES;
 * in an .xz file each begins a block of its own, so that any time can be reached
 * by decoding one block. Offsets count uncompressed bytes. The index is the last
 * record; a file without it was cut off and is read from its start. Whatever is
 * good before the damage is shown, and the damage named.
 */
#ifndef MEMVIZ_RECORDING_H
#define MEMVIZ_RECORDING_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

#define MV_KEYFRAME_US	  20000000u
#define MV_KEYFRAME_BYTES (1u << 20)

/* ---- writing ---- */

struct mv_recorder;
/* Creates or overwrites `path`. `hello` may be NULL. NULL with `e` (MV_USAGE). */
struct mv_recorder *mv_recorder_open(const char *path, const char *target,
				     struct json_object *hello, uint64_t time_us,
				     struct mv_error *e);
/* True when the next record should come behind a fresh keyframe. */
bool mv_recorder_wants_keyframe(const struct mv_recorder *r, uint64_t time_us);
void mv_recorder_keyframe(struct mv_recorder *r, struct json_object *state, uint64_t time_us);
void mv_recorder_record(struct mv_recorder *r, const char *json, size_t len, uint64_t time_us);
/* An answer that changed the state or adds to it. `params` may be NULL. */
void mv_recorder_answer(struct mv_recorder *r, const char *method, struct json_object *params,
			struct json_object *result, uint64_t time_us);
uint64_t mv_recorder_bytes(const struct mv_recorder *r); /* in the file, about */
uint64_t mv_recorder_records(const struct mv_recorder *r);
/* Writes the index, closes and frees. MV_USAGE with `e` when anything since the
 * opening could not be written (disk full): the file then ends there. */
enum mv_status mv_recorder_close(struct mv_recorder *r, struct mv_error *e);

/* ---- reading ---- */

struct mv_recording;

enum mv_entry_kind { MV_ENTRY_KEYFRAME, MV_ENTRY_RECORD, MV_ENTRY_ANSWER };
struct mv_entry {
	enum mv_entry_kind kind;
	uint64_t time_us;
	uint64_t offset;
	const char *json; /* not terminated; valid until the next call */
	size_t len;
};

/* Opens and finds the index. NULL: MV_LINK when it is not there or cannot be
 * read, MV_DAMAGED when nothing in it is a recording. */
struct mv_recording *mv_recording_open(const char *path, struct mv_error *e);
void mv_recording_close(struct mv_recording *r);
/* The header record; borrowed. */
struct json_object *mv_recording_header(const struct mv_recording *r);
uint64_t mv_recording_first_us(const struct mv_recording *r);
uint64_t mv_recording_last_us(const struct mv_recording *r);
size_t mv_recording_keyframes(const struct mv_recording *r);
uint64_t mv_recording_keyframe_us(const struct mv_recording *r, size_t i);
uint64_t mv_recording_keyframe_offset(const struct mv_recording *r, size_t i);
/* Index of the last keyframe at or before `time_us`; 0 when there is none. */
size_t mv_recording_keyframe_before(const struct mv_recording *r, uint64_t time_us);
/* Goes to a keyframe (or to the first record, when there is none). */
bool mv_recording_rewind(struct mv_recording *r, size_t keyframe);
/* The next entry; false at the end or at the damage. */
bool mv_recording_next(struct mv_recording *r, struct mv_entry *out);
/* Reads everything once, so that all damage is known. */
void mv_recording_verify(struct mv_recording *r);
/* NULL while none was met; else one line that says where and what. */
const char *mv_recording_damage(const struct mv_recording *r, uint64_t *offset);

/* ---- the bytes of a file, plain or .xz, at any offset (also for traces) ---- */

struct mv_stream;
struct mv_stream *mv_stream_open(const char *path, struct mv_error *e);
void mv_stream_close(struct mv_stream *s);
/* Up to `len` bytes; 0 at the end or at damage (mv_stream_damage()). */
size_t mv_stream_read(struct mv_stream *s, void *out, size_t len);
bool mv_stream_seek(struct mv_stream *s, uint64_t offset);
/* Uncompressed; 0 when it is not known before the end was reached. */
uint64_t mv_stream_size(const struct mv_stream *s);
const char *mv_stream_damage(const struct mv_stream *s);

#endif
