/* What a stub may say: a target description, and page tables of any content. */
#include "fuzz.h"
#include "private.h"

#include <memviz/model.h>
#include <stdlib.h>
#include <string.h>

const char *const fuzz_seeds[] = {
	"\x01<feature><reg name=\"rax\" regnum=\"0\"/><reg name='cr3'/><reg name=\"efer\"/>",
	"\x02\x03\x20\x00\x83\x40\x00\x07\x10\x00\x87\xff\x00\x03\x11\x00\x80\x22",
	NULL,
};

#define PAGES 8

/* The input again and again, as entries that point among eight pages. */
static enum mv_status read_input(void *user, const uint64_t *addresses, size_t count,
				 uint64_t (*pages)[512], bool *good, struct mv_error *e)
{
	const struct mv_buf *b = user;
	(void)good;
	(void)e;
	for (size_t i = 0; i < count; i++) {
		size_t page = addresses[i] / 4096;
		memset(pages[i], 0, sizeof pages[i]);
		for (size_t k = 0; page < PAGES && k < 9; k++) {
			unsigned char byte = (unsigned char)b->data[(page * 9 + k) % b->len];
			pages[i][k * 60] = (uint64_t)(byte >> 4) << 12 | (byte & 7u) |
					   (byte & 8u ? 128u : 0u);
		}
	}
	return MV_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct mv_buf b = {0};
	mv_buf_add(&b, data + 1, size - 1);
	if (data[0] & 1) {
		long n = description_register(b.data, "efer");
		FUZZ_ASSERT(n >= -1 || strstr(b.data, "regnum"));
	} else {
		struct walk w = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00};
		struct mv_error e;
		FUZZ_ASSERT(walk_read(&w, read_input, &b, &e) == MV_OK);
		FUZZ_ASSERT(w.table_count <= 17);
		for (size_t i = 1; i < w.leaves.count; i++)
			FUZZ_ASSERT(w.leaves.runs[i].va >=
				    w.leaves.runs[i - 1].va + w.leaves.runs[i - 1].len);
		walk_free(&w);
	}
	mv_buf_free(&b);
	return 0;
}
