"""The part of Slicer's ``SampleData`` with which modules register their own samples."""

from __future__ import annotations

sources: list[dict] = []
"""What was registered."""

_ALLOWED = {
    "category", "sampleName", "uris", "fileNames", "nodeNames", "customDownloader", "thumbnailFileName",
    "loadFileTypes", "loadFiles", "loadFileProperties", "checksums",
}  # fmt: skip


def _length(field) -> int:
    """Return how many entries a field has; None has no length, as in the application."""
    return 1 if isinstance(field, str) else len(field)


class SampleDataLogic:
    """Registers samples."""

    @staticmethod
    def registerCustomSampleDataSource(**source) -> None:
        unknown = set(source) - _ALLOWED
        if unknown:
            raise TypeError(f"registerCustomSampleDataSource has no argument {', '.join(sorted(unknown))}")
        lengths = {_length(source.get(name)) for name in ("uris", "fileNames", "nodeNames")}
        if len(lengths) > 1:
            raise ValueError("All fields of sample data source must have the same length")
        sources.append(source)
