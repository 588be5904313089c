"""The vessel monitoring system, the registry and the ports' reports, played for a fictitious fleet."""
