"""Un modèle probabiliste de diffusion par débruitage (DDPM) pour les numéros de maison de SVHN.

    python ddpm.py              entraîne ; écrit point de contrôle, courbes, temps et échantillons dans results/ddpm
    python ddpm.py --small      un petit réseau et moins d'images, pour un ordinateur sans GPU
    python ddpm.py --resume     reprend là où un entraînement interrompu s'est arrêté
    python ddpm.py --figures    fait les figures du rapport à partir du point de contrôle

Ho, Jain et Abbeel 2020, « Denoising Diffusion Probabilistic Models ». Notation :

    article              ici                               sens
    x_0                  x_start                           images dans [-1, 1], float (B, 3, 32, 32)
    x_t                  x                                 images bruitées, de même forme
    t                    t, t_index                        temps, int64 (B,) : 0 .. T - 1 (dans l'article, de 1 à T)
    beta_t               betas[t]                          variance du bruit que le pas t ajoute
    alpha_t              alphas[t]                         1 - beta_t
    alpha-bar_t          alphas_cumprod[t]                 produit de alpha_0 .. alpha_t
    alpha-bar_{t-1}      alphas_cumprod_prev[t]            le même, un pas plus tôt ; 1 pour t = 0
    beta-tilde_t         posterior_variance[t]             variance de q(x_{t-1} | x_t, x_0)
    epsilon              noise                             bruit normal centré réduit, de la forme des images
    epsilon_theta        model(x, t)                       le réseau qui estime le bruit de x
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
    """Prend les valeurs d'un coefficient aux temps t, sous une forme qui permet de multiplier des images.

    Args:
        a: un coefficient pour chaque temps, sur le CPU ; (T,).
        t: temps, int64 ; (B,).
        x_shape: forme des images ; (B, ...).

    Returns:
        a[t], sur l'appareil de t ; (B, 1, ..., 1).
    """
    out = a.gather(-1, t.cpu())
    return out.reshape(t.shape[0], *(1 for _ in x_shape[1:])).to(t.device)


def linear_beta_schedule(beta_start: float, beta_end: float, timesteps: int) -> torch.Tensor:
    """Variances qui croissent linéairement avec le temps, float32 (timesteps,) (section 4)."""
    return torch.linspace(beta_start, beta_end, timesteps)


# Les coefficients de tous les temps, chacun float32 (T,) : l'indice 0 est le t = 1 de l'article.
# TODO 3.1 coefficients: écrivez votre code à la place de chaque None.
betas = None
alphas = None
sqrt_recip_alphas = None
alphas_cumprod = None
sqrt_alphas_cumprod = None
sqrt_one_minus_alphas_cumprod = None
alphas_cumprod_prev = None
posterior_variance = None


def q_sample(x_start: torch.Tensor, t: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Tire x_t ~ q(x_t | x_0) (éq. 4).

    Args:
        x_start: images ; (B, C, H, W).
        t: temps, int64 ; (B,).
        noise: le bruit normal centré réduit à prendre, de la forme des images ; tiré ici si None.

    Returns:
        Les images bruitées ; (B, C, H, W).
    """
    if noise is None:
        noise = torch.randn_like(x_start)
    # TODO 3.1 q_sample: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 3.1 : q_sample")
    return x_noisy


def p_sample(model: nn.Module, x: torch.Tensor, t: torch.Tensor, t_index: int) -> torch.Tensor:
    """Tire x_{t-1} ~ p_theta(x_{t-1} | x_t), avec la variance beta-tilde_t (éq. 7 et 11, algorithme 2).

    Args:
        model: model(x, t) estime le bruit de x ; de la forme de x.
        x: images bruitées x_t ; (B, C, H, W).
        t: leur temps, int64 ; (B,), toutes les valeurs égales à `t_index`.
        t_index: le même, en nombre ; 0 est le dernier pas, qui n'ajoute pas de bruit.

    Returns:
        Les images avec un pas de bruitage en moins ; (B, C, H, W).
    """
    with torch.no_grad():
        # TODO 3.1 p_sample: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 3.1 : p_sample")
    return sample


def p_sample_loop(model: nn.Module, shape: tuple[int, ...], timesteps: int) -> torch.Tensor:
    """Débruite pas à pas un bruit pur (algorithme 2).

    Args:
        model: voir `p_sample`.
        shape: forme des images ; (B, C, H, W).
        timesteps: nombre de pas ; le premier a t = timesteps - 1.

    Returns:
        Ce qu'a donné chaque pas, les images finies en dernier, sur le CPU ; (timesteps, B, C, H, W).
    """
    img = torch.randn(shape, device=device)
    imgs = []
    for i in tqdm(reversed(range(0, timesteps)), desc="tirage des échantillons", total=timesteps, leave=False):
        # TODO 3.1 p_sample_loop: écrivez votre code ici et supprimez la ligne suivante.
        raise NotImplementedError("question 3.1 : p_sample_loop")
        imgs.append(img.cpu())
    return torch.stack(imgs)


def sample(model: nn.Module, image_size: int, batch_size: int = 16, channels: int = 3) -> torch.Tensor:
    """Images des T pas, les images finies en dernier ; (T, batch_size, channels, image_size, image_size)."""
    return p_sample_loop(model, (batch_size, channels, image_size, image_size), T)


def p_losses(denoise_model: nn.Module, x_start: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Perte L1 lissée (avec beta = 1) du bruit estimé, moyennée sur toutes les valeurs (algorithme 1, autre perte).

    Args:
        denoise_model: voir `p_sample`.
        x_start: images ; (B, C, H, W).
        t: temps, int64 ; (B,).

    Returns:
        Un tenseur sans dimension.
    """
    noise = torch.randn_like(x_start)
    # TODO 3.1 p_losses: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 3.1 : p_losses")
    return loss


def t_sample(timesteps: int, batch_size: int) -> torch.Tensor:
    """Tire un temps pour chaque image d'un lot, chacun de 0 à timesteps - 1 avec la même probabilité.

    Returns:
        int64 ; (batch_size,).
    """
    # TODO 3.1 t_sample: écrivez votre code ici et supprimez la ligne suivante.
    raise NotImplementedError("question 3.1 : t_sample")
    return ts


def main() -> None:
    """Entraîne, ou fait les figures du rapport."""
    global device
    parser = epochs.make_parser("Entraîne un DDPM sur SVHN.", "results/ddpm", epochs=30, batch_size=64)
    run = epochs.read_run(parser, small={"epochs": 30, "limit": 8000})
    device = run.device
    with epochs.plain_errors():
        images, _ = data.load("svhn", "train", run.data_root, run.limit)
        model = SmallUnet() if run.small else Unet(dim=image_size, channels=input_channels, dim_mults=(1, 2, 4, 8))
        model.to(run.device)
        # les échantillons viennent d'une moyenne mobile des poids (Ho et al. 2020, annexe B)
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
