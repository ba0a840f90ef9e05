/*
 * Reaching physical memory that has no kernel address: one page, turned and turned back.
 */
#include <kernel/cpu.h>
#include <kernel/page_window.h>
#include <kernel/paging.h>
#include <mm/pgtable.h>
#include <mm/space.h>

#define PAGE_BYTES 4096u

/* What every window shows while it is not in use. Nothing reads or writes it there. */
static uint8_t home_page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

bool page_window_open(struct page_window *window, vaddr_t va, bool writable)
{
	struct mm_map_request request = {
		.space = MM_SPACE_KERNEL,
		.va = va,
		.pa = virt_to_phys(home_page),
		.length = PAGE_BYTES,
		.flags = (writable ? ENTRY_WRITE : 0) | (cpu_features.nx ? ENTRY_NX : 0),
		.use4k = true,
		.flush = true,
	};
	struct mm_translation at;

	*window = (struct page_window){.va = va};
	if (mm_map_ex(&request, NULL) != MM_OK || mm_translate(MM_SPACE_KERNEL, va, &at) != MM_OK ||
	    !at.mapped || at.levels[at.depth - 1].at.value >= paging_direct_limit())
		return false;
	window->entry = direct_map(at.levels[at.depth - 1].at);
	window->home = *window->entry;
	return true;
}

static void turn(const struct page_window *window, uint64_t entry)
{
	__atomic_store_n(window->entry, entry, __ATOMIC_RELEASE);
	tlb_flush_page(window->va.value);
}

size_t page_window_copy(const struct page_window *window, paddr_t pa, void *bytes, size_t len,
			page_window_copy_fn copy)
{
	if (!window->entry)
		return 0;
	turn(window, (window->home & ~ENTRY_ADDRESS) | (pa.value & ENTRY_ADDRESS));
	size_t copied = copy(window->va.value + pa.value % PAGE_BYTES, bytes, len);

	turn(window, window->home);
	return copied;
}
