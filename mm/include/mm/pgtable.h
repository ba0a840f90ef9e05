// mm/pgtable.h: mapping, unmapping and looking at page tables, with every
// answer that the user's four calls (<mm/mm.h>) have no room for.
//
// A leaf is an entry that maps, a table an entry that points on. Flags are
// VALUES made of the entry flag bits of <mm/mm.h> (1ul << PAGE_R_W ...). Rights
// are effective rights: what all levels together allow.
//
// Context of everything that changes (mm_map_ex, mm_unmap_ex, the four calls,
// making and ending spaces): threads that may sleep; no lock held that an
// interrupt handler takes; not from a hook. They wait for each other, calling
// mm_port_relax() with interrupts on; with interrupts or preemption off they may
// only be called while no other thread can be inside one of them (start-up).
// Everything that looks: any context, interrupts and the time after a panic
// included, on any CPU, while others change.
#pragma once

#include <mm/mm.h>
#include <mm/types.h>
#include <mm/visit.h>

#define MM_SPACE_KERNEL	 0u		// the kernel's own space
#define MM_SPACE_CURRENT ((uint32_t)-1) // the one this CPU runs in

// --- map -------------------------------------------------------------------
struct mm_map_request {
	uint32_t space; // id, MM_SPACE_KERNEL or MM_SPACE_CURRENT; a range in the
			// kernel half is mapped in every space, whatever stands here
	vaddr_t va;	// with the same offset in its page as pa
	paddr_t pa;
	uint64_t length; // bytes; every page that is touched is mapped
	uint64_t flags;	 // R_W, U_S, PWT, PCD, GLOBAL, XD as wanted; PRESENT is
			 // implied, PS means nothing, A and D may be preset
	bool user;	 // the same as PAGE_U_S in flags
	bool use4k;	 // 4 KiB leaves only; else the largest that fit
	bool flush;	 // false: the caller flushes. Only needed where a table that
			 // was the supervisor's had to be opened to users
	bool dry_run;	 // change nothing, answer as the real one would
};

struct mm_map_result {
	uint64_t entries;   // leaves made; 0 when all of it was mapped so already
	uint64_t tables;    // table pages made
	vaddr_t at;	    // failure: the first address that is in the way
	const char *reason; // failure: what is wrong, an English phrase; else ""
};

// Purpose:  maps a range, all or nothing.
// Returns:  MM_OK; also, with nothing done, for length 0 and when every page is
//           mapped to the very same address with the same flags already (by
//           leaves of any size). Otherwise the tables are as before:
//           MM_ERR_FLAGS      a flag bit that is none, or XD on a CPU without
//           MM_ERR_ALIGN      va and pa differ in their offset in a page
//           MM_ERR_WRAP       va + length passes the end of the address space
//           MM_ERR_CANONICAL  part of the range is not canonical
//           MM_ERR_PHYS       pa + length passes the CPU's physical width
//           MM_ERR_MAPPED     a page of the range is mapped; `at` is the first
//           MM_ERR_TABLE_MEM  no memory for the tables (`tables` were needed)
//           MM_ERR_SPACE      no such space
//           MM_ERR_ROOT       MM_SPACE_CURRENT, but this CPU runs on a root
//                             that belongs to no space
// result:   may be NULL.
enum mm_status mm_map_ex(const struct mm_map_request *request, struct mm_map_result *result);

// --- unmap -----------------------------------------------------------------
struct mm_unmap_request {
	uint32_t space;
	vaddr_t va;
	uint64_t length; // bytes; every page that is touched is unmapped
	bool dry_run;
};

struct mm_unmap_result {
	uint64_t entries;   // leaves that went: of a leaf that was split, the small
			    // ones that it would have had there
	uint64_t tables;    // table pages freed
	uint64_t split;	    // leaves split into tables of smaller ones
	const char *reason; // failure: as in mm_map_result
};

// Purpose:  removes exactly the pages that the range touches; holes are skipped.
//           When it returns no CPU can use the old translations, and tables that
//           became empty are free memory (those of the shared top level and the
//           tables of the boot stay). Data frames are never freed.
// Returns:  MM_OK, also for length 0 and for a range where nothing is mapped;
//           MM_ERR_WRAP, MM_ERR_CANONICAL, MM_ERR_SPACE, MM_ERR_ROOT as above;
//           MM_ERR_TABLE_MEM: memory and the reserve of MM_RESERVE_TABLES tables
//           are used up and a large leaf has to be split. Nothing changed then.
// result:   may be NULL.
enum mm_status mm_unmap_ex(const struct mm_unmap_request *request, struct mm_unmap_result *result);

// Tables kept aside so that an unmap can split without asking for memory. One
// unmap needs at most 4 (two at either end); the reserve is filled up again by
// the next free memory, first by the tables which unmapping frees.
#define MM_RESERVE_TABLES 8

// The four calls of <mm/mm.h> are wrappers of these two:
//   mm_map_phys_addr        space = current, flush = true
//   mm_map_proc_page_table  the space whose root it is; -EFAULT when it is none's
//   mm_unmap_addr, mm_unmap_proc_table
//                           have no way to say no. A bad range or an unknown root
//                           changes nothing and is an MM_EVENT_FAILURE; when
//                           there is no memory for a split (see above) they end
//                           in mm_port_panic(): pretending would leave a
//                           translation to memory that the caller gives away.
// mm_mapping_reason() is what the last failed map on any CPU said: "" if none
// failed yet. For messages only; use mm_map_ex to be sure whose it is.
const char *mm_mapping_reason(void);

// --- look ------------------------------------------------------------------
struct mm_level {
	unsigned level; // 4 (top) .. 1
	unsigned index; // 0..511
	paddr_t at;	// where the entry lies
	uint64_t entry; // raw; 0 when absent
};

struct mm_translation {
	bool mapped;
	paddr_t pa;	     // of the very address asked for
	uint64_t page_bytes; // 4 KiB, 2 MiB, 1 GiB
	uint64_t flags;	     // effective R_W, U_S, XD; the leaf's other flags, A, D
	unsigned depth;	     // entries in levels[], ending at a leaf or an absent one
	struct mm_level levels[4];
};

// Returns:  MM_OK with *out filled in, mapped or not; MM_ERR_CANONICAL,
//           MM_ERR_SPACE, MM_ERR_ROOT.
enum mm_status mm_translate(uint32_t space, vaddr_t va, struct mm_translation *out);

struct mm_mapping {
	vaddr_t va;
	paddr_t pa;
	uint64_t length;     // bytes, never 0
	uint64_t page_bytes; // leaf size, the same in the whole run
	uint64_t flags;	     // effective; A and D only when asked for
};

struct mm_mapping_filter {
	uint32_t space;
	vaddr_t from, to;    // both inclusive; runs are cut at both
	bool accessed_dirty; // tell runs apart by A and D, and show them
};

// Purpose:  the mappings of a space from low to high addresses, the kernel half
//           included. Neighbours are one item when va, pa, leaf size and flags
//           continue; an item is never shorter than that because of where a call
//           ended.
// cursor:   zero to begin; only addresses, so it may travel through strangers:
//           any value gives some valid place or the end.
// out:      room for `capacity` items (at least 1); *count tells how many came.
// Returns:  MM_VISIT_END: these were the last. MM_VISIT_ITEM: *count > 0, call
//           again. MM_VISIT_AGAIN: none yet within the work bound of about 2,048
//           entries with interrupts off; call again. A space that does not exist
//           (any more) is at its end.
enum mm_visit mm_visit_mappings(struct mm_cursor *cursor, const struct mm_mapping_filter *filter,
				struct mm_mapping *out, size_t capacity, size_t *count);

struct mm_rmap {
	uint32_t space; // MM_SPACE_KERNEL for all of the shared half
	vaddr_t va;
	paddr_t pa;
	uint64_t length; // bytes
};

// Purpose:  who maps [pa, pa + length)? Every mapping of it in every space, cut
//           to the range; the shared half is reported once. Long runs (more than
//           one call's work) may come in pieces.
// Returns:  as mm_visit_mappings.
enum mm_visit mm_visit_rmap(struct mm_cursor *cursor, paddr_t pa, uint64_t length,
			    struct mm_rmap *out, size_t capacity, size_t *count);
