// mm on its second port: allocates, maps and frees, and is whole afterwards.
#include "mm_port.h"

#include <mm/check.h>
#include <mm/pgtable.h>
#include <mm/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void print_fault(const char *text, void *context)
{
	(void)context;
	fprintf(stderr, "# mm_check: %s\n", text);
}

static void assert_whole(void)
{
	struct mm_check_report report = mm_check(print_fault, NULL);

	assert_true(report.frames > 0);
	assert_int_equal(report.faults, 0);
}

static void test_frames(void **state)
{
	struct mm_stat_t before = mm_stat(), during;
	struct Page *page = alloc_pages(ZONE_NORMAL, 3, PAGE_KERNEL);

	(void)state;
	assert_non_null(page);
	during = mm_stat();
	assert_int_equal(during.used, before.used + 3 * PAGE_2M_SIZE);
	memset(mm_ptr(mm_page_to_virt(page)), 0x5a, 3 * PAGE_2M_SIZE);
	assert_whole();
	free_pages(page, 3);
	assert_int_equal(mm_stat().free, before.free);
	assert_whole();
}

static void test_objects(void **state)
{
	static uint8_t *object[500];

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		object[i] = kmalloc(1 + i * 7, 0);
		assert_non_null(object[i]);
		memset(object[i], (int)i, 1 + i * 7);
	}
	assert_whole();
	for (size_t i = 0; i < 500; i++) {
		for (size_t k = 0; k < 1 + i * 7; k++)
			assert_int_equal(object[i][k], (uint8_t)i);
		assert_int_equal(kfree(object[i]), 0);
	}
	assert_whole();
}

static void test_mappings(void **state)
{
	const uint64_t va = MM_DEVICE_WINDOW + 0x3000, pa = 0x200000, bytes = 5 * PAGE_4K_SIZE;
	struct mm_translation found;
	unsigned flushes = port_flushes;

	(void)state;
	assert_int_equal(mm_map_phys_addr(va, pa, bytes, PAGE_KERNEL_4K_PAGE, true), 0);
	assert_whole();
	assert_int_equal(mm_translate(MM_SPACE_KERNEL, mm_va(va + 0x4123), &found), MM_OK);
	assert_true(found.mapped);
	assert_int_equal(found.pa.value, pa + 0x4123);
	assert_int_equal(found.page_bytes, PAGE_4K_SIZE);
	// Two unlike mappings of one page are refused, and nothing changes.
	assert_true(mm_map_phys_addr(va, pa + PAGE_2M_SIZE, bytes, 3, true) < 0);
	mm_unmap_addr(va, bytes);
	assert_true(port_flushes > flushes);
	assert_int_equal(mm_translate(MM_SPACE_KERNEL, mm_va(va), &found), MM_OK);
	assert_false(found.mapped);
	assert_whole();
}

static int start(void **state)
{
	enum mm_status status = port_start();

	(void)state;
	if (status != MM_OK)
		fprintf(stderr, "# start: %s\n", mm_status_text(status));
	return status != MM_OK;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_mappings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, NULL);
}
