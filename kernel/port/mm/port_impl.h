/*
 * The inline half of <mm/port.h> in the kernel: interrupts, per-CPU area and single instructions.
 * The other half is kernel/port_mm.c. Stands alone: mm/ sees none of the kernel's headers.
 */
#ifndef KERNEL_PORT_MM_IMPL_H
#define KERNEL_PORT_MM_IMPL_H

#include <stdbool.h>
#include <stdint.h>

struct mm_cpu;
typedef uint64_t mm_irq_t;

/* Where struct percpu keeps mm/'s pointer, from %gs; port_mm.c checks it. */
#define MM_PORT_PERCPU_OFFSET 48

static inline struct mm_cpu *mm_port_cpu(void)
{
	struct mm_cpu *cpu;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(MM_PORT_PERCPU_OFFSET));
	return cpu;
}

/* Interrupts off is preemption off: the scheduler only runs at an interrupt's end. */
static inline mm_irq_t mm_port_irq_save(void)
{
	mm_irq_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

/* Two instructions without a branch; testing and STI would be three. */
static inline void mm_port_irq_restore(mm_irq_t flags)
{
	__asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}

static inline bool mm_port_test_and_set_bit(uint64_t *bits, uint64_t nr)
{
	bool was_set;

	__asm__ volatile("btsq %2, %1" : "=@ccc"(was_set), "+m"(*bits) : "r"(nr) : "memory");
	return was_set;
}

static inline void mm_port_count(uint64_t *counter)
{
	__asm__ volatile("incq %0" : "+m"(*counter));
}

/* In port_mm.c: lets the one that is waited for run. */
void mm_port_wait(void);

static inline void mm_port_relax(void)
{
	mm_port_wait();
}

static inline void mm_port_entry_write(uint64_t *entry, uint64_t value)
{
	__asm__ volatile("movq %1, %0" : "=m"(*entry) : "r"(value) : "memory");
}

#endif
