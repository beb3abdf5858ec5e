"""Where results are kept for others: MLflow, the repository's reference, the READMEs."""
