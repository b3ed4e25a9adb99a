"""The panel of MMGLTrain."""
