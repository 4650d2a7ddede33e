// SPDX-License-Identifier: GPL-2.0-only
/* The table of addresses, beside a model of it that is an array */
#include <pthread.h>
#include <stdint.h>

#include "table.h"
#include "test.h"

#define MODEL_BASE	(UINT64_C(0x7f1200000000) - 4 * BLOCK_SIZE)
#define MODEL_UNITS	(16 * LEAF_ENTRIES)	/* across the border of a node */

static struct table table;
static uint64_t model[MODEL_UNITS];

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void test_empty(void)
{
	uint64_t length;

	table_init(&table);
	EXPECT_EQ(table_get(&table, 0), NO_ADDR);
	EXPECT_EQ(table_get(&table, MODEL_BASE + 5), NO_ADDR);
	EXPECT_EQ(table_get(&table, (UINT64_C(1) << VA_BITS) - 1), NO_ADDR);
	EXPECT_EQ(table_get_run(&table, MODEL_BASE + 5, &length), NO_ADDR);
	EXPECT_EQ(length, UNIT_SIZE - 5);
	table_end(&table);
}

static void test_beyond(void)
{
	uint64_t last = (UINT64_C(1) << VA_BITS) - UNIT_SIZE, length;

	table_init(&table);
	EXPECT_EQ(table_set(&table, last, 0x5000, UNIT_SIZE), 0);
	EXPECT_EQ(table_set(&table, last, 0x5000, 2 * UNIT_SIZE), -ERANGE);
	EXPECT_EQ(table_set(&table, last + UNIT_SIZE, 0, UNIT_SIZE), -ERANGE);
	EXPECT_EQ(table_set(&table, 1, 0, UNIT_SIZE), -EINVAL);
	EXPECT_EQ(table_set(&table, 0, 1, UNIT_SIZE), -EINVAL);
	EXPECT_EQ(table_set(&table, 0, 0, 1), -EINVAL);
	EXPECT_EQ(table_get(&table, last + 1), 0x5001);
	EXPECT_EQ(table_get(&table, last + UNIT_SIZE), NO_ADDR);
	EXPECT_EQ(table_get(&table, UINT64_MAX), NO_ADDR);
	/* The same bits but for those that a table of 48 does not have */
	EXPECT_EQ(table_get(&table, last | UINT64_C(1) << 60), NO_ADDR);
	EXPECT_EQ(table_get_run(&table, last | UINT64_C(1) << 50, &length),
		  NO_ADDR);
	table_end(&table);
}

static void test_blocks(void)
{
	uint64_t va = 2 * BLOCK_SIZE, addr = 7 * BLOCK_SIZE, length;

	table_init(&table);
	EXPECT_EQ(table_set(&table, va, addr, 512 * BLOCK_SIZE), 0);
	EXPECT_EQ(table_get(&table, va + 0x12345), addr + 0x12345);
	EXPECT_EQ(table_get(&table, va + 512 * BLOCK_SIZE - 1),
		  addr + 512 * BLOCK_SIZE - 1);
	EXPECT_EQ(table_get(&table, va - 1), NO_ADDR);
	EXPECT_EQ(table_get(&table, va + 512 * BLOCK_SIZE), NO_ADDR);
	EXPECT_EQ(table_get_run(&table, va + 0x12345, &length), addr + 0x12345);
	EXPECT_EQ(length, BLOCK_SIZE - 0x12345);
	table_clear(&table, va, 512 * BLOCK_SIZE);
	EXPECT_EQ(table_get(&table, va), NO_ADDR);

	/* Not aligned to a device: units, and then a block where those were */
	EXPECT_EQ(table_set(&table, va, addr + UNIT_SIZE, BLOCK_SIZE), 0);
	EXPECT_EQ(table_get(&table, va + 0x1fffff), addr + UNIT_SIZE + 0x1fffff);
	table_clear(&table, va, BLOCK_SIZE);
	EXPECT_EQ(table_set(&table, va, addr, BLOCK_SIZE), 0);
	EXPECT_EQ(table_get(&table, va + 0x1fffff), addr + 0x1fffff);
	table_clear(&table, va, BLOCK_SIZE);
	EXPECT_EQ(table_get(&table, va + 0x1fffff), NO_ADDR);

	/* A unit in the middle of a block */
	EXPECT_EQ(table_set(&table, va, addr, BLOCK_SIZE), 0);
	table_clear(&table, va + 3 * UNIT_SIZE, UNIT_SIZE);
	EXPECT_EQ(table_get(&table, va + 3 * UNIT_SIZE - 1), addr + 3 * UNIT_SIZE - 1);
	EXPECT_EQ(table_get(&table, va + 3 * UNIT_SIZE), NO_ADDR);
	EXPECT_EQ(table_get(&table, va + 4 * UNIT_SIZE), addr + 4 * UNIT_SIZE);
	EXPECT_EQ(table_get(&table, va + BLOCK_SIZE - 1), addr + BLOCK_SIZE - 1);
	table_clear(&table, va, BLOCK_SIZE);
	EXPECT_EQ(table_get(&table, va), NO_ADDR);
	EXPECT_EQ(table_set(&table, va + UNIT_SIZE, 0x3000, UNIT_SIZE), 0);
	EXPECT_EQ(table_get(&table, va), NO_ADDR);
	EXPECT_EQ(table_get(&table, va + UNIT_SIZE + 9), 0x3009);
	table_end(&table);
}

/* Sets a run of units that have no address, as one extent of a mapping would */
static void set_some(size_t first, size_t count, uint64_t addr)
{
	size_t i;

	EXPECT_EQ(table_set(&table, MODEL_BASE + first * UNIT_SIZE, addr,
			    count * UNIT_SIZE), 0);
	for (i = 0; i < count; i++)
		model[first + i] = addr + i * UNIT_SIZE;
}

static void clear_some(size_t first, size_t count)
{
	size_t i;

	table_clear(&table, MODEL_BASE + first * UNIT_SIZE, count * UNIT_SIZE);
	for (i = 0; i < count; i++)
		model[first + i] = NO_ADDR;
}

/* A run of so many bytes from an offset in a unit on is what the model has. */
static bool right_length(size_t unit, uint64_t offset, uint64_t length)
{
	uint64_t at;

	for (at = UNIT_SIZE; at < offset + length; at += UNIT_SIZE)
		if (unit + at / UNIT_SIZE >= MODEL_UNITS ||
		    model[unit + at / UNIT_SIZE] != model[unit] + at)
			return false;
	return length > 0;
}

static size_t wrong_units(void)
{
	size_t wrong = 0, i;
	uint64_t offset, found, run, length;

	for (i = 0; i < MODEL_UNITS; i++) {
		offset = random_number(UNIT_SIZE);
		found = table_get(&table, MODEL_BASE + i * UNIT_SIZE + offset);
		run = table_get_run(&table, MODEL_BASE + i * UNIT_SIZE + offset,
				    &length);
		if (model[i] == NO_ADDR)
			wrong += found != NO_ADDR;
		else
			wrong += found != model[i] + offset ||
				 !right_length(i, offset, length);
		wrong += run != found;
	}
	return wrong;
}

/* Mappings come and go, each of its own; whole ones are cleared. */
static void test_random(void)
{
	struct { size_t first, count; } mappings[64] = { { 0 } };
	size_t round, i, at, wrong = 0;
	uint64_t addr;

	table_init(&table);
	memset(model, 0xff, sizeof(model));
	for (round = 0; round < 3000; round++) {
		i = random_number(64);
		if (mappings[i].count) {
			clear_some(mappings[i].first, mappings[i].count);
			mappings[i].count = 0;
			continue;
		}
		at = random_number(MODEL_UNITS);
		addr = random_number(1 << 20) * UNIT_SIZE;
		if (random_number(2)) {
			at &= ~(LEAF_ENTRIES - 1);
			addr &= ~(BLOCK_SIZE - 1);
		}
		mappings[i].first = at;
		mappings[i].count = 1 + random_number(3 * LEAF_ENTRIES);
		for (at = 0; at < mappings[i].count; at++)
			if (mappings[i].first + at == MODEL_UNITS ||
			    model[mappings[i].first + at] != NO_ADDR)
				break;
		mappings[i].count = at;
		if (at)
			set_some(mappings[i].first, at, addr);
		if (round % 30 == 0)
			wrong += wrong_units();
	}
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(wrong_units(), 0);
	table_end(&table);
}

/* A reader finds the one address or none, whatever a writer does beside it. */
static bool stop;
static unsigned long strange, seen, missed;

#define SHARED	(MODEL_BASE + 3 * BLOCK_SIZE)
#define STAYS	(SHARED + BLOCK_SIZE - UNIT_SIZE)

static void *read_along(void *nothing)
{
	uint64_t found;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		found = table_get(&table, SHARED + 17);
		if (found == 8 * BLOCK_SIZE + 17)
			__atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
		strange += found != NO_ADDR && found != 8 * BLOCK_SIZE + 17;
		missed += table_get(&table, STAYS) != 0x9000;
	}
	return nothing;
}

static void test_threads(void)
{
	pthread_t reader;
	int round;

	table_init(&table);
	EXPECT_EQ(table_set(&table, STAYS, 0x9000, UNIT_SIZE), 0);
	REQUIRE(!pthread_create(&reader, NULL, read_along, NULL));
	for (round = 0; round < 20000 || !__atomic_load_n(&seen, __ATOMIC_RELAXED);
	     round++) {
		EXPECT_EQ(table_set(&table, SHARED, 8 * BLOCK_SIZE,
				    BLOCK_SIZE - UNIT_SIZE), 0);
		EXPECT_EQ(table_set(&table, SHARED + BLOCK_SIZE * 2,
				    8 * BLOCK_SIZE, BLOCK_SIZE), 0);
		table_clear(&table, SHARED, BLOCK_SIZE - UNIT_SIZE);
		table_clear(&table, SHARED + BLOCK_SIZE * 2, BLOCK_SIZE);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	EXPECT(seen > 0);
	EXPECT_EQ(strange, 0);
	EXPECT_EQ(missed, 0);
	table_end(&table);
}

int main(void)
{
	static const struct test tests[] = {
		{ "nothing is set", test_empty },
		{ "the end of the address space", test_beyond },
		{ "blocks, and units in their place", test_blocks },
		{ "random mappings, beside a model", test_random },
		{ "a reader beside a writer", test_threads },
	};

	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
