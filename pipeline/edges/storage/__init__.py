"""Bytes at rest: OCFL objects and copies of them, staging, uploads, and BagIt bags."""
