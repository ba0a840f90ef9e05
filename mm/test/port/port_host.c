// port_host.c: the outer half of <mm/port.h> on the host. See host.h.
#include "host.h"

#include <mm/port.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

__thread struct mm_cpu *host_cpu;
__thread jmp_buf *host_panic_target;
__thread char host_panic_text[1024];
uint64_t host_clock_us;
struct host_tlb host_tlb;
void (*host_tlb_hook)(const struct mm_tlb_request *requests, size_t count);

static uint8_t *arena;	   // address of physical 0
static size_t arena_bytes; // mapped from there
static uint64_t current_root;

// The arena starts at a multiple of 1 GiB, as a direct map does.
static void arena_map(size_t bytes)
{
	size_t reserve = bytes + GIB;
	uint8_t *raw = mmap(NULL, reserve, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw == MAP_FAILED) {
		perror("mmap");
		abort();
	}
	arena = (uint8_t *)(((uintptr_t)raw + GIB - 1) & ~(GIB - 1));
	if (arena > raw)
		munmap(raw, (size_t)(arena - raw));
	munmap(arena + bytes, (size_t)(raw + reserve - (arena + bytes)));
	arena_bytes = bytes;
}

enum mm_status host_try_start(const struct host_machine *machine)
{
	struct mm_config config = {
		.region_count = machine->region_count,
		.direct_limit = machine->direct_limit ? machine->direct_limit : 4 * GIB,
		.dma_limit = machine->dma_limit ? machine->dma_limit : 16 * MIB,
		.phys_limit = machine->phys_limit ? machine->phys_limit : 1ul << 46,
		.cpu_limit = machine->cpus ? machine->cpus : 1,
		.has_1g_pages = !machine->no_1g_pages,
		.has_nx = !machine->no_nx,
		.memory_is_zero = true,
	};
	size_t bytes = machine->region_count * sizeof(struct mm_region);
	enum mm_status status;

	config.regions = malloc(bytes ? bytes : 1);
	if (bytes)
		memcpy(config.regions, machine->regions, bytes);
	arena_map(config.direct_limit);
	config.direct_base = mm_va_of(arena);
	status = mm_init(&config);
	free(config.regions);
	if (status == MM_OK)
		host_cpu_use(0);
	else
		munmap(arena, arena_bytes);
	return status;
}

void host_start(const struct host_machine *machine)
{
	enum mm_status status = host_try_start(machine);

	if (status != MM_OK) {
		fprintf(stderr, "mm_init: %s\n", mm_status_text(status));
		abort();
	}
}

void host_start_plain(uint64_t bytes)
{
	struct mm_region regions[] = {
		{0,	    bytes,   MM_REGION_USABLE},
		{16 * MIB, 2 * MIB, MM_REGION_IN_USE},
	};

	host_start(&(struct host_machine){.regions = regions, .region_count = 2, .cpus = 16});
}

void host_stop(void)
{
	mm_exit();
	host_cpu = NULL;
	munmap(arena, arena_bytes);
}

void host_cpu_use(unsigned cpu)
{
	struct mm_cpu *before = host_cpu;

	// A CPU that is not up yet is brought up by one that is.
	if (!before)
		host_cpu = mm_cpu_attach(0);
	host_cpu = mm_cpu_attach(cpu);
	if (!host_cpu) {
		fprintf(stderr, "no CPU %u\n", cpu);
		abort();
	}
}

void *host_virt(uint64_t phys)
{
	return arena + phys;
}

static void print_fault(const char *text, void *context)
{
	(void)context;
	fprintf(stderr, "# mm_check: %s\n", text);
}

unsigned host_check(void)
{
	return (unsigned)mm_check(print_fault, NULL).faults;
}

bool host_stat_equal(struct mm_stat_t a, struct mm_stat_t b)
{
	if (!memcmp(&a, &b, sizeof(a)))
		return true;
	fprintf(stderr,
		"# total %lu %lu used %lu %lu free %lu %lu shared %lu %lu cache_used %lu %lu "
		"cache_free %lu %lu\n",
		a.total, b.total, a.used, b.used, a.free, b.free, a.shared, b.shared, a.cache_used,
		b.cache_used, a.cache_free, b.cache_free);
	return false;
}

// --- <mm/port.h> --------------------------------------------------------------
static void count_up(unsigned *counter, unsigned n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void mm_port_tlb_flush(const struct mm_tlb_request *requests, size_t count)
{
	if (host_tlb_hook)
		host_tlb_hook(requests, count);
	count_up(&host_tlb.calls, 1);
	for (size_t i = 0; i < count; i++) {
		count_up(&host_tlb.pages, requests[i].kind == MM_TLB_PAGE);
		count_up(&host_tlb.roots, requests[i].kind == MM_TLB_ROOT);
		count_up(&host_tlb.alls, requests[i].kind == MM_TLB_ALL);
	}
}

paddr_t mm_port_root(void)
{
	return mm_pa(current_root);
}

void mm_port_root_set(paddr_t root)
{
	current_root = root.value;
}

uint64_t mm_port_clock_us(void)
{
	struct timespec now;

	if (host_clock_us)
		return host_clock_us;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void mm_port_panic(const char *message)
{
	snprintf(host_panic_text, sizeof(host_panic_text), "%s", message);
	if (host_panic_target)
		longjmp(*host_panic_target, 1);
	fprintf(stderr, "panic: %s\n", message);
	abort();
}
