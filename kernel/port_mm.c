/*
 * mm/'s port.h on this kernel, and the hand-over of memory from the early allocator.
 */
#include <kernel/ports.h>

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/early.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/percpu.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <mm/hooks.h>
#include <mm/init.h>
#include <mm/port.h>
#include <mm/slab.h>
#include <mm/space.h>

_Static_assert(offsetof(struct percpu, mm) == MM_PORT_PERCPU_OFFSET, "<mm/port_impl.h> says so");

/* ---- port.h ---- */

/* Above this many pages one full flush is cheaper than flushing page by page. */
#define FLUSH_ALL_ABOVE 33

/*
 * One CPU runs until the others are started; then this sends them the requests and waits. INVLPG
 * drops the page's global translation and the CPU's whole paging-structure cache, too.
 */
void mm_port_tlb_flush(const struct mm_tlb_request *requests, size_t count)
{
	KASSERT(cpu_count() == 1);
	bool all = count > FLUSH_ALL_ABOVE, root = false;

	for (size_t i = 0; i < count; i++) {
		all |= requests[i].kind == MM_TLB_ALL;
		root |= requests[i].kind == MM_TLB_ROOT;
	}
	if (all) {
		tlb_flush_all();
		return;
	}
	if (root)
		tlb_flush_space();
	for (size_t i = 0; i < count; i++)
		if (requests[i].kind == MM_TLB_PAGE)
			tlb_flush_page(requests[i].address.value);
}

/*
 * Spinlocks are waited for with interrupts off and are let go of soon. What is waited for with
 * interrupts on, a space that another thread changes, may belong to a thread of a lower priority,
 * which only runs while we sleep.
 */
#define WAIT_US 50

void mm_port_wait(void)
{
	if (thread_may_sleep())
		thread_sleep_us(WAIT_US);
	else
		cpu_relax();
}

paddr_t mm_port_root(void)
{
	return mm_pa(read_cr3() & ENTRY_ADDRESS);
}

void mm_port_root_set(paddr_t root)
{
	write_cr3(root.value);
}

uint64_t mm_port_clock_us(void)
{
	return time_now_us();
}

void mm_port_panic(const char *message)
{
	panic("%s", message);
}

/* ---- the kernel's own mappings, once mm/ rules the tables ---- */

#define RIGHTS_FLAGS (ENTRY_WRITE | ENTRY_WT | ENTRY_UNCACHED | ENTRY_GLOBAL)

static bool mapper_map(vaddr_t at, paddr_t memory, uint64_t bytes, uint64_t rights)
{
	struct mm_map_request request = {
		.space = MM_SPACE_KERNEL,
		.va = at,
		.pa = memory,
		.length = bytes,
		.flags = (rights & RIGHTS_FLAGS) | (cpu_features.nx ? rights & ENTRY_NX : 0),
		.flush = true,
	};

	return mm_map_ex(&request, NULL) == MM_OK;
}

static void mapper_unmap(vaddr_t at, uint64_t bytes)
{
	struct mm_unmap_request request = {.space = MM_SPACE_KERNEL, .va = at, .length = bytes};

	if (mm_unmap_ex(&request, NULL) != MM_OK)
		panic("cannot unmap 0x%llx of the kernel", (unsigned long long)at.value);
}

static void *mapper_alloc(size_t bytes)
{
	return kzalloc(bytes, 0);
}

static void mapper_free(void *memory)
{
	kfree(memory);
}

static const struct paging_mapper mapper = {mapper_map, mapper_unmap, mapper_alloc, mapper_free};

/* ---- hand-over ---- */

static enum mm_region_kind region_kind(enum memmap_kind kind)
{
	switch (kind) {
	case MEMMAP_USABLE:
		return MM_REGION_USABLE;
	case MEMMAP_KERNEL:
		return MM_REGION_IN_USE;
	default:
		return MM_REGION_RESERVED;
	}
}

/* What the early allocator and the image occupy lies in usable RAM: said twice, so that mm/ sees
 * whole frames where only part is in use. */
static size_t regions_from_memmap(struct mm_region *regions)
{
	size_t count = 0;

	for (size_t i = 0; i < boot_info.memmap.count; i++) {
		const struct memmap_region *from = &boot_info.memmap.regions[i];

		regions[count++] = (struct mm_region){.base = from->start,
						      .length = from->end - from->start,
						      .kind = region_kind(from->kind)};
		if (from->kind == MEMMAP_KERNEL) {
			regions[count] = regions[count - 1];
			regions[count++].kind = MM_REGION_USABLE;
		}
	}
	return count;
}

static void apply_switches(void)
{
	unsigned on = (kernel_params.trace ? MM_SWITCH_ATTRIBUTION : 0) |
		      (kernel_params.poison ? MM_SWITCH_POISON : 0) |
		      (kernel_params.redzone ? MM_SWITCH_REDZONE : 0);

	if (on && mm_switches_set(on, 0) != MM_OK)
		pr_warn("mm: no memory for the notes of trace=, poison= or redzone=; they stay "
			"off");
}

static void must(enum mm_status status, const char *what)
{
	if (status != MM_OK)
		panic("%s: %s", what, mm_status_text(status));
}

void port_mm_init(void)
{
	static struct mm_region regions[2 * MEMMAP_REGIONS_MAX];
	uint64_t direct_limit = paging_direct_limit();

	early_seal();
	struct mm_config config = {
		.regions = regions,
		.region_count = regions_from_memmap(regions),
		.direct_base = mm_va(DIRECT_MAP_BASE),
		.direct_limit = direct_limit,
		.dma_limit = kernel_params.zone_dma_bytes < direct_limit
				     ? kernel_params.zone_dma_bytes
				     : direct_limit,
		.phys_limit = UINT64_C(1) << cpu_features.physical_bits,
		.cpu_limit = CPU_MAX,
		.has_1g_pages = cpu_features.page_1g,
		.has_nx = cpu_features.nx,
	};
	must(mm_init(&config), "mm_init");
	percpu()->mm = mm_cpu_attach(0);
	must(mm_space_adopt_kernel(paging_kernel_root()), "taking over the kernel's page tables");
	paging_hand_over(&mapper);
	apply_switches();
}

void port_mm_report(void)
{
	const struct mm_boot_report *report = mm_boot_report();
	struct mm_stat_t stat = mm_stat();

	pr_info("mm: %llu MiB managed in %u extents, %llu MiB free; mm itself uses %llu KiB",
		(unsigned long long)(stat.total >> 20), report->extents,
		(unsigned long long)(stat.free >> 20),
		(unsigned long long)(report->metadata >> 10));
	if (report->bad_regions || report->beyond_limit)
		pr_warn("mm: %u entries of the memory map were nonsense; %llu KiB lie beyond what "
			"the CPU can address",
			report->bad_regions, (unsigned long long)(report->beyond_limit >> 10));
}
