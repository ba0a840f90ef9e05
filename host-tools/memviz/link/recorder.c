/* Writing a recording; see <memviz/recording.h> for its form. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <lzma.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/recording.h>
#include <memviz/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A small dictionary: a block is about a MiB, and memviz is to stay small. */
#define XZ_DICTIONARY (1u << 20)
/* After so long what was written can be read even if we are killed. */
#define FLUSH_US 2000000u

struct keyframe {
	uint64_t time_us, offset;
};

struct mv_recorder {
	FILE *file;
	char path[256];
	bool xz, started;
	lzma_stream lz;
	int error; /* errno of the first failure */
	uint64_t offset, file_bytes, records;
	uint64_t time_us, flushed_us;
	struct keyframe *keyframes;
	size_t keyframe_count, keyframe_capacity;
};

static void put(struct mv_recorder *r, const void *bytes, size_t len)
{
	if (r->error || !len)
		return;
	if (fwrite(bytes, 1, len, r->file) != len)
		r->error = errno ? errno : EIO;
	r->file_bytes += len;
}

static void code(struct mv_recorder *r, const void *bytes, size_t len, lzma_action action)
{
	uint8_t out[16384] = {0};
	lzma_ret ret;
	r->lz.next_in = bytes;
	r->lz.avail_in = len;
	do {
		r->lz.next_out = out;
		r->lz.avail_out = sizeof out;
		ret = lzma_code(&r->lz, action);
		put(r, out, sizeof out - r->lz.avail_out);
		if (ret != LZMA_OK && ret != LZMA_STREAM_END && !r->error)
			r->error = EIO;
	} while (!r->error && ret == LZMA_OK &&
		 (r->lz.avail_in || !r->lz.avail_out || action != LZMA_RUN));
}

static void emit(struct mv_recorder *r, const void *bytes, size_t len)
{
	r->offset += len;
	if (r->xz)
		code(r, bytes, len, LZMA_RUN);
	else
		put(r, bytes, len);
}

/* One of our own records, sealed. Takes `o` over. */
static void emit_own(struct mv_recorder *r, struct json_object *o)
{
	const char *text = mv_json_line(o);
	size_t len;
	char *sealed = mv_record_seal(text, strlen(text), &len);
	emit(r, sealed, len);
	free(sealed);
	json_object_put(o);
}

static struct json_object *own(const char *kind)
{
	struct json_object *o = json_object_new_object();
	mv_json_add_str(o, "memviz", kind);
	return o;
}

static bool begin_xz(struct mv_recorder *r)
{
	lzma_options_lzma options;
	if (lzma_lzma_preset(&options, 3))
		return false;
	options.dict_size = XZ_DICTIONARY;
	lzma_filter filters[] = {
		{.id = LZMA_FILTER_LZMA2, .options = &options},
		{.id = LZMA_VLI_UNKNOWN		       }
	};
	return lzma_stream_encoder(&r->lz, filters, LZMA_CHECK_CRC32) == LZMA_OK;
}

static void emit_header(struct mv_recorder *r, const char *target, struct json_object *hello,
			uint64_t time_us)
{
	struct json_object *o = own("recording");
	char when[32] = "";
	time_t t = (time_t)(time_us / 1000000);
	struct tm tm;
	if (gmtime_r(&t, &tm))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_object_add(o, "version", json_object_new_int(1));
	mv_json_add_str(o, "tool", "memviz " MV_VERSION);
	mv_json_add_str(o, "target", target);
	mv_json_add_str(o, "time", when);
	mv_json_add_u64(o, "t_us", time_us);
	json_object_object_add(o, "hello", hello ? json_object_get(hello) : NULL);
	emit_own(r, o);
}

struct mv_recorder *mv_recorder_open(const char *path, const char *target,
				     struct json_object *hello, uint64_t time_us,
				     struct mv_error *e)
{
	struct mv_recorder *r = mv_alloc(sizeof *r);
	size_t n = strlen(path);
	r->lz = (lzma_stream)LZMA_STREAM_INIT;
	r->xz = n > 3 && strcmp(path + n - 3, ".xz") == 0;
	mv_copy(r->path, sizeof r->path, path);
	r->file = fopen(path, "we");
	if (!r->file || (r->xz && !begin_xz(r))) {
		mv_fail(e, MV_USAGE, "%s: %s", path, r->file ? "xz cannot begin" : strerror(errno));
		if (r->file)
			fclose(r->file);
		free(r);
		return NULL;
	}
	r->time_us = r->flushed_us = time_us;
	emit_header(r, target, hello, time_us);
	return r;
}

bool mv_recorder_wants_keyframe(const struct mv_recorder *r, uint64_t time_us)
{
	if (!r->keyframe_count)
		return true;
	const struct keyframe *k = &r->keyframes[r->keyframe_count - 1];
	return time_us >= k->time_us + MV_KEYFRAME_US || r->offset >= k->offset + MV_KEYFRAME_BYTES;
}

/* A record is written after the answer that it carried, with the time at which it came: the file's
 * time does not go back for that. */
static uint64_t not_before(const struct mv_recorder *r, uint64_t time_us)
{
	return time_us > r->time_us ? time_us : r->time_us;
}

void mv_recorder_keyframe(struct mv_recorder *r, struct json_object *state, uint64_t time_us)
{
	time_us = not_before(r, time_us);
	if (r->xz)
		code(r, NULL, 0, LZMA_FULL_FLUSH);
	mv_grow(&r->keyframes, &r->keyframe_capacity, r->keyframe_count + 1, sizeof *r->keyframes);
	r->keyframes[r->keyframe_count++] = (struct keyframe){time_us, r->offset};
	struct json_object *o = own("keyframe");
	mv_json_add_u64(o, "t_us", time_us);
	json_object_object_add(o, "state", json_object_get(state));
	emit_own(r, o);
	r->time_us = time_us;
}

static void flush_now_and_then(struct mv_recorder *r, uint64_t time_us)
{
	if (time_us < r->flushed_us + FLUSH_US)
		return;
	r->flushed_us = time_us;
	if (r->xz)
		code(r, NULL, 0, LZMA_SYNC_FLUSH);
	if (fflush(r->file) != 0 && !r->error)
		r->error = errno;
}

void mv_recorder_record(struct mv_recorder *r, const char *json, size_t len, uint64_t time_us)
{
	time_us = not_before(r, time_us);
	if (time_us / 1000 != r->time_us / 1000) {
		struct json_object *o = own("time");
		mv_json_add_u64(o, "t_us", time_us);
		emit_own(r, o);
		r->time_us = time_us;
	}
	emit(r, "\x1e", 1);
	emit(r, json, len);
	emit(r, "\n", 1);
	r->records++;
	flush_now_and_then(r, time_us);
}

void mv_recorder_answer(struct mv_recorder *r, const char *method, struct json_object *params,
			struct json_object *result, uint64_t time_us)
{
	struct json_object *o = own("answer");
	time_us = not_before(r, time_us);
	mv_json_add_u64(o, "t_us", time_us);
	mv_json_add_str(o, "method", method);
	if (params)
		json_object_object_add(o, "params", json_object_get(params));
	json_object_object_add(o, "result", json_object_get(result));
	emit_own(r, o);
	r->time_us = time_us;
}

uint64_t mv_recorder_bytes(const struct mv_recorder *r)
{
	return r->file_bytes;
}

uint64_t mv_recorder_records(const struct mv_recorder *r)
{
	return r->records;
}

static void emit_index(struct mv_recorder *r)
{
	/* A block of its own: opening a recording decodes only this. */
	if (r->xz)
		code(r, NULL, 0, LZMA_FULL_FLUSH);
	struct json_object *o = own("index"), *list = json_object_new_array();
	mv_json_add_u64(o, "t_us", r->time_us);
	mv_json_add_u64(o, "records", r->records);
	json_object_object_add(o, "keyframes", list);
	for (size_t i = 0; i < r->keyframe_count; i++) {
		struct json_object *pair = json_object_new_array_ext(2);
		json_object_array_add(pair, json_object_new_uint64(r->keyframes[i].time_us));
		json_object_array_add(pair, json_object_new_uint64(r->keyframes[i].offset));
		json_object_array_add(list, pair);
	}
	emit_own(r, o);
}

enum mv_status mv_recorder_close(struct mv_recorder *r, struct mv_error *e)
{
	emit_index(r);
	if (r->xz)
		code(r, NULL, 0, LZMA_FINISH);
	lzma_end(&r->lz);
	if (fclose(r->file) != 0 && !r->error)
		r->error = errno;
	enum mv_status st = MV_OK;
	if (r->error)
		st = mv_fail(e, MV_USAGE, "%s: the recording could not be written: %s", r->path,
			     strerror(r->error));
	free(r->keyframes);
	free(r);
	return st;
}
