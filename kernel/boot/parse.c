/*
 * Reading what the loader left in memory. Pure: memory is reached through a callback, nothing is
 * believed without a bound, and what is wrong becomes a fault in words. The host tests and the fuzz
 * target drive this very file.
 */
#include "boot_internal.h"

#include <string.h>

/* Longer lists than this are nonsense; a list that was cut could hide reserved memory, so such a
 * map is refused as a whole. */
#define MAP_ENTRIES_MAX	     65536u
#define MULTIBOOT2_BYTES_MAX (1u << 20)

/* Xen's include/public/arch-x86/hvm/start_info.h. */
#define PVH_MAGIC 0x336ec578u
struct pvh_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modules_phys, cmdline_phys, rsdp_phys;
	/* From version 1 on. */
	uint64_t memmap_phys;
	uint32_t memmap_entries, reserved;
};
#define PVH_VERSION_0_BYTES offsetof(struct pvh_start_info, memmap_phys)

/* One entry of either protocol's map; the first 20 bytes are the same. */
struct map_entry {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

/* Multiboot2 specification, section 3.6. */
enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MEMINFO = 4,
	TAG_MMAP = 6,
	TAG_RSDP_1 = 14,
	TAG_RSDP_2 = 15
};

struct reader {
	struct boot_info *info;
	boot_read_fn read;
	void *context;
};

void boot_fault(struct boot_info *info, const char *text)
{
	if (info->fault_count < sizeof(info->faults) / sizeof(info->faults[0]))
		info->faults[info->fault_count++] = text;
}

static bool fetch(const struct reader *from, void *dst, uint64_t phys, size_t bytes)
{
	return phys <= UINT64_MAX - bytes && from->read(dst, phys, bytes, from->context);
}

/* Types as BIOS, UEFI loaders and Xen number them: 1 is memory, everything else is somebody's. */
static enum memmap_kind kind_of(uint32_t type)
{
	return type == 1 ? MEMMAP_USABLE : MEMMAP_RESERVED;
}

void boot_clean_text(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = ' ';
}

/* A text of at most `limit` bytes in loader memory. Returns false when it was cut. */
static bool copy_text(const struct reader *from, char *dst, size_t size, uint64_t phys,
		      uint64_t limit)
{
	size_t at = 0;
	char byte = 0;

	while (at + 1 < size && at < limit && fetch(from, &byte, phys + at, 1) && byte != '\0')
		dst[at++] = byte;
	dst[at] = '\0';
	boot_clean_text(dst);
	if (at + 1 == size && at < limit && fetch(from, &byte, phys + at, 1))
		return byte == '\0';
	return true;
}

static void add_entries(const struct reader *from, uint64_t phys, uint64_t count, uint32_t stride)
{
	struct boot_info *info = from->info;
	struct map_entry entry = {0};

	if (count > MAP_ENTRIES_MAX) {
		boot_fault(info, "memory map of more than 65536 entries: not believed");
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!fetch(from, &entry, phys + i * stride, 20)) {
			boot_fault(info,
				   "memory map lies outside of readable memory: not believed");
			memmap_init(&info->memmap);
			return;
		}
		if (!memmap_add(&info->memmap, entry.start, entry.bytes, kind_of(entry.type)) &&
		    entry.bytes != 0)
			boot_fault(info,
				   "memory map has an entry beyond the end of the address space");
	}
}

void boot_parse_pvh(struct boot_info *info, uint64_t start_info_phys, boot_read_fn read,
		    void *context)
{
	struct reader from = {info, read, context};
	struct pvh_start_info start = {0};

	memcpy(info->loader, "PVH", sizeof("PVH"));
	if (!fetch(&from, &start, start_info_phys, PVH_VERSION_0_BYTES) ||
	    start.magic != PVH_MAGIC) {
		boot_fault(info, "PVH start info has the wrong magic number");
		return;
	}
	if (start.cmdline_phys != 0 &&
	    !copy_text(&from, info->cmdline, sizeof(info->cmdline), start.cmdline_phys, UINT64_MAX))
		boot_fault(info, "command line is longer than 4095 bytes: cut");
	info->rsdp_phys = start.rsdp_phys;
	if (start.version < 1 || !fetch(&from, &start, start_info_phys, sizeof(start))) {
		boot_fault(info,
			   "PVH start info of version 0 carries no memory map; version 1 does");
		return;
	}
	add_entries(&from, start.memmap_phys, start.memmap_entries, sizeof(struct map_entry));
}

/* ---- Multiboot2 ---- */

struct tag {
	uint32_t type, bytes;
	uint64_t phys; /* of what follows the tag's head */
	uint32_t body; /* bytes of it */
};

static void tag_cmdline(const struct reader *from, const struct tag *tag)
{
	if (!copy_text(from, from->info->cmdline, sizeof(from->info->cmdline), tag->phys,
		       tag->body))
		boot_fault(from->info, "command line is longer than 4095 bytes: cut");
}

static void tag_loader(const struct reader *from, const struct tag *tag)
{
	(void)copy_text(from, from->info->loader, sizeof(from->info->loader), tag->phys, tag->body);
}

static void tag_mmap(const struct reader *from, const struct tag *tag)
{
	uint32_t head[2]; /* entry size, entry version */

	if (tag->body < sizeof(head) || !fetch(from, head, tag->phys, sizeof(head)) ||
	    head[0] < 20) {
		boot_fault(from->info, "Multiboot2 memory map with entries of less than 20 bytes");
		return;
	}
	add_entries(from, tag->phys + sizeof(head), (tag->body - sizeof(head)) / head[0], head[0]);
}

static void tag_rsdp(const struct reader *from, const struct tag *tag)
{
	struct boot_info *info = from->info;
	uint32_t bytes = tag->body < sizeof(info->rsdp) ? tag->body : sizeof(info->rsdp);

	/* A loader may give both; the newer one (which is longer) wins. */
	if (bytes < info->rsdp_bytes)
		return;
	if (fetch(from, info->rsdp, tag->phys, bytes))
		info->rsdp_bytes = bytes;
}

/* mem_lower and mem_upper, in KiB: better than nothing when there is no map. */
static void add_meminfo(const struct reader *from, const struct tag *tag)
{
	uint32_t kib[2];

	if (tag->body < sizeof(kib) || !fetch(from, kib, tag->phys, sizeof(kib)))
		return;
	boot_fault(from->info, "no memory map, only the sizes of lower and upper memory");
	memmap_add(&from->info->memmap, 0, (uint64_t)(kib[0] < 640 ? kib[0] : 640) * 1024,
		   MEMMAP_USABLE);
	memmap_add(&from->info->memmap, UINT64_C(1) << 20, (uint64_t)kib[1] * 1024, MEMMAP_USABLE);
}

static const struct {
	uint32_t type;
	void (*handle)(const struct reader *from, const struct tag *tag);
} tag_handlers[] = {
	{TAG_CMDLINE, tag_cmdline},
	    {TAG_LOADER,	 tag_loader },
	      {TAG_MMAP,	 tag_mmap	 },
	{TAG_RSDP_1,  tag_rsdp   },
	    {TAG_RSDP_2,	 tag_rsdp	 },
};

static void handle_tag(const struct reader *from, const struct tag *tag)
{
	for (size_t i = 0; i < sizeof(tag_handlers) / sizeof(tag_handlers[0]); i++)
		if (tag_handlers[i].type == tag->type)
			tag_handlers[i].handle(from, tag);
}

/* Reads the tag at `offset`; false when there is no whole one. */
static bool read_tag(const struct reader *from, uint64_t info_phys, uint32_t offset, uint32_t total,
		     struct tag *tag)
{
	uint32_t head[2];

	if (total - offset < sizeof(head) || !fetch(from, head, info_phys + offset, sizeof(head)))
		return false;
	if (head[1] < sizeof(head) || head[1] > total - offset)
		return false;
	*tag = (struct tag){head[0], head[1], info_phys + offset + sizeof(head),
			    head[1] - (uint32_t)sizeof(head)};
	return true;
}

void boot_parse_multiboot2(struct boot_info *info, uint64_t info_phys, boot_read_fn read,
			   void *context)
{
	struct reader from = {info, read, context};
	struct tag tag, meminfo = {0};
	uint32_t total = 0, offset = 8;
	bool map_seen = false;

	if (!fetch(&from, &total, info_phys, sizeof(total)) || total < 16 ||
	    total > MULTIBOOT2_BYTES_MAX) {
		boot_fault(info, "Multiboot2 information of an impossible size");
		return;
	}
	for (;;) {
		if (!read_tag(&from, info_phys, offset, total, &tag)) {
			boot_fault(info, "Multiboot2 information is cut short or has a broken tag");
			break;
		}
		if (tag.type == TAG_END)
			break;
		if (tag.type == TAG_MEMINFO)
			meminfo = tag;
		if (tag.type == TAG_MMAP)
			map_seen = true;
		handle_tag(&from, &tag);

		uint32_t step = (tag.bytes + 7) & ~7u;

		if (step > total - offset)
			step = total - offset;
		offset += step;
	}
	if (!map_seen && meminfo.bytes != 0)
		add_meminfo(&from, &meminfo);
}

const char *boot_protocol_name(uint32_t protocol)
{
	static const char *const names[] = {
		[BOOT_PROTOCOL_UNKNOWN] = "unknown",
		[BOOT_PROTOCOL_PVH] = "PVH",
		[BOOT_PROTOCOL_MULTIBOOT2] = "Multiboot2",
	};

	return protocol < sizeof(names) / sizeof(names[0]) ? names[protocol] : names[0];
}
