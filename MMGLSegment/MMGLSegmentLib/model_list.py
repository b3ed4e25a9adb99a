"""The model files this computer knows, and the one that is chosen."""

from pathlib import Path

from MMGLLib import chosen_model, models


class ModelList:
    """The models in a combo box.

    Args:
        selector: the combo box; each entry has the file as its data.
    """

    def __init__(self, selector):
        self._selector, self._cards = selector, {}

    def show(self):
        """List those that are there and whole; the one chosen stays chosen."""
        chosen = self.current()
        self._cards = models.usable(chosen_model.known())
        self._selector.clear()
        for file, card in self._cards.items():
            stem = Path(file).stem
            self._selector.addItem(stem if stem == card.name else f"{stem} ({card.name})", file)
        self.choose(chosen)

    def add(self, file):
        """Keep a model file and choose it.

        Raises:
            MMGLError: it is no model, or what reads it is not installed yet.
        """
        models.card_of(file)
        chosen_model.remember(file)
        self.show()
        self.choose(file)

    def choose(self, file):
        """Choose a file of the list, if it is in it."""
        index = self._selector.findData(file) if file else -1
        if index >= 0:
            self._selector.setCurrentIndex(index)

    def current(self):
        """Return the file that is chosen, or an empty string."""
        return self._selector.currentData or ""

    def card(self, file):
        """Return the card of a file of the list, or None."""
        return self._cards.get(file)
