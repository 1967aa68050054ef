"""The cage: how a child is limited before it meets a hostile file, and the proof that it holds."""
