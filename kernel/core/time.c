#include <kernel/cpu.h>
#include <kernel/percpu.h>
#include <kernel/sync.h>
#include <kernel/tick.h>
#include <kernel/time.h>
#include <kernel/tsc.h>

/* One list per CPU, soonest first. Few timers are ever set at once: one per sleeping thread. */
static struct timer_list {
	struct spinlock lock;
	struct timer *first;
	bool ready; /* the CPU's timer interrupt works */
} lists[CPU_MAX];

uint64_t time_now_us(void)
{
	return clock_us();
}

uint64_t time_now_ns(void)
{
	return clock_ns();
}

uint64_t time_tsc_hz(void)
{
	return tsc_hz();
}

void time_delay_us(uint64_t us)
{
	uint64_t end_ns = time_now_ns() + us * 1000;

	while (time_now_ns() < end_ns)
		cpu_relax();
}

/* Programs the interrupt for the list's first timer. The list is of this CPU and locked. */
static void arm(struct timer_list *list)
{
	uint64_t now_us = time_now_us();

	if (list->ready && list->first != NULL)
		tick_arm_us(list->first->deadline_us > now_us ? list->first->deadline_us - now_us
							      : 0);
}

static void insert(struct timer_list *list, struct timer *timer)
{
	struct timer **link = &list->first;

	while (*link != NULL && (*link)->deadline_us <= timer->deadline_us)
		link = &(*link)->next;
	timer->next = *link;
	*link = timer;
	timer->set = true;
}

static bool take_out(struct timer_list *list, struct timer *timer)
{
	for (struct timer **link = &list->first; *link != NULL; link = &(*link)->next) {
		if (*link == timer) {
			*link = timer->next;
			timer->set = false;
			return true;
		}
	}
	return false;
}

bool timer_cancel(struct timer *timer)
{
	struct timer_list *list = &lists[timer->cpu];
	irq_flags_t flags;
	bool was_set;

	if (!timer->set)
		return false;
	flags = spin_lock_irqsave(&list->lock);
	was_set = timer->set && take_out(list, timer);
	spin_unlock_irqrestore(&list->lock, flags);
	return was_set;
}

void timer_set(struct timer *timer, uint64_t deadline_us)
{
	struct timer_list *list;
	irq_flags_t outer = irq_save(), flags;

	timer_cancel(timer);
	timer->cpu = cpu_number();
	list = &lists[timer->cpu];
	flags = spin_lock_irqsave(&list->lock);
	timer->deadline_us = deadline_us;
	insert(list, timer);
	if (list->first == timer)
		arm(list);
	spin_unlock_irqrestore(&list->lock, flags);
	irq_restore(outer);
}

static struct timer *take_due(struct timer_list *list)
{
	irq_flags_t flags = spin_lock_irqsave(&list->lock);
	struct timer *timer = list->first;

	if (timer != NULL && timer->deadline_us <= time_now_us()) {
		list->first = timer->next;
		timer->set = false;
	} else {
		arm(list);
		timer = NULL;
	}
	spin_unlock_irqrestore(&list->lock, flags);
	return timer;
}

void time_interrupt(void)
{
	struct timer_list *list = &lists[cpu_number()];
	struct timer *timer;

	while ((timer = take_due(list)) != NULL)
		timer->fire(timer);
}

void time_init(void)
{
	struct timer_list *list = &lists[cpu_number()];
	irq_flags_t flags;

	tick_init(time_interrupt);
	flags = spin_lock_irqsave(&list->lock);
	list->lock.name = "timers";
	list->ready = true;
	arm(list);
	spin_unlock_irqrestore(&list->lock, flags);
}
