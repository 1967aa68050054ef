"""The machine: its disks, folders by handle, clocks and processes, whatever the system."""
