/* SPDX-License-Identifier: MIT */
/* Answers of mm.slabs as plain data. */
#ifndef VIEWS_SLABDATA_H
#define VIEWS_SLABDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

struct mv_slab {
	uint64_t addr, size; /* of the first object; bytes of one object */
	uint32_t objects, used;
	uint32_t (*runs)[2]; /* used objects: first, count; sorted */
	size_t run_count, run_capacity;
};

struct mv_slab_set {
	struct mv_slab *slab;
	size_t count, capacity;
};

/* Adds the slabs of a result whose address lies in [from, to). Items that continue a slab (same
 * address) are joined. Items that make no sense are left out. */
void mv_slabs_add(struct mv_slab_set *s, struct json_object *result, uint64_t from, uint64_t to);
void mv_slabs_clear(struct mv_slab_set *s);
const struct mv_slab *mv_slabs_find(const struct mv_slab_set *s, uint64_t addr);
bool mv_slab_object_used(const struct mv_slab *s, uint32_t index);
/* Used objects among [first, first + count). */
uint32_t mv_slab_used_in(const struct mv_slab *s, uint32_t first, uint32_t count);
static inline uint64_t mv_slab_bytes(const struct mv_slab *s)
{
	return s->size * s->objects;
}

#endif
