// pgtable_walk.c: looking at page tables: one address, all mappings of a space,
// all mappings of a piece of memory. Changes nothing, allocates nothing; the
// theory is atop pgtable_map.c.
#include "pt.h"

// Entries looked at with interrupts off. A walk that finds nothing for long says
// "again" and lets others in.
#define WORK_BOUND 2048

#define FLAGS_OWN  (1ul << PAGE_PWT | 1ul << PAGE_PCD | PT_GLOBAL)
#define FLAGS_SEEN (PT_ACCESSED | PT_DIRTY)

// What the tables on the way to an entry let through.
struct rights {
	uint64_t allow; // of R_W, U_S
	uint64_t deny;	// XD
};

static struct rights rights_below(struct rights above, uint64_t entry)
{
	return (struct rights){above.allow & entry, above.deny | (entry & PT_XD)};
}

static uint64_t effective(struct rights above, uint64_t leaf)
{
	return (leaf & PT_RIGHTS_ALL & above.allow) | ((leaf | above.deny) & PT_XD) |
	       (leaf & (FLAGS_OWN | FLAGS_SEEN));
}

// The table an entry points to; NULL when it cannot be one. With the lock held
// every table is where its entry says; without it (the holder is stopped) only
// what mm knows as a table is believed.
static const uint64_t *table_below(uint64_t entry, bool locked)
{
	const uint64_t *table = pt_table(entry);

	if ((entry & PT_ADDRESS) >= mm_machine.direct_limit)
		return NULL;
	return locked || (entry & PT_PINNED) || mm_table_is(table) ? table : NULL;
}

// --- one address -------------------------------------------------------------------
static void translate(const struct mm_space *space, bool locked, uint64_t va,
		      struct mm_translation *out)
{
	struct rights rights = {PT_RIGHTS_ALL, 0};
	const uint64_t *table = space->top;

	for (unsigned level = PT_TOP; level && table; level--) {
		const uint64_t *slot = table + pt_index(va, level);
		uint64_t entry = pt_load(slot);

		out->levels[out->depth++] = (struct mm_level){level, pt_index(va, level),
							      mm_virt_to_phys(slot), entry};
		if (!(entry & PT_PRESENT))
			return;
		if (pt_is_leaf(entry, level)) {
			out->mapped = true;
			out->page_bytes = pt_bytes(level);
			out->pa = mm_pa(pt_leaf_pa(entry, level) + (va & (pt_bytes(level) - 1)));
			out->flags = effective(rights, entry);
			return;
		}
		rights = rights_below(rights, entry);
		table = table_below(entry, locked);
	}
}

enum mm_status mm_translate(uint32_t space_id, vaddr_t va, struct mm_translation *out)
{
	enum mm_status status = MM_OK;
	struct mm_space *space;
	mm_irq_t irq, inner;
	bool locked;

	*out = (struct mm_translation){0};
	if (!pt_is_canonical(va.value))
		return MM_ERR_CANONICAL;
	irq = mm_port_irq_save();
	space = pt_space_get(space_id, &status);
	if (space) {
		locked = pt_look_lock(pt_owner(space, va.value), &inner);
		translate(space, locked, va.value, out);
		pt_look_unlock(pt_owner(space, va.value), locked, inner);
		pt_space_put(space);
	}
	mm_port_irq_restore(irq);
	return status;
}

// --- all mappings -------------------------------------------------------------------
struct walk {
	struct mm_space *space;
	bool locked;
	uint64_t last;	       // the last address to look at
	uint64_t next;	       // where to go on
	uint64_t shown;	       // flags that tell runs apart
	int work;	       // entries that may still be looked at
	struct mm_mapping run; // being built; length 0: none
	struct mm_mapping *out;
	size_t capacity, count;
};

// Ends the run that is being built: there was room when it began.
static void end_run(struct walk *walk)
{
	if (!walk->run.length)
		return;
	walk->out[walk->count++] = walk->run;
	walk->run.length = 0;
}

// A mapping [va, last] to pa: longer run, or a new one. false: no room; stop at va.
static bool add(struct walk *walk, uint64_t va, uint64_t last, uint64_t pa, uint64_t page,
		uint64_t flags)
{
	struct mm_mapping *run = &walk->run;

	if (run->length && run->va.value + run->length == va && run->pa.value + run->length == pa &&
	    run->page_bytes == page && run->flags == flags) {
		run->length += last - va + 1;
		return true;
	}
	end_run(walk);
	if (walk->count == walk->capacity)
		return false;
	*run = (struct mm_mapping){mm_va(va), mm_pa(pa), last - va + 1, page, flags};
	return true;
}

// As many entries as continue the first, which is present: same bits, next page.
static unsigned same_pages(const uint64_t *slot, unsigned n, uint64_t mask)
{
	uint64_t expected = slot[0] & mask;
	unsigned i = 0;

	do {
		i++;
		expected += PAGE_4K_SIZE;
	} while (i < n && (slot[i] & mask) == expected);
	return i;
}

// Whole pages of a page table. false: stopped, walk->next says where.
static bool walk_pages(struct walk *walk, const uint64_t *table, struct rights rights, uint64_t va,
		       uint64_t last)
{
	uint64_t mask = PT_PRESENT | PT_ADDRESS | PT_RIGHTS_ALL | FLAGS_OWN | PT_XD |
			(walk->shown & FLAGS_SEEN);
	const uint64_t *slot = table + pt_index(va, 1);
	unsigned n = (unsigned)pt_pages(va, last);

	walk->work -= (int)n;
	while (n) {
		uint64_t entry = *slot;
		unsigned run = 1;

		if (entry & PT_PRESENT) {
			run = same_pages(slot, n, mask);
			if (!add(walk, va, va + run * PAGE_4K_SIZE - 1, entry & PT_ADDRESS,
				 PAGE_4K_SIZE, effective(rights, entry) & walk->shown)) {
				walk->next = va;
				return false;
			}
		}
		slot += run;
		n -= run;
		va += run * PAGE_4K_SIZE;
	}
	return true;
}

static bool walk_leaf(struct walk *walk, uint64_t entry, unsigned level, struct rights rights,
		      uint64_t va, uint64_t last)
{
	uint64_t pa = pt_leaf_pa(entry, level) + (va & (pt_bytes(level) - 1));

	walk->work--;
	if (add(walk, va, last, pa, pt_bytes(level), effective(rights, entry) & walk->shown))
		return true;
	walk->next = va;
	return false;
}

static bool walk_table(struct walk *walk, const uint64_t *table, unsigned level,
		       struct rights rights, uint64_t va, uint64_t last)
{
	for (;; va = pt_slot_last(va, last, level) + 1) {
		uint64_t slot_last = pt_slot_last(va, last, level);
		uint64_t entry = pt_load(table + pt_index(va, level));
		const uint64_t *below;
		bool more = true;

		walk->next = va;
		if (walk->work <= 0)
			return false;
		walk->work--;
		if (!(entry & PT_PRESENT))
			;
		else if (pt_is_leaf(entry, level))
			more = walk_leaf(walk, entry, level, rights, va, slot_last);
		else if ((below = table_below(entry, walk->locked)))
			more = level == 2 ? walk_pages(walk, below, rights_below(rights, entry), va,
						       slot_last)
					  : walk_table(walk, below, level - 1,
						       rights_below(rights, entry), va, slot_last);
		if (!more)
			return false;
		if (slot_last == last)
			return true;
	}
}

// Goes on at walk->next for one stretch of work. true: came to `last`.
static bool walk_half(struct walk *walk, struct mm_space *owner, uint64_t last)
{
	struct rights all = {PT_RIGHTS_ALL, 0};
	mm_irq_t irq;
	bool done;

	walk->locked = pt_look_lock(owner, &irq);
	done = walk_table(walk, walk->space->top, PT_TOP, all, walk->next, last);
	pt_look_unlock(owner, walk->locked, irq);
	return done;
}

// The same from half to half. true: came to walk->last.
static bool walk_on(struct walk *walk)
{
	if (walk->next > PT_USER_LAST && walk->next < PT_SHARED_VA)
		walk->next = PT_SHARED_VA;
	if (walk->next > walk->last)
		return true;
	if (!pt_is_kernel_va(walk->next)) {
		uint64_t last = walk->last < PT_USER_LAST ? walk->last : PT_USER_LAST;

		if (!walk_half(walk, walk->space, last))
			return false;
		if (walk->last < PT_SHARED_VA)
			return true;
		walk->next = PT_SHARED_VA;
	}
	return walk_half(walk, &mm_kernel_space, walk->last);
}

bool pt_walk(struct mm_space *space, uint64_t *next, uint64_t last, struct mm_mapping *out,
	     size_t capacity, size_t *count)
{
	struct walk walk = {
		.space = space,
		.last = last,
		.next = *next,
		.work = WORK_BOUND,
		.out = out,
		.capacity = capacity,
	};
	bool done = walk_on(&walk);

	end_run(&walk);
	*next = walk.next;
	*count = walk.count;
	return done;
}

// --- the cursor of mappings -----------------------------------------------------------
// `at` is where to go on, `sub` where the run began that was being built when the
// work bound came; both are pages, and the low bits of `sub` say:
#define CURSOR_RUN  1u // there is such a run
#define CURSOR_DONE 2u // the walk is over
#define CURSOR_ON   4u // the walk has begun

// Where to go on. false: it is over.
static bool cursor_load(const struct mm_cursor *cursor, struct walk *walk)
{
	uint64_t at = cursor->at & ~PT_PAGE_MASK;

	if ((cursor->sub & CURSOR_ON) && at > walk->next)
		walk->next = at;
	return walk->next <= walk->last && !(cursor->sub & CURSOR_DONE);
}

static void cursor_save(struct mm_cursor *cursor, const struct walk *walk, bool done)
{
	cursor->at = walk->next;
	cursor->sub = CURSOR_ON;
	if (done)
		cursor->sub |= CURSOR_DONE;
	else if (walk->run.length)
		cursor->sub |= CURSOR_RUN | walk->run.va.value;
}

// Takes the run up again that began at `start`, if both of its ends still say so.
static void resume_run(struct walk *walk, uint64_t start)
{
	struct mm_translation first = {0}, final = {0};
	struct mm_space *owner = pt_owner(walk->space, start);
	uint64_t before = walk->next - PAGE_4K_SIZE;
	mm_irq_t irq;
	bool locked;

	if (start > before || !pt_is_canonical(start) || !pt_is_canonical(before) ||
	    pt_is_kernel_va(start) != pt_is_kernel_va(before))
		return;
	locked = pt_look_lock(owner, &irq);
	translate(walk->space, locked, start, &first);
	translate(walk->space, locked, before, &final);
	pt_look_unlock(owner, locked, irq);
	if (first.mapped && final.mapped && first.page_bytes == final.page_bytes &&
	    !((first.flags ^ final.flags) & walk->shown) &&
	    final.pa.value - first.pa.value == before - start)
		walk->run = (struct mm_mapping){mm_va(start), first.pa, walk->next - start,
						first.page_bytes, first.flags & walk->shown};
}

// One step; fills in walk->count. true: the walk is over.
static bool visit_step(struct mm_cursor *cursor, struct walk *walk)
{
	uint64_t from = walk->next, start = cursor->sub & ~PT_PAGE_MASK;
	bool done;

	if (!cursor_load(cursor, walk))
		return true;
	if (cursor->sub & CURSOR_RUN)
		resume_run(walk, start > from ? start : from);
	done = walk_on(walk);
	if (done || walk->run.va.value + walk->run.length != walk->next)
		end_run(walk); // nothing can continue it
	return done;
}

enum mm_visit mm_visit_mappings(struct mm_cursor *cursor, const struct mm_mapping_filter *filter,
				struct mm_mapping *out, size_t capacity, size_t *count)
{
	enum mm_status status = MM_OK;
	struct walk walk = {
		.last = filter->to.value | PT_PAGE_MASK,
		.next = filter->from.value & ~PT_PAGE_MASK,
		.shown = PT_RIGHTS_ALL | FLAGS_OWN | PT_XD |
			 (filter->accessed_dirty ? FLAGS_SEEN : 0),
		.work = WORK_BOUND,
		.out = out,
		.capacity = capacity,
	};
	mm_irq_t irq = mm_port_irq_save(); // a held space is not to be waited for
	bool done = true;

	walk.space = pt_space_get(filter->space, &status);
	if (walk.space) {
		done = visit_step(cursor, &walk);
		pt_space_put(walk.space);
	}
	mm_port_irq_restore(irq);
	cursor_save(cursor, &walk, done);
	*count = walk.count;
	if (done)
		return MM_VISIT_END;
	return walk.count ? MM_VISIT_ITEM : MM_VISIT_AGAIN;
}
