// SPDX-License-Identifier: MIT
#include "curve.h"

#include <stdlib.h>

/* A vector along the screen. */
struct step {
	int col, row;
};

/* The state of the walk: where each next cell goes. */
struct walk {
	struct mv_curve *v;
	int next;
};

static void visit(struct walk *w, struct step at)
{
	int cell = at.row * w->v->cols + at.col;

	w->v->cell_of[w->next] = cell;
	w->v->line_of[cell] = w->next++;
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static struct step add(struct step a, struct step b)
{
	return (struct step){a.col + b.col, a.row + b.row};
}

static struct step neg(struct step a)
{
	return (struct step){-a.col, -a.row};
}

static struct step unit(struct step a)
{
	return (struct step){sign(a.col), sign(a.row)};
}

static struct step half(struct step a)
{
	return (struct step){a.col / 2, a.row / 2};
}

static int length(struct step a)
{
	return abs(a.col + a.row);
}

/* Fills the parallelogram at @p spanned by @major and @minor, from p to the end of major.
 * The depth is that of log2 of the sides: at most about 20. */
static void fill(struct walk *w, struct step p, struct step major, struct step minor)
{
	int width = length(major), height = length(minor);
	struct step along = unit(major), across = unit(minor);

	if (height == 1 || width == 1) {
		struct step by = height == 1 ? along : across;

		for (int i = 0; i < (height == 1 ? width : height); i++, p = add(p, by))
			visit(w, p);
		return;
	}
	struct step a = half(major), b = half(minor);

	if (2 * width > 3 * height) {
		if (length(a) % 2 && width > 2)
			a = add(a, along);
		fill(w, p, a, minor);
		fill(w, add(p, a), add(major, neg(a)), minor);
		return;
	}
	if (length(b) % 2 && height > 2)
		b = add(b, across);
	fill(w, p, b, a);
	fill(w, add(p, b), major, add(minor, neg(b)));
	struct step corner = add(add(p, add(major, neg(along))), add(b, neg(across)));
	fill(w, corner, neg(b), neg(add(major, neg(a))));
}

static void fill_rows(struct mv_curve *v)
{
	for (int i = 0; i < v->rows * v->cols; i++)
		v->cell_of[i] = v->line_of[i] = i;
}

bool mv_curve_build(struct mv_curve *v, int rows, int cols, bool hilbert)
{
	if (rows <= 0 || cols <= 0)
		return false;
	if (v->cell_of && v->rows == rows && v->cols == cols && v->hilbert == hilbert)
		return true;
	size_t n = (size_t)rows * (size_t)cols;

	mv_curve_free(v);
	v->cell_of = malloc(n * sizeof(int));
	v->line_of = malloc(n * sizeof(int));
	if (!v->cell_of || !v->line_of) {
		mv_curve_free(v);
		return false;
	}
	v->cols = cols;
	v->rows = rows;
	v->hilbert = hilbert;
	if (!hilbert) {
		fill_rows(v);
		return true;
	}
	struct walk w = {v, 0};
	struct step across = {cols, 0}, down = {0, rows};

	if (cols >= rows)
		fill(&w, (struct step){0, 0}, across, down);
	else
		fill(&w, (struct step){0, 0}, down, across);
	return true;
}

void mv_curve_free(struct mv_curve *v)
{
	free(v->cell_of);
	free(v->line_of);
	*v = (struct mv_curve){0};
}
