// SPDX-License-Identifier: MIT
#include "glyph.h"

#include <stddef.h>

static const struct {
	wchar_t wide;
	char ascii;
	const char *utf8;
	const char *plain;
} glyphs[GL_COUNT] = {
	[GL_HLINE] = {0x2500, '-', "─", "-"},
	  [GL_VLINE] = {0x2502, '|', "│", "|"},
	[GL_TL] = {0x256d, '+', "╭", "+"},
	  [GL_TR] = {0x256e, '+', "╮", "+"},
	[GL_BL] = {0x2570, '+', "╰", "+"},
	  [GL_BR] = {0x256f, '+', "╯", "+"},
	[GL_TEE_RIGHT] = {0x251c, '|', "├", "|"},
	  [GL_ELL] = {0x2514, '`', "└", "`"},
	[GL_ELLIPSIS] = {0x2026, '~', "…", "~"},
	  [GL_UP] = {0x25b2, '^', "▲", "^"},
	[GL_DOWN] = {0x25bc, 'v', "▼", "v"},
	  [GL_RIGHT] = {0x2192, '>', "→", ">"},
	[GL_LEFT] = {0x2190, '<', "←", "<"},
	  [GL_FULL] = {0x2588, '#', "█", "#"},
	[GL_TROUGH] = {0x2500, '.', "─", "."},
	  [GL_DOT] = {0x00b7, '|', "·",	"|"},
	[GL_PLAY] = {0x25b6, '>', "▶", ">"},
	  [GL_PAUSE] = {0x2016, '=', "‖", "="},
	[GL_RECORD] = {0x25cf, '*', "●", "*"},
	  [GL_LIVE] = {0x25cf, '*', "●", "*"},
	[GL_OPEN] = {0x25be, '-', "▾", "-"},
	  [GL_CLOSED] = {0x25b8, '+', "▸", "+"},
	[GL_THUMB] = {0x2503, '#', "┃", "#"},
	  [GL_SHADE] = {0x2591, ':', "░", ":"},
	[GL_MINUS] = {0x2500, '-', "─", "-"},
};

wchar_t mv_glyph(enum mv_glyph_id id, bool ascii)
{
	return ascii ? (wchar_t)glyphs[id].ascii : glyphs[id].wide;
}

const char *mv_glyph_str(enum mv_glyph_id id, bool ascii)
{
	return ascii ? glyphs[id].plain : glyphs[id].utf8;
}

wchar_t mv_glyph_fallback(wchar_t ch, bool ascii)
{
	if (!ascii)
		return ch == L'\t' ? L' ' : (wchar_t)0xfffd;
	for (size_t i = 0; i < GL_COUNT; i++)
		if (glyphs[i].wide == ch)
			return (wchar_t)glyphs[i].ascii;
	if (ch >= 0x2588 && ch <= 0x258f) /* partial blocks */
		return ch <= 0x258b ? L'#' : L'=';
	return ch == L'\t' ? L' ' : L'?';
}

wchar_t mv_glyph_eighth(int eighths, bool ascii)
{
	if (eighths < 1)
		return L' ';
	if (eighths > 8)
		eighths = 8;
	if (ascii)
		return eighths >= 6 ? L'#' : eighths >= 3 ? L'=' : L'-';
	return (wchar_t)(0x2590 - eighths);
}
