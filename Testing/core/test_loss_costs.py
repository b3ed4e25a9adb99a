"""What the contrastive losses cost: in time against the broadcast form of published programs, and in memory."""

import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from mmgl.losses.balanced_contrast import balanced_contrast
from mmgl.losses.contrastive import nt_xent, supervised_contrast

MEGABYTE = 2**20


def broadcast_nt_xent(z, temperature):
    """NT-Xent as the published programs of PCL and MONAI compute it: every pair of vectors side by side."""
    similarity = F.cosine_similarity(z[:, None], z[None], dim=2) / temperature
    others = similarity.exp().masked_fill(torch.eye(len(z), dtype=torch.bool), 0.0).sum(1)
    n = len(z) // 2
    positive = torch.cat([similarity.diagonal(n), similarity.diagonal(-n)])
    return (others.log() - positive).mean()


def seconds(loss, vectors):
    best = float("inf")
    for _ in range(3):
        z = vectors.clone().requires_grad_()
        begun = time.process_time()
        loss(z).backward()
        best = min(best, time.process_time() - begun)
    return best


def test_many_times_faster_than_the_broadcast_form_and_equal_to_it():
    # some hundred times in truth (benchmarks/speed/losses.py), so a busy machine does not fail this
    z = torch.randn(512, 128)
    assert float(nt_xent(z[:256], z[256:], 0.1)) == pytest.approx(float(broadcast_nt_xent(z, 0.1)), rel=1e-5)
    ours = seconds(lambda x: nt_xent(x[:256], x[256:], 0.1), z)
    assert seconds(lambda x: broadcast_nt_xent(x, 0.1), z) > 20 * ours


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel does not tell peaks of memory")
@pytest.mark.parametrize(
    "loss",
    [
        lambda z, y: nt_xent(z[:2048], z[2048:], 0.1),
        lambda z, y: supervised_contrast(z, y, 0.1),
        lambda z, y: balanced_contrast(z[None], y[None], 0.1),
    ],
)
def test_four_thousand_vectors_take_less_than_150_megabytes(loss):
    z = torch.randn(4096, 128, requires_grad=True)
    labels = torch.randint(0, 4, (4096,))
    loss(z[:64].repeat(64, 1), labels).backward()  # what is loaded only once is not counted
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = memory("VmRSS")
    loss(z, labels).backward()
    assert memory("VmHWM") - before < 150 * MEGABYTE


def memory(name: str) -> int:
    """The process's memory now (VmRSS) or at its highest (VmHWM), in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)
