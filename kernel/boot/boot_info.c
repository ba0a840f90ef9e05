/*
 * boot_info: the loader's words, copied into ours.
 */
#include "boot_internal.h"

#include <kernel/cpu.h>
#include <kernel/image.h>
#include <kernel/log.h>
#include <kernel/panic.h>

#include <string.h>

extern const struct boot_handoff boot_handoff;

_Static_assert(offsetof(struct boot_handoff, protocol) == HANDOFF_PROTOCOL, "entry.S writes it");
_Static_assert(offsetof(struct boot_handoff, info_phys) == HANDOFF_INFO, "entry.S writes it");
_Static_assert(offsetof(struct boot_handoff, image_phys) == HANDOFF_IMAGE, "entry.S writes it");
_Static_assert(offsetof(struct boot_handoff, entry_tsc) == HANDOFF_TSC, "entry.S writes it");
_Static_assert(sizeof(struct boot_handoff) == HANDOFF_BYTES, "entry.S reserves it");

struct boot_info boot_info;

/* The early tables map the first 4 GiB, where both protocols put everything they leave. */
static bool read_low_memory(void *dst, uint64_t phys, size_t bytes, void *context)
{
	(void)context;
	if (phys >= UINT64_C(1) << 32 || bytes > (UINT64_C(1) << 32) - phys)
		return false;
	memcpy(dst, (const void *)(DIRECT_MAP_BASE + phys), bytes);
	return true;
}

static void limit_to_cpu(struct boot_info *info)
{
	uint64_t limit = UINT64_C(1) << cpu_features.physical_bits;

	if (memmap_end(&info->memmap, MEMMAP_USABLE) > limit)
		boot_fault(info, "memory beyond what this CPU can address is left out");
	memmap_limit(&info->memmap, limit);
}

void boot_init(void)
{
	struct boot_info *info = &boot_info;

	info->protocol = boot_handoff.protocol;
	info->entry_tsc = boot_handoff.entry_tsc;
	info->image_phys = boot_handoff.image_phys;
	info->image_bytes = (uint64_t)(image_end - image_start);
	memmap_init(&info->memmap);
	if (info->protocol == BOOT_PROTOCOL_PVH)
		boot_parse_pvh(info, boot_handoff.info_phys, read_low_memory, NULL);
	if (info->protocol == BOOT_PROTOCOL_MULTIBOOT2)
		boot_parse_multiboot2(info, boot_handoff.info_phys, read_low_memory, NULL);
	fw_cfg_append(info);
	limit_to_cpu(info);
	memmap_add(&info->memmap, info->image_phys, info->image_bytes, MEMMAP_KERNEL);
}

static void report_map(const struct memmap *map)
{
	uint64_t end = map->count > 0 ? map->regions[map->count - 1].end : 0;

	for (size_t i = 0; i < map->count; i++) {
		const struct memmap_region *region = &map->regions[i];

		pr_debug("memory %#14llx - %#14llx %s", (unsigned long long)region->start,
			 (unsigned long long)region->end, memmap_kind_name(region->kind));
	}
	pr_info("memory: %llu KiB usable, %llu KiB kernel, %llu KiB reserved, %llu KiB holes",
		(unsigned long long)memmap_bytes(map, MEMMAP_USABLE, end) >> 10,
		(unsigned long long)memmap_bytes(map, MEMMAP_KERNEL, end) >> 10,
		(unsigned long long)memmap_bytes(map, MEMMAP_RESERVED, end) >> 10,
		(unsigned long long)memmap_bytes(map, MEMMAP_HOLE, end) >> 10);
	if (map->sacrificed_bytes != 0)
		pr_warn("memory: %llu KiB given up, the map is too ragged (over %u regions)",
			(unsigned long long)map->sacrificed_bytes >> 10, MEMMAP_REGIONS_MAX);
	if (map->refused != 0)
		pr_warn("memory: %u entries of the loader's map were empty or impossible",
			map->refused);
}

void boot_report(void)
{
	const struct boot_info *info = &boot_info;

	pr_info("boot: %s, loader \"%s\", image at 0x%llx", boot_protocol_name(info->protocol),
		info->loader, (unsigned long long)info->image_phys);
	pr_info("boot: command line \"%s\"", info->cmdline);
	for (uint32_t i = 0; i < info->fault_count; i++)
		pr_warn("boot: %s", info->faults[i]);
	report_map(&info->memmap);
	if (info->protocol == BOOT_PROTOCOL_UNKNOWN)
		panic("started by a loader that speaks neither PVH nor Multiboot2");
	if (memmap_bytes(&info->memmap, MEMMAP_USABLE, UINT64_MAX) == 0)
		panic("the loader names no usable memory: nothing to run in");
}
