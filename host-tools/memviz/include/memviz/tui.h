/* SPDX-License-Identifier: MIT */
/*
 * memviz/tui.h: the live terminal interface over one session.
 *
 * The interface owns the terminal from mv_tui_run's first line to its return, and gives it back
 * as it was on every way out: return, SIGTERM, SIGHUP, SIGINT, SIGQUIT, a crash (SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL, SIGABRT) and, for the time of the stop, SIGTSTP. Only kill -9 cannot be helped.
 *
 * One thread, one poll(): the session's descriptor, the keyboard and a pipe from the signal
 * handlers. Nothing in it waits for the network, so that a key is answered within one frame
 * whatever the link does.
 */
#ifndef MEMVIZ_TUI_H
#define MEMVIZ_TUI_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>

struct mv_session;

/* How many colours to use. AUTO asks terminfo, NO_COLOR and COLORTERM. */
enum mv_tui_colors {
	MV_TUI_COLORS_AUTO = 0,
	MV_TUI_COLORS_MONO = 1,
	MV_TUI_COLORS_8 = 8,
	MV_TUI_COLORS_16 = 16,
	MV_TUI_COLORS_256 = 256,
};

/* Which background the terminal has. AUTO reads COLORFGBG and takes dark when that is absent;
 * every theme leaves the terminal's own background alone. */
enum mv_tui_theme {
	MV_TUI_THEME_AUTO = 0,
	MV_TUI_THEME_DARK,
	MV_TUI_THEME_LIGHT,
};

/* All zero is a sensible default. Strings are borrowed for the length of the call. */
struct mv_tui_options {
	enum mv_tui_colors colors;
	enum mv_tui_theme theme;
	bool ascii;		  /* no character outside ASCII, even in a UTF-8 locale */
	bool no_mouse;		  /* start with the mouse off (`M` switches it) */
	unsigned first_screen;	  /* 1..6; 0 is 1 */
	unsigned fps;		  /* most redraws a second, 1..30; 0 is 30 */
	unsigned hz;		  /* of the watches, 1..60; 0: as the caller has set them */
	bool hilbert;		  /* memory map starts in Hilbert order */
	const char *record_path;  /* file that `r` proposes; NULL: memviz-DATE.rec in the folder */
	const char *history_path; /* where `:` keeps its history; NULL: not kept */
	/* Puts a hub on the link @target and tells the hub's own target in @out, as mv_hub_spawn()
	 * does; the interface offers it on a link that serves one client. NULL: it does not. */
	const char *bare; /* the session looks through a hub that was put on this link; or NULL */
	enum mv_status (*share)(const char *target, char *out, size_t size, struct mv_error *e);
};

/* What mv_tui_run returns. Values are no exit statuses: main maps them. */
enum mv_tui_result {
	MV_TUI_QUIT = 0,    /* the person asked to leave */
	MV_TUI_UNSUITED,    /* no terminal, or one that cannot place its cursor (TERM=dumb, unset or
			       unknown): nothing was written; print the text summary instead */
	MV_TUI_NO_MEMORY,   /* out of memory; the terminal is restored */
	MV_TUI_INPUT_ENDED, /* the terminal went away (end of file on the keyboard) */
};

/*
 * Show the session until the person leaves. Blocks. Call from the main thread with stdin and
 * stdout on a terminal and no other thread writing to it; nested calls are not allowed.
 * @s: borrowed; may be in any link state, also one that never came up. It sets the watches
 *     when o->hz is given and leaves them as they are at return.
 * @o: borrowed; NULL means all defaults.
 * ^C (SIGINT) closes what is open, else leaves as `q` does. SIGTERM, SIGHUP and SIGQUIT end the
 * process by that same signal after the terminal is restored and a recording is closed, so that the
 * caller's parent sees the true cause; the call does not return then.
 */
int mv_tui_run(struct mv_session *s, const struct mv_tui_options *o);

/* The names that config.json takes for the enums above; -1 when @name is none of them. */
int mv_tui_colors_parse(const char *name); /* auto none 8 16 256 */
int mv_tui_theme_parse(const char *name);  /* auto dark light */

#endif
