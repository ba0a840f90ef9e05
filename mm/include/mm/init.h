// mm/init.h: handing the machine's memory to mm.
#pragma once

#include <mm/mm.h>
#include <mm/types.h>

enum mm_region_kind {
	MM_REGION_RESERVED = 0, // never given out; wins over every other kind
	MM_REGION_USABLE,	// RAM that is free for use
	MM_REGION_IN_USE,	// lies in usable RAM and is occupied already: the
				// kernel image, boot modules, what the early
				// allocator gave out. Its frames count as used.
};

// A stretch of physical memory, in bytes. May be empty, overlap others, be out
// of order, or run past the end of the address space (then it is cut).
struct mm_region {
	uint64_t base;
	uint64_t length;
	enum mm_region_kind kind;
};

struct mm_config {
	struct mm_region *regions; // any number; mm_init reorders the array and
	size_t region_count;	   // does not keep it
	vaddr_t direct_base;	   // where physical 0 is mapped; PAGE_OFFSET in the
				   // kernel. A multiple of 2 MiB
	uint64_t direct_limit;	   // bytes of physical memory mapped there; rounded
				   // down to whole frames
	uint64_t dma_limit;	   // ZONE_DMA ends here (<= direct_limit)
	uint64_t phys_limit;	   // 1 << physical address bits of the CPU
	unsigned cpu_limit;	   // most CPUs ever, 1..64
	bool has_1g_pages;	   // the CPU has 1 GiB leaves
	bool has_nx;		   // the CPU has PAGE_XD
	bool memory_is_zero;	   // RAM reads as zero (hosts): saves clearing it
};

// Purpose:  takes over all memory of the map. Its tables are carved from usable
//           memory of the map itself inside the direct map, above 1 MiB, first
//           from stretches that are no whole frame anyway and from the rest of
//           frames that are in use in part.
// Pre:      called once, on the boot CPU, before any other function of mm; the
//           direct map covers the usable memory below direct_limit.
// Returns:  MM_OK, MM_ERR_BAD_CONFIG, MM_ERR_MAP_EMPTY (no usable frame),
//           MM_ERR_NO_MEMORY (no place for mm's tables), MM_ERR_STATE (twice).
enum mm_status mm_init(struct mm_config *config) __attribute__((warn_unused_result));

struct mm_cpu;

// Purpose:  the structure that mm_port_cpu() must return on CPU `index`. mm_init
//           has made that of CPU 0; others are made by the first call.
// Context:  threads; not twice at once for one CPU.
// Returns:  the structure, or NULL: index >= cpu_limit, or no memory.
struct mm_cpu *mm_cpu_attach(unsigned index);

// Purpose:  gives frames that were MM_REGION_IN_USE and are wholly inside
//           [base, base + length) to their zones, once nobody needs them.
// Returns:  how many frames were freed. Frames that mm uses itself stay.
size_t mm_release_boot_memory(paddr_t base, uint64_t length);

// Purpose:  forgets the machine, so that mm_init may be called again: for hosts
//           that start several, and a kernel that hands its memory on.
// Pre:      nobody uses mm or anything it gave out; spaces are gone.
void mm_exit(void);
