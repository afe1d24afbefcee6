"""Misconceptions about SimSiam, as students may write them into ift6135_h23.

`PLANTED` maps a unit to rows: some words of the message, and what stands in the place of its solution in the master.
"""

ENCODED = "z1, z2 = self.encoder(x1), self.encoder(x2)\n"
PREDICTED = "p1, p2 = self.predictor(z1), self.predictor(z2)\n"
STOPPED = "if self.stop_gradient:\n    z1, z2 = z1.detach(), z2.detach()\n"
FORWARD = ENCODED + PREDICTED + STOPPED
PRODUCT = "product = (x1 * x2).sum(1)\n"
NORMS = "a, b = x1.norm(dim=1), x2.norm(dim=1)\n"

Row = tuple[str, str]

PLANTED: dict[str, list[Row]] = {
    "q3_solution.SimSiam.forward": [
        ("and not before", ENCODED + STOPPED + PREDICTED),
        ("and not before", ENCODED + "p1, p2 = self.predictor(z1.detach()), self.predictor(z2.detach())\n" + STOPPED),
        ("the gradient of p2 reaches the encoder", FORWARD + "p2 = self.predictor(z2)\n"),
        ("detached in-place", ENCODED + PREDICTED + "z1.detach_()\nz2.detach_()\n"),
        ("p2 comes from the other view", ENCODED + "p1, p2 = self.predictor(z1), self.predictor(z1)\n" + STOPPED),
        ("p1 comes from the other view", ENCODED + "p2, p1 = self.predictor(z1), self.predictor(z2)\n" + STOPPED),
        ("p2 comes from the other view", "z1, z2 = self.encoder(x1), self.encoder(x1)\n" + PREDICTED + STOPPED),
        ("detach both z1 and z2", ENCODED + PREDICTED),
        ("z2 is a constant", ENCODED + PREDICTED + "z1 = z1.detach()\n"),
        ("z1 is a constant", ENCODED + PREDICTED + "z2 = z2.detach()\n"),
        ("without stop_gradient", ENCODED + PREDICTED + "z1, z2 = z1.detach(), z2.detach()\n"),
        ("with stop_gradient", FORWARD.replace("if self", "if not self")),
        (
            "and not before",
            "with torch.no_grad():\n    z1, z2 = self.encoder(x1), self.encoder(x2)\n" + PREDICTED,
        ),
        ("reaches the predictor", FORWARD + "p1, p2 = p1.detach(), p2.detach()\n"),
        (
            "reaches the predictor",
            ENCODED + "with torch.no_grad():\n    p1, p2 = self.predictor(z1), self.predictor(z2)\n" + STOPPED,
        ),
        ("in another order than p1, p2, z1, z2", FORWARD + "p1, p2, z1, z2 = z1, z2, p1, p2\n"),
        ("in another order", FORWARD + "p1, p2, z1, z2 = p1, z1, p2, z2\n"),
        ("the predictor is applied twice", FORWARD + "p1, p2 = self.predictor(p1), self.predictor(p2)\n"),
        ("in another order", ENCODED + "p1, p2 = z1, z2\n" + STOPPED),
        ("p1 is normalised", FORWARD + "p1, p2 = (nn.functional.normalize(p, dim=1) for p in (p1, p2))\n"),
        ("2 values", FORWARD + "return p1, z2\n"),
        ("something else", FORWARD + "return self.loss(p1, p2, z1, z2)\n"),
        ("not implemented yet", "raise NotImplementedError"),
    ],
    "q3_solution.CosineSimilarity.forward": [
        ("of the whole batch", PRODUCT + "similarity = product / (x1.norm() * x2.norm()).clamp(min=self.eps)"),
        ("not divided by their norms", "similarity = (x1 * x2).sum(1)"),
        ("only one of the two", PRODUCT + NORMS + "similarity = product / a"),
        ("a square root is missing", PRODUCT + "similarity = product / ((x1**2).sum(1) * (x2**2).sum(1))"),
        ("sums of absolute values", PRODUCT + "similarity = product / (x1.abs().sum(1) * x2.abs().sum(1))"),
        ("added instead of multiplied", PRODUCT + NORMS + "similarity = product / (a + b)"),
        ("the square root is taken of the product", PRODUCT + NORMS + "similarity = product / (a * b).sqrt()"),
        ("the sign is wrong", PRODUCT + NORMS + "similarity = -product / (a * b)"),
        ("a distance", PRODUCT + NORMS + "similarity = 1 - product / (a * b)"),
        ("the absolute value", PRODUCT + NORMS + "similarity = (product / (a * b)).abs()"),
        ("averaged or summed", PRODUCT + NORMS + "similarity = (product / (a * b)).mean()"),
        ("with every other one", NORMS + "similarity = x1 @ x2.T / (a[:, None] * b)"),
        ("not summed over the dimensions", NORMS + "similarity = x1 * x2 / (a * b)[:, None]"),
        ("along the first axis", "similarity = (x1 * x2).sum(0) / (x1.norm(dim=0) * x2.norm(dim=0))"),
        ("an axis of size 1 is left over", PRODUCT + NORMS + "similarity = (product / (a * b)).unsqueeze(1)"),
        ("shifted or scaled", PRODUCT + NORMS + "similarity = (1 + product / (a * b)) / 2"),
        ("the norms are detached", PRODUCT + NORMS + "similarity = product / (a * b).detach()"),
        ("is cut off", PRODUCT + NORMS + "x2 = x2.detach()\nsimilarity = (x1 * x2).sum(1) / (a * x2.norm(dim=1))"),
        ("carries none", PRODUCT + NORMS + "similarity = (product / (a * b)).detach()"),
        ("right values", PRODUCT + NORMS + "similarity = product / (a * b).clamp(min=1.0)"),
        ("right values", PRODUCT + NORMS + "similarity = product / (a * b + 0.1)"),
        ("not implemented yet", "raise NotImplementedError"),
    ],
    "q3_solution.SimSiam.loss": [
        ("the sign is wrong", "loss = 0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())"),
        ("one half is missing", "loss = -(similarity(p1, z2).mean() + similarity(p2, z1).mean())"),
        ("one half is taken twice", "loss = -0.25 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())"),
        ("the z of its own view", "loss = -0.5 * (similarity(p1, z1).mean() + similarity(p2, z2).mean())"),
        ("the two p are compared", "loss = -similarity(p1, p2).mean()"),
        ("the two z are compared", "loss = -similarity(z1, z2).mean()"),
        ("one of the two terms is missing", "loss = -similarity(p1, z2).mean()"),
        ("one of the two terms is missing", "loss = -0.5 * similarity(p2, z1).mean()"),
        ("the same term is taken twice", "loss = -0.5 * (similarity(p1, z2).mean() + similarity(p2, z2).mean())"),
        ("is subtracted from the other", "loss = -0.5 * (similarity(p1, z2).mean() - similarity(p2, z1).mean())"),
        ("brackets are missing", "loss = -0.5 * similarity(p1, z2).mean() + similarity(p2, z1).mean()"),
        ("summed over the batch", "loss = -0.5 * (similarity(p1, z2).sum() + similarity(p2, z1).sum())"),
        ("not averaged over the batch", "loss = -0.5 * (similarity(p1, z2) + similarity(p2, z1))"),
        ("a constant is added", "loss = 1 - 0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())"),
        ("carries none", "loss = -0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean()).item()"),
        (
            "is cut off",
            "p1, p2, z1, z2 = p1.detach(), p2, z1, z2\n"
            "loss = -0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())",
        ),
        ("not implemented yet", "raise NotImplementedError"),
    ],
}
