/* SPDX-License-Identifier: MIT */
/*
 * Which frame stands in which cell of the memory map. Pure: reads a model, draws nothing.
 *
 * A cell stands for `per_cell` frames (a power of two). In row order the grid scrolls, and a hole
 * or a reserved range of two or more whole lines takes one line only. In Hilbert order the grid is
 * cut into pages of rows * cols cells, each filled by one curve.
 */
#ifndef VIEWS_GRID_H
#define VIEWS_GRID_H

#include "curve.h"
#include "style.h"

#include <memviz/model.h>

/* What the map tells apart: the protocol's states, with shared frames on their own. */
enum mv_kind {
	KIND_FREE,
	KIND_KERNEL,
	KIND_SLAB,
	KIND_ALLOCATED,
	KIND_SHARED,
	KIND_RESERVED,
	KIND_HOLE,
	KIND_UNKNOWN,
	KIND_COUNT
};

struct mv_kind_info {
	char letter; /* of a cell that is all of this kind; lower case: mixed */
	const char *name, *meaning;
	enum mv_style fill, text;
};
extern const struct mv_kind_info mv_kinds[KIND_COUNT];

enum mv_kind mv_kind_of(const struct mv_frame_run *run);

/* Frames of each kind in [first, first + count); frames that no run covers are unknown. */
void mv_kind_count(const struct mv_model *m, uint64_t first, uint64_t count,
		   uint64_t counts[KIND_COUNT]);

struct mv_grid_line {
	uint64_t frame; /* first one */
	uint64_t span;	/* frames; more than a line's worth when a hole is folded */
	bool folded;
};

struct mv_grid {
	int rows, cols;
	uint64_t per_cell;
	bool hilbert;
	uint64_t frames; /* mv_grid_extent() */
	struct mv_curve curve;
	struct mv_grid_line *lines; /* row order only */
	size_t line_count, line_capacity;
	size_t top; /* first line shown, or page in Hilbert order */
};

/* Frames from physical 0 to the end of the last one that is memory: what the map shows. Ranges that
 * firmware keeps far above are left out. */
uint64_t mv_grid_extent(const struct mv_model *m);
/* The same, with holes and reserved ranges counted as they are when folded (about three lines). */
uint64_t mv_grid_worth(const struct mv_model *m, uint64_t per_line);

/* Lays the machine out. @per_cell 0: the smallest with which all fits, as long as a larger one
 * helps. False when there is nothing to lay out. `top` is kept where it still makes sense. */
bool mv_grid_layout(struct mv_grid *g, const struct mv_model *m, int rows, int cols,
		    uint64_t per_cell, bool hilbert);
void mv_grid_free(struct mv_grid *g);
/* First frame of a cell; UINT64_MAX when it shows nothing. */
uint64_t mv_grid_frame(const struct mv_grid *g, int row, int col);
/* Frames that the cell stands for: per_cell, less at the end, more in a folded line. */
uint64_t mv_grid_span(const struct mv_grid *g, int row, int col);
/* Scrolls until @frame is in sight and says where it is. False: beyond the machine. */
bool mv_grid_show(struct mv_grid *g, uint64_t frame, int *row, int *col);
/* The line of a row on the screen, NULL in Hilbert order or below the last. */
const struct mv_grid_line *mv_grid_line(const struct mv_grid *g, int row);
/* Frames that all visible cells together stand for. */
uint64_t mv_grid_page_frames(const struct mv_grid *g);

/* The one kind a cell shows and whether others are in it too. */
enum mv_kind mv_kind_main(const uint64_t counts[KIND_COUNT], bool *mixed, bool *mostly_free);

#endif
