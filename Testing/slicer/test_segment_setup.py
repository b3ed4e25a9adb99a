"""Setting up: one confirmation, nothing else changed, words for what networks and disks do, and going on later."""

import subprocess
from unittest import mock

import slicer
from bench import on_bench_only
from panels import PanelTest

from MMGLLib import setup

LACKING = ["torch", "safetensors"]


@on_bench_only
class SetUpTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.lacking = list(LACKING)
        for patch in (
            mock.patch.object(setup, "missing", lambda: list(self.lacking)),
            mock.patch.object(type(slicer.app), "testingEnabled", lambda _app: False),
            mock.patch.object(setup.shutil, "disk_usage", lambda _path: mock.Mock(free=20e9)),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.ready()

    def asked(self):
        from bench import packaging

        return packaging.asked

    def finish(self, code=0, *lines):
        """Have pip end."""
        asked = self.asked()[-1]
        for line in lines:
            asked["logCallback"](line)
        if not code:
            self.lacking.clear()
        asked["completedCallback"](code)

    def test_it_is_offered_at_the_first_click_and_changes_nothing_else(self):
        from pathlib import Path

        self.ui.segmentButton.click()
        self.assertIn("needs PyTorch (about 3 GB, once)", self.said())
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.action(), "Install")
        self.ui.actionButton.click()
        (asked,) = self.asked()
        self.assertEqual(asked["requirements"], ["torch>=2.2,!=2.9.*", "safetensors>=0.4"])
        kept = Path(asked["constraints"]).read_text(encoding="utf-8").splitlines()
        self.assertIn(f"numpy=={__import__('numpy').__version__}", kept)
        self.assertIn("go on working", self.shown())
        self.assertFalse(self.ui.segmentButton.enabled)
        self.finish()
        self.assertIn("PyTorch is installed. Click Segment.", self.shown())
        self.assertTrue(self.ui.segmentButton.enabled)
        self.assertFalse(Path(asked["constraints"]).exists())

    def test_what_stands_in_the_way_is_told_in_words(self):
        rows = {
            "SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))": (
                "blocked the download (its security",
                "Install from a folder…",
            ),
            "ProxyError('Cannot connect to proxy.')": (
                "blocked the download (no connection)",
                "Install from a folder…",
            ),
            "OSError: [Errno 28] No space left on device": ("not enough disk space", "Try again"),
            "OSError: [Errno 13] Permission denied": ("Slicer's own folder cannot be written", ""),
            "Segmentation fault": ("could not be installed", "Try again"),
        }
        for said, (words, action) in rows.items():
            with self.subTest(words):
                self.panel.setting_up.onInstall()
                self.finish(1, said)
                self.assertIn(words, self.said())
                self.assertEqual(self.action(), action)
                self.assertIn(said, slicer.app.clipboard().text())
                self.assertFalse(self.panel.setting_up.busy)

    def test_a_disk_that_is_too_full_is_told_before_the_download(self):
        with mock.patch.object(setup.shutil, "disk_usage", lambda _path: mock.Mock(free=2e9)):
            self.panel.setting_up.onInstall()
        self.assertIn("6 GB are needed", self.said())
        self.assertIn("2.0 GB are free", self.shown())
        self.assertEqual(self.asked(), [])

    def test_from_a_folder_of_wheels_without_network(self):
        from bench import popups

        popups.answers.append(str(self.folder))
        self.ui.wheelsButton.click()
        (asked,) = self.asked()
        self.assertEqual(asked["requirements"][:3], ["--no-index", "-f", str(self.folder)])
        self.finish(1, "ERROR: No matching distribution found for torch")
        self.assertIn("holds no PyTorch for this Slicer", self.said())
        self.assertEqual(self.action(), "Choose another folder…")

    def test_it_goes_on_after_slicer_was_closed(self):
        self.panel.setting_up.onInstall()
        self.assertEqual(len(self.asked()), 1)
        self.widget.cleanup()
        self.open()
        self.assertIn("was not finished last time", self.said())
        self.ui.actionButton.click()
        self.assertEqual(len(self.asked()), 2)
        self.finish()
        self.widget.cleanup()
        self.open()
        self.assertEqual(self.shown(), "")

    def test_repair_takes_the_broken_one_away(self):
        self.lacking = []
        with mock.patch.object(slicer.util, "pip_uninstall") as uninstall:
            self.ui.repairButton.click()
        uninstall.assert_called_once_with("torch")
        self.assertEqual(self.asked()[0]["requirements"], ["torch>=2.2,!=2.9.*"])
        self.finish()
        self.assertIn("Restart Slicer", self.shown())

    def test_an_older_slicer_installs_with_what_it_has(self):
        packaging = slicer.packaging
        del slicer.packaging
        self.addCleanup(setattr, slicer, "packaging", packaging)
        with mock.patch.object(slicer.util, "pip_install") as install:
            install.side_effect = lambda *_: self.lacking.clear()
            self.panel.setting_up.onInstall()
        wishes = install.call_args.args[0]
        self.assertEqual(wishes[0], "--constraint")
        self.assertEqual(wishes[2:], ["torch>=2.2,!=2.9.*", "safetensors>=0.4"])
        self.assertIn("PyTorch is installed", self.shown())
        self.lacking = list(LACKING)
        with mock.patch.object(slicer.util, "pip_install", side_effect=subprocess.CalledProcessError(1, "pip")):
            self.panel.setting_up.onInstall()
        self.assertIn("could not be installed", self.said())
