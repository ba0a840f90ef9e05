/*
 * The clock and timers. The clock counts from kernel entry and never runs backwards.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Time since kernel entry. Any context, before calibration too (then by an assumed 1 GHz TSC). */
uint64_t time_now_us(void);
uint64_t time_now_ns(void);

/* The calibrated rate of the clock's source; 0 before calibration. */
uint64_t time_tsc_hz(void);

/* Waits without giving up the CPU. Any context. For device delays of some microseconds. */
void time_delay_us(uint64_t us);

/*
 * A call at a time. The structure belongs to the caller and must live until the timer fired or
 * was cancelled. The function runs in the timer interrupt of the CPU that set it: it must not
 * sleep or allocate; it may set its own timer again.
 */
struct timer {
	uint64_t deadline_us;
	void (*fire)(struct timer *timer);
	struct timer *next; /* owned by time.c while it is set */
	uint32_t cpu;
	bool set;
};
/* Sets (or moves) the timer. Any context but NMI. */
void timer_set(struct timer *timer, uint64_t deadline_us);
/* True: it was set and will not fire. False: it was not set (fired, or is firing now). */
bool timer_cancel(struct timer *timer);

/* Called by the APIC timer's interrupt handler: fires what is due and programs the next one. */
void time_interrupt(void);
/* Starts clock and timers on this CPU; after interrupts and the APIC work. */
void time_init(void);

#endif
