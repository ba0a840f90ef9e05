/* Running one method: its name, its access level, its parameters, its handler, its error. */
#include "internal.h"

#include <string.h>

int insp_fail(struct insp_call *call, int code, const char *fmt, ...)
{
	va_list args;

	call->code = code;
	va_start(args, fmt);
	insp_vformat(call->message, sizeof(call->message), fmt, args);
	va_end(args);
	return code;
}

const char *insp_status_text(enum insp_status status)
{
	static const char *const texts[] = {
		[INSP_OK] = "ok",
		[INSP_END] = "no further item",
		[INSP_BUSY] = "busy",
		[INSP_STALE] = "stale",
		[INSP_NO_SUCH] = "no such thing",
		[INSP_REFUSED] = "refused",
		[INSP_FAULT] = "unreadable memory",
		[INSP_ABSENT] = "this kernel does not have it",
	};

	return (size_t)status < INSP_COUNT(texts) ? texts[status] : "unknown status";
}

int insp_fail_status(struct insp_call *call, enum insp_status status, const char *what)
{
	switch (status) {
	case INSP_BUSY:
		return insp_fail(call, INSP_E_BUSY, "%s: busy, ask again", what);
	case INSP_STALE:
		return insp_fail(call, INSP_E_BUSY,
				 "%s: the cursor is stale, begin again without one", what);
	case INSP_NO_SUCH:
		return insp_fail(call, INSP_E_PARAMS, "no such %s", what);
	case INSP_FAULT:
		call->error = "EFAULT";
		insp_copy(call->reason, sizeof(call->reason), "unreadable memory");
		return insp_fail(call, INSP_E_REFUSED, "%s: unreadable memory", what);
	case INSP_ABSENT:
		return insp_fail(call, INSP_E_INTERNAL, "%s: this kernel does not have it", what);
	default:
		return insp_fail(call, INSP_E_INTERNAL, "%s: %s", what, insp_status_text(status));
	}
}

int insp_fail_act(struct insp_call *call, enum insp_status status, const struct insp_act *act)
{
	const char *reason = act->reason[0] ? act->reason : insp_status_text(status);

	if (status == INSP_NO_SUCH)
		return insp_fail(call, INSP_E_PARAMS, "%s", reason);
	if (status != INSP_REFUSED)
		return insp_fail_status(call, status, call->method->name);
	call->error = act->error ? act->error : "EPERM";
	insp_copy(call->reason, sizeof(call->reason), reason);
	return insp_fail(call, INSP_E_REFUSED, "%s: %s", call->method->name, reason);
}

void insp_put_error(struct insp_writer *w, const struct insp_call *call)
{
	insp_w_open(w, '{');
	insp_w_key(w, INSP_F_CODE);
	insp_w_i64(w, call->code);
	insp_w_key(w, INSP_F_MESSAGE);
	insp_w_str(w, call->message);
	if (call->error) {
		insp_w_key(w, INSP_F_DATA);
		insp_w_open(w, '{');
		insp_w_key(w, INSP_F_ERRNO);
		insp_w_str(w, call->error);
		insp_w_key(w, INSP_F_REASON);
		insp_w_str(w, call->reason);
		insp_w_close(w, '}');
	}
	insp_w_close(w, '}');
}

/* ---- finding methods ---- */

const struct insp_method *insp_method_find(const char *name, size_t len)
{
	uint32_t low = 0, high = insp_method_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const char *there = insp_methods[middle].name;
		int order = strncmp(name, there, len);
		if (!order && !there[len])
			return &insp_methods[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

#define NAME_LIMIT 24

/* Edits (insert, delete, replace) between two names of at most NAME_LIMIT bytes. */
static uint32_t distance(const char *a, size_t a_len, const char *b)
{
	uint32_t row[NAME_LIMIT + 1];
	size_t b_len = strlen(b);

	if (a_len > NAME_LIMIT || b_len > NAME_LIMIT)
		return UINT32_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (uint32_t)j;
	for (size_t i = 1; i <= a_len; i++) {
		uint32_t diagonal = row[0];
		row[0] = (uint32_t)i;
		for (size_t j = 1; j <= b_len; j++) {
			uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
			row[j] = best < row[j] + 1 ? best : row[j] + 1;
		}
	}
	return row[b_len];
}

const struct insp_method *insp_method_nearest(const char *name, size_t len)
{
	const struct insp_method *best = insp_methods;
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < insp_method_count; i++) {
		const char *there = insp_methods[i].name, *dot = strchr(there, '.');
		uint32_t edits = distance(name, len, there);
		/* "stat" is as near to "mm.stat" as one edit. */
		if (dot && len == strlen(dot + 1) && !memcmp(name, dot + 1, len))
			edits = edits < 1 ? edits : 1;
		if (edits < least) {
			least = edits;
			best = &insp_methods[i];
		}
	}
	return best;
}

static int fail_method(struct insp_call *call, const struct insp_token *name)
{
	const char *text = call->json->text + name->start;
	uint32_t len = name->end - name->start;
	const struct insp_method *near = insp_method_nearest(text, len);

	return insp_fail(call, INSP_E_METHOD,
			 "unknown method %.*s: the nearest is %s; rpc.discover lists all",
			 (int)(len < 40 ? len : 40), text, near->name);
}

static int check_allowed(struct insp_call *call)
{
	const struct insp_method *m = call->method;

	if (call->access < m->access)
		return insp_fail(call, INSP_E_ACCESS,
				 "%s needs access level %s, this kernel grants %s "
				 "(boot parameter inspect=)",
				 m->name, insp_access_names[m->access],
				 insp_access_names[call->access]);
	if (call->insp->panicked && m->flags & INSP_MF_CHANGES && !(m->flags & INSP_MF_AFTER_PANIC))
		return insp_fail(call, INSP_E_BUSY,
				 "%s: the kernel has panicked, only what reads is answered",
				 m->name);
	if (m->flags & INSP_MF_LINK && !call->link)
		return insp_fail(call, INSP_E_REQUEST, "%s needs a link of its own", m->name);
	if (call->insp->changing && m->flags & INSP_MF_CHANGES)
		return insp_fail(call, INSP_E_BUSY,
				 "%s: the kernel was stopped inside another request that changes "
				 "something; let it go on and stop it again",
				 m->name);
	return 0;
}

/* insp_call_text() may come in between, from a debugger that stopped the thread right here. */
static int run_handler(struct insp_call *call)
{
	bool changes = call->method->flags & INSP_MF_CHANGES;

	if (changes)
		call->insp->changing = true;
	int code = call->method->handler(call);
	if (changes)
		call->insp->changing = false;
	return code;
}

int insp_call_method(struct insp_call *call, const struct insp_token *name,
		     const struct insp_token *params)
{
	const struct insp_method *m = NULL;

	if (!name->escaped)
		m = insp_method_find(call->json->text + name->start, name->end - name->start);
	if (!m)
		return fail_method(call, name);
	call->method = m;
	call->now_us = insp_port_clock_us();
	int code = check_allowed(call);
	if (!code)
		code = insp_check_params(call, params);
	if (!code)
		code = run_handler(call);
	if (!code && call->w->full)
		code = insp_fail(call, INSP_E_INTERNAL, "the answer does not fit a record");
	return code;
}

void insp_know_zones(struct insp *insp)
{
	struct insp_visit visit = {.to = INSP_NONE, .space = INSP_SPACE_CURRENT};
	enum insp_status status = INSP_OK;
	uint32_t count = 0;

	if (insp->zones)
		return;
	while (count < INSP_ZONES_MAX && status == INSP_OK) {
		status = insp_next(INSP_KIND_ZONES, &visit, &insp->zone[count]);
		count += status == INSP_OK;
	}
	/* All of them or none yet. */
	if (status == INSP_OK || status == INSP_END)
		insp->zones = count;
}
