/*
 * What a stop means, and how the target goes on.
 *
 * A stop is either the debugger's business (reported, breakpoints taken out, the debugger served
 * until it resumes the target) or the stub's own: a step inside a range, the trap of a step that
 * was cancelled, a breakpoint that another CPU hit just before it was removed. The latter return
 * to the target without a byte on the wire; that is what makes `next` over a loop cheap.
 *
 * A step runs with IF clear, so that no interrupt handler is entered; code that loops until an
 * interrupt comes would never get on. So every WINDOW_STEPS range steps one step is taken with the
 * code's own IF (in x86_step.c). The CPU clears TF when it delivers an interrupt: handlers run at
 * full speed and the step goes on behind them.
 *
 * The instruction that switches threads ends a step too: the stop is reported in the thread that
 * the CPU is in then. GDB waits for a stop reply, and nobody can tell when the other thread will
 * run again.
 */
#include "internal.h"

#include <string.h>

/* Signal numbers as GDB counts them. */
enum {
	SIGNAL_INT = 2,
	SIGNAL_ILL = 4,
	SIGNAL_TRAP = 5,
	SIGNAL_ABRT = 6,
	SIGNAL_FPE = 8,
	SIGNAL_BUS = 10,
	SIGNAL_SEGV = 11
};

static const uint8_t vector_signal[32] = {
	[0] = SIGNAL_FPE,   [1] = SIGNAL_TRAP,	[2] = SIGNAL_INT,   [3] = SIGNAL_TRAP,
	[4] = SIGNAL_SEGV,  [5] = SIGNAL_SEGV,	[6] = SIGNAL_ILL,   [7] = SIGNAL_FPE,
	[8] = SIGNAL_ABRT,  [10] = SIGNAL_SEGV, [11] = SIGNAL_SEGV, [12] = SIGNAL_BUS,
	[13] = SIGNAL_SEGV, [14] = SIGNAL_SEGV, [16] = SIGNAL_FPE,  [17] = SIGNAL_BUS,
	[18] = SIGNAL_ABRT, [19] = SIGNAL_FPE,	[21] = SIGNAL_SEGV,
};

void gdbstub_init(struct gdbstub *stub, void *target, uint32_t answer_ms)
{
	memset(stub, 0, sizeof *stub);
	stub->target = target;
	stub->answer_ms = answer_ms;
}

bool gdbstub_attached(const struct gdbstub *stub)
{
	return stub->attached;
}

void gdbstub_lose(struct gdbstub *stub)
{
	if (stub->step.active)
		step_finish(stub, false);
	breakpoints_remove(stub);
	stub->kept |= stub->attached;
	stub->attached = stub->awaiting_stop = stub->unanswered = false;
	stub->line_state = GDBSTUB_LINE_IDLE;
	stub->packet_ready = false;
	stub->tx_len = 0;
}

bool gdbstub_rx_byte(struct gdbstub *stub, uint8_t byte)
{
	if (stub->packet_ready)
		return true;
	switch (link_byte(stub, byte)) {
	case LINK_PACKET:
		stub->packet_ready = packet_enters(stub);
		return stub->packet_ready;
	case LINK_INTERRUPT:
		return stub->attached;
	case LINK_BAD:
		link_acknowledge(stub, false);
		return false;
	case LINK_RESEND:
		link_resend(stub);
		return false;
	case LINK_OVERLONG:
	case LINK_NOTHING:
	default:
		return false;
	}
}

/* ---- what a stop means ---- */

static void report(struct gdbstub *stub, uint8_t signal, enum stop_reason reason, uint64_t address)
{
	stub->signal = signal;
	stub->reason = (uint8_t)reason;
	stub->reason_address = address;
}

static const enum stop_reason watch_reason[] = {
	[1] = REASON_HWBREAK, [2] = REASON_WATCH, [3] = REASON_RWATCH, [4] = REASON_AWATCH};

static bool in_range(const struct gdbstub_step *step, uint64_t rip)
{
	return step->in_range && rip >= step->range_start && rip < step->range_end;
}

/* A trap that nobody asked for: the rest of a step that something else ended. */
static bool swallow_stray_trap(struct gdbstub *stub, struct gdbstub_registers *regs)
{
	regs->rflags &= ~RFLAGS_TF;
	registers_store(stub);
	return false;
}

static bool step_is_of(const struct gdbstub_step *step, uint64_t thread_id)
{
	return step->active && step->thread_id == thread_id;
}

/* The classifiers return true when the debugger is to hear of the stop. `step` is the step that
 * was under way. */
static bool classify_debug(struct gdbstub *stub, const struct gdbstub_step *step)
{
	struct gdbstub_registers *regs = registers_load(stub, stub->event.thread_id);
	const struct gdbstub_watchpoint *hit = watchpoint_hit(stub, stub->event.dr6);
	if (hit) {
		report(stub, SIGNAL_TRAP, watch_reason[hit->type], hit->address);
		return true;
	}
	if (!regs)
		return true;
	if (!(stub->event.dr6 & DR6_BS) || !step_is_of(step, stub->event.thread_id))
		return swallow_stray_trap(stub, regs);
	report(stub, SIGNAL_TRAP, REASON_TRACE, 0);
	return !in_range(step, regs->rip);
}

/* rip is behind the INT3, wherever that came from. */
static bool classify_breakpoint(struct gdbstub *stub)
{
	struct gdbstub_registers *regs = registers_load(stub, stub->event.thread_id);
	if (!regs)
		return true;
	uint8_t code[2] = {0, 0}; /* the two bytes before rip */
	const struct gdbstub_breakpoint *ours = breakpoint_at(stub, regs->rip - 1);
	if (ours && ours->inserted) {
		regs->rip--;
		registers_store(stub);
		report(stub, SIGNAL_TRAP, REASON_SWBREAK, regs->rip);
		return true;
	}
	gdbstub_port_read_memory(stub->target, GDBSTUB_VIRTUAL, regs->rip - 2, code, 2);
	if (code[1] == INT3 || (code[0] == 0xcd && code[1] == 3))
		return true; /* in the program itself: it goes on behind it */
	regs->rip--;	     /* one that was removed while this CPU waited to report it */
	registers_store(stub);
	return false;
}

static bool classify(struct gdbstub *stub, const struct gdbstub_step *step)
{
	const struct gdbstub_event *event = &stub->event;
	report(stub, SIGNAL_TRAP, REASON_NONE, 0);
	switch (event->cause) {
	case GDBSTUB_CAUSE_DEBUG:
		return classify_debug(stub, step);
	case GDBSTUB_CAUSE_BREAKPOINT:
		return classify_breakpoint(stub);
	case GDBSTUB_CAUSE_FAULT:
		stub->signal = event->vector < 32 ? vector_signal[event->vector] : SIGNAL_TRAP;
		stub->signal = stub->signal ? stub->signal : SIGNAL_TRAP;
		stub->reason = REASON_EXCEPTION;
		return true;
	case GDBSTUB_CAUSE_PANIC:
		report(stub, SIGNAL_ABRT, REASON_EXCEPTION, 0);
		return true;
	case GDBSTUB_CAUSE_REQUEST:
	default:
		stub->signal = stub->packet_ready ? SIGNAL_TRAP : SIGNAL_INT;
		return true;
	}
}

/* ---- the stop reply ---- */

static void write_reason(struct gdbstub *stub)
{
	switch (stub->reason) {
	case REASON_SWBREAK:
		reply_text(stub, stub->swbreak ? "swbreak:;" : "");
		break;
	case REASON_HWBREAK:
		reply_text(stub, stub->hwbreak ? "hwbreak:;" : "");
		break;
	case REASON_WATCH:
	case REASON_RWATCH:
	case REASON_AWATCH:
		reply_text(stub, stub->reason == REASON_WATCH	 ? "watch:"
				 : stub->reason == REASON_RWATCH ? "rwatch:"
								 : "awatch:");
		reply_hex_u64(stub, stub->reason_address);
		reply_char(stub, ';');
		break;
	default:
		break;
	}
}

/* Only LLDB, which asks for threads in stop replies, reads this; it wants no guess. */
static void write_lldb_part(struct gdbstub *stub)
{
	struct gdbstub_thread thread = {.id = 0};
	if (stub->reason == REASON_TRACE)
		reply_text(stub, "reason:trace;");
	else if (stub->reason == REASON_EXCEPTION)
		reply_text(stub, "reason:exception;");
	if (stub->reason == REASON_EXCEPTION && stub->event.text) {
		reply_text(stub, "description:");
		reply_hex_text(stub, stub->event.text);
		reply_char(stub, ';');
	}
	reply_text(stub, "threads:");
	bool first = true;
	while (gdbstub_port_next_thread(stub->target, thread.id, &thread) &&
	       reply_room(stub) > 1024) {
		reply_text(stub, first ? "" : ",");
		reply_hex_u64(stub, thread.id);
		first = false;
	}
	reply_char(stub, ';');
}

static void write_expedited(struct gdbstub *stub, uint64_t thread_id)
{
	static const uint8_t expedited[] = {REGISTER_RBP, REGISTER_RSP, REGISTER_RIP};
	const struct gdbstub_registers *regs = registers_load(stub, thread_id);
	for (size_t i = 0; regs && i < sizeof expedited; i++) {
		reply_hex_bytes(stub, &expedited[i], 1);
		reply_char(stub, ':');
		register_reply(stub, regs, expedited[i]);
		reply_char(stub, ';');
	}
}

void stop_write_reply(struct gdbstub *stub, uint64_t thread_id)
{
	bool stopped_one = thread_id == stub->event.thread_id;
	struct gdbstub_thread thread;
	reply_char(stub, 'T');
	uint8_t signal = stopped_one ? stub->signal : 0;
	reply_hex_bytes(stub, &signal, 1);
	reply_text(stub, "thread:");
	reply_hex_u64(stub, thread_id);
	reply_char(stub, ';');
	if (thread_find(stub, thread_id, &thread) && thread.cpu >= 0) {
		reply_text(stub, "core:");
		reply_hex_u64(stub, (uint64_t)thread.cpu);
		reply_char(stub, ';');
	}
	write_expedited(stub, thread_id);
	if (stopped_one)
		write_reason(stub);
	if (stopped_one && stub->threads_in_stop_reply)
		write_lldb_part(stub);
}

void stop_send_reply(struct gdbstub *stub)
{
	reply_begin(stub);
	stop_write_reply(stub, stub->event.thread_id);
	reply_send(stub);
	stub->unanswered = true;
}

/* ---- going on ---- */

static bool interrupted(struct gdbstub *stub)
{
	int byte;
	while (!stub->packet_ready && (byte = gdbstub_port_read_byte(stub->target, 0)) >= 0) {
		enum link_event event = link_byte(stub, (uint8_t)byte);
		if (event == LINK_INTERRUPT)
			return true;
		stub->packet_ready = event == LINK_PACKET;
	}
	return stub->packet_ready;
}

/* One more step of the range. True: let the target run; false: it is over, and why is noted. */
static bool step_once(struct gdbstub *stub)
{
	for (;;) {
		enum step_outcome outcome = step_prepare(stub);
		if (outcome == STEP_RUN)
			return true;
		report(stub, SIGNAL_TRAP, REASON_TRACE, 0);
		const struct gdbstub_registers *regs = registers_load(stub, stub->step.thread_id);
		if (outcome == STEP_LOST || !regs || !in_range(&stub->step, regs->rip))
			return false;
		if (interrupted(stub)) {
			report(stub, SIGNAL_INT, REASON_NONE, 0);
			return false;
		}
	}
}

static bool step_wanted(const struct gdbstub *stub)
{
	return stub->step.thread_id != 0;
}

bool stop_resume(struct gdbstub *stub)
{
	if (step_wanted(stub)) {
		stub->event.thread_id = stub->step.thread_id;
		if (!step_once(stub)) {
			stub->step.thread_id = 0;
			return false;
		}
	}
	if (stub->attached)
		breakpoints_insert(stub);
	registers_forget(stub);
	stub->stopped = false;
	return true;
}

/* The stop was the stub's own and a step of this thread is still wanted. */
static bool step_again(struct gdbstub *stub)
{
	if (!interrupted(stub))
		return step_once(stub);
	report(stub, SIGNAL_INT, REASON_NONE, 0);
	return false;
}

/* The stepped instruction was the one that made its CPU go on in another thread, and took TF and
 * the masked IF along: the step is that thread's now, and ends with this instruction. */
static void follow_switch(struct gdbstub *stub)
{
	const struct gdbstub_event *event = &stub->event;
	struct gdbstub_step *step = &stub->step;
	struct gdbstub_thread thread;
	if (!step->active || !step->unbroken || step->thread_id == event->thread_id ||
	    event->cause != GDBSTUB_CAUSE_DEBUG || !(event->dr6 & DR6_BS) ||
	    !thread_find(stub, event->thread_id, &thread) || thread.cpu != step->cpu)
		return;
	step->thread_id = event->thread_id;
	step->in_range = false;
}

/* True: nothing to tell; the target goes on. */
static bool handle_silently(struct gdbstub *stub)
{
	const struct gdbstub_event *event = &stub->event;
	follow_switch(stub);
	const struct gdbstub_step step = stub->step;
	bool own = step_is_of(&step, event->thread_id);
	if (own)
		step_finish(stub, event->cause == GDBSTUB_CAUSE_DEBUG && (event->dr6 & DR6_BS));
	if (!classify(stub, &step))
		return own ? step_again(stub) : true;
	if (stub->step.active)
		step_finish(stub, false);
	return false;
}

static void announce(struct gdbstub *stub)
{
	bool owed = stub->awaiting_stop && !stub->packet_ready;
	stub->awaiting_stop = false;
	stub->general_thread = stub->event.thread_id;
	stub->continue_thread = THREAD_ANY;
	if (owed)
		stop_send_reply(stub);
}

/* The target does without its debugger; what it would do with a fault, it does. */
static void go_on_alone(struct gdbstub *stub)
{
	gdbstub_lose(stub);
	stub->step.thread_id = 0;
	stub->resume = (struct gdbstub_resume){
		.deliver = stub->event.cause == GDBSTUB_CAUSE_FAULT,
		.others_run = true,
		.abandoned = true,
	};
	stop_resume(stub);
}

static void serve(struct gdbstub *stub)
{
	for (;;) {
		enum link_event event = LINK_PACKET;
		if (!stub->packet_ready) {
			int byte = gdbstub_port_read_byte(
				stub->target, stub->unanswered ? stub->answer_ms : GDBSTUB_FOREVER);
			if (byte < 0) {
				go_on_alone(stub);
				return;
			}
			event = link_byte(stub, (uint8_t)byte);
		}
		stub->unanswered = false;
		stub->packet_ready = false;
		if (packet_handle(stub, event))
			return;
	}
}

struct gdbstub_resume gdbstub_stopped(struct gdbstub *stub, const struct gdbstub_event *event)
{
	stub->event = *event;
	stub->stopped = true;
	registers_forget(stub);
	if (handle_silently(stub)) {
		registers_forget(stub);
		stub->stopped = false;
		return stub->resume;
	}
	stub->step.thread_id = 0;
	stub->step.in_range = false;
	breakpoints_remove(stub);
	stub->resume = (struct gdbstub_resume){.deliver = false, .others_run = true};
	announce(stub);
	serve(stub);
	stub->event.text = NULL;
	return stub->resume;
}

const char *gdbstub_check(const struct gdbstub *stub)
{
	if (stub->rx_len > GDBSTUB_PACKET_BYTES)
		return "received packet is longer than its buffer";
	if (stub->tx_len > sizeof stub->tx)
		return "reply is longer than its buffer";
	if (stub->line_state > GDBSTUB_LINE_SUM_LOW)
		return "no such state of the line";
	if (stub->step.active && (stub->stopped || !stub->step.thread_id))
		return "a step is under way while stopped, or of no thread";
	if (stub->awaiting_stop && !stub->attached)
		return "a stop reply is owed to nobody";
	if (stub->kept && stub->attached)
		return "a debugger is attached and lost";
	if (stub->regs_valid && !stub->stopped)
		return "registers are remembered of a running target";
	return breakpoints_check(stub);
}
