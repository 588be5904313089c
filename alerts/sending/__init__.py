"""From the outbox to the recipient: claims, results, receipts, gateways that fail."""
