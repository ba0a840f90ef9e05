// pgtable_check.c: walks every table of every space and names what breaks the
// invariants atop pgtable_map.c. Holds the claim of one space at a time, so that
// a live kernel goes on; what concerns all spaces at once is only judged when
// nothing moved meanwhile.
#include "pt.h"

struct table_check {
	mm_checker_t *checker;
	const struct mm_space *space;
	uint64_t tables, bytes;
	uint64_t mix; // of the addresses of those from the slab
	bool lost;    // more tables than there can be: stop
};

static void fault(struct table_check *check, const char *what, uint64_t va, uint64_t value)
{
	mm_check_fault(check->checker, what, va, value);
}

// Sums of this over two sets of tables are equal when the sets are: twice the one
// and never the other does not go unseen, as it would if tables were only counted.
static uint64_t mix(uint64_t table)
{
	table *= 0x9e3779b97f4a7c15ul;
	table ^= table >> 32;
	return table * 0xd6e8feb86659fd93ul;
}

static void check_leaf(struct table_check *check, uint64_t entry, unsigned level, uint64_t va,
		       bool user_path)
{
	uint64_t pat = level == 1 ? 0 : PT_PAT_LARGE;
	uint64_t low = entry & PT_ADDRESS & (pt_bytes(level) - 1) & ~pat;

	check->bytes += pt_bytes(level);
	if (level > PT_LARGEST)
		fault(check, "a leaf in a root table", va, entry);
	if (low)
		fault(check, "a leaf that is not aligned to its size", va, entry);
	if (pt_leaf_pa(entry, level) >= mm_machine.phys_limit)
		fault(check, "a leaf beyond the physical width", va, entry);
	if ((entry & PT_USER) && !user_path)
		fault(check, "a user's leaf below a table closed to users", va, entry);
	if ((entry & PT_XD) && !mm_machine.has_nx)
		fault(check, "a leaf with XD on a CPU without", va, entry);
}

// Is the entry one that may point to a table?
static bool check_pointer(struct table_check *check, uint64_t entry, unsigned level, uint64_t va,
			  bool user_path)
{
	bool shared_top = level == PT_TOP && pt_is_kernel_va(va);
	const uint64_t *table = pt_table(entry);

	if (!(entry & PT_WRITE) || (entry & PT_XD))
		fault(check, "an upper level that restricts", va, entry);
	if ((entry & PT_USER) && !user_path)
		fault(check, "a table open to users below a closed one", va, entry);
	if (shared_top && (!(entry & PT_PINNED) || pt_count(entry)))
		fault(check, "an entry of the shared half that could be freed", va, entry);
	if ((entry & PT_ADDRESS) >= mm_machine.direct_limit) {
		fault(check, "a table outside the direct map", va, entry);
		return false;
	}
	if (!(entry & PT_PINNED) && !mm_table_is(table)) {
		fault(check, "an entry points to memory that is no table", va, entry);
		return false;
	}
	if (check->tables >= check->space->tables) {
		if (!check->lost)
			fault(check, "a table is reached twice, or is not counted", va, entry);
		check->lost = true;
		return false;
	}
	return true;
}

static unsigned check_table(struct table_check *check, const uint64_t *table, unsigned level,
			    uint64_t va, bool user_path);

static void check_below(struct table_check *check, uint64_t entry, unsigned level, uint64_t va,
			bool user_path)
{
	bool shared_top = level == PT_TOP && pt_is_kernel_va(va);
	unsigned present;

	if (!check_pointer(check, entry, level, va, user_path))
		return;
	if (mm_table_is(pt_table(entry)))
		check->mix += mix(entry & PT_ADDRESS);
	present = check_table(check, pt_table(entry), level - 1, va, entry & PT_USER);
	if (check->lost || shared_top)
		return;
	if (present != pt_count(entry))
		fault(check, "the count of a table is wrong", va, entry);
	if (!present && !(entry & PT_PINNED))
		fault(check, "an empty table", va, entry);
}

// The present entries of a table, whose first one covers va.
static unsigned check_table(struct table_check *check, const uint64_t *table, unsigned level,
			    uint64_t va, bool user_path)
{
	bool own = level < PT_TOP || check->space == &mm_kernel_space;
	unsigned present = 0, slots = own ? PT_SLOTS : PT_SHARED;

	check->tables++;
	for (unsigned i = 0; i < slots && !check->lost; i++, va += pt_bytes(level)) {
		uint64_t entry = pt_load(&table[i]);

		if (level == PT_TOP && i == PT_SHARED)
			va = PT_SHARED_VA;
		if (!(entry & PT_PRESENT)) {
			if (entry)
				fault(check, "an absent entry that is not zero", va, entry);
			continue;
		}
		present++;
		if (pt_is_leaf(entry, level))
			check_leaf(check, entry, level, va, user_path);
		else
			check_below(check, entry, level, va, user_path);
	}
	return present;
}

// Not under the claim of the kernel's space: what differs is looked at twice.
static void check_shared_half(struct table_check *check)
{
	const uint64_t *kernel = mm_kernel_space.top, *top = check->space->top;

	for (unsigned i = PT_SHARED; i < PT_SLOTS; i++) {
		uint64_t mask = ~PT_ACCESSED;

		if ((pt_load(&kernel[i]) ^ pt_load(&top[i])) & mask) {
			pt_claim(&mm_kernel_space);
			if ((pt_load(&kernel[i]) ^ pt_load(&top[i])) & mask)
				fault(check, "a space does not share the kernel half", i,
				      pt_load(&top[i]));
			pt_unclaim(&mm_kernel_space);
		}
	}
}

static uint64_t check_space(mm_checker_t *checker, struct mm_space *space)
{
	struct table_check check = {.checker = checker, .space = space};

	pt_claim(space);
	check_table(&check, space->top, PT_TOP, 0, true);
	if (!check.lost && check.tables != space->tables)
		fault(&check, "a space counts its tables wrongly", check.tables, space->tables);
	if (!check.lost && check.bytes != space->mapped_bytes)
		fault(&check, "a space counts its mapped bytes wrongly", check.bytes,
		      space->mapped_bytes);
	if (space != &mm_kernel_space && !mm_table_is(space->top))
		fault(&check, "a root that is no table", space->id, space->root.value);
	pt_unclaim(space);
	if (space != &mm_kernel_space)
		check_shared_half(&check);
	checker->report.tables += check.tables;
	return check.mix + (space == &mm_kernel_space ? 0 : mix(space->root.value));
}

static uint64_t reserve_mix(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MM_RESERVE_TABLES; i++) {
		paddr_t table = pt_reserve_table(i);

		if (table.value)
			sum += mix(table.value);
	}
	return sum;
}

// Table pages that are given out, by the slab's own account.
static uint64_t live_mix(void)
{
	struct mm_cursor cursor = {0};
	struct mm_slab_info slab;
	enum mm_visit visit;
	uint64_t sum = 0;

	while ((visit = mm_visit_slabs(&cursor, PAGE_4K_SIZE, &slab)) != MM_VISIT_END) {
		uint64_t first = mm_virt_to_phys(mm_ptr(slab.start)).value;

		for (unsigned i = 0; visit == MM_VISIT_ITEM && slab.tables && i < slab.objects; i++)
			if (slab.live[i / 64] >> (i % 64) & 1)
				sum += mix(first + i * PAGE_4K_SIZE);
	}
	return sum;
}

void mm_check_tables(mm_checker_t *checker)
{
	bool quiet = !mm_space_changing();
	uint64_t before = mm_generation(), reached = reserve_mix(), live;
	struct mm_space *space;

	for (uint32_t id = 0; (space = pt_space_get_from(id)); id = space->id + 1) {
		reached += check_space(checker, space);
		pt_space_put(space);
	}
	live = live_mix();
	quiet &= !mm_space_changing();
	if (quiet && before == mm_generation() && reached != live)
		mm_check_fault(checker, "a table that no space reaches, or that two reach", reached,
			       live);
}
