"""Only the largest piece of each structure of each slice is kept."""

import torch

from mmgl.data.components import largest_components


def literal(labels):
    """Fill from every pixel in turn, keep the first of the largest pieces."""
    result = labels.clone()
    for n in range(len(labels)):
        for number in labels[n][labels[n] > 0].unique().tolist():
            left = {(int(y), int(x)) for y, x in torch.nonzero(labels[n] == number)}
            pieces = []
            for start in sorted(left):
                if start not in left:
                    continue
                piece, edge = set(), [start]
                left.discard(start)
                while edge:
                    y, x = edge.pop()
                    piece.add((y, x))
                    around = {(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
                    left -= around
                    edge += around
                pieces.append(piece)
            keep = max(pieces, key=len)
            for piece in pieces:
                for y, x in piece:
                    if piece is not keep:
                        result[n, y, x] = 0
    return result


def test_it_keeps_what_filling_by_hand_keeps():
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        labels = (torch.randint(0, 8, (3, 12, 15), generator=generator) - 4).clamp(min=-1)
        assert torch.equal(largest_components(labels), literal(labels))


def test_slices_and_structures_do_not_touch_each_other():
    labels = torch.zeros(2, 6, 6, dtype=torch.int64)
    labels[0, 0, 0] = labels[1, 5, 5] = 1
    labels[0, 0, 1:4] = 2
    assert torch.equal(largest_components(labels), labels)


def test_what_touches_at_a_corner_is_one_piece():
    labels = torch.eye(5, dtype=torch.int64)[None]
    labels[0, 0, 4] = 1
    assert torch.equal(largest_components(labels)[0], torch.eye(5, dtype=torch.int64))


def test_what_it_is_given_stays_as_it_is():
    labels = torch.eye(6, dtype=torch.int64)[None] * 3
    labels[0, 5, 0] = 3
    before = labels.clone()
    result = largest_components(labels)
    assert torch.equal(labels, before)
    assert not torch.equal(result, before)
    assert not largest_components(torch.zeros(1, 4, 4, dtype=torch.int64)).any()
