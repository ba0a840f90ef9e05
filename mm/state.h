// state.h: the data structures of the allocators, for the files of mm/ that
// implement, show or check them. pgtable needs only internal.h.
#pragma once

#include "internal.h"

#include <string.h>

#define MM_NIL		  UINT32_MAX // no index
#define MM_FRAME_SHIFT	  PAGE_2M_SHIFT
#define MM_FRAME_SIZE	  PAGE_2M_SIZE
#define MM_CPU_LIMIT	  64
#define MM_GRANULE_SHIFT  16 // 64 KiB: the unit in which slabs get memory
#define MM_GRANULE_SIZE	  (1ul << MM_GRANULE_SHIFT)
#define MM_FRAME_GRANULES 32
#define MM_GRANULES_ALL	  UINT32_MAX  // every granule of a frame is free
#define MM_META_FLOOR	  (1ul << 20) // mm's own tables stay above the first MiB

// Relaxed access to a word that other CPUs write under a lock we do not hold.
#define mm_peek(lvalue)	       __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)
#define mm_poke(lvalue, value) __atomic_store_n(&(lvalue), (value), __ATOMIC_RELAXED)
#define mm_count(lvalue, n)    ((void)__atomic_fetch_add(&(lvalue), (n), __ATOMIC_RELAXED))

// --- the memory map as mm keeps it (boot.c) -----------------------------------
// Sorted, disjoint stretches of whole frames. What lies between them is a hole.
struct extent {
	uint64_t first;	 // frame number
	uint64_t frames; // length
	uint32_t bit;	 // managed: index of the first frame in its zone
	int32_t zone;	 // index, or -1: reserved or partial
};

struct mm_map {
	struct extent *extents;
	uint32_t count;
	uint32_t capacity;
	uint64_t tables, tables_end; // physical: where mm keeps its own tables
	struct mm_boot_report report;
};
extern struct mm_map mm_map;

// The extent that holds or follows frame number `frame`; mm_map.count if none.
uint32_t mm_extent_at(uint64_t frame);

// --- zones and frames (frames.c) ----------------------------------------------
// 64 frames. A frame has at most one of the four bits; none of them means: a run
// of one frame (its Page says so), free in the cache of a CPU, or a guard.
struct frame_word {
	uint64_t free;	   // under zone.lock
	uint64_t alloc;	   // in runs of two and more; under zone.lock
	uint64_t slab;	   // under zone.lock
	uint64_t kernel;   // the kernel's own, mm's tables included
	uint64_t promised; // what `hint` counts as free: free is a part of it
	uint32_t prev;	   // links of the bucket
	uint32_t next;
	uint8_t hint; // >= longest run that starts in this word, up to 63
	uint8_t pad[15];
};
_Static_assert(sizeof(struct frame_word) == 64, "one cache line per 64 frames");

struct zone {
	struct mm_lock lock;
	uint32_t index; // in mm_zones
	uint64_t attr;	// that every run has: PAGE_PGT_MAPPED or 0
	uint32_t bits;	// frames and guards; words = bits / 64 rounded up
	uint32_t words;
	uint32_t frames;	 // managed, guards excluded
	struct Page *pages;	 // one per bit
	struct frame_word *word; // and an empty one behind the last
	uint64_t buckets;	 // bit h: bucket[h] is not empty
	uint32_t bucket[64];	 // words by hint, 1..63
	uint64_t first_frame;	 // of the zone; frame numbers
	uint64_t end_frame;
	// atomic, frames: given - returned are not free
	uint64_t given, returned;
	uint64_t runs_given, runs_returned; // atomic: by calls, not by frames
	uint64_t shared;		    // frames with PAGE_SHARED
	uint64_t failed;		    // calls
};
extern struct zone mm_zones[ZONE_COUNT];
extern const char *const mm_zone_names[ZONE_COUNT];

#define MM_ZONE_DMA	 0
#define MM_ZONE_NORMAL	 1
#define MM_ZONE_UNMAPPED 2
#define MM_GUARD_FRAME	 UINT64_MAX // Page.frame of a guard

extern struct Page *mm_pages; // all zones' pages, one array
extern uint32_t mm_page_total;
extern uint64_t mm_page_bytes; // of the array

// Frames of the zone that are not free.
static inline uint64_t mm_zone_taken(const struct zone *zone)
{
	uint64_t returned = mm_peek(zone->returned);

	return mm_peek(zone->given) - returned;
}

static inline uint32_t mm_page_bit(const struct zone *zone, const struct Page *page)
{
	return (uint32_t)(page - zone->pages);
}

// One frame for the slab (NORMAL first, then DMA), marked so; NULL if none.
struct Page *mm_frame_take_slab(void);
void mm_frame_give_slab(struct Page *page);
// Moves all frames cached per CPU back into the zones; how many.
unsigned long mm_frames_flush(void);
// Puts frames [bit, bit + count) into the free set: start-up and release.
void mm_frames_add_free(struct zone *zone, uint32_t bit, uint32_t count);
enum mm_frame_state mm_frame_state(const struct Page *page);
// The verdict of free_pages(page, number).
enum mm_status mm_frames_verdict(const struct Page *page, int number);
size_t mm_describe_free_pages(char *text, size_t size, const struct Page *page, int number,
			      enum mm_status verdict, uint64_t site);
// The first frame of the run that a frame belongs to; *left: how many of its frames
// there are from this one on. NULL: it belongs to none, or to one that is just being
// given out or taken back: whoever does that may be anywhere between the bits of the
// run and its length, for a preempted thread even for long.
const struct Page *mm_run_head(const struct Page *page, unsigned *left);
// Longest free run of a zone, by looking at every word.
uint32_t mm_longest_run(const struct zone *zone);
// Longest run that starts in word `index`, at most 63: of free frames, or of those
// that the hints promise.
unsigned mm_word_best(const struct zone *zone, uint32_t index, bool promised);

// --- granules and cells (pool.c) ----------------------------------------------
enum slab_state {
	SLAB_NONE = 0, // free granule, or not the slab's at all
	SLAB_HEAD,     // first granule of a slab
	SLAB_BODY,     // a later one; only `start` counts
	SLAB_CELLS,    // bitmap cells of other slabs
};

// The descriptor of a granule, found by shifting an address. One cache line.
struct slab {
	uint64_t start;	  // virtual address of the slab's first object
	uint64_t objects; // in the slab; 0 in all but its first granule
	uint64_t *bits;	  // 1 = free, one per object; then, `MM_REMOTE` words on,
			  // 1 = freed by another CPU than the owner
	uint32_t owner;	  // token of the CPU that allocates from it, else 0
	struct mm_lock lock;
	uint32_t prev, next; // partial list of its class, granule numbers
	uint8_t shift;	     // log2 of the object size
	uint8_t state;	     // enum slab_state
	uint16_t used;	     // objects in use; 0 while owned, and where no slab is
	uint8_t listed;	     // on the partial list (under the class lock)
	uint8_t cls;	     // class index, see below
	uint8_t remote;	     // some remote bit is set (under lock)
	uint8_t pad;
	uint64_t word[2]; // bits and remote bits of slabs with up to 64 objects
};
_Static_assert(sizeof(struct slab) == 64, "one cache line per granule");

extern struct slab *mm_slabs; // one per granule of the direct map
extern uint64_t mm_slab_mask; // (number of descriptors - 1) * sizeof(struct slab)

// The descriptor of the granule at an address; any address has one, and only
// the descriptor itself can tell whether it is meant.
static inline struct slab *mm_slab_of(uint64_t address)
{
	return (struct slab *)((uintptr_t)mm_slabs +
			       ((address >> (MM_GRANULE_SHIFT - 6)) & mm_slab_mask));
}

static inline uint32_t mm_slab_index(const struct slab *slab)
{
	return (uint32_t)(slab - mm_slabs);
}

// Takes 1 << order granules, naturally aligned; their address or 0.
uint64_t mm_granules_take(unsigned order);
void mm_granules_give(uint64_t address, unsigned order);
// Gives the spare empty frame and cells back; frames that the zones gained.
unsigned long mm_pool_trim(void);
// A zeroed 512-byte cell for bitmaps; NULL if there is no memory.
uint64_t *mm_cell_take(void);
void mm_cell_give(uint64_t *cell);

struct pool {
	struct mm_lock lock;
	uint32_t head[6];	  // frames by order of their largest free block
	uint32_t nonempty;	  // bit o: head[o] is not MM_NIL
	uint32_t idle;		  // frames with every granule free (0 or 1)
	uint64_t frames;	  // frames of the slab
	struct mm_lock cell_lock; // guards the rest
	uint64_t cells;		  // granules cut into cells
	unsigned cells_idle;	  // ... with no cell in use (0 or 1)
	struct cells *cells_with_room;
};
extern struct pool mm_pool;

// --- classes (slab.c, slab_slow.c) --------------------------------------------
// A class index is the number of the top bit of (size - 1) | 31: 4 for 32 B ...
// 19 for 1 MiB. Index 3 is free for page tables, which look like 4 KiB objects
// and share their figures, but live in slabs of their own.
#define CLASS_FIRST 4
#define CLASS_LAST  19
#define CLASS_TABLE 3
#define CLASS_SLOTS 64 // whatever a top bit can be: unused slots are never filled

#define MM_REMOTE_CELL 32 // distance of the remote words, in a cell
#define MM_REMOTE_WORD 1  // and in the descriptor

static inline unsigned mm_class_shift(unsigned cls)
{
	return cls == CLASS_TABLE ? PAGE_4K_SHIFT : cls + 1;
}

static inline unsigned mm_slab_objects(const struct slab *slab)
{
	return (unsigned)slab->objects;
}

static inline unsigned mm_slab_order(const struct slab *slab)
{
	return slab->shift > MM_GRANULE_SHIFT ? slab->shift - (unsigned)MM_GRANULE_SHIFT : 0;
}

static inline unsigned mm_slab_words(const struct slab *slab)
{
	return (mm_slab_objects(slab) + 63) / 64;
}

static inline uint64_t *mm_remote_bits(const struct slab *slab)
{
	unsigned distance = slab->bits == slab->word ? MM_REMOTE_WORD : MM_REMOTE_CELL;

	return slab->bits + distance;
}

struct size_class {
	struct mm_lock lock;
	uint32_t head, tail; // partial slabs that no CPU owns, oldest first
	uint64_t slabs;	     // all slabs of the class
	uint64_t failed;     // atomic
};
extern struct size_class mm_classes[CLASS_LAST + 1];

// --- per CPU ------------------------------------------------------------------
// Bits of mm_cpu.slow and mm_flags. Any of them sends the fast paths the long way;
// those of objects take no notice of SLOW_FRAMES, which is never in mm_cpu.slow.
#define SLOW_SWITCHES MM_SWITCH_ALL // the debug switches have their own values
#define SLOW_HOOK     (1u << 8)	    // somebody listens to kmalloc or kfree
#define SLOW_FAIL     (1u << 9)	    // fail-the-nth of kmalloc or alloc_pages is set
#define SLOW_FRAMES   (1u << 10)    // somebody listens to alloc_pages or free_pages
#define SLOW_REMOTE   (1u << 16)    // another CPU freed into my current slab
#define SLOW_TRIM     (1u << 17)    // another CPU asks me to give back idle memory

// Owners in slab.owner: 0 nobody, else index of the CPU + 1. Slabs of page tables
// add a bit, so that the fast paths of kfree never take their objects.
#define MM_OWNER_TABLE	  (1u << 31)
#define MM_OWNER_CPU(own) ((own) & ~MM_OWNER_TABLE)
#define MM_NO_TOKEN	  UINT32_MAX // equals no owner

struct mm_cpu {
	// indexed by class; frees by the shift of the class, or CLASS_TABLE
	uint64_t *word[CLASS_SLOTS]; // the word of free bits being used up
	uint64_t base[CLASS_SLOTS];  // address of the object of its bit 0
	uint64_t allocs[CLASS_SLOTS];
	uint64_t frees[CLASS_SLOTS];
	uint64_t slow;	// SLOW_* bits; others set them
	uint32_t token; // index + 1, as in slab.owner; MM_NO_TOKEN while slow is not 0
	uint32_t index;
	struct slab *current[CLASS_LAST + 1];
	struct Page *frame[ZONE_COUNT]; // one free frame each; atomic
	uint64_t random;		// state of the random placement
};
extern struct mm_cpu *mm_cpus[MM_CPU_LIMIT];
extern unsigned mm_cpu_limit;
extern unsigned mm_cpu_end; // behind the last CPU that was ever attached
extern uint32_t mm_flags;   // SLOW_* bits that hold for every CPU

// Sets up a zeroed structure for CPU `index`.
void mm_cpu_init(struct mm_cpu *cpu, unsigned index);
// Sets and clears bits of mm_flags and of every CPU's `slow`.
void mm_flags_change(uint32_t set, uint32_t clear);

// --- slab_slow.c --------------------------------------------------------------
// The long way of kmalloc and kfree; interrupts are off, and back as `irq` says
// when they return.
void *mm_kmalloc_slow(unsigned long size, gfp_t gfp, mm_irq_t irq, uint64_t site)
	__attribute__((cold));
unsigned long mm_kfree_slow(void *address, mm_irq_t irq, uint64_t site) __attribute__((cold));

// An object of a slab: its head descriptor and number.
struct slot {
	struct slab *slab;
	unsigned index;
	uint64_t base; // address of the object
};
// Finds the slab around an address and locks it; interrupts are off. false (and
// nothing locked): no slab is there.
bool mm_slot_lock(uint64_t address, struct slot *slot);
// slot locked: MM_OK if `address` starts a live object, or why kfree refuses.
enum mm_status mm_slot_verdict(const struct slot *slot, uint64_t address);
// slot locked: is the object in use?
bool mm_slot_live(const struct slot *slot);

// kmalloc for mm's own needs: unseen by hooks, notes and fail-the-nth.
void *mm_own_alloc(unsigned long size);
void mm_own_free(void *address);
// How many of both there were: the counters of the classes include them. Atomic.
extern uint64_t mm_own_allocs, mm_own_frees;
// Gives back this CPU's empty slabs. Interrupts are off.
void mm_slabs_trim(struct mm_cpu *cpu);

// --- notes.c: attribution, poison, redzone ------------------------------------
#define MM_SWITCH_NOTES (MM_SWITCH_ATTRIBUTION | MM_SWITCH_POISON | MM_SWITCH_REDZONE)

struct note {
	uint16_t site; // index into the site table, 0 = unknown
	uint16_t freer;
	uint32_t requested; // bytes; NOTE_* flags on top
	uint64_t birth_us;
};
#define NOTE_SIZE     0x1fffffu
#define NOTE_BORN     (1u << 30) // allocated with attribution on
#define NOTE_POISONED (1u << 31) // freed with poison on
#define NOTE_REDZONE  (1u << 29) // allocated with redzone on
#define NOTE_ZEROED   (1u << 28) // ... and zeroed: so is its redzone

// After an object was taken, before the caller sees it. Returns MM_OK or
// MM_ERR_POISON. Interrupts off, no lock.
enum mm_status mm_note_alloc(uint64_t object, unsigned long requested, gfp_t gfp, uint64_t site,
			     unsigned switches);
// mm took an object for itself: what the switches knew about it is over.
void mm_note_forget(uint64_t object);
// Before an object becomes free, slab->lock held: MM_OK or MM_ERR_REDZONE.
enum mm_status mm_note_verify(const struct slot *slot, unsigned switches);
void mm_note_free(const struct slot *slot, uint64_t site, unsigned switches);
// slab->lock held. false: nothing is known.
bool mm_note_read(const struct slot *slot, struct mm_object *out);
// The slab ends / the frame leaves the slab: drops their notes.
void mm_notes_drop(struct slab *slab);
void mm_notes_drop_frame(struct Page *page);
void mm_notes_drop_all(void);
enum mm_status mm_sites_open(void);
void mm_sites_close(void);
void mm_sites_forget(void);
// Counts frames given out or freed by a site, if sites are open.
void mm_site_count_frames(unsigned frames, uint64_t site, bool alloc);
// The site table while sites are open, else NULL; 80 KiB. Slot 0 gathers what no
// slot was left for.
#define MM_SITE_SLOTS 2048u
extern struct mm_site_info *mm_sites;

// Copies entry `index` of the site table; false past its end. site 0: unused.
bool mm_site_read(uint32_t index, struct mm_site_info *out);

// The last alloc and free of an address in the log; 0 where unknown.
void mm_log_find(uint64_t address, uint64_t *alloc_site, uint64_t *free_site);

// --- hooks.c ------------------------------------------------------------------
// Emits and logs what happened, as the flags ask. No lock held.
void mm_report(struct mm_event *event, uint32_t flags);
void mm_report_failure(enum mm_event_type failed, enum mm_status status, uint64_t size,
		       uint64_t flags, uint64_t site);
void mm_hooks_forget(void);
// True when this operation has to fail.
bool mm_fail_now(enum mm_fail_op op);

// --- text.c: bounded text without a C library ---------------------------------
struct text {
	char *at;
	size_t left; // room, the NUL included
	size_t used;
};
void mm_text_init(struct text *text, char *buffer, size_t size);
void mm_text_str(struct text *text, const char *string);
void mm_text_hex(struct text *text, uint64_t value);
void mm_text_dec(struct text *text, uint64_t value);
