/*
 * Fuzz target: a list of ranges in any order and shape. Nothing reserved ever becomes usable, and
 * every byte below a limit is of exactly one kind.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/memmap.h>

#include "fuzz_seed.h"

struct step {
	uint64_t start, bytes;
	uint8_t kind;
} __attribute__((packed));

static void apply(struct memmap *map, const struct step *step)
{
	switch (step->kind % 5) {
	case 0:
		memmap_claim(map, step->start, step->bytes);
		break;
	case 4:
		memmap_limit(map, step->start);
		break;
	default:
		(void)memmap_add(map, step->start, step->bytes, step->kind % 5);
	}
}

static void check_sum(const struct memmap *map, uint64_t limit)
{
	uint64_t sum = 0;

	for (int kind = 0; kind < MEMMAP_KINDS; kind++)
		sum += memmap_bytes(map, (enum memmap_kind)kind, limit);
	if (sum != limit)
		abort();
}

/* Where something was reserved: it must stay so, whatever comes, until it is cut off. */
struct notes {
	uint64_t reserved[64];
	size_t count;
};

static void note(struct notes *notes, const struct step *step)
{
	size_t kept = 0;

	if (step->kind % 5 == MEMMAP_RESERVED && step->bytes != 0 && step->start != UINT64_MAX &&
	    notes->count < 64)
		notes->reserved[notes->count++] = step->start;
	if (step->kind % 5 != 4)
		return;
	for (size_t i = 0; i < notes->count; i++)
		if (notes->reserved[i] < step->start)
			notes->reserved[kept++] = notes->reserved[i];
	notes->count = kept;
}

static void check_notes(const struct memmap *map, const struct notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		if (memmap_at(map, notes->reserved[i]).kind != MEMMAP_RESERVED)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct memmap map;
	struct notes notes = {.count = 0};
	struct step step;

	memmap_init(&map);
	for (; bytes >= sizeof(step); data += sizeof(step), bytes -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		apply(&map, &step);
		note(&notes, &step);
		if (memmap_check(&map))
			abort();
		check_notes(&map, &notes);
		check_sum(&map, step.start);
	}
	check_sum(&map, UINT64_MAX);
	return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *buf, size_t size)
{
	static const struct step steps[] = {
		{0x100000,	   0x7f00000,  MEMMAP_USABLE  },
		{0,		    0x9fc00,    MEMMAP_USABLE  },
		{0x3000000,	    0x100000,   MEMMAP_RESERVED},
		{0x1000000,	    0x200000,   MEMMAP_KERNEL  },
		{0x10000000000,	0x40000000, MEMMAP_USABLE	 },
		{0x2000000,	    0x2000000,  0		},
		{0xfffffffffff00000, 0x200000,   MEMMAP_RESERVED},
		{0x20000000000,	0,	   4		    },
	};

	if (n > 0 || size < sizeof(steps))
		return 0;
	memcpy(buf, steps, sizeof(steps));
	return sizeof(steps);
}
