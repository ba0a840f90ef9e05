/*
 * Memory before mm/: a bump allocator that takes usable memory out of boot_info.memmap.
 *
 * Each byte it gives out becomes MEMMAP_KERNEL in the map, so that the map is at any moment the
 * truth that mm_init() needs; nothing else is pinned. It first uses what the image leaves of its
 * last 2 MiB frame. mm/ ends it by early_seal().
 */
#ifndef KERNEL_EARLY_H
#define KERNEL_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Zeroed memory in the direct map, in whole 4 KiB pages, aligned to `align` (a power of two, at
 * least a page is meant). Lives forever. Panics when there is none, or after early_seal().
 */
void *early_alloc(size_t bytes, size_t align);

/* The allocator stops below `limit`, the end of the direct map. */
void early_set_limit(uint64_t limit);

/* No more early_alloc(): boot_info.memmap is final and belongs to mm/. */
void early_seal(void);
bool early_sealed(void);

/* Bytes given out so far. */
uint64_t early_bytes(void);

#endif
