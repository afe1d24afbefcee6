# %% [markdown]
# # Part 3. SimSiam: learning from images without labels
#
# Take an image of a frog, cut out two pieces, change their colours. A network that gives both pieces the same
# features has had to understand something that survives the changes: perhaps the frog. No label is needed for that.
#
# There is a catch. A network that gives *all* images the same features is perfect at this task, and useless. This is
# called **collapse**. SimSiam avoids it with surprisingly little, and in this notebook you take this little away and
# watch what happens.

# %% [markdown]
# **How this notebook works.** Cells that begin with `#| export q3_solution.py` are what you hand in. Fill in their
# TODOs, and keep the names of classes, methods and parameters. All other cells are experiments: run them, change
# them, add your own.
#
# Go from top to bottom. An experiment that needs something you have not written yet stops with an error that names
# it.

# %% [markdown]
# **The paper**: Chen & He 2021, *Exploring Simple Siamese Representation Learning*, arXiv 2011.10566. Equation
# numbers below are those of this paper.

# %% [markdown]
# ## Settings
#
# All sizes of the experiments are here. These values train a small network twice, in some minutes on a processor and
# far less on a GPU: enough to tell learning from collapse. The values for the report are in the comments; they are
# the defaults of `train_simsiam.py`, with a ResNet-18.

# %% tags=["parameters"]
EPOCHS = 8  # report: 100; the paper trains 800 on CIFAR-10
LIMIT = 5000  # number of training images; report: all 50000
TEST_LIMIT = 1000  # number of test images; report: all 10000
BATCH_SIZE = 64  # report: 1024; the paper: 512
LEARNING_RATE = 0.03  # report: 0.03 for each 256 images of a batch, and then along a cosine
DIM = 512  # values of z and p; report and paper: 2048
SEED = 1

# %% file="q3_solution.py" take="imports"

# %%
# For the experiments of this notebook only
from lab import pictures
from lab.data import Batches, load
from lab.device import choose_device
from lab.figures import finish
from q3_misc import CIFAR10_MEAN, CIFAR10_STD, TwoCropsTransform, augment
from torch.nn import functional as F
from train_simsiam import SmallResNet, evaluate, output_std, outputs

device = choose_device()

# %% [markdown]
# ## Two views of an image
#
# CIFAR-10: objects and animals, 32 × 32 pixels, ten classes. The training never looks at the labels; we keep them to
# judge what was learned.
#
# Each call of `augment` makes a view: a random crop scaled back to the full size, perhaps a flip, other colours,
# perhaps none at all. Below each image stand two of its views.

# %%
torch.manual_seed(SEED)
images, labels = load("cifar10", "train", limit=LIMIT)  # uint8 (N, 3, 32, 32), int64 (N,)
batches = Batches(images, batch_size=BATCH_SIZE, device=device, shuffle=True, drop_last=True)
originals = next(iter(batches))  # (BATCH_SIZE, 3, 32, 32) in [0, 1]
x1, x2 = TwoCropsTransform(augment)(originals)  # normalised for the network, same shape
mean, std = (x1.new_tensor(values).view(3, 1, 1) for values in (CIFAR10_MEAN, CIFAR10_STD))
rows = torch.cat([originals[:8], x1[:8] * std + mean, x2[:8] * std + mean])
captions = [name for name in ("image", "view 1", "view 2") for _ in originals[:8]]
finish(pictures.grid(rows, columns=len(originals[:8]), labels=captions), show=True)

# %% [markdown]
# Which pairs would you recognise as the same image? And by what: a shape, a texture, or only a colour? What you can
# use, the network can use too. Take the `manual_seed` away to see other views, and come back to them for question
# 3.6.

# %% [markdown]
# ## The model
#
# The **encoder** $f$ is a residual network with a projector of three layers at its end; the **predictor** $h$ is a
# smaller network behind it. Both views go through the *same* encoder:
#
# $$
# z_1 = f(x_1), \qquad p_1 = h(z_1), \qquad z_2 = f(x_2), \qquad p_2 = h(z_2)
# $$
#
# Each view's $p$ has to point in the direction of the *other* view's $z$ (Eq. 1 and 2):
#
# $$
# D(p_1, z_2) = - \frac{p_1}{\lVert p_1 \rVert_2} \cdot \frac{z_2}{\lVert z_2 \rVert_2}, \qquad
# L = \frac{1}{2} D(p_1, z_2) + \frac{1}{2} D(p_2, z_1)
# $$

# %% [markdown]
# **The stop-gradient.** In the loss that SimSiam trains with (Eq. 3 and 4), $z$ is a target: a constant, as if it
# were given by somebody else.
#
# $$
# L = \frac{1}{2} D(p_1, \mathrm{stopgrad}(z_2)) + \frac{1}{2} D(p_2, \mathrm{stopgrad}(z_1))
# $$
#
# Its *value* is that of Eq. 2. What changes is the gradient, and with it where the training goes.

# %% [markdown]
# ## Question 3.2: cosine similarity
#
# We begin with the smallest piece. For each pair of vectors, one number, the cosine of the angle between them:
#
# $$
# S(a, b) = \frac{a \cdot b}{\max(\lVert a \rVert_2 \lVert b \rVert_2, \mathrm{eps})}
# $$
#
# From (B, D) and (B, D) to (B,). Use basic operations of torch. *Careful* with the norm: it belongs to one vector,
# not to the batch. And `eps` is there so that a vector of zeros gives 0 and not NaN.

# %% file="q3_solution.py" take="bdot, CosineSimilarity"

# %% [markdown]
# A vector with itself, with three times itself, with its negative, with one at a right angle, with zero: the numbers
# should be 1, 1, −1, 0 and 0.

# %%
similarity = CosineSimilarity()
first = torch.tensor([[3.0, 4.0]]).repeat(5, 1)
second = torch.tensor([[3.0, 4.0], [9.0, 12.0], [-3.0, -4.0], [-4.0, 3.0], [0.0, 0.0]])
print(tuple(similarity(first, second).shape))
print([round(value, 4) for value in similarity(first, second).tolist()])

# %% [markdown]
# In many dimensions, random directions are almost at right angles: their cosines have a standard deviation of
# $1 / \sqrt{d}$. So a similarity of 0.5 between two views is a lot if $d$ is 2048, and next to nothing if $d$ is 2.

# %%
for size in (2, 32, 512, 2048):
    cosines = similarity(torch.randn(1000, size), torch.randn(1000, size))
    print(f"d = {size}: standard deviation {cosines.std():.4f}, 1 / sqrt(d) = {size**-0.5:.4f}")

# %% [markdown]
# ## Question 3.1: `forward`
#
# Two batches of views go in, **`p1, p2, z1, z2`** come out, in this order, each (B, d). The stop-gradient belongs
# here: if `self.stop_gradient` is set, the `z1` and `z2` that are *returned* carry no gradient.
#
# *Careful*: the gradient has to reach the encoder on some way, or it would never learn. Which way is that? What
# follows for the input of the predictor?

# %% [markdown]
# ## Question 3.3: `loss`
#
# It stands in the same class, so you write it in the same cell: Eq. 2 with the similarity that you have just written,
# averaged over the batch.
#
# *Careful*: which `p` meets which `z`? And the loss is to be *low* where views agree: mind the sign.

# %% file="q3_solution.py" take="SimSiam"

# %% [markdown]
# **Your `forward`.** With stop-gradient, `p1` and `p2` should carry a gradient and `z1` and `z2` none; without, all
# four. The last number of a row compares `p1` with the predictor's answer to `z1`: it should be 0.


# %%
def new_model(stop_gradient):
    """A small SimSiam that begins with the same weights whenever it is made."""
    torch.manual_seed(SEED)
    return SimSiam(SmallResNet, DIM, DIM // 4, stop_gradient=stop_gradient).to(device)


for stop_gradient in (True, False):
    model = new_model(stop_gradient)
    p1, p2, z1, z2 = model(x1, x2)
    gradients = [value.requires_grad for value in (p1, p2, z1, z2)]
    print(f"stop_gradient={stop_gradient}: gradient {gradients}, {(p1 - model.predictor(z1)).abs().max():.0e}")

# %% [markdown]
# **Your `loss`.** Perfect agreement should give −1, the lowest value there is, and perfect disagreement 1. In the
# third line each $p$ equals the *other* view's $z$, and in the fourth its own: −1 and nearly 0, for random vectors.

# %%
a, b = torch.randn(2, BATCH_SIZE, DIM)
print(f"agreement:     {model.loss(a, a, a, a):.4f}")
print(f"disagreement:  {model.loss(a, a, -a, -a):.4f}")
print(f"other view:    {model.loss(a, b, b, a):.4f}")
print(f"own view:      {model.loss(a, b, a, b):.4f}")
print(f"untrained:     {model.loss(p1, p2, z1, z2):.4f}")

# %% [markdown]
# ## What the loss does not see
#
# Here is an encoder and a predictor that give every image the same vector. What does the loss say? The second number
# tells it apart: normalise the outputs to length 1, and take the standard deviation of each coordinate over the
# batch. Outputs spread over all directions give about $1 / \sqrt{d}$, equal outputs give 0 (section 4.1 of the
# paper).

# %%
same, spread = torch.randn(1, DIM).expand(BATCH_SIZE, DIM), torch.randn(BATCH_SIZE, DIM)
print(f"all the same: loss {model.loss(same, same, same, same):.4f}, std {output_std(same):.4f}")
print(f"spread:       loss {model.loss(spread, spread, spread, spread):.4f}, std {output_std(spread):.4f}")
print(f"1 / sqrt(d) = {DIM**-0.5:.4f}")

# %% [markdown]
# ## Where the gradient goes
#
# The same weights, the same views, with and without stop-gradient: the loss, and the length of its gradient in both
# networks. Before you run the cell: which of the three numbers will be equal in both cases?

# %%
for stop_gradient in (True, False):
    model = new_model(stop_gradient)
    loss = model.loss(*model(x1, x2))
    loss.backward()
    print(f"stop_gradient={stop_gradient}: loss {loss:.4f}")
    for name, network in (("encoder", model.encoder), ("predictor", model.predictor)):
        gradients = [weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]
        norm = f"{torch.cat(gradients).norm():.4f}" if gradients else "none"
        print(f"    gradient of the {name}: {norm}")

# %% [markdown]
# If there is no gradient in the encoder, it cannot learn: look at your `forward` again. If all three numbers are
# equal in both cases, the stop-gradient has no effect.

# %% [markdown]
# ## Training, twice
#
# Algorithm 1 of the paper: two views, four outputs, the loss, a step. We do it with stop-gradient and without, from
# the same weights.
#
# After each epoch we note the loss, the standard deviation of the outputs, and the **accuracy of the nearest
# neighbours**: each test image is given the class for which the most similar training images vote, by the cosines of
# their features. Guessing is right in 10% of the cases. An untrained network is better than that, for similar colours
# often mean the same class: its number comes first.


# %%
def train_model(stop_gradient):
    """Train a model; returns it and a row of numbers for each epoch."""
    model = new_model(stop_gradient)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    history = []
    for epoch in range(1, EPOCHS + 1):
        model.train()
        losses, stds = [], []
        for originals in batches:
            p1, p2, z1, z2 = model(*TwoCropsTransform(augment)(originals))
            loss = model.loss(p1, p2, z1, z2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            stds.append(output_std(z1.detach()).item())
        model.eval()
        row = {"loss": sum(losses) / len(losses), "std": sum(stds) / len(stds), "knn": evaluate(model, bank, test)}
        history.append(row)
        print(f"epoch {epoch}  " + "  ".join(f"{name} {value:.4f}" for name, value in row.items()))
    return model, history


test_images, test_labels = load("cifar10", "test", limit=TEST_LIMIT)
bank = Batches(images, labels, batch_size=500, device=device)
test = Batches(test_images, test_labels, batch_size=500, device=device)
untrained = evaluate(new_model(True).eval(), bank, test)
print(f"untrained  knn {untrained:.4f}")
print("with stop-gradient")
with_stop, with_history = train_model(True)
print("without")
without_stop, without_history = train_model(False)

# %% [markdown]
# Three figures with both trainings. Read them together: which run has the better loss? Which one has the better
# features? In which epoch would the standard deviation have told you?


# %%
def compare(column, ylabel, **constants):
    """A figure of one column of both histories, with horizontal lines."""
    lines = [
        {"epoch": epoch, "with stop-gradient": first[column], "without": second[column]} | constants
        for epoch, (first, second) in enumerate(zip(with_history, without_history, strict=True), 1)
    ]
    return pictures.curves(lines, x="epoch", ylabel=ylabel)


finish(compare("loss", "loss", best=-1.0), show=True)
finish(compare("std", "std of the normalised output", **{"1 / sqrt(d)": DIM**-0.5, "collapse": 0.0}), show=True)
finish(compare("knn", "accuracy of the nearest neighbours", untrained=untrained, guessing=0.1), show=True)

# %% [markdown]
# ## What the features find similar
#
# On the left of each row a test image, then the training images whose features are the most similar to its own, first
# for the model with stop-gradient, then for the one without. After so short a training, expect colours, backgrounds
# and poses rather than classes.
#
# Two numbers say more than a few rows. The mean similarity of *any* two images: what should it be if the outputs
# spread over all directions, and what if they collapse? And how often the nearest images have the class of the test
# image.


# %%
def show_neighbours(model, title, queries=5, count=7):
    """Draw test images, each with the training images that are nearest to it."""
    names = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (features, _), (bank_features, _) = outputs(model.encoder, test), outputs(model.encoder, bank)
    cosines = F.normalize(features[:1000], dim=1) @ F.normalize(bank_features, dim=1).T  # (M, N)
    nearest = cosines.topk(count, dim=1).indices.cpu()  # (M, count)
    agree = labels[nearest] == test_labels[: len(nearest), None]  # (M, count)
    rows = torch.cat([test_images[:queries, None], images[nearest[:queries]]], dim=1)  # (queries, 1 + count, 3, 32, 32)
    classes = torch.cat([test_labels[:queries, None], labels[nearest[:queries]]], dim=1).flatten().tolist()
    captions = [names[number] for number in classes]
    finish(pictures.grid(rows.flatten(0, 1) / 255, columns=1 + count, title=title, labels=captions), show=True)
    print(f"{title}: mean similarity {cosines.mean():.2f}, {agree.float().mean():.1%} of the nearest of the same class")


show_neighbours(with_stop, "with stop-gradient")
show_neighbours(without_stop, "without")

# %% [markdown]
# ## For the report: questions 3.4 to 3.9
#
# The report needs longer trainings of a larger network, about an hour each on a GPU. `train_simsiam.py` runs them
# with your `q3_solution.py`, goes on after an interruption with `--resume`, and writes curves for `--compare`. So
# export first (see below), and then, in a terminal or behind a `!` in a cell:
#
# - 3.4: `python train_simsiam.py`, and with `--no-stop-gradient`
# - 3.5 (a): `--predictor identity`; (b): `--dim 4096`
#
# To try a variant in small, hand `MLP_mode="no_pred_mlp"` to `SimSiam` in `new_model`: the predictor is then the
# identity. What becomes of the standard deviation?

# %% [markdown]
# ## Before you hand in
#
# - `python -m tools.export q3_solution.ipynb` brings what you wrote here into `q3_solution.py`.
# - `pytest` runs the public checks, and `python -m tools.zip` makes the file to hand in.
