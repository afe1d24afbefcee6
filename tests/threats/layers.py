"""Which layers of the jail hold which attack: `HOLDS`, from which the matrix of docs/security.md follows.

Each attack is an expression that a submission evaluates; it raises OSError where it is refused. Beside an attack stand
sets of layers: each set holds it alone. Beside the layers of `LAYERS` there are facts about a machine:

    landlock-tcp        the kernel's Landlock knows TCP (Linux 6.7)
    landlock-signals    the kernel's Landlock knows signals (Linux 6.12)
    capabilities        the child has none: it has a user of its own, or has given them up together with `rlimits`
    root                the child is root's, so that there is nothing to gain
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from autograder.sandbox.jail import LAYERS


class LayeredAttack(NamedTuple):
    """An attack, the sets of layers of which each holds it, and the numbers of its threats."""

    code: str
    holders: tuple[frozenset[str], ...]
    threats: tuple[int, ...]


def _attack(code: str, holders: str, *threats: int) -> LayeredAttack:
    return LayeredAttack(code, tuple(frozenset(part.split("+")) for part in holders.split()), threats)


HOLDS: dict[str, LayeredAttack] = {
    "reads a secret that every user may read": _attack("open(OPEN).read()", "landlock", 2, 3),
    "reads a secret of the grader's user": _attack("open(CLOSED).read()", "uid landlock", 2),
    "lists the folder of the secrets": _attack("os.listdir(os.path.dirname(OPEN))", "landlock", 2),
    "rewrites a file that every user may write": _attack("open(RESULTS, 'w').write('100')", "landlock", 3, 4),
    "rewrites a file of the grader": _attack("open(CLOSED, 'a').write('100')", "uid landlock", 3, 4),
    "writes a file beside its scratch folder": _attack("open('../mine', 'w')", "uid landlock", 3, 25),
    "reads a secret in the environment": _attack("environment()", "environment", 13),
    "reads the environment in /proc": _attack("proc(os.getppid(), 'environ')", "uid landlock capabilities", 13, 14),
    "reads the memory of the parent": _attack("proc(os.getppid(), 'mem')", "uid landlock capabilities", 14),
    "reads the parent's memory by a call": _attack(
        "read_memory(os.getppid())", "uid landlock capabilities seccomp", 14
    ),
    "sends the parent a signal": _attack("os.kill(os.getppid(), 0)", "uid seccomp landlock-signals", 3, 14),
    "limits the parent": _attack("resource.prlimit(os.getppid(), resource.RLIMIT_CORE)", "uid seccomp", 14),
    "makes a socket": _attack("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "seccomp", 15),
    "opens a TCP port": _attack("socket.create_server(('127.0.0.1', 0))", "seccomp landlock-tcp", 15),
    "runs a program": _attack("run(PROGRAM)", "seccomp landlock", 23),
    "starts a process": _attack("start(lambda: None)", "seccomp", 23),
    "starts as many processes as it likes": _attack("many(66)", "seccomp uid+rlimits", 23),
    "takes 2 GB of memory": _attack("take(2 << 30)", "rlimits", 24),
    "writes a file of 20 MB": _attack("write(20 << 20)", "rlimits", 25),
    "makes a device": _attack("os.mknod('disk', 0o60600, os.makedev(7, 99))", "uid landlock capabilities", 2, 3),
    "gains rights by a set-uid program": _attack("gain()", "no_new_privs seccomp landlock root", 3, 14),
}


def held(name: str, active: Iterable[str]) -> bool:
    """Whether the attack `name` is held by these layers."""
    layers = set(active)
    return any(holders <= layers for holders in HOLDS[name].holders)


def holders_without(name: str, layer: str) -> list[str]:
    """What still holds the attack when a layer is off, for the matrix in the documents; empty: nothing does.

    The kernel asks for `no_new_privs` before it takes a filter or a ruleset from an ordinary user, so that without it
    three layers are off. The facts about a machine are those of a recent kernel and a grader that runs as root.
    """
    off = {layer}
    if layer == "no_new_privs":
        off |= {"landlock", "seccomp"}
    if "landlock" in off:
        off |= {"landlock-tcp", "landlock-signals"}
    if "uid" not in off:
        off |= {"capabilities", "root"}  # the user of its own is the reason why it has none
    elif "rlimits" in off:
        off.add("capabilities")
    return ["+".join(sorted(holders)) for holders in HOLDS[name].holders if not holders & off]


MATRIX: dict[str, dict[str, list[str]]] = {
    name: {layer: holders_without(name, layer) for layer in LAYERS} for name in HOLDS
}
