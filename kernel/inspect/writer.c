/*
 * JSON text into a buffer of fixed size. Nothing is allocated and nothing recurs: the one bit of
 * state, `comma`, says whether a value stands before the place where we are. Text that does not fit
 * sets `full` and is dropped; callers mark a place with a copy of the writer and roll back to it.
 */
#include "internal.h"

#include <string.h>

void insp_w_init(struct insp_writer *w, char *buf, size_t size)
{
	*w = (struct insp_writer){.start = buf, .p = buf, .end = buf + size};
}

/* Room for len bytes, or NULL and full. */
static inline char *room(struct insp_writer *w, size_t len)
{
	if (__builtin_expect(w->full || (size_t)(w->end - w->p) < len, 0)) {
		w->full = true;
		return NULL;
	}
	return w->p;
}

void insp_w_raw(struct insp_writer *w, const char *text, size_t len)
{
	char *p = room(w, len);

	if (p) {
		memcpy(p, text, len);
		w->p = p + len;
	}
}

/* Room for a value of at most len bytes, with the comma before it written. */
static inline char *value_room(struct insp_writer *w, size_t len)
{
	char *p = room(w, len + 1);

	if (p && w->comma)
		*p++ = ',';
	w->comma = true;
	return p;
}

void insp_w_value(struct insp_writer *w, const char *json, size_t len)
{
	char *p = value_room(w, len);

	if (p) {
		memcpy(p, json, len);
		w->p = p + len;
	}
}

void insp_w_open(struct insp_writer *w, char bracket)
{
	insp_w_value(w, &bracket, 1);
	w->comma = false;
}

void insp_w_close(struct insp_writer *w, char bracket)
{
	insp_w_raw(w, &bracket, 1);
	w->comma = true;
}

void insp_w_key(struct insp_writer *w, const char *name)
{
	size_t len = strlen(name);
	char *p = value_room(w, len + 3);

	if (p) {
		*p++ = '"';
		/* A quote follows, no terminator.
		 * NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
		memcpy(p, name, len);
		p += len;
		*p++ = '"';
		*p++ = ':';
		w->p = p;
	}
	w->comma = false;
}

void insp_w_u64(struct insp_writer *w, uint64_t value)
{
	char *p = value_room(w, 20);

	if (p)
		w->p = p + insp_decimal(p, value);
}

void insp_w_i64(struct insp_writer *w, int64_t value)
{
	char *p = value_room(w, 21);

	if (p) {
		if (value < 0)
			*p++ = '-';
		w->p = p + insp_decimal(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	}
}

void insp_w_hex(struct insp_writer *w, uint64_t value)
{
	char *p = value_room(w, 20);

	if (p) {
		*p++ = '"';
		*p++ = '0';
		*p++ = 'x';
		p += insp_hex(p, value);
		*p++ = '"';
		w->p = p;
	}
}

void insp_w_bool(struct insp_writer *w, bool value)
{
	insp_w_value(w, value ? "true" : "false", value ? 4 : 5);
}

void insp_w_null(struct insp_writer *w)
{
	insp_w_literal(w, "null");
}

static bool continues(const unsigned char *p, size_t count)
{
	for (size_t i = 1; i <= count; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Table 3-7 of the Unicode Standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t insp_utf8(const unsigned char *p, size_t len)
{
	unsigned char c = p[0];

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (c < 0xe0)
		return len >= 2 && continues(p, 1) ? 2 : 0;
	if (c < 0xf0) {
		if (len < 3 || !continues(p, 2) || (c == 0xe0 && p[1] < 0xa0) ||
		    (c == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (len < 4 || !continues(p, 3) || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return 4;
}

/* The escape of one byte below 0x20, '"' or '\\'. */
static void escape(struct insp_writer *w, unsigned char c)
{
	static const char named[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	char text[6] = {'\\', (char)c};

	if (c == '"' || c == '\\') {
		insp_w_raw(w, text, 2);
	} else if (named[c]) {
		text[1] = named[c];
		insp_w_raw(w, text, 2);
	} else {
		text[1] = 'u';
		text[2] = text[3] = '0';
		text[4] = (char)('0' + (c >> 4));
		text[5] = "0123456789abcdef"[c & 15];
		insp_w_raw(w, text, 6);
	}
}

void insp_w_text(struct insp_writer *w, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	insp_w_value(w, "\"", 1);
	while (len) {
		size_t n = 0;
		while (n < len && p[n] >= 0x20 && p[n] < 0x80 && p[n] != '"' && p[n] != '\\')
			n++;
		insp_w_raw(w, (const char *)p, n);
		p += n;
		len -= n;
		if (!len)
			break;
		n = insp_utf8(p, len);
		if (n == 1)
			escape(w, *p);
		else if (n)
			insp_w_raw(w, (const char *)p, n);
		else
			insp_w_raw(w, "\xef\xbf\xbd", 3);
		n = n ? n : 1;
		p += n;
		len -= n;
	}
	insp_w_raw(w, "\"", 1);
}

void insp_w_str(struct insp_writer *w, const char *text)
{
	insp_w_text(w, text, strlen(text));
}
