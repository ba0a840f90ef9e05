/*
 * The memory map: what every byte of physical memory is.
 *
 * Loaders hand over lists of ranges in any order, with overlaps, repeats, holes and nonsense. Each
 * range is put into the map one by one; the map is at every moment sorted, free of overlaps and
 * joined where neighbours are alike. Where ranges disagree the more careful word holds: reserved
 * over kernel over usable over hole. Pure: no allocation, no global state, compiles for the host.
 */
#ifndef KERNEL_MEMMAP_H
#define KERNEL_MEMMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ascending: of two that claim the same byte the higher one holds. */
enum memmap_kind {
	MEMMAP_HOLE,	 /* nobody said anything */
	MEMMAP_USABLE,	 /* free memory */
	MEMMAP_KERNEL,	 /* memory that holds the image or what was allocated before mm/ */
	MEMMAP_RESERVED, /* firmware, devices, broken, unknown kinds */
	MEMMAP_KINDS
};

/* [start, end) in bytes; never empty. */
struct memmap_region {
	uint64_t start, end;
	enum memmap_kind kind;
};

#define MEMMAP_REGIONS_MAX 512

struct memmap {
	struct memmap_region regions[MEMMAP_REGIONS_MAX]; /* without holes */
	size_t count;
	/* Usable bytes that were given up as reserved because the map was full. */
	uint64_t sacrificed_bytes;
	/* Ranges refused: empty, or wrapping past the end of the address space. */
	uint32_t refused;
};

void memmap_init(struct memmap *map);

/*
 * Puts [start, start + bytes) into the map as `kind` (not MEMMAP_HOLE). A range that wraps is cut
 * at the end of the address space, except a usable one, which is refused: it cannot be true.
 * Returns false when it was refused. Never fails for want of room: when the map is full, the
 * smallest usable region becomes reserved, since nothing reserved may ever be given out.
 */
bool memmap_add(struct memmap *map, uint64_t start, uint64_t bytes, enum memmap_kind kind);

/* Turns what is usable in [start, start + bytes) into MEMMAP_KERNEL, leaving the rest as it is. */
void memmap_claim(struct memmap *map, uint64_t start, uint64_t bytes);

/* Cuts off everything at and above `limit`, e.g. what the CPU cannot address. */
void memmap_limit(struct memmap *map, uint64_t limit);

/*
 * The region that begins at or contains `address`, holes included; the last hole ends at
 * UINT64_MAX. Walk with address = region.end until that.
 */
struct memmap_region memmap_at(const struct memmap *map, uint64_t address);

/* True when there is RAM at `address`: usable, or the kernel's. */
bool memmap_is_ram(const struct memmap *map, uint64_t address);

/* Bytes of a kind below `limit` (UINT64_MAX: all of it; holes then count up to there). */
uint64_t memmap_bytes(const struct memmap *map, enum memmap_kind kind, uint64_t limit);

/* End of the highest region of a kind; 0 when there is none. */
uint64_t memmap_end(const struct memmap *map, enum memmap_kind kind);

/*
 * The lowest `bytes` of usable memory within [from, to), aligned to `align` (a power of two).
 * Returns UINT64_MAX when there is none.
 */
uint64_t memmap_find(const struct memmap *map, uint64_t bytes, uint64_t align, uint64_t from,
		     uint64_t to);

/* "hole", "usable", "kernel", "reserved". */
const char *memmap_kind_name(enum memmap_kind kind);

/* Checks every invariant; NULL, or the first broken one in words. */
const char *memmap_check(const struct memmap *map);

#endif
