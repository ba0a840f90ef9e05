/*
 * Locks and waiting.
 *
 * Spinlocks are ticket locks: first come, first served. They know about interrupts: a lock that
 * was once taken inside an interrupt handler may from then on only be taken with interrupts off,
 * and the other way round; a lock taken twice by one CPU, released by another CPU than its owner,
 * or held over a sleep is a panic that names the lock and where it was taken. Holding a spinlock
 * disables preemption. After a panic locks are not waited for.
 *
 * Order: the lock of a wait queue is innermost but for the run queue's; see kernel/core/README.md.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;

struct spinlock {
	uint32_t next;	  /* the ticket that the next taker draws */
	uint32_t serving; /* the ticket that holds the lock */
	uint32_t owner;	  /* CPU + 1 of the holder, 0 when free */
	uint32_t usage;	  /* where it was taken so far: SPIN_USED_* bits */
	const char *name;
	uintptr_t taken_at; /* code address of the holder */
};
#define SPIN_USED_IN_INTERRUPT	1u
#define SPIN_USED_INTERRUPTIBLE 2u
#define SPIN_USED_BOTH		3u
#define SPINLOCK_INIT(lock_name)    \
	{                           \
		.name = (lock_name) \
	}
typedef uint64_t irq_flags_t;

/* Any context; for locks that no interrupt handler takes. */
void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
/* Any context; interrupts are off while it is held. The flags go back to the matching unlock. */
irq_flags_t spin_lock_irqsave(struct spinlock *lock);
void spin_unlock_irqrestore(struct spinlock *lock, irq_flags_t flags);
/* Takes it only if it is free; never waits. */
bool spin_trylock_irqsave(struct spinlock *lock, irq_flags_t *flags);
bool spin_is_held_here(const struct spinlock *lock);

/* A list of threads that wait for something. */
struct waiter {
	struct waiter *next, *prev;
	struct thread *thread;
	bool woken;
};
struct wait_queue {
	struct spinlock lock;
	struct waiter *first, *last;
};
#define WAIT_QUEUE_INIT(queue_name)               \
	{                                         \
		.lock = SPINLOCK_INIT(queue_name) \
	}

/* Wakes the longest waiting thread / all of them. Any context. Returns how many were woken. */
unsigned wake_one(struct wait_queue *queue);
unsigned wake_all(struct wait_queue *queue);

/* Building blocks of wait_event: enqueue, then test the condition, then sleep, then leave. */
#define WAIT_FOREVER UINT64_MAX
void wait_prepare(struct wait_queue *queue, struct waiter *waiter);
/* Sleeps until woken or until the deadline (time_now_us()). False: the deadline passed. */
bool wait_sleep(struct wait_queue *queue, struct waiter *waiter, uint64_t deadline_us);
void wait_finish(struct wait_queue *queue, struct waiter *waiter);
uint64_t wait_deadline(uint64_t timeout_us);

/*
 * Waits until `condition` is true, at most timeout_us (WAIT_FOREVER: no limit). The value is the
 * condition's last one. Thread context with nothing held. Whoever makes the condition true calls
 * wake_*() after it; no wakeup is lost. The condition is evaluated several times.
 */
#define wait_event_timeout(queue, condition, timeout_us)                   \
	({                                                                 \
		struct waiter waiter_;                                     \
		uint64_t deadline_ = wait_deadline(timeout_us);            \
		bool in_time_ = true, true_;                               \
		for (;;) {                                                 \
			wait_prepare(queue, &waiter_);                     \
			true_ = (condition);                               \
			if (true_ || !in_time_)                            \
				break;                                     \
			in_time_ = wait_sleep(queue, &waiter_, deadline_); \
		}                                                          \
		wait_finish(queue, &waiter_);                              \
		true_;                                                     \
	})
#define wait_event(queue, condition) ((void)wait_event_timeout(queue, condition, WAIT_FOREVER))

/* Mutual exclusion among threads; the holder may sleep. Not for interrupts. */
struct mutex {
	struct wait_queue queue;
	struct thread *owner;
};
#define MUTEX_INIT(mutex_name)                       \
	{                                            \
		.queue = WAIT_QUEUE_INIT(mutex_name) \
	}
void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* A counter that threads wait for; raised from any context. */
struct semaphore {
	struct wait_queue queue;
	uint32_t count;
};
#define SEMAPHORE_INIT(semaphore_name, initial)                              \
	{                                                                    \
		.queue = WAIT_QUEUE_INIT(semaphore_name), .count = (initial) \
	}
void semaphore_up(struct semaphore *semaphore);
bool semaphore_down(struct semaphore *semaphore, uint64_t timeout_us);

#endif
