#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Writes to a part of the disk by the userspace driver, as KTAP: what is written is
# there, what lies around it is as it was, and without --yes nothing changes. The
# disk forgets it with the machine.
echo "KTAP version 1"
echo 1..7
. /job/ktap.sh
driver=/job/noiommu-nvme
cd /tmp || exit

# sha256 of so many blocks, $2, of the disk from block $1 on. A read that fails is unlike
# any other.
sum_of() {
	if $driver --start "$1" --blocks "$2" --output read "$NVME" 2>/dev/null >&2 &&
	   [ "$(stat -c %s read)" = $(($2 * 512)) ]; then
		sha256sum <read
	else
		cat /proc/sys/kernel/random/uuid
	fi
	rm -f read
}

# Blocks of 512 bytes: a number of them that is no multiple of a command's
start=1001 blocks=12345
head -c $((blocks * 512)) /dev/urandom >data
before=$(sum_of 0 $start)
after=$(sum_of $((start + blocks)) 4096)
there=$(sum_of $start $blocks)

said=$($driver --write data --start $start "$NVME" 2>&1)
status=$?
[ $status = 2 ] && echo "$said" | grep -q -e --yes
result $? "without --yes it is refused" "status $status: $said"
found=$(sum_of $start $blocks)
[ "$found" = "$there" ]
result $? "and nothing is written" "$found"

for options in "--memory scattered" "--memory hugetlb --irq"; do
	head -c $((blocks * 512)) /dev/urandom >data
	wanted=$(sha256sum <data)
	# shellcheck disable=SC2086
	said=$($driver --write data --yes --start $start $options "$NVME" 2>&1)
	status=$?
	found=$(sum_of $start $blocks)
	[ $status = 0 ] && [ "$found" = "$wanted" ]
	result $? "$options: what is read back is what was written" "status $status: $said"
done

found="$(sum_of 0 $start) $(sum_of $((start + blocks)) 4096)"
[ "$found" = "$before $after" ]
result $? "what lies around it is as it was" "$found"

head -c 1000 data >part
said=$($driver --write part --yes "$NVME" 2>&1)
status=$?
[ $status = 1 ] && echo "$said" | grep -q "no whole blocks"
result $? "a file that is no whole blocks" "status $status: $said"
said=$($driver --write data --yes --start 131000 "$NVME" 2>&1)
status=$?
[ $status = 1 ] && echo "$said" | grep -q "the namespace has 72"
result $? "a file that is too long" "status $status: $said"
