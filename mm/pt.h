// pt.h: page-table entries and spaces, for the files of mm/ that walk them. The
// theory is atop pgtable_map.c.
#pragma once

#include "internal.h"

#include <mm/pgtable.h>
#include <mm/space.h>

// --- entries -----------------------------------------------------------------
#define PT_PRESENT  (1ul << PAGE_PRESENT)
#define PT_WRITE    (1ul << PAGE_R_W)
#define PT_USER	    (1ul << PAGE_U_S)
#define PT_ACCESSED (1ul << PAGE_ACCESSED)
#define PT_DIRTY    (1ul << PAGE_DIRTY)
#define PT_LARGE    (1ul << PAGE_PS)
#define PT_GLOBAL   (1ul << PAGE_GLOBAL)
#define PT_XD	    (1ul << PAGE_XD)
#define PT_ADDRESS  0x000ffffffffff000ul

// Where a leaf selects a memory type: bit 7 of a 4 KiB leaf, 12 of a larger one.
#define PT_PAT_PAGE  (1ul << 7)
#define PT_PAT_LARGE (1ul << 12)

// Ours, in the bits of a table-pointing entry that the processor ignores: how
// many entries of that table are present (0..512), and whether it has to stay
// where it is although it may be empty.
#define PT_COUNT_SHIFT 52
#define PT_COUNT_ONE   (1ul << PT_COUNT_SHIFT)
#define PT_COUNT_MASK  (0x3fful << PT_COUNT_SHIFT)
#define PT_PINNED      (1ul << 9)
// Ours, while mm_space_adopt_kernel() runs: entry 0 of a table it was in.
#define PT_SEEN (1ul << 10)

#define PT_SLOTS      512u
#define PT_TOP	      4u   // level of the root
#define PT_LARGEST    3u   // highest level where a leaf may stand
#define PT_SHARED     256u // first root entry of the kernel half
#define PT_USER_LAST  MM_USER_SPACE_END
#define PT_SHARED_VA  0xffff800000000000ul
#define PT_LAST_VA    0xfffffffffffffffful
#define PT_PAGE_MASK  (PAGE_4K_SIZE - 1)
#define PT_RIGHTS_ALL (PT_WRITE | PT_USER)

static inline unsigned pt_shift(unsigned level)
{
	if (level > PT_TOP)
		__builtin_unreachable();
	return 3 + 9 * level;
}

// What one entry of a table of this level covers.
static inline uint64_t pt_bytes(unsigned level)
{
	return 1ul << pt_shift(level);
}

static inline unsigned pt_index(uint64_t va, unsigned level)
{
	return (unsigned)(va >> pt_shift(level)) & (PT_SLOTS - 1);
}

// The last address of [va, last] that the entry of va covers.
static inline uint64_t pt_slot_last(uint64_t va, uint64_t last, unsigned level)
{
	uint64_t end = va | (pt_bytes(level) - 1);

	return end < last ? end : last;
}

static inline bool pt_covers(uint64_t va, uint64_t last, unsigned level)
{
	return last - va == pt_bytes(level) - 1;
}

static inline bool pt_is_kernel_va(uint64_t va)
{
	return va >= PT_SHARED_VA;
}

static inline bool pt_is_canonical(uint64_t va)
{
	return va <= PT_USER_LAST || va >= PT_SHARED_VA;
}

static inline uint64_t pt_load(const uint64_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

// An entry that a table of this level holds maps memory (it is present).
static inline bool pt_is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (entry & PT_LARGE);
}

static inline uint64_t pt_leaf_pa(uint64_t entry, unsigned level)
{
	return entry & PT_ADDRESS & ~(pt_bytes(level) - 1);
}

static inline uint64_t *pt_table(uint64_t entry)
{
	return mm_phys_to_virt(mm_pa(entry & PT_ADDRESS));
}

static inline unsigned pt_count(uint64_t entry)
{
	return (unsigned)(entry >> PT_COUNT_SHIFT) & 0x3ff;
}

// The entry is live and the processor may set bits in it: change, never rewrite.
static inline void pt_count_add(uint64_t *slot, unsigned n)
{
	__atomic_fetch_add(slot, n * PT_COUNT_ONE, __ATOMIC_RELEASE);
}

static inline void pt_count_sub(uint64_t *slot, unsigned n)
{
	__atomic_fetch_sub(slot, n * PT_COUNT_ONE, __ATOMIC_RELEASE);
}

// The first child that a leaf would have had: the next smaller leaf, same rights.
static inline uint64_t pt_child_leaf(uint64_t leaf, unsigned level)
{
	if (level > 2)
		return leaf;
	// Bits 7 and 12 trade places: PS goes, PAT moves.
	return (leaf & ~(PT_LARGE | PT_PAT_LARGE)) | (leaf & PT_PAT_LARGE ? PT_PAT_PAGE : 0);
}

// OR of n entries.
uint64_t pt_or(const uint64_t *slot, unsigned n);
// Writes n entries, each `step` more than the one before.
void pt_fill(uint64_t *slot, unsigned n, uint64_t entry, uint64_t step);

// --- spaces --------------------------------------------------------------------
struct mm_space {
	struct mm_lock lock; // entries against those who look; see the lock order
	uint32_t claim_next; // threads change it one by one, in the order they came:
	uint32_t claim_now;  // the next ticket, and the one whose turn it is
	uint32_t users;	     // threads that hold a pointer to it (under spaces.lock)
	uint32_t active;     // CPUs that run in it (likewise; not for the kernel's)
	uint32_t id;
	bool patience_lost; // the lock was never let go: the holder is stopped
	paddr_t root;
	uint64_t *top;
	uint64_t tables; // table pages, root included; changes under the claim, as does the next
	uint64_t mapped_bytes;
	char name[MM_SPACE_NAME_BYTES];
	struct mm_space *next, *prev; // by id
	struct mm_space *same_id, *same_root;
};

extern struct mm_space mm_kernel_space;

#define PT_BUCKETS 64u

struct pt_spaces {
	struct mm_lock lock; // the lists, users, active, and the kernel half of roots
	struct mm_space *by_id[PT_BUCKETS];
	struct mm_space *by_root[PT_BUCKETS];
	struct mm_space *first, *last; // ascending ids
	uint32_t next_id;
	bool adopted;
	bool patience_lost; // as in struct mm_space
	uint32_t changing;  // operations that may hold tables which nothing points to
};
extern struct pt_spaces mm_spaces;

// The space with this id, held until pt_space_put(); NULL with the reason.
struct mm_space *pt_space_get(uint32_t id, enum mm_status *status);
// The id of the space with this root table (a physical or a direct-map address),
// or MM_SPACE_NONE, with which pt_space_get() says MM_ERR_ROOT.
#define MM_SPACE_NONE ((uint32_t)-2)
uint32_t pt_space_of_root(uint64_t address, bool is_phys);
// The first space with an id of at least `id`, held; NULL.
struct mm_space *pt_space_get_from(uint32_t id);
void pt_space_put(struct mm_space *space);

// Whose tables hold va, seen from `space`.
static inline struct mm_space *pt_owner(struct mm_space *space, uint64_t va)
{
	return pt_is_kernel_va(va) ? &mm_kernel_space : space;
}

// Between these two, tables may be taken that nothing points to yet.
static inline void pt_change_begin(void)
{
	__atomic_fetch_add(&mm_spaces.changing, 1u, __ATOMIC_ACQ_REL);
}

static inline void pt_change_end(void)
{
	__atomic_fetch_sub(&mm_spaces.changing, 1u, __ATOMIC_ACQ_REL);
}

// One thread at a time changes a space. Interrupts stay on; may wait.
void pt_claim(struct mm_space *space);
void pt_unclaim(struct mm_space *space);

// Writes an entry of the kernel half into the root of every space.
void pt_share_top(unsigned index, uint64_t entry);

// For those who look: takes the lock, but not for ever, since its holder may be a
// stopped CPU. False: go on without it. Interrupts are off afterwards either way.
bool pt_look_lock(struct mm_space *space, mm_irq_t *irq);
void pt_look_unlock(struct mm_space *space, bool locked, mm_irq_t irq);

// --- tables ------------------------------------------------------------------------
// Zeroed tables taken in advance, linked by their first word.
struct pt_stock {
	uint64_t *first;
	uint64_t count;
};

// Takes n more tables, all or none. `reserve`: the last ones may come from there.
bool pt_stock_fill(struct pt_stock *stock, uint64_t n, bool reserve, uint64_t site);
// One of them, zeroed. The stock is not empty.
uint64_t *pt_stock_take(struct pt_stock *stock);
void pt_stock_add(struct pt_stock *stock, uint64_t *table);
// Gives tables back: to the reserve as long as it wants some, else to the slab.
void pt_stock_drop(struct pt_stock *stock);
// Fills the reserve from the slab as far as there is memory; is it full?
bool pt_reserve_fill(uint64_t site);
uint64_t pt_reserve_count(void);
void pt_reserve_empty(void);
// The i-th table of the reserve, 0 past its end.
paddr_t pt_reserve_table(unsigned i);

// --- ranges --------------------------------------------------------------------------
struct pt_range {
	uint64_t va;   // first byte, page-aligned
	uint64_t last; // last byte of the last page
};

// The pages that [va, va + length) touches; length is not 0.
enum mm_status pt_range_set(struct pt_range *range, uint64_t va, uint64_t length);

// Commits hold the lock of the space in stretches of about this many entries.
#define PT_BREATH 4096u

static inline uint64_t pt_pages(uint64_t va, uint64_t last)
{
	return (last - va + 1) >> PAGE_4K_SHIFT;
}

// Empties the user half of a space that nobody can reach any more; how many
// tables that freed.
uint64_t pt_unmap_user_half(struct mm_space *space);

// One step of a walk over [*next, last] of a space, whose mappings, in runs that
// agree in va, pa and leaf size, go to out; flags are left out. true: came to the
// end; else *next is where to go on.
bool pt_walk(struct mm_space *space, uint64_t *next, uint64_t last, struct mm_mapping *out,
	     size_t capacity, size_t *count);
