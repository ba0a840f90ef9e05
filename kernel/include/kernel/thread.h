/*
 * Preemptive kernel threads: round robin within three priorities, a run queue per CPU.
 *
 * A thread stays on the CPU that it was created for. A higher priority always runs first; equals
 * share by slices of THREAD_SLICE_US. The idle thread of a CPU halts it.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THREAD_NAME_MAX	   32
#define THREAD_STACK_BYTES (16u * 1024) /* and one unmapped guard page below */
#define THREAD_SLICE_US	   10000u

enum thread_priority { THREAD_LOW, THREAD_NORMAL, THREAD_HIGH, THREAD_PRIORITIES };
enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

struct thread; /* opaque outside of kernel/core */

/*
 * Creates a thread and makes it ready. `name` is copied (cut to THREAD_NAME_MAX - 1). Thread
 * context only (allocates). The caller owns the handle and must give it to thread_join() or
 * thread_detach() exactly once. NULL: no memory, or no room in the window of kernel stacks.
 */
struct thread *thread_create(const char *name, void (*entry)(void *), void *argument,
			     enum thread_priority priority);

/* Ends the current thread; returning from its entry does the same with code 0. */
_Noreturn void thread_exit(int code);

/* Waits until the thread has ended, frees it and returns its code. Thread context. */
int thread_join(struct thread *thread);

/* Waits at most timeout_us. False: still running, the handle stays the caller's. */
bool thread_join_timeout(struct thread *thread, uint64_t timeout_us, int *code);

/* Gives the handle up: the thread is freed when it ends. */
void thread_detach(struct thread *thread);

/* The running thread; never NULL once thread_init() ran. Any context (in an interrupt: the one
 * that was interrupted). */
struct thread *thread_current(void);

/* Lets others of the same or a higher priority run. */
void thread_yield(void);

/* Sleeps at least so long. Thread context with preemption enabled; 0 only yields. */
void thread_sleep_us(uint64_t us);
void thread_sleep_until_us(uint64_t deadline_us); /* against time_now_us() */

/*
 * Preemption off and on again; they nest. Off, the thread keeps its CPU and may not sleep. Any
 * context. Interrupts still come.
 */
void preempt_disable(void);
void preempt_enable(void);
/* True when the current context may sleep: a thread, preemption and interrupts enabled. */
bool thread_may_sleep(void);

/* What other threads make of this CPU. Any context. */
struct thread_load {
	bool wanted;	  /* one of them is ready and waits for it */
	uint64_t idle_us; /* how long it has had nothing to do, since boot */
};
void thread_load(struct thread_load *load);

uint32_t thread_id(const struct thread *thread);
const char *thread_name(const struct thread *thread);

/* What a debugger or a listing sees of a thread. */
struct thread_info {
	uint32_t id; /* from 1, never used again; the idle threads included */
	char name[THREAD_NAME_MAX];
	enum thread_state state;
	enum thread_priority priority;
	bool idle;
	uint32_t cpu;
	uint64_t runtime_us;
	uint64_t switches;
	const char *waiting_for; /* name of the wait queue, "sleep", or NULL */
	uintptr_t stack_base, stack_end;
	/* Registers of a thread that is not running, as its next switch would load them. */
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};
/*
 * Visits the thread with the smallest id above *cursor (start with 0). False: no more. Takes the
 * lock of the thread table unless the kernel is stopped (panic, stub); any context.
 */
bool thread_visit(uint32_t *cursor, struct thread_info *info);
/* The thread with this id; false when there is none. Same context. */
bool thread_info_by_id(uint32_t id, struct thread_info *info);

const char *thread_state_name(enum thread_state state);

/* ---- called by the boot and the trap code ---- */

/* Turns the running code into the first thread of this CPU ("main") and makes its idle thread. */
void thread_init(void);
/* The same on a further CPU: the running code becomes its idle thread. Never returns. */
_Noreturn void thread_start_cpu(void);
/* At the end of every interrupt, after its handler and its EOI: switches when it is due and
 * allowed. Interrupts are off. */
void thread_preempt_point(void);

/* Walks all threads, queues and stacks; NULL or the first broken invariant in words. */
const char *thread_check(void);

#endif
