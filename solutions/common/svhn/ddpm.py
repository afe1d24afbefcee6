"""A denoising diffusion probabilistic model (DDPM) for the house numbers of SVHN.

    python ddpm.py                       trains; writes checkpoint, curves, clock and samples to results/ddpm
    python ddpm.py --small               a small network and fewer images, for a computer without GPU
    python ddpm.py --resume              goes on where an interrupted training stopped
    python ddpm.py --figures             makes the figures of the report from the checkpoint

Ho, Jain & Abbeel 2020, "Denoising Diffusion Probabilistic Models". Notation:

    paper                here                              meaning
    x_0                  x_start                           images in [-1, 1], float (B, 3, 32, 32)
    x_t                  x                                 noised images, same shape
    t                    t, t_index                        time, int64 (B,): 0 .. T - 1 (the paper counts from 1)
    beta_t               betas[t]                          variance of the noise that step t adds
    alpha_t              alphas[t]                         1 - beta_t
    alpha-bar_t          alphas_cumprod[t]                 product of alpha_0 .. alpha_t
    alpha-bar_{t-1}      alphas_cumprod_prev[t]            the same one step before; 1 for t = 0
    beta-tilde_t         posterior_variance[t]             variance of q(x_{t-1} | x_t, x_0)
    epsilon              noise                             standard normal noise, same shape as the images
    epsilon_theta        model(x, t)                       the network that estimates the noise in x
"""

import torch
from lab import data, ddpm_figures, epochs
from lab.ddpm_unet import SmallUnet, Unet
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

device = "cuda" if torch.cuda.is_available() else "cpu"

T = 1000
beta_start = 0.0001
beta_end = 0.02
image_size = 32
input_channels = 3
lr = 1e-4


def extract(a: torch.Tensor, t: torch.Tensor, x_shape: torch.Size) -> torch.Tensor:
    """Pick the entries of a coefficient, shaped to be multiplied with images.

    Args:
        a: a coefficient for each time, on the CPU; (T,).
        t: times, int64; (B,).
        x_shape: shape of the images; (B, ...).

    Returns:
        a[t], on the device of t; (B, 1, ..., 1).
    """
    out = a.gather(-1, t.cpu())
    return out.reshape(t.shape[0], *(1 for _ in x_shape[1:])).to(t.device)


def linear_beta_schedule(beta_start: float, beta_end: float, timesteps: int) -> torch.Tensor:
    """Variances that grow linearly with the time, float32 (timesteps,) (section 4)."""
    return torch.linspace(beta_start, beta_end, timesteps)


# The coefficients of all times, each float32 (T,): index 0 is the paper's t = 1.
# BEGIN SOLUTION 2.1 coefficients
betas = linear_beta_schedule(beta_start, beta_end, T)
alphas = 1 - betas
sqrt_recip_alphas = (1 / alphas).sqrt()
alphas_cumprod = torch.cumprod(alphas, dim=0)
sqrt_alphas_cumprod = alphas_cumprod.sqrt()
sqrt_one_minus_alphas_cumprod = (1 - alphas_cumprod).sqrt()
alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
posterior_variance = betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)
# END SOLUTION


def q_sample(x_start: torch.Tensor, t: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Sample x_t ~ q(x_t | x_0) (Eq. 4).

    Args:
        x_start: images; (B, C, H, W).
        t: times, int64; (B,).
        noise: the standard normal noise to use, same shape as the images; drawn here if None.

    Returns:
        The noised images; (B, C, H, W).
    """
    if noise is None:
        noise = torch.randn_like(x_start)
    # BEGIN SOLUTION 2.1 q_sample
    signal = extract(sqrt_alphas_cumprod, t, x_start.shape)  # (B, 1, 1, 1)
    spread = extract(sqrt_one_minus_alphas_cumprod, t, x_start.shape)  # (B, 1, 1, 1)
    x_noisy = signal * x_start + spread * noise  # (B, C, H, W)
    # END SOLUTION
    return x_noisy


def p_sample(model: nn.Module, x: torch.Tensor, t: torch.Tensor, t_index: int) -> torch.Tensor:
    """Sample x_{t-1} ~ p_theta(x_{t-1} | x_t), with the variance beta-tilde_t (Eq. 7 and 11, Algorithm 2).

    Args:
        model: model(x, t) estimates the noise in x; same shape as x.
        x: noised images x_t; (B, C, H, W).
        t: their time, int64; (B,), all entries `t_index`.
        t_index: the same as a number; 0 is the last step, which adds no noise.

    Returns:
        Images with one noising step less; (B, C, H, W).
    """
    with torch.no_grad():
        # BEGIN SOLUTION 2.1 p_sample
        beta = extract(betas, t, x.shape)  # (B, 1, 1, 1)
        spread = extract(sqrt_one_minus_alphas_cumprod, t, x.shape)  # (B, 1, 1, 1)
        mean = extract(sqrt_recip_alphas, t, x.shape) * (x - beta / spread * model(x, t))  # (B, C, H, W)
        if t_index == 0:
            sample = mean
        else:
            std = extract(posterior_variance, t, x.shape).sqrt()  # (B, 1, 1, 1)
            sample = mean + std * torch.randn_like(x)
        # END SOLUTION
    return sample


def p_sample_loop(model: nn.Module, shape: tuple[int, ...], timesteps: int) -> torch.Tensor:
    """Denoise pure noise step by step (Algorithm 2).

    Args:
        model: see `p_sample`.
        shape: shape of the images; (B, C, H, W).
        timesteps: number of steps; the first one has t = timesteps - 1.

    Returns:
        What each step returned, the images at the end, on the CPU; (timesteps, B, C, H, W).
    """
    img = torch.randn(shape, device=device)
    imgs = []
    for i in tqdm(reversed(range(0, timesteps)), desc="drawing samples", total=timesteps, leave=False):
        # BEGIN SOLUTION 2.1 p_sample_loop
        img = p_sample(model, img, torch.full((shape[0],), i, device=device), i)
        # END SOLUTION
        imgs.append(img.cpu())
    return torch.stack(imgs)


def sample(model: nn.Module, image_size: int, batch_size: int = 16, channels: int = 3) -> torch.Tensor:
    """Images of all T steps, the last ones at the end; (T, batch_size, channels, image_size, image_size)."""
    return p_sample_loop(model, (batch_size, channels, image_size, image_size), T)


def p_losses(denoise_model: nn.Module, x_start: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Smooth L1 loss (with beta = 1) of the estimated noise, averaged over all values (Algorithm 1, another loss).

    Args:
        denoise_model: see `p_sample`.
        x_start: images; (B, C, H, W).
        t: times, int64; (B,).

    Returns:
        A tensor without dimensions.
    """
    noise = torch.randn_like(x_start)
    # BEGIN SOLUTION 2.1 p_losses
    x_noisy = q_sample(x_start, t, noise)  # (B, C, H, W)
    predicted_noise = denoise_model(x_noisy, t)  # (B, C, H, W)
    loss = F.smooth_l1_loss(predicted_noise, noise)
    # END SOLUTION
    return loss


def t_sample(timesteps: int, batch_size: int) -> torch.Tensor:
    """Draw a time for each image of a batch, each from 0 to timesteps - 1 with the same probability.

    Returns:
        int64; (batch_size,).
    """
    # BEGIN SOLUTION 2.1 t_sample
    ts = torch.randint(0, timesteps, (batch_size,), device=device)
    # END SOLUTION
    return ts


def main() -> None:
    """Train, or make the figures of the report."""
    global device
    parser = epochs.make_parser("Train a DDPM on SVHN.", "results/ddpm", epochs=30, batch_size=64)
    run = epochs.read_run(parser, small={"epochs": 30, "limit": 8000})
    device = run.device
    with epochs.plain_errors():
        images, _ = data.load("svhn", "train", run.data_root, run.limit)
        model = SmallUnet() if run.small else Unet(dim=image_size, channels=input_channels, dim_mults=(1, 2, 4, 8))
        model.to(run.device)
        # samples come from a running average of the weights (Ho et al. 2020, appendix B)
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.995))
        if run.figures:
            epochs.load_parts(run, {"average": average})
            test_images, _ = data.load("svhn", "test", run.data_root, run.limit)
            ddpm_figures.make_all(average.eval(), q_sample, p_sample, sample, test_images, run)
            return
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if run.small else lr)

        def step(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            t = t_sample(T, len(batch))
            loss = p_losses(model, batch * 2 - 1, t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(model)
            return {"loss": loss.detach()}

        batches = data.Batches(images, batch_size=run.batch_size, device=run.device, shuffle=True, drop_last=True)
        parts = {"model": model, "average": average, "optimizer": optimizer}
        epochs.train(run, parts, batches, step, draw=lambda: sample(average, image_size)[-1])


if __name__ == "__main__":
    main()
