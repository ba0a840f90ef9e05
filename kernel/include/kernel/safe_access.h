/*
 * Memory access that cannot fault: a bad address is an answer, not an accident. For the debugger
 * stub, the inspector's mem.read, backtraces and explanations.
 */
#ifndef KERNEL_SAFE_ACCESS_H
#define KERNEL_SAFE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies `bytes` bytes from, or to, the virtual address `address`, byte by byte in ascending order.
 * Returns how many were copied before the first one that is not mapped, not permitted or not
 * canonical. Other side (dst, src) must be good memory. User pages are accessed too (SMAP is lifted
 * for the copy). safe_write() does not write to read-only pages. Any context.
 */
size_t safe_read(void *dst, uintptr_t address, size_t bytes);
size_t safe_write(uintptr_t address, const void *src, size_t bytes);

/* One naturally aligned word, in a single access (for device registers). False: fault. */
bool safe_read64(uintptr_t address, uint64_t *value);

/*
 * Writes kernel code or other read-only kernel memory (breakpoints): page protection is lifted on
 * this CPU for the copy alone, other CPUs must be stopped or not run there. Returns how many bytes
 * were written. Any context.
 */
size_t text_write(uintptr_t address, const void *src, size_t bytes);

#endif
