"""Public checks of cmput328_f24 in the student's folder: right variants pass, mistakes fail those of their own unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.release.bundle import released
from autograder.release.folder import write_folder
from tests.student.public_runs import Outcomes, run_public_checks

from .cmput328_f24_diffusion_variants import VARIANTS as DIFFUSION
from .cmput328_f24_networks_variants import END
from .cmput328_f24_networks_variants import VARIANTS as NETWORKS
from .planting import planted

RIGHT = {
    "strides": (
        ["a schedule that is a module with buffers", "a step that takes a number", "DDIM in strides with noise"],
        [
            "embeddings interleaved, half - 1",
            "U-Net of a tutorial: BatchNorm, Dropout, unused layers, other names",
            "VAE with one net for both moments, decode not called by forward",
            "latent DDIM in strides",
        ],
    ),
    "vectors": (
        ["DDIM with the noise of a DDPM", "no functions that make models"],
        [
            "embeddings with cosines first and another base",
            "U-Net with attention, einops, the class as a channel, a last layer of zeros",
            "VAE with vectors for latents, and diffusion of vectors",
        ],
    ),
}
"""Variants that go together: of the diffusion models, and of the rest."""

WRONG = {
    "block: SinusoidalPositionEmbeddings.forward": "embeddings = torch.ones(len(time), self.dim)",
    "        emb = self.time_mlp(timestep)  # (B, time_emb_dim)\n": "        emb = 0 * self.time_mlp(timestep)\n",
    "        estimated_noise = self.network(noisy_input, time_step, label)\n        # END SOLUTION\n"
    "        loss = F.mse_loss(estimated_noise, noise)\n": (
        "        estimated_noise = self.network(noisy_input, time_step, label)\n        # END SOLUTION\n"
        "        loss = F.mse_loss(estimated_noise, noise, reduction='sum')\n"
    ),
    "(1 - alpha_bar_previous - variance).sqrt()": "(1 - alpha_bar_previous - variance)",
    "sample = mean + (0.5 * logvar).exp()": "sample = mean + logvar.exp()",
    "    return mean + noisy * beta.sqrt()": "    return mean + noisy * beta",
    "out = torch.sigmoid(self.head(_run(self.decoder, h, emb)))": "out = self.head(_run(self.decoder, h, emb))",
}
FAILING = {
    "SinusoidalPositionEmbeddings",
    "UNet",
    "DDPM.recover_sample",
    "DDPM.generate_sample",
    "DDIM.recover_sample",
    "DDIM.generate_sample",
    "VAE.forward",
    "VAE.decode",
    "VAE.reparameterize",
    "LDDPM.forward",
    "LDDPM.recover_sample",
    "LDDPM.generate_sample",
}


def right(sources: dict[str, str], diffusion: list[str], networks: list[str]) -> dict[str, bytes]:
    models, assignment = sources["models.py"], sources["assignment.py"]
    ends = []
    for name in networks:
        edits = NETWORKS[name][1]
        models = planted(models, {key: text for key, text in edits.items() if key != END})
        ends.append(edits.get(END, ""))
    for name in diffusion:
        models, assignment = DIFFUSION[name](models, assignment)
    return {"models.py": "\n\n".join([models, *ends]).encode(), "assignment.py": assignment.encode()}


@pytest.fixture(scope="module")
def outcomes(
    f24: Assignment, f24_sources: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcomes]:
    files = released(f24, Path("/nonexistent"))
    work = {name: right(f24_sources, *parts) for name, parts in RIGHT.items()}
    wrong = planted(f24_sources["models.py"], WRONG)
    work["wrong"] = {"models.py": wrong.encode(), "assignment.py": f24_sources["assignment.py"].encode()}
    folders = {}
    for name, changed in work.items():
        folders[name] = tmp_path_factory.mktemp(name) / "folder"
        write_folder(folders[name], {**files, **changed})
    return run_public_checks(folders)


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_right_variants_pass(outcomes: dict[str, Outcomes], name: str) -> None:
    assert len(outcomes[name]) >= 19
    assert {title: text for title, text in outcomes[name].items() if text} == {}


@pytest.mark.slow
def test_mistakes_fail_the_checks_of_their_own_units(outcomes: dict[str, Outcomes]) -> None:
    failed = {title.partition(" ")[2].partition(":")[0] for title, text in outcomes["wrong"].items() if text}
    assert failed == FAILING
