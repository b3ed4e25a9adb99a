"""The most common failures of segmenting: what is said of each, and where it is provoked. The table is kept true."""

import unittest
from unittest import mock

from MMGLSegmentLib.actions import actions
from rows import RowsCases

from MMGLLib.setting_up import SettingUp

ROWS = {
    "PyTorch is missing at first use": (
        "slicer.no_torch",
        "test_segment_setup:test_the_first_click_offers_it_and_changes_nothing_else",
    ),
    "the download is blocked by a proxy or its certificate": (
        "slicer.network",
        "test_segment_setup:test_what_stands_in_the_way_is_told_in_words",
    ),
    "the folder of wheels is of another system": (
        "slicer.wheels",
        "test_segment_setup:test_from_a_folder_of_wheels_without_network",
    ),
    "the disk is full": (
        "slicer.disk",
        "test_segment_setup:test_a_disk_that_is_too_full_is_told_before_the_download",
    ),
    "no right to write": ("slicer.rights", "test_segment_setup:test_what_stands_in_the_way_is_told_in_words"),
    "Slicer was closed while PyTorch was installed": (
        "slicer.interrupted",
        "test_segment_setup:test_it_goes_on_after_slicer_was_closed",
    ),
    "PyTorch is there and does not start": (
        "slicer.broken_torch",
        "test_segment_messages:test_every_row_that_concerns_segmenting",
    ),
    "Slicer is too old": ("slicer.old", "test_segment_messages:test_an_old_slicer_is_told_once"),
    "another MMGL is installed in Slicer's Python": (
        "slicer.other_core",
        "test_segment_messages:test_another_core_that_was_in_use_is_told",
    ),
    "the graphics card cannot be used": (
        "device.unusable",
        "test_segment_again:test_a_card_that_cannot_be_used_is_told_beside_the_result",
    ),
    "a graphics card is asked for and none is there": (
        "device.no_cuda",
        "test_segment_messages:test_use_the_processor_segments_with_it",
    ),
    "the graphics card has too little memory": (
        "segment.on_processor",
        "test_segment_panel:test_a_click_segments_and_opens_the_editor",
    ),
    "the computer has too little memory": (
        "memory.segment",
        "test_segment_again:test_too_large_for_the_memory_then_in_pieces",
    ),
    "the process died": (
        "slicer.died",
        "test_segment_again:test_a_process_that_died_is_asked_again_for_less_and_less_at_once",
    ),
    "the scan would have too many voxels": (
        "scan.too_large",
        "test_segment_messages:test_every_row_that_concerns_segmenting",
    ),
    "a transform moves the scan: it is segmented where it is shown": (
        "",
        "test_segment_messages:test_a_moved_scan_is_segmented_where_it_is_shown",
    ),
    "a transform bends the scan, as for missing or uneven slices": (
        "slicer.bent_scan",
        "test_segment_again:test_a_bent_scan_then_as_it_was_stored",
    ),
    "nothing was found": (
        "slicer.nothing_found",
        "test_segment_again:test_nothing_found_then_at_a_lower_threshold",
    ),
    "nothing was found at a lower threshold either": (
        "slicer.still_nothing",
        "test_segment_again:test_nothing_found_then_at_a_lower_threshold",
    ),
    "the model is for other scans": (
        "model.channels",
        "test_segment_messages:test_every_row_that_concerns_segmenting",
    ),
    "the model is of a newer MMGL": ("file.newer", "test_segment_messages:test_every_row_that_concerns_segmenting"),
    "the file is no model": ("model.invalid", "test_segment_messages:test_a_file_that_is_no_model"),
    "the drive with the model is gone": ("file.missing", "test_segment_messages:test_a_model_that_has_gone"),
    "the folder holds no image": ("scan.no_image_in_folder", "test_segment_folder:test_a_folder_without_scans"),
    "names do not match": (
        "label.unknown_structure",
        "test_segment_training:test_what_the_study_does_not_know_is_asked_for_one_by_one",
    ),
    "segments overlap": (
        "slicer.overlap",
        "test_segment_training:test_where_segments_overlap_the_upper_one_wins_and_it_is_said",
    ),
    "the label lies beside the scan": (
        "label.outside",
        "test_segment_training:test_a_correction_that_lies_beside_the_scan",
    ),
    "the study is not where it was": ("slicer.no_study", "test_segment_training:test_a_folder_that_is_no_study"),
    "Slicer is closed meanwhile: nothing of the scene is changed": ("", "test_segment_scene:test_quit"),
    "Slicer is closed while a folder is segmented: it goes on": (
        "",
        "test_segment_folder:test_it_goes_on_when_slicer_is_closed_and_is_found_again",
    ),
}
"""The key of what is said, empty where nothing need be said, and the test that provokes it."""

ANSWERED = ("label.unknown_structure", "slicer.no_study")
"""Their buttons come with the question that is asked."""

NO_WAY_ON = ("slicer.old", "slicer.other_core", "slicer.rights", "label.outside")
"""What nobody can put right with a click in this panel."""

NOTES = ("device.unusable", "segment.on_processor", "slicer.overlap")
"""What is told beside a result that is there."""

IN_ANOTHER_WAY = ("memory.segment", "slicer.bent_scan", "slicer.nothing_found")
"""Errors whose button segments once more, as ``way_on`` says."""


class RowsTest(RowsCases, unittest.TestCase):
    rows = ROWS

    def test_every_failure_has_its_button(self):
        nothing = mock.Mock()
        setting_up = SettingUp(nothing, nothing, nothing, nothing, "")
        buttons = set(actions(mock.Mock(setting_up=setting_up)))
        for key in {key for key, _ in ROWS.values() if key}:
            with self.subTest(key):
                self.assertIn(key, buttons.union(ANSWERED, NO_WAY_ON, NOTES, IN_ANOTHER_WAY))
