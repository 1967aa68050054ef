"""Cards that are filmed: the clock card as a page or a picture of one moment, the case slate on paper."""
