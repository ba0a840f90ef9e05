/*
 * The 16550A. Registers and bits after National Semiconductor's PC16550D data sheet.
 *
 * One lock per port covers its rings and registers; it is taken for a few bursts, not per text, so
 * that interrupts do not wait long. COM1 and COM3, COM2 and COM4 share their ISA lines,
 * which are edge-triggered: the handler of a line asks both ports until neither has anything left.
 */
#include <string.h>

#include <kernel/cpu.h>
#include <kernel/io.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uart.h>

enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7 };
enum { IER_RX = 0x01, IER_TX = 0x02, IER_LINE = 0x04 };
enum { IIR_NONE = 0x01, IIR_FIFO = 0xc0 };
enum { FCR_ON = 0x01, FCR_CLEAR = 0x06, FCR_TRIGGER_8 = 0x80, FCR_TRIGGER_14 = 0xc0 };
enum { LCR_8N1 = 0x03, LCR_DIVISOR = 0x80 };
enum { MCR_DTR_RTS = 0x03, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum { LSR_READY = 0x01, LSR_OVERRUN = 0x02, LSR_ERRORS = 0x1c, LSR_THRE = 0x20, LSR_EMPTY = 0x40 };

enum { MSR_DSR = 0x20, MSR_DCD = 0x80 };

enum { BURST = 16, CLOCK_BAUD = 115200 };
/* A line that took nothing for this long is dead until it takes something again. */
enum { STALL_US = 200000 };
/* Bursts and bytes that one interrupt handles before it lets others in. */
enum { INTERRUPT_TURNS = 64 };

/* A power of two of bytes; head and tail run free and are masked. */
struct ring {
	uint8_t *bytes;
	uint32_t mask;
	uint32_t head, tail; /* next to put, next to take */
};

struct port {
	uint16_t base;
	uint8_t irq;
	bool present, fifo, interrupts, stalled;
	uint8_t ier;
	struct spinlock lock;
	struct ring rx, tx;
	uart_byte_fn hook;
	void *hook_context;
	uart_event_fn wakeup;
	void *wakeup_context;
	bool tx_was_full;
	struct timer look_again; /* see expect_more() */
	unsigned looks;
	struct uart_stats stats;
};

static uint8_t rx_bytes[UART_PORTS][UART_RX_BYTES];
static uint8_t tx_bytes[UART_PORTS][UART_TX_BYTES];

#define PORT(n, address, line)                                                      \
	{                                                                           \
		.base = (address), .irq = (line), .lock = SPINLOCK_INIT("uart" #n), \
		.rx = {rx_bytes[n], UART_RX_BYTES - 1, 0, 0},                       \
		.tx = {tx_bytes[n], UART_TX_BYTES - 1, 0, 0},                       \
	}
static struct port ports[UART_PORTS] = {
	PORT(0, 0x3f8, 4),
	PORT(1, 0x2f8, 3),
	PORT(2, 0x3e8, 4),
	PORT(3, 0x2e8, 3),
};

static uint8_t reg_read(const struct port *p, unsigned reg)
{
	return inb((uint16_t)(p->base + reg));
}

static void reg_write(const struct port *p, unsigned reg, unsigned value)
{
	outb((uint16_t)(p->base + reg), (uint8_t)value);
}

static struct port *find(unsigned index)
{
	return index < UART_PORTS && ports[index].present ? &ports[index] : NULL;
}

static uint32_t ring_used(const struct ring *ring)
{
	return ring->head - ring->tail;
}

static uint32_t ring_room(const struct ring *ring)
{
	return ring->mask + 1 - ring_used(ring);
}

/* The longest piece at `position` that does not wrap. */
static uint32_t ring_piece(const struct ring *ring, uint32_t position, uint32_t len)
{
	uint32_t to_end = ring->mask + 1 - (position & ring->mask);

	return len < to_end ? len : to_end;
}

static size_t ring_put(struct ring *ring, const uint8_t *data, size_t len)
{
	uint32_t room = ring_room(ring), take = len < room ? (uint32_t)len : room;
	uint32_t first = ring_piece(ring, ring->head, take);

	memcpy(ring->bytes + (ring->head & ring->mask), data, first);
	memcpy(ring->bytes, data + first, take - first);
	ring->head += take;
	return take;
}

static size_t ring_take(struct ring *ring, uint8_t *data, size_t cap)
{
	uint32_t used = ring_used(ring), take = cap < used ? (uint32_t)cap : used;
	uint32_t first = ring_piece(ring, ring->tail, take);

	memcpy(data, ring->bytes + (ring->tail & ring->mask), first);
	memcpy(data + first, ring->bytes, take - first);
	ring->tail += take;
	return take;
}

/* ---- finding and setting up ---------------------------------------------------------------- */

/* An absent port reads 0xff (or whatever floats): it keeps no value. */
static bool answers(const struct port *p)
{
	static const uint8_t patterns[] = {0x5a, 0xa5, 0x00};

	if (reg_read(p, LSR) == 0xff)
		return false;
	for (size_t i = 0; i < sizeof(patterns); i++) {
		reg_write(p, SCRATCH, patterns[i]);
		if (reg_read(p, SCRATCH) != patterns[i])
			return false;
	}
	return true;
}

static void set_divisor(const struct port *p, uint32_t divisor)
{
	reg_write(p, LCR, LCR_8N1 | LCR_DIVISOR);
	reg_write(p, 0, divisor & 0xff);
	reg_write(p, 1, divisor >> 8);
	reg_write(p, LCR, LCR_8N1);
}

/*
 * A real line leaves eight bytes, 0.7 ms at 115200, to answer the interrupt. QEMU never overruns
 * the FIFO but hands over no more than the trigger at a time: there, the most is best.
 */
static uint8_t receive_trigger(void)
{
	return cpu_features.hypervisor[0] != '\0' ? FCR_TRIGGER_14 : FCR_TRIGGER_8;
}

static void probe(struct port *p)
{
	reg_write(p, IER, 0);
	if (!answers(p))
		return;
	set_divisor(p, 1);
	reg_write(p, FCR, FCR_ON | FCR_CLEAR | receive_trigger());
	p->fifo = (reg_read(p, IIR) & IIR_FIFO) == IIR_FIFO;
	if (!p->fifo)
		reg_write(p, FCR, 0);
	p->stats.fifo = p->fifo;
	reg_write(p, MCR, MCR_DTR_RTS | MCR_OUT2);
	p->present = true;
}

void uart_init_early(void)
{
	for (unsigned i = 0; i < UART_PORTS; i++)
		probe(&ports[i]);
}

bool uart_present(unsigned port)
{
	return find(port) != NULL;
}

bool uart_set_baud(unsigned port, uint32_t baud)
{
	struct port *p = find(port);
	irq_flags_t flags;

	if (p == NULL || baud == 0 || baud > CLOCK_BAUD || CLOCK_BAUD % baud != 0 ||
	    CLOCK_BAUD / baud > 0xffff)
		return false;
	uart_flush(port);
	flags = spin_lock_irqsave(&p->lock);
	set_divisor(p, CLOCK_BAUD / baud);
	spin_unlock_irqrestore(&p->lock, flags);
	return true;
}

/* ---- moving bytes; the port's lock is held (or everything else is stopped) ------------------ */

static void set_ier(struct port *p, uint8_t value)
{
	if (p->ier != value)
		reg_write(p, IER, value);
	p->ier = value;
}

/* One burst, if the chip is empty. False: it is not, or there is nothing to send. */
static bool send_burst(struct port *p)
{
	struct ring *tx = &p->tx;
	uint32_t len = ring_used(tx), max = p->fifo ? BURST : 1;

	if (len == 0 || (reg_read(p, LSR) & LSR_THRE) == 0)
		return false;
	for (len = len < max ? len : max; len > 0;) {
		uint32_t piece = ring_piece(tx, tx->tail, len);

		outsb(p->base, tx->bytes + (tx->tail & tx->mask), piece);
		tx->tail += piece;
		len -= piece;
		p->stats.tx_bytes += piece;
	}
	p->stalled = false;
	return true;
}

/* What the interrupt has to finish, it is told of: THRE only while something waits. */
static void set_interrupts(struct port *p)
{
	if (p->interrupts)
		set_ier(p, IER_RX | IER_LINE | (ring_used(&p->tx) > 0 ? IER_TX : 0));
}

static void receive_byte(struct port *p, uint8_t byte)
{
	p->stats.rx_bytes++;
	if (p->hook != NULL && p->hook(byte, p->hook_context))
		return;
	if (ring_put(&p->rx, &byte, 1) == 0)
		p->stats.rx_overruns_ring++;
}

static void note_line_status(struct port *p, uint8_t status)
{
	if (status & LSR_OVERRUN)
		p->stats.rx_overruns_chip++;
	if (status & LSR_ERRORS)
		p->stats.rx_errors++;
}

/* Empties the chip's receive FIFO. Returns how many bytes went into the ring. */
static uint32_t receive_all(struct port *p)
{
	uint32_t before = p->rx.head;

	for (unsigned i = 0; i < INTERRUPT_TURNS * BURST; i++) {
		uint8_t status = reg_read(p, LSR);

		note_line_status(p, status);
		if ((status & LSR_READY) == 0)
			break;
		receive_byte(p, reg_read(p, DATA));
	}
	return p->rx.head - before;
}

/* One turn of a port; returns whether its owner wants to hear of it. */
static bool service(struct port *p)
{
	bool wake = receive_all(p) > 0;

	for (unsigned i = 0; i < INTERRUPT_TURNS && send_burst(p); i++)
		;
	if (p->tx_was_full && ring_room(&p->tx) > UART_TX_BYTES / 2) {
		p->tx_was_full = false;
		wake = true;
	}
	set_interrupts(p);
	return wake;
}

static bool service_locked(struct port *p)
{
	irq_flags_t flags = spin_lock_irqsave(&p->lock);
	uint64_t before = p->stats.rx_bytes;
	bool wake = service(p), received = p->stats.rx_bytes != before;

	spin_unlock_irqrestore(&p->lock, flags);
	if (wake && p->wakeup != NULL)
		p->wakeup(p->wakeup_context);
	return received;
}

/*
 * What is left of a message and does not reach the trigger raises its interrupt only after four
 * byte times, 0.35 ms, which is most of a short request's journey in QEMU. So once bytes came, look
 * again a few times soon.
 */
enum { LOOK_AGAIN_US = 50, LOOKS = 4 };

static void look_again(struct timer *timer)
{
	struct port *p = (struct port *)((char *)timer - offsetof(struct port, look_again));

	p->looks = service_locked(p) ? LOOKS : p->looks - 1;
	if (p->looks > 0)
		timer_set(timer, time_now_us() + LOOK_AGAIN_US);
}

static void expect_more(struct port *p)
{
	p->looks = LOOKS;
	p->look_again.fire = look_again;
	timer_set(&p->look_again, time_now_us() + LOOK_AGAIN_US);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static bool pending(const struct port *p)
{
	return p->present && p->interrupts && (reg_read(p, IIR) & IIR_NONE) == 0;
}

/* An edge-triggered line that stays up is never heard again: take it down for a moment. */
static void renew_edge(struct port *p)
{
	irq_flags_t flags = spin_lock_irqsave(&p->lock);

	reg_write(p, IER, 0);
	reg_write(p, IER, p->ier);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void line_interrupt(void *context)
{
	struct port *pair = context; /* this one and the next but one */

	for (unsigned turn = 0; turn < INTERRUPT_TURNS; turn++) {
		bool any = false;

		for (unsigned i = 0; i < UART_PORTS; i += 2) {
			if (pending(&pair[i])) {
				any = true;
				pair[i].stats.interrupts += turn == 0;
				if (service_locked(&pair[i]))
					expect_more(&pair[i]);
			}
		}
		if (!any)
			return;
	}
	for (unsigned i = 0; i < UART_PORTS; i += 2) {
		if (pair[i].present)
			renew_edge(&pair[i]);
	}
}

void uart_init_interrupts(void)
{
	for (unsigned line = 0; line < 2; line++) {
		if (!ports[line].present && !ports[line + 2].present)
			continue;
		if (!irq_request(ports[line].irq, line_interrupt, &ports[line])) {
			pr_warn("uart: no interrupt for COM%u and COM%u: they stay polled",
				line + 1, line + 3);
			continue;
		}
		ports[line].interrupts = ports[line + 2].interrupts = true;
	}
	for (unsigned i = 0; i < UART_PORTS; i++) {
		if (ports[i].present)
			service_locked(&ports[i]);
	}
}

/* ---- what others call ------------------------------------------------------------------------ */

/* A few bursts under one lock. False: the interrupt does the rest, or nothing is left. */
static bool send_bursts(struct port *p)
{
	enum { BURSTS = 4 };

	for (int i = 0; i < BURSTS; i++) {
		if (!send_burst(p)) {
			set_interrupts(p);
			return false;
		}
	}
	return true;
}

size_t uart_write(unsigned port, const void *data, size_t len)
{
	struct port *p = find(port);
	irq_flags_t flags;
	size_t taken;
	bool more;

	if (p == NULL)
		return 0;
	flags = spin_lock_irqsave(&p->lock);
	taken = ring_put(&p->tx, data, len);
	p->tx_was_full |= taken < len;
	more = send_bursts(p);
	spin_unlock_irqrestore(&p->lock, flags);
	while (more) {
		flags = spin_lock_irqsave(&p->lock);
		more = send_bursts(p);
		spin_unlock_irqrestore(&p->lock, flags);
	}
	return taken;
}

/* Something happened on the line since `progress` (then it is updated), or may still. */
static bool alive(struct port *p, uint64_t *progress, uint64_t *since_us)
{
	if (*progress != p->stats.tx_bytes) {
		*progress = p->stats.tx_bytes;
		*since_us = time_now_us();
	}
	if (!p->stalled && time_now_us() - *since_us < STALL_US)
		return true;
	p->stalled = true;
	return false;
}

size_t uart_write_all(unsigned port, const void *data, size_t len)
{
	struct port *p = find(port);
	const uint8_t *at = data;
	uint64_t since_us, progress;
	size_t left = len;

	if (p == NULL)
		return 0;
	since_us = time_now_us();
	progress = p->stats.tx_bytes;
	while (left > 0) {
		size_t taken = uart_write(port, at, left);

		at += taken;
		left -= taken;
		if (left == 0)
			break;
		if (!alive(p, &progress, &since_us)) {
			p->stats.tx_dropped += left;
			break;
		}
		if (thread_may_sleep())
			thread_sleep_us(1000);
		else
			uart_poll(port);
	}
	return len - left;
}

void uart_flush(unsigned port)
{
	struct port *p = find(port);
	uint64_t since_us = time_now_us(), progress;

	if (p == NULL)
		return;
	progress = p->stats.tx_bytes;
	while (ring_used(&p->tx) > 0 || (reg_read(p, LSR) & LSR_EMPTY) == 0) {
		if (!alive(p, &progress, &since_us))
			return;
		uart_poll(port);
	}
}

size_t uart_write_room(unsigned port)
{
	struct port *p = find(port);
	irq_flags_t flags;
	uint32_t room;

	if (p == NULL)
		return 0;
	flags = spin_lock_irqsave(&p->lock);
	room = ring_room(&p->tx);
	p->tx_was_full |= room <= UART_TX_BYTES / 2;
	spin_unlock_irqrestore(&p->lock, flags);
	return room;
}

size_t uart_read(unsigned port, void *data, size_t cap)
{
	struct port *p = find(port);
	irq_flags_t flags;
	size_t taken;

	if (p == NULL)
		return 0;
	flags = spin_lock_irqsave(&p->lock);
	taken = ring_take(&p->rx, data, cap);
	spin_unlock_irqrestore(&p->lock, flags);
	return taken;
}

void uart_set_receive_hook(unsigned port, uart_byte_fn hook, void *context)
{
	struct port *p = find(port);
	irq_flags_t flags;

	if (p == NULL)
		return;
	flags = spin_lock_irqsave(&p->lock);
	p->hook = hook;
	p->hook_context = context;
	spin_unlock_irqrestore(&p->lock, flags);
}

void uart_set_wakeup(unsigned port, uart_event_fn wakeup, void *context)
{
	struct port *p = find(port);
	irq_flags_t flags;

	if (p == NULL)
		return;
	flags = spin_lock_irqsave(&p->lock);
	p->wakeup = NULL;
	p->wakeup_context = context;
	p->wakeup = wakeup;
	spin_unlock_irqrestore(&p->lock, flags);
}

void uart_poll(unsigned port)
{
	struct port *p = find(port);

	if (p != NULL)
		service_locked(p);
}

/* ---- past the rings, for a stopped kernel -----------------------------------------------------
 */

static bool wait_for_room(struct port *p)
{
	for (uint64_t start_us = time_now_us(); (reg_read(p, LSR) & LSR_THRE) == 0;) {
		if (p->stalled || time_now_us() - start_us > STALL_US) {
			p->stalled = true;
			return false;
		}
		cpu_relax();
	}
	p->stalled = false;
	return true;
}

/* What was written before must not come out after. */
static void drain_ring(struct port *p)
{
	while (ring_used(&p->tx) > 0 && wait_for_room(p))
		send_burst(p);
}

size_t uart_write_polled(unsigned port, const void *data, size_t len)
{
	struct port *p = find(port);
	const uint8_t *at = data;
	size_t left = len;

	if (p == NULL)
		return 0;
	drain_ring(p);
	while (left > 0 && wait_for_room(p)) {
		size_t max = p->fifo ? BURST : 1, piece = left < max ? left : max;

		outsb(p->base, at, piece);
		p->stats.tx_bytes += piece;
		at += piece;
		left -= piece;
	}
	p->stats.tx_dropped += left;
	return len - left;
}

void uart_putc_polled(unsigned port, uint8_t byte)
{
	uart_write_polled(port, &byte, 1);
}

bool uart_carrier(unsigned port)
{
	const struct port *p = find(port);

	return p != NULL && (reg_read(p, MSR) & (MSR_DSR | MSR_DCD)) != 0;
}

int uart_getc_polled(unsigned port)
{
	struct port *p = find(port);
	uint8_t byte, status;

	if (p == NULL)
		return -1;
	if (ring_take(&p->rx, &byte, 1) == 1)
		return byte;
	status = reg_read(p, LSR);
	note_line_status(p, status);
	if ((status & LSR_READY) == 0)
		return -1;
	p->stats.rx_bytes++;
	return reg_read(p, DATA);
}

/* ---- figures and test
 * ---------------------------------------------------------------------------- */

void uart_get_stats(unsigned port, struct uart_stats *stats)
{
	struct port *p = find(port);
	irq_flags_t flags;

	*stats = (struct uart_stats){0};
	if (p == NULL)
		return;
	flags = spin_lock_irqsave(&p->lock);
	*stats = p->stats;
	spin_unlock_irqrestore(&p->lock, flags);
}

static bool loop_byte(const struct port *p, uint8_t byte)
{
	reg_write(p, DATA, byte);
	for (uint64_t start_us = time_now_us(); time_now_us() - start_us < 5000;) {
		if (reg_read(p, LSR) & LSR_READY)
			return reg_read(p, DATA) == byte;
	}
	return false;
}

bool uart_loopback_test(unsigned port)
{
	static const uint8_t pattern[] = {0x00, 0xff, 0x55, 0xaa, 0x01, 0x80, '$', 0x1e};
	struct port *p = find(port);
	irq_flags_t flags;
	bool good = true;

	if (p == NULL)
		return false;
	uart_flush(port);
	flags = spin_lock_irqsave(&p->lock);
	receive_all(p);
	reg_write(p, IER, 0);
	reg_write(p, MCR, MCR_LOOP);
	for (size_t i = 0; i < sizeof(pattern) && good; i++)
		good = loop_byte(p, pattern[i]);
	reg_write(p, MCR, MCR_DTR_RTS | MCR_OUT2);
	reg_write(p, IER, p->ier);
	spin_unlock_irqrestore(&p->lock, flags);
	return good;
}
