#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Frames from one port to the other and back by the userspace driver, as KTAP
echo "KTAP version 1"
echo 1..7
. /job/ktap.sh
driver=/job/noiommu-eth
frames=4000

for how in "" --irq; do
	# shellcheck disable=SC2086
	said=$($driver --count $frames $how $NIC 2>&1)
	status=$?
	[ $status = 0 ] && echo "$said" | grep -q "^frames: $frames$"
	result $? "all frames come back ${how:-by polling}" "status $status: $said"
done

# Pages of 4 KiB have two frames each; hardly two pages lie side by side
runs=$(echo "$said" | sed -n "s/^physical runs: //p")
[ "${runs:-0}" -gt 150 ]
result $? "from memory that is scattered" "$said"

# shellcheck disable=SC2086
said=$($driver --count 0 $NIC 2>&1)
status=$?
[ $status = 2 ] && echo "$said" | grep -q "0: not a number from 1 to"
result $? "no frame is not enough" "status $status: $said"
said=$($driver "${NIC%% *}" 2>&1)
status=$?
[ $status = 2 ] && echo "$said" | grep -q "two addresses"
result $? "one port is not enough" "status $status: $said"
said=$($driver "${NIC%% *}" "${NIC%% *}" 2>&1)
status=$?
[ $status = 2 ] && echo "$said" | grep -q "twice the same device"
result $? "nor is the same one twice" "status $status: $said"
said=$($driver "${NIC%% *}" "$NVME" 2>&1)
status=$?
[ $status = 3 ] && echo "$said" | grep -q "not an Ethernet controller"
result $? "a disk is no port" "status $status: $said"
