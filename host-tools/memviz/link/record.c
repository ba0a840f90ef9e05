#include <memviz/base.h>
#include <memviz/link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ,"crc":"xxxxxxxx"} */
#define CRC_HEAD ",\"crc\":\""
#define CRC_TAIL (sizeof CRC_HEAD - 1 + 8 + 2)

static bool hex_lower(const char *p, uint32_t *out)
{
	uint32_t v = 0;
	for (int i = 0; i < 8; i++) {
		char c = p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return true;
}

int mv_record_crc(const char *json, size_t len)
{
	if (len <= CRC_TAIL)
		return -1;
	size_t body = len - CRC_TAIL;
	if (memcmp(json + body, CRC_HEAD, sizeof CRC_HEAD - 1) != 0 ||
	    memcmp(json + len - 2, "\"}", 2) != 0)
		return -1;
	uint32_t said;
	if (!hex_lower(json + body + sizeof CRC_HEAD - 1, &said))
		return 0;
	return said == (uint32_t)crc32(0, (const Bytef *)json, (uInt)body);
}

char *mv_record_seal(const char *json, size_t len, size_t *sealed_len)
{
	/* RS + body + tail + LF; the brace that closes the object comes last. */
	size_t body = len - 1;
	size_t size = 1 + body + CRC_TAIL + 1;
	char *out = mv_alloc(size + 1);
	out[0] = MV_RS;
	memcpy(out + 1, json, body);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)json, (uInt)body);
	snprintf(out + 1 + body, CRC_TAIL + 2, CRC_HEAD "%08x\"}\n", crc);
	*sealed_len = size;
	return out;
}

/* A line repeats a few records at most; further back means another count. */
#define REPEAT_WINDOW 256

enum mv_seq_verdict mv_seq_see(struct mv_seq *q, uint64_t seq)
{
	if (!q->started) {
		q->started = true;
		q->next = seq + 1;
		return MV_SEQ_OK;
	}
	if (seq == q->next) {
		q->next++;
		return MV_SEQ_OK;
	}
	if (seq < q->next && q->next - seq <= REPEAT_WINDOW && seq + REPEAT_WINDOW >= q->next &&
	    !(seq == 0 && q->next > 1)) {
		q->repeated++;
		return MV_SEQ_REPEAT;
	}
	q->gaps++;
	if (seq > q->next)
		q->lost += seq - q->next;
	q->next = seq + 1;
	return MV_SEQ_GAP;
}
