/*
 * The kernel's own page tables: the direct map, the image, the windows for devices and stacks.
 *
 * Rights: code is executable and read-only, constants are read-only, everything else is writable
 * and never executable; each physical page that holds code or constants is read-only in the direct
 * map, too. No user page, no identity map.
 */
#ifndef KERNEL_PAGING_H
#define KERNEL_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mm/types.h>

#include <kernel/image.h>

/* Bits of an entry. */
#define ENTRY_PRESENT  0x001ul
#define ENTRY_WRITE    0x002ul
#define ENTRY_USER     0x004ul
#define ENTRY_WT       0x008ul
#define ENTRY_UNCACHED 0x010ul
#define ENTRY_ACCESSED 0x020ul
#define ENTRY_DIRTY    0x040ul
#define ENTRY_LARGE    0x080ul
#define ENTRY_GLOBAL   0x100ul
#define ENTRY_NX       0x8000000000000000ul
#define ENTRY_ADDRESS  0x000ffffffffff000ul

/*
 * Builds the kernel's tables with early memory and switches to them. `direct_limit`: where the
 * direct map ends; raised, with a warning, to what holds the image and some room. After boot_init()
 * and params_init(), once, on the boot CPU with interrupts off.
 */
void paging_init(uint64_t direct_limit);

/* The root table of these. */
paddr_t paging_kernel_root(void);

/* Where the direct map ends (a multiple of 2 MiB). */
uint64_t paging_direct_limit(void);

/* The direct-map address of physical memory below paging_direct_limit(). */
static inline void *direct_map(paddr_t address)
{
	return (void *)(DIRECT_MAP_BASE + address.value);
}

/* The physical address of something in the direct map or in the image. */
paddr_t virt_to_phys(const void *pointer);

/*
 * Maps device registers uncached into the device window, forever. Thread context or early boot.
 * Mapping the same pages twice gives two addresses. NULL: the range wraps, lies beyond the CPU's
 * physical width, or there is no memory for tables.
 */
volatile void *device_map(paddr_t address, uint64_t bytes);

/* The same for memory that firmware left (ACPI tables): cached, read-only. */
const void *firmware_map(paddr_t address, uint64_t bytes);

/*
 * mm/'s side of mapping, once it is up: from paging_hand_over() on, device_map(), firmware_map()
 * and the kernel stacks use it, and the tables are mm/'s alone to change. The rights are bits of an
 * entry. alloc gives zeroed memory of the direct map, aligned to its size (a power of two).
 */
struct paging_mapper {
	bool (*map)(vaddr_t at, paddr_t memory, uint64_t bytes, uint64_t rights);
	void (*unmap)(vaddr_t at, uint64_t bytes);
	void *(*alloc)(size_t bytes);
	void (*free)(void *memory);
};
void paging_hand_over(const struct paging_mapper *mapper);
/* NULL before. */
const struct paging_mapper *paging_mapper(void);

/* Maps or unmaps pages of the window of kernel stacks; stacks.c alone uses them. */
bool paging_map_stack(vaddr_t at, paddr_t memory, uint64_t bytes);
void paging_unmap_stack(vaddr_t at, uint64_t bytes);

/* A leaf of the live tables, with the rights of all its levels taken together. */
struct paging_entry {
	uint64_t start;	  /* virtual */
	uint64_t bytes;	  /* 4 KiB, 2 MiB or 1 GiB */
	paddr_t physical; /* of `start` */
	bool writable, executable, user, global, cacheable;
};

/* The leaf that maps an address in the tables this CPU runs on. False: none. Any context. */
bool paging_lookup(uint64_t address, struct paging_entry *entry);

/* The first leaf at or above *cursor, which moves behind it; false: no more. Any context. */
bool paging_visit(uint64_t *cursor, struct paging_entry *entry);

/* True when an address can be used at all with 4-level tables. */
static inline bool paging_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

#endif
