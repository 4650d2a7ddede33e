# SPDX-License-Identifier: GPL-2.0-only
"""Topics: the parts in which the series is posted, each to the maintainers of one
subsystem. A heading in the series file begins one.

A commit of the made tree says nothing of its topic, so a refresh takes it from the
series file: of that base, or of another one that has the patch. A patch that neither
knows is of the topic that it stands in.

Each topic has a cover letter: `cover-letter-<topic>`, in patches/ or in the base's folder
as patches are. Its header `On:` names the topics that it stands on.
"""

import dataclasses

from common.ui import Failure


@dataclasses.dataclass
class Letter:
    author: str
    subject: str
    body: str
    on: list


def assign(known, others, names):
    """({name: topic} of the patches of a refreshed tree, in their order, notes on those
    that are new). `known` is the same of the series as it is stored, `others` of other
    bases. The topic of all is None if no series has one."""
    gone = {topic for name, topic in known.items() if name not in names}
    order = [topic for topic in dict.fromkeys([*known.values(), *others.values()]) if topic]
    known = {name: topic for name, topic in {**others, **known}.items() if topic}
    result, notes, before = {}, [], None
    for at, name in enumerate(names):
        if name not in known and known:
            after = next((known[later] for later in names[at + 1:] if later in known), None)
            known[name] = stands_in(before, after, gone, order)
            notes.append(f"{name} is new, in the topic {known[name]}")
        result[name] = before = known.get(name)
    require_together(result)
    return result, notes


def stands_in(before, after, gone, order):
    """The topic of a new patch, from those of its neighbours: that of a patch which is gone
    there, as it may have another subject now, or else that of the one before."""
    there = order[order.index(before) if before else 0:]
    there = there[:there.index(after) + 1] if after in there else there
    return next((topic for topic in there if topic in gone), before or after)


def require_together(topics):
    last, ended = None, set()
    for name, topic in topics.items():
        if topic != last:
            ended.add(last)
        if topic in ended:
            raise Failure(f"{name} is of the topic {topic}, and stands among those of another: "
                          "move the commit, or first its line in the series file")
        last = topic


def lines(topics, line):
    """The series file's lines of all patches, under their headings."""
    result, last = [], None
    for name, topic in topics.items():
        if topic != last:
            result += ["", f"topic: {topic}"]
        result.append(line(name))
        last = topic
    return result


def names(series):
    """The topics of a series, in order."""
    return list(dict.fromkeys(topic for topic in series.topics().values() if topic))


def letter_name(topic):
    return f"cover-letter-{topic}" if topic else "cover-letter"


def letter(series, topic=""):
    """The stored cover letter, of the whole series or of a topic."""
    file = series.place(letter_name(topic))
    try:
        head, _, body = file.read_text().partition("\n\n")
    except FileNotFoundError:
        raise Failure(f"no cover letter: {file} is missing")
    headers = dict(line.partition(": ")[::2] for line in head.splitlines())
    if not {"From", "Subject"} <= headers.keys():
        raise Failure(f"{file} must start with From: and Subject:")
    on = headers.get("On", "").split()
    return Letter(headers["From"], headers["Subject"], body.strip("\n") + "\n",
                  [other for other in names(series) if other in on])


def place(series, topic, its):
    """The last paragraph of a topic's letter: what has to be there before it."""
    found = names(series)
    text = (f"\nThis is part {found.index(topic) + 1} of {len(found)} of\n\n"
            f"  {letter(series).subject}\n\n")
    if not its.on:
        return text + "and stands by itself.\n"
    return text + "and stands on\n\n" + "".join(
        f"  [PATCH {other}] {letter(series, other).subject}\n" for other in its.on)
