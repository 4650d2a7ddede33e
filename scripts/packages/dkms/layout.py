# SPDX-License-Identifier: GPL-2.0-only
"""Compares the structs of built modules with those of the kernel, and of its modules that
these use: layout.py KDIR MODULE…

Each struct that both sides know has to be the same in both. The exit status is 1 if one is
not, and that is for the build an error.
"""

import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import btf

# struct: members that the kernel may use of these modules' own; theirs are never used of
# the kernel's (compat/include/linux/generic_pt/iommu.h)
PARTLY = {"pt_iommu_ops": ("map_range", "unmap_range")}

# Of which each page table format has one of its own, that never leaves it
PRIVATE = ("pt_iommu_map_args",)


def main(kdir, modules):
    problems = tool_problem() or compare(pathlib.Path(kdir), modules)
    for problem in problems:
        print(f"layout: {problem}", file=sys.stderr)
    return 1 if problems else 0


def tool_problem():
    return [] if shutil.which("pahole") else ["pahole is missing (Debian's package pahole)"]


def compare(kdir, modules):
    kernel = kernel_types(kdir)
    if not kernel:
        return [f"there is no BTF of the kernel: no vmlinux with it in {kdir}, and it is not "
                "the one that runs; its structs cannot be compared"]
    sides = [("the kernel", known(kernel))]
    ours = {pathlib.Path(module).name.removesuffix(".ko").replace("-", "_")
            for module in modules}
    for name in sorted({name for module in modules for name in depends(module)} - ours):
        found = stock(kdir, name)
        if found:
            sides.append((name, known(btf.Types(found, kernel))))
        else:
            print(f"layout: {name}.ko has no BTF to compare with")
    problems, count = {}, set()
    with tempfile.TemporaryDirectory() as scratch:
        for module in modules:
            types = btf.Types(encode(module, pathlib.Path(scratch, "btf")))
            for name, number in types.structs():
                for side, theirs in sides:
                    if name in theirs and name not in PRIVATE:
                        count.add(name)
                        layout = types.layout(number)
                        if not any(same(name, layout, other()) for other in theirs[name]):
                            problems.setdefault(name, explain(name, side, layout,
                                                              theirs[name][0]()))
    if not problems:
        print(f"layout: {len(count)} structs are as the kernel has them")
    return list(problems.values())


def known(types):
    """{name: [function that gives a layout]}"""
    found = {}
    for name, number in types.structs():
        found.setdefault(name, []).append(lambda number=number: types.layout(number))
    return found


def same(name, ours, theirs):
    if name in PARTLY:
        ours, theirs = ([member for member in members if member[0] in PARTLY[name]]
                        for _, members in (ours, theirs))
    return ours == theirs


def explain(name, side, ours, theirs):
    if ours[0] != theirs[0]:
        text = f"{ours[0]} bytes here, {theirs[0]} in {side}"
    else:
        text = f"not as in {side}"
    for mine, other in itertools.zip_longest(ours[1], theirs[1]):
        if mine != other:
            return f"struct {name}: {text}; first {show(mine)} here, {show(other)} there"
    return f"struct {name}: {text}"


def show(member):
    if not member:
        return "nothing"
    name, offset, width, kind = member
    bits = f", {width} bits" if width else ""
    return f"`{name}` at {offset // 8} ({kind}{bits})"


def encode(module, target):
    """The BTF that pahole makes of a module's debug information."""
    target.unlink(missing_ok=True)
    done = subprocess.run(["pahole", "-F", "dwarf", "-J", f"--btf_encode_detached={target}",
                           module], capture_output=True, text=True)
    if done.returncode or not target.exists():
        sys.exit(f"layout: pahole finds no debug information in {module}: "
                 f"{done.stderr.strip()}")
    return target.read_bytes()


def kernel_types(kdir):
    for data in (section(kdir / "vmlinux"), of_running(kdir)):
        if data:
            return btf.Types(data)
    return None


def of_running(kdir):
    file = pathlib.Path("/sys/kernel/btf/vmlinux")
    return file.read_bytes() if release(kdir) == os.uname().release and file.exists() else None


def release(kdir):
    try:
        return (kdir / "include/config/kernel.release").read_text().strip()
    except OSError:
        return ""


def section(file):
    """The BTF in an ELF file."""
    return btf.section(file.read_bytes()) if file.exists() else None


def depends(module):
    """Names of the modules that one needs."""
    found = re.search(rb"\0depends=([^\0]*)\0", pathlib.Path(module).read_bytes())
    names = found[1].decode().split(",") if found else []
    return [name.replace("-", "_") for name in names if name]


UNPACK = {".ko": ["cat"], ".xz": ["xz", "-dc"], ".zst": ["zstd", "-dc"], ".gz": ["gzip", "-dc"]}


def stock(kdir, name):
    """The BTF of one of the kernel's own modules."""
    for folder in (kdir / "modules", pathlib.Path("/lib/modules", release(kdir), "kernel")):
        for file in folder.rglob("*.ko*"):
            if file.name.split(".")[0].replace("-", "_") == name and file.suffix in UNPACK:
                return btf.section(subprocess.run([*UNPACK[file.suffix], str(file)],
                                                  stdout=subprocess.PIPE, check=True).stdout)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
