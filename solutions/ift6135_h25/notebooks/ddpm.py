# %% [markdown]
# # Part 2.1: a denoising diffusion model for MNIST
#
# In this notebook you write a denoising diffusion probabilistic model, train it, and watch it turn noise into digits.
# The paper is Ho, Jain & Abbeel 2020, *Denoising Diffusion Probabilistic Models* (arXiv 2006.11239), **DDPM** for
# short. The handout has the points, and the questions that you should ask yourself before you call a method finished.
#
# A cell whose first line begins with `#| export` goes into a file that you hand in; keep that line, and replace each
# `raise NotImplementedError(...)`. All other cells are experiments: run them after each change, change them as you
# like.
#
# **The idea.** To destroy an image is easy: add a little noise, again and again, until nothing else is left. To make
# an image is hard, but each of those small steps can be undone *almost*, if somebody tells you roughly which part of
# the noised image is noise. A network learns to tell. Whoever starts from pure noise and removes it step by step ends
# at a new image.

# %% [markdown]
# ## Sizes of the experiments
#
# A diffusion model is a lot of work for a CPU. The values below make a small model of small images, in about ten
# minutes on a laptop; expect to recognise a digit in about half of its samples. **For the report, use a GPU and the
# published values**, which stand behind.

# %% tags=["parameters"]
IMAGE_SIZE = 16  # height and width, divisible by 8; published: 32
LIMIT = 20_000  # training images; published: 60_000
EPOCHS = 12  # published: 20
SHOW_EVERY = 3  # epochs between two pictures of samples; published: 2
BATCH_SIZE = 128  # published: 256
LEARNING_RATE = 1e-3  # published: 2e-4
STEPS = 1000  # T; published: 1000
SAMPLES = 16  # images that are drawn, 9 or more; published: 16
SEED = 1

# %% file="q2_ddpm.py" take="imports"

# %% file="q2_trainer_ddpm.py" take="imports"

# %% [markdown]
# The settings of the training are in `args`, from `ddpm_utils/args.py`. Here they get the values from above.

# %%
from ddpm_utils.dataset import MNISTDataset
from ddpm_utils.unet import UNet, load_weights
from lab import pictures
from lab.data import Batches

torch.manual_seed(SEED)
args.image_size, args.n_steps, args.n_samples = IMAGE_SIZE, STEPS, SAMPLES
args.epochs, args.show_every_n_epochs, args.save_every_n_epochs = EPOCHS, SHOW_EVERY, SHOW_EVERY
args.batch_size, args.learning_rate = BATCH_SIZE, LEARNING_RATE
print(f"torch {torch.__version__} on {args.device}")

dataset = MNISTDataset(limit=LIMIT)  # scales the images to args.image_size
digits = dataset.images[:16].float().to(args.device) / 255  # (16, 1, IMAGE_SIZE, IMAGE_SIZE), in [0, 1]
finish(pictures.grid(digits, title=f"{len(dataset)} images to train on, among them"), show=True)

# %% [markdown]
# ## The forward process
#
# One noising step shrinks the image a little and adds a little normal noise (DDPM, Eq. 2):
#
# $$
# q(x_t \mid x_{t-1}) = \mathcal N \left( x_t ; \sqrt{1 - \beta_t} \, x_{t-1}, \beta_t I \right)
# $$
#
# The variances $\beta_t$ are not learned. They are the *schedule*: here they grow linearly from $10^{-4}$ to $0.02$ in
# $T = 1000$ steps. **The paper counts times from 1, the code from 0**: `t = 0` is the least noisy time and
# `t = n_steps - 1` the noisiest.
#
# *Experiment.* The definition, step by step, on real digits (values outside 0 to 1 are drawn as black or white). It
# needs none of your code.

# %%
torch.manual_seed(SEED)
betas = torch.linspace(1e-4, 0.02, STEPS).tolist()
times = sorted({round(share * (STEPS - 1)) for share in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)})
chain, x = [], digits[:4]
for t, beta in enumerate(betas):
    x = (1 - beta) ** 0.5 * x + beta**0.5 * torch.randn_like(x)  # (4, 1, H, W)
    if t in times:
        chain.append(x)
finish(pictures.forward_process(digits[:4], chain, times), show=True)

# %% [markdown]
# Training needs noised images of all times, thousands per second, and cannot walk there step by step. It does not have
# to: sums of normal noise are normal noise. With $\alpha_t = 1 - \beta_t$ and
# $\bar\alpha_t = \prod_{s \le t} \alpha_s$ (DDPM, Eq. 4),
#
# $$
# q(x_t \mid x_0) = \mathcal N \left( x_t ; \sqrt{\bar\alpha_t} \, x_0, (1 - \bar\alpha_t) I \right)
# $$
#
# ## The reverse process
#
# Undoing a step is approximated by a normal distribution, too (Eq. 1), with a mean that is expressed by the network's
# estimate $\epsilon_\theta(x_t, t)$ of the noise in $x_t$ (Eq. 11):
#
# $$
# p_\theta(x_{t-1} \mid x_t) = \mathcal N \left( x_{t-1} ; \mu_\theta(x_t, t), \sigma_t^2 I \right), \qquad
# \mu_\theta(x_t, t) = \frac{1}{\sqrt{\alpha_t}}
# \left( x_t - \frac{\beta_t}{\sqrt{1 - \bar\alpha_t}} \epsilon_\theta(x_t, t) \right)
# $$
#
# and with the first choice of section 3.2 for the variance, $\sigma_t^2 = \beta_t$. Training (Algorithm 1) takes a
# time $t$ at random for each image and asks the network for the noise that was put in (Eq. 14):
#
# $$
# L_{\mathrm{simple}} = \mathbb E_{t, x_0, \epsilon} \left[ \left\lVert \epsilon -
# \epsilon_\theta \left( \sqrt{\bar\alpha_t} \, x_0 + \sqrt{1 - \bar\alpha_t} \, \epsilon, t \right)
# \right\rVert^2 \right]
# $$
#
# **Question 2.1.1.** The class below has five methods for you:
#
# | Method | What | Equation |
# |--------|------|----------|
# | `q_xt_x0(x0, t)` | mean (B, C, H, W) and variance (B, 1, 1, 1) of $q(x_t \mid x_0)$ | 4 |
# | `q_sample(x0, t, eps)` | a noised image, made of this `eps` | 4 |
# | `p_xt_prev_xt(xt, t)` | mean (B, C, H, W) and variance (B, 1, 1, 1) of $p_\theta(x_{t-1} \mid x_t)$ | 1, 11 |
# | `p_sample(xt, t)` | one denoising step | Algorithm 2 |
# | `loss(x0, noise)` | a tensor without dimensions | 14 |
#
# Take them one after the other: fill one in, run the cell of the class, and then its experiment below. The schedules
# are there already, and `gather(schedule, t)` picks the entries for the times of a batch as (B, 1, 1, 1).
#
# Where people stumble: these methods return *variances*, noise is scaled by a *standard deviation*; and Eq. 11 has
# $\alpha_t$ in one place, $\bar\alpha_t$ in another.

# %% file="q2_ddpm.py" take="DenoiseDiffusion"

# %% [markdown]
# *Experiment.* Your schedule. For T = 1000, $\bar\alpha$ should start at 0.9999 and end near 0.00004. Find the time at
# which half of the image's variance is gone: it comes well before the middle.

# %%
diffusion = DenoiseDiffusion(None, n_steps=STEPS, device=args.device)  # without a network for now
print(f"alpha_bar from {diffusion.alpha_bar[0].item():.4f} to {diffusion.alpha_bar[-1].item():.6f}")
finish(
    pictures.schedules(
        {
            "alpha_bar": diffusion.alpha_bar,
            "factor of the image": diffusion.alpha_bar.sqrt(),
            "factor of the noise": (1 - diffusion.alpha_bar).sqrt(),
        }
    ),
    show=True,
)

# %% [markdown]
# ### `q_xt_x0`
#
# *Experiment.* The chain of Eq. 2 and your closed form must agree. Two pixels of one digit, the whitest and a black one
# in the corner, go through the chain many times; the mean of the first and the standard deviation of the second are
# compared with yours.

# %%
torch.manual_seed(SEED)
row, column = divmod(digits[0, 0].argmax().item(), IMAGE_SIZE)  # of the whitest pixel
x = torch.stack([digits[0, 0, row, column], digits[0, 0, 0, 0]]).expand(20_000, 2)  # (20 000, 2)
for t, beta in enumerate(betas):
    x = (1 - beta) ** 0.5 * x + beta**0.5 * torch.randn_like(x)
    if t in times:
        mean, variance = diffusion.q_xt_x0(digits[:1], torch.tensor([t], device=args.device))
        print(
            f"t = {t:3d}   mean of the white pixel: chain {x[:, 0].mean().item():+.3f}, "
            f"yours {mean[0, 0, row, column].item():+.3f}   "
            f"noise: chain {x[:, 1].std().item():.3f}, yours {variance.item() ** 0.5:.3f}"
        )

# %% [markdown]
# ### `q_sample`
#
# *Experiment.* The picture of the forward process again, now without the chain. It should look like the first one. The
# noise is the same in all columns: follow one digit as it drowns.

# %%
torch.manual_seed(SEED)
eps = torch.randn_like(digits[:4])
noised = [
    diffusion.q_sample(digits[:4], torch.full((4,), t, device=args.device, dtype=torch.long), eps=eps) for t in times
]
finish(pictures.forward_process(digits[:4], noised, times), show=True)

# %% [markdown]
# *Experiment.* Every element of a batch has its own time: one digit at eight times in a single call.

# %%
at_times = torch.tensor(times, device=args.device)
copies = digits[:1].expand(len(times), -1, -1, -1)
together = diffusion.q_sample(copies, at_times)
finish(pictures.grid(together, labels=[f"t = {t}" for t in times]), show=True)

# %% [markdown]
# ### `p_xt_prev_xt` and `p_sample`
#
# *Experiment.* No trained network is needed to try a denoising step. With a network that always answers 0, the mean is
# the noised image, divided by $\sqrt{\alpha_t}$: the ratio printed first should be a little above 1 (1.0102 for
# t = 999). The variance should be $\beta_t$ (0.02 for t = 999).


# %%
def silent(xt, t):
    """A network that sees no noise anywhere."""
    return torch.zeros_like(xt)


mute = DenoiseDiffusion(silent, n_steps=STEPS, device=args.device)
last = torch.full((16,), STEPS - 1, device=args.device, dtype=torch.long)  # the noisiest time
mean, variance = mute.p_xt_prev_xt(digits + 1, last)
print(f"mean / image: {(mean / (digits + 1)).mean().item():.4f}   variance: {variance[0].item():.4f}")

# %% [markdown]
# *Experiment.* One step changes an image very little: the change printed here should be about $\sqrt{\beta_t}$, which
# is 0.14 at the noisiest time and 0.1 in the middle.

# %%
for t in (STEPS - 1, STEPS // 2):
    xt = torch.randn(64, 1, IMAGE_SIZE, IMAGE_SIZE, device=args.device)
    after = mute.p_sample(xt, torch.full((64,), t, device=args.device, dtype=torch.long))
    print(f"t = {t}: one step changes a pixel by {(after - xt).std().item():.3f}")

# %% [markdown]
# ### `loss`
#
# *Experiment.* The silent network misses all of the noise, whose square is 1 per pixel on average. The loss sums over
# the pixels of an image and averages over the batch, so it should be close to the number of pixels.

# %%
value = mute.loss(digits.repeat(16, 1, 1, 1))
print(f"{value.item():.1f} for {IMAGE_SIZE**2} pixels; dimensions of the loss: {value.ndim}, should be 0")

# %% [markdown]
# ## Drawing images
#
# **Question 2.1.2.** Algorithm 2 starts at $x_T \sim \mathcal N(0, I)$ and takes the T denoising steps, the noisiest
# time first. The loops are given; you write the step inside.
#
# - `sample` draws `args.n_samples` images. Its loop variable `t_` counts the steps that are *done*, from 0.
# - `generate_intermediate_samples` keeps what the images look like on the way. Its loop variable `step` is the number
#   of the step that is *being taken*, from 1.
#
# Where people stumble: neither of the two is the time. Write down which time belongs to the first and to the last value
# of each, before you write a formula.

# %% file="q2_trainer_ddpm.py" take="Trainer"

# %% [markdown]
# *Experiment.* Your sampler can be tried without training, too: with a "network" that knows which image it has to end
# at, and names exactly the noise that separates $x_t$ from it. From whatever noise one starts, that image must come
# out. A sampler that walks the wrong way through time, or leaves a time out at the end, gives a noisy image.


# %%
class KnowsTheImages(nn.Module):
    """Answers with the noise that separates noised images from known ones."""

    def __init__(self, images):
        super().__init__()
        self.images = images
        self.unused = nn.Parameter(torch.zeros(1))  # the trainer's optimizer wants one

    def forward(self, xt, t):
        """The noise, by the mean and the variance of your q_xt_x0; (B, C, H, W)."""
        mean, variance = diffusion.q_xt_x0(self.images[: len(xt)], t)
        return (xt - mean) / variance**0.5


args.nb_save = None  # draw without saving pictures
oracle = KnowsTheImages(digits[torch.arange(SAMPLES) % 16])
oracle_trainer = Trainer(args, oracle, DenoiseDiffusion(oracle, STEPS, args.device))
drawn = oracle_trainer.sample()
both = torch.cat([oracle.images[:8], drawn[:8]])
finish(pictures.grid(both, title="known (above), drawn (below)"), show=True)
print(f"largest difference: {(drawn - oracle.images).abs().max().item():.3f}, should be below 0.1")

# %% [markdown]
# *Experiment.* The same in steps. The first picture is pure noise, the last one the images, and there are as many
# columns as you asked for. They are named as in the paper, where $x_T$ is the noise and $x_0$ the image. Notice how
# late the digits show.

# %%
stops = sorted({round(share * STEPS / 10) for share in range(11)})  # steps performed; 0 is the initial noise
kept = oracle_trainer.generate_intermediate_samples(n_samples=3, img_size=IMAGE_SIZE, steps_to_show=stops)
print(f"{len(kept)} pictures, should be {len(stops)}")
steps = torch.stack([torch.from_numpy(images) for images in kept])  # (11, 3, 1, H, W)
left = [STEPS - stop for stop in stops]  # steps that are still to be done
title = "with a network that knows the images"
finish(pictures.reverse_process(steps, columns=11, title=title, times=left), show=True)

# %% [markdown]
# ## The network, before training
#
# The network is given in `ddpm_utils/unet.py`: a U-Net that is told the time by sines and cosines.
#
# *Experiment.* Samples of a network with random weights: noise that nobody has removed.

# %%
torch.manual_seed(SEED)
eps_model = UNet(c_in=args.image_channels, c_out=args.image_channels)
diffusion = DenoiseDiffusion(eps_model=eps_model, n_steps=STEPS, device=args.device)
trainer = Trainer(args, eps_model, diffusion)
print(f"{sum(weights.numel() for weights in eps_model.parameters()):,} weights")
finish(pictures.grid(trainer.sample()[:8], title="untrained"), show=True)

# %% [markdown]
# ## Training
#
# **Question 2.1.3.** The training loop is given in `lab/training.py`; it calls your `loss`. Every few epochs it draws
# nine samples, shows them here and saves them to `images/`, where **question 2.1.4** finds its samples of at least
# four epochs. The weights go to `eps_model.pkl`.

# %%
args.nb_save = 5
batches = Batches(dataset.images, batch_size=BATCH_SIZE, device=args.device, shuffle=True, drop_last=True)
trainer.train(batches)

# %% [markdown]
# The loss of each step of the optimizer: a steep fall at the start, then a slow one. It stays noisy to the end, since
# each batch has other times, and the noise is much easier to see at some times than at others.

# %%
losses = [{"step": step, "loss": loss} for step, loss in enumerate(trainer.loss_per_iter, 1)]
finish(pictures.curves(losses, x="step", ylabel="squared error per image"), show=True)

# %% [markdown]
# ## Samples

# %%
torch.manual_seed(SEED)
args.nb_save = None
eps_model.eval()
finish(pictures.grid(trainer.sample(), title=f"after {trainer.current_epoch} epochs"), show=True)

# %% [markdown]
# ## The reverse process
#
# Eleven pictures at equal distances, from noise (left) to image (right).

# %%
torch.manual_seed(SEED)
kept = trainer.generate_intermediate_samples(n_samples=4, img_size=IMAGE_SIZE, steps_to_show=stops)
steps = torch.stack([torch.from_numpy(images) for images in kept])  # (11, 4, 1, H, W)
finish(pictures.reverse_process(steps, columns=11, title="reverse process", times=left), show=True)

# %% [markdown]
# **Question 2.1.5.** Most of these columns show noise. For the report, choose the steps so that one can see how a digit
# comes into being: six of them at least, with the step or the time written at each; 0, 100, 500, 800, 900, 950, 980
# and 1000 is a good choice for T = 1000. `pictures.reverse_process` draws the table, with one of `times` for each
# column. Describe what appears when, and explain it with the schedule that you have drawn above.

# %% solved="your figure for question 2.1.5"
torch.manual_seed(SEED)
late_stops = sorted({round(share * STEPS) for share in (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0)})
kept = trainer.generate_intermediate_samples(n_samples=4, img_size=IMAGE_SIZE, steps_to_show=late_stops)
steps = torch.stack([torch.from_numpy(images) for images in kept])  # (8, 4, 1, H, W)
times_left = [STEPS - stop for stop in late_stops]
finish(pictures.reverse_process(steps, columns=8, title="how a digit comes into being", times=times_left), show=True)

# %% [markdown]
# ## Come back later
#
# The trained network survives the notebook. This cell reads it back, and says whether it found the file:

# %%
restored = UNet(c_in=1, c_out=1)
print(load_weights(restored, args.MODEL_PATH))

# %% [markdown]
# ## Before you hand in
#
# Restart the kernel and run everything from the top. Then make the files, in a terminal in the folder of the
# assignment (on Colab, download the notebook into that folder first):
#
# ```
# python -m tools.export 2_ddpm.ipynb
# pytest
# ```
#
# The first line writes `q2_ddpm.py` and `q2_trainer_ddpm.py`, the second checks them, as far as this can be done
# without the autograder. `python -m tools.zip` packs everything when all parts are finished.
