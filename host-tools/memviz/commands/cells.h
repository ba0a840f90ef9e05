/* The memory map of the text summary and of the exports: frames counted into cells. */
#ifndef MEMVIZ_CELLS_H
#define MEMVIZ_CELLS_H

#include <memviz/model.h>

struct cell {
	uint64_t frames[MV_FRAME_STATES]; /* how many are in each state */
};

/* Frames of a cell, a power of two, so that `most` cells or fewer show all segments; 0: no frames.
 */
uint64_t cells_scale(const struct mv_range *segments, size_t n, uint64_t most);

/* The cells of a segment; free() them. */
struct cell *cells_count(const struct mv_model *m, const struct mv_range *segment,
			 uint64_t per_cell, size_t *n);

/* What a cell shows: in use before free, free before hole, for that is what one looks for.
 * *share is how much of the cell that is, 0 to 1. */
enum mv_frame_state cell_shows(const struct cell *cell, double *share);

#endif
