/* Numbers, and reading a packet from left to right. Nothing is guessed: what does not fit the
 * form is refused by a false return. */
#include "internal.h"

int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	uint8_t lower = c | 0x20;
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

size_t text_len(const char *text)
{
	size_t len = 0;
	while (text[len])
		len++;
	return len;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

size_t cut_left(const struct cut *cut)
{
	return (size_t)(cut->end - cut->at);
}

bool cut_char(struct cut *cut, char c)
{
	if (cut->at == cut->end || *cut->at != (uint8_t)c)
		return false;
	cut->at++;
	return true;
}

bool cut_word(struct cut *cut, const char *word)
{
	size_t len = text_len(word);
	if (cut_left(cut) < len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (cut->at[i] != (uint8_t)word[i])
			return false;
	cut->at += len;
	return true;
}

bool cut_hex(struct cut *cut, uint64_t *value)
{
	const uint8_t *start = cut->at;
	uint64_t v = 0;
	int digit;
	while (cut->at < cut->end && (digit = hex_digit(*cut->at)) >= 0) {
		if (v >> 60)
			return false;
		v = v << 4 | (uint64_t)digit;
		cut->at++;
	}
	*value = v;
	return cut->at > start;
}

bool cut_hex_bytes(struct cut *cut, uint8_t *out, size_t cap, size_t *len)
{
	size_t n = 0;
	while (cut->at < cut->end && hex_digit(cut->at[0]) >= 0) {
		if (cut_left(cut) < 2 || hex_digit(cut->at[1]) < 0 || n == cap)
			return false;
		out[n++] = (uint8_t)(hex_digit(cut->at[0]) << 4 | hex_digit(cut->at[1]));
		cut->at += 2;
	}
	*len = n;
	return true;
}

bool cut_binary(struct cut *cut, uint8_t **bytes, size_t *len)
{
	uint8_t *out = cut->at;
	*bytes = out;
	while (cut->at < cut->end) {
		uint8_t c = *cut->at++;
		if (c == '}') {
			if (cut->at == cut->end)
				return false;
			c = *cut->at++ ^ 0x20;
		}
		*out++ = c;
	}
	*len = (size_t)(out - *bytes);
	return true;
}

bool cut_thread(struct cut *cut, uint64_t *id)
{
	if (cut_word(cut, "-1")) {
		*id = THREAD_ALL;
		return true;
	}
	return cut_hex(cut, id) && *id != THREAD_ALL;
}

bool cut_thread_suffix(struct cut *cut, uint64_t *id)
{
	static const char mark[] = ";thread:";
	for (uint8_t *p = cut->at; p < cut->end; p++) {
		struct cut tail = {p, cut->end};
		if (!cut_word(&tail, mark))
			continue;
		bool good = cut_thread(&tail, id);
		cut_char(&tail, ';');
		cut->end = p;
		return good && !cut_left(&tail);
	}
	*id = THREAD_ANY;
	return true;
}
