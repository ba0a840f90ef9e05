// SPDX-License-Identifier: MIT
#include "app.h"
#include "glyph.h"

#include <memviz/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_US	5000000
#define DOUBLE_PRESS_US 400000
#define RECORD_END_US	1000000

static const struct mv_view_ops *const roots[SCREENS] = {
	&mv_overview_ops, &mv_map_ops, &mv_slabs_ops, &mv_tables_ops, &mv_sites_ops, &mv_log_ops,
};

/* ---- views and their stacks ---- */

static struct mv_view *new_view(struct mv_app *a, const struct mv_view_ops *ops,
				const struct mv_thing *t)
{
	static const struct mv_thing nothing = {.kind = THING_NONE};
	struct mv_view *v = calloc(1, ops->size);

	if (!v)
		return NULL;
	v->ops = ops;
	v->app = a;
	snprintf(v->title, sizeof(v->title), "%s", ops->name);
	if (ops->open)
		ops->open(v, t ? t : &nothing);
	return v;
}

static void free_view(struct mv_view *v)
{
	if (v->ops->close)
		v->ops->close(v);
	free(v);
}

struct mv_view *mv_app_view(struct mv_app *a)
{
	return a->screen[a->current];
}

void mv_app_push(struct mv_app *a, const struct mv_view_ops *ops, const struct mv_thing *t)
{
	struct mv_view *v = new_view(a, ops, t);

	if (!v)
		return;
	v->below = a->screen[a->current];
	a->screen[a->current] = v;
	a->dirty = true;
}

void mv_app_back(struct mv_app *a)
{
	struct mv_view *v = mv_app_view(a);

	if (!v->below)
		return;
	a->screen[a->current] = v->below;
	free_view(v);
	a->dirty = true;
}

void mv_app_go(struct mv_app *a, int screen)
{
	if (screen == a->current)
		while (mv_app_view(a)->below)
			mv_app_back(a);
	a->current = screen;
	a->dirty = true;
}

bool mv_app_open(struct mv_app *a, const struct mv_thing *t)
{
	static const struct mv_view_ops *const by_kind[] = {
		[THING_FRAME] = &mv_frame_ops,	     [THING_CLASS] = &mv_class_ops,
		[THING_SLAB] = &mv_slab_ops,	     [THING_OBJECT] = &mv_object_ops,
		[THING_SITE] = &mv_site_ops,	     [THING_MAPPING] = &mv_mapping_ops,
		[THING_ADDRESS] = &mv_translate_ops,
	};

	if (t->kind == THING_NONE) {
		mv_app_say(a, ST_DIM, "Nothing here to open");
		return false;
	}
	mv_app_push(a, by_kind[t->kind], t);
	return true;
}

/* ---- words ---- */

void mv_app_say(struct mv_app *a, enum mv_style st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->message, sizeof(a->message), fmt, ap);
	va_end(ap);
	a->message_style = st;
	a->message_until_us = a->now_us + MESSAGE_US;
	a->dirty = true;
}

void mv_app_close_popup(struct mv_app *a)
{
	struct mv_popup *p = a->popup;

	a->popup = NULL;
	if (p) {
		if (p->ops->close)
			p->ops->close(p);
		free(p);
	}
	a->dirty = true;
}

void mv_app_popup(struct mv_app *a, struct mv_popup *p)
{
	mv_app_close_popup(a);
	p->app = a;
	a->popup = p;
}

bool mv_app_can_act(struct mv_app *a, bool say)
{
	bool can = a->session && !a->replaying && a->link.state != MV_SESSION_GDB;

	if (!can && say)
		mv_app_say(a, ST_WARN,
			   a->replaying ? "A recording cannot be changed: this needs a live kernel"
					: "This kernel cannot be asked to act");
	return can;
}

unsigned mv_app_context(struct mv_app *a)
{
	return mv_app_view(a)->ops->context | (a->replaying ? CTX_REPLAY : 0u) |
	       (a->replaying && a->timeline ? CTX_TIMELINE : 0u) |
	       (mv_app_can_act(a, false) ? CTX_LIVE : 0u) | (mv_share_possible(a) ? CTX_BARE : 0u);
}

/* ---- setting up ---- */

void mv_app_init(struct mv_app *a, struct mv_session *s, const struct mv_model *m,
		 const struct mv_tui_options *o)
{
	*a = (struct mv_app){.session = s, .cursor_row = -1, .dirty = true};
	if (o)
		a->options = *o;
	if (a->options.bare)
		snprintf(a->bare, sizeof(a->bare), "%s", a->options.bare);
	a->ascii = a->options.ascii;
	a->mouse = !a->options.no_mouse;
	a->live = s ? mv_session_model(s) : m;
	a->model = a->live;
	a->timeline = true;
	for (int i = 0; i < SCREENS; i++)
		a->screen[i] = new_view(a, roots[i], NULL);
	if (a->options.first_screen >= 1 && a->options.first_screen <= SCREENS)
		a->current = (int)a->options.first_screen - 1;
	mv_history_load(&a->prompt.history, a->options.history_path);
	a->acting.app = a;
}

void mv_app_free(struct mv_app *a)
{
	mv_ask_clear(&a->acting);
	mv_app_close_popup(a);
	for (int i = 0; i < SCREENS; i++)
		while (a->screen[i]) {
			struct mv_view *v = a->screen[i];

			a->screen[i] = v->below;
			free_view(v);
		}
	mv_history_free(&a->prompt.history);
	mv_history_free(&a->prompt.searches);
	mv_model_free(a->frozen);
	mv_model_free(a->mark);
	mv_canvas_free(&a->canvas);
}

/* Ends a recording that was told to, when its last answers are in or took too long. */
static void end_recording(struct mv_app *a)
{
	struct mv_error e = {0};
	const char *file = "";
	uint64_t records = 0;
	char name[256], size[32];

	if (!a->record_ends_us ||
	    (!mv_session_record_settled(a->session) && a->now_us < a->record_ends_us))
		return;
	a->record_ends_us = 0;
	if (!mv_session_recording(a->session, &file, NULL, &records))
		return;
	snprintf(name, sizeof(name), "%s", file);
	if (mv_session_record_stop(a->session, &e) != MV_OK)
		mv_app_say(a, ST_BAD, "Recording: %s", e.message);
	else
		mv_app_say(a, ST_OK, "Recorded %llu records, %s, in %s",
			   (unsigned long long)records,
			   mv_format_size(mv_file_bytes(name), size, sizeof(size)), name);
}

void mv_app_tick(struct mv_app *a, uint64_t now_us)
{
	struct mv_view *v = mv_app_view(a);

	a->now_us = now_us;
	if (a->session) {
		mv_session_status(a->session, &a->link);
		a->replaying = mv_session_replay_status(a->session, &a->replay);
	}
	a->model = a->frozen ? a->frozen : a->live;
	mv_share_offer(a);
	mv_share_return(a);
	end_recording(a);
	if (a->live->uptime_us != a->uptime_us) {
		a->uptime_us = a->live->uptime_us;
		a->uptime_seen_us = now_us;
	}
	if (v->ops->tick)
		v->ops->tick(v);
	if (a->popup && a->popup->ops->tick)
		a->popup->ops->tick(a->popup);
}

/* ---- actions ---- */

static void freeze(struct mv_app *a, enum mv_action act)
{
	(void)act;
	if (a->frozen) {
		mv_model_free(a->frozen);
		a->frozen = NULL;
		a->model = a->live;
		mv_app_say(a, ST_OK, "Following again");
		return;
	}
	a->frozen = mv_model_clone(a->live);
	a->frozen_at_us = a->now_us;
	if (a->frozen)
		a->model = a->frozen;
	mv_app_say(a, ST_OK, "Frozen: data keeps coming, the picture stays. Space goes on");
}

static void mark(struct mv_app *a, enum mv_action act)
{
	bool showing = mv_app_view(a)->ops == &mv_diff_ops;

	(void)act;
	if (a->mark && !showing) {
		mv_app_push(a, &mv_diff_ops, NULL);
		return;
	}
	mv_model_free(a->mark);
	a->mark = mv_model_clone(a->model);
	a->mark_at_us = a->now_us;
	a->mark_time_us = a->model->time_us;
	mv_app_say(a, ST_OK,
		   "Marked. x again shows what has changed since, and the map shows where");
	if (showing)
		mv_app_back(a);
}

static void record(struct mv_app *a, enum mv_action act)
{
	char path[256];

	(void)act;
	if (!mv_app_can_act(a, true))
		return;
	if (mv_session_recording(a->session, NULL, NULL, NULL)) {
		mv_session_record_settle(a->session);
		a->record_ends_us = a->now_us + RECORD_END_US;
		return;
	}
	time_t now = time(NULL);
	struct tm tm;

	if (a->options.record_path)
		snprintf(path, sizeof(path), "%s", a->options.record_path);
	else
		strftime(path, sizeof(path), "memviz-%Y%m%d-%H%M%S.rec.xz", localtime_r(&now, &tm));
	mv_prompt_open(a, PROMPT_RECORD, path);
}

static void replay(struct mv_app *a, enum mv_action act)
{
	if (!a->replaying)
		return;
	switch (act) {
	case ACT_PLAY:
		if (a->replay.at_end && !a->replay.playing)
			mv_session_replay_seek(a->session, a->replay.first_us);
		mv_session_replay_play(a->session, !a->replay.playing);
		break;
	case ACT_STEP_BACK:
	case ACT_STEP_FORWARD:
		mv_session_replay_play(a->session, false);
		mv_session_replay_step(a->session, act == ACT_STEP_BACK ? -1 : 1);
		break;
	case ACT_FASTER:
		mv_session_replay_speed(a->session, a->replay.speed * 2);
		break;
	case ACT_SLOWER:
		mv_session_replay_speed(a->session, a->replay.speed / 2);
		break;
	default:
		a->timeline = !a->timeline;
		mv_app_say(a, ST_OK,
			   a->timeline ? "Left, Right and digits move in time"
				       : "Left, Right and digits are the screen's again");
	}
}

static void form(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_thing t = {.kind = THING_NONE};

	if (!mv_app_can_act(a, true))
		return;
	if (v->ops->subject)
		t = v->ops->subject(v);
	else if (v->ops->thing)
		t = v->ops->thing(v);
	if (act == ACT_ALLOC)
		mv_form_alloc(a, &t);
	else if (act == ACT_MAP)
		mv_form_map(a, &t);
	else if (act == ACT_UNMAP)
		mv_form_unmap(a, &t);
	else
		mv_form_free(a, &t);
}

static void open_here(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_thing t = {.kind = THING_NONE};

	if (v->ops->act && v->ops->act(v, act))
		return;
	if (v->ops->thing)
		t = v->ops->thing(v);
	mv_app_open(a, &t);
}

static void ask_translate(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_thing t = {.kind = THING_NONE};
	char text[32] = "";

	(void)act;
	if (v->ops->thing)
		t = v->ops->thing(v);
	if (t.va || t.kind == THING_MAPPING)
		mv_format_addr(t.va, text, sizeof(text));
	else if (t.kind == THING_FRAME && mv_va_of(a->model, t.pa))
		mv_format_addr(mv_va_of(a->model, t.pa), text, sizeof(text));
	mv_prompt_open(a, PROMPT_TRANSLATE, text);
}

/* What views and tables do. */
static void view_action(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_rows rows = {0};

	if (v->ops->act && v->ops->act(v, act))
		return;
	struct mv_table *t = v->ops->table ? v->ops->table(v, &rows) : NULL;

	if (t)
		mv_table_act(t, &rows, act);
}

static void open_filter(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_rows rows = {0};
	struct mv_table *t = v->ops->table ? v->ops->table(v, &rows) : NULL;

	(void)act;
	if (t)
		mv_prompt_open(a, PROMPT_FILTER, t->filter);
	else
		mv_app_say(a, ST_DIM, "There is no list to filter here");
}

/* Keys may come before the first drawing: the list they speak of must be there. */
static void refresh_table(struct mv_app *a)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_rows rows = {0};
	struct mv_table *t = v->ops->table ? v->ops->table(v, &rows) : NULL;

	if (t)
		mv_table_update(t, &rows);
}

/* ---- what each key's action does ---- */

static void nothing(struct mv_app *a, enum mv_action act)
{
	(void)a, (void)act;
}

static void quit(struct mv_app *a, enum mv_action act)
{
	(void)act;
	a->quit = true;
}

static void help(struct mv_app *a, enum mv_action act)
{
	(void)act;
	mv_help_open(a);
}

static void go(struct mv_app *a, enum mv_action act)
{
	mv_app_go(a, (int)(act - ACT_SCREEN_1));
}

static void go_beside(struct mv_app *a, enum mv_action act)
{
	mv_app_go(a, (a->current + (act == ACT_NEXT_SCREEN ? 1 : SCREENS - 1)) % SCREENS);
}

static void back(struct mv_app *a, enum mv_action act)
{
	struct mv_view *v = mv_app_view(a);

	if (!v->ops->act || !v->ops->act(v, act))
		mv_app_back(a);
}

static void ask_line(struct mv_app *a, enum mv_action act)
{
	mv_prompt_open(a, act == ACT_COMMAND ? PROMPT_COMMAND : PROMPT_SEARCH, "");
}

static void search_on(struct mv_app *a, enum mv_action act)
{
	mv_app_search(a, a->search, act == ACT_SEARCH_NEXT ? 1 : -1);
}

static void switch_mouse(struct mv_app *a, enum mv_action act)
{
	(void)act;
	a->mouse = !a->mouse;
	a->mouse_changed = true;
	mv_app_say(a, ST_OK, a->mouse ? "Mouse on" : "Mouse off: the terminal selects text");
}

static void redraw(struct mv_app *a, enum mv_action act)
{
	(void)act;
	a->redraw_all = true;
	if (a->session)
		mv_session_resync(a->session);
}

static void share(struct mv_app *a, enum mv_action act)
{
	(void)act;
	mv_share_open(a);
}

/* Actions of the app itself; all others are the view's or its table's. */
static void (*const handlers[ACT_COUNT])(struct mv_app *, enum mv_action) = {
	[ACT_NONE] = nothing,
	[ACT_QUIT] = quit,
	[ACT_HELP] = help,
	[ACT_SCREEN_1] = go,
	[ACT_SCREEN_2] = go,
	[ACT_SCREEN_3] = go,
	[ACT_SCREEN_4] = go,
	[ACT_SCREEN_5] = go,
	[ACT_SCREEN_6] = go,
	[ACT_NEXT_SCREEN] = go_beside,
	[ACT_PREV_SCREEN] = go_beside,
	[ACT_OPEN] = open_here,
	[ACT_BACK] = back,
	[ACT_FREEZE] = freeze,
	[ACT_MARK] = mark,
	[ACT_RECORD] = record,
	[ACT_COMMAND] = ask_line,
	[ACT_SEARCH] = ask_line,
	[ACT_SEARCH_NEXT] = search_on,
	[ACT_SEARCH_PREV] = search_on,
	[ACT_FILTER] = open_filter,
	[ACT_TRANSLATE] = ask_translate,
	[ACT_ALLOC] = form,
	[ACT_MAP] = form,
	[ACT_UNMAP] = form,
	[ACT_FREE] = form,
	[ACT_MOUSE] = switch_mouse,
	[ACT_REDRAW] = redraw,
	[ACT_SHARE] = share,
	[ACT_PLAY] = replay,
	[ACT_STEP_BACK] = replay,
	[ACT_STEP_FORWARD] = replay,
	[ACT_FASTER] = replay,
	[ACT_SLOWER] = replay,
	[ACT_TIMELINE] = replay,
};

void mv_app_do(struct mv_app *a, enum mv_action act)
{
	refresh_table(a);
	a->dirty = true;
	if (handlers[act])
		handlers[act](a, act);
	else
		view_action(a, act);
}

/* ---- input ---- */

static void press_timeline(struct mv_app *a, int col)
{
	uint64_t span = a->replay.last_us - a->replay.first_us;
	int last = a->timeline_bar.cols > 1 ? a->timeline_bar.cols - 1 : 1;
	double part = (double)(col - a->timeline_bar.col) / last;

	mv_session_replay_seek(a->session, a->replay.first_us + (uint64_t)(part * (double)span));
}

static bool press_hot(struct mv_app *a, int row, int col)
{
	for (size_t i = 0; i < a->hot_count; i++)
		if (a->hot[i].row == row && col >= a->hot[i].from && col < a->hot[i].to) {
			/* A tab of the header is a screen, whoever has the digits. */
			if (row == 0)
				mv_app_go(a, a->hot[i].key - '1');
			else
				mv_app_do(a, mv_keys_action(a->hot[i].key, mv_app_context(a)));
			return true;
		}
	return false;
}

static void press(struct mv_app *a, const struct mv_input *in)
{
	struct mv_view *v = mv_app_view(a);
	struct mv_rows rows = {0};
	bool again = in->row == a->last_press_row && in->col == a->last_press_col &&
		     a->now_us - a->last_press_us < DOUBLE_PRESS_US;
	bool hit;

	a->last_press_row = in->row;
	a->last_press_col = in->col;
	a->last_press_us = again ? 0 : a->now_us;
	if (press_hot(a, in->row, in->col))
		return;
	if (a->replaying && mv_inside(a->timeline_bar, in->row, in->col)) {
		press_timeline(a, in->col);
		return;
	}
	struct mv_table *t = v->ops->table ? v->ops->table(v, &rows) : NULL;

	if (v->ops->click)
		hit = v->ops->click(v, in->row, in->col);
	else
		hit = t && mv_table_click(t, &rows, in->row, in->col);
	if (hit && again)
		open_here(a, ACT_OPEN);
}

static void mouse(struct mv_app *a, const struct mv_input *in)
{
	if (!a->mouse)
		return;
	if (in->mouse == MOUSE_WHEEL_UP || in->mouse == MOUSE_WHEEL_DOWN) {
		for (int i = 0; i < 3; i++)
			mv_app_do(a, in->mouse == MOUSE_WHEEL_UP ? ACT_UP : ACT_DOWN);
		return;
	}
	press(a, in);
}

void mv_app_input(struct mv_app *a, const struct mv_input *in)
{
	a->dirty = true;
	if (in->key == MVK_RESIZE || in->key == MVK_NONE)
		return;
	a->message[0] = '\0'; /* said and read: the hints come back */
	if (a->prompt.kind != PROMPT_NONE) {
		mv_prompt_key(a, in->key);
		return;
	}
	if (a->popup) {
		if (!a->popup->ops->key(a->popup, in))
			mv_app_close_popup(a);
		return;
	}
	if (in->key == MVK_MOUSE) {
		mouse(a, in);
		return;
	}
	if (a->replaying && a->timeline && in->key >= '0' && in->key <= '9') {
		char digit[2] = {(char)in->key, 0};

		mv_prompt_open(a, PROMPT_JUMP, digit);
		return;
	}
	enum mv_action act = mv_keys_action(in->key, mv_app_context(a));

	/* A key that would work on a live kernel says why it does not here. */
	if (act == ACT_NONE && mv_keys_action(in->key, mv_app_context(a) | CTX_LIVE) != ACT_NONE)
		mv_app_can_act(a, true);
	mv_app_do(a, act);
}

/* ---- drawing ---- */

static bool stale(const struct mv_app *a)
{
	return a->link.state == MV_SESSION_LOST || a->link.state == MV_SESSION_INCOMPATIBLE;
}

/* Nothing was ever heard: only why is of interest. */
static bool unheard(const struct mv_app *a)
{
	return a->session && !a->model->hello.known &&
	       (a->link.state == MV_SESSION_CONNECTING || a->link.state == MV_SESSION_INCOMPATIBLE);
}

/* A recording holds some things only now and then: how old they are at the time shown. */
static void draw_recorded(struct mv_app *a, struct mv_rect line, int from)
{
	uint64_t told = mv_app_view(a)->recorded_us;
	char text[48], age[24];

	if (!told || !a->replaying)
		return;
	mv_age(a->replay.now_us > told ? a->replay.now_us - told : 0, age, sizeof(age));
	snprintf(text, sizeof(text), "recorded %s before ", age);
	if (from + 2 + mv_text_width(text) <= line.cols)
		mv_text_right(&a->canvas, line.row, line.col, line.cols, ST_DIM, text);
}

static void draw_trail(struct mv_app *a, struct mv_rect *body)
{
	const char *titles[8];
	size_t n = 0;

	for (struct mv_view *v = mv_app_view(a); v && n < 8; v = v->below)
		titles[n++] = v->title;
	if (n < 2 || body->rows < 6)
		return;
	struct mv_rect line = mv_cut_top(body, 1);
	int col = line.col + 1;

	while (n--) {
		col = mv_text(&a->canvas, line.row, col, n ? ST_DIM : ST_STRONG, titles[n]);
		if (n)
			col = mv_textf(&a->canvas, line.row, col, ST_DIM, " %s ",
				       mv_glyph_str(GL_CLOSED, a->ascii));
	}
	draw_recorded(a, line, col);
}

void mv_app_draw(struct mv_app *a, int rows, int cols)
{
	struct mv_rect all, body;
	struct mv_view *v = mv_app_view(a);

	a->dirty = false;
	a->hot_count = 0;
	a->cursor_row = -1;
	if (!mv_canvas_resize(&a->canvas, rows, cols))
		return;
	a->canvas.ascii = a->ascii;
	a->room = mv_room_of(rows, cols);
	all = mv_rect(0, 0, rows, cols);
	body = mv_header_draw(a, all);
	body = mv_footer_draw(a, body);
	draw_trail(a, &body);
	a->body = body;
	mv_canvas_clip(&a->canvas, body);
	if (body.rows < 2 || body.cols < 20)
		mv_text(&a->canvas, body.row, body.col, ST_WARN, "too small");
	else if (unheard(a))
		mv_note(a, body, "%s", a->link.message[0] ? a->link.message : "Connecting ...");
	else
		v->ops->draw(v, body);
	if (stale(a))
		mv_fade(&a->canvas, body);
	mv_canvas_unclip(&a->canvas);
	if (a->popup)
		a->popup->ops->draw(a->popup, body);
	mv_footer_overlay(a, all);
}
