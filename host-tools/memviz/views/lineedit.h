/* SPDX-License-Identifier: MIT */
/*
 * One line of input: editing, history, completion. Pure: keys in, text out.
 * Emacs keys of every shell (^A ^E ^K ^U ^W) beside the arrows.
 */
#ifndef VIEWS_LINEEDIT_H
#define VIEWS_LINEEDIT_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_BYTES 512

struct mv_line {
	char text[LINE_MAX_BYTES];
	size_t len;		    /* bytes */
	size_t cursor;		    /* byte offset, on a character's first byte */
	int scroll;		    /* first column shown; kept by mv_line_draw */
	size_t history_at;	    /* entries back from the newest; 0: the line being typed */
	char typed[LINE_MAX_BYTES]; /* what was typed before history was entered */
};

struct mv_history {
	char **lines; /* oldest first */
	size_t count, capacity;
};

enum mv_line_result {
	LINE_NOTHING, /* the key means nothing to a line */
	LINE_MOVED,
	LINE_CHANGED,
	LINE_DONE,
	LINE_CANCEL,
	LINE_COMPLETE, /* Tab: the caller completes */
};

void mv_line_set(struct mv_line *l, const char *text);
/* @h may be NULL. */
enum mv_line_result mv_line_key(struct mv_line *l, const struct mv_history *h, int key);
/* Puts @word in the place of the text between byte @from and the cursor. */
void mv_line_replace(struct mv_line *l, size_t from, const char *word);

/* Adds unless it repeats the last one or is empty; keeps the newest 500. */
void mv_history_add(struct mv_history *h, const char *line);
void mv_history_free(struct mv_history *h);
/* One line each. A missing file is an empty history; writing replaces it whole, mode 0600. */
void mv_history_load(struct mv_history *h, const char *path);
bool mv_history_save(const struct mv_history *h, const char *path);

struct mv_canvas;
/* Draws the line in @width columns, scrolled so that the cursor shows; returns its column. */
int mv_line_draw(struct mv_line *l, struct mv_canvas *c, int row, int col, int width, int style);

#endif
