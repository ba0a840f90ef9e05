#include "private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKET_MIN  400 /* what any stub takes */
#define PACKET_MOST 65536
#define PIPELINE    16
#define RETRIES	    4
#define QUIET_MS    250
#define INPUT_MOST  (8u << 20)

/* The stub cannot do something; the link is good. */
static enum mv_status lacking(const struct rsp *r, struct mv_error *e, const char *what)
{
	return mv_fail(e, MV_LINK, "%s: %s", r->target, what);
}

/* Bytes got lost on the way, as on a serial line of a busy machine. */
static enum mv_status garbled(struct rsp *r, struct mv_error *e, const char *what)
{
	r->broken = true;
	return lacking(r, e, what);
}

static enum mv_status lost(struct rsp *r, struct mv_error *e, const char *what)
{
	r->closed = true;
	return garbled(r, e, what);
}

/* ---- bytes ---- */

static enum mv_status send_all(struct rsp *r, const char *bytes, size_t len, struct mv_error *e)
{
	uint64_t stop = mv_now_us() + (uint64_t)(r->timeout_s * 1e6);
	while (len) {
		ssize_t n = write(r->fd, bytes, len);
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return lost(r, e, strerror(errno));
		struct pollfd p = {.fd = r->fd, .events = POLLOUT};
		if (mv_now_us() > stop)
			return lost(r, e, "the stub takes nothing");
		poll(&p, 1, 50);
	}
	return MV_OK;
}

static enum mv_status more_input(struct rsp *r, uint64_t stop_us, struct mv_error *e)
{
	char chunk[65536];
	for (;;) {
		ssize_t n = read(r->fd, chunk, sizeof chunk);
		if (n > 0) {
			mv_buf_add(&r->in, chunk, (size_t)n);
			r->heard = true;
			return r->in.len > INPUT_MOST ? lost(r, e, "an endless packet") : MV_OK;
		}
		if (n == 0)
			return lost(r, e, "the stub closed the link (is another debugger there?)");
		if (errno != EAGAIN && errno != EINTR)
			return lost(r, e, strerror(errno));
		if (mv_now_us() > stop_us)
			return garbled(r, e, "the stub does not answer");
		struct pollfd p = {.fd = r->fd, .events = POLLIN};
		poll(&p, 1, 50);
	}
}

/* ---- packets ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Where replies are acknowledged (QEMU's stub knows no other way), each packet
 * carries the + for the reply before it, so that several can be under way. */
static void add_packet(const struct rsp *r, struct mv_buf *b, const char *packet)
{
	unsigned sum = 0;
	for (const char *p = packet; *p; p++)
		sum += (unsigned char)*p;
	mv_buf_printf(b, "%s$%s#%02x", r->no_ack ? "" : "+", packet, sum & 0xff);
}

/* Spreads `}x` escapes and `c*n` runs; false for a run of nothing or of too much. */
static bool unpack(const char *p, size_t len, struct mv_buf *out)
{
	for (size_t i = 0, plain = 0; i < len; i++) {
		if (p[i] != '}' && p[i] != '*' && i + 1 < len)
			continue;
		bool escape = p[i] == '}' && i + 1 < len, run = p[i] == '*';
		mv_buf_add(out, p + plain, i - plain + (escape || run ? 0 : 1));
		if (escape) {
			char c = (char)(p[++i] ^ 0x20);
			mv_buf_add(out, &c, 1);
		} else if (run) {
			int n = i + 1 < len ? p[++i] - 29 : -1;
			if (n < 3 || !out->len)
				return false;
			char c = out->data[out->len - 1];
			for (; n; n--)
				mv_buf_add(out, &c, 1);
		}
		plain = i + 1;
	}
	return true;
}

/* T05..., S05: the guest stopped, told unasked. Nothing that we ask is answered so. */
static bool is_stop(const struct mv_buf *b)
{
	return b->len >= 3 && (b->data[0] == 'T' || b->data[0] == 'S') &&
	       hex_digit(b->data[1]) >= 0 && hex_digit(b->data[2]) >= 0;
}

/* The next packet of the input, taken off it; stop replies only when they are wanted.
 * Notifications (%) and stray bytes are stepped over. */
static enum mv_status receive_any(struct rsp *r, bool stops, struct mv_buf *reply,
				  struct mv_error *e)
{
	uint64_t stop = mv_now_us() + (uint64_t)(r->timeout_s * 1e6);
	for (;;) {
		char *from = r->in.len ? memchr(r->in.data, '$', r->in.len) : NULL;
		char *hash = from ? memchr(from, '#', r->in.len - (size_t)(from - r->in.data))
				  : NULL;
		size_t end = hash ? (size_t)(hash - r->in.data) + 3 : 0;
		if (!hash || r->in.len < end) {
			enum mv_status st = more_input(r, stop, e);
			if (st != MV_OK)
				return st;
			continue;
		}
		unsigned sum = 0;
		for (char *p = from + 1; p < hash; p++)
			sum += (unsigned char)*p;
		bool right = hex_digit(hash[1]) * 16 + hex_digit(hash[2]) == (int)(sum & 0xff);
		reply->len = 0;
		bool good = right && unpack(from + 1, (size_t)(hash - from - 1), reply);
		mv_buf_consume(&r->in, end);
		if (!good)
			return garbled(r, e, "the stub sent a broken packet");
		mv_buf_add(reply, "", 0);
		if (stops || !is_stop(reply))
			return MV_OK;
	}
}

static enum mv_status receive(struct rsp *r, struct mv_buf *reply, struct mv_error *e)
{
	return receive_any(r, false, reply, e);
}

static enum mv_status send_packet(struct rsp *r, const char *packet, struct mv_error *e)
{
	struct mv_buf b = {0};
	add_packet(r, &b, packet);
	enum mv_status st = send_all(r, b.data, b.len, e);
	mv_buf_free(&b);
	return st;
}

static void drain(struct rsp *r)
{
	char chunk[65536];
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	uint64_t stop = mv_now_us() + (uint64_t)(r->timeout_s * 1e6);
	while (!r->closed && mv_now_us() < stop && poll(&p, 1, QUIET_MS) > 0)
		r->closed = read(r->fd, chunk, sizeof chunk) <= 0;
	r->in.len = 0;
}

/* A question with an answer of a length that nobody else asks for: what comes before it
 * belongs to the time before. */
static bool find_mark(struct rsp *r)
{
	struct mv_buf reply = {0};
	char packet[24];
	bool found = false;
	size_t bytes = 3 + r->marks++ % 40;
	uint64_t stop = mv_now_us() + (uint64_t)(r->timeout_s * 1e6);
	snprintf(packet, sizeof packet, "m0,%zx", bytes);
	if (send_packet(r, packet, NULL) == MV_OK)
		while (!found && !r->closed && mv_now_us() < stop)
			found = receive_any(r, false, &reply, NULL) == MV_OK &&
				reply.len == 2 * bytes;
	mv_buf_free(&reply);
	return found;
}

/* Lets what is under way come to its end; what was asked may then be asked again. If
 * that fails the link is given up. */
static bool recover(struct rsp *r)
{
	bool found = false;
	for (int i = 0; !found && !r->closed && i < 2; i++) {
		drain(r);
		found = !r->physical || find_mark(r);
	}
	r->broken = r->closed = r->closed || !found;
	return !r->closed;
}

static enum mv_status ask_once(struct rsp *r, const char *packet, struct mv_buf *reply,
			       struct mv_error *e)
{
	enum mv_status st = send_packet(r, packet, e);
	return st == MV_OK ? receive(r, reply, e) : st;
}

enum mv_status rsp_ask(struct rsp *r, const char *packet, struct mv_buf *reply, struct mv_error *e)
{
	enum mv_status st = ask_once(r, packet, reply, e);
	/* A stub that never said a word is none. */
	for (int i = 0; st != MV_OK && r->heard && i < RETRIES && recover(r); i++)
		st = ask_once(r, packet, reply, e);
	return st;
}

/* ---- opening and closing ---- */

static void read_packet_size(struct rsp *r, const char *features)
{
	const char *at = strstr(features, "PacketSize=");
	size_t n = at ? strtoul(at + 11, NULL, 16) : 0;
	r->packet_bytes = n < PACKET_MIN ? PACKET_MIN : n > PACKET_MOST ? PACKET_MOST : n;
}

static enum mv_status greet(struct rsp *r, struct mv_error *e)
{
	struct mv_buf reply = {0};
	enum mv_status st =
		rsp_ask(r, "qSupported:qXfer:features:read+;xmlRegisters=i386;swbreak+;hwbreak+",
			&reply, e);
	bool no_ack = false;
	if (st == MV_OK) {
		read_packet_size(r, reply.data);
		no_ack = strstr(reply.data, "QStartNoAckMode+") != NULL;
	}
	if (st == MV_OK && no_ack) {
		st = rsp_ask(r, "QStartNoAckMode", &reply, e);
		r->no_ack = st == MV_OK && strcmp(reply.data, "OK") == 0;
	}
	if (st == MV_OK)
		st = rsp_ask(r, "Qqemu.PhyMemMode:1", &reply, e);
	if (st == MV_OK && strcmp(reply.data, "OK") != 0)
		st = lacking(r, e, "this stub cannot read physical memory (Qqemu.PhyMemMode)");
	r->physical = st == MV_OK;
	mv_buf_free(&reply);
	return st;
}

/* The stop reply of a guest that stands, as text; "" when none came. */
static void ask_stop(struct rsp *r, struct mv_buf *reply)
{
	for (int i = 0; i <= RETRIES; i++) {
		if (send_packet(r, "?", NULL) == MV_OK &&
		    receive_any(r, true, reply, NULL) == MV_OK)
			return;
		reply->len = 0;
		mv_buf_text(reply, "");
		if (!recover(r))
			return;
	}
}

/* Whether the guest stood still before we came. Vitrine's stub gives the cause of the
 * stop: connecting is none of these. QEMU's says nothing, but its monitor does; what
 * it calls just "paused" is what connecting does, or somebody's `stop` before it. */
static bool find_stopped(struct rsp *r)
{
	static const char *const causes[] = {"swbreak:", "hwbreak:", "watch:"};
	struct mv_buf reply = {0}, text = {0};
	ask_stop(r, &reply);
	/* SIGINT, SIGTRAP, and the SIGABRT of a panic, after which it waits anyway. */
	bool stopped = is_stop(&reply) &&
		       !strstr("02 05 06", (char[]){reply.data[1], reply.data[2], 0});
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		stopped = stopped || (is_stop(&reply) && strstr(reply.data, causes[i]));
	if (!r->no_ack && rsp_monitor(r, "info status", &text, NULL) == MV_OK && text.data)
		stopped = stopped || strstr(text.data, "VM status: paused (");
	mv_buf_free(&reply);
	mv_buf_free(&text);
	return stopped;
}

enum mv_status rsp_open(struct rsp *r, const struct mv_target *t, double timeout_s,
			struct mv_error *e)
{
	bool connecting;
	*r = (struct rsp){.timeout_s = timeout_s, .target = t->text, .packet_bytes = PACKET_MIN};
	r->fd = guard_open(&r->guard, t, &connecting, e);
	if (r->fd < 0)
		return MV_LINK;
	if (connecting) {
		struct pollfd p = {.fd = r->fd, .events = POLLOUT};
		poll(&p, 1, (int)(timeout_s * 1000));
	}
	enum mv_status st = connecting ? mv_transport_connected(r->fd, t, e) : MV_OK;
	if (st == MV_OK)
		st = greet(r, e);
	if (st == MV_OK)
		r->was_stopped = find_stopped(r);
	if (st == MV_OK && r->was_stopped)
		guard_leave_stopped(&r->guard);
	if (st != MV_OK)
		rsp_close(r);
	return st;
}

/* D resumes; QEMU wants the number of the process once a GDB that knows of processes
 * was there, for as long as it runs. Only a refused D may be followed by another. */
static bool detach(struct rsp *r, struct mv_buf *reply)
{
	guard_resuming(&r->guard);
	if (ask_once(r, "D", reply, NULL) != MV_OK)
		return false;
	if (reply->data[0] == 'E' && ask_once(r, "D;1", reply, NULL) != MV_OK)
		return false;
	return strcmp(reply->data, "OK") == 0;
}

void rsp_close(struct rsp *r)
{
	struct mv_buf reply = {0};
	if (r->fd < 0)
		return;
	/* Over a broken link the guard tries, and we do not wait for it. */
	bool done = r->heard && (!r->broken || recover(r)) &&
		    (!r->physical || rsp_ask(r, "Qqemu.PhyMemMode:0", &reply, NULL) == MV_OK);
	/* What we stopped goes on. */
	if (done && !r->was_stopped)
		done = detach(r, &reply);
	guard_end(&r->guard, done);
	mv_buf_free(&reply);
	mv_buf_free(&r->in);
	mv_buf_free(&r->xml);
	close(r->fd);
	r->fd = -1;
}

/* ---- objects and registers ---- */

enum mv_status rsp_transfer(struct rsp *r, const char *object, struct mv_buf *out,
			    struct mv_error *e)
{
	struct mv_buf reply = {0};
	char packet[160];
	enum mv_status st;
	do {
		snprintf(packet, sizeof packet, "qXfer:%s:%zx,%zx", object, out->len,
			 r->packet_bytes - 8);
		st = rsp_ask(r, packet, &reply, e);
		if (st == MV_OK && reply.data[0] != 'l' && reply.data[0] != 'm')
			st = lacking(r, e, "the stub has no target description");
		if (st == MV_OK)
			mv_buf_add(out, reply.data + 1, reply.len - 1);
	} while (st == MV_OK && reply.data[0] == 'm' && reply.len > 1 && out->len < INPUT_MOST);
	mv_buf_free(&reply);
	return st;
}

/* The description with its includes spread out, two levels deep at most. */
static enum mv_status description(struct rsp *r, const char *file, unsigned depth,
				  struct mv_buf *out, struct mv_error *e)
{
	struct mv_buf xml = {0};
	char object[140];
	snprintf(object, sizeof object, "features:read:%.100s", file);
	enum mv_status st = rsp_transfer(r, object, &xml, e);
	const char *p = xml.data ? xml.data : "";
	while (st == MV_OK && *p) {
		const char *include = strstr(p, "<xi:include"), *href = NULL, *end = NULL;
		if (include && (href = strstr(include, "href=\"")) != NULL)
			end = strchr(href + 6, '"');
		if (!end || depth >= 2 || end - (href + 6) >= 100)
			break;
		mv_buf_add(out, p, (size_t)(include - p));
		char name[101] = "";
		memcpy(name, href + 6, (size_t)(end - (href + 6)));
		st = description(r, name, depth + 1, out, e);
		const char *close_tag = strchr(end, '>');
		p = close_tag ? close_tag + 1 : end + 1;
	}
	if (st == MV_OK)
		mv_buf_text(out, p);
	mv_buf_free(&xml);
	return st;
}

static enum mv_status read_register(struct rsp *r, long number, uint64_t *value, struct mv_error *e)
{
	struct mv_buf reply = {0};
	char packet[32];
	snprintf(packet, sizeof packet, "p%lx", (unsigned long)number);
	enum mv_status st = rsp_ask(r, packet, &reply, e);
	uint64_t v = 0;
	size_t digits = st == MV_OK ? reply.len : 0;
	bool good = digits >= 2 && digits <= 16 && reply.data[0] != 'E';
	/* Little-endian bytes. */
	for (size_t i = 0; good && i + 1 < digits; i += 2) {
		int high = hex_digit(reply.data[i]), low = hex_digit(reply.data[i + 1]);
		good = high >= 0 && low >= 0;
		v |= (uint64_t)(high * 16 + low) << (4 * i);
	}
	mv_buf_free(&reply);
	if (st == MV_OK && !good)
		st = lacking(r, e, "the stub does not give a register that its description has");
	*value = v;
	return st;
}

enum mv_status rsp_register(struct rsp *r, const char *name, uint64_t *value, struct mv_error *e)
{
	enum mv_status st = r->xml.len ? MV_OK : description(r, "target.xml", 0, &r->xml, e);
	long number = st == MV_OK && r->xml.data ? description_register(r->xml.data, name) : -1;
	if (st != MV_OK)
		return st;
	if (number < 0)
		return mv_fail(e, MV_LINK, "%s: the stub's target has no register %s", r->target,
			       name);
	return read_register(r, number, value, e);
}

/* ---- the monitor ---- */

static void add_text(const struct mv_buf *hex, size_t from, struct mv_buf *text)
{
	for (size_t i = from; i + 1 < hex->len; i += 2) {
		int high = hex_digit(hex->data[i]), low = hex_digit(hex->data[i + 1]);
		char c = (char)(high * 16 + low);
		if (high < 0 || low < 0)
			return;
		mv_buf_add(text, &c, 1);
	}
}

enum mv_status rsp_monitor(struct rsp *r, const char *command, struct mv_buf *text,
			   struct mv_error *e)
{
	struct mv_buf packet = {0}, reply = {0};
	mv_buf_text(&packet, "qRcmd,");
	for (const char *p = command; *p; p++)
		mv_buf_printf(&packet, "%02x", (unsigned char)*p);
	enum mv_status st = rsp_ask(r, packet.data, &reply, e);
	/* Output comes as O packets until OK, or is the reply itself. */
	while (st == MV_OK && reply.data[0] == 'O' && strcmp(reply.data, "OK") != 0 &&
	       text->len < INPUT_MOST) {
		add_text(&reply, 1, text);
		st = receive(r, &reply, e);
	}
	if (st == MV_OK && reply.len && strcmp(reply.data, "OK") != 0 && reply.data[0] != 'E')
		add_text(&reply, 0, text);
	mv_buf_free(&packet);
	mv_buf_free(&reply);
	return st;
}

/* ---- pages ---- */

static void ask_page(const struct rsp *r, struct mv_buf *b, uint64_t pa, size_t chunk)
{
	char packet[64];
	for (size_t at = 0; at < 4096; at += chunk) {
		snprintf(packet, sizeof packet, "m%llx,%zx", (unsigned long long)(pa + at), chunk);
		add_packet(r, b, packet);
	}
}

static bool take_hex(const struct mv_buf *reply, uint8_t *out, size_t len)
{
	if (reply->len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(reply->data[2 * i]), low = hex_digit(reply->data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* Bytes per `m`: what the packet holds as hex, a power of two, at most a page. */
static size_t read_chunk(const struct rsp *r)
{
	size_t chunk = 4096;
	while (chunk > 64 && 2 * chunk > r->packet_bytes)
		chunk /= 2;
	return chunk;
}

enum mv_status rsp_pages(struct rsp *r, const uint64_t *addresses, size_t count,
			 uint64_t (*pages)[512], bool *good, struct mv_error *e)
{
	size_t chunk = read_chunk(r), asked = 0, got = 0, tries = 0;
	struct mv_buf out = {0}, reply = {0};
	enum mv_status st = MV_OK;
	while (got < count && st == MV_OK) {
		out.len = 0;
		while (asked < count && (out.len || asked - got <= PIPELINE / 2) &&
		       asked - got < (tries ? 1 : PIPELINE))
			ask_page(r, &out, addresses[asked++], chunk);
		st = out.len ? send_all(r, out.data, out.len, e) : MV_OK;
		uint8_t *page = (uint8_t *)pages[got];
		bool whole = true;
		for (size_t at = 0; st == MV_OK && at < 4096; at += chunk) {
			st = receive(r, &reply, e);
			if (st == MV_OK && take_hex(&reply, page + at, chunk))
				continue;
			if (st == MV_OK && reply.len > 4) /* no error, and not what was asked */
				st = garbled(r, e, "the stub answers something else");
			memset(page + at, 0, chunk);
			whole = false;
		}
		if (st != MV_OK && tries < RETRIES && recover(r)) {
			tries++;
			st = MV_OK;
			asked = got;
			continue;
		}
		if (good)
			good[got] = whole;
		got++;
		tries = 0;
	}
	mv_buf_free(&out);
	mv_buf_free(&reply);
	return st;
}
