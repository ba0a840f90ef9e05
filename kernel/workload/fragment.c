/*
 * fragment: makes holes. It fills a zone with single frames and a class with objects, frees all but
 * one of every n, shows what can still be had in one piece, and tidies up.
 */
#include "programs.h"

enum { FRAMES, FRAME_KEEP, OBJECTS, SIZE, KEEP, HOLD_MS };

static const struct workload_param params[] = {
	{"frames",				     0, 131072, 64, "frames taken from ZONE_NORMAL, one by one"},
	{"frame_keep",				      2, 64, 2, "one of so many frames stays"},
	{"objects", 0, 131072, 32768, "objects taken"},
	{"size",				 1, 1048576, 64, "bytes of one object"},
	{"keep",					  2, 65536, 64, "one of so many objects stays"},
	{"hold_ms",		    1, 3600000, 2000, "how long each picture stays"},
	{0				   },
};

struct fragment {
	struct workload_env *env;
	void **slots; /* FRAMES pages, then OBJECTS objects */
	const uint64_t *values;
};

static bool going_on(const struct fragment *f)
{
	return !f->env->should_stop(f->env);
}

static WORKLOAD_SITE void fragment_fill(struct fragment *f)
{
	void **objects = f->slots + f->values[FRAMES];

	for (uint64_t i = 0; i < f->values[FRAMES] && going_on(f); i++) {
		f->slots[i] = workload_frames(f->env, ZONE_NORMAL, 1, 0);
		if (f->slots[i] == NULL)
			break;
	}
	for (uint64_t i = 0; i < f->values[OBJECTS] && going_on(f); i++) {
		objects[i] = workload_alloc(f->env, f->values[SIZE]);
		if (objects[i] == NULL)
			break;
		if (i % 256 == 255)
			f->env->sleep_us(f->env, 1000);
	}
}

static void free_frame(struct fragment *f, void **slot)
{
	if (*slot == NULL)
		return;
	f->env->operations++;
	free_pages(*slot, 1);
	*slot = NULL;
}

static void free_object(struct fragment *f, void **slot)
{
	if (*slot == NULL)
		return;
	f->env->operations++;
	kfree(*slot);
	*slot = NULL;
}

/* Frees all but every n-th; n 0 frees all. */
static void thin_out(struct fragment *f, uint64_t frame_keep, uint64_t keep)
{
	void **objects = f->slots + f->values[FRAMES];

	for (uint64_t i = 0; i < f->values[FRAMES]; i++) {
		if (frame_keep == 0 || i % frame_keep != 0)
			free_frame(f, &f->slots[i]);
	}
	for (uint64_t i = 0; i < f->values[OBJECTS]; i++) {
		if (keep == 0 || i % keep != 0)
			free_object(f, &objects[i]);
	}
}

/* What is there in one piece: takes the longest runs it can get, once, and gives them back. */
static WORKLOAD_SITE void fragment_try_runs(struct fragment *f)
{
	for (unsigned num = MM_MAX_RUN_FRAMES; num > 1; num /= 2) {
		struct Page *page = workload_frames(f->env, ZONE_NORMAL, num, 0);

		if (page != NULL)
			free_pages(page, (int)num);
	}
}

static WORKLOAD_SITE void fragment_run(struct workload_env *env, const uint64_t *values)
{
	struct fragment f = {.env = env, .values = values};
	uint64_t slots = values[FRAMES] + values[OBJECTS];
	uint64_t limit = KMALLOC_MAX_SIZE / sizeof(*f.slots);
	uint64_t fitted[HOLD_MS + 1];

	/* Both at their largest would not fit into one object; frames come first. */
	for (int i = 0; i <= HOLD_MS; i++)
		fitted[i] = values[i];
	if (slots > limit)
		fitted[OBJECTS] = limit - fitted[FRAMES];
	f.values = fitted;
	f.slots = kzalloc((fitted[FRAMES] + fitted[OBJECTS]) * sizeof(*f.slots), 0);
	if (f.slots == NULL) {
		env->failures++;
		return;
	}
	while (going_on(&f)) {
		fragment_fill(&f);
		env->sleep_us(env, fitted[HOLD_MS] * 1000);
		thin_out(&f, fitted[FRAME_KEEP], fitted[KEEP]);
		fragment_try_runs(&f);
		env->sleep_us(env, fitted[HOLD_MS] * 1000);
		thin_out(&f, 0, 0);
		env->sleep_us(env, fitted[HOLD_MS] * 250);
	}
	kfree(f.slots);
}

const struct workload workload_fragment = {
	"fragment", "makes holes among frames and objects and shows them for a while", params,
	fragment_run};
