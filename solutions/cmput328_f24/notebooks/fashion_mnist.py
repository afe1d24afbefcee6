# %% [markdown]
# # FashionMNIST: conditional DDPM, DDIM, VAE and latent diffusion
#
# In this notebook you build four generative models of clothes, train them small, and look at what they draw:
#
# 1. a **DDPM**, which turns noise into an image in a thousand small steps,
# 2. a **DDIM**, the same network with an answer in 50 steps or fewer,
# 3. a **VAE**, which draws an image at once, from a point of a small latent space,
# 4. as a bonus, **latent diffusion**: the DDPM again, but on the latents of your VAE.
#
# All four are *class-conditional*: you say which of the ten kinds of clothes you want.
#
# The handout (`handout.md`) is the reference: points, conventions, questions to ask yourself. The notebook follows it
# question by question. Cells that begin with `#| export` are yours: what you write in them becomes `models.py` and
# `assignment.py`, which you hand in. Replace each line `raise NotImplementedError(...)`. All other cells are
# experiments: run them, change them, add your own.
#
# | short name | paper |
# |---|---|
# | DDPM | Ho, Jain & Abbeel 2020, *Denoising Diffusion Probabilistic Models* |
# | DDIM | Song, Meng & Ermon 2021, *Denoising Diffusion Implicit Models* |
# | VAE | Kingma & Welling 2014, *Auto-Encoding Variational Bayes* |
# | LDM | Rombach et al. 2022, *High-Resolution Image Synthesis with Latent Diffusion Models* |

# %% [markdown]
# ## Sizes
#
# With these numbers the whole notebook takes ten to fifteen minutes on the processor of a laptop with four cores or
# more, and the clothes can be recognised. On a GPU, or overnight, take those of the comments: then the samples are good
# enough for full marks.

# %% tags=["parameters"]
LIMIT = 20_000  # training images; for the weights that you hand in: 60_000, all of them
BATCH_SIZE = 64  # to hand in: 128
DDPM_EPOCHS = 6  # to hand in: 30; 0: no training, the weights in checkpoints/DDPM.pt are used
VAE_EPOCHS = 8  # to hand in: 30; 0 as above
LDDPM_EPOCHS = 10  # to hand in: 60; 0 as above
RESUME = False  # True: go on from the last finished epoch of an interrupted training
STEPS = None  # None: T as in assignment.py; a number such as 100: a shorter diffusion, to see everything run
DDIM_STEPS = (10, 20, 50)  # numbers of steps that are compared
SAMPLES = 50  # images that each model draws; the autograder asks for 200
TEST_LIMIT = 300  # test images, for reconstructions
SEED = 1

# %%
import csv
from time import perf_counter

import matplotlib.pyplot as plt
from classifier import CLASSES, ClassifierError, as_pixels, calc_acc, load_classifier, wilson
from lab import checkpoint, data, pictures
from lab.device import choose_device
from lab.figures import finish
from torch.utils.data import DataLoader, TensorDataset
from trainers import CHECKPOINTS, load_weights, train_ddpm_ddim, train_lddpm, train_vae

DEVICE = choose_device()
print(f"computing on {DEVICE}")

# %% [markdown]
# **One thing to keep in mind.** Your functions move to files of their own, and the variables of the notebook stay
# behind. A function that uses `DEVICE` or `pixels` runs here and fails there. All that a function needs comes through
# its arguments and `self`; the device is that of the tensors it was given.
#
# This cell has the imports of `models.py`. What your own code imports in addition belongs here.

# %% file="models.py" take="imports"

# %% [markdown]
# ## The data
#
# 28 × 28 grey pixels with a black border of two: 32 × 32, which can be halved five times. **There are two ranges**:
# the diffusion models of tasks 1 and 2 see images in $[-1, 1]$, the VAE and the latent diffusion of tasks 3 and 4
# images in $[0, 1]$. Here they are scaled for you; a model never rescales anything.

# %%
torch.manual_seed(SEED)
train_images, train_labels = data.load("fashion_mnist", "train", limit=LIMIT)  # uint8 (N, 1, 28, 28); int64 (N,)
pixels = data.pad(train_images, 32).float() / 255  # in [0, 1]; (N, 1, 32, 32)
centred = pixels * 2 - 1  # in [-1, 1]; (N, 1, 32, 32)
pixel_batches = DataLoader(TensorDataset(pixels, train_labels), batch_size=BATCH_SIZE, shuffle=True)
centred_batches = DataLoader(TensorDataset(centred, train_labels), batch_size=BATCH_SIZE, shuffle=True)

test_images, test_labels = data.load("fashion_mnist", "test", limit=TEST_LIMIT)
test_pixels = data.pad(test_images, 32).float() / 255  # (M, 1, 32, 32)

names = [CLASSES[label] for label in train_labels[:20]]
finish(pictures.grid(pixels[:20], columns=10, labels=names, title="images of the training set"), show=True)

# %% [markdown]
# ## Task 1: conditional DDPM
#
# The idea in three sentences. Destroy an image step by step with a little Gaussian noise, until nothing but noise is
# left. Each of these steps is so small that its reversal is (nearly) Gaussian too. So learn the reversals, start from
# fresh noise, and walk back to an image that nobody has seen before.
#
# A single network does all reversals. It is told the noisy image, the time $t$ and the class $c$, and says which noise
# is in the image: $\epsilon_\theta(x_t, t, c)$.

# %% [markdown]
# ### **Question 1.1.** The time as a vector
#
# A network cannot do much with one integer. So the time becomes a vector of sines and cosines at geometrically spaced
# frequencies (Vaswani et al. 2017, section 3.5), with $d$ = `dim`:
#
# $$
# \sin \left( \frac{t}{10000^{2i/d}} \right), \qquad \cos \left( \frac{t}{10000^{2i/d}} \right), \qquad
# i = 0, \dots, \frac{d}{2} - 1
# $$
#
# The fast ones tell neighbouring times apart, the slow ones early from late. From `time` (B,) to (B, `dim`); the order
# of sines and cosines is up to you.
#
# **Take care**: `time` holds integers, and what you compute has to be on its device.

# %% file="models.py" take="SinusoidalPositionEmbeddings"

# %% [markdown]
# A row of the picture is a time, a column one entry of its vector. Some columns should change quickly from top to
# bottom, others hardly at all, and every row should be different: the smallest distance between two times is not 0.

# %%
embedded = SinusoidalPositionEmbeddings(128)(torch.arange(1000))  # (1000, 128)
figure, axis = plt.subplots(figsize=(7, 4))
shown = axis.imshow(embedded, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
axis.set(xlabel="entry of the vector", ylabel="time t")
figure.colorbar(shown)
finish(figure, show=True)
distances = torch.cdist(embedded, embedded) + 1e9 * torch.eye(len(embedded))
print(f"{embedded.dtype} {tuple(embedded.shape)}; smallest distance between two times: {distances.min():.2f}")

# %% [markdown]
# ### **Question 1.2.** The network: a U-Net
#
# What goes in has the size of an image, and so has what comes out: the noise. A U-Net (Ronneberger et al. 2015; DDPM,
# appendix B) looks at the image at several resolutions. On the way down it halves the sides and sees more context; on
# the way up it doubles them again, and *skip connections* bring back the details that were lost in between.
#
# Time and class have to reach the layers. The usual way: embed both, join them in one vector, and let every block add
# it to its channels, or scale and shift them with it.
#
# The architecture is yours; so are the arguments of `__init__`, apart from `num_classes`. Room for blocks of your own
# is in the first cell.
#
# **Take care**:
# - Noise has both signs and no limits. What does that say about the last layer?
# - The autograder draws 200 images in one batch of mixed classes: an image's estimate must not depend on the others.
# - Write the shapes as comments behind the lines. When `torch.cat` complains, you will be glad.

# %% file="models.py" take="building blocks"

# %% file="models.py" take="UNet"

# %% [markdown]
# The shape should be that of the input, also for a batch of one. A few hundred thousand to two million parameters are
# plenty for these images. Another time or another class should change the result: a difference of exactly 0 means that
# it does not get through (or that your last layer starts at zero: then look again after the training).

# %%
torch.manual_seed(SEED)
untrained = UNet().eval()  # if your network wants arguments, this is the place
print(f"{sum(parameter.numel() for parameter in untrained.parameters()) / 1e6:.2f} million parameters")
with torch.no_grad():
    few, early, zeros = torch.randn(3, 1, 32, 32), torch.full((3,), 10), torch.zeros(3, dtype=torch.long)
    answer = untrained(few, early, zeros)
    print("three images:", tuple(answer.shape), " one image:", tuple(untrained(few[:1], early[:1], zeros[:1]).shape))
    print(f"another time:  {(untrained(few, early + 500, zeros) - answer).abs().max():.4f}")
    print(f"another class: {(untrained(few, early, zeros + 7) - answer).abs().max():.4f}")
    print(f"each image on its own: {(untrained(few[:1], early[:1], zeros[:1]) - answer[:1]).abs().max():.6f} (about 0)")

# %% [markdown]
# ### **Question 1.3.** The schedule, and noising in one go
#
# One step of the noising (DDPM, Eq. 2) shrinks the image a little and adds noise of variance $\beta_t$. With
# $\alpha_t = 1 - \beta_t$ and $\bar\alpha_t = \prod_{s \le t} \alpha_s$, all steps up to $t$ can be done at once
# (DDPM, Eq. 4):
#
# $$
# q(x_t \mid x_0) = \mathcal{N} \left( x_t ; \sqrt{\bar\alpha_t} x_0, (1 - \bar\alpha_t) I \right)
# $$
#
# This is why training is cheap: any time of any image is one line away.
#
# The schedule says how large $\beta_t$ is: `linear`, from $\beta_1$ to $\beta_T$ at equal distances; `quadratic`,
# where their *square roots* are at equal distances.
#
# **Take care**:
# - The papers count from 1, the code from 0. At `t = 0` there is a little noise already.
# - `time_step` is (B,), images are (B, C, H, W). Without further ado, torch joins these shapes in a way you do not
#   want, and for some sizes of the batch it does not even complain.
# - The second parameter of $\mathcal N$ is a variance.
# - `add_noise` returns the noise too, and it has to be the one that is in the images.

# %% file="models.py" take="entries of a schedule"

# %% file="models.py" take="VarianceScheduler"

# %% [markdown]
# By hand: at $t = 500$, $\sqrt{\bar\alpha_t}$ is 0.279 (linear) and 0.576 (quadratic). Which one destroys the image
# later? Why might that help the network?

# %%
scheduled = {kind: VarianceScheduler(interpolation=kind) for kind in ("linear", "quadratic")}
left = {kind: torch.cumprod(1 - it.betas.double(), dim=0).sqrt() for kind, it in scheduled.items()}
finish(pictures.schedules({kind: it.betas for kind, it in scheduled.items()}, ylabel=r"$\beta_t$"), show=True)
finish(pictures.schedules(left, ylabel=r"what is left of the image: $\sqrt{\bar\alpha_t}$"), show=True)
for kind, factors in left.items():
    print(f"{kind:9}  t = 0: {factors[0]:.5f}  t = 500: {factors[500]:.3f}  t = 999: {factors[999]:.3f}")

# %% [markdown]
# The forward process on real images, computed by your `add_noise`: first with the linear schedule, then with the
# quadratic one. On the right, nothing but noise should be left.

# %%
TIMES = [0, 10, 50, 100, 200, 350, 500, 700, 999]
for kind, schedule in scheduled.items():
    print(f"the {kind} schedule:")
    noised = [schedule.add_noise(centred[:3], torch.full((3,), t))[0] for t in TIMES]
    noised = [as_pixels(batch, "DDPM") for batch in noised]
    finish(pictures.forward_process(pixels[:3], noised, TIMES), show=True)

# %% [markdown]
# Each image of a batch has a time of its own. From left to right: the same image at growing times, in *one* call. All
# images with the same amount of noise, or stripes, would mean that the shapes were joined wrongly.

# %%
noisy_batch, its_noise = scheduled["quadratic"].add_noise(centred[:1].expand(10, -1, -1, -1), torch.arange(10) * 110)
finish(pictures.grid(as_pixels(noisy_batch, "DDPM"), columns=10), show=True)
print(f"the noise has mean {its_noise.mean():.2f} (about 0) and standard deviation {its_noise.std():.2f} (about 1)")

# %% [markdown]
# ### **Questions 1.4 to 1.6.** The DDPM
#
# **1.4, the loss.** Draw a time for each image, noise the images, let the network estimate the noise (DDPM, Eq. 14 and
# Algorithm 1; the class $c$ is our addition):
#
# $$
# L = \mathbb E_{t, x_0, \epsilon} \left[ \left\lVert \epsilon -
# \epsilon_\theta \left( \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon, t, c \right) \right\rVert^2
# \right]
# $$
#
# **1.5, one step back.** If we know the noise, we know roughly where the image lies. The mean of the step
# (DDPM, Eq. 11), and the step itself (the body of the loop of Algorithm 2):
#
# $$
# \mu_\theta(x_t, t, c) = \frac{1}{\sqrt{\alpha_t}}
# \left( x_t - \frac{\beta_t}{\sqrt{1 - \bar\alpha_t}} \epsilon_\theta(x_t, t, c) \right), \qquad
# x_{t-1} = \mu_\theta(x_t, t, c) + \sigma_t z, \qquad z \sim \mathcal{N}(0, I)
# $$
#
# For $\sigma_t^2$, both choices of section 3.2 are fine: $\beta_t$, or the posterior variance $\tilde\beta_t$ of Eq.
# 7.
#
# **1.6, all steps.** From $x_T \sim \mathcal{N}(0, I)$ through all times to the image, all samples in one batch
# (Algorithm 2).
#
# **Take care**:
# - $\alpha_t$ and $\bar\alpha_t$ both stand in Eq. 11. Which one where?
# - $\sigma_t$ is a standard deviation.
# - Algorithm 2 has $z = 0$ in its last step. Which `timestep` is that, if we count from 0?
# - The network wants the time of every image, as a tensor (B,), on the device of the images.
# - Leave $x_t$ as it is on the way. Clamping it looks harmless and distorts the noise.
#
# The first cell is room for a helper: you will need the same step again in task 4.

# %% file="models.py" take="the step itself"

# %% file="models.py" take="DDPM"

# %% [markdown]
# The sizes of your networks stand in `assignment.py`, because the autograder has to build the same networks before it
# loads your weights into them. What you find below is an example; change it if you like.

# %% file="assignment.py" take="imports, prepare_ddpm"

# %% [markdown]
# **The loss before the training.** A network that knows nothing can hardly do better than to answer 0. The squared
# error is then the variance of the noise. The number should be about 1 (with an L1 loss about 0.8), and a little
# different each time, since times and noise are random.

# %%
torch.manual_seed(SEED)
beginner = prepare_ddpm()
with torch.no_grad():
    losses = [beginner(centred[:64], train_labels[:64]).item() for _ in range(3)]
print("loss before the training:", *(f"{value:.2f}" for value in losses))

# %% [markdown]
# **One step.** We noise an image ourselves, so that we know its noise, and tell it to `recover_sample`.
# - At the last step, $t = 0$, the image should come back: a difference of about 0.
# - At $t = 500$, a repeated step should scatter: compare the spread with $\sqrt{\beta_t}$. (With $\tilde\beta_t$, it
#   is smaller by less than one in a hundred there.)

# %%
torch.manual_seed(SEED)
quadratic = VarianceScheduler(interpolation="quadratic")
stepper = DDPM(network=None, var_scheduler=quadratic)
first = torch.zeros(4, dtype=torch.long)
noisy_batch, its_noise = quadratic.add_noise(centred[:4], first)
back = stepper.recover_sample(noisy_batch, its_noise, first)
print(f"t = 0: largest difference from the image: {(back - centred[:4]).abs().max():.6f}")

middle = torch.full((1000,), 500)
noisy_batch, its_noise = quadratic.add_noise(centred[:1], middle[:1])
many = stepper.recover_sample(noisy_batch.expand(1000, -1, -1, -1), its_noise.expand(1000, -1, -1, -1), middle)
print(f"t = 500: spread {many.std(dim=0).mean():.4f}, and the root of beta is {quadratic.betas[500] ** 0.5:.4f}")

# %% [markdown]
# **The whole way back, with a network that knows the answer.** This check of the handout finds most mistakes. For a
# fixed image $x^*$, the network below always answers with the noise that leads to $x^*$:
#
# $$
# \frac{x_t - \sqrt{\bar\alpha_t} x^*}{\sqrt{1 - \bar\alpha_t}}
# $$
#
# The last image is then $x^*$, almost whatever your coefficients are. What tells is this expression on the way: it is
# noise, so its standard deviation should stay near 1. Where it drifts away, a coefficient or the added noise is wrong.
#
# In the very last steps, up to 1.3 is right if you chose $\sigma_t^2 = \beta_t$: for a known image $\tilde\beta_t$ is
# the exact variance, and $\beta_t$ is noticeably larger only there.


# %%
class KnowsTheAnswer(nn.Module):
    """A network that knows which image is behind the noise; remembers the spread of its answers."""

    num_classes = 10

    def __init__(self, image, schedule):
        super().__init__()
        self.image = image
        self.products = torch.cumprod(1 - schedule.betas.double(), dim=0).float()
        self.spreads = {}  # time -> standard deviation

    def forward(self, x, timestep, label=None):
        time = int(timestep[0])  # all images are at the same time here
        estimate = (x - self.products[time] ** 0.5 * self.image) / (1 - self.products[time]) ** 0.5
        self.spreads[time] = float(estimate.std())
        return estimate


def check_the_way(kind, **options):
    """Draw with a model of this kind whose network knows the answer, and print the spread on the way."""
    torch.manual_seed(SEED)
    network = KnowsTheAnswer(centred[:1], VarianceScheduler(interpolation="quadratic"))
    drawn = kind(network, VarianceScheduler(interpolation="quadratic")).generate_sample(8, "cpu", **options)
    times = list(network.spreads)
    print(f"{len(times)} steps, from t = {times[0]} to t = {times[-1]}; standard deviation on the way:")
    for time in [*times[:: max(1, len(times) // 10)], times[-1]]:
        print(f"  t = {time:3}: {network.spreads[time]:.2f}")
    print(f"largest difference of the last image from the right one: {(drawn - centred[:1]).abs().max():.4f}")


check_the_way(DDPM)

# %% [markdown]
# ### The training
#
# `train_ddpm_ddim` of `trainers.py` does what Algorithm 1 says, with Adam. After every epoch it writes
# `checkpoints/DDPM.pt`, **the weights to hand in**: an average over the last steps, which draws better images than the
# weights of the very last step. That is why we load them afterwards.
#
# The loss falls quickly from 1 to about 0.1, and then slowly; a good network ends below 0.07. Do not be put off by the
# slow part: the images still become better. After the first and the last epoch, an image of each class is drawn into
# `DDPM_sample.png`.


# %%
def shortened(model):
    """The model; with STEPS noising steps if that is a number: to see everything run, not to hand in."""
    if STEPS is not None:
        model.var_scheduler = VarianceScheduler(1e-4, min(20 / STEPS, 0.5), STEPS, "quadratic")
        print(f"T = {STEPS} for a try: the weights are not those for the T of assignment.py")
    return model


def fit(train, model, batches, epochs, lr):
    """Train a model with a function of trainers.py, show its loss, and give it back with the averaged weights."""
    name = type(model).__name__
    if epochs:
        resume = RESUME and (CHECKPOINTS / f"{name}.training.pt").is_file()
        train(model, batches, epochs=epochs, lr=lr, device=DEVICE, num_samples=1, resume=resume)
        with (CHECKPOINTS / f"{name}_loss.csv").open() as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        finish(pictures.curves(rows, x="epoch", ylabel=f"training loss of the {name}"), show=True)
    load_weights(model, checkpoint.load(CHECKPOINTS / f"{name}.pt"), CHECKPOINTS / f"{name}.pt")
    return model.to(DEVICE).eval()


torch.manual_seed(SEED)
ddpm = fit(train_ddpm_ddim, shortened(prepare_ddpm()), centred_batches, DDPM_EPOCHS, lr=1e-3)

# %% [markdown]
# ### From noise to clothes
#
# Now the network has to do without the answer. We draw `SAMPLES` images, all ten classes in turn, and look over the
# shoulder of your `generate_sample`: what the network is shown at each step is one column of the picture. Note how
# late the details come.

# %%
WANTED = torch.arange(SAMPLES) % 10  # the classes that are asked for
results = {}  # model -> what is printed at the end


def draw(model, wanted, way=None, **options):
    """Samples of the classes `wanted`, and the seconds that they took.

    `way` is a list that takes what the network is shown at each step, of the first six samples.
    """
    torch.manual_seed(SEED)
    if way is not None:
        hook = model.network.register_forward_pre_hook(lambda _, inputs: way.append(inputs[0][:6].cpu()))
    start = perf_counter()
    samples = model.generate_sample(len(wanted), DEVICE, labels=wanted.to(DEVICE), **options).cpu()
    seconds = perf_counter() - start
    if way is not None:
        hook.remove()
    return samples, seconds


ddpm_way = []
ddpm_samples, ddpm_seconds = draw(ddpm, WANTED, ddpm_way)
ddpm_steps = as_pixels(torch.stack([*ddpm_way, ddpm_samples[:6]]), "DDPM")
finish(pictures.reverse_process(ddpm_steps, columns=11, title="DDPM: from noise to images"), show=True)

# %% [markdown]
# ### **Question 1.7.** What are the samples worth?
#
# A column is a class. Do you recognise what you asked for? The frozen classifier of the course, which names 94% of the
# real test images correctly, is asked the same. The share that it recognises is the *accuracy*; from 85% on you get
# all points.
#
# Few samples leave a doubt: the interval (Wilson 1927) has the true accuracy in it 95 times out of a hundred. How many
# samples would it take to tell 80% from 85%?


# %%
def judge(samples, seconds, name):
    """Show samples of the classes WANTED, and print what the frozen classifier thinks of them."""
    seen = as_pixels(samples, name)
    titles = [CLASSES[label] if place < 10 else "" for place, label in enumerate(WANTED)]
    finish(pictures.grid(seen, columns=10, labels=titles, title=f"samples of the {name}"), show=True)
    results[name] = f"{100 * seconds / len(seen):8.1f} s for 100 images"
    try:
        classifier = load_classifier()
    except ClassifierError as error:
        print(f"No accuracy: {error}, or on Colab upload it beside this notebook. All else goes on.")
        return
    accuracy, score = calc_acc(classifier(seen), WANTED)
    low, high = wilson(round(accuracy * len(seen)), len(seen))
    results[name] += f"   accuracy {accuracy:6.1%}, 95% interval {low:.1%} to {high:.1%}"
    print(f"{accuracy:.1%} of {len(seen)} samples are recognised; 95% interval: {low:.1%} to {high:.1%}")
    print(f"share of the points that this accuracy earns: {score:.0%}")


judge(ddpm_samples, ddpm_seconds, "DDPM")

# %% [markdown]
# ## Task 2: conditional DDIM
#
# A thousand steps for an image are many. Song et al. noticed that the loss of the DDPM only looks at
# $q(x_t \mid x_0)$: *any* process with these marginals has the same loss, up to weights of the times
# (DDIM, theorem 1). So one may keep the network and choose another way back. Theirs takes the estimated noise to guess
# the image (DDIM, Eq. 9) ...
#
# $$
# \hat{x}_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t} \epsilon_\theta(x_t, t, c)}{\sqrt{\bar\alpha_t}}
# $$
#
# ... and noises this guess again, to an earlier time, *with the same noise* (Eq. 12):
#
# $$
# x_{t-1} = \sqrt{\bar\alpha_{t-1}} \hat{x}_0 + \sqrt{1 - \bar\alpha_{t-1} - \sigma_t^2} \epsilon_\theta(x_t, t, c) +
# \sigma_t z
# $$
#
# With $\eta$ between 0 and 1, $\sigma_t$ goes from no fresh noise to as much as a DDPM adds (Eq. 16):
#
# $$
# \sigma_t = \eta \sqrt{\frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t}} \sqrt{1 - \frac{\bar\alpha_t}{\bar\alpha_{t-1}}}
# $$
#
# Nothing in Eq. 12 needs the two times to be neighbours. So most of them can be left out (section 4.2): replace $t -
# 1$ by the time that you step to.
#
# ### **Questions 2.1 to 2.3.** Loss, one step, all steps
#
# **2.1** is the loss of 1.4. In **2.2**, `previous` is the time that the step leads to, −1 for the image itself;
# without it the step leads to $t - 1$. **2.3** goes through `steps` times from `num_steps - 1` to the image.
#
# **Take care**:
# - What the DDIM paper calls $\alpha_t$ is the $\bar\alpha_t$ of the DDPM paper.
# - An index of −1 is no error in Python: you get a number, and it is the wrong one. What is $\bar\alpha$ at the image?
# - $\epsilon_\theta$ stands in Eq. 9 and in Eq. 12, and must be the same in both.
# - A step has to know where it leads. A loop that leaves out times, and steps that lead to $t - 1$ all the same, stop
#   half-way in the noise.

# %% file="models.py" take="DDIM"

# %% file="assignment.py" take="prepare_ddim"

# %% [markdown]
# **By hand**: if the network answers 0, a step multiplies $x_t$ by $\sqrt{\bar\alpha_{t-1} / \bar\alpha_t}$. The two
# numbers of each row should agree; the last row steps to the image itself.

# %%
quadratic = VarianceScheduler(interpolation="quadratic")
products = torch.cumprod(1 - quadratic.betas.double(), dim=0)
stepper = DDIM(network=None, var_scheduler=quadratic)
ones = torch.ones(1, 1, 1, 1)
for after, before in ((999, 998), (500, 480), (19, -1)):
    stepped = stepper.recover_sample(ones, 0 * ones, torch.tensor([after]), torch.tensor([before]))
    goal = 1 if before < 0 else products[before]
    print(f"from {after:3} to {before:3}: {stepped.item():.4f}  by hand {(goal / products[after]) ** 0.5:.4f}")

# %% [markdown]
# **The network that knows the answer**, as in task 1: 50 steps, first without and then with fresh noise. The standard
# deviation should be about 1 at all times, the first time 999, and the last image the right one.

# %%
check_the_way(DDIM, steps=50, eta=0.0)
check_the_way(DDIM, steps=50, eta=1.0)

# %% [markdown]
# ### The weights
#
# Same network, same loss: if `prepare_ddim` makes the network of `prepare_ddpm`, the weights of task 1 fit, and
# training again would be a waste of time. For another network, train it instead: `ddim = fit(train_ddpm_ddim,
# prepare_ddim(), centred_batches, DDPM_EPOCHS, lr=1e-3)`.

# %%
ddim = shortened(prepare_ddim())
load_weights(ddim, checkpoint.load(CHECKPOINTS / "DDPM.pt"), CHECKPOINTS / "DDPM.pt")
checkpoint.save(CHECKPOINTS / "DDIM.pt", **ddim.state_dict())
ddim = ddim.to(DEVICE).eval()

# %% [markdown]
# ### Fewer steps
#
# One image of each class: the DDPM above, then the DDIM with $\eta = 0$. All rows of the DDIM start from the same
# noise. Nothing else is random, so you should find the same garments again in all rows, with more or fewer details
# (DDIM, section 5.2). How many steps would you pay for?

# %%
title = f"DDPM, {ddpm.var_scheduler.num_steps} steps: {ddpm_seconds * 10 / len(WANTED):.2f} s for ten images"
finish(pictures.grid(as_pixels(ddpm_samples[:10], "DDPM"), columns=10, title=title), show=True)
for count in DDIM_STEPS:
    fast, seconds = draw(ddim, torch.arange(10), steps=count, eta=0.0)
    title = f"DDIM, {count} steps: {seconds:.2f} s for ten images"
    finish(pictures.grid(as_pixels(fast, "DDIM"), columns=10, title=title), show=True)

# %% [markdown]
# The same number of steps, with and without fresh noise. A small network makes mistakes; noise in the steps washes
# some of them out, where a deterministic way carries them on. A better network needs none.

# %%
for eta in (0.0, 0.5, 1.0):
    noised_steps, _ = draw(ddim, torch.arange(10), steps=DDIM_STEPS[-1], eta=eta)
    title = f"DDIM, {DDIM_STEPS[-1]} steps, eta = {eta}"
    finish(pictures.grid(as_pixels(noised_steps, "DDIM"), columns=10, title=title), show=True)

# %% [markdown]
# ### **Question 2.4.** What are the samples worth?
#
# As in the grading, `generate_sample` is called with your defaults for everything but the labels.

# %%
ddim_samples, ddim_seconds = draw(ddim, WANTED)
judge(ddim_samples, ddim_seconds, "DDIM")

# %% [markdown]
# ## Task 3: conditional VAE
#
# A diffusion model asks its network many times for one image. A VAE asks once: it draws a point $z$ of a small latent
# space and *decodes* it. To learn this, it needs a second network that says which $z$ could have led to an image: the
# encoder $q_\phi(z \mid x, c) = \mathcal{N}(\mu, \sigma^2 I)$, with mean and variance for each value of the latent.
#
# The likelihood $\log p_\theta(x \mid c)$ itself is out of reach, but it has a lower bound (VAE, Eq. 3; here with the
# class $c$). Training lowers its negative:
#
# $$
# L = - \mathbb E_{q_\phi(z \mid x, c)} \left[ \log p_\theta(x \mid z, c) \right] +
# D_{\mathrm{KL}} \left( q_\phi(z \mid x, c) \parallel \mathcal{N}(0, I) \right)
# $$
#
# The first term wants the image back. The second keeps the latents of all images together near $\mathcal{N}(0, I)$:
# otherwise a point drawn there would lie where the decoder has never been. Both are given, the second in closed form
# (VAE, appendix B):
#
# $$
# D_{\mathrm{KL}} = \frac{1}{2} \sum_{i=1}^{n} \left( \sigma_i^2 + \mu_i^2 - 1 - \log \sigma_i^2 \right)
# $$
#
# ### **Questions 3.1 to 3.4.** The networks, the draw in the middle, and samples
#
# **3.1** the layers. **3.2** `forward` (the part before the given lines) and `decode`. Label and latent meet inside
# `decode`, which is also called from outside. **3.3** `reparameterize`: if $z$ were simply drawn from
# $\mathcal{N}(\mu, \sigma^2)$, no gradient would reach the encoder. So the randomness is moved aside (VAE, section
# 2.4):
#
# $$
# z = \mu + \sigma \odot \epsilon, \qquad \epsilon \sim \mathcal{N}(0, I)
# $$
#
# **3.4** `generate_sample`: a latent from the prior, decoded.
#
# **Take care**:
# - `logvar` is $\log \sigma^2$, not $\sigma$ and not $\log \sigma$.
# - Binary cross-entropy wants values in $[0, 1]$. How does your decoder end?
# - For task 4 the latent has to be a map (B, `latent_dim`, h, w) of at least 4 × 4 places, so at most three halvings.
# - `mid_size` is the size of what the encoder makes, before `mean_net`: how many channels has a latent?
#
# The first cell is room for helpers.

# %% file="models.py" take="running the layers"

# %% file="models.py" take="VAE"

# %% file="assignment.py" take="prepare_vae"

# %% [markdown]
# **Shapes and losses before the training.** `logvar` has the shape of `mean`; the image lies in $[0, 1]$. A decoder
# that answers 0.5 everywhere pays $1024 \ln 2 \approx 710$ for an image, so that the reconstruction should cost
# roughly that.

# %%
torch.manual_seed(SEED)
vae = prepare_vae()
with torch.no_grad():
    some = pixels[:64]
    rebuilt, latent_mean, latent_logvar = vae(some, train_labels[:64])
print(f"image {tuple(rebuilt.shape)}, from {rebuilt.min():.2f} to {rebuilt.max():.2f}")
print(f"mean {tuple(latent_mean.shape)}, log-variance {tuple(latent_logvar.shape)}")
print(f"{latent_mean[0].numel()} values for the {some[0].numel()} pixels of an image")
print(f"reconstruction loss for an image: {vae.reconstruction_loss(rebuilt, some) / len(some):.0f}")
print(f"KL for an image: {vae.kl_loss(latent_mean, latent_logvar) / len(some):.2f}")

# %% [markdown]
# **The draw.** Mean 3 and variance 0.25 should give samples with mean 3.00 and standard deviation 0.50. Gradients
# have to reach both arguments: for the mean it is 1, whatever the noise was.

# %%
torch.manual_seed(SEED)
means = torch.full((2000, *latent_mean.shape[1:]), 3.0, requires_grad=True)
logvars = torch.full(means.shape, 0.25).log().requires_grad_()
latents = vae.reparameterize(means, logvars)
latents.sum().backward()
print(f"mean {latents.mean():.2f}, standard deviation {latents.std():.2f}")
print(f"gradient of the mean: {means.grad.mean():.2f}; of the log-variance: {logvars.grad.abs().mean():.2f} (not 0)")

# %% [markdown]
# **The training.** First what the untrained VAE makes of test images, so that we see what has been learned. Even on a
# processor an epoch does not take long. The loss is per image and falls below 260.

# %%
with torch.no_grad():
    rebuilt, _, _ = prepare_vae()(test_pixels[:10], test_labels[:10])
finish(pictures.before_after(test_pixels[:10], rebuilt, title="before the training"), show=True)

torch.manual_seed(SEED)
vae = fit(train_vae, prepare_vae(), pixel_batches, VAE_EPOCHS, lr=2e-3)

# %% [markdown]
# **Reconstructions** of test images, which the VAE has not been trained on. Text on a shirt and fine patterns are
# gone: the latent has no room for them, and where the decoder is not sure, it answers with a mean.

# %%
with torch.no_grad():
    rebuilt, latent_mean, latent_logvar = (it.cpu() for it in vae(test_pixels.to(DEVICE), test_labels.to(DEVICE)))
finish(pictures.before_after(test_pixels[:20], rebuilt[:20], title="after the training"), show=True)
print(f"reconstruction loss for a test image: {vae.reconstruction_loss(rebuilt, test_pixels) / len(latent_mean):.0f}")
print(f"KL for a test image: {vae.kl_loss(latent_mean, latent_logvar) / len(latent_mean):.1f} nats")

# %% [markdown]
# **The class makes a difference.** A row is one latent from the prior, decoded as each of the ten classes. What
# stays the same in a row, what changes? The class need not be told by the latent any more; what is left for it is
# the *style*.

# %%
torch.manual_seed(SEED)
styles = torch.randn(4, *latent_mean.shape[1:])  # four latents from the prior
with torch.no_grad():
    dressed = vae.decode(styles.repeat_interleave(10, dim=0).to(DEVICE), torch.arange(10).repeat(4).to(DEVICE))
titles = [*CLASSES, *[""] * 30]
finish(pictures.grid(dressed, columns=10, labels=titles, title="four latents, ten classes each"), show=True)

# %% [markdown]
# **From one image to another.** The two test images of a class whose latents are farthest apart, and what lies between
# them: through latent space above, through pixel space below. Mixed pixels show both images at once; mixed latents
# should look like *one* garment at each place. Try other classes.

# %%
shares = torch.linspace(0, 1, 9)
for kind in (8, 9):  # bags and ankle boots
    members = latent_mean[test_labels == kind]  # (K, *latent)
    apart = torch.cdist(members.flatten(1), members.flatten(1))  # (K, K)
    one, other = members[apart.argmax() // len(members)], members[apart.argmax() % len(members)]
    between = torch.stack([torch.lerp(one, other, share) for share in shares])  # (9, *latent)
    with torch.no_grad():
        through_latents = vae.decode(between.to(DEVICE), torch.full((9,), kind, device=DEVICE)).cpu()
    ends = through_latents[[0, -1]]
    through_pixels = torch.stack([torch.lerp(ends[0], ends[1], share) for share in shares])
    finish(pictures.interpolations(through_latents, through_pixels, title=CLASSES[kind]), show=True)

# %% [markdown]
# ### **Question 3.5.** What are the samples worth?
#
# Good reconstructions and bad samples? Then the latents of the images do not lie where the prior draws: look at the KL
# above. If it is nearly 0, the latent is not used at all.

# %%
vae_samples, vae_seconds = draw(vae, WANTED)
judge(vae_samples, vae_seconds, "VAE")

# %% [markdown]
# ## Task 4, bonus: latent diffusion
#
# The VAE is fast and blurred, the DDPM sharp and slow. Rombach et al. put them together. Most of what is in the
# pixels is detail that a decoder can add; what makes a boot a boot fits into a few latents. So let the VAE compress
# the images once, and let a DDPM learn where the latents lie, instead of drawing them from $\mathcal{N}(0, I)$ (LDM,
# Eq. 2 and, with a condition, Eq. 3):
#
# $$
# L_{\mathrm{LDM}} = \mathbb E_{t, z, \epsilon} \left[ \left\lVert \epsilon - \epsilon_\theta(z_t, t, c)
# \right\rVert^2 \right], \qquad z \sim q_\phi(z \mid x, c)
# $$
#
# Everything else is task 1 again. The VAE stays as it is.

# %% [markdown]
# What spread do your latents have? Diffusion ends at $\mathcal{N}(0, I)$ and works best on values of about this
# size. The KL term has seen to it: taken together, the latents should have a mean near 0 and a spread near 1. But
# they are *not* standard normal: how they hang together is what the DDPM learns.

# %%
with torch.no_grad():
    latents = vae.reparameterize(latent_mean.to(DEVICE), latent_logvar.to(DEVICE)).cpu()  # (M, latent_dim, h, w)
print(f"latents {tuple(latents.shape[1:])}: mean {latents.mean():.2f}, standard deviation {latents.std():.2f}")
figure, axis = plt.subplots(figsize=(6.4, 3))
axis.hist(latents.flatten(), bins=60, density=True, label="latents of test images")
grid = torch.linspace(-4, 4, 200)
axis.plot(grid, torch.exp(-(grid**2) / 2) / (2 * torch.pi) ** 0.5, label="standard normal")
axis.set(xlabel="value of the latent", ylabel="density")
axis.legend()
finish(figure, show=True)

# %% [markdown]
# ### **Questions 4.1 to 4.3.** The latent DDPM
#
# **4.1** to **4.3** are 1.4 to 1.6, where `x` is a latent already: the trainer encodes the images. In 4.3, start from
# noise *in the shape of the latents*; the given lines decode the result.
#
# **Take care**:
# - How many samples, channels, rows and columns? `vae.latent_dim` and `vae.mid_size` know.
# - The network gets `in_channels = latent_dim`. How often may it halve a map of 4 × 4?
# - `prepare_lddpm` loads `checkpoints/VAE.pt`. Keep this line. If you train the VAE again, the LDDPM has to be trained
#   again too: the same point of the latent space then means something else.

# %% file="models.py" take="LDDPM"

# %% file="assignment.py" take="prepare_lddpm"

# %% [markdown]
# Before the training, the loss should be about 1 again. Do not expect it to fall as far as that of the DDPM:
# compressed latents have less in them that can be predicted. Around 0.45 can be fine; look at the samples.

# %%
torch.manual_seed(SEED)
lddpm = shortened(prepare_lddpm())
with torch.no_grad():
    print(f"loss before the training: {lddpm(latents[:64], test_labels[:64]):.2f}")
lddpm = fit(train_lddpm, lddpm, pixel_batches, LDDPM_EPOCHS, lr=1e-3)

# %% [markdown]
# **From noise to clothes, in latent space.** Each step is decoded, so that we can see it. Even the noise on the left
# looks like something: the decoder knows nothing but clothes.

# %%
lddpm_way = []
lddpm_samples, lddpm_seconds = draw(lddpm, WANTED, lddpm_way)
picked = torch.linspace(0, len(lddpm_way) - 1, min(10, len(lddpm_way))).round().long().tolist()
with torch.no_grad():
    kinds = WANTED[:6].to(DEVICE)
    decoded = [lddpm.vae.decode(lddpm_way[step].to(DEVICE), kinds).cpu() for step in picked]
lddpm_steps = torch.stack([*decoded, lddpm_samples[:6]])
title = f"LDDPM: from noise to images, the {len(lddpm_way)} steps in equal parts"
finish(pictures.reverse_process(lddpm_steps, columns=len(lddpm_steps), title=title), show=True)

# %% [markdown]
# ### **Question 4.4.** What are the samples worth, and what do they cost?
#
# As many steps as the DDPM takes, but each of them on far fewer numbers.

# %%
judge(lddpm_samples, lddpm_seconds, "LDDPM")
print()
for name, line in results.items():
    print(f"{name:5} {line}")

# %% [markdown]
# Which of the four would you take for a web page that draws an image per visitor? Which for the best accuracy? And
# what does the accuracy *not* tell? (Draw 200 sandals with each: how different are they from each other?)

# %% [markdown]
# ## Handing in
#
# The trainings have written the weights; these four go into the zip. Weights of a short try earn little: train with
# the sizes of the comments first, here on a GPU, or with `python main.py --model ddpm --mode train`, and `ddim`,
# `vae`, `lddpm` in the place of `ddpm`. With a number of epochs of 0, this notebook then shows what you have trained
# elsewhere.

# %%
for name in ("DDPM", "DDIM", "VAE", "LDDPM"):
    path = CHECKPOINTS / f"{name}.pt"
    print(f"{path}: {f'{path.stat().st_size / 1e6:.1f} MB' if path.is_file() else 'missing'}")

# %% [markdown]
# Then, in the folder of the assignment (on Colab in a cell, with `!` in front):
#
# 1. `python -m tools.export fashion_mnist.ipynb` writes `models.py` and `assignment.py` from the cells of this
# notebook. 2. `python -m pytest` runs the public checks on them. 3. `python main.py --model ddpm --mode generate`
# draws 200 images with the files and weights that you hand in. 4. `python -m tools.zip` makes the zip, and says what
# is missing.
