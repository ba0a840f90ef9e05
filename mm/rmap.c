// rmap.c: who maps this memory? A walk over all spaces which keeps what falls into
// a range of physical addresses. There is no reverse index to maintain: mapping
// and unmapping stay as fast as they are, and asking costs a look at every leaf.
#include "pt.h"

// Mappings looked at between two looks at the room left, and such rounds per call.
#define BATCH  16u
#define ROUNDS 16u

// The part of a mapping that lies in [pa, last]. false: none.
static bool cut(const struct mm_mapping *mapping, uint32_t space, uint64_t pa, uint64_t last,
		struct mm_rmap *out)
{
	uint64_t first = mapping->pa.value, end = first + mapping->length - 1;
	uint64_t from = first > pa ? first : pa, to = end < last ? end : last;

	if (from > to)
		return false;
	*out = (struct mm_rmap){space, mm_va(mapping->va.value + (from - first)), mm_pa(from),
				to - from + 1};
	return true;
}

// One round in one space, with interrupts off: a held space is not to be waited
// for. true: there are no more spaces.
static bool look(struct mm_cursor *cursor, uint64_t pa, uint64_t last, struct mm_rmap *out,
		 size_t capacity, size_t *count)
{
	struct mm_mapping batch[BATCH];
	size_t room = capacity - *count, found;
	struct mm_space *space = cursor->sub < MM_SPACE_NONE
					 ? pt_space_get_from((uint32_t)cursor->sub)
					 : NULL;
	uint64_t next;
	bool done;

	if (!space)
		return true;
	next = space->id == cursor->sub ? cursor->at & ~PT_PAGE_MASK : 0;
	done = pt_walk(space, &next, space->id == MM_SPACE_KERNEL ? PT_LAST_VA : PT_USER_LAST,
		       batch, room < BATCH ? room : BATCH, &found);
	for (size_t i = 0; i < found; i++)
		*count += cut(&batch[i], space->id, pa, last, &out[*count]);
	*cursor = (struct mm_cursor){.at = next, .sub = space->id};
	if (done)
		*cursor = (struct mm_cursor){.sub = (uint64_t)space->id + 1};
	pt_space_put(space);
	return false;
}

enum mm_visit mm_visit_rmap(struct mm_cursor *cursor, paddr_t pa, uint64_t length,
			    struct mm_rmap *out, size_t capacity, size_t *count)
{
	uint64_t last = pa.value + length - 1;

	*count = 0;
	if (!length)
		return MM_VISIT_END;
	if (last < pa.value)
		last = UINT64_MAX;
	for (unsigned i = 0; i < ROUNDS && *count < capacity; i++) {
		mm_irq_t irq = mm_port_irq_save();
		bool end = look(cursor, pa.value, last, out, capacity, count);

		mm_port_irq_restore(irq);
		if (end)
			return MM_VISIT_END;
	}
	return *count ? MM_VISIT_ITEM : MM_VISIT_AGAIN;
}
