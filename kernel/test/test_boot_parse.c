/*
 * The loaders' structures: good ones are read, broken ones are noted and never over-read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/boot.h>

#define MIB (UINT64_C(1) << 20)

/* "Physical memory": what is outside of it cannot be read. */
#define MEMORY_START 0x1000u
static uint8_t memory[0x8000];
static struct boot_info info;

static bool read_memory(void *dst, uint64_t phys, size_t bytes, void *context)
{
	(void)context;
	if (phys < MEMORY_START || phys - MEMORY_START > sizeof(memory) ||
	    bytes > sizeof(memory) - (phys - MEMORY_START))
		return false;
	memcpy(dst, memory + (phys - MEMORY_START), bytes);
	return true;
}

static int fresh(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memset(&info, 0, sizeof(info));
	memmap_init(&info.memmap);
	return 0;
}

static void *at(uint64_t phys)
{
	return memory + (phys - MEMORY_START);
}

static bool has_fault(const char *part)
{
	for (uint32_t i = 0; i < info.fault_count; i++)
		if (strstr(info.faults[i], part))
			return true;
	return false;
}

/* ---- PVH ---- */

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modules_phys, cmdline, rsdp, memmap;
	uint32_t entries, reserved;
};

struct entry {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

static struct start_info *good_pvh(void)
{
	static const struct entry entries[] = {
		{MIB,      63 * MIB, 1, 0},
		{0,	    0x9fc00,  1, 0},
		{0xf0000,  0x10000,  2, 0},
		{32 * MIB, MIB,	3, 0},
	};
	struct start_info *start = at(0x1000);

	*start = (struct start_info){.magic = 0x336ec578,
				     .version = 1,
				     .cmdline = 0x2000,
				     .rsdp = 0xf5a10,
				     .memmap = 0x3000,
				     .entries = 4};
	strcpy(at(0x2000), "panic=exit\tloglevel=3");
	memcpy(at(0x3000), entries, sizeof(entries));
	return start;
}

static void pvh_is_read(void **state)
{
	(void)state;
	good_pvh();
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_int_equal(info.fault_count, 0);
	assert_string_equal(info.loader, "PVH");
	assert_string_equal(info.cmdline, "panic=exit loglevel=3");
	assert_int_equal(info.rsdp_phys, 0xf5a10);
	assert_int_equal(memmap_bytes(&info.memmap, MEMMAP_USABLE, UINT64_MAX), 62 * MIB + 0x9fc00);
	assert_int_equal(memmap_at(&info.memmap, 32 * MIB).kind, MEMMAP_RESERVED);
}

static void pvh_wrong_magic_is_refused(void **state)
{
	(void)state;
	good_pvh()->magic++;
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("magic"));
	assert_int_equal(info.memmap.count, 0);
}

static void pvh_version_0_has_no_map(void **state)
{
	(void)state;
	good_pvh()->version = 0;
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("version 0"));
	assert_string_equal(info.cmdline, "panic=exit loglevel=3");
}

static void a_map_outside_of_memory_is_not_believed(void **state)
{
	(void)state;
	uint64_t last = MEMORY_START + sizeof(memory) - 30;

	good_pvh()->memmap = last;
	/* One good entry, and then the end of memory. */
	memcpy(at(last), at(0x3000), 24);
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("outside"));
	assert_int_equal(info.memmap.count, 0);
}

static void a_map_without_end_is_not_believed(void **state)
{
	(void)state;
	good_pvh()->entries = 0xffffffff;
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("65536"));
	assert_int_equal(info.memmap.count, 0);
}

static void a_long_command_line_is_cut_and_said(void **state)
{
	(void)state;
	good_pvh();
	memset(at(0x2000), 'a', 0x1000);
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
	assert_true(has_fault("4095"));
}

static void the_longest_command_line_is_whole(void **state)
{
	(void)state;
	good_pvh();
	memset(at(0x2000), 'a', BOOT_CMDLINE_MAX - 1);
	*(char *)at(0x2000 + BOOT_CMDLINE_MAX - 1) = '\0';
	/* The map begins where the text ends: keep it whole. */
	((struct start_info *)at(0x1000))->memmap = 0x4000;
	boot_parse_pvh(&info, 0x1000, read_memory, NULL);
	assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
	assert_false(has_fault("4095"));
}

/* ---- Multiboot2 ---- */

static uint64_t mb_end;

static void mb_begin(void)
{
	mb_end = 0x1008;
}

static void mb_tag(uint32_t type, const void *body, uint32_t bytes)
{
	uint32_t head[2] = {type, bytes + 8};

	memcpy(at(mb_end), head, sizeof(head));
	memcpy(at(mb_end + 8), body, bytes);
	mb_end += (bytes + 8 + 7) & ~7u;
}

static void mb_finish(void)
{
	mb_tag(0, "", 0);

	uint32_t total = (uint32_t)(mb_end - 0x1000);

	memcpy(at(0x1000), &total, sizeof(total));
}

struct mb_map {
	uint32_t entry_bytes, version;
	struct entry entries[2];
};

static const struct mb_map two_entries = {
	24, 0, {{0, 0xa0000, 1, 0}, {MIB, 15 * MIB, 1, 0}}
};

static void multiboot2_is_read(void **state)
{
	uint8_t rsdp_old[20] = "old", rsdp_new[36] = "new";

	(void)state;
	mb_begin();
	mb_tag(1, "selftest", 9);
	mb_tag(2, "GRUB 2.06", 10);
	mb_tag(15, rsdp_new, sizeof(rsdp_new));
	mb_tag(14, rsdp_old, sizeof(rsdp_old));
	mb_tag(6, &two_entries, sizeof(two_entries));
	mb_tag(9999, "unknown", 8);
	mb_finish();
	boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
	assert_int_equal(info.fault_count, 0);
	assert_string_equal(info.cmdline, "selftest");
	assert_string_equal(info.loader, "GRUB 2.06");
	assert_int_equal(info.rsdp_bytes, 36);
	assert_string_equal((char *)info.rsdp, "new");
	assert_int_equal(memmap_bytes(&info.memmap, MEMMAP_USABLE, UINT64_MAX), 15 * MIB + 0xa0000);
}

static void multiboot2_longer_entries_are_stepped_over(void **state)
{
	struct {
		uint32_t entry_bytes, version;
		struct {
			struct entry entry;
			uint64_t more;
		} entries[2];
	} map = {
		32, 0, {{{MIB, MIB, 1, 0}, ~UINT64_C(0)}, {{4 * MIB, MIB, 1, 0}, ~UINT64_C(0)}}
	       };

	(void)state;
	mb_begin();
	mb_tag(6, &map, sizeof(map));
	mb_finish();
	boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
	assert_int_equal(info.memmap.count, 2);
}

static void multiboot2_sizes_stand_in_for_a_map(void **state)
{
	uint32_t kib[2] = {639, 64 * 1024};

	(void)state;
	mb_begin();
	mb_tag(4, kib, sizeof(kib));
	mb_finish();
	boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("no memory map"));
	assert_int_equal(memmap_bytes(&info.memmap, MEMMAP_USABLE, UINT64_MAX),
			 639 * 1024 + 64 * MIB);
}

static void multiboot2_small_entries_are_refused(void **state)
{
	struct mb_map map = two_entries;

	(void)state;
	map.entry_bytes = 0;
	mb_begin();
	mb_tag(6, &map, sizeof(map));
	mb_finish();
	boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
	assert_true(has_fault("20 bytes"));
	assert_int_equal(info.memmap.count, 0);
}

static void multiboot2_broken_tags_end_it(void **state)
{
	static const uint32_t sizes[] = {0, 7, 0x7fffffff, 0xffffffff, 0xfffffff9};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t head[2] = {1, sizes[i]};

		fresh(NULL);
		mb_begin();
		mb_tag(6, &two_entries, sizeof(two_entries));
		memcpy(at(mb_end), head, sizeof(head));
		mb_end += 8;
		mb_finish();
		boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
		assert_true(has_fault("broken tag"));
		/* What was good before it is kept. */
		assert_int_equal(info.memmap.count, 2);
	}
}

static void multiboot2_impossible_totals_are_refused(void **state)
{
	static const uint32_t totals[] = {0, 8, 15, 0x7fffffff, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		fresh(NULL);
		memcpy(at(0x1000), &totals[i], 4);
		boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
		assert_int_equal(info.fault_count, 1);
		assert_true(has_fault("impossible size"));
	}
}

static void every_truncation_is_survived(void **state)
{
	(void)state;
	for (uint32_t total = 0; total < 200; total++) {
		fresh(NULL);
		mb_begin();
		mb_tag(1, "selftest", 9);
		mb_tag(6, &two_entries, sizeof(two_entries));
		mb_finish();
		memcpy(at(0x1000), &total, 4);
		boot_parse_multiboot2(&info, 0x1000, read_memory, NULL);
		assert_null(memmap_check(&info.memmap));
		if (total < mb_end - 0x1000)
			assert_true(info.fault_count > 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pvh_is_read, fresh),
		cmocka_unit_test_setup(pvh_wrong_magic_is_refused, fresh),
		cmocka_unit_test_setup(pvh_version_0_has_no_map, fresh),
		cmocka_unit_test_setup(a_map_outside_of_memory_is_not_believed, fresh),
		cmocka_unit_test_setup(a_map_without_end_is_not_believed, fresh),
		cmocka_unit_test_setup(a_long_command_line_is_cut_and_said, fresh),
		cmocka_unit_test_setup(the_longest_command_line_is_whole, fresh),
		cmocka_unit_test_setup(multiboot2_is_read, fresh),
		cmocka_unit_test_setup(multiboot2_longer_entries_are_stepped_over, fresh),
		cmocka_unit_test_setup(multiboot2_sizes_stand_in_for_a_map, fresh),
		cmocka_unit_test_setup(multiboot2_small_entries_are_refused, fresh),
		cmocka_unit_test_setup(multiboot2_broken_tags_end_it, fresh),
		cmocka_unit_test_setup(multiboot2_impossible_totals_are_refused, fresh),
		cmocka_unit_test_setup(every_truncation_is_survived, fresh),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("boot_parse", tests, NULL, NULL);
}
