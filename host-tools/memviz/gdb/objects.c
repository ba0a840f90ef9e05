/* What lies at an address of a kernel that was read, who allocated it, and names of code. */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SHIFT    21
#define GRANULE_SHIFT  16
#define GRANULE_BYTES  (1ull << GRANULE_SHIFT)
#define FRAME_GRANULES 32u
#define SYMBOLS_MOST   (4u << 20) /* bytes of the table */

static const struct kernel_slab *slab_around(const struct kernel *k, uint64_t va)
{
	size_t low = 0, high = k->slab_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (k->slabs[mid].addr <= va)
			low = mid + 1;
		else
			high = mid;
	}
	const struct kernel_slab *s = low ? &k->slabs[low - 1] : NULL;
	uint64_t bytes = s && s->shift > GRANULE_SHIFT ? 1ull << s->shift : GRANULE_BYTES;
	return s && va - s->addr < bytes ? s : NULL;
}

static const struct kernel_extent *extent_of(const struct kernel *k, uint64_t pa)
{
	uint64_t frame = pa >> FRAME_SHIFT;
	for (size_t i = 0; i < k->extent_count; i++)
		if (frame - k->extents[i].first < k->extents[i].frames)
			return k->extents[i].zone >= 0 ? &k->extents[i] : NULL;
	return NULL;
}

static uint64_t pointer(struct guest *g, uint64_t at)
{
	uint64_t v = 0;
	guest_read(g, at, &v, sizeof v);
	return v;
}

/* Who allocated it and when, if attribution knew. */
static void read_note(const struct kernel *k, struct guest *g, uint64_t page_va,
		      const struct kernel_slab *s, unsigned index, struct kernel_object *out)
{
	const struct root *r = &k->root;
	uint8_t page[256], note[256];
	guest_read(g, page_va, page, r->part[R_PAGE].bytes);
	uint64_t table = root_field(r, page, R_PAGE_NOTES, 0);
	uint64_t granule = (s->addr >> GRANULE_SHIFT) % FRAME_GRANULES;
	uint64_t notes = table ? pointer(g, table + 8 * granule) : 0;
	if (!notes || !guest_read(g, notes + (uint64_t)index * r->part[R_NOTE].bytes, note,
				  r->part[R_NOTE].bytes))
		return;
	uint64_t site = root_field(r, note, R_NOTE_SITE, 0);
	out->has_note = root_field(r, note, R_NOTE_REQUESTED, 0) & r->part[R_NOTE_BORN].where;
	out->site = site && site < k->site_count ? k->sites[site].site : 0;
	out->birth_us = root_field(r, note, R_NOTE_BIRTH, 0);
}

static void frame_object(const struct kernel *k, struct guest *g, const struct kernel_extent *x,
			 uint64_t pa, struct kernel_object *out)
{
	const struct root *r = &k->root;
	struct mv_frame_run f;
	uint64_t frame = pa >> FRAME_SHIFT, bit = x->bit + (frame - x->first), frames = 1;
	uint8_t page[256] = {0};
	kernel_frame(k, g, x->zone, bit, &f);
	if (f.state == MV_FRAME_ALLOCATED) {
		uint64_t head = kernel_run_head(r, g, &k->zones[x->zone], bit, page);
		frame -= bit - head;
		frames = root_field(r, page, R_PAGE_RUN, 0);
		out->site = root_field(r, page, R_PAGE_SITE, 0);
		out->birth_us = root_field(r, page, R_PAGE_BIRTH, 0);
		out->has_note = out->site != 0;
	}
	out->kind = f.state == MV_FRAME_KERNEL ? "image" : "frame";
	out->has_base = true;
	out->base = frame << FRAME_SHIFT;
	out->size = frames << FRAME_SHIFT;
	out->used = f.state != MV_FRAME_FREE;
}

void kernel_object_at(const struct kernel *k, struct guest *g, uint64_t va,
		      struct kernel_object *out)
{
	const struct root *r = &k->root;
	uint64_t pa = va - k->direct_base;
	*out = (struct kernel_object){.addr = va, .kind = "none"};
	if (va >= r->image_start && va < r->image_end) {
		*out = (struct kernel_object){
			va,   "image", r->image_start, r->image_end - r->image_start,
			true, true,    false,	       0,
			0};
		return;
	}
	const struct kernel_extent *x = pa < k->direct_limit ? extent_of(k, pa) : NULL;
	const struct kernel_slab *s = x ? slab_around(k, va) : NULL;
	if (x && !s)
		frame_object(k, g, x, pa, out);
	if (!s)
		return;
	unsigned index = (unsigned)((va - s->addr) >> s->shift);
	out->used = s->live[index / 64] >> index % 64 & 1;
	out->kind = s->table && out->used ? "table" : "slab";
	out->has_base = true;
	out->base = s->addr + ((uint64_t)index << s->shift);
	out->size = 1ull << s->shift;
	read_note(k, g,
		  kernel_page_at(r, &k->zones[x->zone], x->bit + ((pa >> FRAME_SHIFT) - x->first)),
		  s, index, out);
}

/* ---- names of code ---- */

static uint32_t word_at(const struct kernel_symbols *s, size_t index)
{
	const uint8_t *p = s->bytes + 4 * index;
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A count, that many offsets, that many places of names, and the names. A table that
 * cannot be read or does not fit itself is none. */
void kernel_read_symbols(struct kernel *k, struct guest *g)
{
	const struct root *r = &k->root;
	struct kernel_symbols *s = &k->symbols;
	if (r->symbols <= r->image_start || r->symbols >= r->image_end ||
	    r->image_end - r->symbols > SYMBOLS_MOST || r->image_end - r->symbols < 4)
		return;
	s->len = (size_t)(r->image_end - r->symbols);
	s->bytes = mv_alloc(s->len + 1); /* whatever it holds, its last name has an end */
	if (guest_read(g, r->symbols, s->bytes, s->len))
		s->count = word_at(s, 0);
	if (s->count > (s->len - 4) / 8)
		s->count = 0;
}

const char *kernel_symbol(const struct kernel *k, uint64_t address, char *out, size_t size)
{
	const struct kernel_symbols *s = &k->symbols;
	uint64_t offset = address - k->root.image_start;
	size_t low = 0, high = s->count, names = 4 + 8 * s->count;
	if (address < k->root.image_start || address >= k->root.image_end)
		return NULL;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (word_at(s, 1 + mid) <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || word_at(s, s->count + low) >= s->len - names)
		return NULL;
	const char *name = (const char *)s->bytes + names + word_at(s, s->count + low);
	uint64_t into = offset - word_at(s, low);
	if (into)
		snprintf(out, size, "%.100s+0x%llx", name, (unsigned long long)into);
	else
		snprintf(out, size, "%.100s", name);
	return out;
}
