// test_pgtable.c: every row of the API's page-table part, and every fault of the
// original there, one by one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"
#include "pt_rig.h"
#include "pt_rig_host.h"

#define PAGE		PAGE_4K_SIZE
#define M2		PAGE_2M_SIZE
#define G1		PAGE_1G_SIZE
#define RW		(1ul << PAGE_R_W)
#define US		(1ul << PAGE_U_S)
#define XD		(1ul << PAGE_XD)
#define GL		(1ul << PAGE_GLOBAL)
#define AD		(1ul << PAGE_ACCESSED | 1ul << PAGE_DIRTY)
#define KVA		0xffffa00040000000ul // in the device window
#define USER_END_LENGTH (MM_USER_SPACE_END + 1)

static void failed(const char *message)
{
	fail_msg("%s", message);
}

static int set_up(void **state)
{
	(void)state;
	rig_on_failure = failed;
	rig_start((struct rig_options){0});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

static uint32_t new_space(void)
{
	uint32_t id = 0;

	assert_int_equal(mm_space_create("test", &id, NULL), MM_OK);
	return id;
}

static struct mm_map_result map(uint32_t space, uint64_t va, uint64_t pa, uint64_t length,
				uint64_t flags, bool use4k, enum mm_status expect)
{
	struct mm_map_request request = {
		.space = space,
		.va = mm_va(va),
		.pa = mm_pa(pa),
		.length = length,
		.flags = flags,
		.use4k = use4k,
		.flush = true,
	};
	struct mm_map_result result;
	uint64_t digest = rig_digest();

	assert_string_equal(mm_status_name(mm_map_ex(&request, &result)), mm_status_name(expect));
	if (expect != MM_OK) {
		assert_true(digest == rig_digest());
		assert_true(result.reason[0] != '\0');
	}
	rig_host_check();
	return result;
}

static struct mm_unmap_result unmap(uint32_t space, uint64_t va, uint64_t length)
{
	struct mm_unmap_request request = {.space = space, .va = mm_va(va), .length = length};
	struct mm_unmap_result result;

	rig_tlb_fill();
	assert_int_equal(mm_unmap_ex(&request, &result), MM_OK);
	rig_tlb_verify();
	rig_host_check();
	return result;
}

// The leaf at va, found in the raw tables; bytes 0: none.
static struct rig_leaf at(uint32_t space, uint64_t va)
{
	struct rig_leaf leaf;

	rig_translate(rig_root(space), va, &leaf);
	return leaf;
}

static void maps(uint32_t space, uint64_t va, uint64_t pa, uint64_t bytes)
{
	struct rig_leaf leaf = at(space, va);

	assert_int_equal(leaf.bytes, bytes);
	assert_true(leaf.pa + (va - leaf.va) == pa);
}

static void holes(uint32_t space, uint64_t va, uint64_t length)
{
	for (uint64_t i = 0; i < length; i += PAGE)
		assert_int_equal(at(space, va + i).bytes, 0);
}

// --- sizes of leaves -----------------------------------------------------------------------
static void largest_leaves_and_ragged_ends(void **state)
{
	uint32_t space = new_space();
	uint64_t from = G1 - 2 * M2 - 3 * PAGE, length = 3 * PAGE + 2 * M2 + 2 * G1 + M2 + PAGE;
	struct mm_map_result result = map(space, from, from, length, RW, false, MM_OK);

	(void)state;
	assert_int_equal(result.entries, 3 + 2 + 2 + 1 + 1);
	maps(space, from, from, PAGE);
	maps(space, G1 - M2, G1 - M2, M2);
	maps(space, G1 + 12345, G1 + 12345, G1);
	maps(space, 3 * G1, 3 * G1, M2);
	maps(space, 3 * G1 + M2, 3 * G1 + M2, PAGE);
	holes(space, from - PAGE, PAGE);
	holes(space, from + length, PAGE);
}

static void leaf_size_follows_alignment(void **state)
{
	uint32_t space = new_space();

	(void)state;
	assert_int_equal(map(space, G1, G1 + M2, G1, RW, false, MM_OK).entries, 512);
	assert_int_equal(map(space, 4 * G1, PAGE, M2, RW, false, MM_OK).entries, 512);
	assert_int_equal(map(space, 5 * G1, 0, M2, RW, true, MM_OK).entries, 512);
	maps(space, G1, G1 + M2, M2);
	maps(space, 4 * G1, PAGE, PAGE);
	maps(space, 5 * G1, 0, PAGE);
}

static void no_1g_leaves_without_the_cpu(void **state)
{
	(void)state;
	rig_stop();
	rig_start((struct rig_options){.no_1g = true});
	assert_int_equal(map(new_space(), G1, G1, G1, RW, false, MM_OK).entries, 512);
}

static void every_touched_page_is_mapped(void **state)
{
	uint32_t space = new_space();

	(void)state;
	assert_int_equal(map(space, M2 + 0xfff, 0xfff, 2, RW, false, MM_OK).entries, 2);
	maps(space, M2, 0, PAGE);
	maps(space, M2 + PAGE, PAGE, PAGE);
	holes(space, M2 + 2 * PAGE, PAGE);
	assert_int_equal(unmap(space, M2 + 0xfff, 2).entries, 2);
	assert_int_equal(rig_tables(rig_root(space)), 1);
}

// --- faults of the original ---------------------------------------------------------------------
static void pages_across_a_2m_boundary(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, 3 * M2 - PAGE, 0x7000, 3 * PAGE, RW, true, MM_OK);
	for (unsigned i = 0; i < 3; i++)
		maps(space, 3 * M2 - PAGE + i * PAGE, 0x7000 + i * PAGE, PAGE);
}

static void large_pages_across_a_1g_boundary(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, 2 * G1 - M2, 8 * M2, 3 * M2, RW, false, MM_OK);
	for (unsigned i = 0; i < 3; i++)
		maps(space, 2 * G1 - M2 + i * M2, (8 + i) * M2, M2);
}

static void pages_across_a_512g_boundary(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, 512 * G1 - PAGE, 0x7000, 2 * PAGE, RW, true, MM_OK);
	maps(space, 512 * G1 - PAGE, 0x7000, PAGE);
	maps(space, 512 * G1, 0x8000, PAGE);
	map(MM_SPACE_KERNEL, 0xffffa08000000000 - PAGE, 0x7000, 2 * PAGE, RW, true, MM_OK);
	maps(space, 0xffffa08000000000, 0x8000, PAGE);
}

static void unmapping_a_hole_writes_nothing(void **state)
{
	uint32_t space = new_space();
	uint64_t digest = rig_digest();
	uint64_t zero[8];

	(void)state;
	memcpy(zero, host_virt(0), sizeof(zero));
	assert_int_equal(unmap(space, 7 * G1, G1 + 5).entries, 0);
	assert_int_equal(unmap(space, 0, USER_END_LENGTH).entries, 0);
	assert_true(digest == rig_digest());
	assert_memory_equal(zero, host_virt(0), sizeof(zero));
	assert_int_equal(rig_flushes.calls, 0);
}

static void absent_tables_do_not_hide_later_mappings(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, 600 * G1, 0, PAGE, RW, true, MM_OK);
	map(space, 3 * G1, 0, PAGE, RW, true, MM_OK);
	map(space, 1100 * G1, G1, G1, RW, false, MM_OK);
	assert_int_equal(unmap(space, PAGE, 1200 * G1).entries, 3);
	assert_int_equal(rig_tables(rig_root(space)), 1);
}

static void partial_unmap_of_2m_keeps_the_rest(void **state)
{
	uint32_t space = new_space();
	struct mm_unmap_result result;

	(void)state;
	map(space, 4 * M2, 6 * M2, M2, RW | XD | GL, false, MM_OK);
	result = unmap(space, 4 * M2 + 5 * PAGE, 3 * PAGE);
	assert_int_equal(result.entries, 3);
	assert_int_equal(result.split, 1);
	assert_int_equal(result.tables, 0);
	holes(space, 4 * M2 + 5 * PAGE, 3 * PAGE);
	for (unsigned i = 0; i < 512; i++)
		if (i < 5 || i > 7) {
			maps(space, 4 * M2 + i * PAGE, 6 * M2 + i * PAGE, PAGE);
			assert_true(at(space, 4 * M2 + i * PAGE).flags == (RW | XD | GL));
		}
	assert_int_equal(unmap(space, 4 * M2, M2).entries, 509);
	assert_int_equal(rig_tables(rig_root(space)), 1);
}

static void partial_unmap_of_1g_keeps_the_rest(void **state)
{
	uint32_t space = new_space();
	struct mm_unmap_result result;

	(void)state;
	map(space, G1, 3 * G1, 2 * G1, RW, false, MM_OK);
	result = unmap(space, 2 * G1 - M2 - PAGE, 2 * PAGE + 2 * M2);
	assert_int_equal(result.split, 4);
	assert_int_equal(result.entries, 1 + 1 + 1 + 1);
	maps(space, 2 * G1 - 2 * M2, 4 * G1 - 2 * M2, PAGE);
	maps(space, G1, 3 * G1, M2);
	holes(space, 2 * G1 - M2 - PAGE, 2 * PAGE + 2 * M2);
	maps(space, 2 * G1 + M2 + PAGE, 4 * G1 + M2 + PAGE, PAGE);
	maps(space, 2 * G1 + 2 * M2, 4 * G1 + 2 * M2, M2);
}

static void kernel_tables_survive_a_space(void **state)
{
	uint32_t space = new_space();
	uint64_t tables = 0;

	(void)state;
	map(space, KVA, M2, 3 * PAGE, RW, true, MM_OK);
	map(space, M2, M2, 3 * PAGE, RW, true, MM_OK);
	assert_int_equal(mm_space_destroy(space, &tables), MM_OK);
	assert_int_equal(tables, 4);
	maps(MM_SPACE_KERNEL, KVA, M2, PAGE);
	rig_host_check();
	unmap(MM_SPACE_KERNEL, KVA, 3 * PAGE);
	holes(MM_SPACE_KERNEL, KVA, 3 * PAGE);
}

static void the_kernel_half_is_shared_always(void **state)
{
	uint32_t before = new_space(), after;

	(void)state;
	map(before, KVA, M2, PAGE, RW, true, MM_OK);
	after = new_space();
	maps(MM_SPACE_KERNEL, KVA, M2, PAGE);
	maps(after, KVA, M2, PAGE);
	map(after, 0xfffff00000000000, M2, PAGE, RW, true, MM_OK);
	maps(before, 0xfffff00000000000, M2, PAGE);
	unmap(before, KVA, PAGE);
	holes(after, KVA, PAGE);
	map(after, KVA, 2 * M2, PAGE, RW, true, MM_OK);
	maps(before, KVA, 2 * M2, PAGE);
}

static void users_pass_every_level(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, G1, M2, PAGE, RW, true, MM_OK);
	assert_true(at(space, G1).flags == RW);
	rig_tlb_fill();
	map(space, G1 + PAGE, 2 * M2, PAGE, RW | US, true, MM_OK);
	assert_int_equal(rig_flushes.calls, 1);
	assert_true(at(space, G1 + PAGE).flags == (RW | US));
	assert_true(at(space, G1).flags == RW); // still the supervisor's alone
	map(MM_SPACE_KERNEL, KVA, M2, PAGE, RW, true, MM_OK);
	map(space, KVA + PAGE, M2, PAGE, US, true, MM_OK);
	for (uint32_t id = 0; id <= space; id += space)
		assert_true(at(id, KVA + PAGE).flags == US);
	assert_true(at(space, KVA).flags == RW);
}

static void flush_false_leaves_the_tlb_alone(void **state)
{
	uint32_t space = new_space();
	ul root = rig_root(space).value;

	(void)state;
	rig_tlb_fill();
	assert_int_equal(mm_map_proc_page_table(root, true, G1, M2, PAGE, RW, false, true, true),
			 0);
	assert_int_equal(rig_flushes.calls, 0); // absent to present
	assert_int_equal(
		mm_map_proc_page_table(root, true, G1 + PAGE, M2, PAGE, RW, true, false, true), 0);
	assert_int_equal(rig_flushes.calls, 0);
	assert_true(at(space, G1 + PAGE).flags == (RW | US));
}

// --- flags
// -----------------------------------------------------------------------------------------
static void flags_are_taken_as_given(void **state)
{
	static const uint64_t flags[] = {0,
					 RW,
					 XD,
					 RW | XD,
					 GL,
					 1ul << PAGE_PWT,
					 1ul << PAGE_PCD,
					 US,
					 US | RW | XD | GL | 0x18};
	uint32_t space = new_space();

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		map(space, G1 + i * M2, i * M2, M2, flags[i] | 1, false, MM_OK);
		map(space, 2 * G1 + i * M2, i * M2, M2, flags[i] | 1ul << PAGE_PS, true, MM_OK);
		assert_true(at(space, G1 + i * M2).flags == flags[i]);
		assert_true(at(space, 2 * G1 + i * M2).flags == flags[i]);
		assert_int_equal(at(space, 2 * G1 + i * M2).raw & 1ul << PAGE_PS, 0); // PAT there
	}
}

static void splitting_moves_the_pat_bit(void **state)
{
	uint32_t space = new_space();
	uint64_t *entry;

	(void)state;
	map(space, G1, G1, G1, RW, false, MM_OK);
	entry = rig_entry(rig_root(space), G1, 3);
	*entry |= 1ul << 12 | AD;
	unmap(space, G1 + M2, PAGE);
	entry = rig_entry(rig_root(space), G1, 2);
	assert_true((*entry & 0x1fff) == (1ul << 12 | 0x80 | AD | RW | 1));
	entry = rig_entry(rig_root(space), G1 + M2 + PAGE, 1);
	assert_true((*entry & 0xfff) == (0x80 | AD | RW | 1));
	assert_true((*entry & PAGE_4K_MASK) == G1 + M2 + PAGE);
}

// --- what is refused
// ---------------------------------------------------------------------------------
static void bad_requests_change_nothing(void **state)
{
	static const struct {
		uint64_t va, pa, length, flags;
		enum mm_status status;
	} bad[] = {
		{G1,		     M2,		 PAGE,	       1ul << 9,	 MM_ERR_FLAGS    },
		{G1,		     M2,		 PAGE,	       1ul << 12, MM_ERR_FLAGS    },
		{G1,		     M2,		 PAGE,	       1ul << 62, MM_ERR_FLAGS    },
		{G1 + 1,		 M2,		     PAGE,		   RW,	       MM_ERR_ALIGN	   },
		{G1,		     M2 + 2048,		PAGE,		      RW,	  MM_ERR_ALIGN    },
		{0xfffffffffffff000, M2,		 PAGE + 1,	   RW,	       MM_ERR_WRAP	  },
		{0xffff900000000000, M2,		 UINT64_MAX,	     RW,	 MM_ERR_WRAP	    },
		{0x0000800000000000, M2,		 UINT64_MAX,	     RW,	 MM_ERR_CANONICAL},
		{0x0000800000000000, M2,		 PAGE,	       RW,	   MM_ERR_CANONICAL},
		{0xffff7ffffffff000, M2,		 2 * PAGE,	   RW,	       MM_ERR_CANONICAL},
		{0x00007ffffffff000, M2,		 2 * PAGE,	   RW,	       MM_ERR_CANONICAL},
		{0x00007ffffffff000, M2,		 0xffff800000000000, RW,	 MM_ERR_CANONICAL},
		{G1,		     1ul << 40,		PAGE,		      RW,	  MM_ERR_PHYS     },
		{G1,		     (1ul << 40) - PAGE, 2 * PAGE,	   RW,	       MM_ERR_PHYS	  },
		{G1,		     -PAGE,		    PAGE,		  RW,	      MM_ERR_PHYS	 },
	};
	uint32_t space = new_space();

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		map(space, bad[i].va, bad[i].pa, bad[i].length, bad[i].flags, false, bad[i].status);
	map(4711, G1, M2, PAGE, RW, false, MM_ERR_SPACE);
	// At the very edges it is allowed.
	map(space, 0x00007ffffffff000, (1ul << 40) - PAGE, PAGE, RW, false, MM_OK);
	map(space, 0xfffffffffffff000, 0, PAGE, RW, false, MM_OK);
	map(space, 0, M2, PAGE, RW, false, MM_OK);
}

static void xd_needs_the_cpu(void **state)
{
	(void)state;
	rig_stop();

	rig_start((struct rig_options){.no_nx = true});
	map(new_space(), G1, M2, PAGE, RW | XD, false, MM_ERR_FLAGS);
}

static void what_is_mapped_is_in_the_way(void **state)
{
	uint32_t space = new_space();
	struct mm_map_result result;

	(void)state;
	map(space, G1 + 300 * PAGE, M2, PAGE, RW, true, MM_OK);
	result = map(space, G1, 4 * M2, M2, RW, true, MM_ERR_MAPPED);
	assert_true(result.at.value == G1 + 300 * PAGE);
	map(space, G1, 4 * G1, 2 * G1, RW, false, MM_ERR_MAPPED);
	map(space, G1 + 300 * PAGE, M2, PAGE, RW | US, true, MM_ERR_MAPPED);
	map(space, G1 + 299 * PAGE, M2 - PAGE, 2 * PAGE, RW, true, MM_ERR_MAPPED);
	map(space, 2 * G1 + M2, M2, M2, RW, false, MM_OK);
	map(space, 2 * G1 + M2 + PAGE, M2, PAGE, RW, false, MM_ERR_MAPPED);
}

static void the_very_same_again_is_fine(void **state)
{
	uint32_t space = new_space();
	uint64_t digest;

	(void)state;
	map(space, G1, M2, 3 * M2 + PAGE, RW, false, MM_OK);
	*rig_entry(rig_root(space), G1, 2) |= AD; // the CPU was here
	digest = rig_digest();
	assert_int_equal(map(space, G1, M2, 3 * M2 + PAGE, RW, false, MM_OK).entries, 0);
	assert_int_equal(map(space, G1 + PAGE, M2 + PAGE, M2, RW, true, MM_OK).entries, 0);
	assert_true(digest == rig_digest());
}

static void length_0_is_nothing(void **state)
{
	uint64_t digest = rig_digest();

	(void)state;
	assert_int_equal(mm_map_phys_addr(G1 + 1, M2, 0, 0xffff, true), 0);
	mm_unmap_addr(0x8000000000000000, 0);
	assert_true(digest == rig_digest());
}

// --- the four calls
// -------------------------------------------------------------------------------------
static void the_four_calls(void **state)
{
	uint32_t space = new_space();
	paddr_t root = rig_root(space);

	(void)state;
	assert_int_equal(mm_map_phys_addr(G1, M2, PAGE, RW, true), 0);
	maps(MM_SPACE_KERNEL, G1, M2, PAGE);
	assert_int_equal(mm_map_phys_addr(G1, 2 * M2, PAGE, RW, true), -EFAULT);
	assert_string_equal(mm_mapping_reason(), "the page is mapped to another address");
	assert_int_equal(-EFAULT, -21);
	assert_int_equal(
		mm_map_proc_page_table(root.value, true, G1, M2, PAGE, RW, true, true, true), 0);
	assert_true(at(space, G1).flags == (RW | US));
	assert_int_equal(mm_map_proc_page_table((ul)(uintptr_t)host_virt(root.value), false, 2 * G1,
						M2, PAGE, RW, false, true, true),
			 0);
	maps(space, 2 * G1, M2, PAGE);
	assert_int_equal(
		mm_map_proc_page_table(root.value + PAGE, true, G1, M2, PAGE, RW, true, true, true),
		-EFAULT);
	assert_int_equal(mm_map_proc_page_table(12345, false, G1, M2, PAGE, RW, true, true, true),
			 -EFAULT);
	mm_unmap_proc_table(root.value, true, G1, PAGE);
	mm_unmap_proc_table((ul)(uintptr_t)host_virt(root.value), false, 2 * G1, 1);
	holes(space, G1, PAGE);
	holes(space, 2 * G1, PAGE);
	maps(MM_SPACE_KERNEL, G1, M2, PAGE);
	assert_int_equal(mm_space_switch(space), MM_OK);
	assert_int_equal(mm_map_phys_addr(5 * G1, M2, PAGE, RW, true), 0);
	maps(space, 5 * G1, M2, PAGE);
	mm_unmap_addr(5 * G1, PAGE);
	holes(space, 5 * G1, PAGE);
	assert_int_equal(mm_space_switch(MM_SPACE_KERNEL), MM_OK);
	mm_unmap_addr(G1, PAGE);
	holes(MM_SPACE_KERNEL, G1, PAGE);
}

static struct mm_event seen;
static unsigned events;

static void listen(const struct mm_event *event, void *context)
{
	(void)context;
	if (event->type == MM_EVENT_MAP || event->type == MM_EVENT_UNMAP ||
	    (event->type == MM_EVENT_FAILURE && event->failed != MM_EVENT_KMALLOC)) {
		seen = *event;
		events++;
	}
}

static void events_tell(void **state)
{
	uint64_t gen = mm_generation();

	(void)state;
	mm_hook_set(listen, NULL);
	assert_int_equal(mm_map_phys_addr(G1 + 5, M2 + 5, PAGE, RW, true), 0);
	assert_int_equal(seen.type, MM_EVENT_MAP);
	assert_true(seen.address == G1 + 5 && seen.aux == M2 + 5 && seen.size == PAGE);
	assert_true(seen.root == rig_root(0).value && seen.flags == RW);
	assert_true(mm_generation() != gen);
	assert_int_equal(mm_map_phys_addr(G1, 0, PAGE, RW, true), -EFAULT);
	assert_true(seen.type == MM_EVENT_FAILURE && seen.status == MM_ERR_MAPPED &&
		    seen.failed == MM_EVENT_MAP);
	mm_unmap_addr(0x8000000000000000, PAGE);
	assert_true(seen.type == MM_EVENT_FAILURE && seen.status == MM_ERR_CANONICAL);
	mm_unmap_addr(G1, 1);
	assert_int_equal(seen.type, MM_EVENT_UNMAP);
	assert_int_equal(events, 4);
	mm_unmap_addr(G1, 1); // a hole is no event
	assert_int_equal(events, 4);
	mm_hook_set(NULL, NULL);
}

// --- memory
// ------------------------------------------------------------------------------------------------
static void tables_are_safe_from_kfree(void **state)
{
	void *table;

	(void)state;
	map(MM_SPACE_KERNEL, G1, M2, PAGE, RW, true, MM_OK);
	table = host_virt(*rig_entry(rig_root(0), G1, 2) & 0x000ffffffffff000);
	assert_int_equal(mm_query_free(table, NULL), MM_ERR_TABLE);
	assert_true(host_panics(kfree(table)));
	maps(MM_SPACE_KERNEL, G1, M2, PAGE);
}

static void data_frames_stay(void **state)
{
	struct Page *page = alloc_pages(ZONE_NORMAL, 2, 0);
	uint32_t space = new_space();
	uint64_t pa = mm_page_to_phys(page).value;

	(void)state;
	map(space, G1, pa, 2 * M2, RW, false, MM_OK);
	unmap(space, G1, M2 + PAGE);
	assert_int_equal(mm_space_destroy(space, NULL), MM_OK);
	assert_int_equal(mm_page_refs(page), 1);
	free_pages(page, 2);
}

static void everything_comes_back(void **state)
{
	struct mm_stat_t before, after;
	uint32_t space;

	(void)state;
	map(MM_SPACE_KERNEL, KVA, M2, PAGE, RW, true, MM_OK); // makes the top level's table
	unmap(MM_SPACE_KERNEL, KVA, PAGE);
	mm_space_destroy(new_space(), NULL);
	before = mm_stat();
	space = new_space();
	map(space, G1 - M2 - PAGE, PAGE, 64 * M2, RW, false, MM_OK);
	map(space, 700 * G1, G1, 2 * G1, RW, false, MM_OK);
	map(space, KVA, M2, 70 * PAGE, RW, true, MM_OK);
	unmap(space, 700 * G1 + PAGE, PAGE);
	unmap(space, KVA, 70 * PAGE);
	assert_int_equal(mm_space_destroy(space, NULL), MM_OK);
	mm_trim();
	after = mm_stat();
	assert_int_equal(before.cache_used, after.cache_used);
}

static void all_or_nothing_for_every_table(void **state)
{
	uint32_t space = new_space();
	struct mm_map_request request = {.space = space,
					 .va = mm_va(512 * G1 - M2 - PAGE),
					 .length = 3 * M2 + 3 * PAGE,
					 .flags = RW,
					 .use4k = true};
	struct mm_map_result result;
	uint64_t digest = rig_digest();
	struct mm_stat_t before = mm_stat(), after;
	uint64_t n = 1;

	(void)state;
	request.pa = mm_pa(request.va.value & 0xffffff);
	for (;; n++) {
		rig_host_fail_table(n);
		if (mm_map_ex(&request, &result) == MM_OK)
			break;
		assert_true(digest == rig_digest());
		after = mm_stat();
		assert_int_equal(before.cache_used, after.cache_used);
		rig_host_check();
	}
	rig_host_fail_table(0);
	assert_int_equal(n, 1 + result.tables);
	assert_int_equal(result.tables, 9);
}

// Takes all memory that table pages could come from.
static void starve(void)
{
	for (ul size = 1ul << 20; size >= PAGE; size /= 2)
		while (kmalloc(size, 0))
			;
	rig_host_fail_table(1);
}

static void the_reserve_lets_unmap_split(void **state)
{
	uint32_t space = new_space();
	struct mm_unmap_request request = {.space = space, .length = PAGE};
	uint64_t digest;

	(void)state;
	map(space, G1, G1, 16 * M2, RW, false, MM_OK);
	starve();
	map(space, 8 * G1, 0, PAGE, RW, true, MM_ERR_TABLE_MEM);
	for (unsigned i = 0; i < MM_RESERVE_TABLES; i++)
		assert_int_equal(unmap(space, G1 + i * M2, PAGE).split, 1);
	digest = rig_digest();
	request.va = mm_va(G1 + 8 * M2);
	assert_int_equal(mm_unmap_ex(&request, NULL), MM_ERR_TABLE_MEM);
	assert_true(digest == rig_digest());
	assert_true(host_panics(mm_unmap_proc_table(rig_root(space).value, true, G1 + 8 * M2, 1)));
	assert_non_null(strstr(host_panic_text, "0x41000000"));
	// Tables that unmapping frees fill it up again.
	assert_int_equal(unmap(space, G1, M2).tables, 1);
	assert_int_equal(unmap(space, G1 + 8 * M2, PAGE).split, 1);
	rig_host_fail_table(0);
}

static void too_much_is_refused_at_once(void **state)
{
	uint32_t space = new_space();

	(void)state;
	assert_true(map(space, 0, PAGE, 1ul << 39, RW, true, MM_ERR_TABLE_MEM).tables > 1 << 18);
}

// --- flushes
// ---------------------------------------------------------------------------------------------------
static void flushes_are_exact(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, G1, M2, 200 * PAGE, RW, true, MM_OK);
	unmap(space, G1, PAGE);
	assert_true(rig_flushes.calls == 1 && rig_flushes.pages == 1);
	unmap(space, G1, 34 * PAGE);
	assert_true(rig_flushes.pages == 33 && !rig_flushes.roots && !rig_flushes.alls);
	unmap(space, G1, 34 * PAGE + 34 * PAGE);
	assert_true(!rig_flushes.pages && rig_flushes.roots == 1 && !rig_flushes.alls);
	map(space, 2 * G1, M2, 200 * PAGE, RW | GL, true, MM_OK);
	unmap(space, 2 * G1, 34 * PAGE);
	assert_true(!rig_flushes.pages && !rig_flushes.roots && rig_flushes.alls == 1);
	unmap(space, 2 * G1, 35 * PAGE);
	assert_true(rig_flushes.pages == 1);
	map(space, 4 * G1, 4 * G1, G1, RW | GL, false, MM_OK);
	unmap(space, 4 * G1 + M2 + PAGE, PAGE);
	assert_true(rig_flushes.pages == 1 && rig_flushes.calls == 1);
}

static void the_last_global_page_is_not_forgotten(void **state)
{
	uint32_t space = new_space();

	(void)state;
	map(space, G1, M2, 511 * PAGE, RW, true, MM_OK);
	map(space, G1 + 511 * PAGE, M2, PAGE, RW | GL, true, MM_OK);
	unmap(space, G1, M2);
	assert_int_equal(rig_flushes.alls, 1);
}

// --- looking
// ------------------------------------------------------------------------------------------------------
static void translate_shows_all_levels(void **state)
{
	uint32_t space = new_space();
	struct mm_translation is;

	(void)state;
	map(space, G1 + 3 * PAGE, 5 * M2, PAGE, RW | XD, true, MM_OK);
	assert_int_equal(mm_translate(space, mm_va(G1 + 3 * PAGE + 0x123), &is), MM_OK);
	assert_true(is.mapped && is.pa.value == 5 * M2 + 0x123 && is.page_bytes == PAGE);
	assert_true(is.flags == (RW | XD));
	assert_int_equal(is.depth, 4);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t *entry = rig_entry(rig_root(space), G1 + 3 * PAGE, 4 - i);

		assert_int_equal(is.levels[i].level, 4 - i);
		assert_true(is.levels[i].at.value == rig_host_phys(entry));
		assert_true(is.levels[i].entry == *entry);
		assert_int_equal(is.levels[i].index, is.levels[i].at.value % PAGE / 8);
	}
	assert_int_equal(mm_translate(space, mm_va(G1 + 4 * PAGE), &is), MM_OK);
	assert_true(!is.mapped && is.depth == 4 && !is.levels[3].entry);
	assert_int_equal(mm_translate(space, mm_va(99 * G1), &is), MM_OK);
	assert_true(!is.mapped && is.depth == 2);
	assert_int_equal(mm_translate(space, mm_va(0x800000000000), &is), MM_ERR_CANONICAL);
	assert_int_equal(mm_translate(99, mm_va(0), &is), MM_ERR_SPACE);
	assert_int_equal(mm_translate(MM_SPACE_CURRENT, mm_va(KVA), &is), MM_OK);
	mm_port_root_set(mm_pa(0x5000));
	assert_int_equal(mm_translate(MM_SPACE_CURRENT, mm_va(KVA), &is), MM_ERR_ROOT);
	assert_int_equal(mm_space_current(), MM_SPACE_CURRENT);
}

static struct mm_mapping runs[64];

static size_t visit(struct mm_mapping_filter filter, size_t capacity)
{
	struct mm_cursor cursor = {0};
	size_t total = 0, count;
	enum mm_visit verdict;

	do {
		verdict = mm_visit_mappings(&cursor, &filter, runs + total, capacity, &count);
		total += count;
		assert_true(total < 64 - capacity);
	} while (verdict != MM_VISIT_END);
	assert_int_equal(mm_visit_mappings(&cursor, &filter, runs + total, capacity, &count),
			 MM_VISIT_END);
	assert_int_equal(count, 0);
	return total;
}

static void runs_are_maximal(void **state)
{
	uint32_t space = new_space();
	struct mm_mapping_filter filter = {space, mm_va(0), mm_va(MM_USER_SPACE_END), false};

	(void)state;
	map(space, G1 - 8 * M2, PAGE, 64ul << 20, RW, true, MM_OK);
	for (size_t capacity = 1; capacity < 4; capacity++) {
		assert_int_equal(visit(filter, capacity), 1);
		assert_true(runs[0].length == 64ul << 20 && runs[0].va.value == G1 - 8 * M2);
	}
	*rig_entry(rig_root(space), G1, 1) |= AD;
	assert_int_equal(visit(filter, 3), 1);
	filter.accessed_dirty = true;
	assert_int_equal(visit(filter, 3), 3);
	assert_true(runs[1].va.value == G1 && runs[1].length == PAGE && runs[1].flags == (RW | AD));
	map(space, G1 + 24 * M2, 0, PAGE, RW, true, MM_OK); // goes on in va, not in pa
	assert_int_equal(visit(filter, 3), 4);
}

static void windows_cut_runs(void **state)
{
	uint32_t space = new_space();
	struct mm_mapping_filter filter = {space, mm_va(G1 + 5 * PAGE + 7), mm_va(G1 + 9 * PAGE),
					   false};

	(void)state;
	map(space, G1, 4 * G1, 2 * G1, RW, false, MM_OK);
	assert_int_equal(visit(filter, 1), 1);
	assert_true(runs[0].va.value == G1 + 5 * PAGE && runs[0].length == 5 * PAGE);
	assert_true(runs[0].pa.value == 4 * G1 + 5 * PAGE && runs[0].page_bytes == G1);
	filter.to = mm_va(G1);
	assert_int_equal(visit(filter, 1), 0);
	filter = (struct mm_mapping_filter){space, mm_va(0), mm_va(UINT64_MAX), false};
	map(space, KVA, M2, PAGE, RW, true, MM_OK);
	rig_compare_visitor(space);
	filter.from = mm_va(0x800000000000);
	assert_int_equal(visit(filter, 1), 5); // direct map, KVA, the image's 1 + 2
}

static void any_cursor_is_safe(void **state)
{
	uint32_t space = new_space();
	struct mm_mapping_filter filter = {space, mm_va(0), mm_va(UINT64_MAX), true};
	uint64_t random = 88172645463325252;

	(void)state;
	map(space, G1, M2, 300 * PAGE, RW, true, MM_OK);
	for (unsigned i = 0; i < 20000; i++) {
		struct mm_cursor cursor;
		struct mm_rmap found[2];
		size_t count;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		cursor.at = random & 64 ? random : G1 + random % (400 * PAGE);
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		cursor.sub = random & 64 ? random : (G1 + random % (400 * PAGE)) | (random & 7);
		mm_visit_mappings(&cursor, &filter, runs, 3, &count);
		for (size_t j = 0; j < count; j++) // whatever is shown is true
			maps(space, runs[j].va.value, runs[j].pa.value, runs[j].page_bytes);
		mm_visit_rmap(&cursor, mm_pa(M2), M2, found, 2, &count);
		assert_true(count <= 2);
	}
}

static void rmap_finds_all_and_only(void **state)
{
	uint32_t one = new_space(), two = new_space();
	struct mm_cursor cursor = {0};
	struct mm_rmap found[32];
	size_t total = 0, count;
	enum mm_visit verdict;

	(void)state;
	map(one, G1, 40 * M2 - PAGE, 3 * PAGE, RW, true, MM_OK);
	map(two, 7 * G1, 0, G1, RW, false, MM_OK);
	map(two, KVA, 40 * M2 + 5 * PAGE, PAGE, RW, true, MM_OK);
	do {
		verdict = mm_visit_rmap(&cursor, mm_pa(40 * M2), M2, found + total, 1, &count);
		total += count;
	} while (verdict != MM_VISIT_END);
	assert_int_equal(total, 4);
	assert_true(found[0].space == 0 && found[0].va.value == PAGE_OFFSET + 40 * M2 &&
		    found[0].length == M2);
	assert_true(found[1].space == 0 && found[1].va.value == KVA && found[1].length == PAGE &&
		    found[1].pa.value == 40 * M2 + 5 * PAGE);
	assert_true(found[2].space == one && found[2].va.value == G1 + PAGE &&
		    found[2].length == 2 * PAGE && found[2].pa.value == 40 * M2);
	assert_true(found[3].space == two && found[3].va.value == 7 * G1 + 40 * M2 &&
		    found[3].length == M2);
}

// --- spaces
// -----------------------------------------------------------------------------------------------------------
static void lives_of_spaces(void **state)
{
	uint32_t first = new_space(), second;
	struct mm_space_info info;
	struct mm_cursor cursor = {0};
	paddr_t root;

	(void)state;
	assert_int_equal(mm_space_create("a name that is much longer than there is room for",
					 &second, &root),
			 MM_OK);
	assert_int_equal(mm_space_info(second, &info), MM_OK);
	assert_string_equal(info.name, "a name that is much longer than");
	assert_true(info.root.value == root.value && !info.current && info.tables == 1);
	assert_int_equal(mm_space_switch(second), MM_OK);
	assert_int_equal(mm_port_root().value, root.value);
	assert_int_equal(mm_space_current(), second);
	assert_int_equal(mm_space_destroy(second, NULL), MM_ERR_SPACE);
	assert_int_equal(mm_space_destroy(MM_SPACE_KERNEL, NULL), MM_ERR_SPACE);
	assert_int_equal(mm_space_destroy(first, NULL), MM_OK);
	assert_int_equal(mm_space_destroy(first, NULL), MM_ERR_SPACE);
	assert_int_equal(mm_space_switch(first), MM_ERR_SPACE);
	assert_true(new_space() > second); // ids are not used again
	assert_int_equal(mm_visit_spaces(&cursor, &info), MM_VISIT_ITEM);
	assert_true(info.id == MM_SPACE_KERNEL && !info.current);
	assert_string_equal(info.name, "kernel");
	assert_int_equal(mm_visit_spaces(&cursor, &info), MM_VISIT_ITEM);
	assert_true(info.id == second && info.current);
	assert_int_equal(mm_visit_spaces(&cursor, &info), MM_VISIT_ITEM);
	assert_int_equal(mm_visit_spaces(&cursor, &info), MM_VISIT_END);
	assert_int_equal(mm_space_switch(MM_SPACE_KERNEL), MM_OK);
	assert_int_equal(mm_space_destroy(second, NULL), MM_OK);
}

static void no_memory_for_a_space(void **state)
{
	struct mm_stat_t before = mm_stat();

	(void)state;
	rig_host_fail_table(1);
	assert_int_equal(mm_space_create(NULL, NULL, NULL), MM_ERR_TABLE_MEM);
	rig_host_fail_table(0);
	assert_int_equal(mm_fail_set(MM_FAIL_KMALLOC, 1, 1), MM_OK);
	assert_int_equal(mm_space_create(NULL, NULL, NULL), MM_ERR_NO_MEMORY);
	assert_int_equal(mm_fail_set(MM_FAIL_KMALLOC, 0, 0), MM_OK);
	assert_int_equal(before.cache_used, mm_stat().cache_used);
	rig_host_check();
}

// Boot tables that mm must not trust.
static void bad_boot_tables_are_refused(void **state)
{
	struct mm_region regions[] = {
		{0,	    64 * MIB, MM_REGION_USABLE},
		{16 * MIB, 2 * MIB,  MM_REGION_IN_USE},
	};

	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		uint64_t *tables;

		rig_stop();
		host_start(&(struct host_machine){.regions = regions, .region_count = 2});
		tables = host_virt(16 * MIB);
		tables[256] = (16 * MIB + PAGE) | 3;
		tables[511] = (16 * MIB + PAGE) | 3; // twice
		if (how == 1)
			tables[511] = (16 * MIB) | 3; // itself
		if (how == 2)
			tables[511] = 0x7f0000000003; // nowhere
		assert_int_equal(mm_space_adopt_kernel(mm_pa(16 * MIB + (how == 3))), MM_ERR_ROOT);
		mm_space_exit();
		host_stop();
		rig_start((struct rig_options){0});
	}
}

// --- mm_check sees what is broken
// ----------------------------------------------------------------------------------------
static unsigned faults_found(void)
{
	return (unsigned)mm_check(NULL, NULL).faults;
}

static void check_sees(uint64_t *word, uint64_t broken)
{
	uint64_t good = *word;

	assert_int_equal(faults_found(), 0);
	*word = broken;
	assert_true(faults_found() > 0);
	*word = good;
	assert_int_equal(faults_found(), 0);
}

static void check_finds_what_is_broken(void **state)
{
	uint32_t space = new_space(), other = new_space();
	uint64_t *pte, *pde, *pdpte, *top, *kernel;

	(void)state;
	map(space, G1, M2, 3 * PAGE, RW, true, MM_OK);
	map(space, 4 * G1, 4 * G1, G1, RW, false, MM_OK);
	map(other, G1, M2, 3 * PAGE, RW | US, true, MM_OK);
	pte = rig_entry(rig_root(space), G1, 1);
	pde = rig_entry(rig_root(space), G1, 2);
	pdpte = rig_entry(rig_root(space), G1, 3);
	top = rig_entry(rig_root(space), G1, 4);
	kernel = rig_entry(rig_root(space), KVA, 4);
	check_sees(pte, 0);		   // the count above is off
	check_sees(pte + 9, 5ul << 12);	   // absent, but not zero
	check_sees(pte, *pte | US);	   // open below closed
	check_sees(pte, *pte | 1ul << 45); // beyond the width
	check_sees(pde, *pde & ~RW);	   // an upper level restricts
	check_sees(pde, *pde | XD);
	check_sees(pde, *pde + (1ul << 52));			     // a wrong count
	check_sees(pde, (*pde & ~0x000ffffffffff000ul) | 40 * M2);   // no table there
	check_sees(pde, (*pde & ~0x000ffffffffff000ul) | 1ul << 42); // nothing there
	check_sees(pde, 0);					     // a table is lost
	check_sees(pde + 1, *pdpte);				     // a cycle
	check_sees(pde + 1, *pde);				     // twice in one space
	check_sees(rig_entry(rig_root(other), G1, 2), *pde);	     // in two spaces
	check_sees(rig_entry(rig_root(space), 4 * G1, 3), 4 * G1 | PAGE << 5 | 0x83); // askew
	check_sees(top, *top | 1ul << 7); // a leaf in a root
	check_sees(kernel, *top);	  // not shared
	check_sees(rig_entry(rig_root(0), PAGE_OFFSET, 4),
		   *rig_entry(rig_root(0), PAGE_OFFSET, 4) & ~(1ul << 9)); // could be freed
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(largest_leaves_and_ragged_ends),
		T(leaf_size_follows_alignment),
		T(no_1g_leaves_without_the_cpu),
		T(every_touched_page_is_mapped),
		T(pages_across_a_2m_boundary),
		T(large_pages_across_a_1g_boundary),
		T(pages_across_a_512g_boundary),
		T(unmapping_a_hole_writes_nothing),
		T(absent_tables_do_not_hide_later_mappings),
		T(partial_unmap_of_2m_keeps_the_rest),
		T(partial_unmap_of_1g_keeps_the_rest),
		T(kernel_tables_survive_a_space),
		T(the_kernel_half_is_shared_always),
		T(users_pass_every_level),
		T(flush_false_leaves_the_tlb_alone),
		T(flags_are_taken_as_given),
		T(splitting_moves_the_pat_bit),
		T(bad_requests_change_nothing),
		T(xd_needs_the_cpu),
		T(what_is_mapped_is_in_the_way),
		T(the_very_same_again_is_fine),
		T(length_0_is_nothing),
		T(the_four_calls),
		T(events_tell),
		T(tables_are_safe_from_kfree),
		T(data_frames_stay),
		T(everything_comes_back),
		T(all_or_nothing_for_every_table),
		T(the_reserve_lets_unmap_split),
		T(too_much_is_refused_at_once),
		T(flushes_are_exact),
		T(the_last_global_page_is_not_forgotten),
		T(translate_shows_all_levels),
		T(runs_are_maximal),
		T(windows_cut_runs),
		T(any_cursor_is_safe),
		T(rmap_finds_all_and_only),
		T(lives_of_spaces),
		T(no_memory_for_a_space),
		T(bad_boot_tables_are_refused),
		T(check_finds_what_is_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
