"""Whom messages go to: contacts, routes, rosters, calendars, and what they were sent."""
