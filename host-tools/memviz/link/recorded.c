/*
 * What a recording asks for beside what it watches: the slabs of each class and who holds memory,
 * so that a replay can go from a frame to its slabs, objects and call sites. Once behind each
 * keyframe, so that a jump finds it; the long list of what lives behind every third only, which a
 * jump still passes.
 */
#include "private.h"

#include <inspect/protocol.h>
#include <json-c/json.h>
#include <stdlib.h>

/* Elements of an answer: a large kernel has more, and a recording is to stay small. */
#define SLABS_MOST    128
#define SITES_MOST    200
#define OBJECTS_MOST  1000
#define OBJECTS_EVERY 3
/* On a line on which a round takes so long, only the rounds with objects are asked for. */
#define SLOW_US 2000000u

struct extra {
	struct mv_session *s;
	const struct mv_recorder *recorder;
	const char *method;
	struct json_object *params;
};

static void extra_came(void *user, struct json_object *result, const struct mv_error *error)
{
	struct extra *x = user;
	struct mv_session *s = x->s;
	(void)error; /* the next keyframe asks again */
	if (--s->extras_left == 0)
		s->extras_took_us = mv_now_us() - s->extras_us;
	if (result && s->recorder && s->recorder == x->recorder)
		mv_recorder_answer(s->recorder, x->method, x->params, result, mv_wall_us());
	json_object_put(x->params);
	free(x);
}

static void ask(struct mv_session *s, const char *method, struct json_object *params, size_t most)
{
	struct extra *x = mv_alloc(sizeof *x);
	*x = (struct extra){s, s->recorder, method, json_object_get(params)};
	s->extras_left++;
	mv_session_call_all(s, method, params, most, extra_came, x);
}

static void ask_class(struct mv_session *s, uint64_t size)
{
	struct json_object *p = json_object_new_object();
	mv_json_add_u64(p, INSP_F_SIZE, size);
	ask(s, INSP_M_SLABS, p, SLABS_MOST);
}

void recorded_ask(struct mv_session *s)
{
	bool objects = s->extras_round++ % OBJECTS_EVERY == 0;
	if (s->extras_left || (s->extras_took_us > SLOW_US && !objects))
		return;
	s->extras_us = mv_now_us();
	for (size_t i = 0; i < s->model->cache_count; i++)
		if (s->model->caches[i].slabs)
			ask_class(s, s->model->caches[i].size);
	ask(s, INSP_M_TRACE_SITES, NULL, SITES_MOST);
	if (!objects)
		return;
	struct json_object *p = json_object_new_object();
	mv_json_add_u64(p, INSP_F_OLDER_THAN_US, 0);
	ask(s, INSP_M_TRACE_LEAKS, p, OBJECTS_MOST);
}

void mv_session_record_settle(struct mv_session *s)
{
	if (!s->recorder || s->line != LINE_UP)
		return;
	s->spaces_wanted = true;
	s->spaces_us = 0; /* at once */
	s->extras_round = 0;
	recorded_ask(s);
	session_arm(s, 1);
}

bool mv_session_record_settled(const struct mv_session *s)
{
	bool spaces = s->topics & MV_TOPIC_MAPPINGS && (s->spaces_wanted || s->spaces_asked);
	return !s->recorder || s->line != LINE_UP || (!spaces && !s->extras_left);
}
