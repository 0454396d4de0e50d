"""Tables for a person, and for what a person pipes them into."""

import pytest

from zoo.report import print_table


def test_a_table_that_is_no_terminals_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table("a run", {f"test/{'x' * 100}": 0.25, "val/loss": 0.5})
    text = capsys.readouterr().out
    assert "x" * 100 in text and "0.25" in text
