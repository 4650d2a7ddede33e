// SPDX-License-Identifier: GPL-2.0
/*
 * The writer's side of the table of addresses. Callers see to it that there is one
 * writer at a time, and that it sets only what has no address.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "table.h"

/*
 * A node, and what readers do not see of it: the leaves, which stay here while
 * their entries have a block instead.
 */
struct owned_node {
	struct node node;
	struct leaf *leaves[NODE_ENTRIES];
};

static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static void init_node(struct table *table, struct node *node)
{
	size_t i;

	for (i = 0; i < NODE_ENTRIES; i++)
		node->entry[i] = (uintptr_t)&table->no_leaf;
}

static void init_leaf(struct leaf *leaf)
{
	size_t i;

	for (i = 0; i < LEAF_ENTRIES; i++)
		leaf->addr[i] = NO_ADDR;
}

void table_init(struct table *table)
{
	size_t i;

	for (i = 0; i < TOP_ENTRIES; i++)
		table->top[i] = (uintptr_t)&table->no_node;
	init_node(table, &table->no_node);
	init_leaf(&table->no_leaf);
}

/* The node of an address, unless there is none */
static struct owned_node *node_at(struct table *table, uint64_t va)
{
	uintptr_t node = table->top[va >> NODE_SHIFT];

	return node == (uintptr_t)&table->no_node ? NULL :
						    (struct owned_node *)node;
}

static struct owned_node *need_node(struct table *table, uint64_t va)
{
	struct owned_node *node = node_at(table, va);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	init_node(table, &node->node);
	store(&table->top[va >> NODE_SHIFT], (uintptr_t)node);
	return node;
}

static size_t block_index(uint64_t va)
{
	return va >> BLOCK_SHIFT & (NODE_ENTRIES - 1);
}

/* One that readers do not see yet, unless it was there */
static struct leaf *have_leaf(struct owned_node *node, uint64_t va)
{
	struct leaf **leaf = &node->leaves[block_index(va)];

	if (!*leaf) {
		*leaf = aligned_alloc(UNIT_SIZE, sizeof(**leaf));
		if (*leaf)
			init_leaf(*leaf);
	}
	return *leaf;
}

static struct leaf *need_leaf(struct owned_node *node, uint64_t va)
{
	struct leaf *leaf = have_leaf(node, va);

	if (leaf)
		store(&node->node.entry[block_index(va)], (uintptr_t)leaf);
	return leaf;
}

/* Units up to the end of a range or of the block, whichever comes first */
static size_t units(uint64_t va, uint64_t length)
{
	uint64_t most = BLOCK_SIZE - (va & (BLOCK_SIZE - 1));

	return (length < most ? length : most) >> UNIT_SHIFT;
}

static size_t unit_index(uint64_t va)
{
	return va >> UNIT_SHIFT & (LEAF_ENTRIES - 1);
}

/**
 * table_set() - note where a range is to a device
 * @table: the table
 * @va: where it is in this process
 * @addr: where it is to a device, all of it
 * @length: of whole units
 *
 * Return: 0, or -ENOMEM, and the range has to be cleared; -ERANGE: it is beyond
 * what the table has room for, -EINVAL: it is no whole units.
 */
int table_set(struct table *table, uint64_t va, uint64_t addr, uint64_t length)
{
	struct owned_node *node;
	struct leaf *leaf;
	size_t count, i;

	if ((va | addr | length) & (UNIT_SIZE - 1))
		return -EINVAL;
	if (va >> VA_BITS || length > (UINT64_C(1) << VA_BITS) - va)
		return -ERANGE;
	while (length) {
		node = need_node(table, va);
		if (!node)
			return -ENOMEM;
		count = units(va, length);
		if (count == LEAF_ENTRIES && !(addr & (BLOCK_SIZE - 1))) {
			store(&node->node.entry[block_index(va)], addr | BLOCK);
		} else {
			leaf = need_leaf(node, va);
			if (!leaf)
				return -ENOMEM;
			for (i = 0; i < count; i++)
				store(&leaf->addr[unit_index(va) + i],
				      addr + i * UNIT_SIZE);
		}
		va += count * UNIT_SIZE;
		addr += count * UNIT_SIZE;
		length -= count * UNIT_SIZE;
	}
	return 0;
}

/* Without memory for the leaf, what was to stay has no address either. */
static void split_block(struct owned_node *node, uint64_t va)
{
	uint64_t *entry = &node->node.entry[block_index(va)];
	struct leaf *leaf = have_leaf(node, va);
	size_t i;

	for (i = 0; leaf && i < LEAF_ENTRIES; i++)
		leaf->addr[i] = (*entry & ~BLOCK) + i * UNIT_SIZE;
	if (leaf)
		store(entry, (uintptr_t)leaf);
}

/* The leaf that a block has hidden, if any, has nothing in it. */
static void clear_block(struct table *table, struct owned_node *node, uint64_t va,
			size_t count)
{
	uint64_t *entry = &node->node.entry[block_index(va)];
	struct leaf *leaf;
	size_t i;

	if (*entry & BLOCK && count < LEAF_ENTRIES)
		split_block(node, va);
	leaf = node->leaves[block_index(va)];
	if (*entry & BLOCK)
		store(entry, (uintptr_t)(leaf ? leaf : &table->no_leaf));
	for (i = 0; leaf && i < count; i++)
		store(&leaf->addr[unit_index(va) + i], NO_ADDR);
}

void table_clear(struct table *table, uint64_t va, uint64_t length)
{
	struct owned_node *node;
	size_t count;

	while (length && !(va >> VA_BITS)) {
		count = units(va, length);
		node = node_at(table, va);
		if (node)
			clear_block(table, node, va, count);
		va += count * UNIT_SIZE;
		length -= count * UNIT_SIZE;
	}
}

static void free_node(struct owned_node *node)
{
	size_t i;

	for (i = 0; i < NODE_ENTRIES; i++)
		free(node->leaves[i]);
	free(node);
}

/* Nobody reads it any more. */
void table_end(struct table *table)
{
	struct owned_node *node;
	uint64_t i;

	for (i = 0; i < TOP_ENTRIES; i++) {
		node = node_at(table, i << NODE_SHIFT);
		if (node)
			free_node(node);
	}
}
