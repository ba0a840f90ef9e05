/* Packets about threads. */
#include "internal.h"

bool thread_find(struct gdbstub *stub, uint64_t id, struct gdbstub_thread *thread)
{
	if (!id || id == THREAD_ALL)
		return false;
	return gdbstub_port_next_thread(stub->target, id - 1, thread) && thread->id == id;
}

uint64_t thread_resolve(const struct gdbstub *stub, uint64_t id)
{
	if (id != THREAD_ANY && id != THREAD_ALL)
		return id;
	if (stub->general_thread != THREAD_ANY && stub->general_thread != THREAD_ALL)
		return stub->general_thread;
	return stub->event.thread_id;
}

static enum reply no_thread(struct gdbstub *stub)
{
	return reply_error(stub, WIRE_SRCH, "no such thread");
}

static enum reply handle_select(struct gdbstub *stub, struct cut *args)
{
	uint64_t id;
	struct gdbstub_thread thread;
	bool general = cut_char(args, 'g');
	if (!general && !cut_char(args, 'c'))
		return REPLY_EMPTY;
	if (!cut_thread(args, &id) || cut_left(args))
		return reply_error(stub, WIRE_INVALID, "a thread is a hex number, 0 or -1");
	if (id != THREAD_ANY && id != THREAD_ALL && !thread_find(stub, id, &thread))
		return no_thread(stub);
	if (general)
		stub->general_thread = id;
	else
		stub->continue_thread = id;
	return REPLY_OK;
}

static enum reply handle_alive(struct gdbstub *stub, struct cut *args)
{
	uint64_t id;
	struct gdbstub_thread thread;
	if (!cut_thread(args, &id) || cut_left(args) || !thread_find(stub, id, &thread))
		return no_thread(stub);
	return REPLY_OK;
}

static enum reply handle_current(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	reply_text(stub, "QC");
	reply_hex_u64(stub, thread_resolve(stub, THREAD_ANY));
	return REPLY_WRITTEN;
}

/* As many ids as fit; the rest with the next qsThreadInfo. */
static enum reply list_threads(struct gdbstub *stub)
{
	bool any = false;
	while (reply_room(stub) > 32 &&
	       gdbstub_port_next_thread(stub->target, stub->scan_thread.id, &stub->scan_thread)) {
		reply_char(stub, any ? ',' : 'm');
		reply_hex_u64(stub, stub->scan_thread.id);
		any = true;
	}
	if (!any)
		reply_char(stub, 'l');
	return REPLY_WRITTEN;
}

static enum reply handle_first(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	stub->scan_thread.id = 0;
	return list_threads(stub);
}

static enum reply handle_next(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	return list_threads(stub);
}

static enum reply handle_extra(struct gdbstub *stub, struct cut *args)
{
	uint64_t id;
	struct gdbstub_thread thread;
	if (!cut_thread(args, &id) || cut_left(args) || !thread_find(stub, id, &thread))
		return no_thread(stub);
	reply_hex_text(stub, thread.name);
	if (*thread.state) {
		reply_hex_text(stub, " (");
		reply_hex_text(stub, thread.state);
		reply_hex_text(stub, ")");
	}
	return REPLY_WRITTEN;
}

const struct packet_row thread_packets[] = {
	{"H",		handle_select,  true },
	{"T",		handle_alive,   true },
	{"qC",	       handle_current, false},
	{"qfThreadInfo",	 handle_first,   false},
	{"qsThreadInfo",	 handle_next,    false},
	{"qThreadExtraInfo", handle_extra,   false},
	{NULL,	       NULL,	     false},
};
