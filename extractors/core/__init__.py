"""The corridor that every domain's data takes from its source into ``raw_<domain>``; see the README beside this
file."""
