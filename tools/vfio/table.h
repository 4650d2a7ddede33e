/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From an address of this process to that which a device takes.
 *
 * Three levels, like a page table's: the top has a node for each 8 GiB, a node an
 * entry for each block of 2 MiB, which is its address or a leaf, and a leaf the
 * address of each unit of 4 KiB, which need not be a page of the CPU. Where there is
 * nothing, the levels lead to a node and a leaf that are always there, and at last
 * to NO_ADDR, so that a lookup has little to check on its way: it takes less than 20
 * instructions.
 *
 * Readers take no lock. What a writer makes is complete before it is linked in,
 * and stays until the table ends: it is used again for the same addresses, so that
 * there is at most a leaf of 4 KiB for each 2 MiB in which memory ever was mapped.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX < UINT64_MAX
#error A lookup takes pointers and loads of 64 bits
#endif

#define UNIT_SHIFT	12
#define BLOCK_SHIFT	21
#define NODE_SHIFT	33
#define VA_BITS		48

#define UNIT_SIZE	(UINT64_C(1) << UNIT_SHIFT)
#define BLOCK_SIZE	(UINT64_C(1) << BLOCK_SHIFT)
#define LEAF_ENTRIES	(UINT64_C(1) << (BLOCK_SHIFT - UNIT_SHIFT))
#define NODE_ENTRIES	(UINT64_C(1) << (NODE_SHIFT - BLOCK_SHIFT))
#define TOP_ENTRIES	(UINT64_C(1) << (VA_BITS - NODE_SHIFT))

#define NO_ADDR		UINT64_MAX

/* Of an entry that is the address of a block, and not a pointer to a leaf */
#define BLOCK		UINT64_C(1)

/* Addresses of units, or NO_ADDR, which no offset in a unit changes */
struct leaf {
	uint64_t addr[LEAF_ENTRIES];
};

struct node {
	uint64_t entry[NODE_ENTRIES];
};

/**
 * struct table - addresses by address
 * @top: pointers to nodes
 * @no_node: where they lead to where there is nothing
 * @no_leaf: where that leads to
 */
struct table {
	uint64_t top[TOP_ENTRIES];
	struct node no_node;
	struct leaf no_leaf;
};

void table_init(struct table *table);
void table_end(struct table *table);
int table_set(struct table *table, uint64_t va, uint64_t addr, uint64_t length);
void table_clear(struct table *table, uint64_t va, uint64_t length);

static inline uint64_t table_load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* What tells about the block of an address that is not beyond VA_BITS */
static inline uint64_t table_entry(const struct table *table, uint64_t va)
{
	uint64_t node = table_load(&table->top[va >> NODE_SHIFT]);

	return table_load(&((const struct node *)node)
			  ->entry[va >> BLOCK_SHIFT & (NODE_ENTRIES - 1)]);
}

static inline uint64_t table_block(uint64_t entry, uint64_t va)
{
	return (entry - BLOCK) | (va & (BLOCK_SIZE - 1));
}

static inline uint64_t table_unit(uint64_t entry, uint64_t va)
{
	const struct leaf *leaf = (const struct leaf *)entry;

	return table_load(&leaf->addr[va >> UNIT_SHIFT & (LEAF_ENTRIES - 1)]) |
	       (va & (UNIT_SIZE - 1));
}

static inline uint64_t table_get(const struct table *table, uint64_t va)
{
	uint64_t entry;

	if (va >> NODE_SHIFT >= TOP_ENTRIES)
		return NO_ADDR;
	entry = table_entry(table, va);
	if (entry & BLOCK)
		return table_block(entry, va);
	return table_unit(entry, va);
}

/* Likewise, and how many bytes from there on are sure to follow */
static inline uint64_t table_get_run(const struct table *table, uint64_t va,
				     uint64_t *length)
{
	uint64_t entry;

	*length = UNIT_SIZE - (va & (UNIT_SIZE - 1));
	if (va >> NODE_SHIFT >= TOP_ENTRIES)
		return NO_ADDR;
	entry = table_entry(table, va);
	if (!(entry & BLOCK))
		return table_unit(entry, va);
	*length = BLOCK_SIZE - (va & (BLOCK_SIZE - 1));
	return table_block(entry, va);
}

#endif /* TABLE_H */
