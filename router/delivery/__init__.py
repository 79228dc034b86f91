"""The hands: outgoing messages, and what became of them."""
