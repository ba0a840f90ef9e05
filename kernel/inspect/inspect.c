/*
 * The inspector as a whole: setting up, one round of work, the debugger's entry, the panic.
 *
 * Theory. The inspector shows a kernel through a line that may lose, garble and repeat bytes, and
 * may be slower than what happens. From that follows everything here:
 *
 *  1. A record carries its own proof (crc) and its number (seq). What cannot be proved right is
 *     refused, in both directions; nothing is guessed (link.c, reader.c).
 *  2. A request may be repeated. What reads simply runs again; what changes runs once per session
 *     and id, and its answer is kept (link.c).
 *  3. A record is consistent: the port's generation is compared before and after it is made, and a
 *     record over which the state moved is made again (list.c).
 *  4. Nothing is allocated, nothing queues. A link has room for one request and one answer; a
 *     watch keeps the picture that its client has (or hashes of it), and sends the difference
 *     between that and the state of the moment in which the line has room. A slow line therefore
 *     sees fewer and coarser steps, never old ones (watch.c). Only events and log lines are things
 *     of their own; they lie in rings, and what a reader did not get is counted (ring.c). Events
 *     that nobody would read in time are not even recorded (events.c).
 *  5. All that is written, checked and documented comes from one table (methods.c): a member cannot
 *     be in the answer and not in the schema.
 *  6. Who may do what is decided before anything is done: the access level, then whether the thing
 *     came from this protocol (acts.c, owned.c), then the port.
 *
 * States of a link: receiving, ready (a record is being answered), answering a batch (batch_next),
 * draining (out_sent < out_len: nothing else is made until the line has taken it).
 *
 * Contexts. One thread runs everything. insp_event() runs anywhere and touches only the rings.
 * After a panic the panicking CPU takes the thread's place: a record half made is thrown away, and
 * what the dead thread may have left in the tables is never needed for reading.
 */
#include "internal.h"

#include <string.h>

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

void insp_init(struct insp *insp, const struct insp_config *config)
{
	memset(insp, 0, sizeof(*insp));
	insp_crc_init(insp->crc);
	insp_port_info(&insp->info);
	insp_ring_init(&insp->ring, config->ring,
		       power_of_two(config->ring_slots) ? config->ring_slots : 1);
	insp_ring_init(&insp->maps, insp->map_slots, INSP_MAP_SLOTS);
	insp_events_init(insp);
	insp->owned = config->owned;
	insp->owned_slots = power_of_two(config->owned_slots) ? config->owned_slots : 1;
	insp->owned_limit = insp->owned_slots / 4 * 3;
	if (insp->owned_limit > INSP_OWNED_MAX)
		insp->owned_limit = INSP_OWNED_MAX;
	memset(insp->owned, 0, insp->owned_slots * sizeof(*insp->owned));
}

bool insp_link_init(struct insp *insp, struct insp_link *link,
		    const struct insp_link_config *config)
{
	if (insp->links == INSP_LINKS_MAX || config->out_bytes < INSP_RECORD_UART_MAX ||
	    config->out_bytes > 1u << 20 || config->in_bytes < 256 || config->in_bytes > 1u << 20)
		return false;
	memset(link, 0, sizeof(*link));
	link->insp = insp;
	link->port = config->port;
	link->line_bytes = config->line_bytes;
	link->in = config->in;
	link->in_max = config->in_bytes;
	link->out = config->out;
	link->out_max = config->out_bytes;
	insp->link[insp->links++] = link;
	return true;
}

/* What a request asked to be done once its answer is out: break, panic, power off. */
static void do_deferred(struct insp *insp)
{
	if (!insp->deferred_set || (insp->deferred_link && !insp_link_drain(insp->deferred_link)))
		return;
	struct insp_act act = {.op = insp->deferred};
	insp->deferred_set = false;
	insp_port_act(&act);
}

/* A long record counts as many: what a call costs is bounded by the bytes it makes. */
static void spend(uint32_t *budget, size_t bytes)
{
	uint32_t cost = 1 + (uint32_t)(bytes / 1024);

	*budget -= cost < *budget ? cost : *budget;
}

/* True while we owe others the CPU. After a panic there are no others. */
static bool resting(struct insp *insp, uint64_t now_us)
{
	uint64_t since = now_us - insp->last_us;

	if (insp->panicked)
		return false;
	if (now_us < insp->rest_until_us)
		return true;
	/* A short time between calls is our caller at work for us. */
	if (since < INSP_PAUSE_US)
		insp->worked_us += since;
	else
		insp->worked_us -= insp->worked_us < 2 * since ? insp->worked_us : 2 * since;
	insp->last_us = now_us;
	return false;
}

static bool others_wait(void)
{
	struct insp_load load = {0};

	insp_port_load(&load);
	return load.wanted;
}

/* Takes what the round took into account; when we should be called next. */
static uint64_t account_work(struct insp *insp, uint64_t next_us)
{
	uint64_t now_us = insp_port_clock_us();

	insp->worked_us += now_us - insp->last_us;
	insp->last_us = now_us;
	if (insp->worked_us < INSP_WORK_US || insp->panicked)
		return next_us;
	insp->worked_us = 0;
	if (!others_wait())
		return next_us;
	insp->rest_until_us = now_us + INSP_REST_US;
	return insp->rest_until_us;
}

uint64_t insp_poll(struct insp *insp, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	uint32_t budget = INSP_POLL_RECORDS;

	if (resting(insp, now_us))
		return insp->rest_until_us;

	for (uint32_t i = 0; i < insp->links; i++) {
		struct insp_link *link = insp->link[i];
		insp_link_drain(link);
		while (budget && insp_link_answer(link))
			spend(&budget, link->out_len);
	}
	for (uint32_t i = 0; i < insp->links; i++) {
		uint64_t due = insp_watch_poll(insp->link[i], now_us, &budget);
		next = due < next ? due : next;
	}
	do_deferred(insp);
	return account_work(insp, budget ? next : now_us);
}

void insp_panicked(struct insp *insp)
{
	insp->panicked = true;
	insp->deferred_set = false;
	insp->changing = false;
	for (uint32_t i = 0; i < insp->links; i++) {
		struct insp_link *link = insp->link[i];
		/* The thread may have been anywhere. A record that the line has in part is still
		 * there; one in the making was not counted yet, for nothing is made before that one
		 * is out. One that was being read is read again: what changes is refused from now
		 * on. */
		link->json.count = 0;
		link->batch_next = 0;
	}
}

bool insp_listening(const struct insp *insp)
{
	return insp->listen != 0;
}

bool insp_check(const struct insp *insp, char why[INSP_REASON_MAX])
{
	why[0] = 0;
	if (!insp_owned_check(insp, why, INSP_REASON_MAX))
		return false;
	for (uint32_t i = 0; i < insp->links; i++)
		if (!insp_link_check(insp->link[i], why, INSP_REASON_MAX))
			return false;
	return true;
}
