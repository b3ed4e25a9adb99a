"""From a scan and a model to a labelmap on the scan's own grid."""
