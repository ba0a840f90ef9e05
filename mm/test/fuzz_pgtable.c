// fuzz_pgtable.c: libFuzzer over sequences of operations on page tables, hostile
// and overlapping ones among them, each compared with the shadow. The first byte
// chooses the machine: whether every table allocation fails once first.
#include <stddef.h>
#include <stdint.h>

#include "pt_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;

	if (!size)
		return 0;
	if (!started)
		rig_start((struct rig_options){0});
	started = true;
	rig_fail_each = data[0] & 1;
	for (data++, size--; size >= RIG_OP_BYTES; data += RIG_OP_BYTES, size -= RIG_OP_BYTES)
		rig_op(data);
	rig_reset();
	return 0;
}
