// large.c: objects that are mappings of their own, and the table that knows them: a hash table with
// linear probing, so that a pointer that is none is told from one that is, exactly.
#include "shim.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE	   4096ul
#define FIRST_SIZE 512ul // places; a power of two

static struct large first_table[FIRST_SIZE];
static struct large *table = first_table;
static size_t places = FIRST_SIZE;
static size_t entries;
static uint32_t table_lock;

static void lock(void)
{
	while (__atomic_exchange_n(&table_lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(void)
{
	__atomic_store_n(&table_lock, 0, __ATOMIC_RELEASE);
}

static size_t home_of(const void *address)
{
	return (size_t)(((uintptr_t)address >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
	       (places - 1);
}

static void insert(const struct large *large)
{
	size_t at = home_of(large->address);

	while (table[at].address)
		at = (at + 1) & (places - 1);
	table[at] = *large;
	entries++;
}

static bool grow(void)
{
	struct large *old = table;
	size_t old_places = places;
	void *fresh = mmap(NULL, 2 * places * sizeof(*table), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fresh == MAP_FAILED)
		return false;
	table = fresh;
	places *= 2;
	entries = 0;
	for (size_t i = 0; i < old_places; i++)
		if (old[i].address)
			insert(&old[i]);
	if (old != first_table)
		munmap(old, old_places * sizeof(*old));
	return true;
}

bool large_add(const struct large *large)
{
	bool room;

	lock();
	room = entries < places / 2 || grow();
	if (room)
		insert(large);
	unlock();
	return room;
}

static struct large *place_of(const void *address)
{
	size_t at = home_of(address);

	while (table[at].address && table[at].address != address)
		at = (at + 1) & (places - 1);
	return &table[at];
}

bool large_find(const void *address, struct large *out)
{
	lock();
	*out = *place_of(address);
	unlock();
	return out->address != NULL;
}

// Moves later entries forward over the gap, as far as they may go.
static void close_gap(size_t gap)
{
	for (size_t at = (gap + 1) & (places - 1); table[at].address;
	     at = (at + 1) & (places - 1)) {
		size_t wanted = home_of(table[at].address);

		if (((at - wanted) & (places - 1)) < ((at - gap) & (places - 1)))
			continue;
		table[gap] = table[at];
		gap = at;
	}
	table[gap].address = NULL;
}

bool large_remove(const void *address, struct large *out)
{
	struct large *place;

	lock();
	place = place_of(address);
	*out = *place;
	if (place->address) {
		close_gap((size_t)(place - table));
		entries--;
	}
	unlock();
	return out->address != NULL;
}

bool large_map(size_t size, size_t alignment, struct large *out)
{
	size_t slack = alignment > PAGE ? alignment : 0;
	size_t length = (size + slack + PAGE - 1) & ~(PAGE - 1);
	uint8_t *start;

	if (size > PTRDIFF_MAX || length < size || length > PTRDIFF_MAX)
		return false;
	if (!length)
		length = PAGE;
	start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return false;
	out->start = start;
	out->length = length;
	out->address = start;
	if (slack)
		out->address = (uint8_t *)(((uintptr_t)start + slack - 1) & ~(slack - 1));
	return true;
}
