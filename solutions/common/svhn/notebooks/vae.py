# %% [markdown]
# # A variational autoencoder for house numbers
#
# You build a model that explains each image by a few hidden numbers, train it, draw new images from it, and measure how
# well it explains images that it has never seen. You write the mathematics; networks and training loop are given.
#
# The papers: **VAE** is Kingma & Welling 2014, *Auto-Encoding Variational Bayes*, arXiv 1312.6114. **IWAE** is Burda,
# Grosse & Salakhutdinov 2016, *Importance Weighted Autoencoders*, arXiv 1509.00519.

# %% [markdown]
# ## How to work here
#
# Cells that begin with `#| export` hold the code that you hand in. Where one says `TODO`, write your code in the place
# of the line `raise NotImplementedError(...)`, run the cell, and go on to the experiments below it. They need no
# change: each tells you what you should see.
#
# A class stands in one cell with several TODOs. You need not fill them all at once: fill one method, run the cell, run
# *its* experiment, come back. What was made from an older version of the class, such as a model, has to be made again.

# %% [markdown]
# ## Settings
#
# All sizes of this notebook stand here. With these the training takes a few minutes on the processor of a laptop; the
# published ones, which want a GPU or patience, stand beside them.

# %% tags=["parameters"]
LIMIT = 8000  # training images; published: None, which means all 73 257
EPOCHS = 15  # published: 25 to 30, your handout names the number
BATCH_SIZE = 64
FEATURES = 16  # width of both networks; published: 32
LEARNING_RATE = 1e-3  # published: lr, which is 1e-4
RESUME = False  # True: go on from the last finished epoch

SAMPLES = 32  # images that are drawn
TEST_IMAGES = 60  # images whose log-likelihood is estimated
LATENTS = [1, 3, 10, 30, 100]  # numbers K of latents in the estimate
POINTS = 11  # images of an interpolation
FACTORS = 6  # latents that are varied one by one

# %% file="vae.py" take="imports"

# %% file="vae.py" take="device, z_dim, input_channels, image_size, lr"

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
# SVHN are digits cut out of photographs of house numbers (Netzer et al. 2011): 32 x 32 pixels in colour, often with a
# piece of the neighbouring digit at the edge. The model works with values in [-1, 1]; only a picture wants [0, 1]. The
# two functions below go there and back. Mixing up the two ranges is a mistake that no error message will tell you of.

# %%
images, labels = data.load("svhn", "train", limit=LIMIT)
test_images, _ = data.load("svhn", "test", limit=LIMIT)


def to_model(pixels: torch.Tensor) -> torch.Tensor:
    """From uint8 (N, 3, 32, 32) to float32 in [-1, 1], on the device."""
    return pixels.to(device).float() / 127.5 - 1


def to_picture(x: torch.Tensor) -> torch.Tensor:
    """From values in [-1, 1] to values in [0, 1], on the CPU."""
    return (x.detach().cpu() + 1) / 2


names = [str(label) for label in labels[:16].tolist()]
finish(pictures.grid(to_picture(to_model(images[:16])), labels=names), show=True)
print(len(images), "images for training,", len(test_images), "for tests")

# %% [markdown]
# ## What is maximised
#
# An image $x$ is explained by a latent $z$ of 32 numbers. Three distributions, all normal:
#
# $$
# p(z) = \mathcal{N}(0, I), \qquad
# p_\theta(x \mid z) = \mathcal{N} \left( \mu_\theta(z), I \right), \qquad
# q_\phi(z \mid x) = \mathcal{N} \left( \mu_\phi(x), \mathrm{diag} \, \sigma_\phi^2(x) \right)
# $$
#
# the prior, the likelihood (the decoder gives its mean), and the approximate posterior (the encoder gives its mean and
# the logarithm of its variance).

# %% [markdown]
# We would like to maximise $\log p_\theta(x)$, but this is an integral over all $z$. The way out (VAE, Eq. 1 to 3): for
# *every* $q_\phi$,
#
# $$
# \log p_\theta(x) =
# \underbrace{\mathbb E_{q_\phi(z \mid x)} \left[ \log p_\theta(x \mid z) \right] -
# D_{\mathrm{KL}} \left( q_\phi(z \mid x) \parallel p(z) \right)}_{\text{ELBO}} +
# D_{\mathrm{KL}} \left( q_\phi(z \mid x) \parallel p_\theta(z \mid x) \right)
# $$
#
# The last term is not negative, so the first two are a lower bound: the *evidence lower bound*. To raise it is to make
# the images more likely, or the posterior more exact. The loss is its negative, so watch the signs: what is subtracted
# in the bound is added in the loss.

# %% [markdown]
# ## Normal distributions
#
# All three distributions are objects of one class, which keeps mean and log-variance. You write four methods.
#
# **`sample`** (VAE, section 2.4 and Eq. 10). A random draw has no derivative with respect to the numbers that describe
# its distribution. The reparameterisation moves the randomness out: noise $\epsilon \sim \mathcal{N}(0, I)$ is drawn
# first, and the sample is a function of it and of the parameters,
#
# $$ z = \mu + \sigma \odot \epsilon $$
#
# *Careful*: the class keeps `std` and `var`, and they agree only at 1.

# %% [markdown]
# **`kl`** (VAE, appendix B, here with the sign of a divergence). How far a distribution is from the prior, in nats. For
# normal distributions the integral can be solved:
#
# $$
# D_{\mathrm{KL}} = \frac{1}{2} \sum_{d=1}^{D} \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right)
# $$
#
# *Careful*: one number for each image, (B,). The sum runs over the D values of a latent and never over the batch.

# %% [markdown]
# **`nll`**, the negative log-density (VAE, appendix C.2), **with its constant**:
#
# $$
# - \log \mathcal{N}(x ; \mu, \sigma^2) =
# \frac{1}{2} \sum_{d=1}^{D} \left( \log 2 \pi + \log \sigma_d^2 + \frac{(x_d - \mu_d)^2}{\sigma_d^2} \right)
# $$
#
# It serves for images (B, 3, 32, 32) and for latents (B, 32): `dims` says which dimensions are summed over. *Careful*:
# for training the constant would not matter, for a likelihood that is compared with others it does.
#
# **`mode`**: the point of the highest density. Think of the shape of a normal distribution, and it is a short line.

# %% file="vae.py" take="DiagonalGaussianDistribution"

# %% [markdown]
# **See your samples.** Many draws of $\mathcal{N}(2, 0.5^2)$. The mean should be about 2.00 and the standard deviation
# about 0.50, and the histogram should lie under the curve. The gradients should all be different from 0: without them
# the encoder could not learn.

# %%
two, quarter = torch.full((20000, 1), 2.0), torch.full((20000, 1), 0.25)
draws = DiagonalGaussianDistribution(two, quarter.log()).sample()
print(f"mean {draws.mean():.2f}, standard deviation {draws.std():.2f}")

figure, axis = plt.subplots(figsize=(6, 3))
places = torch.linspace(0, 4, 200)
axis.hist(draws.flatten().numpy(), bins=60, density=True, alpha=0.5)
axis.plot(places, torch.distributions.Normal(2.0, 0.5).log_prob(places).exp())
axis.set(xlabel="z", ylabel="density")
finish(figure, show=True)

given = torch.zeros(2, 1, 4, requires_grad=True)  # mean and log-variance
DiagonalGaussianDistribution(given[0], given[1]).sample().sum().backward()
print("gradients of the mean:", given.grad[0])
print("of the log-variance:  ", given.grad[1])

# %% [markdown]
# **See your divergence.** It is 0 for the prior itself, 0.5 for each value with $\mu = 1, \sigma^2 = 1$, and 0.8069 for
# each with $\mu = 0, \sigma^2 = 4$. The curves are parabolas over the mean, and only one of them touches 0. Which one
# is higher at the bottom, the distribution that is too narrow or the one that is too wide?

# %%
one = torch.ones(2, 4)  # two distributions over four values
for text, q in {
    "the prior": DiagonalGaussianDistribution(0 * one),
    "mean 1": DiagonalGaussianDistribution(one),
    "variance 4": DiagonalGaussianDistribution(0 * one, math.log(4) * one),
}.items():
    print(f"{text:>10}: {q.kl() / 4}  nats for each value")

means = torch.linspace(-3, 3, 121)[:, None]  # 121 distributions over one value
figure, axis = plt.subplots(figsize=(6, 3))
for std in (0.5, 1.0, 2.0):
    normal = DiagonalGaussianDistribution(means, torch.full_like(means, 2 * math.log(std)))
    axis.plot(means, normal.kl(), label=f"standard deviation {std}")
axis.set(xlabel="mean", ylabel="KL to the prior (nats)")
axis.legend()
finish(figure, show=True)

# %% [markdown]
# **See your density.** At the mode of $\mathcal{N}(0, 1)$ the negative log-density is $\frac{1}{2} \log 2 \pi = 0.919$
# for each value, and 2822.98 for an image, which has 3072 of them. A density integrates to 1, whatever its variance:
# here is the sum over a fine grid.

# %%
image = torch.zeros(1, 3, 32, 32)
normal = DiagonalGaussianDistribution(image)
at_mode = normal.nll(normal.mode()).item()
print(f"nll at the mode: {at_mode:.2f}, for each value {at_mode / 3072:.3f}")

fine = torch.linspace(-20, 20, 4001)[:, None]  # steps of 0.01
for std in (0.5, 1.0, 3.0):
    normal = DiagonalGaussianDistribution(0 * fine + 1, torch.full_like(fine, 2 * math.log(std)))
    density = torch.exp(-normal.nll(fine, dims=[1]))
    print(f"standard deviation {std}: integral {0.01 * density.sum():.3f},", end=" ")
    print(f"highest at {fine[density.argmax()].item():.2f}, mode {normal.mode()[0].item():.2f}")

# %% [markdown]
# ## The networks
#
# Both are given. The encoder halves height and width four times, and its features are laid flat; the decoder doubles
# them four times. Read them once: you need to know what goes in and what comes out.

# %% file="vae.py" take="Encoder"

# %% file="vae.py" take="Decoder"

# %%
features = Encoder(input_channels, FEATURES, z_dim, image_size, "cpu")(torch.zeros(5, 3, 32, 32))
decoded = Decoder(input_channels, FEATURES, z_dim, image_size)(torch.zeros(5, z_dim))
print("encoder: (5, 3, 32, 32) ->", tuple(features.shape), "   decoder: (5, 32) ->", tuple(decoded.shape))

# %% [markdown]
# ## The model
#
# **`encode`** and **`decode`** turn networks into distributions: $q_\phi(z \mid x)$ over (B, z_dim), and
# $p_\theta(x \mid z)$ over images, with variance 1. `__init__` makes what you need: the encoder's features go through
# two linear layers, and the distribution class knows what to do without a log-variance.
#
# **`sample`** draws new images: latents from the *prior*, decoded. Show the most probable image of each latent: noise
# of variance 1 on top would hide it.
#
# **`forward`** gives the three things that training needs: the reconstruction, its negative log-likelihood for each
# image, and the divergence for each image. *Careful*: reconstruct from a **draw** of the posterior. The expectation in
# the ELBO is estimated with this one draw.

# %% [markdown]
# **`log_likelihood`** estimates $\log p_\theta(x)$ itself (IWAE, Eq. 8): draw K latents from the posterior of an image,
# and weigh each by how much more probable it is under the model than under the posterior,
#
# $$
# \log p_\theta(x) \approx \log \frac{1}{K} \sum_{k=1}^{K} \Gamma_k(x), \qquad
# \Gamma_k(x) = \frac{p_\theta(x \mid z_k) \, p(z_k)}{q_\phi(z_k \mid x)}, \qquad z_k \sim q_\phi(z \mid x)
# $$
#
# The estimate is too low on average, less so with every more latent (IWAE, theorem 1). K = 1 is the ELBO.
#
# *Careful*: $\Gamma_k$ is about $e^{-2900}$, and a float ends at $e^{-103}$. Never leave the logarithm;
# `torch.logsumexp` adds numbers that are given by their logarithms. And a mean of logarithms is not the logarithm of a
# mean.

# %% file="vae.py" take="VAE"

# %% [markdown]
# **See your shapes.** Posterior: (5, 32). Likelihood: (5, 3, 32, 32), all variances 1. Samples: (7, 3, 32, 32).
# `forward`: images, and twice (5,). The negative log-likelihood should be about 3100, of which 2823 are the constant of
# the normal distribution alone: an untrained network gives nearly grey images. The divergence should be below 20.

# %%
model = VAE(input_channels, FEATURES, FEATURES, z_dim, image_size, device).to(device)
five = to_model(test_images[:5])
q = model.encode(five)
p = model.decode(q.mode())
print("posterior ", tuple(q.mean.shape), tuple(q.logvar.shape))
print("likelihood", tuple(p.mean.shape), "variances", p.var.unique().tolist())
print("samples   ", tuple(model.sample(7).shape))
results = model(five)
print("forward   ", *(tuple(result.shape) for result in results))
print(f"nll {results[1].mean():.1f}, KL {results[2].mean():.2f} nats for an image")

# %% [markdown]
# **See your log-likelihood.** The line "ELBO" is one draw for each image; K = 1 should agree with it up to chance. With
# K the estimates should rise by two or three nats, and less and less. All of them are bad: the network knows nothing of
# house numbers yet.


# %%
def likelihoods(vae: VAE, x: torch.Tensor) -> list[dict[str, float]]:
    """The ELBO, and the mean estimate of log p(x) for each K of `LATENTS`."""
    vae.eval()
    with torch.no_grad():
        _, nll, kl = vae(x)
        print(f"ELBO: {-(nll + kl).mean():.2f} nats for an image")
        rows = [{"K": float(K), "log p(x)": vae.log_likelihood(x, K).mean().item()} for K in LATENTS]
    for row in rows:
        print(f"K = {row['K']:.0f}: {row['log p(x)']:.2f}")
    return rows


untrained = likelihoods(model, to_model(test_images[:TEST_IMAGES]))

# %% [markdown]
# ## Interpolation
#
# Points at equal distances on the straight line between two latents, both ends included, and the decoded image of each.
# The model was trained such that codes lie close together and fill the space around 0; if that worked, the images in
# between look like house numbers too. `lengths`, (n_samples, 1), is given: look at its first and its last value, and at
# which latent belongs there.

# %% file="vae.py" take="interpolate"

# %% [markdown]
# Two checks: as many images as asked for, and the ends of the row are the decoded ends (both differences should be 0,
# or about 1e-7).

# %%
with torch.no_grad():
    start, end = torch.randn(2, 1, z_dim, device=device)
    row = interpolate(model.eval(), start, end, POINTS)
    first, last = model.decode(start).mode(), model.decode(end).mode()
    print(tuple(row.shape), (row[:1] - first).abs().max().item(), (row[-1:] - last).abs().max().item())

# %% [markdown]
# ## Training
#
# One step of Adam for each batch, on the mean of the loss over the batch. The loop is that of the assignment's script:
# after each epoch it prints the mean loss and writes checkpoint, curves and the wall-clock time to the folder of
# `output`; after epochs 1, 5, 10 ... also a picture with test images, their reconstructions and samples.
#
# If the notebook is closed half-way, open it, set `RESUME = True` in the settings and run it from the top: the training
# goes on from the last finished epoch.

# %%
run = epochs.Run(
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    device=device,
    data_root=None,
    limit=LIMIT,
    seed=1,
    resume=RESUME,
    output=Path("results/vae_notebook"),
    small=True,
    figures=False,
)
if not RESUME:
    for old in run.output.glob("samples_epoch_*.png"):
        old.unlink()  # of a training before this one
model = VAE(input_channels, FEATURES, FEATURES, z_dim, image_size, device).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
parts = {"model": model, "optimizer": optimizer}
shown = to_model(test_images[:16])


def train_step(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """Train on images in [0, 1], (B, 3, 32, 32); return the numbers of the curves."""
    _, nll, kl = model(batch * 2 - 1)
    loss = (nll + kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.detach(), "kl": kl.detach().mean()}


def draw() -> torch.Tensor:
    """Test images, their reconstructions, and samples."""
    return torch.cat([shown, model(shown)[0], model.sample(len(shown))])


batches = data.Batches(images, batch_size=BATCH_SIZE, device=device, shuffle=True, drop_last=True)
epochs.train(run, parts, batches, train_step, draw)

# %% [markdown]
# **See your curves.** Of the loss, 2823 nats are the constant that no training can take away: look at the distance from
# there. The divergence *rises* while the loss falls. Why does it pay for the model to move away from the prior? The
# last picture is the wall-clock time.

# %%
rows = epochs.load_parts(run, parts)
model.eval()
for name in ("loss", "kl"):
    values = [{"epoch": row["epoch"], name: row[name]} for row in rows]
    finish(pictures.curves(values, "epoch", "nats per image"), show=True)
display(Image(filename=run.output / "time.png"))

# %% [markdown]
# ## Samples during training
#
# The pictures that the loop has drawn: two rows of test images, two of their reconstructions, two of samples. What
# comes first, and what comes late or never?

# %%
for path in sorted(run.output.glob("samples_epoch_*.png")):
    display(Image(filename=path))

# %% [markdown]
# ## Reconstructions and samples
#
# Images that the model has never seen, each with its reconstruction below, and then draws from the prior. How many of
# each can you read? Reconstructions are the easier task: for them the encoder has seen the answer.

# %%
with torch.no_grad():
    finish(pictures.before_after(to_picture(shown), to_picture(model(shown)[0])), show=True)
    finish(pictures.grid(to_picture(model.sample(SAMPLES))), show=True)

# %% [markdown]
# ## The log-likelihood
#
# Test images have become much more likely: by 200 nats or more. Again the estimate rises with K, by a few nats. This
# distance is a part of what the ELBO misses, $D_{\mathrm{KL}}(q_\phi(z \mid x) \parallel p_\theta(z \mid x))$. Is it
# much, compared with the divergence to the prior above?

# %%
trained = likelihoods(model, to_model(test_images[:TEST_IMAGES]))
finish(pictures.curves(trained, "K", "nats per image", xscale="log"), show=True)
gain = trained[-1]["log p(x)"] - untrained[-1]["log p(x)"]
print(f"gained by training: {gain:.1f} nats for an image")

# %% [markdown]
# ## Between two images
#
# From one test image to another: above, straight through latent space and decoded at each point; below, the two ends
# laid over each other with changing weights, in pixel space. In the middle of the lower row you see both at once. And
# above? If the rows look much alike, think of how smooth the decoded images are.

# %%
with torch.no_grad():
    codes = model.encode(shown).mode()  # (16, z_dim)
    for number in range(3):
        start, end = codes[[number]], codes[[number + 8]]  # neighbours are often of one photograph
        latent = interpolate(model, start, end, POINTS)
        weight = torch.linspace(0, 1, POINTS, device=device).view(-1, 1, 1, 1)
        pixel = latent[:1].lerp(latent[-1:], weight)
        finish(pictures.interpolations(to_picture(latent), to_picture(pixel)), show=True)

# %% [markdown]
# ## What a single latent does
#
# Not every latent is used: for an unused one the posterior is the prior for all images, and its mean stays at 0. The
# bars show how much the posterior means vary over test images, between 0 (unused) and 1 or more (it is the image that
# decides).

# %%
with torch.no_grad():
    spread = model.encode(to_model(test_images[:500])).mean.std(dim=0).cpu()
figure, axis = plt.subplots(figsize=(8, 2.5))
axis.bar(range(z_dim), spread.tolist())
axis.set(xlabel="latent", ylabel="standard deviation")
finish(figure, show=True)

# %% [markdown]
# The most used latents, one in each row: the code of one test image, in which this latent alone is moved away by the
# offset above the column. Which of them change the background, which the colour of the digit, which its shape?

# %%
offsets = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
most_used = spread.argsort(descending=True)[:FACTORS].tolist()
with torch.no_grad():
    center = model.encode(to_model(test_images[:1])).mode()  # (1, z_dim)
    moved = []
    for factor in most_used:
        codes = center.repeat(len(offsets), 1)
        codes[:, factor] += torch.tensor(offsets, device=device)
        moved.append(to_picture(model.decode(codes).mode()))
finish(pictures.traversals(torch.stack(moved), offsets, factors=most_used), show=True)

# %% [markdown]
# ## The latents of each class
#
# The mean latent of up to 500 training images of each digit. The labels were never used in training: any difference
# between the rows was found by the model on its own. Mind the scale: the prior has standard deviation 1. What do the
# large latents above have to do with the digit?

# %%
with torch.no_grad():
    vae_figures.draw_latent_profiles(model, images, labels, run)
display(Image(filename=run.output / "latent_profiles.png"))

# %% [markdown]
# ## From here to the report
#
# For the report, train with the sizes that your handout names: here in the settings, or by the script, which makes the
# same pictures as files. Say in the report which sizes you have used. Before you look at a figure, predict it: a
# likelihood of variance 1 makes a single wrong pixel cheap. What does a model do that may spend only some twenty nats
# on its latents?

# %% [markdown]
# ## Before you hand in
#
# `python -m tools.export vae.ipynb` brings what you wrote here into `vae.py`. Then `pytest` runs the public checks,
# and `python -m tools.zip` makes the file to hand in.
