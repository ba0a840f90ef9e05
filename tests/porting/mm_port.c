// mm/port.h on a machine of one CPU whose RAM is a static array. Freestanding:
// no C library, no operating system.
#include "mm_port.h"

#include <mm/port.h>
#include <mm/space.h>

#define ROOT_AT (4ul << 20) // physical address of the first root table

struct mm_cpu *port_cpu;
unsigned port_flushes;
const char *port_last_words;

static uint8_t ram[PORT_ARENA_BYTES + PAGE_2M_SIZE];
static paddr_t root;
static uint64_t ticks;

// No translation is ever cached here. A real port invalidates, on every CPU.
void mm_port_tlb_flush(const struct mm_tlb_request *requests, size_t count)
{
	(void)requests;
	port_flushes += (unsigned)count;
}

paddr_t mm_port_root(void)
{
	return root;
}

void mm_port_root_set(paddr_t new_root)
{
	root = new_root;
}

uint64_t mm_port_clock_us(void)
{
	return ++ticks;
}

void mm_port_panic(const char *message)
{
	port_last_words = message;
	__builtin_trap();
}

enum mm_status port_start(void)
{
	struct mm_region map[] = {
		{0,	    PORT_ARENA_BYTES, MM_REGION_USABLE},
		{ROOT_AT, PAGE_4K_SIZE,	MM_REGION_IN_USE},
	};
	struct mm_config config = {
		.regions = map,
		.region_count = 2,
		.direct_base = mm_va(PAGE_2M_ALIGN((uintptr_t)ram)),
		.direct_limit = PORT_ARENA_BYTES,
		.dma_limit = 16ul << 20,
		.phys_limit = 1ul << 36,
		.cpu_limit = 1,
		.memory_is_zero = true,
	};
	enum mm_status status = mm_init(&config);

	if (status != MM_OK)
		return status;
	port_cpu = mm_cpu_attach(0);
	root = mm_pa(ROOT_AT);
	return mm_space_adopt_kernel(root);
}
