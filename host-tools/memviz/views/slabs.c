// SPDX-License-Identifier: MIT
/* Screen 3: the 16 caches; below it the slabs of a class, and the objects of a slab. */
#include "app.h"
#include "curve.h"
#include "glyph.h"
#include "graph.h"
#include "history.h"
#include "slabdata.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define RATE_WINDOW_US 5000000
#define REFRESH_US     1000000

/* ---- the caches ---- */

enum {
	C_SIZE,
	C_OBJECTS,
	C_USED,
	C_FREE,
	C_USE,
	C_SLABS,
	C_BYTES,
	C_ALLOC,
	C_FREE_RATE,
	C_TOTAL,
	C_FAILED
};
/* clang-format off */
static const struct mv_column cache_columns[] = {
	[C_SIZE] = {.title = "CACHE", .width = 9, .right = true, .up_first = true},
	[C_OBJECTS] = {.title = "OBJECTS", .width = 8, .right = true, .priority = 2},
	[C_USED] = {.title = "IN USE", .width = 8, .right = true},
	[C_FREE] = {.title = "FREE", .width = 8, .right = true, .priority = 3},
	[C_USE] = {.title = "USE", .width = 5, .right = true},
	[C_SLABS] = {.title = "SLABS", .width = 6, .right = true, .priority = 1},
	[C_BYTES] = {.title = "MEMORY", .width = 10, .right = true},
	[C_ALLOC] = {.title = "ALLOC/s", .width = 8, .right = true},
	[C_FREE_RATE] = {.title = "FREE/s", .width = 8, .right = true, .priority = 1},
	[C_TOTAL] = {.title = "ALLOCS IN ALL", .width = 14, .right = true, .priority = 5},
	[C_FAILED] = {.title = "FAILED", .width = 6, .right = true, .priority = 4},
};
/* clang-format on */

struct caches {
	struct mv_view view;
	struct mv_table table;
};

static double cache_key(void *ctx, size_t i, int col)
{
	struct mv_app *a = ctx;
	const struct mv_cache *c = &a->model->caches[i];

	switch (col) {
	case C_SIZE:
		return (double)c->size;
	case C_OBJECTS:
		return (double)c->objects;
	case C_USED:
		return (double)c->used;
	case C_FREE:
		return (double)c->free;
	case C_USE:
		return c->objects ? (double)c->used / (double)c->objects : 0;
	case C_SLABS:
		return (double)c->slabs;
	case C_BYTES:
		return (double)c->bytes;
	case C_ALLOC:
		return mv_model_cache_alloc_rate(a->live, i, RATE_WINDOW_US);
	case C_FREE_RATE:
		return mv_model_cache_free_rate(a->live, i, RATE_WINDOW_US);
	case C_TOTAL:
		return (double)c->allocs;
	default:
		return (double)c->failed;
	}
}

static void cache_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	double v = cache_key(ctx, i, col);

	switch (col) {
	case C_SIZE:
	case C_BYTES:
		mv_format_size((uint64_t)v, out, size);
		break;
	case C_USE:
		snprintf(out, size, "%.0f%%", v * 100);
		break;
	case C_ALLOC:
	case C_FREE_RATE:
		if (v > 0)
			mv_format_short(v, out, size);
		else
			snprintf(out, size, "-");
		break;
	default:
		mv_format_count((uint64_t)v, out, size);
	}
}

static enum mv_style cache_style(void *ctx, size_t i, int col)
{
	struct mv_app *a = ctx;
	const struct mv_cache *c = &a->model->caches[i];
	const struct mv_cache *old = a->mark ? mv_model_cache(a->mark, c->size) : NULL;

	if (!c->objects && !c->allocs)
		return ST_DIM;
	if (col == C_FAILED && c->failed)
		return ST_BAD;
	if (old && col == C_USED && old->used != c->used)
		return ST_CHANGED;
	return col == C_SIZE ? ST_ADDR : col == C_ALLOC || col == C_USED ? ST_STRONG : ST_TEXT;
}

static uint64_t cache_id(void *ctx, size_t i)
{
	return ((struct mv_app *)ctx)->model->caches[i].size;
}

static struct mv_table *caches_table(struct mv_view *v, struct mv_rows *rows)
{
	*rows = (struct mv_rows){.ctx = v->app,
				 .count = v->app->model->cache_count,
				 .text = cache_text,
				 .key = cache_key,
				 .style = cache_style,
				 .id = cache_id};
	return &((struct caches *)v)->table;
}

static void caches_summary(struct mv_app *a, struct mv_rect line)
{
	uint64_t used = a->model->stat.cache_used, free_bytes = a->model->stat.cache_free;
	char u[32], f[32];
	const struct mv_bar_part parts[] = {
		{used, ST_G_CACHE}
	  };
	int col = mv_textf(
		&a->canvas, line.row, line.col + 1, ST_TEXT, "Objects in use %s, free in slabs %s ",
		mv_format_size(used, u, sizeof(u)), mv_format_size(free_bytes, f, sizeof(f)));
	int bar = line.cols - col - 2;

	if (bar > 8)
		mv_bar(&a->canvas, line.row, col + 1, bar > 60 ? 60 : bar, parts, 1,
		       used + free_bytes);
}

#define POINTS_MAX 1024

static struct mv_point used_point(const struct mv_sample *s, int cache)
{
	return (struct mv_point){(double)s->cache_used[cache], 0};
}

/* The selected cache over time, under the table, where there is room. */
static void cache_history(struct mv_view *v, struct mv_rect r)
{
	struct mv_app *a = v->app;
	size_t i = mv_table_current(&((struct caches *)v)->table);
	struct mv_point points[POINTS_MAX];
	char title[96], size[32], high[32], span[32];
	size_t want = mv_graph_points(r.cols - 4, a->ascii);
	uint64_t step;
	double top = 1;

	if (i >= a->model->cache_count)
		return;
	want = want < POINTS_MAX ? want : POINTS_MAX;
	size_t n = mv_history(a, used_point, (int)i, points, want, &step);

	for (size_t k = 0; k < n; k++)
		top = points[k].total > top ? points[k].total : top;
	top = mv_nice_ceiling(top, false);
	snprintf(title, sizeof(title), "Objects of %s in use: 0 to %s, last %s",
		 mv_format_size(a->model->caches[i].size, size, sizeof(size)),
		 mv_format_count((uint64_t)top, high, sizeof(high)),
		 mv_age(want * step, span, sizeof(span)));
	mv_graph(&a->canvas, mv_panel(a, r, title), points, n, top, ST_G_CACHE, ST_G_CACHE);
}

/* How full each cache is, as bars beside the table, where there is room. */
static void caches_draw(struct mv_view *v, struct mv_rect r)
{
	struct mv_app *a = v->app;
	struct mv_rows rows;
	struct mv_table *t = caches_table(v, &rows);

	if (!a->model->caches_known) {
		mv_waiting(a, r, "the caches");
		return;
	}
	caches_summary(a, mv_cut_top(&r, 1));
	mv_table_update(t, &rows);
	if (r.rows >= 17 + 7)
		cache_history(v, mv_cut_bottom(&r, r.rows - 18));
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	struct mv_rect bars = {0};

	if (r.cols >= 150)
		bars = mv_cut_right(&r, r.cols - 118);
	mv_table_draw(t, &rows, &a->canvas, r);
	if (!bars.cols)
		return;
	mv_text(&a->canvas, bars.row, bars.col + 3, ST_TITLE, "FILLED");
	for (int i = 0; i < t->page && t->top + (size_t)i < t->count; i++) {
		const struct mv_cache *c = &a->model->caches[t->order[t->top + (size_t)i]];
		const struct mv_bar_part part = {c->used, ST_G_CACHE};

		mv_bar(&a->canvas, bars.row + 1 + i, bars.col + 3, bars.cols - 4, &part, 1,
		       c->objects);
	}
}

static struct mv_thing caches_thing(struct mv_view *v)
{
	size_t i = mv_table_current(&((struct caches *)v)->table);

	if (i >= v->app->model->cache_count)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_CLASS, .size = v->app->model->caches[i].size};
}

/* Finds a class by any size it serves. */
static bool caches_find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = caches_table(v, &rows);
	uint64_t size, class = 32;

	(void)by;
	if (!strncmp(words, "0x", 2) || !mv_parse_size(words, &size) || size > 1u << 20)
		return false;
	while (class < size)
		class *= 2;
	if (!mv_model_cache(v->app->model, class))
		return false;
	mv_table_update(t, &rows);
	mv_table_select_id(t, &rows, class);
	return true;
}

static void caches_open(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	mv_table_init(&((struct caches *)v)->table, cache_columns, 11, C_SIZE, false);
}

static void caches_close(struct mv_view *v)
{
	mv_table_free(&((struct caches *)v)->table);
}

const struct mv_view_ops mv_slabs_ops = {
	.name = "Slabs",
	.context = CTX_SLABS,
	.size = sizeof(struct caches),
	.open = caches_open,
	.close = caches_close,
	.draw = caches_draw,
	.thing = caches_thing,
	.find = caches_find,
	.table = caches_table,
};

/* ---- asking for the slabs of a class, again when it has changed ---- */

struct feed {
	struct mv_ask ask;
	uint64_t size, rev, asked_us;
	struct mv_slab_set set;
};

static void feed_done(void *ctx, struct mv_ask *ask)
{
	struct feed *f = ctx;

	if (ask->state != ASK_DONE)
		return;
	mv_slabs_clear(&f->set);
	mv_slabs_add(&f->set, ask->result, 0, UINT64_MAX);
}

static void feed_tick(struct feed *f, struct mv_app *a)
{
	uint64_t rev = a->live->rev[MV_PART_CACHES];
	/* A class of thousands of slabs is a long answer: ask less often. */
	uint64_t pause = f->set.count > 500 ? 10 * REFRESH_US : REFRESH_US;

	if (f->ask.state == ASK_WAITING || a->frozen ||
	    (f->asked_us && (rev == f->rev || a->now_us - f->asked_us < pause)))
		return;
	struct json_object *params = json_object_new_object();

	f->rev = rev;
	f->asked_us = a->now_us ? a->now_us : 1;
	f->ask.done = feed_done;
	f->ask.ctx = f;
	json_object_object_add(params, "size", json_object_new_int64((int64_t)f->size));
	mv_ask_send(&f->ask, a, "mm.slabs", params, true);
}

static void feed_close(struct feed *f)
{
	mv_ask_clear(&f->ask);
	mv_slabs_clear(&f->set);
}

static void feed_note(struct mv_app *a, const struct feed *f, struct mv_rect r)
{
	if (f->ask.state == ASK_FAILED)
		mv_note(a, r, "%s", f->ask.error.message);
	else if (f->ask.state == ASK_WAITING)
		mv_note(a, r, "Asking the kernel.");
	else
		mv_note(a, r, "This class has no slab now.");
}

/* ---- the slabs of a class ---- */

enum { L_ADDR, L_OBJECTS, L_USED, L_FREE, L_FILLED, L_RUNS, L_BYTES };
/* clang-format off */
static const struct mv_column class_columns[] = {
	[L_ADDR] = {.title = "SLAB", .width = 18, .up_first = true},
	[L_OBJECTS] = {.title = "OBJECTS", .width = 8, .right = true},
	[L_USED] = {.title = "IN USE", .width = 8, .right = true},
	[L_FREE] = {.title = "FREE", .width = 8, .right = true, .priority = 2},
	[L_FILLED] = {.title = "FILLED", .width = 7, .right = true},
	[L_RUNS] = {.title = "RUNS", .width = 6, .right = true, .priority = 3},
	[L_BYTES] = {.title = "MEMORY", .width = 10, .right = true, .priority = 1},
};
/* clang-format on */

struct class
{
	struct mv_view view;
	struct feed feed;
	struct mv_table table;
};

static double class_key(void *ctx, size_t i, int col)
{
	const struct mv_slab *s = &((struct class *)ctx)->feed.set.slab[i];
	const double v[] = {
		[L_ADDR] = (double)(s->addr & 0xffffffffffff),
		[L_OBJECTS] = s->objects,
		[L_USED] = s->used,
		[L_FREE] = (double)s->objects - s->used,
		[L_FILLED] = (double)s->used / s->objects,
		[L_RUNS] = (double)s->run_count,
		[L_BYTES] = (double)mv_slab_bytes(s),
	};

	return v[col];
}

static void class_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	double v = class_key(ctx, i, col);

	if (col == L_ADDR)
		mv_format_addr(((struct class *)ctx)->feed.set.slab[i].addr, out, size);
	else if (col == L_FILLED)
		snprintf(out, size, "%.0f%%", v * 100);
	else if (col == L_BYTES)
		mv_format_size((uint64_t)v, out, size);
	else
		mv_format_count((uint64_t)v, out, size);
}

static enum mv_style class_style(void *ctx, size_t i, int col)
{
	(void)ctx;
	(void)i;
	return col == L_ADDR ? ST_ADDR : ST_TEXT;
}

static uint64_t class_id(void *ctx, size_t i)
{
	return ((struct class *)ctx)->feed.set.slab[i].addr;
}

static struct mv_table *class_table(struct mv_view *v, struct mv_rows *rows)
{
	struct class *c = (struct class *)v;

	*rows = (struct mv_rows){.ctx = c,
				 .count = c->feed.set.count,
				 .text = class_text,
				 .key = class_key,
				 .style = class_style,
				 .id = class_id};
	return &c->table;
}

static void class_draw(struct mv_view *v, struct mv_rect r)
{
	struct class *c = (struct class *)v;
	struct mv_app *a = v->app;
	struct mv_rows rows;
	struct mv_table *t = class_table(v, &rows);
	const struct mv_cache *k = mv_model_cache(a->model, c->feed.size);
	struct mv_rect head = mv_cut_top(&r, 1);
	char size[32], cut[64] = "";

	if (mv_ask_cut(&c->feed.ask))
		snprintf(cut, sizeof(cut), "; the list is cut: %zu of them", c->feed.set.count);
	mv_format_size(c->feed.size, size, sizeof(size));
	if (k)
		mv_textf(&a->canvas, head.row, head.col + 1, ST_TEXT,
			 "Objects of %s: %llu in use, %llu free, in %llu slabs%s", size,
			 (unsigned long long)k->used, (unsigned long long)k->free,
			 (unsigned long long)k->slabs, cut);
	if (!rows.count) {
		feed_note(a, &c->feed, r);
		return;
	}
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	mv_table_update(t, &rows);
	mv_table_draw(t, &rows, &a->canvas, r);
}

static struct mv_thing class_thing(struct mv_view *v)
{
	struct class *c = (struct class *)v;
	size_t i = mv_table_current(&c->table);

	if (i >= c->feed.set.count)
		return (struct mv_thing){.kind = THING_NONE, .size = c->feed.size};
	return (struct mv_thing){.kind = THING_SLAB,
				 .va = c->feed.set.slab[i].addr,
				 .size = c->feed.size,
				 .space = -1};
}

static bool class_find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = class_table(v, &rows);

	return mv_table_find(t, &rows, words, by);
}

static void class_open(struct mv_view *v, const struct mv_thing *t)
{
	struct class *c = (struct class *)v;
	char size[32];

	c->feed.size = t->size;
	snprintf(v->title, sizeof(v->title), "class %s",
		 mv_format_size(t->size, size, sizeof(size)));
	mv_table_init(&c->table, class_columns, 7, L_ADDR, false);
}

static void class_tick(struct mv_view *v)
{
	feed_tick(&((struct class *)v)->feed, v->app);
}

static void class_close(struct mv_view *v)
{
	feed_close(&((struct class *)v)->feed);
	mv_table_free(&((struct class *)v)->table);
}

const struct mv_view_ops mv_class_ops = {
	.name = "class",
	.context = CTX_LIST,
	.size = sizeof(struct class),
	.open = class_open,
	.close = class_close,
	.tick = class_tick,
	.draw = class_draw,
	.thing = class_thing,
	.find = class_find,
	.table = class_table,
};

/* ---- the objects of a slab ---- */

struct slab {
	struct mv_view view;
	struct feed feed;
	uint64_t addr;
	uint32_t at;	   /* object under the cursor */
	uint32_t per_cell; /* objects that a cell stands for */
	int cell_cols, cols, row_top;
	struct mv_rect area;
};

static struct slab *slab_self(struct mv_view *v)
{
	return (struct slab *)v;
}

static void slab_words(struct slab *p, const struct mv_slab *s, struct mv_rect r)
{
	struct mv_app *a = p->view.app;
	char size[32], bytes[32];
	bool used = mv_slab_object_used(s, p->at);

	mv_textf(&a->canvas, r.row, r.col + 1, ST_TEXT,
		 "Slab at 0x%llx: %u objects of %s, %u in use, %s in all",
		 (unsigned long long)s->addr, s->objects,
		 mv_format_size(s->size, size, sizeof(size)), s->used,
		 mv_format_size(mv_slab_bytes(s), bytes, sizeof(bytes)));
	int col = mv_textf(&a->canvas, r.row + 1, r.col + 1, ST_STRONG, "0x%llx",
			   (unsigned long long)(s->addr + p->at * s->size));

	mv_textf(&a->canvas, r.row + 1, col, used ? ST_T_SLAB : ST_T_FREE, "  object %u: %s", p->at,
		 used ? "in use. Enter says who holds it" : "free");
}

static void slab_cell(struct slab *p, const struct mv_slab *s, uint32_t first, int row, int col)
{
	struct mv_app *a = p->view.app;
	uint32_t n = s->objects - first < p->per_cell ? s->objects - first : p->per_cell;
	uint32_t used = mv_slab_used_in(s, first, n);
	wchar_t ch = used == n ? L'S' : used ? L's' : L'.';
	enum mv_style st = used == n ? ST_F_SLAB : used ? ST_T_SLAB : ST_F_FREE;

	if (p->at >= first && p->at < first + n) {
		st = ST_CURSOR;
		a->cursor_row = row;
		a->cursor_col = col;
	}
	mv_put(&a->canvas, row, col, ch, st);
	for (int i = 1; i < p->cell_cols; i++)
		mv_put(&a->canvas, row, col + i, L' ', st);
}

static void slab_grid(struct slab *p, const struct mv_slab *s, struct mv_rect r)
{
	struct mv_app *a = p->view.app;
	uint32_t room;

	mv_cut_left(&r, 1);
	struct mv_rect margin = mv_cut_left(&r, 10);

	p->cell_cols = s->objects <= (uint32_t)(r.rows * (r.cols >= 128	 ? 64
							  : r.cols >= 64 ? 32
									 : 16))
			       ? 2
			       : 1;
	for (p->cols = 8; p->cols * 2 * p->cell_cols <= r.cols && p->cols < 64;)
		p->cols *= 2;
	room = (uint32_t)(p->cols * r.rows);
	for (p->per_cell = 1; p->per_cell * room < s->objects && p->per_cell < 64;)
		p->per_cell *= 2;
	p->area = r;
	int line = (int)(p->at / p->per_cell) / p->cols;

	if (line < p->row_top)
		p->row_top = line;
	if (line >= p->row_top + r.rows)
		p->row_top = line - r.rows + 1;
	for (int row = 0; row < r.rows; row++) {
		uint32_t first = (uint32_t)((row + p->row_top) * p->cols) * p->per_cell;

		if (first >= s->objects)
			break;
		mv_textf(&a->canvas, r.row + row, margin.col, ST_ADDR, "+0x%05llx",
			 (unsigned long long)(first * s->size));
		for (int col = 0; col < p->cols; col++) {
			uint32_t o = first + (uint32_t)col * p->per_cell;

			if (o < s->objects)
				slab_cell(p, s, o, r.row + row, r.col + col * p->cell_cols);
		}
	}
}

static void slab_legend(struct slab *p, struct mv_rect line)
{
	struct mv_app *a = p->view.app;
	int col = line.col + 1;

	mv_text(&a->canvas, line.row, col, ST_F_SLAB, " S ");
	col = mv_text(&a->canvas, line.row, col + 4, ST_TEXT, "in use   ");
	mv_text(&a->canvas, line.row, col, ST_F_FREE, " . ");
	col = mv_text(&a->canvas, line.row, col + 4, ST_TEXT, "free   ");
	if (p->per_cell > 1)
		mv_textf(&a->canvas, line.row, col, ST_DIM,
			 "one cell is %u objects; s: some in use", p->per_cell);
}

static void slab_draw(struct mv_view *v, struct mv_rect r)
{
	struct slab *p = slab_self(v);
	const struct mv_slab *s = mv_slabs_find(&p->feed.set, p->addr);

	if (!s) {
		if (p->feed.ask.state == ASK_DONE)
			mv_note(v->app, r, "This slab has gone back to its zone.");
		else
			feed_note(v->app, &p->feed, r);
		return;
	}
	if (p->at >= s->objects)
		p->at = s->objects - 1;
	slab_words(p, s, mv_cut_top(&r, 2));
	slab_legend(p, mv_cut_bottom(&r, 1));
	slab_grid(p, s, r);
}

static bool slab_move(struct slab *p, const struct mv_slab *s, int64_t by)
{
	int64_t at = (int64_t)p->at + by * p->per_cell;

	if (at >= 0 && at < s->objects)
		p->at = (uint32_t)at;
	return true;
}

static bool slab_act(struct mv_view *v, enum mv_action a)
{
	struct slab *p = slab_self(v);
	const struct mv_slab *s = mv_slabs_find(&p->feed.set, p->addr);
	int page = p->cols * (p->area.rows > 1 ? p->area.rows - 1 : 1);

	if (a == ACT_ZOOM_OUT) {
		mv_app_back(v->app);
		return true;
	}
	if (!s || !p->per_cell)
		return false;
	switch (a) {
	case ACT_LEFT:
		return slab_move(p, s, -1);
	case ACT_RIGHT:
		return slab_move(p, s, 1);
	case ACT_UP:
		return slab_move(p, s, -p->cols);
	case ACT_DOWN:
		return slab_move(p, s, p->cols);
	case ACT_PAGE_UP:
		return slab_move(p, s, -page);
	case ACT_PAGE_DOWN:
		return slab_move(p, s, page);
	case ACT_HOME:
		p->at = 0;
		return true;
	case ACT_END:
		p->at = s->objects - 1;
		return true;
	default:
		return false;
	}
}

static bool slab_click(struct mv_view *v, int row, int col)
{
	struct slab *p = slab_self(v);
	const struct mv_slab *s = mv_slabs_find(&p->feed.set, p->addr);

	if (!s || !mv_inside(p->area, row, col) || !p->cell_cols)
		return false;
	int cell = (row - p->area.row + p->row_top) * p->cols + (col - p->area.col) / p->cell_cols;

	if ((col - p->area.col) / p->cell_cols >= p->cols ||
	    (uint32_t)cell * p->per_cell >= s->objects)
		return false;
	p->at = (uint32_t)cell * p->per_cell;
	return true;
}

static struct mv_thing slab_thing(struct mv_view *v)
{
	struct slab *p = slab_self(v);
	const struct mv_slab *s = mv_slabs_find(&p->feed.set, p->addr);

	if (!s)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_OBJECT,
				 .va = s->addr + p->at * s->size,
				 .size = s->size,
				 .space = -1};
}

static bool slab_find(struct mv_view *v, const char *words, int by)
{
	struct slab *p = slab_self(v);
	const struct mv_slab *s = mv_slabs_find(&p->feed.set, p->addr);
	uint64_t addr;

	(void)by;
	if (!s || !mv_parse_addr(words, &addr) || addr < s->addr ||
	    addr >= s->addr + mv_slab_bytes(s))
		return false;
	p->at = (uint32_t)((addr - s->addr) / s->size);
	return true;
}

static void slab_open(struct mv_view *v, const struct mv_thing *t)
{
	struct slab *p = slab_self(v);

	p->addr = t->va;
	p->feed.size = t->size;
	snprintf(v->title, sizeof(v->title), "slab 0x%llx", (unsigned long long)t->va);
}

static void slab_tick(struct mv_view *v)
{
	feed_tick(&slab_self(v)->feed, v->app);
}

static void slab_close(struct mv_view *v)
{
	feed_close(&slab_self(v)->feed);
}

const struct mv_view_ops mv_slab_ops = {
	.name = "slab",
	.context = CTX_SLAB,
	.size = sizeof(struct slab),
	.open = slab_open,
	.close = slab_close,
	.tick = slab_tick,
	.draw = slab_draw,
	.act = slab_act,
	.click = slab_click,
	.thing = slab_thing,
	.find = slab_find,
};
