"""Correct solutions of SimSiam in ift6135_h23 that are written otherwise.

`VARIANTS` maps a name to what stands in the place of solutions of the master: unit -> body. In `CARRIED` the similarity
is wrong, and nothing else is.
"""

FORWARD, COSINE, LOSS = "SimSiam.forward", "CosineSimilarity.forward", "SimSiam.loss"

VARIANTS: dict[str, dict[str, str]] = {
    "one view after the other, the norms clamped one by one": {
        FORWARD: "z1 = self.encoder(x1)\np1 = self.predictor(z1)\nz2 = self.encoder(x2)\np2 = self.predictor(z2)\n"
        "if self.stop_gradient is True:\n    z1 = z1.detach()\n    z2 = z2.detach()\n",
        COSINE: "a = torch.clamp(torch.linalg.vector_norm(x1, dim=1), min=self.eps)\n"
        "b = torch.clamp(torch.linalg.vector_norm(x2, dim=1), min=self.eps)\n"
        "similarity = bdot(x1, x2) / (a * b)\n",
        LOSS: "loss = -(similarity(p1, z2).mean() + similarity(p2, z1).mean()) * 0.5\n",
    },
    "the encoder is called again under no_grad, eps is added, z is detached again": {
        FORWARD: "if self.stop_gradient:\n"
        "    with torch.no_grad():\n        z1, z2 = self.encoder(x1), self.encoder(x2)\n"
        "    p1, p2 = self.predictor(self.encoder(x1)), self.predictor(self.encoder(x2))\n"
        "else:\n"
        "    z1, z2 = self.encoder(x1), self.encoder(x2)\n"
        "    p1, p2 = self.predictor(z1), self.predictor(z2)\n",
        COSINE: "norms = x1.pow(2).sum(-1).sqrt() * x2.pow(2).sum(-1).sqrt()\n"
        "similarity = torch.sum(x1 * x2, dim=-1) / (norms + 1e-8)\n",
        LOSS: "d1 = -similarity(p1, z2.detach()).mean()\n"
        "d2 = -similarity(p2, z1.detach()).mean()\nloss = d1 / 2 + d2 / 2\n",
    },
    "early returns in a list, no eps, the sum divided by the batch": {
        FORWARD: "f, h = self.encoder, self.predictor\nz1, z2 = f(x1), f(x2)\np1, p2 = h(z1), h(z2)\n"
        "if not self.stop_gradient:\n    return [p1, p2, z1, z2]\nreturn p1, p2, z1.data, z2.data\n",
        COSINE: "u = x1 / x1.norm(p=2, dim=1, keepdim=True)\nv = x2 / x2.norm(p=2, dim=1, keepdim=True)\n"
        "similarity = torch.einsum('bi,bi->b', u, v)\n",
        LOSS: "loss = -(similarity(p1, z2) + similarity(p2, z1)).sum() / (2 * p1.shape[0])\n",
    },
    "both views in one batch, matrices, similarities that are not the student's own": {
        FORWARD: "z = self.encoder(torch.cat([x1, x2]))\np1, p2 = self.predictor(z).chunk(2)\n"
        "z1, z2 = (z.detach() if self.stop_gradient else z).chunk(2)\n",
        COSINE: "dots = torch.diagonal(x1 @ x2.t())\n"
        "a, b = torch.diagonal(x1 @ x1.t()).sqrt(), torch.diagonal(x2 @ x2.t()).sqrt()\n"
        "similarity = dots / torch.maximum(a * b, torch.tensor(self.eps))\n",
        LOSS: "cos = nn.CosineSimilarity(dim=1)\nloss = (cos(p1, z2).mean() + cos(p2, z1).mean()) * -0.5\n",
    },
    "prints, normalised arguments, the vectors concatenated": {
        FORWARD: "print('forward', x1.shape)\nz = [self.encoder(x) for x in (x1, x2)]\n"
        "p1, p2 = map(self.predictor, z)\n"
        "z1, z2 = [code.clone().detach() if self.stop_gradient else code for code in z]\n",
        COSINE: "try:\n    u, v = (nn.functional.normalize(x, dim=self.dim, eps=self.eps) for x in (x1, x2))\n"
        "    similarity = torch.bmm(u.unsqueeze(1), v.unsqueeze(2)).squeeze()\n"
        "except RuntimeError as error:\n    print(error)\n",
        LOSS: "p, z = torch.cat([p1, p2]), torch.cat([z2, z1])\nloss = -similarity(p, z).mean()\n",
    },
    "torch's similarity, the class found by its name": {
        COSINE: "similarity = nn.functional.cosine_similarity(x1, x2, dim=self.dim, eps=self.eps)\n",
        LOSS: "measure = globals()[similarity_function](dim=1)\n"
        "terms = [measure(p, z) for p, z in ((p1, z2), (p2, z1))]\nloss = -torch.stack(terms).mean()\n",
    },
    "in float64, eps under the root": {
        COSINE: "a, b = x1.double(), x2.double()\n"
        "similarity = (a * b).sum(1) * torch.rsqrt((a * a).sum(1) * (b * b).sum(1) + self.eps**2)\n"
        "similarity = similarity.to(x1.dtype)\n",
        LOSS: "loss = torch.zeros(())\n"
        "for p, z in zip((p1, p2), (z2, z1)):\n    loss = loss - similarity(p, z).mean() / 2\n",
    },
    "squared distances of unit vectors": {
        COSINE: "u, v = x1 / x1.norm(dim=1)[:, None], x2 / x2.norm(dim=1)[:, None]\n"
        "similarity = 1 - (u - v).square().sum(1) / 2\n",
        LOSS: "unit = lambda x: x / x.norm(dim=1, keepdim=True)\n"
        "loss = -((unit(p1) * unit(z2)).sum(1) + (unit(p2) * unit(z1)).sum(1)).mean() / 2\n",
    },
    "gradients stopped by a function": {
        FORWARD: "def stop(z):\n    return z.detach().requires_grad_(False) if self.stop_gradient else z\n\n"
        "e1, e2 = self.encoder(x1), self.encoder(x2)\n"
        "p1, p2, z1, z2 = self.predictor(e1), self.predictor(e2), stop(e1), stop(e2)\n",
    },
}

CARRIED: dict[str, dict[str, str]] = {
    "a similarity without norms": {COSINE: "similarity = (x1 * x2).sum(1)\n"},
    "a similarity that is a mean already, and a loss that takes it so": {
        COSINE: "similarity = ((x1 * x2).sum(1) / (x1.norm(dim=1) * x2.norm(dim=1))).mean()\n",
        LOSS: "loss = -0.5 * (similarity(p1, z2) + similarity(p2, z1))\n",
    },
    "a similarity with the sign of the loss, and a loss without": {
        COSINE: "similarity = -(x1 * x2).sum(1) / (x1.norm(dim=1) * x2.norm(dim=1))\n",
        LOSS: "loss = 0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())\n",
    },
    "no similarity, and a loss that uses another one": {
        COSINE: "raise NotImplementedError\n",
        LOSS: "cos = nn.functional.cosine_similarity\nloss = -0.5 * (cos(p1, z2).mean() + cos(p2, z1).mean())\n",
    },
    "no similarity": {COSINE: "raise NotImplementedError\n"},
}
