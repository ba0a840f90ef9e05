/*
 * x86_64 page tables, read level by level: all tables of a level in one go, so
 * that a stub is asked in bursts. What a table says is taken with care: a table
 * that is met twice (a guest may map its tables onto themselves) is read once,
 * and the walk goes down at most as many levels as the CPU has.
 */
#include "private.h"

#include <memviz/model.h>
#include <stdlib.h>
#include <string.h>

#define CR0_PG	    (1ull << 31)
#define CR4_LA57    (1ull << 12)
#define EFER_LMA    (1ull << 10)
#define EFER_NXE    (1ull << 11)
#define P	    1ull
#define RW	    2ull
#define US	    4ull
#define PWT	    8ull
#define PCD	    16ull
#define ACCESSED    32ull
#define DIRTY	    64ull
#define PS	    128ull
#define GLOBAL	    256ull
#define XD	    (1ull << 63)
#define ADDRESS	    0x000ffffffffff000ull
#define BATCH	    256
#define SLOTS	    512u
#define TABLES_MOST 200000 /* below cr3 */
#define TABLES_MORE 65536  /* of all other spaces */
#define LEAVES_MOST 40000000ull
#define RUNS_MOST   2000000u

/* ---- tables ---- */

static int by_pa(const void *a, const void *b)
{
	uint64_t x = ((const struct table_page *)a)->pa, y = ((const struct table_page *)b)->pa;
	return x < y ? -1 : x > y;
}

const struct table_page *walk_table(const struct walk *w, uint64_t pa)
{
	size_t low = 0, high = w->table_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (w->tables[mid].pa < pa)
			low = mid + 1;
		else
			high = mid;
	}
	return low < w->table_count && w->tables[low].pa == pa ? &w->tables[low] : NULL;
}

void walk_free(struct walk *w)
{
	free(w->tables);
	free(w->leaves.runs);
	*w = (struct walk){0};
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

struct level {
	uint64_t *pa; /* tables to read, sorted, each once */
	size_t count, capacity;
};

static void add(struct level *l, uint64_t pa)
{
	mv_grow(&l->pa, &l->capacity, l->count + 1, sizeof *l->pa);
	l->pa[l->count++] = pa;
}

static enum mv_status read_level(struct walk *w, const struct level *l, size_t most,
				 read_pages_fn read, void *user, struct mv_error *e)
{
	uint64_t(*pages)[512] = mv_alloc((l->count < BATCH ? l->count : BATCH) * sizeof *pages);
	enum mv_status st = MV_OK;
	w->too_many = w->table_count + l->count > most;
	if (w->too_many)
		st = mv_fail(e, MV_LINK, "more page tables than memviz reads");
	for (size_t at = 0; st == MV_OK && at < l->count; at += BATCH) {
		size_t n = l->count - at < BATCH ? l->count - at : BATCH;
		st = read(user, l->pa + at, n, pages, NULL, e);
		if (st != MV_OK)
			break;
		mv_grow(&w->tables, &w->table_capacity, w->table_count + n, sizeof *w->tables);
		for (size_t i = 0; i < n; i++) {
			struct table_page *t = &w->tables[w->table_count++];
			t->pa = l->pa[at + i];
			memcpy(t->entry, pages[i], sizeof t->entry);
		}
	}
	free(pages);
	if (w->table_count)
		qsort(w->tables, w->table_count, sizeof *w->tables, by_pa);
	return st;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || ((level == 2 || level == 3) && (entry & PS));
}

/* Each once, or tables on themselves would multiply. */
static void thin(struct level *l)
{
	size_t kept = 0;
	if (l->count)
		qsort(l->pa, l->count, sizeof *l->pa, by_value);
	for (size_t i = 0; i < l->count; i++)
		if (!kept || l->pa[kept - 1] != l->pa[i])
			l->pa[kept++] = l->pa[i];
	l->count = kept;
}

/* The tables that the first `slots` entries of these point to. */
static struct level tables_below(const struct walk *w, const struct level *l, unsigned level,
				 unsigned slots)
{
	struct level below = {0};
	for (size_t i = 0; level > 1 && i < l->count; i++) {
		const struct table_page *t = walk_table(w, l->pa[i]);
		for (unsigned k = 0; t && level && k < slots; k++)
			if ((t->entry[k] & P) && !is_leaf(t->entry[k], level))
				add(&below, t->entry[k] & ADDRESS);
	}
	thin(&below);
	return below;
}

/* All tables that are reached through the first `slots` entries of a root. */
static enum mv_status read_tables(struct walk *w, uint64_t root, unsigned slots, size_t most,
				  read_pages_fn read, void *user, struct mv_error *e)
{
	struct level now = {0};
	enum mv_status st = MV_OK;
	add(&now, root);
	for (unsigned level = w->levels; level >= 1 && now.count && st == MV_OK; level--) {
		struct level fresh = {0}, below = {0};
		for (size_t i = 0; i < now.count; i++)
			if (!walk_table(w, now.pa[i]))
				add(&fresh, now.pa[i]);
		st = read_level(w, &fresh, most, read, user, e);
		if (st == MV_OK)
			below = tables_below(w, &now, level, level == w->levels ? slots : SLOTS);
		free(fresh.pa);
		free(now.pa);
		now = below;
	}
	free(now.pa);
	return st;
}

/* ---- leaves ---- */

struct path {
	const struct walk *w;
	struct leaf_list *out;
	unsigned slots; /* of the root */
	bool nxe;
	uint64_t leaves;
};

static uint8_t leaf_flags(const struct path *p, uint64_t entry, uint64_t rights, bool xd)
{
	uint8_t flags = 0;
	flags |= rights & RW ? MV_MAP_WRITE : 0;
	flags |= rights & US ? MV_MAP_USER : 0;
	flags |= p->nxe && xd ? 0 : MV_MAP_EXEC;
	flags |= entry & GLOBAL ? MV_MAP_GLOBAL : 0;
	flags |= entry & PWT ? MV_MAP_WRITE_THROUGH : 0;
	flags |= entry & PCD ? MV_MAP_CACHE_DISABLED : 0;
	return flags;
}

static void add_leaf(struct leaf_list *l, const struct leaf_run *leaf)
{
	struct leaf_run *last = l->count ? &l->runs[l->count - 1] : NULL;
	if (last && last->va + last->len == leaf->va && last->pa + last->len == leaf->pa &&
	    last->flags == leaf->flags && last->page == leaf->page) {
		last->len += leaf->len;
		return;
	}
	mv_grow(&l->runs, &l->capacity, l->count + 1, sizeof *l->runs);
	l->runs[l->count++] = *leaf;
}

static void list_leaves(struct path *p, uint64_t pa, unsigned level, uint64_t va, uint64_t rights,
			bool xd)
{
	const struct table_page *t = walk_table(p->w, pa);
	unsigned shift = 3 + 9 * level, slots = level == p->w->levels ? p->slots : SLOTS;
	for (unsigned k = 0;
	     t && level && k < slots && p->leaves < LEAVES_MOST && p->out->count < RUNS_MOST; k++) {
		uint64_t entry = t->entry[k], at = va | (uint64_t)k << shift;
		if (!(entry & P))
			continue;
		/* The upper half begins where the top bit of the walk is set. */
		if (level == p->w->levels && k >= 256)
			at |= ~0ull << (shift + 9);
		uint64_t both = rights & entry;
		bool no_exec = xd || (entry & XD);
		if (!is_leaf(entry, level)) {
			list_leaves(p, entry & ADDRESS, level - 1, at, both, no_exec);
			continue;
		}
		uint64_t size = 1ull << shift;
		struct leaf_run leaf = {.va = at,
					.pa = entry & ADDRESS & ~(size - 1),
					.len = size,
					.page = (uint32_t)size,
					.flags = leaf_flags(p, entry, both, no_exec)};
		add_leaf(p->out, &leaf);
		p->leaves++;
	}
}

static void list_root(const struct walk *w, uint64_t root, unsigned slots, struct leaf_list *out)
{
	struct path p = {.w = w, .out = out, .slots = slots, .nxe = (w->efer & EFER_NXE) != 0};
	list_leaves(&p, root, w->levels, 0, RW | US, false);
}

enum mv_status walk_read(struct walk *w, read_pages_fn read, void *user, struct mv_error *e)
{
	if (!(w->cr0 & CR0_PG))
		return mv_fail(e, MV_LINK, "the guest has no paging on (cr0 0x%llx)",
			       (unsigned long long)w->cr0);
	if (!(w->efer & EFER_LMA))
		return mv_fail(e, MV_LINK, "the guest is not in long mode (efer 0x%llx)",
			       (unsigned long long)w->efer);
	w->levels = w->cr4 & CR4_LA57 ? 5 : 4;
	enum mv_status st = read_tables(w, w->cr3 & ADDRESS, SLOTS, TABLES_MOST, read, user, e);
	w->tables_of_cr3 = w->table_count;
	if (st == MV_OK)
		list_root(w, w->cr3 & ADDRESS, SLOTS, &w->leaves);
	return st;
}

enum mv_status walk_user_half(struct walk *w, uint64_t root, struct leaf_list *out,
			      read_pages_fn read, void *user, struct mv_error *e)
{
	size_t most = w->tables_of_cr3 + TABLES_MORE;
	enum mv_status st = read_tables(w, root & ADDRESS, SLOTS / 2, most, read, user, e);
	if (st == MV_OK)
		list_root(w, root & ADDRESS, SLOTS / 2, out);
	return st;
}

const struct leaf_run *walk_leaf(const struct walk *w, uint64_t va)
{
	size_t low = 0, high = w->leaves.count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct leaf_run *r = &w->leaves.runs[mid];
		if (va < r->va)
			high = mid;
		else if (va - r->va >= r->len)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}
