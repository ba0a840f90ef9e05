/*
 * Switching stacks between kernel threads, and going to ring 3 for tests.
 */
#ifndef KERNEL_SWITCH_H
#define KERNEL_SWITCH_H

#include <stddef.h>
#include <stdint.h>

/* What a thread that does not run has on top of its stack. */
struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uint64_t rip;
};

/*
 * Saves the caller's callee-saved registers on its stack, stores the stack pointer in *save_rsp,
 * and continues what was saved at load_rsp (a pointer to a struct switch_frame). Interrupts off.
 * Returns when somebody switches back.
 */
void context_switch(uint64_t *save_rsp, uint64_t load_rsp);

/*
 * Prepares a new stack, whose first byte behind it is at `stack_end` (16-byte aligned), so that the
 * first switch to the returned stack pointer calls entry(argument), with interrupts off and as the
 * end of the backtrace. entry must not return.
 */
uint64_t context_prepare(uintptr_t stack_end, void (*entry)(void *argument), void *argument);

#endif
