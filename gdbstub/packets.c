/*
 * From a packet to its one reply. Handlers are rows of tables and return what to do; nothing else
 * sends. A packet that nobody knows gets the empty reply, as the protocol wants.
 */
#include "internal.h"

#include <string.h>

static const struct packet_row *const tables[] = {
	memory_packets,	    register_packets, run_packets, thread_packets,
	breakpoint_packets, query_packets,    NULL,
};

static bool packet_is(const struct gdbstub *stub, const char *word, bool whole)
{
	uint8_t *body = (uint8_t *)(uintptr_t)stub->rx;
	struct cut cut = {body, body + stub->rx_len};
	return cut_word(&cut, word) && !(whole && cut_left(&cut));
}

/* What clients send first. Anything else that looks like a packet while nobody is attached came by
 * chance, on a line that is shared, or is the rest of a session with a machine that is no more. */
bool packet_enters(const struct gdbstub *stub)
{
	return stub->attached || stub->kept || packet_is(stub, "qSupported", false) ||
	       packet_is(stub, "QStartNoAckMode", true) || packet_is(stub, "?", true) ||
	       packet_is(stub, "!", true) || packet_is(stub, "vCont?", true) ||
	       packet_is(stub, "Hg", false) || packet_is(stub, "Hc", false);
}

/* Clients that are gone leave their session behind. The first packets of a new one tell: no
 * client sends either of these twice, and none that was only slow to answer sends one again. */
static void session_notice_new(struct gdbstub *stub)
{
	bool supported = packet_is(stub, "qSupported", false);
	bool no_ack = packet_is(stub, "QStartNoAckMode", false);
	if ((supported && (stub->kept || stub->supported_seen)) ||
	    (no_ack && (stub->kept || stub->no_ack)))
		session_reset(stub);
	stub->attached = true;
	stub->kept = false;
}

void session_reset(struct gdbstub *stub)
{
	breakpoints_remove(stub);
	breakpoints_clear(stub);
	stub->attached = stub->kept = false;
	stub->no_ack = stub->supported_seen = stub->extended = false;
	stub->physical_memory = stub->binary_upload = stub->plain_x = false;
	stub->error_text = stub->error_strings = stub->thread_suffix = false;
	stub->threads_in_stop_reply = stub->swbreak = stub->hwbreak = false;
	stub->awaiting_stop = stub->unanswered = false;
	stub->general_thread = stub->continue_thread = THREAD_ANY;
}

enum reply reply_error(struct gdbstub *stub, enum wire_error error, const char *text)
{
	uint8_t number = (uint8_t)error;
	reply_begin(stub);
	reply_char(stub, 'E');
	if (stub->error_text) {
		reply_char(stub, '.');
		reply_text(stub, text);
		return REPLY_WRITTEN;
	}
	reply_hex_bytes(stub, &number, 1);
	if (stub->error_strings) {
		reply_char(stub, ';');
		reply_hex_text(stub, text);
	}
	return REPLY_WRITTEN;
}

static bool row_matches(const struct packet_row *row, struct cut *args)
{
	struct cut cut = *args;
	if (!cut_word(&cut, row->name))
		return false;
	if (!row->joined && cut_left(&cut) && !cut_char(&cut, ':') && !cut_char(&cut, ';') &&
	    !cut_char(&cut, ','))
		return false;
	*args = cut;
	return true;
}

static enum reply dispatch(struct gdbstub *stub)
{
	struct cut args = {stub->rx, stub->rx + stub->rx_len};
	for (const struct packet_row *const *table = tables; *table; table++)
		for (const struct packet_row *row = *table; row->name; row++)
			if (row_matches(row, &args))
				return row->handle(stub, &args);
	return REPLY_EMPTY;
}

static void send_text(struct gdbstub *stub, const char *text)
{
	reply_begin(stub);
	reply_text(stub, text);
	reply_send(stub);
}

/* A step that was emulated whole ends where it began, with its stop reply. */
static bool resume_or_report(struct gdbstub *stub)
{
	stub->awaiting_stop = true;
	if (stop_resume(stub))
		return true;
	stub->awaiting_stop = false;
	stop_send_reply(stub);
	return false;
}

static bool packet_finish(struct gdbstub *stub, enum reply reply)
{
	switch (reply) {
	case REPLY_WRITTEN:
		reply_send(stub);
		return false;
	case REPLY_OK:
		send_text(stub, "OK");
		return false;
	case REPLY_EMPTY:
		send_text(stub, "");
		return false;
	case REPLY_RESUME:
		stub->tx_len = 0; /* nothing to repeat: the next word is the stop reply */
		return resume_or_report(stub);
	case REPLY_OK_RESUME:
		send_text(stub, "OK");
		session_reset(stub);
		return stop_resume(stub);
	case REPLY_NOTHING:
	default:
		stub->tx_len = 0;
		return false;
	}
}

static bool packet_refuse(struct gdbstub *stub, enum wire_error error, const char *text)
{
	reply_error(stub, error, text);
	reply_send(stub);
	return false;
}

bool packet_handle(struct gdbstub *stub, enum link_event event)
{
	switch (event) {
	case LINK_PACKET:
		session_notice_new(stub);
		link_acknowledge(stub, true);
		reply_begin(stub);
		return packet_finish(stub, dispatch(stub));
	case LINK_OVERLONG:
		link_acknowledge(stub, true);
		return packet_refuse(stub, WIRE_TOO_BIG, "packet longer than PacketSize 4000");
	case LINK_BAD:
		if (stub->no_ack)
			return packet_refuse(stub, WIRE_BAD_MESSAGE, "packet checksum is wrong");
		link_acknowledge(stub, false);
		return false;
	case LINK_RESEND:
		link_resend(stub);
		return false;
	case LINK_INTERRUPT: /* stopped already */
	case LINK_NOTHING:
	default:
		return false;
	}
}
