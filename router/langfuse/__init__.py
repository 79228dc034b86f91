"""The other side: Langfuse's wire format, its signature, samples, and a simulator of it."""
