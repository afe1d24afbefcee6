"""What SimSiam needs around its networks: augmentations of whole batches, and the reading of checkpoints.

All images of a batch are augmented at once, on the device where they are, but each in its own way. What may
happen to an image is what Chen & He 2021, "Exploring Simple Siamese Representation Learning", use on CIFAR-10: a
random crop, scaled back to the full size, a flip, a jitter of the colours, and grey; no blur.
"""

import math

import torch
from lab import checkpoint
from torch import nn
from torch.nn import functional as F

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)

LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue contribute to the grey of a pixel (ITU-R BT.601)."""
RGB_TO_YIQ = (LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""Colours as grey and two colour differences; turning those changes the hue and keeps the grey."""


class TwoCropsTransform:
    """Makes two views of the same images."""

    def __init__(self, base_transform):
        """Keep the transform that makes one view of images, at random."""
        self.base_transform = base_transform

    def __call__(self, x):
        """Two views of x, each made by a call of the transform: a list [q, k]."""
        return [self.base_transform(x), self.base_transform(x)]


def normalize(images):
    """Shift and scale images in [0, 1], (B, 3, H, W), by mean and standard deviation of CIFAR-10's channels."""
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (CIFAR10_MEAN, CIFAR10_STD))
    return (images - mean) / std


def augment(images):
    """One random view of each image: crop, flip, jitter of the colours (4 in 5 images), grey (1 in 5), normalisation.

    Args:
        images: images in [0, 1]; (B, 3, H, W).

    Returns:
        Normalised views; same shape.
    """
    return normalize(random_grayscale(color_jitter(random_resized_crop_flip(images))))


def random_resized_crop_flip(images, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """Cut a rectangle out of each image, flip every second one at random, and scale it to the size of the image.

    The sampling grid of each image does crop, flip and bilinear scaling in one go. A side that the drawn ratio makes
    longer than the image is cut to it.

    Args:
        images: images; (B, C, H, W).
        scale: least and largest area of the rectangle, as a part of the image's.
        ratio: least and largest ratio of its width to its height; its logarithm is uniform.

    Returns:
        Views, in the range of the images; same shape.
    """
    count = len(images)
    area = _uniform(images, count, *scale)
    aspect = _uniform(images, count, math.log(ratio[0]), math.log(ratio[1])).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)  # parts of the sides
    flip = _uniform(images, count, 0, 1).lt(0.5).to(images.dtype) * 2 - 1
    theta = images.new_zeros(count, 2, 3)  # from places in the view to places in the image, both in [-1, 1]
    theta[:, 0, 0] = width * flip
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (1 - width) * _uniform(images, count, -1, 1)
    theta[:, 1, 2] = (1 - height) * _uniform(images, count, -1, 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def color_jitter(images, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8):
    """Change the colours of a part of the images, each by amounts of its own.

    The order is brightness, contrast, saturation, hue. Each is a linear map of the colour (r, g, b), so that one matrix
    and one offset per image do all four; values are cut to [0, 1] once, at the end. The hue is turned around the grey
    axis, in YIQ coordinates.

    Args:
        images: images in [0, 1]; (B, 3, H, W).
        brightness: the factor of all values is uniform in 1 -+ this.
        contrast: the factor of the distance to the image's mean grey is uniform in 1 -+ this.
        saturation: the factor of the distance to the pixel's grey is uniform in 1 -+ this.
        hue: the turn is uniform in -+ this; 1 would be a full turn.
        p: probability that an image is changed at all.

    Returns:
        Images in [0, 1]; same shape.
    """
    count = len(images)
    changed = _uniform(images, count, 0, 1) < p

    def amount(neutral, width):
        drawn = _uniform(images, count, neutral - width, neutral + width)
        return torch.where(changed, drawn, neutral)[:, None, None]  # (B, 1, 1)

    grey = images.new_tensor(LUMA).expand(3, 3)  # maps a colour to its grey
    identity = torch.eye(3, dtype=images.dtype, device=images.device)
    bright, contrasting = amount(1.0, brightness), amount(1.0, contrast)
    saturated = amount(1.0, saturation)
    turn = _hue_turn(amount(0.0, hue) * 2 * math.pi)  # (B, 3, 3)

    mean_grey = bright * (grey @ images.mean((2, 3))[:, :, None])  # (B, 3, 1), after the change of brightness
    color = turn @ (saturated * identity + (1 - saturated) * grey)  # (B, 3, 3); both keep greys as they are
    matrix = contrasting * bright * color  # (B, 3, 3)
    offset = (1 - contrasting) * mean_grey  # (B, 3, 1)
    return torch.baddbmm(offset, matrix, images.flatten(2)).clamp(0, 1).view_as(images)


def random_grayscale(images, p=0.2):
    """Take the colours out of a part of the images.

    Args:
        images: images in [0, 1]; (B, 3, H, W).
        p: probability for each image.

    Returns:
        Images in [0, 1]; same shape.
    """
    grey = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)  # (B, 1, H, W)
    chosen = (_uniform(images, len(images), 0, 1) < p).view(-1, 1, 1, 1)
    return torch.where(chosen, grey, images)


def load_checkpoints(resume, model, optimizer, gpu):
    """Fill a SimSiam model and its optimizer from a checkpoint of `train_simsiam.py`, to train further.

    Args:
        resume: the checkpoint's file.
        model: the model, as it was when the checkpoint was saved.
        optimizer: its optimizer.
        gpu: device that the model is moved to, such as `cuda` or 0; None: it stays where it is.

    Returns:
        The number of epochs that are done.

    Raises:
        CheckpointError: there is no such file, or it is not from this training or belongs to another network.
    """
    state = checkpoint.load(resume, "rows", "model", "optimizer")
    checkpoint.fill(model, {"model_state_dict": state["model"]}, resume)
    if gpu is not None:
        model.to(gpu)
    optimizer.load_state_dict(state["optimizer"])
    return len(state["rows"])


def load_pretrained_checkpoints(pretrained, model, optimizer, gpu):
    """Give a classifier the backbone that SimSiam has learned, for an evaluation by a linear layer.

    The backbone is frozen; the last layer `fc` is drawn again, and is all that is to be trained.

    Args:
        pretrained: a checkpoint of `train_simsiam.py`.
        model: a network like SimSiam's encoder, but with a linear layer `fc` for the classes.
        optimizer: the optimizer of the classifier; it forgets the momentum of the former weights.
        gpu: device that the model is moved to, such as `cuda` or 0; None: it stays where it is.

    Raises:
        CheckpointError: there is no such file, or its backbone is another one.
    """
    state = checkpoint.load(pretrained, "model")["model"]
    encoder = {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}
    backbone = {name: value for name, value in encoder.items() if not name.startswith("fc.")}
    nn.init.normal_(model.fc.weight, 0.0, 0.01)
    nn.init.zeros_(model.fc.bias)
    last = {name: value for name, value in model.state_dict().items() if name.startswith("fc.")}
    checkpoint.fill(model, {"model_state_dict": backbone | last}, pretrained)
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    if gpu is not None:
        model.to(gpu)
    optimizer.state.clear()


def _uniform(images, count, low, high):
    """Numbers between two others, (count,), with the dtype and on the device of the images."""
    return torch.empty(count, dtype=images.dtype, device=images.device).uniform_(low, high)


def _hue_turn(angle):
    """Matrices that turn colours by angles (B, 1, 1) around the grey axis; (B, 3, 3)."""
    # In float64: the inverse of the rounded constants should give greys back exactly.
    yiq = torch.tensor(RGB_TO_YIQ, dtype=torch.float64)
    back = torch.linalg.inv(yiq)
    along = back[:, :1] @ yiq[:1]  # the part along the grey axis
    across = back[:, 1:] @ yiq[1:]  # the rest: I and Q
    turned = back[:, 1:] @ torch.stack([-yiq[2], yiq[1]])  # the rest, a quarter of a turn further
    along, across, turned = (part.to(angle) for part in (along, across, turned))
    return along + angle.cos() * across + angle.sin() * turned
