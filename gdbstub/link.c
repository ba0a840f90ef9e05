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

#include <string.h>

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
	stub->tx_overrun = stub->tx_escapes = false;
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

/* Two digits at a time: the reply to `m` is made of nothing else. (The builtin, because a
 * freestanding compiler would call memcpy for two bytes.) */
#define PAIR(n) (uint8_t)((n) < 10 ? '0' + (n) : 'a' + (n)-10)
#define ROW(h)                                                                                  \
	{PAIR(h), '0'}, {PAIR(h), '1'}, {PAIR(h), '2'}, {PAIR(h), '3'}, {PAIR(h), '4'},         \
		{PAIR(h), '5'}, {PAIR(h), '6'}, {PAIR(h), '7'}, {PAIR(h), '8'}, {PAIR(h), '9'}, \
		{PAIR(h), 'a'}, {PAIR(h), 'b'}, {PAIR(h), 'c'}, {PAIR(h), 'd'}, {PAIR(h), 'e'}, \
	{                                                                                       \
		PAIR(h), 'f'                                                                    \
	}
static const uint8_t digit_pairs[256][2] = {ROW(0),  ROW(1),  ROW(2),  ROW(3), ROW(4),	ROW(5),
					    ROW(6),  ROW(7),  ROW(8),  ROW(9), ROW(10), ROW(11),
					    ROW(12), ROW(13), ROW(14), ROW(15)};

void reply_hex_bytes(struct gdbstub *stub, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	if (len > reply_room(stub) / 2) {
		stub->tx_overrun = true;
		return;
	}
	uint8_t *out = stub->tx + stub->tx_len;
	for (size_t i = 0; i < len; i++)
		__builtin_memcpy(out + 2 * i, digit_pairs[in[i]], 2);
	stub->tx_len += 2 * len;
}

void reply_hex_text(struct gdbstub *stub, const char *text)
{
	reply_hex_bytes(stub, text, text_len(text));
}

size_t reply_binary(struct gdbstub *stub, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	uint8_t *out = stub->tx + stub->tx_len, *limit = stub->tx + TX_LIMIT;
	size_t done = 0;
	for (; done < len; done++) {
		uint8_t c = in[done];
		bool escape = c == '}' || c == '#' || c == '$' || c == '*';
		if (limit - out < 1 + escape)
			break;
		if (escape)
			*out++ = '}';
		*out++ = escape ? c ^ 0x20 : c;
		stub->tx_escapes |= escape;
	}
	stub->tx_len = (size_t)(out - stub->tx);
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

static bool starts_run(const uint8_t *at, const uint8_t *end)
{
	return end - at > (ptrdiff_t)RUN_MIN && at[1] == *at && at[2] == *at && at[3] == *at;
}

static size_t run_sendable(size_t repeats)
{
	while (repeats + RUN_BASE == '#' || repeats + RUN_BASE == '$' ||
	       repeats + RUN_BASE == '+' || repeats + RUN_BASE == '-')
		repeats--;
	return repeats;
}

static uint8_t *put_run(uint8_t *out, uint8_t byte, size_t repeats)
{
	*out++ = byte;
	*out++ = '*';
	*out++ = (uint8_t)(repeats + RUN_BASE);
	return out;
}

/* Both compress in place: at no point is the output longer than the input. They return its end. */
static uint8_t *compress_escaped(uint8_t *start, uint8_t *end)
{
	uint8_t *in = start, *out = start;
	while (in < end) {
		if (*in == '}' && in + 1 < end) {
			*out++ = *in++;
			*out++ = *in++;
		} else if (starts_run(in, end)) {
			size_t repeats = run_sendable(run_length(in, end));
			out = put_run(out, *in, repeats);
			in += repeats + 1;
		} else {
			*out++ = *in++;
		}
	}
	return out;
}

/* The first four equal bytes in a row, or the end. Where the fourth differs from the third, no run
 * can hold both: most of the text is never looked at. */
static uint8_t *find_run(uint8_t *at, const uint8_t *end)
{
	while (end - at > (ptrdiff_t)RUN_MIN) {
		if (at[3] != at[2])
			at += 3;
		else if (at[2] != at[1])
			at += 2;
		else if (at[1] != at[0])
			at += 1;
		else
			return at;
	}
	return at + (end - at);
}

static uint8_t *compress_text(uint8_t *start, uint8_t *end)
{
	uint8_t *in = start, *out = start;
	for (;;) {
		uint8_t *run = find_run(in, end);
		size_t plain = (size_t)(run - in);
		if (out != in)
			memmove(out, in, plain);
		out += plain;
		if (run == end)
			return out;
		size_t repeats = run_sendable(run_length(run, end));
		out = put_run(out, *run, repeats);
		in = run + repeats + 1;
	}
}

/* Modulo 256. Eight bytes at a time in four lanes of 16 bits, which 128 such steps cannot fill. */
static uint8_t sum_of(const uint8_t *at, const uint8_t *end)
{
	const uint64_t lanes = UINT64_C(0x00ff00ff00ff00ff);
	uint64_t sum = 0;
	while (end - at >= 8) {
		uint64_t word, some = 0;
		for (int steps = 0; steps < 128 && end - at >= 8; steps++, at += 8) {
			__builtin_memcpy(&word, at, 8);
			some += (word & lanes) + (word >> 8 & lanes);
		}
		sum += some + (some >> 16) + (some >> 32) + (some >> 48);
	}
	while (at < end)
		sum += *at++;
	return (uint8_t)sum;
}

void reply_send(struct gdbstub *stub)
{
	if (stub->tx_overrun) {
		reply_begin(stub);
		reply_text(stub, "E07");
	}
	uint8_t *body = stub->tx + 1, *end = stub->tx + stub->tx_len;
	end = stub->tx_escapes ? compress_escaped(body, end) : compress_text(body, end);
	uint8_t sum = sum_of(body, end);
	*end++ = '#';
	*end++ = (uint8_t)digits[sum >> 4];
	*end++ = (uint8_t)digits[sum & 15];
	stub->tx_len = (size_t)(end - stub->tx);
	gdbstub_port_write(stub->target, stub->tx, stub->tx_len);
}
