"""What each operator makes of small pieces of code."""

from __future__ import annotations

import ast

import pytest

from .operators import OPERATORS


def made(operator: str, source: str) -> list[str]:
    """The replacements of all nodes of a statement or an expression, as text, outer nodes first."""
    tree = ast.parse(source)
    before = ast.dump(tree)
    found = [ast.unparse(new) for node in ast.walk(tree) for new in OPERATORS[operator](node)]
    assert ast.dump(tree) == before, "an operator must not change the tree it is given"
    return found


CASES = {
    "swap-arithmetic": [
        ("a + b", ["a - b"]),
        ("a - b", ["a + b"]),
        ("a / b", ["a * b"]),
        ("a * b", []),
        ("(a + b) / c", ["(a + b) * c", "a - b"]),
    ],
    "swap-operands": [("a / b", ["b / a"]), ("a - b", [])],
    "drop-power": [("a ** 2", ["a"]), ("a ** (1 - v)", ["a"]), ("a * 2", [])],
    "drop-term": [
        ("a + b", ["a", "b"]),
        ("a - b", ["a", "-b"]),
        ("1 - b", ["1"]),
        ("a - b + c", ["a - b", "c", "a", "-b"]),
        ("a * b", []),
    ],
    "drop-factor": [
        ("a * b", ["a", "b"]),
        ("a / b", ["a"]),
        ("0.5 * a", ["a"]),
        ("-0.5 * a", ["a"]),
        ("a / 2", ["a"]),
        ("1 / a", []),
        ("2 * math.pi", ["2", "math.pi"]),
        ("a + b", []),
    ],
    "flip-sign": [
        ("-a", ["a"]),
        ("a.exp()", ["(-a).exp()"]),
        ("torch.exp(a - b)", ["torch.exp(-(a - b))"]),
        ("torch.sigmoid(-a)", ["a"]),
        ("a.sum(dim=1)", ["-a.sum(dim=1)"]),
        ("a.sum(dim=1).mean()", ["-a.sum(dim=1)"]),
        ("a.log()", []),
    ],
    "change-constant": [
        ("1 - a", ["2 - a"]),
        ("n - 1 - t", ["n - 2"]),
        ("-0.5 * a", ["-1"]),
        ("-2 * a", ["-1"]),
        ("a ** 2", []),
        ("0.5 * a", []),
        ("-a", []),
    ],
    "change-reduction": [
        ("a.sum(dim=1)", ["a.mean(dim=1)", "a"]),
        ("a.mean()", ["a.sum()", "a"]),
        ("a.max(dim=1).values", ["a.min(dim=1)"]),
        ("a.view(1)", []),
    ],
    "change-dim": [
        ("a.sum(dim=1)", ["a.sum(dim=0)", "a.sum(dim=1, keepdim=True)"]),
        ("a.mean(dim=0)", ["a.mean(dim=1)", "a.mean(dim=0, keepdim=True)"]),
        ("a.sum(dim=dim)", ["a.sum(dim=dim, keepdim=True)"]),
        ("a.sum(dim=2, keepdim=True)", ["a.sum(dim=1, keepdim=True)"]),
        ("a.sum()", []),
        ("a.view(dim=1)", []),
    ],
    "swap-arguments": [
        ("f(lambda_t, lambda_t_prim)", ["f(lambda_t_prim, lambda_t)"]),
        ("f(n, mu, logvar, k=1)", ["f(n, logvar, mu, k=1)"]),
        ("f(a.b, 1)", []),
        ("f(x, t)", []),
    ],
    "drop-argument": [
        ("f(x, t, eps=noise)", ["f(x, t)"]),
        ("x.clamp(min=0, max=1)", ["x.clamp(max=1)", "x.clamp(min=0)"]),
        ("x.new_full((n,), 3, dtype=torch.long, device=x.device)", []),
    ],
    "swap-names": [
        ("mu_q", ["mu_p"]),
        ("mu_q = 1", []),
        ("self.alpha", ["self.alpha_bar", "self.alpha_prim"]),
        ("self.eps_model(v, c)", ["self.ema_model"]),
        ("other.sigma_q", []),
        ("nothing", []),
    ],
    "drop-function": [
        ("a.sqrt()", ["a"]),
        ("torch.log(a + b)", ["a + b"]),
        ("math.log(2)", ["2"]),
        ("a.clamp(0, 1)", ["a"]),
        ("a.view(-1)", []),
    ],
    "replace-function": [
        ("a.exp()", ["a.exp().sqrt()"]),
        ("torch.exp(a)", ["torch.exp(a).sqrt()"]),
        ("math.exp(a)", []),
        ("a.log()", ["a.log10()"]),
        ("math.log(a)", ["math.log10(a)"]),
        ("a.sqrt()", []),
    ],
    "shift-time": [
        ("f(t)", ["t + 1", "t - 1"]),
        ("n - step", ["step + 1", "step - 1"]),
        ("t = 3", []),
        ("tt", []),
    ],
    "change-comparison": [
        ("t > 0", ["t >= 0", "t <= 0"]),
        ("t <= 0", ["t < 0", "t > 0"]),
        ("t == 0", ["t != 0"]),
        ("x is None", ["x is not None"]),
        ("t in steps", ["t not in steps"]),
        ("0 < t < 1", []),
    ],
    "change-model-call": [
        ("self.eps_model(z, labels)", ["self.eps_model(z, None)"]),
        ("self.eps_model(z, None)", ["self.eps_model(z, labels)"]),
        ("self.eps_model(xt, t)", ["self.eps_model(xt, torch.zeros_like(t))"]),
        ("self.other(z, labels)", []),
        ("self.eps_model(z)", []),
    ],
    "change-noise": [
        ("torch.randn_like(x)", ["torch.rand_like(x)", "torch.zeros_like(x)", "torch.randn_like(x[:1])"]),
        ("torch.zeros_like(x)", []),
    ],
    "detach": [
        ("y = a + b", ["y = (a + b).detach()"]),
        ("y = f(x)", ["y = f(x).detach()"]),
        ("y = self.eps_model(x, t) - n", ["y = (self.eps_model(x, t) - n).detach()", "self.eps_model(x, t).detach()"]),
        ("y = x", []),
        ("a, b = c, d", []),
    ],
}


@pytest.mark.parametrize(
    ("operator", "source", "expected"),
    [(operator, source, expected) for operator, cases in CASES.items() for source, expected in cases],
)
def test_what_an_operator_makes(operator, source, expected):
    assert made(operator, source) == expected


def test_every_operator_has_cases_with_and_without_a_result():
    assert set(CASES) == set(OPERATORS)
    for operator, cases in CASES.items():
        assert any(expected for _, expected in cases), operator
        assert any(not expected for _, expected in cases), operator
