/*
 * The memory map, as a sorted array of regions without overlaps. Everything is built on one
 * primitive, put(), which makes a range one kind whatever it was before.
 */
#include <kernel/memmap.h>

#include <string.h>

void memmap_init(struct memmap *map)
{
	map->count = 0;
	map->sacrificed_bytes = 0;
	map->refused = 0;
}

/* Index of the first region that ends above `address`; count when there is none. */
static size_t first_above(const struct memmap *map, uint64_t address)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->regions[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct memmap_region memmap_at(const struct memmap *map, uint64_t address)
{
	size_t i = first_above(map, address);
	struct memmap_region hole = {address, UINT64_MAX, MEMMAP_HOLE};

	if (i < map->count && map->regions[i].start <= address)
		return map->regions[i];
	hole.start = i > 0 ? map->regions[i - 1].end : 0;
	if (i < map->count)
		hole.end = map->regions[i].start;
	return hole;
}

bool memmap_is_ram(const struct memmap *map, uint64_t address)
{
	enum memmap_kind kind = memmap_at(map, address).kind;

	return kind == MEMMAP_USABLE || kind == MEMMAP_KERNEL;
}

static void open_gap(struct memmap *map, size_t at, size_t slots)
{
	memmove(&map->regions[at + slots], &map->regions[at],
		(map->count - at) * sizeof(map->regions[0]));
	map->count += slots;
}

static void close_gap(struct memmap *map, size_t at, size_t slots)
{
	memmove(&map->regions[at], &map->regions[at + slots],
		(map->count - at - slots) * sizeof(map->regions[0]));
	map->count -= slots;
}

/* Splits the region that `address` lies strictly within, so that one begins there. */
static void split_at(struct memmap *map, uint64_t address)
{
	size_t i = first_above(map, address);

	if (i == map->count || map->regions[i].start >= address)
		return;
	open_gap(map, i, 1);
	map->regions[i].end = address;
	map->regions[i + 1].start = address;
}

static void join_at(struct memmap *map, size_t i)
{
	if (i == 0 || i >= map->count)
		return;
	struct memmap_region *left = &map->regions[i - 1], *right = &map->regions[i];

	if (left->end != right->start || left->kind != right->kind)
		return;
	left->end = right->end;
	close_gap(map, i, 1);
}

/* Makes [start, end) one kind. Needs room for two more regions. */
static void put(struct memmap *map, uint64_t start, uint64_t end, enum memmap_kind kind)
{
	split_at(map, start);
	split_at(map, end);

	size_t first = first_above(map, start), last = first;

	while (last < map->count && map->regions[last].start < end)
		last++;
	close_gap(map, first, last - first);
	if (kind == MEMMAP_HOLE)
		return;
	open_gap(map, first, 1);
	map->regions[first] = (struct memmap_region){start, end, kind};
	join_at(map, first + 1);
	join_at(map, first);
}

static uint64_t usable_in(const struct memmap_region *region)
{
	return region->kind == MEMMAP_USABLE ? region->end - region->start : 0;
}

/* Makes room for two regions: joins the neighbours that cost the least usable memory, and what lies
 * between them, into a reserved one. */
static void make_room(struct memmap *map)
{
	while (map->count + 2 > MEMMAP_REGIONS_MAX) {
		size_t best = 0;
		uint64_t best_cost = UINT64_MAX;

		for (size_t i = 0; i + 1 < map->count; i++) {
			uint64_t cost = usable_in(&map->regions[i]) +
					usable_in(&map->regions[i + 1]);

			if (cost < best_cost) {
				best_cost = cost;
				best = i;
			}
		}
		map->sacrificed_bytes += best_cost;
		put(map, map->regions[best].start, map->regions[best + 1].end, MEMMAP_RESERVED);
	}
}

/* Makes `kind` whatever in [start, end) is of a kind in [from, to]. */
static void raise_range(struct memmap *map, uint64_t start, uint64_t end, enum memmap_kind from,
			enum memmap_kind to, enum memmap_kind kind)
{
	uint64_t at = start;

	while (at < end) {
		make_room(map);

		struct memmap_region here = memmap_at(map, at);
		uint64_t stop = here.end < end ? here.end : end;

		if (here.kind >= from && here.kind <= to)
			put(map, at, stop, kind);
		at = stop;
	}
}

bool memmap_add(struct memmap *map, uint64_t start, uint64_t bytes, enum memmap_kind kind)
{
	bool wraps = bytes > UINT64_MAX - start;

	if (bytes == 0 || kind <= MEMMAP_HOLE || kind >= MEMMAP_KINDS ||
	    (wraps && kind == MEMMAP_USABLE)) {
		map->refused++;
		return false;
	}
	raise_range(map, start, wraps ? UINT64_MAX : start + bytes, MEMMAP_HOLE, kind - 1, kind);
	return true;
}

void memmap_claim(struct memmap *map, uint64_t start, uint64_t bytes)
{
	uint64_t end = bytes > UINT64_MAX - start ? UINT64_MAX : start + bytes;

	raise_range(map, start, end, MEMMAP_USABLE, MEMMAP_USABLE, MEMMAP_KERNEL);
}

void memmap_limit(struct memmap *map, uint64_t limit)
{
	size_t i = first_above(map, limit);

	if (i < map->count && map->regions[i].start < limit)
		map->regions[i++].end = limit;
	map->count = i;
}

uint64_t memmap_bytes(const struct memmap *map, enum memmap_kind kind, uint64_t limit)
{
	uint64_t bytes = 0, said = 0;

	for (size_t i = 0; i < map->count && map->regions[i].start < limit; i++) {
		const struct memmap_region *region = &map->regions[i];
		uint64_t end = region->end < limit ? region->end : limit;

		said += end - region->start;
		if (region->kind == kind)
			bytes += end - region->start;
	}
	return kind == MEMMAP_HOLE ? limit - said : bytes;
}

uint64_t memmap_end(const struct memmap *map, enum memmap_kind kind)
{
	for (size_t i = map->count; i > 0; i--)
		if (map->regions[i - 1].kind == kind)
			return map->regions[i - 1].end;
	return 0;
}

uint64_t memmap_find(const struct memmap *map, uint64_t bytes, uint64_t align, uint64_t from,
		     uint64_t to)
{
	for (size_t i = first_above(map, from); i < map->count; i++) {
		const struct memmap_region *region = &map->regions[i];
		uint64_t end = region->end < to ? region->end : to;
		uint64_t start = region->start > from ? region->start : from;

		if (region->kind != MEMMAP_USABLE || start > UINT64_MAX - (align - 1))
			continue;
		start = (start + align - 1) & ~(align - 1);
		if (start < end && end - start >= bytes)
			return start;
	}
	return UINT64_MAX;
}

const char *memmap_kind_name(enum memmap_kind kind)
{
	static const char *const names[MEMMAP_KINDS] = {
		[MEMMAP_HOLE] = "hole",
		[MEMMAP_USABLE] = "usable",
		[MEMMAP_KERNEL] = "kernel",
		[MEMMAP_RESERVED] = "reserved",
	};

	return kind < MEMMAP_KINDS ? names[kind] : "unknown";
}

const char *memmap_check(const struct memmap *map)
{
	if (map->count > MEMMAP_REGIONS_MAX)
		return "more regions than there is room for";
	for (size_t i = 0; i < map->count; i++) {
		const struct memmap_region *region = &map->regions[i];

		if (region->start >= region->end)
			return "a region is empty or backwards";
		if (region->kind <= MEMMAP_HOLE || region->kind >= MEMMAP_KINDS)
			return "a region is of no kind";
		if (i == 0)
			continue;
		if (region->start < region[-1].end)
			return "regions overlap or are out of order";
		if (region->start == region[-1].end && region->kind == region[-1].kind)
			return "neighbours of one kind are not joined";
	}
	return NULL;
}
