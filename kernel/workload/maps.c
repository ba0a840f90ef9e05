/* maps: a space of its own in which ranges of all sizes and rights are mapped and unmapped. */
#include <mm/space.h>

#include "programs.h"

enum { REGIONS, FRAMES, MAX_BYTES, RATE, SEED };

static const struct workload_param params[] = {
	{"regions",		     1, 1024, 96, "most ranges mapped at once"},
	{"frames",			 1, 63, 4, "frames that the ranges show"},
	{"max", 4096, 132120576, 2097152, "longest range in bytes"},
	{"rate",		      0, 1000000, 400, "maps and unmaps a second; 0: as many as it can"},
	SEED_PARAM,
	{0			  },
};

/* Each range has 256 MiB of the user half to itself, so that they never meet: 1024 of them are
 * 256 GiB, spread over many tables. */
#define SLOT_BYTES (256ull << 20)
#define FIRST_VA   0x0000100000000000ull

struct region {
	uint64_t va, length; /* length 0: not mapped */
};

struct maps {
	struct workload_env *env;
	const uint64_t *values;
	uint32_t space;
	paddr_t root;
	uint64_t pa, bytes; /* what the ranges show */
	struct region *regions;
};

static uint64_t random_rights(struct workload_env *env)
{
	static const uint64_t rights[] = {
		0,
		1ull << PAGE_R_W,
		1ull << PAGE_XD,
		1ull << PAGE_R_W | 1ull << PAGE_XD,
		1ull << PAGE_R_W | 1ull << PAGE_XD | 1ull << PAGE_PCD,
	};

	return rights[workload_random_below(env, sizeof(rights) / sizeof(rights[0]))];
}

/* A range somewhere in the slot that shows some part of the frames. Half of them may use large
 * leaves; those start where frames do. */
static void map_region(struct maps *maps, struct region *region, uint64_t slot)
{
	struct workload_env *env = maps->env;
	bool large = workload_random_below(env, 2) == 0;
	uint64_t unit = large ? PAGE_2M_SIZE : PAGE_4K_SIZE;
	uint64_t max = maps->values[MAX_BYTES] < maps->bytes ? maps->values[MAX_BYTES]
							     : maps->bytes;
	uint64_t length = workload_random_size(env, PAGE_4K_SIZE, max) & PAGE_4K_MASK;
	uint64_t from = workload_random_below(env, (maps->bytes - length) / unit + 1) * unit;
	uint64_t va = FIRST_VA + slot * SLOT_BYTES + workload_random_below(env, 4) * unit;
	bool user = workload_random_below(env, 2) == 0;

	env->operations++;
	if (mm_map_proc_page_table(maps->root.value, true, va, maps->pa + from, length,
				   random_rights(env), user, true, !large) != 0) {
		env->failures++;
		return;
	}
	region->va = va;
	region->length = length;
}

/* All of it, or a piece at one end: then a large leaf is split and the rest stays. */
static void unmap_region(struct maps *maps, struct region *region, bool all)
{
	uint64_t length = region->length;

	if (!all && length > PAGE_4K_SIZE && workload_random_below(maps->env, 3) == 0)
		length = (length / 2 + PAGE_4K_SIZE - 1) & PAGE_4K_MASK;
	maps->env->operations++;
	mm_unmap_proc_table(maps->root.value, true, region->va, length);
	region->va += length;
	region->length -= length;
}

static void turn(struct maps *maps)
{
	uint64_t slot = workload_random_below(maps->env, maps->values[REGIONS]);
	struct region *region = &maps->regions[slot];

	if (region->length == 0)
		map_region(maps, region, slot);
	else
		unmap_region(maps, region, false);
}

static void run_in_space(struct maps *maps)
{
	struct workload_pace pace;

	workload_pace_init(maps->env, &pace, maps->values[RATE]);
	do
		turn(maps);
	while (workload_pace_turn(maps->env, &pace));
	for (uint64_t i = 0; i < maps->values[REGIONS]; i++) {
		if (maps->regions[i].length > 0)
			unmap_region(maps, &maps->regions[i], true);
	}
}

static WORKLOAD_SITE void maps_in_space(struct maps *maps)
{
	maps->regions = kzalloc(maps->values[REGIONS] * sizeof(*maps->regions), 0);
	if (maps->regions == NULL || mm_space_create("maps", &maps->space, &maps->root) != MM_OK) {
		maps->env->failures++;
	} else {
		run_in_space(maps);
		maps->env->failures += mm_space_destroy(maps->space, NULL) != MM_OK;
	}
	kfree(maps->regions);
}

static WORKLOAD_SITE void maps_run(struct workload_env *env, const uint64_t *values)
{
	static const unsigned zones[] = {ZONE_UNMAPPED_IN_PGT, ZONE_NORMAL, ZONE_DMA};
	unsigned num = (unsigned)values[FRAMES];
	struct maps maps = {.env = env, .values = values};
	struct Page *page = NULL;

	for (int i = 0; i < 3 && page == NULL; i++)
		page = workload_frames(env, zones[i], num, PAGE_SHARED);
	if (page == NULL)
		return;
	maps.pa = mm_page_to_phys(page).value;
	maps.bytes = num * PAGE_2M_SIZE;
	maps_in_space(&maps);
	free_pages(page, (int)num);
}

const struct workload workload_maps = {
	"maps", "maps and unmaps ranges of all sizes and rights in a space of its own", params,
	maps_run};
