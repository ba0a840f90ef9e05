// SPDX-License-Identifier: MIT
#include "layout.h"

static int most(int n, int have)
{
	return n < 0 ? 0 : n > have ? have : n;
}

struct mv_rect mv_cut_top(struct mv_rect *r, int n)
{
	n = most(n, r->rows);
	struct mv_rect cut = mv_rect(r->row, r->col, n, r->cols);

	r->row += n;
	r->rows -= n;
	return cut;
}

struct mv_rect mv_cut_bottom(struct mv_rect *r, int n)
{
	n = most(n, r->rows);
	r->rows -= n;
	return mv_rect(r->row + r->rows, r->col, n, r->cols);
}

struct mv_rect mv_cut_left(struct mv_rect *r, int n)
{
	n = most(n, r->cols);
	struct mv_rect cut = mv_rect(r->row, r->col, r->rows, n);

	r->col += n;
	r->cols -= n;
	return cut;
}

struct mv_rect mv_cut_right(struct mv_rect *r, int n)
{
	n = most(n, r->cols);
	r->cols -= n;
	return mv_rect(r->row, r->col + r->cols, r->rows, n);
}

struct mv_rect mv_center(struct mv_rect r, int rows, int cols)
{
	rows = most(rows, r.rows);
	cols = most(cols, r.cols);
	return mv_rect(r.row + (r.rows - rows) / 2, r.col + (r.cols - cols) / 2, rows, cols);
}

bool mv_inside(struct mv_rect r, int row, int col)
{
	return row >= r.row && row < r.row + r.rows && col >= r.col && col < r.col + r.cols;
}

enum mv_room mv_room_of(int rows, int cols)
{
	if (rows < 16 || cols < 60)
		return ROOM_TINY;
	if (rows < 30 || cols < 100)
		return ROOM_SMALL;
	if (rows < 50 || cols < 160)
		return ROOM_MEDIUM;
	return ROOM_LARGE;
}
