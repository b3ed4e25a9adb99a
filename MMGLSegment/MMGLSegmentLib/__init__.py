"""The panel of MMGLSegment."""
