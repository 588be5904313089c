"""Parts of the alert benchmark: scale, the outbox, and a month through two engines with the truth beside them."""
