# SPDX-License-Identifier: GPL-2.0-only
"""A Debian package made of a folder: what every one has, and the file."""

import gzip
import os
import shutil
import subprocess

from common.ui import Failure

MAINTAINER = "Seed d42eb12d maintainers <maintainers@users.noreply.b-seed-d42eb12d.example>"
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 1991-2026 the authors of the Linux kernel and of the series
License: GPL-2
 The text of the license is in /usr/share/common-licenses/GPL-2.
"""


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def add_documents(root, name, version):
    folder = root / f"usr/share/doc/{name}"
    write(folder / "copyright", COPYRIGHT)
    changelog = (f"{name} ({version}) unstable; urgency=medium\n\n  * Made of the series.\n\n"
                 f" -- {MAINTAINER}  Thu, 01 Jan 1970 00:00:00 +0000\n")
    (folder / "changelog.gz").write_bytes(gzip.compress(changelog.encode(), mtime=0))


def add_manual(root, program, version, about):
    """The manual page of a program, made of what it says to --help."""
    page = subprocess.run(["help2man", "--no-info", "--version-string", version,
                           "--name", about, str(program)],
                          env={**os.environ, "SOURCE_DATE_EPOCH": "0"}, capture_output=True)
    if page.returncode:
        raise Failure(f"help2man {program}: {page.stderr.decode()}")
    folder = root / "usr/share/man/man1"
    folder.mkdir(parents=True)
    (folder / f"{program.name}.1.gz").write_bytes(gzip.compress(page.stdout, mtime=0))


def size(root):
    """As Installed-Size has it."""
    return sum(file.stat().st_size for file in root.rglob("*")
               if file.is_file() and not file.is_symlink()) >> 10


def pack(root, file, log):
    """The file. The folder is gone afterwards."""
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    done = subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(file)],
                          capture_output=True, text=True)
    log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise Failure(f"cannot make {file.name}", log)
    shutil.rmtree(root)
    return file
