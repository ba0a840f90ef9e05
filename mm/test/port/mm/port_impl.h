// mm/port_impl.h, host tests: the inline half of <mm/port.h> on POSIX threads.
// A thread is a CPU: it takes a number with host_cpu_use() and nothing ever
// interrupts it, so that turning interrupts off is nothing. port_host.c has
// the rest, and host.h what tests do with it.
#pragma once

#include <sched.h>
#include <unistd.h>

struct mm_cpu;
typedef unsigned mm_irq_t;

extern __thread struct mm_cpu *host_cpu __attribute__((tls_model("initial-exec")));

static inline struct mm_cpu *mm_port_cpu(void)
{
	return host_cpu;
}

static inline mm_irq_t mm_port_irq_save(void)
{
	return 0;
}

static inline void mm_port_irq_restore(mm_irq_t irq)
{
	(void)irq;
}

// Relaxed atomics, because readers on other threads look at the same words;
// they are plain moves on the machine.
static inline bool mm_port_test_and_set_bit(uint64_t *bits, uint64_t nr)
{
	uint64_t *word = bits + (nr >> 6);
	uint64_t bit = UINT64_C(1) << (nr & 63);
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	__atomic_store_n(word, old | bit, __ATOMIC_RELAXED);
	return (old & bit) != 0;
}

static inline void mm_port_count(uint64_t *counter)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

// More threads than processors: who waits must let the others run, and now and
// then for longer than the scheduler thinks fair.
static inline void mm_port_relax(void)
{
	static __thread unsigned turns;

	if (++turns % 16)
		sched_yield();
	else
		usleep(100);
}

static inline void mm_port_entry_write(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}
