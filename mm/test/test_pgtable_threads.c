// test_pgtable_threads.c: changes and looks at the same tables from many threads,
// under ThreadSanitizer. Everything that is ever mapped obeys one rule (see
// pa_of), so that those who look can tell a wrong answer from a late one.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "pt.h"
#include "pt_rig.h"
#include "pt_rig_host.h"

#define PAGE  PAGE_4K_SIZE
#define M2    PAGE_2M_SIZE
#define G1    PAGE_1G_SIZE
#define ROUND 3000
#define KVA   0xffffa00040000000ul
#define WORDS 0xffff800000000000ul

static uint32_t shared_space;
static bool over;

// What the test maps at va; boot mappings are left alone.
static uint64_t pa_of(uint64_t va)
{
	return va & (8 * G1 - 1);
}

static bool is_ours(uint64_t va)
{
	return (va >= G1 && va < WORDS) || (va >= KVA - G1 && va < KVA + 64 * G1);
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
	return *x >> 11;
}

// Maps and unmaps in a window of its own, in tables that others use too.
static void change(uint32_t space, uint64_t base, uint64_t seed)
{
	for (unsigned i = 0; i < ROUND; i++) {
		uint64_t va = base + next(&seed) % 64 * PAGE, length = next(&seed) % (80 * PAGE);
		struct mm_map_request map = {
			.space = space,
			.va = mm_va(va),
			.pa = mm_pa(pa_of(va)),
			.length = next(&seed) % 16 ? length + 1 : 20 * M2,
			.flags = 1ul << PAGE_R_W,
			.flush = true,
		};
		struct mm_unmap_request unmap = {.space = space, .va = map.va, .length = length};
		enum mm_status status = mm_map_ex(&map, NULL);

		rig_expect(status == MM_OK || status == MM_ERR_MAPPED, "map: %s",
			   mm_status_name(status));
		if (next(&seed) % 2)
			rig_expect(mm_unmap_ex(&unmap, NULL) == MM_OK, "unmap");
		unmap.va = mm_va(base);
		unmap.length = 32 * M2;
		if (next(&seed) % 4 == 0)
			rig_expect(mm_unmap_ex(&unmap, NULL) == MM_OK, "unmap all");
	}
}

static void *changer(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;

	host_cpu_use(number);
	change(number & 1 ? shared_space : MM_SPACE_KERNEL,
	       (number & 1 ? G1 : KVA) + number * 32 * M2, number + 77);
	return NULL;
}

static void *maker(void *argument)
{
	host_cpu_use((unsigned)(uintptr_t)argument);
	for (unsigned i = 0; i < ROUND / 8; i++) {
		struct mm_map_request map = {.va = mm_va(3 * G1),
					     .pa = mm_pa(pa_of(3 * G1)),
					     .length = M2 + PAGE,
					     .flags = 1ul << PAGE_R_W};

		rig_expect(mm_space_create("short-lived", &map.space, NULL) == MM_OK, "create");
		rig_expect(mm_map_ex(&map, NULL) == MM_OK, "map");
		rig_expect(mm_space_destroy(map.space, NULL) == MM_OK, "destroy");
	}
	return NULL;
}

static void look_at_space(uint32_t space)
{
	struct mm_mapping_filter filter = {space, mm_va(0), mm_va(UINT64_MAX), false};
	struct mm_cursor cursor = {0};
	struct mm_mapping run[5];
	enum mm_visit verdict;
	uint64_t end = 0;
	size_t count;

	do {
		verdict = mm_visit_mappings(&cursor, &filter, run, 5, &count);
		for (size_t i = 0; i < count; i++) {
			rig_expect(run[i].va.value >= end, "runs out of order");
			end = run[i].va.value + run[i].length;
			rig_expect(!is_ours(run[i].va.value) ||
					   (run[i].pa.value == pa_of(run[i].va.value) &&
					    run[i].flags == 1ul << PAGE_R_W),
				   "%lx is mapped to %lx", run[i].va.value, run[i].pa.value);
		}
	} while (verdict != MM_VISIT_END);
}

static void look_once(uint64_t *seed)
{
	struct mm_cursor cursor = {0}, spaces = {0};
	struct mm_space_info info;
	struct mm_translation is;
	struct mm_rmap found[4];
	enum mm_visit verdict;
	size_t count;

	while (mm_visit_spaces(&spaces, &info) == MM_VISIT_ITEM)
		look_at_space(info.id);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t va = (i & 1 ? G1 : KVA) + next(seed) % (200 * M2);

		if (mm_translate(shared_space, mm_va(va), &is) == MM_OK && is.mapped)
			rig_expect(is.pa.value == pa_of(va), "%lx translates to %lx", va,
				   is.pa.value);
	}
	do {
		verdict = mm_visit_rmap(&cursor, mm_pa(G1), 64 * M2, found, 4, &count);
		for (size_t i = 0; i < count; i++)
			rig_expect(!is_ours(found[i].va.value) ||
					   found[i].pa.value == pa_of(found[i].va.value),
				   "rmap of %lx", found[i].pa.value);
	} while (verdict != MM_VISIT_END);
}

static void *looker(void *argument)
{
	uint64_t seed = (uintptr_t)argument + 1;

	host_cpu_use((unsigned)(uintptr_t)argument);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		look_once(&seed);
	return NULL;
}

static void fault(const char *text, void *context)
{
	(void)context;
	rig_fail("mm_check: %s", text);
}

static void *checker(void *argument)
{
	host_cpu_use((unsigned)(uintptr_t)argument);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		mm_checker_t check = {.fault = fault};

		mm_check_tables(&check);
		rig_expect(check.report.tables > 9, "the boot has 9 tables");
	}
	return NULL;
}

// A CPU was stopped, by a panic or a debugger, while it held the locks: whoever
// looks must still get answers.
static void looking_at_a_stopped_machine(void **state)
{
	struct mm_translation is;
	struct mm_space_info info;
	uint64_t seed = 1;

	(void)state;
	rig_start((struct rig_options){0});
	assert_int_equal(mm_map_phys_addr(G1, pa_of(G1), 70 * PAGE, 1ul << PAGE_R_W, true), 0);
	assert_int_equal(mm_space_create("shared", &shared_space, NULL), MM_OK);
	mm_lock(&mm_kernel_space.lock);
	mm_lock(&mm_spaces.lock);
	assert_int_equal(mm_translate(MM_SPACE_KERNEL, mm_va(G1 + 5), &is), MM_OK);
	assert_true(is.mapped && is.pa.value == pa_of(G1 + 5));
	assert_int_equal(mm_space_info(shared_space, &info), MM_OK);
	look_once(&seed);
	// A table pointer that is being written: memory that is no table is not entered.
	*(uint64_t *)host_virt(8 * M2) = G1 | 3;
	*rig_entry(rig_root(0), G1, 2) = 8 * M2 | 3;
	assert_int_equal(mm_translate(MM_SPACE_KERNEL, mm_va(G1), &is), MM_OK);
	assert_false(is.mapped);
	mm_unlock(&mm_kernel_space.lock);
	mm_unlock(&mm_spaces.lock);
	rig_stop();
}

static void changes_and_looks_together(void **state)
{
	void *(*const roles[])(void *) = {changer, changer, changer, changer,
					  maker,   looker,  looker,  checker};
	pthread_t thread[8];

	(void)state;
	rig_start((struct rig_options){.memory_bytes = 256 * MIB});
	host_tlb_hook = NULL;
	for (unsigned cpu = 9; cpu--;)
		host_cpu_use(cpu); // brings them up one after the other
	assert_int_equal(mm_space_create("shared", &shared_space, NULL), MM_OK);
	for (uintptr_t i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, roles[i], (void *)(i + 1));
	for (unsigned i = 0; i < 8; i++) {
		if (i == 5)
			__atomic_store_n(&over, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
	}
	mm_unmap_addr(KVA, 6 * 32 * M2);
	assert_int_equal(mm_space_destroy(shared_space, NULL), MM_OK);
	rig_host_check();
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_and_looks_together),
		cmocka_unit_test(looking_at_a_stopped_machine),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
