/* Counts frames into cells, and says what a mixed cell shows. */
#include "cells.h"

#include <memviz/base.h>

static uint64_t frames_in(const struct mv_range *segment)
{
	return (segment->last - segment->first + 1) / MV_FRAME_BYTES;
}

uint64_t cells_scale(const struct mv_range *segments, size_t n, uint64_t most)
{
	uint64_t frames = 0, per_cell = 1;
	for (size_t i = 0; i < n; i++)
		frames += frames_in(&segments[i]);
	while (frames / per_cell > most)
		per_cell *= 2;
	return frames ? per_cell : 0;
}

struct cell *cells_count(const struct mv_model *m, const struct mv_range *segment,
			 uint64_t per_cell, size_t *n)
{
	*n = (size_t)((frames_in(segment) + per_cell - 1) / per_cell);
	struct cell *cells = mv_alloc(*n * sizeof *cells);
	for (uint64_t at = segment->first; at < segment->last;) {
		const struct mv_frame_run *r = mv_model_frame_at(m, at);
		uint64_t cell = (at - segment->first) / MV_FRAME_BYTES / per_cell;
		uint64_t edge = segment->first + (cell + 1) * per_cell * MV_FRAME_BYTES;
		uint64_t end = r ? r->pa + r->count * MV_FRAME_BYTES : at + MV_FRAME_BYTES;
		end = end < edge ? end : edge;
		end = end < segment->last ? end : segment->last + 1;
		cells[cell].frames[r ? r->state : MV_FRAME_HOLE] += (end - at) / MV_FRAME_BYTES;
		at = end;
	}
	return cells;
}

enum mv_frame_state cell_shows(const struct cell *cell, double *share)
{
	static const enum mv_frame_state in_use[] = {MV_FRAME_ALLOCATED, MV_FRAME_SLAB,
						     MV_FRAME_KERNEL, MV_FRAME_RESERVED};
	enum mv_frame_state shown = cell->frames[MV_FRAME_FREE] ? MV_FRAME_FREE : MV_FRAME_HOLE;
	uint64_t all = 0, most = 0;
	for (unsigned i = 0; i < MV_FRAME_STATES; i++)
		all += cell->frames[i];
	for (size_t i = 0; i < sizeof in_use / sizeof *in_use; i++)
		if (cell->frames[in_use[i]] > most) {
			most = cell->frames[in_use[i]];
			shown = in_use[i];
		}
	*share = all ? (double)cell->frames[shown] / (double)all : 0;
	return shown;
}
