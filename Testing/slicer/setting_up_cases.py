"""What setting up PyTorch has in common in both panels: what is offered, what stands in the way, and going on later."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import slicer

from MMGLLib import setup

IN_THE_WAY = {
    "SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))": (
        "blocked the download (its security certificate is not known)",
        ["Install from a folder…", "Try again"],
    ),
    "ProxyError('Cannot connect to proxy.')": (
        "blocked the download (no connection)",
        ["Install from a folder…", "Try again"],
    ),
    "OSError: [Errno 28] No space left on device": ("not enough disk space", ["Try again"]),
    "OSError: [Errno 13] Permission denied": ("Slicer's own folder cannot be written", []),
    "Segmentation fault": ("could not be installed", ["Try again"]),
}
"""What pip says: the words that are shown, and the buttons."""


class SettingUpCases:
    """The part of a test case that needs a Slicer without PyTorch; the class says how its panel looks.

    Attributes:
        most: buttons that the panel shows beside a message.
    """

    most = 2

    def setUp(self) -> None:
        super().setUp()
        from bench import packaging

        packaging.asked.clear()
        self.asked, self.lacking = packaging.asked, ["torch", "safetensors"]
        for patch in (
            mock.patch.object(setup, "missing", lambda: list(self.lacking)),
            mock.patch.object(type(slicer.app), "testingEnabled", lambda _app: False),
            mock.patch.object(setup.shutil, "disk_usage", lambda _path: mock.Mock(free=20e9)),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def main_button(self):
        """Return the button that needs PyTorch."""
        raise NotImplementedError

    def setting_up(self):
        """Return what sets up."""
        raise NotImplementedError

    def open_again(self) -> None:
        """Open the panel as after another start of Slicer."""
        raise NotImplementedError

    def press(self, words: str) -> None:
        """Click a button beside the message."""
        raise NotImplementedError

    def end(self, code: int = 0, *lines: str) -> None:
        """Have pip end."""
        for line in lines:
            self.asked[-1]["logCallback"](line)
        if not code:
            self.lacking.clear()
        self.asked[-1]["completedCallback"](code)

    def test_the_first_click_offers_it_and_changes_nothing_else(self) -> None:
        self.main_button().click()
        self.assertIn("needs PyTorch (about 3 GB, once)", self.said())
        self.assertEqual(self.asked, [])
        self.press("Install")
        (asked,) = self.asked
        self.assertEqual(asked["requirements"], ["torch>=2.2,!=2.9.*", "safetensors>=0.4"])
        kept = Path(asked["constraints"]).read_text(encoding="utf-8").splitlines()
        self.assertIn(f"numpy=={__import__('numpy').__version__}", kept)
        self.assertIn("go on working", self.shown())
        self.assertFalse(self.main_button().enabled)
        self.end()
        self.assertEqual(self.shown(), f"PyTorch is installed. Click {self.main_button().text}.")
        self.assertTrue(self.main_button().enabled)
        self.assertFalse(Path(asked["constraints"]).exists())

    def test_what_stands_in_the_way_is_told_in_words(self) -> None:
        for line, (words, buttons) in IN_THE_WAY.items():
            with self.subTest(words):
                self.setting_up().install()
                self.end(1, line)
                self.assertIn(words, self.said())
                self.assertEqual(self.buttons(), buttons[: self.most])
                for machine in ("Traceback", "exit", "Error:", "Errno"):
                    self.assertNotIn(machine, self.said())
                self.ui.copyButton.click()
                self.assertIn(line, slicer.app.clipboard().text())
                self.assertFalse(self.setting_up().busy)

    def test_from_a_folder_of_wheels_without_network(self) -> None:
        from bench import popups

        popups.answers.append(str(self.folder))
        self.setting_up().install_from_folder()
        self.assertEqual(self.asked[0]["requirements"][:3], ["--no-index", "-f", str(self.folder)])
        self.end(1, "ERROR: No matching distribution found for torch")
        self.assertIn("holds no PyTorch for this Slicer", self.said())
        self.assertEqual(self.buttons(), ["Choose another folder…"])

    def test_it_goes_on_after_slicer_was_closed(self) -> None:
        self.setting_up().install()
        self.open_again()
        self.assertIn("was not finished last time", self.said())
        self.press("Go on")
        self.assertEqual(len(self.asked), 2)
        self.end()
        self.open_again()
        self.assertEqual(self.shown(), "")

    def test_repair_takes_the_broken_one_away(self) -> None:
        self.lacking = []
        with mock.patch.object(slicer.util, "pip_uninstall") as uninstall:
            self.setting_up().repair()
        uninstall.assert_called_once_with("torch")
        self.assertEqual(self.asked[0]["requirements"], ["torch>=2.2,!=2.9.*"])
        self.end()
        self.assertIn("Restart Slicer", self.shown())
