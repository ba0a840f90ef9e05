/* In-kernel tests of threads and locks, and the crashes that misuse must end in. */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/selftest.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>

/* A thread that must exist for the test to mean anything. */
static struct thread *start(const char *name, void (*entry)(void *), void *argument,
			    enum thread_priority priority)
{
	struct thread *thread = thread_create(name, entry, argument, priority);

	ST_EXPECT(thread != NULL, "no memory for thread %s", name);
	return thread;
}

static unsigned count_threads(void)
{
	struct thread_info info;
	uint32_t cursor = 0;
	unsigned count = 0;

	while (thread_visit(&cursor, &info))
		count++;
	return count;
}

/* ---- threads
 * ------------------------------------------------------------------------------------- */

static void exit_with_argument(void *argument)
{
	thread_exit((int)(intptr_t)argument);
}

SELFTEST(thread_gives_its_code, "thread.create_join")
{
	unsigned before = count_threads();
	struct thread *thread = start("code", exit_with_argument, (void *)42, THREAD_NORMAL);
	uint32_t id;

	ST_REQUIRE(thread != NULL, "no thread");
	id = thread_id(thread);
	ST_EXPECT(id > thread_id(thread_current()), "ids do not ascend");
	ST_EQUAL(thread_join(thread), 42);
	ST_EQUAL(count_threads(), before);
	struct thread_info info;
	ST_EXPECT(!thread_info_by_id(id, &info), "a joined thread can still be found");
}

static volatile uint64_t spins[2];
static volatile bool stop_spinning;
static void spin(void *argument)
{
	volatile uint64_t *counter = argument;

	while (!stop_spinning)
		++*counter;
}

/* Neither spinner ever yields: that both move, and that we come back, is the timer's work. */
SELFTEST(thread_preempts_spinners, "thread.preempt")
{
	struct thread *a, *b;
	uint64_t start_us = time_now_us();

	stop_spinning = false;
	spins[0] = spins[1] = 0;
	a = start("spin a", spin, (void *)&spins[0], THREAD_NORMAL);
	b = start("spin b", spin, (void *)&spins[1], THREAD_NORMAL);
	while ((spins[0] == 0 || spins[1] == 0) && time_now_us() - start_us < 5000000)
		; /* spinning, too */
	ST_EXPECT(spins[0] > 0 && spins[1] > 0, "spins %llu and %llu", (unsigned long long)spins[0],
		  (unsigned long long)spins[1]);
	stop_spinning = true;
	thread_join(a);
	thread_join(b);
}

SELFTEST(preempt_disable_keeps_the_cpu, "thread.preempt_disable")
{
	struct thread *a;
	uint64_t start_us, seen;

	stop_spinning = false;
	spins[0] = 0;
	a = start("spin", spin, (void *)&spins[0], THREAD_NORMAL);
	preempt_disable();
	ST_EXPECT(!thread_may_sleep(), "may sleep with preemption disabled");
	seen = spins[0];
	for (start_us = time_now_us(); time_now_us() - start_us < 3 * THREAD_SLICE_US;)
		;
	ST_EQUAL(spins[0], seen);
	preempt_enable();
	for (start_us = time_now_us(); spins[0] == seen && time_now_us() - start_us < 5000000;)
		;
	ST_EXPECT(spins[0] > seen, "the other thread never ran");
	stop_spinning = true;
	thread_join(a);
}

static volatile int order[4], order_count;
static void note_order(void *argument)
{
	order[order_count++] = (int)(intptr_t)argument;
}

SELFTEST(thread_higher_priority_first, "thread.priority")
{
	struct thread *threads[3];

	order_count = 0;
	preempt_disable();
	threads[0] = start("low", note_order, (void *)0, THREAD_LOW);
	threads[1] = start("normal", note_order, (void *)1, THREAD_NORMAL);
	threads[2] = start("high", note_order, (void *)2, THREAD_HIGH);
	preempt_enable();
	for (int i = 0; i < 3; i++)
		thread_join(threads[i]);
	ST_EQUAL(order[0], 2);
	ST_EQUAL(order[1], 1);
	ST_EQUAL(order[2], 0);
}

SELFTEST(thread_sleeps_long_enough, "thread.sleep")
{
	static const uint64_t naps_us[] = {1, 100, 1000, 5000, 20000};
	uint64_t worst_us = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t start_us = time_now_us(), took_us;

		thread_sleep_us(naps_us[i]);
		took_us = time_now_us() - start_us;
		ST_EXPECT(took_us >= naps_us[i], "%llu us became %llu",
			  (unsigned long long)naps_us[i], (unsigned long long)took_us);
		ST_EXPECT(took_us < naps_us[i] + 1000000, "%llu us became %llu",
			  (unsigned long long)naps_us[i], (unsigned long long)took_us);
		if (took_us - naps_us[i] > worst_us)
			worst_us = took_us - naps_us[i];
	}
	selftest_note("at most %llu us late", (unsigned long long)worst_us);
}

/* Sleepers wake in the order of their deadlines, whatever order they went to bed in. */
static void sleep_then_note(void *argument)
{
	thread_sleep_us((uint64_t)(intptr_t)argument * 5000);
	note_order(argument);
}

SELFTEST(thread_sleepers_wake_in_order, "thread.sleep_order")
{
	static const intptr_t turns[] = {3, 1, 4, 2};
	struct thread *threads[4];

	order_count = 0;
	preempt_disable();
	for (int i = 0; i < 4; i++)
		threads[i] = start("sleeper", sleep_then_note, (void *)turns[i], THREAD_HIGH);
	preempt_enable();
	for (int i = 0; i < 4; i++)
		thread_join(threads[i]);
	for (int i = 0; i < 4; i++)
		ST_EQUAL(order[i], i + 1);
}

static void do_nothing(void *argument)
{
	(void)argument;
}

SELFTEST(thread_detached_ones_are_reaped, "thread.detach")
{
	unsigned before = count_threads();
	uint64_t start_us = time_now_us();

	for (int i = 0; i < 20; i++) {
		struct thread *thread = start("detached", do_nothing, NULL, THREAD_NORMAL);

		if (i % 2)
			thread_sleep_us(100); /* ends before it is let go */
		thread_detach(thread);
	}
	while (count_threads() > before && time_now_us() - start_us < 5000000)
		thread_sleep_us(1000);
	ST_EQUAL(count_threads(), before);
}

SELFTEST(thread_many, "thread.many")
{
	enum { MANY = 24, ROUNDS = 10 };
	struct thread *threads[MANY];
	unsigned before = count_threads();

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++)
			threads[i] = start("one of many", exit_with_argument, (void *)(intptr_t)i,
					   (enum thread_priority)(i % THREAD_PRIORITIES));
		for (int i = MANY - 1; i >= 0; i--)
			ST_EQUAL(thread_join(threads[i]), i);
	}
	ST_EQUAL(count_threads(), before);
}

SELFTEST(thread_info_shows_a_sleeper, "thread.info")
{
	struct thread *thread = start("sleeping", sleep_then_note, (void *)4, THREAD_HIGH);
	struct thread_info info = {0};

	ST_REQUIRE(thread_info_by_id(thread_id(thread), &info), "not found");
	ST_EQUAL(info.state, THREAD_WAITING);
	ST_EXPECT(info.waiting_for != NULL, "waits for nothing");
	ST_EXPECT(info.rsp > info.stack_base && info.rsp < info.stack_end, "rsp 0x%llx",
		  (unsigned long long)info.rsp);
	ST_EXPECT(info.rip > 0xffffffff80000000ull, "rip 0x%llx", (unsigned long long)info.rip);
	thread_join(thread);
	ST_EXPECT(thread_info_by_id(thread_id(thread_current()), &info) &&
			  info.state == THREAD_RUNNING,
		  "the running thread does not run");
}

/* ---- locks
 * ------------------------------------------------------------------------------------------ */

SELFTEST(spinlock_knows_its_holder, "sync.spinlock")
{
	static struct spinlock lock = SPINLOCK_INIT("test");
	irq_flags_t flags, more;

	ST_EXPECT(!spin_is_held_here(&lock), "held before it was taken");
	flags = spin_lock_irqsave(&lock);
	ST_EXPECT(spin_is_held_here(&lock), "not held");
	ST_EXPECT(!irqs_enabled(), "interrupts are on");
	ST_EXPECT(!spin_trylock_irqsave(&lock, &more), "taken twice");
	spin_unlock_irqrestore(&lock, flags);
	ST_EXPECT(irqs_enabled(), "interrupts stay off");
	ST_REQUIRE(spin_trylock_irqsave(&lock, &flags), "not free after its release");
	spin_unlock_irqrestore(&lock, flags);
	spin_lock(&lock);
	ST_EXPECT(irqs_enabled() && !thread_may_sleep(), "a held lock allows sleeping");
	spin_unlock(&lock);
	ST_EXPECT(thread_may_sleep(), "preemption stays disabled");
}

static struct semaphore ping = SEMAPHORE_INIT("ping", 0), pong = SEMAPHORE_INIT("pong", 0);
enum { RALLIES = 2000 };

static void play_back(void *argument)
{
	(void)argument;
	for (int i = 0; i < RALLIES; i++) {
		semaphore_down(&ping, WAIT_FOREVER);
		semaphore_up(&pong);
	}
}

SELFTEST(semaphores_rally, "sync.semaphore")
{
	struct thread *other = start("other side", play_back, NULL, THREAD_NORMAL);
	int won = 0;

	for (int i = 0; i < RALLIES; i++) {
		semaphore_up(&ping);
		won += semaphore_down(&pong, 5000000);
	}
	ST_EQUAL(won, RALLIES);
	thread_join(other);
	ST_EXPECT(!semaphore_down(&pong, 2000), "a count from nowhere");
}

static struct wait_queue gate = WAIT_QUEUE_INIT("gate");
static volatile bool gate_open;
static uint32_t passed;
static void wait_at_gate(void *argument)
{
	(void)argument;
	wait_event(&gate, gate_open);
	__atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED);
}

SELFTEST(wait_queue_wakes_all, "sync.wait_queue")
{
	enum { WAITERS = 8 };
	struct thread *threads[WAITERS];
	uint64_t start_us;

	gate_open = false;
	passed = 0;
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start("waiter", wait_at_gate, NULL, THREAD_HIGH);
	ST_EQUAL(wake_all(&gate), WAITERS); /* for nothing: they go back to sleep */
	thread_sleep_us(1000);
	ST_EQUAL(passed, 0);
	ST_EXPECT(!thread_join_timeout(threads[0], 1000, NULL), "a waiter ended");
	gate_open = true;
	wake_all(&gate);
	for (int i = 0; i < WAITERS; i++)
		thread_join(threads[i]);
	ST_EQUAL(passed, WAITERS);
	ST_EQUAL(wake_one(&gate), 0);
	start_us = time_now_us();
	gate_open = false;
	ST_EXPECT(!wait_event_timeout(&gate, gate_open, 3000), "the condition came true");
	ST_EXPECT(time_now_us() - start_us >= 3000, "gave up early");
}

static struct semaphore from_interrupt = SEMAPHORE_INIT("from interrupt", 0);
static void raise_semaphore(struct timer *timer)
{
	semaphore_up(&from_interrupt);
	if (timer->deadline_us % 4 != 0)
		timer_set(timer, timer->deadline_us + 1);
}

SELFTEST(semaphore_from_interrupts, "sync.wake_from_interrupt")
{
	static struct timer timer = {.fire = raise_semaphore};
	uint64_t first_us = (time_now_us() + 2000) / 4 * 4 + 1;

	timer_set(&timer, first_us);
	for (int i = 0; i < 4; i++)
		ST_EXPECT(semaphore_down(&from_interrupt, 5000000), "wakeup %d was lost", i);
}

static struct mutex mutex = MUTEX_INIT("test");
static volatile uint64_t guarded;
enum { INCREMENTS = 300 };
static void increment(void *argument)
{
	(void)argument;
	for (int i = 0; i < INCREMENTS; i++) {
		uint64_t seen;

		mutex_lock(&mutex);
		seen = guarded;
		if (i % 8 == 0)
			thread_yield();
		guarded = seen + 1;
		mutex_unlock(&mutex);
	}
}

SELFTEST(mutex_excludes, "sync.mutex")
{
	struct thread *threads[4];

	guarded = 0;
	for (int i = 0; i < 4; i++)
		threads[i] = start("incrementer", increment, NULL, THREAD_NORMAL);
	for (int i = 0; i < 4; i++)
		thread_join(threads[i]);
	ST_EQUAL(guarded, 4 * INCREMENTS);
	ST_EXPECT(mutex_trylock(&mutex), "still locked");
	mutex_unlock(&mutex);
}

/* ---- crashes: each must end in a panic that says what was wrong
 * ------------------------------------ */

static struct spinlock bad_lock = SPINLOCK_INIT("bad");

SELFTEST(crash_spinlock_twice, "crash.spinlock_twice")
{
	spin_lock(&bad_lock);
	spin_lock(&bad_lock);
}

SELFTEST(crash_spinlock_not_held, "crash.spinlock_not_held")
{
	spin_unlock(&bad_lock);
}

static void lock_in_interrupt(struct timer *timer)
{
	(void)timer;
	spin_lock(&bad_lock);
	spin_unlock(&bad_lock);
}

SELFTEST(crash_spinlock_interrupts, "crash.spinlock_interrupts")
{
	static struct timer timer = {.fire = lock_in_interrupt};

	timer_set(&timer, time_now_us() + 100);
	thread_sleep_us(5000);
	spin_lock(&bad_lock);
	spin_unlock(&bad_lock);
}

SELFTEST(crash_sleep_with_lock, "crash.sleep_with_lock")
{
	spin_lock(&bad_lock);
	thread_sleep_us(10);
}

static void sleep_in_interrupt(struct timer *timer)
{
	(void)timer;
	thread_sleep_us(10);
}

SELFTEST(crash_sleep_in_interrupt, "crash.sleep_in_interrupt")
{
	static struct timer timer = {.fire = sleep_in_interrupt};

	timer_set(&timer, time_now_us() + 100);
	thread_sleep_us(100000);
}

SELFTEST(crash_mutex_twice, "crash.mutex_twice")
{
	mutex_lock(&mutex);
	mutex_lock(&mutex);
}

SELFTEST(crash_panic, "crash.panic")
{
	panic("on purpose: %d", 42);
}

SELFTEST(crash_fault, "crash.fault")
{
	volatile uintptr_t nowhere = 16;

	*(volatile int *)nowhere = 1;
}

/* A sink of the log that fails while the panic is being reported. */
static void failing_sink(const struct log_line *line, void *context)
{
	(void)line;
	(void)context;
	if (panic_in_progress())
		panic("again");
}

SELFTEST(crash_nested, "crash.nested")
{
	log_add_sink(failing_sink, NULL);
	panic("the first one");
}

SELFTEST_TIMED(crash_hang, "crash.hang", 300)
{
	for (;;)
		thread_sleep_us(1000);
}

SELFTEST_TIMED(crash_spin, "crash.spin", 300)
{
	for (;;)
		cpu_relax();
}

SELFTEST(crash_failure, "crash.failure")
{
	ST_EXPECT(1 + 1 == 3, "arithmetic holds");
}

/* ---- figures
 * ------------------------------------------------------------------------------------------ */

SELFTEST_TIMED(bench_switch, "bench.thread.switch", 60000)
{
	enum { ROUNDS = 20000 };
	struct thread *other = start("other side", play_back, NULL, THREAD_NORMAL);
	uint64_t start_ns = time_now_ns();

	for (int i = 0; i < RALLIES; i++) {
		semaphore_up(&ping);
		semaphore_down(&pong, WAIT_FOREVER);
	}
	selftest_figure("thread.rally", (time_now_ns() - start_ns) / RALLIES, "ns");
	thread_join(other);
	start_ns = time_now_ns();
	for (int i = 0; i < ROUNDS; i++)
		thread_yield();
	selftest_figure("thread.yield_alone", (time_now_ns() - start_ns) / ROUNDS, "ns");
}
