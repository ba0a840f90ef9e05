/* Reading a recording; see <memviz/recording.h> for its form. */
#include <inttypes.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/recording.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536
/* Files up to this size are read through when they are opened, so that damage is
 * told at once; of larger ones the index is believed until a read meets damage. */
#define SCAN_FILE_BYTES (2u << 20)

struct keyframe {
	uint64_t time_us, offset;
};

struct mv_recording {
	struct mv_stream *stream;
	struct mv_reader *reader;
	uint64_t origin; /* stream offset where the reader began */
	struct json_object *header;
	uint64_t header_end;
	struct keyframe *keyframes;
	size_t keyframe_count, keyframe_capacity;
	uint64_t first_us, last_us;
	uint64_t time_us; /* of the entries that come now */
	bool ended;	  /* the index was met */
	bool damaged;
	uint64_t damage_offset;
	char damage[200];
	bool stream_end;
};

static void damage(struct mv_recording *r, uint64_t offset, const char *what)
{
	if (r->damaged)
		return;
	r->damaged = true;
	r->damage_offset = offset;
	const char *deeper = mv_stream_damage(r->stream);
	if (deeper)
		snprintf(r->damage, sizeof r->damage, "damaged after byte %" PRIu64 ": %s", offset,
			 deeper);
	else
		snprintf(r->damage, sizeof r->damage, "damaged at byte %" PRIu64 ": %s", offset,
			 what);
}

/* The next good record of any kind; false at the end or at damage. */
static bool next_record(struct mv_recording *r, struct mv_record *out)
{
	char chunk[CHUNK];
	for (;;) {
		while (mv_reader_next(r->reader, out)) {
			out->offset += r->origin;
			if (out->kind == MV_RECORD_GOOD)
				return true;
			damage(r, out->offset,
			       out->kind == MV_RECORD_BAD_CRC ? "a record's CRC is wrong"
			       : out->kind == MV_RECORD_TEXT  ? "bytes outside of any record"
							      : "a broken record");
			return false;
		}
		size_t n = mv_stream_read(r->stream, chunk, sizeof chunk);
		if (!n)
			break;
		mv_reader_feed(r->reader, chunk, n);
	}
	r->stream_end = true;
	return false;
}

static void start_at(struct mv_recording *r, uint64_t offset)
{
	mv_reader_free(r->reader);
	r->reader = mv_reader_new(false, true);
	r->origin = offset;
	r->ended = r->stream_end = false;
	mv_stream_seek(r->stream, offset);
}

static void add_keyframe(struct mv_recording *r, uint64_t time_us, uint64_t offset)
{
	if (r->keyframe_count && r->keyframes[r->keyframe_count - 1].offset >= offset)
		return;
	mv_grow(&r->keyframes, &r->keyframe_capacity, r->keyframe_count + 1, sizeof *r->keyframes);
	r->keyframes[r->keyframe_count++] = (struct keyframe){time_us, offset};
}

/* Our own records carry "memviz" first; others are the kernel's. */
static bool is_own(const struct mv_record *rec)
{
	static const char head[] = "{\"memviz\":\"";
	return rec->len > sizeof head && memcmp(rec->json, head, sizeof head - 1) == 0;
}

/* "t_us":N inside our own record, without parsing a whole keyframe. */
static bool own_field(const struct mv_record *rec, const char *kind, uint64_t *t_us)
{
	char head[40];
	size_t n = (size_t)snprintf(head, sizeof head, "{\"memviz\":\"%s\",\"t_us\":", kind);
	if (rec->len <= n || memcmp(rec->json, head, n) != 0)
		return false;
	uint64_t v = 0;
	size_t i = n;
	for (; i < rec->len && rec->json[i] >= '0' && rec->json[i] <= '9' && i < n + 19; i++)
		v = v * 10 + (uint64_t)(rec->json[i] - '0');
	*t_us = v;
	return i > n;
}

bool mv_recording_next(struct mv_recording *r, struct mv_entry *out)
{
	struct mv_record rec;
	while (!r->ended && next_record(r, &rec)) {
		uint64_t t;
		*out = (struct mv_entry){.json = rec.json, .len = rec.len, .offset = rec.offset};
		if (!is_own(&rec)) {
			out->kind = MV_ENTRY_RECORD;
			out->time_us = r->time_us;
			return true;
		}
		if (own_field(&rec, "time", &t)) {
			r->time_us = t;
		} else if (own_field(&rec, "keyframe", &t)) {
			out->kind = MV_ENTRY_KEYFRAME;
			out->time_us = r->time_us = t;
			return true;
		} else if (own_field(&rec, "answer", &t)) {
			out->kind = MV_ENTRY_ANSWER;
			out->time_us = r->time_us = t;
			return true;
		} else if (rec.len > 18 && memcmp(rec.json, "{\"memviz\":\"index\"", 17) == 0) {
			r->ended = true;
		}
	}
	if (!r->ended && r->stream_end && !r->damaged)
		damage(r, mv_stream_size(r->stream),
		       "it ends without its index: it was cut off or never closed");
	return false;
}

static bool read_header(struct mv_recording *r, const char *path, struct mv_error *e)
{
	struct mv_record rec;
	start_at(r, 0);
	struct json_object *o = next_record(r, &rec) ? mv_json_parse(rec.json, rec.len, NULL)
						     : NULL;
	const char *kind = mv_json_str(o, "memviz");
	int64_t version;
	if (!kind || strcmp(kind, "recording") != 0) {
		json_object_put(o);
		mv_fail(e, MV_DAMAGED,
			"%s: not a recording: it does not begin with the header "
			"record of one (byte 0)",
			path);
		return false;
	}
	if (!mv_json_i64(o, "version", &version) || version != 1) {
		json_object_put(o);
		mv_fail(e, MV_DAMAGED, "%s: a recording of a version that this memviz cannot read",
			path);
		return false;
	}
	r->header = o;
	r->header_end = rec.offset + rec.len + 2;
	mv_json_u64(o, "t_us", &r->first_us);
	r->last_us = r->first_us;
	r->time_us = r->first_us;
	return true;
}

static bool take_index(struct mv_recording *r, struct json_object *o)
{
	struct json_object *list = mv_json_array(o, "keyframes");
	const char *kind = mv_json_str(o, "memviz");
	uint64_t last;
	if (!kind || strcmp(kind, "index") != 0 || !list || !mv_json_u64(o, "t_us", &last) ||
	    !json_object_array_length(list))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		if (!json_object_is_type(pair, json_type_array) ||
		    json_object_array_length(pair) != 2) {
			r->keyframe_count = 0;
			return false;
		}
		add_keyframe(r, json_object_get_uint64(json_object_array_get_idx(pair, 0)),
			     json_object_get_uint64(json_object_array_get_idx(pair, 1)));
	}
	r->first_us = r->keyframes[0].time_us;
	r->last_us = last;
	return true;
}

/* The last record of the file, when it is an index. */
static bool find_index(struct mv_recording *r)
{
	uint64_t size = mv_stream_size(r->stream);
	for (uint64_t tail = 4096; tail <= MV_RECORD_MAX; tail *= 4) {
		uint64_t from = size > tail ? size - tail : 0;
		size_t want = (size_t)(size - from), got = 0;
		char *text = mv_alloc(want + 1);
		mv_stream_seek(r->stream, from);
		while (got < want) {
			size_t n = mv_stream_read(r->stream, text + got, want - got);
			if (!n)
				break;
			got += n;
		}
		char *rs = memrchr(text, MV_RS, got);
		bool found = false;
		if (rs && got == want) {
			size_t len = got - (size_t)(rs + 1 - text);
			while (len && rs[len] == '\n')
				len--;
			struct json_object *o = mv_record_crc(rs + 1, len)
							? mv_json_parse(rs + 1, len, NULL)
							: NULL;
			found = o && take_index(r, o);
			json_object_put(o);
		}
		free(text);
		if (rs || !from)
			return found;
	}
	return false;
}

/* Reads all from the start, collecting keyframes and the time it ends. */
static void scan(struct mv_recording *r)
{
	struct mv_entry entry;
	bool any = r->keyframe_count > 0;
	start_at(r, r->header_end);
	r->time_us = r->first_us;
	uint64_t last = r->time_us;
	while (mv_recording_next(r, &entry)) {
		if (entry.kind == MV_ENTRY_KEYFRAME)
			add_keyframe(r, entry.time_us, entry.offset);
		if (entry.time_us > last)
			last = entry.time_us;
	}
	if (r->damaged || !any)
		r->last_us = last;
	/* Keyframes beyond the damage cannot be trusted to follow from it. */
	while (r->damaged && r->keyframe_count &&
	       r->keyframes[r->keyframe_count - 1].offset >= r->damage_offset)
		r->keyframe_count--;
}

struct mv_recording *mv_recording_open(const char *path, struct mv_error *e)
{
	struct mv_stream *stream = mv_stream_open(path, e);
	if (!stream)
		return NULL;
	struct mv_recording *r = mv_alloc(sizeof *r);
	r->stream = stream;
	if (!read_header(r, path, e)) {
		mv_recording_close(r);
		return NULL;
	}
	bool indexed = !mv_stream_damage(stream) && find_index(r);
	if (!indexed || mv_stream_size(stream) <= SCAN_FILE_BYTES)
		scan(r);
	mv_recording_rewind(r, 0);
	return r;
}

void mv_recording_close(struct mv_recording *r)
{
	if (!r)
		return;
	mv_stream_close(r->stream);
	mv_reader_free(r->reader);
	json_object_put(r->header);
	free(r->keyframes);
	free(r);
}

void mv_recording_verify(struct mv_recording *r)
{
	scan(r);
	mv_recording_rewind(r, 0);
}

struct json_object *mv_recording_header(const struct mv_recording *r)
{
	return r->header;
}

uint64_t mv_recording_first_us(const struct mv_recording *r)
{
	return r->first_us;
}

uint64_t mv_recording_last_us(const struct mv_recording *r)
{
	return r->last_us;
}

size_t mv_recording_keyframes(const struct mv_recording *r)
{
	return r->keyframe_count;
}

uint64_t mv_recording_keyframe_us(const struct mv_recording *r, size_t i)
{
	return r->keyframes[i].time_us;
}

uint64_t mv_recording_keyframe_offset(const struct mv_recording *r, size_t i)
{
	return r->keyframes[i].offset;
}

size_t mv_recording_keyframe_before(const struct mv_recording *r, uint64_t time_us)
{
	size_t i = r->keyframe_count;
	while (i > 1 && r->keyframes[i - 1].time_us > time_us)
		i--;
	return i ? i - 1 : 0;
}

bool mv_recording_rewind(struct mv_recording *r, size_t keyframe)
{
	bool there = keyframe < r->keyframe_count;
	start_at(r, there ? r->keyframes[keyframe].offset : r->header_end);
	r->time_us = there ? r->keyframes[keyframe].time_us : r->first_us;
	return there;
}

const char *mv_recording_damage(const struct mv_recording *r, uint64_t *offset)
{
	if (offset)
		*offset = r->damage_offset;
	return r->damaged ? r->damage : NULL;
}
