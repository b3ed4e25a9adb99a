"""What both Slicer modules share, between Slicer and the core. Imports no torch."""
