"""Perceptual marks: the mathematics that fingerprinters and the matcher share. Pure functions of pixels and samples."""
