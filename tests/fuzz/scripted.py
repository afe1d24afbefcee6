"""A child that says what the fuzzer wrote down for it: no process, only its end of the channel."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

from autograder.sandbox import wire
from autograder.sandbox.jail import JailSettings
from autograder.sandbox.zygote import Exit

_STARTED = wire.encode({"layers": {"uid": "on"}}) + wire.encode({"value": None})
_NO_PROCESS = 0  # /proc/0 does not exist, so the session takes it for ended


class ScriptedZygote:
    """In the place of a zygote: its only child says `script` and closes the channel."""

    def __init__(self, script: bytes, folder: Path) -> None:
        self.settings = JailSettings()
        self._script = script
        self._folder = folder
        self._theirs: socket.socket | None = None

    def fork_child(
        self, channel: socket.socket, output: int, files: Mapping[str, bytes] | None = None
    ) -> tuple[int, Path]:
        self._theirs = channel.dup()
        self._theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # more than the channel holds is as good as cut off
            self._theirs.sendall(_STARTED + self._script)
        self._theirs.shutdown(socket.SHUT_WR)
        return _NO_PROCESS, self._folder

    def reap_child(self, pid: int, scratch: Path) -> Exit:
        assert self._theirs is not None
        self._theirs.close()
        return Exit(0, 0, 0.0)
