/* SPDX-License-Identifier: MIT */
/* Area graphs in braille (two by four dots a cell) or ASCII, and bars of several parts. Pure. */
#ifndef VIEWS_GRAPH_H
#define VIEWS_GRAPH_H

#include "canvas.h"

/* A stack of two values at one instant: @lower is part of @total. */
struct mv_point {
	double total, lower;
};

/*
 * Draws @n points (oldest first), one per dot column, right-aligned in @r, filled from the bottom
 * to .total of @top; cells mostly under .lower get @lower_style, the others @total_style.
 * Wanted: up to mv_graph_points(r) points. @top 0 draws nothing.
 */
void mv_graph(struct mv_canvas *c, struct mv_rect r, const struct mv_point *points, size_t n,
	      double top, enum mv_style total_style, enum mv_style lower_style);
/* Dot columns of a graph of @cols columns: 2 a column in braille, 1 in ASCII. */
size_t mv_graph_points(int cols, bool ascii);
/* A round number not below @v that reads well on an axis (1, 1.5, 2, 3, 4, 6, 8 times 2^10n for
 * bytes, times 10^n for counts). */
double mv_nice_ceiling(double v, bool bytes);

struct mv_bar_part {
	uint64_t value;
	enum mv_style style;
};
/* A bar of @cols columns for @whole, its parts one after another, the rest a trough. A part that
 * is not 0 shows at least one cell as long as there is room. */
void mv_bar(struct mv_canvas *c, int row, int col, int cols, const struct mv_bar_part *parts,
	    size_t n, uint64_t whole);

#endif
