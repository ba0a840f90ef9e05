#include "session.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void session_open(struct session *session)
{
	memset(session, 0, sizeof *session);
	mock_init(&session->mock, NULL, 0);
}

void session_close(struct session *session)
{
	for (size_t i = 0; i < session->count; i++)
		free(session->replies[i]);
	free(session->script);
	mock_free(&session->mock);
}

void session_raw(struct session *session, const void *bytes, size_t len)
{
	if (!len)
		return;
	if (session->script_len + len > session->script_cap) {
		session->script_cap = (session->script_len + len) * 2;
		session->script = realloc(session->script, session->script_cap);
		if (!session->script)
			abort();
	}
	memcpy(session->script + session->script_len, bytes, len);
	session->script_len += len;
}

void session_packet_bytes(struct session *session, const void *body, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = body;
	uint8_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	char tail[3] = {'#', digits[sum >> 4], digits[sum & 15]};
	session_raw(session, "$", 1);
	session_raw(session, body, len);
	session_raw(session, tail, 3);
}

void session_packet(struct session *session, const char *body)
{
	session_packet_bytes(session, body, strlen(body));
}

/* Expands the runs of one body into a new string. */
static char *expand(const uint8_t *body, size_t len, size_t *out_len)
{
	char *out = malloc(len * 98 + 1);
	size_t n = 0;
	for (size_t i = 0; out && i < len; i++) {
		if (body[i] != '*' || i + 1 == len || !n) {
			out[n++] = (char)body[i];
			continue;
		}
		for (int repeat = body[++i] - 29; repeat > 0; repeat--, n++)
			out[n] = out[n - 1];
	}
	if (!out)
		abort();
	out[n] = '\0';
	*out_len = n;
	return out;
}

static const uint8_t *collect_packet(struct session *session, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *hash = memchr(at, '#', (size_t)(end - at));
	uint8_t sum = 0;
	if (!hash || end - hash < 3) {
		session->bad_frames++;
		return end;
	}
	for (const uint8_t *p = at; p < hash; p++)
		sum = (uint8_t)(sum + *p);
	char text[3] = {(char)hash[1], (char)hash[2], '\0'};
	if (strtoul(text, NULL, 16) != sum || session->count == REPLIES_MAX) {
		session->bad_frames++;
		return hash + 3;
	}
	session->replies[session->count] = expand(at, (size_t)(hash - at),
						  &session->lengths[session->count]);
	session->count++;
	return hash + 3;
}

static void collect(struct session *session)
{
	const uint8_t *at = session->mock.output, *end = at + session->mock.output_len;
	while (at < end) {
		uint8_t c = *at++;
		if (c == '$')
			at = collect_packet(session, at, end);
		else if (c == '+')
			session->acks++;
		else if (c == '-')
			session->naks++;
		else
			session->bad_frames++;
	}
}

void session_play(struct session *session)
{
	struct mock *mock = &session->mock;
	mock->input = session->script;
	mock->input_len = session->script_len;
	mock_stop(mock, GDBSTUB_CAUSE_REQUEST);
	while ((mock->input_at < mock->input_len || mock->stub.awaiting_stop) &&
	       mock->instructions - mock->run_start < 3 * MOCK_PATIENCE && mock_run(mock, 1000))
		;
	collect(session);
}

void session_of(struct session *session, ...)
{
	va_list list;
	const char *body;
	session_open(session);
	va_start(list, session);
	while ((body = va_arg(list, const char *)))
		session_packet(session, body);
	va_end(list);
	session_play(session);
}
