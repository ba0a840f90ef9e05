#include <string.h>

#include <kernel/params.h>
#include <kernel/printf.h>

#include "programs.h"

static const struct workload *const table[] = {
	&workload_churn,    &workload_ramp, &workload_leak,
	&workload_fragment, &workload_maps, &workload_mixed,
};
enum { WORKLOADS = sizeof(table) / sizeof(table[0]) };

const struct workload *workload_get(size_t index)
{
	return index < WORKLOADS ? table[index] : NULL;
}

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	}
	return NULL;
}

static void list_params(const struct workload *workload, struct text *text)
{
	for (const struct workload_param *p = workload->params; p->name != NULL; p++)
		text_add(text, "%s%s", p == workload->params ? "" : ", ", p->name);
}

/* Index of a parameter, or -1 with the reason. */
static int find_param(const struct workload *workload, const char *name, char *reason)
{
	struct text text = {reason, WORKLOAD_REASON_MAX, 0, 0};

	for (int i = 0; workload->params[i].name != NULL; i++) {
		if (strcmp(workload->params[i].name, name) == 0)
			return i;
	}
	text_add(&text, "%s has no parameter '%.24s'; it has ", workload->name, name);
	list_params(workload, &text);
	return -1;
}

static bool check_value(const struct workload *workload, const struct workload_param *param,
			uint64_t value, char *reason)
{
	if (value >= param->min && value <= param->max)
		return true;
	ksnprintf(reason, WORKLOAD_REASON_MAX, "%s: %s takes %llu to %llu, not %llu",
		  workload->name, param->name, (unsigned long long)param->min,
		  (unsigned long long)param->max, (unsigned long long)value);
	return false;
}

bool workload_set(const struct workload *workload, const char *name, uint64_t value,
		  uint64_t *values, char reason[WORKLOAD_REASON_MAX])
{
	int i = find_param(workload, name, reason);

	if (i < 0 || !check_value(workload, &workload->params[i], value, reason))
		return false;
	values[i] = value;
	return true;
}

void workload_defaults(const struct workload *workload, uint64_t *values)
{
	for (int i = 0; workload->params[i].name != NULL; i++)
		values[i] = workload->params[i].initial;
}

/* One "name=value" of `len` bytes. */
static bool take_setting(const struct workload *workload, const char *text, size_t len,
			 uint64_t *values, char *reason)
{
	char copy[64], *equal;
	uint64_t value;

	if (len >= sizeof(copy)) {
		ksnprintf(reason, WORKLOAD_REASON_MAX, "%s: '%.24s...' is too long", workload->name,
			  text);
		return false;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	equal = strchr(copy, '=');
	if (equal == NULL || !parse_size(equal + 1, &value)) {
		ksnprintf(reason, WORKLOAD_REASON_MAX,
			  "%s: '%s' is not NAME=NUMBER (K, M, G, T may follow)", workload->name,
			  copy);
		return false;
	}
	*equal = '\0';
	return workload_set(workload, copy, value, values, reason);
}

bool workload_parse(const struct workload *workload, const char *text, uint64_t *values,
		    char reason[WORKLOAD_REASON_MAX])
{
	workload_defaults(workload, values);
	while (text != NULL && *text != '\0') {
		const char *colon = strchr(text, ':');
		size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);

		if (!take_setting(workload, text, len, values, reason))
			return false;
		text += len + (colon != NULL);
	}
	return true;
}
