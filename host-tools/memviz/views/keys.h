/* SPDX-License-Identifier: MIT */
/*
 * Which key does what, where: one table from which the dispatcher, the footer and the help are
 * made, so that they can't disagree. Pure.
 */
#ifndef VIEWS_KEYS_H
#define VIEWS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* Keys that are no characters. Characters are their own code (below 0x110000). */
enum mv_key {
	KEY_BASE_ = 0x110000,
	MVK_UP,
	MVK_DOWN,
	MVK_LEFT,
	MVK_RIGHT,
	MVK_PAGE_UP,
	MVK_PAGE_DOWN,
	MVK_HOME,
	MVK_END,
	MVK_ENTER,
	MVK_BACKSPACE,
	MVK_DELETE,
	MVK_TAB,
	MVK_BACKTAB,
	MVK_ESCAPE,
	MVK_F1,
	MVK_F10,
	MVK_RESIZE,
	MVK_MOUSE,
	MVK_EOF,  /* the keyboard is gone */
	MVK_NONE, /* nothing was typed */
};

enum mv_mouse_what { MOUSE_PRESS, MOUSE_DOUBLE, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct mv_input {
	int key; /* a character or enum mv_key */
	enum mv_mouse_what mouse;
	int row, col; /* of the mouse */
};

enum mv_action {
	ACT_NONE,
	ACT_UP,
	ACT_DOWN,
	ACT_LEFT,
	ACT_RIGHT,
	ACT_PAGE_UP,
	ACT_PAGE_DOWN,
	ACT_HOME,
	ACT_END,
	ACT_OPEN,
	ACT_BACK,
	ACT_SCREEN_1,
	ACT_SCREEN_2,
	ACT_SCREEN_3,
	ACT_SCREEN_4,
	ACT_SCREEN_5,
	ACT_SCREEN_6,
	ACT_NEXT_SCREEN,
	ACT_PREV_SCREEN,
	ACT_FREEZE,
	ACT_SORT,
	ACT_SORT_REVERSE,
	ACT_FILTER,
	ACT_SEARCH,
	ACT_SEARCH_NEXT,
	ACT_SEARCH_PREV,
	ACT_ALLOC,
	ACT_MAP,
	ACT_UNMAP,
	ACT_FREE,
	ACT_MARK,
	ACT_RECORD,
	ACT_COMMAND,
	ACT_HELP,
	ACT_MOUSE,
	ACT_ZOOM_IN,
	ACT_ZOOM_OUT,
	ACT_ZOOM_FIT,
	ACT_ORDER,
	ACT_VIEW,	/* the other face of a screen: tree/ranges, sites/leaks, console/events */
	ACT_SPACE_NEXT, /* another address space */
	ACT_TRANSLATE,
	ACT_TRACE,
	ACT_REDRAW,
	ACT_SHARE,
	ACT_QUIT,
	ACT_PLAY,
	ACT_STEP_BACK,
	ACT_STEP_FORWARD,
	ACT_FASTER,
	ACT_SLOWER,
	ACT_TIMELINE,
	ACT_COUNT
};

/* Where a key works: bits of the views, plus these. */
enum mv_context {
	CTX_OVERVIEW = 1 << 0,
	CTX_MAP = 1 << 1,
	CTX_SLABS = 1 << 2,
	CTX_TABLES = 1 << 3,
	CTX_SITES = 1 << 4,
	CTX_LOG = 1 << 5,
	CTX_FRAME = 1 << 6,	/* inside one frame */
	CTX_SLAB = 1 << 7,	/* the objects of a slab */
	CTX_DETAIL = 1 << 8,	/* object, mapping, translation */
	CTX_LIST = 1 << 9,	/* a class's slabs, a site's objects, the difference */
	CTX_REPLAY = 1 << 10,	/* added to the others while a recording is shown */
	CTX_TIMELINE = 1 << 11, /* arrows and digits belong to the timeline */
	CTX_LIVE = 1 << 12,	/* added while a kernel can act */
	CTX_BARE = 1 << 13,	/* added while the link serves nobody else and could be shared */
	CTX_ANY_VIEW = (1 << 10) - 1,
};

struct mv_binding {
	enum mv_action action;
	unsigned where;	   /* all bits of one view and, if given, of REPLAY ... BARE */
	int keys[5];	   /* 0 ends them */
	int rank;	   /* footer: lower first */
	const char *label; /* the keys as the footer and the help name them */
	const char *hint;  /* a word or two for the footer; NULL: not shown there */
	const char *help;  /* a sentence */
};

extern const struct mv_binding mv_bindings[];
extern const size_t mv_binding_count;

/* The action of @key where @context holds (one view bit and any of the added ones). */
enum mv_action mv_keys_action(int key, unsigned context);
/* Whether @b works in @context. */
bool mv_binding_applies(const struct mv_binding *b, unsigned context);
/* Footer order: fills @out with at most @max bindings that have a hint here; returns how many. */
size_t mv_keys_footer(unsigned context, const struct mv_binding **out, size_t max);
/* Help that answers @query, best first ("" lists all, the ones that work in @context first). */
size_t mv_keys_help(unsigned context, const char *query, const struct mv_binding **out, size_t max);

#endif
