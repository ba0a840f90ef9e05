/*
 * ACPI tables: a MADT and an S5 object as firmware writes them, and broken ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/acpi.h>

#define HEADER 36

/* A MADT like that of QEMU's q35: two CPUs (one unusable), an IOAPIC, overrides of lines 0 and 9.
 */
static const uint8_t madt_body[] = {
	0x00, 0x00, 0xe0, 0xfe, 1,    0,    0,	  0, /* LAPIC address, flags: has 8259s */
	0,    8,    0,	  7,	1,    0,    0,	  0, /* CPU with APIC id 7 */
	0,    8,    1,	  9,	0,    0,    0,	  0, /* CPU that cannot be used */
	1,    12,   2,	  0,	0x00, 0x00, 0xc0, 0xfe, 0,    0, 0, 0, /* IOAPIC */
	2,    10,   0,	  0,	2,    0,    0,	  0,	0,    0,       /* ISA 0 is line 2 */
	2,    10,   0,	  9,	9,    0,    0,	  0,	0x0d, 0,       /* ISA 9: high, level */
	2,    10,   0,	  11,	11,   0,    0,	  0,	0x0f, 0,       /* ISA 11: low, level */
	2,    10,   0,	  200,	1,    0,    0,	  0,	0,    0,       /* no such ISA line */
	4,    6,    0xff, 0,	0,    1,			       /* not of interest */
	9,    16,   0,	  0,	0x34, 0x12, 0,	  0,	1,    0, 0, 0,
	0,    0,    0,	  0, /* CPU with x2APIC id 0x1234 */
};

static size_t make_madt(uint8_t *table)
{
	memset(table, 0, HEADER);
	memcpy(table, "APIC", 4);
	memcpy(table + HEADER, madt_body, sizeof(madt_body));
	return HEADER + sizeof(madt_body);
}

static void madt_is_read(void **state)
{
	uint8_t table[512];
	struct acpi_madt madt;

	(void)state;
	assert_true(acpi_parse_madt(table, make_madt(table), &madt));
	assert_int_equal(madt.lapic_address, 0xfee00000);
	assert_true(madt.has_8259);
	assert_int_equal(madt.cpu_count, 2);
	assert_int_equal(madt.apic_ids[0], 7);
	assert_int_equal(madt.apic_ids[1], 0x1234);
	assert_int_equal(madt.ioapic_count, 1);
	assert_int_equal(madt.ioapics[0].address, 0xfec00000);
	assert_int_equal(madt.isa[0].gsi, 2);
	assert_int_equal(madt.isa[4].gsi, 4);
	assert_false(madt.isa[4].level);
	assert_true(madt.isa[9].level && !madt.isa[9].active_low);
	assert_true(madt.isa[11].level && madt.isa[11].active_low);
}

/* Each truncation is copied to the end of a heap block, where ASan sees every over-read. */
static void every_madt_truncation_is_survived(void **state)
{
	uint8_t table[512];
	size_t bytes = make_madt(table);
	struct acpi_madt madt;

	(void)state;
	for (size_t cut = 0; cut < bytes; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, table, cut);
		(void)acpi_parse_madt(copy, cut, &madt);
		assert_int_equal(madt.isa[4].gsi, 4);
		free(copy);
	}
}

static void madt_entries_without_length_end_it(void **state)
{
	uint8_t table[512];
	size_t bytes = make_madt(table);
	struct acpi_madt madt;

	(void)state;
	table[HEADER + 8 + 1] = 0;
	assert_false(acpi_parse_madt(table, bytes, &madt));
	assert_int_equal(madt.cpu_count, 0);
	assert_false(acpi_parse_madt(NULL, 0, &madt));
}

/* An entry that is shorter than its kind needs, as the last thing before memory ends. */
static void short_madt_entries_are_left_out(void **state)
{
	static const uint8_t types[] = {0, 1, 2, 5, 9};
	struct acpi_madt madt;

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		size_t bytes = HEADER + 8 + 3;
		uint8_t *table = calloc(1, bytes);

		table[HEADER + 8] = types[i];
		table[HEADER + 9] = 3;
		assert_true(acpi_parse_madt(table, bytes, &madt));
		assert_int_equal(madt.cpu_count, 0);
		assert_int_equal(madt.ioapic_count, 0);
		free(table);
	}
}

static void more_of_everything_than_there_is_room_for(void **state)
{
	static uint8_t table[HEADER + 8 + 300 * 8 + 20 * 12];
	struct acpi_madt madt;
	uint8_t *at = table + HEADER + 8;

	(void)state;
	for (int i = 0; i < 300; i++, at += 8)
		memcpy(at, (uint8_t[]){0, 8, 0, (uint8_t)i, 1, 0, 0, 0}, 8);
	for (int i = 0; i < 20; i++, at += 12)
		memcpy(at, (uint8_t[]){1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12);
	assert_true(acpi_parse_madt(table, sizeof(table), &madt));
	assert_int_equal(madt.cpu_count, ACPI_CPUS_MAX);
	assert_int_equal(madt.ioapic_count, ACPI_IOAPICS_MAX);
}

static void make_fadt(uint8_t fadt[132])
{
	memset(fadt, 0, 132);
	fadt[64] = 0x04; /* PM1a control 0x604 */
	fadt[65] = 0x06;
	fadt[76] = 0x08; /* PM timer 0x608, 4 bytes */
	fadt[77] = 0x06;
	fadt[91] = 4;
	fadt[113] = 0x04; /* flags: reset register usable */
	fadt[116] = 1;	  /* a port */
	fadt[120] = 0xf9;
	fadt[121] = 0x0c;
	fadt[128] = 0x0f;
}

static void power_is_read(void **state)
{
	/* Name (\_S5, Package (4) {5, 5, 0, 0}), after other code. */
	static const uint8_t dsdt[HEADER + 24] = {[HEADER] = 0x10,
						  0x20,
						  0x08,
						  '_',
						  'S',
						  '5',
						  '_',
						  0x12,
						  0x08,
						  0x04,
						  0x0a,
						  0x05,
						  0x0a,
						  0x05,
						  0x00,
						  0x00};
	uint8_t fadt[132];
	struct acpi_power power;

	(void)state;
	make_fadt(fadt);
	assert_true(acpi_parse_power(fadt, sizeof(fadt), dsdt, sizeof(dsdt), &power));
	assert_int_equal(power.pm1a_control, 0x604);
	assert_int_equal(power.sleep_type_a, 5);
	assert_int_equal(power.timer_port, 0x608);
	assert_int_equal(power.sleep_type_b, 5);
	assert_int_equal(power.reset_port, 0xcf9);
	assert_int_equal(power.reset_value, 0x0f);
}

static void power_without_s5_is_unknown(void **state)
{
	static const uint8_t dsdt[HEADER + 8] = {0};
	uint8_t fadt[132];
	struct acpi_power power;

	(void)state;
	make_fadt(fadt);
	assert_false(acpi_parse_power(fadt, sizeof(fadt), dsdt, sizeof(dsdt), &power));
	assert_false(acpi_parse_power(NULL, 0, NULL, 0, &power));
	assert_false(acpi_parse_power(fadt, 20, dsdt, sizeof(dsdt), &power));
	assert_int_equal(power.reset_port, 0);
}

static void every_dsdt_truncation_is_survived(void **state)
{
	static const uint8_t dsdt[] = {'_', 'S', '5', '_',  0x12, 0xc8, 1,
				       1,   1,	 4,   0x0a, 5,	  0x0a, 5};
	uint8_t fadt[132];
	struct acpi_power power;

	(void)state;
	make_fadt(fadt);
	for (size_t cut = 0; cut <= sizeof(dsdt); cut++) {
		uint8_t *copy = calloc(1, HEADER + cut);

		memcpy(copy + HEADER, dsdt, cut);
		bool whole = acpi_parse_power(fadt, sizeof(fadt), copy, HEADER + cut, &power);
		assert_int_equal(whole, cut == sizeof(dsdt));
		free(copy);
	}
}

static void every_fadt_truncation_is_survived(void **state)
{
	static const uint8_t dsdt[HEADER + 14] = {[HEADER] = '_', 'S', '5', '_', 0x12, 6, 4, 0, 0};
	uint8_t fadt[132];
	struct acpi_power power;

	(void)state;
	make_fadt(fadt);
	for (size_t cut = 0; cut <= sizeof(fadt); cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, fadt, cut);
		bool known = acpi_parse_power(copy, cut, dsdt, sizeof(dsdt), &power);
		assert_int_equal(known, cut >= 116);
		assert_int_equal(power.reset_port, cut >= 129 ? 0xcf9 : 0);
		free(copy);
	}
}

static void checksums_are_sums(void **state)
{
	static const uint8_t good[] = {1, 2, 253}, bad[] = {1, 2, 3};

	(void)state;
	assert_true(acpi_checksum(good, sizeof(good)));
	assert_false(acpi_checksum(bad, sizeof(bad)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(madt_is_read),
		cmocka_unit_test(every_madt_truncation_is_survived),
		cmocka_unit_test(madt_entries_without_length_end_it),
		cmocka_unit_test(more_of_everything_than_there_is_room_for),
		cmocka_unit_test(power_is_read),
		cmocka_unit_test(power_without_s5_is_unknown),
		cmocka_unit_test(every_dsdt_truncation_is_survived),
		cmocka_unit_test(every_fadt_truncation_is_survived),
		cmocka_unit_test(short_madt_entries_are_left_out),
		cmocka_unit_test(checksums_are_sums),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
