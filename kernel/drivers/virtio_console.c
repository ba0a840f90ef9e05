/*
 * The virtio console device with several ports (Virtual I/O Device 1.2: PCI transport 4.1, console
 * device 5.3).
 *
 * Queues: 0 and 1 carry port 0, 2 and 3 control messages, 2n+2 and 2n+3 port n. Those of every port
 * that we may serve are set up at start; a port gets its buffers when somebody asks for it by name.
 *
 * Sending: a port has TX_BUFFERS buffers of 64 KiB. While fewer than TX_DIRECT are on their way,
 * what is written goes out at once; beyond that writes gather in the next buffer and go out
 * together when the device is done with one. So a lone request is answered at once and a flood
 * costs few notifications. One lock covers the device.
 */
#include <string.h>

#include <kernel/io.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/pci.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/virtio_console.h>
#include <kernel/virtqueue.h>
#include <mm/slab.h>

enum { VENDOR_VIRTIO = 0x1af4, DEVICE_MODERN = 0x1043, DEVICE_TRANSITIONAL = 0x1003 };
enum { CAP_VENDOR = 0x09 };
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_TYPES = 5 };

/* Offsets in the common configuration (4.1.4.3). */
enum {
	COMMON_DEVICE_FEATURE_SELECT = 0,
	COMMON_DEVICE_FEATURE = 4,
	COMMON_DRIVER_FEATURE_SELECT = 8,
	COMMON_DRIVER_FEATURE = 12,
	COMMON_CONFIG_VECTOR = 16,
	COMMON_NUM_QUEUES = 18,
	COMMON_STATUS = 20,
	COMMON_QUEUE_SELECT = 22,
	COMMON_QUEUE_SIZE = 24,
	COMMON_QUEUE_VECTOR = 26,
	COMMON_QUEUE_ENABLE = 28,
	COMMON_QUEUE_NOTIFY_OFF = 30,
	COMMON_QUEUE_DESC = 32,
	COMMON_QUEUE_DRIVER = 40,
	COMMON_QUEUE_DEVICE = 48,
	COMMON_BYTES = 56,
};
enum {
	STATUS_ACK = 1,
	STATUS_DRIVER = 2,
	STATUS_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128
};
#define FEATURE_MULTIPORT (1u << 1)
#define FEATURE_VERSION_1 (1u << 0) /* of the second word */
enum { NO_VECTOR = 0xffff, OUR_VECTOR = 0 };

/* Control messages (5.3.6.2). */
enum {
	EVENT_DEVICE_READY = 0,
	EVENT_PORT_ADD = 1,
	EVENT_PORT_REMOVE = 2,
	EVENT_PORT_READY = 3,
	EVENT_CONSOLE_PORT = 4,
	EVENT_PORT_OPEN = 6,
	EVENT_PORT_NAME = 7,
};
struct control {
	uint32_t port;
	uint16_t event, value;
};

enum { CONTROL_RX = 2, CONTROL_TX = 3, QUEUES = 2 * VSERIAL_PORTS + 2 };
enum { CONTROL_BUFFERS = 16, CONTROL_BYTES = 128, NAME_MAX = 64 };
enum { TX_BUFFERS = 4, TX_DIRECT = 2 };

/* A buffer and the bytes in it; [taken, filled) are still to be read. */
struct buffer {
	uint8_t *bytes;
	uint32_t filled, taken;
	bool busy; /* on its way */
};

struct vserial_port {
	uint32_t id;
	bool exists, opened, connected, reserved;
	char name[NAME_MAX];
	struct buffer rx[VSERIAL_RX_BUFFERS];
	uint8_t rx_order[VSERIAL_RX_BUFFERS]; /* a ring of filled buffers */
	uint32_t rx_first, rx_count;
	struct buffer tx[TX_BUFFERS];
	int gathering; /* the buffer that writes gather in, -1: none */
	unsigned tx_busy;
	bool was_full;
	void (*wakeup)(void *context);
	void *wakeup_context;
	bool wake; /* its owner shall hear of something, once the lock is gone */
	struct vserial_stats stats;
};

static struct {
	struct spinlock lock;
	const struct pci_device *pci;
	bool running, intx;
	volatile uint8_t *config[CFG_TYPES];
	uint64_t config_bytes[CFG_TYPES];
	uint32_t notify_multiplier;
	uint32_t notify_offset[QUEUES];
	struct virtqueue queues[QUEUES];
	struct buffer control_rx[CONTROL_BUFFERS], control_tx[CONTROL_BUFFERS];
	struct vserial_port ports[VSERIAL_PORTS];
	struct wait_queue changed; /* names and ports arrived */
} dev = {.lock = SPINLOCK_INIT("virtio-serial"), .changed = WAIT_QUEUE_INIT("virtio-serial ports")};

static unsigned rx_queue(const struct vserial_port *port)
{
	return port->id == 0 ? 0 : 2 * port->id + 2;
}

static unsigned tx_queue(const struct vserial_port *port)
{
	return rx_queue(port) + 1;
}

/* ---- registers
 * ------------------------------------------------------------------------------------ */

static volatile uint8_t *common(unsigned offset)
{
	return dev.config[CFG_COMMON] + offset;
}

static void set_status(uint8_t bits)
{
	mmio_write8(common(COMMON_STATUS), bits);
}

static void notify(unsigned queue)
{
	if (vq_should_notify(&dev.queues[queue]))
		mmio_write16(dev.config[CFG_NOTIFY] + dev.notify_offset[queue], (uint16_t)queue);
}

/* One vendor capability (4.1.4): which part of which BAR holds which registers. */
static void take_capability(uint8_t cap)
{
	uint8_t type = pci_read8(dev.pci, (uint8_t)(cap + 3));
	uint8_t bar = pci_read8(dev.pci, (uint8_t)(cap + 4));
	uint64_t offset = pci_read32(dev.pci, (uint8_t)(cap + 8));
	uint64_t bytes = pci_read32(dev.pci, (uint8_t)(cap + 12));
	uint64_t bar_bytes = 0;
	volatile uint8_t *base;

	if (type < CFG_COMMON || type >= CFG_TYPES || dev.config[type] != NULL)
		return;
	base = pci_map_bar(dev.pci, bar, &bar_bytes);
	if (base == NULL || offset > bar_bytes || bytes > bar_bytes - offset)
		return;
	dev.config[type] = base + offset;
	dev.config_bytes[type] = bytes;
	if (type == CFG_NOTIFY)
		dev.notify_multiplier = pci_read32(dev.pci, (uint8_t)(cap + 16));
}

static bool find_registers(void)
{
	for (uint8_t cap = 0; (cap = pci_find_capability(dev.pci, CAP_VENDOR, cap)) != 0;)
		take_capability(cap);
	return dev.config[CFG_COMMON] != NULL && dev.config_bytes[CFG_COMMON] >= COMMON_BYTES &&
	       dev.config[CFG_NOTIFY] != NULL && dev.config[CFG_ISR] != NULL &&
	       dev.config[CFG_DEVICE] != NULL;
}

static uint32_t read_features(uint32_t word)
{
	mmio_write32(common(COMMON_DEVICE_FEATURE_SELECT), word);
	return mmio_read32(common(COMMON_DEVICE_FEATURE));
}

static void write_features(uint32_t word, uint32_t bits)
{
	mmio_write32(common(COMMON_DRIVER_FEATURE_SELECT), word);
	mmio_write32(common(COMMON_DRIVER_FEATURE), bits);
}

static bool negotiate(void)
{
	set_status(0);
	for (uint64_t start_us = time_now_us(); mmio_read8(common(COMMON_STATUS)) != 0;) {
		if (time_now_us() - start_us > 100000)
			return false;
	}
	set_status(STATUS_ACK);
	set_status(STATUS_ACK | STATUS_DRIVER);
	if ((read_features(0) & FEATURE_MULTIPORT) == 0 ||
	    (read_features(1) & FEATURE_VERSION_1) == 0)
		return false;
	write_features(0, FEATURE_MULTIPORT);
	write_features(1, FEATURE_VERSION_1);
	set_status(STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK);
	return (mmio_read8(common(COMMON_STATUS)) & STATUS_FEATURES_OK) != 0;
}

static void write_address(unsigned offset, uint64_t physical)
{
	mmio_write32(common(offset), (uint32_t)physical);
	mmio_write32(common(offset + 4), (uint32_t)(physical >> 32));
}

static bool setup_queue(unsigned index)
{
	struct vq_memory *memory;
	uint64_t physical, notify_at;
	uint16_t size;

	mmio_write16(common(COMMON_QUEUE_SELECT), (uint16_t)index);
	size = mmio_read16(common(COMMON_QUEUE_SIZE));
	if (size == 0 || (size & (size - 1)) != 0)
		return false;
	if (size > VQ_SIZE_MAX)
		size = VQ_SIZE_MAX;
	notify_at = (uint64_t)mmio_read16(common(COMMON_QUEUE_NOTIFY_OFF)) * dev.notify_multiplier;
	memory = kzalloc(sizeof(*memory), 0);
	if (memory == NULL || notify_at + 2 > dev.config_bytes[CFG_NOTIFY]) {
		kfree(memory);
		return false;
	}
	dev.notify_offset[index] = (uint32_t)notify_at;
	vq_init(&dev.queues[index], memory, size);
	physical = virt_to_phys(memory).value;
	mmio_write16(common(COMMON_QUEUE_SIZE), size);
	mmio_write16(common(COMMON_QUEUE_VECTOR), dev.intx ? NO_VECTOR : OUR_VECTOR);
	write_address(COMMON_QUEUE_DESC, physical + offsetof(struct vq_memory, desc));
	write_address(COMMON_QUEUE_DRIVER, physical + offsetof(struct vq_memory, avail));
	write_address(COMMON_QUEUE_DEVICE, physical + offsetof(struct vq_memory, used));
	mmio_write16(common(COMMON_QUEUE_ENABLE), 1);
	return true;
}

/* ---- buffers; the lock is held
 * ---------------------------------------------------------------------- */

static bool offer(unsigned queue, struct buffer *buffer, uint32_t bytes, bool device_writes)
{
	buffer->busy = vq_add(&dev.queues[queue], virt_to_phys(buffer->bytes).value, bytes,
			      device_writes, buffer);
	return buffer->busy;
}

static bool make_buffers(struct buffer *buffers, size_t count, size_t bytes)
{
	for (size_t i = 0; i < count; i++) {
		buffers[i].bytes = kmalloc(bytes, 0);
		if (buffers[i].bytes == NULL)
			return false;
	}
	return true;
}

static void free_buffers(struct buffer *buffers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kfree(buffers[i].bytes);
		buffers[i].bytes = NULL;
	}
}

static void device_fault(struct vserial_port *port, const char *what)
{
	if (port != NULL)
		port->stats.device_faults++;
	pr_error("virtio-serial: the device %s; it is not used any more", what);
}

static void send_control(uint32_t port, uint16_t event, uint16_t value)
{
	struct control message = {port, event, value};

	for (int i = 0; i < CONTROL_BUFFERS; i++) {
		struct buffer *buffer = &dev.control_tx[i];

		if (buffer->busy)
			continue;
		memcpy(buffer->bytes, &message, sizeof(message));
		offer(CONTROL_TX, buffer, sizeof(message), false);
		notify(CONTROL_TX);
		return;
	}
	pr_warn("virtio-serial: a control message was dropped");
}

/* ---- receiving
 * ---------------------------------------------------------------------------------------- */

static void take_name(struct vserial_port *port, const uint8_t *name, size_t len)
{
	size_t keep = len < NAME_MAX - 1 ? len : NAME_MAX - 1;

	memcpy(port->name, name, keep);
	port->name[keep] = '\0';
	pr_debug("virtio-serial: port %u is '%s'", port->id, port->name);
}

static void take_open(struct vserial_port *port, bool open)
{
	if (port->connected == open)
		return;
	port->connected = open;
	port->wake = true;
	if (open) {
		port->stats.opened++;
		return;
	}
	port->stats.closed++;
	/* What the one that left did not get, the next one shall not. */
	if (port->gathering >= 0 && !port->reserved)
		port->gathering = -1;
}

static void take_control(const uint8_t *bytes, uint32_t len)
{
	struct control message;
	struct vserial_port *port;

	if (len < sizeof(message))
		return;
	memcpy(&message, bytes, sizeof(message));
	/* Ports beyond ours exist for others. */
	if (message.port >= VSERIAL_PORTS)
		return;
	port = &dev.ports[message.port];
	switch (message.event) {
	case EVENT_PORT_ADD:
		port->exists = true;
		send_control(port->id, EVENT_PORT_READY, 1);
		break;
	case EVENT_PORT_REMOVE:
		port->exists = false;
		take_open(port, false);
		break;
	case EVENT_PORT_OPEN:
		take_open(port, message.value != 0);
		break;
	case EVENT_PORT_NAME:
		take_name(port, bytes + sizeof(message), len - sizeof(message));
		break;
	case EVENT_CONSOLE_PORT:
		send_control(port->id, EVENT_PORT_OPEN, 1);
		break;
	default:
		break;
	}
}

/* Takes what the device is done with: true when something came. False ends the queue's turn. */
static bool next_done(unsigned queue, struct vserial_port *port, struct buffer **buffer,
		      uint32_t *written)
{
	void *token;
	bool was_broken = dev.queues[queue].broken;
	enum vq_result result = vq_get(&dev.queues[queue], &token, written);

	if (result == VQ_BROKEN && !was_broken)
		device_fault(port, "returned a buffer that it never had");
	if (result != VQ_GOT)
		return false;
	*buffer = token;
	(*buffer)->busy = false;
	return true;
}

static bool service_control(void)
{
	struct buffer *buffer;
	uint32_t written;
	bool any = false;

	while (next_done(CONTROL_TX, NULL, &buffer, &written))
		;
	while (next_done(CONTROL_RX, NULL, &buffer, &written)) {
		take_control(buffer->bytes, written);
		offer(CONTROL_RX, buffer, CONTROL_BYTES, true);
		notify(CONTROL_RX);
		any = true;
	}
	return any;
}

static void service_receive(struct vserial_port *port)
{
	struct buffer *buffer;
	uint32_t written;

	while (next_done(rx_queue(port), port, &buffer, &written)) {
		uint32_t at = (port->rx_first + port->rx_count) % VSERIAL_RX_BUFFERS;

		if (written == 0) {
			offer(rx_queue(port), buffer, VSERIAL_RX_BYTES, true);
			continue;
		}
		buffer->filled = written;
		buffer->taken = 0;
		port->rx_order[at] = (uint8_t)(buffer - port->rx);
		port->rx_count++;
		port->stats.rx_bytes += written;
		port->stats.rx_buffers++;
		port->wake = true;
	}
}

/* ---- sending
 * -------------------------------------------------------------------------------------------- */

static struct buffer *free_tx_buffer(struct vserial_port *port)
{
	for (int i = 0; i < TX_BUFFERS; i++) {
		if (!port->tx[i].busy && i != port->gathering && port->tx[i].bytes != NULL)
			return &port->tx[i];
	}
	return NULL;
}

static void send_buffer(struct vserial_port *port, struct buffer *buffer, uint32_t bytes)
{
	if (!offer(tx_queue(port), buffer, bytes, false))
		return;
	port->tx_busy++;
	port->stats.tx_bytes += bytes;
	port->stats.tx_chains++;
	notify(tx_queue(port));
}

static void send_gathered(struct vserial_port *port)
{
	struct buffer *buffer;

	if (port->gathering < 0 || port->tx[port->gathering].filled == 0)
		return;
	buffer = &port->tx[port->gathering];
	port->gathering = -1;
	send_buffer(port, buffer, buffer->filled);
}

static void service_send(struct vserial_port *port)
{
	struct buffer *buffer;
	uint32_t written;

	while (next_done(tx_queue(port), port, &buffer, &written)) {
		port->tx_busy--;
		if (port->was_full) {
			port->was_full = false;
			port->wake = true;
		}
	}
	if (!port->reserved && port->tx_busy < TX_DIRECT)
		send_gathered(port);
	/* An interrupt only while somebody waits for room or something waits to be sent. */
	vq_want_interrupts(&dev.queues[tx_queue(port)], port->was_full || port->gathering >= 0);
}

static size_t gather(struct vserial_port *port, const uint8_t *data, size_t len)
{
	struct buffer *buffer;
	size_t room, take;

	if (port->gathering < 0) {
		buffer = free_tx_buffer(port);
		if (buffer == NULL)
			return 0;
		buffer->filled = 0;
		port->gathering = (int)(buffer - port->tx);
	}
	buffer = &port->tx[port->gathering];
	room = VSERIAL_WRITE_MAX - buffer->filled;
	take = len < room ? len : room;
	memcpy(buffer->bytes + buffer->filled, data, take);
	buffer->filled += (uint32_t)take;
	if (port->tx_busy < TX_DIRECT || buffer->filled == VSERIAL_WRITE_MAX)
		send_gathered(port);
	return take;
}

/* ---- the device's turn
 * ------------------------------------------------------------------------------------ */

static void service_ports(void)
{
	for (unsigned i = 0; i < VSERIAL_PORTS; i++) {
		if (!dev.ports[i].opened)
			continue;
		service_receive(&dev.ports[i]);
		service_send(&dev.ports[i]);
		service_send(&dev.ports[i]); /* what was done while interrupts were unwanted */
	}
}

static void wake_owners(void)
{
	for (unsigned i = 0; i < VSERIAL_PORTS; i++) {
		struct vserial_port *port = &dev.ports[i];

		if (__atomic_exchange_n(&port->wake, false, __ATOMIC_ACQ_REL) &&
		    port->wakeup != NULL)
			port->wakeup(port->wakeup_context);
	}
}

static void service(void)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);
	bool control = service_control();

	service_ports();
	spin_unlock_irqrestore(&dev.lock, flags);
	if (control)
		wake_all(&dev.changed);
	wake_owners();
}

static void interrupt(void *context)
{
	(void)context;
	/* Reading the register acknowledges a pin interrupt; messages need no acknowledgement. */
	if (dev.intx && mmio_read8(dev.config[CFG_ISR]) == 0)
		return;
	service();
}

void vserial_poll(void)
{
	if (dev.running)
		service();
}

/* ---- start
 * -------------------------------------------------------------------------------------------------
 */

static bool setup_interrupts(void)
{
	if (pci_enable_msix(dev.pci, OUR_VECTOR, interrupt, NULL))
		return true;
	dev.intx = true;
	return pci_enable_intx(dev.pci, interrupt, NULL);
}

/* The device has as many queues as its ports need, maybe fewer than ours. */
static bool setup_queues(void)
{
	unsigned count = mmio_read16(common(COMMON_NUM_QUEUES));

	for (unsigned i = 0; i < QUEUES; i++) {
		if (i >= count || !setup_queue(i)) {
			dev.queues[i].broken = true;
			if (i <= CONTROL_TX)
				return false;
		}
	}
	return make_buffers(dev.control_rx, CONTROL_BUFFERS, CONTROL_BYTES) &&
	       make_buffers(dev.control_tx, CONTROL_BUFFERS, CONTROL_BYTES);
}

static const char *bring_up(void)
{
	pci_enable(dev.pci);
	if (!find_registers())
		return "has no usable virtio 1.x registers";
	if (!negotiate())
		return "does not offer several ports by virtio 1.x";
	if (!setup_interrupts())
		return "has no interrupt";
	mmio_write16(common(COMMON_CONFIG_VECTOR), NO_VECTOR);
	if (!setup_queues())
		return "has no usable queues, or there is no memory for them";
	return NULL;
}

static void start_control(void)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);

	for (int i = 0; i < CONTROL_BUFFERS; i++)
		offer(CONTROL_RX, &dev.control_rx[i], CONTROL_BYTES, true);
	set_status(STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_OK);
	notify(CONTROL_RX);
	send_control(0, EVENT_DEVICE_READY, 1);
	spin_unlock_irqrestore(&dev.lock, flags);
}

bool vserial_init(void)
{
	size_t from = 0;
	const char *fault;

	dev.pci = pci_find(VENDOR_VIRTIO, DEVICE_MODERN, &from);
	if (dev.pci == NULL) {
		from = 0;
		dev.pci = pci_find(VENDOR_VIRTIO, DEVICE_TRANSITIONAL, &from);
	}
	if (dev.pci == NULL) {
		pr_info("virtio-serial: none");
		return false;
	}
	for (unsigned i = 0; i < VSERIAL_PORTS; i++) {
		dev.ports[i].id = i;
		dev.ports[i].gathering = -1;
	}
	fault = bring_up();
	if (fault != NULL) {
		pr_warn("virtio-serial: the device at %02x:%02x.%u %s", dev.pci->bus, dev.pci->slot,
			dev.pci->function, fault);
		if (dev.config[CFG_COMMON] != NULL)
			set_status(STATUS_FAILED);
		return false;
	}
	dev.running = true;
	start_control();
	pr_info("virtio-serial: at %02x:%02x.%u, %s", dev.pci->bus, dev.pci->slot,
		dev.pci->function, dev.intx ? "pin interrupt" : "MSI-X");
	return true;
}

static struct vserial_port *find_port(const char *name)
{
	for (unsigned i = 0; i < VSERIAL_PORTS; i++) {
		struct vserial_port *port = &dev.ports[i];

		if (port->exists && !dev.queues[rx_queue(port)].broken &&
		    strcmp(port->name, name) == 0)
			return port;
	}
	return NULL;
}

static bool open_port(struct vserial_port *port)
{
	irq_flags_t flags;

	if (!make_buffers(port->rx, VSERIAL_RX_BUFFERS, VSERIAL_RX_BYTES) ||
	    !make_buffers(port->tx, TX_BUFFERS, VSERIAL_WRITE_MAX)) {
		free_buffers(port->rx, VSERIAL_RX_BUFFERS);
		free_buffers(port->tx, TX_BUFFERS);
		pr_warn("virtio-serial: no memory for port '%s'", port->name);
		return false;
	}
	flags = spin_lock_irqsave(&dev.lock);
	for (unsigned i = 0; i < VSERIAL_RX_BUFFERS; i++)
		offer(rx_queue(port), &port->rx[i], VSERIAL_RX_BYTES, true);
	notify(rx_queue(port));
	vq_want_interrupts(&dev.queues[tx_queue(port)], false);
	port->opened = true;
	send_control(port->id, EVENT_PORT_OPEN, 1);
	spin_unlock_irqrestore(&dev.lock, flags);
	return true;
}

/* The names of all ports came once the device fell silent; 100 ms bound what it may take. */
struct vserial_port *vserial_port(const char *name)
{
	enum { WAIT_US = 100000 };
	struct vserial_port *port;

	if (!dev.running)
		return NULL;
	(void)wait_event_timeout(&dev.changed, find_port(name) != NULL, WAIT_US);
	port = find_port(name);
	if (port == NULL || port->opened || open_port(port))
		return port;
	return NULL;
}

/* ---- what owners of a port call
 * -------------------------------------------------------------------------- */

bool vserial_connected(const struct vserial_port *port)
{
	return port->connected;
}

size_t vserial_write(struct vserial_port *port, const void *data, size_t len)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);
	const uint8_t *at = data;
	size_t left = len;

	service_send(port);
	while (left > 0 && port->connected && !port->reserved) {
		size_t taken = gather(port, at, left);

		if (taken == 0)
			break;
		at += taken;
		left -= taken;
	}
	port->was_full |= left > 0 && port->connected;
	service_send(port);
	spin_unlock_irqrestore(&dev.lock, flags);
	wake_owners();
	return len - left;
}

void *vserial_reserve(struct vserial_port *port)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);
	struct buffer *buffer = NULL;

	service_send(port);
	if (!port->reserved && port->connected) {
		send_gathered(port);
		buffer = free_tx_buffer(port);
	}
	if (buffer != NULL) {
		buffer->filled = 0;
		port->gathering = (int)(buffer - port->tx);
		port->reserved = true;
	} else {
		port->was_full = port->connected;
		service_send(port);
	}
	spin_unlock_irqrestore(&dev.lock, flags);
	return buffer != NULL ? buffer->bytes : NULL;
}

bool vserial_commit(struct vserial_port *port, size_t len)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);
	bool good = port->reserved && len <= VSERIAL_WRITE_MAX && port->connected;
	struct buffer *buffer = port->reserved ? &port->tx[port->gathering] : NULL;

	if (buffer != NULL) {
		port->reserved = false;
		port->gathering = -1;
		if (good && len > 0)
			send_buffer(port, buffer, (uint32_t)len);
	}
	spin_unlock_irqrestore(&dev.lock, flags);
	return good;
}

bool vserial_idle(const struct vserial_port *port)
{
	return !port->connected || __atomic_load_n(&port->tx_busy, __ATOMIC_RELAXED) == 0;
}

/* Copies out of the oldest filled buffer; an emptied one goes back to the device. */
static size_t take_received(struct vserial_port *port, uint8_t *data, size_t cap)
{
	struct buffer *buffer = &port->rx[port->rx_order[port->rx_first]];
	size_t left = buffer->filled - buffer->taken, take = cap < left ? cap : left;

	memcpy(data, buffer->bytes + buffer->taken, take);
	buffer->taken += (uint32_t)take;
	if (buffer->taken == buffer->filled) {
		port->rx_first = (port->rx_first + 1) % VSERIAL_RX_BUFFERS;
		port->rx_count--;
		offer(rx_queue(port), buffer, VSERIAL_RX_BYTES, true);
		notify(rx_queue(port));
	}
	return take;
}

size_t vserial_read(struct vserial_port *port, void *data, size_t cap)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);
	uint8_t *at = data;
	size_t left = cap;

	service_receive(port);
	while (left > 0 && port->rx_count > 0) {
		size_t taken = take_received(port, at, left);

		at += taken;
		left -= taken;
	}
	spin_unlock_irqrestore(&dev.lock, flags);
	return cap - left;
}

void vserial_set_wakeup(struct vserial_port *port, void (*wakeup)(void *context), void *context)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);

	port->wakeup = NULL;
	port->wakeup_context = context;
	port->wakeup = wakeup;
	spin_unlock_irqrestore(&dev.lock, flags);
}

void vserial_get_stats(const struct vserial_port *port, struct vserial_stats *stats)
{
	irq_flags_t flags = spin_lock_irqsave(&dev.lock);

	*stats = port->stats;
	spin_unlock_irqrestore(&dev.lock, flags);
}
