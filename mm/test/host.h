// host.h: a machine for tests: memory that is a sparse mapping, CPUs that are
// threads, panics that can be caught, and a memory map of one's choice.
#pragma once

#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/init.h>
#include <mm/mm.h>
#include <mm/port.h>
#include <mm/query.h>
#include <mm/slab.h>
#include <mm/visit.h>

#include <setjmp.h>

#define MIB (1ul << 20)
#define GIB (1ul << 30)
#define TIB (1ul << 40)

struct host_machine {
	const struct mm_region *regions;
	size_t region_count;
	uint64_t direct_limit; // 0: 4 GiB
	uint64_t dma_limit;    // 0: 16 MiB
	uint64_t phys_limit;   // 0: 1 << 46
	unsigned cpus;	       // 0: 1
	bool no_1g_pages, no_nx;
};

// Maps the arena, calls mm_init, and makes this thread CPU 0.
enum mm_status host_try_start(const struct host_machine *machine);
void host_start(const struct host_machine *machine);
// [0, bytes) usable but for the image at 16 MiB (2 MiB, in use).
void host_start_plain(uint64_t bytes);
// mm_exit() and the arena is gone.
void host_stop(void);
// Makes the calling thread CPU `cpu`.
void host_cpu_use(unsigned cpu);
// The arena's address of a physical one, below direct_limit.
void *host_virt(uint64_t phys);

// Time runs by itself unless a test sets it to something else than 0.
extern uint64_t host_clock_us;

// What mm_port_tlb_flush was asked since the last host_tlb_reset().
struct host_tlb {
	unsigned calls, pages, roots, alls;
};
extern struct host_tlb host_tlb;
// Sees every flush, if set.
extern void (*host_tlb_hook)(const struct mm_tlb_request *requests, size_t count);

// --- panics -------------------------------------------------------------------
extern __thread jmp_buf *host_panic_target;
extern __thread char host_panic_text[1024];

// Runs the statement; true if it panicked, with the text in host_panic_text.
#define host_panics(statement)                    \
	({                                        \
		jmp_buf host_at;                  \
		volatile bool host_caught = true; \
		host_panic_target = &host_at;     \
		if (!setjmp(host_at)) {           \
			statement;                \
			host_caught = false;      \
		}                                 \
		host_panic_target = NULL;         \
		host_caught;                      \
	})

// mm_check() that prints each fault and returns their number.
unsigned host_check(void);
// Two mm_stat are equal; prints the difference if not.
bool host_stat_equal(struct mm_stat_t a, struct mm_stat_t b);
