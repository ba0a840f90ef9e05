/*
 * Reading ACPI tables. Pure; every offset is checked against the table's length.
 */
#include <kernel/acpi.h>

#include <string.h>

/* ACPI specification 6.4, section 5.2.6: every table begins with this many bytes. */
#define HEADER_BYTES 36

bool acpi_checksum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + at[i]);
	return sum == 0;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static uint64_t get64(const uint8_t *at)
{
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* ---- MADT, section 5.2.12 ---- */

static void add_cpu(struct acpi_madt *madt, uint32_t apic_id, uint32_t flags)
{
	if ((flags & 1) && madt->cpu_count < ACPI_CPUS_MAX)
		madt->apic_ids[madt->cpu_count++] = apic_id;
}

static void madt_lapic(struct acpi_madt *madt, const uint8_t *entry)
{
	add_cpu(madt, entry[3], get32(entry + 4));
}

static void madt_x2apic(struct acpi_madt *madt, const uint8_t *entry)
{
	add_cpu(madt, get32(entry + 4), get32(entry + 8));
}

static void madt_ioapic(struct acpi_madt *madt, const uint8_t *entry)
{
	if (madt->ioapic_count < ACPI_IOAPICS_MAX)
		madt->ioapics[madt->ioapic_count++] =
			(struct acpi_ioapic){get32(entry + 4), get32(entry + 8), entry[2]};
}

static void madt_override(struct acpi_madt *madt, const uint8_t *entry)
{
	uint16_t flags = get16(entry + 8);

	/* Bus 0 is ISA. "As the bus says" is active high and edge there. */
	if (entry[2] == 0 && entry[3] < ACPI_ISA_IRQS)
		madt->isa[entry[3]] = (struct acpi_isa_irq){get32(entry + 4), (flags & 3) == 3,
							    (flags >> 2 & 3) == 3};
}

static void madt_lapic_address(struct acpi_madt *madt, const uint8_t *entry)
{
	madt->lapic_address = get64(entry + 4);
}

static const struct {
	uint8_t type, bytes;
	void (*handle)(struct acpi_madt *madt, const uint8_t *entry);
} madt_entries[] = {
	{0, 8,  madt_lapic	 },
	     {1, 12, madt_ioapic	},
	   {2, 10, madt_override	},
	{5, 12, madt_lapic_address},
	     {9, 16, madt_x2apic	},
};

static void handle_entry(struct acpi_madt *madt, const uint8_t *entry)
{
	for (size_t i = 0; i < sizeof(madt_entries) / sizeof(madt_entries[0]); i++)
		if (madt_entries[i].type == entry[0] && entry[1] >= madt_entries[i].bytes)
			madt_entries[i].handle(madt, entry);
}

bool acpi_parse_madt(const void *table, size_t bytes, struct acpi_madt *madt)
{
	const uint8_t *start = table;
	size_t at = HEADER_BYTES + 8;

	memset(madt, 0, sizeof(*madt));
	madt->has_8259 = true;
	for (uint32_t i = 0; i < ACPI_ISA_IRQS; i++)
		madt->isa[i].gsi = i;
	if (!table || bytes < at)
		return false;
	madt->lapic_address = get32(start + HEADER_BYTES);
	madt->has_8259 = (get32(start + HEADER_BYTES + 4) & 1) != 0;
	while (bytes - at >= 2) {
		size_t length = start[at + 1];

		if (length < 2 || length > bytes - at)
			return false;
		handle_entry(madt, start + at);
		at += length;
	}
	return true;
}

/* ---- power, section 4.8.3.2 ---- */

#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_TIMER	  76
#define FADT_TIMER_BYTES  91
#define FADT_FLAGS	  112
#define FADT_RESET_REG	  116
#define FADT_RESET_VALUE  128
#define FADT_RESET_BYTES  129
#define FLAG_RESET	  (1u << 10)

/* One small integer of an AML package: ZeroOp, OneOp, or BytePrefix and a byte. */
static size_t aml_integer(const uint8_t *at, size_t bytes, uint16_t *value)
{
	if (bytes >= 1 && at[0] <= 1) {
		*value = at[0];
		return 1;
	}
	if (bytes >= 2 && at[0] == 0x0a) {
		*value = at[1];
		return 2;
	}
	return 0;
}

/*
 * The object \_S5_ is, in every firmware seen, "Name (\_S5, Package () {a, b, ..})" in plain AML:
 * its name, a package opcode (0x12), a length of 1..4 bytes, a count, and the integers.
 */
static bool parse_s5(const uint8_t *aml, size_t bytes, struct acpi_power *power)
{
	for (size_t i = 0; i + 8 < bytes; i++) {
		if (memcmp(aml + i, "_S5_", 4) != 0 || aml[i + 4] != 0x12)
			continue;

		size_t at = i + 5 + (aml[i + 5] >> 6) + 2, used;

		if (at >= bytes)
			continue;
		used = aml_integer(aml + at, bytes - at, &power->sleep_type_a);
		if (used && aml_integer(aml + at + used, bytes - at - used, &power->sleep_type_b))
			return true;
	}
	return false;
}

bool acpi_parse_power(const void *fadt, size_t fadt_bytes, const void *dsdt, size_t dsdt_bytes,
		      struct acpi_power *power)
{
	const uint8_t *at = fadt;

	memset(power, 0, sizeof(*power));
	if (!fadt || fadt_bytes < FADT_FLAGS + 4)
		return false;
	power->pm1a_control = get16(at + FADT_PM1A_CONTROL);
	power->pm1b_control = get16(at + FADT_PM1B_CONTROL);
	if (at[FADT_TIMER_BYTES] == 4)
		power->timer_port = get16(at + FADT_TIMER);
	/* The reset register is usable when it is a port (space 1) of 16 bits. */
	if (fadt_bytes >= FADT_RESET_BYTES && (get32(at + FADT_FLAGS) & FLAG_RESET) &&
	    at[FADT_RESET_REG] == 1 && get64(at + FADT_RESET_REG + 4) <= UINT16_MAX) {
		power->reset_port = get16(at + FADT_RESET_REG + 4);
		power->reset_value = at[FADT_RESET_VALUE];
	}
	if (power->pm1a_control == 0 || !dsdt || dsdt_bytes < HEADER_BYTES)
		return false;
	return parse_s5((const uint8_t *)dsdt + HEADER_BYTES, dsdt_bytes - HEADER_BYTES, power);
}
