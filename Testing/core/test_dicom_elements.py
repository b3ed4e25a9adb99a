"""DICOM files that would fill the memory or crash ITK are refused before it sees them; all others are left to it."""

import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from mmgl.imaging.dicom_elements import DEEPEST, check_elements
from mmgl.imaging.reading import read_header, read_scan
from mmgl.messages import MMGLError

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.70"
HUGE, UNDEFINED = 2_000_000_000, 0xFFFFFFFF
LONG = ("OB", "OW", "SQ", "UN", "UT")


def element(tag, kind, value=b"", length=None, syntax=EXPLICIT):
    """Return an element as it is written; ``length`` is what it claims instead of the length of its value."""
    order, length = (">" if syntax == BIG else "<"), len(value) if length is None else length
    head = struct.pack(f"{order}HH", *tag)
    if syntax == IMPLICIT:
        return head + struct.pack("<I", length) + value
    head += kind.encode()
    return head + (struct.pack(f"{order}HI", 0, length) if kind in LONG else struct.pack(f"{order}H", length)) + value


def part(tag, length=0, syntax=EXPLICIT):
    """Return the beginning or the end of an item or of a sequence."""
    return struct.pack(">HHI" if syntax == BIG else "<HHI", *tag, length)


ITEM, ITEM_ENDS, SEQUENCE_ENDS = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


def meta(syntax):
    """Return preamble, mark and meta information."""
    return bytes(128) + b"DICM" + element((2, 0x10), "UI", syntax.encode().ljust(len(syntax) + len(syntax) % 2, b"\0"))


def image(syntax, claim=None, before=b""):
    """Return the elements of an image of 4 x 4 pixels; ``claim`` is the length that its last element claims."""
    order = ">" if syntax == BIG else "<"
    numbers = {0x02: 1, 0x10: 4, 0x11: 4, 0x100: 16, 0x101: 16, 0x102: 15, 0x103: 0}
    elements = [element((8, 0x60), "CS", b"MR", syntax=syntax), before]
    elements += [element((0x28, n), "US", struct.pack(f"{order}H", v), syntax=syntax) for n, v in numbers.items()]
    elements.insert(3, element((0x28, 0x04), "CS", b"MONOCHROME2 ", syntax=syntax))
    pixels = np.arange(16, dtype=f"{order}u2").tobytes()
    return b"".join([*elements, element((0x7FE0, 0x10), "OW", pixels, claim, syntax)])


def sequences(syntax, inner, defined):
    """Return a sequence in a sequence around some elements, with lengths or with marks at their ends."""
    for _ in range(2):
        if defined:
            inner = part(ITEM, len(inner), syntax) + inner
            inner = element((8, 0x1140), "SQ", inner, syntax=syntax)
        else:
            inner = part(ITEM, UNDEFINED, syntax) + inner + part(ITEM_ENDS, 0, syntax) + part(SEQUENCE_ENDS, 0, syntax)
            inner = element((8, 0x1140), "SQ", inner, UNDEFINED, syntax)
    return inner


def refused(folder, data):
    """Return whether a file with these bytes is refused before ITK sees it."""
    (folder / "a.dcm").write_bytes(data)
    try:
        check_elements(folder / "a.dcm")
    except MMGLError as error:
        return error.key == "scan.unreadable" and "damaged" in str(error)
    return False


@pytest.mark.parametrize("begin", [meta, lambda syntax: b""], ids=["meta", "bare"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("defined", [True, False])
def test_a_field_longer_than_the_file_is_refused_wherever_it_is(tmp_path, syntax, begin, defined):
    bad = element((8, 0x1150), "UT", b"x", HUGE, syntax)
    assert refused(tmp_path, begin(syntax) + image(syntax, HUGE))
    assert refused(tmp_path, begin(syntax) + image(syntax, before=bad))
    assert refused(tmp_path, begin(syntax) + image(syntax, before=sequences(syntax, bad, defined)))
    good = element((8, 0x1150), "UT", b"x" * 10, syntax=syntax)
    whole = begin(syntax) + image(syntax, before=sequences(syntax, good, defined) + good)
    assert not refused(tmp_path, whole)
    assert read_scan(tmp_path / "a.dcm").array.ravel().tolist() == list(range(16))


@pytest.mark.parametrize("defined", [True, False])
def test_the_high_byte_first(tmp_path, defined):
    good, bad = (element((8, 0x1150), "UT", b"x" * 10, length, BIG) for length in (None, HUGE))
    assert refused(tmp_path, meta(BIG) + image(BIG, before=sequences(BIG, bad, defined)))
    assert not refused(tmp_path, meta(BIG) + image(BIG, before=sequences(BIG, good, defined)))
    assert read_scan(tmp_path / "a.dcm").array.ravel().tolist() == list(range(16))


def test_packed_pixels_are_skipped_piece_by_piece(tmp_path):
    for length in (8, HUGE):
        pieces = part(ITEM) + part(ITEM, length) + b"\xfe\xff\x00\xe0" + bytes(4) + part(SEQUENCE_ENDS)
        pixels = element((0x7FE0, 0x10), "OB", pieces, UNDEFINED)
        after = element((0xFFFC, 0xFFFC), "OB", bytes(6))
        assert refused(tmp_path, meta(JPEG) + image(JPEG)[:-44] + pixels + after) == (length == HUGE)


def test_deflated_elements_are_left_to_itk(tmp_path):
    packer = zlib.compressobj(wbits=-15)
    assert not refused(tmp_path, meta(DEFLATED) + packer.compress(image(EXPLICIT)) + packer.flush())
    assert read_scan(tmp_path / "a.dcm").array.ravel().tolist() == list(range(16))


def test_a_private_sequence_of_unknown_kind_is_written_without_kinds(tmp_path):
    inside = element((9, 0x1001), "", b"OBxx", syntax=IMPLICIT)
    inner = part(ITEM, UNDEFINED) + inside + part(ITEM_ENDS) + part(SEQUENCE_ENDS)
    unknown = element((9, 0x1010), "UN", inner, UNDEFINED)
    assert not refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=unknown))
    assert read_header(tmp_path / "a.dcm").modality == "MR"
    assert refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, HUGE, before=unknown))


def test_the_kind_of_a_field_that_is_damaged_is_not_believed(tmp_path):
    """ITK takes the bytes of kind and length together for a length, and asks for as much."""
    data = meta(EXPLICIT) + image(EXPLICIT)
    assert refused(tmp_path, data.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00U2"))


@pytest.mark.parametrize("kind", [b"AM", b"OU", b"??", b"  "])
def test_no_kind_is_unknown_in_the_meta_information(tmp_path, kind):
    data = meta(EXPLICIT) + element((2, 0x16), "AE", b"someone ") + image(EXPLICIT)
    assert not refused(tmp_path, data)
    assert refused(tmp_path, data.replace(b"\x02\x00\x16\x00AE", b"\x02\x00\x16\x00" + kind))


@pytest.mark.parametrize("group", [0x0000, 0x0001, 0x00DB, 0x0800, 0x9302])
def test_behind_its_mark_a_file_begins_with_meta_information_or_with_identity(tmp_path, group):
    """From any other first field ITK guesses how the file is written, and asked for 2 GB for a file of 2 kB."""
    first = element((2, 0), "UL", struct.pack("<I", 26))
    data = bytes(128) + b"DICM" + first + meta(IMPLICIT)[132:] + image(IMPLICIT)
    assert not refused(tmp_path, data)
    assert not refused(tmp_path, bytes(128) + b"DICM" + image(EXPLICIT))
    assert refused(tmp_path, data.replace(b"DICM\x02\x00", b"DICM" + struct.pack("<H", group)))


@pytest.mark.parametrize("kind", ["??", "  ", "\0\0", "ZZ"])
def test_a_field_behind_one_of_unknown_kind_is_looked_at(tmp_path, kind):
    """ITK takes the two bytes behind a kind that it does not know for a length, and goes on."""
    for length in (8, HUGE):
        pieces = element((8, 0x70), kind, bytes(8)) + element((8, 0x1150), "UT", b"x" * 8, length)
        assert refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=pieces)) == (length == HUGE)


@pytest.mark.parametrize("kind", ["??", "  ", "\0\0", "ZZ"])
def test_an_unknown_kind_is_left_to_itk(tmp_path, kind):
    assert not refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=element((8, 0x70), kind, bytes(8))))


def test_a_cut_or_an_odd_file_is_left_to_itk(tmp_path):
    whole = meta(EXPLICIT) + image(EXPLICIT)
    assert not any(refused(tmp_path, whole[:end]) for end in range(len(whole)))
    for data in (b"", b"DICM", bytes(1000), b"dear diary,\n" * 20, meta("1.2.3") + b"\xff" * 100):
        assert not refused(tmp_path, data)


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_that_would_fill_the_stack_of_itk_are_refused(tmp_path, defined):
    deep, few = (b"".join(nested(n, defined)) for n in (20_000, DEEPEST // 2))
    assert refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=deep))
    assert not refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=few))
    many = element((8, 0x1140), "SQ", part(ITEM)) * (2 * DEEPEST)
    assert not refused(tmp_path, meta(EXPLICIT) + image(EXPLICIT, before=many))


def nested(count, defined):
    """Yield the beginnings of sequences in one another, and the ends where they have no lengths."""
    for left in reversed(range(count)):
        yield element((8, 0x1140), "SQ", b"", 20 * left + 8 if defined else UNDEFINED)
        yield part(ITEM, 20 * left if defined else UNDEFINED)
    if not defined:
        yield (part(ITEM_ENDS) + part(SEQUENCE_ENDS)) * count


def test_frames_beyond_the_file_are_refused_before_memory_is_asked_for(tmp_path):
    sitk.WriteImage(sitk.Image(8, 8, 2, sitk.sitkUInt16) + 1, str(tmp_path / "b.dcm"))
    data = (tmp_path / "b.dcm").read_bytes()
    for number in (b"\x10", b"\x11"):
        mark = b"\x28\x00" + number + b"\x00\x02\x00\x00\x00"
        data = data.replace(mark + b"\x08\x00", mark + b"\xff\xff")
    (tmp_path / "b.dcm").write_bytes(data)
    for reader in (read_header, read_scan):
        with pytest.raises(MMGLError, match="GB"):
            reader(tmp_path / "b.dcm")
