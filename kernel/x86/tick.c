/*
 * The timer interrupt: the local APIC's timer, or the 8254.
 */
#include <kernel/tick.h>

#include "apic.h"

#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/tsc.h>

#define DIVIDE_BY_16 0x3u
#define CALIBRATE_US 2000u
#define PIT_MAX	     65535u

static struct {
	void (*fire)(void);
	uint64_t lapic_hz; /* of its counter, after the divider; 0: the 8254 is used */
} tick;

const char *tick_name(void)
{
	return tick.lapic_hz ? "LAPIC timer" : "8254";
}

static void fired(void *context)
{
	(void)context;
	tick.fire();
}

static struct tsc_round lapic_timer_round(void)
{
	struct tsc_round round;
	uint64_t before = rdtsc(), started;

	lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
	started = rdtsc();
	tsc_delay_us(CALIBRATE_US);
	round.least = rdtsc() - started;
	round.counted = UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
	round.most = rdtsc() - before;
	return round;
}

static uint64_t measure_lapic_timer(void)
{
	struct tsc_round round;
	uint64_t ticks;

	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	ticks = tsc_best_round(lapic_timer_round, &round);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	return round.counted * tsc_hz() / (ticks ? ticks : 1);
}

static bool lapic_timer_init(void)
{
	if (!lapic_present())
		return false;
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
	if (tick.lapic_hz == 0)
		tick.lapic_hz = measure_lapic_timer();
	/* Slower than this it would be no clock; faster than any that exists it is a misreading. */
	if (tick.lapic_hz < 10000 || tick.lapic_hz > UINT64_C(10000000000)) {
		pr_warn("clock: the local APIC's timer runs at %llu Hz: not used",
			(unsigned long long)tick.lapic_hz);
		tick.lapic_hz = 0;
		return false;
	}
	return irq_request_timer(fired, NULL, true);
}

void tick_init(void (*fire)(void))
{
	tick.fire = fire;
	if (!lapic_timer_init())
		irq_request_timer(fired, NULL, false);
	tick_stop();
	pr_debug("clock: %s, %llu kHz", tick_name(),
		 (unsigned long long)(tick.lapic_hz ? tick.lapic_hz : PIT_HZ) / 1000);
}

/* Ticks of a counter of `hz` in `us`, at least 1 and at most `most`. */
static uint32_t ticks_in(uint64_t us, uint64_t hz, uint32_t most)
{
	uint64_t ticks;

	/* An hour is more than any counter holds. */
	if (us > UINT64_C(3600000000))
		return most;
	ticks = us * hz / 1000000;
	if (ticks == 0)
		return 1;
	return ticks < most ? (uint32_t)ticks : most;
}

void tick_arm_us(uint64_t us)
{
	if (!tick.lapic_hz) {
		pit_arm((uint16_t)ticks_in(us, PIT_HZ, PIT_MAX));
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, ticks_in(us, tick.lapic_hz, UINT32_MAX));
}

void tick_periodic(uint32_t hz)
{
	if (!tick.lapic_hz) {
		pit_periodic((uint16_t)ticks_in(1000000 / hz, PIT_HZ, PIT_MAX));
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LVT_PERIODIC);
	lapic_write(LAPIC_TIMER_INITIAL, ticks_in(1000000 / hz, tick.lapic_hz, UINT32_MAX));
}

void tick_stop(void)
{
	if (!tick.lapic_hz) {
		pit_stop();
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}
