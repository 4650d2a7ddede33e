#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the userspace driver says of devices that it cannot drive, or may drive no
# longer, as KTAP: each reason has a message of its own, and an exit status.
echo "KTAP version 1"
echo 1..31
. /job/ktap.sh
driver=/job/noiommu-nvme
bus=/sys/bus/pci
cd /tmp || exit
mkfifo pipe

# $1 status and $2 words expected, $3 what this is, $4 and $5 what came
compare() {
	[ "$4" = "$1" ] && echo "$5" | grep -q "$2"
	result $? "$3" "expected status $1 and '$2', got status $4 and: $5"
}

# $1 status and $2 words expected, $3 what this is, then the driver's arguments
expect() {
	status=$1 words=$2 what=$3
	shift 3
	said=$($driver "$@" 2>&1 >/dev/null)
	compare "$status" "$words" "$what" $? "$said"
}

# Waits until something is so, but not for ever
await() {
	tries=0
	until "$@"; do
		[ $((tries += 1)) -le 40 ] || return
		sleep 0.5
	done
}

has_device_and_pipe() {
	open=$(ls -l /proc/$pid/fd 2>/dev/null)
	[ "$(echo "$open" | grep -c -e noiommu-vfio -e tmp/pipe)" -ge 2 ]
}

has_memory() {
	[ "$(grep -c "bytes in .* pieces" said)" = 2 ]
}

# Starts a driver with the descriptor $1 closed, if any, and these options, that
# comes to a halt as nobody takes what it reads; for a minute, so that one which does
# not let go ends
start_halted() {
	closed=$1
	shift
	# shellcheck disable=SC2217 # it holds the pipe open
	sleep 60 <pipe &
	taker=$!
	(
		[ -z "$closed" ] || eval "exec $closed>&-"
		exec $driver --output pipe --verbose "$@" "$NVME"
	) 2>said &
	pid=$!
	await has_device_and_pipe
}

stop_taker() {
	{
		kill $taker
		wait $taker
	} 2>/dev/null
}

# Starts a driver that has much to read, with these options
start_reading() {
	$driver --depth 1 --transfer 512 --verbose "$@" "$NVME" >/dev/null 2>said &
	pid=$!
	await has_memory
	sleep 0.5
}

# $1 status and $2 words expected of what was started, $3 what this is
expect_end() {
	wait $pid
	compare "$1" "$2" "$3" $? "$(cat said)"
}

unbind() {
	echo "$NVME" >$bus/drivers/vfio-pci/unbind
}

probe() {
	echo "$NVME" >$bus/drivers_probe
}

expect 2 "one is needed" "no device"
expect 2 "more than one device" "two devices" "$NVME" "$NVME"
expect 2 "not the address of a PCI device" "no address" 00:xx.0
expect 2 "not the address of a PCI device" "a letter behind the address" "${NVME}x"
expect 2 "not the address of a PCI device" "a domain beyond 32 bits" "10000$NVME"
expect 2 "from 1 to 2097152" "too long a transfer" --transfer 4194304 "$NVME"
expect 2 "from 1 to 4095" "too many commands" --depth 4096 "$NVME"
expect 0 "not 4095" "more commands than the queue has room for" \
	--verbose --depth 4095 --blocks 8 "$NVME"
expect 1 "first that is has number 1" "inactive namespace" --nsid 2 "$NVME"
expect 3 "not an NVMe controller" "not NVMe" "$EDU"

echo precious >file
expect 3 "no such PCI device" "no such device" --output file 0000:00:1e.7
[ "$(cat file)" = precious ]
result $? "a file is emptied only for what was read" "the file has: $(cat file)"

for words in "--blocks 8 $NVME" --help; do
	# shellcheck disable=SC2086
	said=$($driver $words 2>&1 >/dev/full)
	compare 1 "No space left" "${words%% *}: no room for what is printed" $? "$said"
done
said=$($driver --blocks 8 --output - "$NVME" 2>&1 >&-)
compare 1 "Bad file descriptor" "data for standard output, which is closed" $? "$said"

# The lowest number that is free is the next file's: the device's, if nothing is done
for closed in 0 1 2; do
	start_halted $closed
	node=$(readlink "/proc/$pid/fd/$closed")
	[ "$node" = /dev/null ]
	result $? "descriptor $closed is closed" "it became $node"
	stop_taker
	wait $pid
done

start_halted ""
expect 3 "in use by process $pid" "in use" "$NVME"
stop_taker
expect_end 1 "Broken pipe" "nobody takes what is read"

group=$(readlink "$bus/devices/$NVME/iommu_group")
exec 9<>"/dev/vfio/noiommu-${group##*/}"
expect 3 "in use by process $$" "in use by its group" "$NVME"
exec 9<&-

# Without root's rights: of the file, then of the device
mkdir -p /etc
echo "root:x:0:0::/:/bin/sh
user:x:1000:1000::/:/bin/sh" >/etc/passwd
for words in "its mode and owner" CAP_SYS_RAWIO; do
	said=$(su user -c "$driver $NVME" 2>&1)
	compare 3 "$words" "not root: $words" $? "$said"
	chmod 666 /dev/iommu /dev/vfio/devices/*
done

for how in --poll --irq; do
	# Not while commands are in flight, at which QEMU 7.2 may crash
	start_halted "" $how
	sleep 1
	echo 1 >"$bus/devices/$NVME/reset"
	cat pipe >/dev/null &
	expect_end 1 "reset" "$how: reset while it is used"
	stop_taker
	start_reading $how
	unbind
	expect_end 4 "let go" "$how: unbound while it is used"
	probe
done
start_halted ""
unbind
expect_end 4 "let go" "unbound while nobody takes what is read"
stop_taker
probe

echo 0 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
expect 0 "" "mode off, device registered" --blocks 8 "$NVME"
unbind
expect 3 "not bound" "not bound" "$NVME"
probe
expect 3 "enable_unsafe_noiommu_mode" "mode off, vfio-pci does not take it" "$NVME"
