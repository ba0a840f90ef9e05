/*
 * The text summary: the picture of a kernel for a log, a pipe or a mail. One
 * page, from the whole to the parts; bars in Unicode or ASCII.
 */
#include "cells.h"

#include <inttypes.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <stdlib.h>
#include <string.h>

#define BAR	    32
#define MAP_COLUMNS 64
#define MAP_LINES   16
#define RATE_US	    2000000u
#define EVENTS	    8
#define LOG_LINES   8

static void heading(struct cmd *c, FILE *out, const char *text)
{
	fprintf(out, "\n%s%s%s\n", cmd_style(c, 'b'), text, cmd_style(c, 0));
}

static const char *size(uint64_t bytes)
{
	static char text[8][24];
	static unsigned turn;
	turn = (turn + 1) % 8;
	return mv_format_size(bytes, text[turn], sizeof text[turn]);
}

static const char *count(uint64_t n)
{
	static char text[8][32];
	static unsigned turn;
	turn = (turn + 1) % 8;
	return mv_format_count(n, text[turn], sizeof text[turn]);
}

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part * 100 / (double)whole + 0.5) : 0;
}

/* ---- who ---- */

static void print_kernel(struct cmd *c, const struct mv_model *m, FILE *out)
{
	const struct mv_hello *h = &m->hello;
	const char *dot = c->ascii ? "-" : "·";
	char up[32];
	fprintf(out, "%s%s %s%s", cmd_style(c, 'b'), h->name[0] ? h->name : "kernel", h->version,
		cmd_style(c, 0));
	if (h->build_id[0])
		fprintf(out, " %s build %.12s", dot, h->build_id);
	if (h->cpus)
		fprintf(out, " %s %u CPU%s", dot, h->cpus, h->cpus == 1 ? "" : "s");
	if (h->tsc_hz)
		fprintf(out, " at %.2f GHz", (double)h->tsc_hz / 1e9);
	if (h->access[0])
		fprintf(out, " %s access %s", dot, h->access);
	if (m->uptime_us)
		fprintf(out, " %s up %s", dot, mv_format_duration(m->uptime_us, up, sizeof up));
	fputc('\n', out);
	if (!c->s)
		return;
	struct mv_session_status st;
	struct mv_replay_status replay;
	mv_session_status(c->s, &st);
	fprintf(out, "%s%s", st.target, st.hub ? " (hub)" : "");
	if (mv_session_replay_status(c->s, &replay)) {
		char clock[32], length[32];
		fprintf(out, " %s at %s of %s", dot,
			mv_format_clock(replay.now_us, clock, sizeof clock),
			mv_format_duration(replay.last_us - replay.first_us, length,
					   sizeof length));
	} else if (st.rtt_us > 0) {
		fprintf(out, " %s answers in %.1f ms", dot, st.rtt_us / 1000);
	}
	fprintf(out, " %s generation %s\n", dot, count(m->gen));
}

/* ---- memory ---- */

static void figure(struct table *t, struct cmd *c, const char *name, uint64_t part, uint64_t whole,
		   const char *note)
{
	char bar[3 * BAR + 1];
	table_cell(t, name);
	table_cell(t, size(part));
	table_cell(t, mv_format_bar(part, whole, BAR, c->ascii, bar, sizeof bar));
	table_cellf(t, "%u%%", percent(part, whole));
	table_cell(t, note);
}

static void print_memory(struct cmd *c, const struct mv_model *m, FILE *out)
{
	const struct mv_stat *s = &m->stat;
	char note[160];
	if (!m->stat_known)
		return;
	fprintf(out, "\n%sMemory%s  %s\n", cmd_style(c, 'b'), cmd_style(c, 0), size(s->total));
	struct table *t = table_new("<|>|<|>|<");
	snprintf(note, sizeof note, "slabs %s: %s in objects, %s free in them",
		 size(s->cache_used + s->cache_free), size(s->cache_used), size(s->cache_free));
	figure(t, c, "used", s->used, s->total, note);
	figure(t, c, "free", s->free, s->total, "whole frames");
	figure(t, c, "available", s->available, s->total, "free, and free in slabs");
	figure(t, c, "shared", s->shared, s->total, "frames with PAGE_SHARED");
	table_print(t, c, 2, out);
}

static void print_zones(struct cmd *c, const struct mv_model *m, FILE *out)
{
	if (!m->zone_count)
		return;
	heading(c, out, "Zones");
	struct table *t =
		table_new("<|>frames|>used|>free|>reserved|<used|>|>largest free run|>fragmented");
	for (size_t i = 0; i < m->zone_count; i++) {
		const struct mv_zone *z = &m->zones[i];
		char bar[3 * BAR + 1];
		table_cell(t, z->name);
		table_cell(t, count(z->frames));
		table_cell(t, count(z->used));
		table_cell(t, count(z->free));
		table_cell(t, count(z->reserved));
		table_cell(t, mv_format_bar(z->used, z->frames, 20, c->ascii, bar, sizeof bar));
		table_cellf(t, "%u%%", percent(z->used, z->frames));
		table_cell(t, size(z->largest_free_run * MV_FRAME_BYTES));
		/* How much of the free memory lies outside its largest run. */
		table_cellf(t, "%u%%", z->free ? 100 - percent(z->largest_free_run, z->free) : 0);
	}
	table_print(t, c, 2, out);
}

/* ---- the map: one letter per so many frames ---- */

/* Small letters say that only a part is in that state. */
static char cell_letter(const struct cell *cell)
{
	double share;
	enum mv_frame_state state = cell_shows(cell, &share);
	if (state == MV_FRAME_FREE || state == MV_FRAME_HOLE)
		return state == MV_FRAME_FREE ? '.' : ' ';
	char letter = mv_frame_state_letter(state);
	return share < 1 ? (char)(letter | 0x20) : letter;
}

static const char *letter_style(struct cmd *c, char letter)
{
	switch (letter | 0x20) {
	case 'a':
		return cmd_style(c, 'c');
	case 's':
		return cmd_style(c, 'g');
	case 'k':
		return cmd_style(c, 'm');
	case 'r':
		return cmd_style(c, 'y');
	default:
		return cmd_style(c, 'd');
	}
}

static void print_map_line(struct cmd *c, const struct cell *cells, size_t n, FILE *out)
{
	char before = 0;
	for (size_t i = 0; i < n; i++) {
		char letter = cell_letter(&cells[i]);
		if (c->color && letter != before)
			fprintf(out, "%s%s", cmd_style(c, 0), letter_style(c, letter));
		fputc(letter, out);
		before = letter;
	}
	fprintf(out, "%s\n", cmd_style(c, 0));
}

static void print_segment(struct cmd *c, const struct mv_model *m, const struct mv_range *range,
			  uint64_t per_cell, FILE *out)
{
	size_t n;
	struct cell *cells = cells_count(m, range, per_cell, &n);
	for (size_t i = 0; i < n; i += MAP_COLUMNS) {
		uint64_t pa = range->first + i * per_cell * MV_FRAME_BYTES;
		fprintf(out, "  %#14" PRIx64 "  ", pa);
		print_map_line(c, cells + i, n - i < MAP_COLUMNS ? n - i : MAP_COLUMNS, out);
	}
	free(cells);
}

static void print_map(struct cmd *c, const struct mv_model *m, FILE *out)
{
	struct mv_range segments[16];
	size_t n = mv_model_segments(m, segments, 16);
	uint64_t per_cell = cells_scale(segments, n, MAP_COLUMNS * MAP_LINES);
	if (!per_cell)
		return;
	heading(c, out, "Memory map");
	fprintf(out,
		"  one letter is %s   . free  A allocated  S slab  K kernel  R reserved  small: in "
		"part\n",
		size(per_cell * MV_FRAME_BYTES));
	for (size_t i = 0; i < n; i++) {
		if (i)
			fprintf(out, "  %14s\n", c->ascii ? "..." : "⋮");
		print_segment(c, m, &segments[i], per_cell, out);
	}
}

/* ---- caches ---- */

static void print_caches(struct cmd *c, const struct mv_model *m, FILE *out)
{
	if (!m->cache_count)
		return;
	heading(c, out, "Slab caches");
	struct table *t =
		table_new(">size|>used|>objects|<in use|>|>slabs|>backing|>allocs/s|>frees/s");
	for (size_t i = 0; i < m->cache_count; i++) {
		const struct mv_cache *k = &m->caches[i];
		char bar[80], rate[24];
		if (!k->objects && !k->allocs)
			continue;
		table_cell(t, size(k->size));
		table_cell(t, count(k->used));
		table_cell(t, count(k->objects));
		table_cell(t, mv_format_bar(k->used, k->objects, 16, c->ascii, bar, sizeof bar));
		table_cellf(t, "%u%%", percent(k->used, k->objects));
		table_cell(t, count(k->slabs));
		table_cell(t, size(k->bytes));
		table_cell(t, mv_format_short(mv_model_cache_alloc_rate(m, i, RATE_US), rate,
					      sizeof rate));
		table_cell(t, mv_format_short(mv_model_cache_free_rate(m, i, RATE_US), rate,
					      sizeof rate));
	}
	table_print(t, c, 2, out);
}

/* ---- spaces ---- */

static void rights_of(const struct mv_space *s, uint64_t *bytes, uint64_t *w_and_x)
{
	*bytes = *w_and_x = 0;
	for (size_t i = 0; i < s->map_count; i++) {
		*bytes += s->maps[i].len;
		if ((s->maps[i].flags & MV_MAP_WRITE) && (s->maps[i].flags & MV_MAP_EXEC))
			*w_and_x += s->maps[i].len;
	}
}

static void print_spaces(struct cmd *c, const struct mv_model *m, FILE *out)
{
	if (!m->space_count)
		return;
	heading(c, out, "Address spaces");
	struct table *t =
		table_new(">id|<name|<root|>tables|>mapped|>runs|<writable and executable");
	size_t shown = 0;
	for (size_t i = 0; i < m->space_count && shown < 12; i++, shown++) {
		const struct mv_space *s = &m->spaces[i];
		uint64_t bytes, both;
		char root[24];
		rights_of(s, &bytes, &both);
		table_cellf(t, "%" PRId64, s->id);
		table_cellf(t, "%s%s", s->name, s->current ? " (current)" : "");
		table_cell(t, mv_format_addr(s->root, root, sizeof root));
		table_cell(t, count(s->tables));
		table_cell(t, size(s->mapped_bytes));
		table_cell(t, s->mappings_known ? count(s->map_count) : "?");
		table_cell(t, !s->mappings_known ? "?" : both ? size(both) : "none");
	}
	table_print(t, c, 2, out);
	if (m->space_count > shown)
		fprintf(out, "  and %zu more\n", m->space_count - shown);
}

/* ---- what happens ---- */

static void event_text(const struct mv_model *m, const struct mv_event *e, char *out, size_t n)
{
	char addr[24];
	const char *symbol = mv_model_symbol(m, e->site);
	if (e->op == MV_EVENT_FAIL)
		snprintf(out, n, "%s failed, %s",
			 mv_event_op_name(e->arg < MV_EVENT_OPS ? (enum mv_event_op)e->arg
								: MV_EVENT_OTHER),
			 size(e->size));
	else
		snprintf(out, n, "%s %s", mv_format_addr(e->addr, addr, sizeof addr),
			 size(e->size));
	size_t used = strlen(out);
	if (symbol)
		snprintf(out + used, n - used, "  by %s", symbol);
	else if (e->site)
		snprintf(out + used, n - used, "  by 0x%" PRIx64, e->site);
}

static void print_events(struct cmd *c, const struct mv_model *m, FILE *out)
{
	size_t n = mv_model_events(m), from = n > EVENTS ? n - EVENTS : 0;
	if (!n)
		return;
	heading(c, out, "Latest events");
	struct table *t = table_new(">|<|<");
	for (size_t i = from; i < n; i++) {
		const struct mv_event *e = mv_model_event(m, i);
		char text[200];
		event_text(m, e, text, sizeof text);
		table_cellf(t, "%.6f", (double)e->t_us / 1e6);
		table_cell(t, mv_event_op_name((enum mv_event_op)e->op));
		table_cell(t, text);
	}
	table_print(t, c, 2, out);
	if (m->events_dropped)
		fprintf(out, "  and %s that the kernel's ring could not hold\n",
			count(m->events_dropped));
}

static void print_log(struct cmd *c, const struct mv_model *m, FILE *out)
{
	size_t n = mv_model_log_lines(m), from = n > LOG_LINES ? n - LOG_LINES : 0;
	if (!n)
		return;
	heading(c, out, "Log");
	for (size_t i = from; i < n; i++) {
		const struct mv_log_line *l = mv_model_log_line(m, i);
		fprintf(out, "  [%5" PRIu64 ".%06" PRIu64 "] %-5s %s\n", l->t_us / 1000000,
			l->t_us % 1000000, l->level, l->text);
	}
}

void summary_print(struct cmd *c, const struct mv_model *m, FILE *out)
{
	print_kernel(c, m, out);
	print_memory(c, m, out);
	print_zones(c, m, out);
	print_map(c, m, out);
	print_caches(c, m, out);
	print_spaces(c, m, out);
	print_events(c, m, out);
	print_log(c, m, out);
}
