#include <errno.h>
#include <json-c/json.h>
#include <memviz/base.h>
#include <memviz/format.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum mv_status mv_fail(struct mv_error *e, enum mv_status status, const char *fmt, ...)
{
	if (!e)
		return status;
	char raw[sizeof e->message];
	va_list args;
	va_start(args, fmt);
	vsnprintf(raw, sizeof raw, fmt, args);
	va_end(args);
	memset(e, 0, sizeof *e);
	e->status = status;
	mv_format_safe(raw, e->message, sizeof e->message);
	return status;
}

static void out_of_memory(void)
{
	static const char line[] = "memviz: out of memory\n";
	fputs(line, stderr);
	_Exit(MV_LINK);
}

void *mv_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *mv_realloc(void *p, size_t bytes)
{
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *mv_strdup(const char *text)
{
	char *p = strdup(text);
	if (!p)
		out_of_memory();
	return p;
}

void mv_grow(void *array, size_t *capacity, size_t want, size_t size)
{
	if (want <= *capacity)
		return;
	size_t next = *capacity ? *capacity : 16;
	while (next < want)
		next *= 2;
	void *p;
	memcpy(&p, array, sizeof p);
	p = mv_realloc(p, next * size);
	memcpy(array, &p, sizeof p);
	*capacity = next;
}

uint64_t mv_file_bytes(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

bool mv_copy(char *out, size_t size, const char *text)
{
	size_t len = strnlen(text, size);
	if (len < size) {
		memcpy(out, text, len + 1);
		return true;
	}
	memcpy(out, text, size - 1);
	out[size - 1] = 0;
	return false;
}

void mv_buf_add(struct mv_buf *b, const void *bytes, size_t len)
{
	mv_grow(&b->data, &b->capacity, b->len + len + 1, 1);
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = 0;
}

void mv_buf_text(struct mv_buf *b, const char *text)
{
	mv_buf_add(b, text, strlen(text));
}

void mv_buf_printf(struct mv_buf *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n > 0) {
		mv_grow(&b->data, &b->capacity, b->len + (size_t)n + 1, 1);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void mv_buf_consume(struct mv_buf *b, size_t len)
{
	if (!len)
		return;
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
	b->data[b->len] = 0;
}

void mv_buf_free(struct mv_buf *b)
{
	free(b->data);
	*b = (struct mv_buf){0};
}

static uint64_t clock_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

uint64_t mv_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t mv_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}
