#include <memviz/ftrace.h>
#include <string.h>

struct view {
	const char *p, *end;
};

static bool take_digits(struct view *v, uint64_t *out)
{
	const char *from = v->p;
	uint64_t n = 0;
	while (v->p < v->end && *v->p >= '0' && *v->p <= '9') {
		if (n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*v->p++ - '0');
	}
	*out = n;
	return v->p > from;
}

/* Hex digits with or without 0x, up to a blank or the end. */
static bool take_hex(struct view *v, uint64_t *out)
{
	uint64_t n = 0;
	if (v->end - v->p > 2 && v->p[0] == '0' && (v->p[1] | 0x20) == 'x')
		v->p += 2;
	const char *from = v->p;
	for (; v->p < v->end && *v->p != ' '; v->p++) {
		char c = *v->p, lower = (char)(c | 0x20);
		unsigned d = c >= '0' && c <= '9'	    ? (unsigned)(c - '0')
			     : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
							    : 16;
		if (d > 15 || n >> 60)
			return false;
		n = n << 4 | d;
	}
	*out = n;
	return v->p > from;
}

/* The value of `key` ("ptr=") among the blank-separated fields; a key inside
 * another word does not count. */
static bool field(struct view v, const char *key, struct view *value)
{
	size_t n = strlen(key);
	for (const char *p = v.p; p + n <= v.end; p++) {
		p = memmem(p, (size_t)(v.end - p), key, n);
		if (!p)
			return false;
		if (p == v.p || p[-1] == ' ') {
			*value = (struct view){p + n, v.end};
			return true;
		}
	}
	return false;
}

static bool hex_field(struct view v, const char *key, uint64_t *out)
{
	struct view value;
	return field(v, key, &value) && take_hex(&value, out);
}

static bool number_field(struct view v, const char *key, uint64_t *out)
{
	struct view value;
	return field(v, key, &value) && take_digits(&value, out) &&
	       (value.p == value.end || *value.p == ' ');
}

/* ---- the events ---- */

static const char *read_alloc(struct view v, struct mv_ftrace *out)
{
	if (!hex_field(v, "ptr=", &out->ptr))
		return "no ptr=";
	return number_field(v, "bytes_req=", &out->bytes) ? NULL : "no bytes_req=";
}

static const char *read_free(struct view v, struct mv_ftrace *out)
{
	struct view value;
	/* "(null)" and "(nil)" are how some kernels print no pointer. */
	if (field(v, "ptr=", &value) && value.p < value.end && *value.p == '(') {
		out->ptr = 0;
		return NULL;
	}
	return hex_field(v, "ptr=", &out->ptr) ? NULL : "no ptr=";
}

static const char *read_page(struct view v, struct mv_ftrace *out)
{
	uint64_t order;
	struct view value;
	/* pfn is hex with 0x, or decimal in older kernels. */
	if (!field(v, "pfn=", &value))
		return "no pfn=";
	bool hex = value.end - value.p > 2 && value.p[0] == '0' && value.p[1] == 'x';
	if (hex ? !take_hex(&value, &out->ptr) : !take_digits(&value, &out->ptr))
		return "pfn= is no number";
	if (!number_field(v, "order=", &order) || order > 30)
		return "no order=";
	out->order = (unsigned)order;
	return NULL;
}

static const struct {
	const char *name;
	enum mv_ftrace_kind kind;
	const char *(*read)(struct view, struct mv_ftrace *);
} events[] = {
	{"kmalloc",		    MV_FTRACE_KMALLOC,     read_alloc},
	{"kmalloc_node",		 MV_FTRACE_KMALLOC,	    read_alloc},
	{"kmem_cache_alloc",	     MV_FTRACE_CACHE_ALLOC, read_alloc},
	{"kmem_cache_alloc_node", MV_FTRACE_CACHE_ALLOC, read_alloc},
	{"kfree",		  MV_FTRACE_KFREE,	   read_free },
	{"kmem_cache_free",	    MV_FTRACE_CACHE_FREE,  read_free },
	{"mm_page_alloc",	  MV_FTRACE_PAGE_ALLOC,	read_page },
	{"mm_page_free",		 MV_FTRACE_PAGE_FREE,   read_page },
};

/* Finds "[CPU] flags SECONDS.MICROS: " and steps behind it. The task's name comes
 * first and may hold anything, so this looks from the last bracket that fits. */
static bool skip_head(struct view *v, uint64_t *time_us)
{
	for (const char *p = v->end; p-- > v->p;) {
		uint64_t cpu, s, us;
		if (*p != '[')
			continue;
		struct view at = {p + 1, v->end};
		if (!take_digits(&at, &cpu) || at.p == at.end || *at.p++ != ']')
			continue;
		while (at.p < at.end && *at.p == ' ')
			at.p++;
		/* The flags, which older traces do not have. */
		const char *word = at.p;
		while (at.p < at.end && *at.p != ' ' && *at.p != ':')
			at.p++;
		if (at.p < at.end && *at.p == ':')
			at.p = word;
		while (at.p < at.end && *at.p == ' ')
			at.p++;
		if (!take_digits(&at, &s) || at.p == at.end || *at.p++ != '.' ||
		    !take_digits(&at, &us) || at.end - at.p < 2 || at.p[0] != ':' ||
		    at.p[1] != ' ' || s > UINT64_MAX / 2000000 || us > 999999999)
			continue;
		*time_us = s * 1000000 + us;
		v->p = at.p + 2;
		return true;
	}
	return false;
}

void mv_ftrace_parse(const char *line, size_t len, struct mv_ftrace *out)
{
	struct view v = {line, line + len};
	memset(out, 0, sizeof *out);
	out->kind = MV_FTRACE_OTHER;
	while (v.end > v.p && (v.end[-1] == '\r' || v.end[-1] == ' '))
		v.end--;
	if (v.p == v.end || *v.p == '#' || !skip_head(&v, &out->time_us))
		return;
	const char *colon = memchr(v.p, ':', (size_t)(v.end - v.p));
	if (!colon)
		return;
	size_t name_len = (size_t)(colon - v.p);
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		if (strlen(events[i].name) != name_len ||
		    memcmp(events[i].name, v.p, name_len) != 0)
			continue;
		out->kind = events[i].kind;
		out->bad = events[i].read((struct view){colon + 1, v.end}, out);
		if (out->bad)
			out->kind = MV_FTRACE_BAD;
		return;
	}
}

const char *mv_ftrace_kind_name(enum mv_ftrace_kind k)
{
	static const char *const names[] = {
		"kmalloc",	 "kmem_cache_alloc", "kfree", "kmem_cache_free",
		"mm_page_alloc", "mm_page_free",     "other", "bad"};
	return names[k < MV_FTRACE_KINDS ? k : MV_FTRACE_BAD];
}
