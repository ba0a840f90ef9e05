/* SPDX-License-Identifier: MIT */
/*
 * The page-table tree as a list of rows, made from the runs of a space. Pure.
 *
 * The kernel tells leaves in runs, not tables; which tables there are follows from them: a leaf of
 * 4 KiB needs a table at every level above it. A run of neighbours in one table is one row.
 */
#ifndef VIEWS_PAGETREE_H
#define VIEWS_PAGETREE_H

#include <memviz/model.h>

struct mv_tree_row {
	int level;	      /* of the entry: 4 PML4, 3 PDPT, 2 PD, 1 PT */
	unsigned first, last; /* indices in its table */
	uint64_t va, len;     /* what the entries cover, or the leaf run inside them */
	bool leaf;
	size_t run;	       /* leaf: index into the space's maps */
	bool open;	       /* table: its entries follow */
	uint64_t mapped_bytes; /* table: below it */
	size_t runs;	       /* table: leaf runs below it */
	uint8_t any, all;      /* rights of the leaves below: some have, all have */
};

struct mv_tree {
	struct mv_tree_row *row;
	size_t count, capacity;
	struct opened { /* entries that are open */
		uint64_t va;
		int level;
	} * opened;
	size_t opened_count, opened_capacity;
};

extern const char *const mv_level_names[5]; /* by level; "" at 0 */

void mv_tree_build(struct mv_tree *t, const struct mv_space *s);
void mv_tree_free(struct mv_tree *t);
/* Opens or closes the table at @row; rebuild after it. */
void mv_tree_set(struct mv_tree *t, const struct mv_tree_row *row, bool open);
/* Opens the upper levels, as long as the rows stay few: a first look. Builds. */
void mv_tree_open_top(struct mv_tree *t, const struct mv_space *s);
/* Opens every table on the way to @va; rebuild after it. */
void mv_tree_open_to(struct mv_tree *t, uint64_t va);
/* The row that shows @va as closely as the open tables allow; count when none does. */
size_t mv_tree_row_of(const struct mv_tree *t, uint64_t va);
/* Row of the table that holds row @i; i itself at the top. */
size_t mv_tree_parent(const struct mv_tree *t, size_t i);

/* What is remarkable about each run of a space. */
enum {
	MARK_WX = 1 << 0,	   /* writable and executable */
	MARK_USER_KERNEL = 1 << 1, /* user code may reach memory of the kernel */
	MARK_ALIAS = 1 << 2, /* another run, outside the direct map, leads to the same memory */
};
/* Fills @marks (one for each run). False on no memory. */
bool mv_mapping_marks(const struct mv_model *m, const struct mv_space *s, uint8_t *marks);

#endif
