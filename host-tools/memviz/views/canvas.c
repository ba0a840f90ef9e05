// SPDX-License-Identifier: MIT
#include "canvas.h"

#include "glyph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 1000

static int clamp(int v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

bool mv_canvas_resize(struct mv_canvas *c, int rows, int cols)
{
	rows = clamp(rows, 1, SIDE_MAX);
	cols = clamp(cols, 1, SIDE_MAX);
	if (rows != c->rows || cols != c->cols) {
		struct mv_cell *cells = calloc((size_t)rows * (size_t)cols, sizeof(*cells));

		if (!cells)
			return false;
		free(c->cells);
		c->cells = cells;
		c->rows = rows;
		c->cols = cols;
	}
	mv_canvas_clear(c);
	return true;
}

void mv_canvas_free(struct mv_canvas *c)
{
	free(c->cells);
	*c = (struct mv_canvas){0};
}

void mv_canvas_clear(struct mv_canvas *c)
{
	mv_canvas_unclip(c);
	for (int i = 0; i < c->rows * c->cols; i++)
		c->cells[i] = (struct mv_cell){L' ', ST_TEXT};
}

void mv_canvas_unclip(struct mv_canvas *c)
{
	c->clip = mv_rect(0, 0, c->rows, c->cols);
}

void mv_canvas_clip(struct mv_canvas *c, struct mv_rect r)
{
	int top = clamp(r.row, 0, c->rows), left = clamp(r.col, 0, c->cols);
	int bottom = clamp(r.row + r.rows, top, c->rows);
	int right = clamp(r.col + r.cols, left, c->cols);

	c->clip = mv_rect(top, left, bottom - top, right - left);
}

static bool inside(const struct mv_canvas *c, int row, int col)
{
	return row >= c->clip.row && row < c->clip.row + c->clip.rows && col >= c->clip.col &&
	       col < c->clip.col + c->clip.cols;
}

static struct mv_cell *cell_at(struct mv_canvas *c, int row, int col)
{
	return &c->cells[row * c->cols + col];
}

/* Overwriting one half of a double-width character leaves a blank for the other. */
static void break_wide(struct mv_canvas *c, int row, int col)
{
	if (col > 0 && cell_at(c, row, col)->ch == 0)
		cell_at(c, row, col - 1)->ch = L' ';
	if (col + 1 < c->cols && cell_at(c, row, col + 1)->ch == 0)
		cell_at(c, row, col + 1)->ch = L' ';
}

/* Columns of @ch; what cannot be shown counts as one and is replaced by put_wide. */
static int char_width(wchar_t ch)
{
	int w = ch < 0x20 || (ch >= 0x7f && ch < 0xa0) ? -1 : ch < 0x7f ? 1 : wcwidth(ch);

	/* The C locale knows no width for our own line and block characters. */
	if (w < 0 && ch >= 0x2000 && ch < 0x2c00)
		return 1;
	return w;
}

static void put_one(struct mv_canvas *c, int row, int col, wchar_t ch, enum mv_style st)
{
	if (!inside(c, row, col))
		return;
	break_wide(c, row, col);
	*cell_at(c, row, col) = (struct mv_cell){ch, (uint8_t)st};
}

/* Puts a character that may be wide, unprintable or combining; returns its columns. */
static int put_wide(struct mv_canvas *c, int row, int col, wchar_t ch, enum mv_style st)
{
	int w = char_width(ch);

	if (w == 0)
		return 0; /* combining marks are dropped: one cell, one character */
	if (w < 0 || (c->ascii && ch >= 0x80)) {
		put_one(c, row, col, mv_glyph_fallback(ch, c->ascii), st);
		if (w == 2)
			put_one(c, row, col + 1, L'?', st);
		return w == 2 ? 2 : 1;
	}
	if (w == 1) {
		put_one(c, row, col, ch, st);
		return 1;
	}
	if (inside(c, row, col) && inside(c, row, col + 1)) {
		put_one(c, row, col, ch, st);
		put_one(c, row, col + 1, L' ', st);
		cell_at(c, row, col + 1)->ch = 0;
	} else {
		put_one(c, row, col, L' ', st);
		put_one(c, row, col + 1, L' ', st);
	}
	return 2;
}

void mv_put(struct mv_canvas *c, int row, int col, wchar_t ch, enum mv_style st)
{
	put_wide(c, row, col, ch, st);
}

/* Length of the sequence that @lead begins, 0 when it begins none. */
static int utf8_length(unsigned char lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

wchar_t mv_utf8_next(const char **text)
{
	const unsigned char *s = (const unsigned char *)*text;
	int n = utf8_length(s[0]);
	uint32_t ch;

	if (s[0] < 0x80) {
		*text += s[0] != 0;
		return (wchar_t)s[0];
	}
	ch = s[0] & (0xffu >> (n + 1));
	for (int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			n = 0;
			break;
		}
		ch = ch << 6 | (s[i] & 0x3fu);
	}
	bool bad = n == 0 || (n == 3 && (ch < 0x800 || (ch >= 0xd800 && ch < 0xe000))) ||
		   (n == 4 && (ch < 0x10000 || ch > 0x10ffff));
	*text += bad ? 1 : n;
	return bad ? (wchar_t)0xfffd : (wchar_t)ch;
}

int mv_text_width(const char *text)
{
	int width = 0;

	for (wchar_t ch; (ch = mv_utf8_next(&text));) {
		int w = char_width(ch);
		width += w < 0 ? 1 : w;
	}
	return width;
}

int mv_text(struct mv_canvas *c, int row, int col, enum mv_style st, const char *text)
{
	for (wchar_t ch; (ch = mv_utf8_next(&text));)
		col += put_wide(c, row, col, ch, st);
	return col;
}

void mv_text_fit(struct mv_canvas *c, int row, int col, int width, bool pad, enum mv_style st,
		 const char *text)
{
	int total = mv_text_width(text), end = col + width,
	    room = total > width ? width - 1 : width;
	int at = col;

	if (width <= 0)
		return;
	while (*text && at - col < room) {
		const char *here = text;
		wchar_t ch = mv_utf8_next(&text);
		int w = char_width(ch);

		if (at - col + (w < 0 ? 1 : w) > room) {
			text = here;
			break;
		}
		at += put_wide(c, row, at, ch, st);
	}
	if (total > width) {
		mv_put(c, row, at, mv_glyph(GL_ELLIPSIS, c->ascii), st);
		at++;
	}
	for (; pad && at < end; at++)
		mv_put(c, row, at, L' ', st);
}

void mv_text_right(struct mv_canvas *c, int row, int col, int width, enum mv_style st,
		   const char *text)
{
	int w = mv_text_width(text);

	if (w >= width)
		mv_text_fit(c, row, col, width, false, st, text);
	else
		mv_text(c, row, col + width - w, st, text);
}

int mv_textf(struct mv_canvas *c, int row, int col, enum mv_style st, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return mv_text(c, row, col, st, buf);
}

void mv_fill(struct mv_canvas *c, struct mv_rect r, wchar_t ch, enum mv_style st)
{
	for (int row = r.row; row < r.row + r.rows; row++)
		for (int col = r.col; col < r.col + r.cols; col++)
			put_one(c, row, col, ch, st);
}

void mv_fade(struct mv_canvas *c, struct mv_rect r)
{
	for (int row = r.row; row < r.row + r.rows; row++)
		for (int col = r.col; col < r.col + r.cols; col++) {
			struct mv_cell *cell = inside(c, row, col) ? cell_at(c, row, col) : NULL;

			if (cell && cell->style != ST_SELECT && cell->style != ST_CURSOR)
				cell->style = ST_STALE;
		}
}

static void box_edges(struct mv_canvas *c, struct mv_rect r, enum mv_style st)
{
	wchar_t h = mv_glyph(GL_HLINE, c->ascii), v = mv_glyph(GL_VLINE, c->ascii);
	int bottom = r.row + r.rows - 1, right = r.col + r.cols - 1;

	mv_fill(c, mv_rect(r.row, r.col, 1, r.cols), h, st);
	mv_fill(c, mv_rect(bottom, r.col, 1, r.cols), h, st);
	mv_fill(c, mv_rect(r.row, r.col, r.rows, 1), v, st);
	mv_fill(c, mv_rect(r.row, right, r.rows, 1), v, st);
	put_one(c, r.row, r.col, mv_glyph(GL_TL, c->ascii), st);
	put_one(c, r.row, right, mv_glyph(GL_TR, c->ascii), st);
	put_one(c, bottom, r.col, mv_glyph(GL_BL, c->ascii), st);
	put_one(c, bottom, right, mv_glyph(GL_BR, c->ascii), st);
}

struct mv_rect mv_box(struct mv_canvas *c, struct mv_rect r, enum mv_style border,
		      enum mv_style title_style, const char *title)
{
	if (r.rows < 2 || r.cols < 2)
		return mv_rect(r.row, r.col, 0, 0);
	box_edges(c, r, border);
	if (title && r.cols > 6) {
		int w = mv_text_width(title), room = r.cols - 6;

		put_one(c, r.row, r.col + 2, L' ', title_style);
		mv_text_fit(c, r.row, r.col + 3, w < room ? w : room, false, title_style, title);
		put_one(c, r.row, r.col + 3 + (w < room ? w : room), L' ', title_style);
	}
	return mv_rect(r.row + 1, r.col + 1, r.rows - 2, r.cols - 2);
}

struct mv_rect mv_rule(struct mv_canvas *c, struct mv_rect r, const char *title)
{
	if (r.rows < 1 || r.cols < 1)
		return mv_rect(r.row, r.col, 0, 0);
	mv_fill(c, mv_rect(r.row, r.col, 1, r.cols), mv_glyph(GL_HLINE, c->ascii), ST_BORDER);
	if (title && r.cols > 5) {
		int w = mv_text_width(title), room = r.cols - 5;

		put_one(c, r.row, r.col + 2, L' ', ST_TITLE);
		mv_text_fit(c, r.row, r.col + 3, w < room ? w : room, false, ST_TITLE, title);
		put_one(c, r.row, r.col + 3 + (w < room ? w : room), L' ', ST_TITLE);
	}
	return mv_rect(r.row + 1, r.col, r.rows - 1, r.cols);
}

/* UTF-8 of @ch at @out; returns the bytes written (at most 4). */
static size_t utf8_put(char *out, wchar_t wc)
{
	uint32_t ch = (uint32_t)wc;

	if (ch < 0x80) {
		out[0] = (char)ch;
		return 1;
	}
	if (ch < 0x800) {
		out[0] = (char)(0xc0 | ch >> 6);
		out[1] = (char)(0x80 | (ch & 0x3f));
		return 2;
	}
	if (ch < 0x10000) {
		out[0] = (char)(0xe0 | ch >> 12);
		out[1] = (char)(0x80 | (ch >> 6 & 0x3f));
		out[2] = (char)(0x80 | (ch & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | ch >> 18);
	out[1] = (char)(0x80 | (ch >> 12 & 0x3f));
	out[2] = (char)(0x80 | (ch >> 6 & 0x3f));
	out[3] = (char)(0x80 | (ch & 0x3f));
	return 4;
}

char *mv_canvas_dump(const struct mv_canvas *c)
{
	char *out = malloc((size_t)c->rows * ((size_t)c->cols * 4 + 1) + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (int row = 0; row < c->rows; row++) {
		size_t keep = n;

		for (int col = 0; col < c->cols; col++) {
			wchar_t ch = c->cells[row * c->cols + col].ch;

			if (!ch)
				continue;
			n += utf8_put(out + n, ch);
			if (ch != L' ')
				keep = n;
		}
		n = keep;
		out[n++] = '\n';
	}
	out[n] = '\0';
	return out;
}
