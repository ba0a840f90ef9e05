/*
 * How many events are recorded, so that watching them costs the kernel's work next to nothing.
 *
 * Recording an event costs several times what it tells of, and telling it costs more; over a UART,
 * whose every byte is the CPU's work, far more. A program that does nothing but allocate makes more
 * events than any line carries: nearly all would be recorded only to be dropped. So the inspector
 * counts down how many events it still wants to hear (the room). At zero it has heard enough, and
 * insp_event() tells the port so, which unhooks what is many (INSP_EVENTS_MANY): from then on an
 * event costs nothing. At the next round of a watch there is new room, the port hooks on again, and
 * says how many it left out; its counters know. Thus shown and lost events together are always all
 * there were.
 *
 * The room is the lesser of
 *
 *  - the free slots of the ring, seen by the watch that reads fastest. The ring is never
 *    overwritten for such a watch: all is told until it is full. A slow line frees slots slowly;
 *  - what the credit pays for. It grows by INSP_EVENTS_PERMILLE of the time and by half of the time
 *    in which the CPU had nothing to do, up to a ring full; each event takes from it what an event
 *    was measured to cost. So a burst is told whole; moderate rates are, on a CPU that has time
 *    left; and a CPU that has none loses a percent, whatever its programs do.
 */
#include "internal.h"

/* Of the time of a busy CPU that events may take. */
#define INSP_EVENTS_PERMILLE 10u
/* Less is not worth hooking on for. */
#define ROOM_LEAST 64
/* What an event costs is between these, whatever was measured; and before anything was. */
#define COST_LEAST_NS  200u
#define COST_MOST_NS   200000u
#define COST_FIRST_NS  2000u
#define RECORD_MOST_NS 1000u

bool insp_event(struct insp *insp, const struct insp_event *event)
{
	struct insp_slot slot = {.t_us = event->t_us,
				 .addr = event->addr,
				 .size = event->size,
				 .site = event->site,
				 .op = event->op,
				 .arg = event->arg};

	insp_ring_put(&insp->ring, &slot);
	if (event->op == INSP_EV_MAP || event->op == INSP_EV_UNMAP)
		insp_ring_put(&insp->maps, &slot);
	return __atomic_sub_fetch(&insp->event_room, 1, __ATOMIC_RELAXED) > 0;
}

void insp_event_muted(struct insp *insp)
{
	/* Another CPU may have made room since the event that found none. */
	__atomic_store_n(&insp->event_room, 0, __ATOMIC_RELAXED);
}

void insp_event_missed(struct insp *insp, enum insp_event_op op, uint64_t count)
{
	insp->missed[op] += count;
}

uint64_t insp_take_missed(const struct insp *insp, uint64_t *seen, uint32_t wanted)
{
	uint64_t sum = 0;

	for (uint32_t op = 0; op < INSP_EV_OPS; op++) {
		if (wanted >> op & 1)
			sum += insp->missed[op] - seen[op];
		seen[op] = insp->missed[op];
	}
	return sum;
}

void insp_events_init(struct insp *insp)
{
	insp->event_ns = COST_FIRST_NS;
}

void insp_events_cost(struct insp *insp, uint64_t told_us, uint32_t count)
{
	/* Too few to measure by microseconds. */
	if (count < 32)
		return;
	/* Recording costs about half as much as putting it into words; the rest is the line. */
	uint64_t ns = told_us * 1000 / count;
	ns += ns < RECORD_MOST_NS * 2 ? ns / 2 : RECORD_MOST_NS;
	ns = ns < COST_LEAST_NS ? COST_LEAST_NS : ns > COST_MOST_NS ? COST_MOST_NS : ns;
	insp->event_ns = (insp->event_ns * 7 + ns) / 8;
}

/* The credit, in nanoseconds, with what was spent and earned since the last time. */
static uint64_t settle_credit(struct insp *insp, uint64_t head)
{
	struct insp_load load = {0};
	uint64_t now_us = insp_port_clock_us();
	uint64_t most = (insp->ring.mask + 1ull) * insp->event_ns;
	uint64_t spent = (head - insp->credit_head) * insp->event_ns;

	insp_port_load(&load);
	insp->credit_ns -= spent < insp->credit_ns ? spent : insp->credit_ns;
	insp->credit_ns += (now_us - insp->credit_us) * INSP_EVENTS_PERMILLE +
			   (load.idle_us - insp->credit_idle_us) * 500;
	if (insp->credit_ns > most)
		insp->credit_ns = most;
	insp->credit_head = head;
	insp->credit_us = now_us;
	insp->credit_idle_us = load.idle_us;
	return insp->credit_ns;
}

/* The place of the watch that reads events fastest. */
static uint64_t fastest_reader(const struct insp *insp)
{
	uint64_t place = 0;

	for (uint32_t i = 0; i < insp->links; i++) {
		for (uint32_t k = 0; k < INSP_WATCHES_MAX; k++) {
			const struct insp_watch *watch = &insp->link[i]->watch[k];
			if (watch->id && watch->topics >> INSP_TOPIC_EVENTS & 1 &&
			    watch->event_read > place)
				place = watch->event_read;
		}
	}
	return place;
}

bool insp_events_grant(struct insp *insp)
{
	uint64_t head = insp_ring_head(&insp->ring), slots = insp->ring.mask + 1ull;
	uint64_t unread = head - fastest_reader(insp);
	uint64_t room = settle_credit(insp, head) / insp->event_ns;
	bool enough = __atomic_load_n(&insp->event_room, __ATOMIC_RELAXED) <= 0;

	if (room > slots - (unread < slots ? unread : slots))
		room = slots - (unread < slots ? unread : slots);
	if (enough && room < ROOM_LEAST)
		return false;
	__atomic_store_n(&insp->event_room, (int64_t)room, __ATOMIC_RELAXED);
	return enough;
}
