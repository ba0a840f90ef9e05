// SPDX-License-Identifier: MIT
#include "grid.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct mv_kind_info mv_kinds[KIND_COUNT] = {
	[KIND_FREE] =      {'.', "free", "nobody uses it", ST_F_FREE, ST_T_FREE},
	[KIND_KERNEL] =    {'K', "kernel", "the kernel's image and what it took at boot", ST_F_KERNEL, ST_T_KERNEL},
	[KIND_SLAB] =      {'S', "slab", "small objects of kmalloc", ST_F_SLAB, ST_T_SLAB},
	[KIND_ALLOCATED] = {'A', "allocated", "handed out whole by alloc_pages", ST_F_ALLOCATED, ST_T_ALLOCATED},
	[KIND_SHARED] =    {'H', "shared", "allocated with PAGE_SHARED", ST_F_SHARED, ST_T_SHARED},
	[KIND_RESERVED] =  {'R', "reserved", "firmware's or the machine's own", ST_F_RESERVED, ST_T_RESERVED},
	[KIND_HOLE] =      {'-', "hole", "no memory at these addresses", ST_F_HOLE, ST_F_HOLE},
	[KIND_UNKNOWN] =   {'?', "unknown", "nobody said what it is", ST_F_UNKNOWN, ST_F_UNKNOWN},
};
/* clang-format on */

enum mv_kind mv_kind_of(const struct mv_frame_run *run)
{
	static const enum mv_kind kinds[MV_FRAME_STATES] = {
		[MV_FRAME_FREE] = KIND_FREE,	     [MV_FRAME_KERNEL] = KIND_KERNEL,
		[MV_FRAME_SLAB] = KIND_SLAB,	     [MV_FRAME_ALLOCATED] = KIND_ALLOCATED,
		[MV_FRAME_RESERVED] = KIND_RESERVED, [MV_FRAME_HOLE] = KIND_HOLE,
		[MV_FRAME_UNKNOWN] = KIND_UNKNOWN,
	};

	if (!run || run->state >= MV_FRAME_STATES)
		return KIND_UNKNOWN;
	if (run->state == MV_FRAME_ALLOCATED && (run->attr & MV_ATTR_SHARED))
		return KIND_SHARED;
	return kinds[run->state];
}

static uint64_t run_start(const struct mv_frame_run *r)
{
	return r->pa / MV_FRAME_BYTES;
}

static uint64_t run_end(const struct mv_frame_run *r)
{
	return r->pa / MV_FRAME_BYTES + r->count;
}

/* The first run that ends after @frame; frame_run_count when there is none. */
static size_t run_from(const struct mv_model *m, uint64_t frame)
{
	size_t lo = 0, hi = m->frame_run_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (run_end(&m->frames[mid]) <= frame)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void mv_kind_count(const struct mv_model *m, uint64_t first, uint64_t count,
		   uint64_t counts[KIND_COUNT])
{
	uint64_t end = first + count, known = 0;

	memset(counts, 0, KIND_COUNT * sizeof(counts[0]));
	for (size_t i = run_from(m, first); i < m->frame_run_count; i++) {
		const struct mv_frame_run *r = &m->frames[i];
		uint64_t from = run_start(r) > first ? run_start(r) : first;
		uint64_t to = run_end(r) < end ? run_end(r) : end;

		if (from >= end)
			break;
		counts[mv_kind_of(r)] += to - from;
		known += to - from;
	}
	counts[KIND_UNKNOWN] += count - known;
}

static bool add_line(struct mv_grid *g, struct mv_grid_line line)
{
	if (g->line_count == g->line_capacity) {
		size_t more = g->line_capacity ? g->line_capacity * 2 : 64;
		struct mv_grid_line *lines = realloc(g->lines, more * sizeof(*lines));

		if (!lines)
			return false;
		g->lines = lines;
		g->line_capacity = more;
	}
	g->lines[g->line_count++] = line;
	return true;
}

static bool foldable(const struct mv_frame_run *r)
{
	return r->state == MV_FRAME_HOLE || r->state == MV_FRAME_RESERVED;
}

/* Frames from @frame on that are all hole or all reserved; 0 when they are neither. */
static uint64_t dull_from(const struct mv_model *m, uint64_t frame)
{
	size_t first = run_from(m, frame), i = first;
	uint64_t end = frame;

	for (; i < m->frame_run_count; i++) {
		const struct mv_frame_run *r = &m->frames[i];

		if (run_start(r) > end || !foldable(r) || r->state != m->frames[first].state)
			break;
		end = run_end(r);
	}
	return end - frame;
}

uint64_t mv_grid_extent(const struct mv_model *m)
{
	for (size_t i = m->frame_run_count; i-- > 0;)
		if (!foldable(&m->frames[i]) && m->frames[i].state != MV_FRAME_UNKNOWN)
			return run_end(&m->frames[i]);
	return m->frame_run_count ? run_end(&m->frames[m->frame_run_count - 1]) : 0;
}

uint64_t mv_grid_worth(const struct mv_model *m, uint64_t per_line)
{
	uint64_t extent = mv_grid_extent(m), worth = extent;

	for (size_t i = 0; i < m->frame_run_count && run_end(&m->frames[i]) <= extent; i++)
		if (foldable(&m->frames[i]) && m->frames[i].count > 3 * per_line)
			worth -= m->frames[i].count - 3 * per_line;
	return worth;
}

static bool lay_lines(struct mv_grid *g, const struct mv_model *m)
{
	uint64_t per_line = g->per_cell * (uint64_t)g->cols;

	g->line_count = 0;
	if (!per_line)
		return false;
	for (uint64_t at = 0; at < g->frames;) {
		uint64_t lines = dull_from(m, at) / per_line;
		uint64_t span = lines >= 2 ? lines * per_line : per_line;

		if (!add_line(g, (struct mv_grid_line){at, span, lines >= 2}))
			return false;
		at += span;
	}
	return true;
}

static uint64_t cells(const struct mv_grid *g)
{
	return (uint64_t)g->rows * (uint64_t)g->cols;
}

static bool fits(const struct mv_grid *g)
{
	if (g->hilbert)
		return g->frames <= cells(g) * g->per_cell;
	return g->line_count <= (size_t)g->rows;
}

static void keep_top(struct mv_grid *g)
{
	uint64_t last;

	if (g->hilbert)
		last = (g->frames - 1) / (cells(g) ? cells(g) * g->per_cell : 1);
	else
		last = g->line_count > (size_t)g->rows ? g->line_count - (size_t)g->rows : 0;
	if (g->top > last)
		g->top = (size_t)last;
}

bool mv_grid_layout(struct mv_grid *g, const struct mv_model *m, int rows, int cols,
		    uint64_t per_cell, bool hilbert)
{
	if (!m->frame_run_count || rows <= 0 || cols <= 0)
		return false;
	g->frames = mv_grid_extent(m);
	g->rows = rows;
	g->cols = cols;
	g->hilbert = hilbert;
	if (!mv_curve_build(&g->curve, rows, cols, hilbert))
		return false;
	for (g->per_cell = per_cell ? per_cell : 1;; g->per_cell *= 2) {
		if (!hilbert && !lay_lines(g, m))
			return false;
		if (per_cell || fits(g) || g->per_cell >= g->frames)
			break;
	}
	keep_top(g);
	return true;
}

void mv_grid_free(struct mv_grid *g)
{
	mv_curve_free(&g->curve);
	free(g->lines);
	*g = (struct mv_grid){0};
}

const struct mv_grid_line *mv_grid_line(const struct mv_grid *g, int row)
{
	size_t at = g->top + (size_t)row;

	return !g->hilbert && row >= 0 && row < g->rows && at < g->line_count ? &g->lines[at]
									      : NULL;
}

uint64_t mv_grid_frame(const struct mv_grid *g, int row, int col)
{
	uint64_t frame;

	if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
		return UINT64_MAX;
	if (g->hilbert) {
		uint64_t page = g->top * cells(g);

		frame = (page + (uint64_t)g->curve.line_of[row * g->cols + col]) * g->per_cell;
	} else {
		const struct mv_grid_line *line = mv_grid_line(g, row);

		if (!line)
			return UINT64_MAX;
		frame = line->folded ? line->frame : line->frame + (uint64_t)col * g->per_cell;
	}
	return frame < g->frames ? frame : UINT64_MAX;
}

uint64_t mv_grid_span(const struct mv_grid *g, int row, int col)
{
	const struct mv_grid_line *line = mv_grid_line(g, row);
	uint64_t frame = mv_grid_frame(g, row, col);
	uint64_t span = line && line->folded ? line->span : g->per_cell;

	if (frame == UINT64_MAX)
		return 0;
	return frame + span > g->frames ? g->frames - frame : span;
}

static size_t line_with(const struct mv_grid *g, uint64_t frame)
{
	size_t lo = 0, hi = g->line_count;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->lines[mid].frame <= frame)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

bool mv_grid_show(struct mv_grid *g, uint64_t frame, int *row, int *col)
{
	if (frame >= g->frames)
		return false;
	if (g->hilbert) {
		uint64_t cell = frame / g->per_cell;
		int at = g->curve.cell_of[cell % cells(g)];

		g->top = (size_t)(cell / cells(g));
		*row = at / g->cols;
		*col = at % g->cols;
		return true;
	}
	size_t line = line_with(g, frame);

	if (line < g->top)
		g->top = line;
	if (line >= g->top + (size_t)g->rows)
		g->top = line - (size_t)g->rows + 1;
	*row = (int)(line - g->top);
	*col = g->lines[line].folded ? 0 : (int)((frame - g->lines[line].frame) / g->per_cell);
	return true;
}

uint64_t mv_grid_page_frames(const struct mv_grid *g)
{
	uint64_t total = 0;

	if (g->hilbert)
		return cells(g) * g->per_cell;
	for (int row = 0; row < g->rows; row++) {
		const struct mv_grid_line *line = mv_grid_line(g, row);

		total += line ? line->span : 0;
	}
	return total;
}

enum mv_kind mv_kind_main(const uint64_t counts[KIND_COUNT], bool *mixed, bool *mostly_free)
{
	uint64_t total = 0, idle = counts[KIND_FREE];
	enum mv_kind best = KIND_COUNT;

	for (int i = 0; i < KIND_COUNT; i++)
		total += counts[i];
	/* What is in use speaks for its cell: a needle must show in a free haystack. */
	for (int i = KIND_KERNEL; i <= KIND_SHARED; i++)
		if (counts[i] && (best == KIND_COUNT || counts[i] > counts[best]))
			best = (enum mv_kind)i;
	if (best == KIND_COUNT)
		best = KIND_FREE;
	for (int i = KIND_RESERVED; best == KIND_FREE && i < KIND_COUNT; i++)
		if (counts[i] > counts[best])
			best = (enum mv_kind)i;
	*mixed = counts[best] != total;
	*mostly_free = *mixed && idle * 2 > total;
	return best;
}
