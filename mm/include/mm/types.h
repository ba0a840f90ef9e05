// mm/types.h: the types that every mm header speaks in.
//
// Physical and virtual addresses are distinct struct types so that one can
// never pass for the other; they cost nothing at run time. The user's API
// (<mm/mm.h>) keeps its plain `unsigned long` arguments, as documented there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The user's document writes `ul` for unsigned long.
typedef unsigned long ul;

// A physical address.
typedef struct {
	uint64_t value;
} paddr_t;

// A virtual address: kernel or user, canonical unless a function says otherwise.
typedef struct {
	uint64_t value;
} vaddr_t;

static inline paddr_t mm_pa(uint64_t value)
{
	return (paddr_t){value};
}

static inline vaddr_t mm_va(uint64_t value)
{
	return (vaddr_t){value};
}

static inline vaddr_t mm_va_of(const void *pointer)
{
	return (vaddr_t){(uint64_t)(uintptr_t)pointer};
}

static inline void *mm_ptr(vaddr_t address)
{
	return (void *)(uintptr_t)address.value;
}

// Every answer that mm gives apart from the numbers of the user's API.
// mm_status_text() says each in words; MM_OK is 0.
enum mm_status {
	MM_OK = 0,
	// requests for memory
	MM_ERR_SIZE,	  // kmalloc: more than 1 MiB
	MM_ERR_GFP,	  // kmalloc: unknown gfp bits
	MM_ERR_NO_MEMORY, // no free frame left for the slab
	MM_ERR_COUNT,	  // frames: number outside 1..63
	MM_ERR_ZONE,	  // frames: not exactly one known zone
	MM_ERR_FLAGS,	  // frames or mapping: unknown flag bits
	MM_ERR_NO_RUN,	  // frames: no free run of that length in the zone
	MM_ERR_INJECTED,  // refused on purpose by fail-the-nth
	// frees
	MM_ERR_NULL,	   // a null pointer where none is allowed
	MM_ERR_FOREIGN,	   // not an address kmalloc gives out
	MM_ERR_INTERIOR,   // points into an object, not at its start
	MM_ERR_FREE,	   // the object is already free (double free)
	MM_ERR_TABLE,	   // the object is a page table in use
	MM_ERR_NOT_FRAME,  // not a frame of any zone
	MM_ERR_FRAME_FREE, // a frame in the range is free (double free)
	MM_ERR_FRAME_SLAB, // a frame in the range belongs to the slab
	MM_ERR_FRAME_KERN, // a frame in the range belongs to the kernel itself
	MM_ERR_REDZONE,	   // bytes after the requested size were overwritten
	MM_ERR_POISON,	   // a free object was written to
	// mappings and spaces
	MM_ERR_ALIGN,	  // virtual and physical differ in their offset in a page
	MM_ERR_CANONICAL, // a non-canonical virtual address in the range
	MM_ERR_WRAP,	  // the range passes the end of the address space
	MM_ERR_PHYS,	  // beyond the physical width of the CPU
	MM_ERR_MAPPED,	  // something else is mapped in the range
	MM_ERR_UNMAPPED,  // nothing is mapped there
	MM_ERR_TABLE_MEM, // no memory for a page table
	MM_ERR_ROOT,	  // the root is not a page table of a space
	MM_ERR_SHARED,	  // the range lies in the kernel half that spaces share
	MM_ERR_SPACE,	  // no such space, or it is in use
	MM_ERR_LIMIT,	  // a fixed limit of mm is reached
	// start-up
	MM_ERR_MAP_EMPTY,  // the memory map has no frame that can be used
	MM_ERR_BAD_CONFIG, // a field of mm_config contradicts another
	MM_ERR_STATE,	   // not in this state: before mm_init, twice, ...
	MM_STATUS_COUNT
};

// What `status` means, as an English phrase without a full stop. Never NULL,
// also for a value outside the enum. Any context.
const char *mm_status_text(enum mm_status status);

// The name of the enumerator, e.g. "MM_ERR_NO_RUN". Never NULL. Any context.
const char *mm_status_name(enum mm_status status);
