# %% [markdown]
# # Part 1: a variational autoencoder for MNIST
#
# In this notebook you write the mathematics of a variational autoencoder (VAE), train it, and look at what it has
# learned. The paper is Kingma & Welling 2014, *Auto-Encoding Variational Bayes* (arXiv 1312.6114), **VAE** for short.
# The handout has the points, and the questions that you should ask yourself before you call a function finished.
#
# How to work here:
#
# - A cell whose first line begins with `#| export` goes into a file that you hand in. It has a `TODO` where your code
#   belongs: replace the line `raise NotImplementedError(...)`, and keep that first line.
# - The cells below such a cell are experiments. Run them after each change: a picture or a number tells you whether
#   to go on. If one stops with `NotImplementedError`, it says which question is still open.
# - Change experiments as you like and add your own. They are not handed in.
#
# **The idea.** An image $x$ with 784 pixels is explained by a code $z$ of 20 numbers. Codes come from the prior
# $p(z) = \mathcal N(0, I)$; a network, the *decoder*, turns a code into a distribution over images,
# $p_\theta(x \mid z)$. To learn, we should raise
# $\log p_\theta(x) = \log \int p_\theta(x \mid z) \, p(z) \, dz$ for the training images, but this integral is out of
# reach: nearly every code that the prior gives explains a particular image very badly. So a second network, the
# *encoder*, looks at the image and proposes where to search: $q_\phi(z \mid x)$, a normal distribution with diagonal
# covariance. With it comes a lower bound that can be computed (VAE, Eq. 3):
#
# $$
# \log p_\theta(x) \ge
# \underbrace{\mathbb E_{q_\phi(z \mid x)} \left[ \log p_\theta(x \mid z) \right]}_{\text{the code explains the image}}
# - \underbrace{D_{\mathrm{KL}} \left( q_\phi(z \mid x) \parallel p(z) \right)}_{\text{the code looks like the prior's}}
# $$
#
# Questions 1.1 to 1.5 build its two terms and check them, 1.6 puts them together, and 1.7 to 1.9 look at the result.

# %% [markdown]
# ## Sizes of the experiments
#
# These are the values for your report; the training takes about four minutes on one core of a CPU. Lower `LIMIT` and
# `EPOCHS` for a quick try.

# %% tags=["parameters"]
LIMIT = 60_000  # training images, and at most as many test images; published: 60_000
EPOCHS = 20  # published: 20
BATCH_SIZE = 128  # published: 128
LEARNING_RATE = 1e-3  # published: 1e-3
MC_SAMPLES = 10_000  # most samples in the Monte Carlo experiment
IMPORTANCE_SAMPLES = 200  # codes for each image where log p(x) is estimated
SAMPLES = 64  # images that are drawn
SEED = 1

# %% file="q1_vae.py" take="imports"

# %% file="q1_train_vae.py" take="imports"

# %%
from lab import pictures
from lab.figures import finish

torch.manual_seed(SEED)
device = choose_device()
print(f"torch {torch.__version__} on {device}")

# %% [markdown]
# ## The data
#
# Pixels are grey levels between 0 (black) and 1 (white). Images are float32 tensors (B, 1, 28, 28).

# %%
train_images, train_labels = load("mnist", "train", limit=LIMIT)  # uint8 (N, 1, 28, 28), int64 (N,)
test_images, test_labels = load("mnist", "test", limit=LIMIT)
train_batches = Batches(train_images, train_labels, batch_size=BATCH_SIZE, device=device, shuffle=True)
test_batches = Batches(test_images, test_labels, batch_size=BATCH_SIZE, device=device)
digits = test_images[:16].float().to(device) / 255  # (16, 1, 28, 28)

print(f"{train_batches.n_images} images to train on, {test_batches.n_images} to validate with")
finish(pictures.grid(digits, labels=[str(int(label)) for label in test_labels[:16]]), show=True)

# %% [markdown]
# How often does a pixel have which value? Most are exactly black, some exactly white, and the edges of strokes are in
# between. Keep the last group in mind for question 1.1: a target is not always 0 or 1.

# %%
for low, high, what in [(0, 0, "black"), (1, 254, "grey"), (255, 255, "white")]:
    share = ((train_images >= low) & (train_images <= high)).float().mean().item()
    print(f"{what}: {share:.1%} of all pixels")

# %% [markdown]
# ## 1.1 How likely is an image under the decoder?
#
# **Question 1.1.** The decoder gives a probability $\mu_d$ for each pixel, and the pixels are independent given the
# code (VAE, appendix C.1, Eq. 11):
#
# $$
# p(x) = \prod_{d=1}^{D} \mu_d^{x_d} (1 - \mu_d)^{1 - x_d}
# $$
#
# Return $\log p(x)$ **for each image**: `mu` and `target` are (B, D), the result is (B,).
#
# Where people stumble: a sigmoid in float32 rounds to exactly 0 or exactly 1 sooner than one thinks, and a single
# $-\infty$ or NaN spoils the gradient of the whole network. Protect yourself, without moving ordinary values.

# %% file="q1_vae.py" take="log_likelihood_bernoulli"

# %% [markdown]
# *Experiment.* A network that knows nothing answers 0.5 for each pixel, and then the target does not matter: each of
# 784 pixels should cost 0.6931 nats, −543.43 in total.

# %%
print(log_likelihood_bernoulli(torch.full((3, 784), 0.5), torch.rand(3, 784)), "should be -543.43 three times")

# %% [markdown]
# *Experiment.* For one pixel, as a function of $\mu$, for three targets. Each curve should have its top where $\mu$
# equals the target. The curve of the grey pixel stays below 0 even there: no $\mu$ makes a grey pixel certain.

# %%
mu_values = torch.linspace(0.02, 0.98, 97)  # (97,)
likelihoods = {
    f"target {value:g}": log_likelihood_bernoulli(mu_values[:, None], torch.full((97, 1), value))
    for value in (0.0, 0.4, 1.0)
}
rows = [
    {"mu": mu_values[i].item()} | {name: values[i].item() for name, values in likelihoods.items()} for i in range(97)
]
finish(pictures.curves(rows, x="mu", ylabel="log-likelihood (nats)"), show=True)

# %% [markdown]
# *Experiment.* The extreme case: right and wrong, each with full certainty. The first should be 0 or almost, the second
# very low but **finite**, and all gradients finite.

# %%
certain = torch.tensor([[0.0, 1.0], [1.0, 0.0]], requires_grad=True)  # (2, 2)
extreme = log_likelihood_bernoulli(certain, torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
extreme.sum().backward()
finite = bool(certain.grad.isfinite().all())
print(f"right: {extreme[0]:.2g}, wrong: {extreme[1]:.1f}, all gradients finite: {finite}")

# %% [markdown]
# ## 1.2 How likely is a code?
#
# **Question 1.2.** The other density of the model is the normal one with diagonal covariance (VAE, appendix C.2,
# Eq. 12):
#
# $$
# p(z) = \prod_{d=1}^{D} \frac{1}{\sqrt{2 \pi \sigma_d^2}}
# \exp \left( - \frac{(z_d - \mu_d)^2}{2 \sigma_d^2} \right)
# $$
#
# Return $\log p(z)$ for each sample, (B, D) to (B,), with the constant. Networks give `logvar` $= \log \sigma^2$,
# because any real number is a valid logarithm of a variance.
#
# Where people stumble: variance and standard deviation. Write down what `logvar` is the logarithm of, and which power
# of $\sigma$ each place of the formula wants.

# %% file="q1_vae.py" take="log_likelihood_normal"

# %% [markdown]
# *Experiment.* The density of $\mathcal N(0, 1)$ at 0 has the logarithm −0.919. In 20 dimensions it is 20 times as
# much, −18.38. For $\sigma = 2$, one standard deviation off the mean, it should be −2.112.

# %%
zero = torch.zeros(1, 1)
print(f"N(0, 1) at 0: {log_likelihood_normal(zero, zero, zero).item():.3f}, should be -0.919")
wide = torch.zeros(1, 20)
print(f"20 dimensions: {log_likelihood_normal(wide, wide, wide).item():.2f}, should be -18.38")
log_four = torch.full((1, 1), 4.0).log()
print(f"N(0, 4) at 2: {log_likelihood_normal(zero, log_four, zero + 2).item():.3f}, should be -2.112")

# %% [markdown]
# *Experiment.* A density has the area 1, however narrow or wide it is. This catches a wrong constant and a wrong power
# of $\sigma$ at once.

# %%
places = torch.linspace(-30, 30, 6001)[:, None]  # (6001, 1)
for log_variance in (-3.0, 0.0, 3.0):
    density = log_likelihood_normal(
        torch.zeros_like(places), torch.full_like(places, log_variance), places
    ).exp()  # (6001,)
    print(f"logvar {log_variance:+.0f}: area {torch.trapezoid(density, places[:, 0]).item():.4f}")

# %% [markdown]
# ## 1.3 Averages of tiny probabilities
#
# **Question 1.3.** Likelihoods of images are numbers like $e^{-1000}$. You will want to average such numbers over
# several codes (at the end of this notebook you do), but no floating-point format can hold them:

# %%
y = torch.tensor([[-1000.0, -1000.0], [1000.0, 1000.0], [0.0, math.log(3.0)]])  # (3, 2)
print("the obvious way:", y.exp().mean(dim=1).log())

# %% [markdown]
# The remedy is to leave the largest value of each row outside (used for a bound in Burda et al. 2016, *Importance
# Weighted Autoencoders*, Eq. 8). For `y` of shape (B, K), return (B,):
#
# $$
# \log \left( \frac{1}{K} \sum_{k=1}^{K} e^{y_{ik} - a_i} \right) + a_i, \qquad a_i = \max_k y_{ik}
# $$
#
# Where people stumble: a tensor (B, 1) and a tensor (B,) give (B, B) together, without any complaint. Try more than one
# row.

# %% file="q1_vae.py" take="log_mean_exp"

# %% [markdown]
# *Experiment.* The same three rows, which should give −1000, 1000 and $\log 2 \approx 0.693$.

# %%
print("your way:       ", log_mean_exp(y))

# %% [markdown]
# *Experiment.* Rows that lie far apart from each other, in one batch: −900 and 850, exactly.

# %%
print(log_mean_exp(torch.tensor([[-900.0] * 4, [850.0] * 4])))

# %% [markdown]
# ## 1.4 The distance from the prior, in closed form
#
# **Question 1.4.** The second term of the bound compares two normal distributions with diagonal covariance:
#
# $$
# D_{\mathrm{KL}}(q \parallel p) = \mathbb E_{q(z)} \left[ \log q(z) - \log p(z) \right]
# $$
#
# Appendix B of the paper has the result for $p = \mathcal N(0, I)$. Derive it for any $p$ of this kind: put the two
# log-densities of 1.2 in, look at one dimension at a time, and ask what the squared distances are on average **under
# $q$**. All arguments are (B, D), the result is (B,).
#
# Where people stumble: the divergence is not symmetric. Keep track of which distribution the average belongs to.

# %% file="q1_vae.py" take="kl_gaussian_gaussian_analytic"

# %% [markdown]
# *Experiment.* Zero for equal distributions; 0.5 for two variances of 1 and means that differ by 1; and for
# $\sigma_q = 2$ against $\sigma_p = 1$ another number than the other way around (0.807 and 0.318).

# %%
same = kl_gaussian_gaussian_analytic(zero + 3, zero + 1, zero + 3, zero + 1).item()
moved = kl_gaussian_gaussian_analytic(zero + 1, zero, zero, zero).item()
wide_q = kl_gaussian_gaussian_analytic(zero, log_four, zero, zero).item()
wide_p = kl_gaussian_gaussian_analytic(zero, zero, zero, log_four).item()
print(f"equal: {same:.3f}   means 1 apart: {moved:.3f}   wide q: {wide_q:.3f}   wide p: {wide_p:.3f}")

# %% [markdown]
# *Experiment.* What the KL term asks of the encoder: cheapest is to send every image to the prior, and both a mean away
# from 0 and a variance away from 1 cost something. Too small a variance is cheaper than too large a one.

# %%
settings = torch.linspace(-3, 3, 61)[:, None]  # (61, 1)
origin = torch.zeros_like(settings)
of_mean = kl_gaussian_gaussian_analytic(settings, origin, origin, origin)  # (61,)
of_logvar = kl_gaussian_gaussian_analytic(origin, settings, origin, origin)  # (61,)
rows = [
    {"value": value, "of the mean": first, "of logvar": second}
    for value, first, second in zip(settings[:, 0].tolist(), of_mean.tolist(), of_logvar.tolist(), strict=True)
]
finish(pictures.curves(rows, x="value", ylabel="KL from N(0, 1) (nats)"), show=True)

# %% [markdown]
# ## 1.5 The same distance, from samples
#
# **Question 1.5.** Most divergences have no closed form. An average over samples always works: draw
# $z^{(k)} \sim q$ for $k = 1, \dots, K$, independently for each element of the batch, and return
#
# $$
# \frac{1}{K} \sum_{k=1}^{K} \left[ \log q(z^{(k)}) - \log p(z^{(k)}) \right]
# $$
#
# as (B,). The given lines make (B, K, D) tensors in which the K entries are the *same memory*, seen K times.
#
# Where people stumble: samples that are all alike, and samples through which no gradient flows. Section 2.4 of the
# paper says how to write a sample as a function of $\mu$, $\sigma$ and noise. And watch which dimension is summed and
# which is averaged.

# %% file="q1_vae.py" take="kl_gaussian_gaussian_mc"

# %% [markdown]
# *Experiment.* Three runs of the estimate with growing K, and the exact value. The runs should scatter around the line
# at first and close in on it, about ten times nearer for a hundred times more samples. If they close in on another
# line, one of your two functions is wrong.

# %%
torch.manual_seed(SEED)
mean_q, logvar_q, mean_p, logvar_p = torch.randn(4, 1, 5)  # (1, 5) each
exact = kl_gaussian_gaussian_analytic(mean_q, logvar_q, mean_p, logvar_p).item()
rows = []
for count in sorted({round(MC_SAMPLES ** (i / 16)) for i in range(17)}):
    row = {"number of samples": count, "closed form": exact}
    for run in (1, 2, 3):
        estimate = kl_gaussian_gaussian_mc(mean_q, logvar_q, mean_p, logvar_p, num_samples=count)
        row[f"Monte Carlo, run {run}"] = estimate.item()
    rows.append(row)
finish(pictures.curves(rows, x="number of samples", ylabel="KL(q || p) (nats)", xscale="log"), show=True)

# %% [markdown]
# *Experiment.* Does the gradient pass through the samples? For $\mathcal N(1, 1)$ against $\mathcal N(0, 1)$ the
# divergence is $\mu^2 / 2$, so that its derivative at $\mu = 1$ should come out near 1.

# %%
mean = torch.ones(1, 1, requires_grad=True)
kl_gaussian_gaussian_mc(mean, zero, zero, zero, num_samples=MC_SAMPLES).sum().backward()
print(f"derivative: {mean.grad.item():.3f}, should be about 1")

# %% [markdown]
# ## 1.6 The network and its loss
#
# The networks are given: the encoder maps 784 pixels to 400 hidden units and these to 20 means and 20 log-variances,
# the decoder goes the same way back. `reparameterize` draws one code for each image.

# %% file="q1_train_vae.py" take="VAE"

# %% [markdown]
# *Experiment.* What an untrained network makes of digits (above: the images, below: what comes back): all pixels near
# 0.5.

# %%
torch.manual_seed(SEED)
vae = VAE().to(device)
with torch.no_grad():
    reconstructions, _, _ = vae(digits[:8])  # (8, 784)
finish(pictures.before_after(digits[:8], reconstructions.view(8, 1, 28, 28), title="untrained"), show=True)

# %% [markdown]
# **Question 1.6.** The loss of a batch is the negative of the lower bound (VAE, Eq. 3), with one code per image in
# place of the expectation, and $p(z) = \mathcal N(0, I)$. It is **summed** over the batch and has no dimensions. Use
# your functions from above.
#
# Where people stumble: the bound is raised, the loss is lowered. Check each of the two signs separately.

# %% file="q1_train_vae.py" take="loss_function"

# %% [markdown]
# *Experiment.* For the untrained network the loss should be about 543 nats per image (why this number? see 1.1) plus a
# little for the KL term, so between 540 and 560.

# %%
with torch.no_grad():
    recon_images, mu, logvar = vae(digits)
    print(f"{loss_function(recon_images, digits, mu, logvar).item() / len(digits):.1f} nats")

# %% [markdown]
# ## Training
#
# The loop does what `q1_train_vae.py` does when it is started from the command line. Besides the loss, it writes down
# the KL term on its own: the price of the codes, in nats per image.

# %%
torch.manual_seed(SEED)
vae = VAE().to(device)
adam = optim.Adam(vae.parameters(), lr=LEARNING_RATE)


def run_epoch(batches, learn):
    """Go through the images once; mean loss and mean KL term per image, in nats."""
    vae.train(learn)
    total, total_kl = 0.0, 0.0
    for images, _ in batches:  # (B, 1, 28, 28)
        recon_images, mu, logvar = vae(images)
        loss = loss_function(recon_images, images, mu, logvar)
        if learn:
            adam.zero_grad()
            loss.backward()
            adam.step()
        total += loss.item()
        normal = torch.zeros_like(mu)
        total_kl += kl_gaussian_gaussian_analytic(mu, logvar, normal, normal).sum().item()
    return total / batches.n_images, total_kl / batches.n_images


history = []
for epoch in range(1, EPOCHS + 1):
    training, _ = run_epoch(train_batches, learn=True)
    with torch.no_grad():
        validation, kl = run_epoch(test_batches, learn=False)
    history.append({"epoch": epoch, "training": training, "validation": validation, "KL": kl})
    print(f"epoch {epoch:2d}  training {training:.2f}  validation {validation:.2f}, of which KL {kl:.2f}")
checkpoint.save("runs/vae/checkpoint.pt", model_state_dict=vae.state_dict())

# %% [markdown]
# For the report: the final validation loss as a number (104 or less is the goal), and this figure.

# %%
losses = [{name: row[name] for name in ("epoch", "training", "validation")} for row in history]
finish(pictures.curves(losses, x="epoch", ylabel="negative ELBO per image (nats)"), show=True)

# %% [markdown]
# The KL term over the epochs: it *grows*, although it is part of the loss. The network pays for codes, because what
# they tell about the image is worth more.

# %%
kl_terms = [{name: row[name] for name in ("epoch", "KL")} for row in history]
finish(pictures.curves(kl_terms, x="epoch", ylabel="KL term per image (nats)"), show=True)

# %% [markdown]
# *Experiment.* Reconstructions of test images, which the network has not been trained on.

# %%
vae.eval()
with torch.no_grad():
    reconstructions, _, _ = vae(digits[:8])  # (8, 784)
finish(pictures.before_after(digits[:8], reconstructions.view(8, 1, 28, 28), title="trained"), show=True)

# %% [markdown]
# *Experiment.* How much lower than $\log p_\theta(x)$ is the bound? With K codes per image from the encoder,
#
# $$
# \log p_\theta(x) \approx \log \frac{1}{K} \sum_{k=1}^{K} \frac{p_\theta(x \mid z^{(k)}) \, p(z^{(k)})}
# {q_\phi(z^{(k)} \mid x)}
# $$
#
# (Burda et al. 2016, Eq. 8), and K = 1 is the bound that you have trained with. Three of your functions work together
# here. The value should rise with K, by some nats in all, and rise ever more slowly.

# %%
pixels = digits.flatten(1)  # (16, 784)
with torch.no_grad():
    mu, logvar = (part.repeat_interleave(IMPORTANCE_SAMPLES, dim=0) for part in vae.encode(pixels))  # (16 K, 20)
    codes = vae.reparameterize(mu, logvar)  # (16 K, 20)
    log_weights = (
        log_likelihood_bernoulli(vae.decode(codes), pixels.repeat_interleave(IMPORTANCE_SAMPLES, dim=0))
        + log_likelihood_normal(torch.zeros_like(codes), torch.zeros_like(codes), codes)
        - log_likelihood_normal(mu, logvar, codes)
    ).view(len(pixels), IMPORTANCE_SAMPLES)  # (16, K)
for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
    if count <= IMPORTANCE_SAMPLES:
        usable = IMPORTANCE_SAMPLES // count * count
        groups = log_weights[:, :usable].reshape(-1, count)  # all groups of this size
        print(f"K = {count:4d}: log p(x) is about {log_mean_exp(groups).mean().item():.2f} nats")

# %% [markdown]
# ## For your report: 1.7 to 1.9
#
# The three figures are yours to make: here, in cells of your own. `vae.decode` maps codes (B, 20) to probabilities
# (B, 784). Work inside `torch.no_grad()`, give the drawing functions images (N, 1, 28, 28), and show a figure with
# `finish(figure, show=True)`; `finish(figure, path="samples.png")` saves one. The trained network is also in
# `runs/vae/checkpoint.pt`; the handout says how to load it, should you come back tomorrow.
#
# **Question 1.7: samples.** Decode codes *from the prior* and show at least 16 of the images, as the probabilities that
# the decoder gives (`pictures.grid` draws images in rows). In the report: how sharp, how varied, how real are they,
# and what in the model makes them so?

# %% solved="your figure for question 1.7"
torch.manual_seed(SEED)
with torch.no_grad():
    samples = vae.decode(torch.randn(SAMPLES, 20, device=device)).view(-1, 1, 28, 28)
finish(pictures.grid(samples, title="decoded from the prior"), show=True)

# %% [markdown]
# Before you look at single factors of the code: which ones does the network use at all? A factor that says nothing
# about the image costs nothing. Below is the KL term of each of the 20 factors, averaged over the test images.

# %%
with torch.no_grad():
    encoded = [vae.encode(images.view(-1, 784)) for images, _ in test_batches]
mu, logvar = (torch.cat(parts) for parts in zip(*encoded, strict=True))  # (N, 20) each
# one number per factor instead of their sum: let every factor of every image be a sample of its own
flat_mu, flat_logvar = mu.reshape(-1, 1), logvar.reshape(-1, 1)  # (20 N, 1) each
flat_zero = torch.zeros_like(flat_mu)
per_factor = kl_gaussian_gaussian_analytic(flat_mu, flat_logvar, flat_zero, flat_zero).view(-1, 20)  # (N, 20)
for factor, nats in enumerate(per_factor.mean(dim=0).tolist()):
    print(f"factor {factor:2d}: {nats:5.2f} nats  {'=' * round(20 * nats)}")

# %% [markdown]
# **Question 1.8: traversals.** Draw *one* code from the prior. For each of its 20 factors, decode five codes that
# differ from it in this factor alone, by five offsets wide enough for a visible change: 20 rows of 5 images.
# `pictures.traversals` draws such a table from a tensor (20, 5, 1, 28, 28) and the list of the offsets. In the report:
# what do particular factors do in *your* figure, and what follows about disentanglement?

# %% solved="your figure for question 1.8"
torch.manual_seed(SEED)
offsets = [-3.0, -1.5, 0.0, 1.5, 3.0]
z = torch.randn(20, device=device)
moves = torch.eye(20, device=device)[:, None, :] * torch.tensor(offsets, device=device)[:, None]  # (20, 5, 20)
with torch.no_grad():
    moved_images = vae.decode(z + moves).view(20, 5, 1, 28, 28)
finish(pictures.traversals(moved_images, offsets, title="one factor moved at a time"), show=True)

# %% [markdown]
# **Question 1.9: interpolation.** Draw two codes $z_0$, $z_1$ from the prior, ideally two that give different digits.
# For $\alpha = 0, 0.1, \dots, 1$ show (a) what the decoder makes of $\alpha z_0 + (1 - \alpha) z_1$, and (b) the same
# mixture of the two *images*. `pictures.interpolations` draws the two rows, each from a tensor (11, 1, 28, 28). In the
# report: what is different near $\alpha = 0.5$, and why must it be?

# %% solved="your figure for question 1.9"
torch.manual_seed(SEED)
alpha = torch.linspace(0, 1, 11, device=device)[:, None]  # (11, 1)
for pair in range(3):
    z0, z1 = torch.randn(2, 20, device=device)
    with torch.no_grad():
        latent = vae.decode(alpha * z0 + (1 - alpha) * z1).view(11, 1, 28, 28)
    pixel = alpha.view(11, 1, 1, 1) * latent[-1] + (1 - alpha).view(11, 1, 1, 1) * latent[0]
    finish(pictures.interpolations(latent, pixel, title=f"pair {pair + 1}"), show=True)

# %% [markdown]
# ## Before you hand in
#
# Restart the kernel and run everything from the top. Then make the files, in a terminal in the folder of the
# assignment (on Colab, download the notebook into that folder first):
#
# ```
# python -m tools.export 1_vae.ipynb
# pytest
# ```
#
# The first line writes `q1_vae.py` and `q1_train_vae.py`, the second checks them, as far as this can be done without
# the autograder. `python -m tools.zip` packs everything when all parts are finished.
