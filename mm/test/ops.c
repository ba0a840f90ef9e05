// ops.c: see ops.h.
#include "ops.h"

#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME	    PAGE_2M_SIZE
#define OBJECTS	    1500
#define RUNS	    200
#define GHOSTS	    64
#define CPUS	    3
#define FRAMES_LOW  170 // in the direct map
#define FRAMES_HIGH 100 // above it
#define HIGH_START  (8 * GIB)

struct object {
	uint8_t *at;
	uint64_t size; // of the class
	uint64_t asked;
	uint64_t stamp;
};

struct shadow_run {
	struct Page *page;
	unsigned frames;
	ul attr;
};

struct world {
	struct object objects[OBJECTS];
	unsigned object_count;
	uint8_t *ghosts[GHOSTS]; // freed and not seen since
	unsigned ghost_at;
	struct shadow_run runs[RUNS];
	unsigned run_count;
	uint64_t stamp;
	struct mm_stat_t start;
	unsigned switches;
	bool injected; // a failure on purpose may be pending
	struct ops_result *result;
};

static void fail(struct world *world, const char *format, uint64_t a, uint64_t b)
{
	if (world->result->failed)
		return;
	world->result->failed = true;
	snprintf(world->result->text, sizeof(world->result->text), format, a, b);
}

static void fault(const char *text, void *context)
{
	struct world *world = context;

	if (world->result->failed)
		return;
	world->result->failed = true;
	snprintf(world->result->text, sizeof(world->result->text), "mm_check: %s", text);
}

// --- contents ------------------------------------------------------------------
static void stamp_object(struct object *object)
{
	for (uint64_t at = 0; at + 8 <= object->asked; at += object->asked > 4096 ? 4096 : 8)
		memcpy(object->at + at, &object->stamp, 8);
}

static void verify_object(struct world *world, const struct object *object)
{
	for (uint64_t at = 0; at + 8 <= object->asked; at += object->asked > 4096 ? 4096 : 8)
		if (memcmp(object->at + at, &object->stamp, 8))
			fail(world, "contents of object 0x%lx changed at %lu",
			     (uintptr_t)object->at, at);
}

static bool overlaps_anything(struct world *world, const uint8_t *at, uint64_t size)
{
	uint64_t phys = (uint64_t)(at - (uint8_t *)host_virt(0));

	for (unsigned i = 0; i < world->object_count; i++) {
		const struct object *other = &world->objects[i];

		if (at < other->at + other->size && other->at < at + size)
			return true;
	}
	for (unsigned i = 0; i < world->run_count; i++) {
		uint64_t start = mm_page_to_phys(world->runs[i].page).value;

		if (phys < start + world->runs[i].frames * FRAME && start < phys + size)
			return true;
	}
	return phys + size > FRAMES_LOW * FRAME || (phys >= 16 * MIB && phys < 19 * MIB);
}

// --- objects -----------------------------------------------------------------------
static void ghost_forget(struct world *world, const uint8_t *at)
{
	for (unsigned i = 0; i < GHOSTS; i++)
		if (world->ghosts[i] == at)
			world->ghosts[i] = NULL;
}

static void op_kmalloc(struct world *world, uint64_t size, bool zero)
{
	struct object *object = &world->objects[world->object_count];
	struct mm_zone_info dma, normal;
	uint8_t *at;

	if (world->object_count == OBJECTS)
		return;
	at = zero ? kzalloc(size, 0) : kmalloc(size, 0);
	if (!at) {
		mm_zone_info(0, &dma);
		mm_zone_info(1, &normal);
		if (size <= 1 << 20 && !world->injected && (dma.free || normal.free))
			fail(world, "kmalloc(%lu) refused with %lu frames free", size,
			     dma.free + normal.free);
		return;
	}
	*object = (struct object){at, mm_class_size(size), size, ++world->stamp};
	if (size > 1 << 20 || (uintptr_t)at % object->size)
		fail(world, "kmalloc(%lu) gave 0x%lx", size, (uintptr_t)at);
	if (overlaps_anything(world, at, object->size))
		fail(world, "kmalloc gave 0x%lx of %lu bytes, which is in use", (uintptr_t)at,
		     object->size);
	for (uint64_t i = 0; zero && i < object->size; i += i < 64 ? 1 : 61)
		if (at[i])
			fail(world, "kzalloc(%lu) is dirty at %lu", size, i);
	if (mm_query_free(at, NULL) != MM_OK)
		fail(world, "0x%lx is said not to be live (%lu)", (uintptr_t)at, 0);
	ghost_forget(world, at);
	stamp_object(object);
	world->object_count++;
}

static void op_kfree(struct world *world, unsigned pick)
{
	struct object *object;
	uint8_t *at;

	if (!world->object_count)
		return;
	object = &world->objects[pick % world->object_count];
	at = object->at;
	verify_object(world, object);
	if (pick & 1 ? mm_try_kfree(at) != MM_OK : kfree(at) != 0)
		fail(world, "kfree(0x%lx) refused (%lu)", (uintptr_t)at, 0);
	*object = world->objects[--world->object_count];
	world->ghosts[world->ghost_at++ % GHOSTS] = at;
}

static void expect_refused(struct world *world, void *at)
{
	enum mm_status said = mm_query_free(at, NULL);
	enum mm_status status = mm_try_kfree(at);

	// They may differ in kind: on its way kfree may have given the slab back.
	if (status == MM_OK || said == MM_OK)
		fail(world, "a wrong kfree(0x%lx) answered %lu", (uintptr_t)at, status);
}

static void op_wrong_kfree(struct world *world, unsigned pick, unsigned how)
{
	const struct object *object = world->object_count
					      ? &world->objects[pick % world->object_count]
					      : NULL;
	uint8_t *ghost = world->ghosts[pick % GHOSTS];

	// With switches on, mm's own notes may have taken the ghost's place.
	if (how % 4 == 0 && ghost && !world->switches) {
		expect_refused(world, ghost);
	} else if (how % 4 == 1 && object) {
		expect_refused(world, object->at + 1 + (how * 2654435761u) % (object->size - 1));
	} else if (how % 4 == 2) {
		uint64_t bits = (uint64_t)pick * UINT64_C(0x9e3779b97f4a7c15) + how;

		if (!overlaps_anything(world, (uint8_t *)(uintptr_t)bits, 1) ||
		    bits >= FRAMES_LOW * FRAME)
			expect_refused(world, (void *)(uintptr_t)bits);
	} else if (object) {
		expect_refused(world, object->at + (UINT64_C(1) << (30 + how % 17)));
	}
}

// --- frames ------------------------------------------------------------------------
// Does the zone have a run of so many free frames, by what the visitor says?
static bool run_exists(unsigned zone, unsigned frames)
{
	struct mm_cursor cursor = {0};
	struct mm_frame_run item;
	uint64_t run = 0, end = 0;
	enum mm_visit visit;

	while ((visit = mm_visit_frames(&cursor, zone, &item)) != MM_VISIT_END) {
		if (visit == MM_VISIT_AGAIN)
			continue;
		run = item.state != MM_FRAME_FREE      ? 0
		      : item.start.value == end && run ? run + item.frames
						       : item.frames;
		end = item.start.value + item.frames * FRAME;
		if (run >= frames)
			return true;
	}
	return false;
}

static bool run_is_free(struct world *world, const struct Page *page, unsigned frames)
{
	for (unsigned i = 0; i < world->run_count; i++)
		if (page < world->runs[i].page + world->runs[i].frames &&
		    world->runs[i].page < page + frames)
			return false;
	return page->zone == 2 ||
	       !overlaps_anything(world, host_virt(mm_page_to_phys(page).value), frames * FRAME);
}

static void op_alloc_pages(struct world *world, unsigned zone, unsigned frames, ul attr)
{
	ul mapped = zone == ZONE_UNMAPPED_IN_PGT ? 0 : PAGE_PGT_MAPPED;
	struct Page *page;
	bool possible;

	if (world->run_count == RUNS)
		return;
	possible = frames >= 1 && frames <= 63 && run_exists(zone, frames);
	page = alloc_pages(zone, (int)frames, attr);
	if (!page) {
		if (possible && !world->injected)
			fail(world, "alloc_pages(%lu, %lu) refused with such a run free", zone,
			     frames);
		return;
	}
	for (unsigned i = 0; i < frames; i++) {
		if (page[i].frame != page->frame + i || 1u << page[i].zone != zone)
			fail(world, "frame %lu of the run at 0x%lx is not its neighbour", i,
			     page->frame);
		if (mm_page_attr(page + i) != (attr | mapped) || mm_page_refs(page + i) != 1)
			fail(world, "attributes of frame %lu of the run at 0x%lx", i, page->frame);
	}
	if (!run_is_free(world, page, frames))
		fail(world, "alloc_pages gave 0x%lx, %lu frames, which are in use", page->frame,
		     frames);
	world->runs[world->run_count++] = (struct shadow_run){page, frames, attr};
}

// Takes [from, from + frames) out of a run of the shadow.
static void shadow_cut(struct world *world, unsigned index, unsigned from, unsigned frames)
{
	struct shadow_run run = world->runs[index];
	unsigned behind = run.frames - from - frames;

	world->runs[index] = world->runs[--world->run_count];
	if (from)
		world->runs[world->run_count++] = (struct shadow_run){run.page, from, run.attr};
	if (behind)
		world->runs[world->run_count++] = (struct shadow_run){run.page + from + frames,
								      behind, run.attr};
}

static void op_free_pages(struct world *world, unsigned pick, unsigned part)
{
	unsigned index, from = 0, frames;
	struct shadow_run run;

	if (!world->run_count || world->run_count + 1 >= RUNS)
		return;
	index = pick % world->run_count;
	run = world->runs[index];
	frames = run.frames;
	if (part) {
		from = part % run.frames;
		frames = 1 + (part / 7) % (run.frames - from);
	}
	if (mm_query_free_pages(run.page + from, (int)frames, NULL) != MM_OK)
		fail(world, "free_pages of 0x%lx, %lu would be refused", run.page->frame + from,
		     frames);
	free_pages(run.page + from, (int)frames);
	shadow_cut(world, index, from, frames);
}

static bool shadow_allocated(const struct world *world, const struct Page *page)
{
	for (unsigned i = 0; i < world->run_count; i++)
		if (page >= world->runs[i].page &&
		    page < world->runs[i].page + world->runs[i].frames)
			return true;
	return false;
}

// A range of any frames: allowed exactly if all of them are allocated.
static void op_free_any(struct world *world, unsigned frame, unsigned frames)
{
	bool high = frame % 3 == 0;
	unsigned limit = high ? FRAMES_HIGH : FRAMES_LOW;
	uint64_t start = high ? HIGH_START : 0;
	struct Page *page = mm_phys_to_page(mm_pa(start + frame % limit * FRAME));
	bool allowed = frames >= 1 && frames <= 63;
	enum mm_status status;

	if (!page || world->run_count + 64 > RUNS)
		return;
	for (unsigned i = 0; allowed && i < frames; i++)
		allowed = frame % limit + i < limit && shadow_allocated(world, page + i);
	status = mm_try_free_pages(page, (int)frames);
	if ((status == MM_OK) != allowed)
		fail(world, "free of %lu frames at 0x%lx answered wrongly", frames, page->frame);
	for (unsigned i = 0; status == MM_OK && i < frames; i++)
		for (unsigned r = 0; r < world->run_count; r++)
			if (page + i >= world->runs[r].page &&
			    page + i < world->runs[r].page + world->runs[r].frames) {
				shadow_cut(world, r, (unsigned)(page + i - world->runs[r].page), 1);
				break;
			}
}

// --- the rest ----------------------------------------------------------------------------
static void op_switches(struct world *world, unsigned on)
{
	on &= MM_SWITCH_ALL;
	if (mm_switches_set(on, MM_SWITCH_ALL & ~on) == MM_OK)
		world->switches = on;
	memset(world->ghosts, 0, sizeof(world->ghosts));
}

static void op_inject(struct world *world, unsigned op, unsigned after)
{
	world->injected = after != 0;
	for (unsigned i = 0; i < MM_FAIL_OPS; i++)
		mm_fail_set((enum mm_fail_op)i, i == op % MM_FAIL_OPS ? after : 0, 1 + after % 3);
}

static void check_stat(struct world *world)
{
	struct mm_stat_t stat = mm_stat();
	uint64_t objects = world->start.cache_used, frames = 0, shared = 0;

	for (unsigned i = 0; i < world->object_count; i++)
		objects += world->objects[i].size;
	for (unsigned i = 0; i < world->run_count; i++) {
		frames += world->runs[i].frames * FRAME;
		shared += world->runs[i].attr & PAGE_SHARED ? world->runs[i].frames * FRAME : 0;
	}
	if (stat.used + stat.free != stat.total || stat.available != stat.free + stat.cache_free)
		fail(world, "mm_stat: sums are wrong (used %lu, free %lu)", stat.used, stat.free);
	if (stat.shared != shared)
		fail(world, "mm_stat: shared is %lu, should be %lu", stat.shared, shared);
	// Notes and logs are objects too, but not ours.
	if (!world->switches && stat.cache_used != objects)
		fail(world, "mm_stat: cache_used is %lu, should be %lu", stat.cache_used, objects);
	if (stat.used - stat.cache_used - stat.cache_free !=
	    frames + world->start.used - world->start.cache_used - world->start.cache_free)
		fail(world, "mm_stat: used is %lu, of it runs %lu", stat.used, frames);
}

static uint64_t size_from(unsigned a, unsigned b)
{
	uint64_t size = 1ul << a % 21;

	if (a == 255)
		return size << 1 << b % 40; // too large, mostly
	return b % 4 ? size - b % size : size + b % 8;
}

static void do_op(struct world *world, const uint8_t op[OP_BYTES])
{
	static const ul attrs[] = {0, PAGE_SHARED, PAGE_KERNEL, PAGE_DEVICE | PAGE_SHARED};
	static const uint8_t sizes[] = {1, 1, 1, 2, 3, 5, 8, 63};
	unsigned pick = op[1] | (unsigned)op[2] << 8;
	unsigned zone = 1u << op[3] % 3;

	switch (op[0] % 32) {
	case 0 ... 9:
		op_kmalloc(world, size_from(op[1], pick), op[3] % 4 == 0);
		break;
	case 10 ... 16:
		op_kfree(world, pick);
		break;
	case 17:
		op_wrong_kfree(world, pick, op[3]);
		break;
	case 18 ... 21:
		op_alloc_pages(world, zone, op[1] & 128 ? sizes[op[1] % 8] : op[1] % 66,
			       attrs[op[4] % 4]);
		break;
	case 22 ... 24:
		op_free_pages(world, pick, 0);
		break;
	case 25:
		op_free_pages(world, pick, op[3]);
		break;
	case 26:
		op_free_any(world, pick, op[3] % 66);
		break;
	case 27 ... 28:
		host_cpu_use(op[1] % CPUS);
		break;
	case 29:
		mm_trim();
		break;
	case 30:
		op_switches(world, op[1] % 3 ? 0 : op[2]);
		break;
	case 31:
		op_inject(world, op[1], op[2] % 3 ? 0 : op[3] % 8);
		break;
	}
}

void ops_describe(const uint8_t op[OP_BYTES], char *text, size_t size)
{
	static const char *const names[] = {
		[0 ... 9] = "kmalloc",	    [10 ... 16] = "kfree",
		[17] = "wrong kfree",	    [18 ... 21] = "alloc_pages",
		[22 ... 24] = "free_pages", [25] = "free_pages of a part",
		[26] = "free_pages of any", [27 ... 28] = "change of CPU",
		[29] = "mm_trim",	    [30] = "mm_switches_set",
		[31] = "mm_fail_set",
	};

	snprintf(text, size, "%s {%u, %u, %u, %u, %u, %u}", names[op[0] % 32], op[0], op[1], op[2],
		 op[3], op[4], op[5]);
}

static void trim_all(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_cpu_use(cpu);
		mm_trim();
	}
	host_cpu_use(0);
	mm_trim();
}

static void begin(struct world *world)
{
	static const struct mm_region map[] = {
		{0,	    FRAMES_LOW * FRAME,	MM_REGION_USABLE},
		{HIGH_START, FRAMES_HIGH * FRAME, MM_REGION_USABLE},
		{16 * MIB,   3 * MIB,		    MM_REGION_IN_USE},
	};

	host_clock_us = 1;
	host_start(&(struct host_machine){
		.regions = map, .region_count = 3, .direct_limit = GIB, .cpus = CPUS});
	trim_all();
	world->start = mm_stat();
}

static void end(struct world *world)
{
	op_inject(world, 0, 0);
	for (unsigned i = 0; i < world->object_count; i++)
		verify_object(world, &world->objects[i]);
	while (world->object_count && !world->result->failed)
		op_kfree(world, world->object_count - 1);
	while (world->run_count && !world->result->failed)
		op_free_pages(world, world->run_count - 1, 0);
	op_switches(world, 0);
	trim_all();
	if (!world->result->failed && !host_stat_equal(mm_stat(), world->start))
		fail(world, "mm_stat is not as at the start (%lu, %lu)", 0, 0);
	mm_check(fault, world);
}

static void step(struct world *world, const uint8_t *op, unsigned check_every)
{
	host_clock_us++; // time is a part of the sequence: it seeds random placement
	do_op(world, op);
	check_stat(world);
	if (check_every && world->result->step % check_every == 0)
		mm_check(fault, world);
}

void ops_run(const uint8_t *bytes, size_t size, unsigned check_every, struct ops_result *result)
{
	struct world *world = calloc(1, sizeof(*world));

	*result = (struct ops_result){.failed = false};
	world->result = result;
	begin(world);
	for (size_t at = 0; at + OP_BYTES <= size && !result->failed; at += OP_BYTES) {
		result->step = at / OP_BYTES;
		if (host_panics(step(world, bytes + at, check_every)) && !result->failed) {
			result->failed = true;
			snprintf(result->text, sizeof(result->text), "panic: %.250s",
				 host_panic_text);
		}
	}
	if (!result->failed && host_panics(end(world)))
		snprintf(result->text, sizeof(result->text), "panic at the end: %.250s",
			 host_panic_text),
			result->failed = true;
	mm_hook_set(NULL, NULL);
	host_stop();
	host_clock_us = 0;
	free(world);
}
