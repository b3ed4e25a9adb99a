"""The models this computer knows, from files and from studies, and the one that is chosen."""

from pathlib import Path

import qt

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
        self._cards = models.usable(self._files())
        self._selector.clear()
        for row, (file, card) in enumerate(self._cards.items()):
            stem, study = Path(file).stem, Path(models.study_of(file)).name
            name = stem if card.name in (stem, "") else f"{stem} ({card.name})"
            self._selector.addItem(f"{study} · {name}" if study else name, file)
            self._selector.setItemData(row, models.words(card), qt.Qt.ToolTipRole)
        self.choose(chosen)

    def add(self, path):
        """Keep a model file, or the folder of a study with all its models, and choose it or its latest model.

        Raises:
            MMGLError: it is no model, the study has none, or what reads it is not installed yet.
        """
        files = models.models_of_study(path) if Path(path).is_dir() else [path]
        models.card_of(files[0])
        chosen_model.remember(path)
        self.show()
        self.choose(files[0])

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

    def _files(self):
        """Return all model files, those of studies included, each once."""
        found = []
        for kept in chosen_model.known():
            found += models.models_there(kept)
        return list(dict.fromkeys(found))
