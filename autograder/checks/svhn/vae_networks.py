"""The submission's own VAE with networks that the grader knows, and with right parts in the place of its wrong ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from autograder.checks.svhn.known import is_known_right
from autograder.checks.svhn.vae_probes import Affine, Decoding, Encoding, Gaussians, RightMethod, VaeBench
from autograder.grading import assign, fail, fetch, value_and_gradients
from autograder.grading.carry import alike
from autograder.grading.reference import Reference
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

IMAGE = (3, 32, 32)
IMAGES = "(batch, 3, 32, 32)"
PIXELS = 3 * 32 * 32
BLOCKS = 3 * 16 * 16  # of two by two pixels
FEATURES = 4  # of the decoder; no z_dim of these checks is as large
GAUSSIANS = Gaussians()
BENCH = VaeBench()
METHODS = ("sample", "kl", "nll", "mode")
PARTS = ("mean", "logvar")
ATOL = 1e-3
LOG_2PI = math.log(2 * math.pi)


def own_vae(student: Student, z_dim: int) -> Remote:
    """The submission's VAE in evaluation mode, with small networks."""
    vae = student.vae.VAE(
        in_channels=3, decoder_features=FEATURES, encoder_features=3, z_dim=z_dim, input_size=32, device="cpu"
    )
    if not isinstance(vae, Remote):
        fail(_("VAE(...) makes a network."), _("a value of type {type}.").format(type=type(vae).__name__))
    vae.eval()
    return vae


def distribution_class(student: Student) -> Remote:
    """The submission's `DiagonalGaussianDistribution`; where it has none, the check ends here and says so."""
    kind: Remote = student.vae.DiagonalGaussianDistribution
    kind(torch.zeros(1, 1))
    return kind


class KnownVae:
    """A VAE of the submission whose four networks are affine, and what they compute, in float64.

    Attributes:
        vae: the submission's object.
        features: from images to `z_dim` numbers.
        mean: from features to the means of q(z|x).
        logvar: from features to the log-variances.
        image: from latents to images.
    """

    def __init__(
        self, student: Student, draw: Draw, features: Affine, mean: Affine, logvar: Affine, image: Affine
    ) -> None:
        """Make it; `draw` is of what its methods are asked with."""
        self.z_dim = len(mean.bias)
        self.features, self.mean, self.logvar, self.image = features, mean, logvar, image
        self._student, self._draw, self._seen = student, draw, 0
        self.vae = own_vae(student, self.z_dim)
        networks = {"encoder": features, "mean": mean, "logvar": logvar, "decoder": image}
        for name, network in networks.items():
            try:
                assign(getattr(self.vae, name).forward, network)
            except SubmissionRaised:
                fail(
                    _("the networks encoder, mean, logvar and decoder of the VAE, as they were given."),
                    _("no network {name}.").format(name=name),
                )

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance of q(z|x); float64 (B, z_dim) each."""
        h = self.features(x.double())
        return self.mean(h).detach(), self.logvar(h).detach()

    def picture(self, z: torch.Tensor) -> torch.Tensor:
        """Mean of p(x|z); float64 (B, 3, 32, 32)."""
        return self.image(z.double()).detach()

    def decoded(self) -> list[torch.Tensor]:
        """What the submission's decoder got since the last time that this was asked, call by call; float64."""
        calls = fetch(self._student.copy_of(self.image).calls)
        new, self._seen = calls[self._seen :], len(calls)
        return [call.double() for call in new if isinstance(call, torch.Tensor)]

    def sampled(self, count: int) -> tuple[Any, torch.Tensor]:
        """What `VAE.sample` returns, and the latents that were decoded."""
        error = None
        try:
            images = self.vae.sample(count)
        except SubmissionRaised as raised:
            error, images = raised, None
        decoded = self.decoded()
        if decoded and decoded[-1].shape[-1] != self.z_dim:
            width = decoded[-1].shape[-1]
            hint = _("the width of the latents is self.z_dim.")
            if width == FEATURES:
                hint = _("it looks as if the decoder's number of features is taken for z_dim.")
            fail(
                _("the decoder gets latents of the shape {shape}.").format(shape=f"(batch_size, {self.z_dim})"),
                _("the shape {shape}.").format(shape=tuple(decoded[-1].shape)),
                hint,
            )
        if error is not None:
            raise error
        if images is not None and not decoded:
            fail(_("the images are decoded from latents."), _("the decoder is never called."), _("use self.decode."))
        return images, torch.cat([call.reshape(-1, self.z_dim) for call in decoded or [torch.zeros(0, 1)]])

    def put_right(self, reference: Reference, *names: str) -> None:
        """Put right methods in the place of the wrong ones among these: those cost their own points only.

        Args:
            reference: what is right.
            names: of `DiagonalGaussianDistribution`, and `encode` and `decode`.
        """
        kind = self._student.vae.DiagonalGaussianDistribution
        for name in METHODS:
            judge = partial(_METHODS[name], self._student, reference, self._draw)
            if name in names and not self._is_right(f"DiagonalGaussianDistribution.{name}", judge):
                assign(getattr(kind, name), RightMethod(name))
        if "encode" in names and not self._is_right("VAE.encode", self._encodes):
            assign(self.vae.encode, Encoding(kind, self.features, self.mean, self.logvar))
        if "decode" in names and not self._is_right("VAE.decode", self._decodes):
            assign(self.vae.decode, Decoding(kind, self.image))
        self.decoded()

    def _is_right(self, method: str, judge: Callable[[], bool]) -> bool:
        if is_known_right(self._student, f"vae.{method}"):
            return True
        try:
            return judge()
        except SubmissionError:  # it fails: its own checks say so
            return False

    def _encodes(self) -> bool:
        x = self._draw.uniform(-1.0, 1.0, 3, *IMAGE)
        call = self._student.copy_of(BENCH).posterior
        heads = dict(zip(PARTS, (self.mean, self.logvar), strict=True))
        found = [_differentiable(call, self.vae, x, part, wrt=(heads[part],)) for part in PARTS]
        return alike(found, list(self.posterior(x)), ATOL)

    def _decodes(self) -> bool:
        z = self._draw.normal(3, self.z_dim)
        call, right = self._student.copy_of(BENCH).likelihood, self.picture(z)
        wrt = (1, self.image) if bool(self.image.weight.any()) else (self.image,)
        logvar = _tensor(call(self.vae, z, "logvar"))
        image = _differentiable(call, self.vae, z, "mean", wrt=wrt)
        return alike([image], [right], ATOL) and logvar.numel() > 0 and not bool(logvar.any())


class AffineVae(KnownVae):
    """One whose features are coordinates in directions that are orthonormal; latents are decoded along these."""

    def __init__(
        self,
        student: Student,
        draw: Draw,
        z_dim: int,
        *,
        exact: bool = False,
        constant: bool = False,
        bent: bool = False,
    ) -> None:
        """Make it.

        Args:
            student: the submission.
            draw: of the networks' weights.
            z_dim: dimension of the latents.
            exact: q(z|x) is the exact posterior of the prior and of p(x|z).
            constant: all latents are decoded to the same image, and q(z|x) is wider than the prior.
            bent: the decoder is not affine.
        """
        basis = _directions(draw, z_dim)  # (pixels, z_dim)
        gain = draw.uniform(1.0, 3.0, z_dim).double()
        background = _in_blocks(draw.integers(-4, 5, BLOCKS)).double() / 8
        if exact:
            # Bishop 2006, section 2.3.3: the columns of the decoder are orthogonal, so the covariance is diagonal
            variance = 1 / (1 + gain**2)
            mean = torch.diag(variance * gain), -variance * gain * (basis.T @ background)
            logvar = torch.zeros(z_dim, z_dim), variance.log()
        else:
            signs = 2.0 * draw.integers(0, 2, z_dim) - 1
            level = 0.7 if constant else -1.0
            mean = draw.normal(z_dim, z_dim, std=0.05), signs * draw.uniform(0.5, 0.7, z_dim)
            logvar = draw.normal(z_dim, z_dim, std=0.03), draw.uniform(level - 0.1, level + 0.1, z_dim)
        weight = torch.zeros_like(basis) if constant else basis * (gain * (20.0 if bent else 1.0))
        super().__init__(
            student,
            draw,
            features=Affine(basis.T.float().contiguous(), torch.zeros(z_dim)),
            mean=Affine(mean[0].float(), mean[1].float()),
            logvar=Affine(logvar[0].float(), logvar[1].float()),
            image=Affine(weight.float().contiguous(), background.float(), list(IMAGE), bent),
        )


class PixelwiseVae(KnownVae):
    """One with a latent number for each number of an image: the same line maps each of them to the other.

    Of a grey image, all numbers of the latent have one mean and one variance; so has what it is decoded to.

    Attributes:
        gain: slope of the line from a latent to an image.
        level: its value at 0.
    """

    def __init__(self, student: Student, draw: Draw) -> None:
        """Make it."""
        ones = torch.ones(PIXELS)
        self.gain, self.level = draw.number(1.4, 1.8), draw.number(0.2, 0.4)
        super().__init__(
            student,
            draw,
            features=Affine(ones, 0 * ones),
            mean=Affine(draw.number(0.3, 0.5) * ones, draw.number(0.4, 0.6) * ones),
            logvar=Affine(draw.number(0.4, 0.6) * ones, draw.number(-1.2, -1.0) * ones),
            image=Affine(self.gain * ones, self.level * ones, list(IMAGE)),
        )


def _directions(draw: Draw, z_dim: int) -> torch.Tensor:
    """Orthonormal directions; every pixel has a part in one of them. float64 (pixels, z_dim)."""
    owner = _in_blocks(draw.distinct(0, BLOCKS, BLOCKS) % z_dim)
    signs = _in_blocks(2 * draw.integers(0, 2, BLOCKS) - 1)
    return F.normalize(F.one_hot(owner, z_dim).double() * signs[:, None], dim=0)


def _in_blocks(values: torch.Tensor) -> torch.Tensor:
    """A value for each block as one for each of its pixels, so that a record of it is small; (pixels,)."""
    return values.view(3, 16, 1, 16, 1).expand(-1, -1, 2, -1, 2).flatten()


def _differentiable(call: Any, *args: Any, wrt: tuple[Any, ...]) -> torch.Tensor:
    """What the call returns, float64; nothing, an empty tensor, where gradients do not reach all of `wrt`."""
    value, gradients = value_and_gradients(call, *args, wrt=wrt)
    reached = gradients is not None and all(bool((gradient != 0).any()) for gradient in gradients)
    return _tensor(value) if reached else torch.empty(0)


def _tensor(value: Any) -> torch.Tensor:
    """A tensor as it is, in float64; of anything else an empty one."""
    return value.detach().double() if isinstance(value, torch.Tensor) else torch.empty(0)


def _samples_are_right(student: Student, reference: Reference, draw: Draw) -> bool:
    spread = draw.uniform(1.0, 2.0, 2, 1) * torch.tensor([[1.0], [-1.0]])  # far from 1, where mistakes do not show
    mean, logvar = draw.normal(2, 4000), spread.expand(2, 4000).contiguous()
    bench, kind = student.copy_of(GAUSSIANS), student.vae.DiagonalGaussianDistribution
    value = _differentiable(bench.sample, kind, mean, logvar, wrt=(1, 2))
    again = _tensor(bench.sample(kind, mean, logvar))
    if value.shape != mean.shape or again.shape != mean.shape or bool((value == again).any()):
        return False
    noise = (value - mean.double()) * (-0.5 * logvar.double()).exp()
    moments = torch.cat([noise.mean(1), noise.std(1) - 1, (noise[0] * noise[1]).mean().view(1)])
    return bool((moments.abs() < 0.1).all())


def _kl_is_right(student: Student, reference: Reference, draw: Draw) -> bool:
    mean, logvar = draw.normal(3, 5), draw.uniform(-1.0, 1.0, 3, 5)
    kind = student.vae.DiagonalGaussianDistribution
    right = reference.vae.DiagonalGaussianDistribution(mean, logvar).kl()
    return alike([_differentiable(student.copy_of(GAUSSIANS).kl, kind, mean, logvar, wrt=(1, 2))], [right], ATOL)


def _nll_is_right(student: Student, reference: Reference, draw: Draw) -> bool:
    kind = student.vae.DiagonalGaussianDistribution
    for shape, dims in (((3, 5), [[1]]), ((3, 2, 4, 4), [])):
        mean, logvar, sample = draw.normal(*shape), draw.uniform(-1.0, 1.0, *shape), draw.normal(*shape)
        right = reference.vae.DiagonalGaussianDistribution(mean, logvar).nll(sample.double(), *dims)
        call = student.copy_of(GAUSSIANS).nll
        if not alike([_differentiable(call, kind, mean, logvar, sample, *dims, wrt=(1, 2, 3))], [right], ATOL):
            return False
    return True


def _mode_is_right(student: Student, reference: Reference, draw: Draw) -> bool:
    mean, kind = draw.normal(3, 2, 4, 4), student.vae.DiagonalGaussianDistribution
    return alike([_tensor(student.copy_of(GAUSSIANS).mode(kind, mean, mean - 1))], [mean.double()], ATOL)


_METHODS: dict[str, Callable[[Student, Reference, Draw], bool]] = {
    "sample": _samples_are_right,
    "kl": _kl_is_right,
    "nll": _nll_is_right,
    "mode": _mode_is_right,
}
