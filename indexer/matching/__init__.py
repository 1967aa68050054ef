"""Finding where a clip, a photo or a sound comes from: pure functions of perceptual marks."""
