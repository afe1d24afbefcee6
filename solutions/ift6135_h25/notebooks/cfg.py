# %% [markdown]
# # Part 2.2: classifier-free guidance on MNIST
#
# In this notebook the diffusion model learns to draw the digit that you ask for, and you decide how insistently you
# ask. The paper is Ho & Salimans 2022, *Classifier-Free Diffusion Guidance* (arXiv 2207.12598), **CFG** for short.
# Read its sections 2 and 3 before you start. The handout has the points, and the questions that you should ask
# yourself before you call a method finished.
#
# A cell whose first line begins with `#| export` goes into a file that you hand in; keep that line, and replace each
# `raise NotImplementedError(...)`. All other cells are experiments: run them after each change, change them as you
# like.
#
# Mind the letters. In DDPM, $\alpha_t$ and $\bar\alpha_t$ are parts of a *variance*; here, $\alpha_\lambda$ is the
# factor of the image *itself*, and plays the role of $\sqrt{\bar\alpha_t}$.

# %% [markdown]
# ## Sizes of the experiments
#
# The values below make a small model of small images: recognisable digits in about ten minutes on a laptop. **For the
# report, use a GPU and the published values**, which stand behind.

# %% tags=["parameters"]
IMAGE_SIZE = 16  # height and width, divisible by 8; published: 32
LIMIT = 20_000  # training images; published: 60_000
EPOCHS = 10  # published: 16
SHOW_EVERY = 3  # epochs between two pictures of samples; published: 2
BATCH_SIZE = 128  # published: 256
LEARNING_RATE = 1e-3  # published: 2e-4
STEPS = 500  # T; published: 1000
SWEEP_STEPS = 200  # T where many strengths of the guidance are compared
SAMPLES = 20  # images that are drawn, at least 10; published: 16
SCALES = [0.0, 0.5, 1.0, 3.0, 8.0]  # strengths of the guidance, w
SEED = 1

# %% file="q3_cfg_diffusion.py" take="imports"

# %% file="q3_trainer_cfg.py" take="imports"

# %% [markdown]
# The settings of the training are in `args`, from `cfg_utils/args.py`. Here they get the values from above.

# %%
from cfg_utils.args import args
from cfg_utils.dataset import MNISTDataset
from cfg_utils.unet import UNet_conditional, load_weights
from lab import pictures
from lab.data import Batches

torch.manual_seed(SEED)
args.image_size, args.n_steps, args.n_samples = IMAGE_SIZE, STEPS, SAMPLES
args.epochs, args.show_every_n_epochs, args.save_every_n_epochs = EPOCHS, SHOW_EVERY, SHOW_EVERY
args.batch_size, args.learning_rate = BATCH_SIZE, LEARNING_RATE
print(f"torch {torch.__version__} on {args.device}")

dataset = MNISTDataset(limit=LIMIT)  # scales the images to args.image_size
digits = dataset.images[:16].float().to(args.device) / 255  # (16, 1, IMAGE_SIZE, IMAGE_SIZE), in [0, 1]
names = [str(int(label)) for label in dataset.labels[:16]]
finish(pictures.grid(digits, labels=names, title=f"{len(dataset)} images to train on, among them"), show=True)

# %% [markdown]
# ## What guidance does, in one dimension
#
# Three classes, each a normal distribution of $x$, equally frequent. Which $x$ should one draw when asked for the class
# in the middle? From $p(x \mid c)$, of course. But one may also ask for an $x$ that a classifier would recognise
# *without doubt*, and draw from the distribution
#
# $$
# \tilde p(x \mid c) \propto p(x \mid c) \, p(c \mid x)^w
# $$
#
# (CFG, section 3.1, where the weight is called the guidance strength.)
#
# *Experiment.* It needs none of your code. Watch what happens as $w$ grows: to the places where classes overlap, and to
# the width of the curve. Both effects will come back at the end of this notebook, in images. Keep the picture in mind
# for **questions 2.2.1 and 2.2.2** as well, where you explain the method and its alternative in your own words.

# %%
x = torch.linspace(-4, 4, 161)  # (161,)
centres = torch.tensor([-1.5, 0.0, 1.5])
densities = torch.exp(-0.5 * ((x[:, None] - centres) / 0.8) ** 2)  # (161, 3), unnormalised
posterior = densities[:, 1] / densities.sum(dim=1)  # (161,), p(c | x) of the class in the middle
rows = [{"x": place} for place in x.tolist()]
for w in SCALES:
    guided = densities[:, 1] * posterior**w
    for guided_row, value in zip(rows, (guided / torch.trapezoid(guided, x)).tolist(), strict=True):
        guided_row[f"w = {w:g}"] = value
finish(pictures.curves(rows, x="x", ylabel="density"), show=True)

# %% [markdown]
# ## Noise levels instead of steps
#
# In this paper noise levels are not counted but measured, by the logarithm of the signal-to-noise ratio,
# $\lambda = \log (\alpha_\lambda^2 / \sigma_\lambda^2)$. A large $\lambda$ is a clean image, a small one is noise
# (CFG, Eq. 1):
#
# $$
# q(z_\lambda \mid x) = \mathcal N \left( \alpha_\lambda x, \sigma_\lambda^2 I \right), \qquad
# \alpha_\lambda^2 = \frac{1}{1 + e^{-\lambda}}, \qquad \sigma_\lambda^2 = 1 - \alpha_\lambda^2
# $$
#
# The schedule goes from $\lambda_{\max} = 20$ to $\lambda_{\min} = -20$. With $u = t / T$,
#
# $$
# \lambda = -2 \log \tan (a u + b), \qquad b = \arctan e^{-\lambda_{\max} / 2}, \qquad
# a = \arctan e^{-\lambda_{\min} / 2} - b
# $$
#
# Let $\lambda < \lambda'$, so that $\lambda'$ is the **cleaner** level (`lambda_t_prim` in the code, the larger one).
# The step from $\lambda'$ to $\lambda$ adds noise (Eq. 2):
#
# $$
# q(z_\lambda \mid z_{\lambda'}) =
# \mathcal N \left( \frac{\alpha_\lambda}{\alpha_{\lambda'}} z_{\lambda'}, \sigma_{\lambda \mid \lambda'}^2 I \right),
# \qquad \sigma_{\lambda \mid \lambda'}^2 = \left( 1 - e^{\lambda - \lambda'} \right) \sigma_\lambda^2
# $$
#
# If the image is known, the step can be undone (Eq. 3):
#
# $$
# \tilde\mu_{\lambda' \mid \lambda}(z_\lambda, x) =
# e^{\lambda - \lambda'} \frac{\alpha_{\lambda'}}{\alpha_\lambda} z_\lambda +
# \left( 1 - e^{\lambda - \lambda'} \right) \alpha_{\lambda'} x, \qquad
# \tilde\sigma_{\lambda' \mid \lambda}^2 = \left( 1 - e^{\lambda - \lambda'} \right) \sigma_{\lambda'}^2
# $$
#
# It is not known; an estimate $x_\theta$ takes its place, and the variance lies between the two (Eq. 4):
#
# $$
# p_\theta(z_{\lambda'} \mid z_\lambda) =
# \mathcal N \left( \tilde\mu_{\lambda' \mid \lambda}(z_\lambda, x_\theta(z_\lambda)),
# \left( \tilde\sigma_{\lambda' \mid \lambda}^2 \right)^{1 - v} \left( \sigma_{\lambda \mid \lambda'}^2 \right)^{v} I
# \right)
# $$
#
# Training (Algorithm 1) takes a random level for each image and asks the network for the noise (Eq. 5):
#
# $$
# \left\lVert \epsilon_\theta(z_\lambda, c) - \epsilon \right\rVert^2
# $$
#
# **Question 2.2.3.** The class below has ten methods for you. Take them one after the other: fill one in, run the cell
# of the class, and then its experiment below. Levels are (B, 1, 1, 1), and so are all factors and variances.
#
# | Method | What | Equation |
# |--------|------|----------|
# | `get_lambda(t)` | $\lambda$ at integer times (B,) | the schedule |
# | `alpha_lambda`, `sigma_lambda` | $\alpha_\lambda$ and $\sigma_\lambda$; the root is given | 1 |
# | `q_sample(x, lambda_t, noise)` | $z_\lambda$ | 1 |
# | `sigma_q(lambda_t, lambda_t_prim)` | $\sigma_{\lambda \mid \lambda'}$; the root is given | 2 |
# | `sigma_q_x(lambda_t, lambda_t_prim)` | $\tilde\sigma_{\lambda' \mid \lambda}$; the root is given | 3 |
# | `mu_p_theta(z, x, lambda_t, lambda_t_prim)` | $\tilde\mu_{\lambda' \mid \lambda}$ | 3, 4 |
# | `var_p_theta(lambda_t, lambda_t_prim, v)` | the variance, *no* root | 4 |
# | `p_sample(z, lambda_t, lambda_t_prim, x)` | a sample of $z_{\lambda'}$ | 4 |
# | `loss(x0, labels, noise)` | a tensor without dimensions | 5 |
#
# Where people stumble: four methods end with a given square root, `var_p_theta` does not. Variances carry either
# $\sigma_\lambda$ or $\sigma_{\lambda'}$, and with neighbouring steps of a fine schedule you would not see the
# difference; the experiments below use levels that lie far apart.

# %% file="q3_cfg_diffusion.py" take="CFGDiffusion"

# %% [markdown]
# ### `get_lambda`
#
# *Experiment.* Your schedule: 20 at t = 0, falling, and 0 at half time.

# %%
diffusion = CFGDiffusion(None, n_steps=STEPS, device=args.device)  # without a network for now
all_times = torch.arange(STEPS, device=args.device)
levels = diffusion.get_lambda(all_times)  # (T, 1, 1, 1)
first, half = levels[0].item(), levels[STEPS // 2].item()
print(f"shape {tuple(levels.shape)}, first {first:.2f}, at half time {half:.4f}")
finish(pictures.schedules({"cosine schedule": levels}, ylabel="log-SNR"), show=True)

# %% [markdown]
# ### `alpha_lambda` and `sigma_lambda`
#
# *Experiment.* The factors of image and noise over time. Together they make a quarter of a circle, so the sum of their
# squares should be 1 at all times. Compare with the schedule of part 2.1: here, the image fades out later and more
# evenly.

# %%
alphas, sigmas = diffusion.alpha_lambda(levels), diffusion.sigma_lambda(levels)
total = alphas**2 + sigmas**2
print(f"alpha^2 + sigma^2 between {total.min().item():.6f} and {total.max().item():.6f}")
finish(pictures.schedules({"alpha, factor of the image": alphas, "sigma, factor of the noise": sigmas}), show=True)

# %% [markdown]
# *Experiment.* Close to the clean image, float32 runs out of digits. At $\lambda = 18$ the variance of the noise is
# about 1.5e-08. If you see 0 here, look for a way to write $\sigma_\lambda^2$ that needs no difference to 1.

# %%
print(f"{diffusion.sigma_lambda(torch.full((1, 1, 1, 1), 18.0)).item() ** 2:.2e}, should be 1.52e-08")

# %% [markdown]
# ### `q_sample`
#
# *Experiment.* The forward process on real digits (values outside 0 to 1 are drawn as black or white), with the same
# noise in all columns.

# %%
torch.manual_seed(SEED)
times = sorted({round(share * (STEPS - 1)) for share in (0.0, 0.1, 0.25, 0.4, 0.5, 0.65, 0.8, 1.0)})
eps = torch.randn_like(digits[:4])
noised = [
    diffusion.q_sample(digits[:4], diffusion.get_lambda(torch.full((4,), t, device=args.device)), eps) for t in times
]
finish(pictures.forward_process(digits[:4], noised, times), show=True)

# %% [markdown]
# ### `sigma_q`
#
# *Experiment.* Two ways to the level $\lambda = -0.5$: at once (Eq. 1), or first to $\lambda' = 1.5$ and from there by
# a noising step (Eq. 2). Both must leave the same amount of noise.

# %%
noisy, clean = torch.full((1, 1, 1, 1), -0.5), torch.full((1, 1, 1, 1), 1.5)  # lambda < lambda'
torch.manual_seed(SEED)
first = diffusion.q_sample(torch.zeros(100_000, 1, 1, 1), clean, torch.randn(100_000, 1, 1, 1))
then = diffusion.alpha_lambda(noisy) / diffusion.alpha_lambda(clean) * first
then = then + diffusion.sigma_q(noisy, clean) * torch.randn(100_000, 1, 1, 1)
print(f"at once {diffusion.sigma_lambda(noisy).item():.3f}, in two steps {then.std().item():.3f}")

# %% [markdown]
# ### `sigma_q_x` and `mu_p_theta`
#
# *Experiment.* And back: noise an image to $\lambda$, then undo the step to $\lambda'$ while the image is known
# (Eq. 3). The result must be spread exactly as if the image had been noised to $\lambda'$ at once: the same mean, the
# same standard deviation.

# %%
white = torch.ones(100_000, 1, 1, 1)  # 100 000 images of one white pixel
noised_white = diffusion.q_sample(white, noisy, torch.randn_like(white))
undone = diffusion.mu_p_theta(noised_white, white, noisy, clean)
undone = undone + diffusion.sigma_q_x(noisy, clean) * torch.randn_like(white)
expected_mean, expected_std = diffusion.alpha_lambda(clean).item(), diffusion.sigma_lambda(clean).item()
print(f"mean: at once {expected_mean:.3f}, back from the noisier level {undone.mean().item():.3f}")
print(f"std:  at once {expected_std:.3f}, back from the noisier level {undone.std().item():.3f}")

# %% [markdown]
# ### `var_p_theta`
#
# *Experiment.* The variance as $v$ goes from 0 to 1. The left end should be $\tilde\sigma_{\lambda' \mid \lambda}^2$ of
# Eq. 3, the right end $\sigma_{\lambda \mid \lambda'}^2$ of Eq. 2, both drawn as lines; in between, the *logarithm*
# should be straight.

# %%
lower, upper = diffusion.sigma_q_x(noisy, clean).item() ** 2, diffusion.sigma_q(noisy, clean).item() ** 2
rows = [
    {
        "v": v,
        "log of your variance": math.log(diffusion.var_p_theta(noisy, clean, v=v).item()),
        "log for the image known (Eq. 3)": math.log(lower),
        "log for a noising step (Eq. 2)": math.log(upper),
    }
    for v in torch.linspace(0, 1, 11).tolist()
]
finish(pictures.curves(rows, x="v", ylabel="log of the variance"), show=True)

# %% [markdown]
# ### `p_sample`
#
# *Experiment.* The mean of many samples is the mean of Eq. 4, and their variance is that of `var_p_theta` with the
# default $v$.

# %%
start = torch.full((100_000, 1, 1, 1), 0.3)
drawn = diffusion.p_sample(start, noisy, clean, white)
expected_mean = diffusion.mu_p_theta(start[:1], white[:1], noisy, clean)
print(f"mean {drawn.mean().item():.3f}, should be {expected_mean.item():.3f}")
print(f"variance {drawn.var().item():.4f}, should be {diffusion.var_p_theta(noisy, clean).item():.4f}")

# %% [markdown]
# ### `loss`
#
# *Experiment.* A network that sees no noise anywhere misses all of it; the loss should be close to the number of pixels
# of an image. The labels must arrive at the network as they came.


# %%
def silent(z, labels):
    """A network that answers 0, and says what it was told."""
    print("labels at the network:", labels if labels is None else labels[:8].tolist())
    return torch.zeros_like(z)


mute = CFGDiffusion(silent, n_steps=STEPS, device=args.device)
print("labels handed over:   ", dataset.labels[:8].tolist())
value = mute.loss(digits.repeat(16, 1, 1, 1), dataset.labels[:16].repeat(16).to(args.device))
print(f"{value.item():.1f} for {IMAGE_SIZE**2} pixels; dimensions of the loss: {value.ndim}, should be 0")
print(f"any class: {mute.loss(digits, None).item():.1f}")

# %% [markdown]
# ## Drawing the digit that is asked for
#
# **Question 2.2.4.** Algorithm 2 walks through increasing levels $\lambda_1 < \dots < \lambda_T$, from noise to image.
# At each level, the same network is asked twice, with the class and without it, and the two answers are combined
# (Eq. 6; step 3 of the algorithm):
#
# $$
# \tilde\epsilon = (1 + w) \, \epsilon_\theta(z, c) - w \, \epsilon_\theta(z)
# $$
#
# With $w = 0$ this is the conditional model without guidance. (Some later texts shift the weight by 1: trust the
# formula, not the name.) The image follows from solving $z = \alpha_\lambda x + \sigma_\lambda \epsilon$ for $x$
# (step 4), and the next $z$ from Eq. 4 (step 5).
#
# The network is called as `self.eps_model(z, labels)`; `None` in place of the labels means "any class". It is told
# neither t nor $\lambda$: it finds the noise level in the picture.
#
# Where people stumble: at the last step, t = 0, there is no cleaner level, and the formula of the schedule has no value
# at −1. Whatever you do there must not bring a NaN into the images.

# %% file="q3_trainer_cfg.py" take="Trainer, show_save"

# %% [markdown]
# *Experiment.* A sampler can be tried without training: with a network that has *seen* two images and always names the
# noise that separates $z$ from one of them, the one whose number it is told. It reads the noise level off the black
# border. Labels 0 and 1 in turn should give the two images in turn, without NaN.


# %%
class KnowsTwoImages(nn.Module):
    """Answers with the noise that separates noised images from the known image of their label."""

    def __init__(self, images):
        super().__init__()
        self.images = images  # (2, 1, H, W), with a black border
        self.unused = nn.Parameter(torch.zeros(1))  # the trainer's optimizer wants one

    def forward(self, z, labels):
        """The noise for the given labels; for None, what fits the mean of both; (B, C, H, W)."""
        known = self.images.mean(dim=0, keepdim=True) if labels is None else self.images[labels]
        border = torch.cat([z[:, :, 0], z[:, :, -1]], dim=-1)  # (B, 1, 2 W), nothing but noise
        sigma = border.std(dim=(1, 2)).clamp(1e-4, 0.9999).view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        return (z - (1 - sigma**2) ** 0.5 * known) / sigma


args.nb_save = None  # draw without saving pictures
oracle = KnowsTwoImages(digits[:2])
oracle_trainer = Trainer(args, oracle, CFGDiffusion(oracle, STEPS, args.device))
in_turn = torch.arange(SAMPLES, device=args.device) % 2
torch.manual_seed(SEED)
drawn = oracle_trainer.sample(labels=in_turn, cfg_scale=0.0)
print(f"NaN in the images: {bool(drawn.isnan().any())}")
both = torch.cat([digits[in_turn[:8]], drawn[:8]])
finish(pictures.grid(both, title="known (above), drawn (below)"), show=True)

# %% [markdown]
# ## The network, before training
#
# The network is given in `cfg_utils/unet.py`.
#
# *Experiment.* Samples of a network with random weights. Before the first training step its answer does not depend on
# the label, so guidance cannot have any effect: the two rows, drawn with the same noise, should look the same.

# %%
torch.manual_seed(SEED)
eps_model = UNet_conditional(c_in=args.image_channels, c_out=args.image_channels, num_classes=10)
trainer = Trainer(args, eps_model, CFGDiffusion(eps_model, STEPS, args.device))
asked = torch.arange(SAMPLES, device=args.device) % 10  # int64 (SAMPLES,), the ten digits in order
untrained = torch.cat([trainer.sample(labels=asked, cfg_scale=w, set_seed=True)[:8] for w in (0.0, 3.0)])
finish(pictures.grid(untrained, title="untrained; w = 0 (above), w = 3 (below)"), show=True)

# %% [markdown]
# ## Training
#
# The training loop is given in `lab/training.py`; it calls your `loss`. The trainer leaves the labels of a whole batch
# out with probability 0.1 (Algorithm 1). Every few epochs it draws nine samples with the strength `args.cfg_scale`,
# shows them here with the digits that were asked for, and saves them to `images/`, where **question 2.2.5** finds its
# samples of at least four epochs. The weights go to `eps_model_cfg.pkl`.

# %%
args.nb_save = 5
batches = Batches(
    dataset.images, dataset.labels, batch_size=BATCH_SIZE, device=args.device, shuffle=True, drop_last=True
)
trainer.train(batches)

# %% [markdown]
# The loss of each step of the optimizer: a steep fall at the start, then a slow one.

# %%
losses = [{"step": step, "loss": loss} for step, loss in enumerate(trainer.loss_per_iter, 1)]
finish(pictures.curves(losses, x="step", ylabel="squared error per image"), show=True)

# %% [markdown]
# ## Samples
#
# The ten digits in order, asked for with the strength of the training's pictures.

# %%
torch.manual_seed(SEED)
args.nb_save = None
asked_names = [str(int(label)) for label in asked]
drawn = trainer.sample(labels=asked, cfg_scale=args.cfg_scale)
finish(pictures.grid(drawn, columns=10, labels=asked_names, title=f"w = {args.cfg_scale:g}"), show=True)

# %% [markdown]
# ## The strength of the guidance
#
# The network is not told the time, so it does not care into how many steps the way is cut: the pictures below take
# fewer than in training (`SWEEP_STEPS`). All rows start from the same noise and draw the same noise on the way; only
# $w$ differs. Look at three things: how many digits can be recognised, how thickness and brightness change, and what
# goes wrong when $w$ is very large.

# %%
short_trainer = Trainer(args, eps_model, CFGDiffusion(eps_model, SWEEP_STEPS, args.device))
sweep = torch.stack(
    [short_trainer.sample(labels=asked, cfg_scale=w, n_steps=SWEEP_STEPS, set_seed=True)[:10] for w in SCALES]
)  # (len(SCALES), 10, 1, H, W)
finish(pictures.guidance_sweep(sweep, SCALES, title="the same noise, guided more and more strongly"), show=True)

# %% [markdown]
# *Experiment.* Fidelity against diversity: one digit only, drawn many times, without guidance and with $w = 3$. In
# which row are more of the images twos, and in which row do they differ more? Compare with the curves at the top of
# this notebook.

# %%
only = torch.full((SAMPLES,), 2, device=args.device)
for w in (0.0, 3.0):
    alike = short_trainer.sample(labels=only, cfg_scale=w, n_steps=SWEEP_STEPS, set_seed=True)
    finish(pictures.grid(alike[:10], columns=10, title=f"w = {w:g}"), show=True)

# %% [markdown]
# **Question 2.2.5.** For the report: the samples of at least four epochs from `images/`, each image with the digit that
# was asked for. Describe how they change and how many of the last ones are right, and compare with part 2.1, or say
# what the strength of the guidance changes; for that you may use the figures above, made with the published sizes.

# %% [markdown]
# ## Come back later
#
# The trained network survives the notebook. This cell reads it back, and says whether it found the file:

# %%
restored = UNet_conditional(c_in=1, c_out=1, num_classes=10)
print(load_weights(restored, args.MODEL_PATH))

# %% [markdown]
# ## Before you hand in
#
# Restart the kernel and run everything from the top. Then make the files, in a terminal in the folder of the
# assignment (on Colab, download the notebook into that folder first):
#
# ```
# python -m tools.export 3_cfg.ipynb
# pytest
# ```
#
# The first line writes `q3_cfg_diffusion.py` and `q3_trainer_cfg.py`, the second checks them, as far as this can be
# done without the autograder. `python -m tools.zip` packs everything when all parts are finished.
