# %% [markdown]
# # A denoising diffusion model for house numbers
#
# Noise is easy to make: add a little of it to an image, a thousand times. You build the way back: a network that looks
# at a noisy image and says which part of it is noise. Applied a thousand times to pure noise, it makes new house
# numbers. You write coefficients, noising, denoising and loss; network and training loop are given.
#
# The paper: **DDPM** is Ho, Jain & Abbeel 2020, *Denoising Diffusion Probabilistic Models*, arXiv 2006.11239. Equations
# are named by their numbers there.

# %% [markdown]
# ## How to work here
#
# Cells that begin with `#| export` hold the code that you hand in. Where one says `TODO`, write your code in the place
# of the line `raise NotImplementedError(...)`, or of each `None`, run the cell, and go on to the experiments below it.
# They need no change: each tells you what you should see.

# %% [markdown]
# ## Settings
#
# All sizes of this notebook stand here. With these the training takes ten to twenty minutes on the processor of a
# laptop, and the samples begin to look like house numbers; a GPU can have more. The published sizes stand beside them.
# The number of steps is no setting: T = 1000 throughout.

# %% tags=["parameters"]
LIMIT = 8000  # training images; published: None, which means all 73 257
EPOCHS = 20  # published: 25 to 30, your handout names the number
BATCH_SIZE = 64
PUBLISHED_NETWORK = False  # True: the U-Net of the published size, for a GPU
WIDTHS = (48, 96, 128)  # channels of the small network at its three resolutions
LEARNING_RATE = 1e-3  # published: lr, which is 1e-4
AVERAGING = 0.995  # part of the averaged weights that stays in one step
RESUME = False  # True: go on from the last finished epoch

SAMPLES = 16  # images that are drawn; each grid takes 1000 calls of the network
ROUND_TRIPS = 6  # test images that are noised and denoised again
NOISED_TO = [50, 100, 200, 300, 400, 500, 700]  # how far

# %% file="ddpm.py" take="imports"

# %% file="ddpm.py" take="device, T, beta_start, beta_end, image_size, input_channels, lr"

# %%
# For the experiments of this notebook only
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Image, display
from lab import pictures
from lab.figures import finish

torch.manual_seed(1)
print("device:", device)

# %% [markdown]
# ## The data
#
# SVHN are digits cut out of photographs of house numbers (Netzer et al. 2011): 32 x 32 pixels in colour. The model
# works with values in [-1, 1], so that the data has about the same size as the noise; only a picture wants [0, 1]. The
# two functions below go there and back.

# %%
images, _ = data.load("svhn", "train", limit=LIMIT)
test_images, _ = data.load("svhn", "test", limit=LIMIT)


def to_model(pixels: torch.Tensor) -> torch.Tensor:
    """From uint8 (N, 3, 32, 32) to float32 in [-1, 1], on the device."""
    return pixels.to(device).float() / 127.5 - 1


def to_picture(x: torch.Tensor) -> torch.Tensor:
    """From values in [-1, 1] to values in [0, 1], on the CPU."""
    return (x.detach().cpu() + 1) / 2


finish(pictures.grid(to_picture(to_model(images[:16]))), show=True)
print(len(images), "images for training,", len(test_images), "for tests")

# %% [markdown]
# ## Noising, step by step
#
# The forward process is a Markov chain (Eq. 2). In each step the image shrinks a little, and a little noise is added:
#
# $$
# q(x_t \mid x_{t-1}) = \mathcal{N} \left( \sqrt{1 - \beta_t} \, x_{t-1}, \, \beta_t I \right)
# $$
#
# The variances $\beta_t$ grow linearly from $10^{-4}$ at $t = 1$ to $0.02$ at $t = T = 1000$ (section 4). Two functions
# around them are given: the schedule, and `extract`, of which more below.
#
# *Careful*: **the paper counts from 1, the code from 0**. Index 0 belongs to $t = 1$, index 999 to $t = 1000$. From
# here on, t is the index.

# %% file="ddpm.py" take="extract"

# %% file="ddpm.py" take="linear_beta_schedule"

# %% [markdown]
# Nothing is to be filled in yet: here is the chain itself, a thousand steps from real house numbers. Why the factor
# $\sqrt{1 - \beta_t}$? It keeps the variance: what has variance 1 still has it after a step. The numbers below the
# picture are those of the last column. They should be near 0 and 1: at the end, all images are the same standard normal
# noise, and this is where the way back can begin.

# %%
TIMES = [0, 50, 100, 200, 300, 400, 600, 999]
originals = to_model(test_images[:4]).cpu()
x, chain = originals.clone(), []
for t, beta in enumerate(linear_beta_schedule(beta_start, beta_end, T)):
    x = (1 - beta).sqrt() * x + beta.sqrt() * torch.randn_like(x)
    if t in TIMES:
        chain.append(x)
finish(pictures.forward_process(to_picture(originals), [to_picture(x) for x in chain], TIMES), show=True)
print(f"mean {x.mean():.3f}, standard deviation {x.std():.3f}")

# %% [markdown]
# ## The coefficients
#
# With $\alpha_t = 1 - \beta_t$ and $\bar\alpha_t = \prod_{s=1}^{t} \alpha_s$, all that is needed later can be computed
# once, as eight tensors of shape (T,):
#
# | name | what | name | what |
# |---|---|---|---|
# | `betas` | $\beta_t$ | `sqrt_alphas_cumprod` | $\sqrt{\bar\alpha_t}$ |
# | `alphas` | $\alpha_t$ | `sqrt_one_minus_alphas_cumprod` | $\sqrt{1 - \bar\alpha_t}$ |
# | `sqrt_recip_alphas` | $1 / \sqrt{\alpha_t}$ | `alphas_cumprod_prev` | $\bar\alpha_{t-1}$, with $\bar\alpha_0 = 1$ |
# | `alphas_cumprod` | $\bar\alpha_t$ | `posterior_variance` | $\tilde\beta_t$ (Eq. 7) |
#
# where
#
# $$ \tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t} \, \beta_t $$
#
# *Careful*: `alphas_cumprod_prev` is as long as the others. It has a value at its beginning that `alphas_cumprod` does
# not have, and lacks one at its end.

# %% file="ddpm.py" take="betas"

# %% [markdown]
# **See your schedule.** Compare: `alphas_cumprod` goes from 0.9999 down to 4.04e-05, `alphas_cumprod_prev` begins with
# 1, `posterior_variance` begins with 0 and 5.45e-05 and ends with 0.02. In the second figure, where do the two roots
# cross? There an image is as much signal as noise. In the first one the two variances seem to be the same; the printed
# numbers say where they are not.

# %%
coefficients = {
    "betas": betas,
    "alphas": alphas,
    "sqrt_recip_alphas": sqrt_recip_alphas,
    "alphas_cumprod": alphas_cumprod,
    "sqrt_alphas_cumprod": sqrt_alphas_cumprod,
    "sqrt_one_minus_alphas_cumprod": sqrt_one_minus_alphas_cumprod,
    "alphas_cumprod_prev": alphas_cumprod_prev,
    "posterior_variance": posterior_variance,
}
for name, values in coefficients.items():
    print(f"{name:>30}: {values[0]:.6g}, {values[1]:.6g} ... {values[-1]:.6g}")

for chosen in (
    ["betas", "posterior_variance"],
    ["alphas_cumprod", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"],
    ["alphas", "sqrt_recip_alphas"],
):
    finish(pictures.schedules({name: coefficients[name] for name in chosen}), show=True)

# %% [markdown]
# ## Noising at once
#
# Training needs images at random times, and a thousand steps for each would be too many. A sum of normal variables is
# normal, so all steps up to t can be taken at once (Eq. 4):
#
# $$
# q(x_t \mid x_0) = \mathcal{N} \left( \sqrt{\bar\alpha_t} \, x_0, \, (1 - \bar\alpha_t) I \right)
# $$
#
# **`q_sample`** draws from it, made of the noise that it is given: training has to know this noise afterwards.
#
# *Careful*: `t` has an entry for each image, (B,), and all of them may be different. `extract` picks the entries of a
# coefficient and gives them the shape (B, 1, 1, 1), which multiplies (B, 3, 32, 32) image by image. Without it, a
# tensor (B,) goes along the *columns* of pixels, and for B = 32 there is not even an error. And the equation has a
# variance: how is noise of variance $v$ made of noise of variance 1?

# %% file="ddpm.py" take="q_sample"

# %% [markdown]
# **See your noising.** The first picture should look like that of the chain above, with other noise. The second is a
# single batch, in which each copy of an image has its own time. The table compares one value, noised 20 000 times at
# once, with the coefficients in brackets: they should agree to about 0.01.

# %%
noised = [q_sample(originals, torch.full((len(originals),), t)) for t in TIMES]
finish(pictures.forward_process(to_picture(originals), [to_picture(x) for x in noised], TIMES), show=True)

copies = q_sample(originals[:1].repeat(len(TIMES), 1, 1, 1), torch.tensor(TIMES))
finish(pictures.grid(to_picture(copies), labels=[f"t = {t}" for t in TIMES]), show=True)

value = torch.full((20000, 1, 1, 1), 0.8)
for t in TIMES:
    x = q_sample(value, torch.full((20000,), t))
    expected = 0.8 * sqrt_alphas_cumprod[t], sqrt_one_minus_alphas_cumprod[t]
    print(f"t = {t:3}: mean {x.mean():6.3f} ({expected[0]:.3f}), std {x.std():.3f} ({expected[1]:.3f})")

# %% [markdown]
# ## One step back
#
# If we knew $x_0$, the way back would be known too: $q(x_{t-1} \mid x_t, x_0)$ is normal, with the variance
# $\tilde\beta_t$ (Eq. 6 and 7). We do not know it, but a network can estimate the noise in $x_t$, and with the noise we
# have $x_0$, by Eq. 4. Put together (Eq. 11):
#
# $$
# p_\theta(x_{t-1} \mid x_t) = \mathcal{N} \left( \frac{1}{\sqrt{\alpha_t}} \left( x_t -
# \frac{\beta_t}{\sqrt{1 - \bar\alpha_t}} \, \epsilon_\theta(x_t, t) \right), \; \tilde\beta_t I \right)
# $$

# %% [markdown]
# **`p_sample`** draws from it (Algorithm 2, with $\sigma_t^2 = \tilde\beta_t$): the mean, and on top noise of this
# variance. The very last step adds none: it gives the image.
#
# *Careful*: there is an $\alpha_t$ *and* an $\bar\alpha_t$ in the mean. The noise is fresh in each step. `t_index` is
# the time as a plain number, the same for all images, so that you can ask whether this is the last step.

# %% file="ddpm.py" take="p_sample"

# %% [markdown]
# **See one step.** Three cases in which the result is known.
#
# 1. A network that answers 0 leaves of the last step the factor $1 / \sqrt{\alpha_0}$: 1.00005.
# 2. With the true noise, the last step gives the image back: the difference should be that of float32, at most about
#    1e-5.
# 3. At t = 500 with the answer 0, the result spreads around $x_t / \sqrt{\alpha_t}$ with a standard deviation of
#    $\sqrt{\tilde\beta_t}$: both numbers should be about 0.100.


# %%
def no_noise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A network that never sees any noise."""
    return torch.zeros_like(x)


start = to_model(test_images[:4])
last_step = torch.zeros(4, dtype=torch.int64, device=device)
print("1.", (p_sample(no_noise, start, last_step, 0) / start).mean().item())

noise = torch.randn_like(start)
back = p_sample(lambda x, t: noise, q_sample(start, last_step, noise), last_step, 0)
print("2.", (back - start).abs().max().item())

values = torch.full((4, 3, 100, 100), 0.5, device=device)
step_back = p_sample(no_noise, values, last_step + 500, 500)
print("3.", step_back.std().item(), posterior_variance[500].sqrt().item())

# %% [markdown]
# ## All steps back
#
# **`p_sample_loop`** begins with pure noise at the last time and goes down, one step after the other, to the image
# (Algorithm 2). The loop is given, and you write the step inside. It keeps what each step returned: (T, B, C, H, W),
# the images at the end. **`sample`** below it is given.
#
# *Careful*: `p_sample` wants the time twice, as a number and as a tensor (B,) on the device.

# %% file="ddpm.py" take="p_sample_loop"

# %% file="ddpm.py" take="sample"

# %% [markdown]
# **See the way back, without training.** Here is a network that cheats: it knows the image, and computes the noise from
# it by Eq. 4. From any noise, your loop must arrive at exactly this image: the largest difference should be far below
# 0.001. In the picture, time runs from left to right; when can you first tell the digit?


# %%
def cheat(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The noise in x, if the images are those of `start`."""
    now = int(t[0])
    return (x - sqrt_alphas_cumprod[now] * start) / sqrt_one_minus_alphas_cumprod[now]


steps = p_sample_loop(cheat, tuple(start.shape), T)
print(tuple(steps.shape), "largest difference:", (steps[-1] - start.cpu()).abs().max().item())
DOWN = list(range(T - 1, -1, -1))  # the time of each step
finish(pictures.reverse_process(to_picture(steps), times=DOWN), show=True)

# %% [markdown]
# ## The loss
#
# Training (Algorithm 1) draws a time and noise for each image, noises it, and compares the noise with its estimate. The
# paper takes the square of the difference (Eq. 14):
#
# $$
# \mathbb E_{t, x_0, \epsilon} \left[ \left\lVert \epsilon - \epsilon_\theta \left( \sqrt{\bar\alpha_t} \, x_0 +
# \sqrt{1 - \bar\alpha_t} \, \epsilon, \; t \right) \right\rVert^2 \right]
# $$
#
# In the place of the square we take the smooth L1 loss (Girshick 2015, *Fast R-CNN*, Eq. 3), averaged over all values:
#
# $$
# \ell(u) = \frac{u^2}{2} \text{ for } \lvert u \rvert \lt 1, \qquad
# \ell(u) = \lvert u \rvert - \frac{1}{2} \text{ elsewhere}
# $$
#
# It is gentler with large errors. *Careful*: **`p_losses`** draws the noise for you. The noise in the image and the
# noise that the network has to find are the same.

# %% file="ddpm.py" take="p_losses"

# %% [markdown]
# **`t_sample`** draws the times of a batch, one for each image, all from 0 to T − 1 with the same probability.
# *Careful*: whole numbers, on the device, and both ends included. Which ends does the function of torch include that
# you use?

# %% file="ddpm.py" take="t_sample"

# %% [markdown]
# **See your loss and your times.** A network that answers 0 has a loss of about 0.42, that of standard normal noise by
# itself; an untrained one answers at random, and does no better. The network that cheats has a loss of 0, up to about
# 1e-8: it finds the very noise. The times should fill the histogram evenly, from 0 to 999.

# %%
many = to_model(images[:128])
print("answer 0: ", p_losses(no_noise, many, t_sample(T, len(many))).item())
untrained = SmallUnet(widths=WIDTHS).to(device)
print("untrained:", p_losses(untrained, many, t_sample(T, len(many))).item())
print("cheating: ", p_losses(cheat, start, last_step + 500).item())

times = t_sample(T, 20000)
print(times.dtype, tuple(times.shape), "from", times.min().item(), "to", times.max().item())
figure, axis = plt.subplots(figsize=(6, 2.5))
axis.hist(times.cpu().numpy(), bins=50)
axis.set(xlabel="t", ylabel="images")
finish(figure, show=True)

# %% [markdown]
# ## Training
#
# The network is a U-Net that is told the time: it gets $x_t$ and t, and gives the noise, in the shape of $x_t$. Beside
# it we keep a running average of its weights (appendix B of the paper), from which the samples come: single steps of
# the optimizer make the weights jump about, and the samples with them.
#
# After each epoch the loop prints the mean loss and writes checkpoint, curves and wall-clock time to the folder of
# `output`; after epochs 1, 5, 10 ... also samples. The drawing takes about half a minute on a processor. If the
# notebook is closed half-way, open it, set `RESUME = True` in the settings and run it from the top: the training goes
# on.

# %%
run = epochs.Run(
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    device=device,
    data_root=None,
    limit=LIMIT,
    seed=1,
    resume=RESUME,
    output=Path("results/ddpm_notebook"),
    small=not PUBLISHED_NETWORK,
    figures=False,
)
if not RESUME:
    for old in run.output.glob("samples_epoch_*.png"):
        old.unlink()  # of a training before this one
network = Unet(dim=image_size, channels=input_channels) if PUBLISHED_NETWORK else SmallUnet(widths=WIDTHS)
network.to(device)
average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING))
optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
parts = {"model": network, "average": average, "optimizer": optimizer}


def train_step(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """Train on images in [0, 1], (B, 3, 32, 32); return the numbers of the curves."""
    loss = p_losses(network, batch * 2 - 1, t_sample(T, len(batch)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    average.update_parameters(network)
    return {"loss": loss.detach()}


batches = data.Batches(images, batch_size=BATCH_SIZE, device=device, shuffle=True, drop_last=True)
epochs.train(run, parts, batches, train_step, draw=lambda: sample(average, image_size, SAMPLES)[-1])

# %% [markdown]
# **See your curve.** From about 0.4 the loss falls fast at first, to a few hundredths, and then very slowly. The
# samples improve long after the curve looks flat: most of a noisy image is easy to guess, and the shape of a digit
# hides in the last thousandths. The last picture is the wall-clock time.

# %%
rows = epochs.load_parts(run, parts)
average.eval()
losses = [{"epoch": row["epoch"], "loss": row["loss"]} for row in rows]
finish(pictures.curves(losses, "epoch", "smooth L1"), show=True)
display(Image(filename=run.output / "time.png"))

# %% [markdown]
# ## Samples during training
#
# The first pictures are noise, or patches of black and white. This is no mistake of yours: what the network gets wrong
# at the latest times grows by $1 / \sqrt{\bar\alpha_T} = 157$ on the way to the image. And then: what comes first,
# colours, background, edges, digits?

# %%
for path in sorted(run.output.glob("samples_epoch_*.png")):
    display(Image(filename=path))

# %% [markdown]
# ## Samples, and the way to them
#
# Draws from the trained model, and below how some of them came to be. Count: how many can be read? Then look along the
# rows. For more than half of the way there seems to be nothing but noise; what does the schedule say about the signal
# at these times?

# %%
steps = sample(average, image_size, SAMPLES)
finish(pictures.grid(to_picture(steps[-1])), show=True)
finish(pictures.reverse_process(to_picture(steps[:, :6]), times=DOWN), show=True)

# %% [markdown]
# ## There and back again
#
# Noise test images up to a time $t'$, and denoise them from there. This is sampling that does not begin with pure
# noise. The further up, the less of the original is left in $x_{t'}$, and the more the model has to make up.

# %%
originals = to_model(test_images[:ROUND_TRIPS])
returned, distances = [], []
for furthest in NOISED_TO:
    x = q_sample(originals, torch.full((len(originals),), furthest, device=device))
    for t_index in range(furthest, -1, -1):
        now = torch.full((len(originals),), t_index, device=device)
        x = p_sample(average, x, now, t_index)
    returned.append(x)
    distances.append({"t'": float(furthest), "distance": (x - originals).square().mean().sqrt().item()})

# %% [markdown]
# In the picture: the original, and beside it what came back from each $t'$. Where is the digit still the same, where
# has it become another one, and what survives even there? Compare with $\sqrt{\bar\alpha_{t'}}$, the part of the
# original that is left.

# %%
finish(pictures.forward_process(to_picture(originals), [to_picture(x) for x in returned], NOISED_TO), show=True)
finish(pictures.curves(distances, "t'", "root mean square difference"), show=True)
for furthest in NOISED_TO:
    print(f"t' = {furthest}: {sqrt_alphas_cumprod[furthest]:.2f}")

# %% [markdown]
# ## From here to the report
#
# For the report, train with the sizes that your handout names: here in the settings, or by the script, which makes the
# same pictures as files. Say in the report which sizes you have used, and how long training and sampling took. And
# compare with your VAE: it makes an image by one call of a network, this model by a thousand. What do you get for it?

# %% [markdown]
# ## Before you hand in
#
# `python -m tools.export ddpm.ipynb` brings what you wrote here into `ddpm.py`. Then `pytest` runs the public checks,
# and `python -m tools.zip` makes the file to hand in.
