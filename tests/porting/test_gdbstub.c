/* The GDB stub on its second port: a debugger asks, reads, writes and leaves. */
#include "gdbstub_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct gdbstub stub;
static struct port_target target;

/* Plays one stop: the debugger's bytes in; what the stub sent is in target.out. */
static struct gdbstub_resume stop(const char *debugger)
{
	const struct gdbstub_event event = {.cause = GDBSTUB_CAUSE_REQUEST, .thread_id = 1};
	struct gdbstub_resume resume;

	target.in = (const uint8_t *)debugger;
	target.in_len = strlen(debugger);
	target.out_len = 0;
	memset(target.out, 0, sizeof target.out);
	resume = gdbstub_stopped(&stub, &event);
	assert_null(gdbstub_check(&stub));
	return resume;
}

static int start(void **state)
{
	(void)state;
	target = (struct port_target){.regs.rip = PORT_RAM_AT, .regs.groups = GDBSTUB_HAS_RFLAGS};
	target.regs.gprs_known = (1u << GDBSTUB_GPRS) - 1;
	memcpy(target.ram, "\x90\x90\xeb\xfc", 4);
	gdbstub_init(&stub, &target, GDBSTUB_ANSWER_MS);
	return 0;
}

static void test_why_stopped(void **state)
{
	(void)state;
	stop("$?#3f");
	assert_memory_equal(target.out, "+$T02", 5); /* SIGINT: it was asked to stop */
	assert_non_null(strstr(target.out, "thread:1;"));
	assert_false(gdbstub_attached(&stub)); /* the line was lost after that */
}

static void test_memory(void **state)
{
	(void)state;
	stop("$m1000,4#8e+");
	assert_non_null(strstr(target.out, "$9090ebfc#"));
	stop("$M1002,2:cafe#37+");
	assert_non_null(strstr(target.out, "$OK#9a"));
	assert_memory_equal(target.ram, "\x90\x90\xca\xfe", 4);
	stop("$m0,4#fd+"); /* nothing there: an error, no fault */
	assert_non_null(strstr(target.out, "$E"));
}

static void test_registers(void **state)
{
	(void)state;
	stop("$P10=0410000000000000#f3+$c#63"); /* register 16 is rip */
	assert_non_null(strstr(target.out, "$OK#9a"));
	assert_int_equal(target.regs.rip, 0x1004);
	stop("$p10#d1+");
	assert_non_null(strstr(target.out, "$0410")); /* zeros run-length encoded */
}

static void test_breakpoint(void **state)
{
	(void)state;
	assert_true(stop("$Z0,1001,1#d5+$c#63").others_run);
	assert_int_equal(target.ram[1], 0xcc); /* in memory while the target runs */
	stop("$m1000,4#8e+$D#44+");
	assert_non_null(strstr(target.out, "$9090ebfc#")); /* and never to be seen */
	assert_int_equal(target.ram[1], 0x90);
	assert_false(gdbstub_attached(&stub));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_why_stopped, start),
		cmocka_unit_test_setup(test_memory, start),
		cmocka_unit_test_setup(test_registers, start),
		cmocka_unit_test_setup(test_breakpoint, start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
