// SPDX-License-Identifier: MIT
/* One address through the tables, level by level. */
#include "app.h"
#include "glyph.h"
#include "pagetree.h"

#include <json-c/json.h>
#include <stdio.h>

#define ENTRY_ADDR 0x000ffffffffff000ull
#define PRESENT	   (1ull << 0)
#define LARGE	   (1ull << 7)

struct translate {
	struct mv_view view;
	uint64_t va;
	int64_t space; /* -1: the current one */
	struct mv_ask ask;
	uint64_t rev;
};

static struct translate *self(struct mv_view *v)
{
	return (struct translate *)v;
}

static void tick(struct mv_view *v)
{
	struct translate *t = self(v);
	uint64_t rev = v->app->live->rev[MV_PART_MAPPINGS];

	if (t->ask.state == ASK_WAITING || (t->ask.state != ASK_IDLE && rev == t->rev) ||
	    v->app->frozen)
		return;
	struct json_object *params = json_object_new_object();

	t->rev = rev;
	json_object_object_add(params, "va", mv_new_addr(t->va));
	if (t->space > 0)
		json_object_object_add(params, "space", json_object_new_int64(t->space));
	mv_ask_send(&t->ask, v->app, "mm.translate", params, false);
}

static void entry_words(uint64_t entry, int level, char *out, size_t size)
{
	bool leaf = level == 1 || (level < 4 && (entry & LARGE));
	static const char *const pages[] = {"", "4 KiB", "2 MiB", "1 GiB", ""};

	if (!(entry & PRESENT)) {
		snprintf(out, size, "not present: the walk ends here");
		return;
	}
	uint64_t to = entry & ENTRY_ADDR & ~(leaf && level > 1 ? 1ull << 12 : 0);
	size_t n;

	if (leaf)
		n = (size_t)snprintf(out, size, "page of %s at 0x%llx: ", pages[level],
				     (unsigned long long)to);
	else
		n = (size_t)snprintf(out, size, "table at 0x%llx: ", (unsigned long long)to);
	snprintf(out + n, size - n, "%s%s%s%s%s", entry & 2 ? "writable" : "read only",
		 entry & 4 ? ", user" : ", supervisor",
		 entry >> 63 ? ", no execute" : ", executable", entry & 32 ? ", accessed" : "",
		 leaf && (entry & 64) ? ", dirty" : "");
}

static void draw_level(struct mv_app *a, struct mv_rect *r, struct json_object *o)
{
	int level = (int)mv_get_int(o, "level", 0);
	long long index = mv_get_int(o, "index", 0);
	uint64_t entry = mv_get_addr(o, "entry", 0);
	char words[160];
	bool here = entry & PRESENT;

	if (level < 1 || level > 4 || r->rows < 3)
		return;
	struct mv_rect line = mv_cut_top(r, 1);
	int col = mv_textf(&a->canvas, line.row, line.col + 1, ST_STRONG, "%s[%lld]",
			   mv_level_names[level], index);

	mv_textf(&a->canvas, line.row, col, ST_DIM, "  at %s", mv_get_text(o, "at", "?"));
	mv_textf(&a->canvas, line.row, line.col + 36, ST_ADDR, "entry 0x%016llx",
		 (unsigned long long)entry);
	line = mv_cut_top(r, 1);
	entry_words(entry, level, words, sizeof(words));
	mv_textf(&a->canvas, line.row, line.col + 1, here ? ST_TEXT : ST_WARN, "  %s %s",
		 mv_glyph_str(GL_ELL, a->ascii), words);
}

static void draw_index_line(struct mv_app *a, struct mv_rect line, uint64_t va)
{
	int col = mv_textf(&a->canvas, line.row, line.col + 1, ST_STRONG, "0x%016llx",
			   (unsigned long long)va);

	mv_textf(&a->canvas, line.row, col, ST_TEXT,
		 "  =  PML4 %llu, PDPT %llu, PD %llu, PT %llu, offset 0x%03llx",
		 (unsigned long long)(va >> 39 & 511), (unsigned long long)(va >> 30 & 511),
		 (unsigned long long)(va >> 21 & 511), (unsigned long long)(va >> 12 & 511),
		 (unsigned long long)(va & 4095));
}

static void draw(struct mv_view *v, struct mv_rect r)
{
	struct translate *t = self(v);
	struct mv_app *a = v->app;
	struct json_object *o = t->ask.result;
	const struct mv_space *s = t->space >= 0 ? mv_model_space(a->model, t->space)
						 : mv_model_current_space(a->model);
	uint64_t pa;

	draw_index_line(a, mv_cut_top(&r, 1), t->va);
	if (t->ask.state == ASK_FAILED || !o) {
		mv_note(a, r, "%s", mv_ask_text(&t->ask));
		return;
	}
	struct mv_rect line = mv_cut_top(&r, 2);

	mv_textf(&a->canvas, line.row + 1, line.col + 1, ST_DIM, "Root of space %lld %s: 0x%llx",
		 (long long)(s ? s->id : 0), s ? s->name : "",
		 (unsigned long long)(s ? s->root : 0));
	for (size_t i = 0; i < mv_get_count(o, "levels"); i++)
		draw_level(a, &r, mv_get_item(o, "levels", i));
	if (a->replaying)
		mv_text(&a->canvas, mv_cut_top(&r, 1).row, r.col + 1, ST_DIM,
			"A recording does not hold the entries of the tables, only where they "
			"lead.");
	mv_cut_top(&r, 1);
	if (!mv_get_text(o, "pa", NULL)) {
		mv_text(&a->canvas, r.row, r.col + 1, ST_WARN,
			"Not mapped. Touching this address faults.");
		return;
	}
	pa = mv_get_addr(o, "pa", 0);
	const struct mv_frame_run *run = mv_model_frame_at(a->model, pa);
	int col = mv_textf(&a->canvas, r.row, r.col + 1, ST_STRONG, "physical 0x%llx",
			   (unsigned long long)pa);

	col = mv_textf(&a->canvas, r.row, col, ST_TEXT, "  rights %s, in a frame that is ",
		       mv_get_text(o, "flags", "?"));
	mv_text(&a->canvas, r.row, col, mv_kinds[mv_kind_of(run)].text,
		mv_kinds[mv_kind_of(run)].name);
}

static struct mv_thing thing(struct mv_view *v)
{
	struct translate *t = self(v);
	uint64_t pa = mv_get_addr(t->ask.result, "pa", UINT64_MAX);

	if (pa == UINT64_MAX)
		return (struct mv_thing){.kind = THING_NONE, .va = t->va};
	return (struct mv_thing){.kind = THING_FRAME,
				 .pa = pa / MV_FRAME_BYTES * MV_FRAME_BYTES,
				 .va = t->va,
				 .len = MV_FRAME_BYTES,
				 .space = t->space};
}

static void open_translate(struct mv_view *v, const struct mv_thing *t)
{
	self(v)->va = t->va;
	self(v)->space = t->space >= 0 ? t->space : mv_tables_space(v->app);
	snprintf(v->title, sizeof(v->title), "translate 0x%llx", (unsigned long long)t->va);
}

static void close_translate(struct mv_view *v)
{
	mv_ask_clear(&self(v)->ask);
}

const struct mv_view_ops mv_translate_ops = {
	.name = "translate",
	.context = CTX_DETAIL,
	.size = sizeof(struct translate),
	.open = open_translate,
	.close = close_translate,
	.tick = tick,
	.draw = draw,
	.thing = thing,
};
