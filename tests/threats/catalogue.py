"""What arrives, and the right outcome: the numbers that `@pytest.mark.threat` names.

`python -m tests.threats` runs all tests with such a mark and writes the table of docs/security.md.
"""

from __future__ import annotations

from typing import NamedTuple


class Threat(NamedTuple):
    """One row of the table."""

    arrives: str
    outcome: str


CHAPTERS: dict[str, dict[int, Threat]] = {
    "Reading or altering the grader": {
        1: Threat(
            "walks over frames and live objects, in search of expected values", "no such value is in the process"
        ),
        2: Threat("reads of checks, reference, classifier, secret", "refused; the check goes on"),
        3: Threat("other content for results or harness files", "refused; results are written last, by a rename"),
        4: Threat("a watcher or background process that rewrites the results", "ended before they are written"),
        5: Threat("the process ends itself, or crashes, in the middle", "this check fails, the others run"),
        6: Threat("work after the return: atexit, threads, signals", "ignored: the value has crossed before"),
        7: Threat("patched comparisons: torch, unittest, pytest", "no effect: values are compared elsewhere"),
        8: Threat("objects that are equal to everything, tensors that lie", "only type, shape and bytes cross"),
        9: Threat("values that differ from read to read", "read once"),
        10: Threat("conftest.py, sitecustomize.py, torch.py and the like", "only listed files are taken"),
        11: Threat("forged frames, 'PASSED' on standard output", "no verdict ever crosses; printing is no channel"),
        12: Threat("writing to the result channel itself", "only a value can be sent, and it is judged"),
        13: Threat("secrets in the environment, in arguments, in /proc", "there are none"),
        14: Threat("ptrace, memory of other processes, signals to them", "refused"),
        15: Threat("sending what was seen over a network, or by DNS", "no socket of any family"),
        16: Threat("hidden inputs in what is printed or raised", "not shown for hidden checks"),
        17: Threat("many uploads that each ask one question", "fresh inputs for each; fixed sentences"),
        18: Threat("values of visible checks written into the code", "hidden checks have other inputs"),
        19: Threat("the reference, or a library's class, imported", "not importable; a sign for the instructor"),
        20: Threat("eval, exec, encoded payloads", "harmless by isolation; a sign for the instructor"),
    },
    "Using up resources": {
        21: Threat("a loop without end, also one that catches everything", "killed at the limit; the others run"),
        22: Threat("alarms switched off, clocks patched", "no effect: the grader keeps the time"),
        23: Threat("processes or threads without number", "limited and ended; the next check starts clean"),
        24: Threat("memory without end", "refused at the limit, with a sentence"),
        25: Threat("files without end or of any size", "limited and removed"),
        26: Threat("printing without end", "capped; the check fails"),
        27: Threat("slow checks that together exceed the platform's time", "'not run in time', results in time"),
        28: Threat("more threads than CPUs", "set by the grader"),
        29: Threat("training at import, or where a sample is asked for", "limits for imports and calls"),
    },
    "Checkpoints and tensors": {
        30: Threat("a pickle that runs code", "never run"),
        31: Threat("a whole module in place of its weights", "refused; says what to save"),
        32: Threat("a checkpoint that unpacks to gigabytes", "refused by its declared sizes"),
        33: Threat("a tensor of billions of elements on four bytes", "refused"),
        34: Threat("weights that are not numbers", "no points for this part, with a sentence"),
        35: Threat("complex, half, sparse, quantised tensors; other devices", "converted, or refused with a sentence"),
        36: Threat("renamed, missing or wrapped keys", "taken where it is clear; else named"),
        37: Threat("`cuda` written into the code", "becomes the device of the run, with a note"),
        38: Threat("images stored in a checkpoint", "flagged for the instructor"),
        39: Threat("cut off, a Git LFS pointer, a web page, nothing", "recognised and named"),
        40: Threat("bloated or doubled headers", "refused"),
    },
    "Scores of generated samples": {
        41: Threat("one good image of each class, or a few, repeated", "flagged; a wrong answer if in all classes"),
        42: Threat("noise that was made for the classifier", "flagged: the second classifier disagrees"),
        43: Threat("samples selected with the classifier", "not to be reached; its weights are flagged; limited time"),
        44: Threat("images of the data set", "flagged: distance to the nearest real image"),
        45: Threat("labels ignored, or assumed to be sorted", "labels are balanced and shuffled"),
        46: Threat("a classifier whose answer depends on the batch", "always in evaluation mode"),
        47: Threat("wrong ranges, constant images, NaN", "one stated range; NaN is a wrong answer"),
        48: Threat("an unlucky draw", "enough samples, the interval in the report"),
        49: Threat("a submission that seeds the generator", "seeds of its own; determinism costs nothing"),
        50: Threat("generators that differ between devices", "noise is given, draws are never compared"),
    },
    "Uploads and names": {
        51: Threat("paths that leave the folder, links, devices", "refused by name; the rest is taken"),
        52: Threat("zip bombs, nested zips, 100 000 entries", "refused early, with little memory"),
        53: Threat("folders in zips, system files, wrong case, encodings", "taken with a note, or a clear sentence"),
        54: Threat("magics, plots, questions in exported notebooks", "left out with a note"),
        55: Threat("two candidates for one file", "a stated rule, or both named"),
        56: Threat("syntax errors, missing names, other signatures", "one sentence, once"),
        57: Threat("inputs changed, views returned, other shapes", "copies cross; a precise sentence"),
        58: Threat("global settings and generators altered", "a fresh process for each check"),
        59: Threat("names with commas, quotes, formulas, right-to-left marks", "escaped in every view"),
        60: Threat("HTML, Markdown, terminal escapes in what is shown", "shown as text"),
        61: Threat("late, group, repeated uploads; no metadata", "rules that read the metadata, and do without"),
        62: Threat(
            "a run that stops in the middle; results that run code when read", "what was judged counts; JSON only"
        ),
    },
}

THREATS: dict[int, Threat] = {number: threat for chapter in CHAPTERS.values() for number, threat in chapter.items()}
