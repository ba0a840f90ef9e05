/*
 * 16550A serial ports COM1..COM4, by index 0..3.
 *
 * Sending: bytes go through a ring of the port. Whoever writes pushes as many bursts of 16 as the
 * line takes (LSR polled, one burst per THRE); what is left goes out by the THRE interrupt, so a
 * slow line never holds up the writer. Receiving: by interrupt into a ring that counts what was
 * lost (in the chip and in the ring), or into a hook that sees each byte first.
 */
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_PORTS    4u
#define UART_CONSOLE  0u
#define UART_INSPECT  1u
#define UART_GDB      2u
#define UART_RX_BYTES 16384u /* of the receive ring */
#define UART_TX_BYTES 16384u /* of the send ring */

struct uart_stats {
	uint64_t rx_bytes, tx_bytes;
	uint64_t rx_overruns_chip; /* LSR overrun: at least one byte lost each time */
	uint64_t rx_overruns_ring; /* bytes dropped because nobody read */
	uint64_t rx_errors;	   /* parity, framing, break */
	uint64_t tx_dropped;	   /* bytes given up on a dead line */
	uint64_t interrupts;
	bool fifo; /* a 16550A with working FIFOs */
};

/* Probes all four ports; 115200 8N1, FIFOs on where they work, polled. After cpu_init(). */
void uart_init_early(void);
/* Turns to interrupts; after the interrupt controller works. */
void uart_init_interrupts(void);

/* Whether a working UART answers at this index. */
bool uart_present(unsigned port);
/* Divisor for `baud` (115200 / n), 8N1. False when it is no divisor or the port is absent. */
bool uart_set_baud(unsigned port, uint32_t baud);

/*
 * Puts bytes into the ring and starts sending. Returns how many were taken (fewer when the ring
 * is full; 0 for an absent port). Never waits. Any context but NMI.
 */
size_t uart_write(unsigned port, const void *data, size_t len);
/*
 * Waits (sleeping in a thread that may, else polling) until all were taken and returns len; less
 * when the line took nothing for 200 ms: the rest is dropped and counted, and nobody waits for
 * this line again until it takes something.
 */
size_t uart_write_all(unsigned port, const void *data, size_t len);
/* Waits by polling until ring and chip are empty. Any context. */
void uart_flush(unsigned port);
/* Free bytes of the send ring. Whoever hears of less than half of it hears by uart_set_wakeup()
 * when more is free. */
size_t uart_write_room(unsigned port);

/* Takes up to cap received bytes. Never waits. Any context but NMI. */
size_t uart_read(unsigned port, void *data, size_t cap);

/*
 * A hook that sees each received byte before the ring: true takes the byte away. Runs in the
 * interrupt (or in uart_poll). NULL removes it.
 */
typedef bool (*uart_byte_fn)(uint8_t byte, void *context);
void uart_set_receive_hook(unsigned port, uart_byte_fn hook, void *context);
/* Called after bytes were put into the ring, and when a full send ring has room again. Interrupt
 * context. NULL removes it. */
typedef void (*uart_event_fn)(void *context);
void uart_set_wakeup(unsigned port, uart_event_fn wakeup, void *context);

/* Does by polling what the interrupt would do. Any context, panic too. */
void uart_poll(unsigned port);
/*
 * Byte by byte past the rings, for panic and stub: uart_putc_polled waits for room in the chip
 * (bounded: gives up on a dead line), uart_write_polled does so too and returns how many bytes went
 * out (the rest counts as dropped), uart_getc_polled returns -1 when there is nothing.
 */
void uart_putc_polled(unsigned port, uint8_t byte);
size_t uart_write_polled(unsigned port, const void *data, size_t len);
/* Whether a modem line says that there is another side (DCD or DSR; a cable of three wires never
 * does, QEMU's sockets always do). */
bool uart_carrier(unsigned port);
int uart_getc_polled(unsigned port);

void uart_get_stats(unsigned port, struct uart_stats *stats);

/* Sends a pattern through the chip's loopback and compares. The port must be quiet. */
bool uart_loopback_test(unsigned port);

#endif
