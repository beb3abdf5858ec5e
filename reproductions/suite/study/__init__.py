"""What is asked for: domains, methods, settings, configuration, and what decides whether a run must be made again."""
