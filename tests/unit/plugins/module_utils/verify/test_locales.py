# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether texts sort alike: said where it is known to differ or cannot be known, and not where it cannot matter."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.locales import compare_locales


def end(locale="en_US.UTF-8", version="2.36", provider="c", **more) -> dict:
    return {
        "provider": provider, "locale": locale, "version": version, "columns": {}, "nondeterministic": [], "partitioned": [],
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (end(), end()),
        (end(), end("en_US.utf8")),
        (end("C", None), end("C", None)),
        (end("C", None), end("POSIX", None)),
        (end("C.UTF-8", None), end("C.UTF-8", "1", provider="b")),
        (end("de-DE", "153.120", "i"), end("de-DE", "153.120", "i")),
        (end(columns={"public.a": "1"}), end(columns={"public.a": "1"})),
        (end(columns={"public.a": "1"}), end(columns={"public.b": "2"})),
    ],
)
def test_nothing_is_said_where_the_order_is_the_same(source, target):
    assert compare_locales(source, target) == []


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (end(version="2.28"), end(), "version 2.28"),
        (end(version=None), end(version=None), "unknown version"),
        (end(), end("de_DE.UTF-8"), "de_DE.UTF-8"),
        (end("C", None), end(), "the C library's C"),
        (end("de-DE", "1", "i"), end("de-DE", "2", "i"), "ICU's de-DE (version 2)"),
        (end("und", "1", "i"), end("C", None), "ICU's und"),
        (end(columns={"public.a": "1"}), end(columns={"public.a": "2"}), "collation public.a is of 1 on the source"),
        (end(columns={"public.a": None}), end(columns={"public.a": "2"}), "an unknown version on the source"),
    ],
)
def test_a_difference_is_a_warning_that_names_it(source, target, said):
    (found,) = compare_locales(source, target)
    assert (found["severity"], found["rule"]) == ("warning", "collation-order") and said in found["msg"]
    assert "partition" not in found["msg"] and found["remedy"]


def test_what_depends_on_the_order_is_named():
    names = [f"app.t{number}" for number in range(12)]
    (found,) = compare_locales(end(partitioned=names, nondeterministic=["app.any_case"]), end(version="2.31"))
    assert (
        "range partitions by text" in found["msg"] and "app.t9 ..." in found["msg"] and "app.any_case" in found["msg"]
    )
