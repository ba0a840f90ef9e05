/* Strict access to JSON members: a member of another type is as good as none. */
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdio.h>

#define DEPTH_MAX 32

struct json_object *mv_json_parse(const char *text, size_t len, struct mv_error *e)
{
	if (len > INT_MAX) {
		mv_fail(e, MV_DAMAGED, "JSON text of %zu bytes is too long", len);
		return NULL;
	}
	struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	if (!tok)
		abort();
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *o = json_tokener_parse_ex(tok, text, (int)len);
	enum json_tokener_error err = json_tokener_get_error(tok);
	size_t end = json_tokener_get_parse_end(tok);
	/* A number or word alone needs to be told that it ended; end is then counted anew. */
	if (err == json_tokener_continue) {
		o = json_tokener_parse_ex(tok, "", 1);
		err = json_tokener_get_error(tok);
		end = len;
	}
	while (err == json_tokener_success && end < len &&
	       (text[end] == ' ' || text[end] == '\n' || text[end] == '\r' || text[end] == '\t'))
		end++;
	if (err == json_tokener_success && end < len)
		err = json_tokener_error_parse_unexpected;
	if (err != json_tokener_success) {
		mv_fail(e, MV_DAMAGED, "%s at byte %zu", json_tokener_error_desc(err), end);
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tok);
	return o;
}

const char *mv_json_line(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
}

struct json_object *mv_json_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;
	if (!json_object_is_type(o, json_type_object))
		return NULL;
	return json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static struct json_object *typed(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *v = mv_json_get(o, key);
	return v && json_object_is_type(v, type) ? v : NULL;
}

bool mv_json_u64(struct json_object *o, const char *key, uint64_t *out)
{
	struct json_object *v = typed(o, key, json_type_int);
	if (!v)
		return false;
	if (json_object_get_int64(v) < 0)
		return false;
	*out = json_object_get_uint64(v);
	return true;
}

bool mv_json_i64(struct json_object *o, const char *key, int64_t *out)
{
	struct json_object *v = typed(o, key, json_type_int);
	if (v)
		*out = json_object_get_int64(v);
	return v != NULL;
}

bool mv_json_flag(struct json_object *o, const char *key, bool *out)
{
	struct json_object *v = typed(o, key, json_type_boolean);
	if (v)
		*out = json_object_get_boolean(v);
	return v != NULL;
}

const char *mv_json_str(struct json_object *o, const char *key)
{
	struct json_object *v = typed(o, key, json_type_string);
	return v ? json_object_get_string(v) : NULL;
}

bool mv_json_hex(struct json_object *o, const char *key, uint64_t *out)
{
	const char *text = mv_json_str(o, key);
	return text && mv_parse_hex(text, out);
}

struct json_object *mv_json_array(struct json_object *o, const char *key)
{
	return typed(o, key, json_type_array);
}

struct json_object *mv_json_obj(struct json_object *o, const char *key)
{
	return typed(o, key, json_type_object);
}

void mv_json_add_hex(struct json_object *o, const char *key, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "0x%" PRIx64, value);
	json_object_object_add(o, key, json_object_new_string(text));
}

void mv_json_add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void mv_json_add_str(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}
