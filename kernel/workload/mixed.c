/*
 * mixed: something to look at. A wave runs through the sixteen classes, each a little after the one
 * below it; runs of frames swell and shrink in every zone, each zone at its own pace; a space of
 * its own shows the runs that are held. Nothing gets in the way of others: it takes shares of what
 * is free when it starts.
 */
#include <mm/space.h>
#include <mm/visit.h>

#include "programs.h"

enum { OBJECT_BYTES, FILL, PERIOD_MS, SEED };

static const struct workload_param params[] = {
	{"object_bytes",					     65536, 1ull << 40, 24ull << 20,
	 "bytes in objects at most (and an eighth of what is free)"},
	{"fill",						0, 90, 45, "percent of each zone's free frames at the crest"},
	{"period_ms", 1000, 3600000, 12000, "of the wave through the classes"},
	SEED_PARAM,
	{0						    },
};

/* Several stacks a class, taken from at random: freed objects leave holes as in real life. */
enum { STACKS = 8, ZONES = 3, RUNS = 64, TICK_US = 40000, STEPS_MAX = 256 };
#define FIRST_VA   0x0000200000000000ull
#define SLOT_BYTES (64 * PAGE_2M_SIZE)

struct run {
	struct Page *page;
	unsigned num;
	bool mapped;
};

struct zone {
	unsigned selector;
	uint64_t crest_frames, held_frames;
	struct run runs[RUNS];
};

struct mixed {
	struct workload_env *env;
	struct workload_stack stacks[KMALLOC_CLASSES][STACKS];
	uint64_t class_bytes[KMALLOC_CLASSES], crest_bytes;
	struct zone zones[ZONES];
	bool has_space;
	uint32_t space;
	paddr_t root;
};

/* A smooth wave (3x^2 - 2x^3) between 0 and 1000, one turn a period; `shift` in thousandths. */
static uint64_t wave(uint64_t elapsed_us, uint64_t period_us, uint64_t shift)
{
	uint64_t at = elapsed_us % period_us * 1000 / period_us;
	uint64_t x;

	at = (at + 1000 - shift % 1000) % 1000;
	x = at < 500 ? 2 * at : 2000 - 2 * at; /* up and down */
	return x * x * (3000 - 2 * x) / 1000000;
}

static WORKLOAD_SITE void mixed_objects(struct mixed *mixed, unsigned class, uint64_t bytes)
{
	struct workload_env *env = mixed->env;
	uint64_t size = KMALLOC_MIN_SIZE << class;

	for (int step = 0; step < STEPS_MAX; step++) {
		struct workload_stack *stack =
			&mixed->stacks[class][workload_random_below(env, STACKS)];

		if (mixed->class_bytes[class] + size <= bytes) {
			void *object = workload_alloc(env, size);

			if (object == NULL)
				return;
			workload_push(stack, object, size);
			mixed->class_bytes[class] += size;
		} else if (mixed->class_bytes[class] > bytes + size) {
			if (workload_pop_free(env, stack))
				mixed->class_bytes[class] -= size;
		} else {
			return;
		}
	}
}

/* Shows the run in our space: every fourth in small leaves. */
static void show(struct mixed *mixed, unsigned zone, unsigned slot)
{
	struct run *run = &mixed->zones[zone].runs[slot];
	uint64_t va = FIRST_VA + (zone * RUNS + slot) * SLOT_BYTES;
	uint64_t flags = 1ull << PAGE_XD | (slot % 3 != 0 ? 1ull << PAGE_R_W : 0);
	bool small = slot % 4 == 0;
	uint64_t length = small ? PAGE_2M_SIZE : run->num * PAGE_2M_SIZE;

	if (!mixed->has_space)
		return;
	mixed->env->operations++;
	run->mapped = mm_map_proc_page_table(mixed->root.value, true, va,
					     mm_page_to_phys(run->page).value, length, flags,
					     slot % 2 == 0, true, small) == 0;
	mixed->env->failures += !run->mapped;
}

static void hide(struct mixed *mixed, unsigned zone, unsigned slot)
{
	struct run *run = &mixed->zones[zone].runs[slot];
	uint64_t va = FIRST_VA + (zone * RUNS + slot) * SLOT_BYTES;

	if (!run->mapped)
		return;
	mixed->env->operations++;
	mm_unmap_proc_table(mixed->root.value, true, va, run->num * PAGE_2M_SIZE);
	run->mapped = false;
}

static WORKLOAD_SITE void mixed_frames(struct mixed *mixed, unsigned zone, unsigned slot,
				       uint64_t room)
{
	struct zone *z = &mixed->zones[zone];
	struct run *run = &z->runs[slot];
	uint64_t most = z->crest_frames / 12 + 1;
	bool shared = workload_random_below(mixed->env, 4) == 0;

	most = most < room ? most : room;
	most = most < MM_MAX_RUN_FRAMES ? most : MM_MAX_RUN_FRAMES;
	run->num = 1 + (unsigned)workload_random_below(mixed->env, most);
	run->page = workload_frames(mixed->env, z->selector, run->num, shared ? PAGE_SHARED : 0);
	if (run->page == NULL)
		return;
	z->held_frames += run->num;
	show(mixed, zone, slot);
}

static void drop_run(struct mixed *mixed, unsigned zone, unsigned slot)
{
	struct zone *z = &mixed->zones[zone];
	struct run *run = &z->runs[slot];

	if (run->page == NULL)
		return;
	hide(mixed, zone, slot);
	mixed->env->operations++;
	free_pages(run->page, (int)run->num);
	z->held_frames -= run->num;
	run->page = NULL;
}

static void zone_towards(struct mixed *mixed, unsigned zone, uint64_t frames)
{
	struct zone *z = &mixed->zones[zone];
	unsigned slot = (unsigned)workload_random_below(mixed->env, RUNS);

	if (z->runs[slot].page == NULL && z->held_frames < frames)
		mixed_frames(mixed, zone, slot, frames - z->held_frames);
	else if (z->runs[slot].page != NULL && z->held_frames > frames)
		drop_run(mixed, zone, slot);
}

static void start(struct mixed *mixed, const uint64_t *values)
{
	static const unsigned selectors[ZONES] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};
	uint64_t eighth = mm_stat().available / 8;
	uint64_t budget = values[OBJECT_BYTES] < eighth ? values[OBJECT_BYTES] : eighth;

	mixed->crest_bytes = budget / KMALLOC_CLASSES * 2; /* the mean of the wave is a half */
	for (unsigned i = 0; i < ZONES; i++) {
		struct zone *z = &mixed->zones[i];
		struct mm_zone_info info = {0};

		(void)mm_zone_info(i, &info);
		z->selector = selectors[i];
		z->crest_frames = info.free * values[FILL] / 100;
	}
	mixed->has_space = mm_space_create("mixed", &mixed->space, &mixed->root) == MM_OK;
	mixed->env->failures += !mixed->has_space;
}

static void stop(struct mixed *mixed)
{
	for (unsigned zone = 0; zone < ZONES; zone++) {
		for (unsigned slot = 0; slot < RUNS; slot++)
			drop_run(mixed, zone, slot);
	}
	for (unsigned class = 0; class < KMALLOC_CLASSES; class ++) {
		for (unsigned i = 0; i < STACKS; i++)
			workload_free_all(mixed->env, &mixed->stacks[class][i]);
	}
	if (mixed->has_space)
		mixed->env->failures += mm_space_destroy(mixed->space, NULL) != MM_OK;
}

static void tick(struct mixed *mixed, uint64_t elapsed_us, uint64_t period_us)
{
	for (unsigned class = 0; class < KMALLOC_CLASSES; class ++) {
		uint64_t height = wave(elapsed_us, period_us, class * 1000 / KMALLOC_CLASSES);

		mixed_objects(mixed, class, mixed->crest_bytes * height / 1000);
	}
	for (unsigned zone = 0; zone < ZONES; zone++) {
		uint64_t pace_us = period_us * (zone + 2) / 2;
		uint64_t height = 200 + wave(elapsed_us, pace_us, zone * 300) * 4 / 5;

		zone_towards(mixed, zone, mixed->zones[zone].crest_frames * height / 1000);
	}
}

static WORKLOAD_SITE void mixed_run(struct workload_env *env, const uint64_t *values)
{
	struct mixed *mixed = kzalloc(sizeof(*mixed), 0);
	uint64_t start_us;

	if (mixed == NULL) {
		env->failures++;
		return;
	}
	mixed->env = env;
	start(mixed, values);
	start_us = env->now_us(env);
	while (!env->should_stop(env)) {
		tick(mixed, env->now_us(env) - start_us, values[PERIOD_MS] * 1000);
		env->sleep_us(env, TICK_US);
	}
	stop(mixed);
	kfree(mixed);
}

const struct workload workload_mixed = {
	"mixed", "waves through all classes, zones and a space: something to look at", params,
	mixed_run};
