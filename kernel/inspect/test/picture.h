/*
 * What a watching client keeps, by the rules of protocol.h and nothing else; and whether it is what
 * the methods say. For tests of the inspector, over a model and over a live kernel.
 */
#ifndef INSPECT_TEST_PICTURE_H
#define INSPECT_TEST_PICTURE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PICTURE_TOPICS 7
#define PICTURE_FRAMES (1 << 20) /* of 2 MiB; PCs have reserved ones up to 1 TiB */
#define PICTURE_LEAVES 400000

struct picture_leaf {
	uint32_t space;
	uint64_t va, pa;
	uint64_t len; /* less than page only while a state is on its way in pieces */
	uint32_t page;
	char flags[8];
};

struct picture {
	/* Called with what is wrong; does not return. */
	void (*broken)(const char *what);
	struct json_object *stat, *zones, *caches;
	uint64_t *frame;	   /* per frame: a hash of its run without pa and count */
	struct picture_leaf *leaf; /* sorted by space and va */
	size_t leaves;
	uint64_t events, events_lost, next_line, lines_lost;
	uint64_t fulls[PICTURE_TOPICS], parts[PICTURE_TOPICS]; /* records */
	int64_t told_hz;
};

void picture_init(struct picture *p, void (*broken)(const char *what));
void picture_free(struct picture *p);
/* A notification `watch`, whole record. */
void picture_apply(struct picture *p, struct json_object *record);
/* Each compares a part with what a method answered: the result of mm.stat; the arrays of mm.zones,
 * mm.caches; all runs of mm.frames. */
void picture_compare_stat(const struct picture *p, struct json_object *stat);
void picture_compare_list(const struct picture *p, struct json_object *ours,
			  struct json_object *theirs);
void picture_compare_frames(const struct picture *p, struct json_object *runs);
/* All runs of one space (the kernel's half only of space 0), which must be the leaves from *at on;
 * moves *at behind them. In the end *at must be p->leaves. */
void picture_compare_space(const struct picture *p, uint32_t space, struct json_object *runs,
			   size_t *at);

#endif
