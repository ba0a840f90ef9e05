/* The methods that read, as far as they are not plain lists, and what shapes those lists. */
#include "internal.h"

#include <string.h>

#define TRIES 8

int insp_do_hello(struct insp_call *call)
{
	struct insp *insp = call->insp;
	struct insp_link *link = call->link;
	char token[INSP_TOKEN_MAX + 1];

	insp_port_info(&insp->info);
	insp_arg_text(call, 0, token, sizeof(token));
	bool given = call->arg[0].given;
	if (!link->session[0] || !given || !link->token_given || strcmp(token, link->token) != 0)
		insp_session_start(link);
	link->token_given = given;
	insp_copy(link->token, sizeof(link->token), token);

	struct insp_writer *w = call->w;
	insp_w_key(w, INSP_F_NAME);
	insp_w_str(w, INSP_NAME);
	insp_w_key(w, INSP_F_VERSION);
	insp_w_str(w, insp->info.version);
	insp_w_key(w, INSP_F_PROTOCOL);
	insp_w_u64(w, INSP_PROTOCOL_VERSION);
	insp_w_key(w, INSP_F_SESSION);
	insp_w_str(w, link->session);
	insp_w_key(w, INSP_F_TOKEN);
	if (given)
		insp_w_str(w, token);
	else
		insp_w_null(w);
	insp_put_machine(call);
	return 0;
}

/* The part of hello that describes the machine. */
void insp_put_machine(struct insp_call *call)
{
	static const char *const features[] = {INSP_FEATURES};
	const struct insp_info *info = &call->insp->info;
	struct insp_writer *w = call->w;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{INSP_F_CPUS,	      info->cpus		},
		{INSP_F_PAGE_SIZE,  4096	       },
		{INSP_F_FRAME_SIZE, 2097152		   },
		{INSP_F_TSC_HZ,	info->tsc_hz	    },
		{INSP_F_MAX_RECORD, call->link->out_max},
		{INSP_F_T_US,	      call->now_us	  },
	};

	insp_w_key(w, INSP_F_BUILD_ID);
	insp_w_str(w, info->build_id);
	for (size_t i = 0; i < INSP_COUNT(numbers); i++) {
		insp_w_key(w, numbers[i].name);
		insp_w_u64(w, numbers[i].value);
	}
	insp_w_key(w, INSP_F_ACCESS);
	insp_w_str(w, insp_access_names[info->access]);
	insp_w_key(w, INSP_F_FEATURES);
	insp_w_open(w, '[');
	for (size_t i = 0; i < INSP_COUNT(features); i++)
		insp_w_str(w, features[i]);
	insp_w_close(w, ']');
	insp_w_key(w, INSP_F_REMOTE_WINDOW);
	insp_w_open(w, '{');
	insp_w_key(w, INSP_F_VA);
	insp_w_hex(w, info->window_va);
	insp_w_key(w, INSP_F_LEN);
	insp_w_u64(w, info->window_len);
	insp_w_close(w, '}');
}

int insp_do_stat(struct insp_call *call)
{
	struct insp_stat stat;
	struct insp_gens gens;

	insp_port_gens(&gens);
	enum insp_status status = insp_port_stat(&stat);
	if (status != INSP_OK)
		return insp_fail_status(call, status, "mm.stat");
	call->gen = gens.all;
	insp_put_fields(call, call->method->result, &stat);
	return 0;
}

int insp_do_object(struct insp_call *call)
{
	struct insp_object object;
	struct insp_gens gens;

	memset(&object, 0, sizeof(object));
	object.base = object.site = object.birth_us = INSP_NONE;
	insp_port_gens(&gens);
	enum insp_status status = insp_port_object(call->arg[0].u, &object);
	if (status != INSP_OK)
		return insp_fail_status(call, status, "mm.object");
	call->gen = gens.all;
	object.addr = call->arg[0].u;
	object.named = object.kind == INSP_OBJECT_IMAGE ? object.addr : object.site;
	insp_put_fields(call, call->method->result, &object);
	return 0;
}

/* ---- mm.translate ---- */

struct walk {
	struct insp_level level[4];
	uint32_t levels;
	struct insp_mapping leaf;
	bool mapped;
};

static enum insp_status walk_once(uint32_t space, uint64_t va, struct walk *walk)
{
	struct insp_visit visit = {.from = va, .to = va, .space = space};
	enum insp_status status;

	walk->levels = 0;
	for (;;) {
		struct insp_level level;
		status = insp_next(INSP_KIND_LEVELS, &visit, &level);
		if (status != INSP_OK || walk->levels == INSP_COUNT(walk->level))
			break;
		walk->level[walk->levels++] = level;
	}
	if (status != INSP_END && status != INSP_OK)
		return status;
	memset(visit.cursor, 0, sizeof(visit.cursor));
	status = insp_next(INSP_KIND_MAPPINGS, &visit, &walk->leaf);
	walk->mapped = status == INSP_OK;
	return status == INSP_END ? INSP_OK : status;
}

static const struct insp_field level_fields[] = {
	INSP_FIELD("level", U32, .offset = offsetof(struct insp_level, level)),
	INSP_FIELD("index", U32, .offset = offsetof(struct insp_level, index)),
	INSP_FIELD("at", HEX, .offset = offsetof(struct insp_level, at)),
	INSP_FIELD("entry", HEX, .offset = offsetof(struct insp_level, entry)),
	INSP_FIELDS_END,
};

static void put_walk(struct insp_call *call, uint64_t va, const struct walk *walk)
{
	static const struct insp_field leaf_fields[] = {
		INSP_FIELD("pa", HEX, .offset = offsetof(struct insp_mapping, pa)),
		INSP_FIELD("page", U32, .offset = offsetof(struct insp_mapping, page)),
		INSP_FIELD("flags", RIGHTS, .offset = offsetof(struct insp_mapping, flags)),
		INSP_FIELDS_END,
	};
	struct insp_writer *w = call->w;

	insp_w_key(w, INSP_F_VA);
	insp_w_hex(w, va);
	if (walk->mapped)
		insp_put_fields(call, leaf_fields, &walk->leaf);
	else
		insp_w_literal(w, "\"pa\":null,\"page\":null,\"flags\":null");
	insp_w_key(w, INSP_F_LEVELS);
	insp_w_open(w, '[');
	for (uint32_t i = 0; i < walk->levels; i++)
		insp_put_item(call, level_fields, &walk->level[i]);
	insp_w_close(w, ']');
}

int insp_do_translate(struct insp_call *call)
{
	uint64_t va = call->arg[0].u;
	uint32_t space = call->arg[1].given ? (uint32_t)call->arg[1].u : INSP_SPACE_CURRENT;
	struct walk walk;

	for (int i = 0; i < TRIES; i++) {
		struct insp_gens before, after;
		insp_port_gens(&before);
		enum insp_status status = walk_once(space, va, &walk);
		if (status != INSP_OK)
			return insp_fail_status(call, status, "space");
		insp_port_gens(&after);
		if (before.mappings != after.mappings)
			continue;
		call->gen = before.all;
		put_walk(call, va, &walk);
		insp_put_fields(call, call->method->result, call);
		return 0;
	}
	return insp_fail(call, INSP_E_BUSY,
			 "mm.translate: the tables moved during each of %d walks", TRIES);
}

/* ---- mem.read ---- */

int insp_do_read(struct insp_call *call)
{
	bool physical = call->arg[1].given;
	uint32_t space = call->arg[3].given ? (uint32_t)call->arg[3].u : INSP_SPACE_CURRENT;
	uint64_t addr = call->arg[physical ? 1 : 0].u;
	size_t len = (size_t)call->arg[2].u;
	unsigned char bytes[INSP_READ_MAX];
	char hex[2 * INSP_READ_MAX];

	if (call->arg[0].given == call->arg[1].given)
		return insp_fail(call, INSP_E_PARAMS, "mem.read takes either va or pa");
	if (addr + len - 1 < addr)
		return insp_fail(call, INSP_E_PARAMS,
				 "parameter len is wrong: the range runs past the last address");
	enum insp_status status = insp_port_read(space, physical, addr, bytes, len);
	if (status == INSP_NO_SUCH)
		return insp_fail_status(call, status, "space");
	if (status != INSP_OK)
		return insp_fail_status(call, status,
					physical ? "mem.read of pa" : "mem.read of va");
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	insp_w_key(call->w, INSP_F_HEX);
	insp_w_text(call->w, hex, 2 * len);
	return 0;
}

/* ---- trace.sites: the largest first, without memory for sorting ---- */

#define SITES_PER_PAGE 32

struct best {
	struct insp_site site[SITES_PER_PAGE];
	uint32_t count, limit;
	uint32_t sort;
	bool from_given;
	uint64_t from_key, from_addr; /* the last one of the page before */
};

/* What sites are ordered by, descending; equal ones by address, ascending. */
static uint64_t sort_key(const struct insp_site *s, uint32_t sort)
{
	const uint64_t keys[] = {s->live_bytes, s->live_objects, s->allocs, s->frees, ~s->addr};

	return keys[sort];
}

static bool before(uint64_t key_a, uint64_t addr_a, uint64_t key_b, uint64_t addr_b)
{
	return key_a > key_b || (key_a == key_b && addr_a < addr_b);
}

static void offer(struct best *b, const struct insp_site *s)
{
	uint64_t key = sort_key(s, b->sort);
	uint32_t at = b->count;

	if (b->from_given && !before(b->from_key, b->from_addr, key, s->addr))
		return;
	while (at &&
	       before(key, s->addr, sort_key(&b->site[at - 1], b->sort), b->site[at - 1].addr))
		at--;
	if (at == b->limit)
		return;
	if (b->count < b->limit)
		b->count++;
	for (uint32_t i = b->count - 1; i > at; i--)
		b->site[i] = b->site[i - 1];
	b->site[at] = *s;
}

static enum insp_status collect(struct best *b)
{
	struct insp_visit visit = {.to = INSP_NONE};
	struct insp_site site;
	enum insp_status status;

	while ((status = insp_next(INSP_KIND_SITES, &visit, &site)) == INSP_OK)
		offer(b, &site);
	return status == INSP_END ? INSP_OK : status;
}

static void put_sites(struct insp_call *call, const struct best *b, uint32_t kind)
{
	const struct insp_field *item = call->method->result[0].sub;
	uint32_t i = 0;

	insp_w_key(call->w, INSP_F_SITES);
	insp_w_open(call->w, '[');
	call->w->end -= 160;
	for (; i < b->count; i++) {
		struct insp_writer mark = *call->w;
		insp_put_item(call, item, &b->site[i]);
		if (call->w->full) {
			insp_w_rollback(call->w, mark);
			break;
		}
	}
	call->w->end += 160;
	insp_w_close(call->w, ']');
	if (i && (i < b->count || b->count == b->limit)) {
		call->next_given = true;
		call->next_kind = kind;
		call->next[0] = sort_key(&b->site[i - 1], b->sort);
		call->next[1] = b->site[i - 1].addr;
	}
}

int insp_do_sites(struct insp_call *call)
{
	struct best b = {.limit = SITES_PER_PAGE};
	uint64_t cursor[2];
	struct insp_gens gens;

	b.sort = call->arg[0].given ? (uint32_t)call->arg[0].u : 0;
	if (call->arg[1].given && call->arg[1].u < b.limit)
		b.limit = (uint32_t)call->arg[1].u;
	/* A cursor belongs to its order. */
	uint32_t kind = INSP_KIND_SITES + 100 * (b.sort + 1);
	int code = insp_parse_cursor(call, 2, kind, cursor);
	if (code)
		return code;
	if (call->arg[2].given) {
		b.from_given = true;
		b.from_key = cursor[0];
		b.from_addr = cursor[1];
	}
	insp_port_gens(&gens);
	enum insp_status status = collect(&b);
	if (status != INSP_OK)
		return insp_fail_status(call, status, "trace.sites");
	call->gen = gens.all;
	put_sites(call, &b, kind);
	insp_put_fields(call, call->method->result, call);
	return 0;
}
