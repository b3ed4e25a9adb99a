"""The predictor of nnU-Net v2 with its own 2-D network of random weights, as its default plan has it; only for speed.

MMGL does not need it; make an environment of its own for the comparison, in the folder of this repository:

    python -m venv nnunet-environment
    nnunet-environment/bin/pip install -c constraints.txt . nnunetv2==2.8.1
    nnunet-environment/bin/python benchmarks/segmenting/speed.py model.mmgl --scan SCAN --ways ours nnunet
    nnunet-environment/bin/python benchmarks/segmenting/export.py --itself

Slices are averaged with their mirror images, as nnU-Net does unless told not to.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmgl.imaging.reading import read_scan
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import write_labelmap
from mmgl.model import read_card

WIDTHS = [32, 64, 128, 256, 512, 512, 512]
SIDE = 256


class NnUNet:
    """The predictor, for as many structures and for the spacing that a model of ours has."""

    def __init__(self, model: Path, mirror: bool) -> None:
        card = read_card(model)
        manager, configuration, _ = managers(card.plan.spacing[1:], len(card.structures))
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

        torch.manual_seed(0)
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            1,
            len(card.structures) + 1,
            allow_init=True,
            deep_supervision=False,
        )
        about = data_set(len(card.structures))
        self.predictor = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
        weights = [network.state_dict()]
        axes = (0, 1) if mirror else None
        self.predictor.manual_initialization(network, manager, configuration, weights, about, "nnUNetTrainer", axes)

    def array(self, scan: Scan) -> np.ndarray:
        """Return the labelmap (z, y, x)."""
        about = {"spacing": list(scan.grid.spacing)}
        return self.predictor.predict_single_npy_array(scan.array.astype(np.float32), about).astype(np.uint8)

    def file(self, scan: Path, target: Path) -> None:
        """Segment a file into another."""
        read = read_scan(scan)
        write_labelmap(target.with_name(f"{target.name}.nii.gz"), self.array(read), read.grid)


def managers(spacing: Sequence[float | None], structures: int) -> tuple[Any, Any, Any]:
    """Return nnU-Net's managers of a plan, of its only configuration, and of the labels."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ.setdefault(name, "")
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plans(spacing))
    return manager, manager.get_configuration("2d"), manager.get_label_manager(data_set(structures))


def data_set(structures: int) -> dict[str, Any]:
    """Return what nnU-Net must know of a data set."""
    labels = {"background": 0, **{f"structure {i}": i for i in range(1, structures + 1)}}
    return {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz", "numTraining": 1}


def plans(spacing: Sequence[float | None]) -> dict[str, Any]:
    """Return nnU-Net's plan for slices of 256 x 256 pixels of a spacing in mm (two numbers, or three for a volume)."""
    stages = len(WIDTHS)
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    two = {
        "data_identifier": "nnUNetPlans_2d",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 12,
        "patch_size": [SIDE, SIDE],
        "median_image_size_in_voxels": [SIDE, SIDE],
        "spacing": list(spacing),
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        **{f"resampling_fn_{what}": "resample_data_or_seg_to_shape" for what in ("data", "seg", "probabilities")},
        "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
        "batch_dice": True,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": stages,
                "features_per_stage": WIDTHS,
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "kernel_sizes": [[3, 3]] * stages,
                "strides": [[1, 1], *[[2, 2]] * (stages - 1)],
                "n_conv_per_stage": [2] * stages,
                "n_conv_per_stage_decoder": [2] * (stages - 1),
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    return {
        "dataset_name": "Dataset001",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, *spacing[-2:]],
        "original_median_shape_after_transp": [1, SIDE, SIDE],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d": two},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
    }
