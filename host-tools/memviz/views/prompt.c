// SPDX-License-Identifier: MIT
/* The line at the bottom: `:` commands, `/` search, filter, jump, record, translate. */
#include "app.h"
#include "command.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *label, *hint;
} kinds[] = {
	[PROMPT_COMMAND] = {":",		 ""								},
	[PROMPT_SEARCH] = {"Search: ",
			    "an address (0x...), a size, or a name; n goes on to the next"			 },
	[PROMPT_FILTER] = {"Filter: ",
			    "words that a line must have; !word leaves lines out; empty shows all"		 },
	[PROMPT_JUMP] =
		{"Jump to: ",
			    "90, 1:30, 2m from the start, 50%, +10 -10 from here; after T digits are screens"},
	[PROMPT_RECORD] = {"Record to: ", "a name ending in .xz is compressed; r again stops"		     },
	[PROMPT_TRANSLATE] = {"Translate: ", "a virtual address, of the space shown on screen 4"		},
};

/* ---- doing what was typed ---- */

static void command_done(void *ctx, struct mv_ask *ask)
{
	struct mv_app *a = ctx;

	if (ask->state == ASK_FAILED) {
		mv_app_say(a, ST_BAD, "%s", ask->error.message);
		return;
	}
	char *text = mv_command_show(ask->result);

	if (!text)
		return;
	char *newline = strchr(text, '\n');

	if (newline && !newline[1]) {
		*newline = '\0';
		mv_app_say(a, ST_OK, "%s", text);
	} else {
		mv_text_popup(a, a->prompt.line.text, text);
	}
	free(text);
}

static void run_record(struct mv_app *a, const char *file)
{
	struct mv_error e = {0};

	if (!mv_app_can_act(a, true))
		return;
	if (!*file)
		mv_app_do(a, ACT_RECORD);
	else if (mv_session_record_start(a->session, file, &e) == MV_OK)
		mv_app_say(a, ST_OK, "Recording to %s; r stops", file);
	else
		mv_app_say(a, ST_BAD, "Recording: %s", e.message);
}

static void run_command(struct mv_app *a, const char *line)
{
	struct mv_command c = mv_command_parse(line);

	switch (c.kind) {
	case COMMAND_BAD:
		mv_app_say(a, ST_BAD, "%s", c.error);
		break;
	case COMMAND_REQUEST:
		mv_app_say(a, ST_DIM, "Asked: %s", line);
		a->acting.done = command_done;
		a->acting.ctx = a;
		mv_ask_send(&a->acting, a, c.method ? c.method : c.method_text,
			    json_object_get(c.params), c.all_pages);
		break;
	case COMMAND_RECORD:
		run_record(a, c.argument);
		break;
	case COMMAND_SHARE:
		mv_share_open(a);
		break;
	case COMMAND_QUIT:
		a->quit = true;
		break;
	case COMMAND_HELP:
		mv_help_open(a);
		break;
	case COMMAND_SPAWN:
		mv_spawn_popup(a, line);
		break;
	}
	json_object_put(c.params);
}

/* "90", "1:30", "2m", "50%", "+10", "-10" as a time of the recording. */
static bool jump_time(const struct mv_app *a, const char *text, uint64_t *at)
{
	uint64_t span = a->replay.last_us - a->replay.first_us, us;
	char *end;
	bool relative = *text == '+' || *text == '-';
	const char *digits = relative ? text + 1 : text;
	double number = strtod(digits, &end);

	if (end != digits && !strcmp(end, "%") && number <= 100 && !relative) {
		*at = a->replay.first_us + (uint64_t)(number / 100 * (double)span);
		return true;
	}
	if (end != digits && *end == ':') {
		char *rest;
		double low = strtod(end + 1, &rest);

		if (rest == end + 1 || *rest || low >= 60)
			return false;
		us = (uint64_t)((number * 60 + low) * 1e6);
	} else if (!mv_parse_duration(digits, &us)) {
		return false;
	}
	if (*text == '-')
		*at = a->replay.now_us - a->replay.first_us > us ? a->replay.now_us - us
								 : a->replay.first_us;
	else
		*at = (relative ? a->replay.now_us : a->replay.first_us) + us;
	return true;
}

static void run_jump(struct mv_app *a, const char *text)
{
	uint64_t at;

	if (!jump_time(a, text, &at)) {
		mv_app_say(a, ST_BAD, "'%s' is no time: 90, 1:30, 2m, 50%%, +10 or -10", text);
		return;
	}
	mv_session_replay_seek(a->session, at);
}

static void run_filter(struct mv_app *a, const char *text)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_rows rows = {0};
	struct mv_table *t = v->ops->table ? v->ops->table(v, &rows) : NULL;

	if (t)
		mv_table_filter(t, &rows, text);
}

static void run_translate(struct mv_app *a, const char *text)
{
	struct mv_thing t = {.kind = THING_ADDRESS, .space = -1};

	if (!mv_parse_addr(text, &t.va))
		mv_app_say(a, ST_BAD, "'%s' is no address; 0xffff800000200000 is one", text);
	else
		mv_app_open(a, &t);
}

static void done(struct mv_app *a, enum mv_prompt_kind kind, const char *text)
{
	switch (kind) {
	case PROMPT_COMMAND:
		mv_history_add(&a->prompt.history, text);
		run_command(a, text);
		break;
	case PROMPT_SEARCH:
		mv_history_add(&a->prompt.searches, text);
		snprintf(a->search, sizeof(a->search), "%s", text);
		mv_app_search(a, text, 1);
		break;
	case PROMPT_FILTER:
		run_filter(a, text);
		break;
	case PROMPT_JUMP:
		run_jump(a, text);
		break;
	case PROMPT_RECORD:
		if (*text)
			run_record(a, text);
		break;
	case PROMPT_TRANSLATE:
		run_translate(a, text);
		break;
	case PROMPT_NONE:
		break;
	}
}

/* ---- searching ---- */

void mv_app_search(struct mv_app *a, const char *words, int by)
{
	struct mv_view *v = mv_app_view(a);

	if (!*words) {
		mv_app_say(a, ST_DIM, "Nothing to search for: / begins a search");
		return;
	}
	if (v->ops->find && v->ops->find(v, words, by))
		return;
	for (int i = 1; i < SCREENS; i++) {
		int other = (a->current + i) % SCREENS;
		struct mv_view *w = a->screen[other];

		if (w->ops->tick)
			w->ops->tick(w);
		if (w->ops->find && w->ops->find(w, words, 1)) {
			mv_app_say(a, ST_OK, "'%s' is on screen %d, %s", words, other + 1,
				   w->ops->name);
			a->current = other;
			return;
		}
	}
	mv_app_say(a, ST_WARN, "'%s' is nowhere to be found", words);
}

/* ---- editing ---- */

static void refresh_hint(struct mv_app *a)
{
	if (a->prompt.kind == PROMPT_COMMAND)
		mv_command_usage(a->prompt.line.text, a->prompt.hint, sizeof(a->prompt.hint));
	else
		snprintf(a->prompt.hint, sizeof(a->prompt.hint), "%s", kinds[a->prompt.kind].hint);
}

void mv_prompt_open(struct mv_app *a, enum mv_prompt_kind kind, const char *text)
{
	a->prompt.kind = kind;
	a->prompt.completion = 0;
	a->prompt.suggested = kind == PROMPT_TRANSLATE;
	mv_line_set(&a->prompt.line, text);
	refresh_hint(a);
	a->dirty = true;
}

/* Each Tab puts in the next candidate, and after the last one what was typed. */
static void complete(struct mv_app *a)
{
	struct mv_prompt *p = &a->prompt;

	if (p->kind != PROMPT_COMMAND || p->line.cursor != p->line.len)
		return;
	if (!p->completion) {
		const char *blank = strrchr(p->line.text, ' ');

		memcpy(p->completion_base, p->line.text, sizeof(p->completion_base));
		p->completion_from = blank ? (size_t)(blank + 1 - p->line.text) : 0;
	}
	const char *word = mv_command_complete(p->completion_base, p->completion);

	if (word) {
		mv_line_replace(&p->line, p->completion_from, word);
		p->completion++;
	} else {
		mv_line_replace(&p->line, p->completion_from,
				p->completion_base + p->completion_from);
		p->completion = 0;
	}
	refresh_hint(a);
}

static const struct mv_history *history_of(const struct mv_app *a)
{
	if (a->prompt.kind == PROMPT_COMMAND)
		return &a->prompt.history;
	return a->prompt.kind == PROMPT_SEARCH ? &a->prompt.searches : NULL;
}

void mv_prompt_key(struct mv_app *a, int key)
{
	struct mv_prompt *p = &a->prompt;
	enum mv_prompt_kind kind = p->kind;
	char text[LINE_MAX_BYTES];

	/* Backspace on an empty line leaves it, as in vi. */
	if (key == MVK_BACKSPACE && !p->line.len)
		key = MVK_ESCAPE;
	if (p->suggested && key > ' ' && key < 0x7f)
		mv_line_set(&p->line, "");
	p->suggested = false;
	switch (mv_line_key(&p->line, history_of(a), key)) {
	case LINE_DONE:
		memcpy(text, p->line.text, sizeof(text));
		p->kind = PROMPT_NONE;
		p->hint[0] = '\0';
		done(a, kind, text);
		break;
	case LINE_CANCEL:
		p->kind = PROMPT_NONE;
		p->hint[0] = '\0';
		break;
	case LINE_COMPLETE:
		complete(a);
		break;
	case LINE_CHANGED:
		p->completion = 0;
		refresh_hint(a);
		if (kind == PROMPT_FILTER)
			run_filter(a, p->line.text); /* seen while it is typed */
		break;
	default:
		break;
	}
}

void mv_prompt_draw(struct mv_app *a, struct mv_rect line, struct mv_rect above)
{
	const char *label = kinds[a->prompt.kind].label;

	mv_fill(&a->canvas, line, L' ', ST_TEXT);
	int col = mv_text(&a->canvas, line.row, line.col + 1, ST_STRONG, label);

	if (a->prompt.hint[0] && above.rows > 0) {
		mv_fill(&a->canvas, above, L' ', ST_BAR);
		mv_text_fit(&a->canvas, above.row, above.col + 1, above.cols - 2, false, ST_BAR,
			    a->prompt.hint);
	}
	a->cursor_col = mv_line_draw(&a->prompt.line, &a->canvas, line.row, col,
				     line.cols - col - 1, ST_TEXT);
	a->cursor_row = line.row;
}
