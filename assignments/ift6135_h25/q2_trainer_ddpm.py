"""Question 2.1: training a DDPM on MNIST, and drawing images from it.

The training loop itself is given, in `lab/training.py`. This file says what one batch costs and how images are drawn:
Algorithm 2 of Ho, Jain & Abbeel 2020, from pure noise at time n_steps - 1 down to an image at time 0.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from ddpm_utils.args import args  # noqa: F401  (the notebook takes the settings from here)
from lab.ema import EMA, one_param  # noqa: F401  (published as part of this module)
from lab.figures import finish
from lab.training import DiffusionTrainer
from tqdm import tqdm


class Trainer(DiffusionTrainer):
    """Trains the network of a `DenoiseDiffusion`, and draws images from it.

    The attributes are those of `lab.training.DiffusionTrainer`; used here:
        args: settings, as in `ddpm_utils/args.py`: `args.n_steps` and `args["n_steps"]` are the same.
        diffusion: the `DenoiseDiffusion`.
        current_epoch: the epoch that is being trained, from 0.
    """

    lr_step_epochs = 10
    lr_gamma = 0.1

    def batch_loss(self, batch):
        """Loss of a batch of images, float (B, C, H, W); a tensor without dimensions."""
        return self.diffusion.loss(batch.to(self.args.device))

    def show_samples(self):
        """Draw images in the middle of the training and save them."""
        self.sample()

    def sample(self, n_steps=None, set_seed=False):
        """Draw `args.n_samples` images by running the whole reverse process (Algorithm 2).

        Args:
            n_steps: number of denoising steps; default `args.n_steps`.
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            The images, float; (n_samples, C, H, W). If `args.nb_save` is not None, the first nine are also saved in
            `images/`.
        """
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        with torch.no_grad():
            shape = [self.args.n_samples, self.args.image_channels, self.args.image_size, self.args.image_size]
            x = torch.randn(shape, device=self.args.device)  # (n_samples, C, H, W), pure noise
            saving_steps = [n_steps - 1] if self.args.nb_save is not None else []

            for t_ in tqdm(range(n_steps), desc="sampling", leave=False):
                # t_ counts the steps that are done. Take one denoising step of all images with self.diffusion, at
                # the time that belongs to it: an int64 tensor (n_samples,) on x's device.
                # TODO 2.1.2 sample: write your code here and remove the next line.
                raise NotImplementedError("question 2.1.2: sample")

                if t_ in saving_steps:
                    file_name = f"DDPM_epoch_{self.current_epoch}_sample_{t_}.png"
                    self.show_save(x, show=True, save=True, file_name=file_name)
        return x

    def generate_intermediate_samples(
        self,
        n_samples=4,
        img_size=32,
        steps_to_show=(0, 999),
        n_steps=None,
        set_seed=False,
    ):
        """Draw images and keep what they look like on the way.

        Args:
            n_samples: number of images.
            img_size: their height and width.
            steps_to_show: after how many denoising steps the images are kept. 0 stands for the initial noise, which
                is always kept; n_steps stands for the final images.
            n_steps: number of denoising steps; default `args.n_steps`.
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            A list of numpy arrays, float (n_samples, 1, img_size, img_size): the initial noise, then one for each
            entry of `steps_to_show` from 1 to n_steps, in rising order.
        """
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        x = torch.randn(n_samples, 1, img_size, img_size, device=self.args.device)
        images = [x.cpu().numpy()]

        for step in tqdm(range(1, n_steps + 1), desc="sampling", leave=False):
            # This is denoising step number `step`, counted from 1. Replace x with the result of that step, without
            # keeping gradients; the times are an int64 tensor (n_samples,) on x's device.
            # TODO 2.1.2 generate_intermediate_samples: write your code here and remove the next line.
            raise NotImplementedError("question 2.1.2: generate_intermediate_samples")

            if step in steps_to_show:
                images.append(x.detach().cpu().numpy())
        return images

    def show_save(self, img_tensor, show=True, save=True, file_name="sample.png"):
        """Show the first nine images in a square, and save them as `images/<file_name>`.

        Args:
            img_tensor: images, float, 0 black and 1 white; (B, 1, H, W), B >= 9.
            show: show the figure where there is a screen or a notebook.
            save: save the figure; the folder is made if it is missing.
            file_name: name of the picture in the folder `images`.

        Raises:
            ValueError: there are fewer than nine images.
        """
        if img_tensor.shape[0] < 9:
            raise ValueError(f"show_save draws nine images, got {img_tensor.shape[0]}; set args.n_samples to 9 or more")
        figure, axes = plt.subplots(3, 3, figsize=(6, 6))
        for axis, image in zip(axes.flat, img_tensor[:9].float().clamp(0, 1).cpu(), strict=True):
            axis.imshow(image[0], cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        finish(figure, path=Path("images") / file_name if save else None, show=show)
