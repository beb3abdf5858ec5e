"""DeepMind Lab, and levels in its manner on ViZDoom's engine."""
