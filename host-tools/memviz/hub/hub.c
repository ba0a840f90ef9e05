/* The hub's life: its socket, its loop, its link. */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER_TAG 0 /* clients count from 1 */
#define SESSION_TAG  UINT64_MAX
#define IDLE_US	     60000000u /* of a spawned hub */

/* ---- the socket ---- */

static bool somebody_listens(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) == 0;
	if (fd >= 0)
		close(fd);
	return there;
}

static int listen_at(const char *path, struct mv_error *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;
	if (!mv_copy(a.sun_path, sizeof a.sun_path, path)) {
		mv_fail(e, MV_USAGE, "%s: a socket's path has at most %zu bytes", path,
			sizeof a.sun_path - 1);
		return -1;
	}
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode)) {
			mv_fail(e, MV_USAGE, "%s exists and is no socket", path);
			return -1;
		}
		if (somebody_listens(&a)) {
			mv_fail(e, MV_USAGE, "%s: somebody listens there already", path);
			return -1;
		}
		unlink(path); /* left behind by one that was killed */
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode is right from the first moment: nobody slips in before a chmod. */
	mode_t before = umask(0177);
	bool good = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
	umask(before);
	if (!good || listen(fd, 64) != 0) {
		mv_fail(e, MV_USAGE, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* ---- the loop ---- */

static void notified(void *user, struct json_object *params, uint64_t time_us)
{
	(void)time_us;
	watching_notify(user, params);
}

static void flush_all(struct hub *h)
{
	struct client *next;
	for (struct client *c = h->clients; c; c = next) {
		next = c->next;
		if (c->out.len)
			client_flush(h, c);
		client_check(h, c, mv_now_us());
	}
}

/* Why there is no kernel, in one line, when the reason is a new one. */
static void tell_trouble(struct hub *h)
{
	struct mv_session_status st;
	mv_session_status(h->s, &st);
	bool down = st.state == MV_SESSION_CONNECTING || st.state == MV_SESSION_LOST ||
		    st.state == MV_SESSION_INCOMPATIBLE;
	if (down && strcmp(st.message, h->told) == 0)
		return;
	if (down && st.message[0])
		fprintf(stderr, "memviz hub: %s\n", st.message);
	mv_copy(h->told, sizeof h->told, down ? st.message : "");
}

static int wait_ms(uint64_t due, uint64_t now)
{
	uint64_t most = now + 500000;
	if (due > most)
		due = most;
	return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static void turn(struct hub *h)
{
	struct epoll_event ev[64];
	uint64_t now = mv_now_us();
	uint64_t due = watching_due(h, now);
	flush_all(h);
	int n = epoll_wait(h->epoll, ev, 64, wait_ms(due, now));
	for (int i = 0; i < n; i++) {
		uint64_t tag = ev[i].data.u64;
		if (tag == LISTENER_TAG) {
			client_accept(h);
		} else if (tag == SESSION_TAG) {
			mv_session_process(h->s);
			tell_trouble(h);
		} else {
			struct client *c = client_find(h, tag);
			if (c)
				client_ready(h, c, ev[i].events);
		}
	}
}

static bool finished(const struct hub *h, uint64_t idle_us)
{
	if (h->o->stop && *h->o->stop)
		return true;
	return idle_us && !h->client_count && mv_now_us() > h->idle_since_us + idle_us;
}

static void loop(struct hub *h, uint64_t idle_us)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = LISTENER_TAG};
	epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->listener, &ev);
	ev.data.u64 = SESSION_TAG;
	epoll_ctl(h->epoll, EPOLL_CTL_ADD, mv_session_fd(h->s), &ev);
	h->idle_since_us = mv_now_us();
	mv_session_on_notify(h->s, notified, h);
	watching_rate(h);
	if (h->o->ready_fd >= 0 && write(h->o->ready_fd, "\n", 1) != 1)
		perror("memviz hub");
	while (!finished(h, idle_us))
		turn(h);
}

static enum mv_status run(const struct mv_hub_options *o, uint64_t idle_us, struct mv_error *e)
{
	struct hub h = {.o = o};
	unsigned hz = o->hz ? o->hz : 10;
	struct mv_session_options so = {
		.timeout_s = o->timeout_s,
		.window = 384,
		.limits.samples = (size_t)(o->history_us / 1000000 * hz) + 16,
	};
	h.s = mv_session_open(o->target, &so, e);
	if (!h.s)
		return e->status;
	h.m = mv_session_model(h.s);
	h.listener = listen_at(o->listen, e);
	if (h.listener < 0) {
		mv_session_close(h.s);
		return e->status;
	}
	h.epoll = epoll_create1(EPOLL_CLOEXEC);
	loop(&h, idle_us);
	/* Nobody connects any more; then the clients go, then the link. */
	unlink(o->listen);
	close(h.listener);
	mv_session_on_notify(h.s, NULL, NULL);
	while (h.clients)
		client_remove(&h, h.clients);
	mv_session_close(h.s);
	close(h.epoll);
	return MV_OK;
}

enum mv_status mv_hub_run(const struct mv_hub_options *o, struct mv_error *e)
{
	return run(o, 0, e);
}

/* ---- a hub in a process of its own ---- */

static bool own_folder(const char *path)
{
	struct stat st;
	mkdir(path, 0700);
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid() &&
	       !(st.st_mode & 077);
}

static bool private_folder(char *out, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	if (dir && dir[0] == '/' && snprintf(out, size, "%s/memviz", dir) < (int)size &&
	    own_folder(out))
		return true;
	snprintf(out, size, "/tmp/memviz-%u", (unsigned)getuid());
	return own_folder(out);
}

static void become_hub(const char *target, const char *path, int ready_fd)
{
	struct mv_error e;
	struct mv_hub_options o = {.target = target,
				   .listen = path,
				   .history_us = 600000000,
				   .timeout_s = 2,
				   .ready_fd = ready_fd};
	setsid();
	/* Whoever started us may have handlers of its own. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	/* Nothing of who started us stays open. */
	o.ready_fd = dup2(ready_fd, 3);
	close_range(4, ~0u, 0);
	signal(SIGPIPE, SIG_IGN);
	_exit(run(&o, IDLE_US, &e) == MV_OK ? 0 : 1);
}

enum mv_status mv_hub_spawn(const char *target, char *out, size_t size, struct mv_error *e)
{
	char dir[200], path[300], found[300];
	int ready[2];
	if (!target) {
		if (!mv_target_default(found, sizeof found, e))
			return e->status;
		target = found;
	}
	if (!private_folder(dir, sizeof dir))
		return mv_fail(e, MV_USAGE, "%s: not a folder of one's own for sockets", dir);
	snprintf(path, sizeof path, "%s/hub-%d.sock", dir, (int)getpid());
	if (pipe2(ready, O_CLOEXEC) != 0)
		return mv_fail(e, MV_LINK, "no pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		/* Twice, so that nobody has to wait for it. */
		if (fork() == 0)
			become_hub(target, path, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	char byte;
	bool up = pid > 0 && waitpid(pid, NULL, 0) == pid && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	if (!up)
		return mv_fail(e, MV_LINK, "a hub on %s could not be started", target);
	snprintf(out, size, "unix:%s", path);
	return MV_OK;
}
