"""The table of the cases: filled a few rows at a time, so that 500 cases never hold Slicer up."""

import qt

from MMGLTrainLib.case_rows import columns

ROWS = 40
"""Rows that are filled at once."""


class CaseTable:
    """Shows cases as rows of text.

    Args:
        table: a tree widget.
    """

    def __init__(self, table):
        self._table, self._filter = table, []
        self._rows, self._waiting, self._items = {}, [], {}
        table.setColumnCount(len(columns()))
        table.setHeaderLabels(columns())
        table.sortByColumn(0, qt.Qt.AscendingOrder)
        for column, width in enumerate((110, 106, 76, 170, 110, 44, 92, 110)):
            table.setColumnWidth(column, width)
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self.onTimeout)

    def show(self, rows):
        """Show rows, each a list of texts by the name of its case; a row that is there already is only changed."""
        for name in [name for name in self._items if name not in rows]:
            item = self._items.pop(name)
            self._table.takeTopLevelItem(self._table.indexOfTopLevelItem(item))
        late = set(self._waiting)  # not filled yet, so what is shown of them is older than what is known
        self._waiting = [
            name
            for name, texts in rows.items()
            if self._rows.get(name) != texts or name not in self._items or name in late
        ]
        self._rows = dict(rows)
        if self._waiting:
            self._table.setSortingEnabled(False)
            self._timer.start()

    def filter(self, text):
        """Show only the rows that have all words of a text."""
        self._filter = text.casefold().split()
        for name, item in self._items.items():
            item.setHidden(not self._fits(name))

    def chosen(self):
        """Return the names of the chosen cases."""
        return [item.data(0, qt.Qt.UserRole) for item in self._table.selectedItems()]

    def choose(self, name):
        """Choose one case and show its row."""
        if name in self._items:
            self._table.setCurrentItem(self._items[name])

    @property
    def filling(self):
        """Whether rows are still to come."""
        return bool(self._waiting)

    def close(self):
        """Stop filling."""
        self._timer.stop()

    def onTimeout(self):
        """Fill a few rows."""
        now, self._waiting = self._waiting[:ROWS], self._waiting[ROWS:]
        self._table.setUpdatesEnabled(False)
        new = []
        for name in now:
            item = self._items.get(name)
            if item is None:
                item = self._items[name] = qt.QTreeWidgetItem()
                item.setData(0, qt.Qt.UserRole, name)
                new.append(item)
            for column, text in enumerate(self._rows[name]):
                item.setText(column, text)
            item.setToolTip(0, name)
        self._table.addTopLevelItems(new)
        for name in now if self._filter else ():
            self._items[name].setHidden(not self._fits(name))
        if not self._waiting:
            self._timer.stop()
            self._table.setSortingEnabled(True)
        self._table.setUpdatesEnabled(True)

    def _fits(self, name):
        text = " ".join(self._rows[name]).casefold()
        return all(word in text for word in self._filter)
