// pool.c: what slabs are made of. Frames of the slab are cut into 32 granules
// of 64 KiB; slabs take 1, 2, 4, 8 or 16 of them (naturally aligned, because
// objects are aligned to their size), so that a small machine does not spend a
// whole frame on each class. A frame's free granules are one 32-bit word; frames
// with free granules lie on six lists by the order of their largest free block.
//
// Slabs with more than 64 objects keep their bitmaps in a cell: 512 bytes, out
// of line, from granules that are cut into 128 cells each (the first one is the
// header). Nothing that mm relies on lies inside memory that it has given out.
//
// One wholly free frame is kept back, so that a slab that comes and goes at the
// edge does not pull a frame in and out of its zone each time.
//
// Lock order: cell_lock -> mm_pool.lock -> zone.lock.
#include "state.h"

struct pool mm_pool;
struct slab *mm_slabs;
uint64_t mm_slab_mask;

// --- granules -----------------------------------------------------------------
// The first granule of each free, aligned block of 1 << order.
static uint32_t blocks_of(uint32_t granules, unsigned order)
{
	static const uint32_t aligned[] = {0xffffffff, 0x55555555, 0x11111111,
					   0x01010101, 0x00010001, 0x00000001};
	uint32_t blocks = granules;

	for (unsigned i = 0; i < order; i++)
		blocks &= blocks >> (1u << i);
	return blocks & aligned[order];
}

static unsigned largest_order(uint32_t granules)
{
	unsigned order = 5;

	while (order && !blocks_of(granules, order))
		order--;
	return order;
}

static void list_remove(struct Page *page)
{
	unsigned order = page->pool_order;

	if (page->pool_prev != MM_NIL)
		mm_pages[page->pool_prev].pool_next = page->pool_next;
	else
		mm_pool.head[order] = page->pool_next;
	if (page->pool_next != MM_NIL)
		mm_pages[page->pool_next].pool_prev = page->pool_prev;
	if (mm_pool.head[order] == MM_NIL)
		mm_pool.nonempty &= ~(1u << order);
}

static void list_insert(struct Page *page)
{
	unsigned order = largest_order(page->granules);
	uint32_t index = (uint32_t)(page - mm_pages);

	page->pool_order = (uint8_t)order;
	page->pool_prev = MM_NIL;
	page->pool_next = mm_pool.head[order];
	if (page->pool_next != MM_NIL)
		mm_pages[page->pool_next].pool_prev = index;
	mm_pool.head[order] = index;
	mm_pool.nonempty |= 1u << order;
}

// Sets the free granules of a frame and moves it to the list where it belongs.
static void granules_set(struct Page *page, uint32_t granules)
{
	if (page->granules)
		list_remove(page);
	mm_pool.idle -= page->granules == MM_GRANULES_ALL;
	mm_pool.idle += granules == MM_GRANULES_ALL;
	mm_poke(page->granules, granules);
	if (granules)
		list_insert(page);
}

static struct Page *frame_with_room(unsigned order)
{
	uint32_t lists = mm_pool.nonempty >> order;
	struct Page *page;

	if (lists)
		return &mm_pages[mm_pool.head[order + (unsigned)__builtin_ctz(lists)]];
	page = mm_frame_take_slab();
	if (!page)
		return NULL;
	mm_poke(page->granules, 0);
	granules_set(page, MM_GRANULES_ALL);
	mm_count(mm_pool.frames, 1);
	return page;
}

uint64_t mm_granules_take(unsigned order)
{
	uint64_t address = 0;
	mm_irq_t irq;

	if (mm_fail_now(MM_FAIL_SLAB))
		return 0;
	irq = mm_lock_irq(&mm_pool.lock);
	struct Page *page = frame_with_room(order);

	if (page) {
		unsigned first = (unsigned)__builtin_ctz(blocks_of(page->granules, order));
		uint32_t block = ((1u << (1u << order)) - 1) << first;

		granules_set(page, page->granules & ~block);
		address = mm_page_to_virt(page).value + first * MM_GRANULE_SIZE;
	}
	mm_unlock_irq(&mm_pool.lock, irq);
	return address;
}

// Takes a frame out of the pool; the caller gives it to its zone without the lock.
static void frame_remove(struct Page *page)
{
	granules_set(page, 0);
	mm_count(mm_pool.frames, -UINT64_C(1));
}

static void frame_return(struct Page *page)
{
	mm_notes_drop_frame(page);
	mm_frame_give_slab(page);
}

void mm_granules_give(uint64_t address, unsigned order)
{
	paddr_t phys = mm_virt_to_phys((void *)(uintptr_t)address);
	struct Page *page = mm_phys_to_page(phys);
	unsigned first = (phys.value >> MM_GRANULE_SHIFT) % MM_FRAME_GRANULES;
	uint32_t block = ((1u << (1u << order)) - 1) << first;
	mm_irq_t irq = mm_lock_irq(&mm_pool.lock);
	bool surplus;

	granules_set(page, page->granules | block);
	surplus = page->granules == MM_GRANULES_ALL && mm_pool.idle > 1;
	if (surplus)
		frame_remove(page);
	mm_unlock_irq(&mm_pool.lock, irq);
	if (surplus)
		frame_return(page);
}

// --- cells --------------------------------------------------------------------
// The header of a granule of cells, in the place of its first cell.
#define CELL_BYTES 512u
#define CELL_COUNT (MM_GRANULE_SIZE / CELL_BYTES)

struct cells {
	uint64_t free[2]; // bit i: cell i is free
	struct cells *prev, *next;
};

static bool cells_full(const struct cells *cells)
{
	return !(cells->free[0] | cells->free[1]);
}

static bool cells_empty(const struct cells *cells)
{
	return cells->free[0] == ~UINT64_C(1) && cells->free[1] == ~UINT64_C(0);
}

static void cells_unlink(struct cells *cells)
{
	if (cells->prev)
		cells->prev->next = cells->next;
	else
		mm_pool.cells_with_room = cells->next;
	if (cells->next)
		cells->next->prev = cells->prev;
}

static void cells_link(struct cells *cells)
{
	cells->prev = NULL;
	cells->next = mm_pool.cells_with_room;
	if (cells->next)
		cells->next->prev = cells;
	mm_pool.cells_with_room = cells;
}

static struct cells *cells_create(void)
{
	uint64_t address = mm_granules_take(0);
	struct cells *cells = (struct cells *)(uintptr_t)address;
	struct slab *slab = mm_slab_of(address);

	if (!address)
		return NULL;
	mm_lock(&slab->lock);
	slab->start = address;
	mm_poke(slab->state, SLAB_CELLS);
	mm_unlock(&slab->lock);
	cells->free[0] = ~UINT64_C(1);
	cells->free[1] = ~UINT64_C(0);
	mm_count(mm_pool.cells, 1);
	mm_pool.cells_idle++;
	cells_link(cells);
	return cells;
}

// Under cell_lock; the caller gives the granule back once it has let go of it.
static void cells_retire(struct cells *cells)
{
	struct slab *slab = mm_slab_of((uintptr_t)cells);

	cells_unlink(cells);
	mm_lock(&slab->lock);
	mm_poke(slab->state, SLAB_NONE);
	mm_unlock(&slab->lock);
	mm_count(mm_pool.cells, -UINT64_C(1));
	mm_pool.cells_idle--;
}

uint64_t *mm_cell_take(void)
{
	mm_irq_t irq = mm_lock_irq(&mm_pool.cell_lock);
	struct cells *cells = mm_pool.cells_with_room ? mm_pool.cells_with_room : cells_create();
	uint8_t *cell = NULL;

	if (cells) {
		unsigned half = cells->free[0] ? 0 : 1;
		unsigned bit = (unsigned)__builtin_ctzll(cells->free[half]);

		mm_pool.cells_idle -= cells_empty(cells);
		cells->free[half] &= cells->free[half] - 1;
		cell = (uint8_t *)cells + (half * 64 + bit) * CELL_BYTES;
		if (cells_full(cells))
			cells_unlink(cells);
	}
	mm_unlock_irq(&mm_pool.cell_lock, irq);
	if (cell)
		memset(cell, 0, CELL_BYTES);
	return (uint64_t *)(void *)cell;
}

void mm_cell_give(uint64_t *cell)
{
	uintptr_t address = (uintptr_t)cell;
	struct cells *cells = (struct cells *)(address & ~(MM_GRANULE_SIZE - 1));
	unsigned index = (unsigned)(address % MM_GRANULE_SIZE / CELL_BYTES);
	mm_irq_t irq = mm_lock_irq(&mm_pool.cell_lock);
	bool surplus;

	if (cells_full(cells))
		cells_link(cells);
	cells->free[index / 64] |= UINT64_C(1) << (index % 64);
	surplus = cells_empty(cells) && ++mm_pool.cells_idle > 1;
	if (surplus)
		cells_retire(cells);
	mm_unlock_irq(&mm_pool.cell_lock, irq);
	if (surplus)
		mm_granules_give((uintptr_t)cells, 0);
}

// --- giving back what is idle -------------------------------------------------
static void trim_cells(void)
{
	mm_irq_t irq = mm_lock_irq(&mm_pool.cell_lock);
	struct cells *cells = mm_pool.cells_idle ? mm_pool.cells_with_room : NULL;

	while (cells && !cells_empty(cells))
		cells = cells->next;
	if (cells)
		cells_retire(cells);
	mm_unlock_irq(&mm_pool.cell_lock, irq);
	if (cells)
		mm_granules_give((uintptr_t)cells, 0);
}

unsigned long mm_pool_trim(void)
{
	struct Page *page = NULL;
	mm_irq_t irq;

	trim_cells();
	irq = mm_lock_irq(&mm_pool.lock);
	if (mm_pool.idle) {
		page = &mm_pages[mm_pool.head[5]];
		frame_remove(page);
	}
	mm_unlock_irq(&mm_pool.lock, irq);
	if (!page)
		return 0;
	frame_return(page);
	return 1;
}
