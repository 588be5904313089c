"""The work that a benchmark compares, each in a process of its own, so that memory is its own too."""
