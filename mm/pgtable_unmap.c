// pgtable_unmap.c: unmapping and splitting. The theory is atop pgtable_map.c.
//
// One walk serves the plan (dry) and the commit, so that they cannot disagree; a
// plan stores nothing and hands out no table.
#include "state.h"

#include "pt.h"

// Above so many pages one full flush is cheaper.
#define FLUSH_PAGES 33

struct gather {
	struct mm_tlb_request page[FLUSH_PAGES];
	unsigned pages;
	bool full;   // more pages than fit
	bool global; // ... and a global one among the cleared leaves
};

struct unmap_op {
	struct mm_space *space; // the owner of the range
	struct pt_range range;
	bool dry;
	uint64_t entries, tables, split; // as in struct mm_unmap_result
	uint64_t bytes;			 // that were mapped
	struct pt_stock stock;		 // for splits
	struct pt_stock freed;
	struct gather gather;
	uint64_t unbreathed;
	mm_irq_t irq;
};

static void breathe(struct unmap_op *op, unsigned written)
{
	op->unbreathed += written;
	if (op->dry || op->unbreathed < PT_BREATH)
		return;
	op->unbreathed = 0;
	mm_gen_bump();
	mm_unlock_irq(&op->space->lock, op->irq);
	op->irq = mm_lock_irq(&op->space->lock);
}

// --- what to flush ----------------------------------------------------------------
static void gather_leaf(struct unmap_op *op, uint64_t va, uint64_t entry)
{
	struct gather *gather = &op->gather;

	if (op->dry)
		return;
	gather->global |= (entry & PT_GLOBAL) != 0;
	if (gather->pages == FLUSH_PAGES) {
		gather->full = true;
		return;
	}
	gather->page[gather->pages++] = (struct mm_tlb_request){
		.kind = MM_TLB_PAGE,
		.address = mm_va(va),
		.root = op->space->root,
		.kernel = pt_is_kernel_va(va) || (entry & PT_GLOBAL),
	};
}

static void gather_pages(struct unmap_op *op, const uint64_t *slot, unsigned n, uint64_t va)
{
	struct gather *gather = &op->gather;

	if (op->dry)
		return;
	for (; n && !gather->full; n--, slot++, va += PAGE_4K_SIZE)
		if (*slot & PT_PRESENT)
			gather_leaf(op, va, *slot);
	if (!gather->global)
		gather->global = (pt_or(slot, n) & PT_GLOBAL) != 0;
}

static void flush(const struct unmap_op *op)
{
	const struct gather *gather = &op->gather;
	struct mm_tlb_request all = {
		.kind = gather->global ? MM_TLB_ALL : MM_TLB_ROOT,
		.root = op->space->root,
		.kernel = pt_is_kernel_va(op->range.va),
	};

	if (gather->full)
		mm_port_tlb_flush(&all, 1);
	else if (gather->pages)
		mm_port_tlb_flush(gather->page, gather->pages);
}

// --- splitting ------------------------------------------------------------------------

// The CPU set A or D in a leaf after its table was prepared: so do we.
static void add_bits(uint64_t *table, unsigned level, uint64_t bits)
{
	for (unsigned i = 0; i < PT_SLOTS; i++) {
		if (!(table[i] & PT_PRESENT))
			continue;
		if (pt_is_leaf(table[i], level))
			table[i] |= bits;
		else
			add_bits(pt_table(table[i]), level - 1, bits);
	}
}

static uint64_t split(struct unmap_op *op, uint64_t leaf, unsigned level, uint64_t va,
		      uint64_t last);

// A child of a leaf that is split; [va, last] of it goes. What stays, or 0.
static uint64_t split_child(struct unmap_op *op, uint64_t child, unsigned level, uint64_t va,
			    uint64_t last)
{
	if (level > 1 && !pt_covers(va, last, level))
		return split(op, child, level, va, last);
	op->entries++;
	return 0;
}

// What takes the place of a leaf of which [va, last] goes: an entry that points to
// a new table with the smaller leaves that stay.
static uint64_t split(struct unmap_op *op, uint64_t leaf, unsigned level, uint64_t va,
		      uint64_t last)
{
	unsigned below = level - 1, first = pt_index(va, below), end = pt_index(last, below);
	uint64_t child = pt_child_leaf(leaf, level), kept = PT_SLOTS;
	uint64_t *table = op->dry ? NULL : pt_stock_take(&op->stock);

	op->split++;
	if (table)
		pt_fill(table, PT_SLOTS, child, pt_bytes(below));
	for (unsigned i = first; i <= end; i++, va = pt_slot_last(va, last, below) + 1) {
		uint64_t entry = split_child(op, child + i * pt_bytes(below), below, va,
					     pt_slot_last(va, last, below));

		if (!table)
			continue;
		table[i] = entry;
		kept -= !entry;
	}
	if (!table)
		return 0;
	return mm_virt_to_phys(table).value | PT_PRESENT | PT_WRITE | (leaf & PT_USER) |
	       kept << PT_COUNT_SHIFT;
}

static void split_leaf(struct unmap_op *op, uint64_t *slot, uint64_t leaf, unsigned level,
		       uint64_t va, uint64_t last)
{
	uint64_t entry = split(op, leaf, level, va, last), seen = leaf;

	op->bytes += last - va + 1;
	if (op->dry)
		return;
	while (!__atomic_compare_exchange_n(slot, &seen, entry, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		add_bits(pt_table(entry), level - 1, seen & (PT_ACCESSED | PT_DIRTY));
	gather_leaf(op, va, leaf);
	breathe(op, 2 * PT_SLOTS);
}

// --- the walk ------------------------------------------------------------------------------
static unsigned count_pages(const uint64_t *slot, unsigned n)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < n; i++)
		count += slot[i] & PT_PRESENT;
	return (unsigned)count;
}

static void clear_pages(uint64_t *slot, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		mm_port_entry_write(slot + i, 0);
}

// Takes [va, last] out of the page table that `entry` points to; how many pages
// were there. A table that goes as a whole is left as it is until the flush.
static unsigned unmap_pages(struct unmap_op *op, uint64_t entry, uint64_t va, uint64_t last)
{
	uint64_t *slot = pt_table(entry) + pt_index(va, 1);
	unsigned n = (unsigned)pt_pages(va, last);
	bool whole = n == PT_SLOTS;
	unsigned gone = whole ? pt_count(entry) : count_pages(slot, n);

	op->entries += gone;
	op->bytes += gone * PAGE_4K_SIZE;
	if (op->dry || !gone)
		return gone;
	gather_pages(op, slot, n, va);
	if (gone != pt_count(entry) || (entry & PT_PINNED))
		clear_pages(slot, n);
	breathe(op, n);
	return gone;
}

static unsigned unmap_table(struct unmap_op *op, uint64_t *table, unsigned level, uint64_t va,
			    uint64_t last);

// Takes [va, last] out of a table below; is the entry itself gone with it?
static bool unmap_below(struct unmap_op *op, uint64_t *slot, unsigned level, uint64_t va,
			uint64_t last)
{
	uint64_t entry = pt_load(slot);
	bool counted = !(level == PT_TOP && pt_is_kernel_va(va));
	unsigned gone = level == 2 ? unmap_pages(op, entry, va, last)
				   : unmap_table(op, pt_table(entry), level - 1, va, last);

	if (!gone || !counted)
		return false;
	if (gone != pt_count(entry) || (entry & PT_PINNED)) {
		if (!op->dry)
			pt_count_sub(slot, gone);
		return false;
	}
	op->tables++;
	if (!op->dry) {
		mm_port_entry_write(slot, 0);
		pt_stock_add(&op->freed, pt_table(entry));
	}
	return true;
}

static bool unmap_leaf(struct unmap_op *op, uint64_t *slot, uint64_t leaf, unsigned level,
		       uint64_t va, uint64_t last)
{
	if (!pt_covers(va, last, level)) {
		split_leaf(op, slot, leaf, level, va, last);
		return false;
	}
	op->entries++;
	op->bytes += pt_bytes(level);
	gather_leaf(op, va, leaf);
	if (!op->dry)
		mm_port_entry_write(slot, 0);
	breathe(op, 1);
	return true;
}

// How many entries of the table (level 2 to 4) are gone.
static unsigned unmap_table(struct unmap_op *op, uint64_t *table, unsigned level, uint64_t va,
			    uint64_t last)
{
	unsigned gone = 0;

	for (;; va = pt_slot_last(va, last, level) + 1) {
		uint64_t slot_last = pt_slot_last(va, last, level);
		uint64_t *slot = table + pt_index(va, level);
		uint64_t entry = pt_load(slot);

		if (!(entry & PT_PRESENT))
			;
		else if (pt_is_leaf(entry, level))
			gone += unmap_leaf(op, slot, entry, level, va, slot_last);
		else
			gone += unmap_below(op, slot, level, va, slot_last);
		if (slot_last == last)
			return gone;
	}
}

// Field by field, but for the pages to flush: clearing these costs more than
// unmapping one.
static void set_up(struct unmap_op *op)
{
	op->space = NULL;
	op->range = (struct pt_range){0, 0};
	op->dry = true;
	op->entries = op->tables = op->split = op->bytes = op->unbreathed = 0;
	op->stock = op->freed = (struct pt_stock){NULL, 0};
	op->gather.pages = 0;
	op->gather.full = op->gather.global = false;
	op->irq = 0;
}

// --- the whole ----------------------------------------------------------------------------------
static void walk(struct unmap_op *op, bool dry)
{
	op->dry = dry;
	op->entries = op->tables = op->split = op->bytes = 0;
	unmap_table(op, op->space->top, PT_TOP, op->range.va, op->range.last);
}

static void commit(struct unmap_op *op)
{
	struct mm_space *space = op->space;
	uint64_t made;

	op->irq = mm_lock_irq(&space->lock);
	walk(op, false);
	made = op->split;
	__atomic_fetch_add(&space->tables, made - op->tables, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&space->mapped_bytes, op->bytes, __ATOMIC_RELAXED);
	mm_gen_bump();
	mm_unlock_irq(&space->lock, op->irq);
	flush(op);
	pt_stock_drop(&op->freed);
}

static enum mm_status unmap_claimed(struct unmap_op *op, bool dry_run, uint64_t site)
{
	walk(op, true);
	if (!op->entries)
		return MM_OK;
	if (dry_run)
		return op->split <= pt_reserve_count() ||
				       op->split <= mm_stat().available / PAGE_4K_SIZE
			       ? MM_OK
			       : MM_ERR_TABLE_MEM;
	if (!pt_stock_fill(&op->stock, op->split, true, site))
		return MM_ERR_TABLE_MEM;
	commit(op);
	(void)pt_reserve_fill(site);
	return MM_OK;
}

static void report(const struct unmap_op *op, const struct mm_unmap_request *request,
		   enum mm_status status, uint64_t site)
{
	struct mm_event event = {
		.type = status == MM_OK ? MM_EVENT_UNMAP : MM_EVENT_FAILURE,
		.failed = MM_EVENT_UNMAP,
		.status = status,
		.address = request->va.value,
		.size = request->length,
		.root = op->space ? op->space->root.value : 0,
		.site = site,
	};

	if (mm_events_wanted() && !request->dry_run)
		mm_event_emit(&event);
}

static enum mm_status unmap(const struct mm_unmap_request *request, struct mm_unmap_result *result,
			    uint64_t site)
{
	struct unmap_op op;
	struct mm_space *space = NULL;
	enum mm_status status = MM_OK;

	set_up(&op);
	if (request->length) {
		status = pt_range_set(&op.range, request->va.value, request->length);
		if (status == MM_OK)
			space = pt_space_get(request->space, &status);
		if (space) {
			op.space = pt_owner(space, op.range.va);
			pt_claim(op.space);
			status = unmap_claimed(&op, request->dry_run, site);
			pt_unclaim(op.space);
		}
		if (status != MM_OK || op.entries)
			report(&op, request, status, site);
		if (space)
			pt_space_put(space);
	}
	if (result && status == MM_OK)
		*result = (struct mm_unmap_result){op.entries, op.tables, op.split, ""};
	else if (result)
		*result = (struct mm_unmap_result){.reason = mm_status_text(status)};
	return status;
}

enum mm_status mm_unmap_ex(const struct mm_unmap_request *request, struct mm_unmap_result *result)
{
	return unmap(request, result, MM_CALLER);
}

// For the calls that cannot say no.
static void unmap_or_panic(const char *call, uint32_t space, ul va, ul length, uint64_t site)
{
	struct mm_unmap_request request = {.space = space, .va = mm_va(va), .length = length};
	char message[192];
	struct text text;

	if (unmap(&request, NULL, site) != MM_ERR_TABLE_MEM)
		return;
	mm_text_init(&text, message, sizeof(message));
	mm_text_str(&text, call);
	mm_text_str(&text, ": no memory for the table that splits the large page at the edge of ");
	mm_text_hex(&text, va);
	mm_text_str(&text, " + ");
	mm_text_hex(&text, length);
	mm_text_str(&text, " bytes, called from ");
	mm_text_hex(&text, site);
	mm_port_panic(message);
}

void mm_unmap_addr(ul virt_addr, ul length)
{
	unmap_or_panic("mm_unmap_addr", MM_SPACE_CURRENT, virt_addr, length, MM_CALLER);
}

void mm_unmap_proc_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length)
{
	unmap_or_panic("mm_unmap_proc_table", pt_space_of_root(proc_page_table_addr, is_phys),
		       virt_addr_start, length, MM_CALLER);
}

uint64_t pt_unmap_user_half(struct mm_space *space)
{
	struct unmap_op op = {
		.space = space, .range = {0, PT_USER_LAST}
	  };

	walk(&op, true);
	if (op.entries)
		commit(&op);
	return op.tables;
}
