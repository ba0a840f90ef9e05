/* A debugger's side of the line for tests: packets in, replies out. */
#ifndef GDBSTUB_TEST_SESSION_H
#define GDBSTUB_TEST_SESSION_H

#include "mock.h"

#define REPLIES_MAX 4096

struct session {
	struct mock mock;
	uint8_t *script;
	size_t script_len, script_cap;
	char *replies[REPLIES_MAX]; /* runs expanded, escapes kept; terminated */
	size_t lengths[REPLIES_MAX];
	size_t count;
	size_t acks, naks;
	size_t bad_frames; /* replies with a wrong checksum, or text outside of packets */
};

void session_open(struct session *session);
void session_close(struct session *session);
/* Adds a framed packet, or raw bytes, to what the debugger will send. */
void session_packet(struct session *session, const char *body);
void session_packet_bytes(struct session *session, const void *body, size_t len);
void session_raw(struct session *session, const void *bytes, size_t len);
/* Stops the machine, plays the script to its end (letting the machine run whenever the debugger
 * does) and collects the replies. */
void session_play(struct session *session);
/* open, the packets (NULL-terminated list), play. */
void session_of(struct session *session, ...);

#endif
