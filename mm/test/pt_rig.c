// pt_rig.c: see pt_rig.h.
#include "pt_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pt_rig_host.h"

#define PRESENT	 1ul
#define WRITE	 2ul
#define USER	 4ul
#define LARGE	 0x80ul
#define GLOBAL	 0x100ul
#define XD	 (1ul << 63)
#define ADDRESS	 0x000ffffffffff000ul
#define AD	 0x60ul
#define USER_END 0x00007ffffffffffful
#define SHARED	 0xffff800000000000ul

void (*rig_on_failure)(const char *message);
struct rig_flushes rig_flushes;
bool rig_fail_each;

void rig_fail(const char *format, ...)
{
	static char message[512];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	if (rig_on_failure)
		rig_on_failure(message);
	fprintf(stderr, "# %s\n", message);
	abort();
}

// --- boot tables --------------------------------------------------------------------------
static void pointer(uint64_t *table, unsigned index, const uint64_t *below, uint64_t flags)
{
	table[index] = rig_host_phys(below) | flags;
}

// What start-up code may leave: a direct map whose upper levels forbid executing
// and whose leaves do not, an image in 4 KiB pages below a PD that is read-only
// for one half, an identity map of the first 4 MiB, junk in absent entries.
static void make_boot_tables(uint64_t (*t)[512], uint64_t xd)
{
	pointer(t[0], 256, t[1], PRESENT | WRITE | xd);
	pointer(t[1], 0, t[2], PRESENT | WRITE);
	for (unsigned i = 0; i < 512; i++)
		t[2][i] = i * PAGE_2M_SIZE | PRESENT | WRITE | LARGE | GLOBAL;
	pointer(t[0], 511, t[3], PRESENT | WRITE);
	pointer(t[3], 510, t[4], PRESENT | WRITE);
	pointer(t[4], 8, t[5], PRESENT);
	pointer(t[4], 9, t[6], PRESENT | WRITE | xd);
	for (unsigned i = 0; i < 512; i++) {
		t[5][i] = (0x1000000 + i * PAGE_4K_SIZE) | PRESENT | WRITE | GLOBAL;
		t[6][i] = (0x1200000 + i * PAGE_4K_SIZE) | PRESENT | WRITE | GLOBAL;
	}
	t[6][100] = 0xdeadbeef000 | 0x20; // absent
	pointer(t[0], 0, t[7], PRESENT | WRITE | USER);
	pointer(t[7], 0, t[8], PRESENT | WRITE);
	t[8][0] = 0 | PRESENT | WRITE | LARGE | USER;
	t[8][1] = PAGE_2M_SIZE | PRESENT | LARGE;
}

static void adopt_keeps_rights(uint64_t (*t)[512]);

void rig_start(struct rig_options options)
{
	uint64_t(*tables)[512] = rig_host_start(&options);

	make_boot_tables(tables, options.no_nx ? 0 : XD);
	adopt_keeps_rights(tables);
	rig_host_check();
}

// --- raw tables -------------------------------------------------------------------------------
struct raw_walk {
	void (*leaf)(const struct rig_leaf *leaf, void *context);
	void (*table)(const uint64_t *table, unsigned level, void *context);
	void *context;
	uint64_t from, to;
};

static struct rig_leaf make_leaf(uint64_t va, uint64_t entry, uint64_t bytes, uint64_t allow,
				 uint64_t deny)
{
	return (struct rig_leaf){
		.va = va,
		.pa = entry & ADDRESS & -bytes,
		.bytes = bytes,
		.flags = (entry & allow & (WRITE | USER)) | ((entry | deny) & XD) |
			 (entry & (GLOBAL | AD | 0x18)),
		.raw = entry,
	};
}

static void raw_table(const struct raw_walk *walk, const uint64_t *table, unsigned level,
		      uint64_t va, uint64_t allow, uint64_t deny)
{
	unsigned shift = 3 + 9 * level;

	if (walk->table)
		walk->table(table, level, walk->context);
	for (unsigned i = 0; i < 512; i++, va += 1ul << shift) {
		uint64_t entry = __atomic_load_n(&table[i], __ATOMIC_RELAXED);

		if (level == 4 && i == 256)
			va = SHARED;
		if (!(entry & PRESENT) || va > walk->to || va + ((1ul << shift) - 1) < walk->from)
			continue;
		if (level > 1 && !(entry & LARGE)) {
			raw_table(walk, rig_host_virt(entry & ADDRESS), level - 1, va,
				  allow & entry, deny | (entry & XD));
		} else if (walk->leaf) {
			struct rig_leaf leaf = make_leaf(va, entry, 1ul << shift, allow, deny);

			walk->leaf(&leaf, walk->context);
		}
	}
}

void rig_leaves(paddr_t root, uint64_t from, uint64_t to,
		void (*leaf)(const struct rig_leaf *leaf, void *context), void *context)
{
	struct raw_walk walk = {.leaf = leaf, .context = context, .from = from, .to = to};

	raw_table(&walk, rig_host_virt(root.value), 4, 0, WRITE | USER, 0);
}

bool rig_translate(paddr_t root, uint64_t va, struct rig_leaf *leaf)
{
	const uint64_t *table = rig_host_virt(root.value);
	uint64_t allow = WRITE | USER, deny = 0;

	*leaf = (struct rig_leaf){0};
	for (unsigned level = 4;; level--) {
		uint64_t entry = table[va >> (3 + 9 * level) & 511];
		uint64_t bytes = 1ul << (3 + 9 * level);

		if (!(entry & PRESENT))
			return false;
		if (level == 1 || (entry & LARGE)) {
			*leaf = make_leaf(va & -bytes, entry, bytes, allow, deny);
			return true;
		}
		allow &= entry;
		deny |= entry & XD;
		table = rig_host_virt(entry & ADDRESS);
	}
}

uint64_t *rig_entry(paddr_t root, uint64_t va, unsigned level)
{
	uint64_t *table = rig_host_virt(root.value);

	for (unsigned at = 4;; at--) {
		uint64_t *entry = table + (va >> (3 + 9 * at) & 511);

		if (at == level)
			return entry;
		if (!(*entry & PRESENT) || (*entry & LARGE))
			return NULL;
		table = rig_host_virt(*entry & ADDRESS);
	}
}

paddr_t rig_root(uint32_t space)
{
	struct mm_space_info info;

	rig_expect(mm_space_info(space, &info) == MM_OK, "no space %u", space);
	return info.root;
}

static void hash_table(const uint64_t *table, unsigned level, void *context)
{
	uint64_t *hash = context;

	(void)level;
	for (unsigned i = 0; i < 512; i++)
		*hash = (*hash ^ table[i] ^ i) * 0x9e3779b97f4a7c15ul;
	*hash ^= *hash >> 29;
}

static void for_each_root(void (*visit)(paddr_t root, uint32_t space, void *context), void *context)
{
	struct mm_cursor cursor = {0};
	struct mm_space_info info;

	while (mm_visit_spaces(&cursor, &info) == MM_VISIT_ITEM)
		visit(info.root, info.id, context);
}

static void digest_root(paddr_t root, uint32_t space, void *context)
{
	struct raw_walk walk = {
		.table = hash_table, .context = context, .to = space ? USER_END : UINT64_MAX};

	raw_table(&walk, rig_host_virt(root.value), 4, 0, 0, 0);
}

uint64_t rig_digest(void)
{
	uint64_t hash = 1;

	for_each_root(digest_root, &hash);
	return hash;
}

static void count_table(const uint64_t *table, unsigned level, void *context)
{
	(void)table;
	(void)level;
	++*(uint64_t *)context;
}

uint64_t rig_tables(paddr_t root)
{
	uint64_t count = 0;
	struct raw_walk walk = {.table = count_table, .context = &count, .to = USER_END};

	raw_table(&walk, rig_host_virt(root.value), 4, 0, 0, 0);
	return count;
}

// --- adoption
// -------------------------------------------------------------------------------------
struct leaf_list {
	struct rig_leaf *leaf;
	size_t count, room;
};

static void list_leaf(const struct rig_leaf *leaf, void *context)
{
	struct leaf_list *list = context;

	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 1024;
		list->leaf = realloc(list->leaf, list->room * sizeof(*leaf));
	}
	list->leaf[list->count++] = *leaf;
}

static void adopt_keeps_rights(uint64_t (*tables)[512])
{
	paddr_t root = mm_pa(rig_host_phys(tables[0]));
	struct leaf_list before = {0}, after = {0};
	enum mm_status status;

	rig_leaves(root, 0, UINT64_MAX, list_leaf, &before);
	status = mm_space_adopt_kernel(root);
	rig_expect(status == MM_OK, "adoption: %s", mm_status_text(status));
	rig_expect(mm_space_adopt_kernel(root) == MM_ERR_STATE, "adopted twice");
	rig_leaves(root, 0, UINT64_MAX, list_leaf, &after);
	rig_expect(before.count == after.count, "adoption changed the number of leaves");
	for (size_t i = 0; i < before.count; i++)
		rig_expect(before.leaf[i].va == after.leaf[i].va &&
				   before.leaf[i].pa == after.leaf[i].pa &&
				   before.leaf[i].flags == after.leaf[i].flags,
			   "adoption changed the leaf at %lx", before.leaf[i].va);
	free(before.leaf);
	free(after.leaf);
}

// --- the TLB
// ---------------------------------------------------------------------------------------------
// What a CPU may hold: the user half of each space, and the kernel half, which is
// in every space and counts as cached under all of them.
struct tlb_context {
	uint32_t space;
	paddr_t root;
	struct leaf_list list;
};
static struct {
	struct tlb_context user[RIG_SPACES + 1];
	size_t users;
	struct leaf_list shared;
	const uint64_t **table;
	size_t tables, room;
} tlb;

static void tlb_table(const uint64_t *table, unsigned level, void *context)
{
	(void)level;
	(void)context;
	if (!rig_host_is_table(table)) // of the boot
		return;
	if (tlb.tables == tlb.room) {
		tlb.room = tlb.room ? 2 * tlb.room : 1024;
		tlb.table = realloc(tlb.table, tlb.room * sizeof(*tlb.table));
	}
	tlb.table[tlb.tables++] = table;
}

static void tlb_root(paddr_t root, uint32_t space, void *context)
{
	struct tlb_context *to = &tlb.user[tlb.users++];
	struct raw_walk walk = {.table = tlb_table, .to = space ? USER_END : UINT64_MAX};

	(void)context;
	rig_expect(tlb.users <= RIG_SPACES + 1, "too many spaces");
	to->space = space;
	to->root = root;
	to->list.count = 0;
	rig_leaves(root, 0, USER_END, list_leaf, &to->list);
	if (space == MM_SPACE_KERNEL)
		rig_leaves(root, SHARED, UINT64_MAX, list_leaf, &tlb.shared);
	raw_table(&walk, rig_host_virt(root.value), 4, 0, 0, 0);
}

void rig_tlb_forget(void)
{
	tlb.users = tlb.tables = tlb.shared.count = 0;
}

void rig_tlb_fill(void)
{
	rig_flushes = (struct rig_flushes){0};
	rig_tlb_forget();
	for_each_root(tlb_root, NULL);
}

// Global translations of a space may stay on CPUs that went elsewhere since: only
// a request to all CPUs reaches them.
static void drop_page(struct leaf_list *list, uint64_t va, bool everywhere)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (list->leaf[middle].va + (list->leaf[middle].bytes - 1) < va)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < list->count && list->leaf[low].va <= va &&
	    (everywhere || !(list->leaf[low].flags & GLOBAL)))
		list->leaf[low].raw = 0;
}

static void drop_all(struct leaf_list *list, bool global_too)
{
	for (size_t i = 0; i < list->count; i++)
		if (global_too || !(list->leaf[i].flags & GLOBAL))
			list->leaf[i].raw = 0;
}

static void drop(struct leaf_list *list, const struct mm_tlb_request *request)
{
	if (request->kind == MM_TLB_PAGE)
		drop_page(list, request->address.value, request->kernel);
	else
		drop_all(list, request->kind == MM_TLB_ALL);
}

static void tlb_request(const struct mm_tlb_request *request)
{
	bool everywhere = request->kernel || request->kind == MM_TLB_ALL;

	rig_flushes.pages += request->kind == MM_TLB_PAGE;
	rig_flushes.roots += request->kind == MM_TLB_ROOT;
	rig_flushes.alls += request->kind == MM_TLB_ALL;
	if (everywhere)
		drop(&tlb.shared, request);
	for (size_t i = 0; i < tlb.users; i++)
		if (everywhere || tlb.user[i].root.value == request->root.value)
			drop(&tlb.user[i].list, request);
}

void rig_tlb_requests(const struct mm_tlb_request *requests, size_t count)
{
	if (!rig_flushes.calls++)
		for (size_t i = 0; i < tlb.tables; i++)
			rig_expect(rig_host_is_table(tlb.table[i]),
				   "a table was freed before the flush");
	for (size_t i = 0; i < count; i++)
		tlb_request(&requests[i]);
}

// A right that was taken away, or another address: a CPU would go on with the old.
static void verify_leaf(const struct rig_leaf *held, paddr_t root)
{
	struct rig_leaf now;

	if (!held->raw)
		return;
	rig_expect(rig_translate(root, held->va, &now),
		   "a CPU still translates %lx, which is not mapped", held->va);
	rig_expect(now.pa + (held->va - now.va) == held->pa,
		   "a CPU still translates %lx to %lx instead of %lx", held->va, held->pa,
		   now.pa + (held->va - now.va));
	rig_expect(!((now.flags ^ held->flags) & ~AD), "a CPU still has other rights at %lx",
		   held->va);
	rig_expect(now.bytes == held->bytes, "a CPU still has a leaf of %lx bytes at %lx",
		   held->bytes, held->va);
}

void rig_tlb_verify(void)
{
	for (size_t i = 0; i < tlb.users; i++)
		for (size_t j = 0; j < tlb.user[i].list.count; j++)
			verify_leaf(&tlb.user[i].list.leaf[j], tlb.user[i].root);
	for (size_t j = 0; j < tlb.shared.count; j++)
		verify_leaf(&tlb.shared.leaf[j], tlb.user[0].root);
	if (!rig_flushes.calls)
		for (size_t i = 0; i < tlb.tables; i++)
			rig_expect(rig_host_is_table(tlb.table[i]), "a table was freed unflushed");
}
