#include <string.h>

#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/params.h>
#include <kernel/printf.h>

enum param_kind {
	PARAM_SIZE,   /* uint64_t, within [min, max], a multiple of `step` */
	PARAM_NUMBER, /* unsigned, within [min, max] */
	PARAM_CHOICE, /* unsigned: index in `choices` */
	PARAM_SWITCH, /* bool: index in `choices` */
	PARAM_FLAG,   /* bool: the bare name */
	PARAM_TEXT,   /* char[PARAM_TEXT_MAX]; choice 0 means "" */
	PARAM_GLOB,   /* bool, and char[] at `second`: the bare name means "*" */
};

struct param {
	struct param_doc doc;
	enum param_kind kind;
	size_t offset, second;
	uint64_t min, max, step;
	const char *choices[5];
};

#define AT(field) offsetof(struct kernel_params, field)
#define MIB	  (1ull << 20)
#define GIB	  (1ull << 30)
#define FRAME	  (2 * MIB)

/* clang-format off */
static const struct param table[] = {
	{.doc = {"directmap", "SIZE", "4G",
		 "Where the direct map of physical memory ends; what lies above is ZONE_UNMAPPED_IN_PGT. "
		 "A multiple of 2M from 32M to 32T."},
	 .kind = PARAM_SIZE, .offset = AT(directmap_bytes),
	 .min = 32 * MIB, .max = 32 * 1024 * GIB, .step = FRAME},
	{.doc = {"zone_dma", "SIZE", "16M",
		 "Where ZONE_DMA ends and ZONE_NORMAL begins. A multiple of 2M from 2M to 4G."},
	 .kind = PARAM_SIZE, .offset = AT(zone_dma_bytes),
	 .min = FRAME, .max = 4 * GIB, .step = FRAME},
	{.doc = {"inspect", "off|read|alloc|full", "alloc",
		 "What the inspector lets its clients do: nothing, read, also allocate and map in places "
		 "of their own, or all that the API allows."},
	 .kind = PARAM_CHOICE, .offset = AT(inspect), .choices = {"off", "read", "alloc", "full"}},
	{.doc = {"serial", "ports|mux", "ports",
		 "One serial port each for console (COM1), inspector (COM2) and GDB stub (COM3), or all "
		 "three on COM1."},
	 .kind = PARAM_CHOICE, .offset = AT(serial), .choices = {"ports", "mux"}},
	{.doc = {"workload", "NAME[:PARAMETER=VALUE..],..|none", "none",
		 "Built-in programs to start at boot: churn, ramp, leak, fragment, maps, mixed; their "
		 "parameters are listed in kernel/workload/README.md."},
	 .kind = PARAM_TEXT, .offset = AT(workload), .choices = {"none"}},
	{.doc = {"trace", "on|off", "off",
		 "Whether each object's site and age are recorded from boot on; it can be switched while "
		 "the kernel runs."},
	 .kind = PARAM_SWITCH, .offset = AT(trace), .choices = {"off", "on"}},
	{.doc = {"panic", "wait|reboot|exit", "wait",
		 "What follows a panic: wait with the serial lines alive, reboot, or leave QEMU through "
		 "isa-debug-exit (without that device: power off)."},
	 .kind = PARAM_CHOICE, .offset = AT(panic), .choices = {"wait", "reboot", "exit"}},
	{.doc = {"gdbwait", "", "",
		 "Stop in the GDB stub before threads and workloads start, until a debugger continues."},
	 .kind = PARAM_FLAG, .offset = AT(gdbwait)},
	{.doc = {"gdblost", "0..3600", "5",
		 "Seconds after which a stop that no debugger answers means that it is gone: the kernel goes "
		 "on without breakpoints. 0: wait for ever."},
	 .kind = PARAM_NUMBER, .offset = AT(gdblost), .max = 3600},
	{.doc = {"selftest", "[PATTERN]", "",
		 "Run the in-kernel tests whose names match (globs separated by commas; none: all but "
		 "bench.*), report KTAP on the console and leave QEMU through isa-debug-exit."},
	 .kind = PARAM_GLOB, .offset = AT(selftest), .second = AT(selftest_pattern)},
	{.doc = {"loglevel", "0..3", "2",
		 "Log lines up to this level go to the console: 0 error, 1 warn, 2 info, 3 debug. All go "
		 "to the ring that sys.log reads."},
	 .kind = PARAM_NUMBER, .offset = AT(loglevel), .min = 0, .max = LOG_DEBUG},
	{.doc = {"poison", "0|1", "0",
		 "Fill freed memory with a pattern and verify it when it is given out again."},
	 .kind = PARAM_SWITCH, .offset = AT(poison), .choices = {"0", "1"}},
	{.doc = {"redzone", "0|1", "0",
		 "Fill the gap between the requested and the rounded size of an object and verify it when "
		 "it is freed."},
	 .kind = PARAM_SWITCH, .offset = AT(redzone), .choices = {"0", "1"}},
	{.doc = {"weaken", "NAME[,NAME..]", "",
		 "For tests alone: leaves protections off, so that their self-tests can be seen failing "
		 "(wx nx wp smep smap umip guard canary user)."},
	 .kind = PARAM_TEXT, .offset = AT(weaken)},
};
/* clang-format on */
enum { PARAMS = sizeof(table) / sizeof(table[0]) };

struct kernel_params kernel_params = {
	.directmap_bytes = 4 * GIB,
	.zone_dma_bytes = 16 * MIB,
	.inspect = INSPECT_ALLOC,
	.gdblost = 5,
	.loglevel = LOG_INFO,
	.selftest_pattern = "*",
};

/* One word of the command line: name, and value unless it is NULL. */
struct word {
	char name[64];
	char buf[PARAM_TEXT_MAX];
	const char *value;
};

struct report {
	params_report_fn to;
	void *context;
	unsigned faults;
};

static void complain(struct report *report, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void complain(struct report *report, const char *fmt, ...)
{
	char buf[512];
	va_list args;

	va_start(args, fmt);
	kvsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	report->faults++;
	report->to(buf, report->context);
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned base = 10, shift = 0;
	uint64_t value = 0;
	const char *start;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	for (start = text; *text != '\0'; text++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && (*text | 32) >= 'a' && (*text | 32) <= 'f')
			digit = (unsigned)((*text | 32) - 'a') + 10;
		else
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (text == start)
		return false;
	if (*text != '\0') {
		const char *unit = strchr(units, *text & ~32);

		if (unit == NULL || *unit == '\0' || text[1] != '\0')
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (shift > 0 && value >> (64 - shift) != 0)
		return false;
	*bytes = value << shift;
	return true;
}

/* One row of the Levenshtein table at a time. */
unsigned edit_distance(const char *a, const char *b, unsigned limit)
{
	unsigned row[64 + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (b_len > 64 || a_len > 64)
		return limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len] <= limit ? row[b_len] : limit + 1;
}

static const struct param *find(const char *name)
{
	for (size_t i = 0; i < PARAMS; i++) {
		if (strcmp(table[i].doc.name, name) == 0)
			return &table[i];
	}
	return NULL;
}

static const char *nearest(const char *name)
{
	enum { FAR = 3 };
	unsigned best = FAR;
	const char *found = NULL;

	for (size_t i = 0; i < PARAMS; i++) {
		unsigned distance = edit_distance(name, table[i].doc.name, FAR);

		if (distance < best) {
			best = distance;
			found = table[i].doc.name;
		}
	}
	return found;
}

static void unknown(struct report *report, const struct word *word)
{
	const char *near = nearest(word->name);

	if (near != NULL)
		complain(report, "boot parameter '%s' is unknown; did you mean '%s'?", word->name,
			 near);
	else
		complain(report, "boot parameter '%s' is unknown; see docs/boot-parameters.md",
			 word->name);
}

static bool choose(const struct param *param, const char *value, unsigned *index)
{
	for (unsigned i = 0; i < 5 && param->choices[i] != NULL; i++) {
		if (strcmp(param->choices[i], value) == 0) {
			*index = i;
			return true;
		}
	}
	return false;
}

static bool take_size(const struct param *param, const char *value, uint64_t *bytes)
{
	return parse_size(value, bytes) && *bytes >= param->min && *bytes <= param->max &&
	       *bytes % param->step == 0;
}

static bool take_number(const struct param *param, const char *value, unsigned *number)
{
	uint64_t wide;

	if (!parse_size(value, &wide) || wide < param->min || wide > param->max)
		return false;
	*number = (unsigned)wide;
	return true;
}

/* Stores the value where the table says; false leaves all as it was. */
static bool store(const struct param *param, const char *value, struct kernel_params *params)
{
	char *base = (char *)params;
	void *target = base + param->offset;
	unsigned index;

	if (param->kind == PARAM_FLAG) {
		*(bool *)target = value == NULL;
		return value == NULL;
	}
	if (param->kind == PARAM_GLOB) {
		const char *glob = value != NULL ? value : "*";

		if (*glob == '\0')
			return false;
		*(bool *)target = true;
		memcpy(base + param->second, glob, strlen(glob) + 1);
		return true;
	}
	if (value == NULL || *value == '\0')
		return false;
	switch (param->kind) {
	case PARAM_SIZE: {
		uint64_t bytes;

		if (!take_size(param, value, &bytes))
			return false;
		*(uint64_t *)target = bytes;
		return true;
	}
	case PARAM_NUMBER:
		return take_number(param, value, target);
	case PARAM_CHOICE:
		return choose(param, value, target);
	case PARAM_SWITCH:
		if (!choose(param, value, &index))
			return false;
		*(bool *)target = index != 0;
		return true;
	default:
		if (choose(param, value, &index))
			value = "";
		memcpy(target, value, strlen(value) + 1);
		return true;
	}
}

static void take_word(struct report *report, const struct word *word, struct kernel_params *params)
{
	const struct param *param = find(word->name);

	if (param == NULL) {
		unknown(report, word);
		return;
	}
	if (store(param, word->value, params))
		return;
	if (param->kind == PARAM_FLAG)
		complain(report, "boot parameter '%s' takes no value; '%s' is not used", word->name,
			 word->value);
	else if (word->value == NULL || word->value[0] == '\0')
		complain(report, "boot parameter '%s' needs a value: %s=%s", word->name, word->name,
			 param->doc.form);
	else
		complain(report, "boot parameter %s=%s is not possible; it takes %s. %s",
			 word->name, word->value, param->doc.form,
			 param->kind == PARAM_SIZE ? param->doc.meaning : "");
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Splits the next word off; NULL at the end. Words that do not fit are reported and skipped. */
static const char *next_word(const char *at, struct word *word, struct report *report)
{
	for (;;) {
		const char *start, *equal;
		size_t len, name_len;

		while (is_space(*at))
			at++;
		if (*at == '\0')
			return NULL;
		for (start = at; *at != '\0' && !is_space(*at);)
			at++;
		len = (size_t)(at - start);
		equal = memchr(start, '=', len);
		name_len = equal != NULL ? (size_t)(equal - start) : len;
		if (name_len >= sizeof(word->name) || len - name_len > sizeof(word->buf)) {
			complain(report, "boot parameter '%.32s...' is too long (%zu bytes)", start,
				 len);
			continue;
		}
		memcpy(word->name, start, name_len);
		word->name[name_len] = '\0';
		word->value = NULL;
		if (equal != NULL) {
			memcpy(word->buf, equal + 1, len - name_len - 1);
			word->buf[len - name_len - 1] = '\0';
			word->value = word->buf;
		}
		return at;
	}
}

/* Padding included: two that are the same compare equal byte by byte. */
void params_defaults(struct kernel_params *params)
{
	memset(params, 0, sizeof(*params));
	params->directmap_bytes = 4 * GIB;
	params->zone_dma_bytes = 16 * MIB;
	params->inspect = INSPECT_ALLOC;
	params->gdblost = 5;
	params->loglevel = LOG_INFO;
	params->selftest_pattern[0] = '*';
}

unsigned params_parse(const char *cmdline, struct kernel_params *params, params_report_fn report_to,
		      void *context)
{
	struct report report = {report_to, context, 0};
	struct word word;

	for (const char *at = cmdline != NULL ? cmdline : "";
	     (at = next_word(at, &word, &report)) != NULL;)
		take_word(&report, &word, params);
	return report.faults;
}

static void to_log(const char *text, void *context)
{
	(void)context;
	pr_warn("%s", text);
}

unsigned params_init(const char *cmdline)
{
	unsigned faults;

	params_defaults(&kernel_params);
	faults = params_parse(cmdline, &kernel_params, to_log, NULL);
	log_set_level((enum log_level)kernel_params.loglevel);
	return faults;
}

bool params_doc(size_t index, struct param_doc *doc)
{
	if (index >= PARAMS)
		return false;
	*doc = table[index].doc;
	return true;
}
