/* One client of the hub: its socket, its share, its end. */
#include "private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* Read from one client in one turn, so that a flood only fills its own socket. */
#define READ_TURN 65536

static void fresh_session(char *out)
{
	unsigned char noise[12] = {0};
	if (getrandom(noise, sizeof noise, 0) != sizeof noise)
		memset(noise, 7, sizeof noise);
	mv_copy(out, 5, "hub-");
	for (size_t i = 0; i < sizeof noise; i++)
		snprintf(out + 4 + 2 * i, 3, "%02x", noise[i]);
}

void client_accept(struct hub *h)
{
	int fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (h->client_count >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	struct client *c = mv_alloc(sizeof *c);
	c->fd = fd;
	c->number = ++h->next_number;
	c->reader = mv_reader_new(false, false);
	c->since_us = mv_now_us();
	c->next_watch = 1;
	fresh_session(c->session);
	c->next = h->clients;
	h->clients = c;
	h->client_count++;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = c->number};
	epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev);
}

struct client *client_find(struct hub *h, uint64_t number)
{
	for (struct client *c = h->clients; c; c = c->next)
		if (c->number == number)
			return c;
	return NULL;
}

void client_remove(struct hub *h, struct client *c)
{
	struct client **at = &h->clients;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	h->client_count--;
	if (!h->client_count)
		h->idle_since_us = mv_now_us();
	close(c->fd);
	rpc_forget(c);
	watching_forget(c);
	mv_reader_free(c->reader);
	mv_buf_free(&c->out);
	free(c);
	watching_rate(h);
}

static void listen_for(struct hub *h, struct client *c)
{
	bool out = c->out.len > 0;
	struct epoll_event ev = {.data.u64 = c->number};
	if (!c->paused && !c->dropped && !c->ended)
		ev.events |= EPOLLIN;
	if (out)
		ev.events |= EPOLLOUT;
	epoll_ctl(h->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->wants_out = out;
}

void client_send(struct hub *h, struct client *c, const char *open_json, size_t len)
{
	static const char rs = MV_RS;
	if (c->dropped)
		return;
	size_t start = c->out.len;
	if (!start)
		c->moved_us = mv_now_us();
	mv_buf_add(&c->out, &rs, 1);
	mv_buf_add(&c->out, open_json, len);
	mv_buf_printf(&c->out, ",\"seq\":%" PRIu64, c->seq++);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)c->out.data + start + 1,
				       (uInt)(c->out.len - start - 1));
	mv_buf_printf(&c->out, ",\"crc\":\"%08x\"}\n", crc);
	if (c->out.len > CLIENT_OUT_MAX)
		client_drop(h, c, "it reads too slowly");
	else if (!c->wants_out)
		listen_for(h, c);
}

void client_flush(struct hub *h, struct client *c)
{
	size_t done = 0;
	while (done < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + done, c->out.len - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	c->tx_bytes += done;
	if (done)
		c->moved_us = mv_now_us();
	mv_buf_consume(&c->out, done);
	if (c->wants_out != (c->out.len > 0))
		listen_for(h, c);
	/* A burst's memory is given back. */
	if (!c->out.len && c->out.capacity > 262144)
		mv_buf_free(&c->out);
}

void client_drop(struct hub *h, struct client *c, const char *why)
{
	if (c->dropped)
		return;
	fprintf(stderr, "memviz hub: client %" PRIu64 " dropped: %s\n", c->number, why);
	h->dropped_clients++;
	mv_buf_free(&c->out);
	struct mv_buf b = {0};
	mv_buf_printf(&b,
		      "{\"jsonrpc\":\"2.0\",\"method\":\"hub.dropped\",\"params\":"
		      "{\"reason\":\"%s\"}",
		      why);
	client_send(h, c, b.data, b.len);
	mv_buf_free(&b);
	c->dropped = true;
	c->dropped_us = mv_now_us();
	listen_for(h, c);
}

void client_check(struct hub *h, struct client *c, uint64_t now)
{
	if (!c->dropped && c->out.len > CLIENT_STALL_MIN && now > c->moved_us + CLIENT_STALL_US)
		client_drop(h, c, "it reads too slowly");
	if (c->dropped && (!c->out.len || now > c->dropped_us + DROP_NOTICE_US))
		client_remove(h, c);
}

static void take_records(struct hub *h, struct client *c)
{
	struct mv_record rec;
	uint64_t number = c->number;
	while (c->flight < CLIENT_FLIGHT && !c->dropped && mv_reader_next(c->reader, &rec)) {
		rpc_record(h, c, &rec);
		if (client_find(h, number) != c)
			return;
	}
	bool full = c->flight >= CLIENT_FLIGHT;
	if (full != c->paused) {
		c->paused = full;
		listen_for(h, c);
	}
}

/* An answer made room for what the client has already sent. */
void client_resume(struct hub *h, struct client *c)
{
	if (c->paused && c->flight < CLIENT_FLIGHT / 2)
		take_records(h, c);
}

static void read_client(struct hub *h, struct client *c)
{
	char chunk[READ_TURN];
	ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_remove(h, c);
		return;
	}
	if (n == 0) {
		/* Its questions are answered yet; a full close comes as EPOLLHUP. */
		c->ended = true;
		listen_for(h, c);
		return;
	}
	c->rx_bytes += (uint64_t)n;
	mv_reader_feed(c->reader, chunk, (size_t)n);
	if (mv_reader_pending(c->reader) > (4u << 20)) {
		client_drop(h, c, "it sent a request without an end");
		return;
	}
	take_records(h, c);
}

void client_ready(struct hub *h, struct client *c, uint32_t events)
{
	if (events & EPOLLOUT)
		client_flush(h, c);
	if (c->dropped) {
		bool late = mv_now_us() > c->dropped_us + DROP_NOTICE_US;
		if (!c->out.len || late || (events & (EPOLLHUP | EPOLLERR)))
			client_remove(h, c);
		return;
	}
	if (events & (EPOLLHUP | EPOLLERR))
		client_remove(h, c);
	else if (events & EPOLLIN)
		read_client(h, c);
}
