// notes.c: what the debug switches know about objects: who allocated each and
// when, who freed it, how many bytes were asked for, whether it was poisoned.
//
// Notes lie outside the objects, 16 bytes each, in one array per slab, which is
// made when a switch that needs it is on and the slab gives out an object. The
// arrays of a frame's 32 granules hang on the frame's Page by a small table. All
// of it is kmalloc memory of mm's own, which itself carries no notes; switching
// off frees it. If there is no memory for notes the object goes without.
//
// Locks: the content of an array belongs to slab->lock; the tables that find the
// arrays to table_lock; the sites to site_lock. The latter two are leaves.
#include "state.h"

#define POISON_BYTE  0x6b
#define REDZONE_BYTE 0xbb

static struct mm_lock table_lock;
static struct mm_lock site_lock;
struct mm_site_info *mm_sites;

// --- sites --------------------------------------------------------------------
static uint16_t site_slot(uint64_t address)
{
	uint32_t slot = (uint32_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 53);

	for (unsigned tries = 0; tries < 64; tries++, slot++) {
		slot %= MM_SITE_SLOTS;
		if (!slot)
			continue;
		if (!mm_sites[slot].site)
			mm_sites[slot].site = address;
		if (mm_sites[slot].site == address)
			return (uint16_t)slot;
	}
	return 0;
}

static void slot_count(uint16_t slot, uint64_t objects, uint64_t bytes, bool alloc)
{
	struct mm_site_info *site = &mm_sites[slot];

	*(alloc ? &site->allocs : &site->frees) += 1;
	site->live_objects += alloc ? objects : -objects;
	site->live_bytes += alloc ? bytes : -bytes;
}

static uint16_t site_count(uint64_t address, uint64_t bytes)
{
	uint16_t slot = 0;

	mm_lock(&site_lock);
	if (mm_sites) {
		slot = site_slot(address);
		slot_count(slot, 1, bytes, true);
	}
	mm_unlock(&site_lock);
	return slot;
}

static void site_uncount(uint16_t slot, uint64_t bytes)
{
	mm_lock(&site_lock);
	if (mm_sites)
		slot_count(slot, 1, bytes, false);
	mm_unlock(&site_lock);
}

static uint16_t site_number(uint64_t address)
{
	uint16_t slot = 0;

	mm_lock(&site_lock);
	if (mm_sites && address)
		slot = site_slot(address);
	mm_unlock(&site_lock);
	return slot;
}

static uint64_t site_address(uint16_t slot)
{
	uint64_t address;

	mm_lock(&site_lock);
	address = mm_sites && slot ? mm_sites[slot].site : 0;
	mm_unlock(&site_lock);
	return address;
}

void mm_site_count_frames(unsigned frames, uint64_t site, bool alloc)
{
	mm_irq_t irq = mm_lock_irq(&site_lock);

	if (mm_sites)
		slot_count(site_slot(site), 1, (uint64_t)frames << MM_FRAME_SHIFT, alloc);
	mm_unlock_irq(&site_lock, irq);
}

bool mm_site_read(uint32_t index, struct mm_site_info *out)
{
	mm_irq_t irq = mm_lock_irq(&site_lock);
	bool there = mm_sites && index < MM_SITE_SLOTS;

	if (there)
		*out = mm_sites[index];
	mm_unlock_irq(&site_lock, irq);
	return there;
}

enum mm_status mm_sites_open(void)
{
	size_t bytes = MM_SITE_SLOTS * sizeof(*mm_sites);
	struct mm_site_info *fresh = mm_own_alloc(bytes);
	mm_irq_t irq;

	if (!fresh)
		return MM_ERR_NO_MEMORY;
	memset(fresh, 0, bytes);
	irq = mm_lock_irq(&site_lock);
	if (!mm_sites) {
		mm_sites = fresh;
		fresh = NULL;
	}
	mm_unlock_irq(&site_lock, irq);
	if (fresh)
		mm_own_free(fresh);
	return MM_OK;
}

void mm_sites_close(void)
{
	mm_irq_t irq = mm_lock_irq(&site_lock);
	struct mm_site_info *old = mm_sites;

	mm_sites = NULL;
	mm_unlock_irq(&site_lock, irq);
	if (old)
		mm_own_free(old);
}

void mm_sites_forget(void)
{
	mm_sites = NULL;
}

// --- finding the notes of a slab ----------------------------------------------
static struct Page *page_of(const struct slab *slab)
{
	return mm_phys_to_page(mm_virt_to_phys((void *)(uintptr_t)slab->start));
}

static unsigned granule_of(const struct slab *slab)
{
	return mm_slab_index(slab) % MM_FRAME_GRANULES;
}

static struct note *notes_of(const struct slab *slab)
{
	const struct Page *page = page_of(slab);
	struct note *notes = NULL;

	mm_lock(&table_lock);
	if (page->notes)
		notes = ((struct note **)(uintptr_t)page->notes)[granule_of(slab)];
	mm_unlock(&table_lock);
	return notes;
}

// table_lock held: with this, nothing is hung up behind mm_notes_drop_all's back.
static bool wanted(void)
{
	return (mm_peek(mm_flags) & MM_SWITCH_NOTES) != 0;
}

// Hangs `notes` onto the slab unless it has some; returns what is then surplus.
static struct note *notes_attach(const struct slab *slab, struct note *notes)
{
	struct Page *page = page_of(slab);
	struct note **table;
	struct note *surplus = notes;

	mm_lock(&table_lock);
	table = (struct note **)(uintptr_t)page->notes;
	if (table && !table[granule_of(slab)] && wanted()) {
		table[granule_of(slab)] = notes;
		surplus = NULL;
	}
	mm_unlock(&table_lock);
	return surplus;
}

static void *take_zeroed(size_t bytes)
{
	void *memory = mm_own_alloc(bytes);

	return memory ? memset(memory, 0, bytes) : NULL;
}

static bool table_make(struct Page *page)
{
	void *table = take_zeroed(MM_FRAME_GRANULES * sizeof(struct note *));

	if (!table)
		return false;
	mm_lock(&table_lock);
	if (!page->notes && wanted()) {
		mm_poke(page->notes, (uintptr_t)table);
		table = NULL;
	}
	mm_unlock(&table_lock);
	if (table)
		mm_own_free(table);
	return true;
}

static void notes_make(const struct slab *slab)
{
	struct note *notes;

	if (!mm_peek(page_of(slab)->notes) && !table_make(page_of(slab)))
		return;
	notes = take_zeroed(mm_slab_objects(slab) * sizeof(*notes));
	if (notes)
		notes = notes_attach(slab, notes);
	if (notes)
		mm_own_free(notes);
}

// Takes the notes of a slab off; the caller frees them without locks.
static struct note *notes_detach(struct Page *page, unsigned granule)
{
	struct note *notes = NULL;

	mm_lock(&table_lock);
	if (page->notes) {
		struct note **table = (struct note **)(uintptr_t)page->notes;

		notes = table[granule];
		table[granule] = NULL;
	}
	mm_unlock(&table_lock);
	return notes;
}

void mm_notes_drop(struct slab *slab)
{
	struct note *notes = notes_detach(page_of(slab), granule_of(slab));

	if (notes)
		mm_own_free(notes);
}

void mm_notes_drop_frame(struct Page *page)
{
	uint64_t table;

	mm_lock(&table_lock);
	table = page->notes;
	mm_poke(page->notes, 0);
	mm_unlock(&table_lock);
	if (table)
		mm_own_free((void *)(uintptr_t)table);
}

static void drop_granule(struct Page *page, unsigned granule)
{
	mm_irq_t irq = mm_port_irq_save();
	struct slab *slab = mm_slab_of(mm_page_to_virt(page).value + granule * MM_GRANULE_SIZE);
	struct note *notes;

	mm_lock(&slab->lock);
	notes = notes_detach(page, granule);
	mm_unlock(&slab->lock);
	if (notes)
		mm_own_free(notes);
	mm_port_irq_restore(irq);
}

void mm_notes_drop_all(void)
{
	mm_irq_t all = mm_lock_irq(&table_lock);

	// Who was hanging something up is done now, and the next sees wanted().
	mm_unlock_irq(&table_lock, all);
	for (uint32_t i = 0; i < mm_page_total; i++) {
		struct Page *page = &mm_pages[i];
		mm_irq_t irq;

		mm_poke(page->site, 0);
		if (page->zone == MM_ZONE_UNMAPPED || page->frame == MM_GUARD_FRAME ||
		    !mm_peek(page->notes))
			continue;
		for (unsigned granule = 0; granule < MM_FRAME_GRANULES; granule++)
			drop_granule(page, granule);
		irq = mm_port_irq_save();
		mm_notes_drop_frame(page);
		mm_port_irq_restore(irq);
	}
}

// --- poison and redzone -------------------------------------------------------
static bool all_bytes(uint64_t start, uint64_t bytes, uint8_t value)
{
	const uint8_t *at = (const uint8_t *)(uintptr_t)start;

	// The first byte is right and each equals its neighbour.
	return !bytes || (at[0] == value && !memcmp(at, at + 1, bytes - 1));
}

static uint8_t redzone_byte(const struct note *note)
{
	return note->requested & NOTE_ZEROED ? 0 : REDZONE_BYTE;
}

// --- an object's life ---------------------------------------------------------
static uint32_t note_flags(unsigned long requested, gfp_t gfp, unsigned switches)
{
	uint32_t flags = (uint32_t)requested & NOTE_SIZE;

	if (switches & MM_SWITCH_ATTRIBUTION)
		flags |= NOTE_BORN;
	if (switches & MM_SWITCH_REDZONE)
		flags |= NOTE_REDZONE;
	return gfp & __GFP_ZERO ? flags | NOTE_ZEROED : flags;
}

enum mm_status mm_note_alloc(uint64_t object, unsigned long requested, gfp_t gfp, uint64_t site,
			     unsigned switches)
{
	struct slab *slab = mm_slab_of(object);
	uint64_t bytes = UINT64_C(1) << slab->shift;
	enum mm_status status = MM_OK;
	struct note *notes;

	if (!notes_of(slab))
		notes_make(slab);
	mm_lock(&slab->lock);
	notes = notes_of(slab);
	if (notes) {
		struct note *note = &notes[(object - slab->start) >> slab->shift];

		if (switches & MM_SWITCH_POISON && note->requested & NOTE_POISONED &&
		    !all_bytes(object, bytes, POISON_BYTE))
			status = MM_ERR_POISON;
		note->requested = note_flags(requested, gfp, switches);
		if (switches & MM_SWITCH_ATTRIBUTION) {
			note->site = site_count(site, bytes);
			note->birth_us = mm_port_clock_us();
		}
		if (switches & MM_SWITCH_REDZONE)
			memset((uint8_t *)(uintptr_t)object + requested, redzone_byte(note),
			       bytes - requested);
	}
	mm_unlock(&slab->lock);
	return status;
}

void mm_note_forget(uint64_t object)
{
	struct slab *slab = mm_slab_of(object);
	struct note *notes;

	mm_lock(&slab->lock);
	notes = notes_of(slab);
	if (notes)
		notes[(object - slab->start) >> slab->shift] = (struct note){0};
	mm_unlock(&slab->lock);
}

enum mm_status mm_note_verify(const struct slot *slot, unsigned switches)
{
	const struct note *notes = notes_of(slot->slab);
	const struct note *note;
	uint64_t requested;

	if (!notes || !(switches & MM_SWITCH_REDZONE))
		return MM_OK;
	note = &notes[slot->index];
	if (!(note->requested & NOTE_REDZONE))
		return MM_OK;
	requested = note->requested & NOTE_SIZE;
	return all_bytes(slot->base + requested, (UINT64_C(1) << slot->slab->shift) - requested,
			 redzone_byte(note))
		       ? MM_OK
		       : MM_ERR_REDZONE;
}

void mm_note_free(const struct slot *slot, uint64_t site, unsigned switches)
{
	struct note *notes = notes_of(slot->slab);
	uint64_t bytes = UINT64_C(1) << slot->slab->shift;
	struct note *note;

	if (!notes)
		return;
	note = &notes[slot->index];
	if (note->requested & NOTE_BORN)
		site_uncount(note->site, bytes);
	note->requested = 0;
	note->freer = site_number(site);
	if (switches & MM_SWITCH_POISON) {
		memset((void *)(uintptr_t)slot->base, POISON_BYTE, bytes);
		note->requested = NOTE_POISONED;
	}
}

bool mm_note_read(const struct slot *slot, struct mm_object *out)
{
	const struct note *notes = notes_of(slot->slab);
	const struct note *note;

	if (!notes)
		return false;
	note = &notes[slot->index];
	out->site = site_address(note->site);
	out->freed_site = site_address(note->freer);
	out->birth_us = note->birth_us;
	out->has_note = (note->requested & NOTE_BORN) != 0;
	return out->has_note || out->freed_site;
}
