/*
 * Bytes to records. A record is RS, text, LF; whatever stands between an LF and
 * the next RS is console text. After any loss the reader is right again at the
 * next RS, which is the reason for RFC 7464.
 */
#include <memviz/base.h>
#include <memviz/link.h>
#include <stdlib.h>
#include <string.h>

struct mv_reader {
	bool need_crc, need_rs;
	bool skipping; /* inside an overlong record: wait for the next RS */
	struct mv_buf in;
	size_t start;	/* first byte not yet handed out */
	size_t scanned; /* bytes from start known to hold no RS or LF */
	uint64_t base;	/* stream offset of in.data[0] */
};

struct mv_reader *mv_reader_new(bool need_crc, bool need_rs)
{
	struct mv_reader *r = mv_alloc(sizeof *r);
	r->need_crc = need_crc;
	r->need_rs = need_rs;
	return r;
}

void mv_reader_free(struct mv_reader *r)
{
	if (!r)
		return;
	mv_buf_free(&r->in);
	free(r);
}

void mv_reader_reset(struct mv_reader *r)
{
	r->base += r->in.len;
	r->in.len = r->start = r->scanned = 0;
	r->skipping = false;
}

static void compact(struct mv_reader *r)
{
	r->base += r->start;
	mv_buf_consume(&r->in, r->start);
	r->start = 0;
}

void mv_reader_feed(struct mv_reader *r, const void *bytes, size_t len)
{
	/* Moving the rest down costs little when it is done rarely or is small. */
	if (r->start == r->in.len || r->start > 65536)
		compact(r);
	mv_buf_add(&r->in, bytes, len);
}

size_t mv_reader_pending(const struct mv_reader *r)
{
	return r->in.len - r->start;
}

/* Hands out `len` bytes from start as `kind` and steps over `step` bytes. */
static bool emit(struct mv_reader *r, struct mv_record *out, enum mv_record_kind kind, size_t skip,
		 size_t len, size_t step)
{
	*out = (struct mv_record){.kind = kind,
				  .json = r->in.data + r->start + skip,
				  .len = len,
				  .offset = r->base + r->start};
	r->start += step;
	r->scanned = 0;
	return true;
}

static enum mv_record_kind judge(const struct mv_reader *r, const char *json, size_t len)
{
	if (!r->need_rs && len >= 2 && json[0] == '[' && json[len - 1] == ']')
		return MV_RECORD_GOOD; /* a batch; it has no crc */
	if (len < 2 || json[0] != '{' || json[len - 1] != '}')
		return MV_RECORD_BROKEN;
	int crc = mv_record_crc(json, len);
	if (crc == 0 || (crc < 0 && r->need_crc))
		return MV_RECORD_BAD_CRC;
	return MV_RECORD_GOOD;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\r' || c == '\t';
}

/* A whole line `skip` bytes after start, ending before an LF at `end`. */
static bool emit_line(struct mv_reader *r, struct mv_record *out, size_t skip, size_t end)
{
	const char *p = r->in.data + r->start;
	size_t from = skip, to = end;
	while (from < to && is_space(p[from]))
		from++;
	while (to > from && is_space(p[to - 1]))
		to--;
	return emit(r, out, judge(r, p + from, to - from), from, to - from, end + 1);
}

/* Position of the first RS or LF at or after `from`, or `len`. */
static size_t find_end(const char *p, size_t from, size_t len)
{
	const char *lf = memchr(p + from, '\n', len - from);
	size_t limit = lf ? (size_t)(lf - p) : len;
	const char *rs = memchr(p + from, MV_RS, limit - from);
	return rs ? (size_t)(rs - p) : limit;
}

/* Inside a record: start points at its RS (or at `{` when RS may be missing). */
static bool next_in_record(struct mv_reader *r, struct mv_record *out, size_t skip)
{
	const char *p = r->in.data + r->start;
	size_t len = r->in.len - r->start;
	size_t from = r->scanned > skip ? r->scanned : skip;
	size_t end = find_end(p, from, len);
	if (end > MV_RECORD_MAX) {
		r->skipping = true;
		return emit(r, out, MV_RECORD_BROKEN, skip, 0, end < len ? end : len);
	}
	if (end == len) {
		r->scanned = len;
		return false;
	}
	if (p[end] == MV_RS)
		return emit(r, out, MV_RECORD_BROKEN, skip, end - skip, end);
	return emit_line(r, out, skip, end);
}

/* Outside: everything up to the next RS is text, given out as it comes. */
static bool next_text(struct mv_reader *r, struct mv_record *out)
{
	const char *p = r->in.data + r->start;
	size_t len = r->in.len - r->start;
	const char *rs = memchr(p, MV_RS, len);
	size_t end = rs ? (size_t)(rs - p) : len;
	if (!r->need_rs) {
		/* Line by line, so that a `{` at a line's begin is seen. */
		const char *lf = memchr(p, '\n', end);
		if (lf)
			end = (size_t)(lf - p) + 1;
		else if (!rs)
			return false;
	}
	return emit(r, out, MV_RECORD_TEXT, 0, end, end);
}

bool mv_reader_next(struct mv_reader *r, struct mv_record *out)
{
	while (r->start < r->in.len) {
		const char *p = r->in.data + r->start;
		size_t len = r->in.len - r->start;
		if (r->skipping) {
			const char *rs = memchr(p, MV_RS, len);
			r->start += rs ? (size_t)(rs - p) : len;
			r->skipping = !rs;
			continue;
		}
		if (p[0] == MV_RS)
			return next_in_record(r, out, 1);
		if (!r->need_rs && (p[0] == '{' || p[0] == '['))
			return next_in_record(r, out, 0);
		/* The LF that closed a record, or an empty line. */
		if (p[0] == '\n') {
			r->start++;
			continue;
		}
		if (!next_text(r, out))
			return false;
		return true;
	}
	return false;
}
