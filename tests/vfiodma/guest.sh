#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The library's test in a guest, with the devices of the machine. $1 tells what their
# addresses are; on a machine with both kinds of device, those with an IOMMU come
# first.
export KIND="$1"
# shellcheck disable=SC2086
exec /job/guest-test ${NVME%% *} $EDU
