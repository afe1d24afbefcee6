"""What the training scripts share: data, devices, checkpoints, curves, the training loop, blocks of networks."""
