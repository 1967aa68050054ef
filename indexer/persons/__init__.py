"""Who signs in, what each may know of, and what is masked for whom."""
