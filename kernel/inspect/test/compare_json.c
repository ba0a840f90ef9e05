#include "compare_json.h"

#include <iconv.h>
#include <inspect/json.h>
#include <json-c/json.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct insp_json ours;

static _Noreturn void disagree(const char *what, const uint8_t *data, size_t len)
{
	fprintf(stderr, "the readers disagree: %s: %.*s\n", what, (int)len, (const char *)data);
	abort();
}

/* json-c's view: false when it refuses. */
static bool theirs(const uint8_t *data, size_t len, struct json_object **value)
{
	struct json_tokener *t = json_tokener_new_ex(64);
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = 0;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*value = json_tokener_parse_ex(t, text, (int)len + 1);
	bool ok = json_tokener_get_error(t) == json_tokener_success &&
		  json_tokener_get_parse_end(t) >= len && !memchr(data, 0, len);
	if (!ok) {
		json_object_put(*value);
		*value = NULL;
	}
	json_tokener_free(t);
	free(text);
	return ok;
}

/* Whether the text at `s` begins with what RFC 8259 calls no number, up to the next other byte. */
static bool bad_number(const uint8_t *s, size_t len)
{
	static char text[1 << 17];
	size_t n = 0;
	regex_t re;

	while (n < len && n < sizeof(text) - 1 && s[n] && strchr("+-.0123456789eE", s[n])) {
		text[n] = (char)s[n];
		n++;
	}
	text[n] = 0;
	if (regcomp(&re, "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$", REG_EXTENDED))
		abort();
	bool bad = regexec(&re, text, 0, NULL, 0) != 0;
	regfree(&re);
	return bad;
}

/* The C library's opinion: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool bad_utf8(const uint8_t *data, size_t len)
{
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");
	char *in = (char *)(uintptr_t)data, *out = malloc(4 * len + 4), *p = out;
	size_t in_left = len, out_left = 4 * len + 4;

	if (cd == (iconv_t)-1 || !out)
		abort();
	bool bad = iconv(cd, &in, &in_left, &p, &out_left) == (size_t)-1;
	iconv_close(cd);
	free(out);
	return bad;
}

/* Whether our refusal is one of our own rules, or one where json-c is too kind. */
static bool our_rule(const struct insp_json_error *e, const uint8_t *data, size_t len)
{
	static const char *const rules[] = {INSP_X_DUPLICATE, INSP_X_DEPTH, INSP_X_TOKENS,
					    INSP_X_SURROGATE};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (e->what == rules[i])
			return true;
	if (strstr(e->what, "control character"))
		return true;
	if (e->what == INSP_X_UTF8)
		return bad_utf8(data, len);
	if (strstr(e->what, "number"))
		return bad_number(data + e->at, len - e->at);
	return e->at < len && (data[e->at] == 'N' || data[e->at] == 'I' ||
			       (data[e->at] == '-' && e->at + 1 < len && data[e->at + 1] == 'I'));
}

static bool same(const struct insp_token *t, struct json_object *v);

static bool same_text(const struct insp_token *t, const char *text, size_t len)
{
	static char buf[1 << 20];

	/* json-c gives U+FFFD for some good pairs, such as \ud836\ude00. */
	if (t->escaped && memmem(text, len, "\xef\xbf\xbd", 3))
		return true;
	return insp_json_string(&ours, t, buf, sizeof(buf)) == len && !memcmp(buf, text, len);
}

static bool same_number(const struct insp_token *t, struct json_object *v)
{
	char text[4096];
	uint64_t n;
	size_t len = t->end - t->start;

	if (len >= sizeof(text))
		return true; /* more digits than any number here has: not compared */
	memcpy(text, ours.text + t->start, len);
	text[len] = 0;
	if (insp_json_u64(&ours, t, &n))
		return json_object_is_type(v, json_type_int)
			       ? json_object_get_uint64(v) == n
			       : json_object_get_double(v) == (double)n;
	if (json_object_is_type(v, json_type_int)) {
		/* Beyond its range json-c gives the nearest end. */
		return strpbrk(text, ".eE") == NULL;
	}
	double d = strtod(text, NULL), w = json_object_get_double(v);
	return d == w || (isinf(d) && isinf(w));
}

static bool same_array(const struct insp_token *t, struct json_object *v)
{
	size_t n = 0;

	for (uint32_t i = insp_json_index(&ours, t) + 1; i < t->after; i = ours.token[i].after, n++)
		if (n >= json_object_array_length(v) ||
		    !same(&ours.token[i], json_object_array_get_idx(v, n)))
			return false;
	return n == json_object_array_length(v);
}

static bool same_object(const struct insp_token *t, struct json_object *v)
{
	uint32_t i = insp_json_index(&ours, t) + 1;

	struct json_object_iterator it = json_object_iter_begin(v);
	struct json_object_iterator end = json_object_iter_end(v);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *name = json_object_iter_peek_name(&it);
		/* json-c cuts a name at \u0000. */
		if (i >= t->after)
			return false;
		static char buf[1 << 20];
		size_t len = insp_json_string(&ours, &ours.token[i], buf, sizeof(buf));
		if (!memchr(buf, 0, len) && !strstr(name, "\xef\xbf\xbd") &&
		    (len != strlen(name) || memcmp(buf, name, len) != 0))
			return false;
		if (!same(&ours.token[i + 1], json_object_iter_peek_value(&it)))
			return false;
		i = ours.token[i + 1].after;
	}
	return i == t->after;
}

static bool same(const struct insp_token *t, struct json_object *v)
{
	switch (t->type) {
	case INSP_T_NULL:
		return v == NULL;
	case INSP_T_TRUE:
	case INSP_T_FALSE:
		return json_object_is_type(v, json_type_boolean) &&
		       json_object_get_boolean(v) == (t->type == INSP_T_TRUE);
	case INSP_T_STRING:
		return json_object_is_type(v, json_type_string) &&
		       same_text(t, json_object_get_string(v),
				 (size_t)json_object_get_string_len(v));
	case INSP_T_NUMBER:
		return (json_object_is_type(v, json_type_int) ||
			json_object_is_type(v, json_type_double)) &&
		       same_number(t, v);
	case INSP_T_ARRAY:
		return json_object_is_type(v, json_type_array) && same_array(t, v);
	default:
		return json_object_is_type(v, json_type_object) && same_object(t, v);
	}
}

/* Keys with \u0000 are cut by json-c and may then be the same: nothing to compare. */
static bool has_nul_escape(const uint8_t *data, size_t len)
{
	return memmem(data, len, "\\u0000", 6) != NULL;
}

void compare_json(const uint8_t *data, size_t len)
{
	struct insp_json_error e = {.what = ""};
	struct json_object *value;
	char *copy = malloc(len ? len : 1);

	memcpy(copy, data, len);
	bool we = insp_json_parse(&ours, copy, len, &e);
	bool they = theirs(data, len, &value);
	if (we && !they)
		disagree("only we accept", data, len);
	if (!we && they && !our_rule(&e, data, len))
		disagree(e.what, data, len);
	if (!we && (e.at > len || !e.what[0]))
		disagree("no reason", data, len);
	if (we && !has_nul_escape(data, len) && !same(&ours.token[0], value))
		disagree("other values", data, len);
	json_object_put(value);
	free(copy);
}
