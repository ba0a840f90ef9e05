// objects.c: what the names of malloc.c do, in terms of mm and of mappings.
#include "shim.h"

#include <mm/check.h>
#include <mm/query.h>
#include <mm/slab.h>
#include <mm/visit.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *large_alloc(size_t size, size_t alignment)
{
	struct large large;
	struct cpu_slot *slot;
	bool added;

	if (!large_map(size, alignment, &large))
		return NULL;
	slot = enter();
	added = large_add(&large);
	leave(slot);
	if (!added)
		munmap(large.start, large.length);
	return added ? large.address : NULL;
}

void *shim_alloc(size_t size, size_t alignment, bool zero)
{
	size_t need = size > alignment ? size : alignment;

	if (likely(need <= KMALLOC_MAX_SIZE)) {
		struct cpu_slot *slot = enter();
		void *object = zero ? kzalloc(need, 0) : kmalloc(need, 0);

		leave(slot);
		if (likely(object))
			return object;
	}
	return large_alloc(size, alignment);
}

static bool large_take(const void *address, struct large *large)
{
	struct cpu_slot *slot = enter();
	bool found = large_remove(address, large);

	leave(slot);
	return found;
}

void shim_free(void *address)
{
	struct large large;

	if (likely(arena_holds(address))) {
		struct cpu_slot *slot = enter();

		kfree(address);
		leave(slot);
		return;
	}
	if (!large_take(address, &large))
		shim_die("free ", address);
	munmap(large.start, large.length);
}

size_t shim_size(const void *address)
{
	struct cpu_slot *slot = enter();
	struct mm_object object;
	struct large large;
	size_t size = 0;

	if (arena_holds(address)) {
		mm_query_virt(mm_va_of(address), &object);
		if (object.kind == MM_OBJECT_SLAB && object.used &&
		    object.base == (uintptr_t)address)
			size = object.size;
	} else if (large_find(address, &large)) {
		size = large.length - (size_t)(large.address - large.start);
	}
	leave(slot);
	if (!size)
		shim_die("realloc or malloc_usable_size of ", address);
	return size;
}

// A mapping that stays a mapping is moved by the kernel, without copying. NULL: not possible.
static void *large_resize(void *address, size_t size)
{
	struct large large, grown;
	size_t length = (size + 4095) & ~4095ul;
	struct cpu_slot *slot;
	void *start = MAP_FAILED;

	if (size > PTRDIFF_MAX || !large_take(address, &large))
		return NULL;
	grown = large;
	if (large.address == large.start) {
		start = mremap(large.start, large.length, length, MREMAP_MAYMOVE);
		if (start != MAP_FAILED)
			grown = (struct large){start, start, length};
	}
	slot = enter();
	// There is room: one was taken out. Unless another thread was faster.
	if (!large_add(&grown))
		shim_die_text("no memory for the table of large objects");
	leave(slot);
	return start != MAP_FAILED ? start : NULL;
}

void *shim_resize(void *address, size_t size)
{
	size_t old = shim_size(address);
	void *moved;

	// Fits, and would not fit in half of it.
	if (size <= old && (size > old / 2 || old <= KMALLOC_MIN_SIZE))
		return address;
	if (!arena_holds(address) && size > KMALLOC_MAX_SIZE) {
		moved = large_resize(address, size);
		if (moved)
			return moved;
	}
	moved = shim_alloc(size, 1, false);
	if (!moved)
		return size <= old ? address : NULL;
	memcpy(moved, address, size < old ? size : old);
	shim_free(address);
	return moved;
}

// --- how much was used, for whoever sets VITRINE_MALLOC_STATS
// -------------------------------------
static int report_to = -1;

// Many programs close stderr before they end.
__attribute__((constructor)) static void report_begin(void)
{
	if (getenv("VITRINE_MALLOC_STATS"))
		report_to = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
}

__attribute__((destructor)) static void report_end(void)
{
	unsigned long allocs = 0, frees = 0;
	struct mm_cache_info info;
	char line[120];
	int length;

	if (report_to < 0)
		return;
	for (unsigned i = 0; mm_cache_info(i, &info); i++) {
		allocs += info.allocs;
		frees += info.frees;
	}
	length = snprintf(line, sizeof(line),
			  "vitrine-malloc: %lu objects, %lu freed, %lu faults\n", allocs, frees,
			  (unsigned long)mm_check(NULL, NULL).faults);
	if (write(report_to, line, (size_t)length) < 0)
		return;
}
