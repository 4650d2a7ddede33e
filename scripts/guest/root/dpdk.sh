#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Debian's testpmd with the two ports of a network, through the group: packets that it
# sends at the start are forwarded from one port to the other, on and on. As KTAP.
echo "KTAP version 1"
echo 1..8
. /job/ktap.sh
enough=5   # seconds of the processor's time
most=120   # seconds that all may take

# DPDK loads drivers only from folders that nobody else can write to
chmod 755 /
mkdir -p /var/run
tar -C / -xf /job/dpdk.tar || exit
mkfifo /tmp/key

# It ends when a key is pressed. Its two threads can share a processor.
# shellcheck disable=SC2046,SC2086
/usr/bin/dpdk-testpmd --lcores=0@0,1@0 --iova-mode=pa --no-telemetry \
	--log-level=lib.eal:debug $(printf " -a %s" $NIC) -- --forward-mode=io \
	--tx-first --total-num-mbufs=4096 </tmp/key >/tmp/said 2>&1 &
testpmd=$!
exec 3>/tmp/key
trap "" PIPE

# The thread that forwards, which never waits once it does: its time in hundredths
worked() {
	for thread in "/proc/$testpmd/task"/*; do
		grep -q worker "$thread/comm" && awk '{ print $14 + $15 }' "$thread/stat"
	done 2>&-
}

until [ "$(worked)" -gt ${enough}00 ] 2>&- || [ $most = 0 ] || ! kill -0 $testpmd 2>&-; do
	sleep 1
	most=$((most - 1))
done
open=$(for file in "/proc/$testpmd/fd"/*; do readlink "$file"; done)
groups=$(echo "$open" | grep -c "^/dev/vfio/noiommu-")
containers=$(echo "$open" | grep -c "^/dev/vfio/vfio$")
echo >&3
wait $testpmd
status=$?
said=$(grep -v "Ask a virtual\|Virtual area\|VA reserved" /tmp/said)

# $1 port or "all ports", $2 what: the number, of the statistics at the end
counted() {
	echo "$said" | sed -n "/orward statistics for $1 *[-+]/,/^$/s/.*$2: *\([0-9]*\).*/\1/p"
}

result $status "testpmd ends without an error" "status $status: $said"
[ "$groups" = 2 ] && [ "$containers" = 1 ]
result $? "it has two groups in a container" "$groups groups, $containers containers: $said"
echo "$said" | grep -q "^EAL: Using IOMMU type 8 (No-IOMMU)"
result $? "the container is of a kind without an IOMMU" "$said"
echo "$said" | grep -q "^EAL: Selected IOVA mode 'PA'"
result $? "the device gets physical addresses" "$said"

for port in 0 1; do
	received=$(counted "port $port" RX-packets)
	sent=$(counted "port $port" TX-packets)
	echo "# port $port: $received received, $sent sent"
	[ "${received:-0}" -gt 1000 ] && [ "${sent:-0}" -gt 1000 ]
	result $? "port $port forwards" "$said"
done
received=$(counted "all ports" RX-packets)
sent=$(counted "all ports" TX-packets)
[ $((${received:-0} + 128)) -gt "${sent:-1000}" ]
result $? "what was sent was received, but for what is under way" "$said"
[ "$(counted "all ports" RX-dropped)" = 0 ] && [ "$(counted "all ports" TX-dropped)" = 0 ] &&
	! echo "$said" | grep -q "[RT]X-error"
result $? "nothing is dropped, and nothing is an error" "$said"
