"""Around a search: who asked why, suggestions, pages that stay, hits over time, and alerts."""
