/*
 * Dispatch of traps: who is asked, in which order. <kernel/traps.h> has the contract.
 */
#include <kernel/traps.h>

#include "gdt.h"
#include "traps_internal.h"

#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/thread.h>
#include <kernel/trap_offsets.h>

#include <string.h>

_Static_assert(offsetof(struct trap_frame, cs) == FRAME_CS, "trap_entry.S relies on it");
_Static_assert(offsetof(struct trap_frame, rip) == FRAME_RIP, "trap_entry.S tells debuggers");
_Static_assert(offsetof(struct trap_frame, rsp) == FRAME_RSP, "trap_entry.S tells debuggers");
_Static_assert(sizeof(struct trap_frame) == FRAME_BYTES, "trap_entry.S relies on it");

/* One open trap_try(): where its stack was. */
struct trap_try {
	uint64_t rsp; /* written by trap_try_call() */
	struct trap_try *outer;
	struct trap_frame *report;
	uint64_t rflags;
};
_Static_assert(offsetof(struct trap_try, rsp) == TRY_RSP, "trap_entry.S relies on it");

bool trap_try_call(void (*fn)(void *argument), void *argument, struct trap_try *try);
void trap_try_landing(void);

static trap_handler_fn handlers[TRAP_VECTORS];
static trap_handler_fn debugger;
static bool debugger_requested;

trap_handler_fn trap_set_handler(unsigned vector, trap_handler_fn handler)
{
	if (vector >= TRAP_VECTORS)
		panic("trap_set_handler: there is no vector %u", vector);
	return __atomic_exchange_n(&handlers[vector], handler, __ATOMIC_ACQ_REL);
}

trap_handler_fn trap_set_debugger(trap_handler_fn hook)
{
	return __atomic_exchange_n(&debugger, hook, __ATOMIC_ACQ_REL);
}

void trap_request_debugger(void)
{
	__atomic_store_n(&debugger_requested, true, __ATOMIC_RELEASE);
}

/* ---- the exception table ---- */

/* As access.S lays it down: both relative to their own place. */
struct recovery {
	int32_t from, to;
};
extern const struct recovery extable_start[], extable_end[];

static uint64_t resolve(const int32_t *place)
{
	return (uint64_t)((intptr_t)place + *place);
}

/* A handful of entries: no need to sort them. */
static bool recover(struct trap_frame *frame)
{
	if (frame->vector != TRAP_PAGE_FAULT && frame->vector != TRAP_PROTECTION &&
	    frame->vector != TRAP_STACK_SEGMENT && frame->vector != TRAP_ALIGNMENT)
		return false;
	for (const struct recovery *entry = extable_start; entry < extable_end; entry++) {
		if (resolve(&entry->from) != frame->rip)
			continue;
		frame->rip = resolve(&entry->to);
		return true;
	}
	return false;
}

/* ---- trap_try ---- */

bool trap_try(void (*fn)(void *argument), void *argument, struct trap_frame *report)
{
	struct percpu *cpu = percpu();
	struct trap_try own = {.outer = cpu->trap_try, .report = report, .rflags = read_rflags()};
	bool returned;

	cpu->trap_try = &own;
	returned = trap_try_call(fn, argument, &own);
	cpu->trap_try = own.outer;
	return returned;
}

static bool caught(struct trap_frame *frame, struct percpu *cpu)
{
	struct trap_try *try = cpu->trap_try;

	/* A fault inside of an interrupt handler is nobody's expected one. */
	if (!try || cpu->irq_depth != 0 || frame->vector == TRAP_NMI ||
	    frame->vector == TRAP_MACHINE_CHECK)
		return false;
	if (try->report)
		*try->report = *frame;
	cpu->trap_try = try->outer;
	frame->rip = (uint64_t)(uintptr_t)trap_try_landing;
	frame->rsp = try->rsp;
	frame->cs = KERNEL_CS;
	frame->ss = KERNEL_DS;
	frame->rflags = try->rflags;
	return true;
}

/* ---- dispatch ---- */

static bool offer(trap_handler_fn *slot, struct trap_frame *frame)
{
	trap_handler_fn handler = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	return handler && handler(frame);
}

static void dispatch_fault(struct trap_frame *frame, struct percpu *cpu)
{
	char cause[TRAP_EXPLAIN_MAX];

	if (frame->vector == TRAP_PAGE_FAULT || frame->vector == TRAP_DOUBLE_FAULT)
		frame->cr2 = read_cr2();
	if (recover(frame) || caught(frame, cpu) || offer(&debugger, frame) ||
	    offer(&handlers[frame->vector], frame))
		return;
	panic_at(frame, "%s", trap_explain(frame, cause, sizeof(cause)));
}

static void dispatch_interrupt(struct trap_frame *frame, struct percpu *cpu)
{
	cpu->irq_depth++;
	if (!offer(&handlers[frame->vector], frame))
		interrupt_unexpected(frame);
	if (__atomic_load_n(&debugger_requested, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&debugger_requested, false, __ATOMIC_ACQ_REL))
		offer(&debugger, frame);
	cpu->irq_depth--;
	/* An interrupt hits code with IF set. Where IF is clear now, the debugger cleared it for a
	 * step of this thread: no other one may come in between. */
	if (cpu->irq_depth == 0 && (frame->rflags & RFLAGS_IF))
		thread_preempt_point();
}

void trap_dispatch(struct trap_frame *frame)
{
	struct percpu *cpu = percpu();

	cpu->traps++;
	if (frame->vector < TRAP_FIRST_INTERRUPT)
		dispatch_fault(frame, cpu);
	else
		dispatch_interrupt(frame, cpu);
}

bool in_interrupt(void)
{
	return percpu()->irq_depth != 0;
}
