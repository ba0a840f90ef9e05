/*
 * The inspector's lines, its thread, its events, and its life after a panic.
 *
 * Lines: COM2 (or, with serial=mux, the shared COM1) and the virtio port `org.vitrine.inspect`.
 * Both serve the same protocol at once. One thread does everything; interrupts only wake it.
 */
#include "port_inspect.h"
#include "port_mux.h"

#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/ports.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uart.h>
#include <kernel/virtio_console.h>
#include <mm/hooks.h>
#include <mm/space.h>
#include <string.h>

#define EVENT_SLOTS  8192u
#define OWNED_SLOTS  131072u /* a power of two: INSP_OWNED_MAX at half load */
#define UART_RECORD  INSP_RECORD_UART_MAX
#define BULK_RECORD  VSERIAL_WRITE_MAX
#define RECEIVE_STEP 4096u
/* Requests of one line before the other one has its turn. */
#define BURST_RECORDS 64u
/* An idle inspector looks at its lines this often even if nobody woke it. */
#define IDLE_US 250000u
/* A host that has not taken an answer after this long will not. */
#define FLUSH_US 100000u

/* One line: a UART or a virtio port, and what arrived on it but was not taken yet. */
struct inspect_line {
	struct insp_link link;
	bool present;
	unsigned uart;		   /* index, when `port` is NULL */
	bool shared;		   /* serial=mux: with console and stub */
	bool in_record;		   /* shared: what comes next is ours */
	struct vserial_port *port; /* else the virtio port */
	bool connected;
	char *sending; /* the port's send buffer that records are being put in */
	size_t sending_bytes;
	size_t kept, kept_from;
	uint8_t received[RECEIVE_STEP];
};

static struct {
	struct insp insp;
	struct inspect_line uart, bulk;
	struct wait_queue wakeup;
	bool work; /* set by interrupts, cleared by the thread */
	bool running;
} inspector = {.wakeup = WAIT_QUEUE_INIT("inspector")};

static struct insp_slot event_ring[EVENT_SLOTS];
static uint64_t owned[OWNED_SLOTS];
static char uart_in[UART_RECORD], uart_out[UART_RECORD];
static char bulk_in[BULK_RECORD], bulk_out[BULK_RECORD];

struct insp *port_inspect_instance(void)
{
	return inspector.running ? &inspector.insp : NULL;
}

/* ---- bytes out ---- */

/* On a shared line a record that is not whole in the ring would be cut by somebody else's text. */
static size_t uart_space(const struct inspect_line *line)
{
	size_t room = uart_write_room(line->uart);

	return line->shared && room < UART_RECORD ? 0 : room;
}

size_t insp_port_link_space(void *link)
{
	struct inspect_line *line = link;

	if (!line->port)
		return uart_space(line);
	if (!line->sending && line->connected) {
		line->sending = vserial_reserve(line->port);
		line->sending_bytes = 0;
	}
	return line->sending ? VSERIAL_WRITE_MAX - line->sending_bytes : 0;
}

void insp_port_link_write(void *link, const void *bytes, size_t len)
{
	struct inspect_line *line = link;

	if (!line->port) {
		uart_write(line->uart, bytes, len);
	} else if (line->sending) {
		memcpy(line->sending + line->sending_bytes, bytes, len);
		line->sending_bytes += len;
	}
}

/* Starts the hardware on what insp_poll() put together: one chain, one notification. */
static void line_flush(struct inspect_line *line)
{
	if (line->port && line->sending) {
		vserial_commit(line->port, line->sending_bytes);
		line->sending = NULL;
	}
}

void inspect_flush(void)
{
	struct inspect_line *lines[] = {&inspector.uart, &inspector.bulk};
	uint64_t start_us = time_now_us();

	for (size_t i = 0; i < 2; i++) {
		if (!lines[i]->present)
			continue;
		line_flush(lines[i]);
		if (!lines[i]->port)
			uart_flush(lines[i]->uart);
		while (lines[i]->port && !vserial_idle(lines[i]->port) &&
		       time_now_us() - start_us < FLUSH_US)
			vserial_poll();
	}
}

/* ---- bytes in ---- */

static void line_follow_connection(struct inspect_line *line)
{
	bool connected = !line->port || vserial_connected(line->port);

	if (line->connected && !connected) {
		line->kept = line->kept_from = 0;
		line->sending_bytes = 0;
		insp_link_reset(&line->link);
	}
	line->connected = connected;
}

static size_t uart_receive(struct inspect_line *line)
{
	size_t len, kept;

	do {
		kept = len = uart_read(line->uart, line->received, RECEIVE_STEP);
		if (line->shared)
			kept = mux_keep_records(&line->in_record, line->received, len);
	} while (len && !kept);
	return kept;
}

/* Hands on what has arrived, until the link wants to be polled first. True: something was. */
static bool line_receive(struct inspect_line *line)
{
	size_t taken;

	if (!line->kept) {
		line->kept_from = 0;
		line->kept = line->port ? vserial_read(line->port, line->received, RECEIVE_STEP)
					: uart_receive(line);
	}
	if (!line->kept)
		return false;
	taken = insp_link_receive(&line->link, line->received + line->kept_from, line->kept);
	line->kept_from += taken;
	line->kept -= taken;
	return taken != 0;
}

/*
 * Takes and answers requests of one line as long as some are there, up to a burst of them: their
 * answers leave together. Returns when insp_poll() wants to be called next.
 */
static uint64_t line_serve(struct inspect_line *line)
{
	uint64_t next_us;

	line_follow_connection(line);
	for (unsigned i = 0; i < BURST_RECORDS; i++) {
		bool more = line_receive(line);

		next_us = insp_poll(&inspector.insp, time_now_us());
		if (!more)
			break;
		next_us = 0;
	}
	line_flush(line);
	return next_us;
}

/* One turn over both lines. Returns when the next one is due at the latest. */
static uint64_t turn(void)
{
	struct inspect_line *lines[] = {&inspector.uart, &inspector.bulk};
	uint64_t next_us = UINT64_MAX;

	for (size_t i = 0; i < 2; i++) {
		uint64_t due_us = lines[i]->present ? line_serve(lines[i]) : UINT64_MAX;

		if (due_us < next_us)
			next_us = due_us;
	}
	/* Serving the second line may have put records for the first one into its buffer. */
	line_flush(&inspector.uart);
	line_flush(&inspector.bulk);
	return next_us;
}

/* ---- the thread ---- */

static void wake(void *context)
{
	(void)context;
	__atomic_store_n(&inspector.work, true, __ATOMIC_RELEASE);
	wake_one(&inspector.wakeup);
}

static void inspector_main(void *argument)
{
	(void)argument;
	for (;;) {
		__atomic_store_n(&inspector.work, false, __ATOMIC_RELAXED);
		uint64_t next_us = turn(), now_us = time_now_us();

		if (next_us <= now_us)
			continue;
		uint64_t rest_us = next_us - now_us < IDLE_US ? next_us - now_us : IDLE_US;
		wait_event_timeout(&inspector.wakeup,
				   __atomic_load_n(&inspector.work, __ATOMIC_ACQUIRE), rest_us);
	}
}

/* ---- events ---- */

static uint32_t event_space(const struct mm_event *event)
{
	uint32_t id = 0;

	return mm_space_by_root(mm_pa(event->root), &id) == MM_OK ? id : 0;
}

static uint32_t event_zone(const struct mm_event *event)
{
	struct Page *page = mm_phys_to_page(mm_pa(event->address));

	return page ? page->zone : 0;
}

/*
 * Of the kinds that may be left out: mm/'s count of them as far as they were heard or told as
 * missed. What mm/ counted beyond that was missed. An operation that was counted and not yet
 * reported when we looked makes the difference one too large, and the next one too small.
 */
#define MANY_KINDS 4u
static uint64_t accounted[MANY_KINDS];
_Static_assert(INSP_EVENTS_MANY == (1u << MANY_KINDS) - 1, "they are the first ones");

static void account_missed(uint32_t listened)
{
	for (unsigned op = 0; op < MANY_KINDS; op++) {
		uint64_t seen = __atomic_load_n(&accounted[op], __ATOMIC_RELAXED);
		int64_t missed = (int64_t)(mm_event_count((enum mm_event_type)op) - seen);

		if (missed > 0) {
			__atomic_fetch_add(&accounted[op], (uint64_t)missed, __ATOMIC_RELAXED);
			if (listened >> op & 1)
				insp_event_missed(&inspector.insp, (enum insp_event_op)op,
						  (uint64_t)missed);
		}
	}
}

/* The hook of mm/: both name the same operations in the same order, so their masks are one. */
static void on_event(const struct mm_event *event, void *context)
{
	bool failed = event->type == MM_EVENT_FAILURE;
	struct insp_event told = {.t_us = event->time_us,
				  .addr = failed ? 0 : event->address,
				  .size = event->size,
				  .site = event->site,
				  .op = (enum insp_event_op)event->type,
				  .arg = failed ? (uint32_t)event->failed : 0};

	(void)context;
	if (event->type == MM_EVENT_ALLOC_PAGES || event->type == MM_EVENT_FREE_PAGES)
		told.arg = event_zone(event);
	else if (event->type == MM_EVENT_MAP || event->type == MM_EVENT_UNMAP)
		told.arg = event_space(event);
	if (told.op < MANY_KINDS)
		__atomic_fetch_add(&accounted[told.op], 1, __ATOMIC_RELAXED);
	if (!insp_event(&inspector.insp, &told) && told.op < MANY_KINDS) {
		mm_hook_mute(INSP_EVENTS_MANY);
		insp_event_muted(&inspector.insp);
	}
}
_Static_assert((int)MM_EVENT_KMALLOC == (int)INSP_EV_KMALLOC &&
		       (int)MM_EVENT_UNMAP == (int)INSP_EV_UNMAP &&
		       (int)MM_EVENT_FAILURE == (int)INSP_EV_FAIL,
	       "mm/ and the inspector name events in the same order");

void inspect_listen(uint32_t event_mask)
{
	static uint32_t listened;

	account_missed(listened);
	listened = event_mask;
	mm_hook_set_mask(on_event, NULL, event_mask);
}

/* ---- after a panic ---- */

static void panic_enter(const struct trap_frame *frame, const char *message, void *context)
{
	(void)frame, (void)message, (void)context;
	insp_panicked(&inspector.insp);
}

static void panic_poll(void *context)
{
	(void)context;
	if (inspector.uart.present)
		uart_poll(inspector.uart.uart);
	vserial_poll();
	turn();
}

/* ---- bringing it up ---- */

static void line_init(struct inspect_line *line, char *in, char *out, size_t record_bytes,
		      size_t line_bytes)
{
	const struct insp_link_config config = {.port = line,
						.in = in,
						.in_bytes = record_bytes,
						.out = out,
						.out_bytes = record_bytes,
						.line_bytes = line_bytes};

	line->present = insp_link_init(&inspector.insp, &line->link, &config);
	if (!line->present)
		pr_error("inspect: a line of %zu bytes was refused", line_bytes);
}

static void uart_line_init(void)
{
	inspector.uart.shared = mux_on();
	inspector.uart.uart = mux_on() ? UART_CONSOLE : UART_INSPECT;
	if (!uart_present(inspector.uart.uart))
		return;
	line_init(&inspector.uart, uart_in, uart_out, UART_RECORD, UART_TX_BYTES);
	uart_set_wakeup(inspector.uart.uart, wake, NULL);
}

static void bulk_line_init(void)
{
	inspector.bulk.port = vserial_port(VSERIAL_NAME_INSPECT);
	if (!inspector.bulk.port)
		return;
	line_init(&inspector.bulk, bulk_in, bulk_out, BULK_RECORD, VSERIAL_WRITE_MAX);
	vserial_set_wakeup(inspector.bulk.port, wake, NULL);
}

void port_inspect_init(void)
{
	static struct panic_hook hook = {
		.name = "inspector", .enter = panic_enter, .poll = panic_poll};
	const struct insp_config config = {.ring = event_ring,
					   .ring_slots = EVENT_SLOTS,
					   .owned = owned,
					   .owned_slots = OWNED_SLOTS};

	if (kernel_params.inspect == INSPECT_OFF)
		return;
	inspect_peek_init();
	insp_init(&inspector.insp, &config);
	uart_line_init();
	bulk_line_init();
	if (!inspector.uart.present && !inspector.bulk.present) {
		pr_warn("inspect: no line: neither COM2 nor a virtio port %s",
			VSERIAL_NAME_INSPECT);
		return;
	}
	struct thread *thread = thread_create("inspector", inspector_main, NULL, THREAD_HIGH);
	if (!thread)
		panic("no memory for the inspector's thread");
	thread_detach(thread);
	inspector.running = true;
	panic_add_hook(&hook);
	pr_info("inspect: serving %s%s%s", inspector.uart.present ? "the UART" : "",
		inspector.uart.present && inspector.bulk.present ? " and " : "",
		inspector.bulk.present ? "virtio" : "");
}
