// SPDX-License-Identifier: MIT
#include "lineedit.h"

#include "canvas.h"
#include "keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_MAX 500
#define CTRL(c)	    ((c)&0x1f)

void mv_line_set(struct mv_line *l, const char *text)
{
	*l = (struct mv_line){0};
	snprintf(l->text, sizeof(l->text), "%s", text);
	l->len = l->cursor = strlen(l->text);
}

static bool continues(char ch)
{
	return ((unsigned char)ch & 0xc0) == 0x80;
}

static size_t before(const struct mv_line *l, size_t at)
{
	while (at > 0 && continues(l->text[--at]))
		;
	return at;
}

static size_t after(const struct mv_line *l, size_t at)
{
	if (at < l->len)
		at++;
	while (at < l->len && continues(l->text[at]))
		at++;
	return at;
}

static void cut(struct mv_line *l, size_t from, size_t to)
{
	memmove(l->text + from, l->text + to, l->len - to + 1);
	l->len -= to - from;
	l->cursor = from;
}

static bool insert(struct mv_line *l, const char *bytes, size_t n)
{
	if (l->len + n >= sizeof(l->text))
		return false;
	memmove(l->text + l->cursor + n, l->text + l->cursor, l->len - l->cursor + 1);
	memcpy(l->text + l->cursor, bytes, n);
	l->len += n;
	l->cursor += n;
	return true;
}

void mv_line_replace(struct mv_line *l, size_t from, const char *word)
{
	cut(l, from, l->cursor);
	insert(l, word, strlen(word));
}

static size_t word_back(const struct mv_line *l)
{
	size_t at = l->cursor;

	while (at > 0 && l->text[at - 1] == ' ')
		at--;
	while (at > 0 && l->text[at - 1] != ' ')
		at--;
	return at;
}

static enum mv_line_result recall(struct mv_line *l, const struct mv_history *h, int by)
{
	if (!h || (by > 0 && l->history_at >= h->count) || (by < 0 && l->history_at == 0))
		return LINE_MOVED;
	char typed[LINE_MAX_BYTES];
	size_t at = by > 0 ? l->history_at + 1 : l->history_at - 1;

	memcpy(typed, l->history_at == 0 ? l->text : l->typed, sizeof(typed));
	mv_line_set(l, at ? h->lines[h->count - at] : typed);
	memcpy(l->typed, typed, sizeof(typed));
	l->history_at = at;
	return LINE_CHANGED;
}

static enum mv_line_result type(struct mv_line *l, int key)
{
	char bytes[8];
	int n = 0;

	if (key < 0x20 || key == 0x7f || key > 0x10ffff)
		return LINE_NOTHING;
	if (key < 0x80) {
		bytes[n++] = (char)key;
	} else if (key < 0x800) {
		bytes[n++] = (char)(0xc0 | key >> 6);
	} else if (key < 0x10000) {
		bytes[n++] = (char)(0xe0 | key >> 12);
		bytes[n++] = (char)(0x80 | (key >> 6 & 0x3f));
	} else {
		bytes[n++] = (char)(0xf0 | key >> 18);
		bytes[n++] = (char)(0x80 | (key >> 12 & 0x3f));
		bytes[n++] = (char)(0x80 | (key >> 6 & 0x3f));
	}
	if (key >= 0x80)
		bytes[n++] = (char)(0x80 | (key & 0x3f));
	return insert(l, bytes, (size_t)n) ? LINE_CHANGED : LINE_MOVED;
}

static enum mv_line_result erase(struct mv_line *l, size_t from, size_t to)
{
	cut(l, from, to);
	return LINE_CHANGED;
}

static enum mv_line_result move(struct mv_line *l, size_t to)
{
	l->cursor = to;
	return LINE_MOVED;
}

enum mv_line_result mv_line_key(struct mv_line *l, const struct mv_history *h, int key)
{
	switch (key) {
	case MVK_ENTER:
		return LINE_DONE;
	case MVK_ESCAPE:
	case CTRL('c'):
	case CTRL('g'):
		return LINE_CANCEL;
	case MVK_TAB:
		return LINE_COMPLETE;
	case MVK_LEFT:
	case CTRL('b'):
		return move(l, before(l, l->cursor));
	case MVK_RIGHT:
	case CTRL('f'):
		return move(l, after(l, l->cursor));
	case MVK_HOME:
	case CTRL('a'):
		return move(l, 0);
	case MVK_END:
	case CTRL('e'):
		return move(l, l->len);
	case MVK_BACKSPACE:
		return l->cursor ? erase(l, before(l, l->cursor), l->cursor) : LINE_MOVED;
	case MVK_DELETE:
	case CTRL('d'):
		return erase(l, l->cursor, after(l, l->cursor));
	case CTRL('k'):
		return erase(l, l->cursor, l->len);
	case CTRL('u'):
		return erase(l, 0, l->cursor);
	case CTRL('w'):
		return erase(l, word_back(l), l->cursor);
	case MVK_UP:
	case CTRL('p'):
		return recall(l, h, 1);
	case MVK_DOWN:
	case CTRL('n'):
		return recall(l, h, -1);
	default:
		return type(l, key);
	}
}

int mv_line_draw(struct mv_line *l, struct mv_canvas *c, int row, int col, int width, int style)
{
	char head[LINE_MAX_BYTES];

	memcpy(head, l->text, l->cursor);
	head[l->cursor] = '\0';
	int at = mv_text_width(head);

	if (at < l->scroll)
		l->scroll = at;
	if (at - l->scroll >= width)
		l->scroll = at - width + 1;
	struct mv_rect old = c->clip;

	mv_canvas_clip(c, mv_rect(row, col, 1, width));
	mv_fill(c, mv_rect(row, col, 1, width), L' ', (enum mv_style)style);
	mv_text(c, row, col - l->scroll, (enum mv_style)style, l->text);
	c->clip = old;
	return col + at - l->scroll;
}

void mv_history_add(struct mv_history *h, const char *line)
{
	if (!*line || (h->count && !strcmp(h->lines[h->count - 1], line)))
		return;
	if (h->count == HISTORY_MAX) {
		free(h->lines[0]);
		memmove(h->lines, h->lines + 1, (HISTORY_MAX - 1) * sizeof(*h->lines));
		h->count--;
	}
	if (h->count == h->capacity) {
		size_t more = h->capacity ? h->capacity * 2 : 32;
		char **lines = realloc(h->lines, more * sizeof(*lines));

		if (!lines)
			return;
		h->lines = lines;
		h->capacity = more;
	}
	char *copy = strdup(line);

	if (copy)
		h->lines[h->count++] = copy;
}

void mv_history_free(struct mv_history *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->lines[i]);
	free(h->lines);
	*h = (struct mv_history){0};
}

void mv_history_load(struct mv_history *h, const char *path)
{
	char line[LINE_MAX_BYTES];
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		mv_history_add(h, line);
	}
	fclose(f);
}

bool mv_history_save(const struct mv_history *h, const char *path)
{
	char part[4096];

	if (!path || snprintf(part, sizeof(part), "%s.new", path) >= (int)sizeof(part))
		return false;
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (size_t i = 0; i < h->count; i++)
		fprintf(f, "%s\n", h->lines[i]);
	bool ok = !ferror(f);

	ok = fclose(f) == 0 && ok;
	return ok && rename(part, path) == 0;
}
