"""What can be reached in a graph with cycles, for all of its nodes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def union_of_reachable(edges: Sequence[Sequence[int]], own: Sequence[int]) -> list[int]:
    """For every node, the union of the sets that itself and all nodes reachable from it own.

    R. Tarjan, Depth-First Search and Linear Graph Algorithms (SIAM Journal on Computing 1 (2), 1972); no recursion.

    Args:
        edges: node -> its successors.
        own: node -> its set, as the bits of an integer.

    Returns:
        node -> the union, as the bits of an integer.
    """
    union = list(own)
    order = [0] * len(edges)  # from 1, in which nodes are found; 0: not yet
    lowest = [0] * len(edges)
    finished = [False] * len(edges)
    component: list[int] = []
    found = 0
    for root in range(len(edges)):
        path: list[tuple[int, Iterator[int]]] = [] if order[root] else [(root, iter(edges[root]))]
        while path:
            node, successors = path[-1]
            if not order[node]:
                found += 1
                order[node] = lowest[node] = found
                component.append(node)
            for successor in successors:
                if not order[successor]:
                    path.append((successor, iter(edges[successor])))
                    break
                union[node] |= union[successor]
                if not finished[successor]:
                    lowest[node] = min(lowest[node], order[successor])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    union[parent] |= union[node]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == order[node]:
                    _close(node, component, union, finished)
    return union


def _close(root: int, component: list[int], union: list[int], finished: list[bool]) -> None:
    """Give all nodes of the strongly connected component that `root` was found first of the same union."""
    while not finished[root]:
        node = component.pop()
        union[node] = union[root]
        finished[node] = True
