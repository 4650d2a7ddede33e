#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Reads the whole disk with the userspace driver, once for each argument, which
# holds the driver's options. Prints the driver's report, and the sha256 of what
# it read.
result=0
for options; do
	echo "options: $options"
	# shellcheck disable=SC2086
	/job/noiommu-nvme $options --output /tmp/blocks "${NVME%% *}" || {
		status=$?
		echo "status: $status"
		result=$status
		continue
	}
	sum=$(sha256sum /tmp/blocks)
	echo "sha256: ${sum%% *}"
	rm /tmp/blocks
done
exit $result
