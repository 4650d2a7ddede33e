# SPDX-License-Identifier: GPL-2.0-only
"""The config of the kernel that `make deb` packages: the user's own, with the few
options that the series needs, and without what only the distributor can build."""

import gzip
import os
import pathlib
import subprocess
import sys

from build import kconfig
from build.kernel import environment, make
from common.ui import Failure

RUNNING = (f"/boot/config-{os.uname().release}", "/proc/config.gz")

# Options of a distributor's config that name files of its own build, and what
# stands for none
FILES = {
    "CONFIG_SYSTEM_TRUSTED_KEYS": '""',
    "CONFIG_SYSTEM_REVOCATION_KEYS": '""',
    "CONFIG_SYSTEM_BLACKLIST_HASH_LIST": '""',
    "CONFIG_MODULE_SIG_KEY": '"certs/signing_key.pem"',  # which the build makes
}
DEBUG_INFO = "CONFIG_DEBUG_INFO_"
WITH_DEBUG_INFO = ("DWARF_TOOLCHAIN_DEFAULT", "DWARF4", "DWARF5")


def choose(given, running=RUNNING):
    """The file to start from."""
    if given:
        file = pathlib.Path(given).expanduser().resolve()
        if not file.is_file():
            raise Failure(f"CONFIG_FROM={given}: no such file")
        return file
    for name in running:
        if pathlib.Path(name).is_file():
            return pathlib.Path(name)
    raise Failure(f"there is no {' and no '.join(running)}: name the config of the kernel that "
                  "the machine runs with CONFIG_FROM=")


def read(file):
    data = file.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        text = ""
    if not kconfig.parse(text):
        raise Failure(f"{file} is no kernel config")
    return text


def left_out(config):
    """(fragment, notes) of what cannot be built here, or not without more."""
    have = kconfig.parse(config)
    lines, notes = [], []
    files = [option for option, none in FILES.items() if have.get(option, none) not in ('""', none)]
    lines += [f"{option}={FILES[option]}" for option in files]
    if files:
        notes.append("what " + ", ".join(files) + " name: files of the distributor's build")
    if any(have.get(DEBUG_INFO + kind) == "y" for kind in WITH_DEBUG_INFO):
        lines += [f"{DEBUG_INFO}{kind}=n" for kind in WITH_DEBUG_INFO] + [f"{DEBUG_INFO}NONE=y"]
        notes.append("debug information, and BTF with it (which would take gigabytes, and pahole)")
    if have.get("CONFIG_MODULE_SIG") == "y":
        notes.append("the distributor's signature: modules are signed with a key that the build "
                     "makes, the kernel is not, so that Secure Boot refuses it")
    return "".join(f"{line}\n" for line in lines), notes


def configure(tree, out, file, fragment, log):
    """Makes out/.config of a file; returns (changes, notes). What the tree's own
    defaults add to the file is no change of ours."""
    out.mkdir(parents=True, exist_ok=True)
    text = read(file)
    more, notes = left_out(text)
    before, mine, rest = (out / f"config.{name}" for name in ("before", "from", "left-out"))
    for path, content in ((before, text), (mine, text), (rest, more)):
        path.write_text(content)
    make(tree, out, log, "read the config", ["olddefconfig"], 0, {"KCONFIG_CONFIG": str(before)})
    merge(tree, out, [mine, rest, fragment], log)
    verify(out, fragment)
    return changes(tree, before, out / ".config"), notes


def merge(tree, out, files, log):
    """-y: what is built in remains so."""
    command = ["bash", "scripts/kconfig/merge_config.sh", "-y", "-Q", "-O", str(out),
               *map(str, files)]
    with open(log, "ab") as file:
        status = subprocess.run(command, cwd=tree, env=environment(),
                                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    if status.returncode:
        raise Failure("cannot make the config", log)


def verify(out, fragment):
    """A module may be built in."""
    config = (out / ".config").read_text()
    have = kconfig.parse(config)
    built_in = {option for option, (value, _) in kconfig.wanted([fragment]).items()
                if (value, have.get(option)) == ("m", "y")}
    lines = [line for line in kconfig.unmet([fragment], config, lambda option: True)
             if not any(f"asks for {option}=" in line for option in built_in)]
    if lines:
        raise Failure("the config lacks what the series needs:\n  " + "\n  ".join(lines))


def changes(tree, before, after):
    """Lines of the tree's own diffconfig."""
    done = subprocess.run([sys.executable, "-B", str(tree / "scripts/diffconfig"), str(before),
                           str(after)], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot compare configs: {done.stderr.strip()}")
    return done.stdout.splitlines()
