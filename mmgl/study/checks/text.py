"""Findings as a person reads them: by how much they matter, and what is said of many cases said once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mmgl.finding import Finding, Severity
from mmgl.messages import CATALOGUE

WRITTEN_OUT = 2
"""Findings of one kind about the same structures whose words are written out; of the others the cases are named."""


def as_text(findings: Sequence[Finding]) -> str:
    """Return the findings as lines, grouped; every question with its answers, the one that holds now first."""
    if not findings:
        return CATALOGUE["findings.none"]
    lines = []
    for severity in Severity:
        kinds: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.severity is severity:
                kinds.setdefault(finding.key, []).append(finding)
        if kinds:
            lines += ["", f"{CATALOGUE['findings.' + severity.value]} ({sum(map(len, kinds.values()))})"]
        for several in kinds.values():
            lines += _kind(several)
    if all(finding.severity is not Severity.ERROR for finding in findings):
        lines += ["", CATALOGUE["findings.none"]]
    return "\n".join(lines).strip()


def _kind(findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the findings of one key."""
    lines, alike = [], defaultdict[tuple[int, ...], list[Finding]](list)
    for finding in findings:
        alike[finding.structures].append(finding)
    for several in alike.values():
        lines += [f"  - {finding.words}" for finding in several[:WRITTEN_OUT]]
        if rest := [finding.case for finding in several[WRITTEN_OUT:] if finding.case]:
            lines.append(f"    The same in {len(rest)} more: {', '.join(rest)}")
    if findings[0].choices:
        offered = sorted(findings[0].choices, key=lambda choice: choice.value != findings[0].default)
        lines += [f"      {choice.value:<12}  {choice.words}" for choice in offered]
        lines.append(f"      Answer with: mmgl study answer STUDY {findings[0].key} ANSWER [CASE ...]")
    return lines
