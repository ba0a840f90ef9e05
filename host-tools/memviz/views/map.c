// SPDX-License-Identifier: MIT
/* Screen 2: every frame of the machine as one picture. */
#include "app.h"
#include "glyph.h"

#include <stdio.h>
#include <string.h>

#define CELL_COLS_MAX 4

struct map {
	struct mv_view view;
	struct mv_grid grid;
	uint64_t at;	   /* frame under the cursor, the first of its cell */
	uint64_t sought;   /* the frame that a search found: closer looks lead to it */
	uint64_t per_cell; /* 0: as fits */
	bool hilbert, placed;
	int cell_cols;	     /* columns of the screen that a cell takes */
	int row, col;	     /* of the cursor, in cells; as drawn */
	struct mv_rect area; /* of the cells */
};

static struct map *self(struct mv_view *v)
{
	return (struct map *)v;
}

/* ---- words about a place ---- */

static void frame_words(const struct mv_model *m, uint64_t frame, char *out, size_t size)
{
	uint64_t pa = frame * MV_FRAME_BYTES;
	const struct mv_frame_run *run = mv_model_frame_at(m, pa);
	enum mv_kind kind = mv_kind_of(run);
	char attr[96];

	if (!run) {
		snprintf(out, size, "unknown: nobody said what is here");
		return;
	}
	mv_frame_attr_text(run->attr, attr, sizeof(attr));
	snprintf(out, size, "%s: %s; %u %s%s%s", mv_kinds[kind].name, mv_kinds[kind].meaning,
		 run->refs, run->refs == 1 ? "reference" : "references", run->attr ? "; " : "",
		 run->attr ? attr : "");
}

static void span_words(const uint64_t counts[KIND_COUNT], uint64_t span, char *out, size_t size)
{
	char bytes[32];
	size_t n = (size_t)snprintf(out, size, "%llu frames, %s:", (unsigned long long)span,
				    mv_format_size(span * MV_FRAME_BYTES, bytes, sizeof(bytes)));

	for (int k = 0; k < KIND_COUNT && n < size; k++)
		if (counts[k])
			n += (size_t)snprintf(out + n, size - n, " %llu %s,",
					      (unsigned long long)counts[k], mv_kinds[k].name);
	if (n < size)
		out[n - 1] = '\0'; /* the last comma */
}

static void draw_words(struct mv_app *a, struct map *p, struct mv_rect r)
{
	char text[320], words[256], total[32], number[32];
	uint64_t span = mv_grid_span(&p->grid, p->row, p->col), pa = p->at * MV_FRAME_BYTES;
	uint64_t counts[KIND_COUNT];
	const char *zone = mv_zone_name(a->model, pa);
	int col;

	snprintf(text, sizeof(text), "0x%09llx", (unsigned long long)pa);
	col = mv_text(&a->canvas, r.row, r.col + 1, ST_STRONG, text);
	snprintf(text, sizeof(text), "  frame %s of %s in %s%s",
		 mv_format_count(p->at, number, sizeof(number)),
		 mv_format_count(p->grid.frames, total, sizeof(total)), zone,
		 p->hilbert ? ", Hilbert order" : "");
	mv_text_fit(&a->canvas, r.row, col, r.cols - col, false, ST_TEXT, text);
	if (r.rows < 2)
		return;
	if (span <= 1) {
		frame_words(a->model, p->at, words, sizeof(words));
	} else {
		mv_kind_count(a->model, p->at, span, counts);
		span_words(counts, span, words, sizeof(words));
	}
	mv_text_fit(&a->canvas, r.row + 1, r.col + 1, r.cols - 2, false, ST_TEXT, words);
}

/* ---- the legend ---- */

static void legend_cell(struct mv_app *a, int row, int col, enum mv_kind k)
{
	mv_put(&a->canvas, row, col, L' ', mv_kinds[k].fill);
	mv_put(&a->canvas, row, col + 1, (wchar_t)mv_kinds[k].letter, mv_kinds[k].fill);
	mv_put(&a->canvas, row, col + 2, L' ', mv_kinds[k].fill);
}

/* One or two lines under the map, for narrow screens. */
static void legend_lines(struct mv_app *a, struct mv_rect r, const uint64_t counts[KIND_COUNT],
			 bool mixed)
{
	int row = r.row, col = r.col + 1;
	char text[48];

	for (int k = 0; k < KIND_COUNT; k++) {
		if (!counts[k] && k >= KIND_HOLE)
			continue;
		snprintf(text, sizeof(text), "%s %llu", mv_kinds[k].name,
			 (unsigned long long)counts[k]);
		int width = 4 + mv_text_width(text) + 2;

		if (col + width > r.col + r.cols + 1) {
			col = r.col + 1;
			if (++row >= r.row + r.rows)
				return;
		}
		legend_cell(a, row, col, (enum mv_kind)k);
		mv_text(&a->canvas, row, col + 4, ST_TEXT, text);
		col += width;
	}
	const char *small = "small: in part";

	if (mixed && col + mv_text_width(small) <= r.col + r.cols)
		mv_text(&a->canvas, row, col, ST_DIM, small);
}

static void legend_panel(struct mv_app *a, struct mv_rect *r, const uint64_t counts[KIND_COUNT])
{
	char size[32], count[32];

	for (int k = 0; k < KIND_COUNT && r->rows > 0; k++) {
		if (!counts[k] && k >= KIND_HOLE)
			continue;
		struct mv_rect line = mv_cut_top(r, 1);

		legend_cell(a, line.row, line.col, (enum mv_kind)k);
		mv_text(&a->canvas, line.row, line.col + 4, ST_TEXT, mv_kinds[k].name);
		mv_text_right(&a->canvas, line.row, line.col + 13, 8, ST_STRONG,
			      mv_format_count(counts[k], count, sizeof(count)));
		mv_text_right(&a->canvas, line.row, line.col + 22, line.cols - 22, ST_DIM,
			      mv_format_size(counts[k] * MV_FRAME_BYTES, size, sizeof(size)));
	}
}

static void legend_notes(struct mv_app *a, struct map *p, struct mv_rect *r)
{
	char text[160], size[32];

	if (r->rows < 6)
		return;
	mv_cut_top(r, 1);
	snprintf(text, sizeof(text), "One cell is %llu %s, %s.%s",
		 (unsigned long long)p->grid.per_cell, p->grid.per_cell == 1 ? "frame" : "frames",
		 mv_format_size(p->grid.per_cell * MV_FRAME_BYTES, size, sizeof(size)),
		 p->grid.per_cell > 1 ? " A small letter: not all of the cell." : "");
	mv_cut_top(r, mv_wrap(&a->canvas, *r, ST_DIM, text));
	if (a->mark && r->rows > 1) {
		mv_textf(&a->canvas, r->row, r->col, ST_CHANGED, " A ");
		mv_text(&a->canvas, r->row, r->col + 4, ST_TEXT, "changed since the mark");
		mv_cut_top(r, 1);
	}
}

static void detail(struct mv_app *a, struct map *p, struct mv_rect *r)
{
	const struct mv_frame_run *run = mv_model_frame_at(a->model, p->at * MV_FRAME_BYTES);
	uint64_t pa = p->at * MV_FRAME_BYTES, va = mv_va_of(a->model, pa);
	char attr[96], num[32];
	int row;

	if (!run || r->rows < 9)
		return;
	mv_cut_top(r, 1);
	struct mv_rect head = mv_cut_top(r, 1);

	mv_text(&a->canvas, head.row, head.col, ST_TITLE, "Under the cursor");
	row = r->row;
	mv_frame_attr_text(run->attr, attr, sizeof(attr));
	mv_pair(a, row++, r->col, 10, "physical", ST_ADDR, "0x%llx", (unsigned long long)pa);
	if (va)
		mv_pair(a, row++, r->col, 10, "kernel va", ST_ADDR, "0x%llx",
			(unsigned long long)va);
	else
		mv_pair(a, row++, r->col, 10, "kernel va", ST_DIM, "none");
	mv_pair(a, row++, r->col, 10, "zone", ST_TEXT, "%s",
		mv_zone_short(mv_zone_name(a->model, pa)));
	mv_pair(a, row++, r->col, 10, "state", mv_kinds[mv_kind_of(run)].text, "%s",
		mv_kinds[mv_kind_of(run)].name);
	mv_pair(a, row++, r->col, 10, "refs", ST_TEXT, "%u", run->refs);
	mv_pair(a, row++, r->col, 10, "run", ST_TEXT, "%s like it",
		mv_format_count(run->count, num, sizeof(num)));
	mv_cut_top(r, row - r->row);
	mv_text(&a->canvas, r->row, r->col, ST_DIM, "attributes");
	mv_cut_top(r, 1);
	struct mv_rect indented = *r;

	mv_cut_left(&indented, 2);
	mv_cut_top(r, mv_wrap(&a->canvas, indented, ST_TEXT, attr));
}

static void zones_panel(struct mv_app *a, struct mv_rect *r)
{
	char size[32];

	if (r->rows < (int)a->model->zone_count * 2 + 3)
		return;
	mv_cut_top(r, 1);
	mv_text(&a->canvas, r->row, r->col, ST_TITLE, "Zones, by initial in the margin");
	mv_cut_top(r, 1);
	for (size_t i = 0; i < a->model->zone_count; i++) {
		const struct mv_zone *z = &a->model->zones[i];

		mv_pair(a, r->row, r->col, 10, mv_zone_short(z->name), ST_ADDR, "0x%09llx",
			(unsigned long long)z->start);
		mv_text_right(&a->canvas, r->row, r->col + 22, r->cols - 22, ST_DIM,
			      mv_format_size(z->frames * MV_FRAME_BYTES, size, sizeof(size)));
		mv_cut_top(r, 1);
	}
}

/* ---- the cells ---- */

static bool changed(const struct mv_app *a, uint64_t frame, uint64_t span,
		    const uint64_t counts[KIND_COUNT])
{
	uint64_t before[KIND_COUNT];

	if (!a->mark || !a->mark->frames_known)
		return false;
	mv_kind_count(a->mark, frame, span, before);
	return memcmp(before, counts, sizeof(before)) != 0;
}

static void draw_cell(struct mv_app *a, struct map *p, int row, int col)
{
	uint64_t frame = mv_grid_frame(&p->grid, row, col);
	uint64_t span = mv_grid_span(&p->grid, row, col), counts[KIND_COUNT];
	int y = p->area.row + row, x = p->area.col + col * p->cell_cols;
	bool mixed, mostly_free;

	if (frame == UINT64_MAX)
		return;
	mv_kind_count(a->model, frame, span, counts);
	enum mv_kind k = mv_kind_main(counts, &mixed, &mostly_free);
	wchar_t letter = (wchar_t)mv_kinds[k].letter;
	enum mv_style st = mostly_free ? mv_kinds[k].text : mv_kinds[k].fill;

	if (mixed && letter >= 'A' && letter <= 'Z')
		letter += 'a' - 'A';
	if (changed(a, frame, span, counts))
		st = ST_CHANGED;
	if (row == p->row && col == p->col)
		st = ST_CURSOR;
	for (int i = 0; i < p->cell_cols; i++)
		mv_put(&a->canvas, y, x + i, i == (p->cell_cols - 1) / 2 ? letter : L' ', st);
}

static void draw_folded(struct mv_app *a, struct map *p, int row, const struct mv_grid_line *line)
{
	char text[64], size[32];
	int y = p->area.row + row;
	bool here = row == p->row;

	mv_fill(&a->canvas, mv_rect(y, p->area.col, 1, p->grid.cols * p->cell_cols),
		mv_glyph(GL_MINUS, a->ascii), here ? ST_CURSOR : ST_F_HOLE);
	const struct mv_frame_run *run = mv_model_frame_at(a->model, line->frame * MV_FRAME_BYTES);

	snprintf(text, sizeof(text), " %s: %s ", mv_kinds[mv_kind_of(run)].name,
		 mv_format_size(line->span * MV_FRAME_BYTES, size, sizeof(size)));
	mv_text(&a->canvas, y, p->area.col + 4, here ? ST_CURSOR : ST_F_HOLE, text);
}

static void draw_margin(struct mv_app *a, struct map *p, int row, int margin)
{
	uint64_t least = UINT64_MAX;
	int y = p->area.row + row;

	for (int col = 0; col < p->grid.cols; col++) {
		uint64_t f = mv_grid_frame(&p->grid, row, col);

		least = f < least ? f : least;
	}
	if (least == UINT64_MAX)
		return;
	mv_textf(&a->canvas, y, p->area.col - margin, ST_ADDR, "0x%0*llx", margin - 5,
		 (unsigned long long)(least * MV_FRAME_BYTES));
	const char *zone = "";

	/* Of the first cell that is in one: the machine begins with a reserved frame. */
	for (int col = 0; col < p->grid.cols && strncmp(zone, "ZONE_", 5) != 0; col++) {
		uint64_t f = mv_grid_frame(&p->grid, row, col);

		zone = f == UINT64_MAX ? "" : mv_zone_name(a->model, f * MV_FRAME_BYTES);
	}
	if (!strncmp(zone, "ZONE_", 5))
		mv_put(&a->canvas, y, p->area.col - 2, (wchar_t)zone[5], ST_DIM);
}

static int margin_of(const struct mv_model *m)
{
	uint64_t end = mv_grid_extent(m) * MV_FRAME_BYTES;
	int digits = 8;

	while (digits < 16 && end >> (digits * 4))
		digits++;
	return digits + 5;
}

static uint64_t per_cell_for(uint64_t frames, int cols, int rows)
{
	uint64_t cells = (uint64_t)(cols >= 8 ? cols / 8 * 8 : cols) * (uint64_t)rows, per_cell = 1;

	while (cells && per_cell * cells < frames)
		per_cell *= 2;
	return per_cell;
}

/*
 * How many cells a row takes and how wide they are. A power of two keeps the addresses in the
 * margin round: the smallest with which the whole machine fits, drawn as wide as there is room.
 * Where none fits, as many narrow cells as there is room for, and more frames a cell.
 */
static int choose_cells(struct map *p, const struct mv_model *m, int rows, int cols)
{
	uint64_t frames = p->hilbert ? mv_grid_extent(m) : mv_grid_worth(m, (uint64_t)cols / 2);
	int n = 8;

	while (n < cols && (uint64_t)n * (uint64_t)rows < frames)
		n *= 2;
	if (n <= cols) {
		p->cell_cols = cols / n > CELL_COLS_MAX ? CELL_COLS_MAX : cols / n;
		return n;
	}
	/* Two columns a cell look better, as long as the cells stand for no more frames. */
	bool wide = cols >= 32 &&
		    per_cell_for(frames, cols / 2, rows) == per_cell_for(frames, cols, rows);

	p->cell_cols = wide ? 2 : 1;
	n = cols / p->cell_cols;
	return n >= 8 ? n / 8 * 8 : n;
}

static void draw_grid(struct mv_app *a, struct map *p, struct mv_rect r)
{
	int margin = a->room == ROOM_TINY ? 0 : margin_of(a->model);

	mv_cut_left(&r, margin + 1);
	p->area = r;
	int cols = choose_cells(p, a->model, r.rows, r.cols);

	if (!mv_grid_layout(&p->grid, a->model, r.rows, cols, p->per_cell, p->hilbert))
		return;
	if (p->at >= p->grid.frames)
		p->at = p->grid.frames - 1;
	p->at = p->at / p->grid.per_cell * p->grid.per_cell;
	mv_grid_show(&p->grid, p->at, &p->row, &p->col);
	for (int row = 0; row < p->grid.rows; row++) {
		const struct mv_grid_line *line = mv_grid_line(&p->grid, row);

		if (margin)
			draw_margin(a, p, row, margin);
		if (line && line->folded)
			draw_folded(a, p, row, line);
		for (int col = 0; col < p->grid.cols && !(line && line->folded); col++)
			draw_cell(a, p, row, col);
	}
	a->cursor_row = p->area.row + p->row;
	a->cursor_col = p->area.col + p->col * p->cell_cols + (p->cell_cols - 1) / 2;
}

/* The first place worth looking at: the first frame in use. */
static void place(struct mv_app *a, struct map *p)
{
	for (size_t i = 0; i < a->model->frame_run_count && !p->placed; i++) {
		enum mv_kind k = mv_kind_of(&a->model->frames[i]);

		if (k == KIND_SLAB || k == KIND_ALLOCATED || k == KIND_KERNEL) {
			p->at = a->model->frames[i].pa / MV_FRAME_BYTES;
			p->placed = true;
		}
	}
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct map *p = self(v);
	struct mv_app *a = v->app;
	uint64_t counts[KIND_COUNT];

	if (!a->model->frames_known || !a->model->frame_run_count) {
		mv_waiting(a, r, "the frames");
		return;
	}
	place(a, p);
	struct mv_rect words = mv_cut_top(&r, a->room == ROOM_TINY ? 1 : 2);
	mv_kind_count(a->model, 0, mv_grid_extent(a->model), counts);
	if (a->room >= ROOM_MEDIUM) {
		struct mv_rect side = mv_cut_right(&r, 38);

		mv_cut_right(&r, 1);
		side = mv_panel(a, side, "What the letters mean");
		draw_grid(a, p, r);
		legend_panel(a, &side, counts);
		legend_notes(a, p, &side);
		detail(a, p, &side);
		zones_panel(a, &side);
	} else {
		struct mv_rect lines = mv_cut_bottom(&r, a->room == ROOM_TINY ? 1 : 2);

		draw_grid(a, p, r);
		legend_lines(a, lines, counts, p->grid.per_cell > 1);
	}
	draw_words(a, p, words);
}

/* ---- moving ---- */

static void line_step(struct map *p, int by)
{
	struct mv_grid *g = &p->grid;
	size_t line = g->top + (size_t)p->row;

	if ((by < 0 && line < (size_t)-by) || line + (size_t)(by > 0 ? by : 0) >= g->line_count)
		line = by < 0 ? 0 : g->line_count - 1;
	else
		line = (size_t)((long)line + by);
	const struct mv_grid_line *l = &g->lines[line];

	p->at = l->folded ? l->frame : l->frame + (uint64_t)p->col * g->per_cell;
	if (p->at >= g->frames)
		p->at = g->frames - 1;
}

static void step(struct map *p, int down, int right)
{
	struct mv_grid *g = &p->grid;
	uint64_t f = mv_grid_frame(g, p->row + down, p->col + right);
	const struct mv_grid_line *line = mv_grid_line(g, p->row);
	uint64_t page = mv_grid_page_frames(g);

	if (right && !g->hilbert) {
		/* Along the line of addresses, over the ends of the rows. */
		uint64_t by = line && line->folded && right > 0 ? line->span : g->per_cell;

		if (right < 0)
			p->at -= p->at >= g->per_cell ? g->per_cell : p->at;
		else if (p->at + by < g->frames)
			p->at += by;
	} else if (!g->hilbert) {
		line_step(p, down);
	} else if (f != UINT64_MAX) {
		p->at = f;
	} else if (down + right > 0 && p->at + page < g->frames) {
		p->at += page;
	} else if (down + right < 0 && p->at >= page) {
		p->at -= page;
	}
}

static void page(struct map *p, int by)
{
	uint64_t span = mv_grid_page_frames(&p->grid);

	if (!p->grid.hilbert)
		line_step(p, by * (p->grid.rows - 1));
	else if (by > 0 && p->at + span < p->grid.frames)
		p->at += span;
	else if (by < 0 && p->at >= span)
		p->at -= span;
}

static bool zoom(struct mv_view *v, enum mv_action a)
{
	struct map *p = self(v);

	if (a == ACT_ZOOM_FIT) {
		p->per_cell = 0;
	} else if (a == ACT_ZOOM_OUT) {
		if (p->grid.per_cell * (uint64_t)p->grid.cols < p->grid.frames)
			p->per_cell = p->grid.per_cell * 2;
	} else if (p->grid.per_cell > 1) {
		if (p->sought / p->grid.per_cell == p->at / p->grid.per_cell)
			p->at = p->sought;
		p->per_cell = p->grid.per_cell / 2;
	} else {
		return false;
	}
	return true;
}

/* Enter and + on a cell of many frames go closer; on one frame they open it. */
static bool open_cell(struct mv_view *v, enum mv_action a)
{
	struct mv_thing t = v->ops->thing(v);

	if (zoom(v, ACT_ZOOM_IN))
		return true;
	if (a == ACT_ZOOM_IN && t.kind == THING_FRAME)
		mv_app_open(v->app, &t);
	return a == ACT_ZOOM_IN;
}

static bool act(struct mv_view *v, enum mv_action a)
{
	struct map *p = self(v);

	if (!p->grid.frames)
		return false;
	switch (a) {
	case ACT_UP:
	case ACT_DOWN:
		step(p, a == ACT_DOWN ? 1 : -1, 0);
		return true;
	case ACT_LEFT:
	case ACT_RIGHT:
		step(p, 0, a == ACT_RIGHT ? 1 : -1);
		return true;
	case ACT_PAGE_UP:
	case ACT_PAGE_DOWN:
		page(p, a == ACT_PAGE_DOWN ? 1 : -1);
		return true;
	case ACT_HOME:
		p->at = 0;
		return true;
	case ACT_END:
		p->at = p->grid.frames - 1;
		return true;
	case ACT_ORDER:
		p->hilbert = !p->hilbert;
		return true;
	case ACT_ZOOM_OUT:
	case ACT_ZOOM_FIT:
		return zoom(v, a);
	case ACT_ZOOM_IN:
	case ACT_OPEN:
		return open_cell(v, a);
	default:
		return false;
	}
}

static bool click(struct mv_view *v, int row, int col)
{
	struct map *p = self(v);

	if (!mv_inside(p->area, row, col) || !p->cell_cols)
		return false;
	uint64_t f = mv_grid_frame(&p->grid, row - p->area.row, (col - p->area.col) / p->cell_cols);

	if (f == UINT64_MAX)
		return false;
	p->at = f;
	return true;
}

static struct mv_thing thing(struct mv_view *v)
{
	struct map *p = self(v);
	uint64_t counts[KIND_COUNT];

	if (!p->grid.frames)
		return (struct mv_thing){.kind = THING_NONE};
	mv_kind_count(v->app->model, p->at, 1, counts);
	if (counts[KIND_HOLE])
		return (struct mv_thing){.kind = THING_NONE};
	return (struct mv_thing){.kind = THING_FRAME,
				 .pa = p->at * MV_FRAME_BYTES,
				 .len = p->grid.per_cell * MV_FRAME_BYTES,
				 .space = -1};
}

/* The next run of the kind that @words names, from the cursor on. */
static bool find_kind(struct mv_app *a, struct map *p, const char *words, int by)
{
	size_t n = a->model->frame_run_count, here = 0;

	while (here + 1 < n && a->model->frames[here + 1].pa <= p->at * MV_FRAME_BYTES)
		here++;
	for (size_t i = 1; i <= n; i++) {
		size_t k = by > 0 ? (here + i) % n : (here + n - i) % n;
		const struct mv_frame_run *run = &a->model->frames[k];
		const char *zone = run->zone >= 0 && (size_t)run->zone < a->model->zone_count
					   ? a->model->zones[run->zone].name
					   : "";

		if (!strcasecmp(words, mv_kinds[mv_kind_of(run)].name) ||
		    !strcasecmp(words, zone)) {
			p->at = p->sought = run->pa / MV_FRAME_BYTES;
			return true;
		}
	}
	return false;
}

static bool find(struct mv_view *v, const char *words, int by)
{
	struct map *p = self(v);
	const struct mv_model *m = v->app->model;
	uint64_t addr;

	if (!m->frame_run_count)
		return false;
	p->placed = true;
	if (strncmp(words, "0x", 2) != 0)
		return find_kind(v->app, p, words, by);
	if (!mv_parse_addr(words, &addr))
		return false;
	if (addr >> 47 && !mv_pa_of(m, addr, &addr))
		return false;
	if (!mv_model_frame_at(m, addr))
		return false;
	p->at = p->sought = addr / MV_FRAME_BYTES;
	return true;
}

static void open_map(struct mv_view *v, const struct mv_thing *t)
{
	(void)t;
	self(v)->hilbert = v->app->options.hilbert;
}

static void close_map(struct mv_view *v)
{
	mv_grid_free(&self(v)->grid);
}

const struct mv_view_ops mv_map_ops = {
	.name = "Memory map",
	.context = CTX_MAP,
	.size = sizeof(struct map),
	.open = open_map,
	.close = close_map,
	.draw = draw,
	.act = act,
	.click = click,
	.thing = thing,
	.find = find,
};
