// SPDX-License-Identifier: MIT
/* One object, one mapping, the difference since the mark. */
#include "app.h"
#include "glyph.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_US 1000000
#define DUMP_BYTES 256

/* ---- an object ---- */

struct object {
	struct mv_view view;
	uint64_t addr;
	struct mv_ask what, bytes;
	uint64_t rev;
	uint64_t read_from;
};

static struct object *object_self(struct mv_view *v)
{
	return (struct object *)v;
}

static void object_done(void *ctx, struct mv_ask *ask)
{
	struct object *o = ctx;
	struct json_object *params;
	int64_t size;

	if (ask->state != ASK_DONE)
		return;
	o->read_from = mv_get_addr(ask->result, "base", o->addr);
	size = mv_get_int(ask->result, "size", 0);
	if (size <= 0)
		return;
	params = json_object_new_object();
	json_object_object_add(params, "va", mv_new_addr(o->read_from));
	json_object_object_add(params, "len",
			       json_object_new_int64(size < DUMP_BYTES ? size : DUMP_BYTES));
	mv_ask_send(&o->bytes, o->view.app, "mem.read", params, false);
}

static void object_tick(struct mv_view *v)
{
	struct object *o = object_self(v);
	struct mv_app *a = v->app;
	uint64_t rev = a->live->rev[MV_PART_CACHES];

	if (o->what.state == ASK_WAITING || a->frozen ||
	    (o->what.state != ASK_IDLE &&
	     (rev == o->rev || a->now_us - o->what.asked_us < REFRESH_US)))
		return;
	struct json_object *params = json_object_new_object();

	o->rev = rev;
	o->what.done = object_done;
	o->what.ctx = o;
	json_object_object_add(params, "addr", mv_new_addr(o->addr));
	mv_ask_send(&o->what, a, "mm.object", params, false);
}

static const char *kind_words(const char *kind)
{
	static const char *const words[][2] = {
		{"slab",	 "an object of kmalloc"	       },
		{"frame", "a frame of alloc_pages"		  },
		{"image", "the kernel's own code or data"	 },
		{"table", "a page table"			},
		{"none",	 "no memory that the kernel manages"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(kind, words[i][0]))
			return words[i][1];
	return kind;
}

static void dump_line(struct mv_app *a, struct mv_rect line, uint64_t at, const char *hex, size_t n)
{
	char text[20] = "";
	int col = mv_textf(&a->canvas, line.row, line.col, ST_ADDR, "+0x%03llx  ",
			   (unsigned long long)at);

	for (size_t i = 0; i < n; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
		int byte = (int)strtol(pair, NULL, 16);

		col = mv_textf(&a->canvas, line.row, col, byte ? ST_TEXT : ST_DIM, "%s%s", pair,
			       i % 8 == 7 ? "  " : " ");
		text[i] = isprint(byte) && byte < 0x80 ? (char)byte : '.';
	}
	mv_text(&a->canvas, line.row, line.col + 8 + 3 * 16 + 2, ST_DIM, text);
}

static void object_dump(struct object *o, struct mv_rect r)
{
	struct mv_app *a = o->view.app;
	const char *hex = mv_get_text(o->bytes.result, "hex", "");
	size_t bytes = strlen(hex) / 2;
	struct mv_rect in = mv_panel(a, r, "Its first bytes");

	if (!bytes && a->replaying) {
		mv_note(a, in, "A recording does not hold the bytes of memory.");
		return;
	}
	if (!bytes) {
		mv_note(a, in, "%s",
			*mv_ask_text(&o->bytes) ? mv_ask_text(&o->bytes) : "Not read.");
		return;
	}
	for (size_t at = 0; at < bytes && in.rows > 0; at += 16)
		dump_line(a, mv_cut_top(&in, 1), at, hex + 2 * at,
			  bytes - at < 16 ? bytes - at : 16);
}

static void object_draw(struct mv_view *v, struct mv_rect r)
{
	struct object *o = object_self(v);
	struct mv_app *a = v->app;
	struct json_object *j = o->what.result;
	char num[32], safe[96];
	int row = r.row, left = r.col + 1;

	if (!j) {
		mv_note(a, r, "%s",
			*mv_ask_text(&o->what) ? mv_ask_text(&o->what) : "Asking the kernel.");
		return;
	}
	const char *state = mv_get_text(j, "state", "");
	int64_t age = mv_get_int(j, "age_us", -1);

	mv_pair(a, row++, left, 12, "address", ST_ADDR, "0x%llx", (unsigned long long)o->addr);
	mv_pair(a, row++, left, 12, "is", ST_STRONG, "%s, %s",
		kind_words(mv_format_safe(mv_get_text(j, "kind", "none"), safe, sizeof(safe))),
		!strcmp(state, "used")	 ? "in use"
		: !strcmp(state, "free") ? "free"
					 : "-");
	mv_pair(a, row++, left, 12, "begins at", ST_ADDR, "%s", mv_get_text(j, "base", "-"));
	mv_pair(a, row++, left, 12, "size", ST_TEXT, "%s",
		mv_format_size((uint64_t)mv_get_int(j, "size", 0), num, sizeof(num)));
	mv_pair(a, row++, left, 12, "held by", ST_STRONG, "%s",
		mv_format_safe(mv_get_text(j, "symbol", mv_get_text(j, "site", "not known")), safe,
			       sizeof(safe)));
	mv_pair(a, row++, left, 12, "since", ST_TEXT, "%s",
		age >= 0 ? mv_format_duration((uint64_t)age, num, sizeof(num)) : "not known");
	if (mv_get_text(j, "site", NULL))
		mv_text(&a->canvas, row++, left, ST_DIM, "Enter: all that this call site holds");
	mv_cut_top(&r, row - r.row + 1);
	object_dump(o, r);
}

/* The site comes as an address, or as "symbol (0x...)". */
static uint64_t site_addr(struct json_object *j)
{
	const char *text = mv_get_text(j, "site", "");
	const char *hex = strstr(text, "0x");
	char word[24];
	uint64_t addr = 0;

	if (hex && sscanf(hex, "%23[0-9a-fx]", word) == 1)
		mv_parse_hex(word, &addr);
	return addr;
}

static struct mv_thing object_thing(struct mv_view *v)
{
	uint64_t site = site_addr(object_self(v)->what.result);

	if (!site)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_SITE, .va = site, .space = -1};
}

static struct mv_thing object_subject(struct mv_view *v)
{
	struct object *o = object_self(v);

	return (struct mv_thing){.kind = THING_OBJECT,
				 .va = mv_get_addr(o->what.result, "base", o->addr),
				 .space = -1};
}

static void object_open(struct mv_view *v, const struct mv_thing *t)
{
	object_self(v)->addr = t->va;
	snprintf(v->title, sizeof(v->title), "object 0x%llx", (unsigned long long)t->va);
}

static void object_close(struct mv_view *v)
{
	mv_ask_clear(&object_self(v)->what);
	mv_ask_clear(&object_self(v)->bytes);
}

const struct mv_view_ops mv_object_ops = {
	.name = "object",
	.context = CTX_DETAIL,
	.size = sizeof(struct object),
	.open = object_open,
	.close = object_close,
	.tick = object_tick,
	.draw = object_draw,
	.thing = object_thing,
	.subject = object_subject,
};

/* ---- a mapping ---- */

struct mapping {
	struct mv_view view;
	struct mv_thing at;
};

static struct mapping *mapping_self(struct mv_view *v)
{
	return (struct mapping *)v;
}

static const struct mv_mapping *mapping_now(struct mv_view *v)
{
	struct mapping *p = mapping_self(v);
	const struct mv_space *s = p->at.space >= 0 ? mv_model_space(v->app->model, p->at.space)
						    : mv_model_current_space(v->app->model);

	return mv_model_mapping_at(v->app->model, s ? s->id : MV_SPACE_KERNEL, p->at.va);
}

static void mapping_rights(struct mv_app *a, int row, int col, uint8_t flags)
{
	static const struct {
		uint8_t bit;
		const char *yes, *no;
	} rights[] = {
		{MV_MAP_WRITE,	       "w  can be written",			    "-  read only"	  },
		{MV_MAP_EXEC,	      "x  can be executed",			    "-  not executable" },
		{MV_MAP_USER,	      "u  user code may reach it",		   "-  supervisor only"},
		{MV_MAP_GLOBAL,		"g  global: stays in the TLB over a switch", "-  not global"	    },
		{MV_MAP_WRITE_THROUGH,  "t  write-through",			   "-  write-back"	  },
		{MV_MAP_CACHE_DISABLED, "c  not cached",				 "-  cached"	    },
	};

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		bool on = flags & rights[i].bit;

		mv_text(&a->canvas, row + (int)i, col, on ? ST_TEXT : ST_DIM,
			on ? rights[i].yes : rights[i].no);
	}
}

static void mapping_draw(struct mv_view *v, struct mv_rect r)
{
	struct mapping *p = mapping_self(v);
	struct mv_app *a = v->app;
	const struct mv_mapping *m = mapping_now(v);
	char num[32], page[32];
	int row = r.row, left = r.col + 1;

	if (!m) {
		mv_note(a, r, "Nothing is mapped at 0x%llx any more.",
			(unsigned long long)p->at.va);
		return;
	}
	mv_pair(a, row++, left, 12, "virtual", ST_ADDR, "0x%llx to 0x%llx",
		(unsigned long long)m->va, (unsigned long long)(m->va + m->len - 1));
	mv_pair(a, row++, left, 12, "physical", ST_ADDR, "0x%llx to 0x%llx",
		(unsigned long long)m->pa, (unsigned long long)(m->pa + m->len - 1));
	mv_format_size(mv_mapping_page(m), page, sizeof(page));
	mv_pair(a, row++, left, 12, "length", ST_TEXT, "%s in %llu %s of %s",
		mv_format_size(m->len, num, sizeof(num)),
		(unsigned long long)(m->len / mv_mapping_page(m)),
		m->len == mv_mapping_page(m) ? "page" : "pages", page);
	mv_pair(a, row++, left, 12, "leads to", ST_TEXT, "%s",
		mv_kinds[mv_kind_of(mv_model_frame_at(a->model, m->pa))].name);
	if ((m->flags & MV_MAP_WRITE) && (m->flags & MV_MAP_EXEC))
		mv_text(&a->canvas, row++, left, ST_BAD,
			"W+X: can be written and executed. That should not be.");
	row++;
	mv_text(&a->canvas, row++, left, ST_TITLE, "Rights, as all levels together allow");
	mapping_rights(a, row, left, m->flags);
	mv_text(&a->canvas, row + 7, left, ST_DIM,
		"Enter: its first frame   t: the walk through the tables   u: unmap it");
}

static struct mv_thing mapping_thing(struct mv_view *v)
{
	const struct mv_mapping *m = mapping_now(v);

	if (!m)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_FRAME,
				 .pa = m->pa / MV_FRAME_BYTES * MV_FRAME_BYTES,
				 .va = m->va,
				 .len = MV_FRAME_BYTES,
				 .space = mapping_self(v)->at.space};
}

static struct mv_thing mapping_subject(struct mv_view *v)
{
	const struct mv_mapping *m = mapping_now(v);
	struct mv_thing t = mapping_self(v)->at;

	if (m) {
		t.va = m->va;
		t.len = m->len;
		t.pa = m->pa;
	}
	return t;
}

static void mapping_open(struct mv_view *v, const struct mv_thing *t)
{
	mapping_self(v)->at = *t;
	snprintf(v->title, sizeof(v->title), "mapping 0x%llx", (unsigned long long)t->va);
}

const struct mv_view_ops mv_mapping_ops = {
	.name = "mapping",
	.context = CTX_DETAIL,
	.size = sizeof(struct mapping),
	.open = mapping_open,
	.draw = mapping_draw,
	.thing = mapping_thing,
	.subject = mapping_subject,
};

/* ---- the difference since the mark ---- */

enum { D_PART, D_WHAT, D_BEFORE, D_AFTER, D_DELTA };
/* clang-format off */
static const struct mv_column diff_columns[] = {
	[D_PART] = {.title = "PART", .width = 9, .by_text = true, .up_first = true},
	[D_WHAT] = {.title = "WHAT", .width = 24, .flexible = true, .by_text = true, .up_first = true},
	[D_BEFORE] = {.title = "AT THE MARK", .width = 14, .right = true, .by_text = true, .priority = 1},
	[D_AFTER] = {.title = "NOW", .width = 14, .right = true, .by_text = true},
	[D_DELTA] = {.title = "CHANGE", .width = 12, .right = true},
};
/* clang-format on */

struct diff {
	struct mv_view view;
	struct mv_difference *list;
	size_t count, capacity;
	uint64_t rev;
	struct mv_table table;
};

static struct diff *diff_self(struct mv_view *v)
{
	return (struct diff *)v;
}

static void diff_add(void *user, const struct mv_difference *d)
{
	struct diff *p = user;

	if (p->count == p->capacity) {
		size_t more = p->capacity ? p->capacity * 2 : 64;
		struct mv_difference *list = realloc(p->list, more * sizeof(*list));

		if (!list)
			return;
		p->list = list;
		p->capacity = more;
	}
	p->list[p->count++] = *d;
}

static bool in_bytes(const struct mv_difference *d)
{
	return !strcmp(d->part, "stat") || !strcmp(d->part, "mappings") || strstr(d->what, "bytes");
}

static char *diff_figure(const struct mv_difference *d, uint64_t v, char *out, size_t size)
{
	return in_bytes(d) ? mv_format_size(v, out, size) : mv_format_count(v, out, size);
}

/* A figure of the model as a person reads it; what is none stays as it is. */
static void diff_value(const struct mv_difference *d, const char *text, char *out, size_t size)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*text && !*end)
		diff_figure(d, v, out, size);
	else
		snprintf(out, size, "%s", text);
}

static void diff_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	const struct mv_difference *d = &((struct diff *)ctx)->list[i];
	uint64_t change = d->delta < 0 ? 0 - (uint64_t)d->delta : (uint64_t)d->delta;
	char figure[32];

	if (col == D_PART || col == D_WHAT)
		snprintf(out, size, "%s", col == D_PART ? d->part : d->what);
	else if (col == D_BEFORE)
		diff_value(d, *d->before ? d->before : "-", out, size);
	else if (col == D_AFTER)
		diff_value(d, *d->after ? d->after : "gone", out, size);
	else if (d->delta)
		snprintf(out, size, "%c%s", d->delta < 0 ? '-' : '+',
			 diff_figure(d, change, figure, sizeof(figure)));
	else
		*out = '\0';
}

static double diff_key(void *ctx, size_t i, int col)
{
	int64_t d = ((struct diff *)ctx)->list[i].delta;

	(void)col;
	return (double)(d < 0 ? -d : d);
}

static enum mv_style diff_style(void *ctx, size_t i, int col)
{
	const struct mv_difference *d = &((struct diff *)ctx)->list[i];

	if (col == D_PART)
		return ST_DIM;
	if (col == D_DELTA)
		return d->delta > 0 ? ST_T_ALLOCATED : ST_T_FREE;
	return ST_TEXT;
}

static uint64_t diff_id(void *ctx, size_t i)
{
	const struct mv_difference *d = &((struct diff *)ctx)->list[i];
	uint64_t h = 1469598103934665603ull;

	for (const char *p = d->part; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	for (const char *p = d->what; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	return h;
}

static struct mv_table *diff_table(struct mv_view *v, struct mv_rows *rows)
{
	struct diff *p = diff_self(v);

	*rows = (struct mv_rows){.ctx = p,
				 .count = p->count,
				 .text = diff_text,
				 .key = diff_key,
				 .style = diff_style,
				 .id = diff_id};
	return &p->table;
}

static void diff_draw(struct mv_view *v, struct mv_rect r)
{
	struct diff *p = diff_self(v);
	struct mv_app *a = v->app;
	struct mv_rows rows;
	struct mv_table *t;
	char age[32], clock[32];
	struct mv_rect head = mv_cut_top(&r, 1);

	if (!a->mark)
		return;
	p->count = 0;
	mv_model_diff(a->mark, a->model, diff_add, p);
	t = diff_table(v, &rows);
	mv_textf(&a->canvas, head.row, head.col + 1, ST_TEXT,
		 "%zu differences since the mark at %s, %s ago. x marks anew", p->count,
		 mv_format_clock(a->mark_time_us, clock, sizeof(clock)),
		 mv_age(a->now_us - a->mark_at_us, age, sizeof(age)));
	if (!p->count) {
		mv_note(a, r, "Nothing has changed since the mark.");
		return;
	}
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	mv_table_update(t, &rows);
	mv_table_draw(t, &rows, &a->canvas, r);
}

static bool diff_find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = diff_table(v, &rows);

	return mv_table_find(t, &rows, words, by);
}

static void diff_open(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	mv_table_init(&diff_self(v)->table, diff_columns, 5, -1, true);
	snprintf(v->title, sizeof(v->title), "since the mark");
}

static void diff_close(struct mv_view *v)
{
	mv_table_free(&diff_self(v)->table);
	free(diff_self(v)->list);
}

const struct mv_view_ops mv_diff_ops = {
	.name = "difference",
	.context = CTX_LIST,
	.size = sizeof(struct diff),
	.open = diff_open,
	.close = diff_close,
	.draw = diff_draw,
	.find = diff_find,
	.table = diff_table,
};
