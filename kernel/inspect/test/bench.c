/*
 * What the inspector costs on the host: time per answer over a line in memory, and the bytes that
 * watching takes. The rows on a kernel under TCG are in tests/; these need neither.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE (1 << 20)

static struct {
	struct insp insp;
	struct insp_link link;
	struct model_line line;
	size_t len;
	uint64_t bytes, records;
	struct insp_slot ring[8192];
	uint64_t owned[1 << 17];
	char in[65536], out[65536], last[65536];
	uint64_t clock_us;
} b;

static size_t line_space(struct model_line *line)
{
	(void)line;
	return LINE;
}

static void line_write(struct model_line *line, const void *bytes, size_t len)
{
	(void)line;
	memcpy(b.last, bytes, len);
	b.bytes += len;
	b.len = len;
	b.records++;
}

static void start(void)
{
	struct model_options options = {.access = INSP_ACCESS_FULL, .seed = 1};
	struct insp_config config = {
		.ring = b.ring, .ring_slots = 8192, .owned = b.owned, .owned_slots = 1 << 17};

	memset(&b, 0, sizeof(b));
	model_start(&options);
	model_set_clock(b.clock_us = 1000000);
	insp_init(&b.insp, &config);
	model_attach(&b.insp);
	b.line = (struct model_line){line_space, line_write};
	struct insp_link_config link = {.port = &b.line,
					.in = b.in,
					.in_bytes = sizeof(b.in),
					.out = b.out,
					.out_bytes = sizeof(b.out),
					.line_bytes = LINE};
	if (!insp_link_init(&b.insp, &b.link, &link))
		exit(1);
}

static void send(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		size_t n = insp_link_receive(&b.link, text, len);
		text += n;
		len -= n;
		insp_poll(&b.insp, b.clock_us);
	}
	for (int i = 0; i < 64; i++)
		if (insp_poll(&b.insp, b.clock_us) != b.clock_us)
			break;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void row(const char *name, double value, const char *unit)
{
	printf("%s\t%.2f\t%s\t-\t-\n", name, value, unit);
}

/* The best of many runs: what it costs when nobody disturbs. */
static void time_request(const char *name, const char *request, int times)
{
	double best = 1e18;

	for (int run = 0; run < 7; run++) {
		double from = now_ns();
		for (int i = 0; i < times; i++)
			send(request);
		double took = (now_ns() - from) / times;
		best = took < best ? took : best;
	}
	row(name, best, "ns");
}

static void time_pipelined(void)
{
	static char many[65536];
	static const char one[] =
		"{\"jsonrpc\":\"2.0\",\"id\":12345,\"method\":\"mm.translate\",\"params\":{"
		"\"va\":\"0xffff800001000000\"}}\n";
	size_t count = 0;
	double best = 1e18;

	while ((count + 1) * (sizeof(one) - 1) < sizeof(many)) {
		memcpy(many + count * (sizeof(one) - 1), one, sizeof(one) - 1);
		count++;
	}
	for (int run = 0; run < 20; run++) {
		double from = now_ns();
		send(many);
		double took = (now_ns() - from) / (double)count;
		best = took < best ? took : best;
	}
	row("inspect.host.requests_per_s", 1e9 / best, "1/s");
}

/* All mappings of a space of 33,280 leaves in runs of 8 pages, page by page. */
static void time_dump(void)
{
	uint32_t space = model_make_space("hostile", 33280, 8);
	char request[256], cursor[64];
	double best = 1e18;
	uint64_t bytes = 0;

	for (int run = 0; run < 5; run++) {
		double from = now_ns();
		cursor[0] = 0;
		bytes = b.bytes;
		do {
			snprintf(request, sizeof(request),
				 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.mappings\","
				 "\"params\":{\"space\":%u,"
				 "\"to\":\"0x7fffffffffff\"%s%s%s}}\n",
				 space, cursor[0] ? ",\"cursor\":\"" : "", cursor,
				 cursor[0] ? "\"" : "");
			send(request);
			char *next = memmem(b.last, b.len, "\"next\":\"", 8);
			cursor[0] = 0;
			if (next)
				snprintf(cursor, sizeof(cursor), "%.*s",
					 (int)strcspn(next + 8, "\""), next + 8);
		} while (cursor[0]);
		bytes = b.bytes - bytes;
		double took = now_ns() - from;
		best = took < best ? took : best;
	}
	row("inspect.host.mappings_dump", best / 1e6, "ms");
	row("inspect.host.mappings_dump_bytes", (double)bytes, "B");
}

static void kmalloc_once(void)
{
	struct insp_act act = {.op = INSP_OP_KMALLOC, .bytes = 80};

	insp_port_act(&act);
}

static uint64_t delta_bytes(const char *topic)
{
	char request[256];

	start();
	kmalloc_once();
	snprintf(request, sizeof(request),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch.start\",\"params\":{\"topics\":["
		 "\"%s\"],"
		 "\"hz\":10}}\n",
		 topic);
	send(request);
	for (int i = 0; i < 4; i++) {
		model_set_clock(b.clock_us += 100000);
		insp_poll(&b.insp, b.clock_us);
	}
	uint64_t before = b.bytes;
	kmalloc_once();
	model_set_clock(b.clock_us += 100000);
	insp_poll(&b.insp, b.clock_us);
	return b.bytes - before;
}

int main(void)
{
	start();
	time_request("inspect.host.mm_stat",
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\"}\n", 2000);
	time_request("inspect.host.mm_translate",
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.translate\",\"params\":{\"va\":"
		     "\"0xffff800001000000\"}}\n",
		     5000);
	time_request("inspect.host.mm_caches",
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.caches\"}\n", 1000);
	time_pipelined();
	time_dump();
	row("inspect.host.delta_bytes.stat", (double)delta_bytes("stat"), "B");
	row("inspect.host.delta_bytes.caches", (double)delta_bytes("caches"), "B");
	row("inspect.host.delta_bytes.events", (double)delta_bytes("events"), "B");
	model_stop();
	return 0;
}
