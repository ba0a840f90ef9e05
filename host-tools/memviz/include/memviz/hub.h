/*
 * The hub: one link, any number of clients.
 *
 * It holds the only session with the kernel and listens on a unix socket (mode
 * 0600). Each client speaks the plain protocol, with ids, seq, session and
 * watches of its own. What the hub does not answer itself (hello, watch.start,
 * watch.stop, hub.history, hub.status) it passes on. Watches of the same rate
 * share one on the wire. A client has a bounded share of everything: requests in
 * flight, bytes waiting to be written, watches; who floods only makes itself
 * wait, who does not read is dropped with a notice on the hub's stderr and, as
 * its last record, a `hub.dropped` notification.
 */
#ifndef MEMVIZ_HUB_H
#define MEMVIZ_HUB_H

#include <memviz/error.h>
#include <stddef.h>
#include <stdint.h>

struct mv_hub_options {
	const char *target; /* NULL: the default one */
	const char *listen; /* socket path */
	uint64_t history_us;
	unsigned hz; /* of the hub's own watch, 0: 10 */
	double timeout_s;
	volatile int *stop; /* ends when it is not 0; NULL: never */
	int ready_fd;	    /* one byte is written when it listens; -1: none */
};

/* Runs until *stop; removes its socket. MV_USAGE: the path cannot be used, or
 * another hub listens there. Losing the kernel does not end it: it reconnects,
 * and clients see their requests wait. */
enum mv_status mv_hub_run(const struct mv_hub_options *o, struct mv_error *e);

/* Starts a hub on `target` in a process of its own, which ends by itself a
 * minute after its last client has left; fills `out` with the hub's target. */
enum mv_status mv_hub_spawn(const char *target, char *out, size_t size, struct mv_error *e);

#endif
