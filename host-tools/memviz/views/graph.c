// SPDX-License-Identifier: MIT
#include "graph.h"

#include "glyph.h"

#include <math.h>

size_t mv_graph_points(int cols, bool ascii)
{
	return cols <= 0 ? 0 : (size_t)cols * (ascii ? 1 : 2);
}

/* Height in @steps of @v, where anything above zero shows. */
static int height_of(double v, double top, int steps)
{
	int h = (int)lround(v / top * steps);

	if (h == 0 && v > 0)
		h = 1;
	return h > steps ? steps : h < 0 ? 0 : h;
}

/*
 * The dots of one column of a cell, as bits 0 (lowest) to 3: solid up to @lower, above it every
 * other dot, and solid again at the top, so that the outline stands out from the filling.
 */
static unsigned dots(int height, int lower, int rows_below, int column)
{
	unsigned set = 0;

	for (int i = 0; i < 4; i++) {
		int y = rows_below * 4 + i;
		bool line = y == height - 1, solid = y < lower;

		if (y < height && (line || solid || (y + column) % 2))
			set |= 1u << i;
	}
	return set;
}

static wchar_t braille_of(unsigned left, unsigned right)
{
	/* From the bottom up: left column dots 7 3 2 1, right column 8 6 5 4. */
	static const unsigned char lefts[] = {0x40, 0x04, 0x02, 0x01};
	static const unsigned char rights[] = {0x80, 0x20, 0x10, 0x08};
	unsigned cell = 0x2800;

	for (int i = 0; i < 4; i++)
		cell |= (left >> i & 1 ? lefts[i] : 0u) | (right >> i & 1 ? rights[i] : 0u);
	return (wchar_t)cell;
}

static wchar_t ascii_cell(int height, int rows_below)
{
	static const char fill[] = " .-=#";
	int n = height - rows_below * 4;

	return (wchar_t)(n >= 5 ? ':' : fill[n < 0 ? 0 : n]);
}

static void graph_column(struct mv_canvas *c, struct mv_rect r, int col, struct mv_point left,
			 struct mv_point right, double top, const enum mv_style st[2])
{
	int steps = r.rows * 4;
	int hl = height_of(left.total, top, steps), hr = height_of(right.total, top, steps);
	int ll = height_of(left.lower, top, steps), lr = height_of(right.lower, top, steps);
	int lower = lr > ll ? lr : ll;

	for (int i = 0; i < r.rows; i++) {
		unsigned dl = dots(hl, ll, i, 0), dr = dots(hr, lr, i, 1);
		wchar_t ch = c->ascii ? ascii_cell(hr, i) : braille_of(dl, dr);

		if (hl > i * 4 || hr > i * 4)
			mv_put(c, r.row + r.rows - 1 - i, col, ch, st[lower >= i * 4 + 2]);
	}
}

void mv_graph(struct mv_canvas *c, struct mv_rect r, const struct mv_point *points, size_t n,
	      double top, enum mv_style total_style, enum mv_style lower_style)
{
	size_t room = mv_graph_points(r.cols, c->ascii);
	enum mv_style st[2] = {total_style, lower_style};

	if (!(top > 0) || r.rows <= 0)
		return;
	if (n > room) {
		points += n - room;
		n = room;
	}
	size_t per = c->ascii ? 1 : 2;
	/* An odd count leaves the first cell's left dots empty. */
	for (size_t k = 0; k * per < n; k++) {
		size_t last = n - 1 - k * per;
		struct mv_point right = points[last];
		struct mv_point left = per == 1	   ? right
				       : last >= 1 ? points[last - 1]
						   : (struct mv_point){0, 0};

		graph_column(c, r, r.col + r.cols - 1 - (int)k, left, right, top, st);
	}
}

double mv_nice_ceiling(double v, bool bytes)
{
	static const double steps[] = {1, 1.5, 2, 3, 4, 6, 8};
	double unit = 1, base = bytes ? 1024 : 1000;

	if (!(v > 0))
		return 1;
	while (unit * base <= v)
		unit *= base;
	/* Three decades to a unit of 1000, two and a half hexades to one of 1024. */
	static const double decades[] = {1, 10, 100}, hexades[] = {1, 16, 256};

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			double nice = (bytes ? hexades[k] : decades[k]) * steps[i];

			if (unit * nice >= v && nice <= base)
				return unit * nice;
		}
	return unit * base;
}

/* Cells of each part by largest remainder, none of the non-zero ones below one cell. */
static int share_cells(uint64_t value, uint64_t whole, int cols)
{
	int n = (int)((double)value / (double)whole * cols + 0.5);

	return value && n == 0 ? 1 : n;
}

void mv_bar(struct mv_canvas *c, int row, int col, int cols, const struct mv_bar_part *parts,
	    size_t n, uint64_t whole)
{
	int at = 0;

	for (size_t i = 0; whole && i < n; i++) {
		double exact = (double)parts[i].value / (double)whole * cols;
		bool alone = n == 1 && !c->ascii;
		int cells = alone ? (int)exact : share_cells(parts[i].value, whole, cols);

		for (int k = 0; k < cells && at < cols; k++)
			mv_put(c, row, col + at++, mv_glyph(GL_FULL, c->ascii), parts[i].style);
		int eighths = (int)((exact - (double)(int)exact) * 8 + 0.5);
		if (alone && at < cols && (eighths || (parts[i].value && !cells)))
			mv_put(c, row, col + at++, mv_glyph_eighth(eighths ? eighths : 1, false),
			       parts[i].style);
	}
	for (; at < cols; at++)
		mv_put(c, row, col + at, mv_glyph(GL_TROUGH, c->ascii), ST_G_TROUGH);
}
