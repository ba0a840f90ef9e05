// status.c: every status in words. One row per enumerator; the size check at
// the end fails to compile when a row is missing.
#include "internal.h"

struct status_row {
	const char *name;
	const char *text;
};

#define ROW(status, text) [status] = {#status, text}

static const struct status_row rows[] = {
	ROW(MM_OK, "success"),
	ROW(MM_ERR_SIZE, "size is over 1 MiB, the largest object"),
	ROW(MM_ERR_GFP, "unknown gfp bits; only __GFP_ZERO (1) is known"),
	ROW(MM_ERR_NO_MEMORY, "no free memory is left"),
	ROW(MM_ERR_COUNT, "the number of frames must be 1 to 63"),
	ROW(MM_ERR_ZONE, "the zone must be exactly one of ZONE_DMA, ZONE_NORMAL, "
			 "ZONE_UNMAPPED_IN_PGT"),
	ROW(MM_ERR_FLAGS, "unknown flag bits"),
	ROW(MM_ERR_NO_RUN, "the zone has no free run of that many frames"),
	ROW(MM_ERR_INJECTED, "made to fail on purpose (fail-the-nth)"),
	ROW(MM_ERR_NULL, "a null pointer"),
	ROW(MM_ERR_FOREIGN, "not an object of kmalloc, or its slab has gone back"),
	ROW(MM_ERR_INTERIOR, "points into an object, not at its start"),
	ROW(MM_ERR_FREE, "double free: the object is free already"),
	ROW(MM_ERR_TABLE, "a page table in use"),
	ROW(MM_ERR_NOT_FRAME, "not a frame of any zone"),
	ROW(MM_ERR_FRAME_FREE, "double free: a frame of the range is free already"),
	ROW(MM_ERR_FRAME_SLAB, "a frame of the range belongs to the slab"),
	ROW(MM_ERR_FRAME_KERN, "a frame of the range belongs to the kernel"),
	ROW(MM_ERR_REDZONE, "redzone broken: bytes behind the requested size were overwritten"),
	ROW(MM_ERR_POISON, "poison broken: the object was written to while it was free"),
	ROW(MM_ERR_ALIGN, "virtual and physical address differ in their offset within a page"),
	ROW(MM_ERR_CANONICAL, "the range holds non-canonical virtual addresses"),
	ROW(MM_ERR_WRAP, "the range passes the end of the address space"),
	ROW(MM_ERR_PHYS, "the range lies beyond the physical width of the CPU"),
	ROW(MM_ERR_MAPPED, "a page of the range is mapped already"),
	ROW(MM_ERR_UNMAPPED, "nothing is mapped there"),
	ROW(MM_ERR_TABLE_MEM, "no memory for a page table"),
	ROW(MM_ERR_ROOT, "the root is not the root table of a space"),
	ROW(MM_ERR_SHARED, "the range lies in the kernel half that all spaces share"),
	ROW(MM_ERR_SPACE, "no such space, or it is in use"),
	ROW(MM_ERR_LIMIT, "a fixed limit of mm is reached"),
	ROW(MM_ERR_MAP_EMPTY, "the memory map holds no whole usable frame"),
	ROW(MM_ERR_BAD_CONFIG, "a field of mm_config contradicts another"),
	ROW(MM_ERR_STATE, "not possible in this state of mm"),
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == MM_STATUS_COUNT, "a row per status");

static const struct status_row *row_of(enum mm_status status)
{
	static const struct status_row unknown = {"MM_ERR_?", "an unknown status"};

	return (unsigned)status < MM_STATUS_COUNT ? &rows[status] : &unknown;
}

const char *mm_status_text(enum mm_status status)
{
	return row_of(status)->text;
}

const char *mm_status_name(enum mm_status status)
{
	return row_of(status)->name;
}
