"""What can be set, and the one reader of it: `settings.load`."""
