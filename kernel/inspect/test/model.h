/*
 * A simulated memory manager behind port.h: what the inspector's tests, its fuzzers and memviz's
 * tests look at without a kernel. Zones, frames, sixteen object classes, spaces, attribution, a
 * log and workloads behave as the real ones do on the wire; memory contents are a function of the
 * physical address. One instance per program, one thread.
 */
#ifndef INSPECT_TEST_MODEL_H
#define INSPECT_TEST_MODEL_H

#include <inspect/inspect.h>

struct model_options {
	uint64_t memory_bytes; /* 0: 2 GiB; half of it lies above the direct map */
	enum insp_access access;
	uint64_t seed;
	uint32_t cpus;
};

/* Builds everything anew (also after an earlier model_start()). */
void model_start(const struct model_options *options);
void model_stop(void);
/* Who hears the events; NULL: nobody. */
void model_attach(struct insp *insp);
/* The time that insp_port_clock_us() tells; without a call it is the real one since start. */
void model_set_clock(uint64_t us);
/* From now on every look at the clock of model_set_clock() takes so long. */
void model_set_clock_cost(uint64_t us);
/* Whether others want the CPU all the time. */
void model_set_load(bool busy);
/* From now on all events are reported, also when the inspector has heard enough. */
void model_never_mute(void);
void model_set_access(enum insp_access access);
/* Lets the running workloads work up to now; returns the operations done. */
uint64_t model_run(uint64_t now_us);
/* One random operation of any kind (alloc, free, map, unmap, spaces, log): for random tests. */
void model_random_step(void);
void model_log(uint32_t level, const char *text);

/* A space of its own with `leaves` pages in runs of `run` pages that never continue each other, the
 * rights changing from run to run. Returns its id. */
uint32_t model_make_space(const char *name, uint32_t leaves, uint32_t run);
/* Every leaf of a space one by one, for comparing. */
struct model_leaf {
	uint64_t va, pa;
	uint32_t page, flags;
};
size_t model_leaves(uint32_t space, const struct model_leaf **leaves);
/* Makes a walk stop with INSP_BUSY now and then, and the state move under walks, every n calls. */
void model_set_unrest(uint32_t busy_every, uint32_t move_every);
/* How often each thing was done, for "never twice". */
struct model_counts {
	uint64_t kmallocs, kfrees, alloc_pages, free_pages, maps, unmaps, trims, breaks, poweroffs,
		panics;
};
const struct model_counts *model_counts(void);
uint64_t model_random(void);

/* The lines that insp_port_link_space() and _write() speak of. */
struct model_line {
	size_t (*space)(struct model_line *line);
	void (*write)(struct model_line *line, const void *bytes, size_t len);
};

#endif
