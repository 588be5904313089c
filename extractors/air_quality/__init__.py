"""Ambient air monitoring stations."""
