#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs a collection of installed selftests with the runner that comes with them;
# $1 is the collection. That of vfio wants to bind its devices itself, where it is
# more than this series' tests.
mkdir /tmp/kselftest && tar -C /tmp/kselftest -xf /job/kselftest.tar || exit
cd /tmp/kselftest || exit

if [ -e vfio/setup.sh ]; then
	for device in $NVME $EDU; do
		echo "$device" >/sys/bus/pci/drivers/vfio-pci/unbind
		echo >"/sys/bus/pci/devices/$device/driver_override"
	done
	vfio/setup.sh $NVME $EDU >/tmp/setup.log 2>&1 || {
		cat /tmp/setup.log
		exit 1
	}
fi

export VFIO_SELFTESTS_BDF="$EDU"
./run_kselftest.sh -c "$1"
