/* SPDX-License-Identifier: MIT */
/* Arithmetic of rectangles. Pure. */
#ifndef VIEWS_LAYOUT_H
#define VIEWS_LAYOUT_H

#include "canvas.h"

/* Cut @n rows (columns) off one side of *@r; returns the cut. Never cuts more than there is. */
struct mv_rect mv_cut_top(struct mv_rect *r, int n);
struct mv_rect mv_cut_bottom(struct mv_rect *r, int n);
struct mv_rect mv_cut_left(struct mv_rect *r, int n);
struct mv_rect mv_cut_right(struct mv_rect *r, int n);
/* A rectangle of at most @rows by @cols in the middle of @r. */
struct mv_rect mv_center(struct mv_rect r, int rows, int cols);
bool mv_inside(struct mv_rect r, int row, int col);

/* How much of the interface fits. SMALL degrades: side panels go, then margins, then bars. */
enum mv_room {
	ROOM_TINY,   /* below 60x16: one thing at a time */
	ROOM_SMALL,  /* below 100x30: the classic 80x24 */
	ROOM_MEDIUM, /* below 160x50 */
	ROOM_LARGE,
};
enum mv_room mv_room_of(int rows, int cols);

#endif
