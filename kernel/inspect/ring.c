/*
 * The ring of events: any number of writers in any context, any number of readers each with a place
 * of its own. A writer takes the next number, claims the slot by moving its state from "there" to
 * "being written", fills it, and publishes it. Nobody waits: a slot that another writer still holds
 * (a whole lap behind) costs this event, counted; a reader that was overtaken skips to the oldest
 * event and learns how many it lost.
 */
#include "internal.h"

#include <string.h>

void insp_ring_init(struct insp_ring *ring, struct insp_slot *slots, uint32_t count)
{
	*ring = (struct insp_ring){.slots = slots, .mask = count - 1};
	memset(slots, 0, count * sizeof(*slots));
}

void insp_ring_put(struct insp_ring *ring, const struct insp_slot *event)
{
	uint64_t number = __atomic_fetch_add(&ring->head, 1, __ATOMIC_RELAXED);
	struct insp_slot *slot = &ring->slots[number & ring->mask];
	uint64_t state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);

	if (state & 1 || state > 2 * number ||
	    !__atomic_compare_exchange_n(&slot->state, &state, 2 * number + 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&ring->dropped, 1, __ATOMIC_RELAXED);
		return;
	}
	/* Who sees one of these also sees that the slot is marked. */
	__atomic_store_n(&slot->t_us, event->t_us, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->addr, event->addr, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->size, event->size, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->site, event->site, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->op, event->op, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->arg, event->arg, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->state, 2 * number + 2, __ATOMIC_RELEASE);
}

uint64_t insp_ring_head(const struct insp_ring *ring)
{
	return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
}

enum found { FOUND, NOT_YET, GONE };

static enum found copy_slot(const struct insp_ring *ring, uint64_t number, struct insp_slot *event)
{
	const struct insp_slot *slot = &ring->slots[number & ring->mask];
	uint64_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);

	if (state < 2 * number + 2)
		/* Its writer is at work; or lost the slot to a slower one, and is never coming. */
		return insp_ring_head(ring) - number > ring->mask ? GONE : NOT_YET;
	if (state > 2 * number + 2)
		return GONE;
	event->t_us = __atomic_load_n(&slot->t_us, __ATOMIC_ACQUIRE);
	event->addr = __atomic_load_n(&slot->addr, __ATOMIC_ACQUIRE);
	event->size = __atomic_load_n(&slot->size, __ATOMIC_ACQUIRE);
	event->site = __atomic_load_n(&slot->site, __ATOMIC_ACQUIRE);
	event->op = __atomic_load_n(&slot->op, __ATOMIC_ACQUIRE);
	event->arg = __atomic_load_n(&slot->arg, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == state ? FOUND : GONE;
}

bool insp_ring_get(const struct insp_ring *ring, uint64_t *place, struct insp_slot *event,
		   uint64_t *lost)
{
	for (;;) {
		uint64_t head = insp_ring_head(ring);
		if (*place >= head)
			return false;
		if (head - *place > (uint64_t)ring->mask + 1) {
			/* Overtaken: a little behind the oldest, or the writers catch us again. */
			uint64_t oldest = head - ring->mask - 1 + ring->mask / 8;
			*lost += oldest - *place;
			*place = oldest;
		}
		switch (copy_slot(ring, *place, event)) {
		case FOUND:
			event->state = *place;
			(*place)++;
			return true;
		case NOT_YET:
			return false;
		case GONE:
			(*lost)++;
			(*place)++;
		}
	}
}
