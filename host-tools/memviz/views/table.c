// SPDX-License-Identifier: MIT
#include "table.h"

#include "fuzzy.h"
#include "glyph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX   16
#define GAP	      2
#define FLEXIBLE_MORE 26
#define LEAST	      8
#define CELL_BYTES    256

void mv_table_init(struct mv_table *t, const struct mv_column *columns, int count, int sort,
		   bool down)
{
	*t = (struct mv_table){
		.columns = columns, .column_count = count, .sort = sort, .down = down};
}

void mv_table_free(struct mv_table *t)
{
	free(t->order);
	t->order = NULL;
	t->count = t->capacity = 0;
}

static bool passes(const struct mv_table *t, const struct mv_rows *rows, size_t row,
		   const char *words)
{
	char all[CELL_BYTES * 4] = "", cell[CELL_BYTES];
	size_t n = 0;

	if (!*words)
		return true;
	for (int i = 0; i < t->column_count && n < sizeof(all); i++) {
		rows->text(rows->ctx, row, i, cell, sizeof(cell));
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s ", cell);
	}
	return mv_filter_match(words, all);
}

struct sorting {
	const struct mv_table *t;
	const struct mv_rows *rows;
};

static int compare(const void *a, const void *b, void *user)
{
	const struct sorting *s = user;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int col = s->t->sort, r;

	if (s->t->columns[col].by_text) {
		char tx[CELL_BYTES], ty[CELL_BYTES];

		s->rows->text(s->rows->ctx, x, col, tx, sizeof(tx));
		s->rows->text(s->rows->ctx, y, col, ty, sizeof(ty));
		r = strcmp(tx, ty);
	} else {
		double kx = s->rows->key(s->rows->ctx, x, col),
		       ky = s->rows->key(s->rows->ctx, y, col);

		r = (kx > ky) - (kx < ky);
	}
	if (s->t->down)
		r = -r;
	return r ? r : (x > y) - (x < y); /* stable */
}

static bool reserve(struct mv_table *t, size_t n)
{
	if (n <= t->capacity)
		return true;
	uint32_t *order = realloc(t->order, n * sizeof(*order));

	if (!order)
		return false;
	t->order = order;
	t->capacity = n;
	return true;
}

static void reselect(struct mv_table *t, const struct mv_rows *rows)
{
	if (!t->count) {
		t->selected = 0;
		t->has_selection = false;
		return;
	}
	if (t->follow) {
		t->selected = t->count - 1;
	} else if (t->has_selection) {
		for (size_t i = 0; i < t->count; i++)
			if (rows->id(rows->ctx, t->order[i]) == t->selected_id) {
				t->selected = i;
				return;
			}
	}
	if (t->selected >= t->count)
		t->selected = t->count - 1;
	t->selected_id = rows->id(rows->ctx, t->order[t->selected]);
	t->has_selection = true;
}

static bool up_to_date(const struct mv_table *t, const struct mv_rows *rows)
{
	return rows->version && rows->version == t->built_version && t->sort == t->built_sort &&
	       t->down == t->built_down && !strcmp(t->filter, t->built_filter);
}

void mv_table_update(struct mv_table *t, const struct mv_rows *rows)
{
	struct sorting s = {t, rows};

	if (up_to_date(t, rows))
		return;
	t->count = 0;
	if (!reserve(t, rows->count))
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (passes(t, rows, i, t->filter))
			t->order[t->count++] = (uint32_t)i;
	if (t->sort >= 0 && t->count > 1)
		qsort_r(t->order, t->count, sizeof(*t->order), compare, &s);
	reselect(t, rows);
	t->built_version = rows->version;
	t->built_sort = t->sort;
	t->built_down = t->down;
	memcpy(t->built_filter, t->filter, sizeof(t->built_filter));
}

/* A flexible column gives way before another is dropped, as long as it still says something. */
static bool squeeze(const struct mv_table *t, int *need, int cols, int *widths)
{
	for (int i = 0; i < t->column_count; i++) {
		int left = widths[i] - (*need - cols);

		if (!widths[i] || !t->columns[i].flexible || left < LEAST)
			continue;
		widths[i] = left;
		*need = cols;
		return true;
	}
	return false;
}

void mv_table_widths(const struct mv_table *t, int cols, int *widths)
{
	int need = 0, flexible = 0;

	for (int i = 0; i < t->column_count; i++) {
		widths[i] = t->columns[i].width;
		need += widths[i] + (i ? GAP : 0);
	}
	while (need > cols) {
		int drop = -1;

		for (int i = 0; i < t->column_count; i++)
			if (widths[i] && t->columns[i].priority > 0 &&
			    (drop < 0 || t->columns[i].priority >= t->columns[drop].priority))
				drop = i;
		if (drop < 0 && squeeze(t, &need, cols, widths))
			break;
		for (int i = t->column_count - 1; i > 0 && drop < 0; i--)
			drop = widths[i] ? i : drop;
		if (drop < 0)
			break;
		need -= widths[drop] + GAP;
		widths[drop] = 0;
	}
	for (int i = 0; i < t->column_count; i++)
		flexible += widths[i] && t->columns[i].flexible;
	for (int i = 0; i < t->column_count && flexible && need < cols; i++)
		if (widths[i] && t->columns[i].flexible) {
			int more = (cols - need) / flexible--;

			/* The last column may run on; another would tear the line apart. */
			if (i + 1 < t->column_count && more > FLEXIBLE_MORE)
				more = FLEXIBLE_MORE;
			widths[i] += more;
			need += more;
		}
}

static void draw_head(struct mv_table *t, struct mv_canvas *c, struct mv_rect r, const int *widths)
{
	int col = r.col;

	for (int i = 0; i < t->column_count; i++) {
		char title[64];
		wchar_t mark = mv_glyph(t->down ? GL_DOWN : GL_UP, c->ascii);

		if (!widths[i])
			continue;
		snprintf(title, sizeof(title), "%s", t->columns[i].title);
		if (t->columns[i].right)
			mv_text_right(c, r.row, col, widths[i], ST_TITLE, title);
		else
			mv_text_fit(c, r.row, col, widths[i], false, ST_TITLE, title);
		if (t->sort == i) {
			int w = mv_text_width(title);
			int shown = w < widths[i] ? w : widths[i];
			int at = t->columns[i].right ? col + widths[i] - shown - 1 : col + shown;

			mv_put(c, r.row, at < r.col ? col : at, mark, ST_TITLE);
		}
		col += widths[i] + GAP;
	}
}

static void draw_row(const struct mv_table *t, const struct mv_rows *rows, struct mv_canvas *c,
		     struct mv_rect line, const int *widths, size_t at)
{
	bool here = at == t->selected && t->has_selection;
	size_t source = t->order[at];
	int col = line.col;
	char cell[CELL_BYTES];

	if (here)
		mv_fill(c, line, L' ', ST_SELECT);
	for (int i = 0; i < t->column_count; i++) {
		enum mv_style st = rows->style ? rows->style(rows->ctx, source, i) : ST_TEXT;

		if (!widths[i])
			continue;
		rows->text(rows->ctx, source, i, cell, sizeof(cell));
		if (here)
			st = ST_SELECT;
		if (t->columns[i].right)
			mv_text_right(c, line.row, col, widths[i], st, cell);
		else
			mv_text_fit(c, line.row, col, widths[i], false, st, cell);
		col += widths[i] + GAP;
	}
}

static void draw_scrollbar(const struct mv_table *t, struct mv_canvas *c, struct mv_rect r)
{
	size_t rows = (size_t)r.rows;

	if (t->count <= rows || rows < 2)
		return;
	int size = (int)(rows * rows / t->count);
	int at = (int)(t->top * (rows - 1) / (t->count - rows));

	size = size < 1 ? 1 : size;
	if (at + size > r.rows)
		at = r.rows - size;
	for (int i = 0; i < r.rows; i++)
		mv_put(c, r.row + i, r.col + r.cols - 1,
		       mv_glyph(i >= at && i < at + size ? GL_THUMB : GL_VLINE, c->ascii),
		       ST_BORDER);
}

static void scroll_to_selection(struct mv_table *t)
{
	size_t page = t->page > 0 ? (size_t)t->page : 1;

	if (t->selected < t->top)
		t->top = t->selected;
	if (t->selected >= t->top + page)
		t->top = t->selected - page + 1;
	if (t->top + page > t->count)
		t->top = t->count > page ? t->count - page : 0;
}

void mv_table_draw(struct mv_table *t, const struct mv_rows *rows, struct mv_canvas *c,
		   struct mv_rect r)
{
	int widths[COLUMNS_MAX];
	struct mv_rect body = r;

	t->drawn = r;
	if (r.rows < 2)
		return;
	body.row++;
	body.rows--;
	t->page = body.rows;
	scroll_to_selection(t);
	if (t->count > (size_t)body.rows)
		body.cols -= 2; /* the scroll bar and a gap */
	mv_table_widths(t, body.cols, widths);
	t->narrow_note = false;
	for (int i = 0; i < t->column_count; i++)
		t->narrow_note |= !widths[i];
	draw_head(t, c, r, widths);
	for (int i = 0; i < body.rows && t->top + (size_t)i < t->count; i++)
		draw_row(t, rows, c, mv_rect(body.row + i, body.col, 1, body.cols), widths,
			 t->top + (size_t)i);
	draw_scrollbar(t, c, mv_rect(body.row, r.col, body.rows, r.cols));
}

static void select_at(struct mv_table *t, const struct mv_rows *rows, size_t at)
{
	if (!t->count)
		return;
	t->selected = at < t->count ? at : t->count - 1;
	t->selected_id = rows->id(rows->ctx, t->order[t->selected]);
	t->has_selection = true;
	scroll_to_selection(t);
}

static void sort_by(struct mv_table *t, const struct mv_rows *rows, int column)
{
	t->sort = column;
	t->down = !t->columns[column].up_first;
	mv_table_update(t, rows);
	scroll_to_selection(t);
}

/* Rows to move for an action; false: not a movement. */
static bool movement(const struct mv_table *t, enum mv_action a, long *by)
{
	long page = t->page > 1 ? t->page - 1 : 1;

	switch (a) {
	case ACT_UP:
		*by = -1;
		return true;
	case ACT_DOWN:
		*by = 1;
		return true;
	case ACT_PAGE_UP:
		*by = -page;
		return true;
	case ACT_PAGE_DOWN:
		*by = page;
		return true;
	case ACT_HOME:
		*by = -(long)t->count;
		return true;
	case ACT_END:
		*by = (long)t->count;
		return true;
	default:
		return false;
	}
}

bool mv_table_act(struct mv_table *t, const struct mv_rows *rows, enum mv_action a)
{
	long by;

	if (movement(t, a, &by)) {
		long at = (long)t->selected + by;

		select_at(t, rows, at < 0 ? 0 : (size_t)at);
		return true;
	}
	if (a == ACT_SORT && t->column_count) {
		sort_by(t, rows, (t->sort + 1) % t->column_count);
		return true;
	}
	if (a == ACT_SORT_REVERSE && t->sort >= 0) {
		t->down = !t->down;
		mv_table_update(t, rows);
		return true;
	}
	return false;
}

static int column_at(const struct mv_table *t, int col)
{
	int widths[COLUMNS_MAX], at = t->drawn.col;
	bool bar = t->count > (size_t)(t->drawn.rows - 1);

	mv_table_widths(t, t->drawn.cols - (bar ? 2 : 0), widths);
	for (int i = 0; i < t->column_count; i++) {
		if (widths[i] && col >= at - 1 && col < at + widths[i] + GAP - 1)
			return i;
		at += widths[i] ? widths[i] + GAP : 0;
	}
	return -1;
}

bool mv_table_click(struct mv_table *t, const struct mv_rows *rows, int row, int col)
{
	size_t at = t->top + (size_t)(row - t->drawn.row - 1);

	if (!mv_inside(t->drawn, row, col))
		return false;
	if (row == t->drawn.row) {
		int column = column_at(t, col);

		if (column >= 0 && column == t->sort)
			mv_table_act(t, rows, ACT_SORT_REVERSE);
		else if (column >= 0 && t->sort >= 0)
			sort_by(t, rows, column);
		return false;
	}
	if (at >= t->count)
		return false;
	t->follow = false;
	select_at(t, rows, at);
	return true;
}

size_t mv_table_current(const struct mv_table *t)
{
	return t->count && t->has_selection ? t->order[t->selected] : SIZE_MAX;
}

void mv_table_select_id(struct mv_table *t, const struct mv_rows *rows, uint64_t id)
{
	for (size_t i = 0; i < t->count; i++)
		if (rows->id(rows->ctx, t->order[i]) == id)
			select_at(t, rows, i);
}

bool mv_table_find(struct mv_table *t, const struct mv_rows *rows, const char *words, int by)
{
	for (size_t i = 1; i <= t->count; i++) {
		size_t step = by > 0 ? i : t->count - i;
		size_t at = (t->selected + step) % t->count;

		if (passes(t, rows, t->order[at], words)) {
			t->follow = false;
			select_at(t, rows, at);
			return true;
		}
	}
	return false;
}

void mv_table_filter(struct mv_table *t, const struct mv_rows *rows, const char *words)
{
	snprintf(t->filter, sizeof(t->filter), "%s", words);
	mv_table_update(t, rows);
}
