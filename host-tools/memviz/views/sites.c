// SPDX-License-Identifier: MIT
/* Screen 5: who holds memory, what looks leaked, and the objects of one call site. */
#include "app.h"
#include "glyph.h"
#include "graph.h"
#include "sitedata.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITES_US    1000000  /* between questions while the screen is shown */
#define OBJECTS_US  30000000 /* a long answer: all that lives, of all sites */
#define LEAKS_US    5000000
#define REPLAY_US   250000   /* a recording answers at once */
#define LEAKS_MOST  2000     /* of the list: a kernel may hold a million objects */
#define LEAK_AGE_US 10000000 /* older than this counts as perhaps leaked */

/* ---- the list of sites ---- */

enum { S_SYMBOL, S_BYTES, S_OBJECTS, S_RATE, S_ALLOCS, S_FREES, S_OLDEST, S_OLD, S_ADDR };
/* clang-format off */
static const struct mv_column site_columns[] = {
	[S_SYMBOL] = {.title = "CALL SITE", .width = 22, .flexible = true, .by_text = true, .up_first = true},
	[S_BYTES] = {.title = "HOLDS", .width = 10, .right = true},
	[S_OBJECTS] = {.title = "OBJECTS", .width = 8, .right = true},
	[S_RATE] = {.title = "ALLOC/s", .width = 8, .right = true},
	[S_ALLOCS] = {.title = "ALLOCS", .width = 11, .right = true, .priority = 3},
	[S_FREES] = {.title = "FREES", .width = 11, .right = true, .priority = 4},
	[S_OLDEST] = {.title = "OLDEST", .width = 9, .right = true, .priority = 1},
	[S_OLD] = {.title = "OVER 10s", .width = 9, .right = true, .priority = 2},
	[S_ADDR] = {.title = "ADDRESS", .width = 18, .priority = 5, .up_first = true},
};
/* clang-format on */
enum { K_ADDR, K_SIZE, K_AGE, K_SYMBOL };
/* clang-format off */
static const struct mv_column object_columns[] = {
	[K_ADDR] = {.title = "OBJECT", .width = 18, .up_first = true},
	[K_SIZE] = {.title = "SIZE", .width = 10, .right = true},
	[K_AGE] = {.title = "AGE", .width = 10, .right = true},
	[K_SYMBOL] = {.title = "HELD BY", .width = 20, .flexible = true, .by_text = true, .up_first = true},
};
/* clang-format on */

struct sites {
	struct mv_view view;
	bool leaks, from_events, switched_on;
	struct mv_ask sites_ask, leaks_ask, trace_ask;
	struct mv_site_list list;
	struct mv_object_list old;
	uint64_t listed_us, events_seen;
	struct mv_table table, leak_table;
};

static struct sites *self(struct mv_view *v)
{
	return (struct sites *)v;
}

static double site_key(void *ctx, size_t i, int col)
{
	const struct mv_site *s = &((struct sites *)ctx)->list.site[i];

	switch (col) {
	case S_BYTES:
		return (double)s->live_bytes;
	case S_OBJECTS:
		return (double)s->live_objects;
	case S_RATE:
		return s->allocs_per_s;
	case S_ALLOCS:
		return (double)s->allocs;
	case S_FREES:
		return (double)s->frees;
	case S_OLDEST:
		return (double)s->oldest_us;
	case S_OLD:
		return (double)s->old;
	default:
		return (double)(s->addr & 0xffffffffffff);
	}
}

static void site_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	const struct mv_site *s = &((struct sites *)ctx)->list.site[i];
	double v = site_key(ctx, i, col);
	char count[32];

	switch (col) {
	case S_SYMBOL:
		if (s->symbol[0])
			snprintf(out, size, "%s", s->symbol);
		else
			mv_format_addr(s->addr, out, size);
		break;
	case S_BYTES:
		mv_format_size(s->live_bytes, out, size);
		break;
	case S_RATE:
		if (v > 0)
			mv_format_short(v, out, size);
		else
			snprintf(out, size, "-");
		break;
	case S_OLDEST:
		if (s->oldest_us)
			mv_age(s->oldest_us, out, size);
		else
			snprintf(out, size, "-");
		break;
	case S_ADDR:
		mv_format_addr(s->addr, out, size);
		break;
	case S_OLD:
		/* Of a list that was cut off: at least so many. */
		mv_format_count(s->old, count, sizeof(count));
		if (!mv_ask_cut(&((struct sites *)ctx)->leaks_ask))
			snprintf(out, size, "%s", count);
		else if (s->old)
			snprintf(out, size, "%s+", count);
		else
			snprintf(out, size, "?");
		break;
	default:
		mv_format_count((uint64_t)v, out, size);
	}
}

static enum mv_style site_style(void *ctx, size_t i, int col)
{
	const struct mv_site *s = &((struct sites *)ctx)->list.site[i];

	if ((col == S_OLD || col == S_OLDEST) && s->old)
		return ST_WARN;
	return col == S_SYMBOL || col == S_BYTES ? ST_STRONG : col == S_ADDR ? ST_ADDR : ST_TEXT;
}

static uint64_t site_id(void *ctx, size_t i)
{
	return ((struct sites *)ctx)->list.site[i].addr;
}

static struct mv_rows site_rows(struct sites *s)
{
	return (struct mv_rows){.ctx = s,
				.count = s->list.count,
				.text = site_text,
				.key = site_key,
				.style = site_style,
				.id = site_id};
}

/* ---- lists of objects ---- */

static double object_key(void *ctx, size_t i, int col)
{
	const struct mv_live_object *o = &((struct mv_object_list *)ctx)->object[i];

	return col == K_ADDR   ? (double)(o->addr & 0xffffffffffff)
	       : col == K_SIZE ? (double)o->size
			       : (double)o->age_us;
}

static void object_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	const struct mv_live_object *o = &((struct mv_object_list *)ctx)->object[i];

	if (col == K_ADDR)
		mv_format_addr(o->addr, out, size);
	else if (col == K_SIZE)
		mv_format_size(o->size, out, size);
	else if (col == K_AGE)
		mv_format_duration(o->age_us, out, size);
	else if (o->symbol[0])
		snprintf(out, size, "%s", o->symbol);
	else
		mv_format_addr(o->site, out, size);
}

static enum mv_style object_style(void *ctx, size_t i, int col)
{
	(void)ctx;
	(void)i;
	return col == K_ADDR ? ST_ADDR : col == K_AGE ? ST_WARN : ST_TEXT;
}

static uint64_t object_id(void *ctx, size_t i)
{
	return ((struct mv_object_list *)ctx)->object[i].addr;
}

static struct mv_rows object_rows(struct mv_object_list *l)
{
	return (struct mv_rows){.ctx = l,
				.count = l->count,
				.text = object_text,
				.key = object_key,
				.style = object_style,
				.id = object_id};
}

static struct mv_thing object_thing(const struct mv_object_list *l, const struct mv_table *t)
{
	size_t i = mv_table_current(t);

	if (i >= l->count)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_OBJECT,
				 .va = l->object[i].addr,
				 .size = l->object[i].size,
				 .space = -1};
}

/* ---- asking ---- */

static void sites_done(void *ctx, struct mv_ask *ask)
{
	struct sites *s = ctx;
	uint64_t now = s->view.app->now_us;

	if (ask->state != ASK_DONE)
		return;
	s->from_events = false;
	/* Rates are of the kernel's time: a replay's answer tells it. */
	now = (uint64_t)mv_get_int(ask->result, "recorded_us", (int64_t)now);
	mv_sites_take(&s->list, ask->result,
		      s->listed_us && now > s->listed_us ? now - s->listed_us : 0);
	s->listed_us = now;
}

static void leaks_done(void *ctx, struct mv_ask *ask)
{
	struct sites *s = ctx;

	if (ask->state != ASK_DONE)
		return;
	mv_objects_take(&s->old, ask->result, 0);
	mv_sites_age(&s->list, &s->old);
}

static struct json_object *older_than(uint64_t us)
{
	struct json_object *params = json_object_new_object();

	json_object_object_add(params, "older_than_us", json_object_new_int64((int64_t)us));
	return params;
}

static void only_old(struct mv_object_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->object[i].age_us >= LEAK_AGE_US)
			l->object[n++] = l->object[i];
	l->count = n;
}

/* Where a recording does not tell the sites, its events do. */
static void from_events(struct sites *s)
{
	struct mv_app *a = s->view.app;
	size_t n = mv_shown_events(a);

	if (!n || (s->from_events && s->events_seen == mv_model_event(a->live, n - 1)->number))
		return;
	s->from_events = true;
	s->events_seen = mv_model_event(a->live, n - 1)->number;
	mv_sites_from_events(&s->list, &s->old, a->live, n);
	only_old(&s->old);
	mv_sites_age(&s->list, &s->old);
}

static bool due(const struct mv_ask *ask, uint64_t now, uint64_t pause)
{
	return ask->state != ASK_WAITING &&
	       (ask->state == ASK_IDLE || now - ask->asked_us >= pause);
}

static void tick(struct mv_view *v)
{
	struct sites *s = self(v);
	struct mv_app *a = v->app;

	bool told = s->sites_ask.state == ASK_DONE && mv_get_count(s->sites_ask.result, "sites");

	if (a->replaying && !told && s->sites_ask.state != ASK_WAITING)
		from_events(s);
	if (a->frozen || !a->session)
		return;
	if (due(&s->sites_ask, a->now_us, a->replaying ? REPLAY_US : SITES_US)) {
		s->sites_ask.done = sites_done;
		s->sites_ask.ctx = s;
		mv_ask_send(&s->sites_ask, a, "trace.sites", NULL, true);
	}
	if (due(&s->leaks_ask, a->now_us, a->replaying ? REPLAY_US : LEAKS_US)) {
		s->leaks_ask.limit = LEAKS_MOST;
		s->leaks_ask.done = leaks_done;
		s->leaks_ask.ctx = s;
		mv_ask_send(&s->leaks_ask, a, "trace.leaks", older_than(LEAK_AGE_US), true);
	}
}

/* ---- drawing ---- */

static void draw_head(struct sites *s, struct mv_rect line)
{
	struct mv_app *a = s->view.app;
	uint64_t bytes = 0, objects = 0;
	char b[32], o[32], recorded[48] = "", age[24];
	uint64_t told = s->view.recorded_us;

	if (told && a->replaying)
		snprintf(recorded, sizeof(recorded), ", recorded %s before",
			 mv_age(a->replay.now_us > told ? a->replay.now_us - told : 0, age,
				sizeof(age)));
	for (size_t i = 0; i < s->list.count; i++) {
		bytes += s->list.site[i].live_bytes;
		objects += s->list.site[i].live_objects;
	}
	mv_format_size(bytes, b, sizeof(b));
	mv_format_count(objects, o, sizeof(o));
	if (s->leaks && mv_ask_cut(&s->leaks_ask) && !s->from_events)
		mv_textf(&a->canvas, line.row, line.col + 1, ST_TEXT,
			 "%zu older than 10 s in a list cut short of %s objects%s", s->old.count, o,
			 recorded);
	else if (s->leaks)
		mv_textf(&a->canvas, line.row, line.col + 1, ST_TEXT,
			 "%zu objects older than 10 s%s: perhaps leaked, perhaps just long-lived",
			 s->old.count, s->from_events ? ", by the events seen" : recorded);
	else
		mv_textf(&a->canvas, line.row, line.col + 1, ST_TEXT,
			 "%zu call sites hold %s in %s objects%s%s", s->list.count, b, o,
			 s->from_events ? ", by the events of this recording" : recorded,
			 mv_ask_cut(&s->sites_ask) && !s->from_events
				 ? "; the list is cut: there are more"
				 : "");
}

static void draw_nothing(struct sites *s, struct mv_rect r)
{
	struct mv_app *a = s->view.app;

	if (s->sites_ask.state == ASK_FAILED && a->replaying)
		mv_note(a, r,
			"Up to here neither an answer nor an event of this recording says "
			"who allocated.");
	else if (s->sites_ask.state == ASK_FAILED)
		mv_note(a, r, "%s", s->sites_ask.error.message);
	else if (s->leaks || s->sites_ask.state == ASK_DONE)
		mv_note(a, r, "None. Attribution counts from the moment it is on; t switches it.");
	else
		mv_note(a, r, "Asking the kernel.");
}

static struct mv_table *table(struct mv_view *v, struct mv_rows *rows)
{
	struct sites *s = self(v);

	*rows = s->leaks ? object_rows(&s->old) : site_rows(s);
	return s->leaks ? &s->leak_table : &s->table;
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct sites *s = self(v);
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);

	draw_head(s, mv_cut_top(&r, 1));
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	if (!rows.count) {
		draw_nothing(s, r);
		return;
	}
	mv_table_update(t, &rows);
	mv_table_draw(t, &rows, &v->app->canvas, r);
}

static void trace_done(void *ctx, struct mv_ask *ask)
{
	struct sites *s = ctx;

	if (ask->state == ASK_FAILED)
		mv_app_say(s->view.app, ST_BAD, "%s", ask->error.message);
	else
		mv_app_say(s->view.app, ST_OK, "Attribution switched %s",
			   s->switched_on ? "on" : "off");
	s->sites_ask.asked_us = 0;
}

static bool toggle_trace(struct sites *s)
{
	/* Off, the kernel knows of no sites. */
	bool on = s->list.count > 0;

	s->switched_on = !on;
	s->trace_ask.done = trace_done;
	s->trace_ask.ctx = s;
	mv_ask_send(&s->trace_ask, s->view.app, on ? "trace.stop" : "trace.start", NULL, false);
	return true;
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct sites *s = self(v);

	if (a == ACT_VIEW) {
		s->leaks = !s->leaks;
		return true;
	}
	if (a == ACT_TRACE)
		return toggle_trace(s);
	return false;
}

static struct mv_thing thing(struct mv_view *v)
{
	struct sites *s = self(v);
	size_t i = mv_table_current(&s->table);

	if (s->leaks)
		return object_thing(&s->old, &s->leak_table);
	if (i >= s->list.count)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_SITE, .va = s->list.site[i].addr, .space = -1};
}

static bool find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = table(v, &rows);

	mv_table_update(t, &rows);
	return mv_table_find(t, &rows, words, by);
}

static void open_sites(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	mv_table_init(&self(v)->table, site_columns, 9, S_BYTES, true);
	mv_table_init(&self(v)->leak_table, object_columns, 4, K_AGE, true);
}

static void close_sites(struct mv_view *v)
{
	struct sites *s = self(v);

	mv_ask_clear(&s->sites_ask);
	mv_ask_clear(&s->leaks_ask);
	mv_ask_clear(&s->trace_ask);
	mv_sites_clear(&s->list);
	mv_objects_clear(&s->old);
	mv_table_free(&s->table);
	mv_table_free(&s->leak_table);
}

const struct mv_view_ops mv_sites_ops = {
	.name = "Sites",
	.context = CTX_SITES,
	.size = sizeof(struct sites),
	.open = open_sites,
	.close = close_sites,
	.tick = tick,
	.draw = draw,
	.act = act,
	.thing = thing,
	.find = find,
	.table = table,
};

/* ---- the objects of one site ---- */

struct site {
	struct mv_view view;
	uint64_t addr;
	struct mv_ask ask;
	struct mv_object_list list;
	struct mv_table table;
};

static struct site *site_self(struct mv_view *v)
{
	return (struct site *)v;
}

static void site_objects_done(void *ctx, struct mv_ask *ask)
{
	struct site *s = ctx;

	if (ask->state == ASK_DONE)
		mv_objects_take(&s->list, ask->result, s->addr);
}

static void only_site(struct mv_object_list *l, uint64_t addr)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->object[i].site == addr)
			l->object[n++] = l->object[i];
	l->count = n;
}

static void site_tick(struct mv_view *v)
{
	struct site *s = site_self(v);
	struct mv_app *a = v->app;

	if (a->replaying && s->ask.state == ASK_FAILED) {
		struct mv_site_list sites = {0};

		mv_sites_from_events(&sites, &s->list, a->live, mv_shown_events(a));
		mv_sites_clear(&sites);
		only_site(&s->list, s->addr);
	}
	if (a->frozen || !due(&s->ask, a->now_us, a->replaying ? REPLAY_US : OBJECTS_US))
		return;
	s->ask.done = site_objects_done;
	s->ask.ctx = s;
	mv_ask_send(&s->ask, a, "trace.leaks", older_than(0), true);
}

static struct mv_table *site_table(struct mv_view *v, struct mv_rows *rows)
{
	struct site *s = site_self(v);

	*rows = object_rows(&s->list);
	return &s->table;
}

static void site_draw(struct mv_view *v, struct mv_rect r)
{
	struct site *s = site_self(v);
	struct mv_app *a = v->app;
	struct mv_rows rows;
	struct mv_table *t = site_table(v, &rows);
	struct mv_rect head = mv_cut_top(&r, 1);
	const char *name = mv_model_symbol(a->model, s->addr);
	bool cut = mv_ask_cut(&s->ask);
	uint64_t bytes = 0;
	char size[32];

	for (size_t i = 0; i < s->list.count; i++)
		bytes += s->list.object[i].size;
	if (!name)
		name = s->list.count ? s->list.object[0].symbol : "This call site";
	if (!rows.count && *mv_ask_text(&s->ask))
		mv_textf(&a->canvas, head.row, head.col + 1, ST_TEXT, "%s (0x%llx)", name,
			 (unsigned long long)s->addr);
	else if (cut)
		mv_textf(&a->canvas, head.row, head.col + 1, ST_TEXT,
			 "%s: %zu objects, %s; the list is cut, there may be more", name,
			 s->list.count, mv_format_size(bytes, size, sizeof(size)));
	else
		mv_textf(&a->canvas, head.row, head.col + 1, ST_TEXT,
			 "%s (0x%llx) holds %zu objects, %s", name, (unsigned long long)s->addr,
			 s->list.count, mv_format_size(bytes, size, sizeof(size)));
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	if (!rows.count) {
		mv_note(a, r, "%s",
			*mv_ask_text(&s->ask) ? mv_ask_text(&s->ask)
			: cut ? "None of what it holds is in the recorded list, which is cut."
			      : "It holds no object of kmalloc now. Whole frames are counted on "
				"the "
				"list of sites, but not told one by one.");
		return;
	}
	mv_table_update(t, &rows);
	mv_table_draw(t, &rows, &a->canvas, r);
}

static struct mv_thing site_thing(struct mv_view *v)
{
	return object_thing(&site_self(v)->list, &site_self(v)->table);
}

static bool site_find(struct mv_view *v, const char *words, int by)
{
	struct mv_rows rows;
	struct mv_table *t = site_table(v, &rows);

	return mv_table_find(t, &rows, words, by);
}

static void site_open(struct mv_view *v, const struct mv_thing *t)
{
	struct site *s = site_self(v);

	s->addr = t->va;
	snprintf(v->title, sizeof(v->title), "site 0x%llx", (unsigned long long)t->va);
	mv_table_init(&s->table, object_columns, 4, K_AGE, true);
}

static void site_close(struct mv_view *v)
{
	struct site *s = site_self(v);

	mv_ask_clear(&s->ask);
	mv_objects_clear(&s->list);
	mv_table_free(&s->table);
}

const struct mv_view_ops mv_site_ops = {
	.name = "site",
	.context = CTX_LIST,
	.size = sizeof(struct site),
	.open = site_open,
	.close = site_close,
	.tick = site_tick,
	.draw = site_draw,
	.thing = site_thing,
	.find = site_find,
	.table = site_table,
};
