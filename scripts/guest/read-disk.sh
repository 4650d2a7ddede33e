#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Reads the whole disk with the userspace driver; arguments are its options.
# Prints the driver's report, and the sha256 of what it read.
/job/noiommu-nvme "$@" --output /tmp/blocks "$NVME" || exit
sum=$(sha256sum /tmp/blocks) || exit
echo "sha256: ${sum%% *}"
