"""The table of docs/security.md: each threat is planted by some test, and the page is what the last run wrote."""

from __future__ import annotations

import re
from collections import Counter

from tests.threats.__main__ import PAGE, table, with_table
from tests.threats.catalogue import CHAPTERS, THREATS


def test_numbers_are_unique_and_complete() -> None:
    assert sum(len(threats) for threats in CHAPTERS.values()) == len(THREATS)
    assert sorted(THREATS) == list(range(1, len(THREATS) + 1))


def test_the_page_has_the_table_and_every_threat_was_held() -> None:
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    counts = {int(number): (int(tried), int(held)) for number, tried, held in rows}
    assert sorted(counts) == sorted(THREATS)
    for number, (tried, held) in counts.items():
        assert 0 < tried == held, f"threat {number}"
    outcomes = {number: Counter(passed=held) for number, (_tried, held) in counts.items()}
    assert with_table(page, table(outcomes)) == page, "run `make security` and commit what it writes"
