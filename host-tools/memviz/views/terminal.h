/* SPDX-License-Identifier: MIT */
/*
 * The terminal: the only part that knows ncurses and signals. One terminal at a time (the
 * handlers need to find it).
 */
#ifndef VIEWS_TERMINAL_H
#define VIEWS_TERMINAL_H

#include "canvas.h"
#include "keys.h"

#include <memviz/tui.h>

struct mv_terminal {
	enum mv_tui_colors colors;
	enum mv_tui_theme theme;
	bool ascii, mouse;
	int signal_fd; /* readable when a signal waits: poll it */
	struct mv_canvas shown;
};

/* Takes the terminal over. False: it cannot be drawn on; nothing was written. */
bool mv_terminal_open(struct mv_terminal *t, const struct mv_tui_options *o);
/* Gives it back as it was. May be called twice. */
void mv_terminal_close(struct mv_terminal *t);
void mv_terminal_size(int *rows, int *cols);
/* Writes what differs from the last call. @row -1: no cursor. */
void mv_terminal_show(struct mv_terminal *t, const struct mv_canvas *c, int row, int col);
/* The next key or click that waits; key is MVK_NONE when none does. Never blocks. */
struct mv_input mv_terminal_read(struct mv_terminal *t);
void mv_terminal_mouse(struct mv_terminal *t, bool on);
/* Forgets what is on the screen, so that the next show writes all. */
void mv_terminal_redraw(struct mv_terminal *t);
/* The next signal that came, 0 for none. */
int mv_terminal_signal(struct mv_terminal *t);
/* For SIGTSTP: restores, stops this process, and takes the terminal over again when it goes on. */
void mv_terminal_suspend(struct mv_terminal *t);
/* Restores, then ends this process by @sig with the default action. */
void mv_terminal_die(struct mv_terminal *t, int sig) __attribute__((noreturn));

#endif
