#include "schema.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

struct place {
	char path[256];
	char *why;
	size_t size;
};

static bool wrong(struct place *p, const char *what)
{
	snprintf(p->why, p->size, "%s: %s", p->path[0] ? p->path : "the value", what);
	return false;
}

static const char *type_name(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		return "null";
	case json_type_boolean:
		return "boolean";
	case json_type_int:
		return "integer";
	case json_type_double:
		return "number";
	case json_type_string:
		return "string";
	case json_type_array:
		return "array";
	default:
		return "object";
	}
}

static bool check_type(struct json_object *word, struct json_object *v, struct place *p)
{
	if (json_object_is_type(word, json_type_string)) {
		if (!strcmp(json_object_get_string(word), type_name(v)))
			return true;
		return wrong(p, "another type");
	}
	for (size_t i = 0; i < json_object_array_length(word); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(word, i)),
			    type_name(v)))
			return true;
	return wrong(p, "none of the types");
}

static bool check_enum(struct json_object *word, struct json_object *v, struct place *p)
{
	for (size_t i = 0; i < json_object_array_length(word); i++)
		if (json_object_equal(json_object_array_get_idx(word, i), v))
			return true;
	return wrong(p, "none of the enum");
}

static bool check_pattern(struct json_object *word, struct json_object *v, struct place *p)
{
	regex_t re;

	if (!json_object_is_type(v, json_type_string))
		return true;
	if (regcomp(&re, json_object_get_string(word), REG_EXTENDED | REG_NOSUB))
		return wrong(p, "the pattern does not compile");
	bool ok = !regexec(&re, json_object_get_string(v), 0, NULL, 0);
	regfree(&re);
	return ok ? true : wrong(p, json_object_get_string(v));
}

static bool check(struct json_object *schema, struct json_object *v, struct place *p);

static bool check_below(struct json_object *schema, struct json_object *v, struct place *p,
			const char *name)
{
	size_t len = strlen(p->path);

	snprintf(p->path + len, sizeof(p->path) - len, "/%s", name);
	bool ok = check(schema, v, p);
	p->path[len] = 0;
	return ok;
}

static bool check_properties(struct json_object *schema, struct json_object *v, struct place *p)
{
	struct json_object *properties = json_object_object_get(schema, "properties");
	struct json_object *others = json_object_object_get(schema, "additionalProperties");

	json_object_object_foreach(v, name, value)
	{
		struct json_object *s = properties ? json_object_object_get(properties, name)
						   : NULL;
		if (!s && json_object_is_type(others, json_type_object))
			s = others;
		if (!s)
			return wrong(p, name);
		if (!check_below(s, value, p, name))
			return false;
	}
	struct json_object *required = json_object_object_get(schema, "required");
	for (size_t i = 0; required && i < json_object_array_length(required); i++) {
		const char *need = json_object_get_string(json_object_array_get_idx(required, i));
		if (!json_object_object_get_ex(v, need, NULL))
			return wrong(p, need);
	}
	return true;
}

static bool check_items(struct json_object *schema, struct json_object *v, struct place *p)
{
	struct json_object *items = json_object_object_get(schema, "items");
	struct json_object *min = json_object_object_get(schema, "minItems");
	struct json_object *max = json_object_object_get(schema, "maxItems");
	size_t n = json_object_array_length(v);

	if ((min && n < (size_t)json_object_get_int64(min)) ||
	    (max && n > (size_t)json_object_get_int64(max)))
		return wrong(p, "too few or too many items");
	for (size_t i = 0; items && i < n; i++)
		if (!check_below(items, json_object_array_get_idx(v, i), p, "[]"))
			return false;
	return true;
}

static bool known_words(struct json_object *schema, struct place *p)
{
	static const char *const known[] = {"type",	     "description", "properties",
					    "required",	     "items",	    "enum",
					    "pattern",	     "minimum",	    "maximum",
					    "minItems",	     "maxItems",    "additionalProperties",
					    "maxProperties", "minLength",   "maxLength"};

	json_object_object_foreach(schema, word, unused)
	{
		(void)unused;
		size_t i = 0;
		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], word) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return wrong(p, word);
	}
	return true;
}

static bool check(struct json_object *schema, struct json_object *v, struct place *p)
{
	struct json_object *w;

	if (!known_words(schema, p))
		return false;
	if (json_object_object_get_ex(schema, "type", &w) && !check_type(w, v, p))
		return false;
	if (json_object_object_get_ex(schema, "enum", &w) && !check_enum(w, v, p))
		return false;
	if (json_object_object_get_ex(schema, "pattern", &w) && !check_pattern(w, v, p))
		return false;
	if (json_object_object_get_ex(schema, "minimum", &w) &&
	    json_object_is_type(v, json_type_int) &&
	    json_object_get_int64(v) < json_object_get_int64(w))
		return wrong(p, "below the minimum");
	/* A schema that says nothing takes anything. */
	if (!json_object_object_get_ex(schema, "type", NULL))
		return true;
	if (json_object_is_type(v, json_type_object))
		return check_properties(schema, v, p);
	if (json_object_is_type(v, json_type_array))
		return check_items(schema, v, p);
	return true;
}

bool schema_check(struct json_object *schema, struct json_object *value, char *why, size_t size)
{
	struct place p = {.why = why, .size = size};

	return check(schema, value, &p);
}
