"""Tables of what can happen: the key of its words, and the test that provokes it. They are kept true."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from mmgl.messages import CATALOGUE

Rows = Mapping[str, tuple[str, str]]
"""What happens: the key, empty where nothing need be said, and the test as ``file:name``."""


class RowsCases:
    """The part of a test case that keeps the table ``rows`` true."""

    rows: Rows

    def test_every_row_has_its_words_and_its_test(self) -> None:
        for row, (key, where) in self.rows.items():
            with self.subTest(row):
                self.assertTrue(not key or key in CATALOGUE, key)
                file, name = where.split(":")
                cases = vars(importlib.import_module(file)).values()
                self.assertTrue(any(isinstance(case, type) and hasattr(case, name) for case in cases), where)
