/* Packets that read, write, sum and search memory. While the target is stopped no breakpoint lies
 * in it, so what is read is the program's own. */
#include "internal.h"

#include <string.h>

struct range {
	uint64_t address, len;
};

/* "address,length"; a range that would pass the end of the address space is cut there. */
static bool cut_range(struct cut *cut, char separator, struct range *range)
{
	if (!cut_hex(cut, &range->address) || !cut_char(cut, separator) ||
	    !cut_hex(cut, &range->len))
		return false;
	uint64_t to_end = UINT64_MAX - range->address; /* one less than what there is */
	if (range->len && range->len - 1 > to_end)
		range->len = to_end + 1;
	return true;
}

static enum gdbstub_space space(const struct gdbstub *stub)
{
	return stub->physical_memory ? GDBSTUB_PHYSICAL : GDBSTUB_VIRTUAL;
}

static size_t read_chunk(struct gdbstub *stub, const struct range *range, uint64_t done)
{
	uint64_t left = range->len - done;
	size_t want = left < sizeof stub->scratch ? (size_t)left : sizeof stub->scratch;
	return gdbstub_port_read_memory(stub->target, space(stub), range->address + done,
					stub->scratch, want);
}

static enum reply unreadable(struct gdbstub *stub)
{
	return reply_error(stub, WIRE_FAULT, "memory is not mapped or not readable");
}

static enum reply bad_range(struct gdbstub *stub)
{
	return reply_error(stub, WIRE_INVALID, "expected address,length in hex");
}

/* ---- reading ---- */

static enum reply handle_read_hex(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	if (!cut_range(args, ',', &range) || cut_left(args) || !range.len)
		return bad_range(stub);
	if (range.len > reply_room(stub) / 2)
		return reply_error(stub, WIRE_TOO_BIG, "at most 2000 (hex) bytes at a time");
	for (uint64_t done = 0; done < range.len;) {
		size_t got = read_chunk(stub, &range, done);
		if (!got && !done)
			return unreadable(stub);
		reply_hex_bytes(stub, stub->scratch, got);
		if (!got)
			break; /* as much as there was */
		done += got;
	}
	return REPLY_WRITTEN;
}

/* GDB's form answers with 'b' in front; LLDB asks x0,0 first and takes the bare bytes. */
static enum reply handle_read_binary(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	if (!cut_range(args, ',', &range) || cut_left(args))
		return bad_range(stub);
	if (!range.len) {
		stub->plain_x = true;
		return REPLY_OK;
	}
	if (range.len > GDBSTUB_PACKET_BYTES)
		return reply_error(stub, WIRE_TOO_BIG, "at most 4000 (hex) bytes at a time");
	if (!stub->plain_x || stub->binary_upload)
		reply_char(stub, 'b');
	for (uint64_t done = 0; done < range.len;) {
		size_t got = read_chunk(stub, &range, done);
		if (!got && !done)
			return unreadable(stub);
		size_t fitted = reply_binary(stub, stub->scratch, got);
		done += fitted;
		if (!fitted || fitted < got)
			break;
	}
	return REPLY_WRITTEN;
}

/* ---- writing ---- */

static enum reply write_bytes(struct gdbstub *stub, const struct range *range, const uint8_t *bytes,
			      size_t len)
{
	if (len != range->len)
		return reply_error(stub, WIRE_INVALID, "data is not as long as announced");
	if (len &&
	    gdbstub_port_write_memory(stub->target, space(stub), range->address, bytes, len) != len)
		return reply_error(stub, WIRE_FAULT, "memory is not mapped or not writable");
	return REPLY_OK;
}

static enum reply handle_write_hex(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	size_t len;
	if (!cut_range(args, ',', &range) || !cut_char(args, ':'))
		return bad_range(stub);
	uint8_t *bytes = args->at; /* decoded in place: two digits make room for one byte */
	if (!cut_hex_bytes(args, bytes, GDBSTUB_PACKET_BYTES, &len) || cut_left(args))
		return reply_error(stub, WIRE_INVALID, "data is not hex");
	return write_bytes(stub, &range, bytes, len);
}

static enum reply handle_write_binary(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	uint8_t *bytes;
	size_t len;
	if (!cut_range(args, ',', &range) || !cut_char(args, ':'))
		return bad_range(stub);
	if (!cut_binary(args, &bytes, &len))
		return reply_error(stub, WIRE_INVALID, "data ends within an escape");
	return write_bytes(stub, &range, bytes, len);
}

/* ---- sums and searches: may be long, so any byte from the debugger ends them ---- */

static bool gave_up(struct gdbstub *stub)
{
	int byte = gdbstub_port_read_byte(stub->target, 0);
	if (byte < 0)
		return false;
	/* A '+' may be the late acknowledgement of the reply before. */
	if (byte == '+')
		return false;
	link_byte(stub, (uint8_t)byte);
	return true;
}

static enum reply interrupted(struct gdbstub *stub)
{
	return reply_error(stub, WIRE_IO, "interrupted");
}

/* The CRC of GDB's compare-sections: polynomial 0x04c11db7, most significant bit first. */
static uint32_t crc_add(uint32_t crc, uint8_t byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int bit = 0; bit < 8; bit++)
		crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
	return crc;
}

static enum reply handle_crc(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	uint32_t crc = UINT32_MAX;
	if (!cut_range(args, ',', &range) || cut_left(args))
		return bad_range(stub);
	for (uint64_t done = 0; done < range.len;) {
		size_t got = read_chunk(stub, &range, done);
		if (!got)
			return unreadable(stub);
		for (size_t i = 0; i < got; i++)
			crc = crc_add(crc, stub->scratch[i]);
		done += got;
		if (gave_up(stub))
			return interrupted(stub);
	}
	reply_char(stub, 'C');
	for (int shift = 24; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(crc >> shift);
		reply_hex_bytes(stub, &byte, 1);
	}
	return REPLY_WRITTEN;
}

struct pattern {
	const uint8_t *bytes;
	size_t len;
};

static size_t find(const uint8_t *in, size_t len, const struct pattern *pattern)
{
	for (size_t i = 0; i + pattern->len <= len; i++)
		if (in[i] == *pattern->bytes && !memcmp(in + i, pattern->bytes, pattern->len))
			return i;
	return SIZE_MAX;
}

static enum reply search(struct gdbstub *stub, const struct range *range,
			 const struct pattern *pattern)
{
	for (uint64_t done = 0; done + pattern->len <= range->len;) {
		size_t got = read_chunk(stub, range, done);
		if (got < pattern->len)
			return unreadable(stub);
		size_t at = find(stub->scratch, got, pattern);
		if (at != SIZE_MAX) {
			reply_text(stub, "1,");
			reply_hex_u64(stub, range->address + done + at);
			return REPLY_WRITTEN;
		}
		done += got - pattern->len + 1; /* the end of this chunk may begin a match */
		if (gave_up(stub))
			return interrupted(stub);
	}
	reply_char(stub, '0');
	return REPLY_WRITTEN;
}

static enum reply handle_search(struct gdbstub *stub, struct cut *args)
{
	struct range range;
	uint8_t *bytes;
	size_t len;
	if (!cut_range(args, ';', &range) || !cut_char(args, ';') ||
	    !cut_binary(args, &bytes, &len) || !len)
		return reply_error(stub, WIRE_INVALID, "expected address;length;pattern");
	if (len > sizeof stub->scratch / 2)
		return reply_error(stub, WIRE_TOO_BIG, "pattern of at most 2048 bytes");
	struct pattern pattern = {bytes, len};
	return search(stub, &range, &pattern);
}

/* ---- physical addresses ---- */

static enum reply handle_set_physical(struct gdbstub *stub, struct cut *args)
{
	bool on = cut_char(args, '1');
	if ((!on && !cut_char(args, '0')) || cut_left(args))
		return reply_error(stub, WIRE_INVALID, "Qqemu.PhyMemMode takes 0 or 1");
	stub->physical_memory = on;
	return REPLY_OK;
}

static enum reply handle_get_physical(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	reply_char(stub, stub->physical_memory ? '1' : '0');
	return REPLY_WRITTEN;
}

const struct packet_row memory_packets[] = {
	{"m",		handle_read_hex,     true },
	{"x",		handle_read_binary,  true },
	{"M",		handle_write_hex,	true },
	{"X",		handle_write_binary, true },
	{"qCRC",		 handle_crc,	     false},
	{"qSearch:memory",   handle_search,	  false},
	{"Qqemu.PhyMemMode", handle_set_physical, false},
	{"qqemu.PhyMemMode", handle_get_physical, false},
	{NULL,	       NULL,		     false},
};
