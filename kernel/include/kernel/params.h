/*
 * Boot parameters: one table (params.c) says name, values, default and meaning of each; parsing,
 * messages and docs/boot-parameters.md come from it. `name=value` words separated by spaces; later
 * ones win. A value that does not fit is reported with what would be right and the default stays;
 * an unknown name is reported with the nearest known one. Nothing is ignored silently.
 */
#ifndef KERNEL_PARAMS_H
#define KERNEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARAM_TEXT_MAX 256

enum inspect_access { INSPECT_OFF, INSPECT_READ, INSPECT_ALLOC, INSPECT_FULL };
enum serial_mode { SERIAL_PORTS, SERIAL_MUX };

struct kernel_params {
	uint64_t directmap_bytes;      /* directmap=SIZE: end of the direct map; 4 GiB */
	uint64_t zone_dma_bytes;       /* zone_dma=SIZE: end of ZONE_DMA; 16 MiB */
	unsigned inspect;	       /* inspect=off|read|alloc|full (enum inspect_access) */
	unsigned serial;	       /* serial=ports|mux (enum serial_mode) */
	char workload[PARAM_TEXT_MAX]; /* workload=NAME[:k=v..],...|none; "" for none */
	bool trace;	  /* trace=on|off: attribution of objects to sites from boot on */
	unsigned panic;	  /* panic=wait|reboot|exit (enum panic_action) */
	bool gdbwait;	  /* gdbwait: stop in the stub before anything starts */
	unsigned gdblost; /* gdblost=SECONDS: a stop unanswered for so long; 0: no limit */
	bool selftest;	  /* selftest[=PATTERN] given */
	char selftest_pattern[PARAM_TEXT_MAX]; /* "*" without a pattern */
	unsigned loglevel;	     /* loglevel=N: 0 error .. 3 debug go to the console */
	bool poison;		     /* poison=0|1: fill freed memory and verify it */
	bool redzone;		     /* redzone=0|1: watch the gap behind each object */
	char weaken[PARAM_TEXT_MAX]; /* weaken=NAME[,NAME..]: <kernel/weaken.h>; \"\" for none */
};

/* The values in force. Defaults until params_init(); read-only afterwards. */
extern struct kernel_params kernel_params;

/*
 * Parses the command line into kernel_params and logs what was wrong. Call once, early; needs
 * nothing but the log. `cmdline` may be NULL. Returns the number of faults found.
 */
unsigned params_init(const char *cmdline);

/* The same without side effects, for tests: each fault is one call of report(text, context). */
typedef void (*params_report_fn)(const char *text, void *context);
void params_defaults(struct kernel_params *params);
unsigned params_parse(const char *cmdline, struct kernel_params *params, params_report_fn report,
		      void *context);

/* One row of the table, for documentation and `params_describe`. */
struct param_doc {
	const char *name;
	const char *form; /* what may stand for the value, e.g. "off|read|alloc|full" */
	const char *initial;
	const char *meaning;
};
/* Row `index`; false behind the last one. */
bool params_doc(size_t index, struct param_doc *doc);

/* Parses "64M", "0x1000", "3G", "4096" (K M G T, binary). False unless all of it is a number. */
bool parse_size(const char *text, uint64_t *bytes);

/* Number of single-character edits from a to b, at most `limit` + 1. For "did you mean". */
unsigned edit_distance(const char *a, const char *b, unsigned limit);

#endif
