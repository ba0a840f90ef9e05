// cpus.c: the machine that mm runs on here: the arena, threads as CPUs, fork. See shim.h.
#include "shim.h"

#include <mm/init.h>
#include <mm/port.h>

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define PRIVATE_CPUS 63u // CPU numbers 0..62; the shared one is 63
#define ARENA_MIN    (UINT64_C(64) << 20)
#define ARENA_MAX    (UINT64_C(64) << 30)

__thread struct mm_cpu *host_cpu;
TLS struct cpu_slot *my_slot;
struct cpu_slot shared_slot;
uint32_t gate;

static struct cpu_slot slots[PRIVATE_CPUS];
static uint32_t slots_lock;  // guards slots[].used and .cpu
static uint32_t shared_lock; // held while somebody is the shared CPU
static TLS bool forking;     // this thread holds both locks and the gate
static TLS bool leaving;     // this thread's destructor has run
static pthread_key_t end_key;
static uint8_t *arena;
static uint64_t arena_bytes;

static void lock(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

// --- the arena
// ------------------------------------------------------------------------------------
static void *reserve(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

// As much as the machine has RAM; less where a limit on address space forbids that.
static void arena_open(void)
{
	struct sysinfo info;
	uint64_t bytes = ARENA_MIN;
	uint8_t *raw = NULL;

	if (!sysinfo(&info))
		while (bytes < ARENA_MAX && bytes < (uint64_t)info.totalram * info.mem_unit)
			bytes *= 2;
	while (!(raw = reserve(bytes + PAGE_2M_SIZE)) && bytes > ARENA_MIN)
		bytes /= 2;
	if (!raw)
		shim_die_text("no address space for 64 MiB");
	arena = (uint8_t *)PAGE_2M_ALIGN((uintptr_t)raw);
	arena_bytes = bytes;
}

bool arena_holds(const void *address)
{
	return (uintptr_t)address - (uintptr_t)arena < arena_bytes;
}

static void machine_start(void)
{
	struct mm_region all;
	struct mm_config config = {
		.regions = &all,
		.region_count = 1,
		.cpu_limit = PRIVATE_CPUS + 1,
		.memory_is_zero = true,
	};
	enum mm_status status;

	arena_open();
	all = (struct mm_region){0, arena_bytes, MM_REGION_USABLE};
	config.direct_base = mm_va_of(arena);
	config.direct_limit = config.phys_limit = arena_bytes;
	status = mm_init(&config);
	if (status != MM_OK)
		shim_die_text(mm_status_text(status));
	host_cpu = mm_cpu_attach(0);
	slots[0].cpu = host_cpu;
	shared_slot.cpu = mm_cpu_attach(PRIVATE_CPUS);
	host_cpu = NULL;
	if (!shared_slot.cpu)
		shim_die_text("no memory for a CPU");
}

// --- threads come and go
// --------------------------------------------------------------------------
static void thread_ends(void *slot)
{
	leaving = true;
	my_slot = &shared_slot;
	__atomic_store_n(&((struct cpu_slot *)slot)->used, 0, __ATOMIC_RELEASE);
}

static void shared_enter(void)
{
	if (!forking)
		lock(&shared_lock);
	host_cpu = shared_slot.cpu;
}

void leave_shared(void)
{
	if (!forking)
		unlock(&shared_lock);
}

// A CPU for this thread: the lowest that is free, brought up if it never ran; else the shared one.
static struct cpu_slot *slot_take(void)
{
	struct cpu_slot *slot = &shared_slot;

	lock(&slots_lock);
	for (unsigned i = 0; i < PRIVATE_CPUS && slot == &shared_slot; i++) {
		if (__atomic_load_n(&slots[i].used, __ATOMIC_ACQUIRE))
			continue;
		if (!slots[i].cpu) {
			shared_enter();
			slots[i].cpu = mm_cpu_attach(i);
			leave_shared();
		}
		if (!slots[i].cpu)
			break; // the arena is full
		slot = &slots[i];
		slot->used = 1;
	}
	unlock(&slots_lock);
	return slot;
}

static void fork_prepare(void);
static void fork_parent(void);
static void fork_child(void);

// The first call of the process. What the C library allocates here finds mm running.
static void start_once(void)
{
	enum { NOT_YET, NOW, DONE };
	static uint32_t state;
	uint32_t before = NOT_YET;

	if (likely(__atomic_load_n(&state, __ATOMIC_ACQUIRE) == DONE))
		return;
	if (!__atomic_compare_exchange_n(&state, &before, NOW, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != DONE)
			sched_yield();
		return;
	}
	machine_start();
	if (pthread_key_create(&end_key, thread_ends))
		shim_die_text("no thread key");
	__atomic_store_n(&state, DONE, __ATOMIC_RELEASE);
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static void attach(void)
{
	start_once();
	if (my_slot)
		return; // start_once came by here already
	if (leaving) {
		my_slot = &shared_slot;
		return;
	}
	my_slot = slot_take();
	host_cpu = my_slot->cpu;
	// May allocate: this thread has a CPU by now.
	if (my_slot != &shared_slot)
		pthread_setspecific(end_key, my_slot);
}

struct cpu_slot *enter_slow(void)
{
	if (!my_slot)
		attach();
	if (my_slot == &shared_slot) {
		shared_enter();
		return &shared_slot;
	}
	for (;;) {
		__atomic_store_n(&my_slot->busy, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&gate, __ATOMIC_SEQ_CST) || forking)
			return my_slot;
		__atomic_store_n(&my_slot->busy, 0, __ATOMIC_RELEASE);
		sched_yield();
	}
}

// --- fork
// ----------------------------------------------------------------------------------------- Every
// other thread of the process passes a barrier before this returns.
static void barrier_for_all(void)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));

	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return;
	// Forbidden or unknown: taking a right away interrupts them just as well.
	page[0] = 1;
	mprotect(page, sizeof(page), PROT_READ);
	mprotect(page, sizeof(page), PROT_READ | PROT_WRITE);
}

static void fork_prepare(void)
{
	if (!my_slot)
		attach(); // other handlers may allocate behind this one
	lock(&slots_lock);
	lock(&shared_lock);
	forking = true;
	__atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
	barrier_for_all();
	for (unsigned i = 0; i < PRIVATE_CPUS; i++)
		while (&slots[i] != my_slot && __atomic_load_n(&slots[i].busy, __ATOMIC_ACQUIRE))
			sched_yield();
}

static void fork_parent(void)
{
	__atomic_store_n(&gate, 0, __ATOMIC_RELEASE);
	forking = false;
	unlock(&shared_lock);
	unlock(&slots_lock);
}

// The other threads are gone, and were outside of mm: their CPUs are free.
static void fork_child(void)
{
	for (unsigned i = 0; i < PRIVATE_CPUS; i++) {
		if (&slots[i] == my_slot)
			continue;
		slots[i].busy = 0; // a thread that was only looking at the gate
		slots[i].used = 0;
	}
	fork_parent();
}

// --- <mm/port.h>
// ----------------------------------------------------------------------------------
void mm_port_tlb_flush(const struct mm_tlb_request *requests, size_t count)
{
	(void)requests, (void)count; // a process has no page tables of its own
}

paddr_t mm_port_root(void)
{
	return mm_pa(0);
}

void mm_port_root_set(paddr_t root)
{
	(void)root;
}

uint64_t mm_port_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void say(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

void mm_port_panic(const char *message)
{
	say("vitrine-malloc: ");
	say(message);
	say("\n");
	abort();
}

void shim_die_text(const char *text)
{
	mm_port_panic(text);
}

void shim_die(const char *what, const void *address)
{
	static const char after[] = ": nothing that was allocated starts there";
	char text[160] = "";
	char hex[] = "0x0000000000000000";
	uintptr_t value = (uintptr_t)address;

	for (char *at = hex + sizeof(hex) - 2; value; value >>= 4)
		*at-- = "0123456789abcdef"[value & 15];
	strncat(text, what, sizeof(text) - sizeof(hex) - sizeof(after));
	strcat(text, hex);
	strcat(text, after);
	mm_port_panic(text);
}
