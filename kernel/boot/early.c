#include <kernel/early.h>

#include <kernel/boot.h>
#include <kernel/image.h>
#include <kernel/panic.h>

#include <string.h>

#define PAGE	   UINT64_C(4096)
#define BOOT_LIMIT (UINT64_C(1) << 32) /* what the tables of entry.S map */

static struct {
	uint64_t limit;
	uint64_t given;
	bool sealed;
} early = {.limit = BOOT_LIMIT};

/* Best first: the rest of the image's last frame, then above it, then anywhere above 1 MiB. */
static uint64_t find(uint64_t bytes, uint64_t align)
{
	const struct memmap *map = &boot_info.memmap;
	uint64_t behind = boot_info.image_phys + boot_info.image_bytes;
	uint64_t at = memmap_find(map, bytes, align, behind, early.limit);

	if (at == UINT64_MAX)
		at = memmap_find(map, bytes, align, UINT64_C(1) << 20, early.limit);
	return at;
}

void *early_alloc(size_t bytes, size_t align)
{
	uint64_t size = (bytes + PAGE - 1) & ~(PAGE - 1), at;

	if (early.sealed)
		panic("early_alloc(%zu) after mm/ took over", bytes);
	at = find(size, align < PAGE ? PAGE : align);
	if (at == UINT64_MAX)
		panic("no %zu bytes of usable memory below 0x%llx for the kernel's start", bytes,
		      (unsigned long long)early.limit);
	memmap_claim(&boot_info.memmap, at, size);
	early.given += size;
	return memset((void *)(DIRECT_MAP_BASE + at), 0, size);
}

void early_set_limit(uint64_t limit)
{
	early.limit = limit < BOOT_LIMIT ? limit : BOOT_LIMIT;
}

void early_seal(void)
{
	early.sealed = true;
}

bool early_sealed(void)
{
	return early.sealed;
}

uint64_t early_bytes(void)
{
	return early.given;
}
