/*
 * QEMU's fw_cfg: a loader that has no command line of its own (the ISO) can be given one by
 *
 *	-fw_cfg name=opt/org.vitrine/append,string="panic=exit"
 *
 * which is added to what the loader said. QEMU's docs/specs/fw_cfg: a selector port and a data
 * port; item 0 is a signature, item 0x19 the directory, big endian.
 */
#include "boot_internal.h"

#include <kernel/io.h>

#include <string.h>

#define PORT_SELECT 0x510
#define PORT_DATA   0x511

#define ITEM_SIGNATURE 0x00
#define ITEM_DIRECTORY 0x19
#define FILES_MAX      4096u
#define NAME	       "opt/org.vitrine/append"

struct file {
	uint8_t bytes[4], select[2], reserved[2];
	char name[56];
};

static void read_item(void *dst, size_t bytes)
{
	uint8_t *at = dst;

	for (size_t i = 0; i < bytes; i++)
		at[i] = inb(PORT_DATA);
}

static uint32_t big_endian(const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* Selects the file; its length, 0 when there is none. */
static uint32_t open_file(const char *name)
{
	uint8_t count[4], signature[4];
	struct file file;

	outw(PORT_SELECT, ITEM_SIGNATURE);
	read_item(signature, sizeof(signature));
	if (memcmp(signature, "QEMU", 4) != 0)
		return 0;
	outw(PORT_SELECT, ITEM_DIRECTORY);
	read_item(count, sizeof(count));
	for (uint32_t i = big_endian(count, 4); i > 0 && i <= FILES_MAX; i--) {
		read_item(&file, sizeof(file));
		if (strncmp(file.name, name, sizeof(file.name)) != 0)
			continue;
		outw(PORT_SELECT, (uint16_t)big_endian(file.select, 2));
		return big_endian(file.bytes, 4);
	}
	return 0;
}

void fw_cfg_append(struct boot_info *info)
{
	uint32_t bytes = open_file(NAME);
	size_t at = strlen(info->cmdline);

	if (bytes == 0)
		return;
	if (bytes + at + 2 > sizeof(info->cmdline)) {
		boot_fault(info, "the parameters from fw_cfg are too long and left out");
		return;
	}
	if (at > 0)
		info->cmdline[at++] = ' ';
	read_item(info->cmdline + at, bytes);
	info->cmdline[at + bytes] = '\0';
	boot_clean_text(info->cmdline);
}
