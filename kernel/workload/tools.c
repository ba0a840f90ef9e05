#include <mm/slab.h>

#include "programs.h"

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (splitmix64). */
uint64_t workload_random(struct workload_env *env)
{
	uint64_t z = env->random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t workload_random_below(struct workload_env *env, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)workload_random(env) * bound) >> 64);
}

uint64_t workload_random_size(struct workload_env *env, uint64_t min, uint64_t max)
{
	unsigned low = 63 - (unsigned)__builtin_clzll(min | 1);
	unsigned high = 63 - (unsigned)__builtin_clzll(max | 1);
	uint64_t base = 1ull << (low + workload_random_below(env, high - low + 1));
	uint64_t size = base + workload_random_below(env, base);

	return size < min ? min : size > max ? max : size;
}

void workload_pace_init(struct workload_env *env, struct workload_pace *pace, uint64_t rate)
{
	*pace = (struct workload_pace){.rate = rate, .start_us = env->now_us(env)};
}

bool workload_pace_turn(struct workload_env *env, struct workload_pace *pace)
{
	/* Asking the clock each time would cost more than the turn. */
	enum { LOOK_EVERY = 16, SLACK_US = 2000, CATCH_UP_US = 1000000 };
	uint64_t now_us, due_us;

	pace->turns++;
	if (pace->rate >= 1000 && pace->turns % LOOK_EVERY != 0)
		return true;
	if (env->should_stop(env))
		return false;
	if (pace->rate == 0)
		return true;
	now_us = env->now_us(env);
	due_us = pace->start_us + pace->turns * 1000000 / pace->rate;
	if (due_us > now_us + SLACK_US || (pace->rate < 1000 && due_us > now_us))
		env->sleep_us(env, due_us - now_us);
	else if (now_us > due_us + CATCH_UP_US)
		workload_pace_init(env, pace, pace->rate);
	return !env->should_stop(env);
}

/* At the start of each object; the smallest class holds it. */
struct workload_link {
	struct workload_link *next;
	uint64_t size;
	uint64_t stamp;
};

static uint64_t stamp_of(const struct workload_link *link)
{
	return ((uint64_t)(uintptr_t)link ^ link->size << 40) * 0x9e3779b97f4a7c15ull;
}

void workload_push(struct workload_stack *stack, void *object, uint64_t size)
{
	struct workload_link *link = object;

	link->next = stack->top;
	link->size = size;
	link->stamp = stamp_of(link);
	stack->top = link;
	stack->count++;
	stack->bytes += size;
}

bool workload_pop_free(struct workload_env *env, struct workload_stack *stack)
{
	struct workload_link *link = stack->top;

	if (link == NULL)
		return false;
	if (link->stamp != stamp_of(link)) {
		/* Its link cannot be trusted either: better to lose the rest than to free wild. */
		env->corruptions++;
		*stack = (struct workload_stack){0};
		return false;
	}
	stack->top = link->next;
	stack->count--;
	stack->bytes -= link->size;
	env->operations++;
	kfree(link);
	return true;
}

void workload_free_all(struct workload_env *env, struct workload_stack *stack)
{
	while (workload_pop_free(env, stack))
		;
}
