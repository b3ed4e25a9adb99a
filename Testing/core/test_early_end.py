"""The benchmark of trainings that end by themselves asks the rule as a training does."""

import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "reliability" / "early_end.py"


@pytest.fixture
def early_end(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import early_end

    return early_end


def run(folder, dice):
    """Write as much as is read of a training of 80 steps, of which the last 40 are checked eight times."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"steps": 80, "method": "mmgl"}), encoding="utf-8")
    events = [
        {"event": "stage", "stage": "global", "steps": 40},
        {"event": "stage", "stage": "segmentation", "steps": 40},
    ]
    for number, score in enumerate(dice, start=1):
        events.append(
            {"event": "check", "stage": "segmentation", "step": 5 * number, "steps": 40, "dice": [score, None]}
        )
    (folder / "events.jsonl").write_text("\n".join(json.dumps(event) for event in events), encoding="utf-8")


def test_what_it_would_have_cost(early_end, tmp_path, monkeypatch, capsys):
    run(tmp_path / "late", [0.5, 0.8, 0.7, 0.8, 0.8, 0.8, 0.8, 0.9])
    run(tmp_path / "rising", [0.1 * number for number in range(1, 9)])
    run(tmp_path / "copy", [0.1 * number for number in range(1, 9)])
    run(tmp_path / "stopped", [0.5] * 7)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "events.jsonl").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, str(tmp_path), "--steps", "80"])
    early_end.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    late = next(line for line in lines if line.endswith("late"))
    assert late.split()[2:7] == [
        "88%",
        "8%",
        "0.800",
        "0.900",
        "0.100",
    ]  # a fifth of the time after step 10 of the stage
    assert any("never" in line for line in lines)
    assert lines[-1] == "1 of 2 would have ended early, at a cost of at most 0.100 on average and 0.100"
