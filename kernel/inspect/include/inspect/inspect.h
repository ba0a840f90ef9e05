/*
 * The inspector: tells a kernel's memory as JSON records over lines, and takes requests.
 *
 * Portable: all it knows of the kernel comes through <inspect/port.h>, all it needs of memory is
 * given by the caller. It allocates nothing, never blocks, and does a bounded amount of work per
 * call. What goes over the line is in <inspect/protocol.h> and docs/protocol.md.
 *
 *	static struct insp inspector;             // complete in <inspect/state.h>, members private
 *	static struct insp_link uart;
 *	insp_init(&inspector, &config);
 *	insp_link_init(&inspector, &uart, &uart_config);
 *	for (;;) {                                // one thread, the inspector's
 *		while (n) {                       // bytes that came in
 *			size_t taken = insp_link_receive(&uart, p, n);
 *			p += taken, n -= taken;
 *			next_us = insp_poll(&inspector, clock_us());
 *			if (!taken) break;        // the line is full: keep the rest
 *		}
 *		wait until bytes arrive, the line drains, or next_us
 *	}
 *
 * Contexts. One thread calls everything but insp_event(), which any context may call, on any CPU.
 * After insp_panicked() the panic code takes that thread's place and goes on calling
 * insp_link_receive() and insp_poll(), with interrupts off if need be.
 * insp_call_text() is also for a stopped kernel (a debugger stub), whatever the thread was doing.
 */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H

#include <inspect/port.h>
#include <inspect/protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct insp;
struct insp_link;
struct insp_slot; /* of the event ring */

struct insp_config {
	/* The event ring: a power of two of slots, shared by all links. So many events at once are
	 * told whole; of more, readers are told how many they lost. */
	struct insp_slot *ring;
	uint32_t ring_slots;
	/* What remote requests allocated, as a hash of a power of two of words, kept at most 3/4
	 * full (and at most INSP_OWNED_MAX). Beyond that, allocating requests are refused. */
	uint64_t *owned;
	uint32_t owned_slots;
};

struct insp_link_config {
	void *port; /* handed to insp_port_link_space() and _write() */
	/* One record being received and one being made. out_bytes is the link's max_record (at
	 * least 1024, at most 1 MiB); in_bytes the longest request with its
	 * LF. INSP_RECORD_UART_MAX on a UART.
	 */
	char *in;
	size_t in_bytes;
	char *out;
	size_t out_bytes;
	/* What insp_port_link_space() says of an empty line: watching sends only while at least
	 * half of it is free, so that an answer never waits behind more than that. */
	size_t line_bytes;
};

/* Memory is the caller's and must outlive *insp; ring and owned are cleared here. Before any other
 * call. */
void insp_init(struct insp *insp, const struct insp_config *config);

/* Adds a link (at most INSP_LINKS_MAX). Thread context. False: no room, or a size is wrong. */
#define INSP_LINKS_MAX 4
bool insp_link_init(struct insp *insp, struct insp_link *link,
		    const struct insp_link_config *config);

/*
 * Takes bytes from the line, as many as there is room for; insp_poll() answers them. Returns how
 * many were taken; fewer than len means: call insp_poll(), then give the rest. 0: answers wait for
 * the line to drain; keep the bytes until it has.
 */
size_t insp_link_receive(struct insp_link *link, const void *bytes, size_t len);

/* The other end went away or came back (carrier, virtio port closed): drops the half record, ends
 * watches. The session and its reply cache stay, so that a client may come back and repeat. */
void insp_link_reset(struct insp_link *link);

/*
 * Answers what was received and sends what is due on watches, as far as the lines take it. Bounded:
 * at most INSP_POLL_RECORDS records per call, a long one (1 KiB and more) counting as several.
 * Returns when it wants to be called again at the latest (microseconds since boot; now_us or
 * earlier: at once, there is more to do; UINT64_MAX: only when bytes arrive or a line drains).
 */
#define INSP_POLL_RECORDS 64u
/* Whoever calls may do so at any priority: a client that never stops asking does not get for
 * itself a CPU that others want (insp_port_load()). After INSP_WORK_US of work, insp_poll() does
 * nothing for INSP_REST_US (it returns the end of that time), so that others run. While nobody
 * calls for INSP_PAUSE_US or longer, others have the CPU too: each such microsecond makes good two
 * of work. */
#define INSP_WORK_US  4000u
#define INSP_REST_US  2000u
#define INSP_PAUSE_US 100u
uint64_t insp_poll(struct insp *insp, uint64_t now_us);

/* Something that happened in the memory manager. `arg` as INSP_EVENT_NAMES in protocol.h says: the
 * space's id for map and unmap (whose addr and size are the range), the zone's index for frames,
 * what failed for INSP_EV_FAIL. */
struct insp_event {
	uint64_t t_us; /* on the clock of insp_port_clock_us() */
	uint64_t addr, size, site;
	enum insp_event_op op;
	uint32_t arg;
};

/*
 * The memory manager's hooks call this through the port. Any context on any CPU, NMI included;
 * wait-free, no lock. Map and unmap must be reported for every change of a mapping while
 * INSP_OP_LISTEN names them: the watch of mappings is made from them. That a space ended need not
 * be reported.
 *
 * False: more than enough was heard. From then on, until INSP_OP_LISTEN comes again, the port may
 * leave out the kinds of INSP_EVENTS_MANY; when it comes, the port first says by
 * insp_event_missed() how many of each it left out. A port that goes on reporting all is right
 * too, only slower.
 */
bool insp_event(struct insp *insp, const struct insp_event *event);
#define INSP_EVENTS_MANY                                                           \
	(1u << INSP_EV_KMALLOC | 1u << INSP_EV_KFREE | 1u << INSP_EV_ALLOC_PAGES | \
	 1u << INSP_EV_FREE_PAGES)
/* After the port began to leave them out, so that INSP_OP_LISTEN is sure to come. As insp_event().
 */
void insp_event_muted(struct insp *insp);
/* Within INSP_OP_LISTEN only. */
void insp_event_missed(struct insp *insp, enum insp_event_op op, uint64_t count);

/*
 * One request from inside, for a debugger's `monitor` command. `line` is
 *     METHOD                       mm.stat
 *     METHOD VALUE... NAME=VALUE   mm.object 0xffff800001000000   mm.frames zone=ZONE_DMA
 *     METHOD {json params}         mm.frames {"limit":3}
 *     {json request}               {"method":"mm.stat"}           also after the word `rpc`
 * Writes the result object, or the error object {"code","message","data"?}, as JSON text without a
 * terminator, into out (cap >= 512); *len is its length. Lists are cut to a page that fits; go on
 * with cursor=NEXT. True when it is a result. Runs at `access`. watch.* and hello are refused.
 * Callable while insp_poll() is interrupted, where a request that changes something is then refused
 * as busy if another such was interrupted; not while insp_call_text() itself runs.
 */
bool insp_call_text(struct insp *insp, const char *line, size_t line_len, enum insp_access access,
		    char *out, size_t cap, size_t *len);

/* The kernel has panicked: from now on only reads are answered, watches go on as far as they read.
 * A record that was being made is dropped. Any context. */
void insp_panicked(struct insp *insp);

/* Whether anybody watches or traces (the hooks are wanted). */
bool insp_listening(const struct insp *insp);

struct insp_link_stats {
	uint64_t rx_bytes, tx_bytes, rx_records, tx_records;
	uint64_t bad_records; /* refused with INSP_E_PARSE */
	uint64_t repeats;     /* answered from the reply cache */
	uint64_t throttled;   /* times that a watch had to wait for the line */
};
void insp_link_stats(const struct insp_link *link, struct insp_link_stats *stats);

/* Walks the invariants of all tables; false with the first broken one in why. Thread context. */
bool insp_check(const struct insp *insp, char why[INSP_REASON_MAX]);

/* "ok", "busy" ...; never NULL. */
const char *insp_status_text(enum insp_status status);

#include <inspect/state.h>

#endif
