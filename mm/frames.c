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
//     free       shared free set
//     alloc      in a run of two frames or more, given out by alloc_pages
//     slab       backing of objects (pool.c)
//     kernel     the image, mm's own tables, what start-up had in use
//     no bit     a run of one frame, if its Page says run_frames = 1; otherwise
//                free in the one-frame cache of a CPU, or a guard
// The bits change under zone.lock. A run of one frame is given out by storing its
// length, 1, and freed by exchanging that 1 for 0: one atomic instruction tests
// and clears, so single frames need no lock. Every question about a frame is one
// or two tests, and a wrong free is found before anything has changed.
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
// stays one). `promised` of a word is the free set that hints were made for: as
// long as a freed frame is in it, nothing needs to be looked at. Otherwise it
// joins `promised`, and the hints of the words that the grown run touches rise. A search that meets
// a hint which promises too much corrects it and goes on: each correction was paid for by an
// earlier allocation, so the cost of n operations is O(n) whatever the size and the fragmentation
// of the zone. No loop runs over the zone.
//
// CPUs. In front of the zones each CPU keeps one free frame per zone. It is
// exchanged atomically, so no lock and no disabled interrupts are needed, and
// any CPU can empty all of these caches when a zone runs dry: memory is never
// refused while a frame is free. Everything longer than one frame takes
// zone.lock, with interrupts off, for some 100 instructions.
//
// Invariants (frames_check in check.c)
//   1  free, alloc, slab, kernel of a word are disjoint; guards have none.
//   2  free is a part of promised; hint >= longest run starting in the word, in
//      terms of promised; a word is in bucket `hint` exactly when hint > 0; the
//      mask fits the buckets.
//   3  run lengths: the alloc bits decompose exactly into runs longer than one; a
//      Page that is no head has length 0 and refs 0.
//   4  given - returned = frames - free - cached; shared = frames in runs with
//      PAGE_SHARED.
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
uint64_t mm_page_bytes;

#define FRAME_SLOW (SLOW_FRAMES | SLOW_FAIL | MM_SWITCH_ATTRIBUTION | MM_SWITCH_LAST_CALLER)

// --- bits of a range that may lie in two words --------------------------------
struct range {
	struct frame_word *word; // the first one
	uint64_t low, high;	 // masks in it and in its successor
};

static inline struct range range_at(struct frame_word *word, unsigned at, unsigned count)
{
	uint64_t mask = ~UINT64_C(0) >> (64 - count);

	return (struct range){word, mask << at, mask >> 1 >> (63 - at)};
}

static inline struct range range_of(const struct zone *zone, uint32_t bit, unsigned count)
{
	return range_at(&zone->word[bit / 64], bit % 64, count);
}

static inline void toggle(uint64_t *word, uint64_t mask)
{
	mm_poke(*word, *word ^ mask);
}

static inline void toggle_free(const struct range *range)
{
	toggle(&range->word->free, range->low);
	if (range->high)
		toggle(&range->word[1].free, range->high);
}

static inline void toggle_alloc(const struct range *range)
{
	toggle(&range->word->alloc, range->low);
	if (range->high)
		toggle(&range->word[1].alloc, range->high);
}

// --- buckets ------------------------------------------------------------------
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

// --- runs inside a window of two words ----------------------------------------
// Bit i of *low: i begins a run that is `more` longer than the runs which began
// there before. Shifts the 128-bit window right and ANDs it with itself.
static inline void window_and(uint64_t *low, uint64_t *high, unsigned more)
{
	*low &= (*low >> more) | (*high << (64 - more));
	*high &= *high >> more;
}

// Where `count` (1..63) free frames begin in word `index`, if they do so at its first
// free frame or in the run that reaches its top; else 64. No loop, and the right
// answer in most words that are not utterly broken.
static inline unsigned run_at_ends(const struct zone *zone, uint32_t index, unsigned count)
{
	uint64_t low = mm_peek(zone->word[index].free);
	uint64_t high, busy;
	unsigned first, top, ahead;

	if (!low)
		return 64;
	first = (unsigned)__builtin_ctzll(low);
	busy = ~(low >> first);
	if (!busy || (unsigned)__builtin_ctzll(busy) >= count)
		return first;
	high = mm_peek(zone->word[index + 1].free);
	top = (unsigned)__builtin_clzll(~low);
	ahead = ~high ? (unsigned)__builtin_ctzll(~high) : 64;
	return top && top + ahead >= count ? 64 - top : 64;
}

// A bit of word `index` where `count` (1..63) free frames begin; 64 if none.
static unsigned run_in_word(const struct zone *zone, uint32_t index, unsigned count)
{
	uint64_t low = mm_peek(zone->word[index].free);
	uint64_t high = mm_peek(zone->word[index + 1].free);
	unsigned at = run_at_ends(zone, index, count);

	if (at < 64)
		return at;
	for (unsigned length = 1; length < count && low;) {
		unsigned more = length < count - length ? length : count - length;

		window_and(&low, &high, more);
		length += more;
	}
	return low ? (unsigned)__builtin_ctzll(low) : 64;
}

// Longest run, at most 63, that starts in the low word.
static unsigned window_best(uint64_t low_word, uint64_t high_word)
{
	uint64_t low[6] = {low_word}, high[6] = {high_word}; // starts of runs of 1 << k
	uint64_t starts;
	unsigned k = 0, length;

	if (!low_word)
		return 0;
	for (; k < 5; k++) {
		low[k + 1] = low[k];
		high[k + 1] = high[k];
		window_and(&low[k + 1], &high[k + 1], 1u << k);
		if (!low[k + 1])
			break;
	}
	// Extend the longest power of two by smaller ones, where they still fit.
	starts = low[k];
	for (length = 1u << k; k-- > 0;) {
		uint64_t fit = starts & ((low[k] >> length) | (high[k] << (64 - length)));

		if (!fit)
			continue;
		starts = fit;
		length += 1u << k;
	}
	return length;
}

unsigned mm_word_best(const struct zone *zone, uint32_t index, bool promised)
{
	const struct frame_word *word = &zone->word[index];

	if (promised)
		return window_best(word->promised, word[1].promised);
	return window_best(mm_peek(word->free), mm_peek(word[1].free));
}

// --- the free set, under zone.lock --------------------------------------------
// Promised frames directly below / from `bit` on, seen one word further at most.
static unsigned promised_below(const struct zone *zone, uint32_t bit)
{
	unsigned inside = bit % 64;
	uint32_t index = bit / 64;
	unsigned count = 0;

	if (inside) {
		uint64_t busy = ~zone->word[index].promised << (64 - inside);

		count = busy ? (unsigned)__builtin_clzll(busy) : inside;
		if (count < inside)
			return count;
	}
	if (index) {
		uint64_t busy = ~zone->word[index - 1].promised;

		count += busy ? (unsigned)__builtin_clzll(busy) : 64;
	}
	return count;
}

static unsigned promised_from(const struct zone *zone, uint32_t bit)
{
	unsigned inside = bit % 64;
	uint32_t index = bit / 64;
	unsigned count;
	uint64_t busy;

	if (index >= zone->words)
		return 0;
	busy = ~zone->word[index].promised >> inside;
	count = busy ? (unsigned)__builtin_ctzll(busy) : 64 - inside;
	if (count == 64 - inside) {
		busy = ~zone->word[index + 1].promised;
		count += busy ? (unsigned)__builtin_ctzll(busy) : 64;
	}
	return count;
}

// Frames [bit, bit + count) have become free and were not promised: raises the
// hints of the words in which the run that they now belong to begins or goes on.
static __attribute__((noinline)) void promise(struct zone *zone, uint32_t bit, unsigned count)
{
	struct range range = range_of(zone, bit, count);
	uint32_t last = (bit + count - 1) / 64;
	uint32_t start, end;

	range.word->promised |= range.low;
	if (range.high)
		range.word[1].promised |= range.high;
	start = bit - promised_below(zone, bit);
	end = bit + count + promised_from(zone, bit + count);
	for (uint32_t index = start / 64; index <= last; index++) {
		uint32_t from = index * 64 > start ? index * 64 : start;
		uint32_t length = end - from < 63 ? end - from : 63;

		if (length > zone->word[index].hint)
			hint_set(zone, index, length);
	}
}

// The free set is no part of a search's hopes any more: makes hint and promise of
// a word, and the promise of the next, what is really there.
static __attribute__((noinline)) void correct(struct zone *zone, uint32_t index)
{
	struct frame_word *word = &zone->word[index];

	word->promised = word->free;
	word[1].promised = word[1].free;
	hint_set(zone, index, mm_word_best(zone, index, false));
}

static inline bool is_promised(const struct range *range)
{
	return !(range->low & ~range->word->promised) &&
	       (!range->high || !(range->high & ~range->word[1].promised));
}

static void give(struct zone *zone, uint32_t bit, unsigned count)
{
	struct range range = range_of(zone, bit, count);

	toggle_free(&range);
	if (!is_promised(&range))
		promise(zone, bit, count);
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

// Where a run lies: bit `at` of word `index`; at = 64: nowhere.
struct place {
	uint32_t index;
	unsigned at;
};

static __attribute__((noinline)) struct place search(struct zone *zone, unsigned count)
{
	uint64_t candidates;

	while ((candidates = zone->buckets >> count)) {
		unsigned bucket = count + (unsigned)__builtin_ctzll(candidates);
		uint32_t index = zone->bucket[bucket];
		unsigned at = run_in_word(zone, index, count);

		if (at < 64)
			return (struct place){index, at};
		correct(zone, index);
	}
	return (struct place){0, 64};
}

// The first word of the best bucket, if a run lies at its ends.
static inline __attribute__((always_inline)) struct place find_at_ends(const struct zone *zone,
								       unsigned count)
{
	uint64_t candidates = zone->buckets >> count;
	uint32_t index;

	if (mm_unlikely(!candidates))
		return (struct place){0, 64};
	index = zone->bucket[count + (unsigned)__builtin_ctzll(candidates)];
	return (struct place){index, run_at_ends(zone, index, count)};
}

static inline struct Page *take_place(struct zone *zone, struct place place, unsigned count)
{
	struct range range;

	if (mm_unlikely(place.at == 64))
		return NULL;
	range = range_at(&zone->word[place.index], place.at, count);
	toggle_free(&range);
	if (count > 1)
		toggle_alloc(&range);
	return &zone->pages[place.index * 64 + place.at];
}

static struct Page *take_run(struct zone *zone, unsigned count)
{
	mm_irq_t irq = mm_lock_irq(&zone->lock);
	struct Page *page = take_place(zone, search(zone, count), count);

	mm_unlock_irq(&zone->lock, irq);
	return page;
}

// What take_run does, if it is simple and the lock is free; calls nothing, so that
// it costs no stack frame.
static inline __attribute__((always_inline)) struct Page *take_simple_run(struct zone *zone,
									  unsigned count)
{
	mm_irq_t irq = mm_port_irq_save();
	struct Page *page = NULL;

	if (mm_likely(mm_lock_try(&zone->lock))) {
		page = take_place(zone, find_at_ends(zone, count), count);
		mm_unlock(&zone->lock);
	}
	mm_port_irq_restore(irq);
	return page;
}

static __attribute__((noinline)) void give_one(struct zone *zone, struct Page *page)
{
	mm_irq_t irq = mm_lock_irq(&zone->lock);

	give(zone, mm_page_bit(zone, page), 1);
	mm_unlock_irq(&zone->lock, irq);
}

// --- the one-frame caches of the CPUs -----------------------------------------
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

// --- alloc_pages --------------------------------------------------------------
static struct zone *const zone_of_selector[] = {
	NULL, &mm_zones[MM_ZONE_DMA], &mm_zones[MM_ZONE_NORMAL], NULL, &mm_zones[MM_ZONE_UNMAPPED],
};
#define SELECTORS (sizeof(zone_of_selector) / sizeof(zone_of_selector[0]))

static struct zone *zone_selected(unsigned zone_select)
{
	return zone_select < SELECTORS ? zone_of_selector[zone_select] : NULL;
}

static enum mm_status validate(const struct zone *zone, int num, ul flags)
{
	if (!zone)
		return MM_ERR_ZONE;
	if (num < 1 || num > MM_MAX_RUN_FRAMES)
		return MM_ERR_COUNT;
	return flags & ~PAGE_ATTR_KNOWN ? MM_ERR_FLAGS : MM_OK;
}

static inline struct Page *hand_out(struct zone *zone, struct Page *page, unsigned count, ul flags)
{
	mm_poke(page->attr, (uint32_t)(flags | zone->attr));
	mm_poke(page->refs, 1);
	mm_count(zone->given, count);
	mm_count(zone->runs_given, 1);
	if (mm_unlikely(flags & PAGE_SHARED))
		mm_count(zone->shared, count);
	__atomic_store_n(&page->run_frames, (uint8_t)count, __ATOMIC_RELEASE);
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

static MM_COLD struct Page *refuse(unsigned zone_select, int num, ul flags, enum mm_status status,
				   uint64_t site)
{
	if (status != MM_ERR_ZONE)
		mm_count(zone_selected(zone_select)->failed, 1);
	mm_gen_bump();
	mm_report_failure(MM_EVENT_ALLOC_PAGES, status, (uint64_t)num << MM_FRAME_SHIFT,
			  zone_select | (uint64_t)flags << 32, site);
	return NULL;
}

static MM_COLD void report_alloc(struct Page *page, unsigned zone_select, unsigned count,
				 uint64_t site, uint32_t flags)
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
		mm_poke(page->site, site);
		mm_poke(page->birth_us, mm_port_clock_us());
		mm_site_count_frames(count, site, true);
	}
	mm_report(&event, flags);
}

// The long way: refusals, failure injection, listeners, memory to be collected.
static MM_COLD struct Page *alloc_rest(unsigned zone_select, int num, ul flags, uint64_t site)
{
	struct zone *zone = zone_selected(zone_select);
	enum mm_status status = validate(zone, num, flags);
	uint32_t mode = mm_peek(mm_flags);
	struct Page *page;

	if (mm_unlikely(status != MM_OK))
		return refuse(zone_select, num, flags, status, site);
	if (mm_unlikely(mode & SLOW_FAIL) && mm_fail_now(MM_FAIL_ALLOC_PAGES))
		return refuse(zone_select, num, flags, MM_ERR_INJECTED, site);
	page = take_run(zone, (unsigned)num);
	if (mm_unlikely(!page) && !(page = take_after_trim(zone, (unsigned)num)))
		return refuse(zone_select, num, flags, MM_ERR_NO_RUN, site);
	hand_out(zone, page, (unsigned)num, flags);
	if (mm_unlikely(mode & FRAME_SLOW))
		report_alloc(page, zone_select, (unsigned)num, site, mode);
	return page;
}

// A run that is found at once, while nobody watches.
static __attribute__((noinline)) struct Page *alloc_run(unsigned zone_select, int num, ul flags,
							uint64_t site)
{
	struct zone *zone = zone_selected(zone_select);

	if (mm_likely(!(mm_peek(mm_flags) & FRAME_SLOW)) &&
	    mm_likely(validate(zone, num, flags) == MM_OK)) {
		struct Page *page = take_simple_run(zone, (unsigned)num);

		if (mm_likely(page))
			return hand_out(zone, page, (unsigned)num, flags);
	}
	return alloc_rest(zone_select, num, flags, site);
}

struct Page *alloc_pages(unsigned int zone_select, int num, ul flags)
{
	if (num == 1) {
		struct zone *zone = zone_selected(zone_select);

		if (mm_likely(zone) && mm_likely(!(mm_peek(mm_flags) & FRAME_SLOW)) &&
		    mm_likely(!(flags & ~PAGE_ATTR_KNOWN))) {
			struct Page *page = cache_take(&mm_port_cpu()->frame[zone->index]);

			if (mm_likely(page))
				return hand_out(zone, page, 1, flags);
		}
	}
	return alloc_run(zone_select, num, flags, MM_CALLER);
}

enum mm_status mm_query_alloc_pages(unsigned int zone_select, int num, ul flags, paddr_t *address)
{
	struct zone *zone = zone_selected(zone_select);
	enum mm_status status = validate(zone, num, flags);
	struct place place = {0, 64};

	// Flushing moves free frames between two places and is seen by nobody.
	for (int pass = 0; status == MM_OK && place.at == 64 && pass < 2; pass++) {
		mm_irq_t irq;

		if (pass)
			mm_frames_flush();
		irq = mm_lock_irq(&zone->lock);
		place = search(zone, (unsigned)num);
		mm_unlock_irq(&zone->lock, irq);
	}
	if (status == MM_OK && place.at == 64)
		return MM_ERR_NO_RUN;
	if (status == MM_OK && address)
		*address = mm_page_to_phys(&zone->pages[place.index * 64 + place.at]);
	return status;
}

// --- free_pages ---------------------------------------------------------------
static inline bool page_is_ours(const struct Page *page)
{
	uintptr_t offset = (uintptr_t)page - (uintptr_t)mm_pages;

	return offset < mm_page_bytes && offset % sizeof(struct Page) == 0;
}

static struct frame_word *word_of(const struct Page *page, uint64_t *mask)
{
	const struct zone *zone = &mm_zones[page->zone];
	uint32_t bit = mm_page_bit(zone, page);

	*mask = UINT64_C(1) << (bit % 64);
	return &zone->word[bit / 64];
}

enum mm_frame_state mm_frame_state(const struct Page *page)
{
	uint64_t mask;
	const struct frame_word *word = word_of(page, &mask);
	unsigned left;

	if (mm_peek(page->run_frames) == 1)
		return MM_FRAME_ALLOCATED;
	// Until its length is stored, and from when it is cleared, a run is nobody's.
	if (mm_peek(word->alloc) & mask)
		return mm_run_head(page, &left) ? MM_FRAME_ALLOCATED : MM_FRAME_FREE;
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
		if (!page_is_ours(page + i) || page[i].frame == MM_GUARD_FRAME)
			return MM_ERR_NOT_FRAME;
		if (mm_frame_state(page + i) != MM_FRAME_ALLOCATED)
			return verdicts[mm_frame_state(page + i)];
	}
	return MM_OK;
}

const struct Page *mm_run_head(const struct Page *page, unsigned *left)
{
	for (unsigned back = 0; back < MM_MAX_RUN_FRAMES; back++, page--) {
		unsigned frames = mm_peek(page->run_frames);

		if (frames > back)
			*left = frames - back;
		if (frames || page == mm_pages)
			return frames > back ? page : NULL;
	}
	return NULL;
}

// Books the end of `count` frames of a run with this head. Its site is booked by
// account_site, which only the long way needs: sites are 0 while attribution is off.
static inline void account_end(struct zone *zone, const struct Page *head, unsigned count)
{
	if (mm_unlikely(head->attr & PAGE_SHARED))
		mm_count(zone->shared, -(uint64_t)count);
	mm_count(zone->returned, count);
}

static void account_site(const struct Page *head, unsigned count)
{
	uint64_t site = mm_peek(head->site);

	if (site)
		mm_site_count_frames(count, site, false);
}

// The length of what remains of a run. A run of one frame has no alloc bit, and
// loses it before anybody can see that it is one.
static void remains(struct Page *head, unsigned frames)
{
	uint64_t mask;
	struct frame_word *word = word_of(head, &mask);

	if (frames == 1)
		mm_poke(word->alloc, word->alloc & ~mask);
	__atomic_store_n(&head->run_frames, (uint8_t)frames, __ATOMIC_RELEASE);
}

// The frames [page, page + count) of the run of `head` end. What remains of the
// run behind them gets a head of its own.
static void cut_run(struct Page *head, struct Page *page, unsigned count)
{
	unsigned before = (unsigned)(page - head);
	unsigned after = head->run_frames - before - count;

	if (after) {
		struct Page *rest = page + count;

		mm_poke(rest->attr, head->attr);
		mm_poke(rest->refs, head->refs);
		mm_poke(rest->site, mm_peek(head->site));
		mm_poke(rest->birth_us, mm_peek(head->birth_us));
		remains(rest, after);
	}
	if (!before)
		mm_poke(head->refs, 0);
	remains(head, before);
}

static bool is_single(const struct Page *page)
{
	uint64_t mask;

	return !(mm_peek(word_of(page, &mask)->alloc) & mask);
}

// Takes the length 1 of a single frame away: only one caller can.
static inline bool claim_single(struct Page *page)
{
	uint8_t one = 1;

	return __atomic_compare_exchange_n(&page->run_frames, &one, 0, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static bool claim_singles(struct Page *page, int number)
{
	for (int i = 0; i < number; i++) {
		if (!is_single(page + i) || claim_single(page + i))
			continue;
		// Another CPU freed it at this moment; put back what we have.
		while (i-- > 0)
			if (is_single(page + i))
				mm_poke(page[i].run_frames, 1);
		return false;
	}
	return true;
}

// A range that is not exactly one run: parts of runs, several runs, singles.
static __attribute__((noinline)) enum mm_status free_parts(struct zone *zone, struct Page *page,
							   unsigned number)
{
	enum mm_status verdict = mm_frames_verdict(page, (int)number);
	unsigned count;

	if (verdict != MM_OK)
		return verdict;
	if (!claim_singles(page, (int)number))
		return MM_ERR_FRAME_FREE;
	for (; number; page += count, number -= count) {
		uint32_t bit = mm_page_bit(zone, page);

		count = 1;
		if (is_single(page)) {
			account_end(zone, page, 1);
			account_site(page, 1);
			mm_poke(page->refs, 0);
		} else {
			unsigned left = 1;
			struct Page *head = (struct Page *)mm_run_head(page, &left);
			struct range range;

			count = number < left ? number : left;
			range = range_of(zone, bit, count);
			account_end(zone, head, count);
			account_site(head, count);
			toggle_alloc(&range);
			cut_run(head, page, count);
		}
		give(zone, bit, count);
	}
	return MM_OK;
}

// page->run_frames == number > 1, the range is that of the run, zone.lock held.
static inline void free_whole(struct zone *zone, struct Page *page, const struct range *range)
{
	account_end(zone, page, page->run_frames);
	mm_poke(page->refs, 0);
	mm_poke(page->run_frames, 0);
	toggle_alloc(range);
	toggle_free(range);
}

static enum mm_status free_run(struct Page *page, unsigned number)
{
	struct zone *zone = &mm_zones[page->zone];
	mm_irq_t irq = mm_lock_irq(&zone->lock);
	enum mm_status status = MM_OK;

	// A whole run needs no look at each of its frames, also where it was not promised.
	if (number > 1 && page->run_frames == number) {
		struct range range = range_of(zone, mm_page_bit(zone, page), number);

		account_site(page, number);
		free_whole(zone, page, &range);
		if (!is_promised(&range))
			promise(zone, mm_page_bit(zone, page), number);
	} else {
		status = free_parts(zone, page, number);
	}
	mm_unlock_irq(&zone->lock, irq);
	return status;
}

// A single frame that is claimed needs no lock, and stays with this CPU if there
// is room.
static inline void free_single(struct Page *page)
{
	struct zone *zone = &mm_zones[page->zone];

	account_end(zone, page, 1);
	mm_count(zone->runs_returned, 1);
	mm_poke(page->refs, 0);
	if (mm_unlikely(!cache_put(&mm_port_cpu()->frame[page->zone], page)))
		give_one(zone, page);
}

static MM_COLD void report_free(const struct Page *page, int number, uint64_t site)
{
	struct mm_event event = {
		.type = MM_EVENT_FREE_PAGES,
		.address = page->frame << MM_FRAME_SHIFT,
		.size = (uint64_t)number << MM_FRAME_SHIFT,
		.site = site,
	};

	mm_report(&event, mm_peek(mm_flags));
}

static MM_COLD void report_refusal(const struct Page *page, int number, enum mm_status status,
				   uint64_t site)
{
	mm_gen_bump();
	mm_report_failure(MM_EVENT_FREE_PAGES, status, (uint64_t)number << MM_FRAME_SHIFT,
			  (uintptr_t)page, site);
}

// The long way: verdicts, parts of runs, listeners.
static MM_COLD enum mm_status free_rest(struct Page *page, int number, uint64_t site)
{
	enum mm_status status = MM_OK;

	if (mm_unlikely(!page_is_ours(page)) ||
	    mm_unlikely((unsigned)number - 1 >= MM_MAX_RUN_FRAMES))
		status = mm_frames_verdict(page, number);
	else
		status = free_run(page, (unsigned)number);
	if (mm_unlikely(status != MM_OK)) {
		report_refusal(page, number, status, site);
		return status;
	}
	mm_count(mm_zones[page->zone].runs_returned, 1);
	if (mm_unlikely(mm_peek(mm_flags) & FRAME_SLOW))
		report_free(page, number, site);
	return MM_OK;
}

enum mm_status mm_try_free_pages(struct Page *page, int number)
{
	return free_rest(page, number, MM_CALLER);
}

static MM_COLD void complain(struct Page *page, int number, enum mm_status status, uint64_t site)
{
	char text[400];

	mm_describe_free_pages(text, sizeof(text), page, number, status, site);
	mm_port_panic(text);
}

static MM_COLD void free_or_complain(struct Page *page, int number, uint64_t site)
{
	enum mm_status status = free_rest(page, number, site);

	if (mm_unlikely(status != MM_OK))
		complain(page, number, status, site);
}

// A whole run of two frames and more, all promised, and the lock is free; the rest
// goes the long way.
static inline __attribute__((always_inline)) bool free_plain(struct zone *zone, struct Page *page,
							     unsigned number)
{
	bool plain = false;

	if (mm_unlikely(!mm_lock_try(&zone->lock)))
		return false;
	if (mm_likely(page->run_frames == number) && mm_likely(number > 1)) {
		struct range range = range_of(zone, mm_page_bit(zone, page), number);

		plain = is_promised(&range);
		if (mm_likely(plain)) {
			free_whole(zone, page, &range);
			mm_count(zone->runs_returned, 1);
		}
	}
	mm_unlock(&zone->lock);
	return plain;
}

static __attribute__((noinline)) void free_many(struct Page *page, int number, uint64_t site)
{
	if (mm_likely(!(mm_peek(mm_flags) & FRAME_SLOW)) && mm_likely(page_is_ours(page))) {
		mm_irq_t irq = mm_port_irq_save();
		bool done = free_plain(&mm_zones[page->zone], page, (unsigned)number);

		mm_port_irq_restore(irq);
		if (mm_likely(done))
			return;
	}
	free_or_complain(page, number, site);
}

void free_pages(struct Page *page, int number)
{
	if (number == 1 && mm_likely(!(mm_peek(mm_flags) & FRAME_SLOW)) &&
	    mm_likely(page_is_ours(page)) && mm_likely(claim_single(page)))
		free_single(page);
	else
		free_many(page, number, MM_CALLER);
}

// --- frames of the slab -------------------------------------------------------
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
			mm_count(zone->given, 1);
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
	mm_count(zone->returned, 1);
	give_one(zone, page);
}

// --- addresses ----------------------------------------------------------------
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
	const struct Page *head;
	unsigned left;

	switch (mm_frame_state(page)) {
	case MM_FRAME_ALLOCATED:
		head = mm_run_head(page, &left);
		return head ? mm_peek(head->attr) : 0;
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
	const struct Page *head = NULL;
	unsigned left;

	if (mm_frame_state(page) == MM_FRAME_ALLOCATED)
		head = mm_run_head(page, &left);
	return head ? mm_peek(head->refs) : 0;
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
