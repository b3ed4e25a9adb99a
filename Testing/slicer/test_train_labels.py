"""The section Labels: opening, painting, drafts, done, the questions, and the next case."""

from dataclasses import replace
from unittest import mock

import numpy as np
import slicer
from bench import on_bench_only
from panels import put_the_brush_away
from scenes import volume_of
from train_panels import PanelTest

from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.study import Study

BOX = np.s_[2:5, 3:9, 3:9]
SPARSE = np.s_[1:6:4, 3:9, 3:9]


class LabelsTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.open()
        self.open_case("scan 4")

    def open_case(self, name):
        """Double-click a row."""
        self.scans.table.choose(name)
        table = self.scans.ui.caseTable
        table.itemDoubleClicked.emit(table.currentItem(), 0)
        self.settle()

    def done(self):
        """Click Done, and wait until the label was understood."""
        self.labels.ui.doneButton.click()
        self.settle()

    def label(self, name="scan 4"):
        """Return the label of a case as the study on disk has it."""
        return Study.open(self.study.folder).case(name).label

    def question(self):
        frame = self.labels.ui.questionFrame
        return "" if frame.isHidden() else self.labels.ui.questionLabel.text


class PaintTest(LabelsTest):
    def test_a_case_opens_with_the_structures_in_the_list_and_their_colours(self):
        self.assertFalse(self.ui.labelsSection.collapsed)
        self.assertTrue(self.ui.scansSection.collapsed)
        segmentation = self.labels.shown.segmentation.GetSegmentation()
        segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
        structures = self.desk.study.structures
        self.assertEqual([s.GetName() for s in segments], [s.name for s in structures])
        colours = [tuple(round(255 * part) for part in s.GetColor()) for s in segments]
        self.assertEqual(colours, [s.colour for s in structures])
        self.assertEqual(self.labels.ui.segmentEditor.segmentationNode(), self.labels.shown.segmentation)
        self.assertEqual(self.labels.shown.state, "new")
        self.assertIn("not begun", self.labels.ui.caseLabel.text)
        self.assertIsNone(self.labels.shown.volume.GetStorageNode())  # so saving the scene cannot write to the original

    @on_bench_only
    def test_the_brush_is_put_away_with_the_module(self):
        editor = self.labels.ui.segmentEditor
        put_the_brush_away(self, editor)
        self.assertIsNotNone(editor.segmentationNode())
        slicer.mrmlScene.Clear(0)
        self.assertFalse(editor.shortcuts)

    def test_a_labelled_case_opens_with_what_is_painted(self):
        self.open_case("scan 0")
        shown = self.labels.shown
        painted = read_segmentation(self.label("scan 0").path).layers[0]
        for number, structure in enumerate(self.desk.study.structures, start=1):
            identity = f"Segment_{structure.id}"
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(shown.segmentation, identity, shown.volume)
            self.assertTrue(np.array_equal(mask > 0, painted == number))
        self.assertEqual(shown.state, "done")

    def test_done_saves_the_label_in_the_study_and_says_what_it_holds(self):
        original = (self.study.folder.parent / "scan 4.nrrd").read_bytes()
        self.paint("Left ventricle", BOX)
        self.done()
        label = self.label()
        self.assertEqual(label.path.parent, self.study.folder / "labels")
        painted = read_segmentation(label.path)
        self.assertEqual([s.name for s in painted.segments], ["Left ventricle"])
        self.assertEqual(int((painted.layers[0] > 0).sum()), 3 * 6 * 6)
        self.assertIn("Left ventricle 3 slices, Myocard (ä/ß) not labelled", self.labels.ui.chipLabel.text)
        self.assertEqual(self.labels.shown.state, "done")
        self.assertEqual((self.study.folder.parent / "scan 4.nrrd").read_bytes(), original)
        self.assertEqual(list((self.study.folder / "labels" / "new").iterdir()), [])

    def test_nothing_painted_is_told(self):
        self.done()
        self.assertIn("has no painted segment", self.said())
        self.assertIsNone(self.label())

    def test_next_case_keeps_the_layout_and_all_that_is_not_done(self):
        before = self.labels.shown
        self.paint("Left ventricle", BOX)
        mine = volume_of(name="Mine")
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        self.labels.ui.nextButton.click()
        self.settle()
        self.assertEqual(self.labels.shown.name, "scan 5")
        self.assertTrue(before.there)
        self.assertFalse(before.segmentation.GetDisplayVisibility())
        self.assertIs(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode"), layout)
        self.open_case("scan 4")
        self.assertIs(self.labels.shown.segmentation, before.segmentation)
        self.done()
        self.open_case("scan 5")
        self.assertFalse(slicer.mrmlScene.IsNodePresent(before.segmentation))  # it is kept in the study
        self.assertTrue(slicer.mrmlScene.IsNodePresent(mine))

    def test_closing_the_scene_keeps_the_study_and_the_labels(self):
        self.paint("Left ventricle", BOX)
        self.done()
        slicer.mrmlScene.Clear(0)
        self.assertFalse(self.labels.open_now)
        self.assertEqual(self.ui.studyLabel.text, f"{self.study.folder.name}: 6 scans, 5 labelled")
        self.open_case("scan 4")
        self.assertEqual(self.labels.shown.state, "done")

    def test_done_on_a_full_disk_keeps_what_is_painted(self):
        self.paint("Left ventricle", BOX)
        from mmgl.imaging import segmentation_files

        with mock.patch.object(segmentation_files.sitk, "WriteImage", side_effect=RuntimeError("no space")):
            self.done()
        self.assertIn("cannot be written", self.said())
        self.assertIsNone(self.label())
        self.done()
        self.assertIsNotNone(self.label())


class QuestionsTest(LabelsTest):
    def test_a_new_name_is_asked_once_with_the_likeliest_first(self):
        self.paint("left ventricel", BOX)
        self.done()
        self.assertIn("'left ventricel'", self.question())
        self.assertEqual(self.ui.statusLabel.text, "Answer the question under the editor.")
        self.assertIsNone(self.label())
        buttons = self.choices(self.labels._question)
        self.assertEqual(next(iter(buttons)), "The same as Left ventricle")
        buttons["The same as Left ventricle"].click()
        self.settle()
        self.assertEqual(self.label().meanings, {"left ventricel": self.desk.study.structure("Left ventricle").id})
        self.open_case("scan 5")
        self.paint("left ventricel", BOX)
        self.done()
        self.assertNotIn("'left ventricel'", self.question())
        self.assertIsNotNone(self.label("scan 5"))

    def rename(self, name):
        """Give the segment of the first structure another name, as in Slicer's own list, and be done."""
        self.labels.shown.segmentation.GetSegmentation().GetSegment("Segment_1").SetName(name)
        self.paint(name, BOX)
        self.done()
        self.assertIn(f"'{name}' was made for Left ventricle", self.question())

    def test_a_segment_that_was_renamed_can_give_its_structure_the_name(self):
        self.open_case("scan 5")
        self.open_case("scan 4")
        self.rename("LV ☤")
        words = list(self.choices(self.labels._question))
        self.assertEqual(words[:2], ["Call Left ventricle 'LV ☤' in this study", "The same as Left ventricle"])
        self.choices(self.labels._question)[words[0]].click()
        self.settle()
        self.assertEqual(next((s.id, s.name) for s in self.desk.study.structures), (1, "LV ☤"))
        self.assertEqual(self.label().meanings, {"LV ☤": 1})
        self.open_case("scan 5")
        self.assertTrue(self.labels.shown.segmentation.GetSegmentation().GetSegmentIdBySegmentName("LV ☤"))

    def test_a_segment_that_was_renamed_can_be_something_else(self):
        self.rename("Aorta")
        self.choices(self.labels._question)["A new structure"].click()
        self.settle()
        self.assertEqual([s.name for s in self.desk.study.structures][::2], ["Left ventricle", "Aorta"])
        self.assertEqual(self.label().meanings, {"Aorta": 3})

    def test_a_new_structure_joins_the_list(self):
        self.paint("aorta asc", BOX)
        self.done()
        line = next(widget for widget in self.labels._question._buttons if widget.className() == "QLineEdit")
        self.assertEqual(line.text, "aorta asc")
        line.text = "Aorta"
        self.choices(self.labels._question)["A new structure"].click()
        self.settle()
        self.assertEqual(self.desk.study.structures[-1].name, "Aorta")
        self.open_case("scan 5")
        segmentation = self.labels.shown.segmentation.GetSegmentation()
        self.assertTrue(segmentation.GetSegmentIdBySegmentName("Aorta"))

    def test_slices_and_missing_structures_are_asked_in_plain_words(self):
        self.paint("Left ventricle", SPARSE)
        self.done()
        self.assertIn("only some slices are painted", self.question())
        words = list(self.choices(self.labels._question))
        self.assertEqual(words, ["The other slices are not labelled", "What is not painted is background"])
        self.choices(self.labels._question)[words[0]].click()
        self.settle()
        self.assertIn("not painted", self.question())
        self.choices(self.labels._question)["Truly not there"].click()
        self.settle()
        self.assertEqual(self.question(), "")
        found = {i: extent.value for i, extent in self.label().extents.items()}
        left, other = (s.id for s in self.desk.study.structures)
        self.assertEqual(found, {left: "slices", other: "absent"})

    def test_an_answer_holds_for_all_scans_where_that_is_ticked(self):
        for name in ("scan 4", "scan 5"):
            self.open_case(name)
            self.paint("Left ventricle", SPARSE)
            self.done()
        same = self.labels.ui.sameBox
        self.assertFalse(same.isHidden())
        self.assertTrue(same.checked)
        self.choices(self.labels._question)["The other slices are not labelled"].click()
        self.settle()
        left = self.desk.study.structure("Left ventricle").id
        for name in ("scan 4", "scan 5"):
            self.assertEqual(self.label(name).extents[left].value, "slices")

    def test_a_wrong_answer_about_a_name_is_changed_in_all_labels(self):
        again = self.labels.ui.askAgainButton
        self.assertFalse(again.enabled)  # every name says itself what it is
        self.paint("aorta asc", BOX)
        self.paint("vena", np.s_[2:5, 12:15, 12:15])
        self.done()
        for choice in ("The same as Left ventricle", "Not for training"):
            self.choices(self.labels._question)[choice].click()
            self.settle()
        asked = {action.text: action for action in again.menu().actions()}
        self.assertEqual(
            list(asked), ["'aorta asc', taken for Left ventricle…", "'vena', taken for nothing to be learned…"]
        )
        asked["'aorta asc', taken for Left ventricle…"].trigger()
        self.assertIn("'aorta asc' is taken for Left ventricle in 1 label.", self.question())
        self.assertEqual(next(iter(self.choices(self.labels._question))), "The same as Left ventricle")
        self.choices(self.labels._question)["A new structure"].click()
        self.settle()
        for name in asked:  # of the other one nothing was to be asked
            self.assertNotIn(name.partition(",")[0], self.question())
        self.assertEqual(self.label().meanings["aorta asc"], self.desk.study.structure("aorta asc").id)
        self.assertEqual(self.names(), ["Left ventricle", "Myocard (ä/ß)", "aorta asc"])  # as the files have it now

    def names(self):
        """Return the names of the segments of the case that is open."""
        segmentation = self.labels.shown.segmentation.GetSegmentation()
        return [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())]

    def test_what_was_taken_for_a_structure_is_shown_as_that(self):
        self.paint("left ventricel", BOX)
        self.done()
        self.assertEqual(self.names(), ["Left ventricle", "Myocard (ä/ß)", "left ventricel"])
        self.choices(self.labels._question)["The same as Left ventricle"].click()
        self.settle()
        self.assertEqual(sorted(self.names()), ["Left ventricle", "Myocard (ä/ß)"])
        self.assertEqual(self.labels.ui.chipLabel.text, "Myocard (ä/ß) not labelled, Left ventricle 3 slices")
        self.assertTrue(self.labels.keeping.is_kept(self.labels.shown))
        self.labels.ui.structureList.item(0).setText("LV")
        self.settle()
        self.assertEqual(sorted(self.names()), ["LV", "Myocard (ä/ß)"])
        self.assertTrue(self.labels.keeping.is_kept(self.labels.shown))  # another name is no painting

    def test_two_names_for_one_structure_stay_two_segments(self):
        self.paint("one", BOX)
        self.paint("two", np.s_[2:5, 12:15, 12:15])
        self.done()
        for _name in range(2):
            self.choices(self.labels._question)["The same as Left ventricle"].click()
            self.settle()
        self.assertEqual(sorted(self.names()), ["Left ventricle", "Myocard (ä/ß)", "two"])
        segmentation = self.labels.shown.segmentation
        voxels = {}
        for name in self.names():
            identity = segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, identity, self.labels.shown.volume)
            voxels[name] = int((mask > 0).sum())
        self.assertEqual((voxels["Left ventricle"], voxels["two"]), (3 * 6 * 6, 3 * 3 * 3))

    def test_what_was_painted_meanwhile_keeps_its_names(self):
        self.paint("left ventricel", BOX)
        self.done()
        self.paint("Left ventricle", np.s_[2:5, 12:15, 12:15])
        self.choices(self.labels._question)["The same as Left ventricle"].click()
        self.settle()
        self.assertEqual(self.names(), ["Left ventricle", "Myocard (ä/ß)", "left ventricel"])

    def test_a_wrong_answer_about_a_label_is_asked_again(self):
        again = self.scans.ui.askAgainButton
        self.paint("Left ventricle", SPARSE)
        self.done()
        self.assertTrue(again.isHidden())
        self.choices(self.labels._question)["The other slices are not labelled"].click()
        self.settle()
        self.assertNotIn("only some slices", self.question())
        self.assertEqual(self.ui.statusLabel.text, "Answer the question under the editor.")  # about another structure
        self.panel.turn_to("scans")
        self.assertEqual(self.ui.statusLabel.text, "A label waits for your answer: open Labels.")
        self.panel.turn_to("train")
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.scans.table.choose("scan 4")
        again.click()
        self.settle()
        self.assertEqual(self.label().extents, {})
        self.assertIn("only some slices are painted", self.question())


class StructuresTest(LabelsTest):
    """The study's list owns the structures: what they are called and how they look can change at any time."""

    def row(self):
        """Return the first structure in the list."""
        return self.labels.ui.structureList.item(0)

    def segment(self):
        return self.labels.shown.segmentation.GetSegmentation().GetSegment("Segment_1")

    def test_another_name_leaves_every_label_as_it_is(self):
        label = self.label("scan 0")
        before = label.path.read_bytes()
        self.row().setText("LV cavity ☤")
        self.settle()
        study = Study.open(self.study.folder)
        self.assertEqual([(s.id, s.name) for s in study.structures], [(1, "LV cavity ☤"), (2, "Myocard (ä/ß)")])
        self.assertEqual(self.segment().GetName(), "LV cavity ☤")
        self.assertEqual((study.case("scan 0").label, label.path.read_bytes()), (label, before))
        self.assertEqual(int((study.read_labelmap(study.case("scan 0")) == 1).sum()), 4 * 8 * 9)
        self.paint("LV cavity ☤", BOX)
        self.done()
        self.assertNotIn("LV cavity", self.question())
        self.assertIn(1, self.label().meanings.values())
        self.row().setText("Left ventricle")
        self.assertEqual(self.segment().GetName(), "Left ventricle")  # undone by doing it again

    def test_a_name_that_another_one_has_or_none_is_refused(self):
        for name, said in (("Myocard (ä/ß)", "Myocard (ä/ß)"), ("  ", "Myocard (ä/ß)")):
            self.row().setText(name)
            self.assertIn(said, self.said())
            self.assertEqual(self.row().text(), "Left ventricle")
        self.assertEqual(Study.open(self.study.folder).structures[0].name, "Left ventricle")

    def test_what_another_program_changes_is_shown(self):
        study = Study.open(self.study.folder)
        study.change_structure(replace(study.structures[0], name="LV", colour=(1, 2, 3)))
        study.save()
        self.panel.onTimeout()
        self.settle()
        self.assertEqual((self.segment().GetName(), self.row().text()), ("LV", "LV"))
        self.assertEqual([round(255 * part) for part in self.segment().GetColor()], [1, 2, 3])

    def test_another_colour(self):
        import qt
        from bench import popups

        self.assertFalse(self.labels.ui.colourButton.enabled)
        self.labels.ui.structureList.setCurrentRow(0)
        for chosen, kept in ((qt.QColor(1, 2, 3), (1, 2, 3)), (qt.QColor(), (1, 2, 3))):  # the second one is Cancel
            popups.answers.append(chosen)
            self.labels.ui.colourButton.click()
            self.assertEqual(Study.open(self.study.folder).structures[0].colour, kept)
        self.assertEqual([round(255 * part) for part in self.segment().GetColor()], [1, 2, 3])

    def test_a_study_that_may_not_be_changed(self):
        self.desk.opened.read_only = True
        self.panel.show()
        self.labels.ui.structureList.setCurrentRow(0)
        self.assertFalse(self.labels.ui.colourButton.enabled)
        self.row().setText("Mine")
        self.assertEqual(self.row().text(), "Left ventricle")
        self.assertEqual(Study.open(self.study.folder).structures[0].name, "Left ventricle")


class DraftTest(LabelsTest):
    def test_a_draft_counts_only_once_it_is_accepted(self):
        from MMGLLib import results

        shown = self.labels.shown
        labelmap = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, np.uint8)
        labelmap[BOX] = 1
        source = results.new_segmentation(shown.volume, labelmap, self.desk.study.structures, "TotalSegmentator")
        self.labels.ui.draftSelector.setCurrentNode(source)
        self.labels.ui.draftButton.click()
        self.settle()
        self.assertEqual(shown.state, "draft")
        self.assertIn("a draft", self.labels.ui.caseLabel.text)
        self.assertFalse(self.labels.ui.doneButton.enabled)
        self.assertEqual(self.ui.statusLabel.text, "Look at the draft, correct it, and accept it.")
        self.assertEqual(self.labels.ui.draftButton.text, "Accept the draft")
        self.labels.ui.draftButton.click()
        self.assertEqual(shown.state, "drafting")
        self.done()
        painted = read_segmentation(self.label().path)
        self.assertEqual([s.name for s in painted.segments], ["Left ventricle"])


class SuggestTest(LabelsTest):
    def test_without_a_model_any_unlabelled_scan_will_do_and_it_says_so(self):
        self.labels.ui.suggestButton.click()
        listed = self.labels.ui.suggestionList
        self.assertEqual(listed.count, 2)
        self.assertIn("nothing is learned yet", listed.item(0).text())

    @on_bench_only
    def test_a_model_names_scans_with_reasons(self):
        from MMGLTrainLib import suggesting

        class Answered:
            @staticmethod
            def start(folder, arguments, **_):
                Answered.arguments = arguments
                return Answered()

            def look(self):
                return mock.Mock(works=False)

            def log_tail(self, lines):
                return "1. scan 5: It looks unlike every scan that is labelled.\n2. scan 4: The model finds no Aorta."

        with (
            mock.patch.object(suggesting, "Job", Answered),
            mock.patch.object(self.widget.logic, "models", lambda study: [mock.Mock(file="m.mmgl")]),
        ):
            self.labels.ui.suggestButton.click()
            self.until(lambda: self.labels.suggesting.names, "the answer")
        self.assertEqual(Answered.arguments[:3], ["next", str(self.study.folder), "m.mmgl"])
        self.assertEqual(self.labels.suggesting.names, ["scan 5", "scan 4"])
        self.assertIn("looks unlike", self.labels.ui.suggestionList.item(0).text())
        self.labels.ui.nextButton.click()
        self.settle()
        self.assertEqual(self.labels.shown.name, "scan 5")
