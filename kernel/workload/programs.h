/* What the programs share: the rows of the table, and small tools. */
#ifndef KERNEL_WORKLOAD_PROGRAMS_H
#define KERNEL_WORKLOAD_PROGRAMS_H

#include <kernel/workload.h>
#include <mm/mm.h>
#include <mm/slab.h>

extern const struct workload workload_churn, workload_ramp, workload_leak, workload_fragment,
	workload_maps, workload_mixed;

/* Most programs take it: the same seed gives the same requests. */
#define SEED_PARAM                                                      \
	{                                                               \
		"seed", 0, UINT64_MAX, 1, "start of the random numbers" \
	}

/*
 * Holds a loop to `rate` turns a second (0: as fast as it can), by sleeping when it is ahead. A
 * loop that fell behind by more than a second does not try to catch up.
 */
struct workload_pace {
	uint64_t rate;
	uint64_t start_us, turns;
};
void workload_pace_init(struct workload_env *env, struct workload_pace *pace, uint64_t rate);
/* After each turn. False: the program shall stop. */
bool workload_pace_turn(struct workload_env *env, struct workload_pace *pace);

/* A size in [min, max], every power of two alike likely. */
uint64_t workload_random_size(struct workload_env *env, uint64_t min, uint64_t max);

/*
 * kmalloc and alloc_pages, counted. Always inlined, and called from functions that are not and that
 * are named after their program: a call site says which program asks, and for what.
 */
#define WORKLOAD_SITE __attribute__((noinline, used)) /* used: nor is it cloned or renamed */

static inline __attribute__((always_inline)) void *workload_alloc(struct workload_env *env,
								  uint64_t size)
{
	void *object = kmalloc(size, 0);

	env->operations++;
	env->failures += object == NULL;
	return object;
}

static inline __attribute__((always_inline)) struct Page *
workload_frames(struct workload_env *env, unsigned zone, unsigned num, unsigned long attributes)
{
	struct Page *page = alloc_pages(zone, (int)num, attributes);

	env->operations++;
	env->failures += page == NULL;
	return page;
}

/*
 * Objects on a stack that runs through the objects themselves, so that holding them takes no memory
 * of its own. Each is stamped when pushed and checked when popped.
 */
struct workload_stack {
	struct workload_link *top;
	uint64_t count, bytes;
};
void workload_push(struct workload_stack *stack, void *object, uint64_t size);
/* Frees the top one. False: empty. */
bool workload_pop_free(struct workload_env *env, struct workload_stack *stack);
void workload_free_all(struct workload_env *env, struct workload_stack *stack);

#endif
