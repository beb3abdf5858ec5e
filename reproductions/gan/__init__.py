"""Generative adversarial networks tuned for the Inception score (the paper, section 4.3)."""
