/*
 * The link: bytes to records and back.
 *
 * A reader splits a byte stream into RFC 7464 records and checks each one's
 * CRC and seq; a transport is a non-blocking descriptor to a target. Neither
 * knows what a record means.
 */
#ifndef MEMVIZ_LINK_H
#define MEMVIZ_LINK_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MV_RS 0x1e
/* The kernel's records are far shorter (`max_record`); a recording's keyframe of a
 * large page table is the longest there is. */
#define MV_RECORD_MAX (32u << 20)

/* ---- records ---- */

enum mv_record_kind {
	MV_RECORD_GOOD,	   /* json..json+len is the object; crc right or absent as allowed */
	MV_RECORD_BAD_CRC, /* whole, but its crc is wrong or missing where it must be */
	MV_RECORD_BROKEN,  /* cut off by a new RS, overlong, or not an object */
	MV_RECORD_TEXT,	   /* bytes outside of any record: console text on a shared line */
};

struct mv_record {
	enum mv_record_kind kind;
	const char *json; /* valid until the next mv_reader_* call; not terminated */
	size_t len;
	uint64_t offset; /* in the stream, of the RS (or of the first byte of text) */
};

struct mv_reader;
/* `need_crc`: a record without crc is MV_RECORD_BAD_CRC. `need_rs` false: a line
 * that begins with `{` or `[` (a batch) is a record too: what a kernel accepts. */
struct mv_reader *mv_reader_new(bool need_crc, bool need_rs);
void mv_reader_free(struct mv_reader *r);
/* Forgets a half record: after a reconnect. */
void mv_reader_reset(struct mv_reader *r);
/* Takes bytes; any cut is fine. */
void mv_reader_feed(struct mv_reader *r, const void *bytes, size_t len);
/* The next record; false: more bytes are needed. */
bool mv_reader_next(struct mv_reader *r, struct mv_record *out);
/* Bytes of a half record that wait for their end. */
size_t mv_reader_pending(const struct mv_reader *r);

/* CRC of a record's text `{...,"crc":"xxxxxxxx"}`: 1 right, 0 wrong, -1 absent. */
int mv_record_crc(const char *json, size_t len);
/* RS, the object with `,"crc":"..."` added before its last brace, LF. `json` is
 * `{...}`. Returns a malloc'ed text and its length. */
char *mv_record_seal(const char *json, size_t len, size_t *sealed_len);

/* Follows seq: counts from the first one seen. */
struct mv_seq {
	bool started;
	uint64_t next;
	uint64_t gaps; /* times something was missing */
	uint64_t lost; /* records missing in all */
	uint64_t repeated;
};
enum mv_seq_verdict { MV_SEQ_OK, MV_SEQ_GAP, MV_SEQ_REPEAT };
enum mv_seq_verdict mv_seq_see(struct mv_seq *q, uint64_t seq);

/* ---- targets ---- */

enum mv_target_kind {
	MV_TARGET_UNIX,
	MV_TARGET_TCP,
	MV_TARGET_SERIAL,
	MV_TARGET_PTY,
	MV_TARGET_FILE,
	MV_TARGET_GDB, /* host empty: path is a unix socket */
};

struct mv_target {
	enum mv_target_kind kind;
	char path[256]; /* unix, serial, pty, file, gdb by socket */
	char host[128];
	char port[16];
	unsigned baud;	/* serial, default 115200 */
	char text[300]; /* as shown */
};

/* Reads "unix:PATH" and its like; a bare path that exists is taken for a socket,
 * a terminal device or a recording by what it is. MV_USAGE with a message that
 * names the forms. */
enum mv_status mv_target_parse(const char *text, struct mv_target *out, struct mv_error *e);

/* Begins to connect; returns a non-blocking descriptor, or -1 with `e`. With
 * *connecting true the caller waits for POLLOUT and then asks
 * mv_transport_connected(). Serial lines and ptys are set to raw 8N1. */
int mv_transport_open(const struct mv_target *t, bool *connecting, struct mv_error *e);
/* The server of a connected unix socket, and how it wrote its address. False: `fd` is no such. */
struct mv_peer {
	char path[112];
	int pid;
};
bool mv_transport_peer(int fd, struct mv_peer *out);
/* The clients of that server. One that serves one at a time, as QEMU does, lets the others wait
 * until that one has left. None accepted, too, when the server is another user's. */
struct mv_clients {
	unsigned accepted, waiting;
};
struct mv_clients mv_transport_clients(const struct mv_peer *peer);
enum mv_status mv_transport_connected(int fd, const struct mv_target *t, struct mv_error *e);

#endif
