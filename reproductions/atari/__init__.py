"""Feudal Networks on the Arcade Learning Environment."""
