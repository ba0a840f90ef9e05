#include <string.h>

#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printf.h>
#include <kernel/switch.h>
#include <kernel/time.h>
#include <mm/slab.h>

#include "sched.h"

/* The ready threads of one priority, first come, first served. */
struct fifo {
	struct thread *first, *last;
};

/* One per CPU. Everything here belongs to `lock`, which is held over a switch: the thread that
 * comes releases what the thread that went took. */
struct runqueue {
	struct spinlock lock;
	struct fifo ready[THREAD_PRIORITIES];
	struct thread *current, *idle;
	struct thread *previous; /* who ran before the switch that is going on */
	struct timer slice;
	bool slice_running;
};

static struct runqueue runqueues[CPU_MAX];
static struct thread boot_thread;

static struct {
	struct spinlock lock;
	struct thread *first;
	uint32_t last_id;
	uint32_t count;
} table = {.lock = SPINLOCK_INIT("thread table")};

static struct {
	struct spinlock lock;
	struct thread *dead; /* linked by run_next */
	struct semaphore work;
} reaper = {.lock = SPINLOCK_INIT("reaper"), .work = SEMAPHORE_INIT("reaper", 0)};

/* ---- preemption ------------------------------------------------------------------------------ */

/* One instruction each: an interrupt cannot come between finding this CPU's counter and using it.
 */
void preempt_disable(void)
{
	__asm__ volatile("incl %%gs:%c0"
			 :
			 : "i"(offsetof(struct percpu, preempt_count))
			 : "memory", "cc");
}

static bool preempt_count_down(void)
{
	bool zero;

	__asm__ volatile("decl %%gs:%c1"
			 : "=@ccz"(zero)
			 : "i"(offsetof(struct percpu, preempt_count))
			 : "memory");
	return zero;
}

static void switch_away(void);

void preempt_enable(void)
{
	if (preempt_count_down() && percpu()->need_resched && irqs_enabled()) {
		irq_disable();
		thread_preempt_point();
		irq_enable();
	}
}

void thread_preempt_point(void)
{
	struct percpu *cpu = percpu();

	if (cpu->need_resched && cpu->preempt_count == 0 && cpu->irq_depth == 0 &&
	    cpu->current != NULL && !panic_in_progress())
		switch_away();
}

bool thread_may_sleep(void)
{
	irq_flags_t flags = irq_save();
	struct percpu *cpu = percpu();
	bool may = (flags & RFLAGS_IF) != 0 && cpu->preempt_count == 0 && cpu->irq_depth == 0 &&
		   cpu->current != NULL && !cpu->current->idle && !panic_in_progress();

	irq_restore(flags);
	return may;
}

void sched_must_be_able_to_sleep(const char *what)
{
	if (!thread_may_sleep())
		panic("cannot wait for '%s' here: interrupts are %s, preemption is disabled %u "
		      "times%s",
		      what, irqs_enabled() ? "on" : "off", percpu()->preempt_count,
		      percpu()->irq_depth > 0 ? ", and this is an interrupt" : "");
}

/* ---- run queues ------------------------------------------------------------------------------ */

static struct runqueue *this_runqueue(void)
{
	return &runqueues[cpu_number()];
}

static void fifo_put(struct fifo *fifo, struct thread *thread)
{
	thread->run_next = NULL;
	if (fifo->last != NULL)
		fifo->last->run_next = thread;
	else
		fifo->first = thread;
	fifo->last = thread;
}

static struct thread *fifo_take(struct fifo *fifo)
{
	struct thread *thread = fifo->first;

	if (thread != NULL) {
		fifo->first = thread->run_next;
		if (fifo->first == NULL)
			fifo->last = NULL;
	}
	return thread;
}

static struct thread *take_next(struct runqueue *rq)
{
	for (int priority = THREAD_PRIORITIES - 1; priority >= 0; priority--) {
		struct thread *thread = fifo_take(&rq->ready[priority]);

		if (thread != NULL)
			return thread;
	}
	return rq->idle;
}

static void end_of_slice(struct timer *timer)
{
	(void)timer;
	this_runqueue()->slice_running = false;
	percpu()->need_resched = true;
}

/* Slices are timed only while somebody waits for the end of one. */
static void time_slice(struct runqueue *rq)
{
	if (rq->slice_running || rq->current->idle ||
	    rq->ready[rq->current->priority].first == NULL)
		return;
	rq->slice_running = true;
	timer_set(&rq->slice, time_now_us() + THREAD_SLICE_US);
}

static void account(struct thread *from, struct thread *to)
{
	uint64_t now_ns = time_now_ns();

	from->runtime_ns += now_ns - from->switched_in_ns;
	to->switched_in_ns = now_ns;
	to->switches++;
}

static void bury(struct thread *thread);

/* First thing that a thread does after it was switched to. */
static void finish_switch(void)
{
	struct runqueue *rq = this_runqueue();
	struct thread *previous = rq->previous;
	bool dead = previous->state == THREAD_DEAD;

	spin_unlock(&rq->lock);
	if (dead)
		bury(previous);
}

/* Lets the next thread run. Interrupts off, preemption enabled, no lock held. */
static void switch_once(void)
{
	struct runqueue *rq = this_runqueue();
	struct thread *from, *to;

	spin_lock(&rq->lock);
	from = rq->current;
	percpu()->need_resched = false;
	if (from->state == THREAD_RUNNING) {
		from->state = THREAD_READY;
		if (!from->idle)
			fifo_put(&rq->ready[from->priority], from);
	}
	to = take_next(rq);
	to->state = THREAD_RUNNING;
	to->waiting_for = NULL;
	if (rq->slice_running) {
		timer_cancel(&rq->slice);
		rq->slice_running = false;
	}
	rq->current = to;
	time_slice(rq);
	if (to == from) {
		spin_unlock(&rq->lock);
		return;
	}
	account(from, to);
	rq->previous = from;
	percpu()->current = to;
	context_switch(&from->rsp, to->rsp);
	finish_switch();
}

/* Burying a thread may wake one that goes first: then once more. */
static void switch_away(void)
{
	do
		switch_once();
	while (percpu()->need_resched);
}

/* The thread is ready: shall this CPU look again, now or at the end of a slice? */
static void consider(struct runqueue *rq, const struct thread *thread)
{
	struct percpu *cpu = percpu_of(thread->cpu);

	if (rq->current->idle || thread->priority > rq->current->priority)
		cpu->need_resched = true;
	else if (thread->priority == rq->current->priority && thread->cpu == cpu_number())
		time_slice(rq);
}

void sched_wake(struct thread *thread)
{
	struct runqueue *rq = &runqueues[thread->cpu];
	irq_flags_t flags = spin_lock_irqsave(&rq->lock);

	if (thread->state == THREAD_WAITING && rq->current == thread) {
		thread->state = THREAD_RUNNING;
	} else if (thread->state == THREAD_WAITING) {
		thread->state = THREAD_READY;
		fifo_put(&rq->ready[thread->priority], thread);
		consider(rq, thread);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
}

/* Of the current thread. Interrupts are off, so that it is not preempted in the new state. */
static void set_state(enum thread_state state, const char *waiting_for)
{
	struct runqueue *rq = this_runqueue();

	spin_lock(&rq->lock);
	rq->current->state = state;
	rq->current->waiting_for = waiting_for;
	spin_unlock(&rq->lock);
}

void sched_mark_waiting(const char *what)
{
	set_state(THREAD_WAITING, what);
}

/* ---- sleeping -----------------------------------------------------------------------------------
 */

struct alarm {
	struct timer timer; /* first: the timer's pointer is the alarm's */
	struct thread *thread;
};

static void ring_alarm(struct timer *timer)
{
	sched_wake(((struct alarm *)(void *)timer)->thread);
}

void sched_sleep(uint64_t deadline_us)
{
	struct alarm alarm = {.timer.fire = ring_alarm, .thread = percpu()->current};

	if (deadline_us != WAIT_FOREVER)
		timer_set(&alarm.timer, deadline_us);
	switch_away();
	timer_cancel(&alarm.timer);
}

void thread_sleep_until_us(uint64_t deadline_us)
{
	irq_flags_t flags;

	sched_must_be_able_to_sleep("sleep");
	while (time_now_us() < deadline_us) {
		flags = irq_save();
		sched_mark_waiting("sleep");
		sched_sleep(deadline_us);
		irq_restore(flags);
	}
}

void thread_sleep_us(uint64_t us)
{
	if (us == 0)
		thread_yield();
	else
		thread_sleep_until_us(wait_deadline(us));
}

void thread_yield(void)
{
	irq_flags_t flags = irq_save();

	if (percpu()->current != NULL && percpu()->preempt_count == 0)
		switch_away();
	irq_restore(flags);
}

void thread_load(struct thread_load *load)
{
	irq_flags_t flags = irq_save();
	struct runqueue *rq = this_runqueue();

	spin_lock(&rq->lock);
	*load = (struct thread_load){.idle_us = rq->idle->runtime_ns / 1000};
	for (int i = 0; i < THREAD_PRIORITIES; i++)
		load->wanted |= rq->ready[i].first != NULL;
	spin_unlock(&rq->lock);
	irq_restore(flags);
}

/* ---- birth and death
 * ------------------------------------------------------------------------------- */

static void table_add(struct thread *thread)
{
	irq_flags_t flags = spin_lock_irqsave(&table.lock);

	thread->id = ++table.last_id;
	thread->all_prev = NULL;
	thread->all_next = table.first;
	if (table.first != NULL)
		table.first->all_prev = thread;
	table.first = thread;
	table.count++;
	spin_unlock_irqrestore(&table.lock, flags);
}

static void table_remove(struct thread *thread)
{
	irq_flags_t flags = spin_lock_irqsave(&table.lock);

	if (thread->all_prev != NULL)
		thread->all_prev->all_next = thread->all_next;
	else
		table.first = thread->all_next;
	if (thread->all_next != NULL)
		thread->all_next->all_prev = thread->all_prev;
	table.count--;
	spin_unlock_irqrestore(&table.lock, flags);
}

static void thread_setup(struct thread *thread, const char *name, enum thread_priority priority)
{
	*thread = (struct thread){
		.cpu = cpu_number(),
		.priority = priority,
		.exit_queue = WAIT_QUEUE_INIT("thread exit"),
	};
	ksnprintf(thread->name, sizeof(thread->name), "%s", name);
}

static void thread_begin(void *argument)
{
	struct thread *self = argument;

	finish_switch();
	thread_preempt_point();
	irq_enable();
	self->entry(self->argument);
	thread_exit(0);
}

static struct thread *thread_make(const char *name, void (*entry)(void *), void *argument,
				  enum thread_priority priority)
{
	struct thread *thread = kzalloc(sizeof(*thread), 0);

	if (thread == NULL)
		return NULL;
	thread_setup(thread, name, priority);
	if (!kstack_create(&thread->stack)) {
		kfree(thread);
		return NULL;
	}
	kstack_set_owner(&thread->stack, thread->name);
	thread->entry = entry;
	thread->argument = argument;
	thread->rsp = context_prepare(thread->stack.end, thread_begin, thread);
	table_add(thread);
	return thread;
}

struct thread *thread_create(const char *name, void (*entry)(void *), void *argument,
			     enum thread_priority priority)
{
	struct thread *thread = thread_make(name, entry, argument, priority);

	if (thread != NULL) {
		thread->state = THREAD_WAITING;
		sched_wake(thread);
	}
	return thread;
}

static void thread_free(struct thread *thread)
{
	table_remove(thread);
	kstack_destroy(&thread->stack);
	kfree(thread);
}

_Noreturn void thread_exit(int code)
{
	struct thread *self = thread_current();

	if (self->stack.base == 0)
		panic("thread '%s' cannot end: it has no stack of its own", self->name);
	irq_disable();
	self->exit_code = code;
	set_state(THREAD_DEAD, "exit");
	switch_away();
	panic("thread '%s' ran after its end", self->name);
}

/* Of the thread that has just left its stack for good; its joiner or the reaper frees it. */
static void bury(struct thread *thread)
{
	irq_flags_t flags = spin_lock_irqsave(&thread->exit_queue.lock);
	bool detached = thread->detached;

	thread->gone = true;
	spin_unlock_irqrestore(&thread->exit_queue.lock, flags);
	if (!detached) {
		wake_all(&thread->exit_queue);
		return;
	}
	flags = spin_lock_irqsave(&reaper.lock);
	thread->run_next = reaper.dead;
	reaper.dead = thread;
	spin_unlock_irqrestore(&reaper.lock, flags);
	semaphore_up(&reaper.work);
}

static void reap(void *argument)
{
	(void)argument;
	for (;;) {
		irq_flags_t flags;
		struct thread *thread;

		semaphore_down(&reaper.work, WAIT_FOREVER);
		flags = spin_lock_irqsave(&reaper.lock);
		thread = reaper.dead;
		reaper.dead = thread->run_next;
		spin_unlock_irqrestore(&reaper.lock, flags);
		thread_free(thread);
	}
}

bool thread_join_timeout(struct thread *thread, uint64_t timeout_us, int *code)
{
	irq_flags_t flags;

	if (thread == thread_current())
		panic("thread '%s' waits for its own end", thread->name);
	if (!wait_event_timeout(&thread->exit_queue, thread->gone, timeout_us))
		return false;
	/* Whoever set `gone` may still hold the lock. */
	flags = spin_lock_irqsave(&thread->exit_queue.lock);
	spin_unlock_irqrestore(&thread->exit_queue.lock, flags);
	if (code != NULL)
		*code = thread->exit_code;
	thread_free(thread);
	return true;
}

int thread_join(struct thread *thread)
{
	int code = 0;

	thread_join_timeout(thread, WAIT_FOREVER, &code);
	return code;
}

void thread_detach(struct thread *thread)
{
	irq_flags_t flags = spin_lock_irqsave(&thread->exit_queue.lock);
	bool gone = thread->gone;

	thread->detached = true;
	spin_unlock_irqrestore(&thread->exit_queue.lock, flags);
	if (gone)
		thread_free(thread);
}

/* ---- start
 * ------------------------------------------------------------------------------------------ */

static void idle(void *argument)
{
	(void)argument;
	for (;;) {
		irq_disable();
		thread_preempt_point();
		cpu_wait_for_interrupt();
	}
}

static void runqueue_init(struct runqueue *rq, struct thread *running)
{
	rq->lock.name = "run queue";
	rq->slice.fire = end_of_slice;
	rq->current = running;
	running->state = THREAD_RUNNING;
	running->switched_in_ns = time_now_ns();
	percpu()->current = running;
}

void thread_init(void)
{
	struct runqueue *rq = this_runqueue();
	struct thread *reaping;

	thread_setup(&boot_thread, "main", THREAD_NORMAL);
	table_add(&boot_thread);
	runqueue_init(rq, &boot_thread);
	rq->idle = thread_make("idle", idle, NULL, THREAD_LOW);
	reaping = thread_create("reaper", reap, NULL, THREAD_HIGH);
	if (rq->idle == NULL || reaping == NULL)
		panic("no memory for the first threads");
	rq->idle->idle = true;
	rq->idle->state = THREAD_READY;
	thread_detach(reaping);
}

_Noreturn void thread_start_cpu(void)
{
	struct runqueue *rq = this_runqueue();
	struct thread *self = kzalloc(sizeof(*self), 0);

	if (self == NULL)
		panic("no memory for the idle thread of CPU %u", cpu_number());
	thread_setup(self, "idle", THREAD_LOW);
	self->idle = true;
	table_add(self);
	rq->idle = self;
	runqueue_init(rq, self);
	idle(NULL);
	__builtin_unreachable();
}

/* ---- looking at threads
 * --------------------------------------------------------------------------- */

struct thread *thread_current(void)
{
	struct thread *current;

	__asm__ volatile("movq %%gs:%c1, %0"
			 : "=r"(current)
			 : "i"(offsetof(struct percpu, current)));
	return current;
}

uint32_t thread_id(const struct thread *thread)
{
	return thread->id;
}

const char *thread_name(const struct thread *thread)
{
	return thread != NULL ? thread->name : "(no thread)";
}

const char *thread_state_name(enum thread_state state)
{
	static const char *const names[] = {"ready", "running", "waiting", "dead"};

	return (unsigned)state < 4 ? names[state] : "?";
}

static void take_registers(const struct thread *thread, struct thread_info *info)
{
	const struct switch_frame *saved = (const struct switch_frame *)thread->rsp;

	if (thread->state == THREAD_RUNNING || thread->state == THREAD_DEAD || saved == NULL)
		return;
	info->rbx = saved->rbx;
	info->rbp = saved->rbp;
	info->r12 = saved->r12;
	info->r13 = saved->r13;
	info->r14 = saved->r14;
	info->r15 = saved->r15;
	info->rip = saved->rip;
	info->rsp = thread->rsp + sizeof(*saved);
}

static void describe(const struct thread *thread, struct thread_info *info)
{
	uint64_t runtime_ns = thread->runtime_ns;

	if (thread->state == THREAD_RUNNING)
		runtime_ns += time_now_ns() - thread->switched_in_ns;
	*info = (struct thread_info){
		.id = thread->id,
		.state = thread->state,
		.priority = thread->priority,
		.idle = thread->idle,
		.cpu = thread->cpu,
		.runtime_us = runtime_ns / 1000,
		.switches = thread->switches,
		.waiting_for = thread->waiting_for,
		.stack_base = thread->stack.base,
		.stack_end = thread->stack.end,
	};
	memcpy(info->name, thread->name, sizeof(info->name));
	take_registers(thread, info);
}

/* The thread with the smallest id that is at least `id`. */
static const struct thread *first_from(uint32_t id)
{
	const struct thread *best = NULL;

	for (const struct thread *t = table.first; t != NULL; t = t->all_next) {
		if (t->id >= id && (best == NULL || t->id < best->id))
			best = t;
	}
	return best;
}

/* In the stub or a panic the lock may be held by what was stopped; then nothing moves, and the
 * table may be read without it. */
static bool lock_unless_stopped(irq_flags_t *flags)
{
	enum { TRIES = 1000000 };

	for (int i = 0; i < TRIES && !spin_is_held_here(&table.lock); i++) {
		if (spin_trylock_irqsave(&table.lock, flags))
			return true;
		cpu_relax();
	}
	return false;
}

static bool find_info(uint32_t id, struct thread_info *info)
{
	irq_flags_t flags = 0;
	bool locked = lock_unless_stopped(&flags);
	const struct thread *thread = first_from(id);

	if (thread != NULL)
		describe(thread, info);
	if (locked)
		spin_unlock_irqrestore(&table.lock, flags);
	return thread != NULL;
}

bool thread_visit(uint32_t *cursor, struct thread_info *info)
{
	if (*cursor == UINT32_MAX || !find_info(*cursor + 1, info))
		return false;
	*cursor = info->id;
	return true;
}

bool thread_info_by_id(uint32_t id, struct thread_info *info)
{
	struct thread_info found;

	if (!find_info(id, &found) || found.id != id)
		return false;
	*info = found;
	return true;
}

/* ---- check
 * -------------------------------------------------------------------------------------------- */

static const char *check_fifo(const struct fifo *fifo, int priority)
{
	const struct thread *last = NULL;
	uint32_t steps = 0;

	for (const struct thread *t = fifo->first; t != NULL; t = t->run_next) {
		if (++steps > table.count)
			return "a list of ready threads runs in a circle";
		if (t->state != THREAD_READY)
			return "a thread in a list of ready threads is not ready";
		if ((int)t->priority != priority)
			return "a thread waits in the list of another priority";
		last = t;
	}
	return last == fifo->last ? NULL : "the end of a list of ready threads is wrong";
}

static const char *check_thread(const struct thread *t)
{
	bool own_stack = t->stack.base != 0;

	if (t->state == THREAD_RUNNING && runqueues[t->cpu].current != t)
		return "a thread is running that its CPU does not run";
	if (own_stack && (t->state == THREAD_READY || t->state == THREAD_WAITING) &&
	    (t->rsp < t->stack.base || t->rsp + sizeof(struct switch_frame) > t->stack.end))
		return "a saved stack pointer lies outside of its thread's stack";
	return NULL;
}

const char *thread_check(void)
{
	irq_flags_t flags = spin_lock_irqsave(&table.lock);
	struct runqueue *rq = this_runqueue();
	const char *fault = NULL;
	uint32_t count = 0;

	spin_lock(&rq->lock);
	for (int i = 0; i < THREAD_PRIORITIES && fault == NULL; i++)
		fault = check_fifo(&rq->ready[i], i);
	for (const struct thread *t = table.first; t != NULL && fault == NULL; t = t->all_next) {
		fault = check_thread(t);
		if (++count > table.count)
			fault = "the table of threads runs in a circle";
	}
	if (fault == NULL && count != table.count)
		fault = "the table of threads does not hold as many as it counts";
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&table.lock, flags);
	return fault;
}
