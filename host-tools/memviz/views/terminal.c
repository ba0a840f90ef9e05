// SPDX-License-Identifier: MIT
/*
 * ncurses writes only what differs from what it knows is on the screen; mv_terminal_show() spares
 * it the cells that we know are the same.
 *
 * Restoring: endwin() is right as long as the program is sane. After a crash it is not, so the
 * handler of the fatal signals uses nothing but write() and tcsetattr() on texts and settings
 * that were prepared when the terminal was taken over.
 */
#include "terminal.h"

#include "theme.h"

#define NCURSES_NOMACROS
#include <ncurses.h>

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#define RESTORE_BYTES 256
#define PRESSES \
	(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON1_TRIPLE_CLICKED)

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const int told_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP};

/* What the handlers may touch. */
static struct {
	volatile sig_atomic_t taken;
	struct termios before;
	char restore[RESTORE_BYTES];
	size_t restore_bytes;
	int pipe[2];
} seat = {
	.pipe = {-1, -1}
};

static SCREEN *the_screen;
static WINDOW *keyboard; /* a pad: reading from it never redraws the screen */

/* ---- signals ---- */

static void on_fatal(int sig)
{
	if (seat.taken) {
		seat.taken = 0;
		ssize_t ignored = write(STDOUT_FILENO, seat.restore, seat.restore_bytes);

		(void)ignored;
		tcsetattr(STDIN_FILENO, TCSANOW, &seat.before);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_told(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int saved = errno;
	ssize_t ignored = write(seat.pipe[1], &byte, 1);

	(void)ignored;
	errno = saved;
}

static void handle(const int *signals, size_t n, void (*fn)(int))
{
	struct sigaction sa = {.sa_handler = fn};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < n; i++)
		sigaction(signals[i], &sa, NULL);
}

static void handle_all(bool on)
{
	handle(fatal_signals, sizeof(fatal_signals) / sizeof(int), on ? on_fatal : SIG_DFL);
	handle(told_signals, sizeof(told_signals) / sizeof(int), on ? on_told : SIG_DFL);
	signal(SIGPIPE, on ? SIG_IGN : SIG_DFL);
}

int mv_terminal_signal(struct mv_terminal *t)
{
	unsigned char byte;

	return read(t->signal_fd, &byte, 1) == 1 ? byte : 0;
}

/* ---- what on_fatal writes ---- */

static int collect(int ch)
{
	if (seat.restore_bytes < RESTORE_BYTES)
		seat.restore[seat.restore_bytes++] = (char)ch;
	return ch;
}

static void prepare_restore(void)
{
	static const char mouse_off[] = "\033[?1006l\033[?1002l\033[?1000l";
	const char *const texts[] = {tigetstr("sgr0"), tigetstr("op"), tigetstr("cnorm"),
				     tigetstr("rmkx"), tigetstr("rmcup")};
	const char *mouse = tigetstr("kmous");

	seat.restore_bytes = 0;
	if (mouse && mouse != (char *)-1)
		for (const char *p = mouse_off; *p; p++)
			collect(*p);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i] && texts[i] != (char *)-1)
			tputs(texts[i], 1, collect);
	collect('\r');
	collect('\n');
}

/* ---- opening and closing ---- */

static bool suited(void)
{
	int err;
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term || !*term)
		return false;
	if (setupterm(term, STDOUT_FILENO, &err) != OK)
		return false;
	const char *place = tigetstr("cup");

	return place && place != (char *)-1;
}

static void make_pairs(struct mv_terminal *t)
{
	if (t->colors == MV_TUI_COLORS_MONO)
		return;
	start_color();
	use_default_colors();
	for (int st = 0; st < ST_COUNT; st++) {
		struct mv_look look = mv_theme_look((enum mv_style)st, t->colors, t->theme);

		init_pair((short)(st + 1), look.fg, look.bg);
	}
}

static void settle(void)
{
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	leaveok(stdscr, FALSE);
	keypad(keyboard, TRUE);
	nodelay(keyboard, TRUE);
}

static bool make_pipe(struct mv_terminal *t)
{
	if (seat.pipe[0] < 0 && pipe2(seat.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	t->signal_fd = seat.pipe[0];
	return true;
}

bool mv_terminal_open(struct mv_terminal *t, const struct mv_tui_options *o)
{
	*t = (struct mv_terminal){.signal_fd = -1};
	setlocale(LC_CTYPE, "");
	if (!suited() || !make_pipe(t) || tcgetattr(STDIN_FILENO, &seat.before) != 0)
		return false;
	t->ascii = o->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	t->colors = mv_theme_depth(o->colors, tigetnum("colors"), getenv("NO_COLOR"));
	t->theme = mv_theme_resolve(o->theme, getenv("COLORFGBG"));
	prepare_restore();
	del_curterm(cur_term); /* newterm() makes its own */
	set_escdelay(25);
	the_screen = newterm(NULL, stdout, stdin);
	if (!the_screen)
		return false;
	seat.taken = 1;
	keyboard = newpad(1, 1);
	handle_all(true);
	make_pairs(t);
	settle();
	mv_terminal_mouse(t, !o->no_mouse);
	return true;
}

void mv_terminal_close(struct mv_terminal *t)
{
	if (!seat.taken)
		return;
	mv_terminal_mouse(t, false);
	endwin();
	seat.taken = 0;
	handle_all(false);
	delwin(keyboard);
	delscreen(the_screen);
	keyboard = NULL;
	the_screen = NULL;
	mv_canvas_free(&t->shown);
}

void mv_terminal_die(struct mv_terminal *t, int sig)
{
	mv_terminal_close(t);
	signal(sig, SIG_DFL);
	raise(sig);
	_exit(128 + sig);
}

void mv_terminal_suspend(struct mv_terminal *t)
{
	bool mouse = t->mouse;

	mv_terminal_mouse(t, false);
	endwin();
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	/* Here again after SIGCONT; the next show notices another size. */
	handle_all(true);
	settle();
	mv_terminal_mouse(t, mouse);
	mv_terminal_redraw(t);
}

void mv_terminal_size(int *rows, int *cols)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col) {
		*rows = ws.ws_row;
		*cols = ws.ws_col;
		return;
	}
	*rows = LINES;
	*cols = COLS;
}

/* ---- drawing ---- */

static attr_t attributes(unsigned look)
{
	return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_DIM ? A_DIM : 0) |
	       (look & LOOK_REVERSE ? A_REVERSE : 0) | (look & LOOK_UNDERLINE ? A_UNDERLINE : 0);
}

static void put_cell(const struct mv_terminal *t, int row, int col, struct mv_cell cell)
{
	struct mv_look look = mv_theme_look((enum mv_style)cell.style, t->colors, t->theme);
	short pair = t->colors == MV_TUI_COLORS_MONO ? 0 : (short)(cell.style + 1);
	wchar_t text[2] = {cell.ch, 0};
	cchar_t cc;

	setcchar(&cc, text, attributes(look.attr), pair, NULL);
	mvadd_wch(row, col, &cc);
}

void mv_terminal_show(struct mv_terminal *t, const struct mv_canvas *c, int row, int col)
{
	if (t->shown.rows != c->rows || t->shown.cols != c->cols) {
		resizeterm(c->rows, c->cols);
		if (!mv_canvas_resize(&t->shown, c->rows, c->cols))
			return;
		mv_terminal_redraw(t);
	}
	for (int r = 0; r < c->rows; r++)
		for (int k = 0; k < c->cols; k++) {
			struct mv_cell *old = &t->shown.cells[r * c->cols + k];
			struct mv_cell now = c->cells[r * c->cols + k];

			if (old->ch == now.ch && old->style == now.style)
				continue;
			*old = now;
			if (now.ch)
				put_cell(t, r, k, now);
		}
	curs_set(row >= 0);
	if (row >= 0)
		move(row, col);
	refresh();
}

void mv_terminal_redraw(struct mv_terminal *t)
{
	for (int i = 0; i < t->shown.rows * t->shown.cols; i++)
		t->shown.cells[i] = (struct mv_cell){0xffff, ST_COUNT};
	clearok(stdscr, TRUE);
}

/* ---- the keyboard and the mouse ---- */

void mv_terminal_mouse(struct mv_terminal *t, bool on)
{
	/* ncurses makes a click of a press and a release that it reads together. */
	mmask_t mask = PRESSES | BUTTON1_RELEASED | BUTTON4_PRESSED | BUTTON5_PRESSED;

	mouseinterval(0); /* a press is a press at once; double clicks are ours to count */
	mousemask(on ? mask : 0, NULL);
	t->mouse = on;
}

static struct mv_input mouse_input(void)
{
	MEVENT ev;
	struct mv_input in = {.key = MVK_NONE};

	if (getmouse(&ev) != OK)
		return in;
	in.row = ev.y;
	in.col = ev.x;
	in.key = MVK_MOUSE;
	if (ev.bstate & BUTTON4_PRESSED)
		in.mouse = MOUSE_WHEEL_UP;
	else if (ev.bstate & BUTTON5_PRESSED)
		in.mouse = MOUSE_WHEEL_DOWN;
	else if (ev.bstate & PRESSES)
		in.mouse = MOUSE_PRESS;
	else
		in.key = MVK_NONE;
	return in;
}

static int special_key(int code)
{
	static const struct {
		int curses, ours;
	} keys[] = {
		{KEY_UP,	 MVK_UP       },
		  {KEY_DOWN,	     MVK_DOWN     },
		{KEY_LEFT,	   MVK_LEFT	   },
		  {KEY_RIGHT,     MVK_RIGHT    },
		{KEY_PPAGE,	    MVK_PAGE_UP  },
		  {KEY_NPAGE,     MVK_PAGE_DOWN},
		{KEY_HOME,	   MVK_HOME	   },
		  {KEY_END,	    MVK_END	   },
		{KEY_ENTER,	    MVK_ENTER    },
		  {KEY_BACKSPACE, MVK_BACKSPACE},
		{KEY_DC,	 MVK_DELETE   },
		  {KEY_BTAB,	     MVK_BACKTAB	},
		{KEY_F(1),	   MVK_F1	 },
		  {KEY_F(10),     MVK_F10	     },
		{KEY_RESIZE,    MVK_RESIZE   },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == code)
			return keys[i].ours;
	return MVK_NONE;
}

static int plain_key(wint_t ch)
{
	switch (ch) {
	case L'\r':
	case L'\n':
		return MVK_ENTER;
	case L'\t':
		return MVK_TAB;
	case 0x1b:
		return MVK_ESCAPE;
	case 0x7f:
	case 0x08:
		return MVK_BACKSPACE;
	default:
		return (int)ch;
	}
}

/* False: nothing waits. MVK_NONE with true: something that means nothing here. */
static bool read_one(struct mv_input *in)
{
	wint_t ch;
	int kind = wget_wch(keyboard, &ch);

	*in = (struct mv_input){.key = MVK_NONE};
	if (kind == ERR)
		return false;
	if (kind == KEY_CODE_YES && ch == KEY_MOUSE)
		*in = mouse_input();
	else
		in->key = kind == KEY_CODE_YES ? special_key((int)ch) : plain_key(ch);
	return true;
}

struct mv_input mv_terminal_read(struct mv_terminal *t)
{
	struct mv_input in;

	(void)t;
	/* ncurses may hold more than poll() knows of: read on until it has nothing. */
	while (read_one(&in) && in.key == MVK_NONE)
		;
	return in;
}
