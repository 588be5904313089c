"""What several benchmarks need: a warehouse of their own, a domain's way through it, and what a promise is."""
