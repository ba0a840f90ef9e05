/*
 * leak: ordinary requests of which every n-th is forgotten. What it forgot stays when it stops:
 * that is its point. The forgotten ones come from leak_forget() and nowhere else, so a tool that
 * finds leaks can be held to that name.
 */
#include "programs.h"

enum { SIZE, EVERY, RATE, LIMIT, SEED };

static const struct workload_param params[] = {
	{"size",			   1, 1048576, 192, "bytes of one forgotten object"},
	{"every",			 1, 1000000, 10, "one of so many requests is forgotten"},
	{"rate", 1, 1000000, 200, "requests a second"},
	{"limit",			  0, 1ull << 44, 8ull << 20, "bytes after which nothing more is forgotten"},
	SEED_PARAM,
	{0			},
};

/* Objects that are used for a while and freed, so that a leak has something to hide among. */
enum { BUSY = 64, BUSY_SIZE_MAX = 2048 };

static WORKLOAD_SITE bool leak_forget(struct workload_env *env, uint64_t size)
{
	volatile uint64_t *object = kmalloc(size, 0);

	env->operations++;
	env->failures += object == NULL;
	if (object != NULL && size >= sizeof(*object))
		*object = 0x6b61656c; /* "leak" */
	return object != NULL;
}

static WORKLOAD_SITE void leak_use(struct workload_env *env, void **slot)
{
	kfree(*slot);
	*slot = workload_alloc(env, workload_random_size(env, 32, BUSY_SIZE_MAX));
}

static WORKLOAD_SITE void leak_run(struct workload_env *env, const uint64_t *values)
{
	uint64_t forgotten = 0, size = mm_class_size(values[SIZE]);
	void *busy[BUSY] = {0};
	struct workload_pace pace;

	workload_pace_init(env, &pace, values[RATE]);
	do {
		bool forget = pace.turns % values[EVERY] == values[EVERY] - 1;

		if (forget && forgotten + size <= values[LIMIT])
			forgotten += leak_forget(env, values[SIZE]) ? size : 0;
		else
			leak_use(env, &busy[workload_random_below(env, BUSY)]);
	} while (workload_pace_turn(env, &pace));
	for (int i = 0; i < BUSY; i++)
		kfree(busy[i]);
}

const struct workload workload_leak = {
	"leak", "forgets every n-th of its objects; what it forgot stays", params, leak_run};
