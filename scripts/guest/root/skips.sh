#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# On a kernel without the feature each of the test programs that are named has to
# be skipped, with a reason, and before it has printed a result. As KTAP.
skip=4
echo "KTAP version 1"
echo "1..$#"
number=0 result=0
for program; do
	number=$((number + 1))
	said=$("/job/$program" "$EDU" 2>&1 </dev/null)
	got=$?
	last=$(echo "$said" | tail -n 1)
	case $got,$said in
	*ok\ [0-9]*) why="it printed results" ;;
	$skip,*skipping\ test*) why= ;;
	$skip,*) why="it gave no reason" ;;
	*) why="it ended with status $got" ;;
	esac
	if [ -z "$why" ]; then
		echo "ok $number $program is skipped: $last"
	else
		echo "$said" | sed 's/^/# /'
		echo "# not skipped: $why"
		echo "not ok $number $program is skipped"
		result=1
	fi
done
exit $result
