// memviz's reader of the root descriptor against mm itself: what it derives from memory
// equals what mm says, in whatever layout; and what it cannot trust it refuses in words.
#include "root_guest.h"

#include "host.h" // of mm's tests
#include "rng.h"

#include <mm/root.h>
#include <mm/space.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GRANULE 65536

static void read_or_fail(struct root_guest *g)
{
	bool good = root_guest_read(g);

	if (!good)
		fail_msg("%s", g->kernel.root.why);
	assert_string_equal(g->kernel.slabs_why, "");
}

// --- comparisons with mm ----------------------------------------------------------
static void compare_stat(const struct kernel *k)
{
	struct mm_stat_t s = mm_stat();

	assert_int_equal(k->stat.total, s.total);
	assert_int_equal(k->stat.used, s.used);
	assert_int_equal(k->stat.free, s.free);
	assert_int_equal(k->stat.shared, s.shared);
	assert_int_equal(k->stat.cache_used, s.cache_used);
	assert_int_equal(k->stat.cache_free, s.cache_free);
	assert_int_equal(k->stat.available, s.available);
	assert_int_equal(k->gen, mm_generation());
}

static void compare_zones(const struct kernel *k)
{
	struct mm_zone_info info;

	assert_int_equal(k->zone_count, ZONE_COUNT);
	for (unsigned i = 0; mm_zone_info(i, &info); i++) {
		const struct mv_zone *z = &k->zones[i].shown;

		assert_string_equal(z->name, info.name);
		assert_int_equal(z->start, info.start.value);
		assert_int_equal(z->end, info.end.value);
		assert_int_equal(z->frames, info.frames);
		assert_int_equal(z->free, info.free);
		assert_int_equal(z->used, info.used);
		assert_int_equal(z->reserved, info.reserved);
		assert_int_equal(z->largest_free_run, info.largest_free_run);
	}
}

static void compare_caches(const struct kernel *k)
{
	struct mm_cache_info info;

	assert_int_equal(k->cache_count, KMALLOC_CLASSES);
	for (unsigned i = 0; mm_cache_info(i, &info); i++) {
		const struct mv_cache *c = &k->caches[i];
		const uint64_t expected[] = {info.size,	  info.slabs, info.objects,
					     info.used,	  info.free,  info.bytes,
					     info.allocs, info.frees, info.failed};
		const uint64_t got[] = {c->size,  c->slabs,  c->objects, c->used,  c->free,
					c->bytes, c->allocs, c->frees,	 c->failed};

		assert_memory_equal(got, expected, sizeof(got));
	}
}

// Frame by frame: the runs are cut differently.
static void compare_frames(const struct kernel *k)
{
	static const enum mv_frame_state states[] = {
		[MM_FRAME_FREE] = MV_FRAME_FREE,	 [MM_FRAME_KERNEL] = MV_FRAME_KERNEL,
		[MM_FRAME_SLAB] = MV_FRAME_SLAB,	 [MM_FRAME_ALLOCATED] = MV_FRAME_ALLOCATED,
		[MM_FRAME_RESERVED] = MV_FRAME_RESERVED, [MM_FRAME_HOLE] = MV_FRAME_HOLE,
	};
	struct mm_cursor cursor = {0};
	struct mm_frame_run run;
	size_t i = 0;
	uint64_t in_run = 0;

	while (mm_visit_frames(&cursor, 0, &run) == MM_VISIT_ITEM) {
		for (uint64_t n = 0; n < run.frames; n++) {
			const struct mv_frame_run *f = &k->frames[i];

			assert_true(i < k->frame_count);
			assert_int_equal(f->pa + in_run * PAGE_2M_SIZE,
					 run.start.value + n * PAGE_2M_SIZE);
			assert_int_equal(f->state, states[run.state]);
			assert_int_equal(f->zone, run.zone);
			assert_int_equal(f->attr, run.attr);
			assert_int_equal(f->refs, run.refs);
			if (++in_run == f->count)
				i++, in_run = 0;
		}
	}
	assert_int_equal(i, k->frame_count);
}

static void compare_slabs(const struct kernel *k)
{
	struct mm_cursor cursor = {0};
	struct mm_slab_info info;
	enum mm_visit got;
	size_t i = 0;

	while ((got = mm_visit_slabs(&cursor, 0, &info)) != MM_VISIT_END) {
		const struct kernel_slab *s = &k->slabs[i];

		if (got == MM_VISIT_AGAIN)
			continue;
		assert_true(i++ < k->slab_count);
		assert_int_equal(s->addr, info.start.value);
		assert_int_equal(UINT64_C(1) << s->shift, info.object_size);
		assert_int_equal(s->objects, info.objects);
		assert_int_equal(s->used, info.used);
		assert_int_equal(s->table, info.tables);
		for (unsigned w = 0; w < (info.objects + 63) / 64; w++)
			assert_int_equal(s->live[w], info.live[w]);
	}
	assert_int_equal(i, k->slab_count);
	assert_true(i > 20);
}

static void compare_object(struct root_guest *g, uint64_t va)
{
	static const char *const kinds[] = {[MM_OBJECT_NONE] = "none",
					    [MM_OBJECT_SLAB] = "slab",
					    [MM_OBJECT_TABLE] = "table",
					    [MM_OBJECT_FRAME] = "frame",
					    [MM_OBJECT_IMAGE] = "image"};
	struct kernel_object got;
	struct mm_object expected;

	kernel_object_at(&g->kernel, &g->guest, va, &got);
	mm_query_virt(mm_va(va), &expected);
	assert_string_equal(got.kind, kinds[expected.kind]);
	assert_int_equal(got.has_base, expected.kind != MM_OBJECT_NONE);
	assert_int_equal(got.base, expected.base);
	assert_int_equal(got.size, expected.size);
	assert_int_equal(got.used, expected.used);
	assert_int_equal(got.has_note, expected.has_note);
	if (expected.has_note) {
		assert_int_equal(got.site, expected.site);
		assert_int_equal(got.birth_us, expected.birth_us);
	}
}

static void compare_sites(const struct kernel *k)
{
	struct mm_cursor cursor = {0};
	struct mm_site_info info;
	size_t i = 0;

	assert_true(k->sites_open);
	while (mm_visit_sites(&cursor, &info) == MM_VISIT_ITEM) {
		while (i < k->site_count && !k->sites[i].allocs)
			i++;
		assert_true(i < k->site_count);
		assert_memory_equal(&k->sites[i++], &info, sizeof(info));
	}
	assert_true(i > 1);
}

static void compare_check(struct root_guest *g)
{
	struct mm_check_report report = mm_check(NULL, NULL);
	struct kernel_check check;

	kernel_check(&g->kernel, &g->guest, &check);
	if (check.faults)
		fail_msg("%s", check.fault[0]);
	assert_int_equal(report.faults, 0);
	assert_int_equal(check.frames, report.frames);
	assert_int_equal(check.objects, report.objects);
	assert_int_equal(check.tables, report.tables);
}

static void compare_all(struct root_guest *g, uint64_t seed)
{
	struct rng rng = {seed};

	compare_stat(&g->kernel);
	compare_zones(&g->kernel);
	compare_caches(&g->kernel);
	compare_frames(&g->kernel);
	compare_slabs(&g->kernel);
	compare_sites(&g->kernel);
	compare_check(g);
	assert_int_equal(g->kernel.cpus, 4);
	for (int i = 0; i < 500; i++) {
		const struct kernel_slab *s =
			&g->kernel.slabs[rng_below(&rng, g->kernel.slab_count)];

		compare_object(g, s->addr + rng_below(&rng, GRANULE));
		compare_object(g, (uintptr_t)host_virt(rng_below(&rng, 720 * MIB)));
	}
}

static void all_that_is_derived_equals_what_mm_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct root_guest g = {0};

		root_machine_start(seed, 4000);
		read_or_fail(&g);
		compare_all(&g, seed);
		root_guest_free(&g);
		root_machine_work(seed + 100, 3000);
		g = (struct root_guest){0};
		read_or_fail(&g);
		compare_all(&g, seed);
		root_guest_free(&g);
		root_machine_stop();
	}
}

// --- spaces ------------------------------------------------------------------------
static void compare_space(const struct kernel_space *s, const struct mm_space_info *info)
{
	struct mm_mapping_filter filter = {
		.space = info->id, .from = mm_va(0), .to = mm_va(MM_USER_SPACE_END)};
	struct mm_cursor cursor = {0};
	struct mm_mapping run[16];
	size_t i = 0, count = 0;

	assert_string_equal(s->shown.name, info->name);
	assert_int_equal(s->shown.id, info->id);
	assert_int_equal(s->shown.root, info->root.value);
	assert_int_equal(s->shown.current, info->current);
	assert_int_equal(s->shown.tables, info->tables);
	assert_int_equal(s->shown.mapped_bytes, info->mapped_bytes);
	while (mm_visit_mappings(&cursor, &filter, run, 16, &count) != MM_VISIT_END || count) {
		for (size_t n = 0; n < count; n++, i++) {
			assert_true(i < s->leaves.count);
			assert_int_equal(s->leaves.runs[i].va, run[n].va.value);
			assert_int_equal(s->leaves.runs[i].pa, run[n].pa.value);
			assert_int_equal(s->leaves.runs[i].len, run[n].length);
		}
		count = 0;
	}
	assert_int_equal(s->leaves.count, i + (info->id == MM_SPACE_KERNEL));
}

static void map_something(uint32_t space, uint64_t seed)
{
	struct rng rng = {seed};

	for (int i = 0; i < 40; i++) {
		struct mm_map_request request = {
			.space = space,
			.va = mm_va(rng_below(&rng, 1ul << 30) & ~0xffful),
			.pa = mm_pa(rng_below(&rng, 1ul << 34) & ~0xffful),
			.length = PAGE_4K_SIZE << rng_below(&rng, 12),
			.flags = 1ul << PAGE_R_W | 1ul << PAGE_XD,
			.flush = true,
		};

		(void)!mm_map_ex(&request, NULL);
	}
}

static void spaces_and_what_they_map_are_found(void **state)
{
	struct mm_cursor cursor = {0};
	struct mm_space_info info;
	struct root_guest g = {0};
	uint32_t id[3];
	size_t i = 0;

	(void)state;
	root_machine_start(7, 4000);
	struct Page *root = alloc_pages(ZONE_NORMAL, 1, PAGE_KERNEL);
	memset(host_virt(mm_page_to_phys(root).value), 0, PAGE_4K_SIZE);
	mm_port_root_set(mm_page_to_phys(root));
	assert_int_equal(mm_space_adopt_kernel(mm_page_to_phys(root)), MM_OK);
	for (int n = 0; n < 3; n++) {
		assert_int_equal(mm_space_create(n ? "a space" : NULL, &id[n], NULL), MM_OK);
		map_something(id[n], (uint64_t)n + 1);
	}
	assert_int_equal(mm_space_destroy(id[1], NULL), MM_OK);
	read_or_fail(&g);
	while (mm_visit_spaces(&cursor, &info) == MM_VISIT_ITEM) {
		assert_true(i < g.kernel.space_count);
		compare_space(&g.kernel.spaces[i++], &info);
	}
	assert_int_equal(i, 3);
	assert_int_equal(g.kernel.space_count, 3);
	compare_all(&g, 7);
	root_guest_free(&g);
	mm_space_destroy(id[0], NULL);
	mm_space_destroy(id[2], NULL);
	mm_space_exit();
	root_machine_stop();
}

// --- another layout of the same version -------------------------------------------------
#define ENTRIES_MOST 200

struct wide_entry {
	struct mm_root_entry entry;
	uint64_t more; // of a later revision
};

static struct wide_entry entries[ENTRIES_MOST];
static uint32_t entry_count;
static uint8_t moved_zones[4096], moved_classes[4096];

static void shuffle_entries(void)
{
	const struct mm_root_entry *from = (const void *)(uintptr_t)mm_root.table;

	entry_count = mm_root.entries;
	for (uint32_t i = 0; i < entry_count; i++)
		entries[i].entry = from[entry_count - 1 - i];
	entries[entry_count++].entry = (struct mm_root_entry){"something.new", MM_ROOT_FIELD, 1, 2,
							      3};
}

static struct mm_root_entry *entry_named(const char *name)
{
	for (uint32_t i = 0; i < entry_count; i++)
		if (strcmp(entries[i].entry.name, name) == 0)
			return &entries[i].entry;
	fail_msg("no entry %s", name);
	return NULL;
}

// An array of structures that grew by 24 bytes, 8 of them in front of every field.
static void widen(const char *array, const char *type, uint8_t *to)
{
	struct mm_root_entry *a = entry_named(array), *t = entry_named(type);
	size_t n = strlen(type);

	for (uint32_t i = 0; i < a->count; i++)
		memcpy(to + i * (a->bytes + 24) + 8,
		       (const uint8_t *)(uintptr_t)a->where + i * a->bytes, a->bytes);
	a->where = (uintptr_t)to;
	a->bytes += 24;
	t->bytes += 24;
	for (uint32_t i = 0; i < entry_count; i++)
		if (strncmp(entries[i].entry.name, type, n) == 0 &&
		    entries[i].entry.kind == MM_ROOT_FIELD && entries[i].entry.name[n] == '.')
			entries[i].entry.where += 8;
}

static struct root_patch patch_u64(const void *at, uint64_t value)
{
	struct root_patch p = {.at = (uintptr_t)at, .len = 8};

	memcpy(p.bytes, &value, 8);
	return p;
}

static struct root_patch patch_u32(const void *at, uint32_t value)
{
	struct root_patch p = {.at = (uintptr_t)at, .len = 4};

	memcpy(p.bytes, &value, 4);
	return p;
}

static void another_layout_reads_the_same(void **state)
{
	(void)state;
	root_machine_start(8, 4000);
	shuffle_entries();
	widen("zones", "zone", moved_zones);
	widen("classes", "class", moved_classes);
	const struct root_patch patches[] = {
		patch_u64(&mm_root.table, (uintptr_t)entries),
		patch_u32(&mm_root.entries, entry_count),
		patch_u32(&mm_root.entry_size, sizeof(entries[0])),
	};
	struct root_guest g = {.patch = patches, .patches = 3};

	read_or_fail(&g);
	compare_all(&g, 8);
	root_guest_free(&g);
	root_machine_stop();
}

// --- what cannot be trusted ---------------------------------------------------------------
static void expect_refusal(const struct root_patch *patch, const char *why)
{
	struct root_guest g = {.patch = patch, .patches = 1};

	assert_false(root_guest_read(&g));
	assert_int_equal(g.guest.status, MV_OK);
	if (!strstr(g.kernel.root.why, why))
		fail_msg("\"%s\" instead of \"%s\"", g.kernel.root.why, why);
	assert_int_equal(g.kernel.zone_count, 0);
	root_guest_free(&g);
}

static const struct mm_root_entry *real_entry(const char *name)
{
	const struct mm_root_entry *table = (const void *)(uintptr_t)mm_root.table;

	for (uint32_t i = 0; i < mm_root.entries; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	fail_msg("no entry %s", name);
	return NULL;
}

static void a_descriptor_that_is_wrong_is_named(void **state)
{
	const struct root_patch patches[] = {
		patch_u32(&mm_root.version, 3),
		patch_u64(&mm_root.self, 4096),
		patch_u64(mm_root.magic, 0),
		patch_u64(&mm_root.table, 0xdead000000000000),
		patch_u32(&mm_root.entries, 1u << 30),
		patch_u32(&mm_root.entry_size, 8),
		patch_u32(real_entry("zone.frames")->name, 0),
		patch_u64(&real_entry("zone.given")->where, 1u << 20),
		patch_u32(&real_entry("word.free")->bytes, 3),
		patch_u32(&real_entry("cpu.allocs")->count, 2),
		patch_u64(&real_entry("class.last")->where, 63),
		patch_u32(&real_entry("page")->bytes, 1u << 30),
	};
	static const char *const why[] = {
		"root descriptor version 3; this memviz reads 1",
		"cannot be trusted: there is none at",
		"cannot be trusted: there is none at",
		"cannot be read",
		"1073741824 entries",
		"entries of 8 bytes",
		"it lacks zone.frames",
		"zone.given is described wrongly",
		"word.free is described wrongly",
		"counters per CPU",
		"class",
		"page is described wrongly",
	};

	(void)state;
	root_machine_start(9, 4000);
	for (size_t i = 0; i < sizeof(why) / sizeof(why[0]); i++)
		expect_refusal(&patches[i], why[i]);
	root_machine_stop();
}

static const void *variable(const char *name)
{
	return (const void *)(uintptr_t)real_entry(name)->where;
}

static const uint8_t *zone_field(unsigned zone, const char *name)
{
	const struct mm_root_entry *zones = real_entry("zones");

	return (const uint8_t *)variable("zones") + zone * zones->bytes + real_entry(name)->where;
}

static void memory_that_is_damaged_is_named(void **state)
{
	root_machine_start(10, 4000);
	const struct root_patch patches[] = {
		patch_u32(variable("ready"), 0),
		patch_u64(variable("direct_limit"), ~UINT64_C(0)),
		patch_u64(variable("extents"), 0x10),
		patch_u32(variable("extent_count"), 0xffffffff),
		patch_u32(zone_field(1, "zone.words"), 0xffffffff),
		patch_u64(zone_field(1, "zone.word"), 8),
		patch_u32(zone_field(1, "zone.frames"), 0xffffffff),
		patch_u64(zone_field(1, "zone.pages"), 0xffff000000000000),
		patch_u64(variable("cpus"), 0xdead000000000000),
		patch_u64(variable("spaces_first"), 0xdead000000000000),
	};
	static const char *const why[] = {
		"not up yet",
		"direct map",
		"extents of memory cannot be read",
		"4294967295 extents",
		"zone 1",
		"zone 1: its",
		"zone 1",
		"nothing can be read at 0xffff",
		"CPU 0: nothing can be read at 0xdead",
		"list of spaces at 0xdead",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(why) / sizeof(why[0]); i++)
		expect_refusal(&patches[i], why[i]);
	root_machine_stop();
}

static void damaged_slabs_leave_the_figures(void **state)
{
	root_machine_start(11, 4000);
	const struct root_patch patch = patch_u64(variable("slabs"), 0xdead000000000000);
	struct root_guest g = {.patch = &patch, .patches = 1};

	(void)state;
	assert_true(root_guest_read(&g));
	assert_non_null(strstr(g.kernel.slabs_why, "nothing can be read at 0xdead"));
	assert_int_equal(g.kernel.slab_count, 0);
	compare_stat(&g.kernel);
	compare_frames(&g.kernel);
	root_guest_free(&g);
	root_machine_stop();
}

// A list of spaces that ends in itself.
static void lists_have_an_end(void **state)
{
	struct mm_space_info info;
	struct root_guest g = {0};

	(void)state;
	root_machine_start(12, 4000);
	struct Page *root = alloc_pages(ZONE_NORMAL, 1, PAGE_KERNEL);
	memset(host_virt(mm_page_to_phys(root).value), 0, PAGE_4K_SIZE);
	mm_port_root_set(mm_page_to_phys(root));
	assert_int_equal(mm_space_adopt_kernel(mm_page_to_phys(root)), MM_OK);
	assert_int_equal(mm_space_info(MM_SPACE_KERNEL, &info), MM_OK);
	uint64_t first = *(const uint64_t *)variable("spaces_first");
	const struct root_patch loop = patch_u64(
		(const uint8_t *)(uintptr_t)first + real_entry("space.next")->where, first);

	g = (struct root_guest){.patch = &loop, .patches = 1};
	assert_false(root_guest_read(&g));
	assert_non_null(strstr(g.kernel.root.why, "list of spaces"));
	root_guest_free(&g);
	mm_space_exit();
	root_machine_stop();
}

static void figures_that_disagree_are_named(void **state)
{
	root_machine_start(14, 1000);
	const struct root_patch patches[] = {
		patch_u64(zone_field(1, "zone.given"),
			  1 + *(const uint64_t *)(const void *)zone_field(1, "zone.given")),
		patch_u64(zone_field(2, "zone.shared"), 99),
		patch_u64((const uint8_t *)variable("classes") + 6 * real_entry("classes")->bytes +
				  real_entry("class.slabs")->where,
			  77),
	};
	static const char *const what[] = {"count of taken frames", "count of shared frames",
					   "count of slabs: 0x6, 0x4d"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct root_guest g = {.patch = &patches[i], .patches = 1};
		struct kernel_check check;

		read_or_fail(&g);
		kernel_check(&g.kernel, &g.guest, &check);
		assert_true(check.faults > 0);
		assert_non_null(strstr(check.fault[0], what[i]));
		root_guest_free(&g);
	}
	root_machine_stop();
}

static void expect_symbol(const struct root_guest *g, uint64_t offset, const char *name)
{
	char text[160];
	const char *got = kernel_symbol(&g->kernel, (uintptr_t)root_image + offset, text,
					sizeof(text));

	if (name)
		assert_string_equal(got, name);
	else
		assert_null(got);
}

static void code_has_its_names(void **state)
{
	const struct root_patch patches[] = {
		patch_u32(root_image + ROOT_SYMBOLS, 1u << 30),	     // a count beyond the image
		patch_u32(root_image + ROOT_SYMBOLS + 16, 1u << 20), // a name beyond it
	};
	struct root_guest g = {0};

	(void)state;
	root_machine_start(13, 100);
	read_or_fail(&g);
	expect_symbol(&g, 0xf, NULL);
	expect_symbol(&g, 0x10, "first");
	expect_symbol(&g, 0x18, "first+0x8");
	expect_symbol(&g, 0x200, "second");
	expect_symbol(&g, 0xfff, "second+0xdff");
	expect_symbol(&g, 0x1000, NULL);
	root_guest_free(&g);
	for (size_t i = 0; i < 2; i++) {
		g = (struct root_guest){.patch = &patches[i], .patches = 1};
		read_or_fail(&g);
		expect_symbol(&g, 0x210, NULL);
		root_guest_free(&g);
	}
	root_machine_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_derived_equals_what_mm_says),
		cmocka_unit_test(spaces_and_what_they_map_are_found),
		cmocka_unit_test(another_layout_reads_the_same),
		cmocka_unit_test(a_descriptor_that_is_wrong_is_named),
		cmocka_unit_test(memory_that_is_damaged_is_named),
		cmocka_unit_test(damaged_slabs_leave_the_figures),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(figures_that_disagree_are_named),
		cmocka_unit_test(code_has_its_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
