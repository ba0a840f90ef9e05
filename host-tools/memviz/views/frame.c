// SPDX-License-Identifier: MIT
/* Inside one frame: its 512 pages, the slabs that lie in it, and who maps it. */
#include "app.h"
#include "glyph.h"
#include "slabdata.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES	   ((int)(MV_FRAME_BYTES / MV_PAGE_BYTES))
#define REFRESH_US 3000000
#define RUNS_MAX   4096

struct rmap_run {
	int64_t space;
	uint64_t va, pa, len;
};

struct frame {
	struct mv_view view;
	uint64_t pa;
	struct mv_ask slabs_ask, rmap_ask;
	size_t next_cache; /* which class is being asked about */
	bool gathering;
	struct mv_slab_set slabs, fresh; /* shown; being gathered */
	struct rmap_run *maps;
	size_t map_count;
	uint64_t asked_rev, asked_us;
	struct mv_table table;
};

static struct frame *self(struct mv_view *v)
{
	return (struct frame *)v;
}

/* ---- asking ---- */

static void ask_next_class(struct frame *f);

static void class_done(void *ctx, struct mv_ask *ask)
{
	struct frame *f = ctx;
	uint64_t va = mv_va_of(f->view.app->live, f->pa);

	if (ask->state == ASK_DONE && va)
		mv_slabs_add(&f->fresh, ask->result, va, va + MV_FRAME_BYTES);
	f->next_cache++;
	ask_next_class(f);
}

static void ask_next_class(struct frame *f)
{
	struct mv_app *a = f->view.app;
	const struct mv_model *m = a->live;

	while (f->next_cache < m->cache_count && !m->caches[f->next_cache].slabs)
		f->next_cache++;
	if (f->next_cache >= m->cache_count) {
		mv_slabs_clear(&f->slabs);
		f->slabs = f->fresh;
		f->fresh = (struct mv_slab_set){0};
		f->gathering = false;
		return;
	}
	struct json_object *params = json_object_new_object();

	json_object_object_add(params, "size",
			       json_object_new_int64((int64_t)m->caches[f->next_cache].size));
	f->slabs_ask.done = class_done;
	f->slabs_ask.ctx = f;
	mv_ask_send(&f->slabs_ask, a, "mm.slabs", params, true);
}

static void rmap_done(void *ctx, struct mv_ask *ask)
{
	struct frame *f = ctx;
	size_t n = ask->state == ASK_DONE ? mv_get_count(ask->result, "runs") : 0;

	if (ask->state != ASK_DONE)
		return;
	free(f->maps);
	f->maps = calloc(n ? n : 1, sizeof(*f->maps));
	f->map_count = f->maps ? n : 0;
	for (size_t i = 0; i < f->map_count; i++) {
		struct json_object *o = mv_get_item(ask->result, "runs", i);

		f->maps[i] = (struct rmap_run){.space = mv_get_int(o, "space", 0),
					       .va = mv_get_addr(o, "va", 0),
					       .pa = mv_get_addr(o, "pa", 0),
					       .len = (uint64_t)mv_get_int(o, "len", 0)};
	}
}

static void ask_all(struct frame *f)
{
	struct mv_app *a = f->view.app;
	struct json_object *params = json_object_new_object();

	f->asked_us = a->now_us;
	f->asked_rev = a->live->gen;
	json_object_object_add(params, "pa", mv_new_addr(f->pa));
	json_object_object_add(params, "len", json_object_new_int64((int64_t)MV_FRAME_BYTES));
	f->rmap_ask.done = rmap_done;
	f->rmap_ask.ctx = f;
	mv_ask_send(&f->rmap_ask, a, "mm.rmap", params, true);
	const struct mv_frame_run *run = mv_model_frame_at(a->live, f->pa);

	if (run && run->state == MV_FRAME_SLAB) {
		f->next_cache = 0;
		f->gathering = true;
		ask_next_class(f);
	}
}

static void tick(struct mv_view *v)
{
	struct frame *f = self(v);
	bool due = !f->asked_us ||
		   (v->app->live->gen != f->asked_rev && v->app->now_us - f->asked_us > REFRESH_US);

	if (due && !f->gathering && f->rmap_ask.state != ASK_WAITING && !v->app->frozen)
		ask_all(f);
}

/* ---- the list: slabs if it is a slab frame, else mappings ---- */

enum { C_ADDR, C_WHAT, C_USED, C_SHARE };
/* clang-format off */
static const struct mv_column slab_columns[] = {
	[C_ADDR] = {.title = "SLAB", .width = 18, .up_first = true},
	[C_WHAT] = {.title = "CLASS", .width = 10, .right = true},
	[C_USED] = {.title = "OBJECTS IN USE", .width = 16, .right = true},
	[C_SHARE] = {.title = "FILLED", .width = 6, .right = true, .priority = 1},
};
/* clang-format on */
enum { M_SPACE, M_VA, M_OFFSET, M_LEN };
/* clang-format off */
static const struct mv_column map_columns[] = {
	[M_SPACE] = {.title = "SPACE", .width = 12},
	[M_VA] = {.title = "MAPPED AT", .width = 18, .up_first = true},
	[M_OFFSET] = {.title = "FROM OFFSET", .width = 11, .right = true, .up_first = true},
	[M_LEN] = {.title = "LENGTH", .width = 10, .right = true},
};
/* clang-format on */

static bool shows_slabs(const struct frame *f)
{
	const struct mv_frame_run *run = mv_model_frame_at(f->view.app->model, f->pa);

	return run && run->state == MV_FRAME_SLAB;
}

static void slab_text(void *ctx, size_t row, int col, char *out, size_t size)
{
	const struct mv_slab *s = &((struct frame *)ctx)->slabs.slab[row];

	if (col == C_ADDR)
		mv_format_addr(s->addr, out, size);
	else if (col == C_WHAT)
		mv_format_size(s->size, out, size);
	else if (col == C_USED)
		snprintf(out, size, "%u of %u", s->used, s->objects);
	else
		snprintf(out, size, "%.0f%%", s->objects ? 100.0 * s->used / s->objects : 0);
}

static double slab_key(void *ctx, size_t row, int col)
{
	const struct mv_slab *s = &((struct frame *)ctx)->slabs.slab[row];

	return col == C_ADDR   ? (double)(s->addr & 0xffffffffffff)
	       : col == C_WHAT ? (double)s->size
	       : col == C_USED ? (double)s->used
			       : (double)s->used / (s->objects ? s->objects : 1);
}

static uint64_t slab_id(void *ctx, size_t row)
{
	return ((struct frame *)ctx)->slabs.slab[row].addr;
}

static void map_text(void *ctx, size_t row, int col, char *out, size_t size)
{
	struct frame *f = ctx;
	const struct rmap_run *r = &f->maps[row];
	const struct mv_space *s = mv_model_space(f->view.app->model, r->space);

	if (col == M_SPACE)
		snprintf(out, size, "%lld %s", (long long)r->space, s ? s->name : "");
	else if (col == M_VA)
		mv_format_addr(r->va, out, size);
	else if (col == M_OFFSET)
		snprintf(out, size, "+0x%llx", (unsigned long long)(r->pa - f->pa));
	else
		mv_format_size(r->len, out, size);
}

static double map_key(void *ctx, size_t row, int col)
{
	const struct rmap_run *r = &((struct frame *)ctx)->maps[row];

	return col == M_SPACE	 ? (double)r->space
	       : col == M_VA	 ? (double)(r->va & 0xffffffffffff)
	       : col == M_OFFSET ? (double)r->pa
				 : (double)r->len;
}

static uint64_t map_id(void *ctx, size_t row)
{
	const struct rmap_run *r = &((struct frame *)ctx)->maps[row];

	return r->va ^ (uint64_t)r->space << 56;
}

static struct mv_rows rows_of(struct frame *f)
{
	if (shows_slabs(f))
		return (struct mv_rows){.ctx = f,
					.count = f->slabs.count,
					.text = slab_text,
					.key = slab_key,
					.id = slab_id};
	return (struct mv_rows){
		.ctx = f, .count = f->map_count, .text = map_text, .key = map_key, .id = map_id};
}

static struct mv_table *table(struct mv_view *v, struct mv_rows *rows)
{
	struct frame *f = self(v);
	const struct mv_column *columns = shows_slabs(f) ? slab_columns : map_columns;

	if (f->table.columns != columns) {
		mv_table_free(&f->table);
		mv_table_init(&f->table, columns, 4, shows_slabs(f) ? C_ADDR : M_VA, false);
	}
	*rows = rows_of(f);
	return &f->table;
}

/* ---- the pages ---- */

/* The slab that covers byte @offset of the frame, and which of its objects begin or lie there. */
static const struct mv_slab *slab_at(const struct frame *f, uint64_t offset)
{
	uint64_t va = mv_va_of(f->view.app->model, f->pa) + offset;

	for (size_t i = 0; i < f->slabs.count; i++) {
		const struct mv_slab *s = &f->slabs.slab[i];

		if (va >= s->addr && va < s->addr + mv_slab_bytes(s))
			return s;
	}
	return NULL;
}

static uint32_t page_used(const struct mv_slab *s, uint64_t va)
{
	uint64_t first = (va - s->addr) / s->size,
		 end = (va + MV_PAGE_BYTES - 1 - s->addr) / s->size;

	if (end >= s->objects)
		end = s->objects - 1;
	return mv_slab_used_in(s, (uint32_t)first, (uint32_t)(end - first + 1));
}

static int mapped_times(const struct frame *f, uint64_t pa)
{
	int n = 0;

	for (size_t i = 0; i < f->map_count; i++)
		n += pa >= f->maps[i].pa && pa < f->maps[i].pa + f->maps[i].len;
	return n;
}

static void page_look(const struct frame *f, int page, wchar_t *ch, enum mv_style *st)
{
	uint64_t offset = (uint64_t)page * (uint64_t)MV_PAGE_BYTES;
	const struct mv_slab *s = slab_at(f, offset);
	size_t current = mv_table_current(&f->table);
	const struct mv_frame_run *run = mv_model_frame_at(f->view.app->model, f->pa);

	*st = ST_F_FREE;
	*ch = L'.';
	if (s) {
		bool mine = current < f->slabs.count && s == &f->slabs.slab[current];
		bool used = page_used(s, mv_va_of(f->view.app->model, f->pa) + offset) > 0;

		*ch = used ? L'S' : L's';
		*st = mine ? ST_CURSOR : used ? ST_F_SLAB : ST_T_SLAB;
	} else if (run && run->state != MV_FRAME_SLAB && run->state != MV_FRAME_FREE) {
		int n = mapped_times(f, f->pa + offset);

		*ch = n == 0 ? L'-' : n < 10 ? (wchar_t)('0' + n) : L'+';
		*st = n ? mv_kinds[mv_kind_of(run)].fill : ST_F_HOLE;
	}
}

static struct mv_rect draw_pages(struct frame *f, struct mv_rect r)
{
	struct mv_app *a = f->view.app;
	int margin = 11, cols = r.cols - margin >= 128 && r.rows < 30 ? 128 : 64;
	int width = r.cols - margin >= cols * 2 ? 2 : 1, per_row = cols;

	if (r.cols - margin < cols)
		per_row = 32;
	for (int page = 0; page < PAGES; page++) {
		int row = page / per_row, col = page % per_row;
		wchar_t ch;
		enum mv_style st;

		if (row >= r.rows)
			break;
		if (col == 0)
			mv_textf(&a->canvas, r.row + row, r.col, ST_ADDR, "+0x%05x",
				 (unsigned)(page * (int)MV_PAGE_BYTES));
		page_look(f, page, &ch, &st);
		mv_put(&a->canvas, r.row + row, r.col + margin + col * width, ch, st);
		if (width == 2)
			mv_put(&a->canvas, r.row + row, r.col + margin + col * width + 1, L' ', st);
	}
	mv_cut_top(&r, PAGES / per_row);
	return r;
}

static void draw_words(struct frame *f, struct mv_rect r)
{
	struct mv_app *a = f->view.app;
	const struct mv_frame_run *run = mv_model_frame_at(a->model, f->pa);
	enum mv_kind kind = mv_kind_of(run);
	char attr[96] = "-", text[256];

	if (run)
		mv_frame_attr_text(run->attr, attr, sizeof(attr));
	int col = mv_textf(&a->canvas, r.row, r.col + 1, mv_kinds[kind].text, "%s ",
			   mv_kinds[kind].name);
	snprintf(text, sizeof(text), " %s. %s, %u %s, %s", mv_kinds[kind].meaning,
		 mv_zone_name(a->model, f->pa), run ? run->refs : 0,
		 run && run->refs == 1 ? "reference" : "references", attr);
	mv_text_fit(&a->canvas, r.row, col, r.cols - col, false, ST_TEXT, text);
	mv_text_fit(&a->canvas, r.row + 1, r.col + 1, r.cols - 2, false, ST_DIM,
		    shows_slabs(f)
			    ? "512 pages of 4 KiB: S holds objects in use, s only free ones, . "
			      "no slab. The slab of the cursor stands out."
		    : kind == KIND_FREE ? "Free: nobody maps what is in it, but for the direct map."
					: "512 pages of 4 KiB: the digit says how many times each "
					  "is mapped, - never.");
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct frame *f = self(v);
	struct mv_app *a = v->app;
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);
	char title[96];

	draw_words(f, mv_cut_top(&r, 2));
	mv_table_update(t, &rows);
	if (r.rows >= 15 || shows_slabs(f))
		r = draw_pages(f, r);
	if (shows_slabs(f))
		snprintf(title, sizeof(title), "Slabs in this frame: %zu", f->slabs.count);
	else
		snprintf(title, sizeof(title), "Mappings that lead here: %zu", f->map_count);
	struct mv_rect in = mv_panel(a, r, title);

	if (rows.count)
		mv_table_draw(t, &rows, &a->canvas, in);
	else if (f->gathering || f->rmap_ask.state == ASK_WAITING)
		mv_note(a, in, "Asking the kernel.");
	else if (f->rmap_ask.state == ASK_FAILED)
		mv_note(a, in, "%s", f->rmap_ask.error.message);
	else if (shows_slabs(f) && f->slabs_ask.state == ASK_FAILED)
		mv_note(a, in, "%s", f->slabs_ask.error.message);
	else
		mv_note(a, in, "None.");
}

static struct mv_thing thing(struct mv_view *v)
{
	struct frame *f = self(v);
	size_t i = mv_table_current(&f->table);

	if (shows_slabs(f) && i < f->slabs.count)
		return (struct mv_thing){.kind = THING_SLAB,
					 .va = f->slabs.slab[i].addr,
					 .size = f->slabs.slab[i].size,
					 .pa = f->pa,
					 .space = -1};
	if (!shows_slabs(f) && i < f->map_count)
		return (struct mv_thing){.kind = THING_MAPPING,
					 .space = f->maps[i].space,
					 .va = f->maps[i].va,
					 .pa = f->maps[i].pa,
					 .len = f->maps[i].len};
	return (struct mv_thing){.kind = THING_NONE};
}

static struct mv_thing subject(struct mv_view *v)
{
	return (struct mv_thing){
		.kind = THING_FRAME, .pa = self(v)->pa, .len = MV_FRAME_BYTES, .space = -1};
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct mv_thing t;

	switch (a) {
	case ACT_ZOOM_OUT:
		mv_app_back(v->app);
		return true;
	case ACT_ZOOM_IN:
		t = thing(v);
		mv_app_open(v->app, &t);
		return true;
	default:
		return false;
	}
}

static void open_frame(struct mv_view *v, const struct mv_thing *t)
{
	struct frame *f = self(v);

	f->pa = t->pa / MV_FRAME_BYTES * MV_FRAME_BYTES;
	snprintf(v->title, sizeof(v->title), "frame 0x%llx", (unsigned long long)f->pa);
}

static void close_frame(struct mv_view *v)
{
	struct frame *f = self(v);

	mv_ask_clear(&f->slabs_ask);
	mv_ask_clear(&f->rmap_ask);
	mv_slabs_clear(&f->slabs);
	mv_slabs_clear(&f->fresh);
	mv_table_free(&f->table);
	free(f->maps);
}

static bool find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);

	return mv_table_find(t, &rows, words, by);
}

const struct mv_view_ops mv_frame_ops = {
	.name = "frame",
	.context = CTX_FRAME,
	.size = sizeof(struct frame),
	.open = open_frame,
	.close = close_frame,
	.tick = tick,
	.draw = draw,
	.act = act,
	.thing = thing,
	.subject = subject,
	.find = find,
	.table = table,
};
