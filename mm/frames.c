// frames.c: runs of 1 to 63 frames of 2 MiB.
//
// Theory
// ======
// A zone is an array of words of 64 frames. The frames of a zone are numbered
// without the holes of the memory map, but behind each contiguous stretch one
// number stays unused (a guard, never free), so that no run can cross a hole,
// and none can cross into another zone because that is another array.
//
// State. A frame is in exactly one of these states, told by one bit in one of
// the four bitmaps of its word:
//     free       shared free set, under zone.lock
//     alloc      given out by alloc_pages; atomic, because a single frame is
//                given and taken back without the lock
//     slab       backing of objects (pool.c), under zone.lock
//     kernel     the image, mm's own tables, what start-up had in use
//     no bit     free in the one-frame cache of a CPU, or a guard
// So every question about a frame is one bit test, and a wrong free is found
// before anything is changed: the alloc bits of all frames of the range are
// tested together with clearing them.
//
// Runs. The Page of a run's first frame holds its length, attributes and
// reference count; the other frames' Pages hold length 0. Giving out 63 frames
// writes one Page, not 63. Freeing a part of a run makes the frame behind the
// part the head of what remains. Who asks for the attributes of a frame in the
// middle walks back at most 62 Pages.
//
// Search. `hint` of a word is an upper bound (at most 63) of the longest free
// run that starts in it; it may reach into the next word. Words with equal
// hints form a bucket; a 64-bit mask tells which buckets are not empty. To find
// n frames: lowest non-empty bucket >= n, its first word, and there a doubling
// shift-AND over the 128-bit window of the word and its successor, six steps at
// most. This is best fit by words: single frames come from words that are
// broken already, long runs stay whole.
//   Taking frames only shortens runs, so it leaves hints alone (an upper bound
// stays one), except that an empty word leaves its bucket. Freeing raises the
// hints of the words that the grown run touches. A search that meets a hint
// which promises too much corrects it and goes on: each correction was paid for
// by an earlier allocation, so the cost of n operations is O(n) whatever the
// size and the fragmentation of the zone. No loop runs over the zone.
//
// CPUs. In front of the zones each CPU keeps one free frame per zone. It is
// exchanged atomically, so no lock and no disabled interrupts are needed, and
// any CPU can empty all of these caches when a zone runs dry: memory is never
// refused while a frame is free. Everything longer than one frame takes
// zone.lock, with interrupts off, for some 100 instructions.
//
// Invariants (frames_check in check.c)
//   1  free, alloc, slab, kernel of a word are disjoint; guards have none.
//   2  hint >= longest free run starting in the word; a word is in bucket
//      `hint` exactly when hint > 0; the mask fits the buckets.
//   3  run lengths: the alloc bits decompose exactly into runs; a Page that is
//      no head has length 0 and refs 0.
//   4  taken = frames - free - cached; shared = frames in runs with PAGE_SHARED.
//
// Lock order: zone.lock is a leaf; two zones are never locked at once.
//
// Numbers: 63 is the user's limit and makes two words enough for every search;
// 64 B per frame and 64 B per 64 frames are 0.003 % of the memory they manage.
#include "state.h"

struct zone mm_zones[ZONE_COUNT];
const char *const mm_zone_names[ZONE_COUNT] = {"ZONE_DMA", "ZONE_NORMAL", "ZONE_UNMAPPED_IN_PGT"};
struct Page *mm_pages;
uint32_t mm_page_total;

#define FRAME_SLOW (SLOW_HOOK | SLOW_FAIL | MM_SWITCH_ATTRIBUTION | MM_SWITCH_LAST_CALLER)

// --- bits of a range that may lie in two words ------------------------------------
struct range {
	struct frame_word *word; // the first one
	uint64_t low, high;	 // masks in it and in its successor
};

static inline struct range range_of(const struct zone *zone, uint32_t bit, unsigned count)
{
	uint64_t mask = count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
	unsigned shift = bit % 64;

	return (struct range){&zone->word[bit / 64], mask << shift,
			      shift ? mask >> (64 - shift) : 0};
}

// Clears the range in a bitmap of atomic words if all of it is set.
static bool claim_alloc_bits(const struct range *range)
{
	uint64_t old = __atomic_fetch_and(&range->word->alloc, ~range->low, __ATOMIC_ACQ_REL);

	if ((old & range->low) == range->low) {
		if (!range->high)
			return true;
		uint64_t next = __atomic_fetch_and(&range->word[1].alloc, ~range->high,
						   __ATOMIC_ACQ_REL);

		if ((next & range->high) == range->high)
			return true;
		__atomic_fetch_or(&range->word[1].alloc, next & range->high, __ATOMIC_RELEASE);
	}
	__atomic_fetch_or(&range->word->alloc, old & range->low, __ATOMIC_RELEASE);
	return false;
}

static void set_alloc_bits(const struct range *range)
{
	__atomic_fetch_or(&range->word->alloc, range->low, __ATOMIC_RELEASE);
	if (range->high)
		__atomic_fetch_or(&range->word[1].alloc, range->high, __ATOMIC_RELEASE);
}

// --- buckets ---------------------------------------------------------------------------
static void bucket_remove(struct zone *zone, uint32_t index)
{
	struct frame_word *word = &zone->word[index];

	if (word->prev != MM_NIL)
		zone->word[word->prev].next = word->next;
	else
		zone->bucket[word->hint] = word->next;
	if (word->next != MM_NIL)
		zone->word[word->next].prev = word->prev;
	if (zone->bucket[word->hint] == MM_NIL)
		zone->buckets &= ~(UINT64_C(1) << word->hint);
}

static void bucket_insert(struct zone *zone, uint32_t index)
{
	struct frame_word *word = &zone->word[index];
	uint32_t first = zone->bucket[word->hint];

	word->prev = MM_NIL;
	word->next = first;
	if (first != MM_NIL)
		zone->word[first].prev = index;
	zone->bucket[word->hint] = index;
	zone->buckets |= UINT64_C(1) << word->hint;
}

static void hint_set(struct zone *zone, uint32_t index, unsigned hint)
{
	struct frame_word *word = &zone->word[index];

	if (word->hint == hint)
		return;
	if (word->hint)
		bucket_remove(zone, index);
	word->hint = (uint8_t)hint;
	if (hint)
		bucket_insert(zone, index);
}

// --- runs inside a window of two words -----------------------------------------------------
// Bit i of *low: i begins a run that is `more` longer than the runs which began
// there before. Shifts the 128-bit window right and ANDs it with itself.
static inline void window_and(uint64_t *low, uint64_t *high, unsigned more)
{
	*low &= (*low >> more) | (*high << (64 - more));
	*high &= *high >> more;
}

static inline uint64_t next_word_free(const struct zone *zone, uint32_t index)
{
	return index + 1 < zone->words ? mm_peek(zone->word[index + 1].free) : 0;
}

// The first bit in word `index` where `count` (1..63) free frames begin; 64 if none.
static unsigned run_in_word(const struct zone *zone, uint32_t index, unsigned count)
{
	uint64_t low = mm_peek(zone->word[index].free);
	uint64_t high = next_word_free(zone, index);

	for (unsigned length = 1; length < count && low;) {
		unsigned more = length < count - length ? length : count - length;

		window_and(&low, &high, more);
		length += more;
	}
	return low ? (unsigned)__builtin_ctzll(low) : 64;
}

unsigned mm_word_best(const struct zone *zone, uint32_t index)
{
	uint64_t low[6], high[6]; // starts of runs of 1 << k
	unsigned k = 0, length;

	low[0] = mm_peek(zone->word[index].free);
	high[0] = next_word_free(zone, index);
	if (!low[0])
		return 0;
	for (; k < 5; k++) {
		low[k + 1] = low[k];
		high[k + 1] = high[k];
		window_and(&low[k + 1], &high[k + 1], 1u << k);
		if (!low[k + 1])
			break;
	}
	// Extend the longest power of two by smaller ones, where they still fit.
	uint64_t starts = low[k];

	for (length = 1u << k; k-- > 0;) {
		uint64_t fit = starts & ((low[k] >> length) | (high[k] << (64 - length)));

		if (!fit)
			continue;
		starts = fit;
		length += 1u << k;
	}
	return length;
}

// --- the free set, under zone.lock ------------------------------------------------------------
// Free frames directly below / from `bit` on, seen one word further at most.
static unsigned free_below(const struct zone *zone, uint32_t bit)
{
	unsigned inside = bit % 64;
	uint32_t index = bit / 64;
	unsigned count = 0;

	if (inside) {
		uint64_t busy = ~zone->word[index].free << (64 - inside);

		count = busy ? (unsigned)__builtin_clzll(busy) : inside;
		if (count < inside)
			return count;
	}
	if (index) {
		uint64_t busy = ~zone->word[index - 1].free;

		count += busy ? (unsigned)__builtin_clzll(busy) : 64;
	}
	return count;
}

static unsigned free_from(const struct zone *zone, uint32_t bit)
{
	unsigned inside = bit % 64;
	uint32_t index = bit / 64;
	unsigned count;
	uint64_t busy;

	if (index >= zone->words)
		return 0;
	busy = ~zone->word[index].free >> inside;
	count = busy ? (unsigned)__builtin_ctzll(busy) : 64 - inside;
	if (count == 64 - inside) {
		busy = ~next_word_free(zone, index);
		count += busy ? (unsigned)__builtin_ctzll(busy) : 64;
	}
	return count;
}

// Puts up to 64 frames into the free set and raises the hints of the words in
// which the run that they now belong to begins or goes on.
static void give(struct zone *zone, uint32_t bit, unsigned count)
{
	struct range range = range_of(zone, bit, count);
	uint32_t last = (bit + count - 1) / 64;
	uint32_t start, end;

	mm_poke(range.word->free, range.word->free | range.low);
	if (range.high)
		mm_poke(range.word[1].free, range.word[1].free | range.high);
	start = bit - free_below(zone, bit);
	end = bit + count + free_from(zone, bit + count);
	for (uint32_t index = start / 64; index <= last; index++) {
		uint32_t from = index * 64 > start ? index * 64 : start;
		uint32_t length = end - from < 63 ? end - from : 63;

		if (length > zone->word[index].hint)
			hint_set(zone, index, length);
	}
}

void mm_frames_add_free(struct zone *zone, uint32_t bit, uint32_t count)
{
	// From the top down: buckets are last in, first out, and low frames
	// should be first out.
	while (count) {
		uint32_t end = bit + count;
		uint32_t start = (end - 1) & ~63u;

		if (start < bit)
			start = bit;
		give(zone, start, end - start);
		count = start - bit;
	}
}

static void take_bits(struct zone *zone, uint32_t bit, unsigned count)
{
	struct range range = range_of(zone, bit, count);

	mm_poke(range.word->free, range.word->free & ~range.low);
	if (!range.word->free)
		hint_set(zone, bit / 64, 0);
	if (!range.high)
		return;
	mm_poke(range.word[1].free, range.word[1].free & ~range.high);
	if (!range.word[1].free)
		hint_set(zone, bit / 64 + 1, 0);
}

// The first bit of a free run of `count`; MM_NIL if there is none.
static uint32_t find_run(struct zone *zone, unsigned count)
{
	uint64_t candidates;

	while ((candidates = zone->buckets >> count)) {
		unsigned bucket = count + (unsigned)__builtin_ctzll(candidates);
		uint32_t index = zone->bucket[bucket];
		unsigned at = run_in_word(zone, index, count);

		if (at < 64)
			return index * 64 + at;
		hint_set(zone, index, mm_word_best(zone, index));
	}
	return MM_NIL;
}

static struct Page *take_run(struct zone *zone, unsigned count)
{
	mm_irq_t irq = mm_lock_irq(&zone->lock);
	uint32_t bit = find_run(zone, count);

	if (bit != MM_NIL)
		take_bits(zone, bit, count);
	mm_unlock_irq(&zone->lock, irq);
	return bit == MM_NIL ? NULL : &zone->pages[bit];
}

static void give_one(struct zone *zone, struct Page *page)
{
	mm_irq_t irq = mm_lock_irq(&zone->lock);

	give(zone, mm_page_bit(zone, page), 1);
	mm_unlock_irq(&zone->lock, irq);
}

// --- the one-frame caches of the CPUs ------------------------------------------------------------
static inline struct Page *cache_take(struct Page **slot)
{
	if (!mm_peek(*slot))
		return NULL;
	return __atomic_exchange_n(slot, NULL, __ATOMIC_ACQUIRE);
}

static inline bool cache_put(struct Page **slot, struct Page *page)
{
	struct Page *empty = NULL;

	return !mm_peek(*slot) && __atomic_compare_exchange_n(slot, &empty, page, false,
							      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

unsigned long mm_frames_flush(void)
{
	unsigned long flushed = 0;

	for (unsigned i = 0; i < mm_cpu_limit; i++) {
		struct mm_cpu *cpu = mm_peek(mm_cpus[i]);

		for (int zone = 0; cpu && zone < ZONE_COUNT; zone++) {
			struct Page *page = cache_take(&cpu->frame[zone]);

			if (!page)
				continue;
			give_one(&mm_zones[zone], page);
			flushed++;
		}
	}
	return flushed;
}

// --- alloc_pages
// ------------------------------------------------------------------------------------
static const uint8_t zone_index[] = {
	ZONE_COUNT, MM_ZONE_DMA, MM_ZONE_NORMAL, ZONE_COUNT, MM_ZONE_UNMAPPED,
};

static enum mm_status validate(unsigned zone_select, int num, ul flags)
{
	if (zone_select >= sizeof(zone_index) || zone_index[zone_select] == ZONE_COUNT)
		return MM_ERR_ZONE;
	if (num < 1 || num > MM_MAX_RUN_FRAMES)
		return MM_ERR_COUNT;
	return flags & ~PAGE_ATTR_KNOWN ? MM_ERR_FLAGS : MM_OK;
}

static struct Page *hand_out(struct zone *zone, struct Page *page, unsigned count, ul flags)
{
	struct range range = range_of(zone, mm_page_bit(zone, page), count);

	if (zone != &mm_zones[MM_ZONE_UNMAPPED])
		flags |= PAGE_PGT_MAPPED;
	page->attr = (uint32_t)flags;
	page->refs = 1;
	mm_poke(page->run_frames, (uint8_t)count);
	page->site = 0;
	mm_count(zone->taken, count);
	mm_count(zone->allocs, 1);
	if (flags & PAGE_SHARED)
		mm_count(zone->shared, count);
	set_alloc_bits(&range);
	return page;
}

// The zone has no such run at hand: collects what is idle elsewhere and tries again.
static __attribute__((noinline)) struct Page *take_after_trim(struct zone *zone, unsigned count)
{
	struct Page *page = mm_frames_flush() ? take_run(zone, count) : NULL;

	if (!page && zone != &mm_zones[MM_ZONE_UNMAPPED] && mm_trim())
		page = take_run(zone, count);
	return page;
}

static struct Page *refuse(unsigned zone_select, int num, ul flags, enum mm_status status,
			   uint64_t site)
{
	if (status != MM_ERR_ZONE)
		mm_count(mm_zones[zone_index[zone_select]].failed, 1);
	mm_gen_bump();
	mm_report_failure(MM_EVENT_ALLOC_PAGES, status, (uint64_t)num << MM_FRAME_SHIFT,
			  zone_select | (uint64_t)flags << 32, site);
	return NULL;
}

static void report_alloc(struct Page *page, unsigned zone_select, unsigned count, uint64_t site,
			 uint32_t flags)
{
	struct mm_event event = {
		.type = MM_EVENT_ALLOC_PAGES,
		.address = page->frame << MM_FRAME_SHIFT,
		.size = (uint64_t)count << MM_FRAME_SHIFT,
		.aux = page->attr,
		.flags = zone_select,
		.site = site,
	};

	if (flags & MM_SWITCH_ATTRIBUTION) {
		page->site = site;
		page->birth_us = mm_port_clock_us();
		mm_site_count_frames(count, site, true);
	}
	mm_report(&event, flags);
}

static __attribute__((noinline)) struct Page *alloc_slow(unsigned zone_select, int num, ul flags,
							 uint64_t site)
{
	enum mm_status status = validate(zone_select, num, flags);
	uint32_t mode = mm_peek(mm_flags);
	struct zone *zone;
	struct Page *page;

	if (status != MM_OK)
		return refuse(zone_select, num, flags, status, site);
	if (mode & SLOW_FAIL && mm_fail_now(MM_FAIL_ALLOC_PAGES))
		return refuse(zone_select, num, flags, MM_ERR_INJECTED, site);
	zone = &mm_zones[zone_index[zone_select]];
	page = take_run(zone, (unsigned)num);
	if (!page)
		page = take_after_trim(zone, (unsigned)num);
	if (!page)
		return refuse(zone_select, num, flags, MM_ERR_NO_RUN, site);
	hand_out(zone, page, (unsigned)num, flags);
	if (mode & FRAME_SLOW)
		report_alloc(page, zone_select, (unsigned)num, site, mode);
	return page;
}

struct Page *alloc_pages(unsigned int zone_select, int num, ul flags)
{
	struct zone *zone;
	struct Page *page;

	if (mm_unlikely(mm_peek(mm_flags) & FRAME_SLOW) ||
	    mm_unlikely(validate(zone_select, num, flags) != MM_OK))
		return alloc_slow(zone_select, num, flags, MM_CALLER);
	zone = &mm_zones[zone_index[zone_select]];
	page = num == 1 ? cache_take(&mm_port_cpu()->frame[zone_index[zone_select]]) : NULL;
	if (!page)
		page = take_run(zone, (unsigned)num);
	if (mm_unlikely(!page))
		return alloc_slow(zone_select, num, flags, MM_CALLER);
	return hand_out(zone, page, (unsigned)num, flags);
}

// Where a run of `count` would come from; MM_NIL bits are never given out. What is idle in caches
// does not count: a real request would collect it, a question must not.
static bool would_take(unsigned zone_nr, unsigned count, paddr_t *address)
{
	struct zone *zone = &mm_zones[zone_nr];
	struct Page *page = count == 1 ? mm_peek(mm_port_cpu()->frame[zone_nr]) : NULL;

	if (!page) {
		mm_irq_t irq = mm_lock_irq(&zone->lock);
		uint32_t bit = find_run(zone, count);

		mm_unlock_irq(&zone->lock, irq);
		page = bit == MM_NIL ? NULL : &zone->pages[bit];
	}
	if (page && address)
		*address = mm_page_to_phys(page);
	return page != NULL;
}

enum mm_status mm_query_alloc_pages(unsigned int zone_select, int num, ul flags, paddr_t *address)
{
	enum mm_status status = validate(zone_select, num, flags);

	if (status != MM_OK)
		return status;
	return would_take(zone_index[zone_select], (unsigned)num, address) ? MM_OK : MM_ERR_NO_RUN;
}

// --- free_pages
// -----------------------------------------------------------------------------------------
static bool page_is_ours(const struct Page *page)
{
	uintptr_t offset = (uintptr_t)page - (uintptr_t)mm_pages;

	return offset < mm_page_total * sizeof(struct Page) && offset % sizeof(struct Page) == 0 &&
	       page->frame != MM_GUARD_FRAME;
}

enum mm_frame_state mm_frame_state(const struct Page *page)
{
	const struct zone *zone = &mm_zones[page->zone];
	uint32_t bit = mm_page_bit(zone, page);
	const struct frame_word *word = &zone->word[bit / 64];
	uint64_t mask = UINT64_C(1) << (bit % 64);

	if (mm_peek(word->alloc) & mask)
		return MM_FRAME_ALLOCATED;
	if (mm_peek(word->slab) & mask)
		return MM_FRAME_SLAB;
	return mm_peek(word->kernel) & mask ? MM_FRAME_KERNEL : MM_FRAME_FREE;
}

enum mm_status mm_frames_verdict(const struct Page *page, int number)
{
	static const enum mm_status verdicts[] = {
		[MM_FRAME_FREE] = MM_ERR_FRAME_FREE,
		[MM_FRAME_KERNEL] = MM_ERR_FRAME_KERN,
		[MM_FRAME_SLAB] = MM_ERR_FRAME_SLAB,
		[MM_FRAME_ALLOCATED] = MM_OK,
	};

	if (!page)
		return MM_ERR_NULL;
	if (number < 1 || number > MM_MAX_RUN_FRAMES)
		return MM_ERR_COUNT;
	for (int i = 0; i < number; i++) {
		// The guard behind every stretch also ends a range that leaves it.
		if (!page_is_ours(page + i))
			return MM_ERR_NOT_FRAME;
		if (mm_frame_state(page + i) != MM_FRAME_ALLOCATED)
			return verdicts[mm_frame_state(page + i)];
	}
	return MM_OK;
}

const struct Page *mm_run_head(const struct Page *page)
{
	for (int back = 0; back < MM_MAX_RUN_FRAMES && !mm_peek(page->run_frames); back++)
		page--;
	return page;
}

// The frames [page, page + count) of the run of `head` end. What remains of the
// run behind them gets a head of its own.
static void cut_run(struct Page *head, struct Page *page, unsigned count)
{
	unsigned before = (unsigned)(page - head);
	unsigned after = head->run_frames - before - count;

	if (after) {
		struct Page *rest = page + count;

		rest->attr = head->attr;
		rest->refs = head->refs;
		rest->site = head->site;
		rest->birth_us = head->birth_us;
		mm_poke(rest->run_frames, (uint8_t)after);
	}
	mm_poke(head->run_frames, (uint8_t)before);
	if (!before)
		head->refs = 0;
}

// Ends the runs, or parts of runs, that make up the range; claimed already.
static void end_runs(struct zone *zone, struct Page *page, unsigned number)
{
	struct Page *head = (struct Page *)mm_run_head(page);

	while (number) {
		unsigned left = head->run_frames - (unsigned)(page - head);
		unsigned count = number < left ? number : left;

		if (head->attr & PAGE_SHARED)
			mm_count(zone->shared, -(uint64_t)count);
		if (head->site)
			mm_site_count_frames(count, head->site, false);
		cut_run(head, page, count);
		page += count;
		head = page;
		number -= count;
	}
}

static enum mm_status free_run(struct zone *zone, struct Page *page, int number)
{
	uint32_t bit = mm_page_bit(zone, page);
	struct range range = range_of(zone, bit, (unsigned)number);
	mm_irq_t irq;

	// A range within the zone's array: the guard at its end is never allocated.
	if (bit + (unsigned)number > zone->bits)
		return mm_frames_verdict(page, number);
	irq = mm_lock_irq(&zone->lock);
	if (!claim_alloc_bits(&range)) {
		enum mm_status verdict = mm_frames_verdict(page, number);

		mm_unlock_irq(&zone->lock, irq);
		return verdict == MM_OK ? MM_ERR_FRAME_FREE : verdict;
	}
	end_runs(zone, page, (unsigned)number);
	give(zone, bit, (unsigned)number);
	mm_count(zone->taken, -(uint64_t)number);
	mm_count(zone->frees, 1);
	mm_unlock_irq(&zone->lock, irq);
	return MM_OK;
}

// A run of one frame: no lock, and the frame stays with this CPU if it has room.
static enum mm_status free_single(struct zone *zone, struct Page *page)
{
	uint32_t bit = mm_page_bit(zone, page);
	uint64_t mask = UINT64_C(1) << (bit % 64);
	uint32_t attr = page->attr;

	if (!(__atomic_fetch_and(&zone->word[bit / 64].alloc, ~mask, __ATOMIC_ACQ_REL) & mask))
		return mm_frames_verdict(page, 1) == MM_OK ? MM_ERR_FRAME_FREE
							   : mm_frames_verdict(page, 1);
	if (mm_unlikely(page->site))
		mm_site_count_frames(1, page->site, false);
	mm_poke(page->run_frames, 0);
	page->refs = 0;
	if (attr & PAGE_SHARED)
		mm_count(zone->shared, -UINT64_C(1));
	mm_count(zone->taken, -UINT64_C(1));
	mm_count(zone->frees, 1);
	if (!cache_put(&mm_port_cpu()->frame[page->zone], page))
		give_one(zone, page);
	return MM_OK;
}

static inline enum mm_status try_free(struct Page *page, int number)
{
	if (mm_unlikely(!page_is_ours(page)) || mm_unlikely((unsigned)number - 1 >= 63))
		return mm_frames_verdict(page, number);
	if (number == 1 && mm_peek(page->run_frames) == 1)
		return free_single(&mm_zones[page->zone], page);
	return free_run(&mm_zones[page->zone], page, number);
}

static void report_free(const struct Page *page, int number, uint64_t site)
{
	struct mm_event event = {
		.type = MM_EVENT_FREE_PAGES,
		.address = page->frame << MM_FRAME_SHIFT,
		.size = (uint64_t)number << MM_FRAME_SHIFT,
		.site = site,
	};

	mm_report(&event, mm_peek(mm_flags));
}

static enum mm_status free_slow(struct Page *page, int number, enum mm_status status, uint64_t site)
{
	if (status == MM_OK) {
		report_free(page, number, site);
		return MM_OK;
	}
	mm_gen_bump();
	mm_report_failure(MM_EVENT_FREE_PAGES, status, (uint64_t)number << MM_FRAME_SHIFT,
			  (uintptr_t)page, site);
	return status;
}

enum mm_status mm_try_free_pages(struct Page *page, int number)
{
	enum mm_status status = try_free(page, number);

	if (mm_unlikely(status != MM_OK) || mm_unlikely(mm_peek(mm_flags) & FRAME_SLOW))
		return free_slow(page, number, status, MM_CALLER);
	return MM_OK;
}

void free_pages(struct Page *page, int number)
{
	enum mm_status status = try_free(page, number);
	char text[400];

	if (mm_likely(status == MM_OK) && mm_likely(!(mm_peek(mm_flags) & FRAME_SLOW)))
		return;
	if (free_slow(page, number, status, MM_CALLER) == MM_OK)
		return;
	mm_describe_free_pages(text, sizeof(text), page, number, status, MM_CALLER);
	mm_port_panic(text);
}

// --- frames of the slab
// --------------------------------------------------------------------------------
struct Page *mm_frame_take_slab(void)
{
	static const int zones[] = {MM_ZONE_NORMAL, MM_ZONE_DMA};

	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < 2; i++) {
			struct zone *zone = &mm_zones[zones[i]];
			struct Page *page = take_run(zone, 1);
			struct range range;

			if (!page)
				continue;
			range = range_of(zone, mm_page_bit(zone, page), 1);
			__atomic_fetch_or(&range.word->slab, range.low, __ATOMIC_RELAXED);
			mm_count(zone->taken, 1);
			return page;
		}
		if (!mm_frames_flush())
			break;
	}
	return NULL;
}

void mm_frame_give_slab(struct Page *page)
{
	struct zone *zone = &mm_zones[page->zone];
	struct range range = range_of(zone, mm_page_bit(zone, page), 1);

	__atomic_fetch_and(&range.word->slab, ~range.low, __ATOMIC_RELAXED);
	mm_count(zone->taken, -UINT64_C(1));
	give_one(zone, page);
}

// --- addresses
// --------------------------------------------------------------------------------------------
paddr_t mm_page_to_phys(const struct Page *page)
{
	return mm_pa(page->frame << MM_FRAME_SHIFT);
}

struct Page *mm_phys_to_page(paddr_t address)
{
	uint64_t frame = address.value >> MM_FRAME_SHIFT;
	uint32_t index = mm_extent_at(frame);
	const struct extent *extent = &mm_map.extents[index];

	if (index == mm_map.count || frame < extent->first || extent->zone < 0)
		return NULL;
	return &mm_zones[extent->zone].pages[extent->bit + (frame - extent->first)];
}

vaddr_t mm_page_to_virt(const struct Page *page)
{
	if (page->zone == MM_ZONE_UNMAPPED)
		return mm_va(0);
	return mm_va_of(mm_phys_to_virt(mm_page_to_phys(page)));
}

ul mm_page_attr(const struct Page *page)
{
	ul mapped = page->zone == MM_ZONE_UNMAPPED ? 0 : PAGE_PGT_MAPPED;

	switch (mm_frame_state(page)) {
	case MM_FRAME_ALLOCATED:
		return mm_run_head(page)->attr;
	case MM_FRAME_SLAB:
		return PAGE_KERNEL | mapped;
	case MM_FRAME_KERNEL:
		return PAGE_KERNEL | PAGE_KERNEL_INIT | mapped;
	default:
		return 0;
	}
}

unsigned mm_page_refs(const struct Page *page)
{
	return mm_frame_state(page) == MM_FRAME_ALLOCATED ? mm_run_head(page)->refs : 0;
}

uint32_t mm_longest_run(const struct zone *zone)
{
	uint32_t longest = 0, run = 0;

	for (uint32_t index = 0; index < zone->words; index++) {
		uint64_t left = mm_peek(zone->word[index].free);
		unsigned done = 0;

		if (left == ~UINT64_C(0)) {
			run += 64;
			continue;
		}
		while (done < 64) {
			unsigned ones = (unsigned)__builtin_ctzll(~left);

			run += ones;
			longest = run > longest ? run : longest;
			done += ones;
			left >>= ones;
			if (done == 64)
				break; // the run goes on in the next word
			run = 0;
			if (!left)
				break;
			done += (unsigned)__builtin_ctzll(left);
			left >>= __builtin_ctzll(left);
		}
	}
	return run > longest ? run : longest;
}
