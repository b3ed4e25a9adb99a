"""Measuring how well segmentations fit their references, and showing it: metrics, tables, pictures, report."""
