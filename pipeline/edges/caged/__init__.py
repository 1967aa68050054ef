"""What reads and makes media and documents within limits: functions run in the cage, and graphs for its programs."""
