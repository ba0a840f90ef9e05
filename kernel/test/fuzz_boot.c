/*
 * Fuzz target: the input is the loader's memory, and at once an ACPI table.
 *
 * The first byte chooses the parser; the rest lies at "physical" 0x1000. Whatever comes, the memory
 * map is sound and every text is terminated.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/acpi.h>
#include <kernel/boot.h>

#include "fuzz_seed.h"

#define START 0x1000u

struct input {
	const uint8_t *data;
	size_t bytes;
};

static bool read_input(void *dst, uint64_t phys, size_t bytes, void *context)
{
	const struct input *input = context;

	if (phys < START || phys - START > input->bytes || bytes > input->bytes - (phys - START))
		return false;
	memcpy(dst, input->data + (phys - START), bytes);
	return true;
}

static void check(const struct boot_info *info)
{
	if (memmap_check(&info->memmap) || info->rsdp_bytes > sizeof(info->rsdp) ||
	    !memchr(info->cmdline, 0, sizeof(info->cmdline)) ||
	    !memchr(info->loader, 0, sizeof(info->loader)) || info->fault_count > 8)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct boot_info info;
	struct acpi_madt madt;
	struct acpi_power power;
	struct input input;

	if (bytes == 0)
		return 0;
	input = (struct input){data + 1, bytes - 1};
	memset(&info, 0, sizeof(info));
	memmap_init(&info.memmap);
	if (data[0] % 4 == 0)
		boot_parse_pvh(&info, START, read_input, &input);
	else if (data[0] % 4 == 1)
		boot_parse_multiboot2(&info, START, read_input, &input);
	else if (data[0] % 4 == 2)
		(void)acpi_parse_madt(input.data, input.bytes, &madt);
	else
		(void)acpi_parse_power(input.data, input.bytes / 2, input.data + input.bytes / 2,
				       input.bytes - input.bytes / 2, &power);
	check(&info);
	return 0;
}

/* ---- good inputs ---- */

#define WORD(value)		   (uint8_t)(value), (uint8_t)((value) >> 8), (uint8_t)((value) >> 16), 0
#define QUAD(value)		   WORD(value), 0, 0, 0, 0
#define REGION(start, bytes, type) QUAD(start), QUAD(bytes), WORD(type), WORD(0)

/* clang-format off */
static const uint8_t seed_pvh[] = {
	0, 0x78, 0xc5, 0x6e, 0x33, WORD(1), WORD(0), WORD(0),	 /* magic, version, flags, modules */
	QUAD(0), QUAD(0x1038), QUAD(0xf5a10), QUAD(0x1040),	 /* modules, text, RSDP, map */
	WORD(3), WORD(0), 's', 'e', 'l', 'f', 0, 0, 0, 0,	 /* entries; 0x1038 */
	REGION(0x100000, 0x700000, 1), REGION(0, 0x9fc00, 1), REGION(0xf0000, 0x10000, 2),
};

static const uint8_t seed_multiboot2[] = {
	1, WORD(16 + 16 + 64 + 16 + 8 - 8), WORD(0),
	WORD(1), WORD(13), 's', 'e', 'l', 'f', 0, 0, 0, 0,
	WORD(6), WORD(64), WORD(24), WORD(0), REGION(0x100000, 0x700000, 1), REGION(0, 0x9fc00, 1),
	WORD(4), WORD(16), WORD(639), WORD(7168),
	WORD(0), WORD(8),
};

static const uint8_t seed_madt[] = {
	2, [37] = 0, 0, 0xe0, 0xfe, 1, 0, 0, 0,
	0, 8, 0, 7, 1, 0, 0, 0,
	1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
	2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,
	9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
};

/* Two halves of 132 bytes: FADT and DSDT. */
static const uint8_t seed_power[265] = {
	3, [65] = 0x04, 0x06, [114] = 0x04, [117] = 1, [121] = 0xf9, 0x0c, [129] = 0x0f,
	[133 + 36] = '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 5, 0, 0,
};

/* clang-format on */

size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size)
{
	static const struct {
		const uint8_t *data;
		size_t bytes;
	} seeds[] = {
		{seed_pvh,	   sizeof(seed_pvh)	   },
		{seed_multiboot2, sizeof(seed_multiboot2)},
		{seed_madt,	    sizeof(seed_madt)	     },
		{seed_power,	     sizeof(seed_power)     },
	};

	if (n >= sizeof(seeds) / sizeof(seeds[0]) || seeds[n].bytes > size)
		return 0;
	memcpy(buf, seeds[n].data, seeds[n].bytes);
	return seeds[n].bytes;
}
