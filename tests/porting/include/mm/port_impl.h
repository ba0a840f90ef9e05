// mm/port_impl.h for the smallest machine there is: one CPU that nothing ever
// interrupts. docs/porting.md walks through it; mm_port.c has the rest.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef int mm_irq_t;
struct mm_cpu;

extern struct mm_cpu *port_cpu; // of CPU 0; NULL until mm_init has made it

static inline struct mm_cpu *mm_port_cpu(void)
{
	return port_cpu;
}

static inline mm_irq_t mm_port_irq_save(void)
{
	return 0;
}

static inline void mm_port_irq_restore(mm_irq_t irq)
{
	(void)irq;
}

static inline bool mm_port_test_and_set_bit(uint64_t *bits, uint64_t nr)
{
	uint64_t bit = UINT64_C(1) << (nr % 64);
	bool was_set = (bits[nr / 64] & bit) != 0;

	bits[nr / 64] |= bit;
	return was_set;
}

static inline void mm_port_count(uint64_t *counter)
{
	++*counter;
}

// Nobody else runs, so nobody is ever waited for.
static inline void mm_port_relax(void)
{
}

static inline void mm_port_entry_write(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}
