// SPDX-License-Identifier: MIT
/*
 * The forms behind a, m, u and d. Each shows what would happen before it happens: the kernel's own
 * dry run where the method has one, else what the model and mm.object say. Enter acts only on a
 * dry run of exactly the values shown.
 */
#include "app.h"
#include "glyph.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 8
#define SETTLE_US  150000 /* after the last keystroke, before the kernel is asked */

enum field_kind { FIELD_TEXT, FIELD_CHOICE };

struct field {
	const char *label;
	enum field_kind kind;
	const char *hint;
	const char *const *choices; /* NULL-terminated */
	struct mv_line line;
	int choice;
	bool hidden;
};

enum verdict {
	VERDICT_EDITING, /* not asked yet */
	VERDICT_WRONG,	 /* the values make no sense; `preview` says why */
	VERDICT_WAITING,
	VERDICT_GOOD,	 /* Enter acts */
	VERDICT_REFUSED, /* the kernel would refuse */
};

struct form;

struct form_ops {
	const char *title, *verb;
	/* Checks the values: fills method and params, or says what is wrong in f->preview. With
	 * @dry it is the question asked before. NULL method with true: nothing to ask, and
	 * f->preview holds the answer. */
	bool (*build)(struct form *f, bool dry, const char **method, struct json_object **params);
	/* Words for the answer of the dry run. */
	enum verdict (*judge)(struct form *f, struct json_object *result);
	/* Words for the answer of the act. */
	void (*done)(struct form *f, struct json_object *result, char *out, size_t size);
	void (*changed)(struct form *f); /* shows and hides fields; may be NULL */
};

struct form {
	struct mv_popup popup;
	const struct form_ops *ops;
	struct field field[FIELDS_MAX];
	int count, focus;
	enum verdict verdict;
	char preview[768];
	struct mv_ask dry, act;
	uint64_t edited_us;
};

/* ---- fields ---- */

static struct field *add_text(struct form *f, const char *label, const char *value,
			      const char *hint)
{
	struct field *d = &f->field[f->count++];

	*d = (struct field){.label = label, .kind = FIELD_TEXT, .hint = hint};
	mv_line_set(&d->line, value);
	return d;
}

static struct field *add_choice(struct form *f, const char *label, const char *const *choices,
				int choice, const char *hint)
{
	struct field *d = &f->field[f->count++];

	*d = (struct field){.label = label,
			    .kind = FIELD_CHOICE,
			    .choices = choices,
			    .choice = choice,
			    .hint = hint};
	return d;
}

static bool wrong(struct form *f, int field, const char *takes)
{
	const char *text = f->field[field].line.text;

	if (*text)
		snprintf(f->preview, sizeof(f->preview), "%s: '%s' is not %s",
			 f->field[field].label, text, takes);
	else
		snprintf(f->preview, sizeof(f->preview), "%s is to be filled in: %s",
			 f->field[field].label, takes);
	return false;
}

static bool get_addr(struct form *f, int i, uint64_t *v)
{
	return mv_parse_addr(f->field[i].line.text, v) ||
	       wrong(f, i, "an address; 0xffff800000200000 is one");
}

static bool get_size(struct form *f, int i, uint64_t *v)
{
	return (mv_parse_size(f->field[i].line.text, v) && *v <= INT64_MAX) ||
	       wrong(f, i, "a size; 80, 64K and 2M are");
}

/* An empty space means the current one. */
static bool put_space(struct form *f, int i, struct json_object *params)
{
	const char *text = f->field[i].line.text;
	char *end;
	long long id = strtoll(text, &end, 10);

	if (!*text)
		return true;
	if (*end)
		return wrong(f, i, "the number of a space (screen 4 lists them)");
	json_object_object_add(params, "space", json_object_new_int64(id));
	return true;
}

/* ---- the machine ---- */

static void start_dry(struct form *f);

static void dry_done(void *ctx, struct mv_ask *ask)
{
	struct form *f = ctx;

	if (ask->state == ASK_FAILED) {
		f->verdict = VERDICT_REFUSED;
		snprintf(f->preview, sizeof(f->preview), "%s", ask->error.message);
	} else {
		f->verdict = f->ops->judge(f, ask->result);
	}
	f->popup.app->dirty = true;
}

static void start_dry(struct form *f)
{
	const char *method = NULL;
	struct json_object *params = NULL;

	f->preview[0] = '\0';
	if (!f->ops->build(f, true, &method, &params)) {
		f->verdict = VERDICT_WRONG;
		json_object_put(params);
		return;
	}
	if (!method) {
		f->verdict = VERDICT_GOOD;
		return;
	}
	f->verdict = VERDICT_WAITING;
	f->dry.done = dry_done;
	f->dry.ctx = f;
	mv_ask_send(&f->dry, f->popup.app, method, params, false);
}

/* The form may be gone when the kernel answers: then the app's own question tells. */
static void act_done(void *ctx, struct mv_ask *ask)
{
	struct form *f = ctx;
	char words[256];

	if (ask->state == ASK_FAILED) {
		f->verdict = VERDICT_REFUSED;
		snprintf(f->preview, sizeof(f->preview), "%s", ask->error.message);
		return;
	}
	f->ops->done(f, ask->result, words, sizeof(words));
	mv_app_say(f->popup.app, ST_OK, "%s", words);
	mv_ask_clear(&f->dry);
	f->verdict = VERDICT_EDITING;
	/* Closing frees the form; the ask in it is done with. */
	mv_app_close_popup(f->popup.app);
}

static void act(struct form *f)
{
	const char *method = NULL;
	struct json_object *params = NULL;

	if (!f->ops->build(f, false, &method, &params)) {
		f->verdict = VERDICT_WRONG;
		json_object_put(params);
		return;
	}
	f->act.done = act_done;
	f->act.ctx = f;
	mv_ask_send(&f->act, f->popup.app, method, params, false);
}

static void form_tick(struct mv_popup *p)
{
	struct form *f = (struct form *)p;

	if (f->verdict == VERDICT_EDITING && p->app->now_us - f->edited_us >= SETTLE_US)
		start_dry(f);
}

static void form_close(struct mv_popup *p)
{
	struct form *f = (struct form *)p;

	if (f->act.state == ASK_WAITING)
		mv_app_say(p->app, ST_WARN, "The request is on its way all the same");
	mv_ask_clear(&f->dry);
	mv_ask_clear(&f->act);
}

/* ---- keys ---- */

static void move_focus(struct form *f, int by)
{
	do
		f->focus = (f->focus + f->count + by) % f->count;
	while (f->field[f->focus].hidden);
}

static void edited(struct form *f)
{
	if (f->ops->changed)
		f->ops->changed(f);
	mv_ask_clear(&f->dry);
	f->verdict = VERDICT_EDITING;
	f->preview[0] = '\0';
	f->edited_us = f->popup.app->now_us;
}

static void choose(struct form *f, int by)
{
	struct field *d = &f->field[f->focus];
	int n = 0;

	while (d->choices[n])
		n++;
	if (!n)
		return;
	d->choice = (d->choice + n + by) % n;
	edited(f);
}

static void press_enter(struct form *f)
{
	switch (f->verdict) {
	case VERDICT_GOOD:
		if (f->act.state != ASK_WAITING)
			act(f);
		break;
	case VERDICT_EDITING:
	case VERDICT_WAITING:
		mv_app_say(f->popup.app, ST_DIM, "The dry run first; then Enter again");
		break;
	default:
		mv_app_say(f->popup.app, ST_WARN, "Not done: change the values, or Esc");
	}
}

static bool form_key(struct mv_popup *p, const struct mv_input *in)
{
	struct form *f = (struct form *)p;
	struct field *d = &f->field[f->focus];

	switch (in->key) {
	case MVK_ESCAPE:
		return false;
	case MVK_ENTER:
		press_enter(f);
		/* Acting may have closed the form already; the caller closes what is open. */
		return true;
	case MVK_TAB:
	case MVK_DOWN:
		move_focus(f, 1);
		return true;
	case MVK_BACKTAB:
	case MVK_UP:
		move_focus(f, -1);
		return true;
	case MVK_MOUSE:
		return true;
	default:
		break;
	}
	if (d->kind == FIELD_CHOICE) {
		if (in->key == MVK_LEFT || in->key == 'h')
			choose(f, -1);
		else if (in->key == MVK_RIGHT || in->key == 'l' || in->key == ' ')
			choose(f, 1);
		return true;
	}
	if (mv_line_key(&d->line, NULL, in->key) == LINE_CHANGED)
		edited(f);
	return true;
}

/* ---- drawing ---- */

static void draw_choice(struct mv_app *a, const struct field *d, int row, int col, bool here)
{
	if (here)
		col = mv_textf(&a->canvas, row, col, ST_POPUP_TITLE, "%s ",
			       mv_glyph_str(GL_LEFT, a->ascii));
	col = mv_text(&a->canvas, row, col, here ? ST_SELECT : ST_POPUP, d->choices[d->choice]);
	if (here)
		mv_textf(&a->canvas, row, col, ST_POPUP_TITLE, " %s",
			 mv_glyph_str(GL_RIGHT, a->ascii));
}

static void draw_fields(struct form *f, struct mv_rect *in)
{
	struct mv_app *a = f->popup.app;

	for (int i = 0; i < f->count; i++) {
		struct field *d = &f->field[i];
		bool here = i == f->focus;

		if (d->hidden)
			continue;
		struct mv_rect line = mv_cut_top(in, 1);
		int col = line.col + 13;

		mv_text(&a->canvas, line.row, line.col, here ? ST_POPUP_TITLE : ST_POPUP, d->label);
		if (d->kind == FIELD_CHOICE) {
			draw_choice(a, d, line.row, col, here);
			continue;
		}
		int cursor = mv_line_draw(&d->line, &a->canvas, line.row, col, 24,
					  here ? ST_SELECT : ST_INPUT);
		if (here) {
			a->cursor_row = line.row;
			a->cursor_col = cursor;
		}
		mv_text_fit(&a->canvas, line.row, col + 26, line.cols - 39, false, ST_POPUP,
			    d->hint);
	}
}

static void draw_verdict(struct form *f, struct mv_rect in)
{
	static const enum mv_style styles[] = {
		[VERDICT_EDITING] = ST_POPUP_DIM, [VERDICT_WRONG] = ST_POPUP_WARN,
		[VERDICT_WAITING] = ST_POPUP_DIM, [VERDICT_GOOD] = ST_POPUP_GOOD,
		[VERDICT_REFUSED] = ST_POPUP_BAD,
	};
	const char *text = f->preview;

	if (f->verdict == VERDICT_EDITING)
		text = "...";
	else if (f->verdict == VERDICT_WAITING)
		text = "asking the kernel what would happen ...";
	else if (f->act.state == ASK_WAITING)
		text = "done as soon as the kernel answers ...";
	mv_wrap(&f->popup.app->canvas, in, styles[f->verdict], text);
}

static void form_draw(struct mv_popup *p, struct mv_rect screen)
{
	struct form *f = (struct form *)p;
	struct mv_app *a = p->app;
	int fields = 0;
	char foot[160];

	for (int i = 0; i < f->count; i++)
		fields += !f->field[i].hidden;
	struct mv_rect r = mv_center(screen, fields + 12, 76);

	mv_fill(&a->canvas, mv_rect(r.row, r.col - 1, r.rows, r.cols + 2), L' ', ST_POPUP);
	struct mv_rect in = mv_box(&a->canvas, r, ST_POPUP, ST_POPUP_TITLE, f->ops->title);

	mv_cut_left(&in, 2);
	mv_cut_right(&in, 2);
	mv_cut_top(&in, 1);
	draw_fields(f, &in);
	struct mv_rect line = mv_cut_bottom(&in, 1);

	snprintf(foot, sizeof(foot), "%s%s%sTab: next field   Left Right: choose   Esc: leave",
		 f->verdict == VERDICT_GOOD ? "Enter: " : "",
		 f->verdict == VERDICT_GOOD ? f->ops->verb : "",
		 f->verdict == VERDICT_GOOD ? "   " : "");
	mv_text_fit(&a->canvas, line.row, line.col, line.cols, false, ST_POPUP, foot);
	mv_cut_top(&in, 1);
	line = mv_cut_top(&in, 1);
	mv_text(&a->canvas, line.row, line.col, ST_POPUP_TITLE, "Dry run");
	draw_verdict(f, in);
}

static struct form *form_new(struct mv_app *a, const struct form_ops *ops)
{
	static const struct mv_popup_ops popup_ops = {
		.draw = form_draw, .key = form_key, .tick = form_tick, .close = form_close};
	struct form *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->popup.ops = &popup_ops;
	mv_app_popup(a, &f->popup);
	return f;
}

static void form_ready(struct form *f)
{
	if (f->ops->changed)
		f->ops->changed(f);
	start_dry(f);
}

static void format_thing_addr(char *out, size_t size, uint64_t addr)
{
	if (addr)
		mv_format_addr(addr, out, size);
	else
		*out = '\0';
}

/* ---- a: allocate ---- */

enum { A_WHAT, A_SIZE, A_ZERO, A_ZONE, A_NUM, A_FLAG };
static const char *const alloc_whats[] = {"an object (kmalloc)", "frames (alloc_pages)", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const zones[] = {"ZONE_DMA", "ZONE_NORMAL", "ZONE_UNMAPPED_IN_PGT", NULL};
static const char *const frame_flags[] = {"none",	 "PAGE_SHARED",	     "PAGE_KERNEL",
					  "PAGE_DEVICE", "PAGE_KERNEL_INIT", NULL};

static uint64_t class_of(uint64_t size)
{
	uint64_t c = 32;

	while (c < size)
		c *= 2;
	return c;
}

/* kmalloc has no dry run: the model tells which class serves it and whether a slab is at hand. */
static bool preview_object(struct form *f, uint64_t size)
{
	char class_text[32];
	uint64_t class = class_of(size);

	if (size > 1u << 20) {
		snprintf(f->preview, sizeof(f->preview),
			 "kmalloc gives at most 1 MiB; frames come from alloc_pages");
		return false;
	}
	const struct mv_cache *c = mv_model_cache(f->popup.app->live, class);

	mv_format_size(class, class_text, sizeof(class_text));
	if (c && c->free)
		snprintf(f->preview, sizeof(f->preview),
			 "Would take one object of class %s. %llu of its %llu objects are free: no "
			 "new "
			 "slab needed.",
			 class_text, (unsigned long long)c->free, (unsigned long long)c->objects);
	else
		snprintf(f->preview, sizeof(f->preview),
			 "Would take one object of class %s. None is free: the class would grow by "
			 "a "
			 "slab.",
			 class_text);
	return true;
}

static bool build_object(struct form *f, bool dry, const char **method, struct json_object **params)
{
	uint64_t size;

	if (!get_size(f, A_SIZE, &size) || !preview_object(f, size))
		return false;
	if (dry)
		return true;
	*method = "mm.kmalloc";
	*params = json_object_new_object();
	json_object_object_add(*params, "size", json_object_new_int64((int64_t)size));
	if (f->field[A_ZERO].choice)
		json_object_object_add(*params, "zero", json_object_new_boolean(true));
	return true;
}

static bool build_frames(struct form *f, bool dry, const char **method, struct json_object **params)
{
	uint64_t num;
	struct json_object *flags = json_object_new_array();

	*method = "mm.alloc_pages";
	*params = json_object_new_object();
	json_object_object_add(*params, "flags", flags);
	if (!mv_parse_size(f->field[A_NUM].line.text, &num) || num < 1 || num > 63)
		return wrong(f, A_NUM, "a number of frames from 1 to 63");
	json_object_object_add(*params, "zone",
			       json_object_new_string(zones[f->field[A_ZONE].choice]));
	json_object_object_add(*params, "num", json_object_new_int64((int64_t)num));
	if (f->field[A_FLAG].choice)
		json_object_array_add(flags,
				      json_object_new_string(frame_flags[f->field[A_FLAG].choice]));
	if (dry)
		json_object_object_add(*params, "dry_run", json_object_new_boolean(true));
	return true;
}

static bool alloc_build(struct form *f, bool dry, const char **method, struct json_object **params)
{
	return f->field[A_WHAT].choice == 0 ? build_object(f, dry, method, params)
					    : build_frames(f, dry, method, params);
}

static enum verdict alloc_judge(struct form *f, struct json_object *result)
{
	uint64_t pa = mv_get_addr(result, "pa", 0), va = mv_get_addr(result, "va", 0);
	long long num = mv_get_int(result, "num", 0);
	char size[32], where[40] = "";

	mv_format_size((uint64_t)num * MV_FRAME_BYTES, size, sizeof(size));
	if (va)
		snprintf(where, sizeof(where), ", at 0x%llx", (unsigned long long)va);
	snprintf(f->preview, sizeof(f->preview),
		 "Would take %lld contiguous %s, %s, from physical 0x%llx%s.", num,
		 num == 1 ? "frame" : "frames", size, (unsigned long long)pa,
		 va ? where : ", with no kernel address until mapped");
	return VERDICT_GOOD;
}

static void alloc_result(struct form *f, struct json_object *result, char *out, size_t size)
{
	char bytes[32];

	if (f->field[A_WHAT].choice == 0) {
		uint64_t n = (uint64_t)mv_get_int(result, "size", 0);

		snprintf(out, size, "kmalloc gave %s, an object of %s",
			 mv_get_text(result, "addr", "?"), mv_format_size(n, bytes, sizeof(bytes)));
	} else {
		snprintf(out, size, "alloc_pages gave %lld frames at physical %s",
			 (long long)mv_get_int(result, "num", 0), mv_get_text(result, "pa", "?"));
	}
}

static void alloc_changed(struct form *f)
{
	bool frames = f->field[A_WHAT].choice == 1;

	f->field[A_SIZE].hidden = f->field[A_ZERO].hidden = frames;
	f->field[A_ZONE].hidden = f->field[A_NUM].hidden = f->field[A_FLAG].hidden = !frames;
}

void mv_form_alloc(struct mv_app *a, const struct mv_thing *t)
{
	static const struct form_ops ops = {.title = "Allocate",
					    .verb = "allocate",
					    .build = alloc_build,
					    .judge = alloc_judge,
					    .done = alloc_result,
					    .changed = alloc_changed};
	struct form *f = form_new(a, &ops);
	char size[32] = "80";

	if (!f)
		return;
	if (t->kind == THING_CLASS || t->kind == THING_SLAB)
		snprintf(size, sizeof(size), "%llu", (unsigned long long)t->size);
	add_choice(f, "What", alloc_whats, t->kind == THING_FRAME, NULL);
	add_text(f, "Size", size, "bytes, or 4K, 1M");
	add_choice(f, "Zeroed", no_yes, 0, NULL);
	add_choice(f, "Zone", zones, 1, NULL);
	add_text(f, "Frames", "1", "1 to 63, of 2 MiB each");
	add_choice(f, "Attribute", frame_flags, 0, NULL);
	form_ready(f);
}

/* ---- m: map ---- */

enum { M_VA, M_PA, M_LEN, M_FLAGS, M_PAGES, M_SPACE };
static const char *const page_kinds[] = {"the largest that fit", "4 KiB", NULL};

static bool map_build(struct form *f, bool dry, const char **method, struct json_object **params)
{
	uint64_t va, pa, len;
	uint8_t flags;
	char letters[9];

	*method = "mm.map";
	*params = json_object_new_object();
	if (!get_addr(f, M_VA, &va) || !get_addr(f, M_PA, &pa) || !get_size(f, M_LEN, &len))
		return false;
	if (!mv_map_flags_parse(f->field[M_FLAGS].line.text, &flags))
		return wrong(f, M_FLAGS, "made of the letters w x u g t c");
	mv_map_flags_text(flags, false, letters);
	json_object_object_add(*params, "va", mv_new_addr(va));
	json_object_object_add(*params, "pa", mv_new_addr(pa));
	json_object_object_add(*params, "len", json_object_new_int64((int64_t)len));
	json_object_object_add(*params, "flags", json_object_new_string(letters));
	if (f->field[M_PAGES].choice)
		json_object_object_add(*params, "use4k", json_object_new_boolean(true));
	if (dry)
		json_object_object_add(*params, "dry_run", json_object_new_boolean(true));
	return put_space(f, M_SPACE, *params);
}

static enum verdict map_judge(struct form *f, struct json_object *result)
{
	snprintf(f->preview, sizeof(f->preview),
		 "Would write %lld entries and take %lld new tables.",
		 (long long)mv_get_int(result, "entries", 0),
		 (long long)mv_get_int(result, "tables", 0));
	return VERDICT_GOOD;
}

static void map_result(struct form *f, struct json_object *result, char *out, size_t size)
{
	snprintf(out, size, "Mapped %s at %s: %lld entries, %lld new tables",
		 f->field[M_PA].line.text, f->field[M_VA].line.text,
		 (long long)mv_get_int(result, "entries", 0),
		 (long long)mv_get_int(result, "tables", 0));
}

static void space_text(const struct mv_thing *t, char *out, size_t size)
{
	if (t->kind == THING_MAPPING && t->space >= 0)
		snprintf(out, size, "%lld", (long long)t->space);
	else
		*out = '\0';
}

void mv_form_map(struct mv_app *a, const struct mv_thing *t)
{
	static const struct form_ops ops = {.title = "Map physical memory",
					    .verb = "map",
					    .build = map_build,
					    .judge = map_judge,
					    .done = map_result};
	struct form *f = form_new(a, &ops);
	char pa[32], space[24];

	if (!f)
		return;
	format_thing_addr(pa, sizeof(pa), t->pa);
	space_text(t, space, sizeof(space));
	add_text(f, "Virtual", "", "where it shall appear");
	add_text(f, "Physical", pa, "what shall appear there");
	add_text(f, "Length", "2M", "bytes, or 4K, 2M");
	add_text(f, "Rights", "w", "w write x execute u user");
	add_choice(f, "Pages", page_kinds, 0, NULL);
	add_text(f, "Space", space, "number; empty: current");
	form_ready(f);
}

/* ---- u: unmap ---- */

enum { U_VA, U_LEN, U_SPACE };

static bool unmap_build(struct form *f, bool dry, const char **method, struct json_object **params)
{
	uint64_t va, len;

	*method = "mm.unmap";
	*params = json_object_new_object();
	if (!get_addr(f, U_VA, &va) || !get_size(f, U_LEN, &len))
		return false;
	json_object_object_add(*params, "va", mv_new_addr(va));
	json_object_object_add(*params, "len", json_object_new_int64((int64_t)len));
	if (dry)
		json_object_object_add(*params, "dry_run", json_object_new_boolean(true));
	return put_space(f, U_SPACE, *params);
}

static enum verdict unmap_judge(struct form *f, struct json_object *result)
{
	long long entries = mv_get_int(result, "entries", 0);
	long long split = mv_get_int(result, "split", 0);

	if (!entries) {
		snprintf(f->preview, sizeof(f->preview), "Nothing is mapped there.");
		return VERDICT_WRONG;
	}
	snprintf(f->preview, sizeof(f->preview),
		 "Would clear %lld entries and free %lld tables; %lld larger pages would be split. "
		 "No "
		 "data frame is freed.",
		 entries, (long long)mv_get_int(result, "tables", 0), split);
	return VERDICT_GOOD;
}

static void unmap_result(struct form *f, struct json_object *result, char *out, size_t size)
{
	snprintf(out, size, "Unmapped %s: %lld entries, %lld tables freed",
		 f->field[U_VA].line.text, (long long)mv_get_int(result, "entries", 0),
		 (long long)mv_get_int(result, "tables", 0));
}

void mv_form_unmap(struct mv_app *a, const struct mv_thing *t)
{
	static const struct form_ops ops = {.title = "Unmap",
					    .verb = "unmap",
					    .build = unmap_build,
					    .judge = unmap_judge,
					    .done = unmap_result};
	struct form *f = form_new(a, &ops);
	char va[32] = "", len[32] = "4K", space[24];

	if (!f)
		return;
	if (t->kind == THING_MAPPING) {
		mv_format_addr(t->va, va, sizeof(va));
		snprintf(len, sizeof(len), "0x%llx", (unsigned long long)t->len);
	}
	space_text(t, space, sizeof(space));
	add_text(f, "Virtual", va, "where to begin");
	add_text(f, "Length", len, "bytes, or 4K, 2M");
	add_text(f, "Space", space, "number; empty: current");
	form_ready(f);
}

/* ---- d: free ---- */

enum { D_WHAT, D_ADDR, D_NUM };
static const char *const free_whats[] = {"an object (kfree)", "frames (free_pages)", NULL};

static bool free_build(struct form *f, bool dry, const char **method, struct json_object **params)
{
	bool frames = f->field[D_WHAT].choice == 1;
	uint64_t addr, num = 1;

	*params = json_object_new_object();
	*method = dry ? frames ? "mm.rmap" : "mm.object" : frames ? "mm.free_pages" : "mm.kfree";
	if (!get_addr(f, D_ADDR, &addr))
		return false;
	json_object_object_add(*params, frames ? "pa" : "addr", mv_new_addr(addr));
	if (!frames)
		return true;
	if (!mv_parse_size(f->field[D_NUM].line.text, &num) || num < 1 || num > 63)
		return wrong(f, D_NUM, "a number of frames from 1 to 63");
	if (dry)
		json_object_object_add(*params, "len",
				       json_object_new_int64((int64_t)(num * MV_FRAME_BYTES)));
	else
		json_object_object_add(*params, "num", json_object_new_int64((int64_t)num));
	return true;
}

static enum verdict judge_object(struct form *f, struct json_object *o)
{
	const char *kind = mv_get_text(o, "kind", "none"), *state = mv_get_text(o, "state", "");
	const char *base = mv_get_text(o, "base", "?"), *addr = f->field[D_ADDR].line.text;
	uint64_t given = 0, start = mv_get_addr(o, "base", 0);
	char size[32], age[32], safe[80];
	int64_t age_us = mv_get_int(o, "age_us", -1);

	mv_parse_addr(addr, &given);
	mv_format_size((uint64_t)mv_get_int(o, "size", 0), size, sizeof(size));
	if (strcmp(kind, "slab") != 0) {
		snprintf(f->preview, sizeof(f->preview), "%s is no object of kmalloc: kind %s.",
			 addr, mv_format_safe(kind, safe, sizeof(safe)));
		return VERDICT_REFUSED;
	}
	if (strcmp(state, "used") != 0) {
		snprintf(f->preview, sizeof(f->preview), "%s is free already (class %s).", base,
			 size);
		return VERDICT_REFUSED;
	}
	if (given != start) {
		snprintf(f->preview, sizeof(f->preview),
			 "%s lies inside the object at %s (%s). Only its beginning can be freed.",
			 addr, base, size);
		return VERDICT_REFUSED;
	}
	mv_format_duration(age_us > 0 ? (uint64_t)age_us : 0, age, sizeof(age));
	snprintf(f->preview, sizeof(f->preview), "Would free the object of %s at %s%s%s%s%s.", size,
		 base, mv_get_text(o, "site", NULL) ? ", held by " : "",
		 mv_format_safe(mv_get_text(o, "site", ""), safe, sizeof(safe)),
		 age_us >= 0 ? " for " : "", age_us >= 0 ? age : "");
	return VERDICT_GOOD;
}

/* Ranges of an mm.rmap answer, but for the direct map, which leads to every frame. */
static size_t maps_beside_direct(struct json_object *o)
{
	size_t n = 0;

	for (size_t i = 0; i < mv_get_count(o, "runs"); i++) {
		uint64_t va = mv_get_addr(mv_get_item(o, "runs", i), "va", 0);

		n += !mv_in_direct_map(va);
	}
	return n;
}

static enum verdict judge_frames(struct form *f, struct json_object *o)
{
	uint64_t pa = 0, num = 1, counts[KIND_COUNT], ours;
	size_t maps = maps_beside_direct(o);
	char size[32];

	mv_parse_addr(f->field[D_ADDR].line.text, &pa);
	mv_parse_size(f->field[D_NUM].line.text, &num);
	mv_kind_count(f->popup.app->live, pa / MV_FRAME_BYTES, num, counts);
	ours = counts[KIND_ALLOCATED] + counts[KIND_SHARED];
	if (ours != num) {
		snprintf(f->preview, sizeof(f->preview),
			 "Only allocated frames can be freed: of these %llu, %llu are allocated, "
			 "%llu "
			 "free, %llu slab, %llu kernel.",
			 (unsigned long long)num, (unsigned long long)ours,
			 (unsigned long long)counts[KIND_FREE],
			 (unsigned long long)counts[KIND_SLAB],
			 (unsigned long long)counts[KIND_KERNEL]);
		return VERDICT_REFUSED;
	}
	mv_format_size(num * MV_FRAME_BYTES, size, sizeof(size));
	snprintf(f->preview, sizeof(f->preview),
		 "Would free %llu %s (%s) in %s. Beside the direct map, %zu mapped %s into it%s",
		 (unsigned long long)num, num == 1 ? "frame" : "frames", size,
		 mv_zone_name(f->popup.app->live, pa), maps,
		 maps == 1 ? "range leads" : "ranges lead",
		 maps > 1 ? ": whoever uses those would see memory of others." : ".");
	return VERDICT_GOOD;
}

static enum verdict free_judge(struct form *f, struct json_object *result)
{
	return f->field[D_WHAT].choice == 1 ? judge_frames(f, result) : judge_object(f, result);
}

static void free_result(struct form *f, struct json_object *result, char *out, size_t size)
{
	char bytes[32];

	if (f->field[D_WHAT].choice == 1)
		snprintf(out, size, "Freed %lld frames at %s",
			 (long long)mv_get_int(result, "num", 0), f->field[D_ADDR].line.text);
	else
		snprintf(out, size, "Freed %s, %s", f->field[D_ADDR].line.text,
			 mv_format_size((uint64_t)mv_get_int(result, "size", 0), bytes,
					sizeof(bytes)));
}

static void free_changed(struct form *f)
{
	f->field[D_NUM].hidden = f->field[D_WHAT].choice == 0;
}

void mv_form_free(struct mv_app *a, const struct mv_thing *t)
{
	static const struct form_ops ops = {.title = "Free",
					    .verb = "free",
					    .build = free_build,
					    .judge = free_judge,
					    .done = free_result,
					    .changed = free_changed};
	struct form *f = form_new(a, &ops);
	bool frame = t->kind == THING_FRAME;
	char addr[32], num[24];
	uint64_t count = frame && t->len >= MV_FRAME_BYTES ? t->len / MV_FRAME_BYTES : 1;

	if (!f)
		return;
	format_thing_addr(addr, sizeof(addr), frame ? t->pa : t->kind == THING_OBJECT ? t->va : 0);
	snprintf(num, sizeof(num), "%llu", (unsigned long long)(count > 63 ? 63 : count));
	add_choice(f, "What", free_whats, frame, NULL);
	add_text(f, "Address", addr, frame ? "physical" : "what kmalloc gave");
	add_text(f, "Frames", num, "1 to 63, of 2 MiB each");
	f->focus = 1;
	form_ready(f);
}
