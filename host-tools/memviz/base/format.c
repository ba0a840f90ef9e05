#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- text to numbers ---- */

/* Copies without `_` between digits; false when one stands at an edge. */
static bool strip_separators(const char *text, char *out, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '_') {
			if (!i || !isalnum((unsigned char)text[i - 1]) ||
			    !isalnum((unsigned char)text[i + 1]))
				return false;
			continue;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = text[i];
	}
	out[n] = 0;
	return n > 0;
}

bool mv_parse_hex(const char *text, uint64_t *value)
{
	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X') || !text[2])
		return false;
	uint64_t v = 0;
	size_t digits = 0;
	for (const char *p = text + 2; *p; p++) {
		int c = tolower((unsigned char)*p);
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
						    : 16;
		if (d > 15 || v >> 60)
			return false;
		v = v << 4 | d;
		digits++;
	}
	*value = v;
	return digits > 0;
}

static bool size_unit(const char *p, unsigned *shift)
{
	static const char units[] = "KMGTPE";
	*shift = 0;
	if (!*p)
		return true;
	const char *u = strchr(units, toupper((unsigned char)*p));
	if (u) {
		*shift = 10u * (unsigned)(u - units + 1);
		p++;
		if (*p == 'i')
			p++;
	}
	if (*p == 'B')
		p++;
	return !*p;
}

bool mv_parse_size(const char *text, uint64_t *bytes)
{
	char t[48];
	unsigned shift;
	if (!strip_separators(text, t, sizeof t))
		return false;
	if (t[0] == '0' && (t[1] == 'x' || t[1] == 'X'))
		return mv_parse_hex(t, bytes);
	if (!isdigit((unsigned char)t[0]))
		return false;
	char *end;
	errno = 0;
	uint64_t whole = strtoull(t, &end, 10);
	if (errno)
		return false;
	if (*end == '.') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		double fraction = strtod(t, &end);
		if (!size_unit(end, &shift) || !shift)
			return false;
		double v = ldexp(fraction, (int)shift);
		if (v >= 18446744073709549568.0)
			return false;
		*bytes = (uint64_t)v;
		return true;
	}
	if (!size_unit(end, &shift) || (shift && whole >> (64 - shift)))
		return false;
	*bytes = whole << shift;
	return true;
}

bool mv_parse_addr(const char *text, uint64_t *addr)
{
	return mv_parse_size(text, addr);
}

bool mv_parse_duration(const char *text, uint64_t *us)
{
	static const struct {
		const char *unit;
		double us;
	} units[] = {
		{"us", 1	},
		     {"ms", 1e3    },
		    {"",	 1e6    },
		   {"s",	 1e6    },
		{"m",  60e6	  },
		     {"h",  3600e6 },
		    {"d",  86400e6}
	  };
	if (!isdigit((unsigned char)text[0]))
		return false;
	char *end;
	double v = strtod(text, &end);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(end, units[i].unit) == 0) {
			if (!(v * units[i].us < 1e18))
				return false;
			*us = (uint64_t)(v * units[i].us + 0.5);
			return true;
		}
	}
	return false;
}

/* ---- numbers to text ---- */

static char *size_text(uint64_t bytes, const char *sign, char *out, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned u = 0;
	double v = (double)bytes;
	while (v >= 1024 && u < 6)
		v /= 1024, u++;
	/* Rounding must not show "1024 KiB". */
	if (v >= 1023.95 && u < 6)
		v = 1, u++;
	int digits = !u || v == floor(v) ? 0 : v >= 100 ? 0 : v >= 10 ? 1 : 2;
	snprintf(out, size, "%s%.*f %s", sign, digits, v, units[u]);
	return out;
}

char *mv_format_size(uint64_t bytes, char *out, size_t size)
{
	return size_text(bytes, "", out, size);
}

char *mv_format_size_delta(int64_t bytes, char *out, size_t size)
{
	uint64_t magnitude = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	return size_text(magnitude, bytes < 0 ? "-" : bytes > 0 ? "+" : "", out, size);
}

char *mv_format_count(uint64_t n, char *out, size_t size)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	size_t used = 0;
	for (int i = 0; i < len && used + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = 0;
	return out;
}

char *mv_format_short(double n, char *out, size_t size)
{
	static const char units[] = " kMGTPE";
	unsigned u = 0;
	double v = fabs(n);
	while (v >= 999.5 && u < 6)
		v /= 1000, u++;
	int digits = v >= 99.95 || v == floor(v) ? 0 : 1;
	if (u)
		snprintf(out, size, "%s%.*f%c", n < 0 ? "-" : "", digits, v, units[u]);
	else
		snprintf(out, size, "%s%.*f", n < 0 ? "-" : "", digits, v);
	return out;
}

char *mv_format_addr(uint64_t addr, char *out, size_t size)
{
	snprintf(out, size, "0x%" PRIx64, addr);
	return out;
}

char *mv_format_duration(uint64_t us, char *out, size_t size)
{
	uint64_t s = us / 1000000;
	if (us < 1000)
		snprintf(out, size, "%" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(out, size, "%" PRIu64 ".%01u ms", us / 1000, (unsigned)(us / 100 % 10));
	else if (s < 10)
		snprintf(out, size, "%" PRIu64 ".%03u s", s, (unsigned)(us / 1000 % 1000));
	else if (s < 3600)
		snprintf(out, size, "%02u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(out, size, "%u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
			 (unsigned)(s % 60));
	else
		snprintf(out, size, "%" PRIu64 " d %02u:%02u", s / 86400, (unsigned)(s / 3600 % 24),
			 (unsigned)(s / 60 % 60));
	return out;
}

char *mv_format_clock(uint64_t time_us, char *out, size_t size)
{
	time_t t = (time_t)(time_us / 1000000);
	struct tm tm;
	char hms[16] = "";
	if (localtime_r(&t, &tm))
		strftime(hms, sizeof hms, "%H:%M:%S", &tm);
	snprintf(out, size, "%s.%03u", hms, (unsigned)(time_us / 1000 % 1000));
	return out;
}

char *mv_format_bar(uint64_t part, uint64_t whole, unsigned columns, bool ascii, char *out,
		    size_t size)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	struct mv_buf b = {0};
	double share = whole ? (double)part / (double)whole : 0;
	if (share > 1)
		share = 1;
	unsigned units = (unsigned)(share * columns * (ascii ? 1 : 8) + 0.5);
	/* Something is never drawn as nothing. */
	if (part && !units)
		units = 1;
	unsigned full = ascii ? units : units / 8, drawn = full;
	for (unsigned i = 0; i < full; i++)
		mv_buf_text(&b, ascii ? "#" : "█");
	if (!ascii && units % 8)
		mv_buf_text(&b, eighths[units % 8]), drawn++;
	for (; drawn < columns; drawn++)
		mv_buf_text(&b, ascii ? "." : "░");
	mv_copy(out, size, b.data ? b.data : "");
	mv_buf_free(&b);
	return out;
}

/* ---- text from outside ---- */

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p)
{
	static const struct {
		unsigned char first, last, low, high, length;
	} forms[] = {
		{0x20, 0x7e, 0,	0,	   1},
		     {0xc2, 0xc2, 0xa0, 0xbf, 2},
		{0xc3, 0xdf, 0x80, 0xbf, 2},
		     {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		     {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		     {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		     {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		size_t n = forms[i].length;
		if (n > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))
			return 0;
		for (size_t k = 2; k < n; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return n;
	}
	return 0;
}

char *mv_format_safe(const char *text, char *out, size_t size)
{
	size_t used = 0;
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t n = utf8_length(p);
		if (used + (n ? n : 1) + 1 > size)
			break;
		if (n)
			memcpy(out + used, p, n);
		else
			out[used] = '?';
		used += n ? n : 1;
		p += n ? n : 1;
	}
	if (size)
		out[used] = 0;
	return out;
}
