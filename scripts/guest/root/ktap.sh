# SPDX-License-Identifier: GPL-2.0-only
# For scripts that print KTAP; the caller prints version and plan
number=0

# $1 whether it is so, as a status, $2 what, $3 what was found instead
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "$3" | sed "s/^/# /"
		echo "not ok $number $2"
	fi
}
