// boot.c: from a memory map of any shape to zones.
//
// The map may be unsorted, overlapping and of any length, and mm has no memory
// yet to work in. So it is sorted and merged inside the caller's own array,
// into three sorted, disjoint lists (usable, reserved, in use), and everything
// else is a sweep over these lists: a piece is a stretch of bytes with one
// state, a stripe is a stretch of whole frames with one class. The sweep runs
// three times: to count, to find the place for mm's tables, and to fill them.
#include "state.h"

struct mm_machine mm_machine;
struct mm_map mm_map;

enum piece_state { PIECE_HOLE, PIECE_USABLE, PIECE_IN_USE, PIECE_RESERVED };
enum { SEEN_HOLE = 1, SEEN_USABLE = 2, SEEN_IN_USE = 4, SEEN_RESERVED = 8 };

struct list {
	struct mm_region *at;
	size_t count;
};

struct sweep {
	struct list usable, reserved, in_use;
	size_t u, r, k; // next region of each list
	uint64_t position;
	uint64_t tables, tables_end; // mm's own tables: one more stretch in use
};

struct piece {
	uint64_t start, end;
	enum piece_state state;
};

struct stripe {
	uint64_t first, frames; // frame numbers
	unsigned seen;		// SEEN_* of its frames
};

// No address bus is wider; regions are cut here so that sums cannot wrap.
#define TOP_OF_MEMORY (UINT64_C(1) << 62)

static uint64_t region_end(const struct mm_region *region)
{
	return region->base + region->length;
}

// --- sorting and merging ------------------------------------------------------
static bool comes_before(const struct mm_region *a, const struct mm_region *b)
{
	return a->kind != b->kind ? a->kind < b->kind : a->base < b->base;
}

static void sift_down(struct mm_region *heap, size_t root, size_t count)
{
	for (;;) {
		size_t child = 2 * root + 1;
		struct mm_region held = heap[root];

		if (child >= count)
			return;
		if (child + 1 < count && comes_before(&heap[child], &heap[child + 1]))
			child++;
		if (!comes_before(&held, &heap[child]))
			return;
		heap[root] = heap[child];
		heap[child] = held;
		root = child;
	}
}

// Heap sort: in place, and no map makes it slow.
static void sort_regions(struct mm_region *regions, size_t count)
{
	for (size_t root = count / 2; root-- > 0;)
		sift_down(regions, root, count);
	for (size_t last = count; last-- > 1;) {
		struct mm_region held = regions[0];

		regions[0] = regions[last];
		regions[last] = held;
		sift_down(regions, 0, last);
	}
}

// Joins what touches or overlaps; the list keeps its place in the array.
static struct list merge_kind(struct mm_region *regions, size_t count, enum mm_region_kind kind)
{
	struct list list = {NULL, 0};

	for (size_t i = 0; i < count; i++) {
		struct mm_region *last = list.count ? &list.at[list.count - 1] : NULL;

		if (regions[i].kind != kind || !regions[i].length)
			continue;
		if (last && regions[i].base <= region_end(last)) {
			if (region_end(&regions[i]) > region_end(last))
				last->length = region_end(&regions[i]) - last->base;
			continue;
		}
		if (!list.at)
			list.at = &regions[i];
		list.at[list.count++] = regions[i];
	}
	return list;
}

static void settle(struct mm_config *config, struct sweep *sweep, struct mm_boot_report *report)
{
	report->regions = (uint32_t)config->region_count;
	for (size_t i = 0; i < config->region_count; i++) {
		struct mm_region *region = &config->regions[i];

		if (!region->length || region->length > UINT64_MAX - region->base)
			report->bad_regions++;
		if (region->base >= TOP_OF_MEMORY)
			region->length = 0;
		else if (region->length > TOP_OF_MEMORY - region->base)
			region->length = TOP_OF_MEMORY - region->base;
		if (region->kind != MM_REGION_USABLE && region->kind != MM_REGION_IN_USE)
			region->kind = MM_REGION_RESERVED;
	}
	sort_regions(config->regions, config->region_count);
	*sweep = (struct sweep){
		.usable = merge_kind(config->regions, config->region_count, MM_REGION_USABLE),
		.reserved = merge_kind(config->regions, config->region_count, MM_REGION_RESERVED),
		.in_use = merge_kind(config->regions, config->region_count, MM_REGION_IN_USE),
	};
}

// --- the sweep ----------------------------------------------------------------
static void rewind_sweep(struct sweep *sweep)
{
	sweep->u = sweep->r = sweep->k = 0;
	sweep->position = 0;
}

// Is `at` inside the list? Lowers *end to where that changes.
static bool covered(const struct list *list, size_t *next, uint64_t at, uint64_t *end)
{
	const struct mm_region *region;
	uint64_t change;
	bool inside;

	while (*next < list->count && region_end(&list->at[*next]) <= at)
		(*next)++;
	if (*next == list->count)
		return false;
	region = &list->at[*next];
	inside = region->base <= at;
	change = inside ? region_end(region) : region->base;
	if (change < *end)
		*end = change;
	return inside;
}

static bool in_tables(const struct sweep *sweep, uint64_t at, uint64_t *end)
{
	uint64_t change;

	if (at >= sweep->tables_end)
		return false;
	change = at >= sweep->tables ? sweep->tables_end : sweep->tables;
	if (change < *end)
		*end = change;
	return at >= sweep->tables;
}

// The piece at the sweep's position; false past the last region.
static bool peek_piece(struct sweep *sweep, struct piece *piece)
{
	uint64_t at = sweep->position;
	uint64_t end = UINT64_MAX;
	bool reserved = covered(&sweep->reserved, &sweep->r, at, &end);
	bool usable = covered(&sweep->usable, &sweep->u, at, &end);
	bool in_use = covered(&sweep->in_use, &sweep->k, at, &end);

	in_use |= in_tables(sweep, at, &end);
	if ((!reserved && !usable && !in_use && end == UINT64_MAX))
		return false;
	// In use without being usable: not RAM as far as the map says; hands off.
	if (reserved || (in_use && !usable))
		piece->state = PIECE_RESERVED;
	else if (usable)
		piece->state = in_use ? PIECE_IN_USE : PIECE_USABLE;
	else
		piece->state = PIECE_HOLE;
	piece->start = at;
	piece->end = end;
	return true;
}

// The next stripe: frames of one class, starting at a frame boundary.
static bool next_stripe(struct sweep *sweep, struct stripe *stripe)
{
	uint64_t start = sweep->position;
	uint64_t frame_end = start + MM_FRAME_SIZE;
	struct piece piece;

	stripe->first = start >> MM_FRAME_SHIFT;
	stripe->frames = 1;
	stripe->seen = 0;
	if (!peek_piece(sweep, &piece))
		return false;
	if (piece.end >= frame_end) {
		stripe->seen = 1u << piece.state;
		stripe->frames = (piece.end - start) >> MM_FRAME_SHIFT;
		sweep->position = start + (stripe->frames << MM_FRAME_SHIFT);
		return true;
	}
	while (sweep->position < frame_end) {
		if (!peek_piece(sweep, &piece))
			piece = (struct piece){sweep->position, frame_end, PIECE_HOLE};
		stripe->seen |= 1u << piece.state;
		sweep->position = piece.end < frame_end ? piece.end : frame_end;
	}
	return true;
}

static bool is_managed(unsigned seen)
{
	return !(seen & (SEEN_HOLE | SEEN_RESERVED));
}

// --- zones --------------------------------------------------------------------
struct limits {
	uint64_t zone_end[ZONE_COUNT]; // frame numbers; zones are [previous, end)
};

static int zone_of(const struct limits *limits, uint64_t frame)
{
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		if (frame < limits->zone_end[zone])
			return zone;
	return -1;
}

// Cuts the stripe where a zone ends; returns the part before the cut.
static struct stripe cut_at_zone(const struct limits *limits, struct stripe *rest)
{
	int zone = zone_of(limits, rest->first);
	struct stripe part = *rest;

	if (zone >= 0 && part.first + part.frames > limits->zone_end[zone])
		part.frames = limits->zone_end[zone] - part.first;
	rest->first += part.frames;
	rest->frames -= part.frames;
	return part;
}

// Where counting and filling meet: what has been laid out so far.
struct layout {
	uint32_t extents;
	uint32_t bits[ZONE_COUNT];
	uint32_t frames[ZONE_COUNT];
	uint64_t direct_end; // frame number after the last managed direct-mapped one
	int last_zone;	     // of the extent before, -1 none or not managed
	uint64_t last_end;   // frame after the extent before
	bool last_reserved;  // the extent before is not managed
	bool too_many;
	bool fill;
};

static void fill_frames(struct zone *zone, const struct stripe *stripe, uint32_t bit, int index)
{
	for (uint64_t i = 0; i < stripe->frames; i++) {
		struct Page *page = &zone->pages[bit + i];

		page->frame = stripe->first + i;
		page->zone = (uint8_t)index;
	}
	zone->frames += (uint32_t)stripe->frames;
	if (zone->first_frame == zone->end_frame)
		zone->first_frame = stripe->first;
	zone->end_frame = stripe->first + stripe->frames;
	if (!(stripe->seen & SEEN_IN_USE)) {
		mm_frames_add_free(zone, bit, (uint32_t)stripe->frames);
		return;
	}
	zone->given += stripe->frames;
	for (uint64_t i = 0; i < stripe->frames; i++)
		zone->word[(bit + i) / 64].kernel |= UINT64_C(1) << ((bit + i) % 64);
}

static void fill_guard(struct zone *zone, uint32_t bit, int index)
{
	zone->pages[bit].frame = MM_GUARD_FRAME;
	zone->pages[bit].zone = (uint8_t)index;
}

static void add_extent(struct layout *layout, const struct stripe *stripe, int zone)
{
	if (layout->fill) {
		struct extent *extent = &mm_map.extents[layout->extents];

		*extent = (struct extent){.first = stripe->first, .zone = zone};
		if (zone >= 0)
			extent->bit = layout->bits[zone];
		mm_map.count = layout->extents + 1;
	}
	layout->extents++;
}

static void end_extent(struct layout *layout)
{
	int zone = layout->last_zone;

	if (zone < 0)
		return;
	if (layout->fill)
		fill_guard(&mm_zones[zone], layout->bits[zone], zone);
	layout->bits[zone]++;
	layout->last_zone = -1;
}

static void lay_managed(struct layout *layout, const struct stripe *stripe, int zone)
{
	bool joined = layout->last_zone == zone && layout->last_end == stripe->first;

	if (!joined) {
		end_extent(layout);
		add_extent(layout, stripe, zone);
	}
	if (stripe->frames > (UINT32_MAX >> 2) - layout->bits[zone]) {
		layout->too_many = true;
		return;
	}
	if (layout->fill) {
		mm_map.extents[layout->extents - 1].frames += stripe->frames;
		fill_frames(&mm_zones[zone], stripe, layout->bits[zone], zone);
	}
	layout->bits[zone] += (uint32_t)stripe->frames;
	layout->frames[zone] += (uint32_t)stripe->frames;
	layout->last_zone = zone;
	layout->last_reserved = false;
	layout->last_end = stripe->first + stripe->frames;
	if (zone != MM_ZONE_UNMAPPED && layout->last_end > layout->direct_end)
		layout->direct_end = layout->last_end;
}

static void lay_unmanaged(struct layout *layout, const struct stripe *stripe)
{
	end_extent(layout);
	if (stripe->seen == SEEN_HOLE)
		return;
	if (!layout->last_reserved || layout->last_end != stripe->first)
		add_extent(layout, stripe, -1);
	layout->last_reserved = true;
	layout->last_end = stripe->first + stripe->frames;
	if (layout->fill)
		mm_map.extents[layout->extents - 1].frames += stripe->frames;
}

// One sweep over all frames: counts, and with layout->fill writes the tables.
static void lay_out(struct sweep *sweep, const struct limits *limits, struct layout *layout)
{
	struct stripe stripe;

	rewind_sweep(sweep);
	layout->last_zone = -1;
	while (next_stripe(sweep, &stripe)) {
		while (stripe.frames) {
			struct stripe part = cut_at_zone(limits, &stripe);
			int zone = zone_of(limits, part.first);

			if (zone >= 0 && is_managed(part.seen))
				lay_managed(layout, &part, zone);
			else
				lay_unmanaged(layout, &part);
		}
	}
	end_extent(layout);
}

// --- a place for mm's own tables ----------------------------------------------
struct tables {
	uint64_t pages, words, extents, slabs, cpu; // offsets
	uint64_t bytes;
	uint32_t bits;	   // all zones, rounded to words
	uint32_t granules; // a power of two
};

static uint64_t append(uint64_t *bytes, uint64_t size)
{
	uint64_t offset = *bytes;

	*bytes += (size + 63) & ~UINT64_C(63);
	return offset;
}

static struct tables size_tables(const struct layout *layout)
{
	struct tables tables = {.granules = MM_FRAME_GRANULES};

	for (int zone = 0; zone < ZONE_COUNT; zone++)
		tables.bits += (layout->bits[zone] + 63) & ~63u;
	while (tables.granules < layout->direct_end * MM_FRAME_GRANULES)
		tables.granules *= 2;
	tables.slabs = append(&tables.bytes, sizeof(struct slab) * (uint64_t)tables.granules);
	tables.pages = append(&tables.bytes, sizeof(struct Page) * (uint64_t)tables.bits);
	// One empty word behind each zone, so that every word has a successor.
	tables.words = append(&tables.bytes,
			      sizeof(struct frame_word) * (tables.bits / 64 + ZONE_COUNT));
	// One stripe of tables can cut one extent in two at most; room for it.
	tables.extents = append(&tables.bytes, sizeof(struct extent) * (layout->extents + 4));
	tables.cpu = append(&tables.bytes, sizeof(struct mm_cpu));
	tables.bytes = PAGE_4K_ALIGN(tables.bytes);
	return tables;
}

// How many free whole frames a table of `size` bytes at `start` inside the
// usable piece would take: a frame that reaches out of the piece is lost anyway.
static uint64_t frames_lost(const struct piece *piece, uint64_t start, uint64_t size)
{
	uint64_t first = start & PAGE_2M_MASK;
	uint64_t end = PAGE_2M_ALIGN(start + size);

	if (first < piece->start)
		first += MM_FRAME_SIZE;
	if (end > piece->end)
		end -= MM_FRAME_SIZE;
	return end > first ? (end - first) >> MM_FRAME_SHIFT : 0;
}

// The place that costs the fewest whole frames; DMA frames count as many.
static bool place_tables(struct sweep *sweep, const struct limits *limits, uint64_t bytes)
{
	uint64_t limit = limits->zone_end[MM_ZONE_NORMAL] << MM_FRAME_SHIFT;
	uint64_t dma_end = limits->zone_end[MM_ZONE_DMA] << MM_FRAME_SHIFT;
	uint64_t best_cost = UINT64_MAX, best = 0;
	struct piece piece;

	sweep->tables = sweep->tables_end = 0;
	rewind_sweep(sweep);
	for (; peek_piece(sweep, &piece); sweep->position = piece.end) {
		uint64_t start = PAGE_4K_ALIGN(piece.start < MM_META_FLOOR ? MM_META_FLOOR
									   : piece.start);
		uint64_t end = (piece.end < limit ? piece.end : limit) & PAGE_4K_MASK;
		uint64_t tries[2] = {start, end - bytes};

		if (piece.state != PIECE_USABLE || start >= limit || end < start ||
		    end - start < bytes)
			continue;
		for (int i = 0; i < 2; i++) {
			uint64_t cost = frames_lost(&piece, tries[i], bytes);

			if (tries[i] < dma_end)
				cost *= 1000;
			if (cost < best_cost || (cost == best_cost && i == 0)) {
				best_cost = cost;
				best = tries[i];
			}
		}
	}
	if (best_cost == UINT64_MAX)
		return false;
	sweep->tables = best;
	sweep->tables_end = best + bytes;
	mm_map.report.metadata = bytes;
	mm_map.report.metadata_lost = (best_cost % 1000 ? best_cost : best_cost / 1000)
				      << MM_FRAME_SHIFT;
	return true;
}

// --- putting it together ------------------------------------------------------
static bool config_is_sane(const struct mm_config *config)
{
	if (!config->regions || !config->region_count || config->region_count > UINT32_MAX)
		return false;
	if (config->direct_base.value & (MM_FRAME_SIZE - 1))
		return false;
	if (config->dma_limit > config->direct_limit || config->direct_limit < MM_FRAME_SIZE)
		return false;
	return config->phys_limit >= MM_FRAME_SIZE && config->cpu_limit >= 1 &&
	       config->cpu_limit <= MM_CPU_LIMIT;
}

static struct limits limits_of(const struct mm_config *config, uint64_t phys_limit)
{
	uint64_t top = phys_limit >> MM_FRAME_SHIFT;
	struct limits limits;

	limits.zone_end[MM_ZONE_DMA] = config->dma_limit >> MM_FRAME_SHIFT;
	limits.zone_end[MM_ZONE_NORMAL] = config->direct_limit >> MM_FRAME_SHIFT;
	limits.zone_end[MM_ZONE_UNMAPPED] = top;
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		if (limits.zone_end[zone] > top)
			limits.zone_end[zone] = top;
	return limits;
}

static void count_bytes(struct sweep *sweep, uint64_t phys_limit, struct mm_boot_report *report)
{
	struct piece piece;

	rewind_sweep(sweep);
	for (; peek_piece(sweep, &piece); sweep->position = piece.end) {
		uint64_t bytes = piece.end - piece.start;
		uint64_t above = piece.end <= phys_limit     ? 0
				 : piece.start >= phys_limit ? bytes
							     : piece.end - phys_limit;

		if (piece.state == PIECE_RESERVED)
			report->reserved += bytes;
		if (piece.state == PIECE_USABLE || piece.state == PIECE_IN_USE) {
			report->usable += bytes;
			report->beyond_limit += above;
		}
	}
}

static void hand_out_tables(const struct tables *tables, const struct layout *layout, uint8_t *at)
{
	struct Page *page = (struct Page *)(void *)(at + tables->pages);
	struct frame_word *word = (struct frame_word *)(void *)(at + tables->words);

	mm_slabs = (struct slab *)(void *)(at + tables->slabs);
	mm_slab_mask = ((uint64_t)tables->granules - 1) * sizeof(struct slab);
	mm_map.extents = (struct extent *)(void *)(at + tables->extents);
	mm_map.capacity = layout->extents + 4;
	mm_cpus[0] = (struct mm_cpu *)(void *)(at + tables->cpu);
	mm_pages = page;
	mm_page_total = tables->bits;
	mm_page_bytes = tables->bits * sizeof(struct Page);
	for (int i = 0; i < ZONE_COUNT; i++) {
		struct zone *zone = &mm_zones[i];

		memset(zone, 0, sizeof(*zone));
		zone->index = (uint32_t)i;
		zone->attr = i == MM_ZONE_UNMAPPED ? 0 : PAGE_PGT_MAPPED;
		zone->bits = layout->bits[i];
		zone->words = (layout->bits[i] + 63) / 64;
		zone->pages = page;
		zone->word = word;
		memset(zone->bucket, 0xff, sizeof(zone->bucket));
		page += zone->words * 64u;
		word += zone->words + 1;
		// Page slots behind the last bit are guards as well.
		for (uint32_t bit = zone->bits; bit < zone->words * 64u; bit++)
			fill_guard(zone, bit, i);
	}
}

static void reset_globals(const struct mm_config *config)
{
	mm_machine = (struct mm_machine){
		.direct_base = config->direct_base.value,
		.direct_limit = config->direct_limit & PAGE_2M_MASK,
		.phys_limit = config->phys_limit,
		.has_1g_pages = config->has_1g_pages,
		.has_nx = config->has_nx,
	};
	mm_cpu_limit = config->cpu_limit;
	memset(&mm_pool, 0, sizeof(mm_pool));
	memset(mm_pool.head, 0xff, sizeof(mm_pool.head));
	memset(mm_classes, 0, sizeof(mm_classes));
	for (unsigned cls = 0; cls <= CLASS_LAST; cls++)
		mm_classes[cls].head = mm_classes[cls].tail = MM_NIL;
}

// Lays out with memory above phys_limit left aside; MM_ERR_NO_MEMORY when the
// tables that this needs do not fit anywhere.
static enum mm_status try_layout(struct sweep *sweep, const struct mm_config *config,
				 uint64_t phys_limit, struct limits *limits, struct tables *tables,
				 struct layout *layout)
{
	*limits = limits_of(config, phys_limit);
	*layout = (struct layout){0};
	sweep->tables = sweep->tables_end = 0;
	lay_out(sweep, limits, layout);
	if (!layout->frames[0] && !layout->frames[1] && !layout->frames[2])
		return MM_ERR_MAP_EMPTY;
	if (layout->too_many)
		return MM_ERR_NO_MEMORY;
	*tables = size_tables(layout);
	return place_tables(sweep, limits, tables->bytes) ? MM_OK : MM_ERR_NO_MEMORY;
}

enum mm_status mm_init(struct mm_config *config)
{
	uint64_t phys_limit = config->phys_limit & PAGE_2M_MASK;
	struct sweep sweep;
	struct limits limits;
	struct tables tables;
	struct layout layout;
	enum mm_status status;
	uint8_t *at;

	if (mm_machine.ready)
		return MM_ERR_STATE;
	if (!config_is_sane(config))
		return MM_ERR_BAD_CONFIG;
	mm_map = (struct mm_map){0};
	settle(config, &sweep, &mm_map.report);
	// A map so scattered that the tables for all of it fit nowhere: manage
	// what is below half of it rather than nothing.
	while ((status = try_layout(&sweep, config, phys_limit, &limits, &tables, &layout)) ==
		       MM_ERR_NO_MEMORY &&
	       phys_limit > 16 * MM_FRAME_SIZE)
		phys_limit = phys_limit / 2 & PAGE_2M_MASK;
	if (status != MM_OK)
		return status;
	reset_globals(config);
	at = mm_phys_to_virt(mm_pa(sweep.tables));
	if (!config->memory_is_zero)
		memset(at, 0, tables.bytes);
	hand_out_tables(&tables, &layout, at);
	count_bytes(&sweep, phys_limit, &mm_map.report);
	layout = (struct layout){.fill = true};
	lay_out(&sweep, &limits, &layout);
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		mm_map.report.managed += (uint64_t)mm_zones[zone].frames << MM_FRAME_SHIFT;
	mm_map.report.extents = mm_map.count;
	mm_map.report.rounding_loss = mm_map.report.usable - mm_map.report.managed -
				      mm_map.report.beyond_limit;
	mm_map.tables = sweep.tables;
	mm_map.tables_end = sweep.tables_end;
	mm_cpu_init(mm_cpus[0], 0);
	mm_machine.ready = true;
	return MM_OK;
}

void mm_exit(void)
{
	mm_hooks_forget();
	mm_sites_forget();
	memset(mm_cpus, 0, sizeof(mm_cpus));
	mm_own_allocs = mm_own_frees = 0;
	mm_machine.ready = false;
}

const struct mm_boot_report *mm_boot_report(void)
{
	return &mm_map.report;
}

uint32_t mm_extent_at(uint64_t frame)
{
	uint32_t low = 0, high = mm_map.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct extent *extent = &mm_map.extents[middle];

		if (extent->first + extent->frames <= frame)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool release_frame(struct Page *page)
{
	struct zone *zone = &mm_zones[page->zone];
	uint32_t bit = mm_page_bit(zone, page);
	uint64_t mask = UINT64_C(1) << (bit % 64);
	struct frame_word *word = &zone->word[bit / 64];
	uint64_t start = page->frame << MM_FRAME_SHIFT;
	mm_irq_t irq;
	bool released;

	if (start < mm_map.tables_end && start + MM_FRAME_SIZE > mm_map.tables)
		return false;
	irq = mm_lock_irq(&zone->lock);
	released = (word->kernel & mask) != 0;
	if (released) {
		mm_poke(word->kernel, word->kernel & ~mask);
		mm_frames_add_free(zone, bit, 1);
		mm_count(zone->returned, 1);
	}
	mm_unlock_irq(&zone->lock, irq);
	return released;
}

size_t mm_release_boot_memory(paddr_t base, uint64_t length)
{
	uint64_t end = length > UINT64_MAX - base.value ? UINT64_MAX : base.value + length;
	uint64_t frame = base.value / MM_FRAME_SIZE + (base.value % MM_FRAME_SIZE != 0);
	size_t released = 0;

	for (; frame < end >> MM_FRAME_SHIFT; frame++) {
		struct Page *page = mm_phys_to_page(mm_pa(frame << MM_FRAME_SHIFT));

		if (page)
			released += release_frame(page);
		else if (mm_extent_at(frame) == mm_map.count)
			break;
	}
	if (released)
		mm_gen_bump();
	return released;
}
