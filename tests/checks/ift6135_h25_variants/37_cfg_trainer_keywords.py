"""file: q3_trainer_cfg.py
Everything by keyword: p_sample with set_seed passed on, the network without a label as y=None; t - 1 clamped at 0.
"""

import matplotlib.pyplot as plt
import torch
from lab.ema import EMA, one_param  # noqa: F401
from lab.figures import finish
from lab.training import DiffusionTrainer
from tqdm import tqdm


class Trainer(DiffusionTrainer):
    lr_step_epochs = 5
    lr_gamma = 0.5
    p_uncond = 0.1

    def batch_loss(self, batch):
        x0, labels = batch
        if torch.rand(()) < self.p_uncond:
            labels = None
        return self.diffusion.loss(x0=x0, labels=labels)

    def show_samples(self):
        self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        self.eps_model.eval()
        with torch.no_grad():
            shape = [
                self.args.n_samples,
                self.args.image_channels,
                self.args.image_size,
                self.args.image_size,
            ]
            z_t = torch.randn(shape, device=self.args.device)
            if labels is None:
                labels = torch.randint(0, 10, (self.args.n_samples,), device=self.args.device)
            for t_ in tqdm(range(n_steps), desc="sampling"):
                t = torch.full((self.args.n_samples,), fill_value=n_steps - t_ - 1, device=self.args.device)
                lambda_t = self.diffusion.get_lambda(t=t)
                lambda_t_prim = self.diffusion.get_lambda(t=torch.clamp(t - 1, min=0))
                eps_cond = self.eps_model(z_t, y=labels)
                eps_uncond = self.eps_model(z_t, y=None)
                eps = eps_cond + cfg_scale * (eps_cond - eps_uncond)
                alpha = self.diffusion.alpha_lambda(lambda_t=lambda_t)
                sigma = self.diffusion.sigma_lambda(lambda_t=lambda_t)
                x_t = z_t / alpha - sigma / alpha * eps
                z_t = self.diffusion.p_sample(
                    z_lambda_t=z_t,
                    lambda_t=lambda_t,
                    lambda_t_prim=lambda_t_prim,
                    x_t=x_t,
                    set_seed=set_seed,
                )
                if self.args.nb_save is not None and t_ == n_steps - 1:
                    self.show_save(x_t, labels, file_name=f"images/CFG_epoch_{self.current_epoch}_sample_{t_}.png")
        self.eps_model.train()
        return x_t

    @staticmethod
    def show_save(img_tensor, labels=None, show=True, save=True, file_name="sample.png"):
        figure, axes = plt.subplots(3, 3)
        for number, (axis, image) in enumerate(zip(axes.flat, img_tensor[:9].float().cpu(), strict=False)):
            axis.imshow(image[0], cmap="gray")
            axis.set_title(f"Digit:{int(labels[number])}")
        finish(figure, path=file_name if save else None, show=show)
