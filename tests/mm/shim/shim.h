// shim.h: mm as the malloc of a Linux process.
//
// Memory: the "physical memory" of this machine is one mapping without reservation, the arena;
// what nobody touched costs nothing. Objects over 1 MiB, and everything once the arena is full,
// are mappings of their own (large.c).
//
// CPUs: a thread is a CPU of mm. mm knows 64; the first 63 threads get one each, which goes to the
// next thread when they end. All further threads, and threads on their way out, share the last one
// and take a lock around each call.
//
// Fork: a child inherits memory as it is at that moment, but only the thread that forked. So nobody
// may be in the middle of mm then. A thread raises `busy` while it is inside; who forks closes the
// gate and waits until nobody is. The barrier between raising `busy` and looking at the gate is
// paid by the one who forks (membarrier), so that malloc stays free of it.
//
// Nothing here calls the C library's allocator, and every function works from the first
// instruction of the process on: before constructors, and while the loader still relocates.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define TLS __thread __attribute__((tls_model("initial-exec")))

// --- cpus.c
// ---------------------------------------------------------------------------------------
struct cpu_slot {
	uint32_t busy; // a thread is inside mm
	uint32_t used; // a thread has this CPU
	struct mm_cpu *cpu;
} __attribute__((aligned(64)));

extern TLS struct cpu_slot *my_slot; // NULL: not known to mm yet
extern struct cpu_slot shared_slot;
extern uint32_t gate; // closed while somebody forks

struct cpu_slot *enter_slow(void);
void leave_shared(void);

// Every use of mm is between enter() and leave(); the result is leave()'s argument.
static inline struct cpu_slot *enter(void)
{
	struct cpu_slot *slot = my_slot;

	if (unlikely(!slot) || unlikely(slot == &shared_slot))
		return enter_slow();
	__atomic_store_n(&slot->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); // the processor's half: membarrier in fork
	return unlikely(__atomic_load_n(&gate, __ATOMIC_ACQUIRE)) ? enter_slow() : slot;
}

static inline void leave(struct cpu_slot *slot)
{
	if (unlikely(slot == &shared_slot))
		leave_shared();
	else
		__atomic_store_n(&slot->busy, 0, __ATOMIC_RELEASE);
}

// Is this an address of the arena?
bool arena_holds(const void *address);

// Ends the process with one line: what was wrong with which pointer.
void shim_die(const char *what, const void *address) __attribute__((noreturn, cold));
void shim_die_text(const char *text) __attribute__((noreturn, cold));

// --- objects.c
// ------------------------------------------------------------------------------------ alignment: a
// power of two. NULL: no memory.
void *shim_alloc(size_t size, size_t alignment, bool zero);
void shim_free(void *address);
// The bytes that the caller may use behind the address.
size_t shim_size(const void *address);
// NULL: no memory, and the old object is as it was.
void *shim_resize(void *address, size_t size);

// --- large.c: mappings of their own; call between enter() and leave() only large_add/find/remove
// ---
struct large {
	uint8_t *address; // what the caller has; NULL: a free place of the table
	uint8_t *start;	  // of the mapping
	size_t length;	  // of the mapping
};
bool large_map(size_t size, size_t alignment, struct large *out);
bool large_add(const struct large *large);
bool large_find(const void *address, struct large *out);
bool large_remove(const void *address, struct large *out);
