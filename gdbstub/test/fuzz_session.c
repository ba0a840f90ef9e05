/*
 * Whatever comes over the line, the stub keeps its invariants and answers the next debugger.
 *
 * Input is text, so that mutations get past the checksum: each line is a packet body to be framed,
 * except that one beginning with '!' goes out as it is (half packets, bad checksums, Ctrl-C).
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void play_lines(struct session *session, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	while (data < end) {
		const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
		stop = stop ? stop : end;
		if (*data == '!')
			session_raw(session, data + 1, (size_t)(stop - data - 1));
		else
			session_packet_bytes(session, data, (size_t)(stop - data));
		data = stop + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session session;
	session_open(&session);
	/* Some debuggers vanish at the end, or before a stop that comes late. */
	session.mock.quiet_end = size % 2 == 1;
	play_lines(&session, data, size);
	session_packet(&session, "?");
	session_packet(&session, "?");
	session_play(&session);
	/* A program that was sent into an endless loop with interrupts off hears nothing. */
	bool deaf = !(session.mock.main.rflags & 1u << 9) && !session.mock.stub.stopped;
	bool alive = !session.mock.ended && !session.mock.delivered && !session.mock.hung && !deaf;
	/* Memory is the program's own unless a packet wrote it: then no INT3 of ours may be there.
	 */
	if (session.mock.broken || session.bad_frames)
		abort();
	if (alive && (!session.count || session.replies[session.count - 1][0] != 'T'))
		abort();
	session_close(&session);
	return 0;
}
