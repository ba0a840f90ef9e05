// A dead kernel's memory may hold anything: words of the pages that memviz reads of a
// real mm/ are replaced by the input. It must come to an end, in figures or in a refusal.
#include "root_guest.h"

#include "fuzz.h" // of memviz's tests

#include <json-c/json.h>
#include <string.h>

#define RECORD 12 // page and word as 2 bytes each, then the new word

const char *const fuzz_seeds[] = {
	"\x01\x02\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff",
	"\x02\x01\x10\x01\x80\x41\x42\x43\x44\x45\x46\x47\x03\x01\x11\x01zzzzzzzz",
	"\x05\x01\x21\x01\x01\x01\x01\x01\x01\x01\x01\x01\x09\x01\x61\x01\x20\x01\x01\x01\x01\x01"
	"\x01\x01",
	NULL,
};

struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned u16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static void spoil(uint8_t page[4096], unsigned order, void *context)
{
	const struct input *input = context;

	for (size_t at = 0; at + RECORD <= input->size; at += RECORD)
		if ((u16(input->data + at) & 255u) == (order & 255u))
			memcpy(page + u16(input->data + at + 2) % 511 * 8, input->data + at + 4, 8);
}

static void check(struct root_guest *g)
{
	const struct kernel *k = &g->kernel;
	struct mv_model *m = mv_model_new(NULL);
	char why[200];

	for (size_t i = 1; i < k->frame_count; i++)
		FUZZ_ASSERT(k->frames[i].pa >=
			    k->frames[i - 1].pa + k->frames[i - 1].count * MV_FRAME_BYTES);
	FUZZ_ASSERT(k->stat.used + k->stat.free == k->stat.total);
	kernel_tell(k, m, 1);
	FUZZ_ASSERT(mv_model_check(m, why, sizeof(why)));
	mv_model_free(m);
	struct kernel_check found;

	kernel_check(k, &g->guest, &found);
	json_object_put(kernel_check_json(k, &found));
	json_object_put(kernel_sites_json(k, NULL, 10));
	for (size_t i = 0; i < k->slab_count && i < 4; i++) {
		struct kernel_object o;

		kernel_object_at(k, &g->guest, k->slabs[i].addr + 100, &o);
		json_object_put(kernel_object_json(k, &o));
		json_object_put(kernel_slabs_json(k, 1u << k->slabs[i].shift));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct input input = {data, size};
	struct root_guest g = {.spoil = spoil, .context = &input};

	if (!started)
		root_machine_start(1, 60);
	started = true;
	if (root_guest_read(&g))
		check(&g);
	else
		FUZZ_ASSERT(g.kernel.root.why[0] && !g.kernel.zone_count);
	root_guest_free(&g);
	return 0;
}
