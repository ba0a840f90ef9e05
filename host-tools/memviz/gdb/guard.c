/*
 * A second process beside the one that reads, for as long as it reads: it makes the
 * connection, hands it over, and waits. When the first ends without a word (killed in
 * whatever way), or says that it failed, this one lets the guest go on. It makes the
 * connection itself because connecting already stops a guest of QEMU's, so that there
 * is no moment in which nobody would resume it.
 *
 * Words from the first: 'k' the guest was stopped before us, leave it so; 'x' it is about to
 * resume the guest itself; 'd' done.
 */
#include "private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BREATH_MS  20
#define SILENCE_MS 1000
#define TRIES	   4

struct handover {
	bool connecting;
	struct mv_error error;
};

/* ---- the second process ---- */

/* Ctrl-C and a closed terminal are for the first one. It holds nothing of its, so
 * that no pipe stays open after it was killed. */
static void step_aside(int pair)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (pair > 0)
		close_range(0, (unsigned)pair - 1, 0);
	close_range((unsigned)pair + 1, ~0u, 0);
}

static void hand_over(int pair, int fd, const struct handover *h)
{
	char control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)h, .iov_len = sizeof *h};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	(void)!sendmsg(pair, &m, MSG_NOSIGNAL);
}

enum heard { HEARD_NOTHING, HEARD_OK, HEARD_ERROR };

/* What still comes, until it is silent, and what it ended with. A stub that cannot get
 * rid of its replies hears nothing. */
static enum heard drain(int fd, int silence_ms)
{
	char bytes[65536], last[7] = "";
	enum heard heard = HEARD_NOTHING;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (poll(&p, 1, heard == HEARD_NOTHING ? silence_ms : BREATH_MS) > 0) {
		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			memmove(last, last + 1, sizeof last - 1);
			last[sizeof last - 1] = bytes[i];
		}
		heard = memcmp(last + 1, "$OK#9a", 6) == 0	       ? HEARD_OK
			: memcmp(last, "$E", 2) == 0 && last[4] == '#' ? HEARD_ERROR
								       : HEARD_NOTHING;
	}
	return heard;
}

/* The first may have left half a packet, which spoils the one behind it: the empty
 * packet. Detaching is done once on a connection: another byte behind it would stop the
 * guest again, and a second D kills QEMU 7.2. */
static bool let_go(int fd, bool leave_stopped)
{
	static const char *const words[] = {"+$#00+$Qqemu.PhyMemMode:0#76+$D#44",
					    "+$#00+$Qqemu.PhyMemMode:0#76+$D;1#b0"};
	const char *word = leave_stopped ? "+$#00+$Qqemu.PhyMemMode:0#76" : words[0];
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	drain(fd, BREATH_MS);
	for (int i = 0; i < 2; i++, word = words[1]) {
		if (poll(&p, 1, SILENCE_MS) <= 0 || (p.revents & (POLLERR | POLLHUP)) ||
		    send(fd, word, strlen(word), MSG_NOSIGNAL) < 0)
			return false;
		enum heard heard = drain(fd, SILENCE_MS);
		if (heard == HEARD_OK)
			return true;
		if (heard != HEARD_ERROR || leave_stopped)
			return false;
	}
	return false;
}

static void guard_wait(int pair, int fd, const struct mv_target *t)
{
	bool leave_stopped = false, resuming = false, connecting;
	char word;
	while (read(pair, &word, 1) > 0) {
		leave_stopped = leave_stopped || word == 'k';
		resuming = resuming || word == 'x';
		if (word == 'd')
			return;
	}
	/* Whether a D is under way cannot be known then: a new connection begins anew. */
	if (!resuming && let_go(fd, leave_stopped))
		return;
	for (int i = 0; i < TRIES; i++) {
		close(fd);
		fd = mv_transport_open(t, &connecting, NULL);
		if (fd >= 0 && let_go(fd, leave_stopped))
			return;
		poll(NULL, 0, SILENCE_MS);
	}
}

static void guard_main(int pair, const struct mv_target *t)
{
	struct handover h = {0};
	step_aside(pair);
	int fd = mv_transport_open(t, &h.connecting, &h.error);
	hand_over(pair, fd, &h);
	if (fd >= 0)
		guard_wait(pair, fd, t);
	_exit(0);
}

/* ---- the first ---- */

static int take_over(int pair, struct handover *h)
{
	int fd = -1;
	char control[CMSG_SPACE(sizeof fd)];
	struct iovec part = {.iov_base = h, .iov_len = sizeof *h};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof control};
	ssize_t n;
	do
		n = recvmsg(pair, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	const struct cmsghdr *c = n == sizeof *h ? CMSG_FIRSTHDR(&m) : NULL;
	if (n != sizeof *h)
		mv_fail(&h->error, MV_LINK, "the process that was to connect ended");
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

int guard_open(struct guard *g, const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	struct handover h = {0};
	int pair[2];
	*g = (struct guard){.pair = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		mv_fail(e, MV_LINK, "%s: %s", t->text, strerror(errno));
		return -1;
	}
	g->pair = pair[0];
	/* Nobody waits for it: its parent ends at once. */
	pid_t between = fork();
	if (between == 0 && fork() == 0)
		guard_main(pair[1], t);
	if (between == 0)
		_exit(0);
	close(pair[1]);
	while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	int fd = take_over(pair[0], &h);
	*connecting = h.connecting;
	if (fd < 0) {
		guard_end(g, true);
		if (e)
			*e = h.error;
	}
	return fd;
}

void guard_leave_stopped(struct guard *g)
{
	(void)!send(g->pair, "k", 1, MSG_NOSIGNAL);
}

void guard_resuming(struct guard *g)
{
	(void)!send(g->pair, "x", 1, MSG_NOSIGNAL);
}

void guard_end(struct guard *g, bool done)
{
	if (g->pair < 0)
		return;
	if (done)
		(void)!send(g->pair, "d", 1, MSG_NOSIGNAL);
	close(g->pair);
	g->pair = -1;
}
