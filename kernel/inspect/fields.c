/*
 * Results by table: one row per member says how it is written, how two pictures are compared, and
 * what its JSON Schema is. So the wire, the deltas and the documents cannot part.
 */
#include "internal.h"

#include <string.h>

static uint64_t u64_at(const void *p)
{
	return *(const uint64_t *)p;
}

static uint32_t u32_at(const void *p)
{
	return *(const uint32_t *)p;
}

/* ---- values ---- */

static void put_u64(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_u64(c->w, u64_at(p));
}

static void put_u32(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_u64(c->w, u32_at(p));
}

static void put_bool(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_bool(c->w, *(const bool *)p);
}

static void put_hex(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_hex(c->w, u64_at(p));
}

static void put_addr(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	if (u64_at(p) == INSP_NONE)
		insp_w_null(c->w);
	else
		insp_w_hex(c->w, u64_at(p));
}

static void put_addr_if(struct insp_call *c, const struct insp_field *f, const void *p)
{
	if (u64_at(p) != INSP_NONE)
		put_hex(c, f, p);
}

static void put_text(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_str(c->w, p);
}

static void put_word(struct insp_call *c, const struct insp_field *f, const void *p)
{
	uint32_t i = u32_at(p);

	insp_w_key(c->w, f->name);
	insp_w_str(c->w, i < f->word_count ? f->words[i] : "?");
}

static void put_attrs(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_open(c->w, '[');
	for (uint32_t i = 0; i < f->word_count; i++)
		if (u32_at(p) >> i & 1)
			insp_w_str(c->w, f->words[i]);
	insp_w_close(c->w, ']');
}

/* Six letters, or eight where accessed and dirty were asked for. */
static void put_rights(struct insp_call *c, const struct insp_field *f, const void *p)
{
	static const char letters[] = INSP_FLAG_LETTERS;
	char text[10] = "\"";
	size_t count = c->with_ad ? 8 : 6;

	for (size_t i = 0; i < count; i++)
		text[1 + i] = u32_at(p) >> i & 1 ? letters[i] : '-';
	text[1 + count] = '"';
	insp_w_key(c->w, f->name);
	insp_w_value(c->w, text, count + 2);
}

static void put_zone(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_know_zones(c->insp);
	insp_w_key(c->w, f->name);
	for (uint32_t i = 0; i < c->insp->zones; i++) {
		if (c->insp->zone[i].index == u32_at(p)) {
			insp_w_str(c->w, c->insp->zone[i].name);
			return;
		}
	}
	insp_w_null(c->w);
}

static void put_age_if(struct insp_call *c, const struct insp_field *f, const void *p)
{
	uint64_t birth = u64_at(p);

	if (birth == INSP_NONE)
		return;
	insp_w_key(c->w, f->name);
	insp_w_u64(c->w, c->now_us > birth ? c->now_us - birth : 0);
}

static void put_symbol(struct insp_call *c, const struct insp_field *f, const void *p)
{
	char text[INSP_SYMBOL_MAX] = "";

	if (u64_at(p) == INSP_NONE)
		return;
	insp_port_symbol(u64_at(p), text, sizeof(text));
	if (!text[0])
		return;
	insp_w_key(c->w, f->name);
	insp_w_str(c->w, text);
}

static void put_used(struct insp_call *c, const struct insp_field *f, const void *p)
{
	const struct insp_slab *slab = p;

	insp_w_key(c->w, f->name);
	insp_w_open(c->w, '[');
	for (uint32_t i = 0; i < slab->runs && i < INSP_RUNS_MAX; i++) {
		insp_w_open(c->w, '[');
		insp_w_u64(c->w, slab->run[i][0]);
		insp_w_u64(c->w, slab->run[i][1]);
		insp_w_close(c->w, ']');
	}
	insp_w_close(c->w, ']');
}

static void put_state(struct insp_call *c, const struct insp_field *f, const void *p)
{
	insp_w_key(c->w, f->name);
	insp_w_str(c->w, f->words[*(const bool *)p ? 0 : 1]);
}

static const struct insp_field setting_fields[] = {
	INSP_FIELD("name", TEXT, .offset = offsetof(struct insp_setting, name)),
	INSP_FIELD("min", U64, .offset = offsetof(struct insp_setting, min)),
	INSP_FIELD("max", U64, .offset = offsetof(struct insp_setting, max)),
	INSP_FIELD("initial", U64, .offset = offsetof(struct insp_setting, initial)),
	INSP_FIELD("value", U64, .offset = offsetof(struct insp_setting, value)),
	INSP_FIELD("meaning", TEXT, .offset = offsetof(struct insp_setting, meaning)),
	INSP_FIELDS_END,
};

static void put_settings(struct insp_call *c, const struct insp_field *f, const void *p)
{
	const struct insp_workload *workload = p;

	insp_w_key(c->w, f->name);
	insp_w_open(c->w, '[');
	for (uint32_t i = 0; i < workload->settings && i < INSP_SETTINGS_MAX; i++)
		insp_put_item(c, setting_fields, &workload->setting[i]);
	insp_w_close(c->w, ']');
}

static void put_gen(struct insp_call *c, const struct insp_field *f, const void *p)
{
	(void)p;
	insp_w_key(c->w, f->name);
	insp_w_u64(c->w, c->gen);
}

static void put_next(struct insp_call *c, const struct insp_field *f, const void *p)
{
	char text[64];

	(void)p;
	insp_w_key(c->w, f->name);
	if (!c->next_given) {
		insp_w_null(c->w);
		return;
	}
	size_t len = insp_format(text, sizeof(text), "%u:%lx:%lx", c->next_kind, c->next[0],
				 c->next[1]);
	insp_w_text(c->w, text, len);
}

/* ---- the types ---- */

static const char schema_hex[] = "\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{1,16}$\"";
static const char schema_hex_null[] =
	"\"type\":[\"string\",\"null\"],\"pattern\":\"^0x[0-9a-f]{1,16}$\"";
static const char schema_uint[] = "\"type\":\"integer\",\"minimum\":0";
static const char schema_text[] = "\"type\":\"string\"";
static const char schema_text_null[] = "\"type\":[\"string\",\"null\"]";

static const struct {
	void (*put)(struct insp_call *call, const struct insp_field *field, const void *at);
	const char *schema; /* members of the schema object; NULL: see put_special_schema() */
	uint8_t size;	    /* of the value, for comparing */
} types[INSP_FIELD_TYPES] = {
	[INSP_FT_U64] = {put_u64,	  schema_uint,					       8		},
	[INSP_FT_U32] = {put_u32,	  schema_uint,					       4		},
	[INSP_FT_BOOL] = {put_bool,	    "\"type\":\"boolean\"",				    sizeof(bool) },
	[INSP_FT_HEX] = {put_hex,	  schema_hex,					      8	       },
	[INSP_FT_ADDR] = {put_addr,	    schema_hex_null,				     8	      },
	[INSP_FT_ADDR_IF] = {put_addr_if,  schema_hex,					      8	       },
	[INSP_FT_TEXT] = {put_text,	    schema_text,					 INSP_NAME_MAX},
	[INSP_FT_WORD] = {put_word,	    NULL,						4		   },
	[INSP_FT_ATTRS] = {put_attrs,    NULL,						4	     },
	[INSP_FT_RIGHTS] = {put_rights,
			    "\"type\":\"string\",\"pattern\":"
			    "\"^[w-][x-][u-][g-][t-][c-]([a-][d-])?$\"",		    4	     },
	[INSP_FT_ZONE] = {put_zone,	    schema_text_null,				      4	       },
	[INSP_FT_AGE_IF] = {put_age_if,	schema_uint,					     8	      },
	[INSP_FT_SYMBOL] = {put_symbol,	schema_text,					     8	      },
	[INSP_FT_USED] = {put_used,
			  "\"type\":\"array\",\"items\":{\"type\":\"array\",\"minItems\":2,"
			  "\"maxItems\":2,\"items\":{\"type\":\"integer\",\"minimum\":0}}", 0		   },
	[INSP_FT_STATE] = {put_state,    NULL,						sizeof(bool) },
	[INSP_FT_SETTINGS] = {put_settings, NULL,						  0		   },
	[INSP_FT_PLAIN] = {NULL,	 schema_text,					      0	       },
	[INSP_FT_GEN] = {put_gen,	  schema_uint,					       0		},
	[INSP_FT_NEXT] = {put_next,	    schema_text_null,				      0	       },
	[INSP_FT_STRING] = {NULL,	  schema_text,					       0		},
	[INSP_FT_STRING_NULL] = {NULL,	       schema_text_null,					 0		  },
	[INSP_FT_NUMBER] = {NULL,	  schema_uint,					       0		},
	[INSP_FT_NUMBER_NULL] = {NULL,	       "\"type\":[\"integer\",\"null\"],\"minimum\":0",	0		 },
	[INSP_FT_DONE_HEX] = {NULL,	    schema_hex,						0		 },
	[INSP_FT_DONE_HEX_NULL] = {NULL,	 schema_hex_null,					  0		   },
	[INSP_FT_DONE_BOOL] = {NULL,	     "\"type\":\"boolean\"",				     0	      },
	[INSP_FT_DOCUMENT] = {NULL,	    "",						  0		 },
};

void insp_put_fields(struct insp_call *call, const struct insp_field *fields, const void *from)
{
	for (const struct insp_field *f = fields; f->name; f++)
		if (types[f->type].put)
			types[f->type].put(call, f, (const char *)from + f->offset);
}

void insp_put_item(struct insp_call *call, const struct insp_field *item, const void *from)
{
	if (item->type == INSP_FT_PLAIN) {
		insp_w_str(call->w, (const char *)from + item->offset);
		return;
	}
	insp_w_open(call->w, '{');
	insp_put_fields(call, item, from);
	insp_w_close(call->w, '}');
}

static bool differs(const struct insp_field *f, const void *a, const void *b)
{
	const char *p = (const char *)a + f->offset, *q = (const char *)b + f->offset;

	if (f->type == INSP_FT_TEXT)
		return strncmp(p, q, INSP_NAME_MAX) != 0;
	return memcmp(p, q, types[f->type].size) != 0;
}

uint32_t insp_put_changed(struct insp_call *call, const struct insp_field *fields, const void *from,
			  const void *old, const char *key)
{
	uint32_t count = 0;

	for (const struct insp_field *f = fields; f->name; f++) {
		bool changed = differs(f, from, old);
		count += changed;
		if (types[f->type].put && (changed || (key && !strcmp(f->name, key))))
			types[f->type].put(call, f, (const char *)from + f->offset);
	}
	return count;
}

/* ---- schemas ---- */

static void put_words_schema(struct insp_writer *w, const struct insp_field *f)
{
	insp_w_key(w, "enum");
	insp_w_open(w, '[');
	for (uint32_t i = 0; i < f->word_count; i++)
		insp_w_str(w, f->words[i]);
	insp_w_close(w, ']');
}

/* One level of a schema; what lies below is done by the caller's stack. */
static void put_flat_schema(struct insp_writer *w, const struct insp_field *f)
{
	if (f->type == INSP_FT_ATTRS || f->type == INSP_FT_WORDS) {
		insp_w_literal(w, "\"type\":\"array\"");
		insp_w_key(w, "items");
		insp_w_open(w, '{');
		put_words_schema(w, f);
		insp_w_close(w, '}');
	} else if (f->type == INSP_FT_WORD || f->type == INSP_FT_STATE) {
		put_words_schema(w, f);
	} else if (types[f->type].schema && types[f->type].schema[0]) {
		insp_w_value(w, types[f->type].schema, strlen(types[f->type].schema));
	}
}

static void begin_object_schema(struct insp_writer *w)
{
	static const char head[] = "\"type\":\"object\",\"additionalProperties\":false";

	insp_w_value(w, head, sizeof(head) - 1);
	insp_w_key(w, "properties");
	insp_w_open(w, '{');
}

static bool optional(const struct insp_field *f)
{
	return f->optional || f->type == INSP_FT_ADDR_IF || f->type == INSP_FT_AGE_IF ||
	       f->type == INSP_FT_SYMBOL;
}

static void end_object_schema(struct insp_writer *w, const struct insp_field *fields)
{
	insp_w_close(w, '}');
	insp_w_key(w, "required");
	insp_w_open(w, '[');
	for (const struct insp_field *f = fields; f->name; f++)
		if (!optional(f))
			insp_w_str(w, f->name);
	insp_w_close(w, ']');
}

/* The objects inside a field: list and group by table, settings by their own. */
static const struct insp_field *below(const struct insp_field *f)
{
	if (f->type == INSP_FT_SETTINGS)
		return setting_fields;
	if (f->type == INSP_FT_LIST || f->type == INSP_FT_GROUP)
		return f->sub;
	return NULL;
}

static void put_description(struct insp_writer *w, const struct insp_field *f)
{
	if (f->meaning) {
		insp_w_key(w, "description");
		insp_w_str(w, f->meaning);
	}
}

/* Tables nest at most this deep; a stack of our own instead of recursion. */
#define SCHEMA_DEPTH 4

void insp_put_schema(struct insp_writer *w, const struct insp_field *fields)
{
	struct {
		const struct insp_field *fields, *at;
	} stack[SCHEMA_DEPTH];
	uint32_t depth = 1;

	stack[0].fields = stack[0].at = fields;
	insp_w_open(w, '{');
	begin_object_schema(w);
	for (;;) {
		const struct insp_field *f = stack[depth - 1].at;
		if (!f->name) {
			end_object_schema(w, stack[depth - 1].fields);
			insp_w_close(w, '}');
			if (--depth == 0)
				return;
			if (stack[depth - 1].at[-1].type != INSP_FT_GROUP)
				insp_w_close(w, '}');
			continue;
		}
		stack[depth - 1].at++;
		insp_w_key(w, f->name);
		insp_w_open(w, '{');
		put_description(w, f);
		const struct insp_field *sub = below(f);
		if (sub && f->type != INSP_FT_GROUP) {
			insp_w_literal(w, "\"type\":\"array\"");
			insp_w_key(w, "items");
			insp_w_open(w, '{');
		}
		if (sub && !sub->name[0]) {
			put_flat_schema(w, sub);
			insp_w_close(w, '}');
		} else if (sub && depth < SCHEMA_DEPTH) {
			begin_object_schema(w);
			stack[depth].fields = stack[depth].at = sub;
			depth++;
			continue;
		} else {
			put_flat_schema(w, f);
		}
		insp_w_close(w, '}');
	}
}
