/*
 * The few ACPI tables that are needed: where the interrupt controllers are, how to switch off.
 * Everything that firmware says is bounded and checksummed before use.
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds the root table: what the loader gave, else the BIOS's places. After paging_init(). */
void acpi_init(void);

/*
 * The whole table with this signature ("APIC", "FACP"), checksum verified, mapped forever; NULL:
 * none. bytes: its length.
 */
const void *acpi_find(const char signature[4], uint32_t *bytes);

/* The DSDT that a FADT points at; the same rules. */
const void *acpi_find_dsdt(const void *fadt, uint32_t fadt_bytes, uint32_t *bytes);

/* ---- parsing, pure: for the kernel and its host tests ---- */

#define ACPI_IOAPICS_MAX 8
#define ACPI_CPUS_MAX	 64
#define ACPI_ISA_IRQS	 16

struct acpi_ioapic {
	uint32_t address; /* physical */
	uint32_t gsi_base;
	uint8_t id;
};

struct acpi_isa_irq {
	uint32_t gsi;
	bool active_low, level;
};

/* What the MADT ("APIC") says. */
struct acpi_madt {
	uint64_t lapic_address; /* physical */
	bool has_8259;
	struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
	size_t ioapic_count;
	struct acpi_isa_irq isa[ACPI_ISA_IRQS];
	uint32_t apic_ids[ACPI_CPUS_MAX]; /* of CPUs that can be used */
	size_t cpu_count;
};

/* Parses a whole table of `bytes` bytes. False: broken; *madt then holds what the ISA bus has by
 * itself (no IOAPIC, identity lines). */
bool acpi_parse_madt(const void *table, size_t bytes, struct acpi_madt *madt);

/* How to switch off by ACPI: the port of PM1a_CNT and the sleep type of S5. False: unknown. */
struct acpi_power {
	uint16_t pm1a_control, pm1b_control;
	uint16_t sleep_type_a, sleep_type_b;
	uint8_t reset_value;
	uint16_t reset_port; /* 0: none */
	uint16_t timer_port; /* the PM timer, 3.579545 MHz, 24 bits at least; 0: none */
};
bool acpi_parse_power(const void *fadt, size_t fadt_bytes, const void *dsdt, size_t dsdt_bytes,
		      struct acpi_power *power);

/* The sum of all bytes is 0. */
bool acpi_checksum(const void *data, size_t bytes);

#endif
