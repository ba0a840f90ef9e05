/*
 * The per-CPU area: what each CPU keeps for itself, reached through %gs.
 *
 * One struct percpu per CPU, never moved, never freed. %gs points at it from the first C function
 * on (the stack protector reads its canary at %gs:40) and in every trap handler; only while ring 3
 * runs is it swapped away. Fields are written by their own CPU alone unless they say otherwise.
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/percpu_offsets.h>

#define CPU_MAX 64

struct mm_cpu;
struct thread;
struct trap_try;
struct tss;

struct percpu {
	struct percpu *self;
	/* The thread that runs here; NULL until threads are up. Owned by kernel/core. */
	struct thread *current;
	/* Top of the stack that a trap from ring 3 arrives on. */
	uint64_t kernel_stack;
	uint32_t cpu;	     /* our number: 0 is the boot CPU, no gaps */
	uint32_t apic_id;    /* the hardware's number */
	uint64_t clock_last; /* latest reading of the clock here, in TSC ticks since entry */
	uint64_t canary;     /* at 40: fixed by the compiler */
	/* What mm/ keeps for this CPU; NULL until port_mm_init(). At 48: port_mm.c relies on it. */
	struct mm_cpu *mm;

	/* How many preempt_disable() are open; the scheduler runs at 0. Owned by kernel/core. */
	uint32_t preempt_count;
	/* Nesting of interrupt handlers on this CPU (not of faults). */
	uint32_t irq_depth;
	/* Set from an interrupt: reschedule when it returns. Owned by kernel/core. */
	bool need_resched;
	/* The innermost open trap_try() of this CPU, or NULL: see <kernel/traps.h>. */
	struct trap_try *trap_try;
	/* This CPU's task state segment: its IST entries are the stacks of #DF, NMI and #MC. */
	struct tss *tss;
	/* Traps taken here since boot, all vectors. */
	uint64_t traps;
};

_Static_assert(offsetof(struct percpu, self) == PERCPU_SELF, "entry.S relies on it");
_Static_assert(offsetof(struct percpu, current) == PERCPU_CURRENT, "entry.S relies on it");
_Static_assert(offsetof(struct percpu, kernel_stack) == PERCPU_KSTACK, "entry.S relies on it");
_Static_assert(offsetof(struct percpu, canary) == PERCPU_CANARY, "the compiler relies on it");

/* The boot CPU's area. */
extern struct percpu boot_percpu;

/*
 * This CPU's area. Any context. The answer holds only as long as the caller cannot move to another
 * CPU: with interrupts or preemption off, or in an interrupt handler.
 */
static inline struct percpu *percpu(void)
{
	struct percpu *area;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(area) : "i"(PERCPU_SELF));
	return area;
}

/* The number of this CPU; the same caution. */
static inline uint32_t cpu_number(void)
{
	uint32_t number;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(number) : "i"(offsetof(struct percpu, cpu)));
	return number;
}

/* How many CPUs run the kernel: 1 until the others are started. */
uint32_t cpu_count(void);

/* The area of CPU number `cpu`, which is below cpu_count(); NULL otherwise. Any context. */
struct percpu *percpu_of(uint32_t cpu);

#endif
