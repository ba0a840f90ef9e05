/*
 * The time-stamp counter as a clock, calibrated and checked.
 */
#ifndef KERNEL_TSC_H
#define KERNEL_TSC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Finds the rate: CPUID 0x15, then the hypervisor's leaf 0x40000010, then a measurement against the
 * 8254. What CPUID says is believed only when a short measurement
 * agrees within 5 %. Outside 10 MHz..20 GHz, or where nothing answers: 1 GHz is assumed and the log
 * says so. Call once, with interrupts off; takes some ms, at most 60.
 */
void tsc_init(void);

/*
 * Another counter, held against the TSC: while it counted so far, at least and at most so many
 * ticks went by. The two differ by what lay between reading one and reading the other, which is
 * much where a hypervisor took the CPU away there. most 0: it does not count.
 */
struct tsc_round {
	uint64_t counted, least, most;
};
/* Measures until a round is known within a percent, or the best of 25; returns its length in ticks
 * (0: none was any good). */
uint64_t tsc_best_round(struct tsc_round (*measure)(void), struct tsc_round *best);

/*
 * Where tsc_init() could only assume a rate: measures it against ACPI's PM timer. The clock goes on
 * from what it shows. After machine_init(), with interrupts off.
 */
void tsc_refine(void);

/* Ticks per second; 0 before tsc_init(). */
uint64_t tsc_hz(void);

/* Where the rate came from, for the log. Never NULL. */
const char *tsc_source(void);

/* Ticks since kernel entry, never running backwards on one CPU. Any context. */
uint64_t tsc_since_entry(void);

/* Microseconds, nanoseconds since kernel entry; before tsc_init() as if the rate was 1 GHz. */
uint64_t clock_us(void);
uint64_t clock_ns(void);

/* Spins. Any context. */
void tsc_delay_us(uint64_t us);

#endif
