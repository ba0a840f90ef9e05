// SPDX-License-Identifier: MIT
#include "history.h"

#include <string.h>

static uint64_t step_for(uint64_t span_us, size_t n)
{
	static const uint64_t steps[] = {250000, 500000, 1000000, 2000000, 5000000, 10000000};
	size_t i = 0;

	while (i + 1 < sizeof(steps) / sizeof(steps[0]) && steps[i] * n < span_us)
		i++;
	return steps[i];
}

size_t mv_history(const struct mv_app *a, mv_point_fn fn, int what, struct mv_point *out, size_t n,
		  uint64_t *step_us)
{
	size_t have = mv_shown_samples(a), k = n;

	*step_us = step_for(0, n);
	if (!have || !n)
		return 0;
	uint64_t first = mv_model_sample(a->live, 0)->time_us;
	uint64_t end = mv_model_sample(a->live, have - 1)->time_us;

	if (a->model->time_us > end)
		end = a->model->time_us;
	*step_us = step_for(end - first, n);
	end = end / *step_us * *step_us + *step_us;
	for (size_t i = have - 1; k > 0;) {
		uint64_t t = end - (n - k) * *step_us;

		while (i > 0 && mv_model_sample(a->live, i)->time_us > t)
			i--;
		if (mv_model_sample(a->live, i)->time_us > t)
			break;
		out[--k] = fn(mv_model_sample(a->live, i), what);
	}
	memmove(out, out + k, (n - k) * sizeof(*out));
	return n - k;
}
