// check.c: every invariant of the theory statements, as code.
#include "state.h"

void mm_check_fault(mm_checker_t *checker, const char *what, uint64_t a, uint64_t b)
{
	char line[200];
	struct text text;

	checker->report.faults++;
	if (!checker->fault)
		return;
	mm_text_init(&text, line, sizeof(line));
	mm_text_str(&text, what);
	mm_text_str(&text, ": ");
	mm_text_hex(&text, a);
	mm_text_str(&text, ", ");
	mm_text_hex(&text, b);
	checker->fault(line, checker->context);
}

static void expect(mm_checker_t *checker, bool holds, const char *what, uint64_t a, uint64_t b)
{
	if (!holds)
		mm_check_fault(checker, what, a, b);
}

// One look at everything of a kind. What is guarded by a lock is judged at once.
// What spans several structures can be half way on another CPU at this moment: it
// is only counted at first, and judged when it stays wrong while nothing moves.
struct pass {
	mm_checker_t *checker; // for what is judged at once
	mm_checker_t *judge;   // for the rest; NULL: count only
	uint64_t doubts;
};

static void settle(struct pass *pass, bool holds, const char *what, uint64_t a, uint64_t b)
{
	if (holds)
		return;
	pass->doubts++;
	if (pass->judge)
		mm_check_fault(pass->judge, what, a, b);
}

#define PATIENCE_US    20000 // long enough for any CPU to end what it began
#define PATIENCE_LOOKS 32    // without a change of mm_generation()
#define LOOKS_LIMIT    4096

// Looks until there is no doubt (true), or nothing has moved for so long that the
// doubts are faults (false). Where CPUs never rest, doubts stay doubts (true).
static bool doubts_end(void (*look)(struct pass *pass))
{
	uint64_t before = mm_generation();
	uint64_t since = mm_port_clock_us();
	unsigned still = 0;

	for (unsigned i = 0; i < LOOKS_LIMIT; i++) {
		mm_checker_t silent = {0};
		struct pass pass = {.checker = &silent};
		uint64_t now;

		mm_port_relax();
		look(&pass);
		if (!pass.doubts)
			return true;
		now = mm_generation();
		still++;
		if (now != before) {
			still = 0;
			since = mm_port_clock_us();
		}
		before = now;
		if (still >= PATIENCE_LOOKS && mm_port_clock_us() - since >= PATIENCE_US)
			return false;
	}
	return still < PATIENCE_LOOKS;
}

static void look_patiently(mm_checker_t *checker, void (*look)(struct pass *pass))
{
	mm_checker_t silent = {0};
	struct pass pass = {.checker = checker};

	look(&pass);
	if (!pass.doubts || doubts_end(look))
		return;
	pass = (struct pass){.checker = &silent, .judge = checker};
	look(&pass);
}

// --- frames -------------------------------------------------------------------
static unsigned bits_in(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

static void check_word(mm_checker_t *checker, const struct zone *zone, uint32_t index)
{
	const struct frame_word *word = &zone->word[index];
	uint64_t alloc = mm_peek(word->alloc), slab = mm_peek(word->slab);
	uint64_t all = word->free | alloc | slab | word->kernel;
	uint64_t address = zone->pages[index * 64].frame << MM_FRAME_SHIFT;

	expect(checker,
	       bits_in(word->free) + bits_in(alloc) + bits_in(slab) + bits_in(word->kernel) ==
		       bits_in(all),
	       "frames: a frame has two states", address, all);
	expect(checker, !(word->free & ~word->promised), "frames: a free frame is not promised",
	       address, word->free);
	expect(checker, word->hint >= mm_word_best(zone, index, true),
	       "frames: hint of a word below its longest run", address, word->hint);
	for (unsigned bit = 0; bit < 64; bit++)
		expect(checker,
		       zone->pages[index * 64 + bit].frame != MM_GUARD_FRAME || !(all >> bit & 1),
		       "frames: a guard has a state", address, bit);
}

static void check_buckets(mm_checker_t *checker, const struct zone *zone)
{
	uint32_t listed = 0, hinted = 0;

	for (uint32_t index = 0; index < zone->words; index++)
		hinted += zone->word[index].hint != 0;
	for (unsigned hint = 0; hint < 64; hint++) {
		uint32_t before = MM_NIL;

		expect(checker, (zone->bucket[hint] != MM_NIL) == (zone->buckets >> hint & 1),
		       "frames: mask of the buckets does not fit", hint, zone->buckets);
		for (uint32_t at = zone->bucket[hint]; at != MM_NIL && listed <= zone->words;
		     at = zone->word[at].next, listed++) {
			expect(checker,
			       zone->word[at].hint == hint && zone->word[at].prev == before,
			       "frames: bucket list broken", hint, at);
			before = at;
		}
	}
	expect(checker, listed == hinted, "frames: words with a hint, and words in buckets", hinted,
	       listed);
}

struct frame_sums {
	uint64_t free, alloc, slab, kernel, shared;
};

// Runs must tile the allocated frames exactly.
static void check_runs(struct pass *pass, const struct zone *zone, struct frame_sums *sums)
{
	uint32_t covered_to = 0;

	for (uint32_t bit = 0; bit < zone->bits; bit++) {
		const struct Page *page = &zone->pages[bit];
		const struct frame_word *word = &zone->word[bit / 64];
		bool allocated = mm_peek(word->alloc) >> (bit % 64) & 1;
		unsigned run = mm_peek(page->run_frames);

		settle(pass, allocated == (run > 1 || bit < covered_to),
		       "frames: allocated bit and runs differ at frame", page->frame, run);
		settle(pass, !run || bit >= covered_to, "frames: runs overlap at frame",
		       page->frame, run);
		settle(pass, run || !mm_peek(page->refs),
		       "frames: references without a run at frame", page->frame, run);
		if (!run)
			continue;
		covered_to = bit + run;
		sums->alloc += run;
		if (mm_peek(page->attr) & PAGE_SHARED)
			sums->shared += run;
	}
	settle(pass, covered_to <= zone->bits, "frames: a run leaves its zone", covered_to,
	       zone->bits);
}

static uint64_t cached_frames(const struct zone *zone)
{
	uint64_t cached = 0;

	for (unsigned i = 0; i < mm_cpu_limit; i++) {
		const struct mm_cpu *cpu = mm_peek(mm_cpus[i]);

		cached += cpu && mm_peek(cpu->frame[zone - mm_zones]);
	}
	return cached;
}

static void check_zone(struct pass *pass, struct zone *zone)
{
	mm_irq_t irq = mm_lock_irq(&zone->lock);
	struct frame_sums sums = {0};
	uint64_t taken, shared;

	for (uint32_t index = 0; index < zone->words; index++) {
		check_word(pass->checker, zone, index);
		sums.free += bits_in(zone->word[index].free);
		sums.slab += bits_in(mm_peek(zone->word[index].slab));
		sums.kernel += bits_in(zone->word[index].kernel);
	}
	check_buckets(pass->checker, zone);
	check_runs(pass, zone, &sums);
	taken = mm_zone_taken(zone);
	shared = mm_peek(zone->shared);
	settle(pass, taken == sums.alloc + sums.slab + sums.kernel, "frames: count of taken frames",
	       taken, sums.alloc + sums.slab + sums.kernel);
	settle(pass, shared == sums.shared, "frames: count of shared frames", shared, sums.shared);
	settle(pass, zone->frames == sums.free + cached_frames(zone) + taken,
	       "frames: free and taken frames are not all frames", zone->frames,
	       sums.free + cached_frames(zone) + taken);
	mm_unlock_irq(&zone->lock, irq);
}

static void check_zones(struct pass *pass)
{
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		check_zone(pass, &mm_zones[zone]);
}

// --- slabs --------------------------------------------------------------------
struct slab_sums {
	uint64_t live[CLASS_LAST + 1];
	uint64_t slabs[CLASS_LAST + 1];
	uint64_t listed[CLASS_LAST + 1];
	uint64_t cells;
	uint64_t frames;
};

// slab->lock held, but the list belongs to the class: a slab may be on its way.
static void check_listed(struct pass *pass, const struct slab *slab, unsigned live)
{
	bool partial = live && live < mm_slab_objects(slab);

	expect(pass->checker, slab->used == live, "slab: count of used objects of an unowned slab",
	       slab->start, slab->used);
	settle(pass, mm_peek(slab->listed) == partial,
	       "slab: on the partial list and should not be, or the reverse", slab->start, live);
	settle(pass, live, "slab: empty and owned by nobody", slab->start, live);
}

// slab->lock held.
static void check_slab(struct pass *pass, const struct slab *slab, struct slab_sums *sums)
{
	const uint64_t *remote = mm_remote_bits(slab);
	unsigned objects = mm_slab_objects(slab);
	uint64_t valid = objects >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << objects) - 1;
	mm_checker_t *checker = pass->checker;
	unsigned live = 0;

	for (unsigned i = 0; i < mm_slab_words(slab); i++) {
		uint64_t free = mm_peek(slab->bits[i]), came = mm_peek(remote[i]);

		expect(checker, !((free | came) & ~valid), "slab: bits beyond the last object",
		       slab->start, free | came);
		settle(pass, !(free & came), "slab: an object freed on both sides", slab->start,
		       free & came);
		expect(checker, !came || MM_OWNER_CPU(slab->owner),
		       "slab: remote bits without an owner", slab->start, came);
		live += bits_in(~(free | came) & valid);
	}
	expect(checker, slab->cls <= CLASS_LAST && mm_class_shift(slab->cls) == slab->shift,
	       "slab: class and object size differ", slab->start, slab->cls);
	expect(checker, !(slab->start & ((MM_GRANULE_SIZE << mm_slab_order(slab)) - 1)),
	       "slab: not aligned to its size", slab->start, slab->shift);
	if (!MM_OWNER_CPU(slab->owner))
		check_listed(pass, slab, live);
	sums->live[slab->cls] += live;
	sums->slabs[slab->cls]++;
	sums->listed[slab->cls] += mm_peek(slab->listed);
}

// One granule of a slab frame; the pool must agree about being free.
static unsigned check_granule(struct pass *pass, struct Page *page, unsigned granule,
			      struct slab_sums *sums)
{
	uint64_t address = mm_page_to_virt(page).value + granule * MM_GRANULE_SIZE;
	struct slab *slab = mm_slab_of(address);
	bool pool_free = mm_peek(page->granules) >> granule & 1;
	unsigned span = 1;

	mm_lock(&slab->lock);
	settle(pass, pool_free == (slab->state == SLAB_NONE),
	       "pool: free granule in use, or used granule free", address, slab->state);
	settle(pass, slab->state != SLAB_BODY, "pool: body of a slab without its head", address,
	       slab->start);
	settle(pass, slab->state == SLAB_NONE || slab->start == address,
	       "pool: descriptor belongs to another address", address, slab->start);
	if (slab->state == SLAB_HEAD) {
		check_slab(pass, slab, sums);
		span = 1u << mm_slab_order(slab);
	}
	sums->cells += slab->state == SLAB_CELLS;
	mm_unlock(&slab->lock);
	for (unsigned i = 1; i < span && granule + i < MM_FRAME_GRANULES; i++) {
		const struct slab *body = mm_slab_of(address + i * MM_GRANULE_SIZE);

		settle(pass, mm_peek(body->state) == SLAB_BODY && mm_peek(body->start) == address,
		       "pool: hole in a slab", address, i);
		settle(pass, !(mm_peek(page->granules) >> (granule + i) & 1),
		       "pool: granule inside a slab is free", address, i);
	}
	return span;
}

static void check_frame_of_slabs(struct pass *pass, struct Page *page, struct slab_sums *sums)
{
	mm_irq_t irq = mm_port_irq_save();

	for (unsigned granule = 0; granule < MM_FRAME_GRANULES;)
		granule += check_granule(pass, page, granule, sums);
	sums->frames++;
	mm_port_irq_restore(irq);
}

static void check_pool(struct pass *pass, const struct slab_sums *sums)
{
	mm_irq_t irq = mm_lock_irq(&mm_pool.lock);
	mm_checker_t *checker = pass->checker;
	uint64_t listed = 0, idle = 0;

	for (unsigned order = 0; order < 6; order++) {
		uint32_t before = MM_NIL;

		expect(checker, (mm_pool.head[order] != MM_NIL) == (mm_pool.nonempty >> order & 1),
		       "pool: mask of the lists does not fit", order, mm_pool.nonempty);
		for (uint32_t at = mm_pool.head[order]; at != MM_NIL && listed <= mm_page_total;
		     at = mm_pages[at].pool_next, listed++) {
			expect(checker,
			       mm_pages[at].pool_order == order && mm_pages[at].pool_prev == before,
			       "pool: list broken", order, at);
			idle += mm_pages[at].granules == MM_GRANULES_ALL;
			before = at;
		}
	}
	expect(checker, idle == mm_pool.idle && idle <= 1, "pool: count of idle frames",
	       mm_pool.idle, idle);
	settle(pass, mm_peek(mm_pool.frames) == sums->frames, "pool: count of frames",
	       mm_peek(mm_pool.frames), sums->frames);
	settle(pass, mm_peek(mm_pool.cells) == sums->cells, "pool: granules of cells",
	       mm_peek(mm_pool.cells), sums->cells);
	mm_unlock_irq(&mm_pool.lock, irq);
}

static uint64_t list_length(struct size_class *class)
{
	mm_irq_t irq = mm_lock_irq(&class->lock);
	uint64_t length = 0;

	for (uint32_t at = class->head; at != MM_NIL && length < UINT32_MAX; at = mm_slabs[at].next)
		length++;
	mm_unlock_irq(&class->lock, irq);
	return length;
}

static uint64_t class_used(unsigned cls)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < mm_cpu_limit; i++) {
		const struct mm_cpu *cpu = mm_peek(mm_cpus[i]);
		unsigned slot = cls == CLASS_TABLE ? CLASS_TABLE : mm_class_shift(cls);

		if (cpu)
			used += mm_peek(cpu->allocs[cls]) - mm_peek(cpu->frees[slot]);
	}
	return used;
}

static void check_class(struct pass *pass, unsigned cls, const struct slab_sums *sums)
{
	struct size_class *class = &mm_classes[cls];
	uint64_t slabs = mm_peek(class->slabs);

	settle(pass, slabs == sums->slabs[cls], "class: count of slabs", cls, slabs);
	settle(pass, list_length(class) == sums->listed[cls], "class: partial list", cls,
	       sums->listed[cls]);
	settle(pass, class_used(cls) == sums->live[cls],
	       "class: objects in use by the counters and by the bitmaps", class_used(cls),
	       sums->live[cls]);
}

static void check_slabs(struct pass *pass)
{
	struct slab_sums sums = {0};

	for (uint32_t i = 0; i < mm_page_total; i++) {
		struct Page *page = &mm_pages[i];

		if (page->frame != MM_GUARD_FRAME && mm_frame_state(page) == MM_FRAME_SLAB)
			check_frame_of_slabs(pass, page, &sums);
	}
	check_pool(pass, &sums);
	for (unsigned cls = CLASS_TABLE; cls <= CLASS_LAST; cls++)
		check_class(pass, cls, &sums);
}

static void count_work(mm_checker_t *checker)
{
	struct mm_cache_info cache;

	for (int zone = 0; zone < ZONE_COUNT; zone++)
		checker->report.frames += mm_zones[zone].frames;
	for (unsigned i = 0; mm_cache_info(i, &cache); i++)
		checker->report.objects += cache.objects;
}

struct mm_check_report mm_check(mm_fault_fn fault, void *context)
{
	mm_checker_t checker = {.fault = fault, .context = context};

	count_work(&checker);
	look_patiently(&checker, check_zones);
	look_patiently(&checker, check_slabs);
	mm_check_tables(&checker);
	return checker.report;
}
