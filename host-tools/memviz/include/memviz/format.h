/*
 * Numbers, sizes, addresses and bars as text, and back.
 *
 * Parsers take all or nothing and never guess; writers are bounded and always
 * terminate their text.
 */
#ifndef MEMVIZ_FORMAT_H
#define MEMVIZ_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "80", "4K", "2M", "1G", "1T", "0x1000", "1_000_000", "1.5G"; K is 1024. An
 * "iB" or "B" may follow. False: not a size, or over 2^64. */
bool mv_parse_size(const char *text, uint64_t *bytes);
/* "0xffff_8000", decimal, or a size. False: not an address. */
bool mv_parse_addr(const char *text, uint64_t *addr);
/* Only hex with 0x: what the wire has. */
bool mv_parse_hex(const char *text, uint64_t *value);
/* "10m", "90s", "2h", "1.5h", "250ms", plain seconds. */
bool mv_parse_duration(const char *text, uint64_t *us);

/* "0", "512 B", "1.50 MiB", "2.0 GiB": at most 10 columns. Returns out. */
char *mv_format_size(uint64_t bytes, char *out, size_t size);
/* The same with a sign: "+2.00 MiB". */
char *mv_format_size_delta(int64_t bytes, char *out, size_t size);
/* "1,234,567". */
char *mv_format_count(uint64_t n, char *out, size_t size);
/* "12.3k", "4.5M": at most 6 columns. */
char *mv_format_short(double n, char *out, size_t size);
/* "0xffff800000000000". */
char *mv_format_addr(uint64_t addr, char *out, size_t size);
/* "1.250 s", "03:25", "2:03:25", "4 d 02:03". */
char *mv_format_duration(uint64_t us, char *out, size_t size);
/* Local time of day "14:03:25.120". */
char *mv_format_clock(uint64_t time_us, char *out, size_t size);

/* A bar of `columns` columns, `part` of `whole` filled; UTF-8 eighths, or
 * `#` and `.` with `ascii`. `out` needs 3 * columns + 1 bytes. */
char *mv_format_bar(uint64_t part, uint64_t whole, unsigned columns, bool ascii, char *out,
		    size_t size);

/* Copies text that came from outside: control characters (also C1) and broken
 * UTF-8 become '?', so that no kernel can send escape codes to a terminal. */
char *mv_format_safe(const char *text, char *out, size_t size);

#endif
