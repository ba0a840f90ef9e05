/* SPDX-License-Identifier: MIT */
/*
 * What a cell of the screen means. Screens draw in meanings; theme.c turns a meaning into colours
 * for the terminal at hand. No screen names a colour.
 */
#ifndef VIEWS_STYLE_H
#define VIEWS_STYLE_H

enum mv_style {
	ST_TEXT,   /* ordinary text, the terminal's own colours */
	ST_DIM,	   /* labels, units, what matters less */
	ST_STRONG, /* the number one looks for */
	ST_TITLE,  /* panel titles, column heads */
	ST_BORDER,
	ST_ADDR,
	ST_BAR,	       /* header and footer bars */
	ST_BAR_STRONG, /* what stands out in them */
	ST_HINT,       /* what a key of the footer does */
	ST_BAR_KEY,    /* a key in the footer */
	ST_BAR_WARN,
	ST_TAB, /* the screen that is open, in the header */
	ST_SELECT,
	ST_OK,
	ST_WARN,
	ST_BAD,
	ST_CHANGED, /* differs since the mark, or just moved */
	ST_INPUT,
	ST_POPUP,
	ST_POPUP_TITLE,
	ST_POPUP_DIM,
	ST_POPUP_GOOD,
	ST_POPUP_WARN,
	ST_POPUP_BAD,
	ST_STALE, /* the whole picture while the link is lost */
	/* Fills of bars and graphs. */
	ST_G_USED,
	ST_G_CACHE,
	ST_G_SHARED,
	ST_G_FREE,
	ST_G_TROUGH, /* the empty part of a bar */
	/* States of a frame, in the memory map: letter on a coloured ground. */
	ST_F_FREE,
	ST_F_KERNEL,
	ST_F_SLAB,
	ST_F_ALLOCATED,
	ST_F_SHARED,
	ST_F_RESERVED,
	ST_F_HOLE,
	ST_F_UNKNOWN,
	/* The same, as coloured text on the ordinary ground (lists, ticker). */
	ST_T_FREE,
	ST_T_KERNEL,
	ST_T_SLAB,
	ST_T_ALLOCATED,
	ST_T_SHARED,
	ST_T_RESERVED,
	ST_CURSOR, /* the cell under the cursor of a map */
	ST_COUNT
};

#endif
