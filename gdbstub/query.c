/* Packets about the session itself: what both sides can do, documents, `monitor`. */
#include <string.h>

#include "internal.h"
#include "registers.h"

/* ---- what both sides can do ---- */

static const struct {
	const char *name;
	size_t field;
} client_features[] = {
	{"swbreak+",	     offsetof(struct gdbstub, swbreak)      },
	{"hwbreak+",	     offsetof(struct gdbstub, hwbreak)      },
	{"error-message+", offsetof(struct gdbstub, error_text)   },
	{"binary-upload+", offsetof(struct gdbstub, binary_upload)},
};

static void note_feature(struct gdbstub *stub, const struct cut *feature)
{
	for (size_t i = 0; i < sizeof client_features / sizeof *client_features; i++) {
		struct cut cut = *feature;
		if (cut_word(&cut, client_features[i].name) && !cut_left(&cut))
			*((bool *)((char *)stub + client_features[i].field)) = true;
	}
}

static enum reply handle_supported(struct gdbstub *stub, struct cut *args)
{
	while (cut_left(args)) {
		struct cut feature = {args->at, args->at};
		while (feature.end < args->end && *feature.end != ';')
			feature.end++;
		note_feature(stub, &feature);
		args->at = feature.end;
		cut_char(args, ';');
	}
	stub->supported_seen = true;
	reply_text(stub, "PacketSize=");
	reply_hex_u64(stub, GDBSTUB_PACKET_BYTES);
	reply_text(stub, ";QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;error-message+;"
			 "binary-upload+;qXfer:features:read+;qXfer:threads:read+");
	if (memory_map_complete(stub))
		reply_text(stub, ";qXfer:memory-map:read+");
	return REPLY_WRITTEN;
}

/* Switches of the session that take no argument. */
static enum reply switch_on(struct cut *args, bool *field)
{
	if (cut_left(args))
		return REPLY_EMPTY;
	*field = true;
	return REPLY_OK;
}

static enum reply handle_no_ack(struct gdbstub *stub, struct cut *args)
{
	return switch_on(args, &stub->no_ack);
}

static enum reply handle_thread_suffix(struct gdbstub *stub, struct cut *args)
{
	return switch_on(args, &stub->thread_suffix);
}

static enum reply handle_threads_in_stop(struct gdbstub *stub, struct cut *args)
{
	return switch_on(args, &stub->threads_in_stop_reply);
}

static enum reply handle_error_strings(struct gdbstub *stub, struct cut *args)
{
	return switch_on(args, &stub->error_strings);
}

static enum reply handle_non_stop(struct gdbstub *stub, struct cut *args)
{
	if (cut_char(args, '0') && !cut_left(args))
		return REPLY_OK;
	return reply_error(stub, WIRE_INVALID, "a kernel stops whole: non-stop is not possible");
}

static enum reply handle_attached(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	reply_char(stub, '1'); /* leaving detaches and does not kill */
	return REPLY_WRITTEN;
}

/* ---- documents ---- */

static const struct {
	const char *name;
	const char *annex;
	document_fn write;
} documents[] = {
	{"features:read:",   "target.xml", xml_target	   },
	{"threads:read:",	  "",	      xml_threads	 },
	{"memory-map:read:", "",		 xml_memory_map},
};

static enum reply transfer(struct gdbstub *stub, struct cut *args, document_fn write)
{
	struct window window = {.stub = stub};
	if (!cut_char(args, ':') || !cut_hex(args, &window.skip) || !cut_char(args, ',') ||
	    !cut_hex(args, &window.room) || cut_left(args))
		return reply_error(stub, WIRE_INVALID, "expected annex:offset,length");
	reply_char(stub, 'm');
	write(&window);
	if (!window.more)
		stub->tx[1] = 'l';
	return REPLY_WRITTEN;
}

static enum reply handle_transfer(struct gdbstub *stub, struct cut *args)
{
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		struct cut cut = *args;
		if (!cut_word(&cut, documents[i].name))
			continue;
		if (!cut_word(&cut, documents[i].annex) || !cut_left(&cut) || *cut.at != ':')
			return reply_error(stub, WIRE_INVALID, "no such annex");
		if (documents[i].write == xml_memory_map && !memory_map_complete(stub))
			return REPLY_EMPTY;
		return transfer(stub, &cut, documents[i].write);
	}
	return REPLY_EMPTY;
}

/* ---- for LLDB ---- */

static void write_host(struct gdbstub *stub)
{
	reply_text(stub, "triple:");
	reply_hex_text(stub, "x86_64-unknown-none");
	reply_text(stub, ";endian:little;ptrsize:8;");
}

static enum reply handle_host_info(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	write_host(stub);
	reply_text(stub, "watchpoint_exceptions_received:after;");
	return REPLY_WRITTEN;
}

static enum reply handle_process_info(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	reply_text(stub, "pid:1;");
	write_host(stub);
	return REPLY_WRITTEN;
}

static enum reply handle_watch_support(struct gdbstub *stub, struct cut *args)
{
	(void)args;
	reply_text(stub, "num:4;");
	return REPLY_WRITTEN;
}

static void write_roles(struct gdbstub *stub, uint64_t number)
{
	static const struct {
		uint8_t number;
		const char *role;
	} roles[] = {
		{REGISTER_RBP, "fp"   },
		      {REGISTER_RSP, "sp"	 },
		    {REGISTER_RIP, "pc"   },
		  {17,	       "flags"},
		{5,	    "arg1" },
		      {4,		  "arg2" },
		    {3,		"arg3" },
		  {2,	      "arg4" },
		{8,	    "arg5" },
		      {9,		  "arg6" }
	 };
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		if (roles[i].number != number)
			continue;
		reply_text(stub, "generic:");
		reply_text(stub, roles[i].role);
		reply_char(stub, ';');
	}
}

static enum reply handle_register_info(struct gdbstub *stub, struct cut *args)
{
	uint64_t number;
	if (!cut_hex(args, &number) || cut_left(args) || number >= register_count)
		return reply_error(stub, WIRE_INVALID, "no register of this number");
	const struct register_row *row = &register_table[number];
	bool vector = row->kind == REG_XMM || row->kind == REG_ST;
	reply_text(stub, "name:");
	reply_text(stub, row->name);
	reply_text(stub, ";bitsize:");
	reply_text(stub, row->bits == 128  ? "128"
			 : row->bits == 80 ? "80"
			 : row->bits == 64 ? "64"
					   : "32");
	reply_text(stub, vector ? ";encoding:vector;format:vector-uint8;set:"
				: ";encoding:uint;format:hex;set:");
	reply_text(stub, row->feature == REG_SYSTEM ? "System;" : "General;");
	write_roles(stub, number);
	return REPLY_WRITTEN;
}

static enum reply handle_region_info(struct gdbstub *stub, struct cut *args)
{
	uint64_t address;
	struct gdbstub_region region;
	if (!cut_hex(args, &address) || cut_left(args))
		return reply_error(stub, WIRE_INVALID, "expected an address in hex");
	if (!gdbstub_port_region(stub->target, address, &region))
		return REPLY_EMPTY;
	reply_text(stub, "start:");
	reply_hex_u64(stub, region.start);
	reply_text(stub, ";size:");
	uint64_t size = region.last - region.start;
	reply_hex_u64(stub, size == UINT64_MAX ? size : size + 1);
	reply_char(stub, ';');
	if (!region.mapped)
		return REPLY_WRITTEN;
	reply_text(stub, "permissions:");
	reply_text(stub, region.readable ? "r" : "");
	reply_text(stub, region.writable ? "w" : "");
	reply_text(stub, region.executable ? "x;" : ";");
	if (*region.name) {
		reply_text(stub, "name:");
		reply_hex_text(stub, region.name);
		reply_char(stub, ';');
	}
	return REPLY_WRITTEN;
}

/* ---- monitor ---- */

#define PRINT_CHUNK 2048u /* characters a packet: shows soon, also on a slow line */

/* With acknowledgements on, the next packet must not overwrite one that may be asked for again. */
static void await_acknowledgement(struct gdbstub *stub)
{
	while (!stub->no_ack) {
		int byte = gdbstub_port_read_byte(stub->target, GDBSTUB_FOREVER);
		if (byte < 0 || byte == '+')
			return;
		if (byte == '-')
			link_resend(stub);
		if (byte == '$') {
			link_byte(stub, '$');
			return;
		}
	}
}

static void flush_output(struct gdbstub *stub)
{
	if (stub->tx_len <= 2)
		return;
	reply_send(stub);
	await_acknowledgement(stub);
	reply_begin(stub);
	reply_char(stub, 'O');
}

void gdbstub_print(struct gdbstub *stub, const char *text, size_t len_bytes)
{
	while (len_bytes) {
		size_t room = 2 + 2 * PRINT_CHUNK - stub->tx_len;
		size_t some = len_bytes < room / 2 ? len_bytes : room / 2;
		reply_hex_bytes(stub, text, some);
		text += some;
		len_bytes -= some;
		if (stub->tx_len >= 2 * PRINT_CHUNK)
			flush_output(stub);
	}
}

static void print(struct gdbstub *stub, const char *text)
{
	gdbstub_print(stub, text, text_len(text));
}

static const char *cause_text(const struct gdbstub *stub)
{
	static const char *const words[] = {
		[GDBSTUB_CAUSE_REQUEST] = "stopped on request",
		[GDBSTUB_CAUSE_DEBUG] = "debug trap",
		[GDBSTUB_CAUSE_BREAKPOINT] = "breakpoint",
		[GDBSTUB_CAUSE_FAULT] = "fault",
		[GDBSTUB_CAUSE_PANIC] = "panic",
	};
	return stub->event.text ? stub->event.text : words[stub->event.cause];
}

static bool run_command(struct gdbstub *stub)
{
	if (text_equal(stub->command, "why")) {
		print(stub, cause_text(stub));
		print(stub, "\n");
		return true;
	}
	if (text_equal(stub->command, "help"))
		print(stub, "help          this list\n"
			    "why           why the target stopped\n");
	return gdbstub_port_monitor(stub->target, stub, stub->command);
}

static enum reply handle_command(struct gdbstub *stub, struct cut *args)
{
	size_t len;
	if (!cut_hex_bytes(args, (uint8_t *)stub->command, sizeof stub->command - 1, &len) ||
	    cut_left(args))
		return reply_error(stub, WIRE_INVALID, "a command is hex, at most 2047 bytes");
	stub->command[len] = '\0';
	reply_begin(stub);
	reply_char(stub, 'O');
	bool good = run_command(stub);
	flush_output(stub);
	reply_begin(stub);
	return good ? REPLY_OK : reply_error(stub, WIRE_INVALID, "the command failed");
}

const struct packet_row query_packets[] = {
	{"qSupported",	       handle_supported,	 false},
	{"QStartNoAckMode",	    handle_no_ack,	   false},
	{"QThreadSuffixSupported",  handle_thread_suffix,	 false},
	{"QListThreadsInStopReply", handle_threads_in_stop, false},
	{"QEnableErrorStrings",	handle_error_strings,   false},
	{"QNonStop",		     handle_non_stop,	      false},
	{"qAttached",		      handle_attached,	       false},
	{"qXfer",		   handle_transfer,	   false},
	{"qHostInfo",		      handle_host_info,	false},
	{"qProcessInfo",		 handle_process_info,    false},
	{"qRegisterInfo",		  handle_register_info,	true },
	{"qWatchpointSupportInfo",  handle_watch_support,	 false},
	{"qMemoryRegionInfo",	      handle_region_info,	  false},
	{"qRcmd",		   handle_command,	  false},
	{NULL,		      NULL,		     false},
};
