// fuzz_api.c: libFuzzer over the whole API: objects, runs of frames, mappings and
// spaces, debug switches, failing operations and hostile frees, all mixed. What is
// alive is known here: nothing may overlap, lose its contents, be refused without
// a reason or be freed twice. At the end everything goes back, and mm_stat with it.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host.h"
#include "pt_rig.h"
#include "pt_rig_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OBJECTS 128
#define RUNS	32

struct input {
	const uint8_t *at;
	size_t left;
};

static struct object {
	uint8_t *start;
	size_t size;
	uint8_t fill;
} objects[OBJECTS];

static struct run {
	struct Page *page;
	unsigned count;
} runs[RUNS];

static struct mm_stat_t at_start;

// Bytes after the end of the input are 0.
static unsigned take(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static unsigned long take_size(struct input *input)
{
	unsigned how = take(input), low = take(input);

	return how & 0x80 ? (1ul << (how & 31)) + low - 128 : (how & 0x7f) * 16 + low;
}

// --- objects -----------------------------------------------------------------------
static void verify(const struct object *object)
{
	for (size_t i = 0; i < object->size; i += object->size / 64 + 1)
		rig_expect(object->start[i] == object->fill, "byte %zu of %p changed", i,
			   (void *)object->start);
	rig_expect(!object->size || object->start[object->size - 1] == object->fill,
		   "the last byte of %p changed", (void *)object->start);
}

static void new_object(struct input *input, bool zero)
{
	struct object *object = &objects[take(input) % OBJECTS];
	unsigned long size = take_size(input), class_size = mm_class_size(size);
	uint8_t *start;

	if (object->start)
		return;
	start = zero ? kzalloc(size, 0) : kmalloc(size, 0);
	rig_expect(start || size > KMALLOC_MAX_SIZE || rig_fail_each || mm_stat().free < 2 * MIB,
		   "no %lu bytes although there is memory", size);
	if (!start)
		return;
	rig_expect(size <= KMALLOC_MAX_SIZE && !((uintptr_t)start & (class_size - 1)),
		   "%p for %lu bytes", (void *)start, size);
	for (unsigned long i = 0; zero && i < class_size; i++)
		rig_expect(!start[i], "byte %lu of kzalloc(%lu) is not zero", i, size);
	for (unsigned i = 0; i < OBJECTS; i++)
		rig_expect(!objects[i].start || start >= objects[i].start + objects[i].size ||
				   objects[i].start >= start + class_size,
			   "%p overlaps %p", (void *)start, (void *)objects[i].start);
	*object = (struct object){start, size, (uint8_t)take(input)};
	memset(start, object->fill, size);
}

static void free_object(struct object *object)
{
	if (!object->start)
		return;
	verify(object);
	rig_expect(mm_query_free(object->start, NULL) == MM_OK, "a live object is not free-able");
	rig_expect(kfree(object->start) == 0, "kfree");
	object->start = NULL;
}

static struct object *find_object(const void *start)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i].start == start)
			return &objects[i];
	return NULL;
}

// A pointer nobody gave out, most of the time.
static void hostile_free(struct input *input)
{
	const struct object *near = &objects[take(input) % OBJECTS];
	unsigned how = take(input), delta = take(input);
	uint64_t address = (uint64_t)(uintptr_t)near->start;
	enum mm_status verdict, asked;

	if (how & 1)
		address += delta;
	if (how & 2)
		address ^= 1ul << (delta & 63);
	if (how & 4)
		address = (uint64_t)(uintptr_t)host_virt(delta * 0x3f000ul);
	if (find_object(mm_ptr(mm_va(address))) || !address)
		return;
	asked = mm_query_free(mm_ptr(mm_va(address)), NULL);
	verdict = mm_try_kfree(mm_ptr(mm_va(address)));
	rig_expect(verdict != MM_OK, "%lx was freed", address);
	rig_expect(asked == verdict, "the query says %s, the free %s", mm_status_name(asked),
		   mm_status_name(verdict));
}

// --- frames --------------------------------------------------------------------------------
static void new_run(struct input *input)
{
	struct run *run = &runs[take(input) % RUNS];
	unsigned zone = take(input) % 8, flags = take(input) & 0x3f;
	int count = (int)take(input) - 4;
	bool good = count > 0 && count < 64 && (zone == 1 || zone == 2 || zone == 4) && flags < 32;
	struct Page *page;

	if (run->page)
		return;
	page = alloc_pages(zone, count, flags);
	rig_expect(!page || good, "alloc_pages(%u, %d, %x) worked", zone, count, flags);
	if (!page)
		return;
	rig_expect(page->run_frames == count && mm_page_refs(page) == 1, "a bad run");
	*run = (struct run){page, (unsigned)count};
	for (unsigned i = 0; i < RUNS; i++)
		rig_expect(&runs[i] == run || !runs[i].page ||
				   page >= runs[i].page + runs[i].count ||
				   runs[i].page >= page + count,
			   "runs overlap");
}

// Part of a run, a whole one, or what may not be freed.
static void free_run(struct input *input)
{
	struct run *run = &runs[take(input) % RUNS];
	unsigned skip = take(input) % 64, count = take(input) % 70;
	bool inside = run->page && count && skip + count <= run->count;
	enum mm_status verdict;

	if (!run->page)
		return;
	if (!inside && take(input) & 1) { // hostile: beyond the end may be another's, still live
		rig_expect(mm_try_free_pages(NULL, 1) != MM_OK, "NULL was freed");
		rig_expect(mm_try_free_pages(run->page, 0) == MM_ERR_COUNT, "0 frames were freed");
		rig_expect(mm_try_free_pages(run->page, 64) == MM_ERR_COUNT, "64 were freed");
		return;
	}
	if (!inside)
		skip = 0, count = run->count;
	verdict = mm_try_free_pages(run->page + skip, (int)count);
	rig_expect(verdict == MM_OK, "free_pages: %s", mm_status_name(verdict));
	verdict = mm_try_free_pages(run->page + skip, (int)count);
	rig_expect(verdict == MM_ERR_FRAME_FREE || verdict == MM_ERR_FRAME_SLAB, "freed twice: %s",
		   mm_status_name(verdict));
	if (skip && skip + count < run->count) // the tail goes, too
		rig_expect(mm_try_free_pages(run->page + skip + count,
					     (int)(run->count - skip - count)) == MM_OK,
			   "tail");
	if (!skip) {
		run->page += count;
		run->count -= count;
	} else {
		run->count = skip;
	}
	if (!run->count)
		run->page = NULL;
}

// --- the rest ------------------------------------------------------------------------------------
static void switches(struct input *input)
{
	unsigned on = take(input) & MM_SWITCH_ALL, off = take(input) & MM_SWITCH_ALL & ~on;
	enum mm_status status = mm_switches_set(on, off);

	rig_expect(status == MM_OK || status == MM_ERR_NO_MEMORY, "switches: %s",
		   mm_status_name(status));
}

static void failing(struct input *input)
{
	enum mm_fail_op op = take(input) % MM_FAIL_OPS;

	rig_expect(mm_fail_set(op, take(input) % 8, take(input) % 4) == MM_OK, "mm_fail_set");
	rig_fail_each = true; // from here on nothing is promised to succeed
}

static void figures(void)
{
	struct mm_stat_t stat = mm_stat();

	rig_expect(stat.used + stat.free == stat.total, "used + free");
	rig_expect(stat.shared <= stat.used && stat.cache_used + stat.cache_free <= stat.used,
		   "shared, cache");
	rig_expect(stat.available == stat.free + stat.cache_free, "available");
}

static void mappings(struct input *input)
{
	uint8_t bytes[RIG_OP_BYTES];

	for (unsigned i = 0; i < RIG_OP_BYTES; i++)
		bytes[i] = (uint8_t)take(input);
	for (unsigned op = 0; op < MM_FAIL_OPS; op++)
		rig_expect(mm_fail_set(op, 0, 0) == MM_OK, "mm_fail_set");
	if (mm_stat().free > 8 * MIB) // the shadow knows nothing of real shortage
		rig_op(bytes);
}

static void step(struct input *input)
{
	unsigned kind = take(input);

	switch (kind & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		new_object(input, kind & 1);
		break;
	case 4:
	case 5:
		free_object(&objects[take(input) % OBJECTS]);
		break;
	case 6:
		hostile_free(input);
		break;
	case 7:
	case 8:
		new_run(input);
		break;
	case 9:
		free_run(input);
		break;
	case 10:
		switches(input);
		break;
	case 11:
		failing(input);
		break;
	case 12:
		mm_trim();
		break;
	default:
		mappings(input);
	}
	figures();
}

static void back_to_the_beginning(void)
{
	struct mm_stat_t end;

	for (unsigned op = 0; op < MM_FAIL_OPS; op++)
		rig_expect(mm_fail_set(op, 0, 0) == MM_OK, "mm_fail_set");
	for (unsigned i = 0; i < OBJECTS; i++)
		free_object(&objects[i]);
	for (unsigned i = 0; i < RUNS; i++) {
		if (runs[i].page)
			free_pages(runs[i].page, (int)runs[i].count);
		runs[i].page = NULL;
	}
	rig_expect(mm_switches_set(0, MM_SWITCH_ALL) == MM_OK, "switches off");
	rig_reset();
	mm_trim();
	rig_host_check();
	end = mm_stat();
	// Top-level tables of the kernel half stay, 15 at most here; nothing else may.
	rig_expect(end.cache_used <= at_start.cache_used + 15 * PAGE_4K_SIZE && end.shared == 0 &&
			   end.used <= at_start.used + 2 * PAGE_2M_SIZE,
		   "left behind: %lu bytes of objects, %lu of frames",
		   end.cache_used - at_start.cache_used, end.used - at_start.used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static bool started;

	if (!started) {
		rig_start((struct rig_options){0});
		at_start = mm_stat();
	}
	started = true;
	rig_fail_each = false;
	while (input.left)
		step(&input);
	rig_host_check();
	back_to_the_beginning();
	return 0;
}
