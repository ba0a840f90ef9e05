/*
 * The memory map: directed cases, and random ranges against a model of one byte per unit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/memmap.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct memmap map;

static int fresh(void **state)
{
	(void)state;
	memset(&map, 0xa5, sizeof(map));
	memmap_init(&map);
	return 0;
}

static void expect_sound(void)
{
	const char *fault = memmap_check(&map);

	if (fault)
		fail_msg("memmap_check: %s", fault);
}

static void expect_region(size_t i, uint64_t start, uint64_t end, enum memmap_kind kind)
{
	assert_true(i < map.count);
	assert_int_equal(map.regions[i].start, start);
	assert_int_equal(map.regions[i].end, end);
	assert_int_equal(map.regions[i].kind, kind);
}

static void empty_map_is_one_hole(void **state)
{
	(void)state;
	struct memmap_region all = memmap_at(&map, 0);

	assert_int_equal(all.kind, MEMMAP_HOLE);
	assert_int_equal(all.start, 0);
	assert_true(all.end == UINT64_MAX);
	assert_true(memmap_find(&map, 1, 1, 0, UINT64_MAX) == UINT64_MAX);
}

static void unsorted_ranges_are_sorted_and_joined(void **state)
{
	(void)state;
	memmap_add(&map, 4 * MIB, MIB, MEMMAP_USABLE);
	memmap_add(&map, 1 * MIB, MIB, MEMMAP_USABLE);
	memmap_add(&map, 3 * MIB, MIB, MEMMAP_USABLE);
	memmap_add(&map, 2 * MIB, MIB, MEMMAP_USABLE);
	assert_int_equal(map.count, 1);
	expect_region(0, MIB, 5 * MIB, MEMMAP_USABLE);
	expect_sound();
}

static void the_more_careful_word_holds(void **state)
{
	(void)state;
	memmap_add(&map, 0, 10 * MIB, MEMMAP_RESERVED);
	memmap_add(&map, 5 * MIB, 10 * MIB, MEMMAP_USABLE);
	memmap_add(&map, 12 * MIB, MIB, MEMMAP_RESERVED);
	assert_int_equal(map.count, 4);
	expect_region(0, 0, 10 * MIB, MEMMAP_RESERVED);
	expect_region(1, 10 * MIB, 12 * MIB, MEMMAP_USABLE);
	expect_region(2, 12 * MIB, 13 * MIB, MEMMAP_RESERVED);
	expect_region(3, 13 * MIB, 15 * MIB, MEMMAP_USABLE);
	expect_sound();
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	assert_false(memmap_add(&map, MIB, 0, MEMMAP_USABLE));
	assert_false(memmap_add(&map, UINT64_MAX - MIB, 2 * MIB, MEMMAP_USABLE));
	assert_false(memmap_add(&map, MIB, MIB, MEMMAP_HOLE));
	assert_int_equal(map.refused, 3);
	assert_int_equal(map.count, 0);
	/* Reserved memory that wraps is reserved up to the end. */
	assert_true(memmap_add(&map, UINT64_MAX - MIB, 2 * MIB, MEMMAP_RESERVED));
	expect_region(0, UINT64_MAX - MIB, UINT64_MAX, MEMMAP_RESERVED);
	expect_sound();
}

static void claims_take_only_usable_memory(void **state)
{
	(void)state;
	memmap_add(&map, MIB, 4 * MIB, MEMMAP_USABLE);
	memmap_add(&map, 3 * MIB, MIB, MEMMAP_RESERVED);
	memmap_claim(&map, 0, 10 * MIB);
	assert_int_equal(map.count, 3);
	expect_region(0, MIB, 3 * MIB, MEMMAP_KERNEL);
	expect_region(1, 3 * MIB, 4 * MIB, MEMMAP_RESERVED);
	expect_region(2, 4 * MIB, 5 * MIB, MEMMAP_KERNEL);
	expect_sound();
}

static void limit_cuts(void **state)
{
	(void)state;
	memmap_add(&map, 0, 4 * GIB, MEMMAP_USABLE);
	memmap_add(&map, 8 * GIB, GIB, MEMMAP_USABLE);
	memmap_limit(&map, 3 * GIB);
	assert_int_equal(map.count, 1);
	expect_region(0, 0, 3 * GIB, MEMMAP_USABLE);
	memmap_limit(&map, 0);
	assert_int_equal(map.count, 0);
}

static void every_byte_is_accounted_for(void **state)
{
	(void)state;
	memmap_add(&map, 0, 640 * 1024, MEMMAP_USABLE);
	memmap_add(&map, 0xf0000, 0x10000, MEMMAP_RESERVED);
	memmap_add(&map, MIB, 2 * GIB - MIB, MEMMAP_USABLE);
	memmap_add(&map, 1024 * GIB, 1024 * GIB, MEMMAP_USABLE);

	uint64_t sum = 0, limit = 3000 * GIB;

	for (int kind = 0; kind < MEMMAP_KINDS; kind++)
		sum += memmap_bytes(&map, (enum memmap_kind)kind, limit);
	assert_true(sum == limit);
	assert_true(memmap_end(&map, MEMMAP_USABLE) == 2048 * GIB);
	assert_true(memmap_bytes(&map, MEMMAP_USABLE, UINT64_MAX) ==
		    640 * 1024 + 2 * GIB - MIB + 1024 * GIB);
}

static void find_aligns_and_stays_inside(void **state)
{
	(void)state;
	memmap_add(&map, 3 * MIB, MIB, MEMMAP_USABLE);
	memmap_add(&map, 5 * MIB, 10 * MIB, MEMMAP_USABLE);
	assert_true(memmap_find(&map, 2 * MIB, 2 * MIB, 0, UINT64_MAX) == 6 * MIB);
	assert_true(memmap_find(&map, MIB, MIB, 0, UINT64_MAX) == 3 * MIB);
	assert_true(memmap_find(&map, 2 * MIB, 2 * MIB, 0, 8 * MIB - 1) == UINT64_MAX);
	assert_true(memmap_find(&map, 4096, 4096, 14 * MIB, UINT64_MAX) == 14 * MIB);
	assert_true(memmap_find(&map, 1, 1, 15 * MIB, UINT64_MAX) == UINT64_MAX);
	/* Rounding up must not pass the end of the address space. */
	memmap_add(&map, UINT64_MAX - 8191, 4096, MEMMAP_USABLE);
	assert_true(memmap_find(&map, 4096, 2 * MIB, 16 * MIB, UINT64_MAX) == UINT64_MAX);
	assert_true(memmap_find(&map, 4096, 4096, 16 * MIB, UINT64_MAX) == UINT64_MAX - 8191);
}

static void a_full_map_gives_up_usable_memory_never_reserved(void **state)
{
	(void)state;
	uint64_t usable = 0;

	for (uint64_t i = 0; i < 2000; i++) {
		memmap_add(&map, i * 8 * MIB, (1 + i % 3) * MIB, MEMMAP_USABLE);
		memmap_add(&map, i * 8 * MIB + 4 * MIB, MIB, MEMMAP_RESERVED);
		usable += (1 + i % 3) * MIB;
		expect_sound();
	}
	for (uint64_t i = 0; i < 2000; i++)
		assert_int_equal(memmap_at(&map, i * 8 * MIB + 4 * MIB).kind, MEMMAP_RESERVED);
	assert_true(map.sacrificed_bytes > 0);
	assert_true(memmap_bytes(&map, MEMMAP_USABLE, UINT64_MAX) <= usable);
	assert_true(memmap_bytes(&map, MEMMAP_USABLE, UINT64_MAX) > 0);
}

#define UNITS 256

static void compare_with_model(const unsigned char *model, unsigned seed)
{
	for (uint64_t unit = 0; unit < UNITS; unit++) {
		enum memmap_kind kind = memmap_at(&map, unit * 4096 + 17).kind;

		if (kind != model[unit])
			fail_msg("seed %u, unit %u: %s, expected %s", seed, (unsigned)unit,
				 memmap_kind_name(kind),
				 memmap_kind_name((enum memmap_kind)model[unit]));
	}
}

static void random_step(unsigned char *model, unsigned *seed)
{
	uint64_t start = (uint64_t)(rand_r(seed) % UNITS);
	uint64_t units = (uint64_t)(rand_r(seed) % 40);
	enum memmap_kind kind = (enum memmap_kind)(1 + rand_r(seed) % 3);
	bool claim = rand_r(seed) % 4 == 0;

	if (claim)
		memmap_claim(&map, start * 4096, units * 4096);
	else
		memmap_add(&map, start * 4096, units * 4096, kind);
	for (uint64_t i = start; i < start + units && i < UNITS; i++) {
		if (claim && model[i] == MEMMAP_USABLE)
			model[i] = MEMMAP_KERNEL;
		if (!claim && model[i] < kind)
			model[i] = (unsigned char)kind;
	}
}

static void random_ranges_agree_with_a_model(void **state)
{
	(void)state;
	for (unsigned run = 1; run <= 300; run++) {
		unsigned char model[UNITS] = {0};
		unsigned seed = run;

		memmap_init(&map);
		for (int step = 0; step < 60; step++) {
			random_step(model, &seed);
			expect_sound();
		}
		compare_with_model(model, run);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty_map_is_one_hole, fresh),
		cmocka_unit_test_setup(unsorted_ranges_are_sorted_and_joined, fresh),
		cmocka_unit_test_setup(the_more_careful_word_holds, fresh),
		cmocka_unit_test_setup(nonsense_is_refused, fresh),
		cmocka_unit_test_setup(claims_take_only_usable_memory, fresh),
		cmocka_unit_test_setup(limit_cuts, fresh),
		cmocka_unit_test_setup(every_byte_is_accounted_for, fresh),
		cmocka_unit_test_setup(find_aligns_and_stays_inside, fresh),
		cmocka_unit_test_setup(a_full_map_gives_up_usable_memory_never_reserved, fresh),
		cmocka_unit_test_setup(random_ranges_agree_with_a_model, fresh),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
