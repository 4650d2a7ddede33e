# SPDX-License-Identifier: GPL-2.0-only
"""Figures of two kernels, as the bench program could have found them."""



MIB = 1 << 20


def made(kind, size, **costs):
    return {f"{kind}/{size}/{what}": None if cost is None else cost * (size // 4096)
            for what, cost in costs.items()}


def peer_values():
    return {**made("scattered", 16 * MIB, pagemap=91, page=1155, run=1700, extents=None,
                   map=588, unmap=390, mlock=100, munlock=50, page_tables=8),
            **made("hugetlb2m", 64 * MIB, pagemap=24, page=1155, run=175, extents=None,
                   map=41, unmap=193, mlock=1, munlock=1),
            "lookup/scattered": 18, "lookup/hugetlb2m": 14,
            "call/refused": 326, "call/get_pa": 977, "call/pagemap": 1909,
            "hugetlb1g": None, "first_dma/cold/started": 90000}


def our_values():
    return {**peer_values(),
            **made("scattered", 16 * MIB, extents=35, device=38, page=720, map=588,
                   unmap=200),
            **made("hugetlb2m", 64 * MIB, extents=0.5, run=2, map=41.3, unmap=1.004),
            "call/get_pa": 700}
