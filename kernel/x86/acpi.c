/*
 * Finding ACPI tables in physical memory.
 */
#include <kernel/acpi.h>

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/paging.h>

#include <string.h>

#define HEADER_BYTES	36
#define TABLE_BYTES_MAX (UINT32_C(4) << 20)
#define TABLES_MAX	256u

/* ACPI specification 6.4, section 5.2.5.3. */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	/* From revision 2 on. */
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
#define RSDP_1_BYTES 20

static struct {
	const uint8_t *root; /* RSDT or XSDT, verified */
	uint32_t root_bytes;
	uint32_t entry_bytes; /* 4 or 8 */
} acpi;

static bool rsdp_valid(const void *data)
{
	return memcmp(data, "RSD PTR ", 8) == 0 && acpi_checksum(data, RSDP_1_BYTES);
}

/* Maps a whole table and verifies it; NULL when it is broken or not `signature`. */
static const uint8_t *map_table(uint64_t phys, const char *signature, uint32_t *bytes)
{
	const uint8_t *head = phys ? firmware_map(mm_pa(phys), HEADER_BYTES) : NULL;
	uint32_t length;

	if (!head || memcmp(head, signature, 4) != 0)
		return NULL;
	memcpy(&length, head + 4, sizeof(length));
	if (length < HEADER_BYTES || length > TABLE_BYTES_MAX)
		return NULL;
	head = firmware_map(mm_pa(phys), length);
	if (!head || !acpi_checksum(head, length)) {
		pr_warn("ACPI: table %.4s is broken and ignored", signature);
		return NULL;
	}
	*bytes = length;
	return head;
}

static void use_rsdp(const struct rsdp *rsdp)
{
	if (rsdp->revision >= 2 && rsdp->xsdt != 0)
		acpi.root = map_table(rsdp->xsdt, "XSDT", &acpi.root_bytes);
	acpi.entry_bytes = 8;
	if (!acpi.root) {
		acpi.root = map_table(rsdp->rsdt, "RSDT", &acpi.root_bytes);
		acpi.entry_bytes = 4;
	}
}

/* Section 5.2.5.1: on a 16-byte boundary in the BIOS area. The EBDA is not looked at: loaders that
 * give no pointer are old, and so are the machines. */
static bool scan_bios(struct rsdp *rsdp)
{
	const uint8_t *area = firmware_map(mm_pa(0xe0000), 0x20000);

	for (uint32_t at = 0; area && at < 0x20000; at += 16)
		if (rsdp_valid(area + at)) {
			memcpy(rsdp, area + at, sizeof(*rsdp));
			return true;
		}
	return false;
}

void acpi_init(void)
{
	struct rsdp rsdp = {0};
	const void *given = NULL;

	if (boot_info.rsdp_bytes >= RSDP_1_BYTES)
		memcpy(&rsdp, boot_info.rsdp, boot_info.rsdp_bytes);
	else if (boot_info.rsdp_phys)
		given = firmware_map(mm_pa(boot_info.rsdp_phys), sizeof(rsdp));
	if (given)
		memcpy(&rsdp, given, sizeof(rsdp));
	if (rsdp_valid(&rsdp) || scan_bios(&rsdp))
		use_rsdp(&rsdp);
	if (!acpi.root)
		pr_warn("ACPI: no tables found");
}

static uint64_t root_entry(uint32_t i)
{
	uint64_t phys = 0;

	memcpy(&phys, acpi.root + HEADER_BYTES + i * acpi.entry_bytes, acpi.entry_bytes);
	return phys;
}

const void *acpi_find(const char signature[4], uint32_t *bytes)
{
	uint32_t count = acpi.root ? (acpi.root_bytes - HEADER_BYTES) / acpi.entry_bytes : 0;

	for (uint32_t i = 0; i < count && i < TABLES_MAX; i++) {
		const void *table = map_table(root_entry(i), signature, bytes);

		if (table)
			return table;
	}
	return NULL;
}

/* FADT: DSDT at 40 (32 bits), X_DSDT at 140 (64 bits). */
const void *acpi_find_dsdt(const void *fadt, uint32_t fadt_bytes, uint32_t *bytes)
{
	const uint8_t *at = fadt;
	uint64_t phys = 0;

	if (fadt_bytes >= 148)
		memcpy(&phys, at + 140, 8);
	if (phys == 0 && fadt_bytes >= 44)
		memcpy(&phys, at + 40, 4);
	return map_table(phys, "DSDT", bytes);
}
