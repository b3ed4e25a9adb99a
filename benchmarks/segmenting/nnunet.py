"""The predictor of nnU-Net v2 with its own 2-D network of random weights, as its default plan has it; only for speed.

Needs ``pip install nnunetv2``. Slices are averaged with their mirror images, as nnU-Net does unless told not to.
"""

from __future__ import annotations

import os
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
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ.setdefault(name, "")
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        card = read_card(model)
        plan, outputs = plans(card.plan.spacing), len(card.structures) + 1
        manager = PlansManager(plan)
        configuration = manager.get_configuration("2d")
        torch.manual_seed(0)
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            1,
            outputs,
            allow_init=True,
            deep_supervision=False,
        )
        labels = {"background": 0, **{s.name: i for i, s in enumerate(card.structures, start=1)}}
        about = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz", "numTraining": 1}
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


def plans(spacing: tuple[float | None, float, float]) -> dict[str, Any]:
    """Return nnU-Net's plan for slices of 256 x 256 pixels."""
    stages = len(WIDTHS)
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    two = {
        "data_identifier": "nnUNetPlans_2d",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 12,
        "patch_size": [SIDE, SIDE],
        "median_image_size_in_voxels": [SIDE, SIDE],
        "spacing": list(spacing[1:]),
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
        "original_median_spacing_after_transp": [1.0, *spacing[1:]],
        "original_median_shape_after_transp": [1, SIDE, SIDE],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d": two},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
    }
