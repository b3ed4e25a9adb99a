"""The panel of MMGLTrain: its frame and its four sections."""
