// stat.c: the figures. They are sums of counters that only grow, kept per CPU
// and zone. Two equal readings in a row of all of them are a picture of one
// instant, since none of them can go back; with interrupts off and one CPU the
// first two always are.
#include "state.h"

#define STAT_TRIES 64

struct figures {
	uint64_t allocs[CLASS_LAST + 1];
	uint64_t frees[CLASS_LAST + 1];
	uint64_t taken, shared, slab_frames;
};

static unsigned frees_slot(unsigned cls)
{
	return cls == CLASS_TABLE ? CLASS_TABLE : mm_class_shift(cls);
}

static void class_counts(unsigned cls, uint64_t *allocs, uint64_t *frees)
{
	*allocs = *frees = 0;
	for (unsigned i = 0; i < mm_peek(mm_cpu_end); i++) {
		const struct mm_cpu *cpu = __atomic_load_n(&mm_cpus[i], __ATOMIC_ACQUIRE);

		if (!cpu)
			continue;
		*frees += mm_peek(cpu->frees[frees_slot(cls)]);
		*allocs += mm_peek(cpu->allocs[cls]);
	}
}

static void collect(struct figures *figures)
{
	*figures = (struct figures){.slab_frames = mm_peek(mm_pool.frames)};
	for (unsigned cls = CLASS_TABLE; cls <= CLASS_LAST; cls++)
		class_counts(cls, &figures->allocs[cls], &figures->frees[cls]);
	for (int zone = 0; zone < ZONE_COUNT; zone++) {
		figures->shared += mm_peek(mm_zones[zone].shared);
		figures->taken += mm_zone_taken(&mm_zones[zone]);
	}
}

static void collect_instant(struct figures *figures)
{
	struct figures again;

	collect(&again);
	for (int tries = 0; tries < STAT_TRIES; tries++) {
		collect(figures);
		if (!memcmp(figures, &again, sizeof(again)))
			return;
		again = *figures;
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// used = allocs - frees; never below zero while other CPUs are half way.
static uint64_t in_use(uint64_t allocs, uint64_t frees)
{
	return allocs > frees ? allocs - frees : 0;
}

struct mm_stat_t mm_stat(void)
{
	struct mm_stat_t stat = {.total = mm_map.report.managed};
	struct figures figures;
	uint64_t backing;
	mm_irq_t irq;

	irq = mm_port_irq_save();
	collect_instant(&figures);
	mm_port_irq_restore(irq);
	stat.used = least(figures.taken << MM_FRAME_SHIFT, stat.total);
	stat.free = stat.total - stat.used;
	stat.shared = least(figures.shared << MM_FRAME_SHIFT, stat.used);
	backing = least(figures.slab_frames << MM_FRAME_SHIFT, stat.used);
	for (unsigned cls = CLASS_TABLE; cls <= CLASS_LAST; cls++)
		stat.cache_used += in_use(figures.allocs[cls], figures.frees[cls])
				   << mm_class_shift(cls);
	stat.cache_used = least(stat.cache_used, backing);
	stat.cache_free = backing - stat.cache_used;
	stat.available = stat.free + stat.cache_free;
	return stat;
}

uint64_t mm_generation(void)
{
	uint64_t generation = mm_peek(mm_gen_extra);
	uint64_t allocs, frees;

	for (unsigned cls = CLASS_TABLE; cls <= CLASS_LAST; cls++) {
		class_counts(cls, &allocs, &frees);
		generation += allocs + frees;
	}
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		generation += mm_peek(mm_zones[zone].given) + mm_peek(mm_zones[zone].returned) +
			      mm_peek(mm_zones[zone].failed);
	return generation;
}

// All calls of kmalloc and kfree: page tables are a class of their own, and what mm
// takes for itself is counted beside.
static uint64_t object_events(bool frees)
{
	uint64_t sum = 0, counts[2];

	for (unsigned cls = CLASS_FIRST; cls <= CLASS_LAST; cls++) {
		class_counts(cls, &counts[0], &counts[1]);
		sum += counts[frees];
	}
	return sum - (frees ? mm_peek(mm_own_frees) : mm_peek(mm_own_allocs));
}

uint64_t mm_event_count(enum mm_event_type type)
{
	uint64_t sum = 0;

	if (type == MM_EVENT_KMALLOC || type == MM_EVENT_KFREE)
		return object_events(type == MM_EVENT_KFREE);
	for (int zone = 0; zone < ZONE_COUNT; zone++) {
		if (type == MM_EVENT_ALLOC_PAGES)
			sum += mm_peek(mm_zones[zone].runs_given);
		else if (type == MM_EVENT_FREE_PAGES)
			sum += mm_peek(mm_zones[zone].runs_returned);
	}
	return sum;
}

bool mm_zone_info(unsigned index, struct mm_zone_info *out)
{
	const struct zone *zone = &mm_zones[index];
	uint64_t taken;

	if (index >= ZONE_COUNT)
		return false;
	taken = least(mm_zone_taken(zone), zone->frames);
	*out = (struct mm_zone_info){
		.name = mm_zone_names[index],
		.selector = 1u << index,
		.start = mm_pa(zone->first_frame << MM_FRAME_SHIFT),
		.end = mm_pa(zone->end_frame << MM_FRAME_SHIFT),
		.frames = zone->frames,
		.used = taken,
		.free = zone->frames - taken,
		.reserved = zone->end_frame - zone->first_frame - zone->frames,
		.largest_free_run = mm_longest_run(zone),
		.given = mm_peek(zone->given),
		.returned = mm_peek(zone->returned),
		.failed = mm_peek(zone->failed),
	};
	// A single free frame may be in the cache of a CPU.
	if (out->free && !out->largest_free_run)
		out->largest_free_run = 1;
	return true;
}

static void add_class(unsigned cls, struct mm_cache_info *out)
{
	unsigned shift = mm_class_shift(cls);
	uint64_t per_slab = shift >= MM_GRANULE_SHIFT ? 1 : MM_GRANULE_SIZE >> shift;
	uint64_t slabs = mm_peek(mm_classes[cls].slabs);
	uint64_t allocs, frees;

	class_counts(cls, &allocs, &frees);
	out->slabs += slabs;
	out->objects += slabs * per_slab;
	out->used += in_use(allocs, frees);
	out->bytes += slabs * per_slab << shift;
	out->allocs += allocs;
	out->frees += frees;
	out->failed += mm_peek(mm_classes[cls].failed);
}

bool mm_cache_info(unsigned index, struct mm_cache_info *out)
{
	mm_irq_t irq;

	if (index >= KMALLOC_CLASSES)
		return false;
	*out = (struct mm_cache_info){.size = KMALLOC_MIN_SIZE << index};
	irq = mm_port_irq_save();
	add_class(CLASS_FIRST + index, out);
	if (out->size == PAGE_4K_SIZE)
		add_class(CLASS_TABLE, out);
	mm_port_irq_restore(irq);
	out->used = least(out->used, out->objects);
	out->free = out->objects - out->used;
	return true;
}
