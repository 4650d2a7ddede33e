#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs installed selftests with the runner that comes with them; its options say which.
mkdir /tmp/kselftest && tar -C /tmp/kselftest -xf /job/kselftest.tar || exit
cd /tmp/kselftest || exit

export VFIO_SELFTESTS_BDF="$EDU"
./run_kselftest.sh "$@"
