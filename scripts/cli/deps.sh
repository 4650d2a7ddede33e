#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Checks for what the tools need. As root it installs what is missing through
# apt, else it prints the command to run. In sh: python may be what is missing.
# The arguments are commands that need more than the others do.
set -u
top=$(dirname "$0")/../..
for_commands=$(echo "$*" | tr - _)

# Of lines `command|file name package` the packages whose command or file is
# not there
lacking() {
	while read -r kind name package; do
		case $kind in
		command) PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null 2>&1 ;;
		file) ls $name >/dev/null 2>&1 ;;
		esac || echo "$package"
	done
}

needed_for_bench() {
	lacking <<-END
	command gnuplot gnuplot-nox
	END
}

# A clang that this kernel takes (17 and newer); the package's name if there is
# none. Debian 12's clang is older, and what is newer there has a number.
clang_package() {
	for version in "" $(seq -f -%g 17 30); do
		number=$("clang$version" -dumpversion 2>/dev/null | cut -d. -f1)
		[ "${number:-0}" -lt 17 ] || return
	done
	number=$(apt-cache policy clang 2>/dev/null |
		sed -n 's/^ *Candidate: *\([0-9]*:\)\?\([0-9]*\).*/\2/p')
	if [ -z "$number" ] || [ "$number" -ge 17 ]; then
		echo clang
	else
		echo clang-19
	fi
}

# checkpatch looks at SPDX lines with modules of Debian's python
needed_for_check() {
	needed_for_root
	# Modules for a kernel of arm64 are tried, too, which takes a Debian root
	[ "$(id -u)" != 0 ] || needed_for_arm64
	lacking <<-END
	file /usr/lib/python3/dist-packages/ply python3-ply
	file /usr/lib/python3/dist-packages/git python3-git
	file /usr/lib/python3/dist-packages/yaml python3-yaml
	command pkg-config pkg-config
	END
}

needed_for_lint() {
	needed_for_check
	clang_package
	lacking <<-END
	command spatch coccinelle
	command ocamlopt ocaml-nox
	command ocamlfind ocaml-findlib
	command sphinx-build python3-sphinx
	END
}

# For guests of arm64
needed_for_arm64() {
	lacking <<-END
	command aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	file /usr/aarch64-linux-gnu/lib/libc.a libc6-dev-arm64-cross
	command qemu-system-aarch64 qemu-system-arm
	command qemu-aarch64 qemu-user
	END
}

needed_for_matrix() {
	lacking <<-END
	command aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	command arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
	command riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
	command mips64el-linux-gnuabi64-gcc gcc-mips64el-linux-gnuabi64
	command clang-19 clang-19
	command ld.lld-19 lld-19
	command llvm-nm-19 llvm-19
	END
}

needed_for_menuconfig() {
	lacking <<-END
	file /usr/include/ncurses.h libncurses-dev
	END
}

# To package a kernel with a distribution's config
needed_for_deb() {
	lacking <<-END
	command dh debhelper
	command dpkg-buildpackage dpkg-dev
	command depmod kmod
	command openssl openssl
	command zstd zstd
	command lz4 lz4
	END
}

# To try that
needed_for_root() {
	[ "$(id -u)" = 0 ] || return
	lacking <<-END
	command debootstrap debootstrap
	command mke2fs e2fsprogs
	END
}

needed_for_modules() {
	lacking <<-END
	command pahole pahole
	END
}

# The manual page of the program in the package
needed_for_dkms() {
	lacking <<-END
	command help2man help2man
	END
}

needed_for_check_long() {
	needed_for_dkms
	needed_for_arm64
	needed_for_deb
	needed_for_root
}

# CONFIG=, or else what .config says
config_set() {
	if [ -n "${CONFIG:-}" ]; then
		echo "$CONFIG"
	elif [ -e "$top/.config" ]; then
		sed -n 's/^CONFIG_SET="\(.*\)"$/\1/p' "$top/.config"
	fi
}

needed() {
	lacking <<-END
	command python3 python3
	command git git
	command gcc gcc
	command ccache ccache
	command make make
	command flex flex
	command bison bison
	command bc bc
	command cpio cpio
	command xz xz-utils
	command rsync rsync
	command perl perl
	command awk mawk
	command dpkg-deb dpkg
	command qemu-system-x86_64 qemu-system-x86
	file /usr/share/seabios/bios-256k.bin seabios
	file /bin/busybox busybox-static
	file /usr/include/libelf.h libelf-dev
	file /usr/include/openssl/ssl.h libssl-dev
	file /usr/include/stdio.h libc6-dev
	file /usr/include/sys/capability.h libcap-dev
	file /usr/lib/*/libcap.a libcap-dev
	file /usr/include/uuid/uuid.h uuid-dev
	file /usr/lib/*/libuuid.a uuid-dev
	file /usr/lib/*/libc.a libc6-dev
	file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
	END
	for command in $for_commands; do
		"needed_for_$command"
	done
	[ "$(config_set)" != arm64 ] || needed_for_arm64
	# busybox must run in a guest that has no shared libraries
	if [ -e /bin/busybox ] && ldd /bin/busybox >/dev/null 2>&1; then
		echo busybox-static
	fi
}

missing=$(needed | sort -u | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "error: missing: $missing(Debian's package names; there is no apt here)" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "error: packages are missing; run: sudo apt-get install $missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
echo "install: $missing"
install() {
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing </dev/null >"$log" 2>&1
}
# The package lists may be missing or old, which shows only in the attempt
if ! install && ! { apt-get update -q </dev/null >"$log" 2>&1 && install; }; then
	tail -n 12 "$log" | sed 's/^/  | /' >&2
	echo "error: apt-get install $missing failed" >&2
	exit 1
fi
missing=$(needed | sort -u | tr '\n' ' ')
if [ -n "$missing" ]; then
	echo "error: still missing after the installation: $missing" >&2
	exit 1
fi
