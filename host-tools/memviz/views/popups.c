// SPDX-License-Identifier: MIT
/* Help, text to scroll through, and the output of a memviz of its own. */
#include "app.h"
#include "glyph.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct mv_rect mv_popup_box(struct mv_app *a, struct mv_rect screen, int rows, int cols,
			    const char *title)
{
	struct mv_rect r = mv_center(screen, rows, cols);

	mv_fill(&a->canvas, mv_rect(r.row, r.col - 1, r.rows, r.cols + 2), L' ', ST_POPUP);
	struct mv_rect in = mv_box(&a->canvas, r, ST_POPUP, ST_POPUP_TITLE, title);

	in.col++;
	in.cols -= 2;
	return in;
}

void mv_popup_foot(struct mv_app *a, struct mv_rect *in, const char *text)
{
	struct mv_rect line = mv_cut_bottom(in, 1);

	mv_text_fit(&a->canvas, line.row, line.col, line.cols, false, ST_POPUP, text);
}

/* ---- scrolling ---- */

static bool scroll_key(int key, int page, int *top)
{
	switch (key) {
	case MVK_UP:
	case 'k':
		(*top)--;
		return true;
	case MVK_DOWN:
	case 'j':
		(*top)++;
		return true;
	case MVK_PAGE_UP:
		*top -= page;
		return true;
	case MVK_PAGE_DOWN:
	case ' ':
		*top += page;
		return true;
	case MVK_HOME:
	case 'g':
		*top = 0;
		return true;
	case MVK_END:
	case 'G':
		*top = 1 << 30;
		return true;
	default:
		return false;
	}
}

static bool scroll_wheel(const struct mv_input *in, int *top)
{
	if (in->key != MVK_MOUSE)
		return false;
	if (in->mouse == MOUSE_WHEEL_UP)
		*top -= 3;
	if (in->mouse == MOUSE_WHEEL_DOWN)
		*top += 3;
	return true;
}

static void clamp_top(int *top, int lines, int page)
{
	if (*top > lines - page)
		*top = lines - page;
	if (*top < 0)
		*top = 0;
}

/* ---- help ---- */

#define HELP_MOST 128

struct help {
	struct mv_popup popup;
	struct mv_line query;
	int top, page;
};

static void help_draw(struct mv_popup *p, struct mv_rect screen)
{
	struct help *h = (struct help *)p;
	struct mv_app *a = p->app;
	const struct mv_binding *hits[HELP_MOST];
	unsigned context = mv_app_context(a);
	int n = (int)mv_keys_help(context, h->query.text, hits, HELP_MOST);
	struct mv_rect in = mv_popup_box(a, screen, screen.rows - 2, 92, "Help: keys");
	struct mv_rect line = mv_cut_top(&in, 1);
	int col = mv_text(&a->canvas, line.row, line.col, ST_POPUP_TITLE, "Search: ");

	a->cursor_col = mv_line_draw(&h->query, &a->canvas, line.row, col,
				     line.cols - (col - line.col), ST_POPUP);
	a->cursor_row = line.row;
	mv_cut_top(&in, 1);
	mv_popup_foot(a, &in,
		      "Type to search. Up Down scroll. Esc closes. Dim: not on this screen.");
	mv_cut_bottom(&in, 1);
	h->page = in.rows / 2;
	if (h->top > n - 1)
		h->top = n - 1;
	if (h->top < 0)
		h->top = 0;
	for (int i = h->top; in.rows > 0 && i < n; i++) {
		bool here = mv_binding_applies(hits[i], context);
		struct mv_rect words = in;

		mv_cut_left(&words, 11);
		mv_text_fit(&a->canvas, in.row, in.col, 10, false, ST_POPUP_TITLE, hits[i]->label);
		mv_cut_top(&in, mv_wrap(&a->canvas, words, here ? ST_POPUP : ST_POPUP_DIM,
					hits[i]->help));
	}
	if (!n)
		mv_text(&a->canvas, in.row, in.col, ST_POPUP, "No key does that.");
}

static bool help_key(struct mv_popup *p, const struct mv_input *in)
{
	struct help *h = (struct help *)p;

	if (scroll_wheel(in, &h->top))
		return true;
	if (in->key == MVK_ENTER || (!h->query.len && (in->key == 'q' || in->key == MVK_BACKSPACE)))
		return false;
	if (in->key >= KEY_BASE_ && in->key != MVK_HOME && in->key != MVK_END &&
	    scroll_key(in->key, h->page, &h->top))
		return true;
	switch (mv_line_key(&h->query, NULL, in->key)) {
	case LINE_CANCEL:
		return false;
	case LINE_CHANGED:
		h->top = 0;
		return true;
	default:
		return true;
	}
}

void mv_help_open(struct mv_app *a)
{
	static const struct mv_popup_ops ops = {.draw = help_draw, .key = help_key};
	struct help *h = calloc(1, sizeof(*h));

	if (!h)
		return;
	h->popup.ops = &ops;
	mv_app_popup(a, &h->popup);
}

/* ---- text, and what a child says ---- */

struct text_popup {
	struct mv_popup popup;
	char title[128];
	char *text;
	size_t len, capacity;
	int top, page, lines;
	pid_t child; /* 0: none */
	int fd;	     /* its output, -1 when it has ended */
	int status;
};

static int count_lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n' || !text[1];
	return n;
}

static void text_draw(struct mv_popup *p, struct mv_rect screen)
{
	struct text_popup *t = (struct text_popup *)p;
	struct mv_app *a = p->app;
	int rows = t->lines + 4 < screen.rows - 2 ? t->lines + 4 : screen.rows - 2;
	struct mv_rect in = mv_popup_box(a, screen, rows < 7 ? 7 : rows, screen.cols - 6, t->title);
	const char *line = t->text ? t->text : "";

	if (t->child && t->fd >= 0)
		mv_popup_foot(a, &in, "Running. Esc ends it.");
	else if (t->child && t->status)
		mv_popup_foot(a, &in, "Ended with an error. Esc closes.");
	else if (t->child && !t->lines)
		mv_popup_foot(a, &in, "Done. Esc closes.");
	else
		mv_popup_foot(a, &in, "Up Down PgUp PgDn scroll. Esc closes.");
	t->page = in.rows;
	clamp_top(&t->top, t->lines, in.rows);
	for (int i = 0; *line; i++) {
		size_t n = strcspn(line, "\n");
		char one[1024];

		snprintf(one, sizeof(one), "%.*s", (int)(n < 1000 ? n : 1000), line);
		if (i >= t->top && i < t->top + in.rows)
			mv_text_fit(&a->canvas, in.row + i - t->top, in.col, in.cols, false,
				    ST_POPUP, one);
		line += n + (line[n] == '\n');
	}
}

static bool text_key(struct mv_popup *p, const struct mv_input *in)
{
	struct text_popup *t = (struct text_popup *)p;

	if (scroll_wheel(in, &t->top) || scroll_key(in->key, t->page, &t->top))
		return true;
	return !(in->key == MVK_ESCAPE || in->key == MVK_ENTER || in->key == MVK_BACKSPACE ||
		 in->key == 'q');
}

static void append(struct text_popup *t, const char *bytes, size_t n)
{
	if (t->len + n + 1 > t->capacity) {
		size_t more = (t->capacity + n + 1) * 2;
		char *text = realloc(t->text, more);

		if (!text)
			return;
		t->text = text;
		t->capacity = more;
	}
	memcpy(t->text + t->len, bytes, n);
	t->len += n;
	t->text[t->len] = '\0';
	t->lines = count_lines(t->text);
}

static void text_tick(struct mv_popup *p)
{
	struct text_popup *t = (struct text_popup *)p;
	char buf[4096];
	ssize_t n;

	while (t->fd >= 0 && (n = read(t->fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			break;
		append(t, buf, (size_t)n);
		p->app->dirty = true;
	}
	if (t->fd >= 0) {
		close(t->fd);
		t->fd = -1;
		waitpid(t->child, &t->status, 0);
		p->app->dirty = true;
	}
}

static void text_close(struct mv_popup *p)
{
	struct text_popup *t = (struct text_popup *)p;

	if (t->fd >= 0) {
		kill(t->child, SIGTERM);
		close(t->fd);
		waitpid(t->child, &t->status, 0);
	}
	free(t->text);
}

static struct text_popup *text_open(struct mv_app *a, const char *title)
{
	static const struct mv_popup_ops ops = {
		.draw = text_draw, .key = text_key, .tick = text_tick, .close = text_close};
	struct text_popup *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->popup.ops = &ops;
	t->fd = -1;
	snprintf(t->title, sizeof(t->title), "%s", title);
	mv_app_popup(a, &t->popup);
	return t;
}

void mv_text_popup(struct mv_app *a, const char *title, const char *text)
{
	struct text_popup *t = text_open(a, title);

	if (t)
		append(t, text, strlen(text));
}

/* ---- a memviz of its own ---- */

#define ARGS_MAX 40

static bool start_child(struct text_popup *t, char *const argv[])
{
	posix_spawn_file_actions_t fa;
	int pipefd[2];

	if (pipe2(pipefd, O_CLOEXEC) != 0)
		return false;
	fcntl(pipefd[0], F_SETFL, O_NONBLOCK);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, pipefd[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&fa, pipefd[1], STDERR_FILENO);
	bool ok = posix_spawn(&t->child, "/proc/self/exe", &fa, NULL, argv, environ) == 0;

	posix_spawn_file_actions_destroy(&fa);
	close(pipefd[1]);
	if (!ok) {
		close(pipefd[0]);
		return false;
	}
	t->fd = pipefd[0];
	return true;
}

void mv_spawn_popup(struct mv_app *a, const char *line)
{
	char words[LINE_MAX_BYTES], *argv[ARGS_MAX] = {NULL}, *save = NULL;
	char memviz[] = "memviz", dash_t[] = "-t", target[512];
	size_t n = 0;

	/* A bare link serves one client, and that is this one. */
	if (!a->link.hub && !a->replaying) {
		mv_app_say(
			a, ST_WARN,
			"'%s' needs a link of its own, and this one serves one client: H shares it",
			line);
		return;
	}
	snprintf(target, sizeof(target), "%s", a->link.target);
	snprintf(words, sizeof(words), "%s", line);
	argv[n++] = memviz;
	argv[n++] = dash_t;
	argv[n++] = target;
	for (char *w = strtok_r(words, " ", &save); w && n < ARGS_MAX - 1;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	struct text_popup *t = text_open(a, line);

	if (t && !start_child(t, argv))
		append(t, "cannot start a memviz\n", 22);
}
