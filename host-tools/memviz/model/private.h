/* What the files of the model share. */
#ifndef MEMVIZ_MODEL_PRIVATE_H
#define MEMVIZ_MODEL_PRIVATE_H

#include <memviz/model.h>

struct json_object;

/* ---- spans: sorted lists of ranges that do not overlap ---- */

/* Both run types as one: [first, last] (inclusive, so that the end of the
 * address space needs no care) with something that continues along it. */
struct span_ops {
	size_t size; /* bytes of an element */
	uint64_t (*first)(const void *element);
	uint64_t (*last)(const void *element);
	/* Keeps only [first, last] of the element, which covers it. */
	void (*crop)(void *element, uint64_t first, uint64_t last);
	bool (*joins)(const void *left, const void *right); /* adjacent and alike */
};
struct span_list {
	void *data;
	size_t count, capacity;
};
extern const struct span_ops frame_spans, mapping_spans;

/* Lays `element` over what is there (NULL: only takes out [first, last]). */
void span_lay(const struct span_ops *ops, struct span_list *l, uint64_t first, uint64_t last,
	      const void *element);
/* The element that covers `at`, or NULL. */
const void *span_find(const struct span_ops *ops, const void *data, size_t count, uint64_t address);

/* ---- rings ---- */

struct ring {
	void *data;
	size_t size, limit, capacity, count, head; /* head: the oldest */
};
void *ring_push(struct ring *r); /* zeroed; the oldest goes when it is full */
const void *ring_at(const struct ring *r, size_t i);

/* ---- the model's own ---- */

struct symbol {
	uint64_t site;
	char name[64];
};

#define KEPT_MAX (MV_MAX_CACHES + 2)

struct kept {
	char key[32];
	struct json_object *result;
	uint64_t time_us;
};

struct mv_model_private {
	struct ring samples, events, log;
	struct symbol *symbols; /* by site */
	size_t symbol_count, symbol_capacity;
	/* A full state that comes in several records is built here and shown whole. */
	bool frames_arriving, mappings_arriving;
	uint64_t frames_began_us, mappings_began_us;
	struct span_list frames_stage;
	struct mv_space *spaces_stage;
	size_t spaces_stage_count;
	struct kept kept[KEPT_MAX]; /* of a recording */
	size_t kept_count;
};

struct mv_space *space_get(struct mv_space **list, size_t *count, int64_t id, bool create);
void spaces_free(struct mv_space *list, size_t count);
void model_touch(struct mv_model *m, enum mv_part part);
void model_sample(struct mv_model *m, uint64_t time_us);
void model_learn_symbol(struct mv_model *m, uint64_t site, const char *name);
/* The runs of a space and of its copies are one list until one of them changes. */
void space_share_maps(struct mv_space *to, struct mv_space *from);
void space_move_maps(struct mv_space *to, struct mv_space *from);
void space_drop_maps(struct mv_space *s);
/* A space's runs as a span list to change, and back. */
struct span_list space_spans(struct mv_space *s);
void space_set_spans(struct mv_space *s, const struct span_list *l);

/* Reading one element of the protocol; false with `e` for what is not one. */
bool read_frame_run(const struct mv_model *m, struct json_object *o, struct mv_frame_run *out,
		    struct mv_error *e);
bool read_mapping(struct json_object *o, struct mv_mapping *out, struct mv_error *e);
bool read_zones(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e);
bool read_caches(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e);
bool read_stat(struct mv_stat *st, struct json_object *data, bool full, struct mv_error *e);
bool read_log(struct mv_model *m, struct json_object *data, bool full, struct mv_error *e);
/* Adds the events before `until_us`; false for one that is none. */
bool model_add_events(struct mv_model *m, struct json_object *data, uint64_t until_us);
bool read_spaces(struct mv_model *m, struct json_object *data, struct mv_error *e);
bool read_hello(struct mv_model *m, struct json_object *data, struct mv_error *e);
enum mv_applied malformed(struct mv_error *e, const char *what);

/* kept.c: answers from what a recording holds beside the state */
struct json_object *answer_slabs(const struct mv_model *m, struct json_object *params,
				 struct mv_error *e);
struct json_object *answer_object(const struct mv_model *m, struct json_object *params,
				  struct mv_error *e);
struct json_object *answer_sites(const struct mv_model *m, struct json_object *params,
				 struct mv_error *e);
struct json_object *answer_leaks(const struct mv_model *m, struct json_object *params,
				 struct mv_error *e);
void kept_clear(struct mv_model_private *p);
void kept_copy(struct mv_model_private *to, const struct mv_model_private *from);

#endif
