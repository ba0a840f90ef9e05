/*
 * The ring: slot seq % LOG_LINES holds line seq. A slot's stamp is 2 * seq + 1 while it is being
 * written and 2 * seq + 2 once it is whole, so a reader knows from the stamp alone, read before
 * and after its copy, whether it has the line, is too early or was overtaken.
 */
#include <stdatomic.h>
#include <string.h>

#include <kernel/log.h>
#include <kernel/printf.h>
#include <kernel/time.h>

struct slot {
	_Atomic uint64_t stamp;
	uint64_t t_us;
	uint32_t level;
	uint32_t len;
	char text[LOG_TEXT_MAX];
};
_Static_assert(sizeof(struct slot) == 256, "a slot is four cache lines");
_Static_assert((LOG_LINES & (LOG_LINES - 1)) == 0, "LOG_LINES is a power of two");

/* What one call may write; more is cut, and the cut is shown. */
enum { MESSAGE_MAX = 1024 };

static struct slot slots[LOG_LINES];
static _Atomic uint64_t next_seq;
static struct {
	log_sink_fn show;
	void *context;
} sinks[LOG_SINKS_MAX];
static _Atomic uint32_t sink_count;
static enum log_level console_level = LOG_INFO;

static void show(const struct log_line *line)
{
	if (line->level > console_level)
		return;
	for (uint32_t i = 0; i < sink_count; i++)
		sinks[i].show(line, sinks[i].context);
}

static void add_line(enum log_level level, uint64_t t_us, const char *text, size_t len)
{
	uint64_t seq = atomic_fetch_add(&next_seq, 1);
	struct slot *slot = &slots[seq % LOG_LINES];
	struct log_line line = {.seq = seq, .t_us = t_us, .level = level};

	atomic_store(&slot->stamp, 2 * seq + 1);
	slot->t_us = t_us;
	slot->level = level;
	slot->len = (uint32_t)len;
	memcpy(slot->text, text, len);
	atomic_store(&slot->stamp, 2 * seq + 2);

	memcpy(line.text, text, len);
	line.text[len] = '\0';
	show(&line);
}

/* How much of text is the next line: to the newline, and not through a UTF-8 sequence. */
static size_t line_length(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	size_t take = newline != NULL ? (size_t)(newline - text) : len;

	if (take < LOG_TEXT_MAX)
		return take;
	take = LOG_TEXT_MAX - 1;
	for (size_t back = 0; back < 3 && ((unsigned char)text[take] & 0xc0) == 0x80; back++)
		take--;
	return take;
}

void log_vprintf(enum log_level level, const char *fmt, va_list args)
{
	char buf[MESSAGE_MAX];
	uint64_t t_us = time_now_us();
	int whole = kvsnprintf(buf, sizeof(buf), fmt, args);
	size_t len = (size_t)whole;
	const char *at = buf;

	if (len >= sizeof(buf)) {
		len = sizeof(buf) - 1;
		for (size_t i = 1; i <= 3; i++)
			buf[len - i] = '.';
	}
	if (len > 0 && buf[len - 1] == '\n')
		len--;
	do {
		size_t take = line_length(at, len);

		add_line(level, t_us, at, take);
		at += take;
		len -= take;
		if (len > 0 && *at == '\n') {
			at++;
			len--;
		}
	} while (len > 0);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vprintf(level, fmt, args);
	va_end(args);
}

/* Copies line seq. False: it is not whole yet, or gone. */
static bool copy_line(uint64_t seq, struct log_line *line)
{
	struct slot *slot = &slots[seq % LOG_LINES];
	size_t len;

	if (atomic_load(&slot->stamp) != 2 * seq + 2)
		return false;
	len = slot->len < LOG_TEXT_MAX ? slot->len : LOG_TEXT_MAX - 1;
	line->seq = seq;
	line->t_us = slot->t_us;
	line->level = (enum log_level)slot->level;
	memcpy(line->text, slot->text, len);
	line->text[len] = '\0';
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&slot->stamp) == 2 * seq + 2;
}

bool log_read(uint64_t *cursor, struct log_line *line)
{
	for (;;) {
		uint64_t next = atomic_load(&next_seq);
		uint64_t oldest = next > LOG_LINES ? next - LOG_LINES : 0;
		uint64_t seq = *cursor > oldest ? *cursor : oldest;
		struct log_line copy;

		if (seq >= next)
			return false;
		if (copy_line(seq, &copy)) {
			*line = copy;
			*cursor = seq + 1;
			return true;
		}
		/* Not whole yet: come back later. Overtaken meanwhile: the oldest moved on. */
		if (atomic_load(&slots[seq % LOG_LINES].stamp) <= 2 * seq + 1)
			return false;
	}
}

uint64_t log_next_seq(void)
{
	return atomic_load(&next_seq);
}

const char *log_level_name(enum log_level level)
{
	static const char *const names[LOG_LEVELS] = {"error", "warn", "info", "debug"};

	return (unsigned)level < LOG_LEVELS ? names[level] : "?";
}

bool log_add_sink(log_sink_fn sink, void *context)
{
	uint64_t cursor = 0;
	struct log_line line;

	if (sink_count >= LOG_SINKS_MAX)
		return false;
	while (log_read(&cursor, &line)) {
		if (line.level <= console_level)
			sink(&line, context);
	}
	sinks[sink_count].show = sink;
	sinks[sink_count].context = context;
	sink_count++;
	return true;
}

void log_set_level(enum log_level level)
{
	console_level = level < LOG_LEVELS ? level : LOG_DEBUG;
}

enum log_level log_get_level(void)
{
	return console_level;
}
