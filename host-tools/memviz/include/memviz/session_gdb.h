/*
 * The seam between the session and the reader of page tables behind a GDB stub.
 * Blocking: each packet waits at most the timeout.
 */
#ifndef MEMVIZ_SESSION_GDB_H
#define MEMVIZ_SESSION_GDB_H

#include <memviz/error.h>
#include <stdint.h>

struct gdb_view;
struct json_object;
struct mv_model;
struct mv_target;

/* Stops the guest, reads registers and all page tables into `*view` (made when it
 * is NULL) and the model, lets the guest run. On failure both are as before. */
enum mv_status gdb_view_read(struct gdb_view **view, const struct mv_target *t, double timeout_s,
			     struct mv_model *m, struct mv_error *e);
void gdb_view_free(struct gdb_view *v);
/* The entries that translate `va`, top level first, as `levels` of mm.translate. */
struct json_object *gdb_view_levels(const struct gdb_view *v, uint64_t va);

#endif
