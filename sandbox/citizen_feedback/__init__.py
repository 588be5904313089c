"""Stand-in of the citizens' feedback system: reports with their handling steps, over an interface."""
