/* Descriptors to targets. All are non-blocking from the first moment. */
#include <asm/termbits.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int refuse(int fd, const struct mv_target *t, struct mv_error *e)
{
	int err = errno;
	if (fd >= 0)
		close(fd);
	if (err == ENOENT || err == ECONNREFUSED)
		mv_fail(e, MV_LINK, "nobody answers at %s (%s)", t->text, strerror(err));
	else
		mv_fail(e, MV_LINK, "%s: %s", t->text, strerror(err));
	return -1;
}

/* A socket address holds 107 bytes; a longer path is reached through its folder,
 * which stays open as *dir until the connection is made. */
static bool fill_address(const char *path, struct sockaddr_un *a, int *dir)
{
	char folder[256];
	*dir = -1;
	if (mv_copy(a->sun_path, sizeof a->sun_path, path))
		return true;
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	if (!n || n >= sizeof folder) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(folder, path, n);
	folder[n] = 0;
	*dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return false;
	int len = snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", *dir, slash + 1);
	if (len >= (int)sizeof a->sun_path) {
		close(*dir);
		*dir = -1;
		errno = ENAMETOOLONG;
		return false;
	}
	return true;
}

static int open_unix(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int dir;
	if (!fill_address(t->path, &a, &dir))
		return refuse(-1, t, e);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof a);
	int err = errno;
	if (dir >= 0)
		close(dir);
	errno = err;
	/* EAGAIN: the listener's queue is full; try again later, as if refused. */
	if (rc != 0)
		return refuse(fd, t, e);
	*connecting = false;
	return fd;
}

static int open_tcp(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(t->host, t->port, &hints, &list);
	if (rc != 0) {
		mv_fail(e, MV_LINK, "%s: %s", t->text, gai_strerror(rc));
		return -1;
	}
	int fd = -1, err = 0;
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			    a->ai_protocol);
		if (fd < 0)
			continue;
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
			*connecting = true;
			break;
		}
		err = errno;
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	if (fd < 0) {
		errno = err;
		return refuse(-1, t, e);
	}
	return fd;
}

/* Raw 8N1 without flow control at the asked speed; any speed (BOTHER). */
static bool make_raw(int fd, unsigned baud)
{
	struct termios2 s;
	if (ioctl(fd, TCGETS2, &s) != 0)
		return false;
	s.c_iflag = IGNBRK;
	s.c_oflag = 0;
	s.c_lflag = 0;
	s.c_cflag = CS8 | CREAD | CLOCAL;
	if (baud) {
		s.c_cflag |= BOTHER;
		s.c_ispeed = s.c_ospeed = baud;
	} else {
		s.c_cflag |= B38400;
	}
	s.c_cc[VMIN] = 1;
	s.c_cc[VTIME] = 0;
	return ioctl(fd, TCSETS2, &s) == 0;
}

static int open_tty(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	int fd = open(t->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return refuse(fd, t, e);
	if (isatty(fd) && !make_raw(fd, t->kind == MV_TARGET_SERIAL ? t->baud : 0))
		return refuse(fd, t, e);
	if (!isatty(fd)) {
		close(fd);
		mv_fail(e, MV_LINK, "%s: not a terminal device", t->text);
		return -1;
	}
	*connecting = false;
	return fd;
}

static int open_gdb(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	return t->host[0] ? open_tcp(t, connecting, e) : open_unix(t, connecting, e);
}

static int open_file(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	(void)connecting;
	mv_fail(e, MV_USAGE, "%s is a recording, not a kernel", t->text);
	return -1;
}

int mv_transport_open(const struct mv_target *t, bool *connecting, struct mv_error *e)
{
	static int (*const open_by_kind[])(const struct mv_target *, bool *, struct mv_error *) = {
		[MV_TARGET_UNIX] = open_unix,  [MV_TARGET_TCP] = open_tcp,
		[MV_TARGET_SERIAL] = open_tty, [MV_TARGET_PTY] = open_tty,
		[MV_TARGET_FILE] = open_file,  [MV_TARGET_GDB] = open_gdb,
	};
	*connecting = false;
	return open_by_kind[t->kind](t, connecting, e);
}

enum mv_status mv_transport_connected(int fd, const struct mv_target *t, struct mv_error *e)
{
	int err = 0;
	socklen_t len = sizeof err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err)
		return mv_fail(e, MV_LINK, "nobody answers at %s (%s)", t->text, strerror(err));
	return MV_OK;
}

/* ---- who else is there ---- */

bool mv_transport_peer(int fd, struct mv_peer *out)
{
	struct sockaddr_un a = {.sun_family = AF_UNSPEC};
	struct ucred who;
	socklen_t len = sizeof a - 1, who_len = sizeof who; /* -1: so that the path ends */
	*out = (struct mv_peer){0};
	if (getpeername(fd, (struct sockaddr *)&a, &len) != 0 || a.sun_family != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) != 0)
		return false;
	out->pid = who.pid;
	return mv_copy(out->path, sizeof out->path, a.sun_path) && out->path[0];
}

/* Whether this process has the socket open: it has accepted it. */
static bool owns(pid_t pid, unsigned long inode)
{
	char folder[40], link[80], wanted[40], name[40];
	bool found = false;
	snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
	int wanted_len = snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	DIR *d = opendir(folder);
	for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
		snprintf(link, sizeof link, "%s/%.16s", folder, e->d_name);
		ssize_t n = readlink(link, name, sizeof name);
		found = n == wanted_len && memcmp(name, wanted, (size_t)n) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

/* States in /proc/net/unix. A connection carries its listener's address, as its server wrote it:
 * servers in other folders may write the same. */
enum { STATE_WAITS = 2, STATE_ACCEPTED = 3 };

struct mv_clients mv_transport_clients(const struct mv_peer *peer)
{
	struct mv_clients c = {0};
	FILE *f = fopen("/proc/net/unix", "re");
	char line[400], path[200];
	unsigned state;
	unsigned long inode;
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*s %*s %*s %*s %*s %x %lu %199[^\n]", &state, &inode, path) !=
			    3 ||
		    strcmp(path, peer->path) != 0)
			continue;
		c.accepted += state == STATE_ACCEPTED && owns(peer->pid, inode);
		c.waiting += state == STATE_WAITS;
	}
	if (f)
		fclose(f);
	return c;
}
