/* SPDX-License-Identifier: MIT */
/*
 * A list of rows in columns: sorted, filtered, scrolled, with one row selected. Knows nothing of
 * what the rows are: a source tells. Pure but for drawing on a canvas.
 *
 * The selection sticks to a row's id, not to its place, so that a list that is sorted anew ten
 * times a second stays readable.
 */
#ifndef VIEWS_TABLE_H
#define VIEWS_TABLE_H

#include "canvas.h"
#include "keys.h"
#include "layout.h"

struct mv_column {
	const char *title;
	int width;     /* columns; at least this for a flexible one */
	bool right;    /* aligned */
	bool flexible; /* takes what is left over */
	int priority;  /* the highest go first when there is no room; 0 stays */
	bool by_text;  /* sorted by its text; otherwise by key() */
	bool up_first; /* the first sort by it is ascending (names, addresses) */
};

struct mv_rows {
	void *ctx;
	size_t count;
	void (*text)(void *ctx, size_t row, int column, char *out, size_t size);
	/* Sort key of a column that is not by_text. */
	double (*key)(void *ctx, size_t row, int column);
	/* ST_TEXT or what is special about the cell; NULL: all ordinary. */
	enum mv_style (*style)(void *ctx, size_t row, int column);
	/* Never the same for two rows. */
	uint64_t (*id)(void *ctx, size_t row);
	/* Moves whenever the rows do, so that a long list is not put in order again for nothing.
	 * 0: unknown, put in order each time. */
	uint64_t version;
};

struct mv_table {
	const struct mv_column *columns;
	int column_count;
	int sort;  /* column; -1: the source's own order */
	bool down; /* descending */
	char filter[128];
	bool follow;	  /* keeps the last row selected: a log */
	bool narrow_note; /* set by drawing: some columns had no room */

	uint32_t *order; /* rows shown, in order: indices of the source */
	size_t count, capacity;
	size_t selected; /* index into order */
	uint64_t selected_id;
	bool has_selection;
	size_t top;
	int page;		/* rows shown at the last drawing */
	uint64_t built_version; /* of what `order` was made from */
	int built_sort;
	bool built_down;
	char built_filter[128];
	struct mv_rect drawn;
};

void mv_table_init(struct mv_table *t, const struct mv_column *columns, int count, int sort,
		   bool down);
void mv_table_free(struct mv_table *t);
/* Brings order and selection up to date with the source. Call before drawing or moving. */
void mv_table_update(struct mv_table *t, const struct mv_rows *rows);
void mv_table_draw(struct mv_table *t, const struct mv_rows *rows, struct mv_canvas *c,
		   struct mv_rect r);
/* Up, down, pages, home, end, sort; true when it was one of these. */
bool mv_table_act(struct mv_table *t, const struct mv_rows *rows, enum mv_action a);
/* A click selects; true when it hit a row. Clicking a column's title sorts by it. */
bool mv_table_click(struct mv_table *t, const struct mv_rows *rows, int row, int col);
/* Source index of the selected row; SIZE_MAX when there is none. */
size_t mv_table_current(const struct mv_table *t);
void mv_table_select_id(struct mv_table *t, const struct mv_rows *rows, uint64_t id);
/* Selects the next (by > 0) or previous row whose text contains @words; false: none. */
bool mv_table_find(struct mv_table *t, const struct mv_rows *rows, const char *words, int by);
void mv_table_filter(struct mv_table *t, const struct mv_rows *rows, const char *words);
/* Column widths for @cols columns: 0 for one that has no room. */
void mv_table_widths(const struct mv_table *t, int cols, int *widths);

#endif
