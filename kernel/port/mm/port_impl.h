/*
 * The inline half of <mm/port.h> in the kernel: interrupts, per-CPU area and single instructions.
 * The other half is kernel/port_mm.c.
 */
#ifndef KERNEL_PORT_MM_IMPL_H
#define KERNEL_PORT_MM_IMPL_H

#include <kernel/cpu.h>
#include <kernel/percpu.h>

typedef uint64_t mm_irq_t;

static inline struct mm_cpu *mm_port_cpu(void)
{
	struct mm_cpu *cpu;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(offsetof(struct percpu, mm)));
	return cpu;
}

/* Interrupts off is preemption off: the scheduler only runs from an interrupt's end. */
static inline mm_irq_t mm_port_irq_save(void)
{
	return irq_save();
}

static inline void mm_port_irq_restore(mm_irq_t irq)
{
	irq_restore(irq);
}

static inline bool mm_port_test_and_set_bit(uint64_t *bits, uint64_t nr)
{
	bool was_set;

	__asm__ volatile("btsq %2, %1" : "=@ccc"(was_set), "+m"(*bits) : "r"(nr) : "memory");
	return was_set;
}

static inline void mm_port_relax(void)
{
	cpu_relax();
}

static inline void mm_port_entry_write(uint64_t *entry, uint64_t value)
{
	__asm__ volatile("movq %1, %0" : "=m"(*entry) : "r"(value) : "memory");
}

#endif
