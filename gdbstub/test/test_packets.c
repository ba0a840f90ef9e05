/* Every packet that the stub answers, one by one, against the mock machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static struct session s;

static int close_session(void **state)
{
	(void)state;
	const char *broken = s.mock.broken;
	size_t bad = s.bad_frames;
	session_close(&s);
	assert_null(broken);
	assert_int_equal(bad, 0);
	return 0;
}

#define PLAY(...)	       session_of(&s, __VA_ARGS__, NULL)
#define REPLY(n)	       (assert_true((size_t)(n) < s.count), s.replies[n])
#define CHECK_REPLY(n, text)   assert_string_equal(REPLY(n), text)
#define CHECK_HAS(n, text)     assert_non_null(strstr(REPLY(n), text))
#define CHECK_HAS_NOT(n, text) assert_null(strstr(REPLY(n), text))

/* ---- session ---- */

static void supported_names_what_it_can(void **state)
{
	(void)state;
	PLAY("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386", "vMustReplyEmpty");
	CHECK_HAS(0, "PacketSize=4000;");
	CHECK_HAS(0, "QStartNoAckMode+");
	CHECK_HAS(0, "qXfer:features:read+");
	CHECK_HAS(0, "qXfer:threads:read+");
	CHECK_HAS(0, "binary-upload+");
	CHECK_HAS_NOT(0, "multiprocess");
	CHECK_HAS_NOT(0, "memory-map");
	CHECK_REPLY(1, "");
	assert_int_equal(s.acks, 2);
}

static void memory_map_only_when_complete(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.complete_map = true;
	session_packet(&s, "qSupported");
	session_packet(&s, "qXfer:memory-map:read::0,1000");
	session_play(&s);
	CHECK_HAS(0, "qXfer:memory-map:read+");
	CHECK_HAS(1, "<memory type=\"ram\" start=\"0x100000\" length=\"0x10000\"/>");
}

static void memory_map_else_unknown(void **state)
{
	(void)state;
	PLAY("qXfer:memory-map:read::0,1000");
	CHECK_REPLY(0, "");
}

static void no_ack_stops_acks(void **state)
{
	(void)state;
	PLAY("QStartNoAckMode", "qC", "?");
	assert_int_equal(s.acks, 1);
	CHECK_REPLY(0, "OK");
	CHECK_REPLY(1, "QC1");
}

static void lldb_order_keeps_no_ack(void **state)
{
	(void)state;
	PLAY("QStartNoAckMode", "qSupported:xmlRegisters=i386", "qC");
	assert_int_equal(s.acks, 1);
}

static void reconnect_brings_acks_back(void **state)
{
	(void)state;
	PLAY("qSupported", "QStartNoAckMode", "qC", /* gone without a word; GDB comes: */
	     "qSupported", "QStartNoAckMode", "qC", /* LLDB comes: */
	     "QStartNoAckMode", "qSupported", "qC");
	assert_int_equal(s.acks, 2 + 2 + 1);
	assert_int_equal(s.count, 9);
}

static void reconnect_drops_breakpoints(void **state)
{
	(void)state;
	PLAY("qSupported", "Z0,10000c,1", "Z2,104000,8", "qSupported");
	assert_int_equal(s.mock.stub.breakpoints_used, 0);
	CHECK_REPLY(1, "OK");
}

static void error_text_only_when_offered(void **state)
{
	(void)state;
	PLAY("m0,1", "qSupported:error-message+", "m0,1", "qSupported", "m0,1",
	     "QEnableErrorStrings", "m0,1");
	CHECK_REPLY(0, "E0e");
	CHECK_REPLY(2, "E.memory is not mapped or not readable");
	CHECK_REPLY(4, "E0e");
	assert_memory_equal(REPLY(6), "E0e;6d656d6f", 12);
}

static void nak_repeats_the_reply(void **state)
{
	(void)state;
	session_open(&s);
	session_packet(&s, "qC");
	session_raw(&s, "--", 2);
	session_play(&s);
	assert_int_equal(s.count, 3);
	CHECK_REPLY(2, "QC1");
}

static void nak_of_no_reply_repeats_nothing(void **state)
{
	(void)state;
	session_open(&s);
	session_packet(&s, "R00");
	session_raw(&s, "-", 1);
	session_packet(&s, "qC");
	session_play(&s);
	assert_int_equal(s.count, 1);
	CHECK_REPLY(0, "QC1");
}

static void small_answers(void **state)
{
	(void)state;
	PLAY("qAttached", "!", "QNonStop:0", "QNonStop:1", "qHostInfo", "qProcessInfo",
	     "qWatchpointSupportInfo:", "vCont?", "qOffsets", "jThreadsInfo", "", "Hc-1");
	CHECK_REPLY(0, "1");
	CHECK_REPLY(1, "OK");
	CHECK_REPLY(2, "OK");
	CHECK_REPLY(3, "E16");
	CHECK_HAS(4, "triple:7838365f36342d756e6b6e6f776e2d6e6f6e65;");
	CHECK_HAS(5, "pid:1;");
	CHECK_REPLY(6, "num:4;");
	CHECK_REPLY(7, "vCont;c;C;s;S;t;r");
	CHECK_REPLY(8, "");
	CHECK_REPLY(9, "");
	CHECK_REPLY(10, "");
	CHECK_REPLY(11, "OK");
}

/* ---- registers ---- */

static void why_has_thread_core_and_registers(void **state)
{
	(void)state;
	PLAY("?");
	CHECK_REPLY(0, "T02thread:1;core:0;06:5555555555555555;07:0080100000000000;"
		       "10:0000100000000000;");
}

static void all_registers(void **state)
{
	(void)state;
	PLAY("g");
	const size_t bytes = 16 * 8 + 8 + 4 + 6 * 4 + 80 + 8 * 4 + 256 + 4 + 2 * 8 + 6 * 8;
	assert_int_equal(strlen(REPLY(0)), 2 * bytes);
	assert_memory_equal(REPLY(0) + 16, "3333333333333333", 16); /* rbx is second */
	assert_memory_equal(REPLY(0) + 2 * 136, "02020000", 8);	    /* eflags: IF and 1 */
}

static void one_register(void **state)
{
	(void)state;
	PLAY("p10", "p38", "p39", "p3b", "p40", "p41", "p", "P0=8877665544332211", "p0", "P0=88",
	     "P0=zz77665544332211", "P40=0000000000000000", "p40");
	CHECK_REPLY(0, "0000100000000000");
	CHECK_REPLY(1, "801f0000"); /* mxcsr */
	CHECK_REPLY(2, "0000000000000000");
	CHECK_REPLY(3, "3300058000000000"); /* cr0 */
	CHECK_REPLY(4, "010d000000000000"); /* efer */
	CHECK_REPLY(5, "E16");
	CHECK_REPLY(6, "E16");
	CHECK_REPLY(7, "OK");
	CHECK_REPLY(8, "8877665544332211");
	CHECK_REPLY(9, "E16");
	CHECK_REPLY(10, "E16");
	assert_true(s.mock.main.gpr[GDBSTUB_RAX] == 0x1122334455667788);
	assert_true(s.mock.main.control[GDBSTUB_EFER] == 0);
}

static void refused_value_changes_nothing(void **state)
{
	(void)state;
	PLAY("P10=0000000000000080", "p10", "P12=ad0b0000", "p12");
	CHECK_REPLY(0, "E16");
	CHECK_REPLY(1, "0000100000000000");
	CHECK_REPLY(2, "E16");
	CHECK_REPLY(3, "08000000");
}

static void write_all_registers(void **state)
{
	(void)state;
	PLAY("g");
	char *all = malloc(strlen(REPLY(0)) + 16);
	sprintf(all, "G%s", REPLY(0));
	session_close(&s);
	memcpy(all + 1, "efbeadde00000000", 16);
	char *too_few = strdup(all), *too_many = malloc(strlen(all) + 3);
	too_few[strlen(all) - 2] = '\0';
	sprintf(too_many, "%s00", all);
	PLAY(too_few, "p0", too_many, "p0", all, "p0");
	free(all), free(too_few), free(too_many);
	CHECK_REPLY(0, "E16");
	CHECK_REPLY(1, "0000000000000000"); /* nothing of a refused write is remembered */
	CHECK_REPLY(2, "E16");
	CHECK_REPLY(3, "0000000000000000");
	CHECK_REPLY(4, "OK");
	CHECK_REPLY(5, "efbeadde00000000");
}

static void blocked_thread_has_some(void **state)
{
	(void)state;
	PLAY("Hg5", "p0", "p1", "p11", "p10", "P0=1111111111111111", "Hg0", "p0;thread:5;",
	     "p1;thread:1;", "p1;thread:77;");
	CHECK_REPLY(1, "xxxxxxxxxxxxxxxx");
	CHECK_REPLY(2, "3333333333333333");
	CHECK_REPLY(3, "xxxxxxxx");
	CHECK_REPLY(4, "3100100000000000");
	CHECK_REPLY(5, "E16");
	CHECK_REPLY(7, "xxxxxxxxxxxxxxxx");
	CHECK_REPLY(8, "3333333333333333");
	CHECK_REPLY(9, "E03");
}

static void tag_word_is_expanded(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.fxsave[4] = 0x81;	   /* physical 0 and 7 in use, top 0 */
	s.mock.main.fxsave[32 + 7] = 0x80; /* st0: 1.0 */
	s.mock.main.fxsave[32 + 8] = 0xff;
	s.mock.main.fxsave[32 + 9] = 0x3f;
	session_packet(&s, "p22");
	session_packet(&s, "P22=ffff0000");
	session_play(&s);
	CHECK_REPLY(0, "fc7f0000"); /* 0: valid; 7: zero; others empty */
	assert_int_equal(s.mock.main.fxsave[4], 0);
}

static void target_description(void **state)
{
	(void)state;
	PLAY("qXfer:features:read:target.xml:0,3f00", "qXfer:features:read:target.xml:0,20",
	     "qXfer:features:read:target.xml:20,20", "qXfer:features:read:target.xml:100000,20",
	     "qXfer:features:read:other.xml:0,20", "qXfer:features:read:target.xml:0");
	CHECK_HAS(0, "<architecture>i386:x86-64</architecture>");
	CHECK_HAS(0, "<osabi>none</osabi>");
	CHECK_HAS(0, "org.gnu.gdb.i386.core");
	CHECK_HAS(0, "org.gnu.gdb.i386.sse");
	CHECK_HAS(0, "org.gnu.gdb.i386.segments");
	CHECK_HAS(0, "<feature name=\"system\">");
	CHECK_HAS(
		0,
		"<reg name=\"cr8\" bitsize=\"64\" type=\"int64\" regnum=\"63\" group=\"system\"/>");
	assert_int_equal(*REPLY(0), 'l');
	assert_int_equal(*REPLY(1), 'm');
	assert_int_equal(s.lengths[1], 33);
	assert_memory_equal(REPLY(1) + 1, REPLY(0) + 1, 32);
	assert_memory_equal(REPLY(2) + 1, REPLY(0) + 33, 32);
	CHECK_REPLY(3, "l");
	CHECK_REPLY(4, "E16");
	CHECK_REPLY(5, "E16");
}

static void lldb_register_info(void **state)
{
	(void)state;
	PLAY("qRegisterInfo10", "qRegisterInfo41", "qRegisterInfo2f");
	CHECK_REPLY(0, "name:rip;bitsize:64;encoding:uint;format:hex;set:General;generic:pc;");
	CHECK_REPLY(1, "E16");
	CHECK_HAS(2, "bitsize:128;encoding:vector;");
}

/* ---- memory ---- */

static void read_memory(void **state)
{
	(void)state;
	PLAY("m100000,4", "m0,4", "m10fffe,8", "mffffffffffffffff,8", "m100000,0", "m100000",
	     "m100000,3000", "m100000,2000", "m1122334455667788,1", "m11223344556677889,1", "m,1",
	     "mfffffffffffffffc,10", "xfffffffffffffffc,10");
	CHECK_REPLY(0, "48c7c164");
	CHECK_REPLY(1, "E0e");
	CHECK_REPLY(2, "0000"); /* as much as there is */
	CHECK_REPLY(3, "00");	/* the last byte there is */
	CHECK_REPLY(4, "E16");
	CHECK_REPLY(5, "E16");
	CHECK_REPLY(6, "E07");
	assert_int_equal(s.lengths[7], 0x4000);
	CHECK_REPLY(11, "00000000");
	assert_int_equal(s.lengths[12], 5);
	CHECK_REPLY(8, "E0e");
	CHECK_REPLY(9, "E16");
	CHECK_REPLY(10, "E16");
}

static void read_binary(void **state)
{
	(void)state;
	session_open(&s);
	memcpy(s.mock.ram + 0x5000, "a#$}*b", 6);
	session_packet(&s, "x105000,6");
	session_packet(&s, "x0,0");
	session_packet(&s, "x105000,6");
	session_packet(&s, "qSupported:binary-upload+");
	session_packet(&s, "x105000,6");
	session_packet(&s, "x0,6");
	session_packet(&s, "x10a000,4000");
	session_play(&s);
	CHECK_REPLY(0, "ba}\x03}\x04}]}\nb");
	CHECK_REPLY(1, "OK");
	CHECK_REPLY(2, "a}\x03}\x04}]}\nb");
	CHECK_REPLY(4, "ba}\x03}\x04}]}\nb");
	CHECK_REPLY(5, "E0e");
	assert_true(s.lengths[6] > 0x3f00 && s.lengths[6] <= 0x4000);
}

static void write_memory(void **state)
{
	(void)state;
	PLAY("M104000,4:deadBEEF", "m104000,4", "M104000,4:dead", "M104000,2:dead00",
	     "M104000,2:zzzz", "M0,2:dead", "M104000,0:", "M104000,2",
	     "X104000,0:", "X104000,5:a}\x03}]b}\n", "m104000,5", "X104000,2:a}", "X104000,2:abc",
	     "Mff");
	CHECK_REPLY(0, "OK");
	CHECK_REPLY(1, "deadbeef");
	CHECK_REPLY(2, "E16");
	CHECK_REPLY(3, "E16");
	CHECK_REPLY(4, "E16");
	CHECK_REPLY(5, "E0e");
	CHECK_REPLY(6, "OK");
	CHECK_REPLY(7, "E16");
	CHECK_REPLY(8, "OK");
	CHECK_REPLY(9, "OK");
	CHECK_REPLY(10, "61237d622a");
	CHECK_REPLY(11, "E16");
	CHECK_REPLY(12, "E16");
	CHECK_REPLY(13, "E16");
}

static void physical_memory(void **state)
{
	(void)state;
	PLAY("qqemu.PhyMemMode", "m40000,4", "Qqemu.PhyMemMode:1", "qqemu.PhyMemMode", "m40000,4",
	     "m100000,4", "Qqemu.PhyMemMode:2", "Qqemu.PhyMemMode:0", "m40000,4");
	CHECK_REPLY(0, "0");
	CHECK_REPLY(1, "E0e");
	CHECK_REPLY(3, "1");
	CHECK_REPLY(4, "48c7c164");
	CHECK_REPLY(5, "E0e");
	CHECK_REPLY(6, "E16");
	CHECK_REPLY(8, "E0e");
}

static void crc(void **state)
{
	(void)state;
	session_open(&s);
	memcpy(s.mock.ram + 0x5000, "123456789", 9);
	session_packet(&s, "qCRC:105000,9");
	session_packet(&s, "qCRC:100000,10000");
	session_packet(&s, "qCRC:100000,10001");
	session_packet(&s, "qCRC:100000");
	session_play(&s);
	CHECK_REPLY(0, "C0376e6e7"); /* CRC-32/MPEG-2 of the standard check string */
	assert_int_equal(s.lengths[1], 9);
	CHECK_REPLY(2, "E0e");
	CHECK_REPLY(3, "E16");
}

static void search(void **state)
{
	(void)state;
	session_open(&s);
	memcpy(s.mock.ram + 0x5ffd, "needle", 6); /* over the edge of a chunk */
	session_packet(&s, "qSearch:memory:100000;10000;needle");
	session_packet(&s, "qSearch:memory:100000;6000;needle");
	session_packet(&s, "qSearch:memory:100000;20000;nothing");
	session_packet(&s, "qSearch:memory:100000;1000;");
	session_packet(&s, "qSearch:memory:105ffd;6;needle");
	session_packet(&s, "qSearch:memory:105ffd;5;needle");
	session_play(&s);
	CHECK_REPLY(0, "1,105ffd");
	CHECK_REPLY(1, "0");
	CHECK_REPLY(2, "E0e");
	CHECK_REPLY(3, "E16");
	CHECK_REPLY(4, "1,105ffd");
	CHECK_REPLY(5, "0");
}

static void region_info(void **state)
{
	(void)state;
	PLAY("qMemoryRegionInfo:100123", "qMemoryRegionInfo:0", "qMemoryRegionInfo:g");
	CHECK_REPLY(0, "start:100000;size:10000;permissions:rwx;name:72616d;");
	CHECK_REPLY(1, "start:0;size:100000;");
	CHECK_REPLY(2, "E16");
}

/* ---- threads ---- */

static void threads(void **state)
{
	(void)state;
	PLAY("qfThreadInfo", "qsThreadInfo", "qC", "T1", "T5", "T3", "Hg3", "Hg5", "qC", "Hgx",
	     "qThreadExtraInfo,5", "qThreadStopInfo5", "qThreadStopInfo9", "Hx1");
	CHECK_REPLY(0, "m1,2,5");
	CHECK_REPLY(1, "l");
	CHECK_REPLY(2, "QC1");
	CHECK_REPLY(3, "OK");
	CHECK_REPLY(4, "OK");
	CHECK_REPLY(5, "E03");
	CHECK_REPLY(6, "E03");
	CHECK_REPLY(7, "OK");
	CHECK_REPLY(8, "QC5");
	CHECK_REPLY(9, "E16");
	CHECK_REPLY(10, "613c6226226322202877616974696e6729");
	CHECK_HAS(11, "T00thread:5;06:");
	CHECK_REPLY(12, "E03");
	CHECK_REPLY(13, "");
}

static void thread_document(void **state)
{
	(void)state;
	PLAY("qXfer:threads:read::0,1000");
	CHECK_HAS(0, "<thread id=\"1\" core=\"0\" name=\"main\">running</thread>");
	CHECK_HAS(0, "<thread id=\"5\" name=\"a&lt;b&amp;&quot;c&quot;\">waiting</thread>");
}

/* ---- breakpoints, continue, step ---- */

static void software_breakpoint(void **state)
{
	(void)state;
	PLAY("qSupported:swbreak+", "Z0,10000c,1", "Z0,10000c,1", "vCont;c", "m10000c,1", "p10",
	     "z0,10000c,1", "vCont;s:1", "p10", "c");
	CHECK_HAS(3, "T05thread:1;core:0;");
	CHECK_HAS(3, "10:0c00100000000000;swbreak:;");
	CHECK_REPLY(4, "48"); /* what lies there, not the INT3 */
	CHECK_REPLY(5, "0c00100000000000");
	CHECK_HAS(7, "10:1400100000000000;");
	CHECK_HAS_NOT(7, "swbreak");
	assert_int_equal(s.mock.ram[0xc], 0x48);
}

static void swbreak_only_when_asked(void **state)
{
	(void)state;
	PLAY("Z0,10000c,1", "vCont;c");
	CHECK_HAS(1, "10:0c00100000000000;");
	CHECK_HAS_NOT(1, "swbreak");
}

static void breakpoint_in_memory_while_running(void **state)
{
	(void)state;
	PLAY("Z0,100029,1", "vCont;c"); /* never reached */
	assert_int_equal(s.mock.ram[0x29], 0xcc);
	mock_run(&s.mock, 1000);
	assert_int_equal(s.mock.ram[0x29], 0xcc);
	mock_stop(&s.mock, GDBSTUB_CAUSE_REQUEST); /* and the line is dead: */
	assert_int_equal(s.mock.ram[0x29], 0x0f);
	assert_false(gdbstub_attached(&s.mock.stub));
}

static void write_under_a_breakpoint(void **state)
{
	(void)state;
	PLAY("Z0,10000c,1", "vCont;c", "M10000c,1:90", "m10000c,1", "vCont;c");
	CHECK_REPLY(3, "90");
	CHECK_HAS(4, "10:0c00100000000000;"); /* still a breakpoint */
	assert_int_equal(s.mock.ram[0xc], 0x90);
}

static void bad_breakpoints(void **state)
{
	(void)state;
	PLAY("Z0,0,1", "Z0,103010,1", "Z1,1030ff,1", "Z2,102ff8,10", "Z5,100000,1", "Z0,100000,2",
	     "Z2,104000,0", "Z2,104000,21", "Z0,100000", "z0,100000,1", "Z0,100000,1;X1,0");
	CHECK_REPLY(0, "E0e");
	CHECK_REPLY(1, "E01");
	CHECK_REPLY(2, "E01");
	CHECK_REPLY(3, "E01");
	CHECK_REPLY(4, "");
	CHECK_REPLY(5, "E16");
	CHECK_REPLY(6, "E16");
	CHECK_REPLY(7, "E16");
	CHECK_REPLY(8, "E16");
	CHECK_REPLY(9, "OK");
	CHECK_REPLY(10, "");
}

static void too_many_breakpoints(void **state)
{
	(void)state;
	char body[32];
	session_open(&s);
	for (unsigned i = 0; i <= GDBSTUB_BREAKPOINTS_MAX; i++) {
		snprintf(body, sizeof body, "Z0,%x,1", 0x105000 + i);
		session_packet(&s, body);
	}
	session_play(&s);
	CHECK_REPLY(GDBSTUB_BREAKPOINTS_MAX - 1, "OK");
	CHECK_REPLY(GDBSTUB_BREAKPOINTS_MAX, "E1c");
}

static void hardware_breakpoint(void **state)
{
	(void)state;
	PLAY("qSupported:hwbreak+", "Z1,100017,1", "vCont;c", "m100017,1", "z1,100017,1");
	CHECK_HAS(2, "10:1700100000000000;hwbreak:;");
	CHECK_REPLY(3, "9d");
}

static void watchpoints(void **state)
{
	(void)state;
	PLAY("Z2,104000,8", "vCont;c", "z2,104000,8", "Z4,104000,4", "vCont;c", "vCont;c",
	     "z4,104000,4", "Z3,104006,1", "vCont;c");
	CHECK_HAS(1, "10:1400100000000000;watch:104000;");
	CHECK_HAS(4, "10:2700100000000000;awatch:104000;"); /* the load */
	CHECK_HAS(5, "10:1400100000000000;awatch:104000;"); /* the store */
	CHECK_HAS(8, "rwatch:104006;");
}

static void watchpoint_of_odd_shape(void **state)
{
	(void)state;
	/* 7 bytes from an odd address: 1 + 2 + 4. One register is left, not two. */
	PLAY("Z2,103ffd,7", "Z2,104100,9", "Z2,104100,8", "Z2,104200,1", "vCont;c");
	CHECK_REPLY(0, "OK");
	CHECK_REPLY(1, "E1c");
	CHECK_REPLY(2, "OK");
	CHECK_REPLY(3, "E1c");
	CHECK_HAS(4, "watch:103ffd;");
}

static void range_step_in_two_trips(void **state)
{
	(void)state;
	PLAY("vCont;r100000,10000c:1", "p1");
	CHECK_HAS(0, "T05");
	CHECK_HAS(0, "10:0c00100000000000;");
	assert_int_equal(s.count, 2); /* one stop for the whole loop */
	assert_true(s.mock.entries > 200);
	assert_true(s.mock.main.rflags & 1u << 9);
	assert_false(s.mock.main.rflags & 1u << 8);
}

static void range_step_stops_at_breakpoint(void **state)
{
	(void)state;
	PLAY("Z0,100016,1", "vCont;r100000,100029:1", "p10");
	CHECK_HAS(1, "10:1600100000000000;");
	CHECK_REPLY(2, "1600100000000000");
}

static void emulated_step_stops_at_breakpoint(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + 0x14; /* pushf, then cli, which never runs on the CPU */
	session_packet(&s, "Z0,100015,1");
	session_packet(&s, "vCont;r100014,100029:1");
	session_packet(&s, "z0,100015,1");
	session_packet(&s, "Z1,100016,1");
	session_packet(&s, "vCont;r100015,100029:1");
	session_play(&s);
	CHECK_HAS(1, "10:1500100000000000;");
	CHECK_HAS(4, "10:1600100000000000;");
}

static void forgetting_ends_a_step(void **state)
{
	(void)state;
	PLAY("vCont;r100000,100040:1"); /* never leaves its range */
	assert_true(s.mock.stub.step.active);
	gdbstub_lose(&s.mock.stub);
	assert_false(s.mock.stub.step.active);
	assert_false(s.mock.main.rflags & 1u << 8);
	assert_true(s.mock.main.rflags & 1u << 9);
}

/* ---- a debugger that is gone ---- */

#define RUN_ON() (s.mock.run_start = s.mock.instructions, mock_run(&s.mock, 1000))
#define BYTE(at) s.mock.ram[(at)-MOCK_BASE]

/* Plays packets, the last of which resumes, and leaves what comes then without an answer. */
static void play_and_vanish(const char *body, ...)
{
	va_list list;
	session_open(&s);
	s.mock.quiet_end = true;
	va_start(list, body);
	for (; body; body = va_arg(list, const char *))
		session_packet(&s, body);
	va_end(list);
	session_play(&s);
}
#define PLAY_AND_VANISH(...) play_and_vanish(__VA_ARGS__, (const char *)NULL)

static void unanswered_stop_lets_the_target_go_on(void **state)
{
	(void)state;
	PLAY_AND_VANISH("qSupported:swbreak+", "Z0,10000c,1", "Z2,104000,8", "vCont;c");
	assert_memory_equal(REPLY(s.count - 1), "T05", 3);
	assert_int_equal(s.mock.silence_ms, GDBSTUB_ANSWER_MS);
	assert_int_equal(s.mock.alone, 1);
	assert_false(gdbstub_attached(&s.mock.stub));
	assert_int_equal(BYTE(0x10000c), mock_program[0xc]);
	assert_int_equal(s.mock.debug.dr7, 0);
	/* It runs on, over the breakpoint, and is not held up again. */
	uint64_t before = s.mock.instructions;
	assert_true(RUN_ON());
	assert_int_equal(s.mock.instructions, before + 1000);
	assert_int_equal(s.mock.alone, 1);
}

static void any_byte_is_an_answer(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.quiet_end = true;
	session_packet(&s, "Z0,10000c,1");
	session_packet(&s, "vCont;c");
	session_raw(&s, "+", 1); /* the stop reply is read; then the user thinks */
	session_play(&s);
	assert_int_equal(s.mock.silence_ms, 0);
	assert_true(s.mock.abandoned); /* the stub waited for ever */
}

static void user_at_the_prompt_is_waited_for(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.quiet_end = true;
	session_packet(&s, "qSupported");
	session_packet(&s, "?");
	session_play(&s);
	assert_int_equal(s.mock.silence_ms, 0);
	assert_true(s.mock.abandoned);
}

static void patience_can_be_endless(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.quiet_end = true;
	s.mock.stub.answer_ms = GDBSTUB_FOREVER;
	session_packet(&s, "Z0,10000c,1");
	session_packet(&s, "vCont;c");
	session_play(&s);
	assert_true(s.mock.abandoned);
}

static void emulated_step_without_an_answer(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.quiet_end = true;
	s.mock.main.rip = MOCK_BASE + 0x15; /* cli: its end is reported at once */
	session_packet(&s, "vCont;s:1");
	session_play(&s);
	assert_int_equal(s.mock.alone, 1);
}

static void unanswered_fault_is_the_targets_own(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.quiet_end = true;
	session_packet(&s, "P10=2900100000000000"); /* ud2 */
	session_packet(&s, "vCont;c");
	session_play(&s);
	assert_memory_equal(REPLY(s.count - 1), "T04", 3);
	assert_true(s.mock.delivered);
	assert_false(gdbstub_attached(&s.mock.stub));
}

static void slow_debugger_goes_on_in_its_session(void **state)
{
	(void)state;
	PLAY_AND_VANISH("qSupported:swbreak+", "QStartNoAckMode", "Z0,10000c,1", "vCont;c");
	assert_int_equal(s.mock.alone, 1);
	size_t acks = s.mock.output_len;
	/* It wakes up, asks, and lets the target run: the breakpoint is back. */
	session_packet(&s, "qC");
	session_packet(&s, "vCont;c");
	s.mock.input = s.script;
	s.mock.input_len = s.script_len;
	s.mock.run_start = 0;
	for (int i = 0; s.mock.alone < 2 && i < 100; i++)
		mock_run(&s.mock, 1000);
	assert_memory_equal(s.mock.output + acks, "$QC1#c5", 7); /* no acknowledgements, still */
	assert_memory_equal(s.mock.output + acks + 7, "$T05", 4);
	assert_int_equal(s.mock.alone, 2);
}

static void next_debugger_begins_anew(void **state)
{
	(void)state;
	static const char *const firsts[] = {"qSupported:swbreak+", "QStartNoAckMode"};
	for (size_t i = 0; i < 2; i++) {
		PLAY_AND_VANISH("qSupported:swbreak+", "QStartNoAckMode", "Z0,10000c,1", "vCont;c");
		assert_int_equal(s.mock.stub.breakpoints_used, 1); /* as data */
		session_packet(&s, firsts[i]);
		s.mock.input = s.script;
		s.mock.input_len = s.script_len;
		s.mock.run_start = 0;
		size_t sent = s.mock.output_len;
		for (int n = 0; !s.mock.abandoned && n < 100; n++)
			mock_run(&s.mock, 1000);
		assert_int_equal(s.mock.output[sent], '+');
		assert_int_equal(s.mock.stub.breakpoints_used, 0);
		if (!i)
			close_session(NULL);
	}
}

/* ---- a line with nobody attached ---- */

static bool enters(const char *body)
{
	bool stop = false;
	session_close(&s);
	session_open(&s);
	session_packet(&s, body);
	for (size_t i = 0; i < s.script_len; i++)
		stop = gdbstub_rx_byte(&s.mock.stub, s.script[i]);
	return stop;
}

static void only_a_beginning_enters_unattached(void **state)
{
	(void)state;
	static const char *const beginnings[] = {"qSupported:multiprocess+;swbreak+",
						 "qSupported",
						 "QStartNoAckMode",
						 "?",
						 "!",
						 "vCont?",
						 "Hg0",
						 "Hc-1"};
	static const char *const others[] = {
		"g", "m100000,4",	 "M100000,1:00", "k",  "R00",	      "D",
		"c", "vCont;c",		 "??",		 "!x", "Z0,100000,1", "vKill;1",
		"",  "QStartNoAckModes", "Hello",	 "qC", "X100000,0:"};
	session_open(&s);
	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		assert_true(enters(beginnings[i]));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_false(enters(others[i]));
		assert_int_equal(s.mock.output_len, 0);
	}
	assert_false(gdbstub_rx_byte(&s.mock.stub, 3));
}

static void code_written_over_stays(void **state)
{
	(void)state;
	PLAY("Z0,100029,1", "vCont;c");
	s.mock.ram[0x29] = 0x90; /* the program changed its own code meanwhile */
	mock_stop(&s.mock, GDBSTUB_CAUSE_REQUEST);
	assert_int_equal(s.mock.ram[0x29], 0x90);
}

static void watch_pieces_are_aligned(void **state)
{
	(void)state;
	PLAY("Z2,104101,7", "vCont;c"); /* never touched: 1 + 2 + 4 bytes */
	assert_true(s.mock.debug.address[0] == 0x104101);
	assert_true(s.mock.debug.address[1] == 0x104102);
	assert_true(s.mock.debug.address[2] == 0x104104);
	assert_int_equal(s.mock.debug.dr7 >> 16, 0xd51); /* write; lengths 1, 2, 4 */
}

static void range_step_lets_interrupts_in(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.interrupt_period = 50;
	s.mock.main.rip = MOCK_BASE + 7;
	s.mock.main.gpr[GDBSTUB_RCX] = 2000;
	session_packet(&s, "vCont;r100007,10000c:1");
	session_play(&s);
	CHECK_HAS(0, "10:0c00100000000000;");
	assert_in_range(s.mock.interrupts, 4000 / 256 - 2, 4000 / 256 + 2);
}

static void step_never_takes_an_interrupt(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.interrupt_period = 1;
	for (int i = 0; i < 50; i++)
		session_packet(&s, "vCont;s:1;c");
	session_play(&s);
	assert_int_equal(s.mock.interrupts, 0);
	assert_int_equal(s.count, 50);
	assert_int_equal(s.mock.held, 0);
	mock_run(&s.mock, 10);
	assert_true(s.mock.interrupts > 0);
}

/* Steps from `at` and returns the flags word that the program pushed. */
static void step_at(uint64_t offset, unsigned steps)
{
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + offset;
	for (unsigned i = 0; i < steps; i++)
		session_packet(&s, "s");
	session_play(&s);
	assert_int_equal(s.count, steps);
}

static void flags_do_not_leak(void **state)
{
	(void)state;
	uint64_t pushed;
	step_at(0x14, 1); /* pushf */
	memcpy(&pushed, s.mock.ram + 0x8000 - 8, 8);
	assert_true(pushed == 0x202);
	assert_true(s.mock.main.rflags == 0x202);
	session_close(&s);
	step_at(0x14, 2); /* pushf, cli */
	assert_true(s.mock.main.rflags == 0x002);
	session_close(&s);
	step_at(0x14, 3); /* ..., nop with interrupts off: they stay off */
	assert_true(s.mock.main.rflags == 0x002);
	session_close(&s);
	step_at(0x14, 4); /* ..., popf */
	assert_true(s.mock.main.rflags == 0x202);
	assert_true(s.mock.main.gpr[GDBSTUB_RSP] == MOCK_STACK);
	session_close(&s);
	step_at(0x18, 2); /* sti, hlt: neither hangs */
	assert_true(s.mock.main.rip == MOCK_BASE + 0x1a);
	assert_false(s.mock.hung);
}

static void iret_is_stepped(void **state)
{
	(void)state;
	/* The latter two lead to user code: the CPU's own work, its flags as they come. */
	static const uint64_t frames[][5] = {
		{MOCK_BASE + 0x2c, 8,    0x2,   MOCK_STACK - 64, 16  },
		{MOCK_BASE + 0x2c, 8,    0x202, MOCK_STACK - 64, 16	},
		{MOCK_BASE + 0x2c, 0x33, 0x202, MOCK_STACK,	    0x2b},
		{MOCK_BASE + 0x2c, 0x33, 0x2,   MOCK_STACK,	  0x2b},
	};
	for (int i = 0; i < 4; i++) {
		session_open(&s);
		s.mock.main.rip = MOCK_BASE + 0x32;
		s.mock.main.gpr[GDBSTUB_RSP] = MOCK_STACK - 40;
		memcpy(s.mock.ram + 0x8000 - 40, frames[i], 40);
		session_packet(&s, "s");
		session_play(&s);
		assert_true(s.mock.main.rip == MOCK_BASE + 0x2c);
		assert_true(s.mock.main.rflags == frames[i][2]);
		assert_true(s.mock.main.gpr[GDBSTUB_RSP] == frames[i][3]);
		assert_true(s.mock.main.segment[GDBSTUB_CS] == frames[i][1]);
		assert_int_equal(s.mock.instructions, i < 2 ? 0 : 1);
		session_close(&s);
	}
	session_open(&s);
}

static void user_code_keeps_its_interrupts(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.segment[GDBSTUB_CS] = 0x33;
	session_packet(&s, "s");
	session_play(&s);
	assert_true(s.mock.seen_rflags == 0x302); /* IF and TF */
}

static void step_into_a_fault(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + 0x29;
	session_packet(&s, "s");
	session_packet(&s, "p11");
	session_packet(&s, "vCont;C0b");
	session_play(&s);
	CHECK_HAS(0, "T04thread:1;");
	CHECK_REPLY(1, "02020000"); /* as before the step */
	assert_true(s.mock.delivered);
}

static void fault_can_be_mended(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + 0x29;
	session_packet(&s, "vCont;c");
	session_packet(&s, "P10=2c00100000000000");
	session_packet(&s, "vCont;c");
	session_raw(&s, "\x03", 1);
	session_packet(&s, "qRcmd,776879"); /* why */
	session_play(&s);
	CHECK_HAS(0, "T04thread:1;");
	CHECK_HAS(2, "T02thread:1;");
	assert_false(s.mock.delivered);
	CHECK_REPLY(3, "O73746f70706564206f6e20726571756573740a");
}

static void breakpoint_of_the_program(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + 0x2b;
	session_packet(&s, "qSupported:swbreak+");
	session_packet(&s, "vCont;c");
	session_packet(&s, "vCont;c");
	session_raw(&s, "\x03", 1);
	session_play(&s);
	CHECK_HAS(1, "10:2c00100000000000;"); /* behind it: going on works */
	CHECK_HAS_NOT(1, "swbreak");
	CHECK_HAS(2, "T02");
}

static void stray_traps_are_silent(void **state)
{
	(void)state;
	PLAY("vCont;c");
	struct gdbstub_event event = {
		.cause = GDBSTUB_CAUSE_DEBUG, .dr6 = 1u << 14, .thread_id = MOCK_MAIN};
	s.mock.main.rflags |= 1u << 8;
	size_t before = s.mock.output_len;
	gdbstub_stopped(&s.mock.stub, &event);
	assert_false(s.mock.main.rflags & 1u << 8);
	/* An INT3 that was taken out while this CPU waited its turn. */
	event.cause = GDBSTUB_CAUSE_BREAKPOINT;
	s.mock.main.rip = MOCK_BASE + 0xd;
	gdbstub_stopped(&s.mock.stub, &event);
	assert_true(s.mock.main.rip == MOCK_BASE + 0xc);
	assert_int_equal(s.mock.output_len, before);
}

static void lifted_breakpoint_comes_back(void **state)
{
	(void)state;
	PLAY("Z0,100029,1", "vCont;c"); /* never reached by the program itself */
	assert_false(gdbstub_lift(&s.mock.stub, MOCK_BASE + 0x28));
	assert_true(gdbstub_lift(&s.mock.stub, MOCK_BASE + 0x29));
	assert_int_equal(s.mock.ram[0x29], 0x0f);
	assert_false(gdbstub_lift(&s.mock.stub, MOCK_BASE + 0x29));
	s.mock.input_len = s.mock.input_at = 0;
	struct gdbstub_event event = {.cause = GDBSTUB_CAUSE_DEBUG, .thread_id = MOCK_MAIN};
	gdbstub_stopped(&s.mock.stub, &event); /* silent, so nothing is inserted anew */
	assert_int_equal(s.mock.ram[0x29], 0x0f);
	static const uint8_t script[] = "$vCont;c#a8";
	s.mock.input = script;
	s.mock.input_len = sizeof script - 1;
	mock_stop(&s.mock, GDBSTUB_CAUSE_REQUEST);
	assert_int_equal(s.mock.ram[0x29], 0xcc);
}

static void step_of_other_threads(void **state)
{
	(void)state;
	PLAY("vCont;s:5", "vCont;s:9", "vCont;s:1");
	CHECK_REPLY(0, "E16");
	CHECK_REPLY(1, "E03");
	CHECK_HAS(2, "T05thread:1;");
	assert_int_equal(s.mock.held, 1);
}

/* A step of the instruction that switches threads is over in the other one, in a range too; the
 * flags that were masked for it are back. */
static void step_across_a_switch(void **state)
{
	static const uint8_t code[] = {MOCK_SWITCH, 0x9c, MOCK_SWITCH, 0x90, 0xeb, 0xfa};
	(void)state;
	session_open(&s);
	memcpy(s.mock.ram, code, sizeof code);
	session_packet(&s, "vCont;s:1");
	session_packet(&s, "qC");
	session_packet(&s, "vCont;s:1");
	session_packet(&s, "vCont;s:5");
	session_packet(&s, "vCont;r100000,100006:5");
	session_play(&s);
	CHECK_HAS(0, "T05thread:5;");
	CHECK_HAS(0, "10:0100100000000000;");
	CHECK_REPLY(1, "QC5");
	CHECK_REPLY(2, "E16"); /* on no CPU */
	CHECK_HAS(3, "T05thread:5;");
	CHECK_HAS(3, "10:0200100000000000;");
	CHECK_HAS(4, "T05thread:1;");
	CHECK_HAS(4, "10:0300100000000000;");
	assert_int_equal(s.mock.main.rflags & 0x300, 0x200);
	uint64_t pushed;
	memcpy(&pushed, s.mock.ram + (s.mock.main.gpr[GDBSTUB_RSP] - MOCK_BASE), 8);
	assert_int_equal(pushed & 0x300, 0x200);
}

static void older_forms(void **state)
{
	(void)state;
	PLAY("Z0,10000c,1", "c", "z0,10000c,1", "s", "s10002c", "S05", "C05;10002c");
	CHECK_HAS(1, "10:0c00100000000000;");
	CHECK_HAS(3, "10:1400100000000000;");
	CHECK_HAS(4, "10:2d00100000000000;");
	assert_false(s.mock.delivered); /* there was no fault to deliver */
}

static void bad_continues(void **state)
{
	(void)state;
	PLAY("vCont;", "vCont;q", "vCont;C", "vCont;r100000", "vCont;s:zz", "vCont;c;", "czz",
	     "c8000000000000000", "vCont;t", "vCont");
	for (size_t i = 0; i < 8; i++)
		CHECK_REPLY(i, "E16");
	CHECK_HAS(8, "T02");
	CHECK_REPLY(9, "E16");
}

static void ctrl_c_stops(void **state)
{
	(void)state;
	session_open(&s);
	session_packet(&s, "vCont;c");
	session_raw(&s, "\x03", 1);
	session_packet(&s, "qC");
	session_play(&s);
	CHECK_HAS(0, "T02thread:1;");
	CHECK_REPLY(1, "QC1");
	assert_true(s.mock.instructions > 1000);
}

static void packet_while_running_stops_without_a_stop_reply(void **state)
{
	(void)state;
	PLAY("vCont;c", "vCont;c", "qC"); /* the second: its '+' was lost, sent again */
	CHECK_REPLY(0, "QC1");
	assert_int_equal(s.acks, 3);
}

static void detach_resumes_and_cleans(void **state)
{
	(void)state;
	PLAY("qSupported", "QStartNoAckMode", "Z0,10000c,1", "Z2,104000,8", "D");
	CHECK_REPLY(4, "OK");
	assert_int_equal(s.mock.ram[0xc], 0x48);
	assert_false(gdbstub_attached(&s.mock.stub));
	assert_true(mock_run(&s.mock, 5000));
	assert_int_equal(s.mock.debug.dr7, 0);
}

static void noise_does_not_stop(void **state)
{
	(void)state;
	static const char noise[] = "\x03garbage#00+++---$qC#00$m1234,#x";
	PLAY("D");
	for (size_t i = 0; i < sizeof noise - 1; i++)
		assert_false(gdbstub_rx_byte(&s.mock.stub, (uint8_t)noise[i]));
}

static void kill_and_restart(void **state)
{
	(void)state;
	PLAY("k");
	assert_true(s.mock.ended);
	assert_int_equal(s.count, 0);
	session_close(&s);
	PLAY("vKill;1");
	assert_true(s.mock.ended);
	CHECK_REPLY(0, "OK");
	session_close(&s);
	PLAY("!", "R00");
	assert_true(s.mock.restarted);
	assert_int_equal(s.count, 1);
	session_close(&s);
	PLAY("vRun;");
	CHECK_REPLY(0, "");
	assert_false(s.mock.restarted);
	session_close(&s);
	PLAY("!", "vRun;");
	CHECK_REPLY(1, "E05");
	assert_true(s.mock.restarted);
}

/* `run` kills first; `kill` has nothing behind it, or something else. */
static void run_after_kill_restarts(void **state)
{
	(void)state;
	PLAY("!", "vKill;1", "vRun;");
	CHECK_REPLY(1, "OK");
	CHECK_REPLY(2, "E05");
	assert_true(s.mock.restarted);
	assert_false(s.mock.ended);
	session_close(&s);
	PLAY("!", "vKill;1", "qC");
	assert_true(s.mock.ended);
	session_close(&s);
	session_open(&s);
	s.mock.quiet_end = true;
	session_packet(&s, "!");
	session_packet(&s, "vKill;1");
	session_play(&s);
	assert_true(s.mock.ended);
	assert_false(s.mock.restarted);
	assert_int_equal(s.mock.silence_ms, 1000);
}

static void lldb_stop_reply(void **state)
{
	(void)state;
	session_open(&s);
	s.mock.main.rip = MOCK_BASE + 0x28;
	session_packet(&s, "QThreadSuffixSupported");
	session_packet(&s, "QListThreadsInStopReply");
	session_packet(&s, "s100029");
	session_packet(&s, "g;thread:0002;");
	session_play(&s);
	CHECK_HAS(2, "reason:exception;description:70616765");
	CHECK_HAS(2, "threads:1,2,5;");
	assert_true(s.lengths[3] > 1000);
}

/* ---- monitor ---- */

static void monitor(void **state)
{
	(void)state;
	PLAY("qRcmd,6563686f206869", "qRcmd,68656c70", "qRcmd,626164", "qRcmd,zz", "qRcmd,",
	     "qRcmd,776879");
	CHECK_REPLY(0, "O6869");
	CHECK_REPLY(1, "OK");
	CHECK_HAS(2, "O68656c70");
	CHECK_REPLY(3, "OK");
	CHECK_HAS(4, "O756e6b6e6f776e");
	CHECK_REPLY(5, "E16");
	CHECK_REPLY(6, "E16");
}

static void monitor_floods(void **state)
{
	(void)state;
	PLAY("QStartNoAckMode", "qRcmd,666c6f6f64");
	size_t digits_out = 0;
	for (size_t i = 1; i + 1 < s.count; i++) {
		assert_int_equal(*REPLY(i), 'O');
		digits_out += s.lengths[i] - 1;
	}
	assert_int_equal(digits_out, 2 * 50000);
	assert_true(s.count > 20);
	assert_string_equal(REPLY(s.count - 1), "OK");
}

#define T(name) cmocka_unit_test_teardown(name, close_session)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(supported_names_what_it_can),
		T(memory_map_only_when_complete),
		T(memory_map_else_unknown),
		T(no_ack_stops_acks),
		T(lldb_order_keeps_no_ack),
		T(reconnect_brings_acks_back),
		T(reconnect_drops_breakpoints),
		T(error_text_only_when_offered),
		T(nak_repeats_the_reply),
		T(nak_of_no_reply_repeats_nothing),
		T(small_answers),
		T(why_has_thread_core_and_registers),
		T(all_registers),
		T(one_register),
		T(refused_value_changes_nothing),
		T(write_all_registers),
		T(blocked_thread_has_some),
		T(tag_word_is_expanded),
		T(target_description),
		T(lldb_register_info),
		T(read_memory),
		T(read_binary),
		T(write_memory),
		T(physical_memory),
		T(crc),
		T(search),
		T(region_info),
		T(threads),
		T(thread_document),
		T(software_breakpoint),
		T(swbreak_only_when_asked),
		T(breakpoint_in_memory_while_running),
		T(write_under_a_breakpoint),
		T(bad_breakpoints),
		T(too_many_breakpoints),
		T(hardware_breakpoint),
		T(watchpoints),
		T(watchpoint_of_odd_shape),
		T(range_step_in_two_trips),
		T(range_step_stops_at_breakpoint),
		T(emulated_step_stops_at_breakpoint),
		T(unanswered_stop_lets_the_target_go_on),
		T(any_byte_is_an_answer),
		T(user_at_the_prompt_is_waited_for),
		T(patience_can_be_endless),
		T(emulated_step_without_an_answer),
		T(unanswered_fault_is_the_targets_own),
		T(slow_debugger_goes_on_in_its_session),
		T(next_debugger_begins_anew),
		T(only_a_beginning_enters_unattached),
		T(forgetting_ends_a_step),
		T(code_written_over_stays),
		T(watch_pieces_are_aligned),
		T(range_step_lets_interrupts_in),
		T(step_never_takes_an_interrupt),
		T(flags_do_not_leak),
		T(iret_is_stepped),
		T(user_code_keeps_its_interrupts),
		T(step_into_a_fault),
		T(fault_can_be_mended),
		T(breakpoint_of_the_program),
		T(stray_traps_are_silent),
		T(lifted_breakpoint_comes_back),
		T(step_of_other_threads),
		T(step_across_a_switch),
		T(older_forms),
		T(bad_continues),
		T(ctrl_c_stops),
		T(packet_while_running_stops_without_a_stop_reply),
		T(detach_resumes_and_cleans),
		T(noise_does_not_stop),
		T(kill_and_restart),
		T(run_after_kill_restarts),
		T(lldb_stop_reply),
		T(monitor),
		T(monitor_floods),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gdbstub packets", tests, NULL, NULL);
}
