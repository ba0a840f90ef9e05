/*
 * A glimpse of ring 3, for tests: three user pages in a table of their own, over the kernel's half.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/traps.h>

/* The pages, one of each kind: executable and read-only; writable; and a stack, writable. */
#define USER_CODE  0x400000ul
#define USER_DATA  0x402000ul
#define USER_STACK 0x404000ul
#define USER_PAGE  4096ul

/*
 * Makes the pages and runs this CPU on their table, with preemption off, until user_close(). The
 * code page holds `code` (at most a page), the data page zeros. One at a time; thread context.
 */
void user_open(const void *code, size_t bytes);
void user_close(void);

/* Calls the code page in ring 3 with `argument` in %rdi and interrupts on. It ends by the first
 * trap of its own (int3 is a good one), which is in *report. Between user_open() and user_close().
 */
void user_run(uint64_t argument, struct trap_frame *report);

#endif
