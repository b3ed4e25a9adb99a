"""Setting up: one confirmation, nothing else changed, words for what networks and disks do, and going on later."""

import importlib.machinery
import subprocess
import sys
import types
from unittest import mock

import slicer
from bench import on_bench_only
from panels import PanelTest
from setting_up_cases import SettingUpCases

from MMGLLib import setup


@on_bench_only
class SetUpTest(SettingUpCases, PanelTest):
    most = 1

    def setUp(self):
        super().setUp()
        self.ready()

    def main_button(self):
        return self.ui.segmentButton

    def setting_up(self):
        return self.panel.setting_up

    def open_again(self):
        self.widget.cleanup()
        self.open()

    def buttons(self):
        return [self.action()] if self.action() else []

    def press(self, words):
        self.assertEqual(self.action(), words)
        self.ui.actionButton.click()

    def test_the_buttons_of_the_section_advanced(self):
        from bench import popups

        popups.answers.append("")  # nobody chose a folder
        self.ui.wheelsButton.click()
        self.assertEqual(self.asked, [])
        self.lacking = []
        with mock.patch.object(slicer.util, "pip_uninstall") as uninstall:
            self.ui.repairButton.click()
        uninstall.assert_called_once_with("torch")
        self.end()

    def test_the_extension_that_knows_the_card_installs_torch_and_imports_it(self):
        def install(torchVersionRequirement):
            self.lacking.clear()
            raise OSError("[WinError 126] c10.dll")  # it is there, and does not start

        extension = types.ModuleType("PyTorchUtils")
        extension.PyTorchUtilsLogic = lambda: mock.Mock(installTorch=install)
        extension.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
        said = []
        with (
            mock.patch.dict(sys.modules, {"PyTorchUtils": extension}),
            mock.patch.object(self.panel.message, "say", said.append),
        ):
            self.panel.setting_up.install()
        self.assertIn("hardly answers", said[0])
        self.assertIn("does not start", self.said())
        self.assertIn("WinError 126", slicer.app.clipboard().text())
        self.assertEqual(self.action(), "Repair")
        self.assertFalse(self.panel.setting_up.busy)

    def test_a_disk_that_is_too_full_is_told_before_the_download(self):
        with mock.patch.object(setup.shutil, "disk_usage", lambda _path: mock.Mock(free=2e9)):
            self.panel.setting_up.install()
        self.assertIn("6 GB are needed", self.said())
        self.assertIn("2.0 GB are free", self.shown())
        self.assertEqual(self.asked, [])

    def test_an_older_slicer_installs_with_what_it_has(self):
        older = mock.patch.dict(sys.modules, {"slicer.packaging": None})
        older.start()
        self.addCleanup(older.stop)
        with mock.patch.object(slicer.util, "pip_install") as install:
            install.side_effect = lambda *_: self.lacking.clear()
            self.panel.setting_up.install()
        wishes = install.call_args.args[0]
        self.assertEqual(wishes[0], "--constraint")
        self.assertEqual(wishes[2:], ["torch>=2.2,!=2.9.*", "safetensors>=0.4"])
        self.assertIn("PyTorch is installed", self.shown())
        self.lacking = ["torch", "safetensors"]
        with mock.patch.object(slicer.util, "pip_install", side_effect=subprocess.CalledProcessError(1, "pip")):
            self.panel.setting_up.install()
        self.assertIn("could not be installed", self.said())
