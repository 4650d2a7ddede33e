#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kbuild's CHECK=: runs sparse and keeps what it says, and of which file, apart
# from what the compiler says.
for file; do :; done
said=$("$SPARSE" "$@" 2>&1)
printf 'checked: %s\n%s\n' "$file" "$said" >>"$SPARSE_LOG"
