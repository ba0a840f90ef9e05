/*
 * Records: cutting them out of the byte stream, checking them, answering each request with one
 * record, and keeping the answers of those that changed something.
 *
 * Receiving. RS begins a record and LF ends it; RS may be missing. A record that is cut short by
 * the next RS, too long, or no JSON is answered with INSP_E_PARSE and id null, and reading goes on
 * behind it. Records are read where they were received; when the buffer is full of records whose
 * answers wait for the line, nothing more is taken, and the sender waits. So nothing grows.
 *
 * Once only. Ids of a session's changing requests grow. Slot id % INSP_REPLY_WINDOW remembers the
 * newest id that ran there; an id within the window that its slot does not name has not run yet.
 * Older ids are refused, for nobody can tell. The kept answers lie in a byte ring of their own.
 */
#include "internal.h"

#include <string.h>

#define TAIL_MAX 56 /* ,"seq":18446744073709551615,"crc":"xxxxxxxx"} and LF */

static const char text_cut[] = "the record ends before its LF: another begins";
static const char text_long[] = "the record is too long";

/* ---- receiving ---- */

size_t insp_link_receive(struct insp_link *link, const void *bytes, size_t len)
{
	/* What is being answered must not move. */
	if (!link->ready && link->in_from) {
		memmove(link->in, link->in + link->in_from, link->in_len - link->in_from);
		link->in_len -= link->in_from;
		link->in_scan -= link->in_from;
		link->in_from = 0;
	}
	size_t room = link->in_max - link->in_len;
	size_t n = len < room ? len : room;
	memcpy(link->in + link->in_len, bytes, n);
	link->in_len += n;
	link->rx_bytes += n;
	return n;
}

/* The next RS or LF at or behind in_scan, or in_len. */
static size_t find_mark(const struct insp_link *link)
{
	size_t at = link->in_scan;

	while (at < link->in_len && link->in[at] != INSP_LF && link->in[at] != INSP_RS)
		at++;
	return at;
}

/* Steps over what may stand between records. */
static void skip_blank(struct insp_link *link)
{
	while (link->in_from < link->in_len) {
		char c = link->in[link->in_from];
		if (c != INSP_LF && c != INSP_RS && c != ' ' && c != '\t' && c != '\r')
			break;
		link->in_from++;
	}
}

/* Nothing ends within the whole buffer: forget it, and all up to the next mark. */
static void begin_overlong(struct insp_link *link)
{
	link->in_overlong = true;
	link->in_from = link->in_scan = link->in_len;
}

/*
 * Finds the next record: [in_from, in_end) is its text and in_error is NULL, or in_error says what
 * was wrong with it. False: none is whole yet.
 */
static bool next_record(struct insp_link *link)
{
	if (!link->in_overlong)
		skip_blank(link);
	if (link->in_scan < link->in_from)
		link->in_scan = link->in_from;
	size_t at = find_mark(link);
	link->in_scan = at;
	if (at == link->in_len) {
		if (link->in_overlong)
			link->in_from = at;
		else if (at - link->in_from >= link->in_max)
			begin_overlong(link);
		return false;
	}
	link->in_error = NULL;
	if (link->in_overlong)
		link->in_error = text_long;
	else if (link->in[at] == INSP_RS)
		link->in_error = text_cut;
	link->in_overlong = false;
	link->in_end = at;
	link->ready = true;
	link->json.count = 0;
	link->batch_next = 0;
	link->rx_records++;
	return true;
}

/* The record is answered. An RS that cut it short begins the next one and is skipped as a blank. */
static void done_with_record(struct insp_link *link)
{
	link->ready = false;
	link->in_from = link->in_scan = link->in_end;
	if (link->in_from == link->in_len)
		link->in_from = link->in_scan = link->in_len = 0;
}

void insp_link_reset(struct insp_link *link)
{
	insp_watches_end(link);
	link->in_from = link->in_scan = link->in_len = 0;
	link->in_overlong = false;
	link->ready = false;
	link->out_len = link->out_sent = 0;
}

/* ---- sending ---- */

void insp_record_begin(struct insp_link *link, struct insp_writer *w)
{
	insp_w_init(w, link->out, link->out_max - TAIL_MAX);
	insp_w_raw(w, "\x1e{\"jsonrpc\":\"2.0\"", 17);
	w->comma = true;
}

bool insp_record_end(struct insp_link *link, struct insp_writer *w)
{
	char crc[12] = "\"00000000\"";

	if (w->full)
		return false;
	w->end += TAIL_MAX;
	insp_w_key(w, INSP_F_SEQ);
	insp_w_u64(w, link->seq);
	uint32_t sum = insp_crc(link->insp->crc, w->start + 1, (size_t)(w->p - w->start) - 1);
	for (int i = 8; i >= 1; i--, sum >>= 4)
		crc[i] = "0123456789abcdef"[sum & 15];
	insp_w_key(w, INSP_F_CRC);
	insp_w_value(w, crc, 10);
	insp_w_raw(w, "}\n", 2);
	if (w->full)
		return false;
	link->seq++;
	link->out_len = (size_t)(w->p - w->start);
	link->out_sent = 0;
	insp_link_drain(link);
	return true;
}

bool insp_link_drain(struct insp_link *link)
{
	size_t left = link->out_len - link->out_sent;

	if (left) {
		size_t room = insp_port_link_space(link->port);
		size_t n = left < room ? left : room;
		if (n)
			insp_port_link_write(link->port, link->out + link->out_sent, n);
		link->out_sent += n;
		link->tx_bytes += n;
		left -= n;
	}
	return !left;
}

/* ---- the session ---- */

void insp_session_start(struct insp_link *link)
{
	struct insp *insp = link->insp;
	uint64_t x = insp->info.seed ^ ++insp->sessions * 0x9e3779b97f4a7c15ull;
	char digits[16];

	/* splitmix64's finalizer: sessions of one boot all differ, those of others very likely. */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	x ^= x >> 31;
	size_t len = insp_hex(digits, x);
	memset(link->session, '0', 16);
	memcpy(link->session + 16 - len, digits, len);
	link->session[16] = 0;
	link->newest_id = 0;
	link->kept = 0;
	memset(link->reply, 0, sizeof(link->reply));
	insp_watches_end(link);
}

static struct insp_reply *slot_of(struct insp_link *link, uint64_t id)
{
	return &link->reply[id % INSP_REPLY_WINDOW];
}

static void keep_reply(struct insp_link *link, uint64_t id, const char *bytes, size_t len)
{
	struct insp_reply *r = slot_of(link, id);

	if (len > sizeof(link->reply_bytes) / 4)
		return;
	r->at = link->kept;
	r->len = (uint32_t)len;
	link->kept += len;
	for (size_t i = 0; i < len;) {
		size_t at = (r->at + i) % sizeof(link->reply_bytes);
		size_t n = sizeof(link->reply_bytes) - at < len - i ? sizeof(link->reply_bytes) - at
								    : len - i;
		memcpy(link->reply_bytes + at, bytes + i, n);
		i += n;
	}
}

/* Writes the kept answer as members of the record. */
static bool put_kept(struct insp_link *link, struct insp_writer *w, const struct insp_reply *r)
{
	size_t at = r->at % sizeof(link->reply_bytes);
	size_t first = sizeof(link->reply_bytes) - at < r->len ? sizeof(link->reply_bytes) - at
							       : r->len;

	if (!r->len || link->kept - r->at > sizeof(link->reply_bytes))
		return false;
	insp_w_value(w, link->reply_bytes + at, first);
	insp_w_raw(w, link->reply_bytes, r->len - first);
	return true;
}

/* ---- one request ---- */

struct request {
	const struct insp_token *token; /* the whole object */
	const struct insp_token *id, *method, *params, *session;
	uint64_t number; /* of the id; 0: not a number that grows */
	bool has_crc;
};

static int fail_crc(struct insp_call *call, const char *what)
{
	return insp_fail(call, INSP_E_PARSE, "%s", what);
}

static int check_crc(struct insp_call *call, const struct request *r, const struct insp_token *crc)
{
	const struct insp_json *j = call->json;
	const char *text = j->text;
	static const char key[] = INSP_CRC_KEY;
	uint32_t key_len = sizeof(key) - 1;
	uint32_t value = crc->start - 1; /* the quote */

	if (crc->type != INSP_T_STRING || crc->end - crc->start != 8)
		return fail_crc(call, "crc takes eight hex digits");
	if (value < r->token->start + key_len ||
	    memcmp(text + value - key_len, key, key_len) != 0 || crc->end + 2 != r->token->end)
		return fail_crc(call, "crc must stand last, as ,\"crc\":\"xxxxxxxx\"}");
	uint32_t sum = insp_crc(call->insp->crc, text + r->token->start,
				value - key_len - r->token->start);
	char want[8];
	for (int i = 7; i >= 0; i--, sum >>= 4)
		want[i] = "0123456789abcdef"[sum & 15];
	if (memcmp(want, text + crc->start, 8) != 0) {
		return insp_fail(call, INSP_E_PARSE,
				 "wrong crc: the record has %.*s, its bytes give %.*s", 8,
				 text + crc->start, 8, want);
	}
	return 0;
}

static int fail_request(struct insp_call *call, const char *what)
{
	return insp_fail(call, INSP_E_REQUEST, "not a request: %s", what);
}

static int check_id(struct insp_call *call, struct request *r, const struct insp_token *id)
{
	uint32_t quotes = id->type == INSP_T_STRING ? 2 : 0;

	if (id->type != INSP_T_STRING && id->type != INSP_T_NUMBER && id->type != INSP_T_NULL)
		return fail_request(call, "id takes a number or a string");
	if (id->end - id->start + quotes > INSP_ID_MAX)
		return fail_request(call, "id takes at most 64 bytes");
	r->id = id;
	if (!insp_json_u64(call->json, id, &r->number))
		r->number = 0;
	return 0;
}

/* Sorts the members into *r. */
static int take_members(struct insp_call *call, struct request *r)
{
	const struct insp_json *j = call->json;
	const struct insp_token *t = r->token, *version = NULL, *crc = NULL, *id = NULL;

	if (t->type != INSP_T_OBJECT)
		return fail_request(call, "it takes an object");
	for (uint32_t i = insp_json_index(j, t) + 1; i < t->after; i = j->token[i + 1].after) {
		const struct insp_token *key = &j->token[i], *value = &j->token[i + 1];
		if (insp_json_is(j, key, INSP_F_JSONRPC))
			version = value;
		else if (insp_json_is(j, key, INSP_F_ID))
			id = value;
		else if (insp_json_is(j, key, INSP_F_METHOD))
			r->method = value;
		else if (insp_json_is(j, key, INSP_F_PARAMS))
			r->params = value;
		else if (insp_json_is(j, key, INSP_F_SESSION))
			r->session = value;
		else if (insp_json_is(j, key, INSP_F_CRC))
			crc = value;
		else
			return fail_request(call,
					    "it takes only jsonrpc, id, method, params, session "
					    "and crc");
	}
	r->has_crc = crc != NULL;
	int code = crc ? check_crc(call, r, crc) : 0;
	if (!code && id)
		code = check_id(call, r, id);
	if (code)
		return code;
	if (!version || !insp_json_is(j, version, "2.0"))
		return fail_request(call, "\"jsonrpc\":\"2.0\" is missing");
	if (!r->method || r->method->type != INSP_T_STRING)
		return fail_request(call, "method takes a string");
	return 0;
}

/* Whether it belongs to the running session and may run now. */
static int check_session(struct insp_call *call, const struct request *r, bool changes)
{
	struct insp_link *link = call->link;
	const struct insp_method *hello = insp_method_find(INSP_M_HELLO, 5);

	if (link->crc_wanted && !r->has_crc && call->method != hello)
		return fail_crc(call, "crc is missing: this session's hello carried one");
	if (!r->session)
		return 0;
	if (!link->session[0] || !insp_json_is(call->json, r->session, link->session))
		return insp_fail(call, INSP_E_BUSY, "this session is over, say hello again");
	if (!changes || !r->id)
		return 0;
	if (!r->number || r->number >= INSP_NONE / 2)
		return fail_request(call,
				    "with session, the id of what changes state takes a whole "
				    "number from 1");
	if (r->number + INSP_REPLY_WINDOW <= link->newest_id)
		return insp_fail(
			call, INSP_E_BUSY,
			"id %lu is too old: %u ids behind the newest, nobody can tell whether it "
			"ran",
			r->number, INSP_REPLY_WINDOW);
	return 0;
}

static void put_id(struct insp_writer *w, const struct insp_call *call, const struct insp_token *id)
{
	insp_w_key(w, INSP_F_ID);
	if (!id)
		insp_w_null(w);
	else if (id->type == INSP_T_STRING)
		insp_w_value(w, call->json->text + id->start - 1, id->end - id->start + 2);
	else
		insp_w_value(w, call->json->text + id->start, id->end - id->start);
}

static void put_failure(struct insp_call *call, struct insp_writer mark)
{
	insp_w_rollback(call->w, mark);
	insp_w_key(call->w, INSP_F_ERROR);
	insp_put_error(call->w, call);
}

/* Runs the request and writes result or error. */
static void put_answer(struct insp_call *call, const struct request *r)
{
	struct insp_writer mark = *call->w;

	insp_w_key(call->w, INSP_F_RESULT);
	insp_w_open(call->w, '{');
	int code = insp_call_method(call, r->method, r->params);
	insp_w_close(call->w, '}');
	if (!code && call->w->full)
		code = insp_fail(call, INSP_E_INTERNAL, "the answer does not fit a record");
	if (code)
		put_failure(call, mark);
}

/* Runs it, or repeats what it answered when it has run. */
static void put_once(struct insp_call *call, const struct request *r)
{
	struct insp_link *link = call->link;
	struct insp_reply *slot = slot_of(link, r->number);
	struct insp_writer mark = *call->w;

	if (slot->id == r->number) {
		link->repeats++;
		if (put_kept(link, call->w, slot))
			return;
		insp_fail(call, INSP_E_BUSY, "id %lu has run; its answer is no longer kept",
			  r->number);
		put_failure(call, mark);
		return;
	}
	if (r->number > link->newest_id)
		link->newest_id = r->number;
	*slot = (struct insp_reply){.id = r->number};
	put_answer(call, r);
	/* Without the comma that stands before the member. */
	keep_reply(link, r->number, mark.p + 1, (size_t)(call->w->p - mark.p) - 1);
}

static const struct insp_method *method_of(const struct insp_call *call, const struct request *r)
{
	if (!r->method || r->method->escaped)
		return NULL;
	return insp_method_find(call->json->text + r->method->start,
				r->method->end - r->method->start);
}

static void answer_request(struct insp_link *link, const struct insp_token *token)
{
	struct insp_writer w;
	struct request r = {.token = token};
	struct insp_call call = {.insp = link->insp, .link = link, .json = &link->json, .w = &w};

	call.access = link->insp->info.access;
	insp_record_begin(link, &w);
	int code = take_members(&call, &r);
	bool changes = false;
	if (!code) {
		call.method = method_of(&call, &r);
		changes = call.method && call.method->flags & INSP_MF_CHANGES;
		code = check_session(&call, &r, changes);
	}
	put_id(&w, &call, code == INSP_E_PARSE ? NULL : r.id);
	struct insp_writer mark = w;
	if (code)
		put_failure(&call, mark);
	else if (changes && r.session && r.id)
		put_once(&call, &r);
	else
		put_answer(&call, &r);
	if (!code && !call.code && call.method->handler == insp_do_hello)
		link->crc_wanted = r.has_crc;
	if (code == INSP_E_PARSE)
		link->bad_records++;
	/* A notification that is a good request gets no answer, whatever came of it. */
	if (r.id || code)
		insp_record_end(link, &w);
}

static void answer_error(struct insp_link *link, int code, const char *what, uint32_t at,
			 bool place)
{
	struct insp_writer w;
	struct insp_call call = {.insp = link->insp, .link = link, .w = &w};

	if (place)
		insp_fail(&call, code, "not JSON: byte %u: %s", at, what);
	else
		insp_fail(&call, code, "%s", what);
	insp_record_begin(link, &w);
	put_id(&w, &call, NULL);
	put_failure(&call, w);
	insp_record_end(link, &w);
	if (code == INSP_E_PARSE)
		link->bad_records++;
}

/* The first request of what was received; 0 when it is no good and was answered. */
static bool begin_record(struct insp_link *link)
{
	struct insp_json_error error;

	if (link->in_error) {
		answer_error(link, INSP_E_PARSE, link->in_error, 0, false);
		return false;
	}
	if (!insp_json_parse(&link->json, link->in + link->in_from, link->in_end - link->in_from,
			     &error)) {
		answer_error(link, INSP_E_PARSE, error.what, error.at, true);
		return false;
	}
	if (link->json.token[0].type == INSP_T_ARRAY) {
		link->batch_next = 1;
		if (link->json.count == 1) {
			answer_error(link, INSP_E_REQUEST, "an empty batch", 0, false);
			return false;
		}
	}
	return true;
}

bool insp_link_answer(struct insp_link *link)
{
	if (!insp_link_drain(link) || (!link->ready && !next_record(link)))
		return false;
	if (!link->json.count && !begin_record(link)) {
		done_with_record(link);
		return true;
	}
	const struct insp_token *token = &link->json.token[link->batch_next];
	bool batch = link->json.token[0].type == INSP_T_ARRAY;
	link->batch_next = token->after;
	bool more = batch && link->batch_next < link->json.count;
	answer_request(link, token);
	if (!more)
		done_with_record(link);
	return true;
}

void insp_link_stats(const struct insp_link *link, struct insp_link_stats *stats)
{
	*stats = (struct insp_link_stats){
		.rx_bytes = link->rx_bytes,
		.tx_bytes = link->tx_bytes,
		.rx_records = link->rx_records,
		.tx_records = link->seq,
		.bad_records = link->bad_records,
		.repeats = link->repeats,
		.throttled = link->throttled,
	};
}

bool insp_link_check(const struct insp_link *link, char *why, size_t size)
{
	if (link->in_from > link->in_scan || link->in_scan > link->in_len ||
	    link->in_len > link->in_max || link->out_len > link->out_max ||
	    link->out_sent > link->out_len) {
		insp_format(why, size, "a buffer of the link is overfull");
		return false;
	}
	for (uint32_t i = 0; i < INSP_REPLY_WINDOW; i++) {
		const struct insp_reply *r = &link->reply[i];
		if ((r->id && r->id % INSP_REPLY_WINDOW != i) || r->id > link->newest_id ||
		    r->at + r->len > link->kept) {
			insp_format(why, size, "reply slot %u holds id %lu", i, r->id);
			return false;
		}
	}
	return insp_watch_check(link, why, size);
}
