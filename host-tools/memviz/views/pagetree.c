// SPDX-License-Identifier: MIT
#include "pagetree.h"

#include <stdlib.h>
#include <string.h>

#define LOW_BITS       0xffffffffffffull
#define DIRECT_MAP     0xffff800000000000ull
#define DIRECT_MAP_END 0xffffa00000000000ull
#define FIRST_ROWS     64
#define KERNEL_HALF    0xffff800000000000ull

const char *const mv_level_names[5] = {"", "PT", "PD", "PDPT", "PML4"};

/* Bytes that one entry of a table of @level covers. */
static uint64_t entry_span(int level)
{
	return 1ull << (12 + 9 * (level - 1));
}

static uint64_t canonical(uint64_t low)
{
	return low >> 47 & 1 ? low | ~LOW_BITS : low;
}

static bool is_open(const struct mv_tree *t, uint64_t va, int level)
{
	for (size_t i = 0; i < t->opened_count; i++)
		if (t->opened[i].va == va && t->opened[i].level == level)
			return true;
	return false;
}

static struct mv_tree_row *add_row(struct mv_tree *t, struct mv_tree_row row)
{
	if (t->count == t->capacity) {
		size_t more = t->capacity ? t->capacity * 2 : 64;
		struct mv_tree_row *rows = realloc(t->row, more * sizeof(*rows));

		if (!rows)
			return NULL;
		t->row = rows;
		t->capacity = more;
	}
	t->row[t->count] = row;
	return &t->row[t->count++];
}

/* The first run that ends after @low (addresses with the sign bits cut off). */
static size_t run_after(const struct mv_space *s, uint64_t low)
{
	size_t lo = 0, hi = s->map_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((s->maps[mid].va & LOW_BITS) + s->maps[mid].len <= low)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct span {
	uint64_t from, to; /* low addresses, end exclusive */
};

static void leaf_row(struct mv_tree *t, const struct mv_space *s, size_t i, int level,
		     struct span in)
{
	const struct mv_mapping *m = &s->maps[i];
	uint64_t start = m->va & LOW_BITS, end = start + m->len, span = entry_span(level);

	start = start > in.from ? start : in.from;
	end = end < in.to ? end : in.to;
	add_row(t, (struct mv_tree_row){
			   .level = level,
			   .first = (unsigned)(start / span % 512),
			   .last = (unsigned)((end - 1) / span % 512),
			   .va = canonical(start),
			   .len = end - start,
			   .leaf = true,
			   .run = i,
			   .any = m->flags,
			   .all = m->flags,
		   });
}

/* Sums up what lies below the entry at [from, to); returns the first run after it. */
static size_t sum_below(const struct mv_space *s, size_t i, struct span in, struct mv_tree_row *row)
{
	row->all = 0xff;
	for (; i < s->map_count; i++) {
		const struct mv_mapping *m = &s->maps[i];
		uint64_t start = m->va & LOW_BITS, end = start + m->len;

		if (start >= in.to)
			break;
		start = start > in.from ? start : in.from;
		row->mapped_bytes += (end < in.to ? end : in.to) - start;
		row->runs++;
		row->any |= m->flags;
		row->all &= m->flags;
		if (end > in.to)
			break;
	}
	return i;
}

/* Rows for the table of @level that covers @in. Depth at most four. */
static void walk(struct mv_tree *t, const struct mv_space *s, int level, struct span in)
{
	uint64_t span = entry_span(level), at = in.from;

	for (size_t i = run_after(s, at); i < s->map_count && at < in.to;) {
		const struct mv_mapping *m = &s->maps[i];
		uint64_t start = m->va & LOW_BITS;

		at = start > at ? start : at;
		if (at >= in.to)
			break;
		if (mv_mapping_page(m) >= span) {
			leaf_row(t, s, i, level, (struct span){at, in.to});
			at = start + m->len;
			i++;
			continue;
		}
		struct span below = {at / span * span, at / span * span + span};
		struct mv_tree_row row = {.level = level,
					  .first = (unsigned)(at / span % 512),
					  .last = (unsigned)(at / span % 512),
					  .va = canonical(below.from),
					  .len = span};

		row.open = is_open(t, row.va, level);
		i = sum_below(s, i, below, &row);
		add_row(t, row);
		if (row.open)
			walk(t, s, level - 1, below);
		at = below.to;
	}
}

void mv_tree_build(struct mv_tree *t, const struct mv_space *s)
{
	t->count = 0;
	if (s)
		walk(t, s, 4, (struct span){0, 1ull << 48});
}

void mv_tree_free(struct mv_tree *t)
{
	free(t->row);
	free(t->opened);
	*t = (struct mv_tree){0};
}

static void open_entry(struct mv_tree *t, uint64_t va, int level)
{
	if (is_open(t, va, level))
		return;
	if (t->opened_count == t->opened_capacity) {
		size_t more = t->opened_capacity ? t->opened_capacity * 2 : 16;
		struct opened *o = realloc(t->opened, more * sizeof(*o));

		if (!o)
			return;
		t->opened = o;
		t->opened_capacity = more;
	}
	t->opened[t->opened_count++] = (struct opened){va, level};
}

void mv_tree_set(struct mv_tree *t, const struct mv_tree_row *row, bool open)
{
	if (row->leaf)
		return;
	if (open) {
		open_entry(t, row->va, row->level);
		return;
	}
	for (size_t i = 0; i < t->opened_count; i++)
		if (t->opened[i].va == row->va && t->opened[i].level == row->level)
			t->opened[i--] = t->opened[--t->opened_count];
}

void mv_tree_open_top(struct mv_tree *t, const struct mv_space *s)
{
	for (int level = 4; level > 2; level--) {
		mv_tree_build(t, s);
		if (t->count > FIRST_ROWS)
			return;
		for (size_t i = 0; i < t->count; i++)
			if (!t->row[i].leaf && t->row[i].level == level)
				open_entry(t, t->row[i].va, level);
	}
	mv_tree_build(t, s);
}

void mv_tree_open_to(struct mv_tree *t, uint64_t va)
{
	for (int level = 4; level > 1; level--)
		open_entry(t, canonical((va & LOW_BITS) / entry_span(level) * entry_span(level)),
			   level);
}

size_t mv_tree_row_of(const struct mv_tree *t, uint64_t va)
{
	size_t best = t->count;

	for (size_t i = 0; i < t->count; i++)
		if (va >= t->row[i].va && va - t->row[i].va < t->row[i].len)
			best = i;
	return best;
}

size_t mv_tree_parent(const struct mv_tree *t, size_t i)
{
	for (size_t k = i; k-- > 0;)
		if (t->row[k].level == t->row[i].level + 1)
			return k;
	return i;
}

/* ---- marks ---- */

static int compare_pa(const void *a, const void *b, void *user)
{
	const struct mv_mapping *maps = user;
	uint64_t x = maps[*(const uint32_t *)a].pa, y = maps[*(const uint32_t *)b].pa;

	return (x > y) - (x < y);
}

/* Runs in order of physical address: one that begins before the furthest end so far overlaps. */
static void mark_aliases(const struct mv_mapping *maps, const uint32_t *order, size_t n,
			 uint8_t *marks)
{
	uint32_t furthest = n ? order[0] : 0;

	for (size_t i = 1; i < n; i++) {
		const struct mv_mapping *r = &maps[order[i]], *far = &maps[furthest];

		if (r->pa < far->pa + far->len) {
			marks[order[i]] |= MARK_ALIAS;
			marks[furthest] |= MARK_ALIAS;
		}
		if (r->pa + r->len > far->pa + far->len)
			furthest = order[i];
	}
}

static bool kernel_memory(const struct mv_model *m, uint64_t pa)
{
	const struct mv_frame_run *run = mv_model_frame_at(m, pa);

	return run && (run->state == MV_FRAME_KERNEL || run->state == MV_FRAME_SLAB);
}

bool mv_mapping_marks(const struct mv_model *m, const struct mv_space *s, uint8_t *marks)
{
	uint32_t *order = malloc((s->map_count ? s->map_count : 1) * sizeof(*order));
	size_t n = 0;

	if (!order)
		return false;
	for (size_t i = 0; i < s->map_count; i++) {
		const struct mv_mapping *r = &s->maps[i];
		bool wx = (r->flags & MV_MAP_WRITE) && (r->flags & MV_MAP_EXEC);
		bool user = r->flags & MV_MAP_USER;

		marks[i] = (wx ? MARK_WX : 0) |
			   (user && (r->va >= KERNEL_HALF || kernel_memory(m, r->pa))
				    ? MARK_USER_KERNEL
				    : 0);
		if (r->va < DIRECT_MAP || r->va >= DIRECT_MAP_END)
			order[n++] = (uint32_t)i;
	}
	qsort_r(order, n, sizeof(*order), compare_pa, s->maps);
	mark_aliases(s->maps, order, n, marks);
	free(order);
	return true;
}
