"""What the panel asks the user, where it also tells."""

from slicer.i18n import tr as _

from MMGLLib.message import Message


class Question(Message):
    """The frame with a message, or with a question and its answers."""

    def ask(self, words, answers, onAnswer):
        """Ask a question.

        Args:
            words: of the question.
            answers: pairs of the text and the value of each answer; the first one is chosen until another one is.
            onAnswer: called with the value of the answer.
        """
        self._show(words, _("Continue"), lambda: onAnswer(self.ui.answerSelector.currentData))
        for text, value in answers:
            self.ui.answerSelector.addItem(text, value)
        self.ui.answerSelector.visible = True

    def _show(self, words, text, action):
        self.ui.answerSelector.clear()
        self.ui.answerSelector.visible = False
        Message._show(self, words, text, action)
