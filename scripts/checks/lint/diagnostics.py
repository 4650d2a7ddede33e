# SPDX-License-Identifier: GPL-2.0-only
"""Warnings of compilers, sparse, kernel-doc and sphinx, freed from what differs
between two trees that have the same ones: line numbers and folders."""

import re

COMPILER = re.compile(r"^([^\s:][^:\n]*):\d+(?::\d+)?: (?:(warning|error|fatal error): |)(.*)$")
OBJTOOL = re.compile(r"^(\S+\.o): (?:warning|error): objtool: (.*)$")
KERNEL_DOC = re.compile(r"^(?:Warning|Error): ([^:\s]+):(?:\d+:?)? *(.*)$")
KERNEL_DOC_PERL = re.compile(r"^([^:\s]+):\d+: (?:warning|error): (.*)$")
SPHINX = re.compile(r"^(?:(\S.*?): )?((?:WARNING|ERROR|CRITICAL|SEVERE): .*)$")


def of_compiler(text, tree):
    """{"path: warning: text"} of what gcc, clang, sparse and objtool print."""
    found = set()
    for line in text.splitlines():
        match = COMPILER.match(line)
        objtool = OBJTOOL.match(line)
        if objtool:
            message = re.sub(r"\+0x[0-9a-f]+", "+", objtool[2])
            found.add(f"{shorten(objtool[1], tree)}: warning: objtool: {message}")
        elif match and match[2]:
            found.add(f"{shorten(match[1], tree)}: {match[2]}: {match[3]}")
    return found


def of_kernel_doc(text):
    """Likewise of kernel-doc, which names the file as it was given."""
    found = set()
    for line in text.splitlines():
        match = KERNEL_DOC.match(line) or KERNEL_DOC_PERL.match(line)
        if match:
            found.add(f"{match[1]}: {match[2]}")
    return found


def of_sphinx(text, tree):
    """Of sphinx, which may name a document and the source that it has it from."""
    found = set()
    for line in text.splitlines():
        match = SPHINX.match(line)
        doc = KERNEL_DOC.match(line)
        if doc:
            found.add(f"{shorten(doc[1], tree)}: {doc[2]}")
        elif match:
            where = re.sub(r":\d+\b", "", (match[1] or "").replace(f"{tree}/", ""))
            found.add(f"{where}: {match[2]}" if where else match[2])
    return found


def shorten(path, tree):
    """The path in the tree, also of one that a build folder below it names."""
    path = path.removeprefix(f"{tree}/")
    while path.startswith(("../", "./")):
        path = path.partition("/")[2]
    return path


class Known:
    """What has been seen. A warning is the commit's that shows it first."""

    def __init__(self, warnings=()):
        self.warnings = set(warnings)

    def news(self, found):
        new = sorted(set(found) - self.warnings)
        self.warnings |= set(found)
        return new
