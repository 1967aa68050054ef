"""A case before its decision: its file, duties, contradictions, checklist, timeline, and the review."""
