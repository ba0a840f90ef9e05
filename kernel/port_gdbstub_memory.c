/*
 * The GDB stub's port.h on this kernel: memory.
 *
 * Whatever address a debugger tries, nothing may happen but an answer. So a virtual address is
 * looked up first: device registers (mapped uncached, or a hole of the memory map seen through the
 * direct map) count as unreadable, since reading them may do something. The copy itself goes
 * through the fault-safe access all the same.
 */
#include "port_gdbstub.h"

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/ksyms.h>
#include <kernel/log.h>
#include <kernel/page_window.h>
#include <kernel/paging.h>
#include <kernel/percpu.h>
#include <kernel/safe_access.h>
#include <string.h>

#define PAGE_BYTES 4096u

/* Whether a mapping leads to memory: RAM, or tables of the firmware that somebody mapped. */
static bool leads_to_memory(const struct paging_entry *leaf, uint64_t address)
{
	uint64_t physical = leaf->physical.value + (address - leaf->start);
	enum memmap_kind kind = memmap_at(&boot_info.memmap, physical).kind;
	bool direct = address >= DIRECT_MAP_BASE && address < DEVICE_WINDOW_BASE;

	if (!leaf->cacheable || kind == MEMMAP_HOLE)
		return false;
	return kind != MEMMAP_RESERVED || !direct;
}

static size_t copy_in(uintptr_t address, void *bytes, size_t len)
{
	return safe_read(bytes, address, len);
}

static size_t copy_out(uintptr_t address, void *bytes, size_t len)
{
	return text_write(address, bytes, len);
}

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* ---- virtual ---- */

static size_t copy_virtual(uint64_t address, uint8_t *bytes, size_t len, page_window_copy_fn copy)
{
	size_t done = 0;

	while (done < len) {
		struct paging_entry leaf;
		uint64_t at = address + done;

		if (!paging_lookup(at, &leaf) || !leads_to_memory(&leaf, at))
			break;
		size_t step = least(len - done, PAGE_BYTES - at % PAGE_BYTES);
		size_t copied = copy((uintptr_t)at, bytes + done, step);

		done += copied;
		if (copied < step)
			break;
	}
	return done;
}

/* ---- physical ---- */

#define WINDOW_VA UINT64_C(0xffffc10000002000)

static struct page_window window;

void stub_window_init(void)
{
	if (!page_window_open(&window, mm_va(WINDOW_VA), true))
		pr_warn("gdb: physical memory above the direct map cannot be reached");
}

static size_t copy_physical(uint64_t physical, uint8_t *bytes, size_t len, page_window_copy_fn copy)
{
	size_t done = 0;

	while (done < len) {
		uint64_t at = physical + done;
		size_t step = least(len - done, PAGE_BYTES - at % PAGE_BYTES), copied;

		if (!memmap_is_ram(&boot_info.memmap, at))
			break;
		if (at < paging_direct_limit())
			copied = copy((uintptr_t)direct_map((paddr_t){at}), bytes + done, step);
		else
			copied = page_window_copy(&window, mm_pa(at), bytes + done, step, copy);
		done += copied;
		if (copied < step)
			break;
	}
	return done;
}

static bool overlaps(uint64_t address, uint64_t len, const void *start, const void *end)
{
	return address < (uintptr_t)end && address + len > (uintptr_t)start;
}

/* ---- the port ---- */

size_t gdbstub_port_read_memory(void *target, enum gdbstub_space space, uint64_t address, void *out,
				size_t len_bytes)
{
	(void)target;
	return space == GDBSTUB_PHYSICAL ? copy_physical(address, out, len_bytes, copy_in)
					 : copy_virtual(address, out, len_bytes, copy_in);
}

#define STACK_SPAN 0x10000 /* further off, the frame is not on this stack: a panic's copy */

/* The stopped code's stack holds the stub's frames right now, below the stopped stack pointer. */
static bool is_own_stack(const struct stub_target *target, uint64_t address, size_t len)
{
	const char *here = __builtin_frame_address(0);
	const char *end = (const char *)(target->frame + 1);

	return here < end && end - here < STACK_SPAN && overlaps(address, len, here, end);
}

size_t gdbstub_port_write_memory(void *target, enum gdbstub_space space, uint64_t address,
				 const void *bytes, size_t len_bytes)
{
	uint8_t *source = (uint8_t *)(uintptr_t)bytes;

	if (space == GDBSTUB_VIRTUAL && is_own_stack(target, address, len_bytes))
		return 0;
	return space == GDBSTUB_PHYSICAL ? copy_physical(address, source, len_bytes, copy_out)
					 : copy_virtual(address, source, len_bytes, copy_out);
}

static bool same_rights(const struct paging_entry *a, const struct paging_entry *b)
{
	return a->writable == b->writable && a->executable == b->executable && a->user == b->user &&
	       a->cacheable == b->cacheable;
}

static void name_region(struct gdbstub_region *region)
{
	const char *name = in_image(region->start)		 ? "image"
			   : region->start >= STACK_WINDOW_BASE	 ? "stack"
			   : region->start >= DEVICE_WINDOW_BASE ? "device"
			   : region->start >= DIRECT_MAP_BASE	 ? "direct map"
								 : "";

	for (size_t i = 0; name[i] && i + 1 < sizeof(region->name); i++)
		region->name[i] = name[i];
}

/* From `address` on, through at most so many further leaves: an answer must not take long. */
#define REGION_LEAVES 4096

bool gdbstub_port_region(void *target, uint64_t address, struct gdbstub_region *region)
{
	struct paging_entry leaf, next;
	uint64_t cursor = address;

	(void)target;
	*region = (struct gdbstub_region){.start = address, .last = UINT64_MAX};
	if (!paging_canonical(address) || !paging_lookup(address, &leaf)) {
		if (paging_visit(&cursor, &next))
			region->last = next.start - 1;
		return true;
	}
	region->start = leaf.start;
	region->last = leaf.start + leaf.bytes - 1;
	region->mapped = region->readable = true;
	region->writable = leaf.writable;
	region->executable = leaf.executable;
	cursor = region->last + 1;
	for (int i = 0; i < REGION_LEAVES && cursor && paging_visit(&cursor, &next); i++) {
		if (next.start != region->last + 1 || !same_rights(&leaf, &next))
			break;
		region->last = next.start + next.bytes - 1;
	}
	name_region(region);
	return true;
}

/* ---- the stub's own path ---- */

/* Edges of the code that runs between a trap and the moment at which breakpoints are out of
 * memory, and back: vitrine.lds puts it together. */
extern const char stub_path_start[], stub_path_end[];

bool gdbstub_port_is_protected(void *target, uint64_t address, uint64_t len_bytes)
{
	const struct percpu *cpu = percpu();

	return overlaps(address, len_bytes, stub_path_start, stub_path_end) ||
	       overlaps(address, len_bytes, target,
			(const char *)target + sizeof(struct stub_target)) ||
	       overlaps(address, len_bytes, cpu, cpu + 1);
}
