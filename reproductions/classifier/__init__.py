"""A small image classifier: the task of the ablation studies."""
