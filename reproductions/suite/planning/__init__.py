"""What a target of the workflow will cost, before it runs."""
