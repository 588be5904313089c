"""The gate between raw and the warehouse: Great Expectations suites per domain, and the runner that judges a batch."""
