"""Misconceptions about the GAN, as students may write them into ift6135_a22.

`PLANTED` maps a unit to rows: some words of the message (in English, where the words differ), and the edits of the
master that bring it out. The key of an edit is a text that stands in the master once, or `block: LABEL`, the solution
that is labelled so.
"""

D_OPTIMIZER, G_OPTIMIZER = "block: discriminator_optimizer", "block: generator_optimizer"
CRITERION = "block: criterion"
D_TRAIN, G_TRAIN = "block: discriminator_train", "block: generator_train"
SAMPLE, INTERPOLATE = "block: sample", "block: interpolate"
D_LOSS = (
    "real, fake = discriminator(real_samples), discriminator(fake_samples)\n"
    "ones, zeros = torch.ones_like(real), torch.zeros_like(fake)\n"
)
G_LOSS = "fake = discriminator(fake_samples)\n"
Z = "z = torch.randn(num_samples, z_dim, 1, 1)\n"
NO_GRAD = "with torch.no_grad():\n    "
WEIGHTS = "w = torch.linspace(0, 1, n_samples).view(-1, 1, 1, 1)\n"

Row = tuple[str, dict[str, str]]


def _optimizer(name: str, network: str, other: str, rate: str) -> list[Row]:
    block, own, foreign = f"block: {name}", f"{network}.parameters()", f"{other}.parameters()"

    def made(call: str) -> dict[str, str]:
        return {block: f"{name} = {call}"}

    betas = "betas=(0.5, 0.999)"
    return [
        ("the rate that Adam has", made(f"Adam({own}, {betas})")),
        ("another learning rate", made(f"Adam({own}, lr=2 * {rate}, {betas})")),
        ("the first beta that Adam has", made(f"Adam({own}, lr={rate})")),
        ("have changed places", made(f"Adam({own}, lr={rate}, betas=(0.999, 0.5))")),
        ("other betas", made(f"Adam({own}, lr={rate}, betas=(0.5, 0.9))")),
        ("an object of type SGD", made(f"torch.optim.SGD({own}, lr={rate})")),
        ("AdamW decays the weights", made(f"torch.optim.AdamW({own}, lr={rate}, {betas})")),
        ("weight decay", made(f"Adam({own}, lr={rate}, {betas}, weight_decay=1e-5)")),
        ("maximize is switched on", made(f"Adam({own}, lr={rate}, {betas}, maximize=True)")),
        (f"those of {other}", made(f"Adam({foreign}, lr={rate}, {betas})")),
        (
            "the parameters of both networks",
            made(f"Adam([*generator.parameters(), *discriminator.parameters()], lr={rate}, {betas})"),
        ),
        (
            "only some of them",
            made(f"Adam(list({own})[1:], lr={rate}, {betas})"),
        ),
        (
            "a network that is made again",
            {
                block: f"{name} = Adam({own}, lr={rate}, {betas})\n"
                f"{network} = type({network})(*({{'generator': (z_dim, input_channels)}}"
                f".get('{network}', (input_channels,))))"
            },
        ),
        ("the class itself", made("Adam")),
        ("not there yet, or None", made("None")),
    ]


GENERATOR_OPTIMIZER = _optimizer("generator_optimizer", "generator", "discriminator", "gen_lr")

PLANTED: dict[str, list[Row]] = {
    "gan.discriminator_optimizer": _optimizer("discriminator_optimizer", "discriminator", "generator", "disc_lr"),
    "gan.generator_optimizer": GENERATOR_OPTIMIZER[1:3] + GENERATOR_OPTIMIZER[-6:],
    "gan.criterion": [
        ("takes probabilities", {CRITERION: "criterion = nn.BCELoss()"}),
        ("summed instead of averaged", {CRITERION: "criterion = nn.BCEWithLogitsLoss(reduction='sum')"}),
        ("neither averaged nor summed", {CRITERION: "criterion = nn.BCEWithLogitsLoss(reduction='none')"}),
        ("a squared error", {CRITERION: "criterion = nn.MSELoss()"}),
        ("an absolute error", {CRITERION: "criterion = nn.L1Loss()"}),
        ("over classes", {CRITERION: "criterion = nn.CrossEntropyLoss()"}),
        (
            "applied twice",
            {
                CRITERION: "def criterion(x, y):\n"
                "    return nn.functional.binary_cross_entropy_with_logits(torch.sigmoid(x), y)"
            },
        ),
        ("the targets are turned around", {CRITERION: "criterion = lambda x, y: nn.BCEWithLogitsLoss()(x, 1 - y)"}),
        ("the sign is wrong", {CRITERION: "criterion = lambda x, y: -nn.BCEWithLogitsLoss()(x, y)"}),
        ("a factor is missing", {CRITERION: "criterion = lambda x, y: 0.5 * nn.BCEWithLogitsLoss()(x, y)"}),
        ("right values", {CRITERION: "criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))"}),
        ("right values", {CRITERION: "criterion = lambda y, x: nn.BCEWithLogitsLoss()(x, y)"}),
        ("the class itself", {CRITERION: "criterion = nn.BCEWithLogitsLoss"}),
        ("without gradients", {CRITERION: "criterion = lambda x, y: nn.BCEWithLogitsLoss()(x, y).detach()"}),
        ("cannot be called", {CRITERION: "criterion = 'bce'"}),
        ("not there yet, or None", {CRITERION: "criterion = None"}),
    ],
    "gan.discriminator_train": [
        (
            "averaged instead of added",
            {D_TRAIN: D_LOSS + "loss = 0.5 * (criterion(real, ones) + criterion(fake, zeros))"},
        ),
        (
            "averaged instead of added",
            {D_TRAIN: D_LOSS + "loss = criterion(torch.cat([real, fake]), torch.cat([ones, zeros]))"},
        ),
        (
            "the targets have changed places",
            {D_TRAIN: D_LOSS + "loss = criterion(real, zeros) + criterion(fake, ones)"},
        ),
        ("generated images is missing", {D_TRAIN: D_LOSS + "loss = criterion(real, ones)"}),
        ("real images is missing", {D_TRAIN: D_LOSS + "loss = criterion(fake, zeros)"}),
        ("that is the generator's wish", {D_TRAIN: D_LOSS + "loss = criterion(real, ones) + criterion(fake, ones)"}),
        (
            "targets of the real images are zeros",
            {D_TRAIN: D_LOSS + "loss = criterion(real, zeros) + criterion(fake, zeros)"},
        ),
        ("subtracted", {D_TRAIN: D_LOSS + "loss = criterion(real, ones) - criterion(fake, zeros)"}),
        ("the sign of the loss", {D_TRAIN: D_LOSS + "loss = -criterion(real, ones) - criterion(fake, zeros)"}),
        (
            "another one by the criterion",
            {D_TRAIN: D_LOSS + "loss = criterion(real.sigmoid(), ones) + criterion(fake.sigmoid(), zeros)"},
        ),
        ("smoothed", {D_TRAIN: D_LOSS + "loss = criterion(real, 0.9 * ones) + criterion(fake, zeros)"}),
        (
            "the real ones never",
            {D_TRAIN: D_LOSS + "loss = criterion(fake, ones) + criterion(fake, zeros)"},
        ),
        ("a mean of the logits", {D_TRAIN: D_LOSS + "loss = fake.mean() - real.mean()"}),
        (
            "the generator is called",
            {
                D_TRAIN: "fake_samples = generator(torch.randn(len(real_samples), z_dim, 1, 1))\n"
                + D_LOSS
                + "loss = criterion(real, ones) + criterion(fake, zeros)"
            },
        ),
        (
            "modified by an inplace operation",
            {
                D_TRAIN: "label = torch.ones(len(real_samples), 1, 1, 1)\n"
                "loss = criterion(discriminator(real_samples), label)\n"
                "loss = loss + criterion(discriminator(fake_samples), label.fill_(0))"
            },
        ),
        (
            "no gradient comes from the real images",
            {D_TRAIN: D_LOSS + "loss = criterion(real.detach(), ones) + criterion(fake, zeros)"},
        ),
        (
            "no gradient comes from the generated images",
            {D_TRAIN: D_LOSS + "loss = criterion(real, ones) + criterion(fake.detach(), zeros)"},
        ),
        (
            "a loss without gradients",
            {D_TRAIN: D_LOSS + "loss = (criterion(real, ones) + criterion(fake, zeros)).item()"},
        ),
        (
            "calls zero_grad()",
            {
                D_TRAIN: "discriminator_optimizer.zero_grad()\n"
                + D_LOSS
                + "loss = criterion(real, ones) + criterion(fake, zeros)"
            },
        ),
        (
            "calls zero_grad()",
            {D_TRAIN: "discriminator.zero_grad()\n" + D_LOSS + "loss = criterion(real, ones) + criterion(fake, zeros)"},
        ),
        (
            "calls backward()",
            {D_TRAIN: D_LOSS + "loss = criterion(real, ones) + criterion(fake, zeros)\nloss.backward()"},
        ),
        (
            "calls step()",
            {D_TRAIN: D_LOSS + "loss = criterion(real, ones) + criterion(fake, zeros)\ndiscriminator_optimizer.step()"},
        ),
        (
            "must be the same as input size",
            {D_TRAIN: D_LOSS + "ones = torch.ones(batch_size, 1, 1, 1)\nloss = criterion(real, ones)"},
        ),
        ("it is never called", {D_TRAIN: "loss = torch.zeros(())"}),
        ("not implemented yet", {D_TRAIN: "raise NotImplementedError"}),
    ],
    "gan.generator_train": [
        ("the targets are zeros", {G_TRAIN: G_LOSS + "loss = criterion(fake, torch.zeros_like(fake))"}),
        ("that saturates", {G_TRAIN: G_LOSS + "loss = -criterion(fake, torch.zeros_like(fake))"}),
        ("that saturates", {G_TRAIN: G_LOSS + "loss = torch.log(1 - fake.sigmoid()).mean()"}),
        ("the sign of the loss", {G_TRAIN: G_LOSS + "loss = -criterion(fake, torch.ones_like(fake))"}),
        ("another one by the criterion", {G_TRAIN: G_LOSS + "loss = criterion(fake.sigmoid(), torch.ones_like(fake))"}),
        ("smoothed", {G_TRAIN: G_LOSS + "loss = criterion(fake, torch.full_like(fake, 0.9))"}),
        ("halved", {G_TRAIN: G_LOSS + "loss = criterion(fake, torch.ones_like(fake)) / 2"}),
        ("summed over the batch", {G_TRAIN: G_LOSS + "loss = nn.functional.softplus(-fake).sum()"}),
        (
            "both kinds of targets",
            {
                G_TRAIN: G_LOSS
                + "loss = criterion(fake, torch.ones_like(fake)) + criterion(fake, torch.zeros_like(fake))"
            },
        ),
        ("a mean of the logits", {G_TRAIN: G_LOSS + "loss = -fake.mean()"}),
        (
            "fake_samples are detached",
            {G_TRAIN: "fake = discriminator(fake_samples.detach())\nloss = criterion(fake, torch.ones_like(fake))"},
        ),
        (
            "a loss without gradients",
            {
                G_TRAIN: "with torch.no_grad():\n    fake = discriminator(fake_samples)\n"
                "loss = criterion(fake, torch.ones_like(fake))"
            },
        ),
        (
            "the generator is called",
            {
                G_TRAIN: "fake = discriminator(generator(torch.randn(len(fake_samples), z_dim, 1, 1)))\n"
                "loss = criterion(fake, torch.ones_like(fake))"
            },
        ),
        (
            "calls zero_grad()",
            {G_TRAIN: "generator_optimizer.zero_grad()\n" + G_LOSS + "loss = criterion(fake, torch.ones_like(fake))"},
        ),
        (
            "calls backward()",
            {G_TRAIN: G_LOSS + "loss = criterion(fake, torch.ones_like(fake))\nloss.backward(retain_graph=True)"},
        ),
        (
            "calls step()",
            {G_TRAIN: G_LOSS + "loss = criterion(fake, torch.ones_like(fake))\ngenerator_optimizer.step()"},
        ),
        ("it is never called", {G_TRAIN: "loss = torch.zeros((), requires_grad=True)"}),
        ("not implemented yet", {G_TRAIN: "raise NotImplementedError"}),
    ],
    "gan.sample": [
        ("without a graph", {SAMPLE: Z + "samples = generator(z)"}),
        ("moved into [0, 1]", {SAMPLE: NO_GRAD + Z + "    samples = (generator(z) + 1) / 2"}),
        ("moved into [0, 1]", {SAMPLE: NO_GRAD + Z + "    samples = generator(z).clamp(0, 1)"}),
        ("once more", {SAMPLE: NO_GRAD + Z + "    samples = generator(z) * 2 - 1"}),
        ("255 grey levels", {SAMPLE: NO_GRAD + Z + "    samples = (generator(z) + 1) * 127.5"}),
        (
            "has the shape (6, 32, 1, 1)",
            {SAMPLE: NO_GRAD + "z = torch.randn(batch_size, z_dim, 1, 1)\n    samples = generator(z)"},
        ),
        ("has the shape (6, 3, 32, 32)", {SAMPLE: NO_GRAD + Z + "    samples = generator(z)[0]"}),
        ("has the shape (6, 3, 32, 32)", {SAMPLE: NO_GRAD + Z + "    samples = generator(z).permute(0, 2, 3, 1)"}),
        (
            "has the shape (6, 32, 1, 1)",
            {SAMPLE: NO_GRAD + "z = torch.randn(num_samples, z_dim)\n    samples = generator(z)"},
        ),
        (
            "has the shape (6, 32, 1, 1)",
            {SAMPLE: NO_GRAD + "z = torch.randn(num_samples, 100, 1, 1)\n    samples = generator(z)"},
        ),
        (
            "uniform in [0, 1]",
            {SAMPLE: NO_GRAD + "z = torch.rand(num_samples, z_dim, 1, 1)\n    samples = generator(z)"},
        ),
        (
            "uniform in [-1, 1]",
            {SAMPLE: NO_GRAD + "z = 2 * torch.rand(num_samples, z_dim, 1, 1) - 1\n    samples = generator(z)"},
        ),
        ("no noise", {SAMPLE: NO_GRAD + "z = torch.zeros(num_samples, z_dim, 1, 1)\n    samples = generator(z)"}),
        (
            "noise of its own",
            {
                SAMPLE: NO_GRAD
                + "z = torch.randn(1, z_dim, 1, 1).repeat(num_samples, 1, 1, 1)\n    samples = generator(z)"
            },
        ),
        ("no seed belongs", {SAMPLE: "torch.manual_seed(0)\n" + NO_GRAD + Z + "    samples = generator(z)"}),
        ("never called", {SAMPLE: "samples = torch.randn(num_samples, 3, 32, 32)"}),
        ("not implemented yet", {SAMPLE: "raise NotImplementedError"}),
    ],
    "gan.interpolate": [
        (
            "in other places",
            {
                INTERPOLATE: "w = torch.linspace(0, 1, n_samples).unsqueeze(1)\n"
                "z = ((1 - w) * z_1 + w * z_2).view(n_samples, z_dim, 1, 1)\nimages = generator(z)"
            },
        ),
        (
            "in other places",
            {
                INTERPOLATE: "w = torch.linspace(0, 1, n_samples)\n"
                "z = ((1 - w) * z_1.view(-1, 1) + w * z_2.view(-1, 1)).reshape(n_samples, z_dim, 1, 1)\n"
                "images = generator(z)"
            },
        ),
        (
            "both ends belong",
            {
                INTERPOLATE: "w = torch.linspace(0, 1, n_samples + 2)[1:-1].view(-1, 1, 1, 1)\n"
                "images = generator(z_1 + w * (z_2 - z_1))"
            },
        ),
        (
            "both ends belong",
            {
                INTERPOLATE: "w = (torch.arange(n_samples) / n_samples).view(-1, 1, 1, 1)\n"
                "images = generator(z_1 + w * (z_2 - z_1))"
            },
        ),
        ("add up to one", {INTERPOLATE: WEIGHTS + "images = generator(z_1 + w * z_2)"}),
        ("add up to one", {INTERPOLATE: WEIGHTS + "images = generator((1 - w) * z_1)"}),
        (
            "add up to one",
            {
                INTERPOLATE: WEIGHTS + "a = torch.acos(torch.cosine_similarity(z_1, z_2)).view(1, 1, 1, 1)\n"
                "images = generator((torch.sin((1 - w) * a) * z_1 + torch.sin(w * a) * z_2) / torch.sin(a))"
            },
        ),
        ("beyond the ends", {INTERPOLATE: WEIGHTS + "images = generator(z_1 + w * (z_1 - z_2))"}),
        ("the distances are not equal", {INTERPOLATE: WEIGHTS + "images = generator(z_1 + w**2 * (z_2 - z_1))"}),
        (
            "the distances are not equal",
            {INTERPOLATE: WEIGHTS + "images = generator(z_1 + w.round() * (z_2 - z_1))"},
        ),
        (
            "all points are the same",
            {INTERPOLATE: WEIGHTS + "images = generator((z_1 + z_2).expand(n_samples, -1, -1, -1) / 2)"},
        ),
        (
            "has the shape (5, 32, 1, 1)",
            {INTERPOLATE: WEIGHTS + "images = (1 - w) * generator(z_1) + w * generator(z_2)"},
        ),
        (
            "has the shape (5, 32, 1, 1)",
            {
                INTERPOLATE: "w = torch.linspace(0, 1, n_samples + 1).view(-1, 1, 1, 1)\n"
                "images = generator((1 - w) * z_1 + w * z_2)"
            },
        ),
        (
            "other points",
            {INTERPOLATE: WEIGHTS + "images = generator(torch.randn(n_samples, z_dim, 1, 1))"},
        ),
        (
            "moved into [0, 1]",
            {INTERPOLATE: WEIGHTS + "images = (generator((1 - w) * z_1 + w * z_2) + 1) / 2"},
        ),
        (
            "has the shape (4, 3, 32, 32)",
            {INTERPOLATE: WEIGHTS + "images = generator((1 - w) * z_1 + w * z_2)[0]"},
        ),
        ("not implemented yet", {INTERPOLATE: "raise NotImplementedError"}),
    ],
}
