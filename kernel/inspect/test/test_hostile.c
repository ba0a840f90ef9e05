/* A smoke of the hostile client, with the same story each time; the fuzzer goes on from here. */
#include "hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_random_words(void **state)
{
	uint8_t data[300];

	(void)state;
	srandom(21);
	for (int round = 0; round < 1500; round++) {
		size_t len = 2 + (size_t)random() % (sizeof(data) - 2);
		data[0] = (uint8_t)(random() | 8);
		for (size_t i = 1; i < len; i++)
			data[i] = (uint8_t)(random() % 8 ? random() % 90 : random());
		hostile_client(data, len);
	}
}

static void test_random_bytes(void **state)
{
	uint8_t data[600];

	(void)state;
	srandom(22);
	for (int round = 0; round < 500; round++) {
		size_t len = 2 + (size_t)random() % (sizeof(data) - 2);
		data[0] = (uint8_t)(random() & ~8);
		for (size_t i = 1; i < len; i++)
			data[i] = (uint8_t)random();
		hostile_client(data, len);
	}
}

/* Requests well put together of random methods with random parameters, from words. */
static void test_random_requests(void **state)
{
	static const uint8_t values[] = {21, 22, 23, 24, 25, 26, 27, 28,
					 29, 34, 36, 37, 38, 39, 40, 41};
	uint8_t data[400];

	(void)state;
	srandom(23);
	for (int round = 0; round < 1500; round++) {
		size_t len = 0;
		data[len++] = (uint8_t)(random() | 8);
		while (len < sizeof(data) - 30) {
			data[len++] = 0; /* {"jsonrpc"... */
			data[len++] = (uint8_t)(HOSTILE_METHODS + random() % 36); /* a method */
			data[len++] = 1;					  /* ","params":{ */
			for (long k = random() % 6; k; k--) {
				data[len++] = values[random() % 16];
				if (k > 1)
					data[len++] = 5;
			}
			data[len++] = 2;
		}
		hostile_client(data, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_words),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_random_requests),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
