// SPDX-License-Identifier: MIT
/*
 * What the live interface costs: memviz on a pseudo terminal of 120x40, a simulated kernel, and
 * this program as the line between them, so that it can watch both ends and hold the line.
 *
 *	memviz.first_picture	ms	from the first byte of the kernel to the figures on the
 *screen memviz.key_stalled	ms	from a key to its picture while the line is held (worst of
 *20) memviz.idle_bytes	B/s	to the terminal while nothing changes
 *	memviz.cpu		%	of a core on the overview, churn running, 10 Hz
 *	memviz.memory		MiB	peak
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_MARK "2.00 GiB"
#define SETTLE_MS  2500
#define WATCH_MS   5000
#define KEYS	   20

struct rig {
	char dir[64], tools[512];
	pid_t kernel, viewer;
	int listener, kernel_fd, viewer_fd, terminal;
	bool held; /* bytes of the kernel stay in its socket */
	uint64_t first_byte_us, to_terminal, last_output_us;
	char tail[4096]; /* of what the terminal got */
	size_t tail_len;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "memviz-tui: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_un address(const struct rig *r, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", r->dir, name);
	return a;
}

static void start_kernel(struct rig *r, const char *workload)
{
	char tool[600], path[160];

	snprintf(tool, sizeof(tool), "%s/vitrine-model", r->tools);
	snprintf(path, sizeof(path), "%s/kernel", r->dir);
	r->kernel = fork();
	if (r->kernel == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execl(tool, tool, "--listen", path, "--workload", workload, (char *)NULL);
		_exit(127);
	}
	struct sockaddr_un a = address(r, "kernel");

	r->kernel_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; connect(r->kernel_fd, (struct sockaddr *)&a, sizeof(a)) != 0; i++) {
		if (i == 200)
			die("vitrine-model does not listen");
		usleep(10000);
	}
}

static void start_viewer(struct rig *r)
{
	struct winsize ws = {.ws_row = 40, .ws_col = 120};
	struct sockaddr_un a = address(r, "line");
	char tool[600], target[160];

	r->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(r->listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(r->listener, 1) != 0)
		die(a.sun_path);
	snprintf(tool, sizeof(tool), "%s/memviz", r->tools);
	snprintf(target, sizeof(target), "unix:%s", a.sun_path);
	r->viewer = forkpty(&r->terminal, NULL, NULL, &ws);
	if (r->viewer == 0) {
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		setenv("XDG_CONFIG_HOME", r->dir, 1);
		unsetenv("NO_COLOR");
		execl(tool, tool, "-t", target, (char *)NULL);
		_exit(127);
	}
	r->viewer_fd = accept(r->listener, NULL, NULL);
	if (r->viewer_fd < 0)
		die("memviz did not connect");
}

static bool carry(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(to, buf + done, (size_t)(n - done));

		if (w <= 0)
			return false;
		done += w;
	}
	return n > 0;
}

static void take_output(struct rig *r)
{
	char buf[16384];
	ssize_t n = read(r->terminal, buf, sizeof(buf));

	if (n <= 0)
		return;
	r->to_terminal += (uint64_t)n;
	r->last_output_us = now_us();
	size_t keep = (size_t)n < sizeof(r->tail) - 1 ? (size_t)n : sizeof(r->tail) - 1;

	if (r->tail_len + keep >= sizeof(r->tail)) {
		size_t drop = r->tail_len + keep - sizeof(r->tail) + 1;

		memmove(r->tail, r->tail + drop, r->tail_len - drop);
		r->tail_len -= drop;
	}
	memcpy(r->tail + r->tail_len, buf + (size_t)n - keep, keep);
	r->tail_len += keep;
	r->tail[r->tail_len] = '\0';
}

/* Carries bytes until @until_us, or until the terminal got @mark (NULL: all the time). */
static bool run(struct rig *r, uint64_t until_us, const char *mark)
{
	while (now_us() < until_us) {
		struct pollfd fds[] = {
			{.fd = r->held ? -1 : r->kernel_fd, .events = POLLIN},
			{.fd = r->viewer_fd,		     .events = POLLIN},
			{.fd = r->terminal,		    .events = POLLIN}
		     };

		poll(fds, 3, 5);
		if (fds[0].revents & POLLIN) {
			if (!r->first_byte_us)
				r->first_byte_us = now_us();
			carry(r->kernel_fd, r->viewer_fd);
		}
		if (fds[1].revents & POLLIN)
			carry(r->viewer_fd, r->kernel_fd);
		if (fds[2].revents & POLLIN)
			take_output(r);
		if (mark && r->tail_len && strstr(r->tail, mark))
			return true;
	}
	return false;
}

static void open_rig(struct rig *r, const char *tools, const char *workload)
{
	*r = (struct rig){.dir = "/tmp/memviz-bench-XXXXXX"};
	snprintf(r->tools, sizeof(r->tools), "%s", tools);
	if (!mkdtemp(r->dir))
		die(r->dir);
	start_kernel(r, workload);
	start_viewer(r);
}

static void close_rig(struct rig *r)
{
	char path[160];

	kill(r->viewer, SIGKILL);
	kill(r->kernel, SIGTERM);
	waitpid(r->viewer, NULL, 0);
	waitpid(r->kernel, NULL, 0);
	close(r->terminal);
	close(r->viewer_fd);
	close(r->kernel_fd);
	close(r->listener);
	snprintf(path, sizeof(path), "%s/line", r->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/kernel", r->dir);
	unlink(path);
	rmdir(r->dir);
}

static void row(const char *name, double value, const char *unit)
{
	printf("memviz.%s\t%.2f\t%s\t-\t-\n", name, value, unit);
	fflush(stdout);
}

/* Ticks of user and system time of @pid. */
static double cpu_seconds(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, sys = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");

	if (!f || !fgets(text, sizeof(text), f))
		die(path);
	fclose(f);
	sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	       &sys);
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_mib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmHWM: %lf", &kib);
	if (f)
		fclose(f);
	return kib / 1024;
}

/* The worst of some keys, each asking for another screen, with the line held. */
static double stalled_key_ms(struct rig *r)
{
	static const char *const marks[] = {"What the letters mean", "CACHE"};
	double worst = 0;

	r->held = true;
	for (int i = 0; i < KEYS; i++) {
		char key = (char)('2' + i % 2);

		run(r, now_us() + 120000, NULL);
		r->tail_len = 0;
		uint64_t at = now_us();

		if (write(r->terminal, &key, 1) != 1 || !run(r, at + 2000000, marks[i % 2]))
			return -1;
		double ms = (double)(now_us() - at) / 1000;

		worst = ms > worst ? ms : worst;
	}
	r->held = false;
	return worst;
}

static void measure_quiet(const char *tools)
{
	struct rig r;

	open_rig(&r, tools, "none");
	if (!run(&r, now_us() + 10000000, FIRST_MARK))
		die("no picture");
	row("first_picture", (double)(r.last_output_us - r.first_byte_us) / 1000, "ms");
	run(&r, now_us() + SETTLE_MS * 1000, NULL);
	r.to_terminal = 0;
	run(&r, now_us() + WATCH_MS * 1000, NULL);
	row("idle_bytes", (double)r.to_terminal * 1000 / WATCH_MS, "B/s");
	row("key_stalled", stalled_key_ms(&r), "ms");
	close_rig(&r);
}

static void measure_busy(const char *tools)
{
	struct rig r;

	open_rig(&r, tools, "churn");
	run(&r, now_us() + SETTLE_MS * 1000, NULL);
	double before = cpu_seconds(r.viewer);

	r.to_terminal = 0;
	run(&r, now_us() + WATCH_MS * 1000, NULL);
	row("cpu", (cpu_seconds(r.viewer) - before) * 1000 / WATCH_MS * 100, "%");
	row("busy_bytes", (double)r.to_terminal * 1000 / WATCH_MS, "B/s");
	row("memory", peak_mib(r.viewer), "MiB");
	close_rig(&r);
}

int main(int argc, char **argv)
{
	char self[512], tools[520];

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	snprintf(self, sizeof(self), "%s", argv[0]);
	/* build/bench/memviz-tui measures build/memviz. */
	snprintf(tools, sizeof(tools), "%s/..", dirname(self));
	measure_quiet(tools);
	measure_busy(tools);
	return 0;
}
