/* SPDX-License-Identifier: MIT */
/*
 * The live interface: one app, six screens, a stack of opened views on each, at most one popup and
 * one prompt. Everything draws on the app's canvas; nothing here knows ncurses or sockets.
 *
 * What a view shows comes from app->model (the session's, or the frozen copy) and from questions
 * it asks the kernel (struct mv_ask), which are answered later or never.
 */
#ifndef VIEWS_APP_H
#define VIEWS_APP_H

#include "canvas.h"
#include "grid.h"
#include "keys.h"
#include "layout.h"
#include "lineedit.h"
#include "table.h"

#include <memviz/format.h>
#include <memviz/model.h>
#include <memviz/session.h>
#include <memviz/tui.h>

struct json_object;
struct mv_app;
struct mv_view;

/* ---- asking the kernel ---- */

enum mv_ask_state { ASK_IDLE, ASK_WAITING, ASK_DONE, ASK_FAILED };

struct mv_ask {
	struct mv_app *app;
	enum mv_ask_state state;
	uint64_t request;
	size_t limit;		    /* most elements of a list; 0: all. Set before sending */
	struct json_object *result; /* owned; of the last answer, also while the next one waits */
	struct mv_error error;
	uint64_t asked_us, answered_us;		   /* app->now_us */
	void (*done)(void *ctx, struct mv_ask *a); /* after state and result are set; may be NULL */
	void *ctx;
};

/* Sends; a question that still waits is dropped. @params is taken over. */
void mv_ask_send(struct mv_ask *a, struct mv_app *app, const char *method,
		 struct json_object *params, bool all_pages);
/* Drops the question and the answer. */
void mv_ask_clear(struct mv_ask *a);
/* "waiting for the kernel", the error's text, or "" when there is an answer. */
/* The list in the answer is not the whole one. */
bool mv_ask_cut(const struct mv_ask *a);
const char *mv_ask_text(const struct mv_ask *a);

/* ---- what can be opened, freed, mapped ---- */

enum mv_thing_kind {
	THING_NONE,
	THING_FRAME,   /* pa */
	THING_CLASS,   /* size */
	THING_SLAB,    /* va, size (class), len */
	THING_OBJECT,  /* va */
	THING_SITE,    /* va: code address */
	THING_MAPPING, /* space, va, pa, len */
	THING_ADDRESS, /* va: translate it */
};

struct mv_thing {
	enum mv_thing_kind kind;
	uint64_t pa, va, len, size;
	int64_t space;
};

/* ---- views ---- */

struct mv_view_ops {
	const char *name;
	unsigned context; /* enum mv_context, one bit */
	size_t size;	  /* of the view's own struct, which begins with struct mv_view */
	void (*open)(struct mv_view *v, const struct mv_thing *thing);
	void (*close)(struct mv_view *v);
	/* About once in 100 ms while shown and once before each drawing: ask, update. May be NULL.
	 */
	void (*tick)(struct mv_view *v);
	void (*draw)(struct mv_view *v, struct mv_rect r);
	/* False: not mine. */
	bool (*act)(struct mv_view *v, enum mv_action a);
	/* A press inside the view's rectangle. True: it hit something that Enter would open. */
	bool (*click)(struct mv_view *v, int row, int col);
	/* What the cursor is on; kind NONE for nothing. May be NULL. */
	struct mv_thing (*thing)(struct mv_view *v);
	/* What the view itself is about: `d`, `m` and `u` take it when there is one. May be NULL.
	 */
	struct mv_thing (*subject)(struct mv_view *v);
	/* Looks for @words here; by: 1 next, -1 previous. May be NULL. */
	bool (*find)(struct mv_view *v, const char *words, int by);
	/* The list that `s` and `f` work on, and its rows. NULL: none. */
	struct mv_table *(*table)(struct mv_view *v, struct mv_rows *rows);
};

struct mv_view {
	const struct mv_view_ops *ops;
	struct mv_app *app;
	struct mv_view *below; /* what Backspace goes back to */
	uint64_t recorded_us;  /* of a replay: when what is shown was told; 0: it is the state */
	char title[96];
};

extern const struct mv_view_ops mv_overview_ops, mv_map_ops, mv_slabs_ops, mv_tables_ops,
	mv_sites_ops, mv_log_ops;
extern const struct mv_view_ops mv_frame_ops, mv_class_ops, mv_slab_ops, mv_object_ops, mv_site_ops,
	mv_mapping_ops, mv_translate_ops, mv_diff_ops;

#define SCREENS 6

/* ---- popups and prompts ---- */

struct mv_popup;
struct mv_popup_ops {
	void (*draw)(struct mv_popup *p, struct mv_rect screen);
	/* Every key goes here while it is open. False: close it. */
	bool (*key)(struct mv_popup *p, const struct mv_input *in);
	void (*tick)(struct mv_popup *p);
	void (*close)(struct mv_popup *p);
};
struct mv_popup {
	const struct mv_popup_ops *ops;
	struct mv_app *app;
};

enum mv_prompt_kind {
	PROMPT_NONE,
	PROMPT_COMMAND,
	PROMPT_SEARCH,
	PROMPT_FILTER,
	PROMPT_JUMP,
	PROMPT_RECORD,
	PROMPT_TRANSLATE
};

struct mv_prompt {
	enum mv_prompt_kind kind;
	struct mv_line line;
	bool suggested; /* the line is a proposal as yet: what is typed takes its place */
	struct mv_history history; /* of the command line; the others have theirs in searches */
	struct mv_history searches;
	char hint[160];	   /* what may follow, under the line */
	size_t completion; /* which of the candidates Tab has put in, from 1 */
	size_t completion_from;
	char completion_base[LINE_MAX_BYTES];
};

/* ---- the app ---- */

#define FOOTER_MOST 32

struct mv_app {
	struct mv_session *session;   /* NULL only in tests of drawing */
	const struct mv_model *live;  /* the session's */
	const struct mv_model *model; /* what is shown: live or frozen */
	struct mv_model *frozen;
	uint64_t frozen_at_us; /* app->now_us */
	struct mv_model *mark;
	uint64_t mark_at_us, mark_time_us;
	struct mv_session_status link;
	struct mv_replay_status replay;
	bool replaying, timeline;

	struct mv_canvas canvas;
	int cursor_row, cursor_col; /* of a prompt or form; -1: none */
	struct mv_rect body;	    /* where the view was drawn */
	enum mv_room room;
	struct mv_view *screen[SCREENS]; /* top of each stack */
	int current;
	struct mv_popup *popup;
	struct mv_prompt prompt;

	char message[320];
	enum mv_style message_style;
	uint64_t message_until_us;
	char search[LINE_MAX_BYTES];

	struct { /* clickable parts of header and footer, as drawn */
		int row, from, to;
		int key; /* what a click types */
	} hot[FOOTER_MOST + SCREENS + 4];
	size_t hot_count;
	struct mv_rect timeline_bar;

	struct mv_ask acting; /* the command or form that runs */
	struct mv_tui_options options;
	const char *colors_name;
	uint64_t now_us;		    /* CLOCK_MONOTONIC at the beginning of this round */
	uint64_t uptime_us, uptime_seen_us; /* what the kernel said last, and when */
	uint64_t last_press_us;
	int last_press_row, last_press_col;
	bool ascii, mouse, mouse_changed;
	bool share_offered;
	char bare[300];		 /* the link below a hub of our own; "": there is none */
	bool hub_was_up;	 /* that hub has answered */
	uint64_t record_ends_us; /* it was told to end, and does so by then; 0: no */
	bool dirty, redraw_all, quit;
};

/* Sets up an app without a terminal. @s may be NULL: then the model shown is @m. */
void mv_app_init(struct mv_app *a, struct mv_session *s, const struct mv_model *m,
		 const struct mv_tui_options *o);
void mv_app_free(struct mv_app *a);
/* Takes in what the session knows, asks what views need. Call each round. */
void mv_app_tick(struct mv_app *a, uint64_t now_us);
void mv_app_input(struct mv_app *a, const struct mv_input *in);
/* Draws the whole screen on a->canvas at this size. */
void mv_app_draw(struct mv_app *a, int rows, int cols);

struct mv_view *mv_app_view(struct mv_app *a);
/* Bits for the key table. */
unsigned mv_app_context(struct mv_app *a);
void mv_app_do(struct mv_app *a, enum mv_action act);
/* Opens what @t is; false (with a message) when it can't be opened. */
bool mv_app_open(struct mv_app *a, const struct mv_thing *t);
void mv_app_push(struct mv_app *a, const struct mv_view_ops *ops, const struct mv_thing *t);
void mv_app_back(struct mv_app *a);
void mv_app_go(struct mv_app *a, int screen);
/* The line above the footer, for some seconds. */
void mv_app_say(struct mv_app *a, enum mv_style st, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void mv_app_popup(struct mv_app *a, struct mv_popup *p);
void mv_app_close_popup(struct mv_app *a);
/* Whether the kernel can be asked to act: live, not frozen replay. Says so otherwise. */
bool mv_app_can_act(struct mv_app *a, bool say);

/* ---- parts in files of their own ---- */

/* header.c */
struct mv_rect mv_header_draw(struct mv_app *a, struct mv_rect r);
struct mv_rect mv_footer_draw(struct mv_app *a, struct mv_rect r);
void mv_footer_overlay(struct mv_app *a, struct mv_rect all);
/* prompt.c */
void mv_prompt_open(struct mv_app *a, enum mv_prompt_kind kind, const char *text);
void mv_prompt_key(struct mv_app *a, int key);
void mv_prompt_draw(struct mv_app *a, struct mv_rect line, struct mv_rect above);
void mv_app_search(struct mv_app *a, const char *words, int by);
/* tables.c: the space that screen 4 shows; -1: none known. */
int64_t mv_tables_space(struct mv_app *a);
/* popups.c, forms.c */
void mv_help_open(struct mv_app *a);
void mv_text_popup(struct mv_app *a, const char *title, const char *text);
/* The frame of every popup, at most @rows x @cols; returns its inside. */
struct mv_rect mv_popup_box(struct mv_app *a, struct mv_rect screen, int rows, int cols,
			    const char *title);
/* A line at the bottom of a popup's inside. */
void mv_popup_foot(struct mv_app *a, struct mv_rect *in, const char *text);
/* Runs a memviz of its own with these arguments on the same target and shows what it says. */
void mv_spawn_popup(struct mv_app *a, const char *line);
void mv_form_alloc(struct mv_app *a, const struct mv_thing *t);
void mv_form_map(struct mv_app *a, const struct mv_thing *t);
void mv_form_unmap(struct mv_app *a, const struct mv_thing *t);
void mv_form_free(struct mv_app *a, const struct mv_thing *t);

/* share.c: a link that serves one client, and a hub for it */
bool mv_share_possible(const struct mv_app *a);
void mv_share_offer(struct mv_app *a); /* says so, once */
/* When a hub of our own is gone: goes back to the link that it was on. */
void mv_share_return(struct mv_app *a);
void mv_share_open(struct mv_app *a); /* asks, and does it */

/* ---- small helpers that many views share (helpers.c) ---- */

/* A titled part: a box where there is room for one, else a rule. Returns the inside. */
struct mv_rect mv_panel(struct mv_app *a, struct mv_rect r, const char *title);
/* "label   value" on one row. */
void mv_pair(struct mv_app *a, int row, int col, int label_width, const char *label,
	     enum mv_style st, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
/* Text in the middle of @r: for "nothing here yet", wrapped. */
void mv_note(struct mv_app *a, struct mv_rect r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Why there is nothing to show of @what yet: it comes, or this target never tells. */
void mv_waiting(struct mv_app *a, struct mv_rect r, const char *what);
/* Draws text wrapped at words in @r from its top; returns the rows used. */
int mv_wrap(struct mv_canvas *c, struct mv_rect r, enum mv_style st, const char *text);
/* Physical address of a kernel address in the direct map or image, as far as the model tells. */
bool mv_pa_of(const struct mv_model *m, uint64_t va, uint64_t *pa);
bool mv_in_direct_map(uint64_t va);
/* The direct map's address of @pa; 0 when it is not mapped there. */
uint64_t mv_va_of(const struct mv_model *m, uint64_t pa);
/* A time in whole seconds: "7 s", "03:25"; returns out. */
char *mv_age(uint64_t us, char *out, size_t size);
const char *mv_zone_name(const struct mv_model *m, uint64_t pa);
/* "ZONE_NORMAL" -> "NORMAL", "ZONE_UNMAPPED_IN_PGT" -> "UNMAPPED". */
const char *mv_zone_short(const char *name);
/* Newest event (sample, log line) that belongs to what is shown, while frozen. */
size_t mv_shown_samples(const struct mv_app *a);
size_t mv_shown_events(const struct mv_app *a);
size_t mv_shown_log(const struct mv_app *a);
/* Members of JSON objects, with a default when absent or of another type. */
const char *mv_get_text(struct json_object *o, const char *member, const char *other);
uint64_t mv_get_addr(struct json_object *o, const char *member, uint64_t other);
int64_t mv_get_int(struct json_object *o, const char *member, int64_t other);
size_t mv_get_count(struct json_object *o, const char *member);
struct json_object *mv_get_item(struct json_object *o, const char *member, size_t i);
struct json_object *mv_new_addr(uint64_t addr);

#endif
