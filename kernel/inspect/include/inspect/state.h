/*
 * The inspector's structures, complete so that callers can give the memory for them. All members
 * are private to kernel/inspect. Sizes: struct insp about 50 KiB, struct insp_link about 110 KiB.
 */
#ifndef INSPECT_STATE_H
#define INSPECT_STATE_H

#include <inspect/port.h>
#include <inspect/protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSP_ZONES_MAX	  8
#define INSP_CACHES_MAX	  16
#define INSP_FRAME_BLOCKS 1024	/* hashes that a watch keeps of the frames */
#define INSP_DIRTY_MAX	  64	/* ranges whose mappings a watch still has to send */
#define INSP_SPACES_KNOWN 64	/* spaces whose end a watch notices one by one */
#define INSP_MAP_SLOTS	  1024	/* of the ring of map and unmap, a power of two */
#define INSP_REPLY_BYTES  49152 /* of kept replies per link */
#define INSP_LINK_LIMIT	  4

/* One event. state: 0 never used; 2n+1 event n is being written; 2n+2 event n is there. */
struct insp_slot {
	uint64_t state;
	uint64_t t_us, addr, size, site;
	uint32_t op, arg;
};

struct insp_ring {
	struct insp_slot *slots;
	uint32_t mask;
	uint64_t head;	  /* events begun */
	uint64_t dropped; /* events that found their slot being written */
};

enum insp_token_type {
	INSP_T_OBJECT,
	INSP_T_ARRAY,
	INSP_T_STRING, /* start..end inside the quotes */
	INSP_T_NUMBER,
	INSP_T_TRUE,
	INSP_T_FALSE,
	INSP_T_NULL
};

struct insp_token {
	uint8_t type;
	uint8_t escaped; /* a string with backslashes */
	uint16_t after;	 /* index of the first token behind this value */
	uint32_t start, end;
};

/* A parsed record: values in the order of the text; an object's are key, value, key, value. */
struct insp_json {
	const char *text;
	uint32_t count;
	struct insp_token token[INSP_TOKENS_MAX];
};

/* Text being made: p == end and full when it did not fit. */
struct insp_writer {
	char *start, *p, *end;
	bool comma; /* a value stands before */
	bool full;
};

struct insp_reply {
	uint64_t id;  /* 0: none */
	uint64_t at;  /* position in the stream of kept bytes */
	uint32_t len; /* 0: it ran, the bytes did not fit */
};

/* A part of a space whose mappings the client does not have right. */
struct insp_dirty {
	uint64_t from, to; /* inclusive */
	uint32_t space;
	bool clear; /* something may have been there that is gone */
};

struct insp_watch {
	uint32_t id;	 /* 0: free */
	uint32_t topics; /* mask, bits in the order of INSP_TOPIC_NAMES */
	uint32_t full;	 /* topics that begin anew */
	uint32_t busy;	 /* topics that may have something to send in this round */
	uint32_t turn;	 /* topic that goes next */
	uint32_t hz;
	uint64_t due_us; /* of the next round */

	/* What the line carries: rounds of the running second that could not be sent in time, and
	 * the rate that follows; told: what the client knows. */
	uint64_t second_us;
	uint32_t late, line_hz, told_hz;

	/* The picture that the client has. */
	uint64_t gen[3]; /* of stat, zones, caches */
	struct insp_stat stat;
	uint32_t zones, caches;
	struct insp_zone zone[INSP_ZONES_MAX];
	struct insp_cache cache[INSP_CACHES_MAX];

	/* Of the frames: a hash per block. A scan marks the blocks that differ, then they are sent.
	 */
	uint64_t gen_frames; /* when the scan began */
	uint64_t block_bytes;
	uint32_t blocks;
	uint32_t scan_block;	     /* where the scan goes on; == blocks: done */
	uint64_t send_pa, send_hash; /* a block that was sent in part, its hash so far */
	bool send_open;
	uint64_t differs[INSP_FRAME_BLOCKS / 64];
	uint64_t hash[INSP_FRAME_BLOCKS];

	/* Of the mappings: nothing but what was touched since it was sent. */
	uint64_t map_read; /* place in the ring of map and unmap */
	bool owes_end;	   /* mappings: `more` was said, so a last record without it must come */
	bool sweeping;	   /* all spaces are still to be sent: */
	uint64_t sweep[2]; /* cursor of the space that goes next */
	uint32_t dirties;
	struct insp_dirty dirty[INSP_DIRTY_MAX];
	uint64_t gen_spaces; /* when the spaces were last looked at */
	uint64_t spaces_sum; /* of what there are beyond the known ones */
	uint32_t spaces_known;
	uint32_t known[INSP_SPACES_KNOWN];

	uint64_t event_read, event_lost;
	uint64_t missed[INSP_EV_OPS]; /* of struct insp, as far as they are in event_lost */
	uint64_t log_read, log_lost;
};

struct insp_link {
	struct insp *insp; /* NULL: not in use */
	void *port;
	size_t line_bytes;

	/* receiving */
	char *in;
	size_t in_max;
	size_t in_from, in_len; /* what was received and not answered yet */
	size_t in_scan;		/* up to here there is no RS and no LF */
	size_t in_end;		/* of the record that is being answered */
	bool in_overlong;	/* throwing away up to the next RS or LF */
	bool ready;		/* a record is being answered: [in_from, in_end) */
	const char *in_error;
	struct insp_json json;
	uint32_t batch_next; /* token of the next request of a batch, 0: none */

	/* sending */
	char *out;
	size_t out_max, out_len, out_sent;
	uint64_t seq;

	/* the session and the answers that may be asked for again */
	char session[20];
	char token[INSP_TOKEN_MAX + 1];
	bool token_given, crc_wanted;
	uint64_t newest_id;
	uint64_t kept; /* bytes ever kept */
	struct insp_reply reply[INSP_REPLY_WINDOW];
	char reply_bytes[INSP_REPLY_BYTES];

	uint32_t next_watch;
	struct insp_watch watch[INSP_WATCHES_MAX];

	uint64_t rx_bytes, tx_bytes, rx_records, bad_records, repeats, throttled;
};

struct insp {
	struct insp_info info;
	uint32_t crc[8][256];
	struct insp_ring ring, maps;
	struct insp_slot map_slots[INSP_MAP_SLOTS];
	uint32_t listen; /* mask of insp_event_op that somebody wants */
	uint32_t traced; /* of these, what trace.start asked for */
	bool tracing, panicked;
	bool changing; /* inside the handler of a method that changes something */

	/* How many events may still be recorded (events.c), and the credit that it is made from:
	 * what it was when the ring's head, the clock and the idle time stood there. */
	int64_t event_room; /* atomic */
	uint64_t event_ns;  /* what one costs */
	uint64_t credit_ns, credit_head, credit_us, credit_idle_us;
	uint64_t missed[INSP_EV_OPS]; /* that the port left out */

	uint64_t *owned;
	uint32_t owned_slots, owned_limit, owned_count;

	uint32_t zones;
	struct insp_zone zone[INSP_ZONES_MAX]; /* their names, for words of requests */

	uint64_t sessions;
	uint64_t worked_us, last_us, rest_until_us; /* how busy we keep the CPU */
	enum insp_op deferred;			    /* to do when the answer is out */
	bool deferred_set;
	struct insp_link *deferred_link;

	uint32_t links;
	struct insp_link *link[INSP_LINK_LIMIT];
	struct insp_json text; /* of insp_call_text() */
};

#endif
