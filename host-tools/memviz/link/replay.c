/*
 * A recording as a session: the model is what it was at the time shown.
 *
 * A jump goes to a keyframe about a minute before the time wanted, so that the
 * history behind the time is filled, and applies what follows up to the time.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_US    60000000u
#define HISTORY_BYTES (2u << 20)
#define SPEED_MIN     (1.0 / 64)
#define SPEED_MAX     4096.0
/* Bounded work between two looks at the keyboard. */
#define ENTRIES_PER_TURN 2000

struct replay {
	struct mv_recording *file;
	uint64_t now_us;
	double speed;
	bool playing, at_end;
	uint64_t played_from_us; /* recording's time ... */
	uint64_t played_at_us;	 /* ... at this moment of our clock */
	struct mv_entry held;	 /* read, not yet due */
	char *held_json;
	bool holding;
};

static bool fetch(struct replay *r)
{
	struct mv_entry e;
	if (r->holding)
		return true;
	if (!mv_recording_next(r->file, &e))
		return false;
	free(r->held_json);
	r->held_json = mv_alloc(e.len + 1);
	memcpy(r->held_json, e.json, e.len);
	r->held = e;
	r->holding = true;
	return true;
}

static void apply_held(struct mv_session *s)
{
	struct replay *r = s->replay;
	struct json_object *o = mv_json_parse(r->held_json, r->held.len, NULL);
	r->holding = false;
	if (r->held.kind == MV_ENTRY_KEYFRAME) {
		struct json_object *state = mv_json_obj(o, "state");
		mv_model_apply_keyframe(s->model, state, r->held.time_us, NULL);
	} else if (r->held.kind == MV_ENTRY_ANSWER) {
		const char *method = mv_json_str(o, INSP_F_METHOD);
		struct json_object *result = mv_json_obj(o, INSP_F_RESULT);
		struct json_object *given = mv_json_obj(o, INSP_F_PARAMS);
		if (method && result) {
			mv_model_apply_result(s->model, method, given, result, r->held.time_us,
					      NULL);
			mv_model_keep_answer(s->model, method, given, result, r->held.time_us);
		}
	} else {
		struct json_object *params = mv_json_obj(o, INSP_F_PARAMS);
		const char *method = mv_json_str(o, INSP_F_METHOD);
		if (params && method && strcmp(method, INSP_N_WATCH) == 0) {
			mv_model_apply_watch(s->model, params, r->held.time_us, NULL);
			if (s->notify_fn)
				s->notify_fn(s->notify_user, params, r->held.time_us);
		}
		if (s->record_fn)
			s->record_fn(s->record_user, r->held_json, r->held.len, r->held.time_us);
	}
	s->counters.rx_records++;
	s->counters.rx_bytes += r->held.len;
	json_object_put(o);
}

/* Applies all that happened up to `time_us`; false when there is more to do than
 * one turn allows. */
static bool apply_until(struct mv_session *s, uint64_t time_us, size_t most)
{
	struct replay *r = s->replay;
	for (size_t n = 0; n < most; n++) {
		r->at_end = !fetch(r);
		if (r->at_end || r->held.time_us > time_us)
			return true;
		apply_held(s);
	}
	return false;
}

static uint64_t clamp_time(const struct replay *r, uint64_t t)
{
	uint64_t first = mv_recording_first_us(r->file), last = mv_recording_last_us(r->file);
	return t < first ? first : t > last ? last : t;
}

static void settle(struct mv_session *s, uint64_t now)
{
	struct replay *r = s->replay;
	r->now_us = clamp_time(r, r->now_us);
	if (s->model->time_us < r->now_us)
		s->model->time_us = r->now_us;
	r->played_from_us = r->now_us;
	r->played_at_us = now;
}

/* The keyframe from which to run up to `time_us`. */
static size_t run_up(const struct replay *r, uint64_t time_us)
{
	size_t k = mv_recording_keyframe_before(r->file, time_us), start = k;
	if (!mv_recording_keyframes(r->file))
		return 0;
	while (start > 0 && mv_recording_keyframe_us(r->file, start) + HISTORY_US > time_us &&
	       mv_recording_keyframe_offset(r->file, start - 1) + HISTORY_BYTES >=
		       mv_recording_keyframe_offset(r->file, k))
		start--;
	return start;
}

static void seek(struct mv_session *s, uint64_t time_us)
{
	struct replay *r = s->replay;
	time_us = clamp_time(r, time_us);
	/* A short way ahead is walked; all else starts from a keyframe. */
	bool ahead = time_us >= r->now_us && time_us - r->now_us < HISTORY_US &&
		     s->model->stat_known;
	if (!ahead) {
		mv_model_reset(s->model);
		struct json_object *hello = mv_json_obj(mv_recording_header(r->file), "hello");
		if (hello)
			mv_model_apply_result(s->model, INSP_M_HELLO, NULL, hello, time_us, NULL);
		mv_recording_rewind(r->file, run_up(r, time_us));
		r->holding = false;
	}
	apply_until(s, time_us, SIZE_MAX);
	r->now_us = time_us;
	settle(s, mv_now_us());
	session_arm(s, 1);
}

bool replay_open(struct mv_session *s, struct mv_error *e)
{
	struct mv_recording *file = mv_recording_open(s->target.path, e);
	if (!file)
		return false;
	struct replay *r = mv_alloc(sizeof *r);
	r->file = file;
	r->speed = 1;
	s->replay = r;
	s->state = MV_SESSION_REPLAY;
	seek(s, mv_recording_first_us(file));
	return true;
}

void replay_close(struct mv_session *s)
{
	if (!s->replay)
		return;
	mv_recording_close(s->replay->file);
	free(s->replay->held_json);
	free(s->replay);
	s->replay = NULL;
}

uint64_t replay_timers(struct mv_session *s, uint64_t now)
{
	struct replay *r = s->replay;
	if (!r->playing)
		return UINT64_MAX;
	double passed = (double)(now - r->played_at_us) * r->speed;
	uint64_t due = r->played_from_us + (uint64_t)passed;
	bool whole = apply_until(s, due, ENTRIES_PER_TURN);
	r->now_us = clamp_time(r, whole ? due : r->held.time_us);
	if (s->model->time_us < r->now_us)
		s->model->time_us = r->now_us;
	if (r->at_end || r->now_us >= mv_recording_last_us(r->file)) {
		r->playing = false;
		return UINT64_MAX;
	}
	if (!whole)
		return now;
	/* The clock of the header moves too, so never sleep longer than a frame. */
	double wait = (double)(r->held.time_us - due) / r->speed;
	return now + (wait < 50000 ? (uint64_t)wait + 1 : 50000);
}

bool mv_session_replay_status(const struct mv_session *s, struct mv_replay_status *out)
{
	const struct replay *r = s->replay;
	if (!r)
		return false;
	*out = (struct mv_replay_status){
		.first_us = mv_recording_first_us(r->file),
		.last_us = mv_recording_last_us(r->file),
		.now_us = r->now_us,
		.speed = r->speed,
		.playing = r->playing,
	};
	out->at_end = out->now_us >= out->last_us;
	const char *damage = mv_recording_damage(r->file, &out->damage_offset);
	if (damage) {
		out->damaged = true;
		mv_copy(out->damage, sizeof out->damage, damage);
	}
	return true;
}

void mv_session_replay_play(struct mv_session *s, bool playing)
{
	if (!s->replay)
		return;
	settle(s, mv_now_us());
	s->replay->playing = playing;
	session_arm(s, 1);
}

void mv_session_replay_speed(struct mv_session *s, double speed)
{
	if (!s->replay || !(speed > 0))
		return;
	settle(s, mv_now_us());
	s->replay->speed = speed < SPEED_MIN ? SPEED_MIN : speed > SPEED_MAX ? SPEED_MAX : speed;
}

void mv_session_replay_seek(struct mv_session *s, uint64_t time_us)
{
	if (s->replay)
		seek(s, time_us);
}

/* Forward: to the next time at which something was recorded. */
static bool step_ahead(struct mv_session *s)
{
	struct replay *r = s->replay;
	if (!fetch(r))
		return false;
	uint64_t t = r->held.time_us > r->now_us ? r->held.time_us : r->now_us;
	apply_until(s, t, SIZE_MAX);
	r->now_us = t;
	settle(s, mv_now_us());
	return true;
}

/* Back: the last recorded time before now, found by walking up to it. */
static uint64_t time_before(struct replay *r)
{
	uint64_t before = mv_recording_first_us(r->file);
	struct mv_entry e;
	size_t k = r->now_us ? mv_recording_keyframe_before(r->file, r->now_us - 1) : 0;
	mv_recording_rewind(r->file, k);
	while (mv_recording_next(r->file, &e) && e.time_us < r->now_us)
		before = e.time_us;
	return before;
}

void mv_session_replay_step(struct mv_session *s, int n)
{
	struct replay *r = s->replay;
	if (!r)
		return;
	r->playing = false;
	for (; n > 0 && step_ahead(s); n--)
		;
	for (; n < 0 && r->now_us > mv_recording_first_us(r->file); n++) {
		uint64_t t = time_before(r);
		/* The file stands elsewhere now: start anew. */
		r->now_us = UINT64_MAX;
		seek(s, t);
	}
	session_arm(s, 1);
}
