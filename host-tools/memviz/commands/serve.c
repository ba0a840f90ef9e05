/*
 * serve-metrics: GET /metrics by libmicrohttpd, in one thread: its sockets wait
 * in the same poll as the session's. A kernel that is away is memviz_up 0 with
 * the last figures left out, so that nobody takes old figures for new ones.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <memviz/base.h>
#include <memviz/command.h>
#include <memviz/format.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LISTEN_DEFAULT "127.0.0.1:9400"
#define OPENMETRICS    "application/openmetrics-text"
#define OPEN_TYPE      OPENMETRICS "; version=1.0.0; charset=utf-8"
#define TEXT_TYPE      "text/plain; version=0.0.4; charset=utf-8"

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, const char *type,
			     const char *text, size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text,
								 MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	enum MHD_Result result = MHD_queue_response(connection, code, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned code,
				  const char *text)
{
	return reply(connection, code, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	static int seen;
	struct cmd *c = user;
	(void)version;
	(void)upload;
	if (!*state) {
		*state = &seen; /* the head only; the answer comes with the second call */
		return MHD_YES;
	}
	*upload_size = 0;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (strcmp(url, "/") == 0)
		return reply_text(connection, MHD_HTTP_OK, "memviz: see /metrics\n");
	if (strcmp(url, "/metrics") != 0)
		return reply_text(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	static const struct mv_hello nobody;
	struct mv_session_status st;
	struct mv_buf b = {0};
	mv_session_status(c->s, &st);
	bool up = st.state == MV_SESSION_LIVE && !st.stalled;
	const struct mv_model *m = mv_session_model(c->s);
	struct mv_model none = {.hello = nobody};
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_ACCEPT);
	bool open = accept && strstr(accept, OPENMETRICS);
	export_openmetrics(up ? m : &none, st.target, up, open ? METRICS_OPEN : METRICS_TEXT, &b);
	enum MHD_Result result = reply(connection, MHD_HTTP_OK, open ? OPEN_TYPE : TEXT_TYPE,
				       b.data, b.len);
	mv_buf_free(&b);
	return result;
}

/* ADDRESS:PORT or [V6]:PORT, numeric or by name. */
static struct addrinfo *where(struct cmd *c, const char *text)
{
	char host[128];
	const char *colon = strrchr(text, ':'), *from = text, *to = colon;
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list = NULL;
	if (colon && text[0] == '[' && colon[-1] == ']')
		from++, to--;
	if (!colon || (size_t)(to - from) >= sizeof host) {
		cmd_usage(c, "--listen takes ADDRESS:PORT, not \"%s\"", text);
		return NULL;
	}
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = 0;
	int rc = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &list);
	if (rc != 0) {
		cmd_usage(c, "--listen %s: %s", text, gai_strerror(rc));
		return NULL;
	}
	return list;
}

static struct MHD_Daemon *start(struct cmd *c, const char *text)
{
	struct addrinfo *list = where(c, text);
	if (!list)
		return NULL;
	unsigned flags = MHD_USE_EPOLL | (list->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
	struct MHD_Daemon *d = MHD_start_daemon(flags, 0, NULL, NULL, answer, c,
						MHD_OPTION_SOCK_ADDR, list->ai_addr,
						MHD_OPTION_CONNECTION_LIMIT, 32u,
						MHD_OPTION_CONNECTION_TIMEOUT, 15u, MHD_OPTION_END);
	freeaddrinfo(list);
	if (!d) {
		mv_fail(&c->error, MV_USAGE, "cannot listen at %s: it is in use or not ours", text);
		cmd_fail(&c->error);
	}
	return d;
}

static int wait_ms(struct MHD_Daemon *d)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(d, &ms) == MHD_YES && ms < 500)
		return (int)ms;
	return 500;
}

int command_serve_metrics(struct cmd *c)
{
	const char *text = c->opt[OPT_LISTEN] ? c->opt[OPT_LISTEN] : LISTEN_DEFAULT;
	struct mv_session_options o = {.timeout_s = c->timeout_s};
	c->s = mv_session_open(c->target, &o, &c->error);
	if (!c->s)
		return cmd_fail(&c->error);
	mv_session_watch(c->s, MV_TOPIC_STAT | MV_TOPIC_ZONES | MV_TOPIC_CACHES | MV_TOPIC_MAPPINGS,
			 2);
	cmd_catch_signals();
	struct MHD_Daemon *d = start(c, text);
	if (!d)
		return MV_USAGE;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD);
	const union MHD_DaemonInfo *port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	printf("http://%.*s:%u/metrics\n", (int)(strrchr(text, ':') - text), text,
	       (unsigned)port->port);
	fflush(stdout);
	while (!cmd_stopped) {
		struct pollfd p[2] = {
			{.fd = info->epoll_fd,      .events = POLLIN},
			{.fd = mv_session_fd(c->s), .events = POLLIN}
		     };
		poll(p, 2, wait_ms(d));
		mv_session_process(c->s);
		MHD_run(d);
	}
	MHD_stop_daemon(d);
	return MV_OK;
}
