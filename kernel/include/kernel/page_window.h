/*
 * A page of address space through which any physical page can be reached, also above the direct
 * map: for the time of a copy its entry is turned to what is wanted, and back. mm/ mapped the page
 * and knows nothing of the moment in between.
 *
 * A window belongs to one user, who calls from one CPU at a time and is not entered again while a
 * copy runs: the inspector's thread (or the panic that took its place), the debugger stub.
 */
#ifndef KERNEL_PAGE_WINDOW_H
#define KERNEL_PAGE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mm/types.h>

struct page_window {
	vaddr_t va;
	uint64_t *entry; /* NULL: there is no window */
	uint64_t home;	 /* the entry as mm/ wrote it */
};

/*
 * Opens a window at `va`, a page of the kernel half that nobody else maps. Once, in thread context,
 * after mm/ is up. False: there was no memory for it; page_window_copy() then copies nothing.
 */
bool page_window_open(struct page_window *window, vaddr_t va, bool writable);

/* Copies between `bytes` and the virtual address it is given; how many bytes went. */
typedef size_t (*page_window_copy_fn)(uintptr_t address, void *bytes, size_t len);

/*
 * Lets `copy` work on [pa, pa + len), which must be RAM and not pass the end of a page; what it
 * returned. Any context that the window's user is in.
 */
size_t page_window_copy(const struct page_window *window, paddr_t pa, void *bytes, size_t len,
			page_window_copy_fn copy);

#endif
