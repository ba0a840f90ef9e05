// pgtable.c: what mapping, unmapping and looking share: ranges, table memory in
// advance, and the reserve.
#include "pt.h"

uint64_t pt_or(const uint64_t *slot, unsigned n)
{
	uint64_t any = 0;

	for (; n >= 8; n -= 8, slot += 8) {
		any |= slot[0];
		any |= slot[1];
		any |= slot[2];
		any |= slot[3];
		any |= slot[4];
		any |= slot[5];
		any |= slot[6];
		any |= slot[7];
	}
	for (; n; n--)
		any |= *slot++;
	return any;
}

void pt_fill(uint64_t *slot, unsigned n, uint64_t entry, uint64_t step)
{
	for (; n >= 8; n -= 8, slot += 8) {
		mm_port_entry_write(slot + 0, entry);
		mm_port_entry_write(slot + 1, entry += step);
		mm_port_entry_write(slot + 2, entry += step);
		mm_port_entry_write(slot + 3, entry += step);
		mm_port_entry_write(slot + 4, entry += step);
		mm_port_entry_write(slot + 5, entry += step);
		mm_port_entry_write(slot + 6, entry += step);
		mm_port_entry_write(slot + 7, entry += step);
		entry += step;
	}
	for (; n; n--, entry += step)
		mm_port_entry_write(slot++, entry);
}

enum mm_status pt_range_set(struct pt_range *range, uint64_t va, uint64_t length)
{
	uint64_t last = va + length - 1;

	if (!pt_is_canonical(va))
		return MM_ERR_CANONICAL;
	if (last < va)
		return MM_ERR_WRAP;
	if (!pt_is_canonical(last) || pt_is_kernel_va(va) != pt_is_kernel_va(last))
		return MM_ERR_CANONICAL;
	range->va = va & ~PT_PAGE_MASK;
	range->last = last | PT_PAGE_MASK;
	return MM_OK;
}

// --- stocks ------------------------------------------------------------------------
void pt_stock_add(struct pt_stock *stock, uint64_t *table)
{
	table[0] = (uint64_t)(uintptr_t)stock->first;
	stock->first = table;
	stock->count++;
}

// As it is, whatever is in it but the link.
static uint64_t *stock_pop(struct pt_stock *stock)
{
	uint64_t *table = stock->first;

	stock->first = (uint64_t *)(uintptr_t)table[0];
	stock->count--;
	table[0] = 0;
	return table;
}

uint64_t *pt_stock_take(struct pt_stock *stock)
{
	return stock_pop(stock);
}

// --- the reserve -----------------------------------------------------------------------
// Zeroed tables for splits when there is no memory.
static struct {
	struct mm_lock lock;
	struct pt_stock stock;
} reserve;

uint64_t pt_reserve_count(void)
{
	return __atomic_load_n(&reserve.stock.count, __ATOMIC_RELAXED);
}

// false: it is full.
static bool reserve_put(uint64_t *table)
{
	mm_irq_t irq = mm_lock_irq(&reserve.lock);
	bool wanted = reserve.stock.count < MM_RESERVE_TABLES;

	if (wanted)
		pt_stock_add(&reserve.stock, table);
	mm_unlock_irq(&reserve.lock, irq);
	return wanted;
}

static uint64_t *reserve_get(void)
{
	mm_irq_t irq = mm_lock_irq(&reserve.lock);
	uint64_t *table = reserve.stock.count ? stock_pop(&reserve.stock) : NULL;

	mm_unlock_irq(&reserve.lock, irq);
	return table;
}

bool pt_reserve_fill(uint64_t site)
{
	while (mm_unlikely(pt_reserve_count() < MM_RESERVE_TABLES)) {
		uint64_t *table = mm_table_alloc(site);

		if (!table)
			return false;
		if (!reserve_put(table))
			mm_table_free(table);
	}
	return true;
}

paddr_t pt_reserve_table(unsigned i)
{
	mm_irq_t irq = mm_lock_irq(&reserve.lock);
	const uint64_t *table = reserve.stock.first;

	while (table && i--)
		table = (const uint64_t *)(uintptr_t)table[0];
	mm_unlock_irq(&reserve.lock, irq);
	return table ? mm_virt_to_phys(table) : mm_pa(0);
}

void pt_reserve_empty(void)
{
	uint64_t *table;

	while ((table = reserve_get()))
		mm_table_free(table);
}

bool pt_stock_fill(struct pt_stock *stock, uint64_t n, bool use_reserve, uint64_t site)
{
	for (; n; n--) {
		uint64_t *table = mm_table_alloc(site);

		if (!table && use_reserve)
			table = reserve_get();
		if (!table) {
			pt_stock_drop(stock);
			return false;
		}
		pt_stock_add(stock, table);
	}
	return true;
}

static void clear_table(uint64_t *table)
{
	for (unsigned i = 0; i < PT_SLOTS; i++)
		table[i] = 0;
}

void pt_stock_drop(struct pt_stock *stock)
{
	while (stock->count) {
		uint64_t *table = stock_pop(stock);

		if (mm_unlikely(pt_reserve_count() < MM_RESERVE_TABLES)) {
			clear_table(table);
			if (reserve_put(table))
				continue;
		}
		mm_table_free(table);
	}
}
