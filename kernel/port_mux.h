/*
 * The shared line of serial=mux, for those who send and receive on it.
 */
#ifndef KERNEL_PORT_MUX_H
#define KERNEL_PORT_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether COM1 carries everything. After params_init(). */
bool mux_on(void);

/*
 * Keeps of received bytes those of records, RS to LF, moved together at the start; returns how
 * many. `in_record` is the state between two calls, false at first.
 */
size_t mux_keep_records(bool *in_record, uint8_t *bytes, size_t len);

#endif
