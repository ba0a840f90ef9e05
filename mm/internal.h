// internal.h: what the files of mm/ share with each other and with nobody else.
#pragma once

#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/init.h>
#include <mm/mm.h>
#include <mm/port.h>
#include <mm/query.h>
#include <mm/slab.h>
#include <mm/types.h>
#include <mm/visit.h>

#define mm_likely(x)   __builtin_expect(!!(x), 1)
#define mm_unlikely(x) __builtin_expect(!!(x), 0)

// Off the way: kept out of its callers, so that these stay short and need no frame.
#define MM_COLD __attribute__((noinline, cold))

// The address that the function using it will return to: the call site.
#define MM_CALLER ((uint64_t)(uintptr_t)__builtin_return_address(0))

// --- machine: what mm_config said, constant after mm_init ---------------------
struct mm_machine {
	uint64_t direct_base;  // virtual address of physical 0
	uint64_t direct_limit; // bytes
	uint64_t phys_limit;   // bytes
	bool has_1g_pages;
	bool has_nx;
	bool ready;
};
extern struct mm_machine mm_machine;

// Only for addresses below direct_limit.
static inline void *mm_phys_to_virt(paddr_t address)
{
	return (void *)(uintptr_t)(address.value + mm_machine.direct_base);
}

// Only for addresses of the direct map.
static inline paddr_t mm_virt_to_phys(const void *pointer)
{
	return mm_pa((uint64_t)(uintptr_t)pointer - mm_machine.direct_base);
}

// --- locks --------------------------------------------------------------------
// Held only with interrupts off. Order: see the theory statement in slab.c.
struct mm_lock {
	uint32_t held;
};

static inline void mm_lock(struct mm_lock *lock)
{
	while (__atomic_exchange_n(&lock->held, 1u, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			mm_port_relax();
}

// Takes the lock only if that needs no waiting.
static inline bool mm_lock_try(struct mm_lock *lock)
{
	return !__atomic_exchange_n(&lock->held, 1u, __ATOMIC_ACQUIRE);
}

static inline void mm_unlock(struct mm_lock *lock)
{
	__atomic_store_n(&lock->held, 0u, __ATOMIC_RELEASE);
}

static inline mm_irq_t mm_lock_irq(struct mm_lock *lock)
{
	mm_irq_t irq = mm_port_irq_save();

	mm_lock(lock);
	return irq;
}

static inline void mm_unlock_irq(struct mm_lock *lock, mm_irq_t irq)
{
	mm_unlock(lock);
	mm_port_irq_restore(irq);
}

// --- page tables' memory ------------------------------------------------------
// Purpose:  a zeroed 4 KiB object marked as a page table: kfree refuses it.
// Returns:  its direct-map address, or NULL (no memory, or MM_FAIL_TABLE).
// Context:  as kmalloc; may be called with pgtable's own locks held.
void *mm_table_alloc(uint64_t site);
// Gives it back. A pointer that is no table panics.
void mm_table_free(void *table);
// Is this address (anywhere inside) a page table in use?
bool mm_table_is(const void *address);

// --- generation and events ----------------------------------------------------
extern uint64_t mm_gen_extra;
extern uint32_t mm_events_on; // 1u << enum mm_event_type: somebody listens to it

// Counts a change that the allocators' own counters do not show.
static inline void mm_gen_bump(void)
{
	__atomic_fetch_add(&mm_gen_extra, 1, __ATOMIC_RELAXED);
}

// True when an event would be seen. Test it before building one.
static inline bool mm_events_wanted(void)
{
	return mm_unlikely(__atomic_load_n(&mm_events_on, __ATOMIC_RELAXED) != 0);
}

// Hands an event to the listener; fills in time_us. No lock held.
void mm_event_emit(struct mm_event *event);

// --- mm_check's other half, supplied by pgtable -------------------------------
typedef struct mm_checker {
	mm_fault_fn fault;
	void *context;
	struct mm_check_report report;
} mm_checker_t;

// Reports one broken invariant: `what` is a plain phrase, a and b are shown as
// hexadecimal values beside it.
void mm_check_fault(mm_checker_t *checker, const char *what, uint64_t a, uint64_t b);
void mm_check_tables(mm_checker_t *checker);
