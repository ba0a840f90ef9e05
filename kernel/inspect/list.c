/*
 * Lists in pages. A page is one record: as many items as fit, all read while the state stood still
 * (the generation is compared around them; a page that the state moved under is made again, and
 * smaller, down to one item, which the port gives consistent in itself).
 */
#include "internal.h"

#include <string.h>

#define PAGE_RESERVE 160 /* for what follows the array: ],"next":"..","gen":..} and more */
#define TRIES	     8
#define BUSY_STEPS   4096 /* empty steps of a walk within one page */

uint64_t insp_gen_of(const struct insp_gens *gens, enum insp_gen_of which)
{
	switch (which) {
	case INSP_GEN_FRAMES:
		return gens->frames;
	case INSP_GEN_MAPPINGS:
		return gens->mappings;
	case INSP_GEN_ALL:
		return gens->all;
	default:
		return 0;
	}
}

enum insp_status insp_next(enum insp_kind kind, struct insp_visit *visit, void *item)
{
	enum insp_status status = INSP_BUSY;

	for (int i = 0; i < BUSY_STEPS && status == INSP_BUSY; i++)
		status = insp_port_next(kind, visit, item);
	return status;
}

static bool parse_hex(const char **s, const char *end, char stop, uint64_t *value)
{
	const char *p = *s;

	*value = 0;
	while (p < end && *p != stop) {
		unsigned d = *p >= '0' && *p <= '9' ? (unsigned)(*p - '0')
						    : (unsigned)(*p - 'a') + 10;
		if (d > 15 || (*p > '9' && *p < 'a') || p - *s >= 16)
			return false;
		*value = *value << 4 | d;
		p++;
	}
	if (p == *s || (stop && p == end))
		return false;
	*s = p + (stop != 0);
	return true;
}

/* "KIND:w0:w1", KIND in decimal below 1000, both words in lower-case hex. */
int insp_parse_cursor(struct insp_call *call, uint32_t param, uint32_t kind, uint64_t cursor[2])
{
	const struct insp_token *t = call->arg[param].token;
	char text[48], head[12];

	if (!call->arg[param].given)
		return 0;
	size_t len = insp_json_string(call->json, t, text, sizeof(text));
	size_t head_len = insp_format(head, sizeof(head), "%u:", kind);
	const char *p = text + head_len;
	if (len == SIZE_MAX || len < head_len || memcmp(text, head, head_len) != 0 ||
	    !parse_hex(&p, text + len, ':', &cursor[0]) ||
	    !parse_hex(&p, text + len, 0, &cursor[1]) || p != text + len)
		return insp_fail(
			call, INSP_E_PARAMS,
			"parameter cursor is wrong: it takes the string that %s gave as next",
			call->method->name);
	return 0;
}

struct page {
	uint64_t limit;
	uint32_t count;
	enum insp_status status; /* why it ended: INSP_OK when it is full */
};

static void end_page(struct insp_call *call, const struct insp_list *list,
		     const struct insp_visit *visit)
{
	call->next_given = true;
	call->next_kind = list->kind;
	memcpy(call->next, visit->cursor, sizeof(call->next));
}

/* Writes items until the page is full or the list ends. */
static void fill(struct insp_call *call, const struct insp_list *list, struct insp_visit visit,
		 struct page *page)
{
	union insp_item item;
	uint32_t steps = 0;

	call->next_given = false;
	page->count = 0;
	while (page->count < page->limit) {
		struct insp_visit before = visit;
		page->status = insp_port_next(list->kind, &visit, &item);
		if (page->status == INSP_BUSY && ++steps < BUSY_STEPS)
			continue;
		if (page->status == INSP_BUSY && page->count)
			end_page(call, list, &visit);
		if (page->status != INSP_OK)
			return;
		if (list->keep && !list->keep(call, &item)) {
			if (++steps < BUSY_STEPS)
				continue;
			break;
		}
		struct insp_writer mark = *call->w;
		insp_put_item(call, list->item, &item);
		if (call->w->full) {
			insp_w_rollback(call->w, mark);
			page->status = page->count && !list->whole ? INSP_OK : INSP_ABSENT;
			end_page(call, list, &before);
			return;
		}
		page->count++;
	}
	end_page(call, list, &visit);
}

static int page_result(struct insp_call *call, const struct insp_list *list,
		       const struct page *page)
{
	if (page->status == INSP_OK || page->status == INSP_END ||
	    (page->status == INSP_BUSY && page->count))
		return 0;
	if (page->status == INSP_ABSENT && call->next_given)
		return insp_fail(call, INSP_E_INTERNAL, "%s: one element does not fit a record",
				 list->what);
	return insp_fail_status(call, page->status, list->what);
}

/* Makes pages until one was read while nothing moved. */
static int settle(struct insp_call *call, const struct insp_list *list,
		  const struct insp_visit *visit, uint64_t limit)
{
	struct page page = {.limit = limit};

	for (int attempt = 0; attempt < TRIES; attempt++) {
		struct insp_gens before, after;
		struct insp_writer mark = *call->w;
		insp_port_gens(&before);
		fill(call, list, *visit, &page);
		insp_port_gens(&after);
		call->gen = before.all;
		int code = page_result(call, list, &page);
		if (code)
			return code;
		if (insp_gen_of(&before, list->gen) == insp_gen_of(&after, list->gen) ||
		    (page.count <= 1 && !list->whole))
			return 0;
		insp_w_rollback(call->w, mark);
		if (attempt >= 2 && !list->whole)
			page.limit = attempt < TRIES - 2 ? (page.count + 3) / 4 : 1;
	}
	/* A list that cannot be cut, while other CPUs never rest: its elements are each consistent.
	 */
	fill(call, list, *visit, &page);
	return page_result(call, list, &page);
}

int insp_put_list(struct insp_call *call, const struct insp_list *list)
{
	struct insp_visit visit = {.to = INSP_NONE, .space = INSP_SPACE_CURRENT};
	uint64_t limit = UINT32_MAX;
	int code = 0;

	if (list->setup)
		code = list->setup(call, &visit);
	if (!code && list->cursor >= 0)
		code = insp_parse_cursor(call, (uint32_t)list->cursor, list->kind, visit.cursor);
	if (code)
		return code;
	if (list->limit >= 0 && call->arg[list->limit].given)
		limit = call->arg[list->limit].u;
	if (call->w->end - call->w->p < PAGE_RESERVE)
		return insp_fail(call, INSP_E_INTERNAL, "the answer does not fit a record");

	insp_w_key(call->w, list->name);
	insp_w_open(call->w, '[');
	call->w->end -= PAGE_RESERVE;
	code = settle(call, list, &visit, limit);
	call->w->end += PAGE_RESERVE;
	insp_w_close(call->w, ']');
	return code;
}

int insp_do_list(struct insp_call *call)
{
	const struct insp_list *list = call->method->detail;

	int code = insp_put_list(call, list);
	if (!code)
		insp_put_fields(call, call->method->result, call);
	return code;
}
