/* Bytes of a line, in cuts that the input chooses: the reader never hands out a
 * record that is not inside of what it was fed, nor one whose CRC is wrong. */
#include "fuzz.h"

#include <memviz/link.h>
#include <string.h>

const char *const fuzz_seeds[] = {
	"\x05\x1e{\"a\":1,\"crc\":\"a702fc6e\"}\n\x1e{\"b\":2}\nconsole\n{\"id\":1}\n",
	"\x01\x1e{\"jsonrpc\":\"2.0\",\"seq\":4,\"crc\":\"00000000\"}\n\x1e\x1e{}\r\n[1]\n",
	NULL,
};

static void drain(struct mv_reader *r, size_t fed)
{
	struct mv_record rec;
	while (mv_reader_next(r, &rec)) {
		FUZZ_ASSERT(rec.len <= fed && rec.offset <= fed);
		if (rec.kind == MV_RECORD_GOOD)
			FUZZ_ASSERT(mv_record_crc(rec.json, rec.len) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct mv_reader *r = mv_reader_new(data[0] & 1, data[0] & 2);
	size_t step = 1 + (data[0] >> 2), fed = 0;
	for (size_t at = 1; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		mv_reader_feed(r, data + at, n);
		fed += n;
		drain(r, fed);
	}
	mv_reader_free(r);
	return 0;
}
