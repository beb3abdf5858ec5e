"""The toy problem of the paper's figure 2."""
