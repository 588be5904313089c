"""Pages of the portal that belong to no single domain."""
