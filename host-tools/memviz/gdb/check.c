/*
 * Whether a kernel's memory manager is in order, as far as its memory alone can tell: figures that
 * are kept twice must agree. In words like those of the kernel's own mm_check().
 */
#include "private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FAULTS_MOST 64

static void expect(struct kernel_check *c, bool good, const char *what, uint64_t a, uint64_t b)
{
	if (good)
		return;
	if (c->fault_count < FAULTS_MOST)
		snprintf(c->fault[c->fault_count++], sizeof *c->fault,
			 "%s: 0x%" PRIx64 ", 0x%" PRIx64, what, a, b);
	c->faults++;
}

static uint64_t bits(uint64_t word)
{
	return (uint64_t)__builtin_popcountll(word);
}

/* ---- frames ---- */

struct counted {
	uint64_t free, taken, shared;
};

static void count_words(struct kernel_check *c, const struct root *r, const struct kernel_zone *z,
			struct counted *n)
{
	for (uint64_t i = 0; i * 64 < z->bits; i++) {
		const uint8_t *word = z->words + i * r->part[R_WORD].bytes;
		uint64_t free_bits = root_field(r, word, R_WORD_FREE, 0);
		uint64_t alloc = root_field(r, word, R_WORD_ALLOC, 0);
		uint64_t slab = root_field(r, word, R_WORD_SLAB, 0);
		uint64_t kernel = root_field(r, word, R_WORD_KERNEL, 0);
		uint64_t all = free_bits | alloc | slab | kernel;
		expect(c, bits(free_bits) + bits(alloc) + bits(slab) + bits(kernel) == bits(all),
		       "frames: two states at once in word", i, all);
		n->free += bits(free_bits);
		n->taken += bits(slab | kernel);
	}
}

/* Runs stand in the page of their first frame. */
static void count_runs(const struct root *r, struct guest *g, const struct kernel_zone *z,
		       struct counted *n)
{
	for (uint64_t bit = 0; bit < z->bits; bit++) {
		uint8_t page[256];
		if (!kernel_page_matters(r, z, bit))
			continue;
		guest_read(g, kernel_page_at(r, z, bit), page, r->part[R_PAGE].bytes);
		uint64_t run = root_field(r, page, R_PAGE_RUN, 0);
		n->taken += run;
		n->shared += root_field(r, page, R_PAGE_ATTR, 0) & MV_ATTR_SHARED ? run : 0;
	}
}

static void check_zone(struct kernel_check *c, const struct kernel *k, struct guest *g,
		       const struct kernel_zone *z)
{
	struct counted n = {0};
	uint64_t taken = z->given - z->returned;
	count_words(c, &k->root, z, &n);
	count_runs(&k->root, g, z, &n);
	expect(c, taken == n.taken, "frames: count of taken frames", taken, n.taken);
	expect(c, z->shared == n.shared, "frames: count of shared frames", z->shared, n.shared);
	expect(c, z->shown.frames == n.free + z->cached + n.taken,
	       "frames: free and taken frames are not all frames", z->shown.frames,
	       n.free + z->cached + n.taken);
	c->frames += z->shown.frames;
}

/* ---- slabs ---- */

static void check_slabs(struct kernel_check *c, const struct kernel *k)
{
	uint64_t live[KERNEL_CLASSES] = {0}, count[KERNEL_CLASSES] = {0};
	for (size_t i = 0; i < k->slab_count; i++) {
		const struct kernel_slab *s = &k->slabs[i];
		unsigned cls = s->table ? (unsigned)k->root.part[R_CLASS_TABLE].where
					: s->shift - 1u;
		uint64_t bytes = s->shift > 16 ? 1ull << s->shift : 1u << 16;
		live[cls] += s->used;
		count[cls]++;
		c->objects += s->objects;
		expect(c, s->addr % bytes == 0, "slab: not aligned to its size", s->addr, s->shift);
	}
	for (unsigned cls = 0; cls < KERNEL_CLASSES; cls++) {
		expect(c, k->class_live[cls] == live[cls],
		       "class: objects in use by the counters and by the bitmaps",
		       k->class_live[cls], live[cls]);
		expect(c, k->class_slabs[cls] == count[cls], "class: count of slabs", cls,
		       k->class_slabs[cls]);
	}
}

/* ---- tables ---- */

/* Each table is reached once where all is well; where not, counting ends all the same. */
static void count_tables(const struct walk *w, uint64_t pa, unsigned level, unsigned slots,
			 uint64_t *count)
{
	const struct table_page *t = walk_table(w, pa);
	if (++*count > w->table_count)
		return;
	for (unsigned i = 0; t && level > 1 && i < slots; i++)
		if ((t->entry[i] & 1) && !(t->entry[i] & 128))
			count_tables(w, t->entry[i] & 0x000ffffffffff000ull, level - 1, 512, count);
}

static void check_tables(struct kernel_check *c, const struct kernel *k, const struct walk *w)
{
	for (size_t i = 0; i < k->space_count; i++) {
		const struct mv_space *s = &k->spaces[i].shown;
		uint64_t count = 0;
		count_tables(w, s->root, w->levels, s->id == MV_SPACE_KERNEL ? 512 : 256, &count);
		expect(c, count == s->tables, "a space counts its tables wrongly", count,
		       s->tables);
		c->tables += count;
	}
}

void kernel_check(const struct kernel *k, struct guest *g, struct kernel_check *c)
{
	*c = (struct kernel_check){.done = true};
	for (size_t i = 0; i < k->zone_count; i++)
		check_zone(c, k, g, &k->zones[i]);
	check_slabs(c, k);
	check_tables(c, k, g->walk);
}
