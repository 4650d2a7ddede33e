# SPDX-License-Identifier: GPL-2.0-only
"""One place for a patch that several bases have: patches/<name>, and for one that a
base has for itself patches/<base>/<name>.

Patches are the same that differ in nothing but date and line numbers, as long as the
numbers of the first base, in the order of bases.py, do for the others within the limits
that hold for every patch. Whether they do, only the tree of a base shows. So a refresh
asks that of the base that it is for, and leaves the others what they have: where a patch
of theirs stands may change, and nothing in it.
"""

from base import bases
from common.ui import Failure
from series import diffs, mails, series


class Stock:
    """The patches of every base, one of which is refreshed."""

    def __init__(self, stored):
        self.base = stored.base
        self.folder = stored.folder.parent
        self.contents = {other.base: other.mails() for other in series.all_of(stored.top)
                         if other.base != stored.base}
        self.present = present(stored)
        self.shared = {file.name: mails.parse(file.read_text(), file.name)
                       for file in self.folder.glob("*.patch")}

    def carry(self, carried):
        """Takes what has changed in patches of other bases: [(series, patch)]."""
        for other, patch in carried:
            self.contents[other.base][patch.name] = patch.mail

    def adopt(self, name, mail, fits, newest=True):
        """What is stored already if it does the same as the mail; else the mail.
        `fits` says whether another base's line numbers go for this one. On any but
        the newest version of the base they stay what they are."""
        mine = self.present.get(name)
        if mine and not newest and alike(mine) == alike(mail):
            return mine
        for other in self.others_first(name):
            if essence(other) == essence(mail) or (alike(other) == alike(mail) and fits(other)):
                return other
        return mine if mine and essence(mine) == essence(mail) else mail

    def others_first(self, name):
        """What bases have that come before this one, then what several have."""
        order = bases.in_order({self.base, *self.contents})
        before = order[:order.index(self.base)]
        found = [self.contents[base].get(name) for base in before] + [self.shared.get(name)]
        return [mail for mail in found if mail]

    def of(self, names):
        """{name: mail} of those that this base has stored."""
        return {name: self.present[name] for name in names if name in self.present}

    def write(self, mine):
        """Stores the refreshed base's patches, {name: mail}, and puts all of them in
        their places. Returns notes on what other bases no longer share."""
        self.contents[self.base] = mine
        placed = place(self.contents)
        for path, mail in placed.items():
            write(self.folder / path, mail)
        for folder in (".", *self.contents):
            for file in (self.folder / folder).glob("*.patch"):
                if str(file.relative_to(self.folder)) not in placed:
                    file.unlink()
        return [note for name, mail in mine.items() for note in self.parted(name, mail)]

    def parted(self, name, mail):
        """A note on a patch that this base had in common with others and has no longer."""
        mine = self.present.get(name)
        if not mine or essence(mine) == essence(mail):
            return []
        keep = [base for base in bases.in_order(self.contents) if base != self.base
                and name in self.contents[base]
                and essence(self.contents[base][name]) == essence(mine)]
        return [f"{name} is no longer that of {' and '.join(keep)}, where it stays as it was"
                ] if keep else []


def present(stored):
    """Nothing of a series that is new, and what there is of one that is damaged."""
    try:
        return stored.mails() if stored.file.exists() else {}
    except Failure:
        return {}


def essence(mail):
    """What makes a patch another one: not its date."""
    return mail.author, mail.message(), mail.diff


def alike(mail):
    """The same without line numbers."""
    return mail.author, mail.message(), diffs.without_numbers(mail.diff)


def place(contents):
    """{path in patches/: mail} of {base: {name: mail}}: of each name that stands once
    which two bases have, the first two in their order if it differs."""
    order = bases.in_order(contents)
    placed = {}
    for name in sorted({name for theirs in contents.values() for name in theirs}):
        having = [base for base in order if name in contents[base]]
        shared = in_common([contents[base][name] for base in having])
        if shared:
            placed[name] = shared
        for base in having:
            mail = contents[base][name]
            if not shared or essence(mail) != essence(shared):
                placed[f"{base}/{name}"] = mail
    return placed


def in_common(found):
    """The first mail that is there twice, or None."""
    kinds = [essence(mail) for mail in found]
    return next((mail for mail, kind in zip(found, kinds) if kinds.count(kind) > 1), None)


def write(file, mail):
    """Leaves a file alone that says this already."""
    try:
        if mails.parse(file.read_text(), file.name) == mail:
            return
    except (OSError, Failure):
        pass
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(mail.store())
