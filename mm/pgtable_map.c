// pgtable_map.c: mapping, and the theory of the page tables.
//
// What there is. Four levels of 512 entries. A space is a root; the lower half of
// the roots differ, entries 256..511 are equal in all of them and point to tables
// which belong to the kernel's space. Leaves stand at levels 1 to 3.
//
// Invariants, walked by mm_check():
//  - Only leaves restrict. An entry that points to a table allows writing and
//    executing; it allows users if and only if some leaf below was ever the
//    users'. So the rights of a leaf are the effective rights, and mapping never
//    widens what another leaf in the same table allows.
//  - An entry that points to a table carries, in bits 52..61, which the processor
//    ignores there, the number of present entries of that table. So an empty table
//    is noticed in O(1), a full table is unmapped without being read entry by
//    entry, and there is no side structure that could disagree.
//  - A table is pointed to by one entry. It is empty only if it is pinned: a table
//    of the boot (not ours to free), or one that the kernel half of the roots
//    points to (it would have to leave every root at once; there are at most 256).
//  - What is not present is zero.
//
// All or nothing. A map first plans: it walks what exists, finds conflicts and
// counts the tables that are missing (in closed form below an absent entry, so
// that a range of terabytes costs no more than a page). Then it takes all these
// tables, or fails with nothing touched. Then it commits, which cannot fail: a new
// table is filled before the one store that links it. A dry run is the plan alone.
//
// Unmap plans in the same way with the very code that commits, since a leaf which
// is only partly covered has to be split: its table is prepared with what stays,
// and one compare-and-swap replaces the leaf (the processor may be setting A or D;
// they are carried over). An unmap has two ends, each can split a 1 GiB and a
// 2 MiB leaf: four tables at most. As unmapping must not fail for want of memory,
// MM_RESERVE_TABLES lie ready; mapping and unmapping fill the reserve up again.
//
// Stale translations. Absent to present needs no flush. Every other change goes:
// clear, drop the lock, flush, and only then free the tables. Up to 33 pages are
// flushed one by one (measured in Linux as where a full flush gets cheaper, and
// one request each here), beyond that all of the space at once, global ones too
// if one of the cleared leaves was global. Flushing any page drops the
// paging-structure caches as well, which is what makes freeing tables safe: a
// table that is freed always had a leaf that is flushed in the same go. Until
// that flush a detached table is left as it was, but for its first word, which
// links it to the others; an aligned address is a non-present entry.
//
// Who may be in here together. Changes to one space exclude each other by its
// claim, held with interrupts on across table allocation and the TLB shootdown,
// so that CPUs can answer each other's. Those who look take the space's lock for
// a bounded stretch; commits hold it while they write, and let go of it every
// PT_BREATH entries so that no interrupt waits long: a longer map or unmap can be
// seen half done, and moves the generation at each breath. After a panic the lock
// may belong to a CPU that is stopped: who looks gives up after a while, and then
// trusts a pointer only if mm knows that a table lies there.
//
// Lock order: claim of a space, its lock, the lock of the space list, the lock of
// the reserve. Tables are allocated and freed with at most the claim held.
//
// Numbers. 64 MiB of 4 KiB pages: 2.4 instructions per page to fill, unrolled by
// eight, and one for the zeroed table; 1.3 to unmap, looking for global leaves.
// The stretch of 4,096 entries is about 10 us with interrupts off.
#include "pt.h"

#define FLAGS_KNOWN                                                                          \
	(PT_PRESENT | PT_WRITE | PT_USER | 1ul << PAGE_PWT | 1ul << PAGE_PCD | PT_ACCESSED | \
	 PT_DIRTY | PT_LARGE | PT_GLOBAL | PT_XD)
// In what a leaf must agree with a request to be "the very same".
#define FLAGS_SAME (PT_WRITE | PT_USER | 1ul << PAGE_PWT | 1ul << PAGE_PCD | PT_GLOBAL | PT_XD)

struct map_op {
	struct mm_space *space; // whose tables change: the owner of the range
	struct pt_range range;
	uint64_t delta; // pa - va
	uint64_t leaf;	// entry bits of a 4 KiB leaf, without the address
	unsigned top;	// highest level where leaves may stand
	bool upgrade;	// some table on the way is closed to users
	// the plan
	uint64_t entries, tables;
	uint64_t same;	     // bytes that are mapped so already
	uint64_t first_same; // where they begin
	uint64_t at;
	const char *reason;
	// the commit
	struct pt_stock stock;
	uint64_t unbreathed; // entries written since the lock was taken
	mm_irq_t irq;
};

static const char *last_reason = "";

const char *mm_mapping_reason(void)
{
	return __atomic_load_n(&last_reason, __ATOMIC_RELAXED);
}

static enum mm_status refuse(struct map_op *op, enum mm_status status, uint64_t at,
			     const char *reason)
{
	op->at = at;
	op->reason = reason ? reason : mm_status_text(status);
	return status;
}

// --- plan ----------------------------------------------------------------------

// Entries and tables for [va, last] below an absent entry of `level` that is not
// itself going to be a leaf. At each level, the entries touched get a table unless
// a leaf takes their place.
static void plan_below(struct map_op *op, unsigned level, uint64_t va, uint64_t last)
{
	uint64_t inside = 0; // entries of this level that lie inside larger leaves

	op->tables++;
	while (--level) {
		uint64_t first = va >> pt_shift(level), end = last >> pt_shift(level);
		uint64_t touched = end - first + 1, full = 0;

		inside *= PT_SLOTS;
		if (level <= op->top) {
			full = touched - ((va & (pt_bytes(level) - 1)) != 0);
			if (full && (last & (pt_bytes(level) - 1)) != pt_bytes(level) - 1)
				full--;
			op->entries += full - inside;
			inside = full;
		}
		if (level > 1)
			op->tables += touched - full;
	}
}

// A leaf is there already: is it what we want? `va` is in it.
static bool plan_leaf(struct map_op *op, uint64_t entry, unsigned level, uint64_t va, uint64_t last)
{
	uint64_t pa = pt_leaf_pa(entry, level) + (va & (pt_bytes(level) - 1));
	uint64_t pat = level == 1 ? PT_PAT_PAGE : PT_PAT_LARGE;

	if (pa != va + op->delta || ((entry ^ op->leaf) & FLAGS_SAME) || (entry & pat)) {
		refuse(op, MM_ERR_MAPPED, va,
		       pa != va + op->delta ? "the page is mapped to another address"
					    : "the page is mapped with other flags");
		return false;
	}
	if (!op->same)
		op->first_same = va;
	op->same += last - va + 1;
	return true;
}

static bool plan_pages(struct map_op *op, const uint64_t *table, uint64_t va, uint64_t last)
{
	unsigned first = pt_index(va, 1), n = (unsigned)pt_pages(va, last);

	op->entries += n;
	if (!(pt_or(table + first, n) & PT_PRESENT))
		return true;
	for (unsigned i = 0; i < n; i++) {
		uint64_t entry = table[first + i], page = va + i * PAGE_4K_SIZE;

		if (!(entry & PT_PRESENT))
			continue;
		op->entries--;
		if (!plan_leaf(op, entry, 1, page, page + PT_PAGE_MASK))
			return false;
	}
	return true;
}

static bool plan_table(struct map_op *op, const uint64_t *table, unsigned level, uint64_t va,
		       uint64_t last)
{
	for (;; va = pt_slot_last(va, last, level) + 1) {
		uint64_t slot_last = pt_slot_last(va, last, level);
		uint64_t entry = pt_load(&table[pt_index(va, level)]);
		bool good = true;

		if (!(entry & PT_PRESENT)) {
			if (level <= op->top && pt_covers(va, slot_last, level))
				op->entries++;
			else
				plan_below(op, level, va, slot_last);
		} else if (pt_is_leaf(entry, level)) {
			good = plan_leaf(op, entry, level, va, slot_last);
		} else {
			op->upgrade |= !(entry & PT_USER) && (op->leaf & PT_USER);
			good = level == 2
				       ? plan_pages(op, pt_table(entry), va, slot_last)
				       : plan_table(op, pt_table(entry), level - 1, va, slot_last);
		}
		if (!good || slot_last == last)
			return good;
	}
}

// MM_OK with op->entries == 0: nothing to do.
static enum mm_status plan(struct map_op *op)
{
	uint64_t va = op->range.va, last = op->range.last;

	op->entries = op->tables = op->same = 0;
	if (!plan_table(op, op->space->top, PT_TOP, va, last)) {
		op->tables = 0;
		return MM_ERR_MAPPED;
	}
	if (op->same && op->same != last - va + 1) {
		op->tables = 0;
		return refuse(op, MM_ERR_MAPPED, op->first_same,
			      "part of the range is mapped already");
	}
	return MM_OK;
}

// --- commit ----------------------------------------------------------------------

// Lets interrupts and those who look in between two stretches of entries. Nobody
// else changes this space meanwhile, so pointers into its tables stay good.
static void breathe(struct map_op *op, unsigned written)
{
	op->unbreathed += written;
	if (op->unbreathed < PT_BREATH)
		return;
	op->unbreathed = 0;
	mm_gen_bump();
	mm_unlock_irq(&op->space->lock, op->irq);
	op->irq = mm_lock_irq(&op->space->lock);
}

static unsigned fill_table(struct map_op *op, uint64_t *table, unsigned level, uint64_t va,
			   uint64_t last);

static uint64_t table_entry(const struct map_op *op, const uint64_t *table)
{
	return mm_virt_to_phys(table).value | PT_PRESENT | PT_WRITE | (op->leaf & PT_USER);
}

// A root entry of the kernel half: the same in every root, and there for good.
static void write_entry(struct map_op *op, uint64_t *slot, unsigned level, uint64_t va,
			uint64_t entry)
{
	if (level == PT_TOP && pt_is_kernel_va(va))
		pt_share_top(pt_index(va, level), (entry & ~PT_COUNT_MASK) | PT_PINNED);
	else
		mm_port_entry_write(slot, entry);
	breathe(op, 1);
}

// Goes on in a table that exists, and opens it to users if need be.
static void fill_existing(struct map_op *op, uint64_t *slot, unsigned level, uint64_t va,
			  uint64_t last)
{
	uint64_t entry = pt_load(slot);
	bool shared_top = level == PT_TOP && pt_is_kernel_va(va);
	unsigned added = fill_table(op, pt_table(entry), level - 1, va, last);

	if (!shared_top && added)
		pt_count_add(slot, added);
	if ((entry & PT_USER) || !(op->leaf & PT_USER))
		return;
	if (shared_top)
		pt_share_top(pt_index(va, level), entry | PT_USER);
	else
		__atomic_fetch_or(slot, PT_USER, __ATOMIC_RELEASE);
}

// How many entries of the table became present.
static unsigned fill_table(struct map_op *op, uint64_t *table, unsigned level, uint64_t va,
			   uint64_t last)
{
	unsigned added = 0;

	if (level == 1) {
		added = (unsigned)pt_pages(va, last);
		pt_fill(table + pt_index(va, 1), added, (va + op->delta) | op->leaf, PAGE_4K_SIZE);
		breathe(op, added);
		return added;
	}
	for (;; va = pt_slot_last(va, last, level) + 1) {
		uint64_t slot_last = pt_slot_last(va, last, level);
		uint64_t *slot = table + pt_index(va, level);

		if (pt_load(slot) & PT_PRESENT) {
			fill_existing(op, slot, level, va, slot_last);
		} else if (level <= op->top && pt_covers(va, slot_last, level)) {
			write_entry(op, slot, level, va, (va + op->delta) | op->leaf | PT_LARGE);
			added++;
		} else {
			uint64_t *below = pt_stock_take(&op->stock);
			uint64_t n = fill_table(op, below, level - 1, va, slot_last);

			write_entry(op, slot, level, va,
				    table_entry(op, below) | n << PT_COUNT_SHIFT);
			added++;
		}
		if (slot_last == last)
			return added;
	}
}

static void commit(struct map_op *op)
{
	struct mm_space *space = op->space;

	op->irq = mm_lock_irq(&space->lock);
	fill_table(op, space->top, PT_TOP, op->range.va, op->range.last);
	__atomic_fetch_add(&space->tables, op->tables, __ATOMIC_RELAXED);
	__atomic_fetch_add(&space->mapped_bytes, op->range.last - op->range.va + 1,
			   __ATOMIC_RELAXED);
	mm_gen_bump();
	mm_unlock_irq(&space->lock, op->irq);
}

// --- the whole -----------------------------------------------------------------------

static enum mm_status set_up(struct map_op *op, const struct mm_map_request *request)
{
	uint64_t va = request->va.value, pa = request->pa.value, mix = va ^ pa;
	uint64_t flags = request->flags | (request->user ? PT_USER : 0);
	enum mm_status status;

	if (flags & ~FLAGS_KNOWN)
		return refuse(op, MM_ERR_FLAGS, va, "the flags carry bits that are no entry flags");
	if ((flags & PT_XD) && !mm_machine.has_nx)
		return refuse(op, MM_ERR_FLAGS, va, "this CPU has no execute-disable bit");
	if (mix & PT_PAGE_MASK)
		return refuse(op, MM_ERR_ALIGN, va, NULL);
	status = pt_range_set(&op->range, va, request->length);
	if (status != MM_OK)
		return refuse(op, status, va, NULL);
	pa &= ~PT_PAGE_MASK;
	if (pa >= mm_machine.phys_limit ||
	    op->range.last - op->range.va >= mm_machine.phys_limit - pa)
		return refuse(op, MM_ERR_PHYS, va, NULL);
	op->delta = pa - op->range.va;
	op->leaf = (flags & ~PT_LARGE) | PT_PRESENT;
	op->top = 1;
	if (!request->use4k && !(mix & (PAGE_2M_SIZE - 1)))
		op->top = !(mix & (PAGE_1G_SIZE - 1)) && mm_machine.has_1g_pages ? 3 : 2;
	return MM_OK;
}

// A clear no before memory is drained for nothing; small plans just try.
static bool tables_possible(const struct map_op *op, uint64_t trifle)
{
	return op->tables <= trifle || op->tables <= mm_stat().available / PAGE_4K_SIZE;
}

static void flush_upgrade(const struct map_op *op)
{
	struct mm_tlb_request flush = {
		.kind = MM_TLB_PAGE,
		.address = mm_va(op->range.va),
		.root = op->space->root,
		.kernel = pt_is_kernel_va(op->range.va),
	};

	mm_port_tlb_flush(&flush, 1);
}

static enum mm_status map_claimed(struct map_op *op, const struct mm_map_request *request,
				  uint64_t site)
{
	enum mm_status status = plan(op);

	if (status != MM_OK || op->entries == 0)
		return status;
	if (!tables_possible(op, request->dry_run ? 0 : 64))
		return refuse(op, MM_ERR_TABLE_MEM, op->range.va, NULL);
	if (request->dry_run)
		return MM_OK;
	if (!pt_reserve_fill(site) || !pt_stock_fill(&op->stock, op->tables, false, site))
		return refuse(op, MM_ERR_TABLE_MEM, op->range.va, NULL);
	commit(op);
	if (op->upgrade && request->flush)
		flush_upgrade(op);
	return MM_OK;
}

static void report(const struct map_op *op, const struct mm_map_request *request,
		   enum mm_status status, uint64_t site)
{
	struct mm_event event = {
		.type = status == MM_OK ? MM_EVENT_MAP : MM_EVENT_FAILURE,
		.failed = MM_EVENT_MAP,
		.status = status,
		.address = request->va.value,
		.size = request->length,
		.aux = request->pa.value,
		.root = op->space ? op->space->root.value : 0,
		.flags = request->flags,
		.site = site,
	};

	if (status != MM_OK)
		__atomic_store_n(&last_reason, op->reason, __ATOMIC_RELAXED);
	if (mm_events_wanted() && !request->dry_run)
		mm_event_emit(&event);
}

static enum mm_status map(const struct mm_map_request *request, struct mm_map_result *result,
			  uint64_t site)
{
	struct map_op op = {.reason = ""};
	struct mm_space *space = NULL;
	enum mm_status status = MM_OK;

	if (request->length) {
		status = set_up(&op, request);
		if (status == MM_OK && !(space = pt_space_get(request->space, &status)))
			refuse(&op, status, op.range.va, NULL);
		if (status == MM_OK) {
			op.space = pt_owner(space, op.range.va);
			pt_claim(op.space);
			status = map_claimed(&op, request, site);
			pt_unclaim(op.space);
		}
		if (status != MM_OK || op.entries)
			report(&op, request, status, site);
		if (space)
			pt_space_put(space);
	}
	if (status != MM_OK)
		op.entries = 0;
	if (result)
		*result = (struct mm_map_result){.entries = op.entries,
						 .tables = op.tables,
						 .at = mm_va(op.at),
						 .reason = op.reason};
	return status;
}

enum mm_status mm_map_ex(const struct mm_map_request *request, struct mm_map_result *result)
{
	return map(request, result, MM_CALLER);
}

int mm_map_phys_addr(ul virt_addr_start, ul phys_addr_start, ul length, ul flags, bool use4k)
{
	struct mm_map_request request = {
		.space = MM_SPACE_CURRENT,
		.va = mm_va(virt_addr_start),
		.pa = mm_pa(phys_addr_start),
		.length = length,
		.flags = flags,
		.use4k = use4k,
		.flush = true,
	};

	return map(&request, NULL, MM_CALLER) == MM_OK ? 0 : -EFAULT;
}

int mm_map_proc_page_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start,
			   ul phys_addr_start, ul length, ul flags, bool user, bool flush,
			   bool use4k)
{
	struct mm_map_request request = {
		.space = pt_space_of_root(proc_page_table_addr, is_phys),
		.va = mm_va(virt_addr_start),
		.pa = mm_pa(phys_addr_start),
		.length = length,
		.flags = flags,
		.user = user,
		.use4k = use4k,
		.flush = flush,
	};

	return map(&request, NULL, MM_CALLER) == MM_OK ? 0 : -EFAULT;
}
