// mm/mm.h: frames, mappings and the state of memory, as the user's document
// gives them. Objects are in <mm/slab.h>; looking without touching is in
// <mm/query.h> and <mm/visit.h>.
//
// "Frame" is 2 MiB of physical memory, "page" is 4 KiB. `struct Page`, in
// spite of its name (it is the user's), describes one frame.
#pragma once

#include <mm/errno.h>
#include <mm/gfp.h>
#include <mm/types.h>

// --- sizes --------------------------------------------------------------------
#define PAGE_4K_SHIFT 12
#define PAGE_2M_SHIFT 21
#define PAGE_1G_SHIFT 30
#define PAGE_4K_SIZE  (1ul << PAGE_4K_SHIFT)
#define PAGE_2M_SIZE  (1ul << PAGE_2M_SHIFT)
#define PAGE_1G_SIZE  (1ul << PAGE_1G_SHIFT)
#define PAGE_4K_MASK  (~(PAGE_4K_SIZE - 1))
#define PAGE_2M_MASK  (~(PAGE_2M_SIZE - 1))
#define PAGE_1G_MASK  (~(PAGE_1G_SIZE - 1))
// Round up to the next multiple; wraps to 0 past the last one.
#define PAGE_4K_ALIGN(x) (((ul)(x) + PAGE_4K_SIZE - 1) & PAGE_4K_MASK)
#define PAGE_2M_ALIGN(x) (((ul)(x) + PAGE_2M_SIZE - 1) & PAGE_2M_MASK)
#define PAGE_1G_ALIGN(x) (((ul)(x) + PAGE_1G_SIZE - 1) & PAGE_1G_MASK)

// --- zones: a selector is exactly one of these --------------------------------
#define ZONE_DMA	     (1u << 0)
#define ZONE_NORMAL	     (1u << 1)
#define ZONE_UNMAPPED_IN_PGT (1u << 2)
#define ZONE_COUNT	     3

// --- attributes of a frame ----------------------------------------------------
#define PAGE_PGT_MAPPED	 (1ul << 0) // has an address in the direct map
#define PAGE_KERNEL_INIT (1ul << 1) // taken while the kernel started
#define PAGE_DEVICE	 (1ul << 2) // device memory
#define PAGE_KERNEL	 (1ul << 3) // the kernel's
#define PAGE_SHARED	 (1ul << 4) // shared; counted in mm_stat_t.shared
#define PAGE_ATTR_KNOWN	 0x1ful

// --- page-table entry flags: bit NUMBERS --------------------------------------
#define PAGE_PRESENT  0
#define PAGE_R_W      1
#define PAGE_U_S      2
#define PAGE_PWT      3
#define PAGE_PCD      4
#define PAGE_ACCESSED 5
#define PAGE_DIRTY    6
#define PAGE_PS	      7
#define PAGE_GLOBAL   8
#define PAGE_XD	      63

// --- ready combinations: VALUES -----------------------------------------------
#define PAGE_KERNEL_PGT	    0x3ul // upper levels
#define PAGE_KERNEL_DIR	    0x3ul
#define PAGE_KERNEL_PAGE    0x83ul // a 2 MiB or 1 GiB leaf
#define PAGE_KERNEL_4K_PAGE 0x3ul
#define PAGE_USER_PGT	    0x7ul
#define PAGE_USER_DIR	    0x7ul
#define PAGE_USER_PAGE	    0x87ul
#define PAGE_USER_4K_PAGE   0x7ul

// --- address space ------------------------------------------------------------
#define PAGE_OFFSET	  0xffff800000000000ul // start of the direct map
#define MM_DEVICE_WINDOW  0xffffa00000000000ul // device mappings from here upward
#define MM_USER_SPACE_END 0x00007ffffffffffful // last address of user space

#define MM_MAX_RUN_FRAMES 63 // longest run of alloc_pages

// One frame. Valid while mm is; never freed. attr, refs and run_frames belong
// to the first frame of a run; mm_page_attr() and mm_page_refs() answer for
// every frame of it. Fields are read-only outside mm/.
struct Page {
	uint64_t frame;	    // frame number: physical address / 2 MiB
	uint32_t attr;	    // PAGE_* attributes (first frame of a run)
	uint32_t refs;	    // reference count (first frame of a run), else 0
	uint8_t run_frames; // length of the run that starts here, else 0
	uint8_t zone;	    // index of the zone: 0 DMA, 1 NORMAL, 2 UNMAPPED
	uint8_t pool_order; // slab frames: the list of the granule pool it is on
	uint8_t spare;
	uint32_t granules;  // slab frames: 1 bit per free 64 KiB granule
	uint32_t pool_prev; // slab frames: links of that list, page indices
	uint32_t pool_next;
	uint64_t site;	   // who allocated (attribution on), else 0
	uint64_t birth_us; // when (attribution on), else 0
	uint64_t notes;	   // slab frames: mm's notes about its objects, else 0
	uint64_t reserved; // keeps one frame to one cache line
};
_Static_assert(sizeof(struct Page) == 64, "one cache line per frame");

// Purpose:  a physically contiguous run of `num` frames of one zone.
// Units:    num in frames, 1..63; flags: PAGE_* attributes.
// Context:  any, interrupts included. Not from NMI or a hook.
// Returns:  the first frame's Page; attributes are `flags`, plus
//           PAGE_PGT_MAPPED where the frames lie in the direct map; reference
//           count 1. The following frames are page[1] ... page[num - 1]. NULL
//           with nothing changed (but counters and an event) when num is
//           outside 1..63, zone_select is not exactly one zone, flags are
//           unknown, or the zone has no such run.
struct Page *alloc_pages(unsigned int zone_select, int num, ul flags)
	__attribute__((warn_unused_result));

// Purpose:  frees `number` (1..63) frames from `page` on: a run, a part of
//           one, or parts of several neighbours. All or nothing.
// Context:  as alloc_pages, on any CPU.
// Returns:  when all of them were allocated by alloc_pages. NULL, a bad count,
//           a frame outside any zone, a free, slab or kernel frame end in
//           mm_port_panic() with an explanation; nothing was changed then.
void free_pages(struct Page *page, int number);

// free_pages for callers who must not crash: MM_OK, or MM_ERR_NULL,
// MM_ERR_COUNT, MM_ERR_NOT_FRAME, MM_ERR_FRAME_FREE, MM_ERR_FRAME_SLAB,
// MM_ERR_FRAME_KERN with nothing changed.
enum mm_status mm_try_free_pages(struct Page *page, int number) __attribute__((warn_unused_result));

// The physical address of a frame. Any context.
paddr_t mm_page_to_phys(const struct Page *page);
// The frame at a physical address (anywhere inside it), NULL when no zone
// holds it. O(log of the memory map's holes). Any context.
struct Page *mm_phys_to_page(paddr_t address);
// The kernel address of a frame; 0 for ZONE_UNMAPPED_IN_PGT. Any context.
vaddr_t mm_page_to_virt(const struct Page *page);
// Attributes and reference count of any frame of a run; 0 when it is free.
ul mm_page_attr(const struct Page *page);
unsigned mm_page_refs(const struct Page *page);

// --- mappings (pgtable.c) -----------------------------------------------------
// Purpose:  maps [phys, phys + length) at virt in the current table,
//           supervisor-only unless flags carry PAGE_U_S.
// Units:    bytes; flags are a VALUE made of entry flag bits.
// Returns:  0, or -EFAULT with the tables exactly as before. See <mm/pgtable.h>
//           for the whole contract, contexts, and the reason of a failure.
int mm_map_phys_addr(ul virt_addr_start, ul phys_addr_start, ul length, ul flags, bool use4k);

// The same into the table whose root is at proc_page_table_addr (a physical
// address if is_phys, else its direct-map address). `user` makes every level
// user-accessible; `flush` false leaves the TLB to the caller.
int mm_map_proc_page_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start,
			   ul phys_addr_start, ul length, ul flags, bool user, bool flush,
			   bool use4k);

// Unmaps every page that [virt, virt + length) touches. See <mm/pgtable.h>.
void mm_unmap_proc_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length);
void mm_unmap_addr(ul virt_addr, ul length);

// --- the state of memory ------------------------------------------------------
// All in bytes, taken at one instant. used + free = total; shared <= used;
// cache_used + cache_free = backing of the slab (its frames) <= used;
// available = free + cache_free.
struct mm_stat_t {
	uint64_t total;	     // all memory that mm manages, in whole frames
	uint64_t used;	     // frames in use, the kernel's own included
	uint64_t free;	     // free frames
	uint64_t shared;     // frames with PAGE_SHARED
	uint64_t cache_used; // slab objects in use, rounded sizes
	uint64_t cache_free; // the rest of the slab's frames
	uint64_t available;  // free + cache_free
};

// Context:  any. Cost: O(CPUs x classes). With other CPUs allocating all the
//           time the figures of the caches are of one instant as long as some
//           64 attempts find one; the equations above hold always.
struct mm_stat_t mm_stat(void);

// What start-up made of the memory map, in bytes.
// usable = managed + rounding_loss + beyond_limit.
struct mm_boot_report {
	uint64_t usable;	// usable after overlaps are settled
	uint64_t managed;	// in whole frames: mm_stat().total
	uint64_t rounding_loss; // usable but not a whole frame, and not used
	uint64_t beyond_limit;	// usable but above mm_config.phys_limit
	uint64_t reserved;	// reserved after overlaps are settled
	uint64_t metadata;	// used by mm itself for its tables
	uint64_t metadata_lost; // ... of it taken from whole frames
	uint32_t regions;	// entries in the map
	uint32_t bad_regions;	// entries that were empty or wrapped
	uint32_t extents;	// contiguous stretches of managed frames
};
const struct mm_boot_report *mm_boot_report(void);
