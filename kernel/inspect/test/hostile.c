#include "hostile.h"

#include "model.h"

#include <inspect/json.h>
#include <inspect/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LINE 65536

struct line {
	struct model_line line;
	unsigned char bytes[LINE];
	size_t len, limit;
};

static struct {
	struct insp insp;
	struct insp_link link;
	struct line line;
	struct insp_slot ring[64];
	uint64_t owned[64];
	char in[4096], out[4096];
	uint64_t clock_us, records;
	enum insp_access access;
	struct insp_json json;
} h;

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "hostile client: %s\n", what);
	abort();
}

static size_t line_space(struct model_line *line)
{
	struct line *l = (struct line *)line;

	return l->limit - l->len;
}

static void line_write(struct model_line *line, const void *bytes, size_t len)
{
	struct line *l = (struct line *)line;

	if (len > l->limit - l->len)
		broken("more was written than the line takes");
	memcpy(l->bytes + l->len, bytes, len);
	l->len += len;
}

/* One record from RS to before LF. */
static void check_record(const char *text, size_t len)
{
	struct insp_json_error e;
	char want[9];

	if (len < 30 || text[0] != INSP_RS || text[1] != '{')
		broken("no record");
	if (memcmp(text + len - 18, ",\"crc\":\"", 8) != 0)
		broken("no crc at the end");
	snprintf(want, sizeof(want), "%08lx", crc32(0, (const Bytef *)text + 1, (uInt)len - 19));
	if (memcmp(want, text + len - 10, 8) != 0)
		broken("wrong crc");
	/* Ours may nest deeper and hold more than a request may. */
	if (!insp_json_parse(&h.json, text + 1, len - 1, &e) && e.what != INSP_X_DEPTH &&
	    e.what != INSP_X_TOKENS)
		broken(e.what);
	h.records++;
}

static void take_output(void)
{
	char *start = (char *)h.line.bytes, *end;

	while ((end = memchr(start, INSP_LF,
			     h.line.len - (size_t)(start - (char *)h.line.bytes)))) {
		check_record(start, (size_t)(end - start));
		start = end + 1;
	}
	h.line.len -= (size_t)(start - (char *)h.line.bytes);
	memmove(h.line.bytes, start, h.line.len);
}

static void poll_once(void)
{
	model_set_clock(h.clock_us += 700);
	insp_poll(&h.insp, h.clock_us);
	take_output();
}

static void send(const void *bytes, size_t len)
{
	const char *p = bytes;

	for (int i = 0; len; i++) {
		size_t n = insp_link_receive(&h.link, p, len);
		p += n;
		len -= n;
		poll_once();
		if (i > 100000)
			broken("it takes nothing more");
	}
}

/* What a byte of the fuzzer stands for, so that it finds its way into the handlers. */
#define WATCH_ALL                                                                      \
	"\"topics\":[\"stat\",\"mappings\",\"frames\",\"events\",\"log\",\"caches\"]," \
	"\"hz\":60"
static const char *const words[] = {"\x1e{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"",
				    "\",\"params\":{",
				    "}}\n",
				    "}\n",
				    "\"}\n",
				    ",",
				    ":",
				    "\"",
				    "{",
				    "}",
				    "[",
				    "]",
				    "1",
				    "0",
				    "4096",
				    "true",
				    "null",
				    "\"0x",
				    "ffff8000",
				    "ffffb000",
				    "00000000",
				    "\"addr\":\"0xffff800001600000\"",
				    "\"va\":\"0xffffb00000000000\"",
				    "\"pa\":\"0x200000\"",
				    "\"len\":4096",
				    "\"flags\":\"w\"",
				    "\"size\":64",
				    "\"zone\":\"ZONE_NORMAL\"",
				    "\"num\":1",
				    "\"limit\":2",
				    "\"cursor\":\"",
				    "5:0:0\"",
				    "\"space\":",
				    "\"id\":",
				    WATCH_ALL,
				    "\"session\":\"",
				    "\"token\":\"a\"",
				    "\"name\":\"churn\"",
				    "\"op\":\"kmalloc\"",
				    "\"after\":1",
				    "\"older_than_us\":0",
				    "\"events\":[\"map\"]",
				    "\\u0041",
				    "\\ud83d\\ude00",
				    "\xc3\xa9",
				    "\xff",
				    "\n",
				    "\x1e",
				    "-",
				    ".5",
				    "e9"};
#define WORDS (sizeof(words) / sizeof(words[0]))
_Static_assert(WORDS == HOSTILE_METHODS, "hostile.h counts the words");

static void send_meaning(uint8_t byte)
{
	if (byte < WORDS) {
		send(words[byte], strlen(words[byte]));
	} else if (byte - WORDS < insp_method_count) {
		const char *name = insp_methods[byte - WORDS].name;
		/* What ends the machine ends the test. */
		send(name, strlen(name));
	} else {
		send(&byte, 1);
	}
}

static void start(uint8_t flags)
{
	struct model_options options = {
		.access = (enum insp_access)(1 + flags % 3), .seed = 5, .memory_bytes = 64 << 20};
	struct insp_config config = {
		.ring = h.ring, .ring_slots = 64, .owned = h.owned, .owned_slots = 64};

	memset(&h, 0, sizeof(h));
	h.access = options.access;
	model_start(&options);
	model_set_clock(h.clock_us = 1000);
	insp_init(&h.insp, &config);
	model_attach(&h.insp);
	h.line = (struct line){
		.line = {line_space, line_write},
		  .limit = flags & 4 ? 300 : LINE
	 };
	struct insp_link_config link = {.port = &h.line,
					.in = h.in,
					.in_bytes = sizeof(h.in),
					.out = h.out,
					.out_bytes = sizeof(h.out),
					.line_bytes = h.line.limit};
	if (!insp_link_init(&h.insp, &h.link, &link))
		broken("no link");
}

static void check_level(const struct model_counts *c)
{
	if (h.access < INSP_ACCESS_ALLOC &&
	    c->kmallocs + c->kfrees + c->alloc_pages + c->free_pages + c->maps + c->unmaps)
		broken("access level read changed something");
	if (h.access < INSP_ACCESS_FULL && c->breaks + c->panics + c->poweroffs)
		broken("access level alloc stopped the machine");
}

/* After all that it answers as if nothing had been. */
static void check_alive(void)
{
	static const char stat[] = "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\"}\n";
	char why[INSP_REASON_MAX];

	uint64_t before = h.records;
	send(stat, sizeof(stat) - 1);
	for (int i = 0; i < 200; i++) {
		/* A line of 300 bytes carries a record in pieces. */
		poll_once();
		h.line.limit = h.line.limit < LINE ? h.line.limit + 100 : LINE;
	}
	if (h.records == before)
		broken("it is silent");
	if (!insp_check(&h.insp, why))
		broken(why);
}

void hostile_client(const uint8_t *data, size_t len)
{
	if (!len)
		return;
	start(data[0]);
	for (size_t i = 1; i < len; i++) {
		if (data[0] & 8)
			send_meaning(data[i]);
		else
			send(data + i, 1);
		if (h.line.limit < LINE && h.line.len > 200)
			h.line.limit += 100; /* it drains slowly */
		if (data[0] & 16 && i % 16 == 0)
			model_random_step();
		if (data[i] == 0xfe)
			insp_link_reset(&h.link), h.line.len = 0;
		if (data[i] == 0xfd && data[0] & 32)
			insp_panicked(&h.insp);
	}
	check_alive();
	check_level(model_counts());
	model_stop();
}
