/*
 * What the loader told us, in our own words.
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/boot_protocol.h>
#include <kernel/memmap.h>

#define BOOT_CMDLINE_MAX 4096
#define BOOT_LOADER_MAX	 64

/* What entry.S leaves for boot_init(). */
struct boot_handoff {
	uint32_t protocol;   /* BOOT_PROTOCOL_* */
	uint32_t info_phys;  /* the loader's structure */
	uint32_t image_phys; /* where image_start was loaded */
	uint32_t pad;
	uint64_t entry_tsc;
};

/* Everything copied: nothing here points into the loader's memory, which may be reused. */
struct boot_info {
	uint32_t protocol;
	char loader[BOOT_LOADER_MAX];	/* "PVH", or the name a Multiboot2 loader gives */
	char cmdline[BOOT_CMDLINE_MAX]; /* "" when there was none; cut if longer, see faults */
	uint64_t rsdp_phys;		/* 0: unknown */
	uint8_t rsdp[36];		/* Multiboot2's copy of it; rsdp_bytes of it are valid */
	uint32_t rsdp_bytes;
	uint64_t entry_tsc;
	uint64_t image_phys, image_bytes;
	struct memmap memmap;
	/* What was wrong with the loader's data: logged by boot_report(). */
	const char *faults[8];
	uint32_t fault_count;
};

/* Filled by boot_init(); constant afterwards but for the memory map, from which early allocations
 * are claimed until mm/ takes over. */
extern struct boot_info boot_info;

/*
 * Reads the loader's structures. First thing in kernel_main(); needs nothing, logs nothing.
 * Bad data is cut or left out and noted as a fault. Without any usable memory the machine stops
 * with the reason (panic).
 */
void boot_init(void);

/* Logs loader, command line, memory map and faults. */
void boot_report(void);

/*
 * The parsers, pure. `bytes` of loader memory are readable at `data`, and boot_read_fn reads other
 * physical memory (false: not readable). Every length and offset is checked against them.
 */
typedef bool (*boot_read_fn)(void *dst, uint64_t phys, size_t bytes, void *context);
void boot_parse_pvh(struct boot_info *info, uint64_t start_info_phys, boot_read_fn read,
		    void *context);
void boot_parse_multiboot2(struct boot_info *info, uint64_t info_phys, boot_read_fn read,
			   void *context);

const char *boot_protocol_name(uint32_t protocol);

#endif
