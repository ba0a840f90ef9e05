/*
 * The stack protector: its secret, and what happens when a function finds it overwritten.
 */
#include <kernel/canary.h>

#include <kernel/cpu.h>
#include <kernel/percpu.h>
#include <kernel/weaken.h>

/* The compiler calls it by this name at the end of a function whose canary is not what it was. */
_Noreturn void __stack_chk_fail(void);

/* An undefined instruction: the debugger sees the very place, trap_explain() puts it into words. */
_Noreturn void __stack_chk_fail(void)
{
	__asm__ volatile("ud2");
	__builtin_unreachable();
}

bool canary_failed_at(uint64_t rip)
{
	uint64_t start = (uintptr_t)__stack_chk_fail;

	return rip >= start && rip < start + 16;
}

/* Up to ten attempts, as Intel advises; false without RDRAND or when it yields nothing. */
static bool hardware_random(uint64_t *value)
{
	bool good = false;

	for (int i = 0; cpu_features.rdrand && !good && i < 10; i++)
		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
	return good;
}

/* entry.S started with the TSC alone. Functions that are running keep the old value on their
 * stacks, so that nobody between kernel_main() and here may be protected. */
__attribute__((no_stack_protector)) void canary_init(void)
{
	uint64_t random = 0;

	(void)hardware_random(&random);
	random = (percpu()->canary ^ random ^ rdtsc()) * UINT64_C(0x9e3779b97f4a7c15);
	/* The zero byte stops what copies strings. */
	percpu()->canary = weakened(WEAKEN_CANARY) ? CANARY_WEAK : random << 8;
}
