"""file: q3_trainer_cfg.py
Works out alpha and sigma from lambda in the trainer itself, and keeps lambda of the last step for lambda'.
"""

import copy

import matplotlib.pyplot as plt
import torch
from easydict import EasyDict  # noqa: F401
from lab.ema import EMA, one_param  # noqa: F401
from tqdm import tqdm

torch.manual_seed(42)


def show_save(img_tensor, labels=None, show=True, save=True, file_name="sample.png"):
    count = min(9, img_tensor.shape[0])
    for i in range(count):
        plt.subplot(3, 3, i + 1)
        plt.imshow(img_tensor[i, 0].float().cpu().numpy(), cmap="gray")
        plt.axis("off")
        if labels is not None:
            plt.title(f"Digit:{labels[i]}")
    if save:
        plt.savefig(file_name)
    if show:
        plt.show()
    plt.close()


class Trainer:
    def __init__(self, args, eps_model, diffusion_model):
        self.args = args
        self.eps_model = eps_model.to(args.device)
        self.diffusion = diffusion_model
        self.optimizer = torch.optim.Adam(self.eps_model.parameters(), lr=args.learning_rate)
        self.current_epoch = 0
        self.ema = EMA(0.995)
        self.ema_model = copy.deepcopy(self.eps_model).eval().requires_grad_(False)

    def train(self, dataloader):
        scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=5, gamma=0.5)
        for epoch in range(self.args.epochs):
            self.current_epoch = epoch
            for x0, labels in dataloader:
                loss = self.diffusion.loss(x0, labels if torch.rand(()) > 0.1 else None)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.ema.step_ema(self.ema_model, self.eps_model)
            scheduler.step()
            self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        self.eps_model.eval()
        with torch.no_grad():
            shape = (
                self.args.n_samples,
                self.args.image_channels,
                self.args.image_size,
                self.args.image_size,
            )
            z_t = torch.randn(shape, device=self.args.device)
            if labels is None:
                labels = torch.randint(0, 9, (self.args.n_samples,), device=self.args.device)

            for t_ in tqdm(range(n_steps)):
                t = z_t.new_full((self.args.n_samples,), n_steps - t_ - 1, dtype=torch.long)
                lambda_t = self.diffusion.get_lambda(t)
                # at the end there is no earlier time: stay where we are
                lambda_t_prim = torch.where(
                    (t > 0).view(-1, 1, 1, 1), self.diffusion.get_lambda((t - 1).clamp(min=0)), lambda_t
                )
                eps = (1.0 + cfg_scale) * self.eps_model(z_t, labels) - cfg_scale * self.eps_model(z_t, None)
                alpha_t = torch.sqrt(torch.sigmoid(lambda_t))
                sigma_t = torch.sqrt(torch.sigmoid(-lambda_t))
                x_t = (z_t - sigma_t * eps) / alpha_t
                z_t = self.diffusion.p_sample(z_t, lambda_t, lambda_t_prim, x_t=x_t)

            show_save(x_t, labels, file_name="images/last.png")
        self.eps_model.train()
        return x_t
