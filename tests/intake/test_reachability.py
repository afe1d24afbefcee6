"""Unions over all that can be reached, in any graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autograder.intake.reachability import union_of_reachable


@st.composite
def _graphs(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    size = draw(st.integers(0, 9))
    nodes = st.integers(0, size - 1)
    edges = [draw(st.lists(nodes, max_size=3)) for _ in range(size)]
    return edges, [draw(st.integers(0, 255)) for _ in range(size)]


@given(_graphs())
def test_as_by_walking_from_every_node(graph: tuple[list[list[int]], list[int]]) -> None:
    edges, own = graph
    expected = []
    for node in range(len(edges)):
        seen, todo, union = {node}, [node], 0
        while todo:
            here = todo.pop()
            union |= own[here]
            todo += [other for other in edges[here] if other not in seen]
            seen.update(edges[here])
        expected.append(union)
    assert union_of_reachable(edges, own) == expected


def test_a_long_chain() -> None:
    size = 50_000
    edges = [[node + 1] for node in range(size - 1)] + [[]]
    assert union_of_reachable(edges, [0] * (size - 1) + [4])[0] == 4
