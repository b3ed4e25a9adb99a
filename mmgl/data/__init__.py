"""From a study to batches: plan, prepared cases on disk, sampled slices, augmented views."""
