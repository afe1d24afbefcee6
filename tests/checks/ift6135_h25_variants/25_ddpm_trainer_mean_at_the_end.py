"""file: q2_trainer_ddpm.py
n - 1 calls of p_sample; the last step takes the mean of p_xt_prev_xt, which is what Algorithm 2 asks for.
"""

import matplotlib.pyplot as plt
import torch
from ddpm_utils.args import args  # noqa: F401
from lab.ema import EMA, one_param  # noqa: F401
from lab.figures import finish
from lab.training import DiffusionTrainer


class Trainer(DiffusionTrainer):
    lr_step_epochs = 10
    lr_gamma = 0.1

    def batch_loss(self, batch):
        return self.diffusion.loss(batch.to(self.args.device))

    def show_samples(self):
        self.sample()

    def denoise(self, x, time):
        t = torch.full(x.shape[:1], time, dtype=torch.long, device=x.device)
        if time == 0:
            mean, _ = self.diffusion.p_xt_prev_xt(x, t)
            return mean
        return self.diffusion.p_sample(x, t)

    def sample(self, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        side = self.args.image_size
        with torch.no_grad():
            x = torch.randn([self.args.n_samples, self.args.image_channels, side, side], device=self.args.device)
            for t_ in range(n_steps):
                x = self.denoise(x, n_steps - 1 - t_)
                if self.args.nb_save is not None and t_ == n_steps - 1:
                    self.show_save(x, file_name=f"DDPM_epoch_{self.current_epoch}_sample_{t_}.png")
        return x

    def generate_intermediate_samples(
        self, n_samples=4, img_size=32, steps_to_show=(0, 999), n_steps=None, set_seed=False
    ):
        if set_seed:
            torch.manual_seed(42)
        n_steps = n_steps or self.args.n_steps
        x = torch.randn(n_samples, 1, img_size, img_size, device=self.args.device)
        images = [x.cpu().numpy()]
        for step in range(1, n_steps + 1):
            with torch.no_grad():
                x = self.denoise(x, n_steps - step)
            if step in steps_to_show:
                images.append(x.cpu().numpy())
        return images

    def show_save(self, img_tensor, show=True, save=True, file_name="sample.png"):
        figure, axes = plt.subplots(3, 3)
        for axis, image in zip(axes.flat, img_tensor[:9].detach().float().cpu(), strict=False):
            axis.imshow(image[0], cmap="gray")
        finish(figure, path=f"images/{file_name}" if save else None, show=show)
