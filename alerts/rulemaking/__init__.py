"""Rules: as documents and files, their checks, tests and dry runs, drafts and decisions, and those in force."""
