// SPDX-License-Identifier: MIT
#include "keys.h"

#include "fuzzy.h"

#include <stdio.h>
#include <stdlib.h>

#define ANY	CTX_ANY_VIEW
#define LISTS	(CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LOG | CTX_SLAB | CTX_DETAIL)
#define CTRL(c) ((c)&0x1f)

/* Earlier rows win where two would apply: the timeline's arrows come before the cursor's. */
/* clang-format off */
const struct mv_binding mv_bindings[] = {
	{ACT_STEP_BACK, ANY | CTX_REPLAY | CTX_TIMELINE, {MVK_LEFT}, "Left", NULL,
	 "Timeline: one recorded change back", 90},
	{ACT_STEP_FORWARD, ANY | CTX_REPLAY | CTX_TIMELINE, {MVK_RIGHT}, "Right", NULL,
	 "Timeline: one recorded change forward", 90},
	{ACT_STEP_BACK, ANY | CTX_REPLAY, {','}, ", .", "step",
	 "Step one recorded change back or forward, whoever has the arrows", 11},
	{ACT_STEP_FORWARD, ANY | CTX_REPLAY, {'.'}, ".", NULL,
	 "Step one recorded change forward", 90},
	{ACT_PLAY, ANY | CTX_REPLAY, {' ', 'p'}, "Space", "play",
	 "Play or pause the recording", 10},
	{ACT_SLOWER, ANY | CTX_REPLAY, {'<'}, "< >", "speed",
	 "Halve or double the speed of the replay", 12},
	{ACT_FASTER, ANY | CTX_REPLAY, {'>'}, ">", NULL, "Double the speed of the replay", 90},
	{ACT_TIMELINE, ANY | CTX_REPLAY, {'T'}, "T", "timeline",
	 "Give the arrows and digits to the timeline, or back to the screen; a digit begins a jump to a time", 13},

	{ACT_UP, ANY, {MVK_UP, 'k'}, "Up k", NULL, "Move up", 80},
	{ACT_DOWN, ANY, {MVK_DOWN, 'j'}, "Down j", NULL, "Move down", 80},
	{ACT_LEFT, ANY, {MVK_LEFT, 'h'}, "Left h", NULL, "Move left; close a branch of the tree", 80},
	{ACT_RIGHT, ANY, {MVK_RIGHT, 'l'}, "Right l", NULL, "Move right; open a branch of the tree", 80},
	{ACT_PAGE_UP, ANY, {MVK_PAGE_UP, CTRL('b'), CTRL('u')}, "PgUp ^U", NULL, "A page up", 81},
	{ACT_PAGE_DOWN, ANY, {MVK_PAGE_DOWN, CTRL('f'), CTRL('d')}, "PgDn ^D", NULL, "A page down", 81},
	{ACT_HOME, ANY, {MVK_HOME, 'g'}, "Home g", NULL, "To the first", 82},
	{ACT_END, ANY, {MVK_END, 'G'}, "End G", NULL, "To the last; in the log: follow what comes", 82},

	{ACT_OPEN, ANY, {MVK_ENTER}, "Enter", "open",
	 "Open what the cursor is on: frame, slab, object, call site; mapping, frame", 1},
	{ACT_BACK, ANY, {MVK_BACKSPACE, MVK_ESCAPE}, "Bksp", "back", "Back to where Enter was pressed", 2},

	{ACT_ZOOM_IN, CTX_MAP | CTX_FRAME | CTX_SLAB, {'+', '='}, "+ -", "zoom",
	 "Zoom in: fewer frames a cell, then into the frame, its slabs and objects", 3},
	{ACT_ZOOM_OUT, CTX_MAP | CTX_FRAME | CTX_SLAB, {'-', '_'}, "-", NULL, "Zoom out", 83},
	{ACT_ZOOM_FIT, CTX_MAP, {'0'}, "0", NULL, "Zoom so that the whole machine fits", 83},
	{ACT_ORDER, CTX_MAP, {'o'}, "o", "order",
	 "Order of the map: rows, or Hilbert's curve (neighbours in memory stay neighbours)", 4},
	{ACT_VIEW, CTX_TABLES, {'v'}, "v", "tree/list", "Page tables as a tree or as a list of ranges", 3},
	{ACT_VIEW, CTX_SITES, {'v'}, "v", "leaks", "Call sites, or the objects that look leaked", 3},
	{ACT_VIEW, CTX_LOG, {'v'}, "v", "which", "Console and events, console only, events only", 3},
	{ACT_VIEW, CTX_OVERVIEW, {'v'}, "v", "graph", "The graph: memory in use, slab objects, or allocations a second", 3},
	{ACT_SPACE_NEXT, CTX_TABLES, {'n', ']'}, "n", "space", "The next address space", 4},
	{ACT_TRANSLATE, CTX_TABLES | CTX_DETAIL | CTX_MAP | CTX_FRAME, {'t'}, "t", "translate",
	 "Translate an address step by step through the tables", 5},
	{ACT_TRACE, CTX_SITES | CTX_LIVE, {'t'}, "t", "trace on/off",
	 "Switch the kernel's attribution (who allocated what, when) on or off", 5},

	{ACT_SORT, CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LIST | CTX_FRAME, {'s'}, "s", "sort",
	 "Sort by the next column", 6},
	{ACT_SORT_REVERSE, CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LIST | CTX_FRAME, {'S'}, "S", NULL,
	 "Turn the order of the sort round", 84},
	{ACT_FILTER, LISTS, {'f'}, "f", "filter",
	 "Show only the lines with these words; !word leaves lines out; empty shows all", 7},
	{ACT_SEARCH, ANY, {'/'}, "/", "search", "Find an address, a size or a name, here or on the screen that has it", 8},
	{ACT_SEARCH_NEXT, CTX_OVERVIEW | CTX_MAP | CTX_SLABS | CTX_SITES | CTX_LOG | CTX_SLAB | CTX_DETAIL | CTX_FRAME | CTX_LIST,
	 {'n'}, "n", NULL, "The next hit of the search", 84},
	{ACT_SEARCH_PREV, ANY, {'N'}, "N", NULL, "The hit before", 84},

	{ACT_ALLOC, ANY | CTX_LIVE, {'a'}, "a", "alloc", "Allocate an object or frames: a form with a dry run", 20},
	{ACT_MAP, ANY | CTX_LIVE, {'m'}, "m", "map", "Map physical memory: a form with a dry run", 21},
	{ACT_UNMAP, ANY | CTX_LIVE, {'u'}, "u", "unmap", "Unmap a range: a form with a dry run", 22},
	{ACT_FREE, ANY | CTX_LIVE, {'d'}, "d", "free", "Free what the cursor is on: a form with a dry run", 23},

	{ACT_FREEZE, ANY, {' '}, "Space", "freeze", "Hold the picture while data keeps coming", 15},
	{ACT_MARK, ANY, {'x'}, "x", "mark", "Mark this moment; again: what has changed since", 24},
	{ACT_RECORD, ANY | CTX_LIVE, {'r'}, "r", "record", "Start or stop recording what the kernel says", 25},
	{ACT_COMMAND, ANY, {':'}, ":", "command", "Command line: the subcommands of memviz and every method of the protocol", 26},
	{ACT_SCREEN_1, ANY, {'1'}, "1..6", NULL, "Screens: 1 overview, 2 memory map, 3 slabs, 4 page tables, 5 sites, 6 log", 70},
	{ACT_SCREEN_2, ANY, {'2'}, "2", NULL, "Memory map: every frame of the machine", 70},
	{ACT_SCREEN_3, ANY, {'3'}, "3", NULL, "Slabs: the 16 caches", 70},
	{ACT_SCREEN_4, ANY, {'4'}, "4", NULL, "Page tables and mappings", 70},
	{ACT_SCREEN_5, ANY, {'5'}, "5", NULL, "Sites: who holds memory", 70},
	{ACT_SCREEN_6, ANY, {'6'}, "6", NULL, "Log: console and events", 70},
	{ACT_NEXT_SCREEN, ANY, {MVK_TAB}, "Tab", NULL, "The next screen", 71},
	{ACT_PREV_SCREEN, ANY, {MVK_BACKTAB}, "Shift-Tab", NULL, "The screen before", 71},
	{ACT_MOUSE, ANY, {'M'}, "M", NULL, "Mouse on or off (off: the terminal selects text)", 85},
	{ACT_REDRAW, ANY, {CTRL('l')}, "^L", NULL, "Draw everything anew and ask for a full state", 86},
	{ACT_HELP, ANY, {'?', MVK_F1}, "?", "help", "This help; type to search in it", 30},
	{ACT_QUIT, ANY, {'q', MVK_F10}, "q", "quit", "Leave memviz; the kernel keeps running (^C does the same)", 31},
};
/* clang-format on */
const size_t mv_binding_count = sizeof(mv_bindings) / sizeof(mv_bindings[0]);

bool mv_binding_applies(const struct mv_binding *b, unsigned context)
{
	unsigned extra = b->where & ~(unsigned)CTX_ANY_VIEW;

	return (b->where & context & CTX_ANY_VIEW) && (extra & context) == extra;
}

enum mv_action mv_keys_action(int key, unsigned context)
{
	for (size_t i = 0; i < mv_binding_count; i++) {
		const struct mv_binding *b = &mv_bindings[i];

		for (size_t k = 0; k < 5 && b->keys[k]; k++)
			if (b->keys[k] == key && mv_binding_applies(b, context))
				return b->action;
	}
	return ACT_NONE;
}

/* A key of an earlier row that also applies hides this one. */
static bool hidden(size_t index, unsigned context)
{
	const struct mv_binding *b = &mv_bindings[index];

	return mv_keys_action(b->keys[0], context) != b->action;
}

static size_t insert(const struct mv_binding **out, int *score, size_t n, size_t max,
		     const struct mv_binding *b, int s)
{
	size_t at = n < max ? n : max;

	while (at > 0 && score[at - 1] < s)
		at--;
	if (at >= max)
		return n;
	for (size_t i = n < max ? n : max - 1; i > at; i--) {
		out[i] = out[i - 1];
		score[i] = score[i - 1];
	}
	out[at] = b;
	score[at] = s;
	return n < max ? n + 1 : max;
}

#define MOST 128

size_t mv_keys_footer(unsigned context, const struct mv_binding **out, size_t max)
{
	int score[MOST];
	size_t n = 0;

	max = max < MOST ? max : MOST;
	for (size_t i = 0; i < mv_binding_count; i++) {
		const struct mv_binding *b = &mv_bindings[i];

		if (b->hint && mv_binding_applies(b, context) && !hidden(i, context))
			n = insert(out, score, n, max, b, -b->rank);
	}
	return n;
}

size_t mv_keys_help(unsigned context, const char *query, const struct mv_binding **out, size_t max)
{
	int score[MOST];
	size_t n = 0;

	max = max < MOST ? max : MOST;
	for (size_t i = 0; i < mv_binding_count; i++) {
		const struct mv_binding *b = &mv_bindings[i];
		char text[256];

		snprintf(text, sizeof(text), "%s %s %s", b->label, b->hint ? b->hint : "", b->help);
		int s = mv_fuzzy(query, text);
		bool here = mv_binding_applies(b, context) && !hidden(i, context);

		if (s)
			n = insert(out, score, n, max, b, s * 1000 + (here ? 500 : 0) - b->rank);
	}
	return n;
}
