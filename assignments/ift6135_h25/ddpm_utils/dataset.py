"""The training images of question 2.1: MNIST without labels."""

from ddpm_utils.args import args
from lab import data
from torch.utils.data import Dataset


class MNISTDataset(Dataset):
    """The MNIST training images, scaled to `args.image_size`.

    An item is one image, float32 in [0, 1]; (1, image_size, image_size).

    Attributes:
        images: all images, uint8; (N, 1, image_size, image_size).
    """

    def __init__(self, data_root=None, limit=None):
        """Read the first `limit` images, or all; `data_root` as in `lab.data.load`."""
        images, _ = data.load("mnist", "train", data_root, limit)
        self.images = data.resize(images, args.image_size)

    def __len__(self):
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index):
        """The image at `index`."""
        return self.images[index].float() / 255
