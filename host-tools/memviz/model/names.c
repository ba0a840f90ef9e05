#include <inspect/protocol.h>
#include <memviz/base.h>
#include <memviz/model.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {INSP_STATE_NAMES, "unknown"};
static const char *const attr_names[] = {INSP_FRAME_ATTRS};
static const char *const event_names[] = {INSP_EVENT_NAMES, "other"};
static const char flag_letters[] = INSP_FLAG_LETTERS;

_Static_assert(sizeof state_names / sizeof *state_names == MV_FRAME_STATES, "frame states");
_Static_assert(sizeof event_names / sizeof *event_names == MV_EVENT_OPS, "events");

const char *mv_frame_state_name(enum mv_frame_state s)
{
	return state_names[s < MV_FRAME_STATES ? s : MV_FRAME_UNKNOWN];
}

char mv_frame_state_letter(enum mv_frame_state s)
{
	static const char letters[] = ".KSAR ?";
	return letters[s < MV_FRAME_STATES ? s : MV_FRAME_UNKNOWN];
}

enum mv_frame_state mv_frame_state_parse(const char *name)
{
	for (unsigned i = 0; i < MV_FRAME_UNKNOWN; i++)
		if (strcmp(name, state_names[i]) == 0)
			return (enum mv_frame_state)i;
	return MV_FRAME_UNKNOWN;
}

const char *mv_event_op_name(enum mv_event_op op)
{
	return event_names[op < MV_EVENT_OPS ? op : MV_EVENT_OTHER];
}

void mv_frame_attr_text(uint8_t attr, char *out, size_t size)
{
	size_t used = 0;
	mv_copy(out, size, "-");
	for (unsigned i = 0; i < sizeof attr_names / sizeof *attr_names; i++) {
		if (!(attr >> i & 1))
			continue;
		int n = snprintf(out + used, size - used, "%s%s", used ? " " : "", attr_names[i]);
		if (n < 0 || used + (size_t)n >= size)
			return;
		used += (size_t)n;
	}
}

void mv_map_flags_text(uint8_t flags, bool ad, char out[9])
{
	unsigned n = ad ? 8 : 6;
	for (unsigned i = 0; i < n; i++)
		out[i] = flags >> i & 1 ? flag_letters[i] : '-';
	out[n] = 0;
}

bool mv_map_flags_parse(const char *text, uint8_t *flags)
{
	uint8_t got = 0;
	for (const char *p = text; *p; p++) {
		if (*p == '-')
			continue;
		const char *at = strchr(flag_letters, *p);
		if (!at)
			return false;
		got = (uint8_t)(got | 1u << (at - flag_letters));
	}
	*flags = got;
	return true;
}
