/* churn: objects of all sizes and runs of frames come and go at random. */
#include "programs.h"

enum { OBJECTS, MIN, MAX, FRAMES, RATE, SEED };

static const struct workload_param params[] = {
	{"objects",		     1, 131072, 2048, "most objects alive at once"},
	{"min",		       1, 1048576, 32, "smallest object in bytes"},
	{"max", 1, 1048576, 16384, "largest object in bytes (at least min)"},
	{"frames",			 0, 64, 4, "most runs of frames alive at once"},
	{"rate",		      0, 100000000, 20000, "requests a second; 0: as many as it can"},
	SEED_PARAM,
	{0  },
};

enum { RUNS_MAX = 64, RUN_FRAMES = 3, FRAMES_EVERY = 256 };
static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};

struct churn {
	struct workload_env *env;
	uint64_t **objects;
	uint64_t size_min, size_max;
	struct run {
		struct Page *page;
		unsigned num;
	} runs[RUNS_MAX];
};

static uint64_t stamp_of(const uint64_t *object)
{
	return (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15ull;
}

static void release(struct churn *churn, uint64_t **slot)
{
	if (*slot == NULL)
		return;
	churn->env->corruptions += **slot != stamp_of(*slot);
	churn->env->operations++;
	kfree(*slot);
	*slot = NULL;
}

static WORKLOAD_SITE uint64_t *churn_take(struct churn *churn, uint64_t size)
{
	uint64_t *object = workload_alloc(churn->env, size);

	if (object != NULL)
		*object = stamp_of(object);
	return object;
}

static void touch(struct churn *churn, uint64_t **slot)
{
	if (*slot != NULL)
		release(churn, slot);
	else
		*slot = churn_take(
			churn, workload_random_size(churn->env, churn->size_min, churn->size_max));
}

static WORKLOAD_SITE void churn_frames(struct churn *churn, struct run *run)
{
	unsigned zone = zones[workload_random_below(churn->env, 3)];

	if (run->page != NULL) {
		churn->env->operations++;
		free_pages(run->page, (int)run->num);
		run->page = NULL;
		return;
	}
	run->num = 1 + (unsigned)workload_random_below(churn->env, RUN_FRAMES);
	run->page = workload_frames(churn->env, zone, run->num, 0);
}

static WORKLOAD_SITE void churn_run(struct workload_env *env, const uint64_t *values)
{
	struct churn churn = {.env = env, .size_min = values[MIN], .size_max = values[MAX]};
	struct workload_pace pace;

	if (churn.size_max < churn.size_min)
		churn.size_max = churn.size_min;
	churn.objects = kzalloc(values[OBJECTS] * sizeof(*churn.objects), 0);
	if (churn.objects == NULL) {
		env->failures++;
		return;
	}
	workload_pace_init(env, &pace, values[RATE]);
	do {
		touch(&churn, &churn.objects[workload_random_below(env, values[OBJECTS])]);
		if (values[FRAMES] > 0 && pace.turns % FRAMES_EVERY == 0)
			churn_frames(&churn,
				     &churn.runs[workload_random_below(env, values[FRAMES])]);
	} while (workload_pace_turn(env, &pace));

	for (uint64_t i = 0; i < values[OBJECTS]; i++)
		release(&churn, &churn.objects[i]);
	for (int i = 0; i < RUNS_MAX; i++) {
		if (churn.runs[i].page != NULL)
			churn_frames(&churn, &churn.runs[i]);
	}
	kfree(churn.objects);
}

const struct workload workload_churn = {
	"churn", "objects of all sizes and runs of frames come and go at random", params,
	churn_run};
