/*
 * The GDB stub on this kernel: ways into it, its line, ways out, and `monitor`.
 *
 * While the kernel runs, each byte of the line goes through a hook in the receive interrupt. What
 * asks for a stop is only noted there; the stop itself happens at the end of the interrupt, so
 * that the debugger sees the interrupted code and not the driver. Traps come through the debugger
 * hook of traps.c, a panic through its own hook, everything else (gdbwait, sys.break) by an INT3.
 *
 * With serial=mux the line is shared: `$`..`#xx`, Ctrl-C, and the acknowledgements belong to the
 * stub, a record of the inspector's (RS to LF) is left alone whatever it contains.
 */
#include "port_gdbstub.h"

#include <inspect/inspect.h>
#include <kernel/cpu.h>
#include <kernel/debug_registers.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/percpu.h>
#include <kernel/ports.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uart.h>
#include <mm/space.h>
#include <string.h>

#define RS	0x1e
#define CTRL_C	0x03
#define BREATHS 32 /* between two looks at an idle line: a virtual one is served by others */

static struct stub_target self;

/* ---- the shared line ---- */

/* Whether a byte of a shared line is the stub's. */
static bool is_ours(uint8_t byte)
{
	if (!self.mux)
		return true;
	/* A record holds no control characters: Ctrl-C gets through even behind half a one. */
	if (self.in_record && byte != CTRL_C) {
		self.in_record = byte != '\n';
		return false;
	}
	if (self.stub.line_state != GDBSTUB_LINE_IDLE)
		return true;
	self.in_record = byte == RS;
	return byte == '$' || byte == CTRL_C || byte == '+' || byte == '-';
}

/* ---- stopping ---- */

static bool is_stack_of(const struct thread_info *info, uint64_t rsp)
{
	return rsp > info->stack_base && rsp <= info->stack_end;
}

/* Whose registers these are. The scheduler notes the next thread before it loads its stack, so the
 * stack tells; one that is no thread's (of the boot, of a trap, of user code) does not. */
static uint64_t stopped_thread_id(const struct trap_frame *frame)
{
	const struct thread *current = thread_current();
	struct thread_info info;
	uint32_t cursor = 0;

	if (!current)
		return 1;
	if (thread_info_by_id(thread_id(current), &info) && is_stack_of(&info, frame->rsp))
		return info.id;
	while (thread_visit(&cursor, &info))
		if (is_stack_of(&info, frame->rsp))
			return info.id;
	return thread_id(current);
}

/* The stopped code may hold the log's lock: the word waits for the end of an interrupt, which hits
 * nobody who does. */
static void note_loss(void)
{
	self.lost = true;
	trap_request_debugger();
}

static void tell_loss(void)
{
	self.lost = false;
	pr_warn("gdb: the debugger is gone; its breakpoints are out of memory, the kernel goes on");
}

static const struct gdbstub_event request = {.cause = GDBSTUB_CAUSE_REQUEST};

/* One visit. True: go on; false: the kernel's own handling of the fault shall happen. */
static bool visit(struct trap_frame *frame, const struct gdbstub_event *why)
{
	struct gdbstub_event event = *why;

	self.active = true;
	self.stop_wanted = false;
	self.frame = frame;
	self.thread_id = event.thread_id = stopped_thread_id(frame);
	stub_note_registers(&self);
	struct gdbstub_resume resume = gdbstub_stopped(&self.stub, &event);

	self.active = false;
	if (resume.abandoned)
		note_loss();
	return !resume.deliver;
}

/* What the receive interrupt took from the chip behind the packet that asked for the stop, and the
 * stub has not read: no further interrupt comes for it. True: it asks for a stop again. */
static bool more_was_said(void)
{
	int byte;

	for (unsigned n = 0; n < UART_RX_BYTES && (byte = uart_getc_polled(self.uart)) >= 0; n++)
		if (is_ours((uint8_t)byte) && gdbstub_rx_byte(&self.stub, (uint8_t)byte))
			return true;
	return false;
}

static bool stop(struct trap_frame *frame, const struct gdbstub_event *why)
{
	bool go_on = visit(frame, why);

	while (go_on && more_was_said())
		go_on = visit(frame, &request);
	return go_on;
}

static bool on_debug_trap(struct trap_frame *frame)
{
	struct gdbstub_event event = {.cause = GDBSTUB_CAUSE_DEBUG, .dr6 = read_dr6()};

	write_dr6(DR6_CLEAR);
	if (self.active)
		return true; /* a watchpoint that the stub itself ran into */
	stop(frame, &event);
	return true;
}

/* Our own INT3s say beforehand what they mean. */
static bool on_int3(struct trap_frame *frame)
{
	struct gdbstub_event event = {.cause = GDBSTUB_CAUSE_BREAKPOINT, .text = self.cause};
	bool forced = self.forced;

	self.cause = NULL;
	self.forced = false;
	if (gdbstub_attached(&self.stub) && self.active) {
		frame->rip -= gdbstub_lift(&self.stub, frame->rip - 1);
		return true;
	}
	if (forced)
		event.cause = self.panicked ? GDBSTUB_CAUSE_PANIC : GDBSTUB_CAUSE_REQUEST;
	else if (!gdbstub_attached(&self.stub))
		return false;
	stop(frame, &event);
	return true;
}

static bool on_fault(struct trap_frame *frame)
{
	char text[TRAP_EXPLAIN_MAX];

	if (self.active || !gdbstub_attached(&self.stub))
		return false;
	struct gdbstub_event event = {.cause = GDBSTUB_CAUSE_FAULT,
				      .vector = (uint8_t)frame->vector,
				      .text = trap_explain(frame, text, sizeof(text))};
	return stop(frame, &event);
}

/* The end of an interrupt in which the line asked for a stop. */
static bool on_request(struct trap_frame *frame)
{
	if (self.lost && !self.active)
		tell_loss();
	if (self.stop_wanted && !self.active)
		stop(frame, &request);
	return true;
}

static bool on_trap(struct trap_frame *frame)
{
	if (frame->vector >= TRAP_FIRST_INTERRUPT)
		return on_request(frame);
	switch (frame->vector) {
	case TRAP_DEBUG:
		return on_debug_trap(frame);
	case TRAP_BREAKPOINT:
		return on_int3(frame);
	case TRAP_NMI:
	case TRAP_MACHINE_CHECK:
		return false;
	default:
		return on_fault(frame);
	}
}

/* ---- the line while the kernel runs ---- */

/* What comes behind the byte that asked for the stop waits in the driver's ring. */
static bool on_byte(uint8_t byte, void *context)
{
	(void)context;
	if (self.stop_wanted || self.active || !is_ours(byte))
		return false;
	self.stop_wanted = gdbstub_rx_byte(&self.stub, byte);
	if (self.stop_wanted)
		trap_request_debugger();
	return true;
}

/* ---- the line while it is stopped ---- */

/* A modem line that was on is off: the cable is out, or the other side has closed its port. */
static bool hung_up(void)
{
	bool before = self.carrier;

	self.carrier = uart_carrier(self.uart);
	return before && !self.carrier && gdbstub_attached(&self.stub);
}

int gdbstub_port_read_byte(void *target, uint32_t wait_ms)
{
	uint64_t start_us = wait_ms ? time_now_us() : 0;

	(void)target;
	for (;;) {
		int byte = uart_getc_polled(self.uart);

		if (byte >= 0 && is_ours((uint8_t)byte))
			return byte;
		if (byte >= 0)
			continue;
		if (!wait_ms)
			return GDBSTUB_LINE_SILENT;
		if (hung_up())
			return GDBSTUB_LINE_LOST;
		if (wait_ms != GDBSTUB_FOREVER &&
		    time_now_us() - start_us >= wait_ms * UINT64_C(1000))
			return GDBSTUB_LINE_SILENT;
		for (int i = 0; i < BREATHS; i++)
			cpu_relax();
	}
}

/* A socket holds some hundred bytes that nobody has read. While the kernel stands still anyway, a
 * debugger on a busy machine may be slow to read: half a reply would end its session. */
#define SLOW_READER_US UINT64_C(10000000)

void gdbstub_port_write(void *target, const void *bytes, size_t len_bytes)
{
	const char *at = bytes;
	uint64_t start_us = time_now_us();

	(void)target;
	for (;;) {
		size_t sent = uart_write_polled(self.uart, at, len_bytes);

		at += sent;
		len_bytes -= sent;
		if (sent)
			start_us = time_now_us();
		if (!len_bytes || !self.active || time_now_us() - start_us > SLOW_READER_US)
			return;
	}
}

/* ---- panic ---- */

static void execute_int3(const char *cause)
{
	self.cause = cause;
	self.forced = true;
	__asm__ volatile("int3" : : : "memory");
}

static void stop_for_panic(void)
{
	static const struct gdbstub_event plain = {.cause = GDBSTUB_CAUSE_PANIC};
	struct gdbstub_event event = plain;

	if (self.active)
		return; /* the stub itself failed: no more of it */
	if (!self.panic_frame.rip) {
		execute_int3(panic_message());
		return;
	}
	event.text = panic_message();
	stop(&self.panic_frame, &event);
}

static void panic_enter(const struct trap_frame *frame, const char *message, void *context)
{
	(void)message, (void)context;
	self.panicked = true;
	if (frame)
		self.panic_frame = *frame;
	if (gdbstub_attached(&self.stub))
		stop_for_panic();
	if (self.lost)
		tell_loss();
}

static void panic_poll(void *context)
{
	(void)context;
	uart_poll(self.uart);
	if (self.stop_wanted)
		stop_for_panic();
}

/* ---- ends ---- */

void gdbstub_port_end(void *target, enum gdbstub_end how)
{
	(void)target;
	if (how == GDBSTUB_RESTART)
		machine_reboot();
	machine_poweroff();
}

/* ---- monitor ---- */

#define WIRE_BYTES_MAX (UINT64_C(16) << 20)

static char answer[65536];

static void print(struct gdbstub *stub, const char *text)
{
	gdbstub_print(stub, text, strlen(text));
}

/*
 * Sends bytes that no debugger heeds (it skips what stands between packets), in bursts and nothing
 * else: what the line carries at best, to measure transfers against.
 */
static bool monitor_wire(struct gdbstub *stub, const char *argument)
{
	static const char filler[1024] = {[0 ... 1023] = '~'};
	uint64_t bytes;

	if (!parse_size(argument, &bytes) || bytes > WIRE_BYTES_MAX) {
		print(stub, "wire takes a number of bytes up to 16M\n");
		return false;
	}
	for (uint64_t left = bytes; left;) {
		size_t piece = left < sizeof(filler) ? (size_t)left : sizeof(filler);

		uart_write_polled(self.uart, filler, piece);
		left -= piece;
	}
	return true;
}

static bool monitor_help(struct gdbstub *stub)
{
	print(stub,
	      "METHOD [VALUE... | NAME=VALUE... | {JSON}]\n"
	      "              any request of the inspector, e.g. mm.stat, mm.object 0xffff...,\n"
	      "              mm.frames zone=ZONE_DMA limit=4, sys.log; rpc.discover lists them\n"
	      "rpc {JSON}    a whole JSON-RPC request\n");
	return true;
}

/*
 * Requests that change something need the memory manager in order. Code that was stopped with
 * interrupts on holds none of the allocators' locks, like code that an interrupt hits; but it may
 * be changing page tables.
 */
static bool memory_is_quiet(void)
{
	return (self.frame->rflags & RFLAGS_IF) && !panic_in_progress() && !mm_space_changing();
}

bool gdbstub_port_monitor(void *target, struct gdbstub *stub, const char *command)
{
	struct insp *insp = port_inspect_instance();
	size_t len = 0;

	(void)target;
	if (!strcmp(command, "help"))
		return monitor_help(stub);
	if (!strncmp(command, "wire ", 5))
		return monitor_wire(stub, command + 5);
	if (!insp) {
		print(stub, "no inspector is running (inspect=off, or no line for it)\n");
		return false;
	}
	bool quiet = memory_is_quiet();
	bool good = insp_call_text(insp, command, strlen(command),
				   quiet ? INSP_ACCESS_FULL : INSP_ACCESS_READ, answer,
				   sizeof(answer), &len);

	gdbstub_print(stub, answer, len);
	print(stub, "\n");
	if (!good && !quiet)
		print(stub,
		      "(The kernel stands still where it may be inside the memory manager: only "
		      "requests that\nread are answered here. To change something, let it go on "
		      "and stop it elsewhere.)\n");
	return good;
}

/* ---- bringing it up ---- */

bool port_gdbstub_break(void)
{
	if (!self.ready || !gdbstub_attached(&self.stub))
		return false;
	self.cause = "sys.break";
	__asm__ volatile("int3" : : : "memory");
	return true;
}

void port_gdbstub_init(void)
{
	static struct panic_hook hook = {.name = "gdb", .enter = panic_enter, .poll = panic_poll};

	self.mux = kernel_params.serial == SERIAL_MUX;
	self.uart = self.mux ? UART_CONSOLE : UART_GDB;
	if (!uart_present(self.uart)) {
		pr_warn("gdb: no COM%u, no stub", self.uart + 1);
		return;
	}
	gdbstub_init(&self.stub, &self,
		     kernel_params.gdblost ? kernel_params.gdblost * 1000 : GDBSTUB_FOREVER);
	stub_window_init();
	self.ready = true;
	uart_set_receive_hook(self.uart, on_byte, NULL);
	trap_set_debugger(on_trap);
	panic_add_hook(&hook);
	pr_info("gdb: listening on COM%u", self.uart + 1);
	if (kernel_params.gdbwait) {
		pr_info("gdb: waiting for a debugger (gdbwait)");
		execute_int3("waiting since boot (gdbwait)");
	}
}
