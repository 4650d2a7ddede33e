#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# On a distribution's kernel whose modules were built anew: that those which it has of its
# own are not loaded beside these, which share structs that they have otherwise. $USERS are
# some that use vfio; the arguments are of these, to be loaded beside the kernel's vfio.
echo "TAP version 13"
# shellcheck disable=SC2086
echo "1..$(($(echo $USERS | wc -w) + $# + 1))"
number=1

# $1 the module's file, $2 what the kernel has to say of it
refused() {
	dmesg -c >/dev/null
	if insmod "/job/$1" 2>/dev/null; then
		echo "not ok $number - $1 is loaded beside these modules"
	elif dmesg | grep -q "$2"; then
		echo "ok $number - $1 is refused: $(dmesg | grep "$2" | head -n 1)"
	else
		dmesg | sed 's/^/# /'
		echo "not ok $number - $1 is refused for another reason"
	fi
	number=$((number + 1))
}

for device in /sys/bus/pci/drivers/vfio-pci/0*; do
	echo "${device##*/}" >/sys/bus/pci/drivers/vfio-pci/unbind
done
rmmod vfio_pci vfio_pci_core || echo "Bail out! vfio-pci is in use"
for user in $USERS; do
	refused "$user" "does not import it"
done

# The other way round: the kernel's own vfio is there
[ ! -d /sys/module/mdev ] || rmmod mdev
rmmod vfio_iommu_type1 vfio || echo "Bail out! vfio is in use"
insmod /job/stock-vfio.ko || echo "Bail out! no vfio of the kernel's own"
for module; do
	refused "$module" "Unknown symbol vfio_noiommu_"
done
rmmod vfio
result="not ok"
insmod /job/vfio.ko && result=ok
echo "$result $number - vfio is loaded again"
