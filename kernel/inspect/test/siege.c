/*
 * inspect-siege: what a live kernel has to stand. Each mode ends with 0, or says what broke and
 *ends with 1. The kernel runs `inspect=full workload=none` unless a mode says otherwise.
 *
 *	inspect-siege faults SOCKET REQUESTS PROBABILITY   a line that flips, drops and repeats
 *bytes inspect-siege hostile SOCKET SECONDS SEED          garbage, floods, random requests
 *	inspect-siege million SOCKET PAIRS                 allocations and frees; mm_stat as before
 *	inspect-siege walk SOCKET QMP RAM_MIB              mappings equal to the tables in memory
 *	inspect-siege watch SOCKET                         what watches tell equals what is, after
 *	                                                   each workload
 *	inspect-siege events SOCKET                        shown and lost ones are all there were
 *	inspect-siege flood SOCKET                         who never stops asking starves nobody
 *	inspect-siege panic SOCKET                         what reads is answered after a panic
 */
#include "picture.h"

#include <errno.h>
#include <inspect/protocol.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER (1 << 21)

static __attribute__((format(printf, 1, 2))) _Noreturn void broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("inspect-siege: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the line ---- */

static struct {
	int fd;
	char in[2 * BUFFER];
	size_t len;
	double harm; /* probability per byte of each kind of fault, both ways */
	char session[24];
	long id;
	uint64_t faults, repeats;
} line;

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		broken("%s: path too long", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		broken("%s: %s", path, strerror(errno));
	return fd;
}

/* Returns the new length; out holds twice len and 300. */
static size_t harm(const char *from, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (line.harm > 0 && drand48() < line.harm) {
			line.faults++;
			continue;
		}
		if (line.harm > 0 && drand48() < line.harm) {
			line.faults++;
			c = (char)(c ^ 1 << lrand48() % 8);
		}
		out[n++] = c;
		if (line.harm > 0 && drand48() < line.harm) {
			line.faults++;
			size_t back = 1 + (size_t)lrand48() % (n < 200 ? n : 200);
			memmove(out + n, out + n - back, back);
			n += back;
		}
	}
	return n;
}

static void take_bytes(void)
{
	static char raw[65536];
	ssize_t n = read(line.fd, raw, sizeof(raw));

	if (n <= 0)
		broken("the kernel's end of the line is closed");
	if (line.len > BUFFER)
		line.len = 0; /* nobody wants what piled up */
	line.len += harm(raw, (size_t)n, line.in + line.len);
}

/* Sends all, taking what comes meanwhile, as the other end may be waiting for that. */
static void send_raw(const char *bytes, size_t len)
{
	while (len) {
		struct pollfd p = {.fd = line.fd, .events = POLLIN | POLLOUT};
		if (poll(&p, 1, 20000) <= 0)
			broken("the line does not move");
		if (p.revents & (POLLIN | POLLHUP))
			take_bytes();
		if (!(p.revents & POLLOUT))
			continue;
		ssize_t n = send(line.fd, bytes, len, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			broken("send: %s", strerror(errno));
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static void send_record(const char *text)
{
	char framed[2048];
	static char harmed[8192];
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)text, (uInt)strlen(text) - 1);
	int n = snprintf(framed, sizeof(framed), "\x1e%.*s%s\"%08x\"}\n", (int)strlen(text) - 1,
			 text, INSP_CRC_KEY, crc);

	send_raw(harmed, harm(framed, (size_t)n, harmed));
}

static char record[BUFFER];

/* The next good record within the time as text in `record`; its length, 0 when there was none. */
static size_t next_record(double seconds)
{
	double until = now_s() + seconds;

	for (;;) {
		char *end;
		while ((end = memchr(line.in, '\n', line.len))) {
			size_t used = (size_t)(end + 1 - line.in);
			char *start = memrchr(line.in, INSP_RS, used), want[24];
			size_t len = start ? (size_t)(end - start) - 1 : 0;
			if (len > 18 && len < sizeof(record)) {
				memcpy(record, start + 1, len);
				record[len] = 0;
			}
			line.len -= used;
			memmove(line.in, line.in + used, line.len);
			if (len <= 18 || len >= sizeof(record))
				continue;
			snprintf(want, sizeof(want), "%s\"%08x\"}", INSP_CRC_KEY,
				 (uint32_t)crc32(0, (const Bytef *)record, (uInt)len - 18));
			if (!strcmp(want, record + len - 18))
				return len;
		}
		struct pollfd p = {.fd = line.fd, .events = POLLIN};
		double left = until - now_s();
		if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
			return 0;
		take_bytes();
	}
}

/* Repeats a request until its answer is there; the record, the caller's. */
static struct picture *watching; /* who takes notifications; NULL: nobody */

static struct json_object *call(const char *method, const char *params)
{
	char text[1024];
	long id = ++line.id;

	for (int attempt = 0; attempt < 400; attempt++) {
		line.repeats += attempt > 0;
		snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\",\"params\":%s%s%s%s}",
			 id, method, params, line.session[0] ? ",\"session\":\"" : "", line.session,
			 line.session[0] ? "\"" : "");
		send_record(text);
		while (next_record(line.harm > 0 ? 0.05 : 1)) {
			struct json_object *r = json_tokener_parse(record), *v;
			if (!r)
				broken("a record with a right crc is no JSON: %s", record);
			if (watching && json_object_object_get_ex(r, "method", NULL)) {
				picture_apply(watching, r);
				json_object_put(r);
				continue;
			}
			if (json_object_object_get_ex(r, "id", &v) && v &&
			    json_object_get_int64(v) == id)
				return r;
			bool refused = json_object_object_get_ex(r, "error", NULL);
			json_object_put(r);
			if (refused)
				break; /* the kernel could not read it: again, at once */
		}
	}
	broken("%s %s is never answered", method, params);
}

static struct json_object *result(struct json_object *r, const char *what)
{
	struct json_object *v;

	if (!json_object_object_get_ex(r, "result", &v))
		broken("%s: %s", what, json_object_to_json_string(r));
	return v;
}

static int64_t number(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		broken("no %s in %s", name, json_object_to_json_string(o));
	return json_object_get_int64(v);
}

static const char *string(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		broken("no %s in %s", name, json_object_to_json_string(o));
	return json_object_get_string(v);
}

static uint64_t address(struct json_object *o, const char *name)
{
	return strtoull(string(o, name), NULL, 16);
}

static void hello(void)
{
	char params[64];
	struct json_object *r;

	/* Unlike that of any other run, whatever the seed. */
	snprintf(params, sizeof(params), "{\"token\":\"%lx-%lx\"}", (long)getpid(),
		 (long)(now_s() * 1e6));
	line.session[0] = 0;
	r = call("hello", params);
	snprintf(line.session, sizeof(line.session), "%s", string(result(r, "hello"), "session"));
	json_object_put(r);
}

/* The seven figures as text. */
static void take_stat(char *out, size_t size)
{
	struct json_object *r = call("mm.stat", "{}"), *stat = result(r, "mm.stat");

	json_object_object_del(stat, "gen");
	snprintf(out, size, "%s", json_object_to_json_string(stat));
	json_object_put(r);
}

static void expect_clean(void)
{
	struct json_object *r = call("mm.check", "{}"), *ok;

	if (!json_object_object_get_ex(result(r, "mm.check"), "ok", &ok) ||
	    !json_object_get_boolean(ok))
		broken("mm.check: %s", json_object_to_json_string(r));
	json_object_put(r);
}

/* ---- faults ---- */

static void faults(long requests, double probability)
{
	static uint64_t live[256];
	int count = 0;
	char before[512], after[512], params[64];

	hello();
	/* The slab of the class is there in both pictures. */
	struct json_object *r = call("mm.kmalloc", "{\"size\":80}"), *res, *keep = r;
	take_stat(before, sizeof(before));
	line.harm = probability;
	for (long i = 0; i < requests; i++) {
		if (i % 7 == 0) {
			r = call("mm.stat", "{}");
			result(r, "mm.stat");
		} else if (count < 256 && (!count || lrand48() % 2)) {
			r = call("mm.kmalloc", "{\"size\":80}");
			res = result(r, "mm.kmalloc");
			if (number(res, "size") != 128)
				broken("a wrong answer: %s", record);
			live[count++] = address(res, "addr");
		} else {
			int k = (int)(lrand48() % count);
			snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
				 (unsigned long long)live[k]);
			r = call("mm.kfree", params);
			result(r, "mm.kfree"); /* run twice it would be a double free */
			live[k] = live[--count];
		}
		json_object_put(r);
	}
	line.harm = 0;
	double from = now_s();
	json_object_put(call("mm.stat", "{}"));
	if (now_s() - from > 1)
		broken("back only %.2f s after the last fault", now_s() - from);
	while (count) {
		snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
			 (unsigned long long)live[--count]);
		r = call("mm.kfree", params);
		result(r, "mm.kfree");
		json_object_put(r);
	}
	take_stat(after, sizeof(after));
	if (strcmp(before, after) != 0)
		broken("a request ran twice: %s, then %s", before, after);
	json_object_put(keep);
	printf("%ld requests, %llu faults, %llu repeats\n", requests,
	       (unsigned long long)line.faults, (unsigned long long)line.repeats);
}

/* ---- hostile ---- */

static const char *const methods[] = {"hello",		"rpc.discover",
				      "mm.stat",	"mm.zones",
				      "mm.frames",	"mm.caches",
				      "mm.slabs",	"mm.object",
				      "mm.spaces",	"mm.mappings",
				      "mm.translate",	"mm.rmap",
				      "mm.kmalloc",	"mm.kfree",
				      "mm.alloc_pages", "mm.free_pages",
				      "mm.map",		"mm.unmap",
				      "mm.check",	"space.create",
				      "space.destroy",	"mem.read",
				      "trace.start",	"trace.stop",
				      "trace.sites",	"trace.leaks",
				      "watch.start",	"watch.stop",
				      "workload.list",	"workload.start",
				      "workload.stop",	"sys.log",
				      "mm.nothing",	"",
				      "MM.STAT"};
static const char *const names[] = {
	"size",	  "addr",    "va",   "pa",     "len",	"flags",  "space",
	"zone",	  "num",     "from", "to",     "limit", "cursor", "id",
	"topics", "hz",	     "name", "events", "sort",	"since",  "older_than_us",
	"use4k",  "dry_run", "user", "params", "zero",	"x"};

static size_t random_value(char *out, size_t size)
{
	static const char *const fixed[] = {"null",
					    "true",
					    "[]",
					    "{}",
					    "\"w\"",
					    "\"wxugtc\"",
					    "\"ZONE_NORMAL\"",
					    "\"ZONE_DMA\"",
					    "[\"stat\",\"mappings\",\"frames\",\"events\"]",
					    "[\"PAGE_SHARED\"]",
					    "\"churn\"",
					    "\"leak\"",
					    "\"0xffff800000000000\"",
					    "\"0xffffffff80000000\"",
					    "\"0xffffc00000000000\"",
					    "\"0x0\"",
					    "\"0xffffffffffffffff\"",
					    "\"0x7ffffffff000\"",
					    "-1",
					    "1e9",
					    "1.5",
					    "\"\\ud800\"",
					    "[[[[[[1]]]]]]",
					    "4096",
					    "2097152",
					    "63",
					    "64",
					    "32",
					    "1048576",
					    "1048577",
					    "9007199254740991",
					    "1",
					    "0"};
	unsigned long long r = (unsigned long long)lrand48() << 33 ^ (unsigned long long)lrand48()
									     << 10;

	switch (lrand48() % 4) {
	case 0:
		return (size_t)snprintf(out, size, "\"0x%llx\"", r >> lrand48() % 64);
	case 1:
		return (size_t)snprintf(out, size, "%llu", r >> lrand48() % 64);
	default:
		return (size_t)snprintf(
			out, size, "%s",
			fixed[(size_t)lrand48() % (sizeof(fixed) / sizeof(fixed[0]))]);
	}
}

static size_t random_request(char *out, size_t size)
{
	size_t n = (size_t)snprintf(
		out, size, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\",\"params\":{",
		lrand48() % 5, methods[(size_t)lrand48() % (sizeof(methods) / sizeof(methods[0]))]);

	for (long k = lrand48() % 5; k; k--) {
		n += (size_t)snprintf(
			out + n, size - n,
			"\"%s\":", names[(size_t)lrand48() % (sizeof(names) / sizeof(names[0]))]);
		n += random_value(out + n, size - n);
		if (k > 1)
			out[n++] = ',';
	}
	return n + (size_t)snprintf(out + n, size - n, "}}");
}

/* One piece of nastiness. */
static void nastiness(void)
{
	static char text[300000];
	size_t n = 0;

	switch (lrand48() % 8) {
	case 0: /* noise */
		for (n = 0; n < 2000; n++)
			text[n] = (char)lrand48();
		break;
	case 1: /* no end */
		memset(text, '{', n = sizeof(text));
		break;
	case 2: /* half a record */
		n = random_request(text, 1000);
		n = (size_t)lrand48() % n;
		break;
	case 3: /* a wrong crc */
		n = random_request(text, 1000) - 1;
		n += (size_t)snprintf(text + n, 100, ",\"crc\":\"%08lx\"}\n", lrand48());
		break;
	case 4: /* a batch */
		text[n++] = '[';
		for (int k = 0; k < 12; k++) {
			n += random_request(text + n, 1000);
			text[n++] = ',';
		}
		text[n - 1] = ']';
		text[n++] = '\n';
		break;
	default: /* a flood */
		for (int k = 0; k < 200; k++) {
			n += random_request(text + n, 1000);
			text[n++] = '\n';
		}
	}
	send_raw(text, n);
}

/* Takes what comes until nothing comes any more. */
static void drain(void)
{
	double until = now_s() + 60;

	while (next_record(0.3))
		if (now_s() > until)
			broken("it never comes to rest");
}

static void hostile(double seconds)
{
	double until = now_s() + seconds;
	long rounds = 0;

	line.id = 1000000; /* unlike those of the random requests */
	for (; now_s() < until; rounds++) {
		nastiness();
		if (rounds % 8 == 7) {
			/* It lives. hello also ends the watches that random requests started. */
			send_raw("\n{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n", 36);
			drain();
			hello();
			expect_clean();
		}
	}
	send_raw("\n{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n", 36);
	drain();
	hello();
	expect_clean();
	printf("%ld pieces\n", rounds);
}

/* ---- a million ---- */

#define BATCH 256

static void million(long pairs)
{
	static char text[BATCH * 128];
	static uint64_t addr[BATCH];
	char before[512], after[512];

	hello();
	long first = line.id + 1;
	take_stat(before, sizeof(before));
	for (long done = 0; done < pairs; done += BATCH) {
		size_t n = 0;
		for (int i = 0; i < BATCH; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"mm."
					      "kmalloc\",\"params\":[%d]}\n",
					      i, 32 << (done / BATCH + i) % 8);
		/* hello carried a crc: without one nothing is taken; so no session here. */
		if (!done)
			send_raw("{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"hello\"}\n", 43);
		while (!done && next_record(5) && !strstr(record, "\"id\":-1,"))
			;
		send_raw(text, n);
		for (int got = 0; got < BATCH; got++) {
			if (!next_record(20))
				broken("no answer");
			char *at = strstr(record, "\"addr\":\"");
			if (!at)
				broken("%s", record);
			addr[got] = strtoull(at + 8, NULL, 16);
		}
		n = 0;
		for (int i = 0; i < BATCH; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"mm."
					      "kfree\",\"params\":[\"0x%llx\"]}\n",
					      i, (unsigned long long)addr[i]);
		send_raw(text, n);
		for (int got = 0; got < BATCH; got++)
			if (!next_record(20) || !strstr(record, "\"result\""))
				broken("%s", record);
	}
	line.id = first;
	hello();
	take_stat(after, sizeof(after));
	/* Slabs that hysteresis keeps are backing, not objects: the figures that must be equal. */
	struct json_object *a = json_tokener_parse(before), *b = json_tokener_parse(after);
	if (number(a, "cache_used") != number(b, "cache_used") ||
	    number(a, "total") != number(b, "total"))
		broken("mm_stat was %s and is %s", before, after);
	expect_clean();
	printf("%s\n%s\n", before, after);
	json_object_put(a);
	json_object_put(b);
}

/* ---- the walk ---- */

static struct {
	int fd;
	const uint8_t *memory;
	uint64_t bytes;
} guest;

static void qmp(const char *command)
{
	static char answer[65536];
	size_t len = 0;

	if (write(guest.fd, command, strlen(command)) < 0)
		broken("qmp: %s", strerror(errno));
	for (;;) {
		ssize_t n = read(guest.fd, answer + len, sizeof(answer) - 1 - len);
		if (n <= 0)
			broken("qmp: closed");
		len += (size_t)n;
		answer[len] = 0;
		if (strstr(answer, "\"error\""))
			broken("qmp: %s", answer);
		if (strstr(answer, "\"return\""))
			return;
		if (len > sizeof(answer) / 2)
			len = 0;
	}
}

/* The machine's memory as a file, taken while it stands. */
static void take_memory(const char *qmp_path, uint64_t bytes)
{
	char path[] = "/tmp/inspect-siege-XXXXXX", command[256];
	int fd = mkstemp(path);

	guest.fd = connect_to(qmp_path);
	qmp("{\"execute\":\"qmp_capabilities\"}\n");
	qmp("{\"execute\":\"stop\"}\n");
	snprintf(command, sizeof(command),
		 "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":0,\"size\":%llu,\"filename\":\"%"
		 "s\"}}\n",
		 (unsigned long long)bytes, path);
	qmp(command);
	qmp("{\"execute\":\"cont\"}\n");
	guest.bytes = bytes;
	guest.memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || guest.memory == MAP_FAILED)
		broken("%s: %s", path, strerror(errno));
	unlink(path);
	close(fd);
}

static uint64_t entry_at(uint64_t pa)
{
	uint64_t e;

	if (pa + 8 > guest.bytes)
		broken("a table at 0x%llx, outside of memory", (unsigned long long)pa);
	memcpy(&e, guest.memory + pa, 8);
	return e;
}

struct leaf {
	uint64_t va, pa;
	uint32_t page;
	char flags[8];
};
struct leaves {
	struct leaf *leaf;
	size_t count, room;
};

static void add_leaf(struct leaves *l, uint64_t va, uint64_t pa, uint32_t page, const char *flags)
{
	if (l->count == l->room) {
		l->room = l->room * 2 + 1024;
		l->leaf = realloc(l->leaf, l->room * sizeof(*l->leaf));
	}
	l->leaf[l->count] = (struct leaf){va, pa, page, ""};
	snprintf(l->leaf[l->count++].flags, 8, "%.6s", flags);
}

#define ADDRESS 0x000ffffffffff000ull

/* Intel SDM volume 3, 4.5: rights are those that all levels allow. */
static void walk(struct leaves *l, uint64_t table, int level, uint64_t va, bool w, bool u, bool x)
{
	uint64_t size = 1ull << (12 + 9 * (level - 1));

	for (uint64_t i = 0; i < 512; i++) {
		uint64_t e = entry_at(table + 8 * i), at = va + i * size;
		if (!(e & 1))
			continue;
		if (level == 4 && i >= 256)
			at |= 0xffff000000000000ull;
		bool ew = w && e & 2, eu = u && e & 4, ex = x && !(e >> 63);
		if (level > 1 && !(e & 0x80)) {
			walk(l, e & ADDRESS, level - 1, at, ew, eu, ex);
			continue;
		}
		char flags[7] = {ew ? 'w' : '-',	ex ? 'x' : '-',	   eu ? 'u' : '-',
				 e & 0x100 ? 'g' : '-', e & 8 ? 't' : '-', e & 16 ? 'c' : '-'};
		add_leaf(l, at, e & ADDRESS & ~(size - 1), (uint32_t)size, flags);
	}
}

/* What mm.mappings says of a space, leaf by leaf. */
static void ask(struct leaves *l, int64_t space)
{
	char params[160], cursor[64] = "";

	do {
		snprintf(params, sizeof(params), "{\"space\":%lld%s%s%s}", (long long)space,
			 cursor[0] ? ",\"cursor\":\"" : "", cursor, cursor[0] ? "\"" : "");
		struct json_object *r = call("mm.mappings", params), *res = result(r, params),
				   *runs, *next;
		json_object_object_get_ex(res, "runs", &runs);
		for (size_t i = 0; i < json_object_array_length(runs); i++) {
			struct json_object *run = json_object_array_get_idx(runs, i);
			uint64_t va = address(run, "va"), pa = address(run, "pa");
			uint64_t page = (uint64_t)number(run, "page");
			for (uint64_t at = 0; at < (uint64_t)number(run, "len"); at += page)
				add_leaf(l, va + at, pa + at, (uint32_t)page, string(run, "flags"));
		}
		json_object_object_get_ex(res, "next", &next);
		snprintf(cursor, sizeof(cursor), "%s", next ? json_object_get_string(next) : "");
		json_object_put(r);
	} while (cursor[0]);
}

static void compare(const struct leaves *told, const struct leaves *true_ones, int64_t space)
{
	for (size_t i = 0; i < told->count && i < true_ones->count; i++) {
		const struct leaf *a = &told->leaf[i], *b = &true_ones->leaf[i];
		if (a->va != b->va || a->pa != b->pa || a->page != b->page ||
		    strcmp(a->flags, b->flags) != 0)
			broken("space %lld: told 0x%llx -> 0x%llx %u %s, true 0x%llx -> 0x%llx %u "
			       "%s",
			       (long long)space, (unsigned long long)a->va,
			       (unsigned long long)a->pa, a->page, a->flags,
			       (unsigned long long)b->va, (unsigned long long)b->pa, b->page,
			       b->flags);
	}
	if (told->count != true_ones->count)
		broken("space %lld: %zu leaves told, %zu true", (long long)space, told->count,
		       true_ones->count);
	printf("space %lld: %zu leaves equal\n", (long long)space, told->count);
}

static int64_t make_space(const char *name)
{
	char params[64];

	snprintf(params, sizeof(params), "{\"name\":\"%s\"}", name);
	struct json_object *r = call("space.create", params);
	int64_t id = number(result(r, "space.create"), "id");
	json_object_put(r);
	return id;
}

/* Many mm.map at once, in a session without crc. */
static void map_many(int64_t space, long count, uint64_t len, uint64_t stride,
		     const char *const flags[4])
{
	char text[512];
	long sent = 0, got = 0;

	while (got < count) {
		while (sent < count && sent - got < 200) {
			uint64_t va = 0x400000 + (uint64_t)sent * stride;
			uint64_t pa = ((uint64_t)sent * 2654435761u % 30000) * 0x10000;
			snprintf(text, sizeof(text),
				 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"mm.map\",\"params\":"
				 "{\"va\":\"0x%llx\",\"pa\":"
				 "\"0x%llx\",\"len\":%llu,\"flags\":\"%s\",\"use4k\":true,"
				 "\"space\":%lld}}",
				 line.id + 1 + sent, (unsigned long long)va, (unsigned long long)pa,
				 (unsigned long long)len, flags[sent % 4], (long long)space);
			send_record(text);
			sent++;
		}
		if (!next_record(20))
			broken("no answer to mm.map");
		if (!strstr(record, "\"result\""))
			broken("mm.map: %s", record);
		got++;
	}
	line.id += count;
}

static void walk_all(const char *qmp_path, uint64_t ram_mib)
{
	static const char *const mixed[4] = {"w", "", "xu", "wuc"};
	static const char *const same[4] = {"w", "w", "w", "w"};

	hello();
	/* 33,280 leaves in hostile order: runs of 8 pages that never join, with other rights each.
	 */
	map_many(make_space("hostile"), 4160, 0x8000, 0x8000, mixed);
	/* 262,144 pages, scattered: 16 in a row, then a hole. */
	map_many(make_space("scattered"), 16384, 0x10000, 0x11000, same);
	struct json_object *r = call("mm.spaces", "{}"), *spaces;
	json_object_object_get_ex(result(r, "mm.spaces"), "spaces", &spaces);
	struct leaves told[8] = {{0}};
	size_t n = json_object_array_length(spaces);
	if (n > 8)
		broken("%zu spaces", n);
	for (size_t i = 0; i < n; i++)
		ask(&told[i], number(json_object_array_get_idx(spaces, i), "id"));
	take_memory(qmp_path, ram_mib << 20);
	for (size_t i = 0; i < n; i++) {
		struct json_object *s = json_object_array_get_idx(spaces, i);
		struct leaves truth = {0};
		walk(&truth, address(s, "root"), 4, 0, true, true, true);
		compare(&told[i], &truth, number(s, "id"));
		free(truth.leaf);
		free(told[i].leaf);
	}
	json_object_put(r);
}

/* ---- watching ---- */

static void not_equal(const char *what)
{
	broken("%s", what);
}

/* Takes notifications until none has come for a while. */
static void pump(double quiet_s)
{
	while (next_record(quiet_s)) {
		struct json_object *r = json_tokener_parse(record);
		if (r && json_object_object_get_ex(r, "method", NULL))
			picture_apply(watching, r);
		json_object_put(r);
	}
}

/* All pages of a list joined; the caller's. */
static struct json_object *all_pages(const char *method, const char *params, const char *name)
{
	struct json_object *all = json_object_new_array(), *next;
	char text[256], cursor[64] = "";

	do {
		const char *comma = params[1] == '}' ? "" : ",";
		snprintf(text, sizeof(text), "%.*s%s%s%s%s}", (int)strlen(params) - 1, params,
			 cursor[0] ? comma : "", cursor[0] ? "\"cursor\":\"" : "", cursor,
			 cursor[0] ? "\"" : "");
		struct json_object *r = call(method, text), *items, *res = result(r, method);
		json_object_object_get_ex(res, name, &items);
		for (size_t i = 0; i < json_object_array_length(items); i++)
			json_object_array_add(all,
					      json_object_get(json_object_array_get_idx(items, i)));
		next = NULL;
		json_object_object_get_ex(res, "next", &next);
		snprintf(cursor, sizeof(cursor), "%s", next ? json_object_get_string(next) : "");
		json_object_put(r);
	} while (cursor[0]);
	return all;
}

static void must(const char *method, const char *params)
{
	struct json_object *r = call(method, params);

	result(r, method);
	json_object_put(r);
}

static void compare_picture(const struct picture *p)
{
	struct json_object *r = call("mm.stat", "{}"), *list, *spaces;
	size_t at = 0;

	picture_compare_stat(p, result(r, "mm.stat"));
	json_object_put(r);
	list = all_pages("mm.zones", "{}", "zones");
	picture_compare_list(p, p->zones, list);
	json_object_put(list);
	list = all_pages("mm.caches", "{}", "caches");
	picture_compare_list(p, p->caches, list);
	json_object_put(list);
	list = all_pages("mm.frames", "{}", "runs");
	picture_compare_frames(p, list);
	json_object_put(list);
	spaces = all_pages("mm.spaces", "{}", "spaces");
	for (size_t i = 0; i < json_object_array_length(spaces); i++) {
		char params[96];
		int64_t id = number(json_object_array_get_idx(spaces, i), "id");
		snprintf(params, sizeof(params), "{\"space\":%lld%s}", (long long)id,
			 id ? ",\"to\":\"0x7fffffffffff\"" : "");
		list = all_pages("mm.mappings", params, "runs");
		picture_compare_space(p, (uint32_t)id, list, &at);
		json_object_put(list);
	}
	if (at != p->leaves)
		broken("%zu leaves in the picture, %zu there", p->leaves, at);
	json_object_put(spaces);
}

static void watch(void)
{
	static const char *const workloads[] = {"mixed", "maps", "churn", "fragment"};
	static struct picture p;
	char params[64];

	hello();
	picture_init(&p, not_equal);
	watching = &p;
	must("watch.start", "{\"topics\":[\"stat\",\"zones\",\"caches\","
			    "\"frames\",\"mappings\"],\"hz\":20}");
	for (size_t i = 0; i < 4; i++) {
		snprintf(params, sizeof(params), "{\"name\":\"%s\"}", workloads[i]);
		must("workload.start", params);
		double until = now_s() + 1;
		while (now_s() < until)
			json_object_put(call("mm.stat", "{}"));
		must("workload.stop", params);
		pump(0.7);
		compare_picture(&p);
		printf("%s: equal\n", workloads[i]);
	}
	picture_free(&p);
}

/* ---- events ---- */

static int64_t object_calls(void)
{
	struct json_object *caches = all_pages("mm.caches", "{}", "caches");
	int64_t calls = 0;

	for (size_t i = 0; i < json_object_array_length(caches); i++) {
		struct json_object *cache = json_object_array_get_idx(caches, i);
		calls += number(cache, "allocs") + number(cache, "frees");
	}
	json_object_put(caches);
	return calls;
}

static void events(void)
{
	/* What starting and stopping a thread maps, and the tables for it. */
	enum { BESIDE = 64, RING = 8192 };
	static struct picture p;

	hello();
	picture_init(&p, not_equal);
	watching = &p;
	int64_t before = object_calls();
	must("watch.start", "{\"topics\":[\"events\"],\"hz\":10}");
	must("workload.start", "{\"name\":\"churn\",\"params\":{\"rate\":0,\"frames\":0}}");
	double until = now_s() + 2;
	while (now_s() < until)
		pump(0.01);
	must("workload.stop", "{\"name\":\"churn\"}");
	pump(0.7);
	int64_t calls = object_calls() - before, told = (int64_t)(p.events + p.events_lost);
	printf("%lld calls: %llu events shown, %llu lost\n", (long long)calls,
	       (unsigned long long)p.events, (unsigned long long)p.events_lost);
	if (llabs(calls - told) > BESIDE)
		broken("shown and lost are not all there were");
	if (p.events < RING || p.events_lost == 0)
		broken("either too few were shown or none was lost");
	picture_free(&p);
}

/* ---- flood ---- */

static int64_t churn_operations(void)
{
	struct json_object *list = all_pages("workload.list", "{}", "workloads");
	int64_t operations = -1;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *w = json_object_array_get_idx(list, i);
		if (!strcmp(string(w, "name"), "churn"))
			operations = number(w, "operations");
	}
	json_object_put(list);
	return operations;
}

/* 200 requests at once, again and again. */
static void ask_without_end(double seconds)
{
	char text[256];
	double until = now_s() + seconds;

	while (now_s() < until) {
		for (int i = 0; i < 200; i++) {
			snprintf(text, sizeof(text),
				 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"mm.stat\"}",
				 ++line.id);
			send_record(text);
		}
		for (int i = 0; i < 200; i++)
			if (!next_record(10))
				broken("no answer in a flood");
	}
}

static void flood(void)
{
	hello();
	struct json_object *r = call("workload.start", "{\"name\":\"churn\"}");
	result(r, "workload.start");
	json_object_put(r);
	int64_t a = churn_operations();
	usleep(1500000);
	int64_t b = churn_operations();
	ask_without_end(1.5);
	int64_t c = churn_operations();
	printf("churn: %lld operations alone, %lld in a flood\n", (long long)(b - a),
	       (long long)(c - b));
	if ((c - b) * 5 < b - a)
		broken("a flood starves the kernel's own threads");
}

/* ---- panic ---- */

static void after_panic(void)
{
	static const char *const reads[][2] = {
		{"mm.stat",	    "{}"					      },
		{"mm.zones",	     "{}"					      },
		{"mm.frames",     "{}"					      },
		{"mm.caches",     "{}"					      },
		{"mm.slabs",	     "{\"size\":64}"				    },
		{"mm.spaces",     "{}"					      },
		{"mm.mappings",	"{}"					      },
		{"mm.translate",	 "{\"va\":\"0xffffffff80000000\"}"		  },
		{"mm.rmap",	    "{\"pa\":\"0x1000000\"}"			    },
		{"mem.read",	     "{\"va\":\"0xffffffff80000000\",\"len\":64}"	 },
		{"sys.log",	    "{}"					      },
		{"mm.object",     "{\"addr\":\"0xffff800001000000\"}"		 },
		{"workload.list", "{}"					      },
		{"rpc.discover",	 "{}"					      },
		{"watch.start",
		 "{\"topics\":[\"stat\",\"frames\",\"mappings\",\"log\"],\"hz\":10}"}
	     };
	static const char *const changes[][2] = {
		{"mm.kmalloc",     "{\"size\":1}"	     },
		{"mm.kfree",	     "{\"addr\":\"0x0\"}"	 },
		{"trace.start",	"{}"		    },
		{"workload.start", "{\"name\":\"churn\"}"}
	  };

	hello();
	struct json_object *r = call("sys.panic", "{}");
	result(r, "sys.panic");
	json_object_put(r);
	usleep(300000);
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		r = call(reads[i][0], reads[i][1]);
		result(r, reads[i][0]);
		json_object_put(r);
	}
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct json_object *e;
		r = call(changes[i][0], changes[i][1]);
		if (!json_object_object_get_ex(r, "error", &e) || number(e, "code") != INSP_E_BUSY)
			broken("%s after a panic: %s", changes[i][0],
			       json_object_to_json_string(r));
		json_object_put(r);
	}
	r = call("sys.log", "{\"limit\":1000}");
	if (!strstr(json_object_to_json_string(r), "panic"))
		broken("the log does not tell of the panic");
	json_object_put(r);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fputs("usage: inspect-siege faults|hostile|million|walk|watch|events|flood|panic "
		      "SOCKET "
		      "...\n",
		      stderr);
		return 2;
	}
	srand48(argc > 4 ? atol(argv[4]) : 7);
	line.fd = connect_to(argv[2]);
	if (!strcmp(argv[1], "faults") && argc == 5)
		faults(atol(argv[3]), strtod(argv[4], NULL));
	else if (!strcmp(argv[1], "hostile") && argc == 5)
		hostile(strtod(argv[3], NULL));
	else if (!strcmp(argv[1], "million") && argc == 4)
		million(atol(argv[3]));
	else if (!strcmp(argv[1], "walk") && argc == 5)
		walk_all(argv[3], (uint64_t)atol(argv[4]));
	else if (!strcmp(argv[1], "watch"))
		watch();
	else if (!strcmp(argv[1], "events"))
		events();
	else if (!strcmp(argv[1], "flood"))
		flood();
	else if (!strcmp(argv[1], "panic"))
		after_panic();
	else
		return 2;
	return 0;
}
