/* Packets that let the target go on, end it, or ask why it stopped. */
#include "internal.h"

#include <string.h>

static enum reply handle_why(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	stop_write_reply(stub, stub->event.thread_id);
	return REPLY_WRITTEN;
}

static enum reply handle_thread_stop_info(struct gdbstub *stub, struct cut *args)
{
	uint64_t id;
	struct gdbstub_thread thread;
	if (!cut_thread(args, &id) || cut_left(args) || !thread_find(stub, id, &thread))
		return reply_error(stub, WIRE_SRCH, "no such thread");
	stop_write_reply(stub, id);
	return REPLY_WRITTEN;
}

/* ---- one action ---- */

struct action {
	char kind; /* 'c', 's', 'r' or 't' */
	uint8_t signal;
	uint64_t range_start, range_end;
	uint64_t thread; /* THREAD_ALL: the default for the rest */
};

static bool cut_action(struct cut *cut, struct action *action)
{
	uint64_t signal = 0;
	if (!cut_left(cut))
		return false;
	char kind = (char)*cut->at++;
	*action = (struct action){.kind = kind, .thread = THREAD_ALL};
	if (kind == 'C' || kind == 'S') {
		if (!cut_hex(cut, &signal) || signal > UINT8_MAX)
			return false;
		action->kind = kind == 'C' ? 'c' : 's';
		action->signal = (uint8_t)signal;
	} else if (kind == 'r') {
		if (!cut_hex(cut, &action->range_start) || !cut_char(cut, ',') ||
		    !cut_hex(cut, &action->range_end))
			return false;
	} else if (kind != 'c' && kind != 's' && kind != 't') {
		return false;
	}
	return !cut_char(cut, ':') || cut_thread(cut, &action->thread);
}

/* Whose signal it is: passing one on means that the target's own handler of the fault runs. */
static void plan_continue(struct gdbstub *stub, const struct action *action)
{
	if (action->signal)
		stub->resume.deliver = true;
}

static enum reply plan_step(struct gdbstub *stub, const struct action *action)
{
	struct gdbstub_thread thread;
	uint64_t id = action->thread == THREAD_ALL || action->thread == THREAD_ANY
			      ? stub->event.thread_id
			      : action->thread;
	if (!thread_find(stub, id, &thread))
		return reply_error(stub, WIRE_SRCH, "no such thread");
	if (!thread.running)
		return reply_error(stub, WIRE_INVALID,
				   "that thread is on no CPU: break where it goes on instead");
	stub->step = (struct gdbstub_step){.thread_id = id,
					   .in_range = action->kind == 'r' &&
						       action->range_end > action->range_start,
					   .range_start = action->range_start,
					   .range_end = action->range_end};
	return REPLY_RESUME;
}

/* ---- vCont ---- */

/* The leftmost action that fits a thread counts for it. One thread at most is stepped. */
static enum reply handle_vcont(struct gdbstub *stub, struct cut *args)
{
	struct action action, step = {.kind = 0};
	bool runs = false, first = true;
	stub->resume = (struct gdbstub_resume){.deliver = false, .others_run = false};
	stub->step = (struct gdbstub_step){.thread_id = 0};
	for (; first || cut_char(args, ';'); first = false) {
		if (!cut_action(args, &action))
			return reply_error(stub, WIRE_INVALID,
					   "vCont takes c, Cxx, s, Sxx, r start,end or t, each "
					   "with :thread");
		if ((action.kind == 's' || action.kind == 'r') && !step.kind && !runs)
			step = action;
		runs |= action.kind == 'c';
		plan_continue(stub, &action);
	}
	if (cut_left(args))
		return reply_error(stub, WIRE_INVALID, "vCont: text behind the last action");
	if (!step.kind && !runs) {
		stop_write_reply(stub, stub->event.thread_id); /* only 't': all are stopped */
		return REPLY_WRITTEN;
	}
	stub->resume.others_run = runs;
	if (!step.kind || stub->resume.deliver)
		return REPLY_RESUME;
	return plan_step(stub, &step);
}

static enum reply handle_vcont_query(struct gdbstub *stub, struct cut *args)
{
	if (cut_left(args))
		return REPLY_EMPTY;
	reply_text(stub, "vCont;c;C;s;S;t;r");
	return REPLY_WRITTEN;
}

/* ---- the older forms: [signal][;]address ---- */

static enum reply resume_plainly(struct gdbstub *stub, struct cut *args, char kind, bool signalled)
{
	struct action action = {.kind = kind, .thread = stub->continue_thread};
	uint64_t signal = 0, address;
	if (signalled && (!cut_hex(args, &signal) || signal > UINT8_MAX))
		return reply_error(stub, WIRE_INVALID, "a signal is two hex digits");
	if (signalled)
		cut_char(args, ';');
	if (cut_left(args)) {
		struct gdbstub_registers *regs = registers_load(stub, stub->event.thread_id);
		if (!regs || !cut_hex(args, &address) || cut_left(args))
			return reply_error(stub, WIRE_INVALID, "the address is not a hex number");
		regs->rip = address;
		if (!registers_store(stub))
			return reply_error(stub, WIRE_INVALID, "no code can be at this address");
	}
	stub->resume = (struct gdbstub_resume){.deliver = signal != 0, .others_run = true};
	stub->step = (struct gdbstub_step){.thread_id = 0};
	return kind == 's' && !signal ? plan_step(stub, &action) : REPLY_RESUME;
}

static enum reply handle_continue(struct gdbstub *stub, struct cut *args)
{
	return resume_plainly(stub, args, 'c', false);
}

static enum reply handle_continue_signal(struct gdbstub *stub, struct cut *args)
{
	return resume_plainly(stub, args, 'c', true);
}

static enum reply handle_step(struct gdbstub *stub, struct cut *args)
{
	return resume_plainly(stub, args, 's', false);
}

static enum reply handle_step_signal(struct gdbstub *stub, struct cut *args)
{
	return resume_plainly(stub, args, 's', true);
}

/* ---- ends ---- */

static enum reply handle_detach(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	stub->resume = (struct gdbstub_resume){.deliver = false, .others_run = true};
	stub->step = (struct gdbstub_step){.thread_id = 0};
	return REPLY_OK_RESUME;
}

static enum reply handle_kill(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	gdbstub_port_end(stub->target, GDBSTUB_KILL);
	return REPLY_NOTHING;
}

/* Sends the reply before the line goes with the target. */
static enum reply reply_and_end(struct gdbstub *stub, enum gdbstub_end how)
{
	reply_send(stub);
	gdbstub_port_end(stub->target, how);
	return REPLY_NOTHING;
}

static enum reply handle_restart(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	gdbstub_port_end(stub->target, GDBSTUB_RESTART);
	return REPLY_NOTHING;
}

/* The reply should be the first stop of what was started, which cannot be told from here: after
 * anything else than an error debuggers would ask on while nobody answers. They attach anew. */
static enum reply handle_run(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	if (!stub->extended)
		return REPLY_EMPTY;
	reply_error(stub, WIRE_IO, "the machine starts again: attach to it again");
	return reply_and_end(stub, GDBSTUB_RESTART);
}

#define RUN_WAIT_MS    1000u
#define RUN_WAIT_BYTES 4096u

/* In extended mode `run` is two packets, of which the first one kills. */
static bool run_follows(struct gdbstub *stub)
{
	int byte = 0;
	for (unsigned n = 0; n < RUN_WAIT_BYTES && byte >= 0; n++) {
		byte = gdbstub_port_read_byte(stub->target, RUN_WAIT_MS);
		if (byte < 0 || link_byte(stub, (uint8_t)byte) != LINK_PACKET)
			continue;
		struct cut packet = {stub->rx, stub->rx + stub->rx_len};
		link_acknowledge(stub, true);
		return cut_word(&packet, "vRun");
	}
	return false;
}

static enum reply handle_vkill(struct gdbstub *stub, struct cut *args)
{
	reply_text(stub, "OK");
	if (!stub->extended)
		return reply_and_end(stub, GDBSTUB_KILL);
	reply_send(stub);
	if (run_follows(stub))
		return handle_run(stub, args);
	gdbstub_port_end(stub->target, GDBSTUB_KILL);
	return REPLY_NOTHING;
}

static enum reply handle_extended(struct gdbstub *stub, struct cut *args)
{
	if (cut_left(args))
		return REPLY_EMPTY;
	stub->extended = true;
	return REPLY_OK;
}

const struct packet_row run_packets[] = {
	{"?",	       handle_why,		  false},
	{"qThreadStopInfo", handle_thread_stop_info, true },
	{"vCont?",	   handle_vcont_query,      false},
	{"vCont",		  handle_vcont,		false},
	{"vKill",		  handle_vkill,		false},
	{"vRun",		 handle_run,		     false},
	{"vAttach",	    handle_why,		false},
	{"c",	       handle_continue,	       true },
	{"C",	       handle_continue_signal,  true },
	{"s",	       handle_step,		   true },
	{"S",	       handle_step_signal,	  true },
	{"D",	       handle_detach,	     false},
	{"k",	       handle_kill,		   false},
	{"R",	       handle_restart,	      true },
	{"!",	       handle_extended,	       false},
	{NULL,	       NULL,		     false},
};
