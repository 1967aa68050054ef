"""What persons decide of originals and cases: each act is one transaction with its event."""
