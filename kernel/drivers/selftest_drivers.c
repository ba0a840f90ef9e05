/* In-kernel tests and figures of the drivers. */
#include <string.h>

#include <kernel/io.h>
#include <kernel/pci.h>
#include <kernel/selftest.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uart.h>
#include <kernel/virtio_console.h>

/* The console carries the report of this very test: it is left alone. */
SELFTEST(uart_loops_back, "uart.loopback")
{
	unsigned tested = 0;

	for (unsigned port = UART_CONSOLE + 1; port < UART_PORTS; port++) {
		if (!uart_present(port))
			continue;
		ST_EXPECT(uart_loopback_test(port), "COM%u", port + 1);
		tested++;
	}
	if (tested == 0)
		selftest_skip("no serial port besides the console");
}

SELFTEST(uart_counts, "uart.stats")
{
	struct uart_stats before, after;

	if (!uart_present(UART_INSPECT)) {
		selftest_skip("no COM2");
		return;
	}
	uart_get_stats(UART_INSPECT, &before);
	ST_EXPECT(before.fifo, "no working FIFO");
	ST_EQUAL(uart_write_all(UART_INSPECT, "0123456789abcdef0123456789", 26), 26);
	uart_flush(UART_INSPECT);
	uart_get_stats(UART_INSPECT, &after);
	ST_EQUAL(after.tx_bytes - before.tx_bytes, 26);
}

SELFTEST(uart_absent_ports_are_refused, "uart.absent")
{
	uint8_t byte = 0;

	ST_EXPECT(!uart_present(UART_PORTS) && !uart_present(99), "ports beyond the fourth");
	ST_EQUAL(uart_write(UART_PORTS, &byte, 1), 0);
	ST_EQUAL(uart_read(99, &byte, 1), 0);
	ST_EQUAL(uart_getc_polled(99), -1);
	ST_EXPECT(!uart_set_baud(UART_CONSOLE, 0) && !uart_set_baud(UART_CONSOLE, 100000) &&
			  !uart_set_baud(99, 9600),
		  "impossible rates are taken");
}

/* COM4 may have an echo at its other end (kernel/drivers/test/uart.bats gives it one). */
enum { COM4 = 3 };

static uint8_t pattern_byte(uint64_t position)
{
	return (uint8_t)(position * 0x9e3779b97f4a7c15ull >> 56);
}

static bool has_echo(void)
{
	uint64_t deadline_us = time_now_us() + 300000;
	uint8_t byte = '?';

	if (!uart_present(COM4))
		return false;
	uart_write(COM4, &byte, 1);
	while (time_now_us() < deadline_us) {
		if (uart_read(COM4, &byte, 1) == 1)
			return true;
		thread_sleep_us(1000);
	}
	return false;
}

static void send_pattern(uint64_t from, size_t len)
{
	uint8_t block[512];

	for (size_t i = 0; i < len; i++)
		block[i] = pattern_byte(from + i);
	uart_write_all(COM4, block, len);
}

/* Compares what came; returns how much, or -1 at a wrong byte. */
static int64_t check_pattern(uint64_t from)
{
	uint8_t block[512];
	size_t got = uart_read(COM4, block, sizeof(block));

	for (size_t i = 0; i < got; i++) {
		if (!ST_EXPECT(block[i] == pattern_byte(from + i), "byte %llu is wrong",
			       (unsigned long long)(from + i)))
			return -1;
	}
	return (int64_t)got;
}

SELFTEST_TIMED(uart_echoes, "uart.echo", 60000)
{
	enum { BYTES = 1 << 18, WINDOW = 4096, PIECE = 512 };
	uint64_t sent = 0, received = 0, deadline_us = time_now_us() + 50000000;
	struct uart_stats before, after;

	if (!has_echo()) {
		selftest_skip("nobody echoes on COM4");
		return;
	}
	uart_get_stats(COM4, &before);
	while (received < BYTES && time_now_us() < deadline_us) {
		int64_t got;

		if (sent < BYTES && sent - received < WINDOW) {
			send_pattern(sent, PIECE);
			sent += PIECE;
		}
		got = check_pattern(received);
		if (got < 0)
			return;
		received += (uint64_t)got;
		if (got == 0)
			thread_sleep_us(200);
	}
	ST_EQUAL(received, BYTES);
	uart_get_stats(COM4, &after);
	ST_EQUAL(after.rx_bytes - before.rx_bytes, BYTES);
	ST_EQUAL(after.rx_overruns_chip, before.rx_overruns_chip);
	ST_EQUAL(after.rx_overruns_ring, before.rx_overruns_ring);
	ST_EXPECT(after.interrupts > before.interrupts, "it came without interrupts");
}

static uint64_t hooked;
static bool take_zeros(uint8_t byte, void *context)
{
	*(uint64_t *)context += byte == 0;
	return byte == 0;
}

static void wait_for_bytes(uint64_t total)
{
	uint64_t deadline_us = time_now_us() + 20000000;
	struct uart_stats stats = {0};

	while (stats.rx_bytes < total && time_now_us() < deadline_us) {
		thread_sleep_us(1000);
		uart_get_stats(COM4, &stats);
	}
	ST_EXPECT(stats.rx_bytes >= total, "%llu of %llu came", (unsigned long long)stats.rx_bytes,
		  (unsigned long long)total);
}

/* A hook sees bytes before the ring; a ring that nobody reads counts what it has to drop. */
SELFTEST_TIMED(uart_hooks_and_overruns, "uart.hook_and_overrun", 60000)
{
	enum { EXTRA = 1000 };
	static uint8_t block[UART_RX_BYTES + EXTRA];
	struct uart_stats before, after;

	if (!has_echo()) {
		selftest_skip("nobody echoes on COM4");
		return;
	}
	uart_get_stats(COM4, &before);
	hooked = 0;
	uart_set_receive_hook(COM4, take_zeros, &hooked);
	uart_write_all(COM4, "a\0b\0\0c", 6);
	wait_for_bytes(before.rx_bytes + 6);
	uart_set_receive_hook(COM4, NULL, NULL);
	ST_EQUAL(hooked, 3);
	ST_EXPECT(uart_read(COM4, block, 10) == 3 && memcmp(block, "abc", 3) == 0, "not abc");

	memset(block, 'x', sizeof(block));
	uart_write_all(COM4, block, sizeof(block));
	wait_for_bytes(before.rx_bytes + 6 + sizeof(block));
	uart_get_stats(COM4, &after);
	ST_EQUAL(after.rx_overruns_ring - before.rx_overruns_ring, EXTRA);
	ST_EQUAL(uart_read(COM4, block, sizeof(block)), UART_RX_BYTES);
}

SELFTEST(pci_finds_the_host_bridge, "pci.walk")
{
	const struct pci_device *bridge = pci_get(0);

	if (bridge == NULL) {
		selftest_skip("no PCI");
		return;
	}
	ST_EQUAL(bridge->class_code, 6);
	ST_EXPECT(bridge->vendor != 0xffff, "an absent device");
	ST_EXPECT(pci_get(PCI_DEVICES_MAX) == NULL, "a device beyond the last");
	for (size_t i = 0; pci_get(i) != NULL; i++) {
		const struct pci_device *d = pci_get(i);
		struct pci_bar bar;

		for (unsigned b = 0; b < PCI_BARS; b++) {
			if (pci_get_bar(d, b, &bar) && !bar.io)
				ST_EXPECT(bar.address % bar.bytes == 0, "BAR %u at 0x%llx", b,
					  (unsigned long long)bar.address);
			b += bar.wide;
		}
	}
}

/* ---- virtio-serial: tests/ gives QEMU a port whose other end sends back what it gets
 * ---------------- */

static struct semaphore echo_event = SEMAPHORE_INIT("echo", 0);
static void echo_wakeup(void *context)
{
	(void)context;
	semaphore_up(&echo_event);
}

/* Reads what is there and compares; false at the first wrong byte. */
static bool take_echo(struct vserial_port *port, uint64_t *received)
{
	static uint8_t block[4096];
	size_t got;

	while ((got = vserial_read(port, block, sizeof(block))) > 0) {
		for (size_t i = 0; i < got; i++) {
			if (block[i] != pattern_byte(*received + i)) {
				ST_EXPECT(false, "byte %llu is wrong",
					  (unsigned long long)(*received + i));
				return false;
			}
		}
		*received += got;
	}
	return true;
}

/* One piece of some length between 1 byte and 40000, by a copy or in place. */
static size_t send_piece(struct vserial_port *port, uint64_t sent)
{
	static uint8_t block[40000];
	size_t len = 1 + (size_t)(sent * 2654435761u % sizeof(block));
	uint8_t *at = sent % 3 == 0 ? vserial_reserve(port) : block;

	if (at == NULL)
		return 0;
	for (size_t i = 0; i < len; i++)
		at[i] = pattern_byte(sent + i);
	if (at == block)
		return vserial_write(port, block, len);
	return vserial_commit(port, len) ? len : 0;
}

SELFTEST_TIMED(virtio_echoes, "virtio.echo", 60000)
{
	/* An echo through a pipe holds 64 KiB. */
	enum { BYTES = 4 << 20, WINDOW = 20000 };
	struct vserial_port *port = vserial_port("org.vitrine.echo");
	uint64_t sent = 0, received = 0, deadline_us = time_now_us() + 50000000;
	struct vserial_stats stats;

	if (port == NULL) {
		selftest_skip("no virtio port named org.vitrine.echo");
		return;
	}
	vserial_set_wakeup(port, echo_wakeup, NULL);
	while (!vserial_connected(port) && time_now_us() < deadline_us)
		semaphore_down(&echo_event, 100000);
	ST_REQUIRE(vserial_connected(port), "nobody at the other end");
	/* The last piece reaches beyond BYTES: wait for the whole of it. */
	while ((received < BYTES || received < sent) && time_now_us() < deadline_us) {
		bool room = sent - received <= WINDOW && sent < BYTES;
		size_t len = room ? send_piece(port, sent) : 0;

		sent += len;
		if (!take_echo(port, &received))
			break;
		if (len == 0 && received < sent)
			semaphore_down(&echo_event, 100000);
	}
	vserial_get_stats(port, &stats);
	ST_EXPECT(received >= BYTES && received == sent, "%llu of %llu came back",
		  (unsigned long long)received, (unsigned long long)sent);
	ST_EQUAL(stats.tx_bytes, sent);
	ST_EQUAL(stats.rx_bytes, received);
	ST_EQUAL(stats.device_faults, 0);
	vserial_set_wakeup(port, NULL, NULL);
}

SELFTEST(virtio_absent_port, "virtio.absent")
{
	ST_EXPECT(vserial_port("org.vitrine.no-such-port") == NULL, "a port from nowhere");
}

SELFTEST(virtio_nobody_there, "virtio.nobody")
{
	struct vserial_port *port = vserial_port("org.vitrine.alone");
	uint8_t byte = 0;

	if (port == NULL) {
		selftest_skip("no virtio port named org.vitrine.alone");
		return;
	}
	ST_EXPECT(!vserial_connected(port), "somebody is connected");
	ST_EQUAL(vserial_write(port, &byte, 1), 0);
	ST_EXPECT(vserial_reserve(port) == NULL, "a buffer for nobody");
	ST_EXPECT(!vserial_commit(port, 1), "a commit without a reservation");
	ST_EQUAL(vserial_read(port, &byte, 1), 0);
}

/* Into a port that takes everything. */
SELFTEST_TIMED(bench_virtio_rate, "bench.virtio.rate", 60000)
{
	enum { BYTES = 256 << 20, RECORD = 128, RECORDS = 200000 };
	struct vserial_port *port = vserial_port("org.vitrine.sink");
	static char record[RECORD];
	uint64_t start_us, sent = 0;

	if (port == NULL) {
		selftest_skip("no virtio port named org.vitrine.sink");
		return;
	}
	vserial_set_wakeup(port, echo_wakeup, NULL);
	start_us = time_now_us();
	while (sent < BYTES) {
		void *buffer = vserial_reserve(port);

		if (buffer == NULL) {
			semaphore_down(&echo_event, 100000);
			continue;
		}
		vserial_commit(port, VSERIAL_WRITE_MAX);
		sent += VSERIAL_WRITE_MAX;
	}
	selftest_figure("virtio.bulk", sent * 1000000 / (time_now_us() - start_us), "B/s");
	start_us = time_now_us();
	for (unsigned i = 0; i < RECORDS;) {
		if (vserial_write(port, record, RECORD) == RECORD)
			i++;
		else
			semaphore_down(&echo_event, 100000);
	}
	selftest_figure("virtio.records_of_128", RECORDS * 1000000ull / (time_now_us() - start_us),
			"1/s");
	vserial_set_wakeup(port, NULL, NULL);
}

/* What a bare loop of 16-byte bursts carries is the line's own rate: the driver's is given beside
 * it. To be run with something that reads COM2. */
SELFTEST_TIMED(bench_uart_rate, "bench.uart.rate", 60000)
{
	enum { BYTES = 1 << 19, COM2 = 0x2f8 };
	static uint8_t block[4096];
	uint64_t start_us, bare, driver;

	memset(block, 'v', sizeof(block));
	if (!uart_present(UART_INSPECT)) {
		selftest_skip("no COM2");
		return;
	}
	uart_flush(UART_INSPECT);
	start_us = time_now_us();
	for (unsigned sent = 0; sent < BYTES; sent += 16) {
		while ((inb(COM2 + 5) & 0x20) == 0)
			;
		outsb(COM2, block, 16);
	}
	bare = BYTES * 1000000ull / (time_now_us() - start_us);
	start_us = time_now_us();
	for (unsigned sent = 0; sent < BYTES; sent += sizeof(block))
		uart_write_all(UART_INSPECT, block, sizeof(block));
	uart_flush(UART_INSPECT);
	driver = BYTES * 1000000ull / (time_now_us() - start_us);
	selftest_figure("uart.bare_bursts", bare, "B/s");
	selftest_figure("uart.driver", driver, "B/s");
}
