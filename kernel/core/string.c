/*
 * <string.h> without libc. Copies and fills go by 8-byte words, eight to a turn: QEMU's TCG runs
 * `rep movsb` byte by byte, and without vector registers words are the best there is.
 */
#include <stdint.h>
#include <string.h>

/* A word at any address: x86 loads and stores it whole wherever it lies. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word;

enum { WORD = sizeof(word), TURN = 8 * WORD };

static void copy_forward(unsigned char *to, const unsigned char *from, size_t n)
{
	for (; n >= TURN; n -= TURN, to += TURN, from += TURN) {
		const word *in = (const word *)from;
		word *out = (word *)to;
		uint64_t a = in[0], b = in[1], c = in[2], d = in[3];
		uint64_t e = in[4], f = in[5], g = in[6], h = in[7];

		out[0] = a, out[1] = b, out[2] = c, out[3] = d;
		out[4] = e, out[5] = f, out[6] = g, out[7] = h;
	}
	for (; n >= WORD; n -= WORD, to += WORD, from += WORD)
		*(word *)to = *(const word *)from;
	while (n-- > 0)
		*to++ = *from++;
}

static void copy_backward(unsigned char *to, const unsigned char *from, size_t n)
{
	for (; n >= WORD; n -= WORD)
		*(word *)(to + n - WORD) = *(const word *)(from + n - WORD);
	while (n-- > 0)
		to[n] = from[n];
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	copy_forward(to, from, n);
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	if ((uintptr_t)to - (uintptr_t)from >= n)
		copy_forward(to, from, n);
	else
		copy_backward(to, from, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *at = to;
	uint64_t fill = 0x0101010101010101ull * (unsigned char)byte;

	for (; n >= TURN; n -= TURN, at += TURN) {
		word *out = (word *)at;

		out[0] = fill, out[1] = fill, out[2] = fill, out[3] = fill;
		out[4] = fill, out[5] = fill, out[6] = fill, out[7] = fill;
	}
	for (; n >= WORD; n -= WORD, at += WORD)
		*(word *)at = fill;
	while (n-- > 0)
		*at++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (; n >= WORD && *(const word *)p == *(const word *)q; n -= WORD, p += WORD, q += WORD)
		;
	for (; n > 0; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

void *memchr(const void *data, int byte, size_t n)
{
	for (const unsigned char *p = data; n > 0; n--, p++) {
		if (*p == (unsigned char)byte)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end != '\0')
		end++;
	return (size_t)(end - s);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

		if (x != y || x == '\0')
			return x - y;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (*s == '\0')
			return (char *)(uintptr_t)last;
	}
}

char *strstr(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (;; text++) {
		if (strncmp(text, part, len) == 0)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}
