/*
 * Between the stub's own files. Data flows one way: link.c makes packets of bytes, packets.c gives
 * each to its handler (a row of a table), the handler writes a payload into the reply and says by
 * its return what to do with it; only packets.c sends. stop.c decides what a stop means and how the
 * target goes on; breakpoints.c and x86_step.c prepare the machine for that.
 */
#ifndef GDBSTUB_INTERNAL_H
#define GDBSTUB_INTERNAL_H

#include <gdbstub/gdbstub.h>

/* ---- text.c: numbers and reading a packet from left to right ---- */

/* What is left of a packet. */
struct cut {
	uint8_t *at;
	uint8_t *end;
};

int hex_digit(uint8_t c); /* -1: not one */
size_t text_len(const char *text);
bool text_equal(const char *a, const char *b);
size_t cut_left(const struct cut *cut);
bool cut_char(struct cut *cut, char c);		  /* takes c if it comes next */
bool cut_word(struct cut *cut, const char *word); /* the same for a word */
bool cut_hex(struct cut *cut, uint64_t *value);	  /* 1..16 digits; false: none, or too many */
/* Two digits a byte, up to the end or the first non-digit; at most cap bytes. False: odd, too
 * many. `out` may be where the digits lie. */
bool cut_hex_bytes(struct cut *cut, uint8_t *out, size_t cap, size_t *len);
/* Takes the rest, resolving escapes in place. False: it ends within an escape. */
bool cut_binary(struct cut *cut, uint8_t **bytes, size_t *len);

#define THREAD_ANY 0u
#define THREAD_ALL UINT64_MAX
bool cut_thread(struct cut *cut, uint64_t *id);
/* LLDB's ";thread:ID;" at the end, cut off before the rest is read. */
bool cut_thread_suffix(struct cut *cut, uint64_t *id);

/* ---- link.c: bytes, packets, acknowledgements ---- */

enum link_event {
	LINK_NOTHING,
	LINK_PACKET,   /* stub->rx holds rx_len bytes */
	LINK_BAD,      /* its checksum is wrong or no number */
	LINK_OVERLONG, /* whole and intact, but larger than the buffer */
	LINK_INTERRUPT,
	LINK_RESEND,
};
enum link_event link_byte(struct gdbstub *stub, uint8_t byte);
void link_acknowledge(struct gdbstub *stub, bool good);
void link_resend(struct gdbstub *stub);

/* The payload of the reply under construction. Too much is noted, never written. */
void reply_begin(struct gdbstub *stub);
void reply_char(struct gdbstub *stub, char c);
void reply_text(struct gdbstub *stub, const char *text);
void reply_hex_u64(struct gdbstub *stub, uint64_t value);
void reply_hex_bytes(struct gdbstub *stub, const void *bytes, size_t len);
void reply_hex_text(struct gdbstub *stub, const char *text);
/* Escapes as it must; returns how many bytes fitted. */
size_t reply_binary(struct gdbstub *stub, const void *bytes, size_t len);
size_t reply_room(const struct gdbstub *stub);
/* Compresses, frames and sends the payload; the frame is kept for link_resend(). */
void reply_send(struct gdbstub *stub);

/* ---- packets.c ---- */

enum reply {
	REPLY_WRITTEN, /* send the payload */
	REPLY_OK,
	REPLY_EMPTY,	 /* not supported */
	REPLY_NOTHING,	 /* no reply at all */
	REPLY_RESUME,	 /* let the target go on as stub->resume and stub->step say */
	REPLY_OK_RESUME, /* the same, after OK */
};

/* Error numbers on the wire: those of POSIX systems, which clients turn into words. */
enum wire_error {
	WIRE_PERM = 1,
	WIRE_SRCH = 3,
	WIRE_IO = 5,
	WIRE_TOO_BIG = 7,
	WIRE_FAULT = 14,
	WIRE_INVALID = 22,
	WIRE_NO_SPACE = 28,
	WIRE_BAD_MESSAGE = 74,
};
/* Writes an error reply; the text goes only to clients that understand it. */
enum reply reply_error(struct gdbstub *stub, enum wire_error error, const char *text);

struct packet_row {
	const char *name; /* after it comes the end, or a ':', ';' or ',' that belongs to nobody */
	enum reply (*handle)(struct gdbstub *stub, struct cut *args);
	bool joined; /* arguments follow the name directly */
};
extern const struct packet_row memory_packets[], register_packets[], run_packets[],
	thread_packets[], breakpoint_packets[], query_packets[];

/* Acts on what link_byte() found. True: the target is to resume. */
bool packet_handle(struct gdbstub *stub, enum link_event event);
void session_reset(struct gdbstub *stub);
/* Whether the packet in stub->rx is for us: anything in a session, else what begins one. */
bool packet_enters(const struct gdbstub *stub);

/* ---- stop.c ---- */

enum stop_reason {
	REASON_NONE,
	REASON_SWBREAK,
	REASON_HWBREAK,
	REASON_WATCH,
	REASON_RWATCH,
	REASON_AWATCH,
	REASON_TRACE,
	REASON_EXCEPTION,
};
void stop_write_reply(struct gdbstub *stub, uint64_t thread_id);
/* Sends that of the stopped thread, unasked: the end of a resume. */
void stop_send_reply(struct gdbstub *stub);
/* True: the target must run now. False: the step was emulated whole and its end is reported. */
bool stop_resume(struct gdbstub *stub);

/* ---- threads.c ---- */

bool thread_find(struct gdbstub *stub, uint64_t id, struct gdbstub_thread *thread);
/* The thread that register packets mean, given what Hg or a suffix said. */
uint64_t thread_resolve(const struct gdbstub *stub, uint64_t id);

/* ---- registers.c ---- */

#define REGISTER_RBP 6u
#define REGISTER_RSP 7u
#define REGISTER_RIP 16u
extern const unsigned register_count;
/* Value of a register in target byte order as hex, or 'x' for each digit when it is not known. */
void register_reply(struct gdbstub *stub, const struct gdbstub_registers *regs, unsigned number);
/* Registers of a thread, read once per stop. NULL: no such thread. */
struct gdbstub_registers *registers_load(struct gdbstub *stub, uint64_t thread_id);
bool registers_store(struct gdbstub *stub);
void registers_forget(struct gdbstub *stub);

/* ---- xml.c: documents for qXfer ---- */

/* Writes the part [offset, offset + length) of a document into the reply, with its 'm' or 'l'. */
struct window {
	struct gdbstub *stub;
	uint64_t skip, room;
	bool more;
};
void window_text(struct window *window, const char *text);
void window_number(struct window *window, uint64_t value, unsigned base);
typedef void (*document_fn)(struct window *window);
void xml_target(struct window *window);
void xml_threads(struct window *window);
void xml_memory_map(struct window *window);
bool memory_map_complete(struct gdbstub *stub);

/* ---- breakpoints.c ---- */

void breakpoints_insert(struct gdbstub *stub); /* before the target runs */
void breakpoints_remove(struct gdbstub *stub); /* before the debugger looks */
void breakpoints_clear(struct gdbstub *stub);
/* Whether executing at rip is to hit a breakpoint of either kind. */
bool breakpoint_wants(const struct gdbstub *stub, uint64_t rip);
const struct gdbstub_breakpoint *breakpoint_at(const struct gdbstub *stub, uint64_t address);
/* The watchpoint that the set bits of dr6 belong to, or NULL. */
const struct gdbstub_watchpoint *watchpoint_hit(const struct gdbstub *stub, uint64_t dr6);
const char *breakpoints_check(const struct gdbstub *stub);

/* ---- x86_step.c ---- */

enum step_outcome {
	STEP_RUN,  /* registers are set up: one instruction and a debug trap will follow */
	STEP_DONE, /* the instruction was emulated */
	STEP_LOST, /* the thread cannot be stepped */
};
enum step_outcome step_prepare(struct gdbstub *stub);
/* The target stopped while a step was active: gives the code its own flags back. */
void step_finish(struct gdbstub *stub, bool completed);

#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define DR6_BS	  (UINT64_C(1) << 14)
#define INT3	  0xccu

#endif
