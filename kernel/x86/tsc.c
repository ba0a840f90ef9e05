/*
 * The time-stamp counter: what rate it has, and time from it.
 */
#include <kernel/tsc.h>

#include "apic.h"

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/io.h>
#include <kernel/log.h>
#include <kernel/machine.h>
#include <kernel/percpu.h>

#define HZ_MIN	   UINT64_C(10000000)
#define HZ_MAX	   UINT64_C(20000000000)
#define HZ_ASSUMED UINT64_C(1000000000)
/* Rounds that are tried until one is known within 1/GOOD_PART of its length. */
#define ROUNDS	  25
#define GOOD_PART 100
/* Of one round: 2 ms, long against the time that one port access takes. */
#define ROUND_TICKS    2386u
#define PM_TIMER_HZ    3579545u
#define PM_TIMER_MASK  0xffffffu
#define PM_ROUND_TICKS 7159u
/* A dead timer must not hang the boot: no TSC runs this far in a round. */
#define GIVE_UP (HZ_MAX / 100)

static struct {
	uint64_t hz;
	/* ns = ticks * mul >> 32, kept in two halves so that nothing overflows for centuries. */
	uint64_t ns_per_tick_32;
	const char *source;
	bool assumed;
	/* What the clock showed when the rate was last set, and at which tick. */
	uint64_t base_ns, base_ticks;
} tsc = {.ns_per_tick_32 = UINT64_C(1) << 32, .source = "assumed"};

static bool sane(uint64_t hz)
{
	return hz >= HZ_MIN && hz <= HZ_MAX;
}

/* Intel SDM, CPUID leaf 0x15: TSC = crystal * ebx / eax. */
static uint64_t hz_from_cpuid(void)
{
	struct cpuid_result ratio;

	if (cpuid(0, 0).eax < 0x15)
		return 0;
	ratio = cpuid(0x15, 0);
	if (ratio.eax == 0 || ratio.ebx == 0 || ratio.ecx == 0)
		return 0;
	return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
}

/* The timing leaf that VMware began and KVM and others took over: TSC rate in kHz. */
static uint64_t hz_from_hypervisor(void)
{
	if (cpu_features.hypervisor[0] == '\0' || cpuid(0x40000000, 0).eax < 0x40000010)
		return 0;
	return (uint64_t)cpuid(0x40000010, 0).eax * 1000;
}

/* One countdown of the 8254. */
static struct tsc_round pit_round(void)
{
	uint64_t before = rdtsc(), started, last, now;

	pit_start_countdown(ROUND_TICKS);
	started = last = now = rdtsc();
	while (!pit_countdown_done()) {
		last = now;
		now = rdtsc();
		if (now - started > GIVE_UP)
			return (struct tsc_round){0};
	}
	return (struct tsc_round){ROUND_TICKS, last - started, rdtsc() - before};
}

/* So many ticks of the PM timer. */
static struct tsc_round pm_timer_round(void)
{
	uint16_t port = machine_timer_port();
	uint64_t before = rdtsc(), started, now;
	uint32_t first = inl(port), ticks = 0;

	started = now = rdtsc();
	while (ticks < PM_ROUND_TICKS) {
		now = rdtsc();
		if (now - started > GIVE_UP)
			return (struct tsc_round){0};
		ticks = (inl(port) - first) & PM_TIMER_MASK;
	}
	return (struct tsc_round){ticks, now - started, rdtsc() - before};
}

/* Whether what is unknown of a round's length is a small part of it. */
static bool within(const struct tsc_round *round, uint64_t part)
{
	return round->least > 0 && (round->most - round->least) * part <= round->least;
}

uint64_t tsc_best_round(struct tsc_round (*measure)(void), struct tsc_round *best)
{
	*best = (struct tsc_round){0};
	for (unsigned i = 0; i < ROUNDS && !within(best, GOOD_PART); i++) {
		struct tsc_round round = measure();
		bool first = best->least == 0;

		if (round.most == 0)
			break;
		if (round.least > 0 &&
		    (first || round.most - round.least < best->most - best->least))
			*best = round;
	}
	return best->least + (best->most - best->least) / 2;
}

/* Whether two rates differ by at most 1/20. */
static bool agree(uint64_t a, uint64_t b)
{
	uint64_t difference = a > b ? a - b : b - a;

	return difference <= b / 20;
}

static const struct {
	const char *name;
	uint64_t (*hz)(void);
} claims[] = {
	{"CPUID leaf 0x15", hz_from_cpuid	 },
	{"the hypervisor",  hz_from_hypervisor},
};

static void choose(uint64_t measured)
{
	for (unsigned i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		uint64_t claimed = claims[i].hz();

		if (claimed == 0)
			continue;
		if (sane(claimed) && (!sane(measured) || agree(claimed, measured))) {
			tsc.hz = claimed;
			tsc.source = claims[i].name;
			return;
		}
		pr_warn("clock: %s says %llu Hz, measured %llu Hz: not believed", claims[i].name,
			(unsigned long long)claimed, (unsigned long long)measured);
	}
	tsc.hz = sane(measured) ? measured : HZ_ASSUMED;
	tsc.source = sane(measured) ? "8254" : "assumed";
	tsc.assumed = !sane(measured);
	if (!sane(measured))
		pr_warn("clock: the TSC could not be measured (%llu Hz): 1 GHz is assumed",
			(unsigned long long)measured);
}

static void set_scale(void)
{
	tsc.ns_per_tick_32 = (UINT64_C(1000000000) << 32) / tsc.hz;
}

void tsc_refine(void)
{
	struct tsc_round round;
	uint64_t hz, ticks;

	if (!tsc.assumed || machine_timer_port() == 0)
		return;
	ticks = tsc_best_round(pm_timer_round, &round);
	hz = ticks == 0 ? 0 : ticks * PM_TIMER_HZ / round.counted;
	if (!sane(hz))
		return;
	tsc.base_ns = clock_ns();
	tsc.base_ticks = tsc_since_entry();
	tsc.hz = hz;
	tsc.source = "ACPI PM timer";
	tsc.assumed = false;
	set_scale();
	pr_info("clock: TSC at %llu kHz (%s)", (unsigned long long)hz / 1000, tsc.source);
}

void tsc_init(void)
{
	struct tsc_round round;

	choose(tsc_best_round(pit_round, &round) * PIT_HZ / ROUND_TICKS);
	set_scale();
	pr_info("clock: TSC at %llu kHz (%s)%s", (unsigned long long)tsc.hz / 1000, tsc.source,
		cpu_features.tsc_invariant ? "" : ", not said to be invariant");
}

uint64_t tsc_hz(void)
{
	return tsc.hz;
}

const char *tsc_source(void)
{
	return tsc.source;
}

uint64_t tsc_since_entry(void)
{
	uint64_t now = rdtsc() - boot_info.entry_tsc;
	struct percpu *cpu = percpu();
	uint64_t last = cpu->clock_last;

	/* A counter that was set back (a guest that moved to another host) stands still instead. */
	if ((int64_t)(now - last) < 0)
		return last;
	cpu->clock_last = now;
	return now;
}

uint64_t clock_ns(void)
{
	uint64_t ticks = tsc_since_entry() - tsc.base_ticks, scale = tsc.ns_per_tick_32;

	return tsc.base_ns + (ticks >> 32) * scale + ((ticks & UINT32_MAX) * (scale >> 32)) +
	       ((ticks & UINT32_MAX) * (scale & UINT32_MAX) >> 32);
}

uint64_t clock_us(void)
{
	return clock_ns() / 1000;
}

void tsc_delay_us(uint64_t us)
{
	uint64_t start = rdtsc(), ticks = (tsc.hz ? tsc.hz : HZ_ASSUMED) / 1000000 * us;

	while (rdtsc() - start < ticks)
		cpu_relax();
}
