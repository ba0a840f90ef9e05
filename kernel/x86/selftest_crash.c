/*
 * Self-tests that end in a panic, or worse: they run only when asked for by name, and
 * tests/boot/faults.bats reads what the kernel says about them.
 */
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/panic.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>

#include <string.h>

static __attribute__((noinline)) uint32_t recurse(volatile uint32_t *depth)
{
	volatile uint8_t room[512];

	room[0] = 1;
	*depth += 1;
	return *depth ? recurse(depth) + room[0] : 0;
}

SELFTEST(crash_stack_overflow, "crash.stack_overflow")
{
	volatile uint32_t depth = 0;

	ST_EXPECT(recurse(&depth) == 0, "survived");
}

static __attribute__((noinline)) void overrun(volatile uint8_t *buffer, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buffer[i] = 'A';
}

static __attribute__((noinline)) void fill_buffer(unsigned bytes)
{
	volatile uint8_t buffer[32];

	overrun(buffer, bytes);
}

SELFTEST(crash_overrun, "crash.overrun")
{
	fill_buffer(40 + 16);
}

static volatile uintptr_t nowhere; /* null */

SELFTEST(crash_wild_jump, "crash.wild_jump")
{
	((void (*)(void))nowhere)();
}

SELFTEST(crash_code_write, "crash.code_write")
{
	*(volatile uint8_t *)(uintptr_t)cpu_init = 0xcc;
}

SELFTEST(crash_non_canonical, "crash.non_canonical")
{
	uint64_t *volatile wild = (uint64_t *)0xdeadbeefdeadbeef;

	*wild = 1;
}

static const struct {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) no_table = {0, 0};

/* Nothing is left to handle anything: the machine resets. */
SELFTEST(crash_triple_fault, "crash.triple_fault")
{
	__asm__ volatile("lidt %0; ud2" : : "m"(no_table));
}

SELFTEST(crash_poweroff, "crash.poweroff")
{
	machine_poweroff();
}

SELFTEST(crash_reboot, "crash.reboot")
{
	machine_reboot();
}
