/*
 * What the files of the inspector's port share.
 *
 *   port_inspect.c        facts: info, counters, statistics, objects, symbols, memory
 *   port_inspect_visit.c  items: one row per kind of insp_port_next()
 *   port_inspect_act.c    deeds: one row per operation of insp_port_act()
 *   port_inspect_link.c   lines, the inspector's thread, events, panic
 */
#ifndef KERNEL_PORT_INSPECT_H
#define KERNEL_PORT_INSPECT_H

#include <inspect/inspect.h>
#include <mm/pgtable.h>
#include <stdbool.h>
#include <stdint.h>

/* Where requests may map in the kernel's half: 1 TiB that nothing else uses. */
#define REMOTE_WINDOW_BASE  0xffffc00000000000ul
#define REMOTE_WINDOW_BYTES (UINT64_C(1) << 40)

/* An entry's flags as the inspector names a mapping's rights, and back. */
uint32_t inspect_rights(uint64_t entry_flags);
uint64_t inspect_entry_flags(uint32_t rights);

/* Prepares the slot through which memory outside the direct map is read. */
void inspect_peek_init(void);

/* What the last check found; text is cut to fit. */
#define INSPECT_FAULTS_MAX 16u
struct inspect_faults {
	uint32_t count;
	struct insp_text fault[INSPECT_FAULTS_MAX];
};
extern struct inspect_faults inspect_faults;

/* Returns when the lines have taken all records written so far, or take nothing for some time: for
 * what may never come back. From the inspector's thread. */
void inspect_flush(void);

/* Starts (or stops) handing mm/'s events of the masked kinds to the inspector. */
void inspect_listen(uint32_t event_mask);

#endif
