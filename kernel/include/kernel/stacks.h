/*
 * Kernel stacks, each with an unmapped guard page below it.
 */
#ifndef KERNEL_STACKS_H
#define KERNEL_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/boot_protocol.h> /* KSTACK_BYTES, GUARD_BYTES */

/* [base, end) is usable; the page below base never is. */
struct kstack {
	uintptr_t base, end;
};

/* Maps a stack of KSTACK_BYTES into the window of kernel stacks. False: no memory or no room.
 * Thread context or early boot. The stack's memory is zero. */
bool kstack_create(struct kstack *stack);

/* Says whose it is, for kstack_find(). `name` must live as long as the stack; NULL: nobody's. */
void kstack_set_owner(const struct kstack *stack, const char *name);

/* Unmaps it and gives its memory back. Nobody may run on it. Thread context. */
void kstack_destroy(struct kstack *stack);

/* What an address in or below a stack is: name of the stack, and whether it is the guard page. */
struct kstack_place {
	char stack[64]; /* "boot stack", "NMI stack of CPU 0", "stack of thread 'main'", ... */
	bool guard;
	uintptr_t base, end;
};
bool kstack_find(uintptr_t address, struct kstack_place *place);

/* Visits the stacks of the image and of the window, by index from 0; false behind the last. */
bool kstack_visit(size_t *cursor, struct kstack_place *place);

#endif
