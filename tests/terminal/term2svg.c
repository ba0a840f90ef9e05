// SPDX-License-Identifier: MIT
/*
 * term2svg: a captured terminal screen (tmux capture-pane -e -p) on stdin to an SVG on stdout.
 *
 *	usage: term2svg [--light] [--cols N] [--title TEXT] < capture > picture.svg
 *
 * Blocks, lines and braille are drawn as shapes, so that the picture is the same with every font.
 * Knows the SGR sequences that tmux writes; other escape sequences are left out.
 */
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CELL_W	 8.4
#define CELL_H	 17.0
#define BASELINE 13.0
#define PAD	 12.0
#define TITLE_H	 26.0
#define MAX_COLS 400
#define MAX_ROWS 200

struct color {
	bool set;
	uint8_t r, g, b;
};

struct pen {
	struct color fg, bg;
	bool bold, dim, underline, reverse;
};

struct cell {
	wchar_t ch; /* 0: second half of a wide character */
	struct pen pen;
};

struct screen {
	struct cell cell[MAX_ROWS][MAX_COLS];
	int rows, cols;
	struct color fg, bg; /* defaults */
};

static struct screen screen;

/* ---- colours ---- */

static struct color palette(int n)
{
	static const uint8_t basic[16][3] = {
		{0,   0,   0	},
		 {205, 49,  49 },
		  {13,  188, 121},
		  {229, 229, 16 },
		{36,  114, 200},
		 {188, 63,  188},
		  {17,  168, 205},
		  {229, 229, 229},
		{102, 102, 102},
		 {241, 76,  76 },
		  {35,  209, 139},
		  {245, 245, 67 },
		{59,  142, 234},
		 {214, 112, 214},
		  {41,  184, 219},
		  {255, 255, 255}
	 };
	static const uint8_t cube[6] = {0, 95, 135, 175, 215, 255};

	if (n < 16)
		return (struct color){true, basic[n][0], basic[n][1], basic[n][2]};
	if (n < 232) {
		n -= 16;
		return (struct color){true, cube[n / 36], cube[n / 6 % 6], cube[n % 6]};
	}
	uint8_t grey = (uint8_t)(8 + (n - 232) * 10);

	return (struct color){true, grey, grey, grey};
}

/* 38;5;n or 38;2;r;g;b at code[i]; moves i to its last number. */
static struct color extended(const int *code, int n, int *i)
{
	if (*i + 2 < n && code[*i + 1] == 5) {
		*i += 2;
		return palette(code[*i] & 255);
	}
	if (*i + 4 < n && code[*i + 1] == 2) {
		*i += 4;
		return (struct color){true, (uint8_t)code[*i - 2], (uint8_t)code[*i - 1],
				      (uint8_t)code[*i]};
	}
	*i = n;
	return (struct color){0};
}

static void set_color(struct pen *p, const int *code, int n, int *i)
{
	int c = code[*i];

	if (c == 38)
		p->fg = extended(code, n, i);
	else if (c == 48)
		p->bg = extended(code, n, i);
	else if (c == 39)
		p->fg.set = false;
	else if (c == 49)
		p->bg.set = false;
	else if (c >= 30 && c <= 37)
		p->fg = palette(c - 30);
	else if (c >= 40 && c <= 47)
		p->bg = palette(c - 40);
	else if (c >= 90 && c <= 97)
		p->fg = palette(c - 90 + 8);
	else if (c >= 100 && c <= 107)
		p->bg = palette(c - 100 + 8);
}

static void apply(struct pen *p, const int *code, int n)
{
	for (int i = 0; i < n; i++) {
		switch (code[i]) {
		case 0:
			*p = (struct pen){0};
			break;
		case 1:
			p->bold = true;
			break;
		case 2:
			p->dim = true;
			break;
		case 4:
			p->underline = true;
			break;
		case 7:
			p->reverse = true;
			break;
		case 22:
			p->bold = p->dim = false;
			break;
		case 24:
			p->underline = false;
			break;
		case 27:
			p->reverse = false;
			break;
		default:
			set_color(p, code, n, &i);
		}
	}
}

/* ---- reading ---- */

/* After ESC. Takes a CSI sequence whole, of others one character. */
static void escape(struct pen *p)
{
	int code[32] = {0}, n = 1;
	wint_t ch = fgetwc(stdin);

	if (ch != L'[')
		return;
	while ((ch = fgetwc(stdin)) != WEOF && (ch < 0x40 || ch > 0x7e)) {
		if (ch >= L'0' && ch <= L'9' && code[n - 1] < 100000)
			code[n - 1] = code[n - 1] * 10 + (int)(ch - L'0');
		else if ((ch == L';' || ch == L':') && n < 32)
			n++;
	}
	if (ch == L'm')
		apply(p, code, n);
}

static void put(int row, int *col, wchar_t ch, const struct pen *p)
{
	int w = wcwidth(ch);

	if (row >= MAX_ROWS || *col + (w > 1) >= MAX_COLS || w < 1)
		return;
	screen.cell[row][(*col)++] = (struct cell){ch, *p};
	if (w == 2)
		screen.cell[row][(*col)++] = (struct cell){0, *p};
	if (*col > screen.cols)
		screen.cols = *col;
}

static void read_screen(void)
{
	struct pen pen = {0};
	int row = 0, col = 0;

	for (wint_t ch; (ch = fgetwc(stdin)) != WEOF;) {
		if (ch == 0x1b) {
			escape(&pen);
		} else if (ch == L'\n') {
			row++;
			col = 0;
		} else if (ch >= 0x20) {
			put(row, &col, (wchar_t)ch, &pen);
			if (row >= screen.rows)
				screen.rows = row + 1;
		}
	}
	if (screen.rows > MAX_ROWS)
		screen.rows = MAX_ROWS;
}

/* ---- writing ---- */

static struct color mix(struct color a, struct color b)
{
	return (struct color){true, (uint8_t)((a.r + b.r) / 2), (uint8_t)((a.g + b.g) / 2),
			      (uint8_t)((a.b + b.b) / 2)};
}

static void colors_of(const struct cell *c, struct color *fg, struct color *bg)
{
	*fg = c->pen.fg.set ? c->pen.fg : screen.fg;
	*bg = c->pen.bg.set ? c->pen.bg : screen.bg;
	if (c->pen.reverse) {
		struct color t = *fg;

		*fg = *bg;
		*bg = t;
	}
	if (c->pen.dim)
		*fg = mix(*fg, *bg);
}

static bool same(struct color a, struct color b)
{
	return a.r == b.r && a.g == b.g && a.b == b.b;
}

static void rect(double x, double y, double w, double h, struct color c)
{
	printf("<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
	       "fill=\"#%02x%02x%02x\"/>\n",
	       x, y, w, h, c.r, c.g, c.b);
}

/* A run of braille cells of one colour as one path: a square for each dot. */
static int braille_run(int row, int col, double top)
{
	static const int bits[4][2] = {
		{0x01, 0x08},
		      {0x02, 0x10},
		    {0x04, 0x20},
		  {0x40, 0x80}
	      };
	struct color fg, bg, next;
	int end = col;

	colors_of(&screen.cell[row][col], &fg, &bg);
	printf("<path fill=\"#%02x%02x%02x\" d=\"", fg.r, fg.g, fg.b);
	for (; end < screen.cols && screen.cell[row][end].ch >= 0x2800 &&
	       screen.cell[row][end].ch <= 0x28ff;
	     end++) {
		colors_of(&screen.cell[row][end], &next, &bg);
		if (!same(next, fg))
			break;
		for (int y = 0; y < 4; y++)
			for (int x = 0; x < 2; x++)
				if (screen.cell[row][end].ch & bits[y][x])
					printf("M%.1f %.1fh3.3v3.4h-3.3z",
					       PAD + end * CELL_W + 0.5 + x * CELL_W / 2,
					       top + row * CELL_H + 0.4 + y * CELL_H / 4);
	}
	puts("\"/>");
	return end;
}

/* Full blocks of one colour side by side are one rectangle. */
static int block_run(int row, int col, double top)
{
	struct color fg, bg, next;
	int end = col;

	colors_of(&screen.cell[row][col], &fg, &bg);
	for (; end < screen.cols && screen.cell[row][end].ch == 0x2588; end++) {
		colors_of(&screen.cell[row][end], &next, &bg);
		if (!same(next, fg))
			break;
	}
	rect(PAD + col * CELL_W, top + row * CELL_H + 2.5, (end - col) * CELL_W + 0.05, CELL_H - 5,
	     fg);
	return end;
}

static void path(const char *d, double x, double y, struct color c)
{
	printf("<path transform=\"translate(%.2f %.2f)\" d=\"%s\" fill=\"none\" "
	       "stroke=\"#%02x%02x%02x\" stroke-width=\"1.2\"/>\n",
	       x, y, d, c.r, c.g, c.b);
}

/* Draws @ch as a shape; false: it is a letter. */
static bool shape(double x, double y, wchar_t ch, struct color c)
{
	static const struct {
		wchar_t ch;
		const char *d;
	} lines[] = {
		{0x2500, "M0 8.5H8.4"		     },
		{0x2502, "M4.2 0V17"		    },
		{0x256d, "M4.2 17V12.5Q4.2 8.5 8.4 8.5"},
		{0x256e, "M4.2 17V12.5Q4.2 8.5 0 8.5"  },
		{0x2570, "M4.2 0V4.5Q4.2 8.5 8.4 8.5"  },
		{0x256f, "M4.2 0V4.5Q4.2 8.5 0 8.5"	   },
		{0x251c, "M4.2 0V17M4.2 8.5H8.4"	},
		{0x2503, "M3.4 0V17M4.2 0V17M5 0V17"   },
		{0x2514, "M4.2 0V8.5H8.4"		 },
	};

	if (ch > 0x2588 && ch <= 0x258f) {
		rect(x, y + 2.5, CELL_W * (double)(0x2590 - ch) / 8 + 0.05, CELL_H - 5, c);
		return true;
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].ch == ch) {
			path(lines[i].d, x, y, c);
			return true;
		}
	return false;
}

static void put_char(wchar_t ch)
{
	if (ch == L'&')
		fputs("&amp;", stdout);
	else if (ch == L'<')
		fputs("&lt;", stdout);
	else if (ch == L'>')
		fputs("&gt;", stdout);
	else if (ch == L' ')
		fputs("&#160;", stdout);
	else
		printf("%lc", (wint_t)ch);
}

static bool like(const struct cell *a, const struct cell *b)
{
	struct color fa, ba, fb, bb;

	colors_of(a, &fa, &ba);
	colors_of(b, &fb, &bb);
	return same(fa, fb) && a->pen.bold == b->pen.bold && a->pen.underline == b->pen.underline;
}

static bool drawn(wchar_t ch)
{
	return (ch >= 0x2500 && ch <= 0x258f) || (ch >= 0x2800 && ch <= 0x28ff);
}

static bool blank(wchar_t ch)
{
	return ch == L' ' || !ch;
}

/* A run of letters with one look, up to the next two blanks, as one text of a fixed width. */
static int text_run(int row, int col, double x, double y)
{
	const struct cell *first = &screen.cell[row][col];
	const struct cell *line = screen.cell[row];
	struct color fg, bg;
	int end = col;

	if (blank(first->ch) && !first->pen.underline)
		return col + 1;
	colors_of(first, &fg, &bg);
	while (end < screen.cols && !drawn(line[end].ch) && like(first, &line[end]) &&
	       !(!first->pen.underline && line[end].ch == L' ' &&
		 (end + 1 >= screen.cols || line[end + 1].ch == L' ')))
		end++;
	printf("<text x=\"%.2f\" y=\"%.2f\" textLength=\"%.2f\" fill=\"#%02x%02x%02x\"%s%s>", x,
	       y + BASELINE, (end - col) * CELL_W, fg.r, fg.g, fg.b,
	       first->pen.bold ? " font-weight=\"bold\"" : "",
	       first->pen.underline ? " text-decoration=\"underline\"" : "");
	for (int i = col; i < end; i++)
		if (line[i].ch)
			put_char(line[i].ch);
	puts("</text>");
	return end;
}

static void draw_row(int row, double top)
{
	double y = top + row * CELL_H;

	for (int col = 0; col < screen.cols;) {
		struct color fg, bg, next_fg, next;
		int end = col;

		colors_of(&screen.cell[row][col], &fg, &bg);
		do
			colors_of(&screen.cell[row][++end], &next_fg, &next);
		while (end < screen.cols && same(next, bg));
		if (!same(bg, screen.bg))
			rect(PAD + col * CELL_W, y, (end - col) * CELL_W + 0.1, CELL_H + 0.1, bg);
		col = end;
	}
	for (int col = 0; col < screen.cols;) {
		struct cell *c = &screen.cell[row][col];
		struct color fg, bg;

		colors_of(c, &fg, &bg);
		if (c->ch >= 0x2800 && c->ch <= 0x28ff)
			col = braille_run(row, col, top);
		else if (c->ch == 0x2588)
			col = block_run(row, col, top);
		else if (drawn(c->ch) && shape(PAD + col * CELL_W, y, c->ch, fg))
			col++;
		else if (drawn(c->ch)) {
			printf("<text x=\"%.2f\" y=\"%.2f\" fill=\"#%02x%02x%02x\">",
			       PAD + col * CELL_W, y + BASELINE, fg.r, fg.g, fg.b);
			put_char(c->ch);
			puts("</text>");
			col++;
		} else
			col = text_run(row, col, PAD + col * CELL_W, y);
	}
}

static void write_svg(const char *title)
{
	double top = title ? TITLE_H + PAD / 2 : PAD;
	double w = screen.cols * CELL_W + 2 * PAD, h = screen.rows * CELL_H + top + PAD;

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
	       "viewBox=\"0 0 %.0f %.0f\" font-family=\"'DejaVu Sans "
	       "Mono',Menlo,Consolas,monospace\" "
	       "font-size=\"14\">\n",
	       w, h, w, h);
	printf("<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#%02x%02x%02x\"/>\n",
	       screen.bg.r, screen.bg.g, screen.bg.b);
	if (title) {
		static const char *const dots[] = {"ff5f56", "ffbd2e", "27c93f"};

		for (int i = 0; i < 3; i++)
			printf("<circle cx=\"%d\" cy=\"15\" r=\"5.5\" fill=\"#%s\"/>\n",
			       20 + 18 * i, dots[i]);
		printf("<text x=\"%.0f\" y=\"20\" text-anchor=\"middle\" font-size=\"12\" "
		       "fill=\"#8a8a8a\">",
		       w / 2);
		for (const char *p = title; *p; p++)
			put_char((wchar_t)(unsigned char)*p);
		puts("</text>");
	}
	for (int row = 0; row < screen.rows; row++)
		draw_row(row, top);
	puts("</svg>");
}

int main(int argc, char **argv)
{
	const char *title = NULL;

	setlocale(LC_CTYPE, "C.UTF-8");
	screen.fg = (struct color){true, 212, 212, 212};
	screen.bg = (struct color){true, 22, 24, 29};
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--light")) {
			screen.fg = (struct color){true, 30, 30, 30};
			screen.bg = (struct color){true, 252, 252, 250};
		} else if (!strcmp(argv[i], "--title") && i + 1 < argc) {
			title = argv[++i];
		} else if (!strcmp(argv[i], "--cols") && i + 1 < argc) {
			screen.cols = atoi(argv[++i]);
			if (screen.cols < 0 || screen.cols >= MAX_COLS)
				screen.cols = 0;
		} else {
			fputs("usage: term2svg [--light] [--cols N] [--title TEXT] < capture > "
			      "svg\n",
			      stderr);
			return 2;
		}
	}
	for (int row = 0; row < MAX_ROWS; row++)
		for (int col = 0; col < MAX_COLS; col++)
			screen.cell[row][col].ch = L' ';
	read_screen();
	write_svg(title);
	return ferror(stdout) ? 1 : 0;
}
