"""How large one file of a submission may be, and what helps where it is larger."""

from __future__ import annotations

from dataclasses import dataclass

from tools.words import _

KB = 1024
MB = 1024 * 1024


@dataclass(frozen=True)
class SizeLimit:
    """How large one file may be, how that is said, and what helps where it is larger."""

    size: int
    words: str
    advice: str

    def problem(self, size: int) -> str:
        """Why a file of `size` bytes is not taken; empty if it is small enough."""
        if size <= self.size:
            return ""
        too_large = _("not taken, because it is larger than {size}; {advice}")
        return too_large.format(size=self.words, advice=self.advice)


def source_limit(kilobytes: int) -> SizeLimit:
    """The limit of a source file."""
    return SizeLimit(kilobytes * KB, _("{n} kB").format(n=kilobytes), _("hand in the source code alone"))


def checkpoint_limit(megabytes: int) -> SizeLimit:
    """The limit of a checkpoint."""
    advice = _("save the weights alone (model.state_dict()), or make the model smaller")
    return SizeLimit(megabytes * MB, _("{n} MB").format(n=megabytes), advice)
