"""Stand-in of the one-stop system: dossiers, the list of units and the system's own totals, over one HTTP interface."""
