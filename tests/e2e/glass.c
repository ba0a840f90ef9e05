/*
 * glass-client: holds the inspector of a running kernel to what it promises, over a bare socket and
 * with nothing of the project between. Ends with 0, or says what broke and ends with 1.
 *
 *	glass-client faults SOCKET REQUESTS PROBABILITY SEED
 *		A line that flips, drops and repeats bytes, each with the probability per byte, both
 *		ways. Requests of six kinds, 32 on their way at once; every answer is compared with
 *		what is known to be right, the kernel's account of live objects with our own, and
 *		the line must be back within a second of the last fault.
 *	glass-client million SOCKET REQUESTS
 *		So many allocations and frees; then all seven figures of mm_stat are as they were.
 *
 * The kernel runs with workload=none: whatever else moved the figures would be an error too.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define RS	       0x1e
#define CRC_KEY	       ",\"crc\":"
#define CRC_TAIL_BYTES 18 /* of `,"crc":"xxxxxxxx"}` */
#define PIECE_BYTES    65536
#define RECORD_BYTES   (1 << 20)
#define BACK_WITHIN_S  1.0
#define SILENCE_S      60.0 /* so long without a step forward: broken, not slow */
#define REPEATED_MAX   200  /* bytes that a fault repeats */

static __attribute__((format(printf, 1, 2))) _Noreturn void broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("glass-client: ", stderr);
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

static uint32_t below(uint32_t n)
{
	return (uint32_t)lrand48() % n;
}

/* ---- the line, and what spoils it ---- */

struct line {
	int fd;
	char in[2 * RECORD_BYTES];
	size_t len;
	char record[RECORD_BYTES];
	double harm; /* probability per byte of each kind of fault */
	uint64_t faults;
	double last_fault_s;
};

static void line_open(struct line *line, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path))
		broken("%s: the path is too long for a socket", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (line->fd < 0 || connect(line->fd, (struct sockaddr *)&a, sizeof(a)))
		broken("%s: %s", path, strerror(errno));
}

static bool fault(struct line *line)
{
	if (line->harm <= 0 || drand48() >= line->harm)
		return false;
	line->faults++;
	line->last_fault_s = now_s();
	return true;
}

/* Copies with faults, never more than `room` bytes (what does not fit is one more fault). */
static size_t spoil(struct line *line, const char *from, size_t len, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < room; i++) {
		if (fault(line))
			continue;
		out[n++] = fault(line) ? (char)(from[i] ^ 1 << below(8)) : from[i];
		if (fault(line)) {
			size_t back = 1 + below(n < REPEATED_MAX ? (uint32_t)n : REPEATED_MAX);

			back = back < room - n ? back : room - n;
			memcpy(out + n, out + n - back, back);
			n += back;
		}
	}
	return n;
}

static void line_take(struct line *line)
{
	static char raw[PIECE_BYTES];
	ssize_t n = read(line->fd, raw, sizeof(raw));

	if (n <= 0)
		broken("the kernel's end of the line is closed");
	if (line->len > RECORD_BYTES)
		broken("a record of more than %d bytes", RECORD_BYTES);
	line->len += spoil(line, raw, (size_t)n, line->in + line->len,
			   sizeof(line->in) - line->len);
}

/* Sends all, and takes what comes meanwhile: the other end may wait for that. */
static void line_send(struct line *line, const char *bytes, size_t len)
{
	static char spoiled[2 * PIECE_BYTES];
	const char *at = spoiled;
	size_t left = spoil(line, bytes, len, spoiled, sizeof(spoiled));

	while (left) {
		struct pollfd p = {.fd = line->fd, .events = POLLIN | POLLOUT};

		if (poll(&p, 1, (int)(SILENCE_S * 1000)) <= 0)
			broken("the line does not move");
		if (p.revents & (POLLIN | POLLHUP))
			line_take(line);
		ssize_t n = p.revents & POLLOUT ? send(line->fd, at, left, MSG_DONTWAIT) : 0;
		if (n < 0 && errno != EAGAIN)
			broken("send: %s", strerror(errno));
		if (n > 0) {
			at += n;
			left -= (size_t)n;
		}
	}
}

/* A text that ends with `}`, as a record with its crc. Returns its length. */
static size_t frame_record(const char *text, char *out, size_t room)
{
	size_t body = strlen(text) - 1;
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)text, (uInt)body);
	int n = snprintf(out, room, "%c%.*s" CRC_KEY "\"%08x\"}\n", RS, (int)body, text, crc);

	if (n < 0 || (size_t)n >= room)
		broken("a request too long to frame");
	return (size_t)n;
}

static bool crc_is_right(const char *record, size_t len)
{
	char want[CRC_TAIL_BYTES + 1];

	if (len <= CRC_TAIL_BYTES)
		return false;
	snprintf(want, sizeof(want), CRC_KEY "\"%08x\"}",
		 (uint32_t)crc32(0, (const Bytef *)record, (uInt)(len - CRC_TAIL_BYTES)));
	return !memcmp(record + len - CRC_TAIL_BYTES, want, CRC_TAIL_BYTES);
}

/* The next record whose crc is right, parsed, the caller's; NULL: none within the time. */
static struct json_object *line_next(struct line *line, double seconds)
{
	double until = now_s() + seconds;

	for (;;) {
		char *end = memchr(line->in, '\n', line->len);

		if (end) {
			size_t used = (size_t)(end + 1 - line->in);
			char *start = memrchr(line->in, RS, used);
			size_t len = start ? (size_t)(end - start) - 1 : 0;

			if (len >= sizeof(line->record))
				len = 0;
			memcpy(line->record, start ? start + 1 : "", len);
			line->record[len] = 0;
			memmove(line->in, end + 1, line->len -= used);
			if (!crc_is_right(line->record, len))
				continue;
			struct json_object *o = json_tokener_parse(line->record);
			if (!o)
				broken("a record with a right crc is no JSON: %s", line->record);
			return o;
		}
		struct pollfd p = {.fd = line->fd, .events = POLLIN};
		double left = until - now_s();
		if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
			return NULL;
		line_take(line);
	}
}

/* ---- JSON ---- */

static struct json_object *get(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

static struct json_object *need(struct json_object *o, const char *name)
{
	struct json_object *v = get(o, name);

	if (!v)
		broken("no '%s' in %s", name, json_object_to_json_string(o));
	return v;
}

static uint64_t number_of(struct json_object *o, const char *name)
{
	return (uint64_t)json_object_get_int64(need(o, name));
}

static uint64_t address_of(struct json_object *o, const char *name)
{
	return strtoull(json_object_get_string(need(o, name)), NULL, 16);
}

static const char *text_of(struct json_object *o, const char *name)
{
	return json_object_get_string(need(o, name));
}

/* ---- one request at a time, repeated until it is answered ---- */

struct client {
	struct line line;
	char session[32];
	uint64_t id; /* the newest one used */
};

static void compose(struct client *c, char *out, size_t room, uint64_t id, const char *method,
		    const char *params)
{
	snprintf(out, room,
		 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":%s%s%s%s}",
		 (unsigned long long)id, method, params, c->session[0] ? ",\"session\":\"" : "",
		 c->session, c->session[0] ? "\"" : "");
}

/* The record that answers; the caller's. */
static struct json_object *call(struct client *c, const char *method, const char *params)
{
	char text[1024], framed[1200];
	uint64_t id = ++c->id;
	double since_s = now_s();

	compose(c, text, sizeof(text), id, method, params);
	size_t len = frame_record(text, framed, sizeof(framed));
	while (now_s() - since_s < SILENCE_S) {
		struct json_object *o;

		line_send(&c->line, framed, len);
		while ((o = line_next(&c->line, 0.25))) {
			if (get(o, "id") && (uint64_t)json_object_get_int64(get(o, "id")) == id)
				return o;
			json_object_put(o);
		}
	}
	broken("%s %s was not answered in %.0f s", method, params, SILENCE_S);
}

/* Its result; put the record that is returned through `record`. */
static struct json_object *result_of(struct json_object *record)
{
	if (!get(record, "result"))
		broken("refused: %s", json_object_to_json_string(record));
	return get(record, "result");
}

static void begin_session(struct client *c)
{
	char token[40], params[64];

	snprintf(token, sizeof(token), "%lx-%llx", (long)getpid(),
		 (unsigned long long)(now_s() * 1e6));
	snprintf(params, sizeof(params), "{\"token\":\"%s\"}", token);
	struct json_object *r = call(c, "hello", params);
	if (strcmp(text_of(result_of(r), "token"), token) != 0)
		broken("hello does not echo the token: %s", json_object_to_json_string(r));
	snprintf(c->session, sizeof(c->session), "%s", text_of(result_of(r), "session"));
	json_object_put(r);
	c->id = 0; /* a new session counts anew */
}

/* A page of facts as text, without `gen`. */
static void facts(struct client *c, const char *method, char *out, size_t room)
{
	struct json_object *r = call(c, method, "{}"), *result = result_of(r);

	json_object_object_del(result, "gen");
	snprintf(out, room, "%s", json_object_to_json_string(result));
	json_object_put(r);
}

static void expect_clean(struct client *c)
{
	struct json_object *r = call(c, "mm.check", "{}");

	if (!json_object_get_boolean(need(result_of(r), "ok")))
		broken("mm.check: %s", json_object_to_json_string(r));
	json_object_put(r);
}

/* ---- faults: many requests on their way, each with an answer that is known ---- */

#define WINDOW	    32u
#define ID_SPAN	    256u /* oldest open to newest id: well within what the kernel remembers */
#define OBJECTS_MAX 512u
#define TRUTHS	    16u
#define TRUTH_BYTES 64u
#define IMAGE_VA    UINT64_C(0xffffffff80000000) /* the kernel's text: does not change */
#define SIZES	    12u				 /* classes 32 bytes to 64 KiB */

enum kind { KMALLOC, KFREE, OBJECT, READ, TRANSLATE, REFUSED, KINDS };

struct object {
	uint64_t addr, size;
	bool busy; /* a request on its way speaks of it */
};

struct request {
	bool open;
	enum kind kind;
	uint64_t id, sent_as; /* sent_as: place in the order of sending */
	double sent_s;
	uint32_t which; /* object, or truth */
	uint64_t size;
	char framed[512];
	size_t len;
};

static struct {
	struct request window[WINDOW];
	struct object object[OBJECTS_MAX];
	uint32_t objects;
	struct {
		char params[80], hex[2 * TRUTH_BYTES + 1], pa[24];
	} truth[TRUTHS];
	uint64_t sendings, repeats, answered;
	double rtt_s; /* smoothed */
} f;

static void learn_truths(struct client *c)
{
	char params[80];

	for (uint32_t i = 0; i < TRUTHS; i++) {
		unsigned long long va = IMAGE_VA + i * 0x340;

		snprintf(f.truth[i].params, sizeof(f.truth[i].params),
			 "{\"va\":\"0x%llx\",\"len\":%u}", va, TRUTH_BYTES);
		struct json_object *r = call(c, "mem.read", f.truth[i].params);
		snprintf(f.truth[i].hex, sizeof(f.truth[i].hex), "%s",
			 text_of(result_of(r), "hex"));
		json_object_put(r);
		snprintf(params, sizeof(params), "{\"va\":\"0x%llx\"}", va);
		r = call(c, "mm.translate", params);
		snprintf(f.truth[i].pa, sizeof(f.truth[i].pa), "%s", text_of(result_of(r), "pa"));
		json_object_put(r);
	}
}

static uint32_t idle_object(void)
{
	for (uint32_t tries = 0; f.objects && tries < 16; tries++) {
		uint32_t i = below(f.objects);

		if (!f.object[i].busy)
			return i;
	}
	return OBJECTS_MAX;
}

static enum kind choose(uint32_t *which)
{
	enum kind kind = (enum kind)below(KINDS);

	*which = idle_object();
	if ((kind == KFREE || kind == OBJECT) && *which == OBJECTS_MAX)
		return KMALLOC;
	if (kind == KMALLOC && f.objects + WINDOW > OBJECTS_MAX)
		return *which == OBJECTS_MAX ? READ : KFREE;
	return kind;
}

static void transmit(struct client *c, struct request *q)
{
	q->sent_as = ++f.sendings;
	q->sent_s = now_s();
	line_send(&c->line, q->framed, q->len);
}

static void ask(struct client *c, struct request *q)
{
	static const char *const methods[KINDS] = {"mm.kmalloc", "mm.kfree",	 "mm.object",
						   "mem.read",	 "mm.translate", "mm.kmalloc"};
	char params[96], text[400];

	*q = (struct request){.open = true, .id = ++c->id};
	q->kind = choose(&q->which);
	switch (q->kind) {
	case KMALLOC:
		q->size = UINT64_C(32) << below(SIZES);
		snprintf(params, sizeof(params), "{\"size\":%llu}",
			 (unsigned long long)(q->size - below(16)));
		break;
	case KFREE:
	case OBJECT:
		f.object[q->which].busy = true;
		snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
			 (unsigned long long)f.object[q->which].addr);
		break;
	case READ:
		q->which = below(TRUTHS);
		snprintf(params, sizeof(params), "%s", f.truth[q->which].params);
		break;
	case TRANSLATE:
		q->which = below(TRUTHS);
		snprintf(params, sizeof(params), "{\"va\":\"0x%llx\"}",
			 (unsigned long long)(IMAGE_VA + q->which * 0x340));
		break;
	default:
		snprintf(params, sizeof(params), "{\"size\":1048577}");
	}
	compose(c, text, sizeof(text), q->id, methods[q->kind], params);
	q->len = frame_record(text, q->framed, sizeof(q->framed));
	transmit(c, q);
}

static void got_object(const struct request *q, struct json_object *result)
{
	struct object fresh = {.addr = address_of(result, "addr"), .size = q->size};

	if (number_of(result, "size") != q->size || fresh.addr % 32)
		broken("a wrong answer to kmalloc: %s", json_object_to_json_string(result));
	for (uint32_t i = 0; i < f.objects; i++)
		if (fresh.addr < f.object[i].addr + f.object[i].size &&
		    f.object[i].addr < fresh.addr + fresh.size && !f.object[i].busy)
			broken("0x%llx was given twice", (unsigned long long)fresh.addr);
	f.object[f.objects++] = fresh;
}

/* The last object moves to the place of the freed one; requests that speak of it follow. */
static void forget_object(uint32_t which)
{
	uint32_t last = --f.objects;

	f.object[which] = f.object[last];
	for (uint32_t i = 0; i < WINDOW; i++) {
		struct request *q = &f.window[i];

		if (q->open && (q->kind == KFREE || q->kind == OBJECT) && q->which == last)
			q->which = which;
	}
}

static void judge(struct request *q, struct json_object *record)
{
	const char *text = json_object_to_json_string(record);

	if (q->kind == REFUSED) {
		if (json_object_get_int(need(need(record, "error"), "code")) != -32001)
			broken("a wrong answer to kmalloc of too much: %s", text);
		return;
	}
	struct json_object *result = result_of(record);
	switch (q->kind) {
	case KMALLOC:
		got_object(q, result);
		break;
	case KFREE: /* run twice, it would be refused as a double free */
		if (number_of(result, "size") != f.object[q->which].size)
			broken("a wrong answer to kfree: %s", text);
		q->open = false;
		forget_object(q->which);
		break;
	case OBJECT:
		if (strcmp(text_of(result, "state"), "used") != 0 ||
		    address_of(result, "base") != f.object[q->which].addr ||
		    number_of(result, "size") != f.object[q->which].size)
			broken("a wrong answer to mm.object: %s", text);
		f.object[q->which].busy = false;
		break;
	case READ:
		if (strcmp(text_of(result, "hex"), f.truth[q->which].hex) != 0)
			broken("a wrong answer to mem.read: %s", text);
		break;
	default:
		if (strcmp(text_of(result, "pa"), f.truth[q->which].pa) != 0)
			broken("a wrong answer to mm.translate: %s", text);
	}
}

/* The line keeps the order: what was sent before the answered one and is still open was lost. */
static void repeat_lost(struct client *c, uint64_t before)
{
	double patience_s = f.rtt_s * 4 + 0.01, now = now_s();

	for (uint32_t i = 0; i < WINDOW; i++) {
		struct request *q = &f.window[i];

		if (q->open && (q->sent_as < before || now - q->sent_s > patience_s)) {
			f.repeats++;
			transmit(c, q);
		}
	}
}

static void take_answer(struct client *c, struct json_object *record)
{
	struct json_object *id = get(record, "id");

	if (!id) { /* the kernel could not read one of them; which one shows by the others */
		if (!get(record, "error"))
			broken("neither id nor error: %s", json_object_to_json_string(record));
		return;
	}
	for (uint32_t i = 0; i < WINDOW; i++) {
		struct request *q = &f.window[i];

		if (!q->open || q->id != (uint64_t)json_object_get_int64(id))
			continue;
		uint64_t sent_as = q->sent_as;
		double took_s = now_s() - q->sent_s;

		judge(q, record);
		q->open = false;
		f.answered++;
		f.rtt_s = f.rtt_s * 0.9 + took_s * 0.1;
		repeat_lost(c, sent_as);
		return;
	}
}

static uint64_t oldest_open(void)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < WINDOW; i++)
		if (f.window[i].open && f.window[i].id < oldest)
			oldest = f.window[i].id;
	return oldest;
}

static void fill_window(struct client *c, uint64_t *left)
{
	for (uint32_t i = 0; i < WINDOW && *left; i++) {
		uint64_t oldest = oldest_open();

		if (oldest != UINT64_MAX && c->id + 1 - oldest >= ID_SPAN)
			return;
		if (f.window[i].open)
			continue;
		ask(c, &f.window[i]);
		--*left;
	}
}

static void exchange(struct client *c, uint64_t requests)
{
	uint64_t left = requests, seen = f.answered;
	double moved_s = now_s();

	fill_window(c, &left);
	while (oldest_open() != UINT64_MAX) {
		struct json_object *record = line_next(&c->line, f.rtt_s * 2 + 0.005);

		if (record)
			take_answer(c, record);
		else
			repeat_lost(c, 0);
		json_object_put(record);
		fill_window(c, &left);
		if (f.answered != seen) {
			seen = f.answered;
			moved_s = now_s();
		}
		if (now_s() - moved_s > SILENCE_S)
			broken("no answer for %.0f s", SILENCE_S);
	}
}

/* Live objects of each class by the kernel's account, plus `more` of ours. */
static void account(struct client *c, int64_t used[], uint32_t classes)
{
	struct json_object *r = call(c, "mm.caches", "{}"), *caches = need(result_of(r), "caches");

	for (size_t i = 0; i < classes && i < json_object_array_length(caches); i++)
		used[i] = (int64_t)number_of(json_object_array_get_idx(caches, i), "used");
	json_object_put(r);
}

static void compare_account(struct client *c, const int64_t *before, uint32_t classes)
{
	int64_t now[16] = {0};

	account(c, now, classes);
	for (uint32_t i = 0; i < f.objects; i++)
		for (uint32_t k = 0; k < SIZES; k++)
			now[k] -= f.object[i].size == UINT64_C(32) << k;
	for (uint32_t k = 0; k < classes; k++)
		if (now[k] != before[k])
			broken("class %llu: the kernel holds %lld objects more than we know of: a "
			       "request ran twice or not at all",
			       (unsigned long long)32 << k, (long long)(now[k] - before[k]));
}

static void free_all(struct client *c)
{
	char params[48];

	while (f.objects) {
		snprintf(params, sizeof(params), "{\"addr\":\"0x%llx\"}",
			 (unsigned long long)f.object[--f.objects].addr);
		struct json_object *r = call(c, "mm.kfree", params);
		result_of(r);
		json_object_put(r);
	}
}

static void faults(struct client *c, uint64_t requests, double probability)
{
	int64_t before[16] = {0};
	double start_s = now_s(), back_s;

	c->line.harm = probability;
	begin_session(c);
	c->line.harm = 0;
	learn_truths(c);
	account(c, before, 16);
	f.rtt_s = 0.005;
	c->line.harm = probability;
	exchange(c, requests);
	c->line.harm = 0;
	double harmless_s = now_s();
	exchange(c, WINDOW);
	back_s = now_s() - harmless_s;
	if (back_s > BACK_WITHIN_S)
		broken("the line was back only %.2f s after the last fault", back_s);
	compare_account(c, before, 16);
	free_all(c);
	compare_account(c, before, 16);
	expect_clean(c);
	printf("%llu requests, %llu faults, %llu repeats, %.1f s, back in %.0f ms\n",
	       (unsigned long long)f.answered, (unsigned long long)c->line.faults,
	       (unsigned long long)f.repeats, now_s() - start_s, back_s * 1e3);
}

/* ---- a million ---- */

#define BATCH  512u
#define FRAMES 16u /* of a batch are for frames instead of objects */

static void expect_answers(struct client *c, uint32_t count, uint64_t *addr)
{
	for (uint32_t i = 0; i < count; i++) {
		struct json_object *record = line_next(&c->line, SILENCE_S);

		if (!record)
			broken("no answer for %.0f s", SILENCE_S);
		struct json_object *result = result_of(record);
		uint64_t id = number_of(record, "id");
		if (id >= BATCH)
			broken("an answer nobody asked for: %s", c->line.record);
		if (addr)
			addr[id] = address_of(result, id < FRAMES ? "pa" : "addr");
		json_object_put(record);
	}
}

/* Allocates a batch and frees it again, in another order. */
static void batch(struct client *c, uint32_t round)
{
	static char text[BATCH * 128];
	static const char *const zones[] = {"ZONE_UNMAPPED_IN_PGT", "ZONE_NORMAL"};
	uint64_t addr[BATCH];
	size_t n = 0;

	for (uint32_t i = 0; i < BATCH; i++)
		n += (size_t)(i < FRAMES
				      ? snprintf(text + n, sizeof(text) - n,
						 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"mm."
						 "alloc_pages\",\"params\":[\"%s\",%u]}\n",
						 i, zones[i % 2], 1 + i % 3)
				      : snprintf(text + n, sizeof(text) - n,
						 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"mm."
						 "kmalloc\",\"params\":[%u]}\n",
						 i, 32u << (round + i) % 9));
	line_send(&c->line, text, n);
	expect_answers(c, BATCH, addr);
	n = 0;
	for (uint32_t k = 0; k < BATCH; k++) {
		uint32_t i = (k * 289u + round) % BATCH;

		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      i < FRAMES ? "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"mm."
						   "free_pages\",\"params\":[\"0x%llx\",%u]}\n"
						 : "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"mm."
						   "kfree\",\"params\":[\"0x%llx\"]}\n",
				      i, (unsigned long long)addr[i], 1 + i % 3);
	}
	line_send(&c->line, text, n);
	expect_answers(c, BATCH, NULL);
}

static void million(struct client *c, uint64_t requests)
{
	char before[512], after[512];
	double start_s;
	uint32_t rounds = (uint32_t)((requests + 2 * BATCH - 1) / (2 * BATCH));

	/* hello without a crc: what follows carries none, which costs the least. */
	static const char hello[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\"}\n";
	line_send(&c->line, hello, sizeof(hello) - 1);
	json_object_put(line_next(&c->line, SILENCE_S));
	/* The first time every class gets the one slab that it may keep. */
	for (uint32_t i = 0; i < 9; i++)
		batch(c, i);
	facts(c, "mm.stat", before, sizeof(before));
	start_s = now_s();
	for (uint32_t i = 0; i < rounds; i++)
		batch(c, i);
	double took_s = now_s() - start_s;
	facts(c, "mm.stat", after, sizeof(after));
	if (strcmp(before, after) != 0)
		broken("mm_stat was %s and is %s", before, after);
	expect_clean(c);
	printf("%u requests in %.1f s, %.0f a second; mm_stat %s\n", rounds * 2 * BATCH, took_s,
	       rounds * 2 * BATCH / took_s, after);
}

int main(int argc, char **argv)
{
	static struct client c;
	const char *what = argc > 3 ? argv[1] : "";

	if (!strcmp(what, "faults") && argc == 6) {
		srand48(atol(argv[5]));
		line_open(&c.line, argv[2]);
		faults(&c, strtoull(argv[3], NULL, 10), strtod(argv[4], NULL));
	} else if (!strcmp(what, "million") && argc == 4) {
		line_open(&c.line, argv[2]);
		million(&c, strtoull(argv[3], NULL, 10));
	} else {
		fputs("usage: glass-client faults SOCKET REQUESTS PROBABILITY SEED\n"
		      "       glass-client million SOCKET REQUESTS\n",
		      stderr);
		return 2;
	}
	return 0;
}
