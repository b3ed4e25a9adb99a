"""The part of Slicer's ``SampleData`` with which modules register their own samples."""

from __future__ import annotations

sources: list[dict] = []
"""What was registered."""

_ALLOWED = {
    "category", "sampleName", "uris", "fileNames", "nodeNames", "customDownloader", "thumbnailFileName",
    "loadFileTypes", "loadFiles", "loadFileProperties", "checksums",
}  # fmt: skip


class SampleDataLogic:
    """Registers samples."""

    @staticmethod
    def registerCustomSampleDataSource(**source) -> None:
        unknown = set(source) - _ALLOWED
        if unknown:
            raise TypeError(f"registerCustomSampleDataSource has no argument {', '.join(sorted(unknown))}")
        sources.append(source)
