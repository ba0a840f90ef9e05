// SPDX-License-Identifier: MIT
#include "events.h"

#include <stdio.h>

/* The operation that an event is about: of a failure, the one that failed. */
static enum mv_event_op op_of(const struct mv_event *e)
{
	if (e->op != MV_EVENT_FAIL)
		return (enum mv_event_op)e->op;
	return e->arg < MV_EVENT_OPS ? (enum mv_event_op)e->arg : MV_EVENT_OTHER;
}

static bool of_frames(const struct mv_event *e)
{
	return op_of(e) == MV_EVENT_ALLOC_PAGES || op_of(e) == MV_EVENT_FREE_PAGES;
}

enum mv_style mv_event_style(const struct mv_event *e)
{
	static const enum mv_style styles[MV_EVENT_OPS] = {
		[MV_EVENT_KMALLOC] = ST_T_SLAB,
		[MV_EVENT_KFREE] = ST_T_FREE,
		[MV_EVENT_ALLOC_PAGES] = ST_T_ALLOCATED,
		[MV_EVENT_FREE_PAGES] = ST_T_FREE,
		[MV_EVENT_MAP] = ST_T_SHARED,
		[MV_EVENT_UNMAP] = ST_T_RESERVED,
		[MV_EVENT_FAIL] = ST_BAD,
		[MV_EVENT_OTHER] = ST_TEXT,
	};

	return e->op < MV_EVENT_OPS ? styles[e->op] : ST_TEXT;
}

void mv_event_name(const struct mv_event *e, char *out, size_t size)
{
	snprintf(out, size, "%s%s", mv_event_op_name(op_of(e)),
		 e->op == MV_EVENT_FAIL ? " failed" : "");
}

void mv_event_amount(const struct mv_event *e, char *out, size_t size)
{
	unsigned long long frames = e->size / MV_FRAME_BYTES;

	if (!e->size)
		*out = '\0';
	else if (of_frames(e))
		snprintf(out, size, "%llu %s", frames, frames == 1 ? "frame" : "frames");
	else
		mv_format_size(e->size, out, size);
}

void mv_event_site(const struct mv_model *m, const struct mv_event *e, char *out, size_t size)
{
	const char *symbol = e->site ? mv_model_symbol(m, e->site) : NULL;

	if (symbol)
		snprintf(out, size, "%s", symbol);
	else if (e->site)
		mv_format_addr(e->site, out, size);
	else
		*out = '\0';
}

void mv_event_place(const struct mv_model *m, const struct mv_event *e, char *out, size_t size)
{
	const struct mv_space *s = mv_model_space(m, (int64_t)e->arg);

	if (e->op == MV_EVENT_MAP || e->op == MV_EVENT_UNMAP)
		snprintf(out, size, "in space %llu %s", (unsigned long long)e->arg,
			 s ? s->name : "");
	else if ((e->op == MV_EVENT_ALLOC_PAGES || e->op == MV_EVENT_FREE_PAGES) &&
		 e->arg < m->zone_count)
		snprintf(out, size, "in %s", m->zones[e->arg].name);
	else
		*out = '\0';
}

struct mv_thing mv_event_thing(const struct mv_event *e)
{
	struct mv_thing t = {.kind = THING_NONE, .va = e->addr, .space = -1};

	if (!e->addr || e->op == MV_EVENT_FAIL)
		return t;
	if (of_frames(e)) {
		t.kind = THING_FRAME;
		t.pa = e->addr;
		t.va = 0;
		t.len = e->size;
	} else if (e->op == MV_EVENT_MAP || e->op == MV_EVENT_UNMAP) {
		t.kind = THING_ADDRESS;
		t.space = (int64_t)e->arg;
	} else {
		t.kind = THING_OBJECT;
	}
	return t;
}

void mv_event_draw(struct mv_app *a, struct mv_rect line, const struct mv_event *e, bool selected)
{
	struct mv_canvas *c = &a->canvas;
	char amount[32], name[40], site[96];
	enum mv_style st = selected ? ST_SELECT : mv_event_style(e);
	enum mv_style dim = selected ? ST_SELECT : ST_DIM;
	int col = line.col, end = line.col + line.cols;

	if (selected)
		mv_fill(c, line, L' ', ST_SELECT);
	if (line.cols >= 45)
		col = mv_textf(c, line.row, col, dim, "%8.3f ", (double)e->t_us / 1e6);
	mv_event_name(e, name, sizeof(name));
	mv_text_fit(c, line.row, col, 11, true, st, name);
	col += 12;
	mv_event_amount(e, amount, sizeof(amount));
	mv_text_right(c, line.row, col, 9, selected ? ST_SELECT : ST_TEXT, amount);
	col += 10;
	if (line.cols >= 60) {
		mv_textf(c, line.row, col, selected ? ST_SELECT : ST_ADDR, "0x%llx",
			 (unsigned long long)e->addr);
		col += 19;
	}
	mv_event_site(a->live, e, site, sizeof(site));
	if (end - col > 3)
		mv_text_fit(c, line.row, col, end - col, false, dim, site);
}
