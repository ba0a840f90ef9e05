/*
 * The seam between the session and the reader of memory behind a GDB stub.
 * Blocking: each packet waits at most the timeout.
 */
#ifndef MEMVIZ_SESSION_GDB_H
#define MEMVIZ_SESSION_GDB_H

#include <memviz/error.h>
#include <stdbool.h>
#include <stdint.h>

struct gdb_view;
struct json_object;
struct mv_model;
struct mv_target;

/* What a reading has to bring besides page tables and the kernel's figures. */
struct gdb_question {
	bool slabs;
	bool symbols; /* names of code */
	bool check;   /* whether all is in order */
	bool object;  /* with its note: the one around va */
	uint64_t va;
};

/* Stops the guest, reads registers, all page tables and, of a Vitrine kernel, the
 * memory manager's state into `*view` (made when it is NULL) and the model, lets the
 * guest run if it ran. On failure both are as before. */
enum mv_status gdb_view_read(struct gdb_view **view, const struct mv_target *t, double timeout_s,
			     struct mv_model *m, const struct gdb_question *q, struct mv_error *e);
void gdb_view_free(struct gdb_view *v);
/* One line: why there are only page tables; "" when there is more. */
const char *gdb_view_why(const struct gdb_view *v);
/* Is this a method that the model does not answer? Then the question to read with. */
bool gdb_view_question(const char *method, struct json_object *params, struct gdb_question *q);
/* ... and its result object, the caller's, after that reading; NULL with `e`. */
struct json_object *gdb_view_answer_by(const struct gdb_view *v, const char *method,
				       struct json_object *params, struct mv_error *e);
/* The entries that translate `va`, top level first, as `levels` of mm.translate. NULL
 * space: by cr3. */
struct json_object *gdb_view_levels(const struct gdb_view *v, struct json_object *space,
				    uint64_t va);

#endif
