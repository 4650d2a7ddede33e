#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The first driver of the guide, linked with the shared library, which it finds
# here beside libc and the loader. As KTAP.
echo "KTAP version 1"
echo 1..2

said=$(/job/loader --library-path /job /job/identify "$NVME" 2>&1) &&
	echo "$said" | grep -q "^model: QEMU NVMe Ctrl" &&
	echo "$said" | grep -q "^serial: noiommu-0" || {
	echo "$said" | sed "s/^/# /"
	printf "not "
}
echo "ok 1 the disk is identified"

said=$(/job/loader --library-path /job /job/identify 0000:00:1e.7 2>&1)
status=$?
[ $status = 1 ] && echo "$said" | grep -q "No such device" || {
	echo "# status $status: $said"
	printf "not "
}
echo "ok 2 what is not there can not be"
