/*
 * What the files of kernel/x86 say to each other about traps.
 */
#ifndef KERNEL_X86_TRAPS_INTERNAL_H
#define KERNEL_X86_TRAPS_INTERNAL_H

#include <kernel/traps.h>

/* Called by trap_entry.S. */
void trap_dispatch(struct trap_frame *frame);

/* An interrupt on a vector that has no handler: counts it and answers the controller. irq.c. */
void interrupt_unexpected(const struct trap_frame *frame);

/* Goes to ring 3; trap_entry.S has the contract. */
struct tss;
_Noreturn void user_enter(uint64_t rip, uint64_t rsp, uint64_t argument, struct tss *tss);

#endif
