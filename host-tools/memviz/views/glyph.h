/* SPDX-License-Identifier: MIT */
/* The characters outside ASCII that the screens use, each with its ASCII stand-in. */
#ifndef VIEWS_GLYPH_H
#define VIEWS_GLYPH_H

#include <stdbool.h>
#include <wchar.h>

enum mv_glyph_id {
	GL_HLINE,
	GL_VLINE,
	GL_TL,
	GL_TR,
	GL_BL,
	GL_BR,
	GL_TEE_RIGHT, /* |- of a tree */
	GL_ELL,	      /* last branch of a tree */
	GL_ELLIPSIS,
	GL_UP,
	GL_DOWN,
	GL_RIGHT,
	GL_LEFT,
	GL_FULL,   /* full block of a bar */
	GL_TROUGH, /* empty part of a bar */
	GL_DOT,	   /* separates items in a line */
	GL_PLAY,
	GL_PAUSE,
	GL_RECORD,
	GL_LIVE,
	GL_OPEN,   /* an open branch */
	GL_CLOSED, /* a closed branch */
	GL_THUMB,  /* of a scroll bar */
	GL_SHADE,
	GL_MINUS, /* a hole: memory that is not there */
	GL_COUNT
};

wchar_t mv_glyph(enum mv_glyph_id id, bool ascii);
/* As a string, for printf; the pointer stays valid for ever. */
const char *mv_glyph_str(enum mv_glyph_id id, bool ascii);
/* What stands for @ch when it cannot be shown: a control character, or any in ASCII mode. */
wchar_t mv_glyph_fallback(wchar_t ch, bool ascii);
/* The block that fills @eighths (1..8) of a cell from the left; '#', '=', '-' in ASCII. */
wchar_t mv_glyph_eighth(int eighths, bool ascii);

#endif
