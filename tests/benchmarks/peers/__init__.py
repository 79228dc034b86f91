"""The same work by other programs, side by side with ours in one run."""
