"""Labels that say "background or one of these structures": the marginal loss of partly labelled cases.

Where a structure is not labelled in a case, what is not painted there is background or that structure. The likelihood
of such a label is the sum of their probabilities (Shi et al., MedIA 2021, arXiv 2007.03868, marginal loss; Fidon et
al., MICCAI 2021, arXiv 2107.03846, the same for every loss). Merging the outputs before any loss gives this sum in the
cross-entropy, and in a Dice leaves each structure out where nobody labelled it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NEVER = -1e4
"""Logit of an output that cannot be: its probability is zero in float32."""


def marginal(logits: Tensor, labels: Tensor, sets: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return logits and labels in which a pixel's background stands for all that may be there, and codes are gone.

    Args:
        logits: (N, K + 1, H, W).
        labels: (N, H, W), 0 to K; -1 where unlabelled; -2 - i where it is one of ``sets[i]``.
        sets: (S, K + 1), true for the background and the structures that may be there; None where there are none.

    Returns:
        (N, K + 1, H, W) and (N, H, W) of labels 0 to K or -1; both unchanged where ``sets`` is None.
    """
    if sets is None:
        return logits, labels
    alone = torch.zeros_like(sets[:1])
    alone[:, 0] = True  # everywhere else the background stands for itself
    row = (-1 - labels).clamp(min=0)  # 0 for what is known or unlabelled, 1 + i for a code
    merged = torch.cat([alone, sets]).index_select(0, row.flatten()).reshape(*row.shape, -1).movedim(-1, 1)
    full = logits.float()
    background = full.masked_fill(~merged, -torch.inf).logsumexp(1, keepdim=True)
    others = full[:, 1:].masked_fill(merged[:, 1:], NEVER)
    return torch.cat([background, others], 1), labels.masked_fill(labels < -1, 0)


def sets_table(sets: Sequence[Sequence[int]], structures: int, device: torch.device) -> Tensor | None:
    """Return sets of structures (each 1 to ``structures``) as ``marginal`` takes them, or None where there are none."""
    if not sets:
        return None
    table = torch.zeros(len(sets), structures + 1, dtype=torch.bool)
    table[:, 0] = True
    for row, values in zip(table, sets, strict=True):
        row[list(values)] = True
    return table.to(device)
