/*
 * Where the kernel's own objects come from: mm's kmalloc and kfree. A seam of two calls, so that
 * threads can exist while memory management is being brought up.
 */
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include <stddef.h>

/* Zeroed memory, aligned to at least 32 bytes; NULL when there is none. Thread context. */
void *heap_alloc(size_t bytes);
/* Gives it back. NULL is nothing. */
void heap_free(void *object);

#endif
