/* SPDX-License-Identifier: GPL-2.0-only */
/* Results as KTAP. A test that fails an EXPECT goes on, and has failed. */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_number, test_failures;
static bool test_failed;

#define EXPECT(condition)						\
	do {								\
		if (!(condition)) {					\
			printf("# %s:%d: not so: %s\n", __func__,	\
			       __LINE__, #condition);			\
			test_failed = true;				\
		}							\
	} while (0)

#define EXPECT_EQ(value, expected)					\
	do {								\
		long long value_ = (long long)(value);			\
		long long expected_ = (long long)(expected);		\
		if (value_ != expected_) {				\
			printf("# %s:%d: %s is %lld (%#llx), not %s, %lld (%#llx)\n", \
			       __func__, __LINE__, #value, value_,	\
			       value_, #expected, expected_, expected_); \
			test_failed = true;				\
		}							\
	} while (0)

/* What comes after it would make no sense without. */
#define REQUIRE(condition)						\
	do {								\
		if (!(condition)) {					\
			printf("# %s:%d: not so: %s, errno %d\n",	\
			       __func__, __LINE__, #condition, errno);	\
			test_failed = true;				\
			return;						\
		}							\
	} while (0)

#define REQUIRE_OK(call)						\
	do {								\
		int err_ = (call);					\
		if (err_) {						\
			printf("# %s:%d: %s is %d (%s)\n", __func__,	\
			       __LINE__, #call, err_,			\
			       strerror(-err_));			\
			test_failed = true;				\
			return;						\
		}							\
	} while (0)

struct test {
	const char *name;
	void (*run)(void);
};

static inline int run_tests(const struct test *tests, size_t count)
{
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%zu\n", count);
	for (i = 0; i < count; i++) {
		test_failed = false;
		tests[i].run();
		test_failures += test_failed;
		printf("%sok %d %s\n", test_failed ? "not " : "", ++test_number,
		       tests[i].name);
	}
	return test_failures ? 1 : 0;
}

#endif /* TEST_H */
