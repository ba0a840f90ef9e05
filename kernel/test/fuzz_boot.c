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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

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
