"""Numbers of the home as a whole: health, metrics, statistics, tallies, unusual access."""
