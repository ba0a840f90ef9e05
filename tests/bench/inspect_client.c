// Measures the inspector over the bare sockets of a running kernel: one client, no library between,
// so that what is measured is the kernel and the line. Prints rows for `make bench`.
//
//	inspect-client rtt SOCKET NAME        round trips of mm.stat, one by one
//	inspect-client pipeline SOCKET        requests per second, 64 on their way at once
//	inspect-client dump SOCKET QMP        33,280 leaves in runs of 8 pages; QEMU's `info tlb`
//	inspect-client hostile SOCKET         those leaves, for others to measure with
//	inspect-client delta SOCKET           bytes of watch records for one kmalloc
//	inspect-client rate SOCKET BARE_KB_S  bytes per second of what a watch sends unasked, and of
//	                                      pages that are asked for ahead
//	inspect-client cost SOCKET SOCKET     what churn loses to a watch of all topics at 10 Hz: at
//	                                      its default rate; as fast as it can, without and with
//	                                      the topic events; once the watch has ended; the most
//	inspect-client sink SOCKET            reads until the other end closes, measures nothing
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 22)
#define TIMEOUT_MS   20000

struct line {
	int fd;
	char *buffer; // one record at a time, terminated
	size_t used;  // bytes received but not yet taken
	size_t taken; // bytes of the record that was taken last
	uint64_t received_bytes;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "inspect-client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void line_open(struct line *line, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*line = (struct line){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	line->buffer = malloc(BUFFER_BYTES + 1);
	if (line->fd < 0 || !line->buffer || strlen(path) >= sizeof(address.sun_path))
		die("socket");
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(line->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
}

static void line_send(struct line *line, const char *text, size_t len)
{
	while (len) {
		ssize_t sent = write(line->fd, text, len);

		if (sent < 0)
			die("write");
		text += sent;
		len -= (size_t)sent;
	}
}

// Takes what is there, waiting for it; false when nothing came within the milliseconds given.
// QEMU's UART sends each byte by a call of its own, and a socket holds some hundred of these:
// whoever reads slowly slows the line.
static bool line_read(struct line *line, int timeout_ms)
{
	char *to = line->buffer + line->used;
	size_t room = BUFFER_BYTES - line->used;
	ssize_t got = recv(line->fd, to, room, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN) {
		struct pollfd poll_fd = {.fd = line->fd, .events = POLLIN};

		if (poll(&poll_fd, 1, timeout_ms) <= 0)
			return false;
		got = recv(line->fd, to, room, 0);
	}
	if (got <= 0)
		die("the kernel closed the line");
	line->used += (size_t)got;
	line->received_bytes += (uint64_t)got;
	return true;
}

// The next whole record, terminated; NULL when nothing came within the milliseconds given.
static const char *line_next(struct line *line, int timeout_ms)
{
	size_t searched = 0;

	memmove(line->buffer, line->buffer + line->taken, line->used - line->taken);
	line->used -= line->taken;
	line->taken = 0;
	for (;;) {
		char *end = memchr(line->buffer + searched, '\n', line->used - searched);

		if (end) {
			*end = 0;
			line->taken = (size_t)(end - line->buffer) + 1;
			return line->buffer;
		}
		searched = line->used;
		if (!line_read(line, timeout_ms))
			return NULL;
	}
}

static const char *call(struct line *line, const char *request)
{
	line_send(line, request, strlen(request));
	for (;;) {
		const char *record = line_next(line, TIMEOUT_MS);

		if (!record)
			die("no answer");
		if (strstr(record, "\"id\":") && !strstr(record, "\"method\":\"watch\""))
			return record;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure_rtt(struct line *line, const char *name)
{
	enum { ROUNDS = 2000 };
	static double took_ms[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_s();

		call(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\"}\n");
		took_ms[i] = (now_s() - start) * 1e3;
	}
	qsort(took_ms, ROUNDS, sizeof(*took_ms), by_value);
	double p50 = took_ms[ROUNDS / 2], p99 = took_ms[ROUNDS * 99 / 100];
	printf("inspect.rtt.%s.p50\t%.3f\tms\t-\t-\n", name, p50);
	printf("inspect.rtt.%s.p99\t%.3f\tms\tp50\t%.3f\n", name, p99, p50);
	return 0;
}

static int measure_pipeline(struct line *line, const char *none)
{
	enum { WINDOW = 64, TOTAL = 40000 };
	char request[96];
	int sent = 0, answered = 0;
	double start = now_s();

	(void)none;
	while (answered < TOTAL) {
		while (sent < TOTAL && sent - answered < WINDOW) {
			int len = snprintf(
				request, sizeof(request),
				"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"mm.stat\"}\n", ++sent);
			line_send(line, request, (size_t)len);
		}
		if (!line_next(line, TIMEOUT_MS))
			die("no answer");
		answered++;
	}
	printf("inspect.requests_per_s\t%.0f\trequests/s\t-\t-\n", TOTAL / (now_s() - start));
	return 0;
}

// ---- the dump ----

#define LEAVES	33280u
#define RUN	8u
#define RUNS	(LEAVES / RUN)
#define WINDOW	UINT64_C(0xffffc00000000000)
#define SCATTER 2053u // a stride that visits every run of the pool in no order
#define POOL_PA UINT64_C(0x40000000)

static void lay_out(struct line *line)
{
	char request[256];

	for (uint64_t i = 0; i < RUNS; i++) {
		uint64_t va = WINDOW + i * (RUN + 1) * 4096;
		uint64_t pa = POOL_PA + i * SCATTER % RUNS * (RUN + 1) * 4096;

		snprintf(request, sizeof(request),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.map\",\"params\":{\"va\":"
			 "\"0x%lx\","
			 "\"pa\":\"0x%lx\",\"len\":%u,\"flags\":\"w\",\"use4k\":true,\"space\":0}}"
			 "\n",
			 va, pa, RUN * 4096);
		if (strstr(call(line, request), "\"error\""))
			die(line->buffer);
	}
}

static double dump_once(struct line *line, unsigned *runs)
{
	char request[256], cursor[128] = "";
	double start = now_s();

	*runs = 0;
	for (;;) {
		snprintf(request, sizeof(request),
			 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.mappings\",\"params\":{"
			 "\"space\":0%s%s%s}}\n",
			 *cursor ? ",\"cursor\":\"" : "", cursor, *cursor ? "\"" : "");
		const char *record = call(line, request), *next = strstr(record, "\"next\":\"");

		for (const char *at = record; (at = strstr(at, "{\"va\"")); at++)
			++*runs;
		if (!next)
			break;
		snprintf(cursor, sizeof(cursor), "%.*s", (int)strcspn(next + 8, "\""), next + 8);
	}
	return (now_s() - start) * 1e3;
}

// The time that QEMU takes for `info tlb`, asked through QMP.
static double info_tlb_once(struct line *qmp)
{
	static const char ask[] = "{\"execute\":\"human-monitor-command\",\"arguments\":"
				  "{\"command-line\":\"info tlb\"}}\n";
	double start = now_s();

	line_send(qmp, ask, sizeof(ask) - 1);
	for (;;) {
		const char *record = line_next(qmp, TIMEOUT_MS);

		if (!record)
			die("QMP is silent");
		if (strstr(record, "\"return\""))
			return (now_s() - start) * 1e3;
	}
}

static int measure_dump(struct line *line, const char *qmp_path)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";
	struct line qmp;
	double ours = 1e9, theirs = 1e9;
	unsigned runs = 0;

	line_open(&qmp, qmp_path);
	line_send(&qmp, hello, sizeof(hello) - 1);
	while (!strstr(line_next(&qmp, TIMEOUT_MS), "\"return\""))
		;
	lay_out(line);
	for (int i = 0; i < 7; i++) {
		double took = dump_once(line, &runs), peer = info_tlb_once(&qmp);

		ours = took < ours ? took : ours;
		theirs = peer < theirs ? peer : theirs;
	}
	if (runs < RUNS) {
		fprintf(stderr, "inspect-client: only %u of %u runs came\n", runs, RUNS);
		return 1;
	}
	printf("inspect.mappings_dump.virtio\t%.2f\tms\tinfo tlb\t%.2f\n", ours, theirs);
	return 0;
}

// ---- watching ----

static int measure_delta(struct line *line, const char *none)
{
	uint64_t bytes = 0;
	const char *record;

	(void)none;
	call(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch.start\",\"params\":"
		   "{\"topics\":[\"stat\"],\"hz\":60}}\n");
	while (line_next(line, 500))
		;
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.kmalloc\","
				  "\"params\":{\"size\":80}}\n";
	line_send(line, ask, sizeof(ask) - 1);
	while ((record = line_next(line, 500)))
		if (strstr(record, "\"method\":\"watch\""))
			bytes += strlen(record) + 1;
	printf("inspect.delta_bytes\t%lu\tbytes\t-\t-\n", bytes);
	return 0;
}

// KB/s of full states of the mappings, which a watch sends unasked.
static double watch_rate(struct line *line)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch.start\","
				  "\"params\":{\"topics\":[\"mappings\"],\"hz\":60}}\n";
	double start = now_s();
	uint64_t before = line->received_bytes;
	const char *record;

	call(line, ask);
	do {
		record = line_next(line, TIMEOUT_MS);
		if (!record)
			die("no state");
	} while (strstr(record, "\"more\":true"));
	double rate = (double)(line->received_bytes - before) / (now_s() - start) / 1e3;
	call(line, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hello\"}\n"); // ends the watch
	return rate;
}

// KB/s of pages that are asked for ahead, as many as are on their way at once.
static double pages_rate(struct line *line)
{
	enum { WINDOW_PAGES = 4, PAGES = 100 };
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.mappings\","
				  "\"params\":{\"space\":0}}\n";
	double start = now_s();
	uint64_t before = line->received_bytes;

	for (int sent = 0, answered = 0; answered < PAGES; answered++) {
		for (; sent < PAGES && sent - answered < WINDOW_PAGES; sent++)
			line_send(line, ask, sizeof(ask) - 1);
		if (!line_next(line, TIMEOUT_MS))
			die("no answer");
	}
	return (double)(line->received_bytes - before) / (now_s() - start) / 1e3;
}

// The best of some rounds: what else the machine does only slows them.
static void rate_row(struct line *line, const char *name, double (*rate)(struct line *line),
		     const char *bare_kb_s)
{
	double best = 0;

	for (int i = 0; i < 5; i++) {
		double now = rate(line);

		best = now > best ? now : best;
	}
	printf("inspect.uart_rate%s\t%.0f\tKB/s\tbare bursts\t%s\n", name, best, bare_kb_s);
}

static int measure_rate(struct line *line, const char *bare_kb_s)
{
	rate_row(line, "", watch_rate, bare_kb_s);
	rate_row(line, ".pages", pages_rate, bare_kb_s);
	return 0;
}

static uint64_t churn_operations(struct line *line)
{
	const char *record = call(line,
				  "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"workload.list\"}\n");
	const char *churn = strstr(record, "\"name\":\"churn\"");
	const char *count = churn ? strstr(churn, "\"operations\":") : NULL;

	return count ? strtoull(count + 13, NULL, 10) : 0;
}

static uint64_t kernel_us(struct line *line)
{
	const char *record = call(line, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"hello\"}\n");
	const char *t = strstr(record, "\"t_us\":");

	return t ? strtoull(t + 7, NULL, 10) : 0;
}

// Operations per second of guest time, over at least 5 s of it; what the watch sends is read away.
static double churn_rate(struct line *control, struct line *watching)
{
	uint64_t t0 = kernel_us(control), n0 = churn_operations(control), t1, n1;

	do {
		double end = now_s() + 1;

		while (now_s() < end)
			line_next(watching, 100);
		n1 = churn_operations(control);
		t1 = kernel_us(control);
	} while (t1 - t0 < 5000000);
	return (double)(n1 - n0) * 1e6 / (double)(t1 - t0);
}

// Starts (or ends) churn at so many requests a second; 0: as many as it can.
static void churn(struct line *control, const char *verb, const char *params)
{
	char request[200];

	snprintf(request, sizeof(request),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"workload.%s\",\"params\":"
		 "{\"name\":\"churn\"%s}}\n",
		 verb, params);
	if (strstr(call(control, request), "\"error\""))
		die(control->buffer);
}

static void print_cost(const char *name, double percent, double alone)
{
	printf("inspect.watch_cost%s\t%.2f\tpercent\talone, operations/s\t%.0f\n", name, percent,
	       alone);
}

// Returns what was lost, in percent.
static double cost_row(struct line *line, struct line *control, const char *name, const char *rate,
		       const char *events)
{
	char request[256];

	churn(control, "start", rate);
	double alone = churn_rate(control, line);
	snprintf(request, sizeof(request),
		 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"watch.start\",\"params\":{\"topics\":"
		 "[\"stat\",\"zones\",\"caches\",\"frames\",\"mappings\",\"log\"%s],\"hz\":10}}\n",
		 events);
	call(line, request);
	uint64_t before = line->received_bytes;
	double watched = churn_rate(control, line);
	if (alone <= 0 || line->received_bytes == before)
		die("churn did nothing, or nothing was watched");
	call(line, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"hello\"}\n"); // ends the watch
	double after = churn_rate(control, line), lost = (alone - watched) / alone * 100;
	churn(control, "stop", "");
	print_cost(name, lost, alone);
	if (!strcmp(name, ".flat_out_events"))
		print_cost(".nobody", (alone - after) / alone * 100, alone);
	return lost;
}

static int measure_cost(struct line *line, const char *control_path)
{
	static const char *const rows[][3] = {
		{".default_rate",	  "",			      ",\"events\""},
		{".flat_out",	      ",\"params\":{\"rate\":0}", ""	    },
		{".flat_out_events", ",\"params\":{\"rate\":0}", ",\"events\""},
	};
	struct line control;

	line_open(&control, control_path);
	double most = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double lost = cost_row(line, &control, rows[i][0], rows[i][1], rows[i][2]);

		most = lost > most ? lost : most;
	}
	printf("inspect.watch_cost\t%.2f\tpercent\t-\t-\n", most);
	return 0;
}

static int lay_hostile(struct line *line, const char *none)
{
	(void)none;
	lay_out(line);
	return 0;
}

static int sink(struct line *line, const char *none)
{
	(void)none;
	while (read(line->fd, line->buffer, BUFFER_BYTES) > 0)
		;
	return 0;
}

static const struct {
	const char *name;
	int (*measure)(struct line *line, const char *more);
} modes[] = {
	{"rtt",	measure_rtt	   },
	  {"pipeline", measure_pipeline},
	{"dump",	 measure_dump    },
	  {"hostile",  lay_hostile	 },
	{"delta",	  measure_delta   },
	  {"rate",	   measure_rate    },
	{"cost",	 measure_cost    },
	  {"sink",	   sink	       },
};

int main(int argc, char **argv)
{
	struct line line;

	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(argv[1], modes[i].name))
			continue;
		line_open(&line, argv[2]);
		return modes[i].measure(&line, argc > 3 ? argv[3] : "-");
	}
	fprintf(stderr, "usage: inspect-client rtt|pipeline|dump|hostile|delta|rate|cost|sink "
			"SOCKET [...]\n");
	return 2;
}
