# SPDX-License-Identifier: GPL-2.0-only
"""The folder that modules are built from: what dkms/ has, and of each base the sources
that the series changes, as the made tree has them.

The made tree's own Makefiles build them. A header that the series does not change is the
kernel's.
"""

import pathlib
import shutil

from common.gitrepo import DIFF, Repo
from common.lock import exclusive
from packages import options, sublevel
from series import tree

DKMS = pathlib.Path(__file__).parent / "dkms"
IOMMUFD = "drivers/iommu/iommufd"
WHOLE = (f"{IOMMUFD}/", "drivers/iommu/generic_pt/", "drivers/vfio/")
FOLDERS = (*WHOLE, ":(glob)drivers/iommu/*.h", "lib/interval_tree.c")
CARRIED = {"noiommu_amdv1.c": IOMMUFD, "noiommu_span.c": IOMMUFD,
           "noiommu_marker.c": "drivers/vfio"}
KBUILD = {"Kbuild": "", "iommufd.Kbuild": IOMMUFD, "vfio.Kbuild": "drivers/vfio"}
SCRIPTS = ("Makefile", "configure", "adapt", "btf.py", "layout.py", "compat")


def make(folder, wanted_versions, version):
    """Writes the folder anew, with the sources of some versions: [(settings of a base,
    its versions, or None for the made tree's)]."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SCRIPTS:
        copy(DKMS / name, folder / name)
    for name in KBUILD:
        copy(DKMS / name, folder / "kbuild" / name)
    (folder / "kbuild.list").write_text(kbuild_list())
    (folder / "options").write_text(options.text(options.of(wanted_versions[0][0])))
    (folder / "version").write_text(version + "\n")
    lines = [line for settings, versions in wanted_versions
             for line in add_base(folder, settings, versions)]
    (folder / "bases").write_text("".join(lines))


def add_base(folder, settings, versions):
    """The sources of a base, its patches for another kernel's, and the lines that say
    for which versions there are some."""
    with exclusive(settings):
        repo = tree.ensure(settings)
    made = tree.version(repo)
    for each in versions or [made]:
        target = folder / "src" / each
        if each == made:
            paths = sources(repo)
            for path in paths:
                copy(pathlib.Path(repo.path, path), target / path)
        else:
            sublevel.unpack(settings, each, wanted, target)
        complete(target, folder)
        yield f"{settings.base} {each}\n"
    add_patches(folder / "src", settings, repo)


def add_patches(folder, settings, repo):
    paths = sources(repo)
    (folder / f"{settings.base}.patch").write_bytes(
        repo.bytes("diff", *DIFF, tree.BASE, "--", *paths))
    (folder / f"{settings.base}.paths").write_text("".join(f"{path}\n" for path in paths))
    for patch, diff in sublevel.relevant(settings, wanted):
        if patch.older:
            (folder / f"{settings.base}.{patch.name}").write_text(diff)


def sources(repo):
    """Files of the made tree, with edits that no commit holds."""
    found = [path for path in repo.text("ls-files", *FOLDERS).split("\n") if wanted(path)]
    return found + repo.text("diff", "--name-only", tree.BASE, "--", "include").split("\n")


def wanted(path):
    """What the modules are made of. Of other IOMMU code they need the headers."""
    path = pathlib.PurePath(path)
    if path.name == "selftest.c" or "kunit" in path.name:
        return False
    return (str(path).startswith(WHOLE) or str(path) == "lib/interval_tree.c"
            or str(path.parent) == "drivers/iommu" and path.suffix == ".h")


def kbuild_list():
    """Lines of a file and where it goes in a base's sources, for adapt too."""
    files = [(f"kbuild/{name}", f"{parent}/Kbuild".lstrip("/")) for name, parent in KBUILD.items()]
    files += [(f"compat/{name}", f"{parent}/{name}") for name, parent in CARRIED.items()]
    return "".join(f"{source} {target}\n" for source, target in files)


def complete(target, folder):
    for line in kbuild_list().splitlines():
        name, where = line.split()
        if (target / where).parent.is_dir():
            copy(folder / name, target / where)


def version(settings):
    """Of the package: a number that grows with each commit. Modules of two versions do
    not load beside each other, for they may share other structs."""
    repo = Repo(settings.top)
    count = repo.run("rev-list", "--count", "HEAD").stdout.decode().strip() or "0"
    edits = "+edits" if repo.run("diff", "--quiet", "HEAD").returncode else ""
    return f"1.{count}{edits}"


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
