#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#include "sched.h"

/* ---- spinlocks ------------------------------------------------------------------------------ */

static void check_usage(struct spinlock *lock)
{
	uint32_t use = percpu()->irq_depth > 0 ? SPIN_USED_IN_INTERRUPT
		       : irqs_enabled()	       ? SPIN_USED_INTERRUPTIBLE
					       : 0;

	if ((lock->usage & use) == use)
		return;
	if ((__atomic_or_fetch(&lock->usage, use, __ATOMIC_RELAXED) & SPIN_USED_BOTH) ==
	    SPIN_USED_BOTH)
		panic("spinlock '%s' is taken in interrupts and with interrupts enabled: an "
		      "interrupt can deadlock it; take it with spin_lock_irqsave()",
		      lock->name);
}

static void take_note(struct spinlock *lock, uintptr_t caller)
{
	lock->owner = cpu_number() + 1;
	lock->taken_at = caller;
}

/* Preemption is off. A panic waits for no lock: what it breaks is not used any more. */
static void acquire(struct spinlock *lock, uintptr_t caller)
{
	uint32_t ticket;

	if (panic_in_progress())
		return;
	check_usage(lock);
	if (lock->owner == cpu_number() + 1)
		panic("spinlock '%s' is taken again by CPU %u, which took it at %p", lock->name,
		      cpu_number(), (void *)lock->taken_at);
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
		if (panic_in_progress())
			return;
		cpu_relax();
	}
	take_note(lock, caller);
}

static void release(struct spinlock *lock)
{
	if (panic_in_progress())
		return;
	if (lock->owner != cpu_number() + 1)
		panic("spinlock '%s' is released by CPU %u, which does not hold it", lock->name,
		      cpu_number());
	lock->owner = 0;
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

void spin_lock(struct spinlock *lock)
{
	preempt_disable();
	acquire(lock, CALLER);
}

void spin_unlock(struct spinlock *lock)
{
	release(lock);
	preempt_enable();
}

irq_flags_t spin_lock_irqsave(struct spinlock *lock)
{
	irq_flags_t flags = irq_save();

	preempt_disable();
	acquire(lock, CALLER);
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *lock, irq_flags_t flags)
{
	release(lock);
	irq_restore(flags);
	preempt_enable();
}

bool spin_trylock_irqsave(struct spinlock *lock, irq_flags_t *flags)
{
	uint32_t serving;

	*flags = irq_save();
	preempt_disable();
	serving = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);
	if (panic_in_progress() ||
	    __atomic_compare_exchange_n(&lock->next, &serving, serving + 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED)) {
		take_note(lock, CALLER);
		return true;
	}
	irq_restore(*flags);
	preempt_enable();
	return false;
}

bool spin_is_held_here(const struct spinlock *lock)
{
	return lock->owner == cpu_number() + 1;
}

/* ---- wait queues ----------------------------------------------------------------------------- */

static void enqueue(struct wait_queue *queue, struct waiter *waiter)
{
	waiter->next = NULL;
	waiter->prev = queue->last;
	if (queue->last != NULL)
		queue->last->next = waiter;
	else
		queue->first = waiter;
	queue->last = waiter;
}

static void dequeue(struct wait_queue *queue, struct waiter *waiter)
{
	if (waiter->prev != NULL)
		waiter->prev->next = waiter->next;
	else
		queue->first = waiter->next;
	if (waiter->next != NULL)
		waiter->next->prev = waiter->prev;
	else
		queue->last = waiter->prev;
}

void wait_prepare(struct wait_queue *queue, struct waiter *waiter)
{
	irq_flags_t flags = spin_lock_irqsave(&queue->lock);

	waiter->thread = thread_current();
	waiter->woken = false;
	enqueue(queue, waiter);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wait_finish(struct wait_queue *queue, struct waiter *waiter)
{
	irq_flags_t flags = spin_lock_irqsave(&queue->lock);

	if (!waiter->woken)
		dequeue(queue, waiter);
	spin_unlock_irqrestore(&queue->lock, flags);
}

uint64_t wait_deadline(uint64_t timeout_us)
{
	uint64_t deadline;

	if (__builtin_add_overflow(time_now_us(), timeout_us, &deadline))
		return WAIT_FOREVER;
	return deadline;
}

/*
 * The state becomes "waiting" under the queue's lock: a waker that comes between the unlock and the
 * switch finds it waiting and makes it run again, so no wakeup is lost.
 */
bool wait_sleep(struct wait_queue *queue, struct waiter *waiter, uint64_t deadline_us)
{
	irq_flags_t outer, flags;
	bool woken;

	sched_must_be_able_to_sleep(queue->lock.name);
	outer = irq_save();
	flags = spin_lock_irqsave(&queue->lock);
	woken = waiter->woken;
	if (!woken)
		sched_mark_waiting(queue->lock.name);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (!woken)
		sched_sleep(deadline_us);
	irq_restore(outer);

	flags = spin_lock_irqsave(&queue->lock);
	woken = waiter->woken;
	if (!woken)
		dequeue(queue, waiter);
	waiter->woken = true; /* not in the queue any more, whatever the reason */
	spin_unlock_irqrestore(&queue->lock, flags);
	return woken || time_now_us() < deadline_us;
}

/* The waiter lies on the sleeper's stack: it is touched under the lock alone, which the sleeper
 * takes once more before it leaves. */
static bool wake_first(struct wait_queue *queue)
{
	struct waiter *waiter = queue->first;

	if (waiter == NULL)
		return false;
	dequeue(queue, waiter);
	waiter->woken = true;
	sched_wake(waiter->thread);
	return true;
}

unsigned wake_one(struct wait_queue *queue)
{
	irq_flags_t flags = spin_lock_irqsave(&queue->lock);
	unsigned count = wake_first(queue);

	spin_unlock_irqrestore(&queue->lock, flags);
	return count;
}

unsigned wake_all(struct wait_queue *queue)
{
	irq_flags_t flags = spin_lock_irqsave(&queue->lock);
	unsigned count = 0;

	while (wake_first(queue))
		count++;
	spin_unlock_irqrestore(&queue->lock, flags);
	return count;
}

/* ---- mutex and semaphore --------------------------------------------------------------------- */

bool mutex_trylock(struct mutex *mutex)
{
	struct thread *nobody = NULL;

	return __atomic_compare_exchange_n(&mutex->owner, &nobody, thread_current(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void mutex_lock(struct mutex *mutex)
{
	if (mutex->owner == thread_current())
		panic("mutex '%s' is locked again by its owner, thread '%s'",
		      mutex->queue.lock.name, thread_name(thread_current()));
	wait_event(&mutex->queue, mutex_trylock(mutex));
}

void mutex_unlock(struct mutex *mutex)
{
	if (mutex->owner != thread_current())
		panic("mutex '%s' is unlocked by thread '%s', which does not hold it",
		      mutex->queue.lock.name, thread_name(thread_current()));
	__atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELEASE);
	wake_one(&mutex->queue);
}

static bool take_one(uint32_t *count)
{
	uint32_t seen = __atomic_load_n(count, __ATOMIC_RELAXED);

	while (seen > 0) {
		if (__atomic_compare_exchange_n(count, &seen, seen - 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

void semaphore_up(struct semaphore *semaphore)
{
	__atomic_add_fetch(&semaphore->count, 1, __ATOMIC_RELEASE);
	wake_one(&semaphore->queue);
}

bool semaphore_down(struct semaphore *semaphore, uint64_t timeout_us)
{
	return wait_event_timeout(&semaphore->queue, take_one(&semaphore->count), timeout_us);
}
