/*
 * vitrine-model: the inspector over the simulated memory manager, on a unix socket or a pty. For
 * trying clients without a kernel and without QEMU.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 262144

struct faults { /* probabilities per byte */
	double flip, drop, repeat;
};

static struct {
	const char *path;
	bool pty, once;
	double rate; /* bytes per second; 0: as fast as it goes */
	size_t max_record;
	int protocol;
	struct faults out, in;
	struct model_options model;
	const char *workloads;
	uint32_t leaves, run;
} opt = {
	.max_record = 65536,
	.protocol = INSP_PROTOCOL_VERSION,
	.model = {.access = INSP_ACCESS_FULL, .seed = 1},
	.workloads = "churn,maps",
	.run = 8
};

static struct insp inspector;
static struct insp_link link_state;
static struct insp_slot ring[8192];
static uint64_t owned[1 << 17];
static char in_buf[65536], out_buf[1 << 20];

/* The line: bytes that wait for the client, and what the rate allows. */
struct wire {
	struct model_line line;
	int fd;
	unsigned char bytes[LINE_BYTES];
	size_t len, limit;
	double tokens;
	uint64_t last_us;
	uint64_t powered_off;
};
static struct wire wire;

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static double chance(void)
{
	return (double)(model_random() >> 11) / 9007199254740992.0;
}

/* Copies bytes through the faults; returns the new length (at most twice the old). */
static size_t harm(const struct faults *f, const unsigned char *from, size_t len, unsigned char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = from[i];
		if (f->drop > 0 && chance() < f->drop)
			continue;
		if (f->flip > 0 && chance() < f->flip)
			c = (unsigned char)(c ^ 1u << model_random() % 8);
		to[n++] = c;
		if (f->repeat > 0 && chance() < f->repeat)
			to[n++] = c;
	}
	return n;
}

static size_t wire_space(struct model_line *line)
{
	struct wire *w = (struct wire *)line;

	return w->fd < 0 || w->len >= w->limit ? 0 : (w->limit - w->len) / 2;
}

/* Makes hello say another protocol version, with a right crc. */
static size_t lie(const unsigned char *bytes, size_t len, char *out, size_t size)
{
	static const char truth[] = "\"protocol\":1,";
	char *at = memmem(bytes, len, truth, sizeof(truth) - 1);
	char *crc = memmem(bytes, len, INSP_CRC_KEY, sizeof(INSP_CRC_KEY) - 1);

	if (!at || !crc || len + 64 > size)
		return 0;
	size_t head = (size_t)(at - (const char *)bytes);
	int n = snprintf(out, size, "%.*s\"protocol\":%d,%.*s", (int)head, (const char *)bytes,
			 opt.protocol, (int)(crc - at - (long)sizeof(truth) + 1),
			 at + sizeof(truth) - 1);
	uint32_t sum = 0xffffffffu;
	for (int i = 1; i < n; i++) {
		sum ^= (unsigned char)out[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum & 1 ? sum >> 1 ^ 0xedb88320u : sum >> 1;
	}
	n += snprintf(out + n, size - (size_t)n, "%s\"%08x\"}\n", INSP_CRC_KEY, ~sum);
	return (size_t)n;
}

static void wire_write(struct model_line *line, const void *bytes, size_t len)
{
	struct wire *w = (struct wire *)line;
	static char lied[8192];
	size_t n = opt.protocol != INSP_PROTOCOL_VERSION ? lie(bytes, len, lied, sizeof(lied)) : 0;

	if (n)
		w->len += harm(&opt.out, (unsigned char *)lied, n, w->bytes + w->len);
	else
		w->len += harm(&opt.out, bytes, len, w->bytes + w->len);
}

/* Gives the client what the rate allows; false when it is gone. */
static bool wire_flush(struct wire *w, uint64_t now_us)
{
	size_t n = w->len;

	if (opt.rate > 0) {
		w->tokens += opt.rate * (double)(now_us - w->last_us) / 1e6;
		w->tokens = w->tokens < opt.rate / 10 + 16 ? w->tokens : opt.rate / 10 + 16;
		n = (double)n < w->tokens ? n : (size_t)w->tokens;
	}
	w->last_us = now_us;
	if (!n)
		return true;
	ssize_t sent = write(w->fd, w->bytes, n);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	w->tokens -= (double)sent;
	w->len -= (size_t)sent;
	memmove(w->bytes, w->bytes + sent, w->len);
	return true;
}

/* ---- the two kinds of ends ---- */

static int listen_on(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "vitrine-model: %s: path too long\n", path);
		exit(2);
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	mode_t old = umask(0077);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8)) {
		fprintf(stderr, "vitrine-model: %s: %s\n", path, strerror(errno));
		exit(3);
	}
	umask(old);
	return fd;
}

static int open_pty(void)
{
	struct termios t;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || grantpt(fd) || unlockpt(fd)) {
		fprintf(stderr, "vitrine-model: pty: %s\n", strerror(errno));
		exit(3);
	}
	/* Kept open on our side, so that the pty stays when a client leaves; raw. */
	int slave = open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave >= 0 && !tcgetattr(slave, &t)) {
		cfmakeraw(&t);
		tcsetattr(slave, TCSANOW, &t);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	printf("%s\n", ptsname(fd));
	if (opt.path) {
		unlink(opt.path);
		if (symlink(ptsname(fd), opt.path))
			fprintf(stderr, "vitrine-model: %s: %s\n", opt.path, strerror(errno));
	}
	return fd;
}

/* ---- one round ---- */

static void start_workloads(const char *list)
{
	char copy[256], *state = NULL;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *name = strtok_r(copy, ",", &state); name; name = strtok_r(NULL, ",", &state)) {
		struct insp_act act = {.op = INSP_OP_WORKLOAD_START};
		if (!strcmp(name, "none"))
			continue;
		snprintf(act.name, sizeof(act.name), "%s", name);
		if (insp_port_act(&act) != INSP_OK) {
			fprintf(stderr, "vitrine-model: %s\n", act.reason);
			exit(2);
		}
	}
}

/* Bytes from the client that the inspector has not taken yet. */
static unsigned char pending[131072];
static size_t pending_len;

static bool take_input(int fd)
{
	unsigned char raw[32768];

	if (pending_len > sizeof(pending) - 2 * sizeof(raw))
		return true;
	ssize_t n = read(fd, raw, sizeof(raw));
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO);
	pending_len += harm(&opt.in, raw, (size_t)n, pending + pending_len);
	return true;
}

static uint64_t work(void)
{
	uint64_t next;

	for (;;) {
		size_t taken = insp_link_receive(&link_state, pending, pending_len);
		pending_len -= taken;
		memmove(pending, pending + taken, pending_len);
		next = insp_poll(&inspector, insp_port_clock_us());
		if (!wire_flush(&wire, insp_port_clock_us()))
			return next;
		if (!taken || !pending_len)
			return next;
	}
}

static void drop_client(void)
{
	if (opt.pty)
		return;
	close(wire.fd);
	wire.fd = -1;
	wire.len = pending_len = 0;
	insp_link_reset(&link_state);
	if (opt.once)
		stopping = 1;
}

static int serve(int listener)
{
	while (!stopping && !model_counts()->poweroffs) {
		struct pollfd p = {.fd = wire.fd >= 0 ? wire.fd : listener, .events = POLLIN};
		uint64_t now = insp_port_clock_us(), next = work();
		if (wire.len)
			p.events |= opt.rate > 0 ? 0 : POLLOUT;
		int wait_ms = next <= now	   ? 0
			      : next - now > 10000 ? 10
						   : (int)((next - now) / 1000);
		if (wire.len && opt.rate > 0 && wait_ms > 2)
			wait_ms = 2;
		poll(&p, 1, wait_ms);
		if (wire.fd < 0 && p.revents & POLLIN) {
			wire.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			wire.last_us = insp_port_clock_us();
		} else if (wire.fd >= 0 && p.revents & (POLLIN | POLLHUP | POLLERR)) {
			if (!take_input(wire.fd))
				drop_client();
		}
		model_run(insp_port_clock_us());
	}
	return 0;
}

static void usage(FILE *to)
{
	fputs("usage: vitrine-model --listen PATH | --pty [options]\n"
	      "  --listen PATH        serve on this unix socket, one client at a time\n"
	      "  --pty                serve on a pty; its name is printed (--listen: a link to "
	      "it)\n"
	      "  --rate BYTES         what the line carries a second (11520: a real UART)\n"
	      "  --max-record BYTES   4096 .. 1048576 (65536)\n"
	      "  --flip P --drop P --repeat P       faults per byte, both ways\n"
	      "  --out-flip P ... --in-flip P ...   one way\n"
	      "  --protocol N         claim this protocol version\n"
	      "  --access LEVEL       read alloc full (full)\n"
	      "  --workload LIST      churn,ramp,leak,fragment,maps,mixed or none (churn,maps)\n"
	      "  --memory MIB         (2048)\n"
	      "  --leaves N --run N   a space with N pages in runs that never join\n"
	      "  --seed N             same seed, same story\n"
	      "  --once               end when the first client leaves\n",
	      to);
}

enum {
	O_LISTEN = 256,
	O_PTY,
	O_RATE,
	O_RECORD,
	O_PROTOCOL,
	O_ACCESS,
	O_WORKLOAD,
	O_MEMORY,
	O_LEAVES,
	O_RUN,
	O_SEED,
	O_ONCE,
	O_HELP,
	O_FAULT
};

static const struct option long_options[] = {
	{"listen",	   1, NULL, O_LISTEN   },
	{"pty",	0, NULL, O_PTY      },
	{"rate",	 1, NULL, O_RATE	},
	{"max-record", 1, NULL, O_RECORD	},
	{"protocol",   1, NULL, O_PROTOCOL },
	{"access",	   1, NULL, O_ACCESS   },
	{"workload",   1, NULL, O_WORKLOAD },
	{"memory",	   1, NULL, O_MEMORY   },
	{"leaves",	   1, NULL, O_LEAVES   },
	{"run",	1, NULL, O_RUN      },
	{"seed",	 1, NULL, O_SEED	},
	{"once",	 0, NULL, O_ONCE	},
	{"help",	 0, NULL, O_HELP	},
	{"flip",	 1, NULL, O_FAULT	 },
	{"drop",	 1, NULL, O_FAULT + 1},
	{"repeat",	   1, NULL, O_FAULT + 2},
	{"out-flip",   1, NULL, O_FAULT + 3},
	{"out-drop",   1, NULL, O_FAULT + 4},
	{"out-repeat", 1, NULL, O_FAULT + 5},
	{"in-flip",    1, NULL, O_FAULT + 6},
	{"in-drop",    1, NULL, O_FAULT + 7},
	{"in-repeat",  1, NULL, O_FAULT + 8},
	{NULL,	       0, NULL, 0		 }
};

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	uint64_t n = strtoull(text, &end, 0);
	if (errno || !*text || *end || n < min || n > max) {
		fprintf(stderr, "vitrine-model: %s: a number from %llu to %llu is wanted\n", text,
			(unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return n;
}

static void set_fault(int which, const char *text)
{
	double *places[3][2] = {
		{&opt.out.flip,	&opt.in.flip  },
		{&opt.out.drop,	&opt.in.drop  },
		{&opt.out.repeat, &opt.in.repeat}
	 };
	char *end;
	double p = strtod(text, &end);

	if (!*text || *end || !(p >= 0 && p <= 1)) {
		fprintf(stderr, "vitrine-model: %s: a probability from 0 to 1 is wanted\n", text);
		exit(2);
	}
	for (int side = 0; side < 2; side++)
		if (which < 3 || which / 3 - 1 == side)
			*places[which % 3][side] = p;
}

static enum insp_access access_level(const char *text)
{
	static const char *const names[] = {INSP_ACCESS_NAMES};

	for (int i = 0; i < 4; i++)
		if (!strcmp(text, names[i]))
			return (enum insp_access)i;
	fprintf(stderr, "vitrine-model: %s: one of off, read, alloc, full is wanted\n", text);
	exit(2);
}

static void set_option(int c)
{
	switch (c) {
	case O_LISTEN:
		opt.path = optarg;
		break;
	case O_PTY:
		opt.pty = true;
		break;
	case O_RATE:
		opt.rate = (double)number(optarg, 1, 1000000000);
		break;
	case O_RECORD:
		opt.max_record = number(optarg, INSP_RECORD_UART_MAX, sizeof(out_buf));
		break;
	case O_PROTOCOL:
		opt.protocol = (int)number(optarg, 0, 1000000);
		break;
	case O_ACCESS:
		opt.model.access = access_level(optarg);
		break;
	case O_WORKLOAD:
		opt.workloads = optarg;
		break;
	case O_MEMORY:
		opt.model.memory_bytes = number(optarg, 64, 1 << 22) << 20;
		break;
	case O_LEAVES:
		opt.leaves = (uint32_t)number(optarg, 1, 1000000);
		break;
	case O_RUN:
		opt.run = (uint32_t)number(optarg, 1, 1000000);
		break;
	case O_SEED:
		opt.model.seed = number(optarg, 0, UINT64_MAX);
		break;
	case O_ONCE:
		opt.once = true;
		break;
	case O_HELP:
		usage(stdout);
		exit(0);
	default:
		if (c < O_FAULT) {
			usage(stderr);
			exit(2);
		}
		set_fault(c - O_FAULT, optarg);
	}
}

int main(int argc, char **argv)
{
	int c, listener = -1;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(c);
	if (optind != argc || (!opt.path && !opt.pty)) {
		usage(stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	model_start(&opt.model);
	struct insp_config config = {
		.ring = ring, .ring_slots = 8192, .owned = owned, .owned_slots = 1 << 17};
	insp_init(&inspector, &config);
	model_attach(&inspector);
	wire = (struct wire){
		.line = {wire_space, wire_write},
		  .fd = -1
	  };
	/* What waits in the line is bounded by what a tenth of a second carries. */
	wire.limit = LINE_BYTES / 2;
	if (opt.rate > 0 && opt.rate / 5 + 8192 < (double)wire.limit)
		wire.limit = (size_t)(opt.rate / 5) + 8192;
	struct insp_link_config link_config = {
		.port = &wire,
		.in = in_buf,
		.in_bytes = opt.max_record < sizeof(in_buf) ? opt.max_record : sizeof(in_buf),
		.out = out_buf,
		.out_bytes = opt.max_record,
		.line_bytes = wire.limit / 2};
	if (!insp_link_init(&inspector, &link_state, &link_config))
		return 2;
	start_workloads(opt.workloads);
	if (opt.leaves)
		model_make_space("many", opt.leaves, opt.run);
	if (opt.pty)
		wire.fd = open_pty();
	else
		listener = listen_on(opt.path);
	fflush(stdout);
	int status = serve(listener);
	if (opt.path)
		unlink(opt.path);
	model_stop();
	return status;
}
