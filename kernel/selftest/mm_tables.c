/*
 * Self-tests of mm/'s mappings on the real TLB: touch, unmap, must fault; remap, must show the new
 * contents. QEMU may flush more than it is asked, so what must be flushed is proven on the host,
 * by a model of a TLB that forgets nothing; here the entries themselves are proven.
 */
#include <kernel/cpu.h>
#include <kernel/paging.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/traps.h>
#include <mm/check.h>
#include <mm/mm.h>
#include <mm/pgtable.h>
#include <mm/slab.h>
#include <mm/space.h>
#include <string.h>

#define WINDOW UINT64_C(0xffffd00000000000) /* nothing else lives here */
#define RW     (1ul << PAGE_R_W)
#define NX     (1ul << PAGE_XD)

struct touch {
	uint64_t address;
	bool write;
	uint64_t value;
};

static void do_touch(void *argument)
{
	struct touch *touch = argument;
	volatile uint64_t *word = (uint64_t *)touch->address;

	if (touch->write)
		*word = touch->value;
	else
		touch->value = *word;
}

/* True when the access worked; false when it faulted at that very address. */
static bool touches(uint64_t address, bool write, uint64_t *value)
{
	struct touch touch = {address, write, *value};
	struct trap_frame frame;
	bool worked;

	preempt_disable();
	worked = trap_try(do_touch, &touch, &frame);
	preempt_enable();
	if (!worked)
		ST_EXPECT(frame.vector == TRAP_PAGE_FAULT && frame.cr2 == address,
			  "trap %llu at 0x%llx instead of a page fault at 0x%llx",
			  (unsigned long long)frame.vector, (unsigned long long)frame.cr2,
			  (unsigned long long)address);
	*value = touch.value;
	return worked;
}

static bool reads_as(uint64_t address, uint64_t expected)
{
	uint64_t value = 0;

	return touches(address, false, &value) && value == expected;
}

static bool faults(uint64_t address, bool write)
{
	uint64_t value = 0;

	return !touches(address, write, &value);
}

static uint64_t nx(void)
{
	return cpu_features.nx ? NX : 0;
}

static bool map(uint64_t va, paddr_t pa, uint64_t length, uint64_t flags, bool use4k)
{
	return mm_map_phys_addr(va, pa.value, length, flags | nx(), use4k) == 0;
}

/* A frame of ZONE_NORMAL whose n-th page holds `mark` + n in its first word. */
static struct Page *marked_frame(uint64_t mark)
{
	struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

	if (!page)
		return NULL;
	uint64_t *words = mm_ptr(mm_page_to_virt(page));
	for (size_t n = 0; n < 512; n++)
		words[n * 512] = mark + n;
	return page;
}

SELFTEST(unmap_faults, "mm.tlb.unmap")
{
	struct Page *one = marked_frame(1000), *two = marked_frame(5000);

	ST_REQUIRE(one && two, "no frames");
	ST_EXPECT(faults(WINDOW, false), "the window is not empty");
	ST_EXPECT(map(WINDOW, mm_page_to_phys(one), PAGE_4K_SIZE, RW, true), "not mapped");
	ST_EXPECT(reads_as(WINDOW, 1000), "other contents");
	mm_unmap_addr(WINDOW, PAGE_4K_SIZE);
	ST_EXPECT(faults(WINDOW, false), "still readable after unmap");
	ST_EXPECT(map(WINDOW, mm_page_to_phys(two), PAGE_4K_SIZE, RW, true), "not mapped again");
	ST_EXPECT(reads_as(WINDOW, 5000), "the old contents after a new mapping");
	mm_unmap_addr(WINDOW, PAGE_4K_SIZE);
	free_pages(one, 1);
	free_pages(two, 1);
}

SELFTEST(read_only, "mm.tlb.read_only")
{
	struct Page *page = marked_frame(77);

	ST_REQUIRE(page, "no frame");
	ST_EXPECT(map(WINDOW, mm_page_to_phys(page), PAGE_4K_SIZE, 0, true), "not mapped");
	ST_EXPECT(reads_as(WINDOW, 77), "not readable");
	ST_EXPECT(faults(WINDOW, true), "a read-only page was written");
	mm_unmap_addr(WINDOW, 1);
	free_pages(page, 1);
}

SELFTEST(partial_unmap, "mm.tlb.partial_unmap")
{
	struct Page *page = marked_frame(0x4000);

	ST_REQUIRE(page, "no frame");
	ST_EXPECT(map(WINDOW, mm_page_to_phys(page), PAGE_2M_SIZE, RW, false), "not mapped");
	for (uint64_t n = 0; n < 512; n += 73)
		ST_EXPECT(reads_as(WINDOW + n * PAGE_4K_SIZE, 0x4000 + n), "page %llu",
			  (unsigned long long)n);
	/* One byte in page 100 up to the first byte of page 102: three pages. */
	mm_unmap_addr(WINDOW + 100 * PAGE_4K_SIZE + 17, 2 * PAGE_4K_SIZE);
	for (uint64_t n = 98; n < 105; n++) {
		bool gone = n >= 100 && n <= 102;

		ST_EXPECT(gone ? faults(WINDOW + n * PAGE_4K_SIZE, false)
			       : reads_as(WINDOW + n * PAGE_4K_SIZE, 0x4000 + n),
			  "page %llu", (unsigned long long)n);
	}
	mm_unmap_addr(WINDOW, PAGE_2M_SIZE);
	ST_EXPECT(faults(WINDOW, false), "still there");
	free_pages(page, 1);
}

SELFTEST(unmapped_zone, "mm.tlb.unmapped_zone")
{
	struct Page *page = alloc_pages(ZONE_UNMAPPED_IN_PGT, 2, PAGE_SHARED);

	if (!page) {
		selftest_skip("no frames above the direct map");
		return;
	}
	ST_EQUAL(mm_page_to_virt(page).value, 0);
	ST_EXPECT(map(WINDOW, mm_page_to_phys(page), 2 * PAGE_2M_SIZE, RW, false), "not mapped");
	for (uint64_t at = 0; at < 2 * PAGE_2M_SIZE; at += 65536) {
		uint64_t value = at ^ 0x5a5a;

		ST_EXPECT(touches(WINDOW + at, true, &value), "not writable at 0x%llx",
			  (unsigned long long)at);
	}
	for (uint64_t at = 0; at < 2 * PAGE_2M_SIZE; at += 65536)
		ST_EXPECT(reads_as(WINDOW + at, at ^ 0x5a5a), "other contents at 0x%llx",
			  (unsigned long long)at);
	mm_unmap_addr(WINDOW, 2 * PAGE_2M_SIZE);
	free_pages(page, 2);
}

SELFTEST(user_pages, "mm.tlb.user")
{
	const uint64_t va = 0x10000000;
	struct Page *page = marked_frame(42);
	uint64_t value = 0;

	ST_REQUIRE(page, "no frame");
	ST_EQUAL(mm_map_phys_addr(va, mm_page_to_phys(page).value, PAGE_4K_SIZE,
				  RW | 1ul << PAGE_U_S | nx(), true),
		 0);
	if (cpu_features.smap)
		ST_EXPECT(faults(va, false), "SMAP: the kernel read a user page");
	preempt_disable();
	user_access_begin();
	ST_EXPECT(touches(va, false, &value) && value == 42, "not readable with access open");
	user_access_end();
	preempt_enable();
	mm_unmap_addr(va, PAGE_4K_SIZE);
	free_pages(page, 1);
}

SELFTEST(spaces, "mm.tlb.spaces")
{
	const uint64_t va = 0x20000000;
	struct Page *pages[2] = {marked_frame(100), marked_frame(200)};
	uint32_t id[2];
	paddr_t root[2];

	ST_REQUIRE(pages[0] && pages[1], "no frames");
	for (size_t i = 0; i < 2; i++) {
		ST_EQUAL(mm_space_create("selftest", &id[i], &root[i]), MM_OK);
		ST_EQUAL(mm_map_proc_page_table(root[i].value, true, va,
						mm_page_to_phys(pages[i]).value, PAGE_4K_SIZE,
						RW | nx(), false, true, true),
			 0);
	}
	preempt_disable();
	for (size_t i = 0; i < 2; i++) {
		ST_EQUAL(mm_space_switch(id[i]), MM_OK);
		ST_EXPECT(reads_as(va, i ? 200 : 100), "space %llu shows another's page",
			  (unsigned long long)i);
		ST_EQUAL(mm_space_destroy(id[i], NULL), MM_ERR_SPACE);
	}
	ST_EQUAL(mm_space_switch(MM_SPACE_KERNEL), MM_OK);
	preempt_enable();
	ST_EXPECT(faults(va, false), "the kernel's own space shows it, too");
	for (size_t i = 0; i < 2; i++) {
		ST_EQUAL(mm_space_destroy(id[i], NULL), MM_OK);
		free_pages(pages[i], 1);
	}
	ST_EQUAL(mm_check(NULL, NULL).faults, 0);
}

SELFTEST(map_refusals, "mm.map_refusals")
{
	struct mm_stat_t before = mm_stat(), after;

	ST_EQUAL(mm_map_phys_addr(WINDOW + 1, 0x200000, 4096, 0, true), -EFAULT);
	ST_EQUAL(mm_map_phys_addr(0x0000900000000000, 0x200000, 4096, 0, true), -EFAULT);
	ST_EQUAL(mm_map_phys_addr(WINDOW, 1ul << cpu_features.physical_bits, 4096, 0, true),
		 -EFAULT);
	ST_EQUAL(mm_map_phys_addr(-4096ul, 0x200000, 8192, 0, true), -EFAULT);
	ST_EQUAL(mm_map_phys_addr(DIRECT_MAP_BASE, 0x200000, 4096, 0, true), -EFAULT);
	ST_EQUAL(mm_map_phys_addr(WINDOW, 0, 0, 0, true), 0);
	after = mm_stat();
	ST_EXPECT(!memcmp(&before, &after, sizeof(before)), "a refused mapping used memory");
}

/* Maps and unmaps all the time, at a lower priority than its test. */
static void map_all_day(void *argument)
{
	const volatile bool *over = argument;
	const uint64_t va = WINDOW + (1ul << 30);

	while (!*over) {
		(void)map(va, mm_pa(0), 64 * PAGE_2M_SIZE, 0, true);
		mm_unmap_addr(va, 64 * PAGE_2M_SIZE);
	}
	thread_exit(0);
}

/* Changes to one space wait for each other. A thread must not wait for one that it does not let
 * run: it would for ever. */
SELFTEST(waiting_threads, "mm.tlb.waiting")
{
	volatile bool over = false;
	struct thread *low = thread_create("maps", map_all_day, (void *)(uintptr_t)&over,
					   THREAD_LOW);

	ST_REQUIRE(low, "no thread");
	for (unsigned i = 0; i < 60; i++) {
		ST_EXPECT(map(WINDOW, mm_pa(0), PAGE_4K_SIZE, 0, true), "not mapped");
		mm_unmap_addr(WINDOW, PAGE_4K_SIZE);
		thread_sleep_us(300 + i * 7);
	}
	over = true;
	ST_EQUAL(thread_join(low), 0);
}
