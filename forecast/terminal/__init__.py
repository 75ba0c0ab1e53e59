"""What the command line prints, from saved frames: ``forecasts``, ``evidence``, and their common ``look``."""
