// SPDX-License-Identifier: MIT
/* Screen 4: what is mapped where, as the tree of tables or as a list of ranges. */
#include "app.h"
#include "glyph.h"
#include "pagetree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_LIST     20000
#define LONG_PAUSE_US 1000000

struct tables {
	struct mv_view view;
	int64_t space; /* id; -1: the current one */
	bool list;
	struct mv_tree tree;
	struct mv_table table; /* of the list */
	size_t at, top;	       /* of the tree */
	int page;
	struct mv_rect drawn;
	uint8_t *marks;
	size_t mark_count, mark_capacity;
	size_t wx, user_kernel, aliases;
	uint64_t rev, marked_us;
	const struct mv_model *marked_model;
	int64_t marked_space;
};

static struct tables *self(struct mv_view *v)
{
	return (struct tables *)v;
}

static const struct mv_space *shown_space(struct mv_view *v)
{
	const struct mv_model *m = v->app->model;
	const struct mv_space *s = self(v)->space >= 0 ? mv_model_space(m, self(v)->space) : NULL;

	if (!s)
		s = mv_model_current_space(m);
	return s ? s : m->space_count ? &m->spaces[0] : NULL;
}

/* Marks and tree follow the model; both are costly on big spaces, so only when it has moved. */
static void follow(struct mv_view *v)
{
	struct tables *t = self(v);
	const struct mv_model *m = v->app->model;
	const struct mv_space *s = shown_space(v);

	bool same = m == t->marked_model && s && t->marked_space == s->id;
	bool long_one = s && s->map_count > LONG_LIST &&
			v->app->now_us - t->marked_us < LONG_PAUSE_US;

	/* The marks of a very long list lag by a second at most; its rows are always right. */
	if (!s || (same && (m->rev[MV_PART_MAPPINGS] == t->rev ||
			    (long_one && s->map_count == t->mark_count))))
		return;
	t->marked_us = v->app->now_us;
	if (s->map_count > t->mark_capacity) {
		uint8_t *marks = realloc(t->marks, s->map_count);

		if (!marks)
			return;
		t->marks = marks;
		t->mark_capacity = s->map_count;
	}
	t->mark_count = s->map_count;
	if (!mv_mapping_marks(m, s, t->marks))
		return;
	t->wx = t->user_kernel = t->aliases = 0;
	for (size_t i = 0; i < t->mark_count; i++) {
		t->wx += (t->marks[i] & MARK_WX) != 0;
		t->user_kernel += (t->marks[i] & MARK_USER_KERNEL) != 0;
		t->aliases += (t->marks[i] & MARK_ALIAS) != 0;
	}
	t->rev = m->rev[MV_PART_MAPPINGS];
	t->marked_model = m;
	if (t->marked_space != s->id && !t->tree.opened_count && s->map_count)
		mv_tree_open_top(&t->tree, s);
	else
		mv_tree_build(&t->tree, s);
	t->marked_space = s->id;
}

static void mark_words(uint8_t mark, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", mark & MARK_WX ? "W+X " : "",
		 mark & MARK_USER_KERNEL ? "USER>KERNEL " : "", mark & MARK_ALIAS ? "alias" : "");
}

static enum mv_style mark_style(uint8_t mark)
{
	return mark & (MARK_WX | MARK_USER_KERNEL) ? ST_BAD : ST_T_SHARED;
}

static const char *region(uint64_t va)
{
	if (va < 0x0000800000000000ull)
		return "user";
	if (va < 0xffffa00000000000ull)
		return "direct map";
	if (va < 0xffffffff80000000ull)
		return "kernel window";
	return "image";
}

/* ---- the list ---- */

enum { R_VA, R_LEN, R_PAGES, R_PA, R_FLAGS, R_REGION, R_MARK };
/* clang-format off */
static const struct mv_column range_columns[] = {
	[R_VA] = {.title = "VIRTUAL", .width = 18, .up_first = true},
	[R_LEN] = {.title = "LENGTH", .width = 10, .right = true},
	[R_PAGES] = {.title = "PAGES", .width = 14, .right = true, .priority = 2},
	[R_PA] = {.title = "PHYSICAL", .width = 14, .up_first = true},
	[R_FLAGS] = {.title = "RIGHTS", .width = 6, .by_text = true},
	[R_REGION] = {.title = "REGION", .width = 13, .by_text = true, .priority = 3},
	[R_MARK] = {.title = "MARKS", .width = 11, .flexible = true, .priority = 1},
};
/* clang-format on */

static const struct mv_mapping *range(void *ctx, size_t i)
{
	const struct mv_space *s = shown_space(ctx);

	return &s->maps[i];
}

static void range_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	const struct mv_mapping *m = range(ctx, i);
	struct tables *t = self(ctx);
	char letters[9], page[32];

	*out = '\0';
	switch (col) {
	case R_VA:
		mv_format_addr(m->va, out, size);
		break;
	case R_LEN:
		mv_format_size(m->len, out, size);
		break;
	case R_PAGES:
		snprintf(out, size, "%llu x %s", (unsigned long long)(m->len / mv_mapping_page(m)),
			 mv_format_size(mv_mapping_page(m), page, sizeof(page)));
		break;
	case R_PA:
		snprintf(out, size, "0x%llx", (unsigned long long)m->pa);
		break;
	case R_FLAGS:
		mv_map_flags_text(m->flags, false, letters);
		snprintf(out, size, "%s", letters);
		break;
	case R_REGION:
		snprintf(out, size, "%s", region(m->va));
		break;
	default:
		if (i < t->mark_count)
			mark_words(t->marks[i], out, size);
	}
}

static double range_key(void *ctx, size_t i, int col)
{
	const struct mv_mapping *m = range(ctx, i);
	struct tables *t = self(ctx);

	switch (col) {
	case R_VA:
		return (double)(m->va & 0xffffffffffff);
	case R_LEN:
		return (double)m->len;
	case R_PAGES:
		return (double)m->len / (double)mv_mapping_page(m);
	case R_PA:
		return (double)m->pa;
	default:
		return i < t->mark_count ? t->marks[i] : 0;
	}
}

static enum mv_style range_style(void *ctx, size_t i, int col)
{
	struct tables *t = self(ctx);
	uint8_t mark = i < t->mark_count ? t->marks[i] : 0;

	if (col == R_MARK || (col == R_FLAGS && (mark & (MARK_WX | MARK_USER_KERNEL))))
		return mark_style(mark);
	return col == R_VA || col == R_PA ? ST_ADDR : col == R_REGION ? ST_DIM : ST_TEXT;
}

static uint64_t range_id(void *ctx, size_t i)
{
	return range(ctx, i)->va;
}

static struct mv_rows range_rows(struct mv_view *v)
{
	const struct mv_space *s = shown_space(v);

	/* A frozen or live model, a space, a change: each makes another list. */
	uint64_t version = (v->app->model->rev[MV_PART_MAPPINGS] << 10) +
			   (uint64_t)(s ? s->id : 0) * 2 + (v->app->frozen != NULL) + 1;

	return (struct mv_rows){.ctx = v,
				.version = version,
				.count = s ? s->map_count : 0,
				.text = range_text,
				.key = range_key,
				.style = range_style,
				.id = range_id};
}

static struct mv_table *table(struct mv_view *v, struct mv_rows *rows)
{
	*rows = range_rows(v);
	return self(v)->list ? &self(v)->table : NULL;
}

/* ---- the tree ---- */

static void row_label(const struct mv_app *a, const struct mv_tree_row *row, char *out, size_t size)
{
	const char *sign = row->leaf ? " "
				     : mv_glyph_str(row->open ? GL_OPEN : GL_CLOSED, a->ascii);
	char index[24];

	if (row->first == row->last)
		snprintf(index, sizeof(index), "%u", row->first);
	else
		snprintf(index, sizeof(index), "%u..%u", row->first, row->last);
	snprintf(out, size, "%*s%s %s[%s]", (4 - row->level) * 2, "", sign,
		 mv_level_names[row->level], index);
}

static void row_words(struct tables *t, const struct mv_space *s, const struct mv_tree_row *row,
		      char *out, size_t size)
{
	char bytes[32], page[32];

	if (row->leaf) {
		const struct mv_mapping *m = &s->maps[row->run];
		uint64_t pa = m->pa + (row->va - m->va);

		snprintf(out, size, "%s 0x%llx  %llu x %s",
			 mv_glyph_str(GL_RIGHT, t->view.app->ascii), (unsigned long long)pa,
			 (unsigned long long)(row->len / mv_mapping_page(m)),
			 mv_format_size(mv_mapping_page(m), page, sizeof(page)));
	} else {
		snprintf(out, size, "%s mapped in %zu %s",
			 mv_format_size(row->mapped_bytes, bytes, sizeof(bytes)), row->runs,
			 row->runs == 1 ? "run" : "runs");
	}
}

/* A right that only some of the leaves have is in brackets' stead in lower contrast: '+'. */
static void row_rights(const struct mv_tree_row *row, char out[9])
{
	char some[9];

	mv_map_flags_text(row->all, false, out);
	mv_map_flags_text(row->any, false, some);
	for (int i = 0; i < 6; i++)
		if (out[i] == '-' && some[i] != '-')
			out[i] = '+';
}

static void draw_tree_row(struct tables *t, const struct mv_space *s, struct mv_rect line, size_t i)
{
	struct mv_app *a = t->view.app;
	const struct mv_tree_row *row = &t->tree.row[i];
	bool here = i == t->at;
	char text[96], rights[9];
	uint8_t mark = row->leaf && row->run < t->mark_count ? t->marks[row->run] : 0;
	int col = line.col, label = 24;

	if (here)
		mv_fill(&a->canvas, line, L' ', ST_SELECT);
	row_label(a, row, text, sizeof(text));
	mv_text_fit(&a->canvas, line.row, col, label, false,
		    here	? ST_SELECT
		    : row->leaf ? ST_TEXT
				: ST_STRONG,
		    text);
	col += label + 1;
	mv_format_addr(row->va, text, sizeof(text));
	mv_text(&a->canvas, line.row, col, here ? ST_SELECT : ST_ADDR, text);
	col += 20;
	row_rights(row, rights);
	mv_text(&a->canvas, line.row, col,
		here	    ? ST_SELECT
		: row->leaf ? ST_STRONG
			    : ST_DIM,
		rights);
	col += 8;
	row_words(t, s, row, text, sizeof(text));
	col = mv_text(&a->canvas, line.row, col,
		      here	  ? ST_SELECT
		      : row->leaf ? ST_TEXT
				  : ST_DIM,
		      text) +
	      2;
	mark_words(mark, text, sizeof(text));
	mv_text(&a->canvas, line.row, col, here ? ST_SELECT : mark_style(mark), text);
}

static void draw_tree(struct tables *t, const struct mv_space *s, struct mv_rect r)
{
	struct mv_app *a = t->view.app;
	struct mv_rect head = mv_cut_top(&r, 1);

	mv_text(&a->canvas, head.row, head.col, ST_TITLE, "  TABLE");
	mv_text(&a->canvas, head.row, head.col + 25, ST_TITLE, "VIRTUAL");
	mv_text(&a->canvas, head.row, head.col + 45, ST_TITLE, "RIGHTS");
	mv_text(&a->canvas, head.row, head.col + 53, ST_TITLE, "LEADS TO");
	t->page = r.rows;
	t->drawn = r;
	if (t->at >= t->tree.count)
		t->at = t->tree.count ? t->tree.count - 1 : 0;
	if (t->at < t->top)
		t->top = t->at;
	if (r.rows > 0 && t->at >= t->top + (size_t)r.rows)
		t->top = t->at - (size_t)r.rows + 1;
	for (size_t i = t->top; i < t->tree.count && r.rows > 0; i++)
		draw_tree_row(t, s, mv_cut_top(&r, 1), i);
}

static bool move_tree(struct tables *t, long by)
{
	long at = (long)t->at + by, last = t->tree.count ? (long)t->tree.count - 1 : 0;

	t->at = (size_t)(at < 0 ? 0 : at > last ? last : at);
	return true;
}

static bool fold(struct mv_view *v, bool open)
{
	struct tables *t = self(v);

	if (t->at >= t->tree.count)
		return true;
	struct mv_tree_row row = t->tree.row[t->at];

	if (!open && (row.leaf || !row.open)) {
		t->at = mv_tree_parent(&t->tree, t->at);
		return true;
	}
	if (row.leaf || row.open == open)
		return true;
	mv_tree_set(&t->tree, &row, open);
	mv_tree_build(&t->tree, shown_space(v));
	return true;
}

/* ---- the whole ---- */

static int count_style(struct mv_app *a, int row, int col, const char *label, size_t n,
		       enum mv_style bad)
{
	return mv_textf(&a->canvas, row, col, n ? bad : ST_DIM, "%s %zu   ", label, n);
}

static void draw_head(struct mv_view *v, const struct mv_space *s, struct mv_rect r)
{
	struct tables *t = self(v);
	struct mv_app *a = v->app;
	char bytes[32];
	int col = mv_textf(&a->canvas, r.row, r.col + 1, ST_STRONG, "Space %lld %s",
			   (long long)s->id, s->name);

	mv_textf(&a->canvas, r.row, col, ST_TEXT,
		 "%s: root 0x%llx, %llu tables, %s mapped in %zu runs; %zu %s in all",
		 s->current ? " (current)" : "", (unsigned long long)s->root,
		 (unsigned long long)s->tables,
		 mv_format_size(s->mapped_bytes, bytes, sizeof(bytes)), s->map_count,
		 a->model->space_count, a->model->space_count == 1 ? "space" : "spaces");
	if (r.rows < 2)
		return;
	col = count_style(a, r.row + 1, r.col + 1, "writable and executable", t->wx, ST_BAD);
	col = count_style(a, r.row + 1, col, "user-reachable kernel", t->user_kernel, ST_BAD);
	col = count_style(a, r.row + 1, col, "aliases", t->aliases, ST_T_SHARED);
	if (r.cols - col > 36)
		mv_text(&a->canvas, r.row + 1, col, ST_DIM,
			"w write x exec u user g global t c cache; + some");
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct tables *t = self(v);
	struct mv_app *a = v->app;
	const struct mv_space *s = shown_space(v);

	if (!s) {
		mv_waiting(a, r, "the address spaces");
		return;
	}
	follow(v);
	draw_head(v, s, mv_cut_top(&r, 2));
	mv_cut_left(&r, 1);
	mv_cut_right(&r, 1);
	if (!s->map_count) {
		mv_note(a, r,
			s->mappings_known ? "This space has no mapping of its own; it shares the "
					    "kernel's half of space 0."
					  : "Waiting for its mappings.");
	} else if (t->list) {
		struct mv_rows rows = range_rows(v);

		mv_table_update(&t->table, &rows);
		mv_table_draw(&t->table, &rows, &a->canvas, r);
	} else {
		draw_tree(t, s, r);
	}
}

static bool next_space(struct mv_view *v)
{
	struct tables *t = self(v);
	const struct mv_model *m = v->app->model;
	const struct mv_space *s = shown_space(v);

	for (size_t i = 0; s && i < m->space_count; i++)
		if (m->spaces[i].id == s->id) {
			t->space = m->spaces[(i + 1) % m->space_count].id;
			t->at = t->top = 0;
			break;
		}
	return true;
}

static bool act_tree(struct mv_view *v, enum mv_action a)
{
	struct tables *t = self(v);
	long page = t->page > 1 ? t->page - 1 : 1;

	switch (a) {
	case ACT_UP:
		return move_tree(t, -1);
	case ACT_DOWN:
		return move_tree(t, 1);
	case ACT_PAGE_UP:
		return move_tree(t, -page);
	case ACT_PAGE_DOWN:
		return move_tree(t, page);
	case ACT_HOME:
		return move_tree(t, -(long)t->tree.count);
	case ACT_END:
		return move_tree(t, (long)t->tree.count);
	case ACT_LEFT:
		return fold(v, false);
	case ACT_RIGHT:
		return fold(v, true);
	case ACT_OPEN:
		if (t->at < t->tree.count && !t->tree.row[t->at].leaf)
			return fold(v, !t->tree.row[t->at].open);
		return false;
	default:
		return false;
	}
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct tables *t = self(v);

	if (a == ACT_SPACE_NEXT)
		return next_space(v);
	if (a == ACT_VIEW) {
		t->list = !t->list;
		return true;
	}
	return t->list ? false : act_tree(v, a);
}

static bool click(struct mv_view *v, int row, int col)
{
	struct tables *t = self(v);
	struct mv_rows rows = range_rows(v);

	if (t->list)
		return mv_table_click(&t->table, &rows, row, col);
	size_t at = t->top + (size_t)(row - t->drawn.row);

	if (!mv_inside(t->drawn, row, col) || at >= t->tree.count)
		return false;
	t->at = at;
	return true;
}

static struct mv_thing thing(struct mv_view *v)
{
	struct tables *t = self(v);
	const struct mv_space *s = shown_space(v);
	size_t run = SIZE_MAX;

	if (s && t->list)
		run = mv_table_current(&t->table);
	else if (s && t->at < t->tree.count && t->tree.row[t->at].leaf)
		run = t->tree.row[t->at].run;
	if (!s || run >= s->map_count)
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_MAPPING,
				 .space = s->id,
				 .va = s->maps[run].va,
				 .pa = s->maps[run].pa,
				 .len = s->maps[run].len};
}

static bool find_space(struct mv_view *v, const char *name)
{
	const struct mv_model *m = v->app->model;

	for (size_t i = 0; i < m->space_count; i++)
		if (!strcasecmp(m->spaces[i].name, name)) {
			self(v)->space = m->spaces[i].id;
			return true;
		}
	return false;
}

static bool find(struct mv_view *v, const char *words, int by)
{
	struct tables *t = self(v);
	const struct mv_space *s = shown_space(v);
	uint64_t va;

	(void)by;
	if (!s)
		return false;
	if (strncmp(words, "0x", 2) != 0 || !mv_parse_addr(words, &va))
		return find_space(v, words);
	const struct mv_mapping *m = mv_space_mapping_at(s, va);

	if (!m)
		return false;
	struct mv_rows rows = range_rows(v);

	mv_table_update(&t->table, &rows);
	mv_table_select_id(&t->table, &rows, m->va);
	mv_tree_open_to(&t->tree, va);
	mv_tree_build(&t->tree, s);
	t->at = mv_tree_row_of(&t->tree, va);
	return true;
}

static void open_tables(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	self(v)->space = self(v)->marked_space = -1;
	/* The runs come by address. */
	mv_table_init(&self(v)->table, range_columns, 7, -1, false);
}

static void close_tables(struct mv_view *v)
{
	struct tables *t = self(v);

	mv_tree_free(&t->tree);
	mv_table_free(&t->table);
	free(t->marks);
}

const struct mv_view_ops mv_tables_ops = {
	.name = "Page tables",
	.context = CTX_TABLES,
	.size = sizeof(struct tables),
	.open = open_tables,
	.close = close_tables,
	.draw = draw,
	.act = act,
	.click = click,
	.thing = thing,
	.find = find,
	.table = table,
};

int64_t mv_tables_space(struct mv_app *a)
{
	struct mv_view *v = a->screen[3];

	while (v && v->ops != &mv_tables_ops)
		v = v->below;
	const struct mv_space *s = v ? shown_space(v) : NULL;

	return s ? s->id : -1;
}
