"""Question 2.2: training a classifier-free guided diffusion model on MNIST, and drawing the digits one asks for.

The training loop itself is given, in `lab/training.py`. This file says what one batch costs (Algorithm 1 of Ho &
Salimans 2022, "Classifier-Free Diffusion Guidance") and how images are drawn (Algorithm 2).
"""

import matplotlib.pyplot as plt
import torch
from lab.ema import EMA, one_param  # noqa: F401  (published as part of this module)
from lab.figures import finish
from lab.training import DiffusionTrainer
from tqdm import tqdm


class Trainer(DiffusionTrainer):
    """Trains the network of a `CFGDiffusion`, and draws images from it.

    The attributes are those of `lab.training.DiffusionTrainer`; used here:
        args: settings, as in `cfg_utils/args.py`: `args.n_steps` and `args["n_steps"]` are the same.
        eps_model: the network; eps_model(z, labels), and eps_model(z, None) for any class.
        diffusion: the `CFGDiffusion`.
        current_epoch: the epoch that is being trained, from 0.
    """

    lr_step_epochs = 5
    lr_gamma = 0.5
    p_uncond = 0.1

    def batch_loss(self, batch):
        """Loss of a batch; with probability `p_uncond` the labels of the whole batch are left out (Algorithm 1).

        Args:
            batch: images, float (B, C, H, W), and labels, int64 (B,).

        Returns:
            A tensor without dimensions.
        """
        x0, labels = (tensor.to(self.args.device) for tensor in batch)
        if torch.rand(()) < self.p_uncond:
            labels = None
        return self.diffusion.loss(x0, labels)

    def show_samples(self):
        """Draw images in the middle of the training and save them."""
        self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        """Draw `args.n_samples` images of the given classes with guidance (Algorithm 2).

        Args:
            labels: the classes, int64; (n_samples,); default: drawn from the ten digits.
            cfg_scale: w, the strength of the guidance; 0 is the conditional model without guidance.
            n_steps: number of denoising steps; default `args.n_steps`.
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            The estimate x_t of the images at the last step, float; (n_samples, C, H, W). If `args.nb_save` is not
            None, the first nine are also saved in `images/`.
        """
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        self.eps_model.eval()
        with torch.no_grad():
            shape = [self.args.n_samples, self.args.image_channels, self.args.image_size, self.args.image_size]
            z_t = torch.randn(shape, device=self.args.device)  # (n_samples, C, H, W), pure noise
            if labels is None:
                labels = torch.randint(0, 10, (self.args.n_samples,), device=self.args.device)  # (n_samples,)

            for t_ in tqdm(range(n_steps), desc="sampling", leave=False):
                t = torch.full((self.args.n_samples,), n_steps - t_ - 1, device=self.args.device)  # int64 (n_samples,)

                # Find lambda_t of this step and lambda_t_prim of the next cleaner one, one unit of time earlier.
                # In the last step, t = 0, there is no earlier time and the schedule has no value for it: whatever
                # you put there must not reach the images that are returned.
                # TODO 2.2.4 sample lambdas: write your code here and remove the next line.
                raise NotImplementedError("question 2.2.4: sample lambdas")

                # Estimate the noise in z_t, with and without labels, and combine the two (step 3 of Algorithm 2).
                # TODO 2.2.4 sample guidance: write your code here and remove the next line.
                raise NotImplementedError("question 2.2.4: sample guidance")

                # Estimate the images x_t from z_t and that noise (step 4), then draw the next z_t with
                # self.diffusion (step 5).
                # TODO 2.2.4 sample step: write your code here and remove the next line.
                raise NotImplementedError("question 2.2.4: sample step")

                if self.args.nb_save is not None and t_ == n_steps - 1:
                    file_name = f"images/CFG_epoch_{self.current_epoch}_sample_{t_}.png"
                    show_save(x_t, labels, show=True, save=True, file_name=file_name)
        self.eps_model.train()
        return x_t


def show_save(img_tensor, labels=None, show=True, save=True, file_name="sample.png"):
    """Show the first nine images in a square, and save them as `file_name`.

    Args:
        img_tensor: images, float, 0 black and 1 white; (B, 1, H, W), B >= 9.
        labels: their classes, for the titles; (B,), or None.
        show: show the figure where there is a screen or a notebook.
        save: save the figure; the folder is made if it is missing.
        file_name: path of the picture.

    Raises:
        ValueError: there are fewer than nine images.
    """
    if img_tensor.shape[0] < 9:
        raise ValueError(f"show_save draws nine images, got {img_tensor.shape[0]}; set args.n_samples to 9 or more")
    figure, axes = plt.subplots(3, 3, figsize=(6, 6.5))
    for number, (axis, image) in enumerate(zip(axes.flat, img_tensor[:9].float().clamp(0, 1).cpu(), strict=True)):
        axis.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
        if labels is not None:
            axis.set_title(f"Digit:{int(labels[number])}")
    finish(figure, path=file_name if save else None, show=show)
