// test_pgtable_random.c: seeded random operations on page tables against the
// shadow of pt_shadow.c, everything compared after each. Each sequence runs in a
// process of its own; one that fails is cut down to the operations that matter.
// PT_SEED=n PT_STEPS=n runs one longer sequence.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pt_rig.h"

struct sequence {
	struct rig_options machine;
	bool fail_each;
	size_t count;
	uint8_t (*op)[RIG_OP_BYTES];
};

static void quiet(const char *message)
{
	(void)message;
	_exit(1);
}

static void loud(const char *message)
{
	fprintf(stderr, "# %s\n", message);
	_exit(1);
}

// Runs it in a child; true if something was wrong.
static bool fails(const struct sequence *sequence, void (*on_failure)(const char *))
{
	int status;
	pid_t child = fork();

	if (!child) {
		rig_on_failure = on_failure;
		if (on_failure == quiet)
			fclose(stderr);
		rig_start(sequence->machine);
		rig_fail_each = sequence->fail_each;
		for (size_t i = 0; i < sequence->count; i++)
			rig_op(sequence->op[i]);
		rig_reset();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

// Drops every operation, in ever smaller groups, without which it still fails.
static void shrink(struct sequence *sequence)
{
	for (size_t group = sequence->count / 2; group; group /= 2)
		for (size_t i = 0; i + group <= sequence->count;) {
			struct sequence less = *sequence;
			size_t tail = sequence->count - i - group;

			less.op = malloc(sequence->count * RIG_OP_BYTES + 1);
			memcpy(less.op, sequence->op, i * RIG_OP_BYTES);
			memcpy(less.op + i, sequence->op + i + group, tail * RIG_OP_BYTES);
			less.count = sequence->count - group;
			if (fails(&less, quiet)) {
				memcpy(sequence->op, less.op, less.count * RIG_OP_BYTES);
				sequence->count = less.count;
			} else {
				i += group;
			}
			free(less.op);
		}
}

static void show(const struct sequence *sequence)
{
	char text[200];

	for (size_t i = 0; i < sequence->count; i++) {
		rig_op_describe(sequence->op[i], text, sizeof(text));
		fprintf(stderr, "# %zu: %s\n", i, text);
	}
}

static void run(struct sequence sequence, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ul + 1;

	sequence.op = malloc(sequence.count * RIG_OP_BYTES);
	for (size_t i = 0; i < sequence.count * RIG_OP_BYTES; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		((uint8_t *)sequence.op)[i] = (uint8_t)(x >> 24);
	}
	if (fails(&sequence, quiet)) {
		shrink(&sequence);
		fprintf(stderr, "# seed %lu fails with these %zu operations:\n", seed,
			sequence.count);
		show(&sequence);
		fails(&sequence, loud);
		fail_msg("seed %lu", seed);
	}
	free(sequence.op);
}

static size_t from_environment(const char *name, size_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

static void operations(void **state)
{
	(void)state;
	if (getenv("PT_SEED"))
		run((struct sequence){.count = from_environment("PT_STEPS", 5000)},
		    from_environment("PT_SEED", 1));
	for (uint64_t seed = 1; seed <= 12; seed++)
		run((struct sequence){.count = 300}, seed);
}

static void operations_without_1g_leaves(void **state)
{
	(void)state;
	for (uint64_t seed = 101; seed <= 103; seed++)
		run((struct sequence){.count = 150, .machine.no_1g = true}, seed);
}

static void operations_with_failing_tables(void **state)
{
	(void)state;
	for (uint64_t seed = 201; seed <= 206; seed++)
		run((struct sequence){.count = 120, .fail_each = true}, seed);
}

// The shrinker itself: a machine on which operations fail can be cut to one.
static void shrinking_works(void **state)
{
	static uint8_t ops[40][RIG_OP_BYTES];
	struct sequence sequence = {.count = 40, .op = ops};

	(void)state;
	memset(ops, 0xff, sizeof(ops)); // switches to the same space
	memset(ops[27], 0, RIG_OP_BYTES);
	sequence.machine.memory_bytes = 1; // cannot even start
	assert_true(fails(&sequence, quiet));
	shrink(&sequence);
	assert_int_equal(sequence.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations),
		cmocka_unit_test(operations_without_1g_leaves),
		cmocka_unit_test(operations_with_failing_tables),
		cmocka_unit_test(shrinking_works),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
