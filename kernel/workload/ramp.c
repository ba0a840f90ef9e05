/* ramp: memory use climbs steadily to a peak and falls back to nothing, over and over. */
#include "programs.h"

enum { PEAK, SIZE, PERIOD_MS };

static const struct workload_param params[] = {
	{"peak",		   32, 1ull << 44, 32ull << 20, "bytes held at the top"},
	{"size",		 1, 1048576, 4096, "bytes of one object"},
	{"period_ms", 100, 86400000, 20000, "from the bottom to the top and back"},
	{0		  },
};

enum { TICK_US = 20000, STEPS_MAX = 8192 };

/* The bytes to hold now: a triangle over the period. */
static uint64_t target(uint64_t elapsed_us, uint64_t period_us, uint64_t peak)
{
	uint64_t at = elapsed_us % period_us, half = period_us / 2;
	uint64_t climb = at < half ? at : period_us - at;

	uint64_t share = half > 0 ? climb * 65536 / half : 0; /* of 65536 */

	return peak / 65536 * share + peak % 65536 * share / 65536;
}

/* Towards the target, a bounded number of steps; a refusal ends the climb for this tick. */
static WORKLOAD_SITE void ramp_climb(struct workload_env *env, struct workload_stack *held,
				     uint64_t size, uint64_t bytes)
{
	for (int step = 0; step < STEPS_MAX && !env->should_stop(env); step++) {
		if (held->bytes > bytes) {
			workload_pop_free(env, held);
		} else if (held->bytes + size <= bytes) {
			void *object = workload_alloc(env, size);

			if (object == NULL)
				return;
			workload_push(held, object, size);
		} else {
			return;
		}
	}
}

static WORKLOAD_SITE void ramp_run(struct workload_env *env, const uint64_t *values)
{
	uint64_t size = mm_class_size(values[SIZE]), start_us = env->now_us(env);
	struct workload_stack held = {0};

	while (!env->should_stop(env)) {
		uint64_t elapsed_us = env->now_us(env) - start_us;

		ramp_climb(env, &held, size,
			   target(elapsed_us, values[PERIOD_MS] * 1000, values[PEAK]));
		env->sleep_us(env, TICK_US);
	}
	workload_free_all(env, &held);
}

const struct workload workload_ramp = {
	"ramp", "memory use climbs to a peak and falls back to nothing, over and over", params,
	ramp_run};
