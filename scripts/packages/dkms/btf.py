# SPDX-License-Identifier: GPL-2.0-only
"""Reads BTF, the kernel's own description of its types, as far as the layout of structs
goes."""

import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD = 1, 2, 3, 4, 5, 6, 7
TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = 8, 9, 10, 11, 12, 13
VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = 14, 15, 16, 17, 18, 19
SAME = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)   # as what they stand for

# What follows a type, in bytes: for all, and for each of its members
FOLLOWS = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8),
           FUNC_PROTO: (0, 8), VAR: (4, 0), DATASEC: (0, 12), DECL_TAG: (4, 0),
           ENUM64: (0, 12)}


class Types:
    """All of a file. Those of a module go on where the kernel's end."""

    def __init__(self, data, base=None):
        order = "<" if data[:2] == b"\x9f\xeb" else ">"
        magic, _, _, header, types, type_size, strings, string_size = struct.unpack_from(
            order + "HBBIIIII", data)
        if magic != 0xeb9f:
            raise ValueError("no BTF")
        self.order, self.base = order, base
        self.first = base.last + 1 if base else 1
        self.first_string = base.last_string if base else 0
        self.strings = data[header + strings:header + strings + string_size]
        self.last_string = self.first_string + len(self.strings)
        self.data = data[header + types:header + types + type_size]
        self.offsets = list(self.walk())
        self.last = self.first + len(self.offsets) - 1

    def walk(self):
        at = 0
        while at < len(self.data):
            yield at
            _, info, _ = struct.unpack_from(self.order + "III", self.data, at)
            whole, each = FOLLOWS.get(info >> 24 & 0x1f, (0, 0))
            at += 12 + whole + each * (info & 0xffff)

    def string(self, offset):
        if offset < self.first_string:
            return self.base.string(offset)
        offset -= self.first_string
        return self.strings[offset:self.strings.index(b"\0", offset)].decode()

    def get(self, number):
        """(kind, name, members, size or type, flag, where more is)"""
        name, info, last = struct.unpack_from(self.order + "III", self.data,
                                              self.offsets[number - self.first])
        return (info >> 24 & 0x1f, self.string(name), info & 0xffff, last, info >> 31,
                self.offsets[number - self.first] + 12)

    def structs(self):
        """(name, number) of each that has a name."""
        for number in range(self.first, self.last + 1):
            kind, name, *_ = self.get(number)
            if kind in (STRUCT, UNION) and name:
                yield name, number

    def layout(self, number):
        """A struct as what can be compared: (size, members)."""
        if number < self.first:
            return self.base.layout(number)
        _, _, count, size, bits, more = self.get(number)
        members = []
        for index in range(count):
            name, kind, offset = struct.unpack_from(self.order + "III", self.data,
                                                    more + 12 * index)
            width, offset = (offset >> 24, offset & 0xffffff) if bits else (0, offset)
            members.append((self.string(name), offset, width, self.describe(kind)))
        return size, tuple(members)

    def describe(self, number):
        """A type as a text: what has a name by that, what has none by its layout."""
        if number and number < self.first:
            return self.base.describe(number)
        if not number:
            return "void"
        kind, name, count, last, _, more = self.get(number)
        if kind in SAME:
            return self.describe(last)
        if kind == INT:
            return f"int{last * 8}"
        if kind == FLOAT:
            return f"float{last * 8}"
        if kind in (ENUM, ENUM64):
            return f"int{last * 8}"
        if kind == PTR:
            return f"{self.describe(last)}*"
        if kind == ARRAY:
            element, _, length = struct.unpack_from(self.order + "III", self.data, more)
            return f"{self.describe(element)}[{length}]"
        if kind == FUNC_PROTO:
            arguments = [self.describe(struct.unpack_from(self.order + "II", self.data,
                                                          more + 8 * index)[1])
                         for index in range(count)]
            return f"{self.describe(last)}({', '.join(arguments)})"
        if kind == FWD or name:
            return f"struct {name}"
        return str(self.layout(number))


def section(data, name=b".BTF"):
    """The content of a section of an ELF file of 64 bits, or None."""
    if data[:5] != b"\x7fELF\x02":
        return None
    order = "<" if data[5] == 1 else ">"
    table, = struct.unpack_from(order + "Q", data, 0x28)
    size, count, names = struct.unpack_from(order + "HHH", data, 0x3a)
    headers = [struct.unpack_from(order + "IIQQQQ", data, table + size * index)
               for index in range(count)]
    for name_at, _, _, _, offset, length in headers:
        at = headers[names][4] + name_at
        if data[at:data.index(b"\0", at)] == name:
            return data[offset:offset + length]
    return None
