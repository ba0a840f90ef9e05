// mm/hooks.h: what happens in mm, as it happens; who did it; and the debug
// switches. All of it costs nothing while it is off: the fast paths of the
// allocators are the same instructions.
#pragma once

#include <mm/types.h>

enum mm_event_type {
	MM_EVENT_KMALLOC,     // address, size = class, aux = requested bytes
	MM_EVENT_KFREE,	      // address, size = class
	MM_EVENT_ALLOC_PAGES, // address = physical, size = bytes, aux = attributes
	MM_EVENT_FREE_PAGES,  // address = physical, size = bytes
	MM_EVENT_MAP,	      // address = virtual, size = bytes, aux = physical
	MM_EVENT_UNMAP,	      // address = virtual, size = bytes
	MM_EVENT_FAILURE,     // status, failed = what was tried, and its arguments
	MM_EVENT_TYPES
};

struct mm_event {
	enum mm_event_type type;
	enum mm_event_type failed; // MM_EVENT_FAILURE: the operation that failed
	enum mm_status status;	   // MM_EVENT_FAILURE: why
	uint64_t address;
	uint64_t size;
	uint64_t aux;
	uint64_t root;	  // map, unmap: physical address of the root table
	uint64_t flags;	  // map: entry flags. alloc_pages: zone selector
	uint64_t site;	  // return address of the caller of mm, 0 if unknown
	uint64_t time_us; // mm_port_clock_us()
};

// Called for each event, after the operation, with no mm lock held and
// interrupts off. Must not call back into mm except the read-only functions and
// mm_hook_mute().
typedef void (*mm_hook_t)(const struct mm_event *event, void *context);

// Purpose:  installs the one listener, for the events whose bits are set in
//           `events` (1u << enum mm_event_type; other bits mean nothing); NULL or
//           no event removes it. What nobody asked for is not slowed down: kmalloc
//           and kfree keep to their fast paths unless one of these two is wanted,
//           alloc_pages and free_pages likewise.
// Context:  threads. An event that began on another CPU just before may still
//           reach the former listener.
void mm_hook_set_mask(mm_hook_t hook, void *context, uint32_t events);
// The same for every event.
void mm_hook_set(mm_hook_t hook, void *context);

// Purpose:  the listener hears no more of `events` until mm_hook_set_mask() is
//           called again: one that has heard enough slows nobody down.
// Context:  any but NMI, the hook itself included. An event that began just
//           before may still be heard.
void mm_hook_mute(uint32_t events);
// How many events of these four types there were since mm_init, heard or not:
// KMALLOC, KFREE, ALLOC_PAGES, FREE_PAGES; 0 for others. Between the counting and
// the hook of an operation others may run. Any context; O(CPUs x classes).
uint64_t mm_event_count(enum mm_event_type type);

// Counts every change of mm's state; equal values mean an unchanged state.
// Any context; O(CPUs x classes).
uint64_t mm_generation(void);

// --- switches -----------------------------------------------------------------
enum mm_switch {
	MM_SWITCH_ATTRIBUTION = 1u << 0, // site and birth time per object and run
	MM_SWITCH_POISON = 1u << 1,	 // fill free objects, verify at allocation
	MM_SWITCH_REDZONE = 1u << 2,	 // guard the gap behind the requested size
	MM_SWITCH_RANDOM = 1u << 3,	 // random placement of objects
	MM_SWITCH_LAST_CALLER = 1u << 4, // log of the last 1,024 calls
	MM_SWITCH_ALL = 0x1fu
};

// Purpose:  turns switches on and off while everything runs. What was
//           allocated before a switch came on is simply not covered by it.
// Context:  threads.
// Returns:  MM_OK; MM_ERR_NO_MEMORY (nothing switched): the per-object notes of
//           attribution, poison and redzone need memory; MM_ERR_FLAGS.
enum mm_status mm_switches_set(unsigned on, unsigned off);
unsigned mm_switches(void);

// --- fail the n-th ------------------------------------------------------------
enum mm_fail_op {
	MM_FAIL_KMALLOC,     // kmalloc and kzalloc, tables excepted
	MM_FAIL_ALLOC_PAGES, // alloc_pages
	MM_FAIL_SLAB,	     // taking memory for a new slab
	MM_FAIL_TABLE,	     // memory for a page table
	MM_FAIL_OPS
};

// The `after`-th such operation from now on (1 = the next) and the count - 1
// following ones fail as if there were no memory (count 0 = all following).
// after 0 switches it off. Threads.
enum mm_status mm_fail_set(enum mm_fail_op op, uint64_t after, uint64_t count);
// How many operations were made to fail since mm_init.
uint64_t mm_fail_hits(enum mm_fail_op op);

// --- the last-caller log ------------------------------------------------------
struct mm_call {
	uint64_t sequence;
	enum mm_event_type type;
	uint64_t address;
	uint64_t size;
	uint64_t site;
	uint64_t time_us;
};
// Copies up to `capacity` of the newest calls, newest first; how many.
size_t mm_last_calls(struct mm_call *out, size_t capacity);
