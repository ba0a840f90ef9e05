/*
 * The timer interrupt of each CPU, under <kernel/time.h>: local APIC timer, or the 8254 where there
 * is no local APIC.
 */
#ifndef KERNEL_TICK_H
#define KERNEL_TICK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes the timer of this CPU call `fire` (interrupt context, after its EOI). On the boot CPU it
 * also measures the timer's rate against the TSC. After irq_init() and tsc_init(). Nothing fires
 * until tick_arm_us().
 */
void tick_init(void (*fire)(void));

/* One interrupt after `us` microseconds, instead of any armed before. 0: as soon as possible;
 * longer than the timer reaches: at its longest, which is at least 50 ms. Any context but NMI. */
void tick_arm_us(uint64_t us);

/* One interrupt each 1/hz s, 1..1000. Any context but NMI. */
void tick_periodic(uint32_t hz);

/* None any more. */
void tick_stop(void);

/* "LAPIC timer" or "8254". */
const char *tick_name(void);

#endif
