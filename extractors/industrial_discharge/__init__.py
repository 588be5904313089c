"""Automatic monitoring of waste water and flue gas at plants and industrial zones."""
