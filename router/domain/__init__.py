"""The nouns: frozen values that every other floor speaks in. No decisions, no I/O."""
