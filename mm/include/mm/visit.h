// mm/visit.h: read-only walks over zones, frames, caches, slabs, objects and
// sites. They allocate nothing and change nothing. A walk is restartable: all
// of its state is in the cursor (zero-initialised to begin), so a caller may
// stop, answer somebody, and go on, also hours later. Each call does bounded
// work with interrupts off for at most some microseconds. What is reported is
// true at the moment of the call; mm_generation() tells whether anything moved
// between two calls. Any context, also after a panic.
#pragma once

#include <mm/mm.h>
#include <mm/types.h>

struct mm_cursor {
	uint64_t at;
	uint64_t sub;
};

enum mm_visit {
	MM_VISIT_END,	// no more items; *out is untouched
	MM_VISIT_ITEM,	// *out is the next item
	MM_VISIT_AGAIN, // nothing found within the work bound: call again
};

struct mm_zone_info {
	const char *name;	   // "ZONE_DMA" ...
	unsigned selector;	   // ZONE_*
	paddr_t start, end;	   // first byte, byte after the last
	uint64_t frames;	   // managed
	uint64_t free, used;	   // free + used = frames
	uint64_t reserved;	   // frames between start and end that are not managed
	uint64_t largest_free_run; // frames
	uint64_t given, returned;  // frames given out and taken back since start
	uint64_t failed;	   // calls that failed since start
};
// index 0..2. false: no such zone. A zone without frames has start = end.
bool mm_zone_info(unsigned index, struct mm_zone_info *out);

enum mm_frame_state {
	MM_FRAME_FREE,
	MM_FRAME_KERNEL,
	MM_FRAME_SLAB,
	MM_FRAME_ALLOCATED,
	MM_FRAME_RESERVED, // not managed: something reserved, or a partial frame
	MM_FRAME_HOLE,	   // no memory
};
// "free", "kernel", ... as the protocol names them.
const char *mm_frame_state_name(enum mm_frame_state state);

struct mm_frame_run {
	paddr_t start;
	uint64_t frames;
	int zone; // index, or -1 outside every zone
	enum mm_frame_state state;
	uint32_t attr; // PAGE_*
	uint32_t refs; // of each of them
	uint64_t site; // allocated runs with attribution on, else 0
	uint64_t birth_us;
};
// Neighbouring frames with the same zone, state, attr and refs make one item
// (each allocated run its own). zones: selector bits to report, 0 = all, gaps
// included. Set cursor.at to a frame number to begin there.
enum mm_visit mm_visit_frames(struct mm_cursor *cursor, unsigned zones, struct mm_frame_run *out);

struct mm_cache_info {
	uint64_t size; // class, bytes
	uint64_t slabs;
	uint64_t objects; // in these slabs
	uint64_t used, free;
	uint64_t bytes; // backing
	uint64_t allocs, frees, failed;
};
// index 0..15. false: no such cache. Page tables count in the 4096 cache.
bool mm_cache_info(unsigned index, struct mm_cache_info *out);

#define MM_SLAB_WORDS 32

struct mm_slab_info {
	vaddr_t start;
	uint64_t bytes;
	uint64_t object_size;
	unsigned objects;
	unsigned used;
	bool tables;		      // holds page tables
	int cpu;		      // a CPU allocates from it now, or -1
	uint64_t live[MM_SLAB_WORDS]; // bit i: object i is in use
};
// The slabs of the class of object_size bytes (0: of all classes).
enum mm_visit mm_visit_slabs(struct mm_cursor *cursor, uint64_t object_size,
			     struct mm_slab_info *out);

struct mm_live_object {
	vaddr_t start;
	uint64_t size;
	bool has_note;
	uint64_t site;
	uint64_t birth_us;
};
// Every object in use. born_before_us: only those with a note and born before
// (0: all). Page tables are not reported.
enum mm_visit mm_visit_objects(struct mm_cursor *cursor, uint64_t born_before_us,
			       struct mm_live_object *out);

struct mm_site_info {
	uint64_t site; // code address
	uint64_t allocs, frees;
	uint64_t live_objects, live_bytes;
};
// The sites seen while attribution was on, objects and frames alike.
enum mm_visit mm_visit_sites(struct mm_cursor *cursor, struct mm_site_info *out);
