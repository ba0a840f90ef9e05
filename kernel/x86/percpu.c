/*
 * The CPUs that run the kernel: their areas, and bringing one into a state where it can trap.
 */
#include <kernel/percpu.h>

#include "gdt.h"

#include <kernel/traps.h>

struct percpu boot_percpu;

static struct percpu *areas[CPU_MAX] = {&boot_percpu};
static uint32_t areas_count = 1;

uint32_t cpu_count(void)
{
	return __atomic_load_n(&areas_count, __ATOMIC_ACQUIRE);
}

struct percpu *percpu_of(uint32_t cpu)
{
	return cpu < cpu_count() ? areas[cpu] : NULL;
}

void traps_init(void)
{
	uint64_t ends[IST_COUNT];

	for (unsigned i = 0; i < IST_COUNT; i++)
		ends[i] = (uintptr_t)boot_stacks[1 + i].stack + KSTACK_BYTES;
	boot_percpu.kernel_stack = (uintptr_t)boot_stacks[0].stack + KSTACK_BYTES;
	gdt_init(&boot_percpu, ends);
	idt_build();
	idt_load();
}
