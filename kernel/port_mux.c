/*
 * serial=mux: console, inspector and GDB stub on one line, COM1.
 *
 * From the host: RS begins a record and LF ends it; `$`..`#xx`, 0x03 and the acknowledgements are
 * the stub's, which takes them in the receive interrupt (port_gdbstub.c). What reaches the ring is
 * the rest; of it only records are the inspector's, and nobody reads a console's input.
 *
 * To the host: a record goes into the ring whole or not at all (port_inspect_link.c), and the stub
 * empties the ring before it sends a packet, so neither is ever cut by anything. Console text may
 * be cut by them, between any two bytes: who reads the line puts it together again. It holds
 * neither RS nor `$`, so nothing of it passes for a record or a packet.
 */
#include "port_mux.h"

#include <kernel/console.h>
#include <kernel/params.h>
#include <kernel/ports.h>
#include <kernel/uart.h>
#include <string.h>

#define RS 0x1e
/* FULLWIDTH DOLLAR SIGN: for people the same. */
#define DOLLAR_FOR_PEOPLE "\xef\xbc\x84"

bool mux_on(void)
{
	return kernel_params.serial == SERIAL_MUX;
}

size_t mux_keep_records(bool *in_record, uint8_t *bytes, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		*in_record |= bytes[i] == RS;
		if (!*in_record)
			continue;
		bytes[kept++] = bytes[i];
		*in_record = bytes[i] != '\n';
	}
	return kept;
}

static void send(const char *text, size_t len, int emergency)
{
	if (emergency)
		uart_write_polled(UART_CONSOLE, text, len);
	else
		uart_write_all(UART_CONSOLE, text, len);
}

static void console_output(const char *text, size_t len, int emergency)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '$' && text[i] != RS)
			continue;
		send(text + from, i - from, emergency);
		if (text[i] == '$')
			send(DOLLAR_FOR_PEOPLE, sizeof(DOLLAR_FOR_PEOPLE) - 1, emergency);
		from = i + 1;
	}
	send(text + from, len - from, emergency);
}

void port_mux_init(void)
{
	if (mux_on())
		console_set_output(console_output);
}
