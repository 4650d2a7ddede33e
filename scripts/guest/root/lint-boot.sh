#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# That VFIO and iommufd have come up, and have taken the guest's devices.
for node in /dev/iommu /dev/vfio/vfio; do
	[ -c $node ] || { echo "there is no $node"; exit 1; }
done
[ -n "$NVME" ] && [ -n "$EDU" ] || { echo "there is no nvme or no edu"; exit 1; }
for device in $NVME $EDU; do
	driver=$(readlink "/sys/bus/pci/devices/$device/driver")
	[ "${driver##*/}" = vfio-pci ] || { echo "$device is not vfio-pci's"; exit 1; }
	group=$(readlink "/sys/bus/pci/devices/$device/iommu_group")
	[ -c "/dev/vfio/noiommu-${group##*/}" ] || { echo "$device has no group"; exit 1; }
done
