/* In-kernel tests of the workloads as threads: start, status, stop, all at once. */
#include <string.h>

#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/workload.h>
#include <mm/check.h>
#include <mm/mm.h>
#include <mm/slab.h>

enum { RUN_US = 400000 };

static void note_fault(const char *text, void *context)
{
	(void)context;
	selftest_note("%s", text);
}

static bool status_of(const char *name, struct workload_status *status)
{
	for (size_t i = 0; workload_status(i, status); i++) {
		if (strcmp(status->workload->name, name) == 0)
			return true;
	}
	return false;
}

static void start_default(const char *name)
{
	uint64_t values[WORKLOAD_PARAMS_MAX];
	char reason[WORKLOAD_REASON_MAX] = "";

	workload_defaults(workload_find(name), values);
	ST_EXPECT(workload_start(name, values, reason), "%s", reason);
}

static void stop_and_check(const char *name)
{
	char reason[WORKLOAD_REASON_MAX] = "";
	struct workload_status status;

	ST_EXPECT(status_of(name, &status) && status.running, "%s does not run", name);
	ST_EXPECT(workload_stop(name, reason), "%s", reason);
	ST_EXPECT(status_of(name, &status) && !status.running, "%s still runs", name);
	ST_EXPECT(status.operations > 0, "%s made no request", name);
	ST_EXPECT(status.corruptions == 0, "%s lost the contents of %llu objects", name,
		  (unsigned long long)status.corruptions);
}

/* Frames and objects in use, with nothing idle kept aside. */
static struct mm_stat_t settled(void)
{
	mm_trim();
	return mm_stat();
}

SELFTEST_TIMED(workloads_one_by_one, "workload.each", 60000)
{
	const struct workload *workload;

	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++) {
		struct mm_stat_t before = settled(), after;

		start_default(workload->name);
		thread_sleep_us(RUN_US);
		stop_and_check(workload->name);
		after = settled();
		if (strcmp(workload->name, "leak") == 0) {
			ST_EXPECT(after.cache_used > before.cache_used, "leak forgot nothing");
			continue;
		}
		ST_EXPECT(after.cache_used == before.cache_used, "%s: %llu bytes of objects stay",
			  workload->name,
			  (unsigned long long)(after.cache_used - before.cache_used));
		ST_EXPECT(after.free == before.free, "%s: free %llu before, %llu after",
			  workload->name, (unsigned long long)before.free,
			  (unsigned long long)after.free);
	}
	ST_EQUAL(mm_check(note_fault, NULL).faults, 0);
}

SELFTEST_TIMED(workloads_all_at_once, "workload.together", 60000)
{
	const struct workload *workload;

	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++)
		start_default(workload->name);
	thread_sleep_us(2 * RUN_US);
	for (size_t i = 0; (workload = workload_get(i)) != NULL; i++)
		stop_and_check(workload->name);
	ST_EQUAL(mm_check(note_fault, NULL).faults, 0);
}

SELFTEST(workloads_refuse, "workload.refuse")
{
	uint64_t values[WORKLOAD_PARAMS_MAX];
	char reason[WORKLOAD_REASON_MAX] = "";

	workload_defaults(workload_find("ramp"), values);
	ST_EXPECT(!workload_start("rmap", values, reason), "an unknown one starts");
	ST_EXPECT(strstr(reason, "there is no workload 'rmap'; there are churn") != NULL, "%s",
		  reason);
	ST_EXPECT(!workload_stop("ramp", reason), "one that does not run is stopped");
	ST_EXPECT(strstr(reason, "is not running") != NULL, "%s", reason);
	start_default("ramp");
	ST_EXPECT(!workload_start("ramp", values, reason), "it runs twice");
	ST_EXPECT(strstr(reason, "is running already") != NULL, "%s", reason);
	ST_EXPECT(workload_stop("ramp", reason), "%s", reason);
}
