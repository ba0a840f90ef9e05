/* SPDX-License-Identifier: MIT */
/* Colours for every style at every depth. Pure tables; curses.c hands them to the terminal. */
#ifndef VIEWS_THEME_H
#define VIEWS_THEME_H

#include "style.h"

#include <memviz/tui.h>

enum mv_look_attr {
	LOOK_BOLD = 1 << 0,
	LOOK_DIM = 1 << 1,
	LOOK_REVERSE = 1 << 2,
	LOOK_UNDERLINE = 1 << 3,
};

/* fg and bg: colour numbers of the terminal's palette, -1 for the terminal's own. */
struct mv_look {
	short fg, bg;
	unsigned attr;
};

/* The look of @st. @colors is 1, 8, 16 or 256; @theme must be DARK or LIGHT. Never fails: an
 * unknown style looks like ST_TEXT. */
struct mv_look mv_theme_look(enum mv_style st, enum mv_tui_colors colors, enum mv_tui_theme theme);

/*
 * Which depth to use. @wanted from the options; @terminal is what terminfo says (0 or less: none);
 * @no_color is $NO_COLOR (set and not empty: mono, unless @wanted names a depth).
 * A depth that the terminal lacks falls to the next one that it has.
 */
enum mv_tui_colors mv_theme_depth(enum mv_tui_colors wanted, int terminal, const char *no_color);

/* DARK or LIGHT. @colorfgbg is $COLORFGBG ("15;0", "0;default;15") or NULL. */
enum mv_tui_theme mv_theme_resolve(enum mv_tui_theme wanted, const char *colorfgbg);

#endif
