"""From signals to incidents: the fold over event time, what the clock says, corrections."""
