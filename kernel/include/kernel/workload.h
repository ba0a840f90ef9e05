/*
 * Built-in programs over the public memory API, to have something to look at and to find leaks in.
 *
 * The programs (kernel/workload/NAME.c) are portable: they see the mm API and a workload_env and
 * nothing else, so that host tests run them too. This header is both halves: the programs' and
 * the manager's (start, stop, list), which gives each running one a kernel thread.
 */
#ifndef KERNEL_WORKLOAD_H
#define KERNEL_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_PARAMS_MAX 8u
#define WORKLOAD_REASON_MAX 160u

/* What a program needs of the world. */
struct workload_env {
	/* Sleeps; returns early when it shall stop. */
	void (*sleep_us)(struct workload_env *env, uint64_t us);
	bool (*should_stop)(struct workload_env *env);
	uint64_t (*now_us)(struct workload_env *env);
	/* Seeded by parameter `seed`: the same seed gives the same requests. */
	uint64_t random_state;
	/* What it did so far, read by others while it runs: requests made, requests refused, and
	 * objects whose contents were not what it had written (there is never one). */
	uint64_t operations, failures, corruptions;
	void *context;
};
uint64_t workload_random(struct workload_env *env);
/* Uniform in [0, bound); bound > 0. */
uint64_t workload_random_below(struct workload_env *env, uint64_t bound);

/* A parameter: a number within a range. Sizes take K M G. */
struct workload_param {
	const char *name;
	uint64_t min, max, initial;
	const char *meaning;
};

struct workload {
	const char *name;
	const char *meaning;
	const struct workload_param *params; /* ends with a NULL name */
	/* Runs until should_stop; frees everything it took (leak excepted). values[i] is params[i].
	 */
	void (*run)(struct workload_env *env, const uint64_t *values);
};

/* The table of all programs: row `index`, NULL behind the last. */
const struct workload *workload_get(size_t index);
const struct workload *workload_find(const char *name);

/* Fills values with the defaults. */
void workload_defaults(const struct workload *workload, uint64_t *values);
/*
 * Fills values with the defaults, then takes "k=v:k=v" from text (may be NULL or ""). False: the
 * reason says which parameter is wrong and what it takes. Pure.
 */
bool workload_parse(const struct workload *workload, const char *text, uint64_t *values,
		    char reason[WORKLOAD_REASON_MAX]);
/* Sets one value by name with the same checks. */
bool workload_set(const struct workload *workload, const char *name, uint64_t value,
		  uint64_t *values, char reason[WORKLOAD_REASON_MAX]);

/* ---- the manager (kernel only); one instance of each program at a time ---- */

/* Starts it in a thread of its own. False: the reason (unknown name, running, no memory). Thread
 * context. */
bool workload_start(const char *name, const uint64_t *values, char reason[WORKLOAD_REASON_MAX]);
/* Asks it to stop and waits until all is freed. False: the reason (not running). */
bool workload_stop(const char *name, char reason[WORKLOAD_REASON_MAX]);
/* Parses and starts a list "NAME[:k=v..],..." (boot parameter); logs what is wrong. */
void workload_start_list(const char *list);

struct workload_status {
	const struct workload *workload;
	bool running;
	uint64_t started_us;
	uint64_t operations, failures, corruptions;
	uint64_t values[WORKLOAD_PARAMS_MAX];
};
/* The state of row `index`; false behind the last. Any context. */
bool workload_status(size_t index, struct workload_status *status);

#endif
