// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups beside threads that map, unmap, attach and detach, and of objects beside
 * threads that destroy these
 */
#include <pthread.h>

#include <iommufd_noiommu.h>

/*
 * Have GET_PA meet mappings and devices that come and go. It may find a mapping
 * or not, but whatever it returns has to be right. A second IOAS keeps the
 * memory pinned so that there is only one right answer.
 */
#define RACE_SECONDS 1
#define RACE_SLOTS 4

struct race {
	int fd;
	__u32 ioas_id;
	__u64 phys[NR_PAGES];
	bool stop;
};

struct race_thread {
	struct race *race;
	pthread_t thread;
	unsigned int seed;
	unsigned long found;
	unsigned long done;
	int error;
};

static __u64 race_iova(unsigned int slot)
{
	/* Adjacent, so that a lookup could run over into the next one */
	return TEST_IOVA + slot * BUFFER_SIZE;
}

static bool race_stop(struct race_thread *t)
{
	return t->error || __atomic_load_n(&t->race->stop, __ATOMIC_RELAXED);
}

static void *race_map(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;

	for (; !race_stop(t); t->done++) {
		__u64 iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);

		if (_test_ioctl_ioas_map(race->fd, race->ioas_id, buffer,
					 BUFFER_SIZE, &iova,
					 IOMMU_IOAS_MAP_FIXED_IOVA |
						 IOMMU_IOAS_MAP_READABLE |
						 IOMMU_IOAS_MAP_WRITEABLE) &&
		    errno != EEXIST)
			t->error = errno;

		/* EBUSY is for two threads that unmap the same */
		iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);
		if (_test_ioctl_ioas_unmap(race->fd, race->ioas_id, iova,
					   BUFFER_SIZE, NULL) &&
		    errno != ENOENT && errno != EBUSY)
			t->error = errno;
	}
	return NULL;
}

static void *race_attach(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;
	__u32 stdev_id;
	__u32 hwpt_id;

	for (; !race_stop(t); t->done++) {
		/* Every other time it is a device with an IOMMU */
		__u32 flags = t->done % 2 ? 0 : MOCK_FLAGS_DEVICE_NOIOMMU;
		__u32 idev_id;

		if (_test_cmd_mock_domain_flags(race->fd, race->ioas_id, flags,
						&stdev_id, NULL, &idev_id) ||
		    _test_cmd_hwpt_alloc(race->fd, idev_id, race->ioas_id, 0, 0,
					 &hwpt_id, IOMMU_HWPT_DATA_NONE, NULL,
					 0) ||
		    _test_cmd_mock_domain_replace(race->fd, stdev_id, hwpt_id,
						  NULL) ||
		    _test_ioctl_destroy(race->fd, stdev_id) ||
		    _test_ioctl_destroy(race->fd, hwpt_id))
			t->error = errno;
	}
	return NULL;
}

static void *race_get_pa(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;

	for (; !race_stop(t); t->done++) {
		unsigned int page = rand_r(&t->seed) % NR_PAGES;
		__u64 iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);
		__u64 length = 0;
		unsigned int i;
		__u64 phys;

		if (_test_ioctl_ioas_get_pa(race->fd, race->ioas_id,
					    iova + page * PAGE_SIZE, &length,
					    &phys, NULL, NULL)) {
			if (errno != ENOENT)
				t->error = errno;
			continue;
		}

		t->found++;
		if (!length || length % PAGE_SIZE ||
		    length > (NR_PAGES - page) * PAGE_SIZE) {
			t->error = ERANGE;
			continue;
		}
		for (i = 0; i != length / PAGE_SIZE; i++)
			if (race->phys[page + i] != phys + i * PAGE_SIZE)
				t->error = EILSEQ;
	}
	return NULL;
}

/* From one mapping into the next, any of which may be missing at any time */
static void *race_get_extents(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;
	struct iommu_pa_extent found[NR_PAGES * RACE_SLOTS];

	for (; !race_stop(t); t->done++) {
		__u32 room = 1 + rand_r(&t->seed) % ARRAY_SIZE(found);
		unsigned int page = rand_r(&t->seed) % ARRAY_SIZE(found);
		__u64 length = 0;
		__u32 num = room;
		__u64 sum = 0;
		__u64 phys;
		__u64 done;
		__u32 i;

		if (_test_ioctl_ioas_get_pa(race->fd, race->ioas_id,
					    race_iova(0) + page * PAGE_SIZE,
					    &length, &phys, found, &num)) {
			if (errno != ENOENT)
				t->error = errno;
			continue;
		}

		t->found++;
		if (!num || num > room || found[0].phys != phys) {
			t->error = ERANGE;
			continue;
		}
		for (i = 0; i != num; i++) {
			/* At least a page, and no mapping is left by one */
			if (!found[i].length ||
			    found[i].length % PAGE_SIZE ||
			    found[i].length / PAGE_SIZE >
				    NR_PAGES - page % NR_PAGES) {
				t->error = ERANGE;
				break;
			}
			for (done = 0; done != found[i].length;
			     done += PAGE_SIZE, page++)
				if (race->phys[page % NR_PAGES] !=
				    found[i].phys + done)
					t->error = EILSEQ;
			sum += found[i].length;
		}
		if (!t->error && sum != length)
			t->error = EBADMSG;
	}
	return NULL;
}

TEST_F(noiommu, race)
{
	void *(*const fns[])(void *) = { race_map, race_map, race_attach,
					 race_get_pa, race_get_pa,
					 race_get_extents, race_get_extents };
	struct race_thread threads[ARRAY_SIZE(fns)] = {};
	struct race race = {
		.fd = self->fd,
		.ioas_id = self->ioas_id,
	};
	unsigned long found = 0;
	uint32_t ioas_id;
	int i;

	test_ioctl_ioas_alloc(&ioas_id);
	test_cmd_mock_noiommu(ioas_id, NULL, NULL, NULL);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer, BUFFER_SIZE, TEST_IOVA);
	cpu_pages(buffer, NR_PAGES, race.phys);

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		threads[i].race = &race;
		threads[i].seed = i;
		ASSERT_EQ(0, pthread_create(&threads[i].thread, NULL, fns[i],
					    &threads[i]));
	}
	sleep(RACE_SECONDS);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i != ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, pthread_join(threads[i].thread, NULL));

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		EXPECT_EQ(0, threads[i].error);
		EXPECT_NE(0, threads[i].done);
		found += threads[i].found;
	}
	EXPECT_NE(0, found);

	test_ioctl_ioas_unmap(0, UINT64_MAX);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_ioas_unmap_id(ioas_id, TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
}

/*
 * Have ioctls meet objects that come and go. An ioctl gets the object or ENOENT,
 * and none of them may keep a device from being unbound, which the kernel takes
 * for a bug, or leave an IOAS that cannot be destroyed.
 */
#define OBJECT_SLOTS 4
#define OBJECT_PATIENCE 120 /* seconds */

struct objects {
	int fd;
	__u32 ioas_id; /* of the devices */
	__u32 ioas_ids[OBJECT_SLOTS];
	__u32 idev_ids[OBJECT_SLOTS];
	bool stop;
};

struct object_thread {
	struct objects *objects;
	pthread_t thread;
	unsigned int slot;
	unsigned long done;
	unsigned long found;
	unsigned long gone;
	int error;
};

static bool object_stop(struct object_thread *t)
{
	return t->error || __atomic_load_n(&t->objects->stop, __ATOMIC_RELAXED);
}

static void object_publish(__u32 *slot, __u32 id)
{
	__atomic_store_n(slot, id, __ATOMIC_RELAXED);
}

/* The id goes on being used after the object has gone, and by the next one */
static void *object_ioas(void *arg)
{
	struct object_thread *t = arg;
	struct objects *objects = t->objects;
	__u32 id;

	for (; !object_stop(t); t->done++) {
		if (_test_ioctl_ioas_alloc(objects->fd, &id)) {
			t->error = errno;
			break;
		}
		object_publish(&objects->ioas_ids[t->slot], id);
		while (_test_ioctl_destroy(objects->fd, id)) {
			/* An ioctl has it at the moment */
			if (errno == EBUSY)
				continue;
			t->error = errno;
			break;
		}
	}
	return NULL;
}

static void *object_device(void *arg)
{
	struct object_thread *t = arg;
	struct objects *objects = t->objects;
	__u32 stdev_id;
	__u32 idev_id;

	for (; !object_stop(t); t->done++) {
		if (_test_cmd_mock_domain_flags(objects->fd, objects->ioas_id,
						MOCK_FLAGS_DEVICE_NOIOMMU,
						&stdev_id, NULL, &idev_id)) {
			t->error = errno;
			break;
		}
		object_publish(&objects->idev_ids[t->slot], idev_id);
		if (_test_ioctl_destroy(objects->fd, stdev_id))
			t->error = errno;
	}
	return NULL;
}

static void object_count(struct object_thread *t, int rc)
{
	if (!rc)
		t->found++;
	else if (errno == ENOENT)
		t->gone++;
	else
		t->error = errno;
}

static void *object_use_ioas(void *arg)
{
	struct object_thread *t = arg;
	struct objects *objects = t->objects;
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_GET,
	};

	for (; !object_stop(t); t->done++) {
		cmd.object_id = __atomic_load_n(
			&objects->ioas_ids[t->done % OBJECT_SLOTS],
			__ATOMIC_RELAXED);
		object_count(t, ioctl(objects->fd, IOMMU_OPTION, &cmd));
	}
	return NULL;
}

static void *object_use_device(void *arg)
{
	struct object_thread *t = arg;
	struct objects *objects = t->objects;
	struct iommu_ioas_get_pa cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_GET_PA_DEVICE,
		.ioas_id = objects->ioas_id,
		.iova = TEST_IOVA,
	};

	for (; !object_stop(t); t->done++) {
		cmd.length = PAGE_SIZE;
		cmd.dev_id = __atomic_load_n(
			&objects->idev_ids[t->done % OBJECT_SLOTS],
			__ATOMIC_RELAXED);
		object_count(t, ioctl(objects->fd, IOMMU_IOAS_GET_PA, &cmd));
	}
	return NULL;
}

/* Whether each user has come too early for an object to go, and too late */
static bool objects_met(const struct object_thread *threads, size_t nr)
{
	size_t i;

	for (i = OBJECT_SLOTS; i != nr; i++)
		if (!__atomic_load_n(&threads[i].found, __ATOMIC_RELAXED) ||
		    !__atomic_load_n(&threads[i].gone, __ATOMIC_RELAXED))
			return false;
	return true;
}

TEST_F(noiommu, objects)
{
	void *(*const fns[])(void *) = { object_ioas, object_ioas,
					 object_device, object_device,
					 object_use_ioas, object_use_ioas,
					 object_use_device, object_use_device };
	struct object_thread threads[ARRAY_SIZE(fns)] = {};
	struct objects objects = {
		.fd = self->fd,
		.ioas_id = self->ioas_id,
	};
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		threads[i].objects = &objects;
		threads[i].slot = i % OBJECT_SLOTS;
		ASSERT_EQ(0, pthread_create(&threads[i].thread, NULL, fns[i],
					    &threads[i]));
	}
	sleep(RACE_SECONDS);
	/* On a machine with other work it can take longer to meet */
	for (i = 0; i != OBJECT_PATIENCE && !objects_met(threads, ARRAY_SIZE(fns)); i++)
		sleep(1);
	__atomic_store_n(&objects.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i != ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, pthread_join(threads[i].thread, NULL));

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		EXPECT_EQ(0, threads[i].error);
		EXPECT_NE(0, threads[i].done);
		if (i < OBJECT_SLOTS)
			continue;
		EXPECT_NE(0, threads[i].found);
		EXPECT_NE(0, threads[i].gone);
	}
}

TEST_HARNESS_MAIN
