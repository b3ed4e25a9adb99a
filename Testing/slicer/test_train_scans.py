"""The section Scans: adding, looking through, answering, and everything that can happen to the files meanwhile."""

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
import slicer
from bench import on_bench_only
from scenes import STRUCTURES, volume_of
from train_panels import PanelTest

from mmgl.files import write_json
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.jobs.record import whoami
from mmgl.structures import Structure
from mmgl.study import Study, Use

SIZE = (6, 16, 16)
GRID = Grid(SIZE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def write_scan(file: Path, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).normal(100, 20, SIZE).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(file))


def write_label(file: Path, names, box=np.s_[1:5, 4:12, 5:14]) -> None:
    labelmap = np.zeros(SIZE, np.uint16)
    for number in range(len(names)):
        labelmap[box] = 1 if not number else labelmap[box]
        labelmap[2:4, 13:15, number : number + 2] = number + 1
    structures = [Structure(i, name, (200, 30 * i, 40)) for i, name in enumerate(names, start=1)]
    write_segmentation(file, labelmap, GRID, structures)


class FirstMinutesTest(PanelTest):
    def test_it_begins_with_two_ways_and_says_that_nothing_leaves(self):
        self.assertEqual(self.ui.statusLabel.text, "Try the sample, or start your own study.")
        self.assertIn("Everything stays on this computer", self.ui.welcomeLabel.text)
        self.assertTrue(self.ui.scansSection.isHidden())
        self.assertFalse(self.ui.startButton.enabled)

    @on_bench_only
    def test_the_sample_is_a_filled_study_ready_to_train(self):
        from MMGLLib import errands

        with mock.patch.object(errands, "SAMPLE", (4, 1)):  # a heart takes a second of the processor
            self.ui.sampleButton.click()
            self.settle()
        study = self.desk.study
        self.assertEqual((len(study.cases), len(study.labelled), len(study.checks)), (5, 3, 1))
        self.assertEqual([s.name for s in study.structures], ["Right ventricle", "Myocardium", "Left ventricle"])
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.until(lambda: not self.ui.trainSection.collapsed, "handing over")
        self.assertTrue(self.ui.scansSection.collapsed)

    def test_five_clicks_from_ready_labels_to_training(self):
        from bench import popups

        ready = self.folder / "Meine Knie"
        for number in range(4):
            write_scan(ready / "imagesTr" / f"knie {number}.nii.gz", number)
            write_label(ready / "labelsTr" / f"knie {number}.seg.nrrd", ["Patella", "Femur"])
        clicks = 0
        self.ui.nameEdit.text = "Knees"
        self.ui.startButton.click()
        clicks += 1
        self.assertEqual(self.ui.statusLabel.text, "Add the folder with your scans, or scans that are open in Slicer.")
        popups.answers.append(str(ready))
        self.scans.ui.addFolderButton.click()
        clicks += 2  # the button, and that of the dialog
        self.settle()
        self.assertEqual([s.name for s in self.desk.study.structures], ["Patella", "Femur"])
        self.assertEqual((len(self.desk.study.labelled), len(self.desk.study.checks)), (3, 1))
        self.will("wait")
        train = self.panel.sections["train"]
        self.until(lambda: not self.ui.trainSection.collapsed, "handing over")
        train.ui.trainButton.click()
        clicks += 1
        self.assertTrue(train.busy)
        self.assertLessEqual(clicks, 5)
        train.training.kill()

    def test_the_last_study_is_offered_again(self):
        self.open()
        self.ui.changeButton.click()
        self.assertFalse(self.ui.welcomeFrame.isHidden())
        self.assertEqual(self.ui.recentButton.text, f"Go on with {self.study.folder.name}")
        self.ui.recentButton.click()
        self.settle()
        self.assertEqual(len(self.rows()), 6)


class TableTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.open()

    def test_a_row_says_what_a_case_is(self):
        rows = {row[0]: row for row in self.rows()}
        self.assertEqual(rows["scan 0"][1:3], ["labelled", "learn from"])
        self.assertEqual(rows["scan 3"][2], "check with")
        self.assertEqual(rows["scan 4"][1], "unlabelled")
        self.assertEqual(rows["scan 4"][6:], ["24 × 24 × 6", "1 × 1 × 1"])

    def test_filter_use_and_remove(self):
        self.scans.ui.filterEdit.text = "unlabelled learn"
        self.assertEqual([row[0] for row in self.rows()], ["scan 4", "scan 5"])
        self.scans.ui.filterEdit.text = ""
        self.scans.table.choose("scan 1")
        self.scans.ui.useSelector.setCurrentIndex(1)
        self.scans.ui.useSelector.activated.emit(1)
        self.settle()
        self.assertEqual(Study.open(self.study.folder).case("scan 1").use, Use.CHECK)
        self.scans.table.choose("scan 5")
        self.scans.ui.removeButton.click()
        self.settle()
        self.assertEqual(len(self.rows()), 5)
        self.assertTrue((self.study.folder.parent / "scan 5.nrrd").is_file())

    def test_a_row_that_is_shown_again_before_it_was_filled_is_filled(self):
        self.open()
        rows = {row[0]: row for row in self.rows()}
        rows["scan 1"][3] = "changed"
        self.scans.table.show(rows)
        self.scans.table.show(rows)
        self.settle()
        self.assertIn(rows["scan 1"], self.rows())

    def test_volumes_of_the_scene_join_with_what_is_painted_on_them(self):
        from MMGLLib import results

        one, other = volume_of(name="Open: one"), volume_of(name="Open two", seed=2)
        labelmap = np.zeros(slicer.util.arrayFromVolume(one).shape, np.uint8)
        labelmap[2:5, 3:8, 3:8] = 1
        results.new_segmentation(one, labelmap, STRUCTURES[:1], "painted")
        self.scans.ui.addSlicerButton.click()
        listed = self.scans.ui.sourceList
        self.assertEqual([listed.item(i).text() for i in range(listed.count)], ["Open: one", "Open two"])
        import qt

        for i in range(2):
            listed.item(i).setCheckState(qt.Qt.Checked)
        self.scans.ui.addTickedButton.click()
        self.until(lambda: not self.scans._adding and self.scans._joining is None, "the scans")
        self.settle()
        study = Study.open(self.study.folder)
        self.assertIsNotNone(study.case("Open_ one").label)
        self.assertIsNone(study.case("Open two").label)
        kept = study.read_scan(study.case("Open two")).array[0]
        self.assertTrue(np.array_equal(kept, slicer.util.arrayFromVolume(other)))

    @on_bench_only
    def test_series_of_the_dicom_database_are_offered_under_pseudonyms(self):
        files = self.folder / "dicom"
        write_scan(files / "a.nii.gz")
        values = {"0008,103e": "SAX cine", "0008,0060": "MR", "0008,0020": "20260801", "0010,0020": "Mueller^Anna"}
        database = mock.Mock(
            isOpen=True,
            patients=lambda: ["1"],
            studiesForPatient=lambda _p: ["1.2"],
            seriesForStudy=lambda _s: ["1.2.3"],
            filesForSeries=lambda _s: [str(files / "a.nii.gz")],
            fileValue=lambda _f, tag: values[tag],
        )
        with mock.patch.object(slicer, "dicomDatabase", database, create=True):
            self.scans.ui.addSlicerButton.click()
            self.until(lambda: self.scans.ui.sourceList.count, "the series")
        words = self.scans.ui.sourceList.item(0).text()
        self.assertIn("SAX cine, MR", words)
        self.assertNotIn("Mueller", words)
        source = self.scans._sources[0]
        self.assertEqual((source.image.path, source.image.series), (files, "1.2.3"))

    def test_folders_can_be_dropped(self):
        import qt

        write_scan(self.folder / "dropped" / "new.nrrd", 9)
        data = qt.QMimeData()
        data.setUrls([qt.QUrl.fromLocalFile(str(self.folder / "dropped"))])
        place = qt.QPointF(5, 5)
        event = qt.QDropEvent(place, qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier)
        self.assertTrue(self.scans._drops.eventFilter(self.scans.form, event))
        self.settle()
        self.assertIn("new", [row[0] for row in self.rows()])


class FindingTest(PanelTest):
    def test_names_in_a_folder_are_asked_once_and_remembered(self):
        self.open()
        for number in range(2):
            write_scan(self.folder / "more" / f"m{number}.nii.gz", 20 + number)
            write_label(self.folder / "more" / f"m{number}_seg.nii.seg.nrrd".replace(".nii", ""), ["LV cavity"])
        self.scans.add_folders([str(self.folder / "more")])
        self.settle()
        self.assertEqual(self.ui.statusLabel.text, "A folder waits for your answer: open Scans.")
        self.panel.turn_to("scans")
        self.assertEqual(self.ui.statusLabel.text, "Answer the question below.")
        self.assertEqual(len(self.desk.study.cases), 6)
        buttons = self.choices(self.scans.findings._question)
        self.assertIn("'LV cavity'", self.scans.ui.findingLabel.text)
        buttons["The same as Left ventricle"].click()
        self.settle()
        study = Study.open(self.study.folder)
        self.assertEqual(len(study.cases), 8)
        self.assertEqual([s.name for s in study.structures], [s.name for s in STRUCTURES])
        self.assertEqual(set(study.case("m1").label.meanings.values()), {study.structure("Left ventricle").id})

    def test_several_folders_are_asked_about_one_after_the_other(self):
        self.open()
        for folder, name, segment in (("one", "a", "LV cavity"), ("two", "b", "Muscle"), ("three", "c", "LV cavity")):
            write_scan(self.folder / folder / f"{name}.nii.gz", ord(name))
            write_label(self.folder / folder / f"{name}_seg.seg.nrrd", [segment])
        (self.folder / "none").mkdir()
        self.scans.add_folders([str(self.folder / name) for name in ("one", "none", "two", "three")])
        self.settle()
        for segment, structure in (("LV cavity", STRUCTURES[0].name), ("Muscle", STRUCTURES[1].name)):
            self.assertIn(f"'{segment}'", self.scans.ui.findingLabel.text)
            self.choices(self.scans.findings._question)[f"The same as {structure}"].click()
            self.settle()
        self.assertEqual(self.desk.asked, [])  # what the first folder said holds for the last one
        study = Study.open(self.study.folder)
        meant = [study.case(name).label.meanings for name in "abc"]
        left, right = (structure.id for structure in study.structures)
        self.assertEqual(meant, [{"LV cavity": left}, {"Muscle": right}, {"LV cavity": left}])

    def test_each_folder_that_cannot_be_added_is_told_and_only_those_of_now(self):
        self.open()
        for name in ("empty one", "empty two", "empty three"):
            (self.folder / name).mkdir()
        self.scans.add_folders([str(self.folder / "empty one"), str(self.folder / "empty two")])
        self.settle()
        self.assertIn("empty one", self.said())
        self.assertIn("empty two", self.said())
        self.assertNotIn(str(self.folder), self.said())
        self.scans.add_folders([str(self.folder / "empty three")])
        self.settle()
        self.assertIn("empty three", self.said())
        self.assertNotIn("empty two", self.said())

    def test_a_scan_that_cannot_be_read_is_left_out_at_a_click(self):
        (self.study.folder.parent / "scan 1.nrrd").write_bytes(b"NRRD0004\nbroken")
        self.open()
        row = next(row for row in self.rows() if row[0] == "scan 1")
        self.assertIn("⚠", row[3])
        self.assertIn("marked", self.ui.statusLabel.text)
        self.assertEqual(self.scans.ui.skipButton.text, "Leave it out")
        self.scans.ui.skipButton.click()
        self.settle()
        self.assertEqual(Study.open(self.study.folder).case("scan 1").use, Use.LEAVE_OUT)
        self.assertNotIn("marked", self.ui.statusLabel.text)

    def test_a_duplicate_is_taken_out_and_a_skipped_finding_stays_away(self):
        shutil.copy(self.study.folder.parent / "scan 4.nrrd", self.study.folder.parent / "scan 5.nrrd")
        self.open()
        found = self.desk.open_findings()
        index = [f["key"] for f in found].index("check.duplicate")
        self.scans.ui.findingList.setCurrentRow(index)
        self.assertEqual(self.scans.ui.fixButton.text, f"Remove {found[index]['case']}")
        self.scans.ui.skipButton.click()
        self.settle()
        self.assertNotIn("check.duplicate", [f["key"] for f in self.desk.open_findings()])
        self.ui.changeButton.click()
        self.open()
        self.assertNotIn("check.duplicate", [f["key"] for f in self.desk.open_findings()])

    def test_moved_files_are_found_with_one_pick(self):
        from bench import popups

        self.open()
        (self.folder / "elsewhere").mkdir()
        for file in [*self.study.folder.parent.glob("scan *.nrrd")]:
            file.rename(self.folder / "elsewhere" / file.name)
        self.desk.survey()
        self.settle()
        self.assertEqual({row[1] for row in self.rows()}, {"not found"})
        self.assertIn("6 scans are not where they were", self.scans.ui.findingLabel.text)
        popups.answers.append(str(self.folder / "elsewhere"))
        self.scans.ui.fixButton.click()
        self.settle()
        self.assertEqual(self.desk.missing, {})
        self.assertEqual(Study.open(self.study.folder).case("scan 0").label.path.parent.name, "elsewhere")


class FolderTest(PanelTest):
    """What happens to the folder of the study while it is open."""

    def test_open_twice_is_read_only_with_a_notice(self):
        self.occupy()
        self.open()
        self.assertIn("open in another Slicer", self.ui.noticeLabel.text)
        self.assertFalse(self.scans.ui.addFolderButton.enabled)
        self.scans.table.choose("scan 1")
        self.assertFalse(self.scans.ui.removeButton.enabled)
        before = (self.study.folder / "study.json").read_bytes()
        self.assertFalse(self.desk.change(lambda study: study.remove_case("scan 1")))
        self.assertIn("open in another Slicer", self.said())
        self.assertEqual((self.study.folder / "study.json").read_bytes(), before)
        (self.study.folder / "in-use.json").unlink()
        self.ui.noticeButton.click()
        self.settle()
        self.assertTrue(self.desk.writable)
        self.assertTrue(self.ui.noticeFrame.isHidden())

    def test_a_slicer_that_died_leaves_nothing_locked(self):
        write_json(self.study.folder / "in-use.json", {**whoami(), "pid": 2**22 + 5, "beat": 0})
        self.open()
        self.assertTrue(self.desk.writable)
        self.widget.panel.onAnother()
        self.assertFalse((self.study.folder / "in-use.json").exists())

    def test_a_deleted_or_moved_study_is_told_and_found_again(self):
        from bench import popups

        self.open()
        moved = self.folder / "moved study"
        self.study.folder.rename(moved)
        self.panel.onTimeout()
        self.assertIn("not there any more", self.ui.noticeLabel.text)
        self.assertFalse(self.desk.change(lambda study: study.remove_case("scan 1")))
        self.assertFalse(self.study.folder.exists())  # it is not made anew
        popups.answers.append(str(moved))
        self.ui.noticeButton.click()
        self.settle()
        self.assertTrue(self.ui.noticeFrame.isHidden())
        self.assertEqual(len(self.rows()), 6)
        moved.rename(self.study.folder)

    def test_what_another_program_changes_is_seen(self):
        self.open()
        other = Study.open(self.study.folder)
        other.remove_case("scan 5")
        other.save()
        self.panel.onTimeout()
        self.settle()
        self.assertEqual(len(self.rows()), 5)
        self.desk.change(lambda study: study.set_use("scan 4", Use.LEAVE_OUT))
        self.settle()
        self.assertEqual(len(Study.open(self.study.folder).cases), 5)

    def test_a_full_disk_loses_nothing(self):
        self.open()
        with mock.patch.object(Study, "save", side_effect=OSError(28, "No space left on device")):
            self.assertFalse(self.desk.change(lambda study: study.remove_case("scan 5")))
        self.assertIn("No space left", self.said())
        self.assertEqual(len(self.desk.study.cases), 6)

    def test_a_damaged_study_says_so(self):
        (self.study.folder / "study.json").write_text("{", encoding="utf-8")
        self.panel.open(lambda: self.widget.logic.openStudy(self.study.folder))
        self.assertIn("damaged", self.said())
        self.assertFalse(self.ui.welcomeFrame.isHidden())


class ManyCasesTest(PanelTest):
    @on_bench_only
    def test_500_cases_never_hold_slicer_up(self):
        """The bench fails where one slot takes more than 100 ms of the processor, which is measured, not the clock."""
        document = json.loads((self.study.folder / "study.json").read_text(encoding="utf-8"))
        case = document["cases"][-1]
        document["cases"] += [{**case, "name": f"case{i:03d}", "patient": f"patient {i}"} for i in range(494)]
        write_json(self.study.folder / "study.json", document)
        self.open()
        self.assertEqual(len(self.rows()), 500)
        self.scans.ui.filterEdit.text = "case4"
        self.assertEqual(len(self.rows()), 94)
        self.scans.ui.filterEdit.text = ""
        self.scans.table.choose("case400")
        self.scans.ui.removeButton.click()
        self.settle()
        self.assertEqual(len(self.desk.study.cases), 499)
