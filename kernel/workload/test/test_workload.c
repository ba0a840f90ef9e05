/*
 * Every program runs on the host's mm with a clock of its own, through its default parameters, its
 * extremes and random ones, and must leave memory as it found it (leak: less what it forgot).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <kernel/workload.h>
#include <mm/check.h>
#include <mm/hooks.h>
#include <mm/init.h>
#include <mm/port.h>
#include <mm/slab.h>
#include <mm/space.h>

/* mm/test/port/port_host.c */
void host_cpu_use(unsigned cpu);

#define MIB	     (1ull << 20)
#define MEMORY_BYTES (384 * MIB)
#define DIRECT_BYTES (256 * MIB) /* above it lies ZONE_UNMAPPED_IN_PGT */
#define IMAGE_PHYS   (16 * MIB)

static void start_mm(void)
{
	struct mm_region regions[] = {
		{0,	    MEMORY_BYTES, MM_REGION_USABLE},
		{IMAGE_PHYS, 2 * MIB,      MM_REGION_IN_USE},
	};
	size_t reserve = DIRECT_BYTES + (1ull << 30);
	uintptr_t raw = (uintptr_t)mmap(NULL, reserve, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mm_config config = {
		.regions = regions,
		.region_count = 2,
		.direct_limit = DIRECT_BYTES,
		.dma_limit = 16 * MIB,
		.phys_limit = 1ull << 46,
		.cpu_limit = 1,
		.has_1g_pages = true,
		.has_nx = true,
		.memory_is_zero = true,
	};

	assert_int_not_equal(raw, (uintptr_t)MAP_FAILED);
	config.direct_base = mm_va((raw + (1ull << 30) - 1) & ~((1ull << 30) - 1));
	assert_int_equal(mm_init(&config), MM_OK);
	host_cpu_use(0);
	/* An empty table in the image serves as the one that start-up code made. */
	mm_port_root_set(mm_pa(IMAGE_PHYS));
	assert_int_equal(mm_space_adopt_kernel(mm_pa(IMAGE_PHYS)), MM_OK);
}

/* ---- a world with a clock that only moves when somebody looks or sleeps
 * --------------------------- */

struct world {
	struct workload_env env;
	uint64_t now_us, end_us, end_operations;
	bool vandal; /* writes into an object of the program once */
};

static uint64_t world_now_us(struct workload_env *env)
{
	return ((struct world *)env->context)->now_us++;
}

/* The objects around a fresh one of the same class are the program's. */
static void vandalise(void)
{
	uint64_t *object = kmalloc(64, 0);

	assert_non_null(object);
	memset(object - 8, 0xee, 64);
	kfree(object);
}

static void world_sleep_us(struct workload_env *env, uint64_t us)
{
	struct world *world = env->context;

	world->now_us += us;
	if (world->vandal && env->operations > 500) {
		vandalise();
		world->vandal = false;
	}
}

static bool world_should_stop(struct workload_env *env)
{
	struct world *world = env->context;

	return world->now_us >= world->end_us || env->operations >= world->end_operations;
}

static void print_fault(const char *text, void *context)
{
	(void)context;
	fprintf(stderr, "# mm_check: %s\n", text);
}

static struct world new_world(uint64_t seed, uint64_t seconds)
{
	return (struct world){
		.env = {.sleep_us = world_sleep_us,
			.should_stop = world_should_stop,
			.now_us = world_now_us,
			.random_state = seed},
		.end_us = seconds * 1000000,
		.end_operations = 60000,
	};
}

static struct workload_env run_for(const struct workload *workload, const uint64_t *values,
				   uint64_t seconds)
{
	struct world world = new_world(values[0] + 1, seconds);

	world.env.context = &world;
	workload->run(&world.env, values);
	return world.env;
}

static void run_and_check(const struct workload *workload, const uint64_t *asked, uint64_t seconds)
{
	uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
	struct mm_stat_t before, after;
	struct workload_env env;

	/* What leaks is gone for the tests that follow: not too much of it. */
	memcpy(values, asked, sizeof(values));
	for (int i = 0; workload->params[i].name != NULL; i++) {
		if (strcmp(workload->params[i].name, "limit") == 0 && values[i] > 2 * MIB)
			values[i] = 2 * MIB;
	}
	mm_trim();
	before = mm_stat();
	env = run_for(workload, values, seconds);
	mm_trim();
	after = mm_stat();
	assert_int_equal(env.corruptions, 0);
	assert_int_equal(mm_check(print_fault, NULL).faults, 0);
	assert_int_equal(after.shared, before.shared);
	if (strcmp(workload->name, "leak") != 0) {
		if (after.cache_used != before.cache_used || after.free != before.free)
			fail_msg("%s: cache_used %lu -> %lu, free %lu -> %lu", workload->name,
				 before.cache_used, after.cache_used, before.free, after.free);
	}
}

/* ---- the tests
 * -------------------------------------------------------------------------------------- */

static void defaults_do_something_and_leave_nothing(void **state)
{
	const struct workload *workload;

	(void)state;
	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++) {
		uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
		struct workload_env env;

		workload_defaults(workload, values);
		run_and_check(workload, values, 60);
		env = run_for(workload, values, 20);
		if (env.operations < 100)
			fail_msg("%s made only %lu requests", workload->name, env.operations);
		if (strcmp(workload->name, "mixed") == 0 || strcmp(workload->name, "leak") == 0)
			assert_int_equal(env.failures, 0);
	}
}

static void extremes(void **state)
{
	const struct workload *workload;

	(void)state;
	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++) {
		for (int j = 0; workload->params[j].name != NULL; j++) {
			uint64_t values[WORKLOAD_PARAMS_MAX] = {0};

			workload_defaults(workload, values);
			values[j] = workload->params[j].min;
			run_and_check(workload, values, 5);
			values[j] = workload->params[j].max;
			run_and_check(workload, values, 5);
		}
	}
}

static void random_parameters(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 60; round++) {
		const struct workload *workload = workload_get((size_t)random() % 6);
		uint64_t values[WORKLOAD_PARAMS_MAX] = {0};

		for (int j = 0; workload->params[j].name != NULL; j++) {
			const struct workload_param *p = &workload->params[j];
			uint64_t span = p->max - p->min + 1;
			uint64_t any = (uint64_t)random() << 31 ^ (uint64_t)random();

			/* Small and large values alike. */
			any >>= random() % 62;
			values[j] = p->min + (span != 0 ? any % span : any);
		}
		run_and_check(workload, values, 3);
	}
}

/* The same under mm's debug modes, which see writes to what is free and past what was asked for. */
static void debug_modes_find_nothing(void **state)
{
	const unsigned modes = MM_SWITCH_POISON | MM_SWITCH_REDZONE | MM_SWITCH_ATTRIBUTION;
	struct mm_stat_t before, after;
	const struct workload *workload;

	(void)state;
	mm_trim();
	before = mm_stat();
	assert_int_equal(mm_switches_set(modes, 0), MM_OK);
	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++) {
		uint64_t values[WORKLOAD_PARAMS_MAX] = {0};

		if (strcmp(workload->name, "leak") == 0)
			continue;
		workload_defaults(workload, values);
		assert_int_equal(run_for(workload, values, 60).corruptions, 0);
		assert_int_equal(mm_check(print_fault, NULL).faults, 0);
	}
	/* What mm kept for its notes goes with them. */
	assert_int_equal(mm_switches_set(0, modes), MM_OK);
	mm_trim();
	after = mm_stat();
	assert_int_equal(after.cache_used, before.cache_used);
	assert_int_equal(after.free, before.free);
}

static void leak_forgets_exactly_what_it_says(void **state)
{
	const struct workload *leak = workload_find("leak");
	uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
	char reason[WORKLOAD_REASON_MAX];
	struct mm_stat_t before, after;

	(void)state;
	assert_true(workload_parse(leak, "size=100:every=4:limit=12800:rate=1000", values, reason));
	before = mm_stat();
	run_for(leak, values, 20);
	after = mm_stat();
	assert_int_equal(after.cache_used - before.cache_used, 12800);
}

static void the_same_seed_gives_the_same(void **state)
{
	const struct workload *churn = workload_find("churn");
	uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
	struct workload_env a, b;

	(void)state;
	workload_defaults(churn, values);
	a = run_for(churn, values, 2);
	b = run_for(churn, values, 2);
	assert_int_equal(a.operations, b.operations);
	assert_int_equal(a.random_state, b.random_state);
}

/* A program whose objects are overwritten by others says so, and does not crash. */
static void corruption_is_noticed(void **state)
{
	const struct workload *ramp = workload_find("ramp");
	uint64_t values[WORKLOAD_PARAMS_MAX] = {64 * 1024, 64, 1000};
	struct world world = new_world(1, 3);

	(void)state;
	world.vandal = true;
	world.env.context = &world;
	ramp->run(&world.env, values);
	assert_false(world.vandal);
	assert_int_equal(world.env.corruptions, 1);
}

static void parameters(void **state)
{
	static const struct {
		const char *workload, *text, *said;
	} bad[] = {
		{"churn", "speed=3",	     "churn has no parameter 'speed'; it has objects, min, max"},
		{"churn", "objects=0",	       "objects takes 1 to 131072, not 0"			 },
		{"churn", "objects=131073",    "objects takes 1 to 131072"			       },
		{"churn", "objects",	     "is not NAME=NUMBER"					 },
		{"churn", "objects=",	      "is not NAME=NUMBER"					  },
		{"churn", "objects=many",	  "is not NAME=NUMBER"				      },
		{"churn", "objects=1:rate=2:", NULL						      },
		{"ramp",	 "peak=1G:size=4K",   NULL						      },
		{"ramp",	 "peak=1G:size=2M",   "size takes 1 to 1048576"				     },
		{"leak",	 "",		     NULL						      },
		{"leak",	 ":",		      "is not NAME=NUMBER"					  },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct workload *workload = workload_find(bad[i].workload);
		uint64_t values[WORKLOAD_PARAMS_MAX] = {0};
		char reason[WORKLOAD_REASON_MAX] = "";
		bool good = workload_parse(workload, bad[i].text, values, reason);

		assert_int_equal(good, bad[i].said == NULL);
		if (bad[i].said != NULL && strstr(reason, bad[i].said) == NULL)
			fail_msg("%s: \"%s\"", bad[i].text, reason);
	}
	assert_null(workload_find("chrun"));
	for (size_t i = 0; workload_get(i) != NULL; i++) {
		const struct workload_param *p = workload_get(i)->params;
		size_t count = 0;

		for (; p[count].name != NULL; count++) {
			assert_true(p[count].min <= p[count].initial);
			assert_true(p[count].initial <= p[count].max);
		}
		assert_true(count <= WORKLOAD_PARAMS_MAX);
	}
}

/* kernel/workload/README.md lists exactly the parameters that there are. */
static void documented(void **state)
{
	static char docs[32768];
	FILE *file = fopen("kernel/workload/README.md", "r");
	size_t rows = 0, found = 0;

	(void)state;
	assert_non_null(file);
	docs[fread(docs, 1, sizeof(docs) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; workload_get(i) != NULL; i++) {
		const struct workload *workload = workload_get(i);

		for (const struct workload_param *p = workload->params; p->name != NULL;
		     p++, rows++) {
			char row[256];

			snprintf(row, sizeof(row), "| %s | `%s` | %lu..%lu | %lu | %s |\n",
				 workload->name, p->name, p->min, p->max, p->initial, p->meaning);
			if (strstr(docs, row) == NULL)
				fail_msg("kernel/workload/README.md lacks the row:\n%s", row);
		}
	}
	for (const char *at = docs; (at = strstr(at, " | `")) != NULL; at++)
		found++;
	assert_int_equal(found, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters),
		cmocka_unit_test(documented),
		cmocka_unit_test(defaults_do_something_and_leave_nothing),
		cmocka_unit_test(debug_modes_find_nothing),
		cmocka_unit_test(extremes),
		cmocka_unit_test(random_parameters),
		cmocka_unit_test(leak_forgets_exactly_what_it_says),
		cmocka_unit_test(the_same_seed_gives_the_same),
		cmocka_unit_test(corruption_is_noticed),
	};

	start_mm();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
