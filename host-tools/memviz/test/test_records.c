/* Bytes to records: framing, CRC, seq, targets. */
#include <memviz/base.h>
#include <memviz/link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

static uint64_t seed = 42;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static void seal_into(struct mv_buf *b, const char *json)
{
	size_t len;
	char *sealed = mv_record_seal(json, strlen(json), &len);
	mv_buf_add(b, sealed, len);
	free(sealed);
}

static void crc_is_that_of_the_protocol(void **state)
{
	(void)state;
	struct mv_buf b = {0};
	/* crc32 of {"a":1 is 0xa702fc6e, by python's zlib. */
	seal_into(&b, "{\"a\":1}");
	assert_string_equal(b.data, "\x1e{\"a\":1,\"crc\":\"a702fc6e\"}\n");
	assert_int_equal(mv_record_crc(b.data + 1, b.len - 2), 1);
	b.data[5] = '2';
	assert_int_equal(mv_record_crc(b.data + 1, b.len - 2), 0);
	assert_int_equal(mv_record_crc("{\"a\":1}", 7), -1);
	/* Upper-case hex is not what the protocol says. */
	const char *upper = "{\"a\":1,\"crc\":\"A702FC6E\"}";
	assert_int_equal(mv_record_crc(upper, strlen(upper)), 0);
	mv_buf_free(&b);
}

/* Whatever the cuts, the same records come out. */
static void any_cut_gives_the_same_records(void **state)
{
	(void)state;
	struct mv_buf all = {0};
	char text[200];
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "{\"seq\":%u,\"pad\":\"%0*u\"}", i, 1 + (int)pick(90),
			 i);
		seal_into(&all, text);
		if (pick(3) == 0)
			mv_buf_text(&all, "console text\n");
	}
	for (unsigned round = 0; round < 50; round++) {
		struct mv_reader *r = mv_reader_new(true, true);
		struct mv_record rec;
		unsigned good = 0;
		for (size_t at = 0; at < all.len;) {
			size_t n = 1 + pick(round < 25 ? 7 : 900);
			n = n < all.len - at ? n : all.len - at;
			mv_reader_feed(r, all.data + at, n);
			at += n;
			while (mv_reader_next(r, &rec)) {
				assert_int_not_equal(rec.kind, MV_RECORD_BROKEN);
				assert_int_not_equal(rec.kind, MV_RECORD_BAD_CRC);
				if (rec.kind != MV_RECORD_GOOD)
					continue;
				assert_int_equal(all.data[rec.offset], MV_RS);
				assert_memory_equal(rec.json, all.data + rec.offset + 1, rec.len);
				good++;
			}
		}
		assert_int_equal(good, 100);
		assert_int_equal(mv_reader_pending(r), 0);
		mv_reader_free(r);
	}
	mv_buf_free(&all);
}

/* On a line that flips, drops and repeats bytes no wrong record passes as right. */
static void no_wrong_record_passes(void **state)
{
	(void)state;
	struct mv_reader *r = mv_reader_new(true, true);
	unsigned good = 0, bad = 0;
	for (unsigned i = 0; i < 20000; i++) {
		struct mv_buf one = {0}, line = {0};
		char text[100];
		snprintf(text, sizeof text, "{\"i\":%u,\"twice\":%u}", i, 2 * i);
		seal_into(&one, text);
		for (size_t k = 0; k < one.len; k++) {
			unsigned dice = pick(3000);
			char byte = one.data[k];
			if (dice == 0)
				continue;
			if (dice == 1)
				byte = (char)(byte ^ (char)(1u << pick(8)));
			mv_buf_add(&line, &byte, 1);
			if (dice == 2)
				mv_buf_add(&line, &byte, 1);
		}
		mv_reader_feed(r, line.data, line.len);
		struct mv_record rec;
		while (mv_reader_next(r, &rec)) {
			if (rec.kind != MV_RECORD_GOOD) {
				bad += rec.kind != MV_RECORD_TEXT;
				continue;
			}
			unsigned a, b;
			char copy[120];
			assert_true(rec.len < sizeof copy);
			memcpy(copy, rec.json, rec.len);
			copy[rec.len] = 0;
			assert_int_equal(sscanf(copy, "{\"i\":%u,\"twice\":%u", &a, &b), 2);
			assert_int_equal(b, 2 * a);
			good++;
		}
		mv_buf_free(&one);
		mv_buf_free(&line);
	}
	assert_true(good > 15000 && good < 20000);
	assert_true(bad > 200);
	mv_reader_free(r);
}

static enum mv_record_kind first_kind(const char *bytes, bool need_crc, bool need_rs)
{
	struct mv_reader *r = mv_reader_new(need_crc, need_rs);
	struct mv_record rec = {.kind = (enum mv_record_kind)99};
	mv_reader_feed(r, bytes, strlen(bytes));
	mv_reader_next(r, &rec);
	enum mv_record_kind k = rec.kind;
	mv_reader_free(r);
	return k;
}

static void odd_records_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(first_kind("\x1e{\"a\":1}\n", false, true), MV_RECORD_GOOD);
	assert_int_equal(first_kind("\x1e{\"a\":1}\r\n", false, true), MV_RECORD_GOOD);
	assert_int_equal(first_kind("\x1e{\"a\":1}\n", true, true), MV_RECORD_BAD_CRC);
	assert_int_equal(first_kind("\x1e{\"a\":\x1e{}\n", false, true), MV_RECORD_BROKEN);
	assert_int_equal(first_kind("\x1e[1]\n", false, true), MV_RECORD_BROKEN);
	assert_int_equal(first_kind("\x1e\n", false, true), MV_RECORD_BROKEN);
	assert_int_equal(first_kind("hello\n", false, true), MV_RECORD_TEXT);
	assert_int_equal(first_kind("{\"a\":1}\n", false, false), MV_RECORD_GOOD);
	assert_int_equal(first_kind("[{\"a\":1}]\n", false, false), MV_RECORD_GOOD);
	assert_int_equal(first_kind("{\"a\":1}\n", false, true), MV_RECORD_TEXT);
	assert_int_equal(first_kind("\x1e{\"a\":1}", false, true), 99);
}

static void an_endless_record_is_cut_off(void **state)
{
	(void)state;
	struct mv_reader *r = mv_reader_new(false, true);
	struct mv_record rec;
	char *chunk = mv_alloc(1u << 20);
	memset(chunk, 'x', 1u << 20);
	bool broken = false;
	mv_reader_feed(r, "\x1e{", 2);
	for (unsigned i = 0; i < 40; i++) {
		mv_reader_feed(r, chunk, 1u << 20);
		while (mv_reader_next(r, &rec))
			broken = broken || rec.kind == MV_RECORD_BROKEN;
		assert_true(mv_reader_pending(r) <= MV_RECORD_MAX + (1u << 20) + 2);
	}
	assert_true(broken);
	mv_reader_feed(r, "\n\x1e{\"a\":1}\n", 11);
	assert_true(mv_reader_next(r, &rec));
	assert_int_equal(rec.kind, MV_RECORD_GOOD);
	free(chunk);
	mv_reader_free(r);
}

static void seq_tells_gaps_from_repeats(void **state)
{
	(void)state;
	struct mv_seq q = {0};
	assert_int_equal(mv_seq_see(&q, 7), MV_SEQ_OK);
	assert_int_equal(mv_seq_see(&q, 8), MV_SEQ_OK);
	assert_int_equal(mv_seq_see(&q, 8), MV_SEQ_REPEAT);
	assert_int_equal(mv_seq_see(&q, 9), MV_SEQ_OK);
	assert_int_equal(mv_seq_see(&q, 12), MV_SEQ_GAP);
	assert_int_equal(q.lost, 2);
	assert_int_equal(mv_seq_see(&q, 13), MV_SEQ_OK);
	/* A kernel that began anew counts from 0. */
	assert_int_equal(mv_seq_see(&q, 0), MV_SEQ_GAP);
	assert_int_equal(mv_seq_see(&q, 1), MV_SEQ_OK);
}

static void targets_are_read_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum mv_status status;
		enum mv_target_kind kind;
	} rows[] = {
		{"unix:/run/x.sock",	     MV_OK,    MV_TARGET_UNIX  },
		{"tcp:localhost:1234",       MV_OK,    MV_TARGET_TCP   },
		{"tcp:[::1]:1234",	   MV_OK,	  MV_TARGET_TCP   },
		{"serial:/dev/ttyUSB0",	MV_OK,    MV_TARGET_SERIAL},
		{"serial:/dev/ttyUSB0,9600", MV_OK,    MV_TARGET_SERIAL},
		{"pty:/dev/pts/3",	   MV_OK,	  MV_TARGET_PTY   },
		{"file:a.rec.xz",		  MV_OK,	 MV_TARGET_FILE  },
		{"gdb:localhost:1234",       MV_OK,    MV_TARGET_GDB   },
		{"gdb:/run/gdb.sock",	      MV_OK,    MV_TARGET_GDB	  },
		{"unix:",			  MV_USAGE, 0		     },
		{"tcp:localhost",		  MV_USAGE, 0		     },
		{"tcp:localhost:0",	    MV_USAGE, 0	       },
		{"tcp:localhost:99999",	MV_USAGE, 0		   },
		{"tcp::1",		   MV_USAGE, 0		      },
		{"serial:/dev/x,fast",       MV_USAGE, 0		  },
		{"nonsense",		     MV_USAGE, 0		},
		{"/nowhere/at/all",	    MV_LINK,  0		      },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mv_target t;
		struct mv_error e;
		enum mv_status st = mv_target_parse(rows[i].text, &t, &e);
		if (st != rows[i].status)
			fail_msg("%s: %d", rows[i].text, st);
		if (st == MV_OK)
			assert_int_equal(t.kind, rows[i].kind);
		else
			assert_true(e.message[0] != 0);
	}
	struct mv_target t;
	mv_target_parse("serial:/dev/ttyUSB0,9600", &t, NULL);
	assert_int_equal(t.baud, 9600);
	assert_string_equal(t.path, "/dev/ttyUSB0");
	mv_target_parse("tcp:[::1]:1234", &t, NULL);
	assert_string_equal(t.host, "::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_that_of_the_protocol),
		cmocka_unit_test(any_cut_gives_the_same_records),
		cmocka_unit_test(no_wrong_record_passes),
		cmocka_unit_test(odd_records_are_told_apart),
		cmocka_unit_test(an_endless_record_is_cut_off),
		cmocka_unit_test(seq_tells_gaps_from_repeats),
		cmocka_unit_test(targets_are_read_or_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
