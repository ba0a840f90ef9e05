/*
 * The kernel's page tables: building them, and looking at the live ones.
 */
#include <kernel/paging.h>

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/early.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/safe_access.h>
#include <kernel/stacks.h>
#include <kernel/weaken.h>

#define PAGE_BYTES  UINT64_C(4096)
#define FRAME_BYTES UINT64_C(0x200000)
/* Room that the direct map has at least, for the image and the start of mm/. */
#define DIRECT_ROOM (4 * FRAME_BYTES)

#define RIGHTS_CODE	 (ENTRY_PRESENT | ENTRY_GLOBAL)
#define RIGHTS_CONSTANTS (ENTRY_PRESENT | ENTRY_GLOBAL | ENTRY_NX)
#define RIGHTS_DATA	 (ENTRY_PRESENT | ENTRY_GLOBAL | ENTRY_NX | ENTRY_WRITE)
#define RIGHTS_DEVICE	 (RIGHTS_DATA | ENTRY_UNCACHED | ENTRY_WT)

static struct {
	uint64_t *root;
	uint64_t direct_limit;
	uint64_t device_next;		    /* next free address of the device window */
	const struct paging_mapper *mapper; /* mm's, once it is up */
} kernel_space = {.device_next = DEVICE_WINDOW_BASE};

paddr_t paging_kernel_root(void)
{
	return virt_to_phys(kernel_space.root);
}

uint64_t paging_direct_limit(void)
{
	return kernel_space.direct_limit;
}

paddr_t virt_to_phys(const void *pointer)
{
	uint64_t address = (uintptr_t)pointer;

	if (address >= IMAGE_VIRT)
		return mm_pa(address - IMAGE_VIRT + boot_info.image_phys);
	return mm_pa(address - DIRECT_MAP_BASE);
}

void paging_hand_over(const struct paging_mapper *mapper)
{
	kernel_space.mapper = mapper;
}

const struct paging_mapper *paging_mapper(void)
{
	return kernel_space.mapper;
}

/* ---- building ---- */

static uint64_t level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static uint64_t level_bytes(unsigned level)
{
	return UINT64_C(1) << level_shift(level);
}

static uint64_t *entry_of(uint64_t *table, uint64_t virtual, unsigned level)
{
	return &table[virtual >> level_shift(level) & 511];
}

static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & ENTRY_PRESENT)) {
		uint64_t *table = early_alloc(PAGE_BYTES, PAGE_BYTES);

		*entry = virt_to_phys(table).value | ENTRY_PRESENT | ENTRY_WRITE |
			 (weakened(WEAKEN_USER) ? ENTRY_USER : 0);
	}
	return direct_map(mm_pa(*entry & ENTRY_ADDRESS));
}

/* The largest leaf that both addresses and the rest of the range allow: level 1, 2 or 3. */
static unsigned leaf_level(uint64_t virtual, uint64_t physical, uint64_t bytes)
{
	unsigned level = cpu_features.page_1g ? 3 : 2;

	while (level > 1 && (((virtual | physical) & (level_bytes(level) - 1)) != 0 ||
			     bytes < level_bytes(level)))
		level--;
	return level;
}

static uint64_t allowed(uint64_t rights)
{
	if (!cpu_features.nx || weakened(WEAKEN_NX))
		rights &= ~ENTRY_NX;
	if (weakened(WEAKEN_USER))
		rights |= ENTRY_USER;
	return rights;
}

static void map_range(uint64_t virtual, uint64_t physical, uint64_t bytes, uint64_t rights)
{
	while (bytes > 0) {
		unsigned leaf = leaf_level(virtual, physical, bytes);
		uint64_t *table = kernel_space.root;

		for (unsigned level = 4; level > leaf; level--)
			table = table_below(entry_of(table, virtual, level));
		*entry_of(table, virtual, leaf) = physical | allowed(rights) |
						  (leaf > 1 ? ENTRY_LARGE : 0);
		virtual += level_bytes(leaf);
		physical += level_bytes(leaf);
		bytes -= level_bytes(leaf);
	}
}

static void map_section(const char *start, const char *end, uint64_t rights)
{
	map_range((uintptr_t)start, virt_to_phys(start).value, (uint64_t)(end - start), rights);
}

/* Data, but for the guard pages of the stacks in it. */
static void map_data(void)
{
	struct kstack_place place;
	uintptr_t at = (uintptr_t)data_start;
	size_t cursor = 0;

	while (!weakened(WEAKEN_GUARD) && kstack_visit(&cursor, &place)) {
		map_section((const char *)at, (const char *)(place.base - GUARD_BYTES),
			    RIGHTS_DATA);
		at = place.base;
	}
	map_section((const char *)at, data_end, RIGHTS_DATA);
}

static void map_image(void)
{
	map_section(text_start, text_end, RIGHTS_CODE | (weakened(WEAKEN_WX) ? ENTRY_WRITE : 0));
	map_section(rodata_start, rodata_end, RIGHTS_CONSTANTS);
	map_data();
	map_section(ksyms_start, ksyms_end, RIGHTS_CONSTANTS);
}

/* Whole pages of [start, end) in the direct map. */
static void map_direct(uint64_t start, uint64_t end, uint64_t rights)
{
	start = (start + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	end &= ~(PAGE_BYTES - 1);
	if (end > kernel_space.direct_limit)
		end = kernel_space.direct_limit;
	if (start < end)
		map_range(DIRECT_MAP_BASE + start, start, end - start, rights);
}

/* RAM alone: what is usable, and what the kernel holds of it. The map changes while tables are
 * taken from it, but only between these two kinds; hence the walk by address over both. */
static void map_ram(void)
{
	uint64_t at = 0;

	while (at < kernel_space.direct_limit) {
		struct memmap_region region = memmap_at(&boot_info.memmap, at);
		uint64_t start = region.start, end = region.end;

		while ((region.kind == MEMMAP_USABLE || region.kind == MEMMAP_KERNEL) &&
		       end < kernel_space.direct_limit) {
			region = memmap_at(&boot_info.memmap, end);
			if (region.kind != MEMMAP_USABLE && region.kind != MEMMAP_KERNEL)
				break;
			end = region.end;
		}
		region = memmap_at(&boot_info.memmap, start);
		if (region.kind == MEMMAP_USABLE || region.kind == MEMMAP_KERNEL)
			map_direct(start, end, RIGHTS_DATA);
		at = end;
	}
}

/* Splits the large leaf over an address until 4 KiB leaves map it, keeping every right. */
static uint64_t *split_to_page(uint64_t virtual)
{
	uint64_t *table = kernel_space.root;

	for (unsigned level = 4; level > 1; level--) {
		uint64_t *entry = entry_of(table, virtual, level);

		if (level < 4 && (*entry & ENTRY_LARGE)) {
			uint64_t *below = early_alloc(PAGE_BYTES, PAGE_BYTES);
			uint64_t leaf = level == 2 ? *entry & ~ENTRY_LARGE : *entry;

			for (uint64_t i = 0; i < 512; i++)
				below[i] = leaf + i * level_bytes(level - 1);
			*entry = virt_to_phys(below).value | ENTRY_PRESENT | ENTRY_WRITE |
				 (weakened(WEAKEN_USER) ? ENTRY_USER : 0);
		}
		table = table_below(entry);
	}
	return entry_of(table, virtual, 1);
}

/* Code and constants have a second address in the direct map: read-only there, too. */
static void protect_alias(const char *start, const char *end)
{
	if (weakened(WEAKEN_WX))
		return;
	for (const char *page = start; page < end; page += PAGE_BYTES)
		*split_to_page(DIRECT_MAP_BASE + virt_to_phys(page).value) &= ~ENTRY_WRITE;
}

static void choose_direct_limit(uint64_t wanted)
{
	uint64_t image_end_phys = boot_info.image_phys + boot_info.image_bytes;
	uint64_t least = ((image_end_phys + FRAME_BYTES - 1) & ~(FRAME_BYTES - 1)) + DIRECT_ROOM;

	kernel_space.direct_limit = wanted & ~(FRAME_BYTES - 1);
	if (kernel_space.direct_limit < least) {
		pr_warn("directmap=%llu is too small for the image; it ends at %llu instead",
			(unsigned long long)wanted, (unsigned long long)least);
		kernel_space.direct_limit = least;
	}
	early_set_limit(kernel_space.direct_limit);
}

/* The tables below the root for each window exist from the start, so that every address space can
 * share them by copying the root's upper half. */
static void open_window(uint64_t base)
{
	table_below(entry_of(kernel_space.root, base, 4));
}

void paging_init(uint64_t direct_limit)
{
	choose_direct_limit(direct_limit);
	kernel_space.root = early_alloc(PAGE_BYTES, PAGE_BYTES);
	map_image();
	map_ram();
	protect_alias(text_start, rodata_end);
	protect_alias(ksyms_start, ksyms_end);
	open_window(DEVICE_WINDOW_BASE);
	open_window(STACK_WINDOW_BASE);
	write_cr3(virt_to_phys(kernel_space.root).value);
}

/* ---- windows ---- */

static bool map_window(uint64_t virtual, uint64_t physical, uint64_t bytes, uint64_t rights)
{
	if (kernel_space.mapper)
		return kernel_space.mapper->map(mm_va(virtual), mm_pa(physical), bytes,
						allowed(rights));
	map_range(virtual, physical, bytes, rights);
	return true;
}

static void *map_in_device_window(paddr_t address, uint64_t bytes, uint64_t rights)
{
	uint64_t offset = address.value & (PAGE_BYTES - 1);
	uint64_t start = address.value - offset, limit = UINT64_C(1) << cpu_features.physical_bits;
	uint64_t size = (bytes + offset + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), at;

	if (bytes == 0 || bytes > limit || start > limit - size)
		return NULL;
	/* An unmapped page behind each mapping catches what runs over its end. */
	at = __atomic_fetch_add(&kernel_space.device_next, size + PAGE_BYTES, __ATOMIC_RELAXED);
	if (at + size > STACK_WINDOW_BASE || !map_window(at, start, size, rights))
		return NULL;
	return (void *)(at + offset);
}

volatile void *device_map(paddr_t address, uint64_t bytes)
{
	return map_in_device_window(address, bytes, RIGHTS_DEVICE);
}

const void *firmware_map(paddr_t address, uint64_t bytes)
{
	return map_in_device_window(address, bytes, RIGHTS_CONSTANTS);
}

bool paging_map_stack(vaddr_t at, paddr_t memory, uint64_t bytes)
{
	return map_window(at.value, memory.value, bytes, RIGHTS_DATA);
}

static void unmap_early(uint64_t virtual, uint64_t bytes)
{
	for (uint64_t at = virtual; at < virtual + bytes; at += PAGE_BYTES) {
		*split_to_page(at) = 0;
		tlb_flush_page(at);
	}
}

void paging_unmap_stack(vaddr_t at, uint64_t bytes)
{
	if (kernel_space.mapper)
		kernel_space.mapper->unmap(at, bytes);
	else
		unmap_early(at.value, bytes);
}

/* ---- looking ---- */

/* What the levels above and the entry itself allow. */
static void note_rights(struct paging_entry *entry, uint64_t bits)
{
	entry->writable = entry->writable && (bits & ENTRY_WRITE) != 0;
	entry->user = entry->user && (bits & ENTRY_USER) != 0;
	entry->executable = entry->executable && (bits & ENTRY_NX) == 0;
}

/* The leaf over `address`, or in *skip how much of it surely maps nothing. */
static bool walk(uint64_t root, uint64_t address, struct paging_entry *entry, uint64_t *skip)
{
	uint64_t table = root & ENTRY_ADDRESS, bits = 0;

	*entry = (struct paging_entry){.writable = true, .executable = true, .user = true};
	for (unsigned level = 4; level >= 1; level--) {
		uint64_t slot = address >> level_shift(level) & 511;

		*skip = level_bytes(level);
		if (!safe_read64(DIRECT_MAP_BASE + table + slot * 8, &bits) ||
		    !(bits & ENTRY_PRESENT))
			return false;
		note_rights(entry, bits);
		if (level == 1 || (level < 4 && (bits & ENTRY_LARGE)))
			break;
		table = bits & ENTRY_ADDRESS;
	}
	entry->bytes = *skip;
	entry->start = address & ~(*skip - 1);
	entry->physical = mm_pa(bits & ENTRY_ADDRESS & ~(*skip - 1));
	entry->global = (bits & ENTRY_GLOBAL) != 0;
	entry->cacheable = (bits & ENTRY_UNCACHED) == 0;
	return true;
}

bool paging_lookup(uint64_t address, struct paging_entry *entry)
{
	uint64_t skip;

	return paging_canonical(address) && walk(read_cr3(), address, entry, &skip);
}

bool paging_visit(uint64_t *cursor, struct paging_entry *entry)
{
	uint64_t root = read_cr3(), address = *cursor, skip;

	/* The cursor's last value stands for "behind the last page", which nothing ever maps. */
	while (address != UINT64_MAX) {
		if (!paging_canonical(address))
			address = DIRECT_MAP_BASE;

		bool found = walk(root, address, entry, &skip);
		uint64_t next = (address & ~(skip - 1)) + skip;

		if (found) {
			*cursor = next != 0 ? next : UINT64_MAX;
			return true;
		}
		address = next != 0 ? next : UINT64_MAX;
	}
	return false;
}
