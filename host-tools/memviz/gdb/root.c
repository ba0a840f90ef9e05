/*
 * The root descriptor (the kernel's <mm/root.h> has its format and meaning): found
 * through an ELF note in memory, and checked before anything of it is believed. A
 * dead kernel's memory may hold anything.
 *
 * Only what is in the table below is used, and by its name: entries may come in any
 * order, others are stepped over, one that is missing is named.
 */
#include "private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOP_2_GIB    0xffffffff80000000ull
#define STARTS_MOST  64 /* mappings that are looked into for the note */
#define NOTE_BYTES   12
#define HEADER_BYTES 40
#define ENTRY_BYTES  40
#define ENTRY_MOST   256
#define ENTRIES_MOST 1024
#define NAME_BYTES   20
#define STRUCT_MOST  65536u

enum kind { VALUE = 1, VARIABLE, STRUCT, FIELD };

struct part_row {
	const char *name;
	enum kind kind;
	enum root_part of; /* of a field: its structure; of an array: its elements' */
	uint64_t most;	   /* of a value; bytes of a structure */
};

/* clang-format off */
#define SCALAR	 VARIABLE, R_PARTS, 0
#define IN(type) FIELD, type, 0
static const struct part_row rows[R_PARTS] = {
	[R_FRAME_SHIFT] = {"frame.shift", VALUE, R_PARTS, 30},
	[R_GRANULE_SHIFT] = {"granule.shift", VALUE, R_PARTS, 30},
	[R_PAGE_SHIFT] = {"page.shift", VALUE, R_PARTS, 30},
	[R_CLASS_TABLE] = {"class.table", VALUE, R_PARTS, 62},
	[R_CLASS_FIRST] = {"class.first", VALUE, R_PARTS, 62},
	[R_CLASS_LAST] = {"class.last", VALUE, R_PARTS, 62},
	[R_SLAB_HEAD] = {"slab.head", VALUE, R_PARTS, UINT64_MAX},
	[R_SLAB_BODY] = {"slab.body", VALUE, R_PARTS, UINT64_MAX},
	[R_REMOTE_WORD] = {"remote.word", VALUE, R_PARTS, 256},
	[R_REMOTE_CELL] = {"remote.cell", VALUE, R_PARTS, 256},
	[R_NOTE_BORN] = {"note.born", VALUE, R_PARTS, UINT64_MAX},
	[R_ZONE_UNMAPPED] = {"zone.unmapped", VALUE, R_PARTS, UINT64_MAX},
	[R_SITE_COUNT] = {"site.count", VALUE, R_PARTS, 65536},
	[R_READY] = {"ready", SCALAR},
	[R_DIRECT_BASE] = {"direct_base", SCALAR},
	[R_DIRECT_LIMIT] = {"direct_limit", SCALAR},
	[R_MANAGED] = {"managed", SCALAR},
	[R_EXTENTS] = {"extents", SCALAR},
	[R_EXTENT_COUNT] = {"extent_count", SCALAR},
	[R_ZONES] = {"zones", VARIABLE, R_ZONE, 0},
	[R_ZONE_NAMES] = {"zone_names", SCALAR},
	[R_CPUS] = {"cpus", SCALAR},
	[R_CLASSES] = {"classes", VARIABLE, R_CLASS, 0},
	[R_POOL_FRAMES] = {"pool_frames", SCALAR},
	[R_SLABS] = {"slabs", SCALAR},
	[R_SLAB_MASK] = {"slab_mask", SCALAR},
	[R_SPACES_FIRST] = {"spaces_first", SCALAR},
	[R_GEN_EXTRA] = {"gen_extra", SCALAR},
	[R_SITES] = {"sites", SCALAR},
	[R_EXTENT] = {"extent", STRUCT, R_PARTS, STRUCT_MOST},
	[R_EXTENT_FIRST] = {"extent.first", IN(R_EXTENT)},
	[R_EXTENT_FRAMES] = {"extent.frames", IN(R_EXTENT)},
	[R_EXTENT_BIT] = {"extent.bit", IN(R_EXTENT)},
	[R_EXTENT_ZONE] = {"extent.zone", IN(R_EXTENT)},
	[R_ZONE] = {"zone", STRUCT, R_PARTS, STRUCT_MOST},
	[R_ZONE_BITS] = {"zone.bits", IN(R_ZONE)},
	[R_ZONE_WORDS] = {"zone.words", IN(R_ZONE)},
	[R_ZONE_FRAMES] = {"zone.frames", IN(R_ZONE)},
	[R_ZONE_PAGES] = {"zone.pages", IN(R_ZONE)},
	[R_ZONE_WORD] = {"zone.word", IN(R_ZONE)},
	[R_ZONE_FIRST] = {"zone.first_frame", IN(R_ZONE)},
	[R_ZONE_END] = {"zone.end_frame", IN(R_ZONE)},
	[R_ZONE_GIVEN] = {"zone.given", IN(R_ZONE)},
	[R_ZONE_RETURNED] = {"zone.returned", IN(R_ZONE)},
	[R_ZONE_SHARED] = {"zone.shared", IN(R_ZONE)},
	[R_ZONE_FAILED] = {"zone.failed", IN(R_ZONE)},
	[R_WORD] = {"word", STRUCT, R_PARTS, STRUCT_MOST},
	[R_WORD_FREE] = {"word.free", IN(R_WORD)},
	[R_WORD_ALLOC] = {"word.alloc", IN(R_WORD)},
	[R_WORD_SLAB] = {"word.slab", IN(R_WORD)},
	[R_WORD_KERNEL] = {"word.kernel", IN(R_WORD)},
	[R_PAGE] = {"page", STRUCT, R_PARTS, 256},
	[R_PAGE_ATTR] = {"page.attr", IN(R_PAGE)},
	[R_PAGE_REFS] = {"page.refs", IN(R_PAGE)},
	[R_PAGE_RUN] = {"page.run_frames", IN(R_PAGE)},
	[R_PAGE_SITE] = {"page.site", IN(R_PAGE)},
	[R_PAGE_BIRTH] = {"page.birth_us", IN(R_PAGE)},
	[R_PAGE_NOTES] = {"page.notes", IN(R_PAGE)},
	[R_CPU] = {"cpu", STRUCT, R_PARTS, STRUCT_MOST},
	[R_CPU_ALLOCS] = {"cpu.allocs", IN(R_CPU)},
	[R_CPU_FREES] = {"cpu.frees", IN(R_CPU)},
	[R_CPU_FRAME] = {"cpu.frame", IN(R_CPU)},
	[R_CLASS] = {"class", STRUCT, R_PARTS, STRUCT_MOST},
	[R_CLASS_SLABS] = {"class.slabs", IN(R_CLASS)},
	[R_CLASS_FAILED] = {"class.failed", IN(R_CLASS)},
	[R_SLAB] = {"slab", STRUCT, R_PARTS, 4096},
	[R_SLAB_START] = {"slab.start", IN(R_SLAB)},
	[R_SLAB_BITS] = {"slab.bits", IN(R_SLAB)},
	[R_SLAB_SHIFT] = {"slab.shift", IN(R_SLAB)},
	[R_SLAB_STATE] = {"slab.state", IN(R_SLAB)},
	[R_SLAB_CLASS] = {"slab.class", IN(R_SLAB)},
	[R_SLAB_WORDS] = {"slab.word", IN(R_SLAB)},
	[R_NOTE] = {"note", STRUCT, R_PARTS, 256},
	[R_NOTE_SITE] = {"note.site", IN(R_NOTE)},
	[R_NOTE_REQUESTED] = {"note.requested", IN(R_NOTE)},
	[R_NOTE_BIRTH] = {"note.birth_us", IN(R_NOTE)},
	[R_SITE] = {"site", STRUCT, R_PARTS, 256},
	[R_SITE_SITE] = {"site.site", IN(R_SITE)},
	[R_SITE_ALLOCS] = {"site.allocs", IN(R_SITE)},
	[R_SITE_FREES] = {"site.frees", IN(R_SITE)},
	[R_SITE_OBJECTS] = {"site.live_objects", IN(R_SITE)},
	[R_SITE_BYTES] = {"site.live_bytes", IN(R_SITE)},
	[R_SPACE] = {"space", STRUCT, R_PARTS, STRUCT_MOST},
	[R_SPACE_ID] = {"space.id", IN(R_SPACE)},
	[R_SPACE_ROOT] = {"space.root", IN(R_SPACE)},
	[R_SPACE_ACTIVE] = {"space.active", IN(R_SPACE)},
	[R_SPACE_TABLES] = {"space.tables", IN(R_SPACE)},
	[R_SPACE_MAPPED] = {"space.mapped_bytes", IN(R_SPACE)},
	[R_SPACE_NAME] = {"space.name", IN(R_SPACE)},
	[R_SPACE_NEXT] = {"space.next", IN(R_SPACE)},
};
/* clang-format on */

static uint64_t load(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = bytes; i; i--)
		v = v << 8 | p[i - 1];
	return v;
}

uint64_t root_field(const struct root *r, const uint8_t *row, enum root_part field, unsigned i)
{
	return load(row + r->part[field].where + (uint64_t)i * r->part[field].bytes,
		    r->part[field].bytes);
}

uint8_t *root_rows(const struct root *r, struct guest *g, enum root_part type, uint64_t at,
		   uint64_t count)
{
	uint64_t stride = r->part[type].bytes;
	uint8_t *bytes = count <= (256u << 20) / stride ? mv_alloc((size_t)(count * stride) + 1)
							: NULL;
	if (bytes && !guest_read(g, at, bytes, (size_t)(count * stride))) {
		free(bytes);
		bytes = NULL;
	}
	return bytes;
}

/* ---- the note ---- */

static void take_build_id(struct root *r, const uint8_t *desc, uint64_t len)
{
	for (size_t i = 0; i < len && 2 * i + 3 <= sizeof r->build_id; i++)
		snprintf(r->build_id + 2 * i, 3, "%02x", desc[i]);
}

/* Notes follow one another, each part at a multiple of four. */
static void read_notes(struct root *r, const uint8_t *page, size_t at, size_t end)
{
	while (at + NOTE_BYTES <= end) {
		uint64_t name = load(page + at, 4), len = load(page + at + 4, 4);
		uint64_t type = load(page + at + 8, 4),
			 desc = at + NOTE_BYTES + ((name + 3) & ~3ull);
		if (!name || name > 64 || len > 256 || desc + len > end)
			return;
		const char *owner = (const char *)page + at + NOTE_BYTES;
		if (name == 8 && memcmp(owner, "Vitrine", 8) == 0 && type == 1 && len >= 24) {
			r->found = true;
			r->at = load(page + desc, 8);
			r->image_start = load(page + desc + 8, 8);
			r->image_end = load(page + desc + 16, 8);
			r->symbols = len >= 32 ? load(page + desc + 24, 8) : 0;
		}
		if (name == 4 && memcmp(owner, "GNU", 4) == 0 && type == 3)
			take_build_id(r, page + desc, len);
		at = (size_t)(desc + ((len + 3) & ~3ull));
	}
}

/* Anywhere in the page, and what follows it. */
static void look_into(struct root *r, const uint8_t *page)
{
	for (size_t at = 0; !r->found && at + NOTE_BYTES + 8 <= 4096; at += 4)
		if (memcmp(page + at + NOTE_BYTES, "Vitrine", 8) == 0)
			read_notes(r, page, at, 4096);
}

static void find_note(struct root *r, struct guest *g)
{
	const struct leaf_list *l = &g->walk->leaves;
	uint64_t start[STARTS_MOST];
	size_t n = 0;
	for (size_t i = 0; i < l->count && n < STARTS_MOST; i++)
		if (l->runs[i].va >= TOP_2_GIB)
			start[n++] = l->runs[i].va;
	for (size_t i = 0; i < n; i++)
		guest_want(g, start[i], 1);
	for (size_t i = 0; i < n && !r->found; i++) {
		uint8_t page[4096];
		if (guest_read(g, start[i], page, sizeof page))
			look_into(r, page);
	}
}

/* ---- the descriptor ---- */

static void distrust(struct root *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void distrust(struct root *r, const char *fmt, ...)
{
	va_list args;
	int n = snprintf(r->why, sizeof r->why, "its root descriptor cannot be trusted: ");
	va_start(args, fmt);
	vsnprintf(r->why + n, sizeof r->why - (size_t)n, fmt, args);
	va_end(args);
}

static bool size_of_number(uint64_t bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* One entry: taken when it is one that we know. */
static void take_entry(struct root *r, const uint8_t *entry)
{
	char name[NAME_BYTES + 1] = "";
	memcpy(name, entry, NAME_BYTES);
	for (unsigned i = 0; i < R_PARTS; i++) {
		if (strcmp(name, rows[i].name) != 0 || load(entry + 20, 4) != rows[i].kind)
			continue;
		r->part[i].where = load(entry + 24, 8);
		r->part[i].bytes = (uint32_t)load(entry + 32, 4);
		r->part[i].count = (uint32_t)load(entry + 36, 4);
	}
}

static bool check_part(struct root *r, enum root_part i)
{
	const struct part_row *row = &rows[i];
	uint64_t where = r->part[i].where, bytes = r->part[i].bytes, count = r->part[i].count;
	uint64_t whole = row->of < R_PARTS ? r->part[row->of].bytes : 0;
	bool good = bytes && count;
	if (row->kind == VALUE)
		good = good && where <= row->most;
	else if (row->kind == STRUCT)
		good = good && bytes <= row->most;
	else if (row->kind == FIELD)
		good = good && size_of_number(bytes) && count <= 4096 && where <= STRUCT_MOST &&
		       where + bytes * count <= whole;
	else if (row->of < R_PARTS)
		good = good && bytes == whole && count <= 4096;
	else
		good = good && size_of_number(bytes) && count <= 4096;
	if (!good && !r->why[0])
		distrust(r, bytes ? "%s is described wrongly" : "it lacks %s", row->name);
	return good;
}

/* What the parts are to each other. */
static bool check_whole(struct root *r)
{
	const uint64_t first = r->part[R_CLASS_FIRST].where, last = r->part[R_CLASS_LAST].where;
	const uint64_t zones = r->part[R_ZONES].count, words = r->part[R_SLAB_WORDS].count;
	const bool sizes = r->part[R_FRAME_SHIFT].where == 21 &&
			   r->part[R_PAGE_SHIFT].where == 12 &&
			   r->part[R_GRANULE_SHIFT].where == 16;
	const bool classes = first <= last && last - first < MV_MAX_CACHES && last <= 20 &&
			     r->part[R_CLASS_TABLE].where < first &&
			     last < r->part[R_CLASSES].count;
	const bool counters = last < r->part[R_CPU_ALLOCS].count &&
			      last + 1 < r->part[R_CPU_FREES].count &&
			      zones <= r->part[R_CPU_FRAME].count;
	/* clang-format off */
	const struct {
		bool good;
		const char *what;
	} rules[] = {
		{sizes, "sizes of frame, granule and page"},
		{zones <= MV_MAX_ZONES && zones <= r->part[R_ZONE_NAMES].count, "number of zones"},
		{classes, "number of classes"},
		{counters, "counters per CPU"},
		{r->part[R_CPUS].count <= 1024, "number of CPUs"},
		{r->part[R_SLAB_WORDS].bytes == 8 && words > r->part[R_REMOTE_WORD].where, "words of a slab"},
		{r->part[R_SPACE_NAME].bytes == 1, "name of a space"},
		{r->image_start < r->image_end, "extent of the image"},
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (!rules[i].good) {
			distrust(r, "%s", rules[i].what);
			return false;
		}
	return true;
}

static void read_table(struct root *r, struct guest *g, uint64_t at, uint64_t count, uint64_t size)
{
	if (size < ENTRY_BYTES || size > ENTRY_MOST || count > ENTRIES_MOST) {
		distrust(r, "%" PRIu64 " entries of %" PRIu64 " bytes", count, size);
		return;
	}
	uint8_t *table = mv_alloc((size_t)(count * size) + 1);
	if (guest_read(g, at, table, (size_t)(count * size)))
		for (uint64_t i = 0; i < count; i++)
			take_entry(r, table + i * size);
	else
		distrust(r, "its table at 0x%" PRIx64 " cannot be read", at);
	free(table);
	bool good = !r->why[0];
	for (unsigned i = 0; good && i < R_PARTS; i++)
		good = check_part(r, (enum root_part)i);
	if (good)
		check_whole(r);
}

enum mv_status root_find(struct root *r, struct guest *g, struct mv_error *e)
{
	uint8_t header[HEADER_BYTES];
	*r = (struct root){0};
	find_note(r, g);
	if (!r->found) {
		mv_copy(r->why, sizeof r->why,
			"no root descriptor of a Vitrine kernel in the guest's memory");
	} else if (!guest_read(g, r->at, header, sizeof header)) {
		distrust(r, "nothing can be read at 0x%" PRIx64, r->at);
	} else if (memcmp(header, "mm root", 8) != 0 || load(header + 16, 8) != r->at) {
		distrust(r, "there is none at 0x%" PRIx64, r->at);
	} else if (load(header + 8, 4) != ROOT_VERSION) {
		snprintf(r->why, sizeof r->why, "root descriptor version %u; this memviz reads %d",
			 (unsigned)load(header + 8, 4), ROOT_VERSION);
	} else {
		read_table(r, g, load(header + 24, 8), load(header + 32, 4), load(header + 36, 4));
	}
	if (g->status != MV_OK && e)
		*e = g->error;
	return g->status;
}
