// pt_rig_host.c: page-table tests on the host's port. See pt_rig_host.h.
#include "pt_rig_host.h"

#include <stdio.h>

#include "host.h"

#define BOOT_TABLES (17 * MIB) // inside the image, which is in use
#define DEFAULT_RAM (64 * MIB)

static struct rig_options machine;

uint64_t (*rig_host_start(const struct rig_options *options))[512]
{
	uint64_t bytes = options->memory_bytes ? options->memory_bytes : DEFAULT_RAM;
	struct mm_region regions[] = {
		{0,	    bytes,   MM_REGION_USABLE},
		{16 * MIB, 2 * MIB, MM_REGION_IN_USE},
	};

	machine = *options;
	host_start(&(struct host_machine){
		.regions = regions,
		.region_count = 2,
		.phys_limit = 1ul << 40,
		.cpus = 16,
		.no_1g_pages = options->no_1g,
		.no_nx = options->no_nx,
	});
	mm_port_root_set(mm_pa(BOOT_TABLES));
	host_tlb_hook = rig_tlb_requests;
	return host_virt(BOOT_TABLES);
}

void rig_stop(void)
{
	rig_tlb_forget();
	rig_shadow_forget();
	mm_space_exit();
	host_stop();
}

uint64_t rig_host_phys(const void *pointer)
{
	return (uint64_t)((const uint8_t *)pointer - (const uint8_t *)host_virt(0));
}

uint64_t *rig_host_virt(uint64_t pa)
{
	return host_virt(pa);
}

bool rig_host_is_table(const void *address)
{
	struct mm_object object;

	mm_query_virt(mm_va_of(address), &object);
	return object.kind == MM_OBJECT_TABLE && object.used;
}

bool rig_host_no_1g(void)
{
	return machine.no_1g;
}

bool rig_host_no_nx(void)
{
	return machine.no_nx;
}

static void fault(const char *text, void *context)
{
	(void)context;
	rig_fail("mm_check: %s", text);
}

void rig_host_check(void)
{
	mm_check(fault, NULL);
}

void rig_host_fail_table(uint64_t n)
{
	rig_expect(mm_fail_set(MM_FAIL_TABLE, n, 0) == MM_OK, "mm_fail_set");
}
