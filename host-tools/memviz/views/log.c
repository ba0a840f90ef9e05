// SPDX-License-Identifier: MIT
/* Screen 6: what the kernel said and what happened, in the order of time. */
#include "app.h"
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum which { SHOW_BOTH, SHOW_CONSOLE, SHOW_EVENTS, SHOW_COUNT };
enum { G_TIME, G_KIND, G_TEXT };
/* clang-format off */
static const struct mv_column log_columns[] = {
	[G_TIME] = {.title = "TIME", .width = 12, .right = true},
	[G_KIND] = {.title = "KIND", .width = 11, .by_text = true},
	[G_TEXT] = {.title = "WHAT", .width = 30, .flexible = true, .by_text = true},
};
/* clang-format on */

struct entry {
	bool event;
	uint32_t index; /* into the model's ring */
};

struct log {
	struct mv_view view;
	enum which which;
	struct entry *entry;
	size_t count, capacity;
	struct mv_table table;
};

static struct log *self(struct mv_view *v)
{
	return (struct log *)v;
}

static const struct mv_event *event_of(struct log *l, size_t i)
{
	return mv_model_event(l->view.app->live, l->entry[i].index);
}

static const struct mv_log_line *line_of(struct log *l, size_t i)
{
	return mv_model_log_line(l->view.app->live, l->entry[i].index);
}

/* Both rings are in order already: one pass puts them together. */
static void merge(struct log *l)
{
	struct mv_app *a = l->view.app;
	size_t events = l->which == SHOW_CONSOLE ? 0 : mv_shown_events(a);
	size_t lines = l->which == SHOW_EVENTS ? 0 : mv_shown_log(a), e = 0, k = 0;

	if (events + lines > l->capacity) {
		struct entry *entry = realloc(l->entry, (events + lines) * sizeof(*entry));

		if (!entry)
			return;
		l->entry = entry;
		l->capacity = events + lines;
	}
	for (l->count = 0; e < events || k < lines; l->count++) {
		bool event = k >= lines ||
			     (e < events && mv_model_event(a->live, e)->t_us <
						    mv_model_log_line(a->live, k)->t_us);

		l->entry[l->count] = (struct entry){event, (uint32_t)(event ? e++ : k++)};
	}
}

static void event_words(const struct mv_model *m, const struct mv_event *e, char *out, size_t size)
{
	char amount[32], site[96], place[64];

	mv_event_amount(e, amount, sizeof(amount));
	mv_event_site(m, e, site, sizeof(site));
	mv_event_place(m, e, place, sizeof(place));
	snprintf(out, size, "0x%-16llx %10s%s%s%s%s", (unsigned long long)e->addr, amount,
		 *site ? "  by " : "", site, *place ? "  " : "", place);
}

static void kind_words(struct log *l, size_t i, char *out, size_t size)
{
	if (l->entry[i].event)
		mv_event_name(event_of(l, i), out, size);
	else
		snprintf(out, size, "%s", line_of(l, i)->level);
}

static void text(void *ctx, size_t i, int col, char *out, size_t size)
{
	struct log *l = ctx;
	bool event = l->entry[i].event;

	if (col == G_TIME)
		snprintf(out, size, "%.6f",
			 (double)(event ? event_of(l, i)->t_us : line_of(l, i)->t_us) / 1e6);
	else if (col == G_KIND)
		kind_words(l, i, out, size);
	else if (event)
		event_words(l->view.app->live, event_of(l, i), out, size);
	else
		snprintf(out, size, "%s", line_of(l, i)->text);
}

static double key(void *ctx, size_t i, int col)
{
	(void)ctx;
	(void)col;
	return (double)i;
}

static enum mv_style level_style(const char *level)
{
	if (strstr(level, "err") || strstr(level, "panic") || strstr(level, "crit"))
		return ST_BAD;
	if (strstr(level, "warn"))
		return ST_WARN;
	return strstr(level, "debug") ? ST_DIM : ST_OK;
}

static enum mv_style style(void *ctx, size_t i, int col)
{
	struct log *l = ctx;

	if (col == G_TIME)
		return ST_DIM;
	if (l->entry[i].event)
		return col == G_KIND ? mv_event_style(event_of(l, i)) : ST_TEXT;
	enum mv_style st = level_style(line_of(l, i)->level);

	return col == G_KIND || st == ST_BAD || st == ST_WARN ? st : ST_STRONG;
}

static uint64_t id(void *ctx, size_t i)
{
	struct log *l = ctx;

	return l->entry[i].event ? event_of(l, i)->number << 1 : line_of(l, i)->seq << 1 | 1;
}

static struct mv_table *table(struct mv_view *v, struct mv_rows *rows)
{
	struct log *l = self(v);

	merge(l);
	*rows = (struct mv_rows){
		.ctx = l, .count = l->count, .text = text, .key = key, .style = style, .id = id};
	return &l->table;
}

static void draw_head(struct log *l, struct mv_rect line)
{
	static const char *const words[] = {"Console and events", "Console", "Events"};
	struct mv_app *a = l->view.app;
	int col = mv_textf(&a->canvas, line.row, line.col + 1, ST_TEXT, "%s: %zu of %zu lines",
			   words[l->which], l->table.count, l->count);

	if (l->table.filter[0])
		col = mv_textf(&a->canvas, line.row, col, ST_WARN, "  filter: %s", l->table.filter);
	if (a->model->events_dropped)
		col = mv_textf(&a->canvas, line.row, col, ST_WARN, "  %llu events were dropped",
			       (unsigned long long)a->model->events_dropped);
	if (col + 13 <= line.col + line.cols)
		mv_text_right(&a->canvas, line.row, line.col, line.cols - 1, ST_DIM,
			      l->table.follow ? "following" : "End follows");
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct log *l = self(v);
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);
	struct mv_rect head = mv_cut_top(&r, 1);

	mv_table_update(t, &rows);
	draw_head(l, head);
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	if (rows.count)
		mv_table_draw(t, &rows, &v->app->canvas, r);
	else
		mv_note(v->app, r, "Nothing yet.");
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct log *l = self(v);

	switch (a) {
	case ACT_VIEW:
		l->which = (l->which + 1) % SHOW_COUNT;
		return true;
	case ACT_UP:
	case ACT_PAGE_UP:
	case ACT_HOME:
		l->table.follow = false;
		return false;
	case ACT_END:
		l->table.follow = true;
		return false;
	default:
		return false;
	}
}

static struct mv_thing thing(struct mv_view *v)
{
	struct log *l = self(v);
	size_t i = mv_table_current(&l->table);

	if (i >= l->count || !l->entry[i].event)
		return (struct mv_thing){.kind = THING_NONE};
	return mv_event_thing(event_of(l, i));
}

static bool find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);

	mv_table_update(t, &rows);
	return mv_table_find(t, &rows, words, by);
}

static void open_log(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	mv_table_init(&self(v)->table, log_columns, 3, -1, false);
	self(v)->table.follow = true;
}

static void close_log(struct mv_view *v)
{
	mv_table_free(&self(v)->table);
	free(self(v)->entry);
}

const struct mv_view_ops mv_log_ops = {
	.name = "Log",
	.context = CTX_LOG,
	.size = sizeof(struct log),
	.open = open_log,
	.close = close_log,
	.draw = draw,
	.act = act,
	.thing = thing,
	.find = find,
	.table = table,
};
