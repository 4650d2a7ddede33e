# SPDX-License-Identifier: GPL-2.0-only
"""One overlay for many bases: which of them a file's content is taken from, and
what becomes of the others when it changes.

A file belongs to the first base, in the order of bases.py, whose series brings
it. A refresh of that base writes the file; one of another base leaves it as it
is and keeps what is different there in its own patch.
"""

from common.ui import Failure
from series import difference, diffs, maintainers, series


class Sharing:
    """The series that is refreshed, among those of other bases."""

    def __init__(self, stored):
        self.stored = stored
        others = [other for other in series.all_of(stored.top) if other.base != stored.base]
        self.others = [(other, bringers(other)) for other in others]
        self.before = self.bringers_before()

    def bringers_before(self):
        """None of a series that is new, or damaged: a refresh makes it whole."""
        try:
            return bringers(self.stored)
        except Failure:
            return {}

    def belongs(self, path):
        """Whether the file is the refreshed base's own."""
        bringing = [other.base for other, brought in self.others if path in brought]
        return series.first([self.stored.base, *bringing]) == self.stored.base

    def share(self, patches, files):
        """Takes what belongs to other bases out of the files, and puts what is
        different into the patches; returns the files that are left."""
        own = {}
        for patch in patches:
            parts = diffs.split(patch.mail.diff)
            for path in patch.added:
                if self.belongs(path):
                    own[path] = files[path]
                elif path == maintainers.NAME:
                    self.require_same_entry(patch, files[path][0])
                else:
                    self.add_difference(patch, path, files[path], parts)
            patch.mail.diff = diffs.join(parts)
        return own

    def require_same_entry(self, patch, entry):
        if entry != self.stored.overlay(maintainers.NAME)[0]:
            raise Failure(f"{patch.name}: the entry in {maintainers.NAME} is not that of the "
                          "other bases; they all have one, with the paths of all of them")

    def add_difference(self, patch, path, file, parts):
        content, executable = self.stored.overlay(path)
        if executable != file[1]:
            raise Failure(f"{patch.name}: {path} is executable here or in the overlay, but "
                          "not in both")
        part = difference.make(path, content, file[0])
        if part:
            parts[path] = part

    def carry(self, own):
        """What the other bases need so that they take what has changed in the
        overlay, if they can, and are as they were if they cannot: ([(series,
        patch)] to write, notes)."""
        changed, notes = {}, []
        for path, (content, _) in own.items():
            for other, brought in self.others:
                if path in brought and self.changes(path, content):
                    patch = brought[path]
                    changed[other.base, patch.name] = other, patch
                    notes += self.carry_file(other, patch, path, content)
        return list(changed.values()), notes

    def changes(self, path, content):
        return path != maintainers.NAME and self.stored.overlay(path)[0] != content

    def carry_file(self, other, patch, path, content):
        """Puts the new difference into the other base's patch; returns notes."""
        theirs, merged = other.resolve(patch, path), None
        if path in self.before:
            ours = self.stored.resolve(self.before[path], path)
            merged = difference.merge(theirs, ours, content)
        parts = diffs.split(patch.mail.diff)
        parts[path] = difference.make(path, content, theirs if merged is None else merged)
        patch.mail.diff = diffs.join({name: part for name, part in parts.items() if part})
        return [] if merged is not None else [
            f"{other.base} keeps its {path}: the change does not go with what is different there"]


def bringers(stored):
    """{path: the patch that brings it}."""
    return {path: patch for patch in stored.patches() for path in patch.added}
