/*
 * The tables that everything comes from: what the methods are, what they take and what they answer.
 * Read-only; for the inspector itself, for the tools that print the documents, and for tests.
 */
#ifndef INSPECT_TABLE_H
#define INSPECT_TABLE_H

#include <inspect/inspect.h>
#include <inspect/json.h>

/* ---- tables of results ---- */

struct insp_call; /* a request being answered: private */

enum insp_field_type {
	INSP_FT_U64,
	INSP_FT_U32,
	INSP_FT_BOOL,
	INSP_FT_HEX,	  /* uint64_t as "0x..." */
	INSP_FT_ADDR,	  /* likewise, INSP_NONE is null */
	INSP_FT_ADDR_IF,  /* likewise, INSP_NONE leaves the member out */
	INSP_FT_TEXT,	  /* char array */
	INSP_FT_WORD,	  /* uint32_t, an index into words */
	INSP_FT_ATTRS,	  /* uint32_t mask as an array of words */
	INSP_FT_RIGHTS,	  /* uint32_t INSP_MAP_* as letters */
	INSP_FT_ZONE,	  /* uint32_t zone index as its name, or null */
	INSP_FT_AGE_IF,	  /* uint64_t birth as an age; INSP_NONE leaves it out */
	INSP_FT_SYMBOL,	  /* uint64_t site as "name+0x12"; left out when there is no symbol */
	INSP_FT_USED,	  /* struct insp_slab: [[first,count],...] */
	INSP_FT_STATE,	  /* struct insp_object: used or free */
	INSP_FT_SETTINGS, /* struct insp_workload: its parameters */
	INSP_FT_PLAIN,	  /* struct insp_text as the bare string */
	INSP_FT_GEN,	  /* of the call */
	INSP_FT_NEXT,	  /* cursor of the call, or null */
	/* Written by their handlers; the table tells their shape. */
	INSP_FT_LIST,	     /* array of objects `sub`; of bare values when sub has no name */
	INSP_FT_GROUP,	     /* object `sub` */
	INSP_FT_WORDS,	     /* array of words */
	INSP_FT_STRING,	     /* string */
	INSP_FT_STRING_NULL, /* string or null */
	INSP_FT_NUMBER,	     /* whole number */
	INSP_FT_NUMBER_NULL,
	INSP_FT_DONE_HEX,
	INSP_FT_DONE_HEX_NULL,
	INSP_FT_DONE_BOOL,
	INSP_FT_DOCUMENT, /* any JSON */
	INSP_FIELD_TYPES
};

struct insp_field {
	const char *name; /* NULL ends a table */
	const char *meaning;
	const struct insp_field *sub;
	const char *const *words;
	uint32_t word_count;
	uint16_t offset;
	uint8_t type;
	bool optional; /* may be left out of the result */
};

#define INSP_FIELD(name_, type_, ...)                                 \
	{                                                             \
		.name = name_, .type = INSP_FT_##type_, ##__VA_ARGS__ \
	}
#define INSP_FIELDS_END      \
	{                    \
		.name = NULL \
	}

/* Writes the members that `fields` name, from the struct at `from`. */
void insp_put_fields(struct insp_call *call, const struct insp_field *fields, const void *from);
/* Only those that differ from `old`; `key` (may be NULL) is written always. Returns how many
 * differed. */
uint32_t insp_put_changed(struct insp_call *call, const struct insp_field *fields, const void *from,
			  const void *old, const char *key);
/* The JSON Schema of an object with these fields. */
void insp_put_schema(struct insp_writer *w, const struct insp_field *fields);

/* ---- tables of parameters ---- */

enum insp_param_type {
	INSP_PT_UINT, /* min..max */
	INSP_PT_ADDR, /* "0x..." */
	INSP_PT_BOOL,
	INSP_PT_WORD,	/* one of words */
	INSP_PT_WORDS,	/* array of words, as a mask */
	INSP_PT_ZONE,	/* a zone's name, as its index in insp->zone */
	INSP_PT_RIGHTS, /* letters w x u g t c */
	INSP_PT_TEXT,	/* min..max bytes of printable text */
	INSP_PT_CURSOR,
	INSP_PT_SETTINGS, /* object of whole numbers */
	INSP_PARAM_TYPES
};

struct insp_param {
	const char *name;
	const char *meaning;
	const char *const *words;
	uint64_t min, max;
	uint32_t word_count;
	uint8_t type;
	bool optional;
};
#define INSP_PARAM(name_, type_, ...)                                 \
	{                                                             \
		.name = name_, .type = INSP_PT_##type_, ##__VA_ARGS__ \
	}
#define INSP_PARAMS_MAX 10

struct insp_arg {
	bool given;
	uint64_t u;			/* number, address, bool, index, mask */
	const struct insp_token *token; /* text, settings */
};

typedef int (*insp_handler)(struct insp_call *call); /* 0, or an INSP_E_ code, insp_fail()ed */

enum {
	INSP_MF_CHANGES = 1 << 0,     /* runs once per id of a session; refused after a panic */
	INSP_MF_AFTER_PANIC = 1 << 1, /* ... but not this one */
	INSP_MF_LINK = 1 << 2,	      /* needs a link (hello, watch.*) */
};

struct insp_method {
	const char *name, *summary;
	const struct insp_param *params;
	uint32_t param_count;
	const struct insp_field *result;
	enum insp_access access;
	uint32_t flags;
	insp_handler handler;
	const void *detail; /* the handler's own row */
};

/* All methods, sorted by name. */
extern const struct insp_method insp_methods[];
extern const uint32_t insp_method_count;
const struct insp_method *insp_method_find(const char *name, size_t len);
const struct insp_method *insp_method_nearest(const char *name, size_t len);

/* ---- documents ---- */

/* The OpenRPC document's method object of one row, and its head. */
void insp_put_method_doc(const struct insp *insp, struct insp_writer *w,
			 const struct insp_method *method);
void insp_put_document_head(struct insp_writer *w);

#endif
