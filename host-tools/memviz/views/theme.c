// SPDX-License-Identifier: MIT
/*
 * The hues are those of Okabe and Ito's palette, told apart by every common kind of colour
 * blindness: orange, sky blue, bluish green, vermillion, reddish purple, with greys for what is
 * not in use. Red and green never stand for opposite things; each state has a letter beside.
 * Foregrounds are chosen to be legible on black and on white alike, except where the light theme
 * gives its own. Dark blue is used nowhere.
 */
#include "theme.h"

#include <stdlib.h>
#include <string.h>

#define B LOOK_BOLD
#define D LOOK_DIM
#define R LOOK_REVERSE
#define U LOOK_UNDERLINE

struct look_row {
	struct mv_look dark256, light256, c16, c8, mono;
};

/* clang-format off */
static const struct look_row looks[ST_COUNT] = {
	/*                 256, dark        256, light       16               8                mono */
	[ST_TEXT]       = {{ -1,  -1, 0},   { -1,  -1, 0},   { -1, -1, 0},    { -1, -1, 0},    { -1, -1, 0}},
	[ST_DIM]        = {{246,  -1, 0},   {242,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},
	[ST_STRONG]     = {{ -1,  -1, B},   { -1,  -1, B},   { -1, -1, B},    { -1, -1, B},    { -1, -1, B}},
	[ST_TITLE]      = {{ 74,  -1, B},   { 25,  -1, B},   {  6, -1, B},    {  6, -1, B},    { -1, -1, B}},
	[ST_BORDER]     = {{240,  -1, 0},   {250,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},
	[ST_ADDR]       = {{110,  -1, 0},   { 24,  -1, 0},   {  6, -1, 0},    {  6, -1, 0},    { -1, -1, 0}},
	[ST_BAR]        = {{252, 236, 0},   {236, 254, 0},   { -1, -1, R},    { -1, -1, R},    { -1, -1, R}},
	[ST_BAR_STRONG] = {{231, 236, B},   { 16, 254, B},   { -1, -1, R|B},  { -1, -1, R|B},  { -1, -1, R|B}},
	[ST_HINT]       = {{252, 236, 0},   {236, 254, 0},   { -1, -1, 0},    { -1, -1, 0},    { -1, -1, 0}},
	[ST_BAR_KEY]    = {{ 16,  74, B},   {231,  25, B},   {  0,  6, 0},    {  0,  6, 0},    { -1, -1, R}},
	[ST_BAR_WARN]   = {{ 16, 214, B},   { 16, 214, B},   {  0, 11, 0},    {  0,  3, 0},    { -1, -1, B}},
	[ST_TAB]        = {{ 16,  74, B},   {231,  25, B},   {  0,  6, B},    {  0,  6, B},    { -1, -1, B}},
	[ST_SELECT]     = {{231,  24, B},   { 16, 153, B},   {  0, 14, 0},    {  0,  6, 0},    { -1, -1, R}},
	[ST_OK]         = {{ 37,  -1, 0},   { 30,  -1, 0},   {  2, -1, 0},    {  2, -1, 0},    { -1, -1, 0}},
	[ST_WARN]       = {{214,  -1, 0},   {130,  -1, 0},   {  3, -1, 0},    {  3, -1, 0},    { -1, -1, B}},
	[ST_BAD]        = {{209,  -1, B},   {160,  -1, B},   {  9, -1, B},    {  1, -1, B},    { -1, -1, B|R}},
	[ST_CHANGED]    = {{ 16, 229, 0},   { 16, 229, 0},   {  0, 11, 0},    {  0,  3, 0},    { -1, -1, U|B}},
	[ST_INPUT]      = {{252, 236, U},   {236, 253, U},   { -1, -1, U},    { -1, -1, U},    { -1, -1, U}},
	[ST_POPUP]      = {{252, 234, 0},   {236, 255, 0},   { -1, -1, 0},    { -1, -1, 0},    { -1, -1, 0}},
	[ST_POPUP_TITLE]= {{ 74, 234, B},   { 25, 255, B},   {  6, -1, B},    {  6, -1, B},    { -1, -1, B}},
	[ST_POPUP_DIM]  = {{246, 234, 0},   {242, 255, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},
	[ST_POPUP_GOOD] = {{ 79, 234, 0},   { 30, 255, 0},   {  2, -1, 0},    {  2, -1, 0},    { -1, -1, 0}},
	[ST_POPUP_WARN] = {{214, 234, 0},   {130, 255, 0},   {  3, -1, 0},    {  3, -1, 0},    { -1, -1, B}},
	[ST_POPUP_BAD]  = {{209, 234, B},   {160, 255, B},   {  9, -1, B},    {  1, -1, B},    { -1, -1, B}},
	[ST_STALE]      = {{243,  -1, 0},   {246,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},

	[ST_G_USED]     = {{172,  -1, 0},   {172,  -1, 0},   {  3, -1, 0},    {  3, -1, 0},    { -1, -1, B}},
	[ST_G_CACHE]    = {{ 74,  -1, 0},   { 32,  -1, 0},   {  6, -1, 0},    {  6, -1, 0},    { -1, -1, 0}},
	[ST_G_SHARED]   = {{175,  -1, 0},   {132,  -1, 0},   { 13, -1, 0},    {  5, -1, 0},    { -1, -1, 0}},
	[ST_G_FREE]     = {{ 36,  -1, 0},   { 36,  -1, 0},   {  2, -1, 0},    {  2, -1, 0},    { -1, -1, 0}},
	[ST_G_TROUGH]   = {{238,  -1, 0},   {252,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},

	[ST_F_FREE]     = {{108, 236, 0},   { 22, 194, 0},   {  2, -1, 0},    {  2, -1, 0},    { -1, -1, D}},
	[ST_F_KERNEL]   = {{ 16, 209, 0},   { 16, 209, 0},   {  0,  9, 0},    {  7,  1, 0},    { -1, -1, R|B}},
	[ST_F_SLAB]     = {{ 16,  74, 0},   { 16,  74, 0},   {  0, 14, 0},    {  0,  6, 0},    { -1, -1, R}},
	[ST_F_ALLOCATED]= {{ 16, 214, 0},   { 16, 214, 0},   {  0, 11, 0},    {  0,  3, 0},    { -1, -1, R}},
	[ST_F_SHARED]   = {{ 16, 175, 0},   { 16, 175, 0},   {  0, 13, 0},    {  7,  5, 0},    { -1, -1, R|U}},
	[ST_F_RESERVED] = {{252, 241, 0},   {255, 244, 0},   {  7,  8, 0},    { -1, -1, R|D},  { -1, -1, D|R}},
	[ST_F_HOLE]     = {{240,  -1, 0},   {250,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},
	[ST_F_UNKNOWN]  = {{240,  -1, 0},   {250,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},

	[ST_T_FREE]     = {{108,  -1, 0},   { 28,  -1, 0},   {  2, -1, 0},    {  2, -1, 0},    { -1, -1, D}},
	[ST_T_KERNEL]   = {{209,  -1, 0},   {166,  -1, 0},   {  9, -1, 0},    {  1, -1, 0},    { -1, -1, B}},
	[ST_T_SLAB]     = {{ 74,  -1, 0},   { 25,  -1, 0},   {  6, -1, 0},    {  6, -1, 0},    { -1, -1, 0}},
	[ST_T_ALLOCATED]= {{214,  -1, 0},   {130,  -1, 0},   {  3, -1, 0},    {  3, -1, 0},    { -1, -1, 0}},
	[ST_T_SHARED]   = {{175,  -1, 0},   {132,  -1, 0},   {  5, -1, 0},    {  5, -1, 0},    { -1, -1, U}},
	[ST_T_RESERVED] = {{246,  -1, 0},   {242,  -1, 0},   {  8, -1, 0},    { -1, -1, D},    { -1, -1, D}},
	[ST_CURSOR]     = {{ 16, 231, B},   {231,  16, B},   {  0, 15, B},    {  0,  7, B},    { -1, -1, R|B|U}},
};
/* clang-format on */

struct mv_look mv_theme_look(enum mv_style st, enum mv_tui_colors colors, enum mv_tui_theme theme)
{
	const struct look_row *row = &looks[(unsigned)st < ST_COUNT ? st : ST_TEXT];

	if (colors >= MV_TUI_COLORS_256)
		return theme == MV_TUI_THEME_LIGHT ? row->light256 : row->dark256;
	if (colors >= MV_TUI_COLORS_16)
		return row->c16;
	if (colors >= MV_TUI_COLORS_8)
		return row->c8;
	return row->mono;
}

enum mv_tui_colors mv_theme_depth(enum mv_tui_colors wanted, int terminal, const char *no_color)
{
	static const enum mv_tui_colors steps[] = {MV_TUI_COLORS_256, MV_TUI_COLORS_16,
						   MV_TUI_COLORS_8};

	if (wanted == MV_TUI_COLORS_AUTO && no_color && *no_color)
		return MV_TUI_COLORS_MONO;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool asked = wanted == MV_TUI_COLORS_AUTO || wanted >= steps[i];

		if (asked && terminal >= (int)steps[i])
			return steps[i];
	}
	return MV_TUI_COLORS_MONO;
}

enum mv_tui_theme mv_theme_resolve(enum mv_tui_theme wanted, const char *colorfgbg)
{
	if (wanted != MV_TUI_THEME_AUTO)
		return wanted;
	const char *bg = colorfgbg ? strrchr(colorfgbg, ';') : NULL;

	if (!bg || bg[1] < '0' || bg[1] > '9')
		return MV_TUI_THEME_DARK;
	/* rxvt's convention: 7 and 9..15 are the light grounds. */
	int n = atoi(bg + 1);
	return n == 7 || (n >= 9 && n <= 15) ? MV_TUI_THEME_LIGHT : MV_TUI_THEME_DARK;
}

static int find_name(const char *name, const char *const *names, const int *values, size_t count)
{
	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(name, names[i]))
			return values[i];
	return -1;
}

int mv_tui_colors_parse(const char *name)
{
	static const char *const names[] = {"auto", "none", "8", "16", "256"};
	static const int values[] = {MV_TUI_COLORS_AUTO, MV_TUI_COLORS_MONO, MV_TUI_COLORS_8,
				     MV_TUI_COLORS_16, MV_TUI_COLORS_256};

	return find_name(name, names, values, 5);
}

int mv_tui_theme_parse(const char *name)
{
	static const char *const names[] = {"auto", "dark", "light"};
	static const int values[] = {MV_TUI_THEME_AUTO, MV_TUI_THEME_DARK, MV_TUI_THEME_LIGHT};

	return find_name(name, names, values, 3);
}
