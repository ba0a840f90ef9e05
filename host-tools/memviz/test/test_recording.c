/*
 * Recordings, plain and .xz: what was written is read, any time can be reached,
 * and every truncation and every flipped byte opens up to the damage.
 */
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/recording.h>
#include <memviz/session.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define START 1700000000000000ull
#define STEPS 900 /* ten a second: a minute and a half, so several keyframes */

static char dir[] = "/tmp/memviz-test-XXXXXX";
static char path[2][64];

static void stat_params(char *out, size_t size, unsigned i, bool full)
{
	if (full)
		snprintf(out, size,
			 "{\"id\":1,\"topic\":\"stat\",\"full\":true,\"gen\":%u,\"data\":{"
			 "\"total\":1000000,\"used\":%u,\"free\":%u,\"shared\":0,\"cache_used\":0,"
			 "\"cache_free\":0,\"available\":%u}}",
			 i, i, 1000000 - i, 1000000 - i);
	else
		snprintf(out, size,
			 "{\"id\":1,\"topic\":\"stat\",\"full\":false,\"gen\":%u,\"data\":{"
			 "\"used\":%u}}",
			 i, i);
}

/* used is i at START + i * 100 ms. */
static void write_recording(const char *file)
{
	struct mv_error e;
	struct mv_model *m = mv_model_new(NULL);
	struct mv_recorder *r = mv_recorder_open(file, "unix:/x", NULL, START, &e);
	assert_non_null(r);
	for (unsigned i = 0; i < STEPS; i++) {
		char params[400], record[500];
		uint64_t t = START + i * 100000ull;
		stat_params(params, sizeof params, i, i == 0);
		struct json_object *o = mv_json_parse(params, strlen(params), NULL);
		assert_int_equal(mv_model_apply_watch(m, o, t, &e), MV_APPLIED);
		json_object_put(o);
		if (mv_recorder_wants_keyframe(r, t)) {
			struct json_object *k = mv_model_keyframe(m);
			mv_recorder_keyframe(r, k, t);
			json_object_put(k);
		}
		int n = snprintf(record, sizeof record,
				 "{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":%s}",
				 params);
		mv_recorder_record(r, record, (size_t)n, t);
	}
	assert_int_equal(mv_recorder_records(r), STEPS);
	assert_int_equal(mv_recorder_close(r, &e), MV_OK);
	mv_model_free(m);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path[0], sizeof path[0], "%s/a.rec", dir);
	snprintf(path[1], sizeof path[1], "%s/a.rec.xz", dir);
	write_recording(path[0]);
	write_recording(path[1]);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path[0]);
	unlink(path[1]);
	return rmdir(dir);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct mv_error e;
		struct mv_recording *r = mv_recording_open(path[k], &e);
		struct mv_entry entry;
		unsigned records = 0;
		assert_non_null(r);
		assert_null(mv_recording_damage(r, NULL));
		assert_int_equal(mv_recording_first_us(r), START);
		assert_int_equal(mv_recording_last_us(r), START + (STEPS - 1) * 100000ull);
		assert_true(mv_recording_keyframes(r) >= 4);
		while (mv_recording_next(r, &entry)) {
			if (entry.kind == MV_ENTRY_RECORD) {
				assert_int_equal(entry.time_us, START + records * 100000ull);
				records++;
			}
		}
		assert_int_equal(records, STEPS);
		assert_null(mv_recording_damage(r, NULL));
		mv_recording_close(r);
	}
}

static struct mv_session *open_replay(const char *file)
{
	char target[100];
	struct mv_error e;
	snprintf(target, sizeof target, "file:%s", file);
	struct mv_session *s = mv_session_open(target, NULL, &e);
	if (!s)
		fail_msg("%s", e.message);
	return s;
}

static void any_time_can_be_reached(void **state)
{
	(void)state;
	static const unsigned times[] = {0, 899, 450, 451, 449, 200, 201, 0, 650, 898, 3, 600};
	for (unsigned k = 0; k < 2; k++) {
		struct mv_session *s = open_replay(path[k]);
		const struct mv_model *m = mv_session_model(s);
		for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
			mv_session_replay_seek(s, START + times[i] * 100000ull + 50000);
			assert_int_equal(m->stat.used, times[i]);
			/* The minute before is there too. */
			assert_true(mv_model_samples(m) >= (times[i] < 500 ? times[i] : 500));
		}
		mv_session_replay_seek(s, START + 50050000);
		mv_session_replay_step(s, 1);
		assert_int_equal(m->stat.used, 501);
		mv_session_replay_step(s, -1);
		assert_int_equal(m->stat.used, 500);
		mv_session_replay_step(s, -2);
		assert_int_equal(m->stat.used, 498);
		mv_session_replay_step(s, 3);
		assert_int_equal(m->stat.used, 501);
		mv_session_close(s);
	}
}

static void a_replay_plays(void **state)
{
	(void)state;
	struct mv_session *s = open_replay(path[1]);
	struct mv_replay_status st;
	bool never = false;
	mv_session_replay_speed(s, 4096);
	mv_session_replay_play(s, true);
	mv_session_wait(s, &never, 0.3);
	assert_true(mv_session_replay_status(s, &st));
	assert_true(st.at_end && !st.playing && !st.damaged);
	assert_int_equal(mv_session_model(s)->stat.used, STEPS - 1);
	mv_session_close(s);
}

/* ---- damage ---- */

static char *slurp(const char *file, size_t *len)
{
	FILE *f = fopen(file, "rb");
	assert_non_null(f);
	char *bytes = mv_alloc(1u << 22);
	*len = fread(bytes, 1, 1u << 22, f);
	fclose(f);
	return bytes;
}

static void spill(const char *file, const char *bytes, size_t len)
{
	FILE *f = fopen(file, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Opens, reads all, and says how many records were good. Whatever the file, it
 * must not crash, and must say so when it is not whole. */
static int good_records(const char *file, bool *damaged)
{
	struct mv_error e;
	struct mv_recording *r = mv_recording_open(file, &e);
	struct mv_entry entry;
	int n = 0;
	*damaged = true;
	if (!r) {
		assert_true(e.status == MV_DAMAGED && e.message[0]);
		return -1;
	}
	while (mv_recording_next(r, &entry))
		n += entry.kind == MV_ENTRY_RECORD;
	*damaged = mv_recording_damage(r, NULL) != NULL;
	mv_recording_close(r);
	return n;
}

static void a_cut_recording_opens_up_to_the_cut(void **state)
{
	(void)state;
	char cut[80];
	snprintf(cut, sizeof cut, "%s/cut", dir);
	for (unsigned k = 0; k < 2; k++) {
		size_t len;
		char *bytes = slurp(path[k], &len);
		int before = -1;
		for (size_t keep = 0; keep < len; keep += keep < 600 ? 7 : len / 60) {
			bool damaged;
			spill(cut, bytes, keep);
			int n = good_records(cut, &damaged);
			assert_true(damaged);
			assert_true(n >= before && n <= STEPS);
			before = n;
		}
		assert_true(before > STEPS / 2);
		free(bytes);
	}
	unlink(cut);
}

static void a_flipped_byte_is_found(void **state)
{
	(void)state;
	char bad[80];
	snprintf(bad, sizeof bad, "%s/bad", dir);
	for (unsigned k = 0; k < 2; k++) {
		size_t len;
		char *bytes = slurp(path[k], &len);
		for (size_t at = 20; at < len; at += len / 97 + 1) {
			bool damaged;
			char old = bytes[at];
			bytes[at] = (char)(bytes[at] ^ 0x10);
			spill(bad, bytes, len);
			int n = good_records(bad, &damaged);
			/* A plain file's records carry no CRC here, so a flip inside of a
			 * number may pass; in .xz nothing may. */
			if (k == 1 && !damaged)
				fail_msg("a flip at byte %zu of %zu was not found", at, len);
			assert_true(n <= STEPS + 1);
			bytes[at] = old;
		}
		free(bytes);
	}
	unlink(bad);
}

static void what_is_no_recording_is_refused(void **state)
{
	(void)state;
	char other[80];
	struct mv_error e;
	snprintf(other, sizeof other, "%s/other", dir);
	spill(other, "hello\n", 6);
	assert_null(mv_recording_open(other, &e));
	assert_int_equal(e.status, MV_DAMAGED);
	spill(other, "", 0);
	assert_null(mv_recording_open(other, &e));
	assert_int_equal(e.status, MV_DAMAGED);
	assert_null(mv_recording_open(dir, &e));
	assert_int_equal(e.status, MV_LINK);
	unlink(other);
	assert_null(mv_recording_open(other, &e));
	assert_int_equal(e.status, MV_LINK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(any_time_can_be_reached),
		cmocka_unit_test(a_replay_plays),
		cmocka_unit_test(a_cut_recording_opens_up_to_the_cut),
		cmocka_unit_test(a_flipped_byte_is_found),
		cmocka_unit_test(what_is_no_recording_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end);
}
