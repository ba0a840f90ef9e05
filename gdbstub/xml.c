/*
 * The documents that clients fetch by qXfer. Each is written anew from its source for every part
 * that is asked for: a window lets only that part through, so none needs a buffer of its own.
 */
#include <string.h>

#include "internal.h"
#include "registers.h"

void window_text(struct window *window, const char *text)
{
	size_t len = text_len(text);
	if (len <= window->skip) {
		window->skip -= len;
		return;
	}
	text += window->skip;
	len -= (size_t)window->skip;
	window->skip = 0;
	size_t want = len < window->room ? len : (size_t)window->room;
	size_t done = reply_binary(window->stub, text, want);
	window->room -= done;
	if (done < want)
		window->room = 0; /* the reply is full */
	window->more |= done < len;
}

void window_number(struct window *window, uint64_t value, unsigned base)
{
	char text[21];
	char *at = text + sizeof text - 1;
	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	window_text(window, at);
}

/* Text from the target, as XML wants it. */
static void window_quoted(struct window *window, const char *text)
{
	for (; *text; text++) {
		char one[2] = {*text, '\0'};
		const char *safe = *text == '<'	  ? "&lt;"
				   : *text == '&' ? "&amp;"
				   : *text == '"' ? "&quot;"
				   : *text < ' '  ? "?"
						  : one;
		window_text(window, safe);
	}
}

/* ---- target description ---- */

struct bit {
	const char *name;
	uint8_t bit;
};

static const struct bit eflags_bits[] = {
	{"CF",  0 },
	    {"PF",  2 },
	 {"AF",	4 },
	      {"ZF",  6 },
	  {"SF",	 7 },
	      {"TF",  8 },
	{"IF",  9 },
	    {"DF",  10},
	 {"OF",	11},
	      {"NT",  14},
	  {"RF",	 16},
	      {"VM",  17},
	{"AC",  18},
	    {"VIF", 19},
	 {"VIP", 20},
	      {"ID",  21},
	  {NULL,	 0 },
};
static const struct bit mxcsr_bits[] = {
	{"IE",  0 },
	   {"DE",  1 },
	      {"ZE",  2 },
	  {"OE",	 3 },
	      {"UE",  4 },
	  {"PE",	 5 },
	      {"DAZ", 6 },
	  {"IM",	 7 },
	{"DM",  8 },
	   {"ZM",  9 },
	      {"OM",  10},
	  {"UM",	 11},
	      {"PM",  12},
	  {"FZ",	 15},
	      {NULL,  0 },
};
static const struct bit cr0_bits[] = {
	{"PE", 0 },
	    {"MP", 1 },
	{"EM", 2 },
	    {"TS", 3 },
	{"ET", 4 },
	    {"NE", 5 },
	{"WP", 16},
	    {"AM", 18},
	{"NW", 29},
	    {"CD", 30},
	{"PG", 31},
	    {NULL, 0 },
};
static const struct bit cr4_bits[] = {
	{"VME",	0 },
	    {"PVI",	    1 },
	   {"TSD",	   2 },
	    {"DE",	   3 },
	  {"PSE",	  4 },
	{"PAE",	5 },
	    {"MCE",	    6 },
	   {"PGE",	   7 },
	    {"PCE",	    8 },
	  {"OSFXSR",     9 },
	{"OSXMMEXCPT", 10},
	    {"UMIP",	     11},
	   {"LA57",	    12},
	    {"VMXE",	     13},
	  {"SMXE",	   14},
	{"FSGSBASE",   16},
	    {"PCIDE",      17},
	   {"OSXSAVE",    18},
	    {"SMEP",	     20},
	  {"SMAP",	   21},
	{"PKE",	22},
	    {NULL,	   0 },
};
static const struct bit efer_bits[] = {
	{"SCE", 0 },
	    {"LME", 8 },
	{"LMA", 10},
	     {"NXE", 11},
	  {NULL,	 0 },
};

static const char vectors[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/>"
	"</union>";

/* Types of flags that each feature's registers use. */
static const struct flags {
	const char *id;
	enum register_feature feature;
	uint8_t bytes;
	const struct bit *bits;
} flag_types[] = {
	{"i386_eflags", REG_CORE,	  4, eflags_bits},
	   {"i386_mxcsr",  REG_SSE,	   4, mxcsr_bits },
	{"cr0_flags",   REG_SYSTEM, 8, cr0_bits   },
	   {"cr4_flags",	 REG_SYSTEM, 8, cr4_bits	},
	{"efer_flags",  REG_SYSTEM, 8, efer_bits  },
};

static const char *const feature_name[REG_FEATURES] = {
	[REG_CORE] = "org.gnu.gdb.i386.core",
	[REG_SSE] = "org.gnu.gdb.i386.sse",
	[REG_SEGMENTS] = "org.gnu.gdb.i386.segments",
	[REG_SYSTEM] = "system",
};

static void xml_flags(struct window *window, const struct flags *flags)
{
	window_text(window, "<flags id=\"");
	window_text(window, flags->id);
	window_text(window, "\" size=\"");
	window_number(window, flags->bytes, 10);
	window_text(window, "\">");
	for (const struct bit *bit = flags->bits; bit->name; bit++) {
		window_text(window, "<field name=\"");
		window_text(window, bit->name);
		window_text(window, "\" start=\"");
		window_number(window, bit->bit, 10);
		window_text(window, "\" end=\"");
		window_number(window, bit->bit, 10);
		window_text(window, "\"/>");
	}
	window_text(window, "</flags>\n");
}

static void xml_register(struct window *window, unsigned number)
{
	const struct register_row *row = &register_table[number];
	window_text(window, "<reg name=\"");
	window_text(window, row->name);
	window_text(window, "\" bitsize=\"");
	window_number(window, row->bits, 10);
	window_text(window, "\" type=\"");
	window_text(window, row->type);
	window_text(window, "\" regnum=\"");
	window_number(window, number, 10);
	window_text(window, "\"");
	if (row->feature == REG_SYSTEM)
		window_text(window, " group=\"system\"");
	window_text(window, "/>\n");
}

static void xml_feature(struct window *window, enum register_feature feature)
{
	window_text(window, "<feature name=\"");
	window_text(window, feature_name[feature]);
	window_text(window, "\">\n");
	if (feature == REG_SSE)
		window_text(window, vectors);
	for (size_t i = 0; i < sizeof flag_types / sizeof *flag_types; i++)
		if (flag_types[i].feature == feature)
			xml_flags(window, &flag_types[i]);
	for (unsigned i = 0; i < register_count; i++)
		if (register_table[i].feature == feature)
			xml_register(window, i);
	window_text(window, "</feature>\n");
}

void xml_target(struct window *window)
{
	window_text(window, "<?xml version=\"1.0\"?>\n"
			    "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
			    "<target version=\"1.0\">\n"
			    "<architecture>i386:x86-64</architecture>\n"
			    "<osabi>none</osabi>\n");
	for (unsigned feature = 0; feature < REG_FEATURES; feature++)
		xml_feature(window, (enum register_feature)feature);
	window_text(window, "</target>\n");
}

/* ---- threads ---- */

void xml_threads(struct window *window)
{
	struct gdbstub_thread thread = {.id = 0};
	window_text(window, "<?xml version=\"1.0\"?>\n<threads>\n");
	while (gdbstub_port_next_thread(window->stub->target, thread.id, &thread)) {
		window_text(window, "<thread id=\"");
		window_number(window, thread.id, 16);
		if (thread.cpu >= 0) {
			window_text(window, "\" core=\"");
			window_number(window, (uint64_t)thread.cpu, 10);
		}
		window_text(window, "\" name=\"");
		window_quoted(window, thread.name);
		window_text(window, "\">");
		window_quoted(window, thread.state);
		window_text(window, "</thread>\n");
	}
	window_text(window, "</threads>\n");
}

/* ---- memory map ---- */

#define REGIONS_MAX 256u /* more are no map that GDB could use */

/* Whether region after region, from 0 to the end, is known and will stay. */
bool memory_map_complete(struct gdbstub *stub)
{
	struct gdbstub_region region;
	uint64_t at = 0;
	for (unsigned i = 0; i < REGIONS_MAX; i++) {
		if (!gdbstub_port_region(stub->target, at, &region) || !region.permanent ||
		    region.last < at)
			return false;
		if (region.last == UINT64_MAX)
			return true;
		at = region.last + 1;
	}
	return false;
}

void xml_memory_map(struct window *window)
{
	struct gdbstub_region region;
	uint64_t at = 0;
	window_text(window, "<?xml version=\"1.0\"?>\n<memory-map>\n");
	for (unsigned i = 0; i < REGIONS_MAX; i++) {
		if (!gdbstub_port_region(window->stub->target, at, &region) || region.last < at)
			break;
		if (region.mapped) {
			window_text(window, region.writable ? "<memory type=\"ram\" start=\"0x"
							    : "<memory type=\"rom\" start=\"0x");
			window_number(window, region.start, 16);
			window_text(window, "\" length=\"0x");
			window_number(window, region.last - region.start + 1, 16);
			window_text(window, "\"/>\n");
		}
		if (region.last == UINT64_MAX)
			break;
		at = region.last + 1;
	}
	window_text(window, "</memory-map>\n");
}
