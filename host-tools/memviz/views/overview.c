// SPDX-License-Identifier: MIT
/* Screen 1: how much, where, since when, and what is happening now. */
#include "app.h"
#include "events.h"
#include "glyph.h"
#include "graph.h"
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_WINDOW_US 5000000
#define EVENTS_SHOWN   64
#define POINTS_MAX     1024

enum graph_mode { GRAPH_USED, GRAPH_SLABS, GRAPH_RATE, GRAPH_MODES };
enum part { PART_ZONES, PART_CACHES, PART_EVENTS, PARTS };

struct overview {
	struct mv_view view;
	enum graph_mode graph;
	enum part part;
	size_t at[PARTS];
	size_t count[PARTS];
	size_t cache_order[MV_MAX_CACHES];
	uint64_t event_number[EVENTS_SHOWN]; /* of the rows drawn, newest first */
	struct mv_rect drawn[PARTS];	     /* rows that can be clicked */
	char filter[128];
};

static struct overview *self(struct mv_view *v)
{
	return (struct overview *)v;
}

/* ---- mm_stat ---- */

struct figure {
	const char *name;
	uint64_t bytes;
	enum mv_style fill, text;
};

static void draw_figure(struct mv_app *a, struct mv_rect line, const struct figure *f,
			uint64_t total)
{
	char size[32];
	int bar = line.cols - 11 - 11 - 5;
	struct mv_bar_part part = {f->bytes, f->fill};

	mv_text(&a->canvas, line.row, line.col, ST_DIM, f->name);
	if (bar > 3)
		mv_bar(&a->canvas, line.row, line.col + 11, bar, &part, 1, total);
	mv_text_right(&a->canvas, line.row, line.col + line.cols - 16, 10, f->text,
		      mv_format_size(f->bytes, size, sizeof(size)));
	double percent = total ? 100.0 * (double)f->bytes / (double)total : 0;

	snprintf(size, sizeof(size), percent < 99.95 ? "%.1f%%" : "%.0f%%", percent);
	mv_text_right(&a->canvas, line.row, line.col + line.cols - 5, 5, ST_DIM, size);
}

static void draw_bar_legend(struct mv_app *a, struct mv_rect r)
{
	static const struct {
		enum mv_style style;
		const char *name;
	} parts[] = {
		{ST_G_USED,   "frames"},
		       {ST_G_SHARED, "shared"},
		{ST_G_CACHE,  "slabs" }
	     };
	int col = r.col;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		mv_put(&a->canvas, r.row, col, mv_glyph(GL_FULL, a->ascii), parts[i].style);
		col = mv_text(&a->canvas, r.row, col + 2, ST_DIM, parts[i].name) + 3;
	}
	mv_put(&a->canvas, r.row, col, mv_glyph(GL_TROUGH, a->ascii), ST_G_TROUGH);
	mv_text(&a->canvas, r.row, col + 2, ST_DIM, "free");
}

static void draw_stat(struct mv_app *a, struct mv_rect r)
{
	const struct mv_stat *s = &a->model->stat;
	char title[64], size[32];
	const struct figure figures[] = {
		{"used",	 s->used,	  ST_G_USED,   ST_STRONG},
		{"free",	 s->free,	  ST_G_FREE,   ST_STRONG},
		{"available", s->available,  ST_G_FREE,   ST_TEXT  },
		{"slab used", s->cache_used, ST_G_CACHE,	 ST_TEXT	},
		{"slab free", s->cache_free, ST_G_CACHE,	 ST_TEXT	},
		{"shared",	   s->shared,     ST_G_SHARED, ST_TEXT  },
	};

	snprintf(title, sizeof(title), "Memory: %s", mv_format_size(s->total, size, sizeof(size)));
	struct mv_rect in = mv_panel(a, r, title);

	if (!a->model->stat_known) {
		mv_waiting(a, in, "the figures");
		return;
	}
	uint64_t slab = s->cache_used + s->cache_free;
	uint64_t rest = s->used > slab + s->shared ? s->used - slab - s->shared : 0;
	const struct mv_bar_part parts[] = {
		{rest,      ST_G_USED	},
		{s->shared, ST_G_SHARED},
		{slab,      ST_G_CACHE },
	};
	struct mv_rect line = mv_cut_top(&in, 1);

	mv_bar(&a->canvas, line.row, line.col, line.cols, parts, 3, s->total);
	if (in.rows > 8)
		draw_bar_legend(a, mv_cut_top(&in, 2));
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]) && in.rows > 0; i++)
		draw_figure(a, mv_cut_top(&in, 1), &figures[i], s->total);
}

/* ---- the history ---- */

static double sum_allocs(const struct mv_sample *s)
{
	double n = 0;

	for (int i = 0; i < MV_MAX_CACHES; i++)
		n += (double)s->cache_allocs[i];
	return n;
}

static struct mv_point point_of(const struct mv_sample *s, int mode)
{
	const struct mv_stat *m = &s->stat;

	if (mode == GRAPH_USED)
		return (struct mv_point){(double)m->used, (double)(m->cache_used + m->cache_free)};
	if (mode == GRAPH_SLABS)
		return (struct mv_point){(double)(m->cache_used + m->cache_free),
					 (double)m->cache_used};
	return (struct mv_point){sum_allocs(s), 0};
}

static size_t to_rates(struct mv_point *p, size_t n, uint64_t step_us)
{
	for (size_t i = 0; i + 1 < n; i++) {
		double more = p[i + 1].total - p[i].total;

		p[i].total = more > 0 ? more * 1e6 / (double)step_us : 0;
	}
	return n ? n - 1 : 0;
}

static void draw_history(struct mv_app *a, enum graph_mode mode, struct mv_rect r)
{
	static const char *const names[] = {"In use", "Slab memory", "kmalloc/s"};
	struct mv_point points[POINTS_MAX];
	int cols = r.cols - (a->room >= ROOM_MEDIUM ? 4 : 1);
	size_t want = mv_graph_points(cols, a->ascii);
	uint64_t step = 1000000;
	double top = 0;
	char title[128], high[32], span[32];

	want = want < POINTS_MAX - 1 ? want : POINTS_MAX - 1;
	size_t n = mv_history(a, point_of, (int)mode, points, want + (mode == GRAPH_RATE), &step);

	if (mode == GRAPH_RATE)
		n = to_rates(points, n, step);
	for (size_t i = 0; i < n; i++)
		if (points[i].total > top)
			top = points[i].total;
	top = mv_nice_ceiling(top * 1.05, mode != GRAPH_RATE);
	if (mode == GRAPH_RATE)
		mv_format_short(top, high, sizeof(high));
	else
		mv_format_size((uint64_t)top, high, sizeof(high));
	snprintf(title, sizeof(title), "%s: 0 to %s, last %s", names[mode], high,
		 mv_age(want * step, span, sizeof(span)));
	struct mv_rect in = mv_panel(a, r, title);

	mv_graph(&a->canvas, in, points, n, top, mode == GRAPH_RATE ? ST_G_FREE : ST_G_USED,
		 ST_G_CACHE);
	if (!n)
		mv_note(a, in, "The history begins now.");
}

/* ---- zones ---- */

static void draw_zone(struct mv_app *a, struct overview *o, struct mv_rect line, size_t i)
{
	const struct mv_zone *z = &a->model->zones[i];
	char text[96], used[32], free_text[32];
	bool here = o->part == PART_ZONES && o->at[PART_ZONES] == i;
	uint64_t usable = z->frames;
	struct mv_bar_part parts[] = {
		{z->used,	  ST_G_USED	   },
		      {z->reserved, ST_T_RESERVED}
	  };
	/* What share of the free frames lies outside the largest run. */
	double frag = z->free ? 100.0 * (1 - (double)z->largest_free_run / (double)z->free) : 0;

	mv_text_fit(&a->canvas, line.row, line.col, 10, true, here ? ST_SELECT : ST_TEXT,
		    mv_zone_short(z->name));
	mv_format_size(z->used * MV_FRAME_BYTES, used, sizeof(used));
	mv_format_size(z->free * MV_FRAME_BYTES, free_text, sizeof(free_text));
	snprintf(text, sizeof(text), "%10s used %10s free", used, free_text);
	bool wide = line.cols >= 100;
	int bar = line.cols - (wide ? 72 : line.cols >= 70 ? 53 : 44);

	if (bar > 0)
		mv_bar(&a->canvas, line.row, line.col + 11, bar, parts, 2, usable);
	int col = mv_text(&a->canvas, line.row, line.col + 12 + (bar > 0 ? bar : 0), ST_TEXT, text);

	if (wide)
		mv_textf(&a->canvas, line.row, col, frag > 50 ? ST_WARN : ST_DIM,
			 "  largest run %4llu  frag %2.0f%%",
			 (unsigned long long)z->largest_free_run, frag);
	else if (line.cols >= 70)
		mv_textf(&a->canvas, line.row, col, frag > 50 ? ST_WARN : ST_DIM, " frag %2.0f%%",
			 frag);
}

static void draw_zones(struct mv_app *a, struct overview *o, struct mv_rect r)
{
	struct mv_rect in = mv_panel(a, r,
				     "Zones: used, free, and how fragmented the free frames are");

	o->count[PART_ZONES] = a->model->zone_count;
	o->drawn[PART_ZONES] = in;
	if (!a->model->zones_known)
		mv_waiting(a, in, "the zones");
	for (size_t i = 0; i < a->model->zone_count && in.rows > 0; i++)
		draw_zone(a, o, mv_cut_top(&in, 1), i);
}

/* ---- caches ---- */

static double cache_rate(const struct mv_app *a, size_t i)
{
	return mv_model_cache_alloc_rate(a->live, i, RATE_WINDOW_US) +
	       mv_model_cache_free_rate(a->live, i, RATE_WINDOW_US);
}

static void order_caches(const struct mv_app *a, struct overview *o)
{
	double key[MV_MAX_CACHES];
	size_t n = a->model->cache_count;

	for (size_t i = 0; i < n; i++) {
		/* Rates first; where all is quiet, bytes. */
		key[i] = cache_rate(a, i) * 1e12 + (double)a->model->caches[i].bytes;
		size_t at = i;

		for (; at > 0 && key[o->cache_order[at - 1]] < key[i]; at--)
			o->cache_order[at] = o->cache_order[at - 1];
		o->cache_order[at] = i;
	}
}

static void draw_cache(struct mv_app *a, struct overview *o, struct mv_rect line, size_t row)
{
	size_t i = o->cache_order[row];
	const struct mv_cache *k = &a->model->caches[i];
	bool here = o->part == PART_CACHES && o->at[PART_CACHES] == row;
	char size[32], bytes[32], rate[16];
	struct mv_bar_part part = {k->used, ST_G_CACHE};
	int bar = line.cols - 10 - 12 - 11;

	mv_format_size(k->size, size, sizeof(size));
	mv_text_fit(&a->canvas, line.row, line.col, 9, true, here ? ST_SELECT : ST_TEXT, size);
	if (bar > 3)
		mv_bar(&a->canvas, line.row, line.col + 10, bar, &part, 1, k->objects);
	mv_text_right(&a->canvas, line.row, line.col + line.cols - 21, 10, ST_TEXT,
		      mv_format_size(k->bytes, bytes, sizeof(bytes)));
	snprintf(size, sizeof(size), "%s/s", mv_format_short(cache_rate(a, i), rate, sizeof(rate)));
	mv_text_right(&a->canvas, line.row, line.col + line.cols - 10, 9, ST_STRONG, size);
}

static void draw_caches(struct mv_app *a, struct overview *o, struct mv_rect r)
{
	struct mv_rect in = mv_panel(a, r, "Busiest caches");

	order_caches(a, o);
	o->drawn[PART_CACHES] = in;
	o->count[PART_CACHES] = a->model->cache_count;
	if ((size_t)in.rows < o->count[PART_CACHES])
		o->count[PART_CACHES] = (size_t)in.rows;
	for (size_t i = 0; i < o->count[PART_CACHES]; i++)
		draw_cache(a, o, mv_cut_top(&in, 1), i);
	if (!a->model->caches_known)
		mv_waiting(a, in, "the caches");
}

/* ---- the ticker ---- */

static void draw_events(struct mv_app *a, struct overview *o, struct mv_rect r)
{
	char title[96], n[32];

	snprintf(title, sizeof(title), "Events, newest first: %s seen",
		 mv_format_count(a->model->events_seen, n, sizeof(n)));
	struct mv_rect in = mv_panel(a, r, title);
	size_t have = mv_shown_events(a), row = 0;

	o->drawn[PART_EVENTS] = in;
	for (size_t i = 0; i < have && in.rows > 0 && row < EVENTS_SHOWN; i++) {
		const struct mv_event *e = mv_model_event(a->live, have - 1 - i);
		struct mv_rect line = mv_cut_top(&in, 1);
		bool here = o->part == PART_EVENTS && o->at[PART_EVENTS] == row;

		o->event_number[row++] = e->number;
		mv_event_draw(a, line, e, here);
	}
	o->count[PART_EVENTS] = row;
	if (!row)
		mv_note(a, in, "Nothing has happened since memviz began to watch.");
}

/* ---- the whole ---- */

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct overview *o = self(v);
	struct mv_app *a = v->app;
	int zones = (int)a->model->zone_count > 0 ? (int)a->model->zone_count : 3;
	int frame = a->room >= ROOM_MEDIUM ? 2 : 1;

	for (int i = 0; i < PARTS; i++) {
		o->count[i] = 0;
		o->drawn[i] = mv_rect(0, 0, 0, 0);
	}
	if (a->room == ROOM_TINY) {
		draw_stat(a, mv_cut_top(&r, 8));
		draw_zones(a, o, mv_cut_top(&r, zones + 1));
		draw_caches(a, o, r);
		return;
	}
	int top_rows = a->room == ROOM_SMALL ? 8 : r.rows * 2 / 5 < 12 ? r.rows * 2 / 5 : 12;
	struct mv_rect top = mv_cut_top(&r, top_rows);

	draw_stat(a, mv_cut_left(&top, a->room == ROOM_SMALL   ? 42
				       : a->room == ROOM_LARGE ? 60
							       : 48));
	if (a->room == ROOM_LARGE)
		draw_history(a, o->graph == GRAPH_RATE ? GRAPH_USED : GRAPH_RATE,
			     mv_cut_right(&top, top.cols / 2));
	draw_history(a, o->graph, top);
	draw_zones(a, o, mv_cut_top(&r, zones + frame));
	draw_caches(a, o, mv_cut_left(&r, a->room == ROOM_SMALL ? 42 : r.cols * 2 / 5));
	draw_events(a, o, r);
}

static void clamp(struct overview *o)
{
	for (int i = 0; i < PARTS; i++)
		if (o->at[i] >= o->count[i])
			o->at[i] = o->count[i] ? o->count[i] - 1 : 0;
}

/* Down from the last row of a part goes on in the next one. */
static void move(struct overview *o, int by)
{
	size_t *at = &o->at[o->part];

	clamp(o);
	if (by > 0 && *at + 1 < o->count[o->part])
		++*at;
	else if (by < 0 && *at > 0)
		--*at;
	else if (by > 0 && o->part + 1 < PARTS && o->part == PART_ZONES)
		o->part = PART_CACHES;
	else if (by < 0 && o->part != PART_ZONES)
		o->part = PART_ZONES;
}

/* The memory map itself, whatever was opened on it, with the cursor at the zone's beginning. */
static void open_zone(struct mv_app *a, const struct mv_zone *z)
{
	char words[32];

	mv_app_go(a, 1);
	mv_app_go(a, 1);
	mv_format_addr(z->start, words, sizeof(words));
	mv_map_ops.find(mv_app_view(a), words, 1);
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct overview *o = self(v);

	switch (a) {
	case ACT_UP:
	case ACT_DOWN:
		move(o, a == ACT_DOWN ? 1 : -1);
		return true;
	case ACT_LEFT:
		o->part = o->part == PART_EVENTS ? PART_CACHES : o->part;
		return true;
	case ACT_RIGHT:
		o->part = PART_EVENTS;
		return true;
	case ACT_HOME:
		o->at[o->part] = 0;
		return true;
	case ACT_END:
		o->at[o->part] = o->count[o->part];
		clamp(o);
		return true;
	case ACT_VIEW:
		o->graph = (o->graph + 1) % GRAPH_MODES;
		return true;
	case ACT_OPEN:
		if (o->part == PART_ZONES && o->at[PART_ZONES] < v->app->model->zone_count) {
			open_zone(v->app, &v->app->model->zones[o->at[PART_ZONES]]);
			return true;
		}
		return false;
	default:
		return false;
	}
}

static bool click(struct mv_view *v, int row, int col)
{
	struct overview *o = self(v);

	for (int i = 0; i < PARTS; i++)
		if (mv_inside(o->drawn[i], row, col)) {
			o->part = (enum part)i;
			o->at[i] = (size_t)(row - o->drawn[i].row);
			clamp(o);
			return o->count[i] > 0;
		}
	return false;
}

static struct mv_thing thing(struct mv_view *v)
{
	struct overview *o = self(v);
	struct mv_app *a = v->app;
	struct mv_thing none = {.kind = THING_NONE};

	clamp(o);
	if (o->part == PART_CACHES && o->count[PART_CACHES])
		return (struct mv_thing){
			.kind = THING_CLASS,
			.size = a->model->caches[o->cache_order[o->at[PART_CACHES]]].size};
	for (size_t i = mv_shown_events(a);
	     o->part == PART_EVENTS && o->count[PART_EVENTS] && i > 0; i--) {
		const struct mv_event *e = mv_model_event(a->live, i - 1);

		if (e->number == o->event_number[o->at[PART_EVENTS]])
			return mv_event_thing(e);
	}
	return none;
}

const struct mv_view_ops mv_overview_ops = {
	.name = "Overview",
	.context = CTX_OVERVIEW,
	.size = sizeof(struct overview),
	.draw = draw,
	.act = act,
	.click = click,
	.thing = thing,
};
