"""What more than one domain builds on: reinforcement learning, images, downloads, bounds of settings."""
