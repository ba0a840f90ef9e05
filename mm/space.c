// space.c: address spaces: their list, their lives, and the half they share. The
// theory is atop pgtable_map.c.
//
// A space is reached by id or by root, never by a pointer from outside. Whoever
// looks it up holds it (users) until pt_space_put(); destroying takes it off the
// lists first and then waits for them. Those who only look hold it with interrupts
// off, so that they are never preempted in between and waited for in vain.
#include "pt.h"

#include <string.h>

#define PATIENCE      (1u << 20) // turns of a waiting loop: tens of ms
#define PATIENCE_LOST 64u

struct mm_space mm_kernel_space;

struct pt_spaces mm_spaces;

// --- lists ---------------------------------------------------------------------------
static struct mm_space **root_bucket(paddr_t root)
{
	return &mm_spaces.by_root[(root.value >> PAGE_4K_SHIFT) % PT_BUCKETS];
}

static struct mm_space *find_id(uint32_t id)
{
	struct mm_space *space = mm_spaces.by_id[id % PT_BUCKETS];

	while (space && space->id != id)
		space = space->same_id;
	return space;
}

static struct mm_space *find_root(paddr_t root)
{
	struct mm_space *space = *root_bucket(root);

	while (space && space->root.value != root.value)
		space = space->same_root;
	return space;
}

static void list_add(struct mm_space *space)
{
	struct mm_space **id_bucket = &mm_spaces.by_id[space->id % PT_BUCKETS];
	struct mm_space **bucket = root_bucket(space->root);

	space->same_id = *id_bucket;
	*id_bucket = space;
	space->same_root = *bucket;
	*bucket = space;
	space->prev = mm_spaces.last;
	space->next = NULL;
	*(mm_spaces.last ? &mm_spaces.last->next : &mm_spaces.first) = space;
	mm_spaces.last = space;
}

static void list_remove(struct mm_space *space)
{
	struct mm_space **link = &mm_spaces.by_id[space->id % PT_BUCKETS];

	while (*link != space)
		link = &(*link)->same_id;
	*link = space->same_id;
	link = root_bucket(space->root);
	while (*link != space)
		link = &(*link)->same_root;
	*link = space->same_root;
	*(space->prev ? &space->prev->next : &mm_spaces.first) = space->next;
	*(space->next ? &space->next->prev : &mm_spaces.last) = space->prev;
}

// --- waiting, but not for the dead -------------------------------------------------------
static bool lock_patiently(struct mm_lock *lock, bool *lost)
{
	uint32_t turns = __atomic_load_n(lost, __ATOMIC_RELAXED) ? PATIENCE_LOST : PATIENCE;

	while (__atomic_exchange_n(&lock->held, 1u, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED)) {
			if (!turns--) {
				__atomic_store_n(lost, true, __ATOMIC_RELAXED);
				return false;
			}
			mm_port_relax();
		}
	}
	if (__atomic_load_n(lost, __ATOMIC_RELAXED))
		__atomic_store_n(lost, false, __ATOMIC_RELAXED);
	return true;
}

bool pt_look_lock(struct mm_space *space, mm_irq_t *irq)
{
	*irq = mm_port_irq_save();
	return lock_patiently(&space->lock, &space->patience_lost);
}

void pt_look_unlock(struct mm_space *space, bool locked, mm_irq_t irq)
{
	if (locked)
		mm_unlock(&space->lock);
	mm_port_irq_restore(irq);
}

static bool list_lock(mm_irq_t *irq)
{
	*irq = mm_port_irq_save();
	return lock_patiently(&mm_spaces.lock, &mm_spaces.patience_lost);
}

static void list_unlock(bool locked, mm_irq_t irq)
{
	if (locked)
		mm_unlock(&mm_spaces.lock);
	mm_port_irq_restore(irq);
}

// --- holding -------------------------------------------------------------------------------
static struct mm_space *hold(struct mm_space *space)
{
	if (space)
		__atomic_fetch_add(&space->users, 1u, __ATOMIC_RELAXED);
	return space;
}

struct mm_space *pt_space_get(uint32_t id, enum mm_status *status)
{
	struct mm_space *space = NULL;
	mm_irq_t irq;
	bool locked;

	if (id == MM_SPACE_KERNEL && mm_spaces.adopted)
		return hold(&mm_kernel_space);
	*status = id == MM_SPACE_CURRENT || id == MM_SPACE_NONE ? MM_ERR_ROOT : MM_ERR_SPACE;
	locked = list_lock(&irq);
	if (id == MM_SPACE_CURRENT)
		space = hold(find_root(mm_port_root()));
	else if (id != MM_SPACE_NONE)
		space = hold(find_id(id));
	list_unlock(locked, irq);
	if (space)
		*status = MM_OK;
	return space;
}

struct mm_space *pt_space_get_from(uint32_t id)
{
	mm_irq_t irq;
	bool locked = list_lock(&irq);
	struct mm_space *space = find_id(id);

	if (!space && id && (space = find_id(id - 1)))
		space = space->next;
	else if (!space)
		for (space = mm_spaces.first; space && space->id < id;)
			space = space->next;
	hold(space);
	list_unlock(locked, irq);
	return space;
}

void pt_space_put(struct mm_space *space)
{
	__atomic_fetch_sub(&space->users, 1u, __ATOMIC_RELEASE);
}

uint32_t pt_space_of_root(uint64_t address, bool is_phys)
{
	uint64_t root = is_phys ? address : address - mm_machine.direct_base;
	uint32_t id;

	if (!is_phys && (address < mm_machine.direct_base || root >= mm_machine.direct_limit))
		return MM_SPACE_NONE;
	return mm_space_by_root(mm_pa(root), &id) == MM_OK ? id : MM_SPACE_NONE;
}

bool mm_space_changing(void)
{
	return __atomic_load_n(&mm_spaces.changing, __ATOMIC_ACQUIRE);
}

// In turn: who waits asleep would never find the claim free beside a thread that
// changes all the time.
void pt_claim(struct mm_space *space)
{
	uint32_t ticket;

	pt_change_begin();
	ticket = __atomic_fetch_add(&space->claim_next, 1u, __ATOMIC_RELAXED);
	while (__atomic_load_n(&space->claim_now, __ATOMIC_ACQUIRE) != ticket)
		mm_port_relax();
}

void pt_unclaim(struct mm_space *space)
{
	__atomic_fetch_add(&space->claim_now, 1u, __ATOMIC_RELEASE);
	pt_change_end();
}

// The kernel's root comes first, so that a space which is being made copies the
// new entry; those that exist get it here, under the same lock.
void pt_share_top(unsigned index, uint64_t entry)
{
	mm_irq_t irq = mm_lock_irq(&mm_spaces.lock);

	for (struct mm_space *space = mm_spaces.first; space; space = space->next)
		mm_port_entry_write(&space->top[index], entry);
	mm_unlock_irq(&mm_spaces.lock, irq);
}

// --- lives -----------------------------------------------------------------------------------
static void name_set(struct mm_space *space, const char *name)
{
	size_t i = 0;

	for (; name && name[i] && i < MM_SPACE_NAME_BYTES - 1; i++)
		space->name[i] = name[i];
	space->name[i] = '\0';
}

// Gives the space its id and its place, and the kernel half. false: no ids left.
// From then on anybody may end it.
static bool enter(struct mm_space *space, uint32_t *id)
{
	mm_irq_t irq = mm_lock_irq(&mm_spaces.lock);
	bool room = mm_spaces.next_id < MM_SPACE_NONE;

	if (room) {
		*id = space->id = mm_spaces.next_id++;
		for (unsigned i = PT_SHARED; i < PT_SLOTS; i++)
			mm_port_entry_write(&space->top[i], pt_load(&mm_kernel_space.top[i]));
		list_add(space);
	}
	mm_unlock_irq(&mm_spaces.lock, irq);
	return room;
}

static enum mm_status create(const char *name, uint32_t *id, paddr_t *root, uint64_t site)
{
	struct mm_space *space = kzalloc(sizeof(*space), 0);

	if (!space)
		return MM_ERR_NO_MEMORY;
	space->top = mm_table_alloc(site);
	if (!space->top) {
		kfree(space);
		return MM_ERR_TABLE_MEM;
	}
	*root = space->root = mm_virt_to_phys(space->top);
	space->tables = 1;
	name_set(space, name);
	if (!enter(space, id)) {
		mm_table_free(space->top);
		kfree(space);
		return MM_ERR_LIMIT;
	}
	return MM_OK;
}

enum mm_status mm_space_create(const char *name, uint32_t *id, paddr_t *root)
{
	enum mm_status status;
	uint32_t new_id;
	paddr_t new_root;

	if (!mm_spaces.adopted)
		return MM_ERR_STATE;
	pt_change_begin();
	status = create(name, &new_id, &new_root, MM_CALLER);
	pt_change_end();
	if (status != MM_OK)
		return status;
	if (id)
		*id = new_id;
	if (root)
		*root = new_root;
	mm_gen_bump();
	return MM_OK;
}

// Takes a space that no CPU runs in off the lists; NULL: there is none.
static struct mm_space *leave(uint32_t id)
{
	mm_irq_t irq = mm_lock_irq(&mm_spaces.lock);
	struct mm_space *space = id == MM_SPACE_KERNEL ? NULL : find_id(id);

	if (space && (space->active || space->root.value == mm_port_root().value))
		space = NULL;
	if (space)
		list_remove(space);
	mm_unlock_irq(&mm_spaces.lock, irq);
	return space;
}

enum mm_status mm_space_destroy(uint32_t id, uint64_t *tables)
{
	struct mm_space *space;
	uint64_t freed = 0;

	pt_change_begin();
	space = leave(id);
	if (space) {
		while (__atomic_load_n(&space->users, __ATOMIC_ACQUIRE))
			mm_port_relax();
		freed = pt_unmap_user_half(space) + 1;
		mm_table_free(space->top);
		kfree(space);
		mm_gen_bump();
	}
	pt_change_end();
	if (space && tables)
		*tables = freed;
	return space ? MM_OK : MM_ERR_SPACE;
}

enum mm_status mm_space_switch(uint32_t id)
{
	mm_irq_t irq = mm_lock_irq(&mm_spaces.lock);
	struct mm_space *to = id == MM_SPACE_CURRENT ? find_root(mm_port_root()) : find_id(id);
	struct mm_space *from = find_root(mm_port_root());

	if (to && to != from) {
		to->active++;
		mm_port_root_set(to->root);
		if (from && from != &mm_kernel_space)
			from->active--;
	}
	mm_unlock_irq(&mm_spaces.lock, irq);
	return to ? MM_OK : MM_ERR_SPACE;
}

// --- looking
// --------------------------------------------------------------------------------------
uint32_t mm_space_current(void)
{
	uint32_t id;

	return mm_space_by_root(mm_port_root(), &id) == MM_OK ? id : MM_SPACE_CURRENT;
}

enum mm_status mm_space_by_root(paddr_t root, uint32_t *id)
{
	mm_irq_t irq;
	bool locked = list_lock(&irq);
	const struct mm_space *space = find_root(root);

	if (space)
		*id = space->id;
	list_unlock(locked, irq);
	return space ? MM_OK : MM_ERR_ROOT;
}

static void describe(const struct mm_space *space, struct mm_space_info *out)
{
	*out = (struct mm_space_info){
		.id = space->id,
		.root = space->root,
		.current = space->root.value == mm_port_root().value ||
			   (space != &mm_kernel_space &&
			    __atomic_load_n(&space->active, __ATOMIC_RELAXED)),
		.tables = __atomic_load_n(&space->tables, __ATOMIC_RELAXED),
		.mapped_bytes = __atomic_load_n(&space->mapped_bytes, __ATOMIC_RELAXED),
	};
	for (size_t i = 0; i < sizeof(out->name); i++)
		out->name[i] = space->name[i];
}

enum mm_status mm_space_info(uint32_t id, struct mm_space_info *out)
{
	enum mm_status status = MM_OK;
	mm_irq_t irq = mm_port_irq_save();
	struct mm_space *space = pt_space_get(id, &status);

	if (space) {
		describe(space, out);
		pt_space_put(space);
	}
	mm_port_irq_restore(irq);
	return status;
}

enum mm_visit mm_visit_spaces(struct mm_cursor *cursor, struct mm_space_info *out)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_space *space = cursor->at < MM_SPACE_NONE
					 ? pt_space_get_from((uint32_t)cursor->at)
					 : NULL;

	if (space) {
		describe(space, out);
		cursor->at = (uint64_t)space->id + 1;
		pt_space_put(space);
	}
	mm_port_irq_restore(irq);
	return space ? MM_VISIT_ITEM : MM_VISIT_END;
}

// --- the boot's tables
// ------------------------------------------------------------------------------
struct adoption {
	uint64_t tables;
	uint64_t bytes;
};

static bool adopt_table(struct adoption *all, uint64_t *table, unsigned level, uint64_t lost,
			uint64_t xd, unsigned *present);

// One present entry: takes `lost` rights and adds `xd` where it is a leaf; else
// sends them down and keeps the count. The new entry, or 0 on failure.
static uint64_t adopt_entry(struct adoption *all, uint64_t entry, unsigned level, uint64_t lost,
			    uint64_t xd)
{
	unsigned present;

	if (pt_is_leaf(entry, level)) {
		all->bytes += pt_bytes(level);
		return (entry & ~lost) | xd;
	}
	if ((entry & PT_ADDRESS) >= mm_machine.direct_limit ||
	    !adopt_table(all, pt_table(entry), level - 1, lost | (~entry & PT_RIGHTS_ALL),
			 xd | (entry & PT_XD), &present))
		return 0;
	entry &= PT_ADDRESS | PT_ACCESSED | (PT_USER & ~lost);
	return entry | PT_PRESENT | PT_WRITE | PT_PINNED | present * PT_COUNT_ONE;
}

static bool adopt_table(struct adoption *all, uint64_t *table, unsigned level, uint64_t lost,
			uint64_t xd, unsigned *present)
{
	uint64_t mark = PT_SEEN;

	if (table[0] & PT_SEEN)
		return false;
	mm_port_entry_write(&table[0], table[0] | mark);
	all->tables++;
	*present = 0;
	for (unsigned i = 0; i < PT_SLOTS; i++, mark = 0) {
		uint64_t entry = table[i];

		if (entry & PT_PRESENT) {
			entry = adopt_entry(all, entry, level, lost, xd);
			if (!entry)
				return false;
			++*present;
		} else {
			entry = 0;
		}
		if (level == PT_TOP && i >= PT_SHARED)
			entry &= ~PT_COUNT_MASK;
		mm_port_entry_write(&table[i], entry | mark);
	}
	return true;
}

static void forget_seen(uint64_t *table, unsigned level)
{
	mm_port_entry_write(&table[0], table[0] & ~PT_SEEN);
	for (unsigned i = 0; level > 1 && i < PT_SLOTS; i++)
		if ((table[i] & PT_PRESENT) && !pt_is_leaf(table[i], level))
			forget_seen(pt_table(table[i]), level - 1);
}

enum mm_status mm_space_adopt_kernel(paddr_t root)
{
	struct mm_space *kernel = &mm_kernel_space;
	struct mm_tlb_request all = {.kind = MM_TLB_ALL, .root = root, .kernel = true};
	struct adoption found = {0};
	unsigned present;

	if (!mm_machine.ready || mm_spaces.adopted)
		return MM_ERR_STATE;
	if ((root.value & ~PT_ADDRESS) || root.value >= mm_machine.direct_limit)
		return MM_ERR_ROOT;
	kernel->root = root;
	kernel->top = mm_phys_to_virt(root);
	if (!adopt_table(&found, kernel->top, PT_TOP, 0, 0, &present))
		return MM_ERR_ROOT;
	forget_seen(kernel->top, PT_TOP);
	if (!pt_reserve_fill(MM_CALLER))
		return MM_ERR_TABLE_MEM;
	kernel->tables = found.tables;
	kernel->mapped_bytes = found.bytes;
	name_set(kernel, "kernel");
	list_add(kernel);
	mm_spaces.next_id = MM_SPACE_KERNEL + 1;
	mm_spaces.adopted = true;
	mm_port_tlb_flush(&all, 1);
	mm_gen_bump();
	return MM_OK;
}

void mm_space_exit(void)
{
	struct mm_space *space = mm_spaces.first;

	while (space) {
		struct mm_space *next = space->next;

		if (space != &mm_kernel_space)
			kfree(space);
		space = next;
	}
	pt_reserve_empty();
	memset(&mm_spaces, 0, sizeof(mm_spaces));
	memset(&mm_kernel_space, 0, sizeof(mm_kernel_space));
}
