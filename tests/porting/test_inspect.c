/* The inspector on its second port: answers, lists, says what is not there, watches. */
#include "inspect_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct insp insp;
static struct insp_slot ring[64];
static uint64_t owned[64];
static struct insp_link insp_link;
static struct port_line line;
static char in[2048], out[4096];

static int start(void **state)
{
	const struct insp_config config = {
		.ring = ring, .ring_slots = 64, .owned = owned, .owned_slots = 64};
	const struct insp_link_config link = {.port = &line,
					      .in = in,
					      .in_bytes = sizeof in,
					      .out = out,
					      .out_bytes = sizeof out,
					      .line_bytes = sizeof line.out};

	(void)state;
	memset(&line, 0, sizeof line);
	insp_init(&insp, &config);
	return !insp_link_init(&insp, &insp_link, &link);
}

static int check(void **state)
{
	char why[INSP_REASON_MAX];

	(void)state;
	if (insp_check(&insp, why))
		return 0;
	fprintf(stderr, "# insp_check: %s\n", why);
	return 1;
}

/* Sends requests and lets the inspector work; all that it sent is in line.out. */
static void ask(const char *requests)
{
	size_t len = strlen(requests);

	line.len = 0;
	memset(line.out, 0, sizeof line.out);
	assert_int_equal(insp_link_receive(&insp_link, requests, len), len);
	insp_poll(&insp, insp_port_clock_us());
}

static void assert_says(const char *part)
{
	if (!strstr(line.out, part))
		fail_msg("\"%s\" is not in: %s", part, line.out);
}

static void test_stat(void **state)
{
	(void)state;
	ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mm.stat\"}\n");
	assert_int_equal(line.out[0], 0x1e);
	assert_says("\"id\":1,\"result\":{\"total\":67108864,\"used\":6291456,\"free\":60817408,");
	assert_says("\"cache_used\":1048576,\"cache_free\":1048576,\"available\":61865984,");
	assert_says("\"seq\":0,\"crc\":\"");
	assert_int_equal(line.out[line.len - 1], '\n');
}

static void test_list(void **state)
{
	(void)state;
	ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"mm.zones\"}\n");
	assert_says("\"name\":\"ZONE_NORMAL\"");
	assert_says("\"frames\":32");
}

static void test_absent_and_refused(void **state)
{
	(void)state;
	ask("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"mm.caches\"}\n"
	    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"mm.kmalloc\",\"params\":{\"size\":8}}\n");
	assert_says("mm.caches: this kernel does not have it");
	assert_says("mm.kmalloc needs access level alloc, this kernel grants read");
}

static void test_watch(void **state)
{
	struct insp_stat before = port_memory;

	(void)state;
	ask("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"watch.start\","
	    "\"params\":{\"topics\":[\"stat\"],\"hz\":10}}\n");
	for (uint64_t us = 0; us < 1000000; us += 50000)
		insp_poll(&insp, us);
	assert_says("\"topic\":\"stat\",\"full\":true");
	port_memory.used += 2 << 20, port_memory.free -= 2 << 20, port_memory.available -= 2 << 20;
	for (uint64_t us = 1000000; us < 2000000; us += 50000)
		insp_poll(&insp, us);
	assert_says("\"full\":false");
	assert_says("\"used\":8388608");
	port_memory = before;
}

static void test_call_from_inside(void **state)
{
	char text[512];
	size_t len;

	(void)state;
	assert_true(insp_call_text(&insp, "mm.stat", 7, INSP_ACCESS_READ, text, sizeof text, &len));
	assert_memory_equal(text, "{\"total\":67108864,", 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stat, start, check),
		cmocka_unit_test_setup_teardown(test_list, start, check),
		cmocka_unit_test_setup_teardown(test_absent_and_refused, start, check),
		cmocka_unit_test_setup_teardown(test_watch, start, check),
		cmocka_unit_test_setup_teardown(test_call_from_inside, start, check),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
