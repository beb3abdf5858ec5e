"""What domains that train on images share: where Fashion-MNIST comes from and how its files are read."""
