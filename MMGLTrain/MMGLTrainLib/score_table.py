"""The table of how well each structure is found, and the verdict in words."""

import qt
from slicer.i18n import tr as _

GREEN, AMBER, RED, GREY = "#3a8f3a", "#c98a00", "#c8372d", "#808080"

TRUSTED = 3
"""Check cases below which nobody should trust a number."""

WEAK = ("poor", "missed", "one_scan", "unlabelled")
"""Verdicts that come with advice."""

KEYS = ("good", "fair", "early", "poor", "missed", "one_scan", "unlabelled", "unchecked")


def headline(model):
    """Return in words, first of all, whether the model is any good."""
    rows = model.rows()
    if model.said("verdict.self"):
        return _("This model cannot be trusted.")
    if not any(row.verdict for row in rows):
        return _("How good it is, is not known here.")
    named = {word: [row.structure for row in rows if row.verdict == f"verdict.{word}"] for word in KEYS}
    weak = [*named["early"], *named["poor"], *named["missed"], *named["one_scan"], *named["unlabelled"]]
    said = [
        (_("Good: {names}."), named["good"]),
        (_("Fair, expect to correct it: {names}."), named["fair"]),
        (_("Not yet: {names}."), weak),
        (_("Learned but not checked, look at the results: {names}."), named["unchecked"]),
    ]
    return " ".join(words.format(names=", ".join(names)) for words, names in said if names)


def advice(model):
    """Return what to do about what is not good, one line each; of one that was stopped, that it can go on."""
    weak = [f"verdict.{word}" for word in WEAK]
    return model.said("verdict.stopped", "verdict.self", *weak, "verdict.pieces", "verdict.few")


class ScoreTable:
    """The table.

    Args:
        table: the widget.
    """

    def __init__(self, table):
        self._table = table
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Structure"), _("Verdict"), _("Agreement"), _("Scans")])
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.verticalHeader().setVisible(False)

    def show(self, rows):
        """Show rows of a model."""
        self._table.setRowCount(len(rows))
        verdicts = {
            "verdict.good": (_("Good"), GREEN),
            "verdict.fair": (_("Fair"), AMBER),
            "verdict.early": (_("Not yet"), AMBER),
            "verdict.poor": (_("Poor"), RED),
            "verdict.missed": (_("Not learned"), RED),
            "verdict.one_scan": (_("Not learned"), RED),
            "verdict.unlabelled": (_("Not labelled"), RED),
            "verdict.unchecked": (_("Not checked"), GREY),
        }
        for number, row in enumerate(rows):
            words, colour = verdicts.get(row.verdict, (_("Not known"), GREY))
            agreement, scans = _agreement(row), _scans(row)
            tip = _("1.00 is perfect agreement with your labels, 0.00 is none (Dice). In brackets: too few scans.")
            for column, text in enumerate((row.structure, words, agreement, scans)):
                cell = qt.QTableWidgetItem(text)
                if column == 1:
                    cell.setForeground(qt.QBrush(qt.QColor(colour)))
                cell.setToolTip(
                    {0: text, 2: tip, 3: _("Scans it was checked on, and scans it learned from.")}.get(column, "")
                )
                self._table.setItem(number, column, cell)
        self._table.resizeRowsToContents()
        height = self._table.horizontalHeader().height + sum(self._table.rowHeight(r) for r in range(len(rows))) + 4
        self._table.setFixedHeight(min(height, 260))


def _agreement(row):
    """Return the agreement; in brackets where too few scans speak."""
    if row.dice is None:
        return "–"
    return f"{row.dice:.2f}" if (row.cases or 0) >= TRUSTED else f"({row.dice:.2f})"


def _scans(row):
    """Return how many scans speak for the number, and how many were learned from."""
    if row.cases is None:
        return _("{labelled} learned").format(labelled=row.labelled) if row.labelled is not None else "–"
    words = _("{cases} checked") if row.labelled is None else _("{cases} checked, {labelled} learned")
    return words.format(cases=row.cases, labelled=row.labelled)
