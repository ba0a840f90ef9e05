/*
 * A strict JSON reader: RFC 8259, and beyond it no duplicate keys, no lone surrogates, at most
 * INSP_DEPTH_MAX levels and INSP_TOKENS_MAX values and keys. One pass, no recursion, no allocation:
 * the values come out as an array of tokens in the order of the text, each with the index behind
 * its end, so that a reader can step over what it does not want.
 */
#include "internal.h"

#include <string.h>

const char INSP_X_DUPLICATE[] = "this key stands twice in its object";
const char INSP_X_DEPTH[] = "nested too deeply";
const char INSP_X_TOKENS[] = "too many values";
const char INSP_X_SURROGATE[] = "half a surrogate pair";
const char INSP_X_UTF8[] = "not UTF-8";

struct parser {
	struct insp_json *json;
	const unsigned char *s;
	uint32_t at, len;
	uint16_t open[INSP_DEPTH_MAX]; /* the containers we are in */
	uint32_t depth;
	struct insp_json_error *error;
};

static bool refuse(struct parser *p, uint32_t at, const char *what)
{
	p->error->what = what;
	p->error->at = at;
	return false;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->len &&
	       (p->s[p->at] == ' ' || (p->s[p->at] >= '\t' && p->s[p->at] <= '\r' &&
				       p->s[p->at] != '\v' && p->s[p->at] != '\f')))
		p->at++;
}

static struct insp_token *add(struct parser *p, enum insp_token_type type)
{
	if (p->json->count == INSP_TOKENS_MAX) {
		refuse(p, p->at, INSP_X_TOKENS);
		return NULL;
	}
	struct insp_token *t = &p->json->token[p->json->count++];
	*t = (struct insp_token){
		.type = (uint8_t)type, .after = (uint16_t)p->json->count, .start = p->at};
	return t;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u at s; -1 when they are not there. */
static int hex4(const unsigned char *s, size_t len)
{
	int v = 0;

	if (len < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(s[i]);
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static bool skip_unicode_escape(struct parser *p)
{
	int c = hex4(p->s + p->at + 2, p->len - p->at - 2);

	if (c < 0)
		return refuse(p, p->at, "\\u takes four hex digits");
	if (c >= 0xdc00 && c <= 0xdfff)
		return refuse(p, p->at, INSP_X_SURROGATE);
	if (c >= 0xd800 && c <= 0xdbff) {
		uint32_t low = p->at + 6;
		if (p->len - low < 6 || p->s[low] != '\\' || p->s[low + 1] != 'u')
			return refuse(p, p->at, INSP_X_SURROGATE);
		c = hex4(p->s + low + 2, p->len - low - 2);
		if (c < 0xdc00 || c > 0xdfff)
			return refuse(p, p->at, INSP_X_SURROGATE);
		p->at += 6;
	}
	p->at += 6;
	return true;
}

static bool skip_escape(struct parser *p)
{
	if (p->len - p->at < 2)
		return refuse(p, p->at, "the string does not end");
	switch (p->s[p->at + 1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		p->at += 2;
		return true;
	case 'u':
		return skip_unicode_escape(p);
	default:
		return refuse(p, p->at, "no such escape");
	}
}

/* Steps over what needs no second look: most of any text. */
static void skip_plain(struct parser *p)
{
	uint32_t at = p->at;

	while (at < p->len && p->s[at] >= 0x20 && p->s[at] < 0x80 && p->s[at] != '"' &&
	       p->s[at] != '\\')
		at++;
	p->at = at;
}

static bool read_string(struct parser *p)
{
	struct insp_token *t = add(p, INSP_T_STRING);

	if (!t)
		return false;
	t->start = ++p->at;
	for (;;) {
		skip_plain(p);
		if (p->at == p->len)
			break;
		unsigned char c = p->s[p->at];
		if (c == '"') {
			t->end = p->at++;
			return true;
		}
		if (c == '\\') {
			t->escaped = 1;
			if (!skip_escape(p))
				return false;
		} else if (c < 0x20) {
			return refuse(p, p->at, "control character in a string");
		} else {
			size_t n = insp_utf8(p->s + p->at, p->len - p->at);
			if (!n)
				return refuse(p, p->at, INSP_X_UTF8);
			p->at += (uint32_t)n;
		}
	}
	return refuse(p, t->start - 1, "the string does not end");
}

static bool digits(struct parser *p)
{
	uint32_t from = p->at;

	while (p->at < p->len && p->s[p->at] >= '0' && p->s[p->at] <= '9')
		p->at++;
	return p->at > from;
}

static bool read_number(struct parser *p)
{
	struct insp_token *t = add(p, INSP_T_NUMBER);

	if (!t)
		return false;
	if (p->s[p->at] == '-')
		p->at++;
	if (p->at < p->len && p->s[p->at] == '0')
		p->at++;
	else if (!digits(p))
		return refuse(p, t->start, "bad number");
	if (p->at < p->len && p->s[p->at] == '.') {
		p->at++;
		if (!digits(p))
			return refuse(p, t->start, "bad number");
	}
	if (p->at < p->len && (p->s[p->at] | 0x20) == 'e') {
		p->at++;
		if (p->at < p->len && (p->s[p->at] == '+' || p->s[p->at] == '-'))
			p->at++;
		if (!digits(p))
			return refuse(p, t->start, "bad number");
	}
	t->end = p->at;
	if (p->at < p->len && p->s[p->at] >= '0' && p->s[p->at] <= '9')
		return refuse(p, t->start, "a number with a leading zero");
	return true;
}

static bool read_literal(struct parser *p)
{
	static const struct {
		const char *text;
		uint32_t len;
		enum insp_token_type type;
	} literals[] = {
		{"true",	 4, INSP_T_TRUE },
		  {"false", 5, INSP_T_FALSE},
		      {"null",  4, INSP_T_NULL }
	      };

	for (size_t i = 0; i < INSP_COUNT(literals); i++) {
		if (p->len - p->at >= literals[i].len &&
		    !memcmp(p->s + p->at, literals[i].text, literals[i].len)) {
			struct insp_token *t = add(p, literals[i].type);
			if (!t)
				return false;
			p->at += literals[i].len;
			t->end = p->at;
			return true;
		}
	}
	return refuse(p, p->at, "expected a value");
}

static bool open_container(struct parser *p, enum insp_token_type type)
{
	if (p->depth == INSP_DEPTH_MAX)
		return refuse(p, p->at, INSP_X_DEPTH);
	if (!add(p, type))
		return false;
	p->open[p->depth++] = (uint16_t)(p->json->count - 1);
	p->at++;
	return true;
}

static struct insp_token *container(struct parser *p)
{
	return &p->json->token[p->open[p->depth - 1]];
}

static void close_container(struct parser *p)
{
	struct insp_token *t = container(p);

	t->end = ++p->at;
	t->after = (uint16_t)p->json->count;
	p->depth--;
}

/* Decodes one character of a checked string at *s; returns how many bytes went to out (1..4). */
static size_t decode(const unsigned char **s, unsigned char out[4])
{
	static const char plain[][2] = {
		{'b', '\b'},
		     {'f', '\f'},
		  {'n', '\n'},
		       {'r', '\r'},
		    {'t', '\t'}
	       };
	const unsigned char *p = *s;

	if (*p != '\\') {
		out[0] = *p;
		*s = p + 1;
		return 1;
	}
	*s = p + 2;
	if (p[1] != 'u') {
		out[0] = p[1];
		for (size_t i = 0; i < INSP_COUNT(plain); i++)
			if (plain[i][0] == (char)p[1])
				out[0] = (unsigned char)plain[i][1];
		return 1;
	}
	uint32_t c = (uint32_t)hex4(p + 2, 4);
	*s = p + 6;
	if (c >= 0xd800 && c <= 0xdbff) {
		c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(p + 8, 4) - 0xdc00);
		*s = p + 12;
	}
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = (unsigned char)((0xf0u << (4 - n)) | c);
	return n;
}

size_t insp_json_string(const struct insp_json *json, const struct insp_token *string, char *buf,
			size_t size)
{
	const unsigned char *s = (const unsigned char *)json->text + string->start;
	const unsigned char *end = (const unsigned char *)json->text + string->end;
	size_t len = 0;

	while (s < end) {
		unsigned char c[4];
		size_t n = decode(&s, c);
		if (size - len < n)
			return SIZE_MAX;
		memcpy(buf + len, c, n);
		len += n;
	}
	return len;
}

/* Two checked strings, after decoding. */
static bool same_string(const struct insp_json *json, const struct insp_token *a,
			const struct insp_token *b)
{
	const unsigned char *text = (const unsigned char *)json->text;

	if (!a->escaped && !b->escaped)
		return a->end - a->start == b->end - b->start &&
		       !memcmp(text + a->start, text + b->start, a->end - a->start);

	const unsigned char *p = text + a->start, *q = text + b->start;
	unsigned char c[4], d[4];
	size_t nc = 0, nd = 0, ic = 0, id = 0;
	for (;;) {
		if (ic == nc && p < text + a->end) {
			nc = decode(&p, c);
			ic = 0;
		}
		if (id == nd && q < text + b->end) {
			nd = decode(&q, d);
			id = 0;
		}
		if (ic == nc || id == nd)
			return ic == nc && id == nd;
		if (c[ic++] != d[id++])
			return false;
	}
}

static bool read_key(struct parser *p)
{
	if (p->at == p->len || p->s[p->at] != '"')
		return refuse(p, p->at, "expected a key in quotes");
	uint32_t at = p->at, index = p->json->count;
	if (!read_string(p))
		return false;
	for (uint32_t i = p->open[p->depth - 1] + 1u; i < index; i = p->json->token[i + 1].after)
		if (same_string(p->json, &p->json->token[i], &p->json->token[index]))
			return refuse(p, at, INSP_X_DUPLICATE);
	skip_space(p);
	if (p->at == p->len || p->s[p->at] != ':')
		return refuse(p, p->at, "expected a colon");
	p->at++;
	return true;
}

/* Reads a value that is no container, or the beginning of one. */
static bool read_value(struct parser *p, bool *opened)
{
	*opened = false;
	if (p->at == p->len)
		return refuse(p, p->at, "the text ends where a value should be");
	unsigned char c = p->s[p->at];
	if (c == '{' || c == '[') {
		*opened = true;
		return open_container(p, c == '{' ? INSP_T_OBJECT : INSP_T_ARRAY);
	}
	if (c == '"')
		return read_string(p);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(p);
	return read_literal(p);
}

/* Behind a value: closes what ends here, and stops at the next value, key, or the end. */
static bool after_value(struct parser *p, bool *done)
{
	for (;;) {
		skip_space(p);
		*done = !p->depth;
		if (*done)
			return true;
		bool object = container(p)->type == INSP_T_OBJECT;
		if (p->at == p->len)
			return refuse(p, p->at,
				      object ? "the object does not end"
					     : "the array does not end");
		unsigned char c = p->s[p->at];
		if (c == ',') {
			p->at++;
			return true;
		}
		if (c != (object ? '}' : ']'))
			return refuse(p, p->at, "expected a comma or the end");
		close_container(p);
	}
}

bool insp_json_parse(struct insp_json *json, const char *text, size_t len,
		     struct insp_json_error *error)
{
	struct parser p = {.json = json,
			   .s = (const unsigned char *)text,
			   .len = (uint32_t)len,
			   .error = error};
	bool done = false;

	json->text = text;
	json->count = 0;
	while (!done) {
		bool opened;
		skip_space(&p);
		if (p.depth && container(&p)->type == INSP_T_OBJECT) {
			if (!read_key(&p))
				return false;
			skip_space(&p);
		}
		if (!read_value(&p, &opened))
			return false;
		if (opened) {
			skip_space(&p);
			char end = container(&p)->type == INSP_T_OBJECT ? '}' : ']';
			if (p.at == p.len || p.s[p.at] != (unsigned char)end)
				continue;
			close_container(&p);
		}
		if (!after_value(&p, &done))
			return false;
	}
	if (p.at != p.len)
		return refuse(&p, p.at, "something stands behind the value");
	return true;
}

bool insp_json_is(const struct insp_json *json, const struct insp_token *string, const char *text)
{
	size_t len = strlen(text);

	if (string->type != INSP_T_STRING)
		return false;
	if (!string->escaped)
		return string->end - string->start == len &&
		       !memcmp(json->text + string->start, text, len);
	char buf[64];
	return len <= sizeof(buf) && insp_json_string(json, string, buf, sizeof(buf)) == len &&
	       !memcmp(buf, text, len);
}

const struct insp_token *insp_json_member(const struct insp_json *json,
					  const struct insp_token *object, const char *name)
{
	uint32_t i = insp_json_index(json, object) + 1;

	while (i < object->after) {
		if (insp_json_is(json, &json->token[i], name))
			return &json->token[i + 1];
		i = json->token[i + 1].after;
	}
	return NULL;
}

bool insp_json_u64(const struct insp_json *json, const struct insp_token *number, uint64_t *value)
{
	uint64_t v = 0;

	if (number->type != INSP_T_NUMBER)
		return false;
	for (uint32_t i = number->start; i < number->end; i++) {
		unsigned d = (unsigned)(json->text[i] - '0');
		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*value = v;
	return true;
}
