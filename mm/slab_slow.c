// slab_slow.c: the long way of kmalloc and kfree: new words, new slabs, frees
// into slabs that this CPU does not own, verdicts, debug modes. See slab.c.
#include "state.h"

struct size_class mm_classes[CLASS_LAST + 1];
struct mm_cpu *mm_cpus[MM_CPU_LIMIT];
unsigned mm_cpu_limit;
unsigned mm_cpu_end;

// Where a class has no current slab its word is this one: nothing free.
static uint64_t no_word;

// What slab.owner says when nobody owns it.
static uint32_t owner_nobody(unsigned cls)
{
	return cls == CLASS_TABLE ? MM_OWNER_TABLE : 0;
}

static uint32_t token_of(const struct mm_cpu *cpu)
{
	return cpu->index + 1;
}

// --- CPUs ---------------------------------------------------------------------
void mm_cpu_init(struct mm_cpu *cpu, unsigned index)
{
	for (unsigned cls = 0; cls < CLASS_SLOTS; cls++)
		cpu->word[cls] = &no_word;
	cpu->index = index;
	cpu->slow = mm_peek(mm_flags) & ~SLOW_FRAMES;
	cpu->token = cpu->slow ? MM_NO_TOKEN : index + 1;
	cpu->random = mm_port_clock_us() * UINT64_C(0x9e3779b97f4a7c15) + index + 1;
	__atomic_store_n(&mm_cpus[index], cpu, __ATOMIC_RELEASE);
	// Two CPUs may attach at once.
	unsigned end = mm_peek(mm_cpu_end);
	while (end <= index && !__atomic_compare_exchange_n(&mm_cpu_end, &end, index + 1, false,
							    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

struct mm_cpu *mm_cpu_attach(unsigned index)
{
	struct mm_cpu *cpu;

	if (!mm_machine.ready || index >= mm_cpu_limit)
		return NULL;
	cpu = __atomic_load_n(&mm_cpus[index], __ATOMIC_ACQUIRE);
	if (cpu)
		return cpu;
	cpu = mm_own_alloc(sizeof(*cpu));
	if (!cpu)
		return NULL;
	memset(cpu, 0, sizeof(*cpu));
	mm_cpu_init(cpu, index);
	mm_flags_change(0, 0);
	return cpu;
}

// Raises bits with one CPU: first the bits, then the token, so that the CPU, who
// does it the other way round in cpu_attend, cannot miss both.
static void cpu_raise(struct mm_cpu *cpu, uint64_t bits)
{
	__atomic_fetch_or(&cpu->slow, bits, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->token, MM_NO_TOKEN, __ATOMIC_SEQ_CST);
}

void mm_flags_change(uint32_t set, uint32_t clear)
{
	uint32_t flags;

	__atomic_fetch_and(&mm_flags, ~clear, __ATOMIC_SEQ_CST);
	flags = __atomic_or_fetch(&mm_flags, set, __ATOMIC_SEQ_CST) & ~SLOW_FRAMES;
	for (unsigned i = 0; i < mm_cpu_limit; i++) {
		struct mm_cpu *cpu = __atomic_load_n(&mm_cpus[i], __ATOMIC_ACQUIRE);

		if (!cpu)
			continue;
		__atomic_fetch_and(&cpu->slow, ~(uint64_t)clear, __ATOMIC_SEQ_CST);
		if (flags)
			cpu_raise(cpu, flags);
	}
}

// --- reports out of the middle of a free --------------------------------------
static __attribute__((cold)) void complain(uint64_t address, enum mm_status verdict, uint64_t site)
{
	struct mm_object object;
	char text[512];
	struct text out;
	size_t used;

	mm_query_virt(mm_va(address), &object);
	used = mm_describe_free(text, sizeof(text), (void *)(uintptr_t)address, verdict, &object);
	if (site) {
		mm_text_init(&out, text + used, sizeof(text) - used);
		mm_text_str(&out, "; called from ");
		mm_text_hex(&out, site);
	}
	mm_port_panic(text);
}

// --- remote frees -------------------------------------------------------------
// slab->lock held, by the owner. Returns how many objects came back; *twice is the
// address of one that is free on both sides, or 0.
static unsigned merge_locked(struct slab *slab, uint64_t *twice)
{
	uint64_t *remote = mm_remote_bits(slab);
	unsigned merged = 0;

	if (!slab->remote)
		return 0;
	mm_poke(slab->remote, 0);
	for (unsigned i = 0; i < mm_slab_words(slab); i++) {
		uint64_t came = mm_peek(remote[i]);
		uint64_t free = mm_peek(slab->bits[i]);

		if (!came)
			continue;
		if (came & free)
			*twice = slab->start + ((i * 64ul + (uint64_t)__builtin_ctzll(came & free))
						<< slab->shift);
		mm_poke(slab->bits[i], free | came);
		mm_poke(remote[i], 0);
		merged++;
	}
	return merged;
}

static unsigned merge_remote(struct slab *slab)
{
	uint64_t twice = 0;
	unsigned merged;

	mm_lock(&slab->lock);
	merged = merge_locked(slab, &twice);
	mm_unlock(&slab->lock);
	if (mm_unlikely(twice))
		complain(twice, MM_ERR_FREE, 0);
	return merged;
}

// --- partial lists, under class.lock ------------------------------------------
static void list_remove(struct size_class *class, struct slab *slab)
{
	if (slab->prev != MM_NIL)
		mm_slabs[slab->prev].next = slab->next;
	else
		mm_poke(class->head, slab->next);
	if (slab->next != MM_NIL)
		mm_slabs[slab->next].prev = slab->prev;
	else
		class->tail = slab->prev;
	mm_poke(slab->listed, 0);
}

static void list_append(struct size_class *class, struct slab *slab)
{
	uint32_t index = mm_slab_index(slab);

	slab->next = MM_NIL;
	slab->prev = class->tail;
	if (class->tail != MM_NIL)
		mm_slabs[class->tail].next = index;
	else
		mm_poke(class->head, index);
	class->tail = index;
	mm_poke(slab->listed, 1);
}

// Worth adopting: an eighth of it is free. Adopting slabs for one object each would
// make every allocation in a well-filled heap a slow one.
static bool is_ripe(const struct slab *slab)
{
	uint64_t spare = slab->objects / 8;

	return mm_peek(slab->used) + (spare ? spare : 1) <= slab->objects;
}

// Takes a slab off: the oldest one or its successor, if it is ripe (or if `any`
// will do). Until it is adopted or destroyed it is claimed: not listed, no owner,
// and nobody else destroys it. What is not ripe goes to the end of the line.
static struct slab *list_pop(struct size_class *class, bool any)
{
	struct slab *found = NULL;

	if (mm_peek(class->head) == MM_NIL)
		return NULL;
	mm_lock(&class->lock);
	for (unsigned tries = 0; tries < 2 && !found && class->head != MM_NIL; tries++) {
		struct slab *slab = &mm_slabs[class->head];

		list_remove(class, slab);
		if (any || is_ripe(slab))
			found = slab;
		else
			list_append(class, slab);
	}
	mm_unlock(&class->lock);
	return found;
}

// --- slabs come and go --------------------------------------------------------
static void bits_set_free(struct slab *slab)
{
	unsigned objects = mm_slab_objects(slab);

	if (objects >= 64)
		memset(slab->bits, 0xff, objects / 8);
	else
		slab->bits[0] = (UINT64_C(1) << objects) - 1;
	mm_remote_bits(slab)[0] = 0; // a fresh cell is zero
}

static void granules_mark(struct slab *head, uint64_t bytes, enum slab_state state)
{
	for (uint64_t at = MM_GRANULE_SIZE; at < bytes; at += MM_GRANULE_SIZE) {
		struct slab *body = mm_slab_of(head->start + at);

		mm_lock(&body->lock);
		mm_poke(body->start, head->start);
		body->objects = 0;
		mm_poke(body->state, (uint8_t)state);
		mm_unlock(&body->lock);
	}
}

// A new slab, owned by nobody and claimed by the caller.
static struct slab *slab_create(unsigned cls)
{
	unsigned shift = mm_class_shift(cls);
	unsigned order = shift > MM_GRANULE_SHIFT ? shift - MM_GRANULE_SHIFT : 0;
	uint64_t bytes = MM_GRANULE_SIZE << order;
	uint64_t *cell = NULL;
	uint64_t start;
	struct slab *slab;

	if (shift < MM_GRANULE_SHIFT - 6 && !(cell = mm_cell_take()))
		return NULL;
	start = mm_granules_take(order);
	if (!start) {
		if (cell)
			mm_cell_give(cell);
		return NULL;
	}
	slab = mm_slab_of(start);
	mm_lock(&slab->lock);
	mm_poke(slab->start, start);
	slab->objects = bytes >> shift;
	slab->bits = cell ? cell : slab->word;
	slab->shift = (uint8_t)shift;
	slab->cls = (uint8_t)cls;
	mm_poke(slab->used, 0);
	mm_poke(slab->listed, 0);
	mm_poke(slab->remote, 0);
	bits_set_free(slab);
	mm_poke(slab->owner, owner_nobody(cls));
	mm_poke(slab->state, SLAB_HEAD);
	mm_unlock(&slab->lock);
	granules_mark(slab, bytes, SLAB_BODY);
	mm_count(mm_classes[cls].slabs, 1);
	return slab;
}

// slab->lock held, the slab claimed and empty: from here on no verdict finds it.
static void slab_retire(struct slab *slab)
{
	mm_poke(slab->state, SLAB_NONE);
	mm_poke(slab->owner, 0);
	mm_poke(slab->used, 0);
}

// Behind slab_retire, no lock held: gives its memory back.
static void slab_destroy(struct slab *slab)
{
	uint64_t start = slab->start;
	unsigned order = mm_slab_order(slab);

	mm_count(mm_classes[slab->cls].slabs, -UINT64_C(1));
	mm_notes_drop(slab);
	granules_mark(slab, MM_GRANULE_SIZE << order, SLAB_NONE);
	if (slab->bits != slab->word)
		mm_cell_give(slab->bits);
	mm_granules_give(start, order);
}

// --- the current slab of a CPU and class --------------------------------------
static bool word_use(struct mm_cpu *cpu, unsigned cls, struct slab *slab, unsigned index)
{
	if (!mm_peek(slab->bits[index]))
		return false;
	cpu->word[cls] = &slab->bits[index];
	cpu->base[cls] = slab->start + ((uint64_t)index * 64 << slab->shift);
	return true;
}

// Moves on to the next word with a free object, around the end of the slab.
static bool next_word(struct mm_cpu *cpu, unsigned cls, struct slab *slab)
{
	unsigned words = mm_slab_words(slab);
	unsigned now = (unsigned)(cpu->word[cls] - slab->bits);

	for (unsigned i = now + 1; i < words; i++)
		if (word_use(cpu, cls, slab, i))
			return true;
	for (unsigned i = 0; i <= now; i++)
		if (word_use(cpu, cls, slab, i))
			return true;
	return false;
}

static void forget_current(struct mm_cpu *cpu, unsigned cls)
{
	mm_poke(cpu->current[cls], NULL);
	cpu->word[cls] = &no_word;
}

// The current slab has no free bit: gives it up, unless remote frees came in.
static bool give_up_full(struct mm_cpu *cpu, unsigned cls, struct slab *slab)
{
	uint64_t twice = 0;
	bool refilled;

	mm_lock(&slab->lock);
	refilled = merge_locked(slab, &twice) != 0;
	if (!refilled) {
		mm_poke(slab->used, (uint16_t)mm_slab_objects(slab));
		mm_poke(slab->owner, owner_nobody(cls));
	}
	mm_unlock(&slab->lock);
	if (mm_unlikely(twice))
		complain(twice, MM_ERR_FREE, 0);
	if (!refilled)
		forget_current(cpu, cls);
	return !refilled;
}

static void adopt(struct mm_cpu *cpu, unsigned cls, struct slab *slab)
{
	uint32_t owner = token_of(cpu) | owner_nobody(cls);

	mm_lock(&slab->lock);
	mm_poke(slab->owner, owner);
	mm_poke(slab->used, 0); // unknown from here on
	mm_unlock(&slab->lock);
	mm_poke(cpu->current[cls], slab);
	cpu->word[cls] = slab->bits;
	cpu->base[cls] = slab->start;
}

// Finds free objects for the class; false when there is no memory.
static bool refill(struct mm_cpu *cpu, unsigned cls)
{
	struct slab *slab = cpu->current[cls];

	if (slab) {
		if (next_word(cpu, cls, slab))
			return true;
		if (!give_up_full(cpu, cls, slab))
			return next_word(cpu, cls, slab);
	}
	slab = list_pop(&mm_classes[cls], false);
	if (!slab)
		slab = slab_create(cls);
	if (!slab)
		slab = list_pop(&mm_classes[cls], true);
	if (!slab)
		return false;
	adopt(cpu, cls, slab);
	return mm_peek(slab->bits[0]) || next_word(cpu, cls, slab);
}

// --- taking an object ---------------------------------------------------------
static uint64_t pick(struct mm_cpu *cpu, unsigned cls, unsigned bit)
{
	uint64_t *word = cpu->word[cls];

	mm_poke(*word, mm_peek(*word) & ~(UINT64_C(1) << bit));
	mm_port_count(&cpu->allocs[cls]);
	return cpu->base[cls] + ((uint64_t)bit << mm_class_shift(cls));
}

static uint64_t random_next(struct mm_cpu *cpu)
{
	// xorshift64: good enough to make placement unpredictable to a bug.
	cpu->random ^= cpu->random << 13;
	cpu->random ^= cpu->random >> 7;
	cpu->random ^= cpu->random << 17;
	return cpu->random;
}

// A random word of the current slab, a random free bit of it.
static unsigned random_bit(struct mm_cpu *cpu, unsigned cls)
{
	struct slab *slab = cpu->current[cls];
	unsigned at = (unsigned)(random_next(cpu) % mm_slab_words(slab));
	uint64_t bits;
	unsigned skip;

	word_use(cpu, cls, slab, at);
	bits = mm_peek(*cpu->word[cls]);
	skip = (unsigned)(random_next(cpu) % (unsigned)__builtin_popcountll(bits));
	while (skip--)
		bits &= bits - 1;
	return (unsigned)__builtin_ctzll(bits);
}

static uint64_t object_take(struct mm_cpu *cpu, unsigned cls)
{
	if (!mm_peek(*cpu->word[cls]) && !refill(cpu, cls)) {
		// Idle memory may sit in other classes.
		mm_slabs_trim(cpu);
		if (!refill(cpu, cls))
			return 0;
	}
	if (mm_unlikely(mm_peek(cpu->slow) & MM_SWITCH_RANDOM))
		return pick(cpu, cls, random_bit(cpu, cls));
	return pick(cpu, cls, (unsigned)__builtin_ctzll(mm_peek(*cpu->word[cls])));
}

// --- what other CPUs asked for ------------------------------------------------
static void cpu_attend(struct mm_cpu *cpu)
{
	uint64_t asked = mm_peek(cpu->slow) & (SLOW_REMOTE | SLOW_TRIM);

	if (asked)
		__atomic_fetch_and(&cpu->slow, ~asked, __ATOMIC_SEQ_CST);
	for (unsigned cls = CLASS_TABLE; asked && cls <= CLASS_LAST; cls++)
		if (cpu->current[cls] && mm_peek(cpu->current[cls]->remote))
			merge_remote(cpu->current[cls]);
	if (asked & SLOW_TRIM)
		mm_slabs_trim(cpu);
	if (mm_peek(cpu->slow) || mm_peek(cpu->token) == token_of(cpu))
		return;
	__atomic_exchange_n(&cpu->token, token_of(cpu), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&cpu->slow, __ATOMIC_SEQ_CST))
		__atomic_store_n(&cpu->token, MM_NO_TOKEN, __ATOMIC_SEQ_CST);
}

// --- kmalloc ------------------------------------------------------------------
enum mm_status mm_query_kmalloc(unsigned long size, gfp_t gfp, unsigned long *class_size)
{
	if (size > KMALLOC_MAX_SIZE)
		return MM_ERR_SIZE;
	if (gfp & ~GFP_KNOWN)
		return MM_ERR_GFP;
	if (class_size)
		*class_size = mm_class_size(size);
	return MM_OK;
}

static unsigned class_for(unsigned long size)
{
	return (unsigned)__builtin_ctzl(mm_class_size(size)) - 1;
}

static enum mm_status kmalloc_checked(struct mm_cpu *cpu, unsigned long size, gfp_t gfp,
				      uint64_t site, uint64_t *object)
{
	enum mm_status status = mm_query_kmalloc(size, gfp, NULL);
	uint32_t mode = (uint32_t)mm_peek(cpu->slow);

	if (status != MM_OK)
		return status;
	if (mode & SLOW_FAIL && mm_fail_now(MM_FAIL_KMALLOC))
		status = MM_ERR_INJECTED;
	else if (!(*object = object_take(cpu, class_for(size))))
		status = MM_ERR_NO_MEMORY;
	if (status != MM_OK) {
		mm_count(mm_classes[class_for(size)].failed, 1);
		return status;
	}
	return mode & MM_SWITCH_NOTES ? mm_note_alloc(*object, size, gfp, site, mode) : MM_OK;
}

static void *kmalloc_failed(unsigned long size, gfp_t gfp, enum mm_status status, uint64_t site,
			    uint64_t object)
{
	if (status == MM_ERR_POISON)
		complain(object, status, site);
	mm_gen_bump();
	mm_report_failure(MM_EVENT_KMALLOC, status, size, gfp, site);
	return NULL;
}

void *mm_kmalloc_slow(unsigned long size, gfp_t gfp, mm_irq_t irq, uint64_t site)
{
	struct mm_cpu *cpu = mm_port_cpu();
	uint64_t object = 0;
	enum mm_status status;

	cpu_attend(cpu);
	status = kmalloc_checked(cpu, size, gfp, site, &object);
	mm_port_irq_restore(irq);
	if (mm_unlikely(status != MM_OK))
		return kmalloc_failed(size, gfp, status, site, object);
	if (gfp & __GFP_ZERO)
		memset((void *)(uintptr_t)object, 0, mm_class_size(size));
	if (mm_peek(mm_flags) & (SLOW_HOOK | MM_SWITCH_LAST_CALLER)) {
		struct mm_event event = {
			.type = MM_EVENT_KMALLOC,
			.address = object,
			.size = mm_class_size(size),
			.aux = size,
			.site = site,
		};

		mm_report(&event, mm_peek(mm_flags));
	}
	return (void *)(uintptr_t)object;
}

// --- finding and judging ------------------------------------------------------
bool mm_slot_lock(uint64_t address, struct slot *slot)
{
	struct slab *slab = mm_slab_of(address);
	uint8_t state = mm_peek(slab->state);

	if (state == SLAB_BODY)
		slab = mm_slab_of(mm_peek(slab->start));
	else if (state != SLAB_HEAD)
		return false;
	mm_lock(&slab->lock);
	if (slab->state == SLAB_HEAD && address - slab->start < MM_GRANULE_SIZE
									<< mm_slab_order(slab)) {
		slot->slab = slab;
		slot->index = (unsigned)((address - slab->start) >> slab->shift);
		slot->base = slab->start + ((uint64_t)slot->index << slab->shift);
		return true;
	}
	mm_unlock(&slab->lock);
	return false;
}

static bool bit_of(const uint64_t *bits, unsigned index)
{
	return mm_peek(bits[index / 64]) >> (index % 64) & 1;
}

bool mm_slot_live(const struct slot *slot)
{
	return !bit_of(slot->slab->bits, slot->index) &&
	       !bit_of(mm_remote_bits(slot->slab), slot->index);
}

enum mm_status mm_slot_verdict(const struct slot *slot, uint64_t address)
{
	if (address != slot->base)
		return MM_ERR_INTERIOR;
	if (!mm_slot_live(slot))
		return MM_ERR_FREE;
	return slot->slab->cls == CLASS_TABLE ? MM_ERR_TABLE : MM_OK;
}

// --- freeing ------------------------------------------------------------------
enum aftermath { AFTER_NOTHING, AFTER_DESTROY, AFTER_RAISE, AFTER_TWICE };

// Nobody owns the slab. Its lock is held; AFTER_DESTROY: it is retired.
static enum aftermath put_unowned(struct slab *slab, unsigned index)
{
	struct size_class *class = &mm_classes[slab->cls];
	unsigned objects = mm_slab_objects(slab);
	bool was_full = slab->used == objects;
	enum aftermath after = AFTER_NOTHING;

	mm_poke(slab->bits[index / 64], slab->bits[index / 64] | UINT64_C(1) << (index % 64));
	mm_poke(slab->used, (uint16_t)(slab->used - 1));
	if (slab->used && !was_full)
		return AFTER_NOTHING;
	mm_lock(&class->lock);
	if (slab->used) {
		list_append(class, slab);
	} else if (slab->listed || was_full) {
		if (slab->listed)
			list_remove(class, slab);
		slab_retire(slab);
		after = AFTER_DESTROY;
	} // else claimed: whoever holds it goes on with it
	mm_unlock(&class->lock);
	return after;
}

// Another CPU owns the slab. Its lock is held.
static enum aftermath put_remote(struct slab *slab, unsigned index)
{
	uint64_t *remote = &mm_remote_bits(slab)[index / 64];
	uint64_t bit = UINT64_C(1) << (index % 64);

	__atomic_fetch_or(remote, bit, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&slab->bits[index / 64], __ATOMIC_SEQ_CST) & bit) {
		// The owner has freed it at the same moment.
		__atomic_fetch_and(remote, ~bit, __ATOMIC_SEQ_CST);
		return AFTER_TWICE;
	}
	mm_poke(slab->remote, 1);
	return AFTER_RAISE;
}

static enum aftermath put(struct mm_cpu *cpu, const struct slot *slot)
{
	struct slab *slab = slot->slab;
	uint32_t owner = MM_OWNER_CPU(slab->owner);
	enum aftermath after = AFTER_NOTHING;

	if (owner == 0)
		after = put_unowned(slab, slot->index);
	else if (owner != token_of(cpu))
		after = put_remote(slab, slot->index);
	else
		mm_port_test_and_set_bit(slab->bits, slot->index);
	if (after != AFTER_TWICE)
		mm_port_count(&cpu->frees[slab->cls == CLASS_TABLE ? CLASS_TABLE : slab->shift]);
	return after;
}

// Judges and frees in one step. `expected`: the verdict on which to free (MM_OK,
// or MM_ERR_TABLE for tables). Interrupts are off.
static enum mm_status free_judged(struct mm_cpu *cpu, uint64_t address, enum mm_status expected,
				  uint32_t mode, uint64_t site)
{
	enum aftermath after = AFTER_NOTHING;
	enum mm_status verdict;
	uint32_t owner;
	struct slot slot;

	if (!mm_slot_lock(address, &slot))
		return MM_ERR_FOREIGN;
	verdict = mm_slot_verdict(&slot, address);
	if (verdict == MM_OK && mode & MM_SWITCH_NOTES)
		verdict = mm_note_verify(&slot, mode);
	if (verdict == expected) {
		if (mode & MM_SWITCH_NOTES)
			mm_note_free(&slot, site, mode);
		after = put(cpu, &slot);
		verdict = after == AFTER_TWICE ? MM_ERR_FREE : MM_OK;
	} else if (verdict == MM_OK) {
		verdict = MM_ERR_FOREIGN; // mm_table_free of an object that is no table
	}
	owner = MM_OWNER_CPU(slot.slab->owner);
	mm_unlock(&slot.slab->lock);
	if (after == AFTER_DESTROY)
		slab_destroy(slot.slab);
	else if (after == AFTER_RAISE)
		cpu_raise(mm_cpus[owner - 1], SLOW_REMOTE);
	return verdict;
}

static void report_free(uint64_t address, uint64_t size, uint64_t site)
{
	struct mm_event event = {
		.type = MM_EVENT_KFREE,
		.address = address,
		.size = size,
		.site = site,
	};

	mm_report(&event, mm_peek(mm_flags));
}

static uint64_t size_at(uint64_t address)
{
	const struct slab *slab = mm_slab_of(address);

	return mm_peek(slab->state) == SLAB_HEAD ? UINT64_C(1) << mm_peek(slab->shift) : 0;
}

static enum mm_status kfree_judged(void *pointer, mm_irq_t irq, uint64_t site)
{
	struct mm_cpu *cpu = mm_port_cpu();
	uint64_t address = (uintptr_t)pointer;
	uint64_t size = size_at(address);
	enum mm_status status;
	uint32_t mode;

	cpu_attend(cpu);
	mode = (uint32_t)mm_peek(cpu->slow);
	status = free_judged(cpu, address, MM_OK, mode, site);
	mm_port_irq_restore(irq);
	if (mm_unlikely(status != MM_OK)) {
		mm_gen_bump();
		mm_report_failure(MM_EVENT_KFREE, status, 0, address, site);
	} else if (mode & (SLOW_HOOK | MM_SWITCH_LAST_CALLER)) {
		report_free(address, size, site);
	}
	return status;
}

unsigned long mm_kfree_slow(void *address, mm_irq_t irq, uint64_t site)
{
	enum mm_status status;

	if (!address) {
		mm_port_irq_restore(irq);
		return 0;
	}
	status = kfree_judged(address, irq, site);
	if (mm_unlikely(status != MM_OK))
		complain((uintptr_t)address, status, site);
	return 0;
}

enum mm_status mm_try_kfree(void *address)
{
	return address ? kfree_judged(address, mm_port_irq_save(), MM_CALLER) : MM_ERR_NULL;
}

// --- for mm itself and for page tables ----------------------------------------
uint64_t mm_own_allocs, mm_own_frees;

void *mm_own_alloc(unsigned long size)
{
	mm_irq_t irq = mm_port_irq_save();
	uint64_t object = object_take(mm_port_cpu(), class_for(size));

	if (object)
		mm_count(mm_own_allocs, 1);
	if (object && mm_peek(mm_flags) & MM_SWITCH_NOTES)
		mm_note_forget(object);
	mm_port_irq_restore(irq);
	return (void *)(uintptr_t)object;
}

void mm_own_free(void *address)
{
	mm_irq_t irq = mm_port_irq_save();
	enum mm_status status = free_judged(mm_port_cpu(), (uintptr_t)address, MM_OK, 0, 0);

	mm_count(mm_own_frees, 1);
	mm_port_irq_restore(irq);
	if (mm_unlikely(status != MM_OK))
		complain((uintptr_t)address, status, MM_CALLER);
}

void *mm_table_alloc(uint64_t site)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_cpu *cpu = mm_port_cpu();
	enum mm_status status = MM_OK;
	uint64_t object = 0;

	cpu_attend(cpu);
	if (mm_fail_now(MM_FAIL_TABLE))
		status = MM_ERR_INJECTED;
	else if (!(object = object_take(cpu, CLASS_TABLE)))
		status = MM_ERR_NO_MEMORY;
	mm_port_irq_restore(irq);
	if (status != MM_OK) {
		mm_count(mm_classes[CLASS_TABLE].failed, 1);
		mm_report_failure(MM_EVENT_KMALLOC, status, PAGE_4K_SIZE, 0, site);
		return NULL;
	}
	return memset((void *)(uintptr_t)object, 0, PAGE_4K_SIZE);
}

void mm_table_free(void *table)
{
	mm_irq_t irq = mm_port_irq_save();
	struct mm_cpu *cpu = mm_port_cpu();
	enum mm_status status;

	cpu_attend(cpu);
	status = free_judged(cpu, (uintptr_t)table, MM_ERR_TABLE, 0, 0);
	mm_port_irq_restore(irq);
	if (mm_unlikely(status != MM_OK))
		complain((uintptr_t)table, status, MM_CALLER);
}

bool mm_table_is(const void *address)
{
	mm_irq_t irq = mm_port_irq_save();
	struct slot slot;
	bool is = false;

	if (mm_slot_lock((uintptr_t)address, &slot)) {
		is = slot.slab->cls == CLASS_TABLE && mm_slot_live(&slot);
		mm_unlock(&slot.slab->lock);
	}
	mm_port_irq_restore(irq);
	return is;
}

// --- giving back what is idle -------------------------------------------------
static bool slab_is_empty(const struct slab *slab)
{
	unsigned objects = mm_slab_objects(slab);

	if (objects < 64)
		return mm_peek(slab->bits[0]) == (UINT64_C(1) << objects) - 1;
	for (unsigned i = 0; i < objects / 64; i++)
		if (mm_peek(slab->bits[i]) != ~UINT64_C(0))
			return false;
	return true;
}

static void trim_current(struct mm_cpu *cpu, unsigned cls)
{
	struct slab *slab = cpu->current[cls];
	bool empty;

	if (!slab)
		return;
	merge_remote(slab);
	mm_lock(&slab->lock);
	empty = !slab->remote && slab_is_empty(slab);
	if (empty)
		slab_retire(slab);
	mm_unlock(&slab->lock);
	if (!empty)
		return;
	forget_current(cpu, cls);
	slab_destroy(slab);
}

void mm_slabs_trim(struct mm_cpu *cpu)
{
	for (unsigned cls = CLASS_TABLE; cls <= CLASS_LAST; cls++)
		trim_current(cpu, cls);
}

unsigned long mm_trim(void)
{
	mm_irq_t irq = mm_port_irq_save();
	uint64_t before = mm_peek(mm_pool.frames);
	struct mm_cpu *me = mm_port_cpu();
	uint64_t after;

	cpu_attend(me);
	mm_slabs_trim(me);
	for (unsigned i = 0; i < mm_cpu_limit; i++) {
		struct mm_cpu *cpu = mm_peek(mm_cpus[i]);

		if (cpu && cpu != me)
			cpu_raise(cpu, SLOW_TRIM);
	}
	mm_pool_trim();
	after = mm_peek(mm_pool.frames);
	mm_port_irq_restore(irq);
	return mm_frames_flush() + (before > after ? before - after : 0);
}
