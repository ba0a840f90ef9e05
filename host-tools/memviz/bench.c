/*
 * What memviz costs, measured as a user meets it: the program itself in a
 * pseudo terminal of 120x40, a model kernel behind it, and between the two a
 * proxy in this process that sees when the first record passes and can stall
 * the line. Rows: name, value, unit, peer, limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <libgen.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/recording.h>
#include <memviz/session.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_STEPS 36000
#define START_US   1700000000000000ull

static char build[400], dir[] = "/tmp/memviz-bench-XXXXXX";

static void row(const char *name, double value, const char *unit, double limit)
{
	printf("memviz.%s\t%.2f\t%s\tlimit\t%g\n", name, value, unit, limit);
	fflush(stdout);
}

/* ---- the stage: a model kernel, the proxy, memviz on a terminal ---- */

struct stage {
	pid_t kernel, memviz;
	int listener, client, server, terminal;
	bool stalled;
	uint64_t first_record_us, bytes, last_output_us;
	char seen[4096]; /* the latest output, for looking at */
	size_t seen_len;
};

static int listen_at(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	mv_copy(a.sun_path, sizeof a.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1) != 0)
		perror(path), exit(1);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	mv_copy(a.sun_path, sizeof a.sun_path, path);
	for (unsigned i = 0; i < 200; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
			return fd;
		close(fd);
		usleep(20000);
	}
	fprintf(stderr, "memviz-bench: no model kernel at %s\n", path);
	exit(1);
}

/* `leaves`: a space of so many pages, none joined to its neighbour; NULL: without it. */
static void begin(struct stage *s, const char *workload, const char *leaves)
{
	char program[500], kernel[100], proxy[100], target[120];
	*s = (struct stage){.client = -1};
	snprintf(kernel, sizeof kernel, "%s/kernel", dir);
	snprintf(proxy, sizeof proxy, "%s/proxy", dir);
	snprintf(target, sizeof target, "unix:%s", proxy);
	unlink(kernel);
	unlink(proxy);
	s->kernel = fork();
	if (s->kernel == 0) {
		snprintf(program, sizeof program, "%s/vitrine-model", build);
		execl(program, program, "--listen", kernel, "--workload", workload,
		      leaves ? "--leaves" : NULL, leaves, "--run", "1", NULL);
		_exit(127);
	}
	s->server = connect_to(kernel);
	s->listener = listen_at(proxy);
	struct winsize size = {.ws_row = 40, .ws_col = 120};
	s->memviz = forkpty(&s->terminal, NULL, NULL, &size);
	if (s->memviz == 0) {
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		snprintf(program, sizeof program, "%s/memviz", build);
		execl(program, program, "-t", target, NULL);
		_exit(127);
	}
}

static void end(struct stage *s)
{
	kill(s->memviz, SIGTERM);
	waitpid(s->memviz, NULL, 0);
	kill(s->kernel, SIGTERM);
	waitpid(s->kernel, NULL, 0);
	close(s->terminal);
	close(s->listener);
	close(s->server);
	if (s->client >= 0)
		close(s->client);
}

static void copy(int from, int to)
{
	char chunk[65536];
	ssize_t n = read(from, chunk, sizeof chunk);
	for (ssize_t done = 0; n > 0 && done < n;) {
		ssize_t w = write(to, chunk + done, (size_t)(n - done));
		if (w <= 0)
			return;
		done += w;
	}
}

static void take_output(struct stage *s)
{
	char chunk[16384];
	ssize_t n = read(s->terminal, chunk, sizeof chunk);
	if (n <= 0)
		return;
	s->bytes += (uint64_t)n;
	s->last_output_us = mv_now_us();
	size_t keep = (size_t)n < sizeof s->seen ? (size_t)n : sizeof s->seen;
	memcpy(s->seen, chunk + n - (ssize_t)keep, keep);
	s->seen_len = keep;
}

/* Moves bytes for `us`, or until output has come when `until_output`. */
static void run(struct stage *s, uint64_t us, bool until_output)
{
	uint64_t stop = mv_now_us() + us, bytes = s->bytes;
	while (mv_now_us() < stop && !(until_output && s->bytes > bytes)) {
		struct pollfd p[4] = {
			{.fd = s->listener,		    .events = POLLIN},
			{.fd = s->stalled ? -1 : s->client, .events = POLLIN},
			{.fd = s->stalled ? -1 : s->server, .events = POLLIN},
			{.fd = s->terminal,		    .events = POLLIN}
		     };
		poll(p, 4, 5);
		if (p[0].revents && s->client < 0)
			s->client = accept(s->listener, NULL, NULL);
		if (p[1].revents & POLLIN)
			copy(s->client, s->server);
		if (p[2].revents & POLLIN && s->client >= 0) {
			if (!s->first_record_us)
				s->first_record_us = mv_now_us();
			copy(s->server, s->client);
		}
		if (p[3].revents & POLLIN)
			take_output(s);
	}
}

/* ---- the rows of the live interface ---- */

static bool shows(const struct stage *s, const char *word)
{
	return memmem(s->seen, s->seen_len, word, strlen(word)) != NULL;
}

static void first_picture(void)
{
	struct stage s;
	begin(&s, "churn", NULL);
	uint64_t stop = mv_now_us() + 5000000;
	/* The picture is there when the total is drawn. */
	while (mv_now_us() < stop && !(s.first_record_us && shows(&s, "GiB")))
		run(&s, 100000, true);
	if (s.first_record_us && shows(&s, "GiB"))
		row("first_picture", (double)(s.last_output_us - s.first_record_us) / 1000, "ms",
		    100);
	end(&s);
}

static double cpu_seconds(pid_t pid)
{
	char path[64], text[1024] = "";
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (f && fgets(text, sizeof text, f)) {
		const char *after = strrchr(text, ')');
		if (after)
			sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			       &user, &system);
	}
	if (f)
		fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_mib(pid_t pid)
{
	char path[64], line[200];
	double kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

static void load(void)
{
	struct stage s;
	double seconds = 10;
	begin(&s, "churn", NULL);
	run(&s, 1500000, false);
	double before = cpu_seconds(s.memviz);
	run(&s, (uint64_t)(seconds * 1e6), false);
	row("cpu_10hz", 100 * (cpu_seconds(s.memviz) - before) / seconds, "%", 2);
	row("peak_memory", peak_mib(s.memviz), "MiB", 24);
	end(&s);
}

static void type(struct stage *s, const char *keys)
{
	for (; *keys && write(s->terminal, keys, 1) == 1; keys++)
		run(s, 500000, false);
}

/* A space of 262,144 runs, looked at on the page table screen: its list, sorted, the moment marked,
 * frozen, and followed again. */
static void long_space(void)
{
	struct stage s;
	begin(&s, "churn", "262144");
	run(&s, 6000000, false);
	type(&s, "4nvsx  ");
	run(&s, 3000000, false);
	row("peak_memory_262144_runs", peak_mib(s.memviz), "MiB", 24);
	end(&s);
}

static void quiet(void)
{
	struct stage s;
	begin(&s, "none", NULL);
	run(&s, 2000000, false);
	uint64_t before = s.bytes;
	run(&s, 5000000, false);
	row("quiet_output", (double)(s.bytes - before) / 5 / 1024, "KiB/s", 2);
	end(&s);
}

static void stalled_key(void)
{
	struct stage s;
	double worst = 0;
	begin(&s, "churn", NULL);
	run(&s, 1500000, false);
	s.stalled = true;
	run(&s, 500000, false);
	for (unsigned i = 0; i < 20; i++) {
		/* Keys 2 and 3: another screen each, so an answer is always visible. */
		char key = i % 2 ? '2' : '3';
		uint64_t at = mv_now_us();
		if (write(s.terminal, &key, 1) != 1)
			break;
		run(&s, 1000000, true);
		double ms = (double)(s.last_output_us - at) / 1000;
		worst = ms > worst ? ms : worst;
		run(&s, 150000, false);
	}
	row("key_while_stalled", worst, "ms", 33);
	end(&s);
}

/* ---- an hour of a quiet kernel ---- */

/* What a recording holds beside the state, as a real kernel answers it. */
struct beside {
	const char *method;
	struct json_object *params, *result;
};
static struct beside beside[32];
static size_t beside_count;

static void ask_beside(struct mv_session *s, const char *method, const char *member, uint64_t value)
{
	struct beside *b = &beside[beside_count];
	*b = (struct beside){method, json_object_new_object(), NULL};
	if (member)
		mv_json_add_u64(b->params, member, value);
	if (mv_session_call_wait(s, method, json_object_get(b->params), true, &b->result, NULL) ==
	    MV_OK)
		beside_count++;
}

static void ask_all_beside(struct mv_session *s)
{
	const struct mv_model *m = mv_session_model(s);
	for (size_t i = 0; i < m->cache_count; i++)
		ask_beside(s, "mm.slabs", "size", m->caches[i].size);
	ask_beside(s, "trace.sites", NULL, 0);
	ask_beside(s, "trace.leaks", "older_than_us", 0); /* the last: not behind each keyframe */
}

static void write_beside(struct mv_recorder *r, size_t keyframe, uint64_t time_us)
{
	size_t n = keyframe % 3 == 0 ? beside_count : beside_count - 1;
	for (size_t i = 0; i < n; i++)
		mv_recorder_answer(r, beside[i].method, beside[i].params, beside[i].result,
				   time_us);
}

/* A real state to begin with: a model kernel's. */
static struct mv_model *real_state(void)
{
	char kernel[100], target[120], program[500];
	struct mv_error e;
	snprintf(kernel, sizeof kernel, "%s/kernel", dir);
	snprintf(target, sizeof target, "unix:%s", kernel);
	snprintf(program, sizeof program, "%s/vitrine-model", build);
	unlink(kernel);
	pid_t pid = fork();
	if (pid == 0) {
		execl(program, program, "--listen", kernel, "--workload", "churn,maps", NULL);
		_exit(127);
	}
	struct mv_session *s = mv_session_open(target, NULL, &e);
	bool never = false;
	mv_session_watch(s, MV_TOPIC_ALL, 10);
	struct json_object *on = NULL;
	mv_session_call_wait(s, "trace.start", NULL, false, &on, NULL);
	json_object_put(on);
	mv_session_wait(s, &never, 10); /* some 500 objects live by then */
	ask_all_beside(s);
	struct json_object *k = mv_model_keyframe(mv_session_model(s));
	struct mv_model *m = mv_model_new(NULL);
	mv_model_apply_keyframe(m, k, START_US, NULL);
	json_object_put(k);
	mv_session_close(s);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return m;
}

/* Ten updates a second: a kmalloc or kfree in the background, as a quiet kernel
 * has, told by its event and by the figure that it moves. */
static void write_hour(const char *file)
{
	struct mv_model *m = real_state();
	struct mv_recorder *r = mv_recorder_open(file, "unix:bench", NULL, START_US, NULL);
	uint64_t used = m->stat.cache_used, seq = 0;
	size_t keyframes = 0;
	for (unsigned i = 0; i < HOUR_STEPS; i++) {
		uint64_t t = START_US + i * 100000ull;
		char params[300], record[400];
		unsigned noise = i * 2654435761u >> 20;
		used = used + (noise & 1 ? 128 : 0) - (noise & 2 && used > 128 ? 128 : 0);
		snprintf(params, sizeof params,
			 "{\"id\":1,\"topic\":\"stat\",\"full\":false,\"gen\":%u,\"data\":{"
			 "\"cache_used\":%llu}}",
			 i, (unsigned long long)used);
		int n = snprintf(
			record, sizeof record,
			"{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":%s,\"seq\":%llu}",
			params, (unsigned long long)seq++);
		struct json_object *o = mv_json_parse(params, strlen(params), NULL);
		mv_model_apply_watch(m, o, t, NULL);
		json_object_put(o);
		if (mv_recorder_wants_keyframe(r, t)) {
			struct json_object *k = mv_model_keyframe(m);
			mv_recorder_keyframe(r, k, t);
			json_object_put(k);
			write_beside(r, keyframes++, t);
		}
		/* With its crc, as it comes from the line; without RS and LF. */
		size_t len;
		char *sealed = mv_record_seal(record, (size_t)n, &len);
		mv_recorder_record(r, sealed + 1, len - 2, t);
		free(sealed);
	}
	mv_recorder_close(r, NULL);
	mv_model_free(m);
	while (beside_count) {
		json_object_put(beside[--beside_count].params);
		json_object_put(beside[beside_count].result);
	}
}

static void hour(void)
{
	char file[100], target[120];
	struct stat st;
	snprintf(file, sizeof file, "%s/hour.rec.xz", dir);
	snprintf(target, sizeof target, "file:%s", file);
	write_hour(file);
	stat(file, &st);
	row("hour_recorded", (double)st.st_size / 1048576, "MiB", 4);
	uint64_t at = mv_now_us();
	struct mv_session *s = mv_session_open(target, NULL, NULL);
	row("hour_opened", (double)(mv_now_us() - at) / 1000, "ms", 200);
	double worst = 0;
	for (unsigned i = 0; s && i < 60; i++) {
		uint64_t to = START_US + (uint64_t)(i * 2654435761u % HOUR_STEPS) * 100000ull;
		at = mv_now_us();
		mv_session_replay_seek(s, to);
		double ms = (double)(mv_now_us() - at) / 1000;
		worst = ms > worst ? ms : worst;
	}
	row("jump", worst, "ms", 200);
	mv_session_close(s);
	unlink(file);
}

int main(int argc, char **argv)
{
	char self[400], path[100];
	(void)argc;
	mv_copy(self, sizeof self, argv[0]);
	snprintf(build, sizeof build, "%s/..", dirname(self));
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	setenv("XDG_CONFIG_HOME", dir, 1);
	first_picture();
	load();
	long_space();
	quiet();
	stalled_key();
	hour();
	snprintf(path, sizeof path, "%s/kernel", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/proxy", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}
