/*
 * Self-tests of traps: who gets them, what they say, and memory access that cannot fault.
 */
#include "apic.h"
#include "gdt.h"

#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/irq.h>
#include <kernel/ksyms.h>
#include <kernel/paging.h>
#include <kernel/percpu.h>
#include <kernel/safe_access.h>
#include <kernel/selftest.h>
#include <kernel/stacks.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/traps.h>
#include <kernel/user.h>

#include <string.h>

#define ULL(value) ((unsigned long long)(value))

static void read_at(void *address)
{
	(void)*(volatile uint8_t *)address;
}

static void write_at(void *address)
{
	*(volatile uint8_t *)address = 0;
}

static __attribute__((noinline)) void undefined(void *argument)
{
	(void)argument;
	__asm__ volatile("ud2");
}

static void divide(void *argument)
{
	__asm__ volatile("xorl %%edx, %%edx; movl $1, %%eax; divl %0"
			 :
			 : "r"(*(volatile uint32_t *)argument)
			 : "eax", "edx");
}

static struct trap_frame trap_of(void (*fn)(void *argument), void *argument)
{
	struct trap_frame trap = {.vector = TRAP_VECTORS};

	preempt_disable();
	(void)trap_try(fn, argument, &trap);
	preempt_enable();
	return trap;
}

/* ---- explanations ---- */

static void expect_words(void (*fn)(void *argument), uintptr_t argument, const char *words)
{
	struct trap_frame trap = trap_of(fn, (void *)argument);
	char cause[TRAP_EXPLAIN_MAX];

	trap_explain(&trap, cause, sizeof(cause));
	ST_EXPECT(strstr(cause, words), "0x%llx: \"%s\" does not say \"%s\"", ULL(argument), cause,
		  words);
}

SELFTEST(faults_are_explained, "trap.explain")
{
	static uint32_t zero;
	struct kstack_place place = {0};
	size_t cursor = 0;

	expect_words(read_at, 0x18,
		     "the kernel tried to read 0x18: nothing is mapped there. A null "
		     "pointer, or a field at offset 0x18 of one.");
	expect_words(write_at, 0xfffffffffffffffa, "Minus 6");
	expect_words(write_at, (uintptr_t)rodata_start, "It may not be written.");
	expect_words(read_at, 0x8000000000000000, "is no canonical address");
	expect_words(read_at, 0x12345678, "A user address.");
	expect_words(read_at, DIRECT_MAP_BASE + 0xfe000000, "physical 0xfe000000");
	expect_words(read_at, DEVICE_WINDOW_BASE + 0x7f00000000, "the device window");
	ST_REQUIRE(kstack_visit(&cursor, &place), "no stack");
	expect_words(read_at, place.base - 8, "guard page of the boot stack");
	expect_words(undefined, 0, "invalid opcode");
	expect_words(divide, (uintptr_t)&zero, "division error");
}

static void overflow_stack(void *argument)
{
	volatile uint8_t room[256];

	room[0] = 1;
	if (*(volatile uint32_t *)argument)
		overflow_stack(argument);
	room[1] = room[0]; /* no tail call */
}

SELFTEST(stack_overflow_is_explained, "trap.stack_overflow")
{
	uint32_t deeper = 1;
	struct trap_frame trap = trap_of(overflow_stack, &deeper);
	struct kstack_place place = {0};
	char cause[TRAP_EXPLAIN_MAX];

	ST_EQUAL(trap.vector, TRAP_DOUBLE_FAULT);
	ST_EXPECT(kstack_find(trap.cr2, &place) && place.guard, "0x%llx is no guard page",
		  ULL(trap.cr2));
	trap_explain(&trap, cause, sizeof(cause));
	ST_EXPECT(strstr(cause, "the stack overflowed"), "%s", cause);
}

/* ---- who gets them ---- */

static trap_handler_fn displaced;
static unsigned handled;
static bool on_own_stack;

static bool skip_ud2(struct trap_frame *frame)
{
	frame->rip += 2;
	handled++;
	return true;
}

SELFTEST(handlers_are_called, "trap.handler")
{
	trap_handler_fn hook = trap_set_debugger(NULL);

	handled = 0;
	displaced = trap_set_handler(TRAP_INVALID_OPCODE, skip_ud2);
	undefined(NULL);
	ST_EQUAL(handled, 1);
	trap_set_handler(TRAP_INVALID_OPCODE, displaced);
	/* The debugger goes first. */
	trap_set_debugger(skip_ud2);
	undefined(NULL);
	ST_EQUAL(handled, 2);
	trap_set_debugger(hook);
}

static bool note_nmi(struct trap_frame *frame)
{
	struct kstack_place place = {0};

	handled++;
	on_own_stack = kstack_find((uintptr_t)frame, &place) && strstr(place.stack, "NMI");
	return true;
}

SELFTEST(nmi_has_its_own_stack, "trap.nmi")
{
	trap_handler_fn hook;

	if (!lapic_present()) {
		selftest_skip("no local APIC to send an NMI");
		return;
	}
	hook = trap_set_debugger(NULL);
	handled = 0;
	on_own_stack = false;
	displaced = trap_set_handler(TRAP_NMI, note_nmi);
	lapic_send_nmi(lapic_id());
	for (uint64_t end_us = time_now_us() + 100000; handled == 0 && time_now_us() < end_us;)
		cpu_relax();
	trap_set_handler(TRAP_NMI, displaced);
	trap_set_debugger(hook);
	ST_EQUAL(handled, 1);
	ST_EXPECT(on_own_stack, "the NMI came on the interrupted stack");
}

static void nest(void *argument)
{
	struct trap_frame inner = {0};

	ST_EXPECT(!trap_try(undefined, NULL, &inner), "ud2 did not trap");
	ST_EQUAL(inner.vector, TRAP_INVALID_OPCODE);
	read_at(argument);
}

SELFTEST(tries_nest, "trap.try")
{
	struct trap_frame outer = trap_of(nest, (void *)0x10);
	uint64_t rflags = read_rflags();

	ST_EQUAL(outer.vector, TRAP_PAGE_FAULT);
	ST_EQUAL(outer.cr2, 0x10);
	ST_EXPECT(percpu()->trap_try == NULL, "a trap_try() is still open");
	ST_EXPECT(rflags & RFLAGS_IF, "interrupts are off after a trap");
}

SELFTEST(ring3_is_interrupted, "trap.ring3_interrupts")
{
	/* mov $count, %ecx; 1: dec %ecx; jnz 1b; int3: some milliseconds of work. */
	static const uint8_t loop[] = {0xb9, 0x00, 0x00, 0x40, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0xcc};
	struct trap_frame trap = {0};
	uint64_t canary = percpu()->canary;

	user_open(loop, sizeof(loop));
	for (int i = 0; i < 3; i++)
		user_run(0, &trap);
	user_close();
	ST_EQUAL(trap.vector, TRAP_BREAKPOINT);
	ST_EXPECT(trap_from_user(&trap), "cs 0x%llx", ULL(trap.cs));
	ST_EQUAL(trap.rcx, 0);
	ST_EXPECT(rdmsr(MSR_GS_BASE) == (uintptr_t)percpu() && percpu()->canary == canary,
		  "%%gs is not the kernel's after ring 3");
}

/* ---- memory access that cannot fault ---- */

SELFTEST(safe_access_reports, "trap.safe_access")
{
	struct kstack_place place = {0};
	uint8_t bytes[64];
	uint64_t word = 0;
	size_t cursor = 0;

	ST_REQUIRE(kstack_visit(&cursor, &place), "no stack");
	ST_EQUAL(safe_read(bytes, (uintptr_t)text_start, sizeof(bytes)), sizeof(bytes));
	ST_EXPECT(memcmp(bytes, text_start, sizeof(bytes)) == 0, "wrong bytes");
	ST_EQUAL(safe_read(bytes, 0, sizeof(bytes)), 0);
	ST_EQUAL(safe_read(bytes, 0x8000000000000000, sizeof(bytes)), 0);
	ST_EQUAL(safe_read(bytes, UINTPTR_MAX, sizeof(bytes)), 0);
	ST_EQUAL(safe_read(bytes, (uintptr_t)image_end - 5, sizeof(bytes)), 5);
	ST_EQUAL(safe_write(place.base - 3, bytes, 0), 0);
	ST_EQUAL(safe_write(place.base - GUARD_BYTES, bytes, 8), 0);
	ST_EQUAL(safe_write((uintptr_t)text_start, text_start, 8), 0);
	ST_EXPECT(!safe_read64(0x1000, &word), "0x1000 is readable");
	ST_EXPECT(safe_read64((uintptr_t)text_start, &word) && memcmp(&word, text_start, 8) == 0,
		  "wrong word");
	ST_EXPECT(irqs_enabled(), "interrupts are off after a fault");
}

static const volatile uint32_t constant = 0x11223344;

SELFTEST(code_can_be_patched, "trap.text_write")
{
	uint32_t changed = 0x55667788, original = 0x11223344;

	ST_EQUAL(text_write((uintptr_t)&constant, &changed, sizeof(changed)), sizeof(changed));
	ST_EQUAL(constant, changed);
	ST_EQUAL(text_write((uintptr_t)&constant, &original, sizeof(original)), sizeof(original));
	ST_EQUAL(constant, original);
	ST_EQUAL(text_write(0x1000, &changed, sizeof(changed)), 0);
	ST_EXPECT(read_cr0() & CR0_WP, "CR0.WP stayed clear");
}

/* ---- backtraces ---- */

static char trace[8][KSYMS_TEXT_MAX];
static unsigned traced, crossed;

static bool take_trace(struct trap_frame *frame)
{
	struct backtrace walk;
	uint64_t rip;

	(void)frame;
	/* From here, through the trap, into what it interrupted. */
	backtrace_from(&walk, (uintptr_t)take_trace, (uintptr_t)__builtin_frame_address(0));
	for (traced = crossed = 0; traced < 8 && backtrace_next(&walk, &rip); traced++) {
		crossed += walk.trap != NULL;
		ksyms_format(trace[traced], sizeof(trace[0]), rip);
	}
	return skip_ud2(frame);
}

static bool traced_through(const char *name)
{
	for (unsigned i = 0; i < traced; i++)
		if (strncmp(trace[i], name, strlen(name)) == 0)
			return true;
	return false;
}

SELFTEST(backtraces_cross_traps, "trap.backtrace")
{
	trap_handler_fn hook = trap_set_debugger(take_trace);

	undefined(NULL);
	trap_set_debugger(hook);
	ST_EQUAL(crossed, 1);
	ST_EXPECT(traced_through("undefined"), "the faulting function is missing");
	ST_EXPECT(traced_through("backtraces_cross_traps"), "its caller is missing");
}

/* ---- interrupts ---- */

SELFTEST(bad_lines_are_refused, "irq.refused")
{
	struct msi_message message;

	ST_EXPECT(!irq_request(0, read_at, NULL), "the clock's line was given out");
	ST_EXPECT(!irq_request(16, read_at, NULL), "there is no ISA line 16");
	ST_EXPECT(irq_request_msi(read_at, NULL, &message) == lapic_present(),
		  "MSI needs a local APIC, and nothing else");
}
