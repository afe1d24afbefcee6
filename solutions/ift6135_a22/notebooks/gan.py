# %% [markdown]
# # Part 2. A generative adversarial network
#
# Two networks play against each other. The **generator** makes house numbers out of noise, the **discriminator** has
# to tell them from real ones, and each learns from the mistakes of the other. Nobody ever writes down what makes an
# image good: the discriminator finds that out.
#
# You write the two losses of this game and watch it being played.

# %% [markdown]
# **How this notebook works.** Cells that begin with `#| export gan.py` are what you hand in. Fill in their TODOs, and
# keep the names of functions and parameters. All other cells are experiments: run them, change them, add your own.
#
# Go from top to bottom. An experiment that needs something you have not written yet stops with an error that names
# it. No single answer of question 2.1 takes more than a few lines.

# %% [markdown]
# **The papers**, with the short names used below:
#
# - **GAN**: Goodfellow et al. 2014, *Generative Adversarial Nets*, arXiv 1406.2661
# - **DCGAN**: Radford, Metz & Chintala 2016, *Unsupervised Representation Learning with Deep Convolutional Generative
#   Adversarial Networks*, arXiv 1511.06434

# %% [markdown]
# ## Settings
#
# All sizes of the experiments are here. These values take five to ten minutes on a processor and far less on a GPU:
# enough to see strokes form, and a few digits among them. The values for the report are in the comments.

# %% tags=["parameters"]
EPOCHS = 30  # report: 25, of all images
LIMIT = 8000  # training images; report: None, which means all 73 257
BATCH_SIZE = 64  # the DCGAN paper: 128
RESUME = False  # True: go on from the last finished epoch

SAMPLES = 32  # images in a picture
POINTS = 10  # images between two points of the noise, both ends included
SEED = 1

# %% file="gan.py" take="imports"

# %%
# For the experiments of this notebook only
from pathlib import Path

from IPython.display import Image, display
from lab import pictures
from lab.figures import finish
from torch.nn import functional as F

# %% file="gan.py" take="gen_lr, disc_lr, batch_size, epochs, z_dim, image_size, input_channels, device"

# %% [markdown]
# ## The data
#
# SVHN: house numbers, 32 × 32 pixels, in colour. `Batches` gives values in $[0, 1]$; the networks work in $[-1, 1]$,
# because the last layer of the generator is a hyperbolic tangent. Pictures need $[0, 1]$ again.

# %%
torch.manual_seed(SEED)
images, _ = load("svhn", "train", limit=LIMIT)  # uint8 (N, 3, 32, 32)
batches = Batches(images, batch_size=BATCH_SIZE, device=device, shuffle=True, drop_last=True)
real_samples = 2 * next(iter(batches)) - 1  # one batch, (BATCH_SIZE, 3, 32, 32) in [-1, 1]
print(f"{batches.n_images} images in {len(batches)} batches, from {real_samples.min():.2f} to {real_samples.max():.2f}")
finish(pictures.grid((real_samples[:SAMPLES] + 1) / 2, title="real images"), show=True)

# %% [markdown]
# ## The game
#
# The noise $z \sim \mathcal{N}(0, I)$ becomes an image $G(z)$; $D(x)$ is the probability, according to the
# discriminator, that $x$ is real. The two play a minimax game over one value (GAN, Eq. 1):
#
# $$
# \min_G \max_D \; V(D, G) =
# \mathbb{E}_{x \sim p_{\mathrm{data}}} \left[ \log D(x) \right] +
# \mathbb{E}_{z \sim p_z} \left[ \log \left( 1 - D(G(z)) \right) \right]
# $$

# %% [markdown]
# **Where does it end?** For a fixed generator with density $p_g$, the best discriminator is (GAN, Eq. 2)
#
# $$
# D^*(x) = \frac{p_{\mathrm{data}}(x)}{p_{\mathrm{data}}(x) + p_g(x)}
# $$
#
# and the game is over when $p_g = p_{\mathrm{data}}$: then $D^* = 1/2$ everywhere and $V = -2 \log 2 \approx -1.386$
# (GAN, Theorem 1). Keep this number in mind: it comes back in every loss below.

# %% [markdown]
# **What the generator minimises.** At the beginning its images are easy to recognise, so that $D(G(z))$ is near 0. In
# the minimax game it would minimise $\log(1 - D(G(z)))$, which is flat just there. GAN, section 3, therefore has it
# *maximise* $\log D(G(z))$: the same goal, with a strong gradient where the generator is bad. This is called the
# **non-saturating** loss.
#
# The next figure has both as functions of the logit $\ell$ that the discriminator gives a generated image, where $D =
# \mathrm{sigmoid}(\ell)$. Look at the left, where the discriminator is sure that the image is generated. Which of the
# two lines has a slope?

# %%
logits = torch.linspace(-6, 6, 49)
saturating, non_saturating = -F.softplus(logits), F.softplus(-logits)
rows = zip(logits.tolist(), saturating.tolist(), non_saturating.tolist(), strict=True)
lines = [{"logit": logit, "log(1 - D)": first, "-log D": second} for logit, first, second in rows]
finish(pictures.curves(lines, x="logit", ylabel="what the generator minimises"), show=True)

# %% [markdown]
# ## The networks
#
# They are given, and follow the advice of DCGAN (section 3): no pooling, but convolutions with strides; batch
# normalisation, except where an image enters or leaves; ReLU in the generator, leaky ReLU in the discriminator. All
# weights are drawn from a normal distribution with standard deviation 0.02 (DCGAN, section 4).
#
# The discriminator ends **without a sigmoid**: it returns a logit, any real number, of shape (B, 1, 1, 1).

# %% file="gan.py" take="weights_init, Generator, Discriminator"

# %% file="gan.py" take="generator, discriminator"

# %%
z = torch.randn(BATCH_SIZE, z_dim, 1, 1, device=device)
fake_samples = generator(z)
for network, x in ((generator, z), (discriminator, fake_samples)):
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{type(network).__name__}: {tuple(x.shape)} -> {tuple(network(x).shape)}, {weights} weights")
title = "images of the untrained generator"
finish(pictures.grid((fake_samples[:8].detach() + 1) / 2, title=title), show=True)

# %% [markdown]
# ## Question 2.1: optimizers
#
# Two players, two optimizers: each one moves the weights of **one** network. Both are Adam, with the learning rates
# `disc_lr` and `gen_lr` and the coefficients $(\beta_1, \beta_2) = (0.5, 0.999)$. The default $\beta_1 = 0.9$
# averages gradients over many steps. In this game the opponent changes at every step, and DCGAN (section 4) found the
# training unstable with it.
#
# *Careful*: an optimizer with the wrong network's weights raises no error. It trains the wrong player.

# %% file="gan.py" take="discriminator_optimizer, generator_optimizer"

# %% [markdown]
# Compare with the numbers of weights above.

# %%
for name, optimizer in (("discriminator", discriminator_optimizer), ("generator", generator_optimizer)):
    group = optimizer.param_groups[0]
    weights = sum(weight.numel() for weight in group["params"])
    print(f"{name}: {weights} weights, lr {group['lr']}, betas {group['betas']}")

# %% [markdown]
# ## Question 2.1: criterion
#
# Both losses are binary cross-entropies. For a logit $\ell$ and a target $y$, which is 1 or 0,
#
# $$
# c(\ell, y) = - y \log \mathrm{sigmoid}(\ell) - (1 - y) \log \left( 1 - \mathrm{sigmoid}(\ell) \right)
# $$
#
# averaged over the batch. PyTorch has this function in two versions: one that takes **logits** and one that takes
# **probabilities**. What does our discriminator return? Exactly one sigmoid has to be applied between the networks
# and the logarithm: neither none nor two.

# %% file="gan.py" take="criterion"

# %% [markdown]
# An undecided discriminator has the logit 0 and costs $\log 2 = 0.6931$, whatever the target is. With logit 5 it is
# sure of itself: that should cost 0.0067 where it is right, and 5.0067 where it is wrong.

# %%
ones, zeros = torch.ones(4, 1, 1, 1, device=device), torch.zeros(4, 1, 1, 1, device=device)
print(f"undecided:       {criterion(0 * ones, ones):.4f} and {criterion(0 * ones, zeros):.4f}")
print(f"sure and right:  {criterion(5 * ones, ones):.4f}")
print(f"sure and wrong:  {criterion(5 * ones, zeros):.4f}")

# %% [markdown]
# Why logits? A discriminator that is very sure and wrong should pay a price that is large, but finite. Going through
# the probability loses it: in float32, the sigmoid of $-200$ is 0. Your criterion should say 200.

# %%
print("by the probability:", -torch.sigmoid(torch.tensor(-200.0)).log().item())
print("by the criterion:  ", criterion(-200 * ones, ones).item())

# %% [markdown]
# ## Question 2.1: `discriminator_train`
#
# The discriminator maximises $V$, in other words it minimises
#
# $$
# L_D = \mathbb{E}_x \left[ c(\ell(x), 1) \right] + \mathbb{E}_z \left[ c(\ell(G(z)), 0) \right]
# $$
#
# with a mean over the batch in the place of each expectation. This is GAN, Algorithm 1, with the sign of a loss.

# %% [markdown]
# Before you write it:
#
# - $L_D$ is the **sum** of the two means. Half of it is a common mistake.
# - A target has the shape of the logits, and lies on the same device.
# - Use the network that the function *receives*: it is not always the global one, as the next experiment shows.
# - The function computes a loss and nothing else. No `zero_grad`, no `backward`, no `step`.

# %% file="gan.py" take="discriminator_train"

# %% [markdown]
# First, a discriminator that is always undecided: the loss must be exactly $2 \log 2 = 1.3863$. Then one whose logit
# is ten times the first pixel, so that it takes white images for real and black ones for generated. It should lose
# almost nothing when that is right, and 20 when it is the wrong way round.


# %%
def undecided(x):
    """A discriminator that always has the logit 0."""
    return 0 * x[:, :1, :1, :1]


def white_is_real(x):
    """A discriminator that is sure: logit 10 for a white image, -10 for a black one."""
    return 10 * x[:, :1, :1, :1]


white = torch.ones(4, 3, 32, 32, device=device)
black = -white
print(f"undecided:       {discriminator_train(undecided, generator, white, black):.4f}")
print(f"right:           {discriminator_train(white_is_real, generator, white, black):.4f}")
print(f"the wrong way:   {discriminator_train(white_is_real, generator, black, white):.4f}")

# %% [markdown]
# Now the real thing. An untrained discriminator knows nothing, but by chance it leans to one side. So the loss is not
# quite 1.39: anything between 1 and 2 is fine.

# %%
loss = discriminator_train(discriminator, generator, real_samples, fake_samples.detach())
print(f"untrained discriminator: {loss:.4f}, of shape {tuple(loss.shape)}")

# %% [markdown]
# **Which gradient goes where?** The training loop gives `discriminator_train` generated images *after* `.detach()`.
# The next cell measures the gradient that arrives in each network, with `.detach()` and without. Remember both lines
# when you come to question 2.3.


# %%
def gradient_norms(loss):
    """Say how large the gradient of a loss is in each network."""
    networks = {"discriminator": discriminator, "generator": generator}
    for network in networks.values():
        network.zero_grad()
    loss.backward()
    for name, network in networks.items():
        gradients = [weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]
        norm = f"{torch.cat(gradients).norm():.2f}" if gradients else "no gradient"
        print(f"    {name}: {norm}")


print("with detach")
gradient_norms(discriminator_train(discriminator, generator, real_samples, generator(z).detach()))
print("without detach")
gradient_norms(discriminator_train(discriminator, generator, real_samples, generator(z)))

# %% [markdown]
# ## Question 2.1: `generator_train`
#
# The generator wants its images to be taken for real ones. The non-saturating loss is
#
# $$
# L_G = \mathbb{E}_z \left[ - \log D(G(z)) \right] = \mathbb{E}_z \left[ c(\ell(G(z)), 1) \right]
# $$
#
# *Careful*: here the images arrive *with* their graph, the way back to the weights of the generator. If you cut it
# anywhere, the loss has the right value and the generator learns nothing. And think again about the target: the same
# images had another one in `discriminator_train`.

# %% file="gan.py" take="generator_train"

# %% [markdown]
# An undecided discriminator: $\log 2 = 0.6931$. One that is fooled: almost 0. One that is not: 10.

# %%
print(f"undecided:   {generator_train(undecided, generator, white):.4f}")
print(f"fooled:      {generator_train(white_is_real, generator, white):.4f}")
print(f"not fooled:  {generator_train(white_is_real, generator, black):.4f}")

# %% [markdown]
# And with untrained networks: between 0.3 and 2, to whichever side this discriminator leans. The gradient has to
# arrive at the generator. It passes through the discriminator on its way, and what it leaves there must not move the
# discriminator's weights. Look for the lines of `train_step`, further below, that see to this.

# %%
loss = generator_train(discriminator, generator, generator(z))
print(f"untrained networks: {loss:.4f}, of shape {tuple(loss.shape)}")
gradient_norms(loss)

# %% [markdown]
# ## Question 2.1: `sample` and `interpolate`
#
# `sample` draws $z \sim \mathcal{N}(0, I)$ and returns the images. It needs no gradient, and a graph that nobody uses
# costs memory. Which shape does the generator want its noise in?

# %% file="gan.py" take="sample"

# %%
samples = sample(generator, SAMPLES)
print(f"{tuple(samples.shape)} from {samples.min():.2f} to {samples.max():.2f}, with a graph: {samples.requires_grad}")

# %% [markdown]
# `interpolate` walks from one point of the noise to another in equal steps, both ends included, and returns the image
# at each stop (DCGAN, section 6.1). If the images change smoothly, and every one of them could be a house number, the
# generator has learned more than a list of images.
#
# *Careful* with shapes: the points are (1, z_dim, 1, 1), and the images are `n_samples` along the **first** axis.

# %% file="gan.py" take="interpolate"

# %% [markdown]
# The first image is that of `z_1`, and the last one that of `z_2`: both differences should be 0, or a rounding error.
#
# We call `generator.eval()` first. In training mode, a batch normalisation uses mean and variance of its batch: the
# image of a point then depends on the points beside it. Always draw your figures in evaluation mode.

# %%
generator.eval()
z_1, z_2 = torch.randn(2, 1, z_dim, 1, 1, device=device)  # (1, z_dim, 1, 1) each
between = interpolate(generator, z_1, z_2, POINTS)
print(tuple(between.shape))
for place, point in ((0, z_1), (-1, z_2)):
    print(f"difference at the end {place}: {(between[place] - generator(point)[0]).abs().max():.1e}")

# %% [markdown]
# ## Training
#
# One step of the discriminator, then one step of the generator, on the same generated images. This function is given;
# read it line by line and say for each one whose gradients it changes.

# %% file="gan.py" take="train_step"

# %% [markdown]
# The loop is that of the script. After each epoch it prints the mean losses and writes checkpoint, curves and
# wall-clock time to the folder of `output`; after epochs 1, 5, 10 ... also a picture, always of the same 16 points of
# noise, so that you can follow them. If the notebook is closed half-way, open it, set `RESUME = True` in the settings
# and run it from the top: the training goes on from the last finished epoch.
#
# What to expect: two undecided networks would be at 1.386 and 0.693. If the loss of the discriminator falls to 0 and
# stays there, it has won, and the generator gets little to learn from. If all images of a picture look alike, the
# generator has found one image that works, and makes only that (**mode collapse**).

# %%
run = Run(
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    device=device,
    data_root=None,
    limit=LIMIT,
    seed=SEED,
    resume=RESUME,
    output=Path("results/gan_notebook"),
    small=False,
    figures=False,
)
if not RESUME:
    for old in run.output.glob("samples_epoch_*.png"):
        old.unlink()  # of a training before this one
parts = {
    "generator": generator,
    "discriminator": discriminator,
    "generator_optimizer": generator_optimizer,
    "discriminator_optimizer": discriminator_optimizer,
}
torch.manual_seed(SEED)
fixed_z = torch.randn(16, z_dim, 1, 1, generator=torch.Generator().manual_seed(SEED)).to(device)
train(run, parts, batches, lambda real: train_step(2 * real - 1), draw=lambda: generator(fixed_z))

# %% [markdown]
# The same noise, from the first epoch to the last. What comes first: colours, backgrounds, edges, digits?

# %%
for path in sorted(run.output.glob("samples_epoch_*.png")):
    display(Image(filename=path))

# %%
losses = [{key: row[key] for key in ("epoch", "discriminator", "generator")} for row in load_parts(run, parts)]
finish(pictures.curves(losses, x="epoch", ylabel="loss, mean of the epoch"), show=True)

# %% [markdown]
# Hold the curves beside the images. While the images improve, what does the loss of the generator do? Would you know
# from the curves alone when to stop?

# %% [markdown]
# ## Question 2.2: your samples
#
# **(a), (b)** How many of them can be read as a digit? Are they sharp or blurred, do some come back? Put them beside
# the samples of your VAE. The title says what was trained: your caption needs that too.

# %%
generator.eval()
discriminator.eval()
title = f"{EPOCHS} epochs of {batches.n_images} images, batches of {BATCH_SIZE}"
samples = sample(generator, SAMPLES)
finish(pictures.grid((samples + 1) / 2, title=title), show=True)

# %% [markdown]
# What does the discriminator think of them? Above each image stands $D(x)$, the least convincing image first. Do you
# agree with its order?

# %%
with torch.no_grad():
    realness = torch.sigmoid(discriminator(samples)).flatten()
order = realness.argsort()
marks = [f"{value:.2f}" for value in realness[order].tolist()]
finish(pictures.grid((samples[order] + 1) / 2, labels=marks, title="D(x) of generated images"), show=True)

# %% [markdown]
# **(c)** Interpolation. The upper row walks through the space of the noise, the lower one mixes the pixels of the
# first and the last image. Both rows have the same ends. Where in the upper row does one image become another? What
# do you see in the middle of the lower row that you do not see in the upper one?

# %%
shares = torch.linspace(0, 1, POINTS, device=device).view(-1, 1, 1, 1)
for _ in range(3):
    z_1, z_2 = torch.randn(2, 1, z_dim, 1, 1, device=device)
    latent = interpolate(generator, z_1, z_2, POINTS)
    pixel = (1 - shares) * latent[:1] + shares * latent[-1:]
    finish(pictures.interpolations((latent + 1) / 2, (pixel + 1) / 2), show=True)

# %% [markdown]
# ## Questions 2.3 and 2.4
#
# For the report, in your own words; the handout says what is looked for. Two things to try for **2.3**, one at a
# time, in a copy of `train_step` with another name: take `.detach()` away; take a `zero_grad` away. Read the error,
# or measure the gradients as above.
#
# For **2.4**, take a real image and ask: which cell of this notebook would give me its $z$? Its likelihood? Features
# of it?

# %% [markdown]
# ## Before you hand in
#
# - For the report, train with the values in the comments of *Settings*, in this notebook or with `gan.py`, which makes
#   the same figures as files. A processor alone does better with `python gan.py --small`.
# - `python -m tools.export gan.ipynb` brings what you wrote here into `gan.py`.
# - `pytest` runs the public checks, and `python -m tools.zip` makes the file to hand in.
