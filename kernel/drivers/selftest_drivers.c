/* In-kernel tests and figures of the drivers. */
#include <string.h>

#include <kernel/io.h>
#include <kernel/pci.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uart.h>

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
