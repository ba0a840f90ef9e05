// hooks.c: the listener, the debug switches, fail-the-nth and the log of last
// calls. Everything here is off the fast paths: one bit per feature in mm_flags,
// copied into each CPU's `slow` word, sends a call here or it does not.
#include "state.h"

uint32_t mm_flags;
uint32_t mm_events_on;
uint64_t mm_gen_extra;

// --- the listener -------------------------------------------------------------
struct listener {
	mm_hook_t hook;
	void *context;
};

static struct listener listener;
static struct mm_lock listener_lock; // a leaf; not held while the hook runs
static struct mm_lock switch_lock;

static struct listener listener_get(void)
{
	struct listener copy;

	mm_lock(&listener_lock);
	copy = listener;
	mm_unlock(&listener_lock);
	return copy;
}

#define BIT(type)     (1u << (type))
#define OBJECT_EVENTS (BIT(MM_EVENT_KMALLOC) | BIT(MM_EVENT_KFREE))
#define FRAME_EVENTS  (BIT(MM_EVENT_ALLOC_PAGES) | BIT(MM_EVENT_FREE_PAGES))

// switch_lock is held.
static void listen_to(uint32_t events)
{
	uint32_t set = 0;

	if (events & OBJECT_EVENTS)
		set |= SLOW_HOOK;
	if (events & FRAME_EVENTS)
		set |= SLOW_FRAMES;
	mm_poke(mm_events_on, events);
	mm_flags_change(set, (SLOW_HOOK | SLOW_FRAMES) & ~set);
}

void mm_hook_set_mask(mm_hook_t hook, void *context, uint32_t events)
{
	mm_irq_t irq = mm_lock_irq(&switch_lock);

	mm_lock(&listener_lock);
	listener = (struct listener){hook, context};
	mm_unlock(&listener_lock);
	listen_to(hook ? events & (BIT(MM_EVENT_TYPES) - 1) : 0);
	mm_unlock_irq(&switch_lock, irq);
}

void mm_hook_mute(uint32_t events)
{
	mm_irq_t irq = mm_lock_irq(&switch_lock);

	listen_to(mm_peek(mm_events_on) & ~events);
	mm_unlock_irq(&switch_lock, irq);
}

void mm_hook_set(mm_hook_t hook, void *context)
{
	mm_hook_set_mask(hook, context, UINT32_MAX);
}

void mm_event_emit(struct mm_event *event)
{
	mm_report(event, mm_peek(mm_flags));
}

// --- the log of last calls ----------------------------------------------------
#define LOG_CALLS 1024u

static struct mm_lock log_lock;
static struct mm_call *calls;
static uint64_t calls_made;

static void log_call(const struct mm_event *event)
{
	mm_lock(&log_lock);
	if (calls) {
		calls[calls_made % LOG_CALLS] = (struct mm_call){
			.sequence = calls_made,
			.type = event->type,
			.address = event->address,
			.size = event->size,
			.site = event->site,
			.time_us = event->time_us,
		};
		calls_made++;
	}
	mm_unlock(&log_lock);
}

static enum mm_status log_open(void)
{
	struct mm_call *fresh = mm_own_alloc(LOG_CALLS * sizeof(*calls));
	mm_irq_t irq;

	if (!fresh)
		return MM_ERR_NO_MEMORY;
	irq = mm_lock_irq(&log_lock);
	calls_made = 0;
	calls = fresh;
	mm_unlock_irq(&log_lock, irq);
	return MM_OK;
}

static void log_close(void)
{
	mm_irq_t irq = mm_lock_irq(&log_lock);
	struct mm_call *old = calls;

	calls = NULL;
	mm_unlock_irq(&log_lock, irq);
	if (old)
		mm_own_free(old);
}

size_t mm_last_calls(struct mm_call *out, size_t capacity)
{
	mm_irq_t irq = mm_lock_irq(&log_lock);
	uint64_t have = !calls ? 0 : calls_made < LOG_CALLS ? calls_made : LOG_CALLS;
	size_t count = have < capacity ? (size_t)have : capacity;

	for (size_t i = 0; i < count; i++)
		out[i] = calls[(calls_made - 1 - i) % LOG_CALLS];
	mm_unlock_irq(&log_lock, irq);
	return count;
}

void mm_log_find(uint64_t address, uint64_t *alloc_site, uint64_t *free_site)
{
	mm_irq_t irq = mm_lock_irq(&log_lock);
	uint64_t have = !calls ? 0 : calls_made < LOG_CALLS ? calls_made : LOG_CALLS;

	for (uint64_t i = 1; i <= have; i++) {
		const struct mm_call *call = &calls[(calls_made - i) % LOG_CALLS];

		if (call->address != address)
			continue;
		if (call->type == MM_EVENT_KMALLOC && !*alloc_site)
			*alloc_site = call->site;
		if (call->type == MM_EVENT_KFREE && !*free_site)
			*free_site = call->site;
	}
	mm_unlock_irq(&log_lock, irq);
}

// --- reporting ----------------------------------------------------------------
void mm_report(struct mm_event *event, uint32_t flags)
{
	mm_irq_t irq;
	struct listener to;

	bool wanted = (mm_peek(mm_events_on) & BIT(event->type)) != 0;

	if (!wanted && !(flags & MM_SWITCH_LAST_CALLER))
		return;
	event->time_us = mm_port_clock_us();
	irq = mm_port_irq_save();
	if (flags & MM_SWITCH_LAST_CALLER)
		log_call(event);
	to = listener_get();
	if (wanted && to.hook)
		to.hook(event, to.context);
	mm_port_irq_restore(irq);
}

void mm_report_failure(enum mm_event_type failed, enum mm_status status, uint64_t size,
		       uint64_t flags, uint64_t site)
{
	struct mm_event event = {
		.type = MM_EVENT_FAILURE,
		.failed = failed,
		.status = status,
		.size = size,
		.flags = flags,
		.site = site,
	};

	mm_report(&event, mm_peek(mm_flags));
}

// --- switches -----------------------------------------------------------------
// What a set of switches needs beside its bits.
static bool needs_sites(unsigned switches)
{
	return (switches & MM_SWITCH_NOTES) != 0;
}

static enum mm_status open_what(unsigned before, unsigned after)
{
	enum mm_status status = MM_OK;

	if (needs_sites(after) && !needs_sites(before))
		status = mm_sites_open();
	if (status == MM_OK && after & ~before & MM_SWITCH_LAST_CALLER)
		status = log_open();
	if (status != MM_OK && needs_sites(after) && !needs_sites(before))
		mm_sites_close();
	return status;
}

static void close_what(unsigned before, unsigned after)
{
	if (needs_sites(before) && !needs_sites(after)) {
		mm_notes_drop_all();
		mm_sites_close();
	}
	if (before & ~after & MM_SWITCH_LAST_CALLER)
		log_close();
}

enum mm_status mm_switches_set(unsigned on, unsigned off)
{
	mm_irq_t irq;
	unsigned before, after;
	enum mm_status status;

	if ((on | off) & ~(unsigned)MM_SWITCH_ALL || on & off)
		return MM_ERR_FLAGS;
	irq = mm_lock_irq(&switch_lock);
	before = mm_switches();
	after = (before | on) & ~off;
	status = open_what(before, after);
	if (status == MM_OK) {
		mm_flags_change(on, off);
		close_what(before, after);
	}
	mm_unlock_irq(&switch_lock, irq);
	return status;
}

unsigned mm_switches(void)
{
	return mm_peek(mm_flags) & SLOW_SWITCHES;
}

// --- fail the n-th ------------------------------------------------------------
struct fail {
	uint64_t after; // operations until the first failure, 0 = off
	uint64_t count; // failures still to come, 0 = all
	bool endless;
	uint64_t hits;
};

static struct mm_lock fail_lock;
static struct fail fails[MM_FAIL_OPS];

enum mm_status mm_fail_set(enum mm_fail_op op, uint64_t after, uint64_t count)
{
	bool kmalloc_or_pages;
	mm_irq_t irq;

	if ((unsigned)op >= MM_FAIL_OPS)
		return MM_ERR_FLAGS;
	irq = mm_lock_irq(&fail_lock);
	mm_poke(fails[op].after, after);
	fails[op].count = count;
	fails[op].endless = !count;
	kmalloc_or_pages = fails[MM_FAIL_KMALLOC].after || fails[MM_FAIL_ALLOC_PAGES].after;
	mm_flags_change(kmalloc_or_pages ? SLOW_FAIL : 0, kmalloc_or_pages ? 0 : SLOW_FAIL);
	mm_unlock_irq(&fail_lock, irq);
	return MM_OK;
}

uint64_t mm_fail_hits(enum mm_fail_op op)
{
	return (unsigned)op < MM_FAIL_OPS ? mm_peek(fails[op].hits) : 0;
}

bool mm_fail_now(enum mm_fail_op op)
{
	struct fail *fail = &fails[op];
	bool hit;
	mm_irq_t irq;

	if (mm_likely(!mm_peek(fail->after)))
		return false;
	irq = mm_lock_irq(&fail_lock);
	hit = fail->after == 1;
	if (fail->after > 1)
		mm_poke(fail->after, fail->after - 1);
	if (hit)
		mm_poke(fail->hits, fail->hits + 1);
	if (hit && !fail->endless && --fail->count == 0)
		mm_poke(fail->after, 0);
	mm_unlock_irq(&fail_lock, irq);
	return hit;
}

void mm_hooks_forget(void)
{
	listener = (struct listener){NULL, NULL};
	calls = NULL;
	mm_flags = mm_events_on = 0;
	memset(fails, 0, sizeof(fails));
}
