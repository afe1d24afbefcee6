"""A GPU that is written into a source becomes the CPU; what only speaks of one stays."""

from __future__ import annotations

import pytest

from autograder.intake.devices import on_cpu


@pytest.mark.threat(37)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('device = "cuda"', 'device = "cpu"'),
        ("device = 'cuda:0'", 'device = "cpu"'),
        ("device = torch.device('cuda', 1)", 'device = torch.device("cpu", 1)'),
        ('device = f"cuda:{n}"', 'device = "cpu"'),
        ("device = f(x).cuda()", "device = f(x).cpu()"),
        ("device = x.cuda(0,\n non_blocking=True)", "device = x.cpu(\n)"),
        ("device = x.to(device='cuda').y", 'device = x.to(device="cpu").y'),
        ("device = x.cuda().cuda()", "device = x.cpu().cpu()"),
        ("def device(d='cuda'): return d.cuda()", 'def device(d="cpu"): return d.cpu()'),
        ("device = torch.cuda.FloatTensor(2, 3)", "device = torch.FloatTensor(2, 3)"),
        ("device = x.type(torch.cuda.LongTensor)", "device = x.type(torch.LongTensor)"),
        ("device = x.type('torch.cuda.FloatTensor')", 'device = x.type("torch.FloatTensor")'),
        ("device = f(device=torch.cuda.current_device())", 'device = f(device="cpu")'),
    ],
)
def test_cuda_becomes_cpu(before: str, after: str) -> None:
    assert on_cpu(before) == (after, [1])


@pytest.mark.parametrize(
    "source",
    [
        'device = "cuda" if torch.cuda.is_available() else "cpu"',
        "if torch.cuda.is_available():\n    device = 'cuda'\nelse:\n    device = 'cpu'",
        "device = x == 'cuda'",
        "device = x in ('cuda', 'cpu')",
        "device = x.startswith('cuda')",
        "device = {'cuda': 1}['cuda']",
        "def device():\n    'cuda'",
        "device = torch.cuda.device_count()",
        "device = torch.autocast('cuda')",
        "device = 'cuda is fast'",
        "device = b'cuda'",
        "if __name__ == '__main__':\n    x.cuda()\ndevice = 1",
    ],
)
def test_others_stay(source: str) -> None:
    assert on_cpu(source) == (source, [])


def test_lines_are_counted_once() -> None:
    text = "é = ['cuda', x.cuda()]\n\ny.to('cuda:1')\n"
    assert on_cpu(text) == ('é = ["cpu", x.cpu()]\n\ny.to("cpu")\n', [1, 3])
