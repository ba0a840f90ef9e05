/*
 * mux: one serial line, three ends.
 *
 * From the kernel: RS begins a record and LF ends it; `$`..`#xx`, `%`..`#xx` and
 * a lone `+` or `-` right after what GDB sent belong to the stub; all else is
 * console. To the kernel: a record goes whole, and a GDB packet goes whole, so
 * that neither is cut by the other; console input goes as it comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/link.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define END_OUT_MAX (4u << 20)

enum end_id { END_CONSOLE, END_INSPECT, END_GDB, ENDS };
static const char *const end_names[ENDS] = {"console.sock", "inspect.sock", "gdb.sock"};

/* What the next byte from the kernel belongs to. */
enum split_state { IN_CONSOLE, IN_RECORD, IN_PACKET, IN_SUM1, IN_SUM2 };

struct end {
	int listener, fd;
	char path[200];
	struct mv_buf to_client;
	struct mv_buf to_line; /* held until a record or packet is whole */
};

struct mux {
	struct end ends[ENDS];
	int line;
	struct mv_buf to_line;
	enum split_state state;
	bool gdb_waits; /* for an acknowledgement: the next + or - is GDB's */
};

/* ---- from the kernel ---- */

static void give(struct mux *m, enum end_id id, char byte)
{
	struct end *e = &m->ends[id];
	/* Nobody there: a console is lost, a record too; that is what a wire does. */
	if (e->fd < 0 || e->to_client.len >= END_OUT_MAX)
		return;
	mv_buf_add(&e->to_client, &byte, 1);
}

static enum end_id owner(struct mux *m, char byte)
{
	switch (m->state) {
	case IN_RECORD:
		if (byte == '\n')
			m->state = IN_CONSOLE;
		return END_INSPECT;
	case IN_PACKET:
		if (byte == '#')
			m->state = IN_SUM1;
		return END_GDB;
	case IN_SUM1:
		m->state = IN_SUM2;
		return END_GDB;
	case IN_SUM2:
		m->state = IN_CONSOLE;
		return END_GDB;
	case IN_CONSOLE:
		break;
	}
	if (byte == '$' && m->ends[END_GDB].fd >= 0) {
		m->state = IN_PACKET;
		return END_GDB;
	}
	if ((byte == '+' || byte == '-') && m->gdb_waits) {
		m->gdb_waits = false;
		return END_GDB;
	}
	return END_CONSOLE;
}

static void split(struct mux *m, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* RS is in no packet and in no text: it always begins a record. */
		if (bytes[i] == MV_RS) {
			m->state = IN_RECORD;
			give(m, END_INSPECT, bytes[i]);
			continue;
		}
		give(m, owner(m, bytes[i]), bytes[i]);
	}
}

/* ---- to the kernel ---- */

/* Length of the first whole unit that GDB sent, 0 when it is not whole yet. */
static size_t whole_packet(const struct mv_buf *b)
{
	if (!b->len)
		return 0;
	if (b->data[0] != '$')
		return 1; /* + - or 0x03 */
	const char *hash = memchr(b->data, '#', b->len);
	size_t need = hash ? (size_t)(hash - b->data) + 3 : 0;
	return hash && b->len >= need ? need : 0;
}

static size_t whole_record(const struct mv_buf *b)
{
	const char *lf = b->len ? memchr(b->data, '\n', b->len) : NULL;
	return lf ? (size_t)(lf - b->data) + 1 : 0;
}

static void forward(struct mux *m, enum end_id id)
{
	static const char rs = MV_RS;
	struct mv_buf *b = &m->ends[id].to_line;
	size_t n;
	for (;;) {
		n = id == END_CONSOLE ? b->len : id == END_GDB ? whole_packet(b) : whole_record(b);
		if (!n)
			break;
		if (id == END_GDB && b->data[0] == '$')
			m->gdb_waits = true;
		/* On a shared line nothing else tells a record from console input. */
		if (id == END_INSPECT && !memchr(b->data, MV_RS, n))
			mv_buf_add(&m->to_line, &rs, 1);
		mv_buf_add(&m->to_line, b->data, n);
		mv_buf_consume(b, n);
	}
	if (b->len > END_OUT_MAX)
		b->len = 0; /* nobody means that as one record */
}

/* ---- the ends ---- */

static bool listen_end(struct end *e, const char *dir, const char *name, struct mv_error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	e->fd = -1;
	snprintf(e->path, sizeof e->path, "%s/%s", dir, name);
	if (!mv_copy(a.sun_path, sizeof a.sun_path, e->path)) {
		mv_fail(err, MV_USAGE, "%s: too long for a socket's path", e->path);
		return false;
	}
	struct stat st;
	if (lstat(e->path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(e->path);
	e->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before = umask(0177);
	bool good = e->listener >= 0 && bind(e->listener, (struct sockaddr *)&a, sizeof a) == 0 &&
		    listen(e->listener, 4) == 0;
	umask(before);
	if (!good)
		mv_fail(err, MV_USAGE, "%s: %s", e->path, strerror(errno));
	return good;
}

static void hang_up(struct end *e)
{
	close(e->fd);
	e->fd = -1;
	e->to_client.len = e->to_line.len = 0;
}

static void accept_end(struct end *e)
{
	int fd = accept4(e->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	/* One at a time, as a line has; the newer one is the one that is wanted. */
	if (e->fd >= 0)
		hang_up(e);
	e->fd = fd;
}

static void drain(int fd, struct mv_buf *b)
{
	if (fd < 0 || !b->len)
		return;
	ssize_t n = write(fd, b->data, b->len);
	if (n > 0)
		mv_buf_consume(b, (size_t)n);
}

static void read_end(struct mux *m, enum end_id id)
{
	char chunk[16384];
	struct end *e = &m->ends[id];
	ssize_t n = read(e->fd, chunk, sizeof chunk);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		hang_up(e);
		return;
	}
	if (n > 0) {
		mv_buf_add(&e->to_line, chunk, (size_t)n);
		forward(m, id);
	}
}

static bool read_line(struct mux *m)
{
	char chunk[16384];
	ssize_t n = read(m->line, chunk, sizeof chunk);
	if (n > 0)
		split(m, chunk, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static short wants(const struct mv_buf *b)
{
	return b->len ? POLLIN | POLLOUT : POLLIN;
}

static bool turn(struct mux *m)
{
	struct pollfd p[1 + 2 * ENDS];
	p[0] = (struct pollfd){.fd = m->line, .events = wants(&m->to_line)};
	for (int i = 0; i < ENDS; i++) {
		p[1 + i] = (struct pollfd){.fd = m->ends[i].listener, .events = POLLIN};
		p[1 + ENDS + i] = (struct pollfd){.fd = m->ends[i].fd,
						  .events = wants(&m->ends[i].to_client)};
	}
	if (poll(p, 1 + 2 * ENDS, 500) < 0)
		return errno == EINTR;
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR) && !read_line(m))
		return false;
	for (int i = 0; i < ENDS; i++) {
		if (p[1 + ENDS + i].revents & (POLLIN | POLLHUP | POLLERR))
			read_end(m, (enum end_id)i);
		if (p[1 + i].revents & POLLIN)
			accept_end(&m->ends[i]);
		drain(m->ends[i].fd, &m->ends[i].to_client);
	}
	drain(m->line, &m->to_line);
	return true;
}

static void close_ends(struct mux *m)
{
	for (int i = 0; i < ENDS; i++) {
		if (m->ends[i].fd >= 0)
			hang_up(&m->ends[i]);
		if (m->ends[i].listener > 0) {
			close(m->ends[i].listener);
			unlink(m->ends[i].path);
		}
		mv_buf_free(&m->ends[i].to_client);
		mv_buf_free(&m->ends[i].to_line);
	}
	mv_buf_free(&m->to_line);
}

static bool open_line(struct mux *m, const char *device, struct mv_error *e)
{
	char text[300];
	struct mv_target t;
	bool connecting;
	/* A bare /dev/ttyS0[,BAUD] is a serial line; any target that has bytes will do. */
	bool bare = device[0] == '/' && strchr(device, ':') == NULL;
	struct stat st;
	bool socket = bare && stat(device, &st) == 0 && S_ISSOCK(st.st_mode);
	snprintf(text, sizeof text, "%s%s", !bare ? "" : socket ? "unix:" : "serial:", device);
	if (mv_target_parse(text, &t, e) != MV_OK)
		return false;
	m->line = mv_transport_open(&t, &connecting, e);
	if (m->line < 0)
		return false;
	if (connecting) {
		struct pollfd p = {.fd = m->line, .events = POLLOUT};
		poll(&p, 1, 5000);
		return mv_transport_connected(m->line, &t, e) == MV_OK;
	}
	return true;
}

int command_mux(struct cmd *c)
{
	struct mux m = {.line = -1};
	const char *dir = c->opt[OPT_DIR] ? c->opt[OPT_DIR] : ".";
	int status = MV_OK;
	bool good = open_line(&m, c->argv[0], &c->error);
	for (int i = 0; i < ENDS; i++)
		m.ends[i].fd = -1;
	for (int i = 0; good && i < ENDS; i++)
		good = listen_end(&m.ends[i], dir, end_names[i], &c->error);
	if (!good) {
		close_ends(&m);
		return cmd_fail(&c->error);
	}
	cmd_catch_signals();
	for (int i = 0; i < ENDS; i++)
		printf("unix:%s\n", m.ends[i].path);
	fflush(stdout);
	while (!cmd_stopped) {
		if (!turn(&m)) {
			mv_fail(&c->error, MV_LINK, "%s: the line is gone", c->argv[0]);
			status = cmd_fail(&c->error);
			break;
		}
	}
	close_ends(&m);
	close(m.line);
	return status;
}
