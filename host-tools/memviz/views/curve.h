/* SPDX-License-Identifier: MIT */
/*
 * Orders in which a line of cells fills a rectangle. Pure.
 *
 * Rows: left to right, top to bottom. Hilbert: a space-filling curve that keeps neighbours in
 * memory neighbours on the screen. Hilbert's own curve fills squares of 2^k; ours is the known
 * generalisation to any rectangle, which splits the longer side at an even length and recurses,
 * so that each step of the curve goes to an adjacent cell (a rectangle whose larger side is odd
 * and smaller one even needs one diagonal step).
 */
#ifndef VIEWS_CURVE_H
#define VIEWS_CURVE_H

#include <stdbool.h>
#include <stddef.h>

struct mv_curve {
	int cols, rows;
	bool hilbert;
	int *cell_of; /* index along the line -> row * cols + col */
	int *line_of; /* row * cols + col -> index along the line */
};

/* Fills *@v for a rectangle; reuses what fits. False on no memory or an empty rectangle. */
bool mv_curve_build(struct mv_curve *v, int rows, int cols, bool hilbert);
void mv_curve_free(struct mv_curve *v);

#endif
