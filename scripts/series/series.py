# SPDX-License-Identifier: GPL-2.0-only
"""The series as it is stored: patches/<base>/series, the patches, the overlay.

A patch stands in patches/ if several bases have it, and in patches/<base>/ if that
one alone has it so; the order is in the series file only.

A line of the series file names a patch and then the overlay files that it
brings. MAINTAINERS among them means the entry, not the file. Lines with a colon
say more: `topic:` is the heading of the patches that are posted together, `range:` is
followed by the first and the last version that the series is known to be good for, and
`older:` by a patch in front of the others with what later versions of the base have
themselves, where it is left out.

The overlay is the same for every base. Where a base's file has to be otherwise,
the patch that brings it holds the difference, as a diff from the overlay's.
"""

import dataclasses
import os
import pathlib

from base import bases
from common.ui import Failure
from series import difference, diffs, mails, maintainers


@dataclasses.dataclass
class Patch:
    name: str
    added: list
    mail: mails.Mail
    older: bool = False   # later versions of the base have it themselves


def of(settings):
    """The series that goes onto the base."""
    return NoSeries() if settings.plain else Series(settings.top, settings.base)


def all_of(top):
    """Every series that is stored, the default base's first."""
    return [Series(top, base) for base in bases.stored(top)]


def first(names):
    """The base that a file of several belongs to."""
    return bases.in_order(names)[0]


class NoSeries:
    """Of a base that is built as it is."""

    def entries(self):
        return []

    def range(self):
        return ()

    def patches(self):
        return []

    def with_older(self):
        return []


class Series:
    def __init__(self, top, base):
        self.top = pathlib.Path(top)
        self.base = base
        self.folder = self.top / "patches" / base
        self.file = self.folder / "series"

    def lines(self):
        """The words of each line that says something."""
        try:
            lines = self.file.read_text().splitlines()
        except FileNotFoundError:
            raise Failure(f"no series for {self.base}: {self.file} is missing")
        return [words for words in map(str.split, lines)
                if words and not words[0].startswith("#")]

    def entries(self):
        """(patch name, added paths) of each patch of the series."""
        return [(words[0], words[1:]) for words in self.lines()
                if not words[0].endswith(":")]

    def older(self):
        """The patches in front, for versions that have not yet what they bring."""
        return [Patch(name, [], self._read(name), older=True) for name in self.older_names()]

    def older_names(self):
        return [words[1] for words in self.lines() if words[0] == "older:"]

    def topics(self):
        """{patch name: its topic}, in order; None where no heading has come yet."""
        found, topic = {}, None
        for words in self.lines():
            if words[0] == "topic:":
                topic = words[1]
            elif not words[0].endswith(":"):
                found[words[0]] = topic
        return found

    def range(self):
        """(first, last) version that the series is known to be good for, or ()."""
        return next((tuple(words[1:3]) for words in self.lines() if words[0] == "range:"), ())

    def patches(self):
        """Those of the series itself: what is posted."""
        result, brought = [], {}
        for name, added in self.entries():
            if name in (patch.name for patch in result):
                raise Failure(f"{self.file} names {name} twice")
            for path in added:
                if path in brought:
                    raise Failure(f"{path} is brought by {brought[path]} and by {name}")
                brought[path] = name
            result.append(Patch(name, added, self._read(name)))
        return result

    def mails(self):
        """{name: mail} of all that the series file names."""
        names = [*self.older_names(), *(name for name, _ in self.entries())]
        return {name: self._read(name) for name in names}

    def place(self, name):
        """The file of a patch: the base's own, or that of several."""
        return (self.folder if self.is_own(name) else self.folder.parent) / name

    def is_own(self, name):
        return (self.folder / name).exists()

    def _read(self, name):
        try:
            return mails.parse(self.place(name).read_text(), name)
        except FileNotFoundError:
            raise Failure(f"{self.file} names {name}, which does not exist")

    def overlay(self, path):
        """(content, executable) of a file that the series adds."""
        file = self.top / path
        try:
            return file.read_bytes(), os.access(file, os.X_OK)
        except FileNotFoundError:
            raise Failure(f"{self.file} names the added file {path}, which does not exist")

    def full(self):
        """Each patch of the series with all that it does."""
        return [(patch, self.full_diff(patch)) for patch in self.patches()]

    def with_older(self):
        """The same, after those for older versions of the base."""
        return [(patch, patch.mail.diff) for patch in self.older()] + self.full()

    def full_diff(self, patch):
        """What the patch does, added files and MAINTAINERS entry included."""
        parts = diffs.split(patch.mail.diff)
        for path in patch.added:
            content, executable = self.overlay(path)
            if path != maintainers.NAME:
                parts[path] = diffs.new_file(path, self.resolve(patch, path), executable)
            elif path in parts:
                parts[path] = maintainers.fill(parts[path], content.decode())
            else:
                raise Failure(f"{patch.name}: no hunk that places the {path} entry")
        return diffs.join(parts)

    def resolve(self, patch, path):
        """The content of a file that the patch brings."""
        content, _ = self.overlay(path)
        part = diffs.split(patch.mail.diff).get(path)
        if not part or path == maintainers.NAME:
            return content
        try:
            return difference.apply(part, path, content)
        except Failure as failure:
            raise Failure(f"{self.base}/{patch.name}: {failure.cause}")

    def differences(self):
        """{path: patch} of the files that are not as the overlay has them."""
        return {path: patch for patch in self.patches() for path in patch.added
                if path != maintainers.NAME and path in diffs.split(patch.mail.diff)}
