/*
 * A rig for tests: an inspector over the simulated memory manager with links in memory. Every
 * record that comes out is taken apart strictly (RS, LF, crc, seq) and every result is held against
 * the schema of its method.
 */
#ifndef INSPECT_TEST_RIG_H
#define INSPECT_TEST_RIG_H

#include "model.h"

#include <json-c/json.h>

#define RIG_LINE 1048576

struct rig_link {
	struct model_line line;
	struct insp_link link;
	char in[65536], out[65536];
	unsigned char bytes[RIG_LINE]; /* that the inspector wrote and nobody took */
	size_t len, limit;	       /* limit: what the line holds */
	uint64_t seq;		       /* of the next record */
	bool lenient;		       /* seq is not compared */
};

struct rig {
	struct insp insp;
	struct insp_slot ring[4096];
	uint64_t owned[4096];
	struct rig_link link[2];
	uint64_t clock_us;
	int next_id;
	char session[20];
};

/* Starts model and inspector; link 0 with records of max_record bytes, link 1 of 4096. */
struct rig *rig_start(const struct model_options *options, size_t max_record);
void rig_stop(struct rig *rig);
/* Bytes to the inspector, as far as it takes them, polling in between; all of them must go. */
void rig_send(struct rig *rig, int link, const void *bytes, size_t len);
void rig_poll(struct rig *rig);
/* The next record, NULL when there is none; the caller's (json_object_put). */
struct json_object *rig_next(struct rig *rig, int link);
/* The text of the record that rig_next() took last, from { to }. */
const char *rig_text(void);
/* One request on link 0; the whole answer record, checked. Notifications in between are kept out:
 * there must be none. `params` is JSON text or NULL. */
struct json_object *rig_request(struct rig *rig, const char *method, const char *params);
/* Its result, which must be there; borrowed from *record, which the caller puts. */
struct json_object *rig_result(struct rig *rig, const char *method, const char *params,
			       struct json_object **record);
/* The request must fail with this code, and the message must contain `text`. */
void rig_refused(struct rig *rig, const char *method, const char *params, int code,
		 const char *text);
/* All pages of a list method joined; the caller's. */
struct json_object *rig_all(struct rig *rig, const char *method, const char *params,
			    const char *name);
uint32_t rig_crc(const void *bytes, size_t len);
/* Appends ,"crc":"..."} in place of the final }. */
size_t rig_seal(char *text, size_t size);
int64_t rig_int(struct json_object *o, const char *name);
const char *rig_str(struct json_object *o, const char *name);

#endif
