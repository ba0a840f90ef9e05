/*
 * The memory manager of a Vitrine kernel, read from its memory by the root descriptor.
 * What the parts mean, and how figures follow from them, stands in the kernel's
 * <mm/root.h>; the results are those of the kernel's own walks.
 *
 * The kernel may have died of the very memory that is read here: counts, indices and
 * pointers are checked before they are followed, and lists have ends.
 */
#include "private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SHIFT	 21
#define FRAME_BYTES	 (1ull << FRAME_SHIFT)
#define GRANULE_SHIFT	 16
#define GRANULE_BYTES	 (1ull << GRANULE_SHIFT)
#define PAGE_SHIFT	 12
#define PHYSICAL_MOST	 (1ull << 52)
#define EXTENTS_MOST	 65536u
#define RUN_MOST	 63u
#define BITS_MOST	 (1ull << 26) /* frames of a zone: 128 TiB */
#define CLASS_SHIFT_MOST 20u
#define WORDS_MOST	 32u

struct reading {
	struct kernel *k;
	struct root *root;
	struct guest *g;
	uint8_t *cpus;	  /* rows of R_CPU, those that are attached */
	uint8_t *classes; /* rows of R_CLASS */
};

static bool broken(struct reading *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool broken(struct reading *in, const char *fmt, ...)
{
	va_list args;
	int n = snprintf(in->root->why, sizeof in->root->why, "the kernel's memory is damaged: ");
	va_start(args, fmt);
	vsnprintf(in->root->why + n, sizeof in->root->why - (size_t)n, fmt, args);
	va_end(args);
	return false;
}

static uint64_t value(const struct reading *in, enum root_part part)
{
	return in->root->part[part].where;
}

static uint64_t variable_at(struct reading *in, enum root_part part, unsigned i)
{
	uint8_t bytes[8];
	uint32_t size = in->root->part[part].bytes;
	uint64_t v = 0;
	guest_read(in->g, value(in, part) + (uint64_t)i * size, bytes, size);
	for (uint32_t k = size; k; k--)
		v = v << 8 | bytes[k - 1];
	return v;
}

static uint64_t variable(struct reading *in, enum root_part part)
{
	return variable_at(in, part, 0);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- the machine, zones, CPUs ---- */

static void want_variables(struct reading *in)
{
	static const enum root_part all[] = {
		R_READY,     R_DIRECT_BASE,  R_DIRECT_LIMIT, R_MANAGED,
		R_EXTENTS,   R_EXTENT_COUNT, R_ZONES,	     R_ZONE_NAMES,
		R_CPUS,	     R_CLASSES,	     R_POOL_FRAMES,  R_SLABS,
		R_SLAB_MASK, R_SPACES_FIRST, R_GEN_EXTRA,    R_SITES};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		guest_want(in->g, in->root->part[all[i]].where,
			   (uint64_t)in->root->part[all[i]].bytes * in->root->part[all[i]].count);
}

static bool read_machine(struct reading *in)
{
	struct kernel *k = in->k;
	want_variables(in);
	if (variable(in, R_READY) != 1)
		return broken(in, "mm/ is not up yet, or what says so is not 1");
	k->direct_base = variable(in, R_DIRECT_BASE);
	k->direct_limit = variable(in, R_DIRECT_LIMIT);
	if (k->direct_base % FRAME_BYTES || k->direct_limit % FRAME_BYTES ||
	    k->direct_limit > PHYSICAL_MOST || k->direct_base + k->direct_limit < k->direct_base)
		return broken(in, "direct map at 0x%" PRIx64 " of 0x%" PRIx64 " bytes",
			      k->direct_base, k->direct_limit);
	return true;
}

static void take_name(struct guest *g, uint64_t at, char *out, size_t size)
{
	memset(out, 0, size);
	for (size_t i = 0; i + 1 < size; i++)
		if (!guest_read(g, at + i, out + i, 1) || out[i] < ' ' || out[i] > '~') {
			out[i] = 0;
			return;
		}
}

static bool take_zone(struct reading *in, const uint8_t *row, unsigned index)
{
	const struct root *r = in->root;
	struct kernel_zone *z = &in->k->zones[index];
	uint64_t words = root_field(r, row, R_ZONE_WORDS, 0);
	*z = (struct kernel_zone){
		.bits = root_field(r, row, R_ZONE_BITS, 0),
		.pages_at = root_field(r, row, R_ZONE_PAGES, 0),
		.given = root_field(r, row, R_ZONE_GIVEN, 0),
		.returned = root_field(r, row, R_ZONE_RETURNED, 0),
		.shared = root_field(r, row, R_ZONE_SHARED, 0),
		.failed = root_field(r, row, R_ZONE_FAILED, 0),
		.shown = {.frames = root_field(r, row, R_ZONE_FRAMES, 0),
			  .start = root_field(r, row, R_ZONE_FIRST, 0),
			  .end = root_field(r, row, R_ZONE_END, 0)},
	};
	struct mv_zone *shown = &z->shown;
	if (words > BITS_MOST / 64 || words * 64 < z->bits || words * 64 >= z->bits + 64 ||
	    shown->frames > z->bits || shown->end > PHYSICAL_MOST / FRAME_BYTES ||
	    shown->start > shown->end || shown->end - shown->start < shown->frames)
		return broken(in,
			      "zone %u: %" PRIu64 " frames, %" PRIu64 " bits, %" PRIu64 " words",
			      index, shown->frames, z->bits, words);
	take_name(in->g, variable_at(in, R_ZONE_NAMES, index), shown->name, sizeof shown->name);
	z->words = root_rows(r, in->g, R_WORD, root_field(r, row, R_ZONE_WORD, 0), words);
	if (!z->words)
		return broken(in, "zone %u: its %" PRIu64 " words cannot be read", index, words);
	z->taken = least(z->given - z->returned, shown->frames);
	shown->used = z->taken;
	shown->free = shown->frames - z->taken;
	shown->reserved = shown->end - shown->start - shown->frames;
	shown->start <<= FRAME_SHIFT;
	shown->end <<= FRAME_SHIFT;
	return true;
}

static bool read_zones(struct reading *in)
{
	uint64_t count = in->root->part[R_ZONES].count;
	uint8_t *rows = root_rows(in->root, in->g, R_ZONE, value(in, R_ZONES), count);
	bool good = rows != NULL || broken(in, "the zones cannot be read");
	for (unsigned i = 0; good && i < count; i++) {
		good = take_zone(in, rows + i * in->root->part[R_ZONE].bytes, i);
		in->k->zone_count++;
	}
	free(rows);
	return good;
}

static bool read_cpus(struct reading *in)
{
	uint64_t size = in->root->part[R_CPU].bytes, count = in->root->part[R_CPUS].count;
	in->cpus = mv_alloc(size * count);
	for (unsigned i = 0; i < count; i++)
		guest_want(in->g, variable_at(in, R_CPUS, i), size);
	for (unsigned i = 0; i < count; i++) {
		uint64_t at = variable_at(in, R_CPUS, i);
		if (at && !guest_read(in->g, at, in->cpus + in->k->cpus * size, size))
			return broken(in, "CPU %u: nothing can be read at 0x%" PRIx64, i, at);
		in->k->cpus += at != 0;
	}
	for (size_t i = 0; i < in->k->cpus * in->k->zone_count; i++)
		if (root_field(in->root, in->cpus + i / in->k->zone_count * size, R_CPU_FRAME,
			       (unsigned)(i % in->k->zone_count)))
			in->k->zones[i % in->k->zone_count].cached++;
	in->classes = root_rows(in->root, in->g, R_CLASS, value(in, R_CLASSES),
				in->root->part[R_CLASSES].count);
	return in->classes != NULL || broken(in, "the classes cannot be read");
}

/* ---- figures ---- */

static unsigned class_shift(const struct reading *in, unsigned cls)
{
	return cls == value(in, R_CLASS_TABLE) ? PAGE_SHIFT : cls + 1;
}

static void class_counts(const struct reading *in, unsigned cls, uint64_t *allocs, uint64_t *frees)
{
	unsigned slot = cls == value(in, R_CLASS_TABLE) ? cls : class_shift(in, cls);
	*allocs = *frees = 0;
	for (unsigned i = 0; i < in->k->cpus; i++) {
		const uint8_t *cpu = in->cpus + (size_t)i * in->root->part[R_CPU].bytes;
		*allocs += root_field(in->root, cpu, R_CPU_ALLOCS, cls);
		*frees += root_field(in->root, cpu, R_CPU_FREES, slot);
	}
}

static uint64_t in_use(uint64_t allocs, uint64_t frees)
{
	return allocs > frees ? allocs - frees : 0;
}

static void add_class(const struct reading *in, unsigned cls, struct mv_cache *c)
{
	unsigned shift = class_shift(in, cls);
	uint64_t per_slab = shift >= GRANULE_SHIFT ? 1 : GRANULE_BYTES >> shift, allocs, frees;
	const uint8_t *row = in->classes + (size_t)cls * in->root->part[R_CLASS].bytes;
	uint64_t slabs = root_field(in->root, row, R_CLASS_SLABS, 0);
	class_counts(in, cls, &allocs, &frees);
	c->slabs += slabs;
	c->objects += slabs * per_slab;
	c->used += in_use(allocs, frees);
	c->bytes += slabs * per_slab << shift;
	c->allocs += allocs;
	c->frees += frees;
	c->failed += root_field(in->root, row, R_CLASS_FAILED, 0);
}

static void figure_caches(struct reading *in)
{
	unsigned first = (unsigned)value(in, R_CLASS_FIRST);
	unsigned last = (unsigned)value(in, R_CLASS_LAST);
	for (unsigned cls = first; cls <= last; cls++) {
		struct mv_cache *c = &in->k->caches[in->k->cache_count++];
		*c = (struct mv_cache){.size = 1ull << class_shift(in, cls)};
		add_class(in, cls, c);
		if (c->size == 1u << PAGE_SHIFT)
			add_class(in, (unsigned)value(in, R_CLASS_TABLE), c);
		c->used = least(c->used, c->objects);
		c->free = c->objects - c->used;
	}
}

static void figure_stat(struct reading *in)
{
	struct mv_stat *s = &in->k->stat;
	uint64_t taken = 0, shared = 0, allocs, frees, gen = variable(in, R_GEN_EXTRA);
	for (size_t i = 0; i < in->k->zone_count; i++) {
		const struct kernel_zone *z = &in->k->zones[i];
		taken += z->taken;
		shared += z->shared;
		gen += z->given + z->returned + z->failed;
	}
	s->total = variable(in, R_MANAGED);
	s->used = least(taken << FRAME_SHIFT, s->total);
	s->free = s->total - s->used;
	s->shared = least(shared << FRAME_SHIFT, s->used);
	uint64_t backing = least(variable(in, R_POOL_FRAMES) << FRAME_SHIFT, s->used);
	for (unsigned cls = (unsigned)value(in, R_CLASS_TABLE); cls <= value(in, R_CLASS_LAST);
	     cls++) {
		const uint8_t *row = in->classes + (size_t)cls * in->root->part[R_CLASS].bytes;
		class_counts(in, cls, &allocs, &frees);
		in->k->class_live[cls] = allocs - frees;
		in->k->class_slabs[cls] = root_field(in->root, row, R_CLASS_SLABS, 0);
		s->cache_used += in_use(allocs, frees) << class_shift(in, cls);
		gen += allocs + frees;
	}
	s->cache_used = least(s->cache_used, backing);
	s->cache_free = backing - s->cache_used;
	s->available = s->free + s->cache_free;
	in->k->gen = gen;
}

/* ---- frames ---- */

static bool take_extent(struct reading *in, const uint8_t *row, struct kernel_extent *x,
			uint64_t from)
{
	const struct root *r = in->root;
	uint32_t zone = (uint32_t)root_field(r, row, R_EXTENT_ZONE, 0);
	*x = (struct kernel_extent){.first = root_field(r, row, R_EXTENT_FIRST, 0),
				    .frames = root_field(r, row, R_EXTENT_FRAMES, 0),
				    .bit = root_field(r, row, R_EXTENT_BIT, 0),
				    .zone = zone > INT32_MAX ? -1 : (int)zone};
	bool good = x->frames && x->first >= from && x->first <= PHYSICAL_MOST / FRAME_BYTES &&
		    x->frames <= PHYSICAL_MOST / FRAME_BYTES;
	if (good && x->zone >= 0)
		good = (size_t)x->zone < in->k->zone_count &&
		       x->bit <= in->k->zones[x->zone].bits &&
		       x->frames <= in->k->zones[x->zone].bits - x->bit;
	return good || broken(in, "extent of %" PRIu64 " frames from 0x%" PRIx64 " in zone %d",
			      x->frames, x->first, x->zone);
}

static bool read_extents(struct reading *in)
{
	uint64_t count = variable(in, R_EXTENT_COUNT), from = 0;
	if (count > EXTENTS_MOST)
		return broken(in, "%" PRIu64 " extents of memory", count);
	uint8_t *rows = root_rows(in->root, in->g, R_EXTENT, variable(in, R_EXTENTS), count);
	if (!rows)
		return broken(in, "the extents of memory cannot be read");
	in->k->extents = mv_alloc((size_t)count * sizeof *in->k->extents + 1);
	bool good = true;
	uint64_t managed = 0, bits = 0;
	for (size_t i = 0; i < in->k->zone_count; i++)
		bits += in->k->zones[i].bits;
	for (uint64_t i = 0; good && i < count; i++) {
		struct kernel_extent *x = &in->k->extents[i];
		good = take_extent(in, rows + i * in->root->part[R_EXTENT].bytes, x, from);
		from = x->first + x->frames;
		managed += x->zone >= 0 ? x->frames : 0;
		in->k->extent_count += good;
	}
	free(rows);
	return good && (managed <= bits || broken(in, "extents share frames of a zone"));
}

static bool has_bit(const struct root *r, const struct kernel_zone *z, enum root_part set,
		    uint64_t bit)
{
	const uint8_t *word = z->words + bit / 64 * r->part[R_WORD].bytes;
	return root_field(r, word, set, 0) >> bit % 64 & 1;
}

uint64_t kernel_page_at(const struct root *r, const struct kernel_zone *z, uint64_t bit)
{
	return z->pages_at + bit * r->part[R_PAGE].bytes;
}

bool kernel_page_matters(const struct root *r, const struct kernel_zone *z, uint64_t bit)
{
	return !has_bit(r, z, R_WORD_FREE, bit) && !has_bit(r, z, R_WORD_SLAB, bit) &&
	       !has_bit(r, z, R_WORD_KERNEL, bit);
}

static void want_pages(struct reading *in)
{
	uint32_t size = in->root->part[R_PAGE].bytes;
	for (size_t i = 0; i < in->k->zone_count; i++)
		for (uint64_t bit = 0; bit < in->k->zones[i].bits; bit++)
			if (kernel_page_matters(in->root, &in->k->zones[i], bit))
				guest_want(in->g, kernel_page_at(in->root, &in->k->zones[i], bit),
					   size);
}

uint64_t kernel_run_head(const struct root *r, struct guest *g, const struct kernel_zone *z,
			 uint64_t bit, uint8_t *page)
{
	for (unsigned back = 0; back <= RUN_MOST; back++, bit--) {
		guest_read(g, kernel_page_at(r, z, bit), page, r->part[R_PAGE].bytes);
		if (root_field(r, page, R_PAGE_RUN, 0) || !bit)
			break;
	}
	return bit;
}

void kernel_frame(const struct kernel *k, struct guest *g, int zone, uint64_t bit,
		  struct mv_frame_run *f)
{
	const struct root *r = &k->root;
	const struct kernel_zone *z = &k->zones[zone];
	uint8_t mapped = (uint64_t)zone == r->part[R_ZONE_UNMAPPED].where ? 0 : MV_ATTR_PGT_MAPPED;
	uint8_t page[256];
	*f = (struct mv_frame_run){.count = 1, .zone = (int8_t)zone, .state = MV_FRAME_FREE};
	if (has_bit(r, z, R_WORD_SLAB, bit)) {
		f->state = MV_FRAME_SLAB;
		f->attr = MV_ATTR_KERNEL | mapped;
		return;
	}
	if (has_bit(r, z, R_WORD_KERNEL, bit)) {
		f->state = MV_FRAME_KERNEL;
		f->attr = MV_ATTR_KERNEL | MV_ATTR_KERNEL_INIT | mapped;
		return;
	}
	if (has_bit(r, z, R_WORD_FREE, bit))
		return;
	bool run = has_bit(r, z, R_WORD_ALLOC, bit);
	guest_read(g, kernel_page_at(r, z, bit), page, r->part[R_PAGE].bytes);
	if (!run && root_field(r, page, R_PAGE_RUN, 0) != 1)
		return;
	kernel_run_head(r, g, z, bit, page);
	f->state = MV_FRAME_ALLOCATED;
	f->attr = (uint8_t)(root_field(r, page, R_PAGE_ATTR, 0) & 0x1f);
	f->refs = (uint32_t)root_field(r, page, R_PAGE_REFS, 0);
}

/* Neighbours that look alike are one run. */
static void add_frames(struct kernel *k, const struct mv_frame_run *f)
{
	struct mv_frame_run *last = k->frame_count ? &k->frames[k->frame_count - 1] : NULL;
	if (last && last->pa + last->count * FRAME_BYTES == f->pa && last->zone == f->zone &&
	    last->state == f->state && last->attr == f->attr && last->refs == f->refs) {
		last->count += f->count;
		return;
	}
	mv_grow(&k->frames, &k->frame_capacity, k->frame_count + 1, sizeof *k->frames);
	k->frames[k->frame_count++] = *f;
}

static void add_unmanaged(struct kernel *k, uint64_t first, uint64_t count, enum mv_frame_state s)
{
	struct mv_frame_run f = {
		.pa = first << FRAME_SHIFT, .count = count, .zone = -1, .state = (uint8_t)s};
	if (count)
		add_frames(k, &f);
}

static bool read_frames(struct reading *in)
{
	struct kernel *k = in->k;
	uint64_t at = 0;
	want_pages(in);
	for (size_t i = 0; i < k->extent_count && in->g->status == MV_OK; i++) {
		const struct kernel_extent *x = &k->extents[i];
		add_unmanaged(k, at, x->first - at, MV_FRAME_HOLE);
		at = x->first + x->frames;
		if (x->zone < 0)
			add_unmanaged(k, x->first, x->frames, MV_FRAME_RESERVED);
		for (uint64_t n = 0; x->zone >= 0 && n < x->frames; n++) {
			struct mv_frame_run f;
			kernel_frame(k, in->g, x->zone, x->bit + n, &f);
			f.pa = (x->first + n) << FRAME_SHIFT;
			add_frames(k, &f);
		}
	}
	return in->g->status == MV_OK;
}

static void figure_free_runs(struct reading *in)
{
	for (size_t i = 0; i < in->k->zone_count; i++) {
		struct kernel_zone *z = &in->k->zones[i];
		uint64_t run = 0, longest = 0;
		for (uint64_t bit = 0; bit < z->bits; bit++) {
			run = has_bit(in->root, z, R_WORD_FREE, bit) ? run + 1 : 0;
			longest = run > longest ? run : longest;
		}
		/* A single free frame may be in the cache of a CPU. */
		z->shown.largest_free_run = longest || !z->shown.free ? longest : 1;
	}
}

/* ---- slabs ---- */

static uint64_t descriptor_at(struct reading *in, uint64_t va)
{
	uint64_t granule = va >> GRANULE_SHIFT, size = in->root->part[R_SLAB].bytes;
	uint64_t mask = variable(in, R_SLAB_MASK) / size;
	return variable(in, R_SLABS) + (granule & mask) * size;
}

/* Bits of a slab: of which objects are free, and which another CPU freed. */
struct bits {
	uint64_t at, remote;
};

static struct bits bits_of(struct reading *in, uint64_t descriptor, const uint8_t *row)
{
	uint64_t at = root_field(in->root, row, R_SLAB_BITS, 0);
	bool own = at == descriptor + value(in, R_SLAB_WORDS);
	return (struct bits){at, at + 8 * value(in, own ? R_REMOTE_WORD : R_REMOTE_CELL)};
}

static bool begins_slab(struct reading *in, const uint8_t *row, uint64_t va)
{
	uint64_t shift = root_field(in->root, row, R_SLAB_SHIFT, 0);
	return root_field(in->root, row, R_SLAB_STATE, 0) == value(in, R_SLAB_HEAD) &&
	       root_field(in->root, row, R_SLAB_START, 0) == va && shift >= 5 &&
	       shift <= CLASS_SHIFT_MOST;
}

static void add_slab(struct reading *in, uint64_t descriptor, const uint8_t *row)
{
	struct kernel *k = in->k;
	uint8_t shift = (uint8_t)root_field(in->root, row, R_SLAB_SHIFT, 0);
	struct kernel_slab s = {
		.addr = root_field(in->root, row, R_SLAB_START, 0),
		.shift = shift,
		.objects = shift >= GRANULE_SHIFT ? 1 : (uint32_t)(GRANULE_BYTES >> shift),
		.table = root_field(in->root, row, R_SLAB_CLASS, 0) == value(in, R_CLASS_TABLE)};
	struct bits bits = bits_of(in, descriptor, row);
	uint32_t words = (s.objects + 63) / 64;
	uint64_t free_bits[WORDS_MOST], remote[WORDS_MOST];
	guest_read(in->g, bits.at, free_bits, words * 8);
	guest_read(in->g, bits.remote, remote, words * 8);
	for (uint32_t i = 0; i < words; i++) {
		uint32_t left = s.objects - 64 * i;
		uint64_t valid = left >= 64 ? ~0ull : (1ull << left) - 1;
		s.live[i] = ~(free_bits[i] | remote[i]) & valid;
		s.used += (uint32_t)__builtin_popcountll(s.live[i]);
	}
	mv_grow(&k->slabs, &k->slab_capacity, k->slab_count + 1, sizeof *k->slabs);
	k->slabs[k->slab_count++] = s;
}

typedef void (*granule_fn)(struct reading *in, uint64_t va, uint64_t descriptor);

static void each_granule(struct reading *in, granule_fn fn)
{
	for (size_t i = 0; i < in->k->frame_count; i++) {
		const struct mv_frame_run *f = &in->k->frames[i];
		uint64_t end = least(f->pa + f->count * FRAME_BYTES, in->k->direct_limit);
		if (f->state != MV_FRAME_SLAB)
			continue;
		for (uint64_t pa = f->pa; pa < end && in->g->status == MV_OK; pa += GRANULE_BYTES) {
			uint64_t va = in->k->direct_base + pa;
			fn(in, va, descriptor_at(in, va));
		}
	}
}

static void want_descriptor(struct reading *in, uint64_t va, uint64_t descriptor)
{
	(void)va;
	guest_want(in->g, descriptor, in->root->part[R_SLAB].bytes);
}

static bool slab_begins(struct reading *in, uint64_t va, uint64_t descriptor, uint8_t *row)
{
	return guest_read(in->g, descriptor, row, in->root->part[R_SLAB].bytes) &&
	       begins_slab(in, row, va);
}

static void want_bits(struct reading *in, uint64_t va, uint64_t descriptor)
{
	uint8_t row[4096];
	if (!slab_begins(in, va, descriptor, row))
		return;
	struct bits bits = bits_of(in, descriptor, row);
	guest_want(in->g, bits.at, 8 * WORDS_MOST);
	guest_want(in->g, bits.remote, 8 * WORDS_MOST);
}

static void take_slab(struct reading *in, uint64_t va, uint64_t descriptor)
{
	uint8_t row[4096];
	if (slab_begins(in, va, descriptor, row))
		add_slab(in, descriptor, row);
}

static void read_slabs(struct reading *in)
{
	each_granule(in, want_descriptor);
	guest_fetch(in->g);
	each_granule(in, want_bits);
	guest_fetch(in->g);
	each_granule(in, take_slab);
}

/* ---- spaces and sites ---- */

static bool take_space(struct reading *in, const uint8_t *row, bool kernel)
{
	struct kernel *k = in->k;
	const struct root *r = in->root;
	struct kernel_space s = {
		.shown = {.id = (int64_t)(uint32_t)root_field(r, row, R_SPACE_ID, 0),
			  .root = root_field(r, row, R_SPACE_ROOT, 0),
			  .tables = root_field(r, row, R_SPACE_TABLES, 0),
			  .mapped_bytes = root_field(r, row, R_SPACE_MAPPED, 0)}
	};
	uint64_t root = in->g->walk->cr3 & 0x000ffffffffff000ull;
	s.shown.current = s.shown.root == root ||
			  (!kernel && root_field(r, row, R_SPACE_ACTIVE, 0) != 0);
	for (unsigned i = 0; i + 1 < sizeof s.shown.name && i < r->part[R_SPACE_NAME].count; i++) {
		char c = (char)root_field(r, row, R_SPACE_NAME, i);
		if (!c)
			break;
		s.shown.name[i] = c < ' ' || c > '~' ? '?' : c;
	}
	for (size_t i = 0; i < k->space_count; i++)
		if (k->spaces[i].shown.id == s.shown.id)
			return false;
	mv_grow(&k->spaces, &k->space_capacity, k->space_count + 1, sizeof *k->spaces);
	k->spaces[k->space_count++] = s;
	return true;
}

static int by_id(const void *a, const void *b)
{
	int64_t x = ((const struct kernel_space *)a)->shown.id;
	int64_t y = ((const struct kernel_space *)b)->shown.id;
	return x < y ? -1 : x > y;
}

/* The user half of each; the kernel half is that of cr3, and of the kernel's space. */
static bool read_space_tables(struct reading *in, struct walk *walk)
{
	for (size_t i = 0; i < in->k->space_count; i++) {
		struct kernel_space *s = &in->k->spaces[i];
		in->g->status = walk_user_half(walk, s->shown.root, &s->leaves, in->g->read,
					       in->g->user, &in->g->error);
		if (in->g->status != MV_OK && walk->too_many) {
			in->g->status = MV_OK;
			return broken(in, "space %" PRId64 ": more page tables than memviz reads",
				      s->shown.id);
		}
		if (in->g->status != MV_OK)
			return false;
		for (size_t n = 0; s->shown.id == MV_SPACE_KERNEL && n < walk->leaves.count; n++) {
			const struct leaf_run *leaf = &walk->leaves.runs[n];
			if (leaf->va < MV_KERNEL_HALF)
				continue;
			mv_grow(&s->leaves.runs, &s->leaves.capacity, s->leaves.count + 1,
				sizeof *leaf);
			s->leaves.runs[s->leaves.count++] = *leaf;
		}
	}
	return true;
}

static bool read_spaces(struct reading *in)
{
	uint64_t at = variable(in, R_SPACES_FIRST);
	uint32_t size = in->root->part[R_SPACE].bytes;
	uint8_t *row = mv_alloc(size);
	bool good = true;
	for (unsigned i = 0; good && at && i < MV_MAX_SPACES; i++) {
		good = (guest_read(in->g, at, row, size) && take_space(in, row, i == 0)) ||
		       broken(in, "the list of spaces at 0x%" PRIx64, at);
		at = root_field(in->root, row, R_SPACE_NEXT, 0);
	}
	free(row);
	if (in->k->space_count)
		qsort(in->k->spaces, in->k->space_count, sizeof *in->k->spaces, by_id);
	return good;
}

static void read_sites(struct reading *in)
{
	struct kernel *k = in->k;
	const struct root *r = in->root;
	uint64_t at = variable(in, R_SITES), count = value(in, R_SITE_COUNT);
	uint8_t *rows = at ? root_rows(r, in->g, R_SITE, at, count) : NULL;
	k->sites_open = rows != NULL;
	k->sites = mv_alloc((size_t)count * sizeof *k->sites + 1);
	for (uint64_t i = 0; rows && i < count; i++) {
		const uint8_t *row = rows + i * r->part[R_SITE].bytes;
		k->sites[k->site_count++] = (struct kernel_site){
			root_field(r, row, R_SITE_SITE, 0), root_field(r, row, R_SITE_ALLOCS, 0),
			root_field(r, row, R_SITE_FREES, 0), root_field(r, row, R_SITE_OBJECTS, 0),
			root_field(r, row, R_SITE_BYTES, 0)};
	}
	free(rows);
}

/* ---- all of it ---- */

/* What could not be read was taken for zero so far. */
static bool all_was_there(struct reading *in)
{
	if (in->g->status != MV_OK)
		return false;
	if (in->g->overfull)
		return broken(in, "it names more memory than memviz reads");
	return !in->g->missed || broken(in, "nothing can be read at 0x%" PRIx64, in->g->missed_at);
}

static bool read_figures(struct reading *in)
{
	in->g->missed = false; /* while the descriptor was looked for */
	if (!read_machine(in) || !read_zones(in) || !read_cpus(in) || !read_extents(in) ||
	    !read_spaces(in) || !read_frames(in))
		return false;
	figure_caches(in);
	figure_stat(in);
	figure_free_runs(in);
	read_sites(in);
	return all_was_there(in);
}

/* Damage here leaves the figures good. */
static void read_slabs_too(struct reading *in)
{
	read_slabs(in);
	if (all_was_there(in))
		return;
	mv_copy(in->k->slabs_why, sizeof in->k->slabs_why, in->root->why);
	in->root->why[0] = 0;
	in->k->slab_count = 0;
}

bool kernel_read(struct kernel *k, struct guest *g, struct walk *walk, unsigned extras)
{
	*k = (struct kernel){0};
	if (root_find(&k->root, g, NULL) != MV_OK || k->root.why[0])
		return false;
	struct reading in = {.k = k, .root = &k->root, .g = g};
	bool good = read_figures(&in) && read_space_tables(&in, walk);
	if (good && (extras & KERNEL_SLABS))
		read_slabs_too(&in);
	if (good && (extras & KERNEL_SYMBOLS))
		kernel_read_symbols(k, g);
	good = good && g->status == MV_OK;
	free(in.cpus);
	free(in.classes);
	if (!good) {
		struct root root = k->root;
		kernel_free(k);
		k->root = root;
	}
	return good;
}

void kernel_free(struct kernel *k)
{
	for (size_t i = 0; i < k->zone_count; i++)
		free(k->zones[i].words);
	for (size_t i = 0; i < k->space_count; i++)
		free(k->spaces[i].leaves.runs);
	free(k->extents);
	free(k->frames);
	free(k->slabs);
	free(k->spaces);
	free(k->sites);
	free(k->symbols.bytes);
	*k = (struct kernel){0};
}
