"""What a user reads when something is in the way: words, one thing to do, and details without names to copy."""

import slicer
from bench import on_bench_only
from MMGLSegmentLib.actions import actions
from panels import PanelTest, card_only
from scenes import to_ras, transform_of, volume_of

import MMGLLib
from mmgl.messages import CATALOGUE, MMGLError


class MessageTest(PanelTest):
    def failed(self, key, **parameters):
        """Have segmenting fail with an error, and return what is said."""
        self.will(MMGLError(key, **parameters))
        self.ended()
        self.assertEqual(self.segmentations(), [])
        return self.said()

    def test_what_the_process_says_is_shown_and_copied_without_names(self):
        self.begin()
        self.volume.SetName("Mary Smith")
        words = self.failed("scan.constant", path="Mary Smith", value=3.0)
        self.assertEqual(
            words, "Mary Smith has the same value 3 everywhere, so there is nothing to see in it. Leave it out."
        )
        copied = slicer.app.clipboard().text()
        self.assertIn("words of the process", copied)
        self.assertIn("scan.constant", copied)
        self.assertNotIn("Mary", copied)

    def test_every_row_that_concerns_segmenting(self):
        rows = {
            "slicer.broken_torch": ({}, "does not start", "Repair"),
            "slicer.no_torch": ({}, "about 3 GB, once", "Install"),
            "device.no_cuda": ({}, "No usable NVIDIA graphics card", "Use the processor"),
            "scan.too_large": (
                {"scan": "Scan", "size": "9 x 9"},
                "too much for a computer's memory",
                "Choose a region",
            ),
            "model.channels": ({"expected": 1, "scan": "this scan", "found": 3}, "3", "Choose another model"),
            "model.changed": ({"path": "/tmp/m/heart.mmgl"}, "heart.mmgl was changed", "Choose another model"),
            "file.newer": ({"path": "/tmp/m/heart.mmgl", "found": 2, "known": 1}, "newer MMGL", "Choose another model"),
        }
        for key, (parameters, words, action) in rows.items():
            with self.subTest(key):
                self.open()
                self.begin()
                self.assertIn(words, self.failed(key, **parameters))
                self.assertEqual(self.action(), action)

    def test_use_the_processor_segments_with_it(self):
        from pretend import PretendRequest

        self.begin()
        self.failed("device.no_cuda")
        self.will("both")
        self.ui.actionButton.click()
        self.ended()
        self.assertEqual(PretendRequest.made[-1].device, "cpu")

    def test_a_moved_scan_is_segmented_where_it_is_shown(self):
        from pretend import PretendRequest

        self.ready()
        move = to_ras([[1, 0, 0], [0, 1, 0], [0, 0, 1]], origin=(10, 0, 0))
        self.volume.SetAndObserveTransformNodeID(transform_of(move).GetID())
        before = volume_of()
        self.ui.segmentButton.click()
        self.ended()
        from MMGLLib import nodes

        shift = PretendRequest.made[0].grid.position((0, 0, 0)) - nodes.grid_of(before).position((0, 0, 0))
        self.assertAlmostEqual(shift[2], -10)  # LPS

    def test_a_file_that_is_no_model(self):
        file = self.folder / "other.mmgl"
        file.write_text("no model", encoding="utf-8")
        self.panel.add_model(str(file))
        self.assertIn("other.mmgl is not a valid MMGL model", self.said())
        self.assertEqual(self.ui.modelSelector.count, 0)

    def test_a_model_that_has_gone(self):
        from pathlib import Path

        self.ready()
        Path(self.panel.models.current()).unlink()
        self.ui.segmentButton.click()
        self.assertIn("heart.mmgl is not there", self.said())
        self.assertEqual(self.action(), "Choose another model")

    @on_bench_only
    def test_an_old_slicer_is_told_once(self):
        from unittest import mock

        with mock.patch.object(type(slicer.app), "minorVersion", 6):
            self.open()
        self.assertIn("needs Slicer 5.10 or newer, and this is 5.6", self.said())

    def test_another_core_that_was_in_use_is_told(self):
        from unittest import mock

        with mock.patch.object(MMGLLib, "OTHER_CORE", ("0.0.9", "/opt/python/mmgl")):
            self.open()
        self.assertIn("Another MMGL (0.0.9, in mmgl) was in use before this extension", self.said())
        self.assertIn("/opt/python/mmgl", self.ui.messageLabel.toolTip)

    def test_a_fault_of_ours_is_told_and_leaves_the_panel_usable(self):
        self.begin()
        self.will(ZeroDivisionError("division by zero"))
        self.ended()
        self.assertIn("MMGL ran into a fault of its own", self.shown())
        self.assertEqual(self.ui.segmentButton.text, "Segment")
        self.ui.copyButton.click()
        self.assertIn("Traceback", slicer.app.clipboard().text())

    def test_every_error_with_a_button_is_one_of_the_catalogue(self):
        for key, (text, action) in actions(self.panel).items():
            self.assertIn(key, CATALOGUE)
            self.assertTrue(text and callable(action))

    def test_nothing_a_user_reads_speaks_of_exit_codes(self):
        for words in CATALOGUE.values():
            self.assertNotIn("non-zero exit", words)
            self.assertNotIn("Traceback", words)

    def test_a_model_of_the_wrong_kind_is_told_before_the_click(self):
        self.ui.scanSelector.setCurrentNode(
            slicer.util.addVolumeFromArray(
                __import__("numpy").zeros((4, 5, 6, 3), "uint8"), nodeClassName="vtkMRMLVectorVolumeNode"
            )
        )
        self.panel.add_model(card_only(self.folder))
        self.assertIn("1 channel(s), and this one has 3", self.ui.fitLabel.text)
