"""Between MRML and the core: not one voxel moves, whatever the geometry, and nothing of the user's is changed."""

import tempfile

import numpy as np
import slicer
import vtk
from bench import BenchTest
from scenes import GEOMETRIES, SIZE, STRUCTURES, painted, to_ras, transform_of, turned, volume_of

from mmgl.messages import MMGLError
from mmgl.structures import Structure
from MMGLLib import nodes, results

IDS = ("Segment_4", "Segment_2")


def moved(volume, matrix):
    node = transform_of(matrix)
    volume.SetAndObserveTransformNodeID(node.GetID())
    return node


def world_of(volume, index):
    """Return where MRML itself shows a voxel (x, y, z), in RAS."""
    matrix, point = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0, 1.0]
    volume.GetIJKToRASMatrix(matrix)
    local = matrix.MultiplyPoint((*index, 1))[:3]
    point = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld(local, point)
    return point


class ScanTest(BenchTest):
    def test_voxels_lie_where_they_are_shown(self):
        shifts = {"plain": None, "turned": to_ras(turned(90) @ turned(30, 1), origin=(5, 6, -7))}
        for name, matrix in GEOMETRIES.items():
            for kind, shift in shifts.items():
                with self.subTest(geometry=name, transform=kind):
                    volume = volume_of(matrix)
                    if shift is not None:
                        moved(volume, shift)
                    scan = nodes.scan_of(volume)
                    self.assertEqual(scan.array.shape, (1, *SIZE))
                    self.assertTrue((scan.array[0] == slicer.util.arrayFromVolume(volume)).all())
                    for index in ((0, 0, 0), (12, 10, 6), (3, 0, 5)):
                        right, anterior, superior = world_of(volume, index)
                        here = scan.grid.position(index[::-1])
                        np.testing.assert_allclose(here, (superior, -anterior, -right), atol=1e-9)

    def test_two_slices_and_vectors(self):
        self.assertEqual(nodes.scan_of(volume_of(size=(2, 5, 6))).grid.size, (2, 5, 6))
        array = np.random.default_rng(0).integers(0, 255, (1, 8, 9, 3)).astype(np.uint8)
        colour = slicer.util.addVolumeFromArray(array, nodeClassName="vtkMRMLVectorVolumeNode")
        scan = nodes.scan_of(colour)
        self.assertTrue((scan.array == np.moveaxis(array, -1, 0)).all())

    def test_modality_is_that_of_the_hierarchy(self):
        volume = volume_of()
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(volume), "DICOM.Modality", "MR")
        self.assertEqual(nodes.scan_of(volume).modality, "MR")

    def refused(self, key, volume):
        with self.assertRaises(MMGLError) as raised:
            nodes.scan_of(volume)
        self.assertEqual(raised.exception.key, key)

    def test_what_is_no_scan_is_refused_in_words(self):
        self.refused("slicer.no_scan", None)
        self.refused("slicer.empty_scan", slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
        self.refused("slicer.sequence", slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode"))
        labelmap = slicer.util.addVolumeFromArray(painted(), nodeClassName="vtkMRMLLabelMapVolumeNode")
        self.refused("slicer.labelmap", labelmap)
        frames = slicer.util.addVolumeFromArray(
            np.zeros((3, 4, 5, 20), np.int16), nodeClassName="vtkMRMLVectorVolumeNode"
        )
        several = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        several.SetAndObserveImageData(frames.GetImageData())
        self.refused("slicer.several_frames", several)

    def test_bent_and_skewed_volumes_are_refused(self):
        skew = np.eye(4)
        skew[0, 1] = 0.3
        volume = volume_of()
        moved(volume, skew)
        self.refused("slicer.skewed", volume)
        bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
        spline = vtk.vtkThinPlateSplineTransform()
        points = vtk.vtkPoints()
        for point in ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9), (9, 9, 1)):
            points.InsertNextPoint(point)
        target = vtk.vtkPoints()
        target.DeepCopy(points)
        target.SetPoint(1, 11, 3, 0)
        spline.SetSourceLandmarks(points)
        spline.SetTargetLandmarks(target)
        spline.SetBasisToR()
        bent.SetAndObserveTransformToParent(spline)
        volume.SetAndObserveTransformNodeID(bent.GetID())
        self.refused("slicer.bent", volume)


def label_of(node, volume):
    """Return what a segmentation node has painted, on the grid of a volume node."""
    return results.finished(nodes.making_painted(node)).on(nodes.grid_of(volume))


class SegmentationTest(BenchTest):
    def test_a_result_lies_voxel_for_voxel_on_the_scan(self):
        labelmap = painted()
        for name, matrix in GEOMETRIES.items():
            for shift in (None, to_ras(turned(30), origin=(3, 4, 5))):
                with self.subTest(geometry=name, moved=shift is not None):
                    volume = volume_of(matrix)
                    if shift is not None:
                        moved(volume, shift)
                    node = results.new_segmentation(volume, labelmap, STRUCTURES, "Result")
                    for value, identity in enumerate(IDS, start=1):
                        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
                        self.assertTrue(((mask > 0) == (labelmap == value)).all())
                    label = label_of(node, volume)
                    self.assertTrue((label.labelmap([1, 2]) == labelmap).all())
                    slicer.mrmlScene.RemoveNode(node)

    def test_hardening_the_transform_of_both_changes_nothing(self):
        volume = volume_of()
        moved(volume, to_ras(turned(25, 1), origin=(3, 4, 5)))
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        volume.HardenTransform()
        node.HardenTransform()
        self.assertTrue((label_of(node, volume).labelmap([1, 2]) == painted()).all())

    def test_segments_look_like_the_training_labels(self):
        volume = volume_of()
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        with tempfile.TemporaryDirectory() as folder:
            slicer.util.saveNode(node, f"{folder}/result.seg.nrrd")
            again = slicer.util.loadSegmentation(f"{folder}/result.seg.nrrd")
        for held in (node, again):
            for identity, structure in zip(IDS, STRUCTURES, strict=True):
                segment = held.GetSegmentation().GetSegment(identity)
                self.assertEqual(segment.GetName(), structure.name)
                self.assertEqual([round(255 * c) for c in segment.GetColor()], list(structure.colour))
                if structure.terminology:
                    self.assertIn("87878005", segment.GetTerminology())
        self.assertTrue((label_of(again, volume).labelmap([1, 2]) == painted()).all())

    def test_reference_hierarchy_and_layers_are_set(self):
        volume = volume_of()
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        self.assertEqual(reference.GetID(), volume.GetID())
        self.assertEqual(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)), study)
        self.assertEqual(node.GetSegmentation().GetNumberOfLayers(), 1)
        status = slicer.vtkSlicerSegmentationsModuleLogic
        self.assertEqual(status.GetSegmentStatus(node.GetSegmentation().GetSegment(IDS[0])), status.InProgress)
        extent = node.GetSegmentation().GetSegment(IDS[0]).GetRepresentation("Binary labelmap").GetExtent()
        self.assertEqual(extent, (3, 12, 2, 10, 0, 6))  # no larger than what was found

    def test_nothing_of_the_users_is_changed(self):
        volume = volume_of()
        mine = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        before = [(n.GetMTime(), n.GetName()) for n in (volume, mine)] + [volume.GetImageData().GetMTime()]
        result = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        label_of(mine, volume)
        after = [(n.GetMTime(), n.GetName()) for n in (volume, mine)] + [volume.GetImageData().GetMTime()]
        self.assertEqual(before, after)
        self.assertNotEqual(result.GetName(), mine.GetName())

    def test_an_empty_result_and_many_structures(self):
        volume = volume_of(size=(4, 10, 10))
        node = results.new_segmentation(volume, np.zeros((4, 10, 10), np.uint8), STRUCTURES, "Nothing")
        self.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 2)
        many = [Structure(i, f"Part {i}", (i % 256, 0, 0)) for i in range(1, 401)]
        labelmap = np.arange(400, dtype=np.uint16).reshape(4, 10, 10) + 1
        node = results.new_segmentation(volume, labelmap, many, "Many")
        self.assertTrue((label_of(node, volume).labelmap(range(1, 401)) == labelmap).all())


class LabelTest(BenchTest):
    def segmentation(self, volume, masks):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        for name, mask in masks.items():
            identity = node.GetSegmentation().AddEmptySegment(name, name)
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, identity, volume)
        return node

    def test_segments_that_overlap_stay_whole(self):
        volume, first, second = volume_of(), painted() == 1, painted() > 0
        label = label_of(self.segmentation(volume, {"a": first, "b": second}), volume)
        self.assertTrue((label.voxels(label.segments[0]) == first).all())
        self.assertTrue((label.voxels(label.segments[1]) == second).all())

    def test_a_cropped_segmentation_comes_back_on_the_whole_scan(self):
        volume, part = volume_of(), painted()[4:, 1:8, 2:10]
        matrix = slicer.util.arrayFromVTKMatrix(self.ijk_to_ras(volume))
        matrix[:3, 3] = (matrix @ [2, 1, 4, 1])[:3]
        crop = slicer.util.addVolumeFromArray(np.zeros(part.shape, np.int16), matrix)
        label = label_of(self.segmentation(crop, {"a": part == 1}), volume)
        self.assertTrue((label.voxels(label.segments[0]) == (painted() == 1)).all())

    def test_an_oversampled_segmentation_comes_back_too(self):
        volume = volume_of()
        matrix = slicer.util.arrayFromVTKMatrix(self.ijk_to_ras(volume))
        matrix[:3, 3] = (matrix @ [-0.25, -0.25, -0.25, 1])[:3]
        matrix[:3, :3] /= 2
        fine = np.repeat(np.repeat(np.repeat(painted(), 2, 0), 2, 1), 2, 2)
        grid = slicer.util.addVolumeFromArray(np.zeros(fine.shape, np.int16), matrix)
        label = label_of(self.segmentation(grid, {"a": fine == 1, "b": fine == 2}), volume)
        self.assertTrue((label.labelmap([1, 2]) == painted()).all())

    def test_a_segmentation_that_is_moved_alone_is_taken_where_it_is_shown(self):
        volume = volume_of(GEOMETRIES["RAS"])
        node = self.segmentation(volume, {"a": painted() == 1})
        node.SetAndObserveTransformNodeID(transform_of(to_ras(np.eye(3), origin=(-2, 1, 0))).GetID())
        expected = np.zeros(SIZE, bool)
        expected[-2:, 3:7, 1:7] = True
        expected[-1, 3, 1] = False
        self.assertTrue((label_of(node, volume).labelmap([1]) == expected).all())

    def test_an_empty_segmentation_is_refused(self):
        volume = volume_of()
        with self.assertRaisesRegex(MMGLError, "no painted segment"):
            label_of(self.segmentation(volume, {"a": painted() > 9}), volume)

    @staticmethod
    def ijk_to_ras(volume):
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        return matrix
