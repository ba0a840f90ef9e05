/*
 * The mock machine behind a socket, for real debuggers: `gdbstub-mock unix:PATH | tcp:PORT
 * [--program FILE] [--record FILE]`. FILE of --program is raw code for MOCK_BASE (the built-in
 * program otherwise); --record keeps what debuggers sent. Runs until it is killed by a debugger
 * or a signal; debuggers come and go. Says "ready" on stdout when it listens.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mock.h"

struct line {
	int listener, client;
	FILE *record;
	uint8_t buffer[65536];
	size_t at, len;
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static void hang_up(struct line *line)
{
	if (line->client >= 0)
		close(line->client);
	line->client = -1;
	line->at = line->len = 0;
}

static bool answer(struct line *line, int timeout_ms)
{
	struct pollfd ready = {.fd = line->listener, .events = POLLIN};
	if (poll(&ready, 1, timeout_ms) <= 0)
		return false;
	int one = 1;
	line->client = accept(line->listener, NULL, NULL);
	setsockopt(line->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return line->client >= 0;
}

/* The line counts as lost when a debugger that was there has closed it. */
static int socket_byte(struct mock *mock, uint32_t wait_ms)
{
	struct line *line = mock->line;
	while (line->client < 0) {
		if (ended)
			exit(0);
		if (!answer(line, wait_ms ? 200 : 0) && !wait_ms)
			return GDBSTUB_LINE_SILENT;
	}
	if (line->at < line->len)
		return line->buffer[line->at++];
	struct pollfd ready = {.fd = line->client, .events = POLLIN};
	if (poll(&ready, 1, wait_ms == GDBSTUB_FOREVER ? -1 : (int)wait_ms) <= 0)
		return GDBSTUB_LINE_SILENT;
	ssize_t got = recv(line->client, line->buffer, sizeof line->buffer, 0);
	if (got <= 0) {
		hang_up(line);
		return GDBSTUB_LINE_LOST;
	}
	line->at = 1;
	line->len = (size_t)got;
	if (line->record) {
		fwrite(line->buffer, 1, line->len, line->record);
		fflush(line->record);
	}
	return line->buffer[0];
}

static void socket_send(struct mock *mock, const void *bytes, size_t len)
{
	struct line *line = mock->line;
	const char *at = bytes;
	while (len && line->client >= 0) {
		ssize_t sent = send(line->client, at, len, MSG_NOSIGNAL);
		if (sent < 0) {
			hang_up(line);
			return;
		}
		at += sent;
		len -= (size_t)sent;
	}
}

static int listen_at(const char *where)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct sockaddr_in port = {.sin_family = AF_INET};
	bool is_unix = !strncmp(where, "unix:", 5);
	if (!is_unix && strncmp(where, "tcp:", 4))
		return -1;
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0), one = 1;
	if (is_unix) {
		if (strlen(where + 5) >= sizeof path.sun_path)
			return -1;
		strcpy(path.sun_path, where + 5);
		unlink(path.sun_path);
	}
	port.sin_port = htons((uint16_t)atoi(where + 4));
	port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	const struct sockaddr *address = is_unix ? (const struct sockaddr *)&path
						 : (const struct sockaddr *)&port;
	if (bind(fd, address, is_unix ? sizeof path : sizeof port) || listen(fd, 4))
		return -1;
	return fd;
}

static size_t read_program(const char *path, uint8_t *code, size_t cap)
{
	FILE *file = fopen(path, "rb");
	size_t len = file ? fread(code, 1, cap, file) : 0;
	if (file)
		fclose(file);
	return len;
}

int main(int argc, char **argv)
{
	static struct line line = {.client = -1};
	static struct mock mock;
	static uint8_t code[0x3000];
	size_t len = 0;
	for (int i = 2; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--program") &&
		    !(len = read_program(argv[i + 1], code, sizeof code))) {
			fprintf(stderr, "gdbstub-mock: cannot read %s\n", argv[i + 1]);
			return 2;
		}
		if (!strcmp(argv[i], "--record"))
			line.record = fopen(argv[i + 1], "wb");
	}
	if (argc < 2 || (line.listener = listen_at(argv[1])) < 0) {
		fprintf(stderr, "usage: gdbstub-mock unix:PATH|tcp:PORT [--program FILE] [--record "
				"FILE]\n");
		return 2;
	}
	signal(SIGTERM, end);
	signal(SIGINT, end);
	mock_init(&mock, len ? code : NULL, len);
	mock.next_byte = socket_byte;
	mock.send = socket_send;
	mock.line = &line;
	mock.interrupt_period = 97;
	puts("ready");
	fflush(stdout);
	while (!ended && mock_run(&mock, 2000) && !mock.broken)
		poll(NULL, 0, 1);
	fprintf(stderr, "gdbstub-mock: %s after %llu instructions\n",
		mock.broken	 ? mock.broken
		: mock.delivered ? "died of a fault"
		: mock.hung	 ? "hung"
				 : "ended",
		(unsigned long long)mock.instructions);
	return mock.broken || mock.delivered || mock.hung;
}
