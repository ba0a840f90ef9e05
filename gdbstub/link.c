/*
 * Bytes to packets and back.
 *
 * A packet is $BODY#XX, XX being the sum of BODY modulo 256. '$' and '#' never occur inside a body
 * (binary data escapes them), so a '$' always starts afresh: whatever a broken packet left behind,
 * the next one is read whole. A body that is too long is followed to its end for the checksum and
 * nothing of it is stored beyond the buffer.
 *
 * Replies are run-length encoded: a byte, '*', and a count n + 29 for n further ones. The second
 * byte of an escape pair never starts a run, since clients expand runs and escapes in either
 * order, and a count that would read as '#', '$', '+' or '-' is made shorter.
 */
#include "internal.h"

static const char digits[] = "0123456789abcdef";

static enum link_event line_idle(struct gdbstub *stub, uint8_t byte)
{
	(void)stub;
	if (byte == 0x03)
		return LINK_INTERRUPT;
	return byte == '-' ? LINK_RESEND : LINK_NOTHING;
}

static void line_body(struct gdbstub *stub, uint8_t byte)
{
	if (byte == '#') {
		stub->line_state = GDBSTUB_LINE_SUM_HIGH;
		return;
	}
	stub->sum = (uint8_t)(stub->sum + byte);
	if (stub->rx_len < GDBSTUB_PACKET_BYTES)
		stub->rx[stub->rx_len++] = byte;
	else
		stub->overlong = true;
}

static enum link_event line_end(struct gdbstub *stub, uint8_t low)
{
	int high_digit = hex_digit(stub->sum_sent), low_digit = hex_digit(low);
	stub->line_state = GDBSTUB_LINE_IDLE;
	if (high_digit < 0 || low_digit < 0 || (high_digit << 4 | low_digit) != stub->sum)
		return LINK_BAD;
	return stub->overlong ? LINK_OVERLONG : LINK_PACKET;
}

enum link_event link_byte(struct gdbstub *stub, uint8_t byte)
{
	if (byte == '$') {
		stub->line_state = GDBSTUB_LINE_BODY;
		stub->rx_len = 0;
		stub->sum = 0;
		stub->overlong = false;
		return LINK_NOTHING;
	}
	switch (stub->line_state) {
	case GDBSTUB_LINE_BODY:
		line_body(stub, byte);
		return LINK_NOTHING;
	case GDBSTUB_LINE_SUM_HIGH:
		stub->sum_sent = byte;
		stub->line_state = GDBSTUB_LINE_SUM_LOW;
		return LINK_NOTHING;
	case GDBSTUB_LINE_SUM_LOW:
		return line_end(stub, byte);
	case GDBSTUB_LINE_IDLE:
	default:
		return line_idle(stub, byte);
	}
}

void link_acknowledge(struct gdbstub *stub, bool good)
{
	if (!stub->no_ack)
		gdbstub_port_write(stub->target, good ? "+" : "-", 1);
}

void link_resend(struct gdbstub *stub)
{
	if (!stub->no_ack && stub->tx_len)
		gdbstub_port_write(stub->target, stub->tx, stub->tx_len);
}

/* ---- the reply ---- */

/* tx[0] is the '$'; the payload follows, tx_len counts both. */
#define TX_LIMIT (1 + GDBSTUB_PACKET_BYTES)

void reply_begin(struct gdbstub *stub)
{
	stub->tx[0] = '$';
	stub->tx_len = 1;
	stub->tx_overrun = false;
}

size_t reply_room(const struct gdbstub *stub)
{
	return TX_LIMIT - stub->tx_len;
}

void reply_char(struct gdbstub *stub, char c)
{
	if (stub->tx_len < TX_LIMIT)
		stub->tx[stub->tx_len++] = (uint8_t)c;
	else
		stub->tx_overrun = true;
}

void reply_text(struct gdbstub *stub, const char *text)
{
	while (*text)
		reply_char(stub, *text++);
}

void reply_hex_u64(struct gdbstub *stub, uint64_t value)
{
	int shift = 60;
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		reply_char(stub, digits[value >> shift & 15]);
}

void reply_hex_bytes(struct gdbstub *stub, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	if (len > reply_room(stub) / 2) {
		stub->tx_overrun = true;
		return;
	}
	uint8_t *out = stub->tx + stub->tx_len;
	for (size_t i = 0; i < len; i++) {
		*out++ = (uint8_t)digits[in[i] >> 4];
		*out++ = (uint8_t)digits[in[i] & 15];
	}
	stub->tx_len += 2 * len;
}

void reply_hex_text(struct gdbstub *stub, const char *text)
{
	reply_hex_bytes(stub, text, text_len(text));
}

size_t reply_binary(struct gdbstub *stub, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	size_t done = 0;
	for (; done < len; done++) {
		uint8_t c = in[done];
		bool escape = c == '}' || c == '#' || c == '$' || c == '*';
		if (reply_room(stub) < (escape ? 2u : 1u))
			break;
		if (escape)
			reply_char(stub, '}');
		reply_char(stub, (char)(escape ? c ^ 0x20 : c));
	}
	return done;
}

#define RUN_BASE 29u
#define RUN_MIN	 3u  /* a shorter run saves nothing */
#define RUN_MAX	 97u /* n + 29 stays printable */

static size_t run_length(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at + 1;
	while (p < end && *p == *at && (size_t)(p - at) < RUN_MAX + 1)
		p++;
	return (size_t)(p - at) - 1;
}

static size_t run_sendable(size_t repeats)
{
	while (repeats + RUN_BASE == '#' || repeats + RUN_BASE == '$' ||
	       repeats + RUN_BASE == '+' || repeats + RUN_BASE == '-')
		repeats--;
	return repeats;
}

/* In place: at no point is the output longer than the input. Returns the new end. */
static uint8_t *compress(uint8_t *start, uint8_t *end)
{
	uint8_t *in = start, *out = start;
	while (in < end) {
		*out++ = *in;
		if (*in == '}' && in + 1 < end) {
			*out++ = in[1];
			in += 2;
			continue;
		}
		size_t repeats = run_length(in, end);
		if (repeats >= RUN_MIN) {
			repeats = run_sendable(repeats);
			*out++ = '*';
			*out++ = (uint8_t)(repeats + RUN_BASE);
			in += repeats;
		}
		in++;
	}
	return out;
}

void reply_send(struct gdbstub *stub)
{
	if (stub->tx_overrun) {
		reply_begin(stub);
		reply_text(stub, "E07");
	}
	uint8_t *end = compress(stub->tx + 1, stub->tx + stub->tx_len);
	uint8_t sum = 0;
	for (const uint8_t *p = stub->tx + 1; p < end; p++)
		sum = (uint8_t)(sum + *p);
	*end++ = '#';
	*end++ = (uint8_t)digits[sum >> 4];
	*end++ = (uint8_t)digits[sum & 15];
	stub->tx_len = (size_t)(end - stub->tx);
	gdbstub_port_write(stub->target, stub->tx, stub->tx_len);
}
