// pt_shadow.c: operations on page tables, compared with a plain list of what
// should be mapped. See pt_rig.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pt_rig.h"
#include "pt_rig_host.h"

#define USER_LAST 0x00007ffffffffffful
#define SHARED	  0xffff800000000000ul
#define PAGE	  4096ul
#define M2	  PAGE_2M_SIZE
#define G1	  PAGE_1G_SIZE
#define RW	  (1ul << PAGE_R_W)
#define US	  (1ul << PAGE_U_S)
#define XD	  (1ul << PAGE_XD)
#define GL	  (1ul << PAGE_GLOBAL)
#define FLAGS	  (RW | US | XD | GL | 0x18)

// --- what should be mapped: disjoint, sorted, neighbours joined -----------------------------
struct piece {
	uint64_t va, last, pa, flags;
};
struct shadow {
	struct piece *piece;
	size_t count, room;
};
static struct shadow user[RIG_SPACES], shared, boot_user, boot_shared;
static uint32_t ids[RIG_SPACES]; // of the spaces 1..; 0: none

static void put(struct shadow *shadow, struct piece piece)
{
	struct piece *last = shadow->count ? &shadow->piece[shadow->count - 1] : NULL;

	if (last && last->last + 1 == piece.va && last->pa + (piece.va - last->va) == piece.pa &&
	    last->flags == piece.flags) {
		last->last = piece.last;
		return;
	}
	if (shadow->count == shadow->room) {
		shadow->room = shadow->room ? 2 * shadow->room : 64;
		shadow->piece = realloc(shadow->piece, shadow->room * sizeof(piece));
	}
	shadow->piece[shadow->count++] = piece;
}

// Replaces [va, last] by what `new` says (NULL: nothing).
static void cut(struct shadow *shadow, uint64_t va, uint64_t last, const struct piece *new)
{
	struct shadow old = *shadow;

	*shadow = (struct shadow){0};
	for (size_t i = 0; i < old.count; i++) {
		struct piece left = old.piece[i], right = old.piece[i];

		if (new &&old.piece[i].va > va) {
			put(shadow, *new);
			new = NULL;
		}
		if (left.last < va || left.va > last) {
			put(shadow, left);
			continue;
		}
		if (left.va < va) {
			left.last = va - 1;
			put(shadow, left);
		}
		if (new) {
			put(shadow, *new);
			new = NULL;
		}
		if (right.last > last) {
			right.pa += last + 1 - right.va;
			right.va = last + 1;
			put(shadow, right);
		}
	}
	if (new)
		put(shadow, *new);
	free(old.piece);
}

enum overlap { NOTHING, SAME, CONFLICT };

static enum overlap overlap(const struct shadow *shadow, const struct piece *want)
{
	for (size_t i = 0; i < shadow->count; i++) {
		const struct piece *is = &shadow->piece[i];

		if (is->last < want->va || is->va > want->last)
			continue;
		if (is->va <= want->va && is->last >= want->last && is->flags == want->flags &&
		    is->pa + (want->va - is->va) == want->pa)
			return SAME;
		return CONFLICT;
	}
	return NOTHING;
}

static uint64_t mapped_bytes(const struct shadow *shadow)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < shadow->count; i++)
		bytes += shadow->piece[i].last - shadow->piece[i].va + 1;
	return bytes;
}

// --- comparing ----------------------------------------------------------------------------------
static void raw_piece(const struct rig_leaf *leaf, void *context)
{
	put(context,
	    (struct piece){leaf->va, leaf->va + leaf->bytes - 1, leaf->pa, leaf->flags & FLAGS});
}

static void must_equal(const struct shadow *should, const struct shadow *is, const char *who)
{
	for (size_t i = 0; i < should->count || i < is->count; i++) {
		struct piece none = {0}, a = i < should->count ? should->piece[i] : none;
		struct piece b = i < is->count ? is->piece[i] : none;

		rig_expect(!memcmp(&a, &b, sizeof(a)),
			   "%s: [%lx, %lx] to %lx flags %lx; should be [%lx, %lx] to %lx flags %lx",
			   who, b.va, b.last, b.pa, b.flags, a.va, a.last, a.pa, a.flags);
	}
}

// The visitor, in pieces of a few runs, against the raw tables, run by run.
struct visited {
	uint32_t space;
	struct mm_mapping run[7];
	struct mm_cursor cursor;
	size_t count, next;
	bool end;
};

static void visited_more(struct visited *visited, uint64_t from, uint64_t to)
{
	struct mm_mapping_filter filter = {visited->space, mm_va(from), mm_va(to), false};

	while (visited->next == visited->count && !visited->end) {
		enum mm_visit visit = mm_visit_mappings(&visited->cursor, &filter, visited->run, 7,
							&visited->count);

		visited->next = 0;
		visited->end = visit == MM_VISIT_END;
		rig_expect((visit == MM_VISIT_ITEM) <= (visited->count > 0), "an empty item");
	}
}

struct run_check {
	struct visited visited;
	struct mm_mapping run; // built from raw leaves
};

static void run_done(struct run_check *check)
{
	const struct mm_mapping *should = &check->run, *is;

	if (!should->length)
		return;
	visited_more(&check->visited, 0, UINT64_MAX);
	rig_expect(check->visited.next < check->visited.count, "the visitor ends before %lx",
		   should->va.value);
	is = &check->visited.run[check->visited.next++];
	rig_expect(is->va.value == should->va.value && is->pa.value == should->pa.value &&
			   is->length == should->length && is->page_bytes == should->page_bytes &&
			   is->flags == should->flags,
		   "the visitor says %lx to %lx length %lx page %lx flags %lx; should be "
		   "%lx to %lx length %lx page %lx flags %lx",
		   is->va.value, is->pa.value, is->length, is->page_bytes, is->flags,
		   should->va.value, should->pa.value, should->length, should->page_bytes,
		   should->flags);
}

static void run_leaf(const struct rig_leaf *leaf, void *context)
{
	struct run_check *check = context;
	struct mm_mapping *run = &check->run;

	if (run->length && run->va.value + run->length == leaf->va &&
	    run->pa.value + run->length == leaf->pa && run->page_bytes == leaf->bytes &&
	    run->flags == (leaf->flags & FLAGS)) {
		run->length += leaf->bytes;
		return;
	}
	run_done(check);
	*run = (struct mm_mapping){mm_va(leaf->va), mm_pa(leaf->pa), leaf->bytes, leaf->bytes,
				   leaf->flags & FLAGS};
}

void rig_compare_visitor(uint32_t space)
{
	struct run_check check = {.visited.space = space};

	rig_leaves(rig_root(space), 0, UINT64_MAX, run_leaf, &check);
	run_done(&check);
	visited_more(&check.visited, 0, UINT64_MAX);
	rig_expect(check.visited.next == check.visited.count, "the visitor shows too much");
}

static void compare_space(uint32_t space, const struct shadow *should)
{
	struct shadow is = {0};
	struct mm_space_info info;
	uint64_t bytes = mapped_bytes(should);

	rig_leaves(rig_root(space), 0, USER_LAST, raw_piece, &is);
	must_equal(should, &is, "user half");
	is.count = 0;
	rig_leaves(rig_root(space), SHARED, UINT64_MAX, raw_piece, &is);
	must_equal(&shared, &is, "kernel half");
	free(is.piece);
	if (space == MM_SPACE_KERNEL)
		bytes += mapped_bytes(&shared);
	rig_expect(mm_space_info(space, &info) == MM_OK && info.mapped_bytes == bytes,
		   "mapped_bytes is %lx, should be %lx", info.mapped_bytes, bytes);
	rig_expect(space == MM_SPACE_KERNEL || info.tables == rig_tables(info.root),
		   "a space says it has %lu tables", info.tables);
	rig_compare_visitor(space);
}

static void compare(void)
{
	for (unsigned i = 0; i < RIG_SPACES; i++)
		if (!i || ids[i])
			compare_space(ids[i], &user[i]);
	rig_host_check();
}

static bool begun;

// Once, after adoption: what the boot mapped is the beginning of the shadow.
static void begin(void)
{
	if (begun)
		return;
	begun = true;
	rig_leaves(rig_root(MM_SPACE_KERNEL), 0, USER_LAST, raw_piece, &user[0]);
	rig_leaves(rig_root(MM_SPACE_KERNEL), SHARED, UINT64_MAX, raw_piece, &shared);
	rig_leaves(rig_root(MM_SPACE_KERNEL), 0, USER_LAST, raw_piece, &boot_user);
	rig_leaves(rig_root(MM_SPACE_KERNEL), SHARED, UINT64_MAX, raw_piece, &boot_shared);
}

// --- operations
// -------------------------------------------------------------------------------------
enum kind { MAP, UNMAP, CREATE, DESTROY, SWITCH, KINDS };

struct op {
	enum kind kind;
	unsigned space; // index in ids
	uint64_t va, pa, length, flags;
	bool is_user, use4k;
};

// Where ranges begin: at borders of tables, of the halves, and nowhere good.
static const uint64_t windows[] = {
	0x3fe00000,	    0x40000000,
	0x80000000,	    0x7fffe00000,
	0x7fffffe00000,	    0xffff900000000000,
	0xffffa07fffe00000, 0xffffa00000000000,
	0xfffffffffff00000, 0,
	0x00007fff00000000, 0x0000800000000000,
	0xffff7ffffff00000, 0xffffa00040000000,
	0x3fe00000,	    0x40000000,
};

static const uint64_t lengths[] = {
	PAGE,	   2 * PAGE,	  3 * PAGE,  40 * PAGE, 511 * PAGE, M2,
	M2 + PAGE, 3 * M2,	  33 * PAGE, 34 * PAGE, G1,	    G1 + M2 + PAGE,
	1,	   2 * M2 - PAGE, 7 * PAGE,  PAGE,
};

// Four hostile values that only decoding by hand would make common.
static void decode_hostile(struct op *op, unsigned how)
{
	switch (how & 7) {
	case 0:
		op->length = UINT64_MAX;
		break;
	case 1:
		op->flags |= 1ul << 12;
		break;
	case 2:
		op->pa = 1ul << 40;
		break;
	case 3:
		op->pa += 0x10;
		break;
	case 4:
		op->va = 0x0000700000000000;
		op->length = 0x0000200000000000;
		break;
	case 5:
		op->length = 0;
		break;
	case 6:
		op->pa = (1ul << 40) - PAGE;
		break;
	default:
		op->va = 0x123456789abcdef0;
	}
}

static struct op decode(const uint8_t *b)
{
	static const uint8_t kinds[16] = {MAP,	 MAP,	 MAP,	  MAP,	 MAP,	MAP,
					  MAP,	 UNMAP,	 UNMAP,	  UNMAP, UNMAP, UNMAP,
					  UNMAP, CREATE, DESTROY, SWITCH};
	uint64_t offset = (uint64_t)(b[3] | (b[4] & 3) << 8) * PAGE;
	struct op op = {
		.kind = kinds[b[0] & 15],
		.space = b[1] % RIG_SPACES,
		.va = windows[b[2] & 15] + (b[4] & 0x80 ? offset : offset & ~(M2 - 1)),
		.length = lengths[b[5] & 15] + (b[5] & 0x80 ? (b[5] >> 4 & 7) * PAGE : 0),
		.flags = (b[6] & 0x1a) | (b[6] & 4 ? (b[6] & 0x40 ? US : 0) : 0) |
			 (b[6] & 0x20 ? GL : 0) | (b[6] & 0x80 && !rig_host_no_nx() ? XD : 0) | 1,
		.use4k = b[7] & 1,
		.is_user = (b[7] & 6) == 6,
	};

	// The same address for the same window most of the time, so that mapping it
	// again, and joining neighbours, happens.
	op.pa = (op.va & (4 * G1 - 1)) + (uint64_t)(b[8] & 0x30 ? 0 : b[8] & 15) * PAGE +
		(b[8] & 0x40 ? M2 : 0);
	if (op.length > 8 * M2) { // not half a million of pages
		op.use4k = false;
		op.pa = op.va & (4 * G1 - 1);
	}
	if (b[9] & 1) {
		op.va += b[10];
		op.pa += b[10];
	}
	if (b[9] > 0xf0)
		decode_hostile(&op, b[11]);
	if (op.kind == UNMAP && op.va >= SHARED && op.va < SHARED + (1ul << 39))
		op.length = 0; // the direct map under our feet
	return op;
}

void rig_op_describe(const uint8_t bytes[RIG_OP_BYTES], char *text, size_t size)
{
	static const char *const names[] = {"map", "unmap", "create", "destroy", "switch"};
	struct op op = decode(bytes);

	snprintf(text, size, "%s space %u va %lx pa %lx length %lx flags %lx%s%s", names[op.kind],
		 op.space, op.va, op.pa, op.length, op.flags, op.is_user ? " user" : "",
		 op.use4k ? " 4k" : "");
}

static bool canonical(uint64_t va)
{
	return va <= USER_LAST || va >= SHARED;
}

// The verdict on the range alone, in the order of the header.
static enum mm_status range_verdict(const struct op *op)
{
	uint64_t last = op->va + op->length - 1;

	if (!canonical(op->va))
		return MM_ERR_CANONICAL;
	if (last < op->va)
		return MM_ERR_WRAP;
	return canonical(last) && (op->va >= SHARED) == (last >= SHARED) ? MM_OK : MM_ERR_CANONICAL;
}

static struct shadow *shadow_of(const struct op *op)
{
	return op->va >= SHARED ? &shared : &user[op->space];
}

static enum mm_status map_verdict(const struct op *op, struct piece *piece, enum overlap *found)
{
	enum mm_status status = range_verdict(op);

	if (op->flags & ~(FLAGS | 0x1e3))
		return MM_ERR_FLAGS;
	if ((op->va ^ op->pa) & (PAGE - 1))
		return MM_ERR_ALIGN;
	if (status != MM_OK)
		return status;
	piece->va = op->va & ~(PAGE - 1);
	piece->last = (op->va + op->length - 1) | (PAGE - 1);
	piece->pa = op->pa & ~(PAGE - 1);
	piece->flags = (op->flags & FLAGS) | (op->is_user ? US : 0);
	if (piece->pa >> 40 || (piece->pa + (piece->last - piece->va)) >> 40)
		return MM_ERR_PHYS;
	*found = overlap(shadow_of(op), piece);
	return *found == CONFLICT ? MM_ERR_MAPPED : MM_OK;
}

static uint32_t id_of(unsigned index)
{
	return index && !ids[index] ? 77777 : ids[index];
}

// Leaves that a mapping needs when the largest that fit are used and nothing is
// there yet.
static uint64_t best_leaves(const struct piece *piece, bool use4k)
{
	uint64_t count = 0, mix = piece->va ^ piece->pa;

	for (uint64_t va = piece->va;; count++) {
		uint64_t step = PAGE, left = piece->last - va;

		if (!use4k && !(va & (M2 - 1)) && !(mix & (M2 - 1)) && left >= M2 - 1)
			step = M2;
		if (!use4k && !rig_host_no_1g() && !(va & (G1 - 1)) && !(mix & (G1 - 1)) &&
		    left >= G1 - 1)
			step = G1;
		if (left == step - 1)
			return count + 1;
		va += step;
	}
}

static uint64_t reserve = MM_RESERVE_TABLES; // tables in it, at least

static void fail_each_table(const struct mm_map_request *request, uint64_t tables, uint64_t digest)
{
	struct mm_map_result result;

	for (uint64_t n = 1; n <= tables; n++) {
		enum mm_status is;

		rig_host_fail_table(n);
		is = mm_map_ex(request, &result);
		rig_host_fail_table(0);
		rig_expect(is == MM_ERR_TABLE_MEM && *result.reason, "table %lu fails: %s", n,
			   mm_status_name(is));
		rig_expect(digest == rig_digest(), "a failed map left something");
	}
}

static void do_map(const struct op *op)
{
	struct mm_map_request request = {id_of(op->space), mm_va(op->va), mm_pa(op->pa),
					 op->length,	   op->flags,	  op->is_user,
					 op->use4k,	   true,	  true};
	struct mm_map_result dry = {0}, real = {0};
	struct piece piece = {0};
	enum overlap found = NOTHING;
	enum mm_status expect = map_verdict(op, &piece, &found), is;
	uint64_t digest = rig_digest();

	if (expect == MM_OK || expect == MM_ERR_MAPPED)
		expect = op->space && !ids[op->space] ? MM_ERR_SPACE : expect;
	if (!op->length)
		expect = MM_OK;
	is = mm_map_ex(&request, &dry);
	rig_expect(digest == rig_digest(), "a dry run changed something");
	rig_expect(is == expect, "dry map: %s, should be %s", mm_status_name(is),
		   mm_status_name(expect));
	request.dry_run = false;
	if (rig_fail_each && is == MM_OK && dry.entries)
		fail_each_table(&request, dry.tables, digest);
	rig_tlb_fill();
	is = mm_map_ex(&request, &real);
	rig_expect(is == expect, "map: %s, should be %s", mm_status_name(is),
		   mm_status_name(expect));
	rig_expect(real.entries == dry.entries && real.tables == dry.tables,
		   "map made %lu entries and %lu tables, the dry run said %lu and %lu",
		   real.entries, real.tables, dry.entries, dry.tables);
	rig_expect((is == MM_OK) == !*real.reason, "a reason \"%s\" with %s", real.reason,
		   mm_status_name(is));
	if (is != MM_OK || !op->length || found == SAME) {
		rig_expect(digest == rig_digest(), "nothing was to change");
		return;
	}
	rig_expect(real.entries == best_leaves(&piece, op->use4k) ||
			   (!op->space && piece.va < G1), // below tables of the boot
		   "%lu leaves where %lu would do", real.entries, best_leaves(&piece, op->use4k));
	reserve = MM_RESERVE_TABLES;
	cut(shadow_of(op), piece.va, piece.last, &piece);
}

static void do_unmap(const struct op *op)
{
	struct mm_unmap_request request = {id_of(op->space), mm_va(op->va), op->length, true};
	struct mm_unmap_result dry = {0}, real = {0};
	enum mm_status expect = range_verdict(op), is;
	uint64_t digest = rig_digest();
	bool starve;

	if (expect == MM_OK)
		expect = op->space && !ids[op->space] ? MM_ERR_SPACE : expect;
	if (!op->length)
		expect = MM_OK;
	is = mm_unmap_ex(&request, &dry);
	rig_expect(is == expect, "dry unmap: %s, should be %s", mm_status_name(is),
		   mm_status_name(expect));
	rig_expect(digest == rig_digest(), "a dry unmap changed something");
	rig_tlb_fill();
	request.dry_run = false;
	starve = rig_fail_each && dry.split <= reserve;
	if (starve)
		rig_host_fail_table(1); // the reserve must do
	is = mm_unmap_ex(&request, &real);
	rig_host_fail_table(0);
	rig_expect(is == expect, "unmap: %s, should be %s", mm_status_name(is),
		   mm_status_name(expect));
	rig_expect(real.entries == dry.entries && real.tables == dry.tables &&
			   real.split == dry.split,
		   "unmap took %lu entries, %lu tables, %lu splits; the dry run said %lu, %lu, %lu",
		   real.entries, real.tables, real.split, dry.entries, dry.tables, dry.split);
	rig_expect(real.split <= 4, "%lu splits", real.split);
	rig_expect(rig_flushes.calls <= 1, "%u flushes", rig_flushes.calls);
	rig_expect(rig_flushes.pages <= 33, "%u pages flushed one by one", rig_flushes.pages);
	if (starve)
		reserve -= real.split;
	else if (real.entries)
		reserve = MM_RESERVE_TABLES;
	if (is == MM_OK && op->length)
		cut(shadow_of(op), op->va & ~(PAGE - 1), (op->va + op->length - 1) | (PAGE - 1),
		    NULL);
}

static void do_space(const struct op *op)
{
	uint32_t *id = &ids[op->space];
	uint64_t tables = 0, had;

	rig_tlb_fill();
	if (op->kind == SWITCH) {
		bool there = !op->space || *id;

		rig_expect((mm_space_switch(id_of(op->space)) == MM_OK) == there, "switch");
		rig_expect(!there || mm_space_current() == *id, "current after a switch");
	} else if (op->kind == CREATE && op->space && !*id) {
		rig_expect(mm_space_create("test", id, NULL) == MM_OK, "create");
	} else if (op->kind == DESTROY && op->space && *id) {
		if (mm_space_current() == *id) {
			rig_expect(mm_space_destroy(*id, NULL) == MM_ERR_SPACE,
				   "the current space was destroyed");
			return;
		}
		had = rig_tables(rig_root(*id));
		rig_expect(mm_space_destroy(*id, &tables) == MM_OK, "destroy");
		rig_expect(tables == had, "destroy freed %lu tables of %lu", tables, had);
		user[op->space].count = 0;
		*id = 0;
	} else if (op->kind == DESTROY) {
		rig_expect(mm_space_destroy(id_of(op->space), NULL) == MM_ERR_SPACE,
			   "a space that cannot be destroyed was");
	}
}

void rig_op(const uint8_t bytes[RIG_OP_BYTES])
{
	struct op op = decode(bytes);

	begin();
	if (op.kind == MAP)
		do_map(&op);
	else if (op.kind == UNMAP)
		do_unmap(&op);
	else
		do_space(&op);
	if (op.kind != DESTROY)
		rig_tlb_verify();
	compare();
}

// --- back to the beginning
// --------------------------------------------------------------------------
static void unmap_piece(const struct piece *piece)
{
	struct mm_unmap_request request = {
		.space = MM_SPACE_KERNEL,
		.va = mm_va(piece->va),
		.length = piece->last - piece->va + 1,
	};

	rig_expect(mm_unmap_ex(&request, NULL) == MM_OK, "undo");
}

static void map_piece(const struct piece *piece)
{
	struct mm_map_request request = {
		.space = MM_SPACE_KERNEL,
		.va = mm_va(piece->va),
		.pa = mm_pa(piece->pa),
		.length = piece->last - piece->va + 1,
		.flags = piece->flags,
	};

	rig_expect(mm_map_ex(&request, NULL) == MM_OK, "undo");
}

static void copy(struct shadow *to, const struct shadow *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		put(to, from->piece[i]);
}

void rig_shadow_forget(void)
{
	begun = false;
	reserve = MM_RESERVE_TABLES;
	shared.count = boot_user.count = boot_shared.count = 0;
	for (unsigned i = 0; i < RIG_SPACES; i++)
		user[i].count = ids[i] = 0;
}

void rig_reset(void)
{
	begin();
	rig_tlb_forget();
	rig_expect(mm_space_switch(MM_SPACE_KERNEL) == MM_OK, "switch back");
	for (unsigned i = 1; i < RIG_SPACES; i++) {
		if (ids[i])
			rig_expect(mm_space_destroy(ids[i], NULL) == MM_OK, "destroy");
		ids[i] = 0;
		user[i].count = 0;
	}
	for (size_t i = 0; i < user[0].count; i++)
		unmap_piece(&user[0].piece[i]);
	for (size_t i = 0; i < boot_user.count; i++)
		map_piece(&boot_user.piece[i]);
	for (size_t i = 0; i < shared.count; i++) // the boot's own stay out of reach
		if (overlap(&boot_shared, &shared.piece[i]) == NOTHING)
			unmap_piece(&shared.piece[i]);
	copy(&user[0], &boot_user);
	copy(&shared, &boot_shared);
	compare();
}
