#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the userspace driver says of devices that it cannot drive, as KTAP:
# each reason has a message of its own, and an exit status.
echo "KTAP version 1"
echo 1..7
number=0

# $1 status and $2 words expected, $3 what this is, then the driver's arguments
expect() {
	status=$1 words=$2 what=$3
	shift 3
	number=$((number + 1))
	said=$(/job/noiommu-nvme "$@" 2>&1 >/dev/null)
	got=$?
	if [ "$got" = "$status" ] && echo "$said" | grep -q "$words"; then
		echo "ok $number $what"
	else
		echo "# expected status $status and '$words', got status $got and: $said"
		echo "not ok $number $what"
	fi
}

unbind() {
	echo "$NVME" >/sys/bus/pci/drivers/vfio-pci/unbind
}

expect 2 "one is needed" "no device"
expect 2 "not the address of a PCI device" "no address" 00:xx.0
expect 3 "no such PCI device" "no such device" 0000:00:1e.7
expect 3 "not an NVMe controller" "not NVMe" "$EDU"

echo 0 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
expect 0 "" "mode off, device registered" --blocks 8 "$NVME"
unbind
expect 3 "not bound" "not bound" "$NVME"
echo "$NVME" >/sys/bus/pci/drivers_probe
expect 3 "enable_unsafe_noiommu_mode" "mode off, vfio-pci does not take it" "$NVME"
