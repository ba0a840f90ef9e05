/*
 * What remote requests allocated and may therefore free: a hash of words with linear probing.
 * Removal shifts the followers back, so there are no tombstones and a look-up ends at the first
 * empty word. A word is the address (at least 32-byte aligned) or id << 8, or-ed with its kind + 1:
 * never zero.
 */
#include "internal.h"

#include <string.h>

static uint64_t word_of(enum insp_owned kind, uint64_t what)
{
	return (kind == INSP_OWNED_SPACE ? what << 8 : what) | ((uint64_t)kind + 1);
}

static uint32_t home(const struct insp *insp, uint64_t word)
{
	return (uint32_t)(word * 0x9e3779b97f4a7c15ull >> 32) & (insp->owned_slots - 1);
}

/* The place of `word`, or of the empty word where it would go. */
static uint32_t place(const struct insp *insp, uint64_t word)
{
	uint32_t i = home(insp, word);

	while (insp->owned[i] && insp->owned[i] != word)
		i = (i + 1) & (insp->owned_slots - 1);
	return i;
}

bool insp_owned_has(const struct insp *insp, enum insp_owned kind, uint64_t what)
{
	return insp->owned[place(insp, word_of(kind, what))] != 0;
}

bool insp_owned_room(const struct insp *insp, uint32_t count)
{
	return count <= insp->owned_limit - insp->owned_count;
}

void insp_owned_add(struct insp *insp, enum insp_owned kind, uint64_t what)
{
	uint64_t word = word_of(kind, what);
	uint32_t i = place(insp, word);

	if (insp->owned[i] || !insp_owned_room(insp, 1))
		return;
	insp->owned[i] = word;
	insp->owned_count++;
}

void insp_owned_remove(struct insp *insp, enum insp_owned kind, uint64_t what)
{
	uint32_t mask = insp->owned_slots - 1;
	uint32_t hole = place(insp, word_of(kind, what));

	if (!insp->owned[hole])
		return;
	insp->owned_count--;
	for (uint32_t i = (hole + 1) & mask; insp->owned[i]; i = (i + 1) & mask) {
		/* It may fall back to the hole unless its home lies behind the hole. */
		if (((i - home(insp, insp->owned[i])) & mask) >= ((i - hole) & mask)) {
			insp->owned[hole] = insp->owned[i];
			hole = i;
		}
	}
	insp->owned[hole] = 0;
}

bool insp_owned_check(const struct insp *insp, char *why, size_t size)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < insp->owned_slots; i++) {
		if (!insp->owned[i])
			continue;
		count++;
		if (place(insp, insp->owned[i]) != i) {
			insp_format(why, size, "owned word 0x%lx cannot be found", insp->owned[i]);
			return false;
		}
	}
	if (count != insp->owned_count || count > insp->owned_limit) {
		insp_format(why, size, "owned words: %u there, %u counted, limit %u", count,
			    insp->owned_count, insp->owned_limit);
		return false;
	}
	return true;
}
