/*
 * The ring of events: lock-free, any writers, any readers.
 */
#ifndef INSPECT_RING_H
#define INSPECT_RING_H

#include <inspect/state.h>

void insp_ring_init(struct insp_ring *ring, struct insp_slot *slots, uint32_t count);
void insp_ring_put(struct insp_ring *ring, const struct insp_slot *event);
/* The event at *place or the oldest one behind it; moves *place on and adds what was lost to *lost.
 * False: none yet. */
bool insp_ring_get(const struct insp_ring *ring, uint64_t *place, struct insp_slot *event,
		   uint64_t *lost);
uint64_t insp_ring_head(const struct insp_ring *ring);

#endif
