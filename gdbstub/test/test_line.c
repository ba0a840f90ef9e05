/* The line: broken, hostile and overlong input, run-length encoding, and every way in which a
 * recorded session can be cut, flipped, dropped or repeated. */
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

#define RAW(text)	     session_raw(&s, text, sizeof(text) - 1)
#define REPLY(n)	     (assert_true((size_t)(n) < s.count), s.replies[n])
#define CHECK_REPLY(n, text) assert_string_equal(REPLY(n), text)

static void check_last_is_stop_reply(void)
{
	assert_true(s.count > 0);
	assert_memory_equal(REPLY(s.count - 1), "T0", 2);
}

/* ---- hostile packets ---- */

static void bad_checksum_is_refused(void **state)
{
	(void)state;
	session_open(&s);
	RAW("$qC#00$qC#zz$qC#b$qC#g4$qC#B4");
	session_packet(&s, "?");
	session_play(&s);
	/* "#b$": the '$' starts the next packet. "#B4" is right. */
	assert_int_equal(s.naks, 3);
	assert_int_equal(s.acks, 2);
	assert_int_equal(s.count, 2);
	CHECK_REPLY(0, "QC1");
	check_last_is_stop_reply();
}

static void bad_checksum_without_acks_is_an_error(void **state)
{
	(void)state;
	session_open(&s);
	session_packet(&s, "QStartNoAckMode");
	RAW("$qC#00");
	session_packet(&s, "?");
	session_play(&s);
	CHECK_REPLY(1, "E4a");
	check_last_is_stop_reply();
}

static void dollar_restarts(void **state)
{
	(void)state;
	session_open(&s);
	RAW("$m100000,$m10$$$qC$qC#b4");
	session_packet(&s, "?");
	session_play(&s);
	assert_int_equal(s.count, 2);
	CHECK_REPLY(0, "QC1");
	check_last_is_stop_reply();
}

static void noise_between_packets(void **state)
{
	(void)state;
	session_open(&s);
	RAW("\x00\xff###++qC#b4\x03\x03");
	session_packet(&s, "?");
	RAW("#zz}}");
	session_packet(&s, "qC");
	session_play(&s);
	assert_int_equal(s.count, 2);
	CHECK_REPLY(1, "QC1");
}

static void overlong_packet_is_an_error(void **state)
{
	(void)state;
	static char body[GDBSTUB_PACKET_BYTES * 4];
	session_open(&s);
	memset(body, 'A', sizeof body);
	body[0] = 'm';
	session_packet_bytes(&s, body, GDBSTUB_PACKET_BYTES + 1);
	session_packet_bytes(&s, body, sizeof body);
	session_packet(&s, "qC");
	RAW("$");
	session_raw(&s, body, sizeof body);
	RAW("#00"); /* overlong and corrupt */
	session_packet_bytes(&s, body, GDBSTUB_PACKET_BYTES);
	session_packet(&s, "?");
	session_play(&s);
	CHECK_REPLY(0, "E07");
	CHECK_REPLY(1, "E07");
	CHECK_REPLY(2, "QC1");
	CHECK_REPLY(3, "E16"); /* it fits: an address of so many digits does not */
	assert_int_equal(s.naks, 1);
	check_last_is_stop_reply();
}

static void lengths_beyond_the_buffer(void **state)
{
	(void)state;
	static const char *const packets[] = {"m100000,10000",
					      "m100000,ffffffffffffffff",
					      "x100000,10000",
					      "x100000,ffffffffffffffff",
					      "M100000,ffffffffffffffff:00",
					      "X100000,10000:a",
					      "qXfer:features:read:target.xml:0,ffffffffffffffff",
					      "qXfer:features:read:target.xml:ffffffffffffffff,1",
					      "qSearch:memory:0;ffffffffffffffff;a",
					      "qCRC:ffffffffffffffff,ffffffffffffffff",
					      "Z0,ffffffffffffffff,1",
					      "Z2,ffffffffffffffff,8",
					      "vCont;rffffffffffffffff,0",
					      "qThreadExtraInfo,ffffffffffffffff",
					      "Hgffffffffffffffff",
					      "pffffffffffffffff",
					      "qRegisterInfoffffffffffffffff",
					      "qMemoryRegionInfo:ffffffffffffffff"};
	session_open(&s);
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
		session_packet(&s, packets[i]);
		session_packet(&s, "?");
	}
	session_play(&s);
	assert_int_equal(s.count, 2 * sizeof packets / sizeof *packets);
	for (size_t i = 1; i < s.count; i += 2)
		assert_memory_equal(REPLY(i), "T0", 2);
}

static void command_longer_than_its_buffer(void **state)
{
	(void)state;
	static char body[8 + 2 * GDBSTUB_COMMAND_MAX];
	session_open(&s);
	memset(body, '6', sizeof body);
	memcpy(body, "qRcmd,", 6);
	session_packet_bytes(&s, body, 6 + 2 * GDBSTUB_COMMAND_MAX);
	session_packet(&s, "?");
	session_play(&s);
	CHECK_REPLY(0, "E16");
	check_last_is_stop_reply();
}

/* ---- run-length encoding ---- */

static void every_run_length(void **state)
{
	(void)state;
	/* Runs of zero bytes of 1 to 300, each between other bytes. */
	for (unsigned run = 1; run <= 300; run++) {
		char body[64];
		session_open(&s);
		memset(s.mock.ram + 0x5000, 0xab, 400);
		memset(s.mock.ram + 0x5001, 0, run);
		snprintf(body, sizeof body, "m105000,%x", run + 2);
		session_packet(&s, body);
		session_play(&s);
		assert_int_equal(s.lengths[0], 2 * (run + 2));
		for (unsigned i = 0; i < run + 2; i++)
			assert_memory_equal(REPLY(0) + 2 * i, i && i <= run ? "00" : "ab", 2);
		/* No count may look like a frame or an acknowledgement. */
		const uint8_t *raw = s.mock.output + 2;
		for (size_t i = 0; i + 5 < s.mock.output_len; i++)
			assert_null(memchr("$+-#", raw[i], 4));
		close_session(NULL);
	}
	session_open(&s);
}

/* The same with one character a byte, so that runs of even length come up too. */
static void every_run_length_in_binary(void **state)
{
	(void)state;
	for (unsigned run = 1; run <= 300; run++) {
		char body[64];
		session_open(&s);
		memset(s.mock.ram + 0x5000, 'a', 400);
		memset(s.mock.ram + 0x5001, 'b', run);
		snprintf(body, sizeof body, "x105000,%x", run + 2);
		session_packet(&s, body);
		session_play(&s);
		assert_int_equal(s.lengths[0], run + 3);
		for (unsigned i = 0; i < run; i++)
			assert_int_equal(REPLY(0)[2 + i], 'b');
		const uint8_t *raw = s.mock.output + 2;
		for (size_t i = 0; i + 5 < s.mock.output_len; i++)
			assert_null(memchr("$+-#", raw[i], 4));
		close_session(NULL);
	}
	session_open(&s);
}

static void zeros_cost_little(void **state)
{
	(void)state;
	session_open(&s);
	session_packet(&s, "m10e000,2000");
	session_play(&s);
	assert_int_equal(s.lengths[0], 0x4000);
	assert_true(s.mock.output_len < 0x4000 / 30);
	assert_true(s.mock.writes <= 2); /* the '+', and the packet in one piece */
}

static void no_run_starts_within_an_escape(void **state)
{
	(void)state;
	session_open(&s);
	memcpy(s.mock.ram + 0x5000, "}]]]]]]]]]]#\x03\x03\x03\x03\x03\x03", 18);
	session_packet(&s, "x105000,12");
	session_play(&s);
	const char *raw = memchr(s.mock.output, 'b', s.mock.output_len);
	assert_non_null(raw);
	assert_memory_equal(raw, "b}]]*&}\x03\x03*\"", 10); /* 9 + 29 = '&', 5 + 29 = '"' */
	CHECK_REPLY(0, "b}]]]]]]]]]]]}\x03\x03\x03\x03\x03\x03\x03");
}

/* ---- a recorded session, damaged ---- */

/* Much of what a debugger says, in its order. It ends stopped and attached. */
static void record(void)
{
	static const char *const packets[] = {
		"qSupported:multiprocess+;swbreak+;hwbreak+;binary-upload+;error-message+",
		"vMustReplyEmpty",
		"Hg0",
		"qXfer:features:read:target.xml:0,400",
		"qTStatus",
		"?",
		"qXfer:threads:read::0,1000",
		"Hc-1",
		"qAttached",
		"g",
		"m100000,40",
		"Z0,10000c,1",
		"Z2,104000,8",
		"vCont;c",
		"g",
		"z2,104000,8",
		"vCont;c",
		"z0,10000c,1",
		("X104000,3:a}\x03"
		 "b"),
		"M104000,2:beef",
		"vCont;r100000,10000c:1;c",
		"vCont;s:1;c",
		"P0=1122334455667788",
		"qCRC:100000,1000",
		"qSearch:memory:100000;1000;abc",
		"qRcmd,68656c70",
		"x10a000,40",
		"Qqemu.PhyMemMode:1",
		"m40000,10",
		"Qqemu.PhyMemMode:0",
		"T1",
		"qfThreadInfo",
		"qsThreadInfo",
		"G00",
		"C05",
	};
	session_open(&s);
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
		session_packet(&s, packets[i]);
		RAW("+");
	}
	RAW("\x03");
	session_packet(&s, "qC");
}

/* Two of them: the first may end a body that was cut before its checksum. */
static void ask_why(void)
{
	session_packet(&s, "?");
	session_packet(&s, "?");
}

static void every_truncation(void **state)
{
	(void)state;
	record();
	size_t whole = s.script_len;
	session_close(&s);
	for (size_t len = 0; len <= whole; len++) {
		record();
		s.script_len = len;
		ask_why();
		session_play(&s);
		check_last_is_stop_reply();
		close_session(NULL);
	}
	session_open(&s);
}

static uint32_t random_below(uint64_t *seed, size_t bound)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % bound);
}

static void drop(size_t at, size_t len)
{
	memmove(s.script + at, s.script + at + len, s.script_len - at - len);
	s.script_len -= len;
}

static void damage(uint64_t *seed)
{
	size_t at = random_below(seed, s.script_len - 40), len = 1 + random_below(seed, 30);
	uint8_t copy[32];
	switch (random_below(seed, 3)) {
	case 0:
		s.script[at] ^= (uint8_t)(1u << random_below(seed, 8));
		break;
	case 1:
		drop(at, len);
		break;
	default:
		memcpy(copy, s.script + at, len);
		session_raw(&s, copy, len); /* makes room */
		memmove(s.script + at + len, s.script + at, s.script_len - at - len);
		memcpy(s.script + at, copy, len);
	}
}

static void random_damage(void **state)
{
	(void)state;
	for (uint64_t run = 0; run < 1500; run++) {
		uint64_t seed = run;
		record();
		for (uint32_t n = 1 + random_below(&seed, 12); n; n--)
			damage(&seed);
		ask_why();
		session_play(&s);
		/* A damaged packet may have ended the machine (k, a signal for its fault handler).
		 */
		if (!s.mock.ended && !s.mock.delivered && !s.mock.hung)
			check_last_is_stop_reply();
		close_session(NULL);
	}
	session_open(&s);
}

static void cut_at_any_byte_by_a_new_client(void **state)
{
	(void)state;
	record();
	size_t whole = s.script_len;
	session_close(&s);
	for (size_t len = 0; len <= whole; len += 3) {
		record();
		s.script_len = len;
		session_packet(&s, "qSupported:swbreak+");
		session_packet(&s, "m10000c,1");
		ask_why();
		session_play(&s);
		check_last_is_stop_reply();
		/* Nothing of the old client's breakpoints is left. */
		if (s.count > 2)
			assert_int_equal(s.mock.stub.breakpoints_used, 0);
		close_session(NULL);
	}
	session_open(&s);
}

#define T(name) cmocka_unit_test_teardown(name, close_session)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bad_checksum_is_refused),
		T(bad_checksum_without_acks_is_an_error),
		T(dollar_restarts),
		T(noise_between_packets),
		T(overlong_packet_is_an_error),
		T(lengths_beyond_the_buffer),
		T(command_longer_than_its_buffer),
		T(every_run_length),
		T(every_run_length_in_binary),
		T(zeros_cost_little),
		T(no_run_starts_within_an_escape),
		T(every_truncation),
		T(random_damage),
		T(cut_at_any_byte_by_a_new_client),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gdbstub line", tests, NULL, NULL);
}
