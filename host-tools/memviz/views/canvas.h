/* SPDX-License-Identifier: MIT */
/*
 * A grid of cells that screens draw on. It knows no terminal: curses.c shows one, tests read one.
 * Every drawing call clips; coordinates may lie anywhere, also negative.
 */
#ifndef VIEWS_CANVAS_H
#define VIEWS_CANVAS_H

#include "style.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* A rectangle of cells; empty when rows or cols is 0 or less. */
struct mv_rect {
	int row, col, rows, cols;
};

/* One cell. ch is 0 in the second half of a double-width character. */
struct mv_cell {
	wchar_t ch;
	uint8_t style; /* enum mv_style */
};

struct mv_canvas {
	int rows, cols;
	struct mv_cell *cells;
	struct mv_rect clip;
	bool ascii; /* characters outside ASCII are replaced when put */
};

/* Sets the size and blanks all. Returns false on no memory (the old grid stays). 1..1000 each;
 * other sizes are brought into that range. */
bool mv_canvas_resize(struct mv_canvas *c, int rows, int cols);
void mv_canvas_free(struct mv_canvas *c);
void mv_canvas_clear(struct mv_canvas *c);
/* Limits drawing to @r (and the canvas); an earlier clip is replaced. */
void mv_canvas_clip(struct mv_canvas *c, struct mv_rect r);
void mv_canvas_unclip(struct mv_canvas *c);

void mv_put(struct mv_canvas *c, int row, int col, wchar_t ch, enum mv_style st);
/* Draws UTF-8 text; broken bytes and control characters appear as a replacement. Returns the
 * column after the last character, as if nothing had been clipped. */
int mv_text(struct mv_canvas *c, int row, int col, enum mv_style st, const char *text);
/* The same within @width columns: longer text ends in an ellipsis, shorter is padded if @pad. */
void mv_text_fit(struct mv_canvas *c, int row, int col, int width, bool pad, enum mv_style st,
		 const char *text);
/* Right-aligned so that the last character stands in column col + width - 1. */
void mv_text_right(struct mv_canvas *c, int row, int col, int width, enum mv_style st,
		   const char *text);
int mv_textf(struct mv_canvas *c, int row, int col, enum mv_style st, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void mv_fill(struct mv_canvas *c, struct mv_rect r, wchar_t ch, enum mv_style st);
/* Greys what is there, but for selection and cursor. */
void mv_fade(struct mv_canvas *c, struct mv_rect r);
/* A frame around @r with a title in its top line (NULL: none). Returns the inside. */
struct mv_rect mv_box(struct mv_canvas *c, struct mv_rect r, enum mv_style border,
		      enum mv_style title_style, const char *title);
/* A title line without the box, for when there is no room: "-- title ------". Returns the rest. */
struct mv_rect mv_rule(struct mv_canvas *c, struct mv_rect r, const char *title);

/* Columns that @text takes. */
int mv_text_width(const char *text);
/* Next character of a UTF-8 string; advances *text; U+FFFD for a broken byte; 0 at the end. */
wchar_t mv_utf8_next(const char **text);
/* The canvas as text, a line per row, trailing blanks removed. Caller frees; NULL on no memory. */
char *mv_canvas_dump(const struct mv_canvas *c);

static inline struct mv_rect mv_rect(int row, int col, int rows, int cols)
{
	return (struct mv_rect){row, col, rows, cols};
}

#endif
