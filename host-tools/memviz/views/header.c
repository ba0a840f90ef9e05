// SPDX-License-Identifier: MIT
/* The two lines at the top and those at the bottom, which are there on every screen. */
#include "app.h"
#include "glyph.h"

#include <stdio.h>
#include <string.h>

static const char *const long_names[SCREENS] = {"Overview",    "Memory map", "Slabs",
						"Page tables", "Sites",	     "Log"};
static const char *const short_names[SCREENS] = {"Overview", "Map",   "Slabs",
						 "Tables",   "Sites", "Log"};

#define SHORT_TABS 55 /* columns of all the short names */

static void add_hot(struct mv_app *a, int row, int from, int to, int key)
{
	size_t most = sizeof(a->hot) / sizeof(a->hot[0]);

	if (a->hot_count < most) {
		a->hot[a->hot_count].row = row;
		a->hot[a->hot_count].from = from;
		a->hot[a->hot_count].to = to;
		a->hot[a->hot_count++].key = key;
	}
}

/* What the link is doing, in two words, and how bad it is. */
static enum mv_style link_words(const struct mv_app *a, char *out, size_t size)
{
	const char *dot = mv_glyph_str(GL_LIVE, a->ascii);
	char age[32], rate[32];

	mv_age(a->link.silent_us, age, sizeof(age));
	switch (a->link.state) {
	case MV_SESSION_LIVE:
		if (a->frozen) {
			snprintf(out, size, "%s FROZEN", mv_glyph_str(GL_PAUSE, a->ascii));
			return ST_BAR_WARN;
		}
		if (a->link.stalled) {
			snprintf(out, size, "%s STALLED %s", dot, age);
			return ST_BAR_WARN;
		}
		mv_format_size((uint64_t)a->link.rx_bytes_per_s, rate, sizeof(rate));
		snprintf(out, size, "%s LIVE %s/s", dot, rate);
		return ST_BAR_STRONG;
	case MV_SESSION_REPLAY:
		snprintf(out, size, "%s REPLAY",
			 mv_glyph_str(a->replay.playing ? GL_PLAY : GL_PAUSE, a->ascii));
		return ST_BAR_STRONG;
	case MV_SESSION_GDB:
		snprintf(out, size, "%s GDB", dot);
		return ST_BAR_STRONG;
	case MV_SESSION_SYNCING:
		snprintf(out, size, "%s SYNCING", dot);
		return ST_BAR_STRONG;
	case MV_SESSION_LOST:
		snprintf(out, size, "%s LOST %s ago, reconnecting", dot, age);
		return ST_BAR_WARN;
	case MV_SESSION_INCOMPATIBLE:
		snprintf(out, size, "%s OTHER PROTOCOL", dot);
		return ST_BAR_WARN;
	default:
		snprintf(out, size, "%s CONNECTING", dot);
		return ST_BAR_WARN;
	}
}

static void draw_tabs(struct mv_app *a, struct mv_rect line)
{
	struct mv_canvas *c = &a->canvas;
	char words[96];
	enum mv_style st = link_words(a, words, sizeof(words));
	int state_width = mv_text_width(words) + 2;
	int longest = 8;

	for (int i = 0; i < SCREENS; i++)
		longest += (int)strlen(long_names[i]) + 4;
	bool full = line.cols >= longest + state_width + 2;
	/* Where not even short names fit, closed tabs are their numbers. */
	bool tiny = line.cols < SHORT_TABS;
	int col = line.col;

	if (full)
		col = mv_text(c, line.row, col, ST_BAR_STRONG, " memviz ");
	for (int i = 0; i < SCREENS; i++) {
		char tab[32];
		bool open = i == a->current;

		if (tiny && !open)
			snprintf(tab, sizeof(tab), " %d ", i + 1);
		else
			snprintf(tab, sizeof(tab), " %d %s ", i + 1,
				 full ? long_names[i] : short_names[i]);
		int from = col;

		col = mv_text(c, line.row, col, open ? ST_TAB : ST_BAR, tab);
		add_hot(a, line.row, from, col, '1' + i);
	}
	char *rest = strchr(words, ' ');

	rest = rest ? strchr(rest + 1, ' ') : NULL;
	if (col + state_width > line.cols && rest) {
		*rest = '\0'; /* "LOST" alone */
		state_width = mv_text_width(words) + 2;
	}
	if (col + state_width <= line.cols) {
		if (st == ST_BAR_WARN)
			mv_fill(c, mv_rect(line.row, line.cols - state_width, 1, state_width), L' ',
				st);
		mv_text(c, line.row, line.cols - state_width + 1, st, words);
	}
}

/* Adds "  label value" to a line of text that has room for @width columns. */
static void add(char *line, size_t size, int width, const char *text)
{
	if (mv_text_width(line) + 3 + mv_text_width(text) > width)
		return;
	size_t n = strlen(line);

	snprintf(line + n, size - n, "%s%s", n > 1 ? "   " : "", text);
}

/* Why the picture is not live, in the place of the facts. */
static bool draw_trouble(struct mv_app *a, struct mv_rect line)
{
	char text[200];

	if (!a->link.message[0] || a->link.state == MV_SESSION_LIVE ||
	    a->link.state == MV_SESSION_REPLAY)
		return false;
	snprintf(text, sizeof(text), " %s", a->link.message);
	mv_fill(&a->canvas, line, L' ', ST_BAR_WARN);
	mv_text_fit(&a->canvas, line.row, line.col, line.cols, false, ST_BAR_WARN, text);
	return true;
}

/* A quiet kernel says nothing, yet its time goes on. */
static uint64_t uptime(const struct mv_app *a)
{
	bool running = a->link.state == MV_SESSION_LIVE && !a->frozen && a->uptime_us;

	return a->model->uptime_us + (running ? a->now_us - a->uptime_seen_us : 0);
}

static void draw_facts(struct mv_app *a, struct mv_rect line)
{
	char text[512] = " ", part[256], num[32], safe[160];
	const struct mv_model *m = a->model;
	int room = line.cols - (a->mark ? 20 : 2);

	snprintf(part, sizeof(part), "%s %s", m->hello.known ? m->hello.name : "no kernel yet",
		 m->hello.version);
	add(text, sizeof(text), room, mv_format_safe(part, safe, sizeof(safe)));
	if (m->uptime_us || a->link.state != MV_SESSION_GDB) { /* no clock lies in memory */
		snprintf(part, sizeof(part), "up %s", mv_age(uptime(a), num, sizeof(num)));
		add(text, sizeof(text), room, part);
	}
	snprintf(part, sizeof(part), "gen %s", mv_format_count(m->gen, num, sizeof(num)));
	add(text, sizeof(text), room, part);
	if (m->hello.known) {
		snprintf(part, sizeof(part), "access %s", m->hello.access);
		add(text, sizeof(text), room, part);
	}
	if (a->link.bad_records || a->link.gaps) {
		snprintf(part, sizeof(part), "%llu damaged, %llu gaps",
			 (unsigned long long)a->link.bad_records, (unsigned long long)a->link.gaps);
		add(text, sizeof(text), room, part);
	}
	if (a->session && mv_session_recording(a->session, NULL, NULL, NULL)) {
		uint64_t bytes = 0;

		mv_session_recording(a->session, NULL, &bytes, NULL);
		snprintf(part, sizeof(part), "%s recording %s", mv_glyph_str(GL_RECORD, a->ascii),
			 mv_format_size(bytes, num, sizeof(num)));
		add(text, sizeof(text), room, part);
	}
	snprintf(part, sizeof(part), "%s%s", a->link.target ? a->link.target : "",
		 a->link.hub ? " (hub)" : "");
	add(text, sizeof(text), room, mv_format_safe(part, safe, sizeof(safe)));
	mv_text_fit(&a->canvas, line.row, line.col, line.cols, false, ST_BAR, text);
	if (a->mark && !a->replaying) {
		mv_age(a->now_us - a->mark_at_us, num, sizeof(num));
		snprintf(part, sizeof(part), "x marked %s ago ", num);
		mv_text_right(&a->canvas, line.row, line.col, line.cols, ST_BAR_STRONG, part);
	} else if (a->mark) {
		mv_text_right(&a->canvas, line.row, line.col, line.cols, ST_BAR_STRONG,
			      "x marked ");
	}
}

struct mv_rect mv_header_draw(struct mv_app *a, struct mv_rect r)
{
	struct mv_rect tabs = mv_cut_top(&r, 1);

	mv_fill(&a->canvas, tabs, L' ', ST_BAR);
	draw_tabs(a, tabs);
	if (r.rows > 8) {
		struct mv_rect facts = mv_cut_top(&r, 1);

		mv_fill(&a->canvas, facts, L' ', ST_BAR);
		if (!draw_trouble(a, facts))
			draw_facts(a, facts);
	}
	return r;
}

/* ---- the bottom ---- */

static void draw_hints(struct mv_app *a, struct mv_rect line)
{
	const struct mv_binding *hints[FOOTER_MOST];
	size_t n = mv_keys_footer(mv_app_context(a), hints, FOOTER_MOST);
	int col = line.col;
	/* Help and quit always show: their room is set aside. */
	int reserve = 16;

	mv_fill(&a->canvas, line, L' ', ST_HINT);
	for (size_t i = 0; i < n; i++) {
		const struct mv_binding *b = hints[i];
		bool always = b->action == ACT_HELP || b->action == ACT_QUIT;
		int width = mv_text_width(b->label) + mv_text_width(b->hint) + 4;

		if (col + width > line.cols - (always ? 0 : reserve) ||
		    (b->action == ACT_BACK && !mv_app_view(a)->below))
			continue;
		int from = col;

		mv_put(&a->canvas, line.row, col++, L' ', ST_BAR_KEY);
		col = mv_text(&a->canvas, line.row, col, ST_BAR_KEY, b->label);
		mv_put(&a->canvas, line.row, col++, L' ', ST_BAR_KEY);
		col = mv_text(&a->canvas, line.row, col, ST_HINT, b->hint) + 1;
		add_hot(a, line.row, from, col - 1, b->keys[0]);
	}
}

static void timeline_words(const struct mv_app *a, char *out, size_t size)
{
	char now[32], at[32], speed[24];

	mv_format_clock(a->replay.now_us, now, sizeof(now));
	mv_format_duration(a->replay.now_us - a->replay.first_us, at, sizeof(at));
	if (a->replay.speed >= 1)
		snprintf(speed, sizeof(speed), "%.0fx", a->replay.speed);
	else
		snprintf(speed, sizeof(speed), "1/%.0fx", 1 / a->replay.speed);
	snprintf(out, size, " %s %s  %s  +%s ",
		 mv_glyph_str(a->replay.playing ? GL_PLAY : GL_PAUSE, a->ascii), speed, now, at);
}

static void draw_timeline(struct mv_app *a, struct mv_rect line)
{
	char words[128], total[32], end[64];
	uint64_t span = a->replay.last_us - a->replay.first_us;
	uint64_t at = a->replay.now_us - a->replay.first_us;
	enum mv_style st = a->timeline ? ST_TAB : ST_BAR;

	timeline_words(a, words, sizeof(words));
	mv_format_duration(span, total, sizeof(total));
	snprintf(end, sizeof(end), " %s%s%s ", total, a->replay.at_end ? " end" : "",
		 a->replay.damaged ? " DAMAGED" : "");
	mv_fill(&a->canvas, line, L' ', ST_BAR);
	int from = mv_text(&a->canvas, line.row, line.col, st, words) + 1;
	int cols = line.cols - from - mv_text_width(end) - 1;

	mv_text(&a->canvas, line.row, line.cols - mv_text_width(end),
		a->replay.damaged ? ST_BAR_WARN : ST_BAR, end);
	if (cols < 4)
		return;
	int knob = span ? (int)((double)at / (double)span * (cols - 1) + 0.5) : 0;

	a->timeline_bar = mv_rect(line.row, from, 1, cols);
	for (int i = 0; i < cols; i++)
		mv_put(&a->canvas, line.row, from + i, mv_glyph(GL_HLINE, a->ascii),
		       i < knob ? ST_BAR_STRONG : ST_BAR);
	mv_put(&a->canvas, line.row, from + knob, mv_glyph(GL_RECORD, a->ascii), ST_BAR_STRONG);
}

struct mv_rect mv_footer_draw(struct mv_app *a, struct mv_rect r)
{
	draw_hints(a, mv_cut_bottom(&r, 1));
	a->timeline_bar = mv_rect(0, 0, 0, 0);
	if (a->replaying && r.rows > 2)
		draw_timeline(a, mv_cut_bottom(&r, 1));
	return r;
}

/* A prompt and messages lie over the bottom, so that the picture does not jump when they come. */
void mv_footer_overlay(struct mv_app *a, struct mv_rect all)
{
	struct mv_rect line = mv_cut_bottom(&all, 1);

	if (a->prompt.kind != PROMPT_NONE) {
		mv_prompt_draw(a, line, mv_cut_bottom(&all, 1));
	} else if (a->message[0] && a->now_us < a->message_until_us) {
		mv_fill(&a->canvas, line, L' ', ST_TEXT);
		mv_text_fit(&a->canvas, line.row, line.col + 1, line.cols - 2, false,
			    a->message_style, a->message);
	}
}
