/* Records, sessions, the reply cache, and a line that harms what it carries. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct model_options full = {
	.access = INSP_ACCESS_FULL, .seed = 3, .memory_bytes = 256 << 20};
static struct rig *rig;

static int setup(void **state)
{
	(void)state;
	rig = rig_start(&full, 65536);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(rig);
	return 0;
}

static void send_text(const char *text)
{
	rig_send(rig, 0, text, strlen(text));
}

/* The next record must be an error with this code and text. */
static void expect_error(int code, const char *text)
{
	struct json_object *r = rig_next(rig, 0), *e;

	assert_non_null(r);
	if (!json_object_object_get_ex(r, "error", &e) || rig_int(e, "code") != code ||
	    !strstr(rig_str(e, "message"), text))
		fail_msg("wanted %d \"%s\": %s", code, text, rig_text());
	json_object_put(r);
}

static void expect_result(const char *id)
{
	struct json_object *r = rig_next(rig, 0), *v;

	assert_non_null(r);
	if (!json_object_object_get_ex(r, "result", NULL))
		fail_msg("no result: %s", rig_text());
	assert_true(json_object_object_get_ex(r, "id", &v));
	assert_string_equal(json_object_to_json_string(v), id);
	json_object_put(r);
}

static void expect_nothing(void)
{
	struct json_object *r = rig_next(rig, 0);

	if (r)
		fail_msg("a record too many: %s", rig_text());
}

#define STAT "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\"}"

static void test_framing(void **state)
{
	(void)state;
	send_text(STAT "\n");
	expect_result("1");
	send_text("\x1e" STAT "\n");
	expect_result("1");
	send_text("\r\n\n  \n" STAT "\r\n");
	expect_result("1");
	/* A record that is cut short by the next is answered, and the next is read. */
	send_text("\x1e{\"jsonrpc\":\"2.0\",\"id\":1,\"met\x1e" STAT "\n");
	expect_error(INSP_E_PARSE, "another begins");
	expect_result("1");
	send_text("help\n");
	expect_error(INSP_E_PARSE, "byte 0: expected a value");
	send_text("\x1e\x1e\x1e" STAT "\n");
	expect_result("1");
	expect_nothing();
}

/* Byte by byte is the same as at once. */
static void test_single_bytes(void **state)
{
	static const char text[] = "\x1e" STAT "\n\x1e" STAT "\n";

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		rig_send(rig, 0, text + i, 1);
	expect_result("1");
	expect_result("1");
	expect_nothing();
}

static void test_overlong(void **state)
{
	static char text[70000];

	(void)state;
	/* Exactly what fits, LF included, is read; one byte more is refused, and the next record is
	 * fine. */
	for (size_t extra = 0; extra <= 1; extra++) {
		memset(text, ' ', sizeof(text));
		memcpy(text, STAT, sizeof(STAT) - 1);
		text[65535 + extra] = '\n';
		rig_send(rig, 0, text, 65536 + extra);
		if (extra)
			expect_error(INSP_E_PARSE, "too long");
		else
			expect_result("1");
	}
	send_text(STAT "\n");
	expect_result("1");
}

static void test_not_a_request(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"1",								"an object"	 },
		{"\"x\"",							    "an object"  },
		{"{}",							       "jsonrpc"	},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"mm.stat\"}",		  "jsonrpc"	   },
		{"{\"jsonrpc\":\"2.0\",\"id\":1}",				   "method"	   },
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",			"method"	},
		{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"mm.stat\"}",	   "id takes"   },
		{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"mm.stat\"}",	     "id takes"   },
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\",\"more\":1}",
		 "only jsonrpc"								   },
		{"{\"jsonrpc\":\"2.0\",\"id\":"
		 "\"0123456789012345678901234567890123456789012345678901234567890123"
		 "45\",\"method\":\"mm.stat\"}",		    "64 bytes"   },
		{"[]",							       "empty batch"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_text(cases[i].text);
		send_text("\n");
		expect_error(INSP_E_REQUEST, cases[i].why);
	}
	expect_nothing();
}

static void test_ids(void **state)
{
	static const char *const ids[] = {
		"0", "-5", "1.50", "\"a \\\"b\\u00e9\"", "null", "123456789012345678901234567890"};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char text[256], want[128];
		snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"mm.stat\"}\n", ids[i]);
		send_text(text);
		struct json_object *r = rig_next(rig, 0);
		/* Echoed byte by byte. */
		snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", ids[i]);
		assert_memory_equal(rig_text(), want, strlen(want));
		json_object_put(r);
	}
	/* No id, no answer: not for a good one, not for one that fails in its method. */
	send_text("{\"jsonrpc\":\"2.0\",\"method\":\"mm.stat\"}\n");
	send_text("{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}\n");
	expect_nothing();
	send_text("{\"jsonrpc\":\"2.0\",\"method\":\"mm.kmalloc\",\"params\":{\"size\":1}}\n");
	expect_nothing();
	assert_int_equal(model_counts()->kmallocs, 1);
}

static void test_crc(void **state)
{
	char text[256] = STAT;

	(void)state;
	rig_seal(text, sizeof(text));
	send_text(text);
	send_text("\n");
	expect_result("1");
	/* Every single flipped bit is noticed. */
	size_t len = strlen(text);
	for (size_t bit = 0; bit < len * 8; bit++) {
		char broken[256];
		strcpy(broken, text);
		broken[bit / 8] = (char)(broken[bit / 8] ^ 1 << bit % 8);
		if (broken[bit / 8] == '\n' || broken[bit / 8] == INSP_RS || !broken[bit / 8])
			continue;
		send_text(broken);
		send_text("\n");
		struct json_object *r = rig_next(rig, 0);
		if (!r || json_object_object_get_ex(r, "result", NULL))
			fail_msg("accepted: %s", broken);
		json_object_put(r);
	}
	send_text("{\"jsonrpc\":\"2.0\",\"crc\":\"00000000\",\"id\":1,\"method\":\"mm.stat\"}\n");
	expect_error(INSP_E_PARSE, "must stand last");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\",\"crc\":\"0000\"}\n");
	expect_error(INSP_E_PARSE, "eight hex digits");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\",\"crc\":\"00000000\"}\n");
	expect_error(INSP_E_PARSE, "wrong crc: the record has 00000000");
}

static void test_batch(void **state)
{
	(void)state;
	send_text("[" STAT ",{\"jsonrpc\":\"2.0\",\"method\":\"mm.stat\"},7,"
		  "{\"jsonrpc\":\"2.0\",\"id\":\"z\",\"method\":\"mm.caches\"}]\n" STAT "\n");
	expect_result("1");
	expect_error(INSP_E_REQUEST, "an object");
	expect_result("\"z\"");
	expect_result("1");
	expect_nothing();
}

/* ---- sessions ---- */

static char session[20];

static void say_hello(const char *token, bool crc)
{
	char text[256];
	struct json_object *r, *result;

	snprintf(
		text, sizeof(text),
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\",\"params\":{\"token\":\"%s\"}}",
		token);
	if (crc)
		rig_seal(text, sizeof(text));
	send_text(text);
	send_text("\n");
	r = rig_next(rig, 0);
	assert_true(json_object_object_get_ex(r, "result", &result));
	assert_string_equal(rig_str(result, "token"), token);
	snprintf(session, sizeof(session), "%s", rig_str(result, "session"));
	json_object_put(r);
}

static void send_kmalloc(long id, const char *in_session)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"mm.kmalloc\",\"params\":{\"size\":"
		 "64},"
		 "\"session\":\"%s\"}\n",
		 id, in_session);
	send_text(text);
}

static void test_reply_cache(void **state)
{
	char first[512];

	(void)state;
	say_hello("a", false);
	send_kmalloc(1, session);
	struct json_object *r = rig_next(rig, 0);
	snprintf(first, sizeof(first), "%s", rig_text());
	json_object_put(r);
	/* Repeated: the same answer but for seq and crc, and nothing is allocated. */
	for (int i = 0; i < 3; i++) {
		send_kmalloc(1, session);
		r = rig_next(rig, 0);
		assert_memory_equal(rig_text(), first, (size_t)(strstr(first, ",\"seq\"") - first));
		json_object_put(r);
	}
	assert_int_equal(model_counts()->kmallocs, 1);
	/* Without a session it runs each time. */
	send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.kmalloc\",\"params\":{\"size\":64}"
		  "}\n");
	expect_result("1");
	assert_int_equal(model_counts()->kmallocs, 2);
	/* Failures are kept too. */
	send_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.kfree\",\"params\":{\"addr\":"
		  "\"0x10\"},"
		  "\"session\":\"");
	send_text(session);
	send_text("\"}\n");
	expect_error(INSP_E_REFUSED, "not a kmalloc object");
	uint64_t kfrees = model_counts()->kfrees;
	send_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.kfree\",\"params\":{\"addr\":"
		  "\"0x10\"},"
		  "\"session\":\"");
	send_text(session);
	send_text("\"}\n");
	expect_error(INSP_E_REFUSED, "not a kmalloc object");
	assert_int_equal(model_counts()->kfrees, kfrees);
}

/* Ids may come in any order within the window; beyond it nobody can tell, and says so. */
static void test_reply_window(void **state)
{
	(void)state;
	say_hello("a", false);
	for (long id = 2; id <= 2000; id++) {
		send_kmalloc(id, session);
		struct json_object *r = rig_next(rig, 0);
		json_object_put(r);
	}
	assert_int_equal(model_counts()->kmallocs, 1999);
	/* The newest are answered from the cache. */
	for (long id = 2000 - 200; id <= 2000; id++) {
		char want[32];
		send_kmalloc(id, session);
		snprintf(want, sizeof(want), "%ld", id);
		expect_result(want);
	}
	assert_int_equal(model_counts()->kmallocs, 1999);
	send_kmalloc(2000 - INSP_REPLY_WINDOW, session);
	expect_error(INSP_E_BUSY, "too old");
	send_kmalloc(1, session);
	expect_error(INSP_E_BUSY, "too old");
	/* One that was skipped runs when it comes, once. */
	send_kmalloc(2500, session);
	expect_result("2500");
	send_kmalloc(2400, session);
	expect_result("2400");
	send_kmalloc(2400, session);
	expect_result("2400");
	assert_int_equal(model_counts()->kmallocs, 2001);
	send_kmalloc(0, session);
	expect_error(INSP_E_REQUEST, "whole number from 1");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"mm.kmalloc\",\"params\":{"
		  "\"size\":64},"
		  "\"session\":\"");
	send_text(session);
	send_text("\"}\n");
	expect_error(INSP_E_REQUEST, "whole number from 1");
}

/* Answers whose bytes were overwritten are gone; the request still does not run again. */
static void test_answer_not_kept(void **state)
{
	char text[512];

	(void)state;
	say_hello("a", false);
	for (long id = 1; id <= INSP_REPLY_WINDOW; id++) {
		/* Long answers: refusals with a long reason. */
		snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"mm.map\",\"params\":{\"va\":"
			 "\"0x1\",\"pa\":"
			 "\"0x0\",\"len\":1,\"flags\":\"\"},\"session\":\"%s\"}\n",
			 id, session);
		send_text(text);
		expect_error(INSP_E_REFUSED, "unaligned");
	}
	send_kmalloc(1, session);
	expect_error(INSP_E_BUSY, "id 1 has run");
	assert_int_equal(model_counts()->kmallocs, 0);
}

static void test_sessions_end(void **state)
{
	char old[20];

	(void)state;
	say_hello("a", false);
	strcpy(old, session);
	say_hello("a", false);
	assert_string_equal(session, old); /* the same token goes on */
	say_hello("b", false);
	assert_string_not_equal(session, old);
	send_kmalloc(1, old);
	expect_error(INSP_E_BUSY, "session is over");
	send_kmalloc(1, session);
	expect_result("1");
	/* Without a token each hello is a new session. */
	strcpy(old, session);
	send_text("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\"}\n");
	expect_result("0");
	send_kmalloc(2, old);
	expect_error(INSP_E_BUSY, "session is over");
	assert_int_equal(model_counts()->kmallocs, 1);
}

/* A session that began with a crc takes nothing without one. */
static void test_crc_wanted(void **state)
{
	char text[256] = STAT;

	(void)state;
	say_hello("a", true);
	send_text(STAT "\n");
	expect_error(INSP_E_PARSE, "crc is missing");
	rig_seal(text, sizeof(text));
	send_text(text);
	send_text("\n");
	expect_result("1");
	say_hello("b", false);
	send_text(STAT "\n");
	expect_result("1");
}

/* The other end leaves in the middle of a record and comes back: the session and its kept answers
 * are there, the half record is not, watches have ended. */
static void test_reset(void **state)
{
	(void)state;
	say_hello("a", false);
	send_kmalloc(1, session);
	expect_result("1");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"watch.start\",\"params\":{\"topics\":"
		  "[\"stat\"],"
		  "\"hz\":1}}\n\x1e{\"jsonrpc\":");
	expect_result("2");
	insp_link_reset(&rig->link[0].link);
	rig->link[0].len = 0;
	rig->link[0].lenient = true;
	rig->clock_us += 5000000;
	send_kmalloc(1, session);
	expect_result("1");
	expect_nothing();
	assert_int_equal(model_counts()->kmallocs, 1);
	assert_false(insp_listening(&rig->insp));
}

/* ---- a line that is full ---- */

static void test_line_full(void **state)
{
	static const char text[] = STAT "\n";
	struct rig_link *l = &rig->link[1];
	size_t sent = 0;

	(void)state;
	l->limit = 100;
	for (size_t at = 0, taken = 1; taken; sent += taken) {
		taken = insp_link_receive(&l->link, text + at, sizeof(text) - 1 - at);
		at = (at + taken) % (sizeof(text) - 1);
		rig_poll(rig);
		assert_true(sent < 10000);
	}
	/* One answer is on its way, the buffer is full of requests; no more is taken. */
	assert_true(sent > 4096);
	rig_poll(rig);
	assert_int_equal(insp_link_receive(&l->link, text, sizeof(text) - 1), 0);
	int answers = 0;
	for (int i = 0; i < 5000; i++) {
		l->limit = i % 7 ? 100 : 3; /* it trickles */
		struct json_object *r = NULL;
		rig_poll(rig);
		unsigned char *end = memchr(l->bytes, '\n', l->len);
		if (!end && l->len >= 90) {
			/* Give it room to end the record. */
			l->limit = l->len + 64;
			rig_poll(rig);
		}
		if (memchr(l->bytes, '\n', l->len)) {
			r = rig_next(rig, 1);
			assert_true(json_object_object_get_ex(r, "result", NULL));
			json_object_put(r);
			answers++;
		}
	}
	assert_int_equal(answers, sent / (sizeof(text) - 1));
}

/* 20,000 requests without a pause; returns the percentage of the time that was left to others. */
static uint64_t rest_in_flood(bool busy)
{
	static const char text[] = STAT "\n";
	uint64_t rested = 0, from = rig->clock_us;
	struct insp_link_stats stats;

	model_set_clock_cost(50); /* an answer takes 50 us or more */
	model_set_load(busy);
	for (int i = 0; i < 20000; i++) {
		insp_link_receive(&rig->link[0].link, text, sizeof(text) - 1);
		uint64_t now = insp_port_clock_us(), next = insp_poll(&rig->insp, now);
		rig->link[0].len = 0;
		if (next != UINT64_MAX && next > insp_port_clock_us()) {
			/* Polling on does nothing before the time. */
			insp_link_stats(&rig->link[0].link, &stats);
			uint64_t answered = stats.tx_records;
			assert_true(insp_poll(&rig->insp, insp_port_clock_us()) == next);
			insp_link_stats(&rig->link[0].link, &stats);
			assert_int_equal(stats.tx_records, answered);
			rested += next - insp_port_clock_us();
			model_set_clock(next);
		}
	}
	uint64_t took = insp_port_clock_us() - from;
	model_set_clock_cost(0);
	model_set_load(false);
	insp_link_stats(&rig->link[0].link, &stats);
	rig->link[0].lenient = true;
	return rested * 100 / took;
}

/* A client that never stops asking leaves others a third of the CPU, and gets its answers; where
 * nobody else wants the CPU it gets the whole. */
static void test_flood(void **state)
{
	(void)state;
	assert_in_range(rest_in_flood(true), 25, 40);
	assert_int_equal(rest_in_flood(false), 0);
}

/* Who asks one by one, and waits for the answers longer than they take, never has to rest. */
static void test_no_flood(void **state)
{
	static const char text[] = STAT "\n";

	(void)state;
	model_set_load(true);
	for (int i = 0; i < 1000; i++) {
		insp_link_receive(&rig->link[0].link, text, sizeof(text) - 1);
		insp_poll(&rig->insp, rig->clock_us);
		assert_true(rig->link[0].len > 0);
		rig->link[0].len = 0;
		rig->clock_us += 700;
		model_set_clock(rig->clock_us);
	}
	model_set_load(false);
	rig->link[0].lenient = true;
}

static void test_two_links(void **state)
{
	(void)state;
	rig_send(rig, 0, STAT "\n", sizeof(STAT));
	rig_send(rig, 1, STAT "\n", sizeof(STAT));
	struct json_object *a = rig_next(rig, 0), *b = rig_next(rig, 1);
	assert_int_equal(rig_int(a, "seq"), 0);
	assert_int_equal(rig_int(b, "seq"), 0);
	json_object_put(a);
	json_object_put(b);
}

/* ---- after a panic ---- */

static void test_panic(void **state)
{
	(void)state;
	/* One that was being received when it happened is answered too. */
	send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"meth");
	insp_panicked(&rig->insp);
	send_text("od\":\"mm.stat\"}\n");
	expect_result("1");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.kmalloc\",\"params\":{\"size\":64}"
		  "}\n");
	expect_error(INSP_E_BUSY, "panicked");
	send_text("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"watch.start\",\"params\":{\"topics\":"
		  "[\"stat\"],"
		  "\"hz\":1}}\n");
	expect_result("3");
	struct json_object *r = rig_next(rig, 0);
	assert_string_equal(rig_str(r, "method"), "watch");
	json_object_put(r);
	send_text("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"sys.poweroff\"}\n");
	expect_result("4");
	rig_poll(rig);
	assert_int_equal(model_counts()->poweroffs, 1);
	assert_int_equal(model_counts()->kmallocs, 0);
}

/* What is done later is done once, after its answer is out. */
static void test_deferred(void **state)
{
	struct rig_link *l = &rig->link[0];

	(void)state;
	l->limit = 10;
	/* Names may be written with escapes. */
	send_text("{\"jsonrpc\":\"2.0\",\"\\u0069d\":4,\"method\":\"sys.break\"}\n");
	rig_poll(rig);
	assert_int_equal(model_counts()->breaks, 0);
	l->limit = RIG_LINE;
	rig_poll(rig);
	rig_poll(rig);
	assert_int_equal(model_counts()->breaks, 1);
	expect_result("4");
	/* Two at once: the second is told to wait. */
	send_text("[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"sys.break\"},"
		  "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"sys.break\"}]\n");
	expect_result("5");
	expect_error(INSP_E_BUSY, "another such request");
	rig_poll(rig);
	assert_int_equal(model_counts()->breaks, 2);
}

/* ---- faults ---- */

struct faults {
	double flip, drop, repeat;
	uint64_t flips, drops, repeats;
	bool on;
};

static size_t harm(struct faults *f, const unsigned char *in, size_t len, unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = in[i];
		double d = drand48();
		if (f->on && d < f->drop) {
			f->drops++;
			continue;
		}
		if (f->on && drand48() < f->flip) {
			c = (unsigned char)(c ^ 1 << lrand48() % 8);
			f->flips++;
		}
		out[n++] = c;
		/* A repeat of one byte, or of the last stretch. */
		if (f->on && drand48() < f->repeat) {
			size_t back = lrand48() % 4 ? 1
						    : 1 + (size_t)lrand48() % (n < 300 ? n : 300);
			memmove(out + n, out + n - back, back);
			n += back;
			f->repeats++;
		}
	}
	return n;
}

/* What a careful client keeps. */
struct client {
	struct faults faults;
	char session[20], token[16];
	long id, answered;
	unsigned char in[1 << 17];
	size_t in_len;
	uint64_t live[64];
	int count;
};

static void client_send(struct client *c, char *text, size_t size)
{
	static unsigned char out[4096];
	char framed[1024];

	rig_seal(text, size);
	int n = snprintf(framed, sizeof(framed), "\x1e%s\n", text);
	size_t len = harm(&c->faults, (unsigned char *)framed, (size_t)n, out);
	rig_send(rig, 0, out, len);
}

/* The next good record, or NULL. */
static struct json_object *client_take(struct client *c)
{
	struct rig_link *l = &rig->link[0];

	rig_poll(rig);
	c->in_len += harm(&c->faults, l->bytes, l->len, c->in + c->in_len);
	l->len = 0;
	for (;;) {
		unsigned char *end = memchr(c->in, '\n', c->in_len);
		if (!end)
			return NULL;
		*end = 0;
		char *start = (char *)memrchr(c->in, INSP_RS, (size_t)(end - c->in)), *crc = NULL;
		struct json_object *r = NULL;
		for (char *p = start; p && (p = strstr(p, INSP_CRC_KEY)); p++)
			crc = p;
		if (crc && strlen(crc) == 18) {
			char want[24];
			snprintf(want, sizeof(want), "%s\"%08x\"}", INSP_CRC_KEY,
				 rig_crc(start + 1, (size_t)(crc - start - 1)));
			if (!strcmp(want, crc))
				r = json_tokener_parse(start + 1);
		}
		size_t used = (size_t)(end + 1 - c->in);
		c->in_len -= used;
		memmove(c->in, end + 1, c->in_len);
		if (r)
			return r;
	}
}

/* Repeats a request until its answer is there; the answer. */
static struct json_object *client_call(struct client *c, const char *method, const char *params)
{
	char text[512];
	long id = ++c->id;

	for (int attempt = 0; attempt < 200; attempt++) {
		struct json_object *r, *v;
		int n = snprintf(text, sizeof(text),
				 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\",\"params\":%s",
				 id, method, params);
		snprintf(text + n, sizeof(text) - (size_t)n,
			 c->session[0] ? ",\"session\":\"%s\"}" : "}", c->session);
		client_send(c, text, sizeof(text));
		while ((r = client_take(c))) {
			if (json_object_object_get_ex(r, "id", &v) && v &&
			    json_object_get_int64(v) == id)
				return r;
			json_object_put(r);
		}
	}
	fail_msg("%s %ld is never answered", method, id);
	return NULL;
}

static void client_hello(struct client *c)
{
	char params[64];

	snprintf(c->token, sizeof(c->token), "t%ld", lrand48());
	snprintf(params, sizeof(params), "{\"token\":\"%s\"}", c->token);
	c->session[0] = 0;
	for (;;) {
		struct json_object *r = client_call(c, "hello", params), *result, *token;
		if (json_object_object_get_ex(r, "result", &result) &&
		    json_object_object_get_ex(result, "token", &token) && token &&
		    !strcmp(json_object_get_string(token), c->token)) {
			snprintf(c->session, sizeof(c->session), "%s", rig_str(result, "session"));
			json_object_put(r);
			return;
		}
		json_object_put(r);
	}
}

static void faulty_line(double flip, double drop, double repeat)
{
	static struct client c;
	long allocs = 0, frees = 0;

	c = (struct client){
		.faults = {.flip = flip, .drop = drop, .repeat = repeat, .on = true}
	    };
	rig->link[0].lenient = true;
	client_hello(&c);
	struct insp_stat before;
	insp_port_stat(&before);
	for (int i = 0; i < 10000; i++) {
		char params[64];
		struct json_object *r, *result;
		bool alloc = c.count < 64 && (c.count == 0 || lrand48() % 2);
		if (i % 5 == 0) {
			r = client_call(&c, "mm.stat", "{}");
			assert_true(json_object_object_get_ex(r, "result", &result));
			assert_int_equal(rig_int(result, "total"), before.total);
		} else if (alloc) {
			r = client_call(&c, "mm.kmalloc", "{\"size\":80}");
			assert_true(json_object_object_get_ex(r, "result", &result));
			assert_int_equal(rig_int(result, "size"), 128);
			c.live[c.count++] = strtoull(rig_str(result, "addr"), NULL, 16);
			allocs++;
		} else {
			int k = (int)(lrand48() % c.count);
			snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
				 (unsigned long long)c.live[k]);
			r = client_call(&c, "mm.kfree", params);
			/* A free that ran twice would be refused: a double free. */
			if (!json_object_object_get_ex(r, "result", &result))
				fail_msg("kfree: %s", json_object_to_json_string(r));
			c.live[k] = c.live[--c.count];
			frees++;
		}
		json_object_put(r);
	}
	assert_int_equal(model_counts()->kmallocs, allocs);
	assert_int_equal(model_counts()->kfrees, frees);
	assert_true(flip + drop + repeat < 1e-4 ||
		    c.faults.flips + c.faults.drops + c.faults.repeats > 50);
	/* The last fault is over: the very next request is answered, at the first attempt or, with
	 * half a record in the way, at the second. */
	c.faults.on = false;
	char text[128] = "\x1e" STAT "\n" STAT "\n";
	rig_send(rig, 0, "\n", 1);
	while (client_take(&c))
		;
	(void)text;
	long id = c.id;
	json_object_put(client_call(&c, "mm.stat", "{}"));
	assert_int_equal(c.id, id + 1);
}

static void test_faults_rare(void **state)
{
	(void)state;
	srand48(1);
	faulty_line(1e-5, 1e-5, 1e-5);
}

static void test_faults_flips(void **state)
{
	(void)state;
	srand48(2);
	faulty_line(1e-3, 0, 0);
}

static void test_faults_drops(void **state)
{
	(void)state;
	srand48(3);
	faulty_line(0, 1e-3, 0);
}

static void test_faults_repeats(void **state)
{
	(void)state;
	srand48(4);
	faulty_line(0, 0, 1e-3);
}

static void test_faults_all(void **state)
{
	(void)state;
	srand48(5);
	faulty_line(1e-3, 1e-3, 1e-3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_framing),
		T(test_single_bytes),
		T(test_overlong),
		T(test_not_a_request),
		T(test_ids),
		T(test_crc),
		T(test_batch),
		T(test_reply_cache),
		T(test_reply_window),
		T(test_answer_not_kept),
		T(test_sessions_end),
		T(test_crc_wanted),
		T(test_reset),
		T(test_line_full),
		T(test_flood),
		T(test_no_flood),
		T(test_two_links),
		T(test_panic),
		T(test_deferred),
		T(test_faults_rare),
		T(test_faults_flips),
		T(test_faults_drops),
		T(test_faults_repeats),
		T(test_faults_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
