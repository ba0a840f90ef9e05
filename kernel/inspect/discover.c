/* rpc.discover: the table of methods as an OpenRPC document, in pages of whole methods. */
#include "internal.h"

static void put_pair(struct insp_writer *w, const char *name, const char *text)
{
	insp_w_key(w, name);
	insp_w_str(w, text);
}

static void put_params(const struct insp *insp, struct insp_writer *w, const struct insp_method *m)
{
	insp_w_key(w, "params");
	insp_w_open(w, '[');
	for (uint32_t i = 0; i < m->param_count; i++) {
		const struct insp_param *p = &m->params[i];
		insp_w_open(w, '{');
		put_pair(w, "name", p->name);
		if (p->meaning)
			put_pair(w, "description", p->meaning);
		insp_w_key(w, "required");
		insp_w_bool(w, !p->optional);
		insp_w_key(w, "schema");
		insp_put_param_schema(insp, w, p);
		insp_w_close(w, '}');
	}
	insp_w_close(w, ']');
}

void insp_put_method_doc(const struct insp *insp, struct insp_writer *w,
			 const struct insp_method *m)
{
	insp_w_open(w, '{');
	put_pair(w, "name", m->name);
	put_pair(w, "summary", m->summary);
	put_pair(w, "paramStructure", "either");
	put_params(insp, w, m);
	insp_w_key(w, "result");
	insp_w_open(w, '{');
	put_pair(w, "name", "result");
	insp_w_key(w, "schema");
	insp_put_schema(w, m->result);
	insp_w_close(w, '}');
	put_pair(w, "x-access", insp_access_names[m->access]);
	insp_w_key(w, "x-changes-state");
	insp_w_bool(w, m->flags & INSP_MF_CHANGES);
	insp_w_close(w, '}');
}

void insp_put_document_head(struct insp_writer *w)
{
	put_pair(w, "openrpc", "1.2.6");
	insp_w_key(w, "info");
	insp_w_open(w, '{');
	put_pair(w, "title", INSP_NAME " inspector");
	put_pair(w, "version", "1");
	put_pair(w, "description",
		 "JSON-RPC 2.0 in RFC 7464 records over a serial line; docs/protocol.md is the "
		 "text");
	insp_w_close(w, '}');
}

#define TAIL 96 /* for ],"next":"..."} */

int insp_do_discover(struct insp_call *call)
{
	struct insp_writer *w = call->w;
	uint64_t cursor[2] = {0, 0};
	int code = insp_parse_cursor(call, 0, INSP_KINDS, cursor);

	if (code)
		return code;
	if (cursor[0] > insp_method_count)
		return insp_fail(call, INSP_E_BUSY,
				 "rpc.discover: the cursor is stale, begin again without one");
	insp_put_document_head(w);
	insp_w_key(w, "methods");
	insp_w_open(w, '[');
	w->end -= TAIL;
	for (uint64_t i = cursor[0]; i < insp_method_count; i++) {
		struct insp_writer mark = *w;
		insp_put_method_doc(call->insp, w, &insp_methods[i]);
		if (w->full) {
			insp_w_rollback(w, mark);
			if (i == cursor[0])
				return insp_fail(call, INSP_E_INTERNAL,
						 "%s does not fit a record of this link",
						 insp_methods[i].name);
			call->next_given = true;
			call->next_kind = INSP_KINDS;
			call->next[0] = i;
			break;
		}
	}
	w->end += TAIL;
	insp_w_close(w, ']');
	insp_put_fields(call, call->method->result, call);
	return 0;
}
