"""The training images of question 2.2: MNIST with labels."""

from cfg_utils.args import args
from lab import data
from torch.utils.data import Dataset


class MNISTDataset(Dataset):
    """The MNIST training images, scaled to `args.image_size`, and their labels.

    An item is one image, float32 in [0, 1], (1, image_size, image_size), and its label, an int.

    Attributes:
        images: all images, uint8; (N, 1, image_size, image_size).
        labels: the digits, int64; (N,).
    """

    def __init__(self, data_root=None, limit=None):
        """Read the first `limit` images, or all; `data_root` as in `lab.data.load`."""
        images, self.labels = data.load("mnist", "train", data_root, limit)
        self.images = data.resize(images, args.image_size)

    def __len__(self):
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index):
        """The image at `index` and its label."""
        return self.images[index].float() / 255, int(self.labels[index])
