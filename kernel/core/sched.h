/* What threads, locks and clock know of each other and nobody else does. */
#ifndef KERNEL_CORE_SCHED_H
#define KERNEL_CORE_SCHED_H

#include <kernel/stacks.h>
#include <kernel/sync.h>
#include <kernel/thread.h>

/*
 * Lock order: a wait queue's lock, then a run queue's, then a timer list's. The table of threads
 * has a lock of its own that is never held together with these.
 *
 * States: READY (in a run queue's list) -> RUNNING -> READY by preemption, WAITING by
 * sched_mark_waiting(), DEAD at its end. WAITING -> READY (or back to RUNNING when it did not yet
 * get to switch away) by sched_wake(). state and run_next belong to the lock of the run queue.
 */
struct thread {
	uint64_t rsp; /* while it does not run: a struct switch_frame */
	uint32_t id;
	uint32_t cpu;
	enum thread_state state;
	enum thread_priority priority;
	bool idle, detached, gone; /* gone: DEAD and off its stack; under exit_queue's lock */
	int exit_code;
	void (*entry)(void *argument);
	void *argument;
	const char *waiting_for;
	struct thread *run_next;
	struct thread *all_next, *all_prev;
	struct wait_queue exit_queue;
	struct kstack stack; /* base 0: not ours to free */
	uint64_t runtime_ns, switched_in_ns, switches;
	char name[THREAD_NAME_MAX];
};

/* Panics unless the caller may sleep. */
void sched_must_be_able_to_sleep(const char *what);

/* The current thread waits from now on; it must switch away by sched_sleep() with interrupts off
 * in between. */
void sched_mark_waiting(const char *what);

/* Switches away until sched_wake() or the deadline (WAIT_FOREVER: none). Interrupts are off. */
void sched_sleep(uint64_t deadline_us);

/* Makes a waiting thread ready; nothing happens to one that does not wait. Any context. */
void sched_wake(struct thread *thread);

#endif
