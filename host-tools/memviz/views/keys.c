// SPDX-License-Identifier: MIT
#include "keys.h"

#include "fuzzy.h"

#include <stdio.h>
#include <stdlib.h>

#define ANY	CTX_ANY_VIEW
#define LISTS	(CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LOG | CTX_LIST)
#define CTRL(c) ((c)&0x1f)

/* Earlier rows win where two would apply: the timeline's arrows come before the cursor's. */
/* clang-format off */
const struct mv_binding mv_bindings[] = {
	{ACT_STEP_BACK, ANY | CTX_REPLAY | CTX_TIMELINE, {MVK_LEFT}, 90, "Left", NULL,
	 "Timeline: one recorded change back"},
	{ACT_STEP_FORWARD, ANY | CTX_REPLAY | CTX_TIMELINE, {MVK_RIGHT}, 90, "Right", NULL,
	 "Timeline: one recorded change forward"},
	{ACT_STEP_BACK, ANY | CTX_REPLAY, {','}, 11, ", .", "step",
	 "Step one recorded change back or forward, whoever has the arrows"},
	{ACT_STEP_FORWARD, ANY | CTX_REPLAY, {'.'}, 90, ".", NULL,
	 "Step one recorded change forward"},
	{ACT_PLAY, ANY | CTX_REPLAY, {' ', 'p'}, 10, "Space", "play",
	 "Play or pause the recording"},
	{ACT_SLOWER, ANY | CTX_REPLAY, {'<'}, 12, "< >", "speed",
	 "Halve or double the speed of the replay"},
	{ACT_FASTER, ANY | CTX_REPLAY, {'>'}, 90, ">", NULL, "Double the speed of the replay"},
	{ACT_TIMELINE, ANY | CTX_REPLAY, {'T'}, 13, "T", "timeline",
	 "Give the arrows and digits to the timeline, or back to the screen; a digit begins a jump to a time"},

	{ACT_UP, ANY, {MVK_UP, 'k'}, 80, "Up k", NULL, "Move up"},
	{ACT_DOWN, ANY, {MVK_DOWN, 'j'}, 80, "Down j", NULL, "Move down"},
	{ACT_LEFT, ANY, {MVK_LEFT, 'h'}, 80, "Left h", NULL, "Move left; close a branch of the tree"},
	{ACT_RIGHT, ANY, {MVK_RIGHT, 'l'}, 80, "Right l", NULL, "Move right; open a branch of the tree"},
	{ACT_PAGE_UP, ANY, {MVK_PAGE_UP, CTRL('b'), CTRL('u')}, 81, "PgUp ^U", NULL, "A page up"},
	{ACT_PAGE_DOWN, ANY, {MVK_PAGE_DOWN, CTRL('f'), CTRL('d')}, 81, "PgDn ^D", NULL, "A page down"},
	{ACT_HOME, ANY, {MVK_HOME, 'g'}, 82, "Home g", NULL, "To the first"},
	{ACT_END, ANY, {MVK_END, 'G'}, 82, "End G", NULL, "To the last; in the log: follow what comes"},

	{ACT_OPEN, ANY, {MVK_ENTER}, 1, "Enter", "open",
	 "Open what the cursor is on: frame, slab, object, call site; mapping, frame"},
	{ACT_BACK, ANY, {MVK_BACKSPACE, MVK_ESCAPE}, 2, "Bksp", "back", "Back to where Enter was pressed"},

	{ACT_ZOOM_IN, CTX_MAP | CTX_FRAME | CTX_SLAB, {'+', '='}, 3, "+ -", "zoom",
	 "Zoom in: fewer frames a cell, then into the frame, its slabs and objects"},
	{ACT_ZOOM_OUT, CTX_MAP | CTX_FRAME | CTX_SLAB, {'-', '_'}, 83, "-", NULL, "Zoom out"},
	{ACT_ZOOM_FIT, CTX_MAP, {'0'}, 83, "0", NULL, "Zoom so that the whole machine fits"},
	{ACT_ORDER, CTX_MAP, {'o'}, 4, "o", "order",
	 "Order of the map: rows, or Hilbert's curve (neighbours in memory stay neighbours)"},
	{ACT_VIEW, CTX_TABLES, {'v'}, 3, "v", "tree/list", "Page tables as a tree or as a list of ranges"},
	{ACT_VIEW, CTX_SITES, {'v'}, 3, "v", "leaks", "Call sites, or the objects that look leaked"},
	{ACT_VIEW, CTX_LOG, {'v'}, 3, "v", "which", "Console and events, console only, events only"},
	{ACT_VIEW, CTX_OVERVIEW, {'v'}, 3, "v", "graph", "The graph: memory in use, slab objects, or allocations a second"},
	{ACT_SPACE_NEXT, CTX_TABLES, {'n', ']'}, 4, "n", "space", "The next address space"},
	{ACT_TRANSLATE, CTX_TABLES | CTX_DETAIL | CTX_MAP | CTX_FRAME, {'t'}, 5, "t", "translate",
	 "Translate an address step by step through the tables"},
	{ACT_TRACE, CTX_SITES | CTX_LIVE, {'t'}, 5, "t", "trace on/off",
	 "Switch the kernel's attribution (who allocated what, when) on or off"},

	{ACT_SORT, CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LIST | CTX_FRAME, {'s'}, 6, "s", "sort",
	 "Sort by the next column"},
	{ACT_SORT_REVERSE, CTX_SLABS | CTX_TABLES | CTX_SITES | CTX_LIST | CTX_FRAME, {'S'}, 84, "S", NULL,
	 "Turn the order of the sort round"},
	{ACT_FILTER, LISTS, {'f'}, 7, "f", "filter",
	 "Show only the lines with these words; !word leaves lines out; empty shows all"},
	{ACT_SEARCH, ANY, {'/'}, 8, "/", "search", "Find an address, a size or a name, here or on the screen that has it"},
	{ACT_SEARCH_NEXT, CTX_OVERVIEW | CTX_MAP | CTX_SLABS | CTX_SITES | CTX_LOG | CTX_SLAB | CTX_DETAIL | CTX_FRAME | CTX_LIST,
	 {'n'}, 84, "n", NULL, "The next hit of the search"},
	{ACT_SEARCH_PREV, ANY, {'N'}, 84, "N", NULL, "The hit before"},

	{ACT_ALLOC, ANY | CTX_LIVE, {'a'}, 20, "a", "alloc", "Allocate an object or frames: a form with a dry run"},
	{ACT_MAP, ANY | CTX_LIVE, {'m'}, 21, "m", "map", "Map physical memory: a form with a dry run"},
	{ACT_UNMAP, ANY | CTX_LIVE, {'u'}, 22, "u", "unmap", "Unmap a range: a form with a dry run"},
	{ACT_FREE, ANY | CTX_LIVE, {'d'}, 23, "d", "free", "Free what the cursor is on: a form with a dry run"},

	{ACT_FREEZE, ANY, {' '}, 15, "Space", "freeze", "Hold the picture while data keeps coming"},
	{ACT_MARK, ANY, {'x'}, 24, "x", "mark", "Mark this moment; again: what has changed since"},
	{ACT_RECORD, ANY | CTX_LIVE, {'r'}, 25, "r", "record", "Start or stop recording what the kernel says"},
	{ACT_SHARE, ANY | CTX_BARE, {'H'}, 27, "H", "share",
	 "Share this link, which serves one client: start a hub on it and look through that"},
	{ACT_COMMAND, ANY, {':'}, 26, ":", "command", "Command line: the subcommands of memviz and every method of the protocol"},
	{ACT_SCREEN_1, ANY, {'1'}, 70, "1..6", NULL, "Screens: 1 overview, 2 memory map, 3 slabs, 4 page tables, 5 sites, 6 log"},
	{ACT_SCREEN_2, ANY, {'2'}, 70, "2", NULL, "Memory map: every frame of the machine"},
	{ACT_SCREEN_3, ANY, {'3'}, 70, "3", NULL, "Slabs: the 16 caches"},
	{ACT_SCREEN_4, ANY, {'4'}, 70, "4", NULL, "Page tables and mappings"},
	{ACT_SCREEN_5, ANY, {'5'}, 70, "5", NULL, "Sites: who holds memory"},
	{ACT_SCREEN_6, ANY, {'6'}, 70, "6", NULL, "Log: console and events"},
	{ACT_NEXT_SCREEN, ANY, {MVK_TAB}, 71, "Tab", NULL, "The next screen"},
	{ACT_PREV_SCREEN, ANY, {MVK_BACKTAB}, 71, "Shift-Tab", NULL, "The screen before"},
	{ACT_MOUSE, ANY, {'M'}, 85, "M", NULL, "Mouse on or off (off: the terminal selects text)"},
	{ACT_REDRAW, ANY, {CTRL('l')}, 86, "^L", NULL, "Draw everything anew and ask for a full state"},
	{ACT_HELP, ANY, {'?', MVK_F1}, 30, "?", "help", "This help; type to search in it"},
	{ACT_QUIT, ANY, {'q', MVK_F10}, 31, "q", "quit", "Leave memviz; the kernel keeps running (^C does the same)"},
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
