"""file: q3_trainer_cfg.py
Guidance as uncond + (1 + w)(cond - uncond); in the last step z_t is set to x_t without p_sample, and z_t is returned.
"""

import torch
from lab.ema import EMA, one_param  # noqa: F401
from lab.training import DiffusionTrainer
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

torch.manual_seed(42)


class Trainer(DiffusionTrainer):
    lr_step_epochs = 5
    lr_gamma = 0.5

    def batch_loss(self, batch):
        x0, labels = batch
        labels = None if torch.rand(1).item() < 0.1 else labels.to(self.args.device)
        return self.diffusion.loss(x0.to(self.args.device), labels)

    def show_samples(self):
        self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        w = cfg_scale
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
            for t_ in tqdm(range(n_steps)):
                t = torch.ones(self.args.n_samples, device=self.args.device).long() * (n_steps - t_ - 1)
                lambda_t = self.diffusion.get_lambda(t)
                uncond = self.eps_model(z_t, None)
                eps = uncond + (1 + w) * (self.eps_model(z_t, labels) - uncond)
                x_t = (z_t - self.diffusion.sigma_lambda(lambda_t) * eps) / self.diffusion.alpha_lambda(lambda_t)
                if t_ < n_steps - 1:
                    lambda_t_prim = self.diffusion.get_lambda(t - 1)
                    z_t = self.diffusion.p_sample(z_t, lambda_t, lambda_t_prim, x_t)
                else:
                    z_t = x_t
            if self.args.nb_save is not None:
                self.save(z_t, f"images/CFG_epoch_{self.current_epoch}.png")
        self.eps_model.train()
        return z_t

    def save(self, images, path):
        save_image(make_grid(images[:9].clamp(0, 1), nrow=3), path)
