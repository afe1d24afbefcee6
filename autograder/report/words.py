"""The words that the views of a report put around it, in the language of the assignment."""

from __future__ import annotations

from functools import cache

from autograder.grading.report import Status
from autograder.language import TRANSLATED, _, both_forms, speaking

Forms = tuple[str, str]
"""The forms for one and for many, such as `("{n} point", "{n} points")`."""

_PLURAL_FROM = {"fr": 2}
"""From which number on things are many; elsewhere all but exactly one are."""


class Words:
    """All phrases of one language; `{n}` and other names in braces are filled in by the views."""

    def __init__(self, language: str) -> None:
        """Made by `words_for`, while the language is spoken."""
        self.language = language
        self.decimal_mark = _(".")
        self.label = _("{label}: {text}")
        self.semicolon = _("; ")
        # What became of a check, and what that means where it could be taken for a failure.
        self.status = {
            Status.PASSED: _("passed"),
            Status.FAILED: _("failed"),
            Status.SKIPPED: _("skipped"),
            Status.UNGRADABLE: _("ungradable"),
        }
        self.meaning = {
            Status.SKIPPED: _("Not run: it needs something that did not work elsewhere."),
            Status.UNGRADABLE: _(
                "Could not be judged here, in whole or in part. This says nothing about the work: "
                "what was not judged is neither earned nor lost."
            ),
        }
        self.partly = _("partly")
        self.printed = _("printed by the submission")
        self.own_lines = _("lines of the submission")
        # Points.
        self.points = both_forms("{n} point", "{n} points")
        self.bonus = _("bonus")
        self.bonus_title = _("{title} (bonus)")
        self.with_bonus = _("{points} + {bonus} bonus")
        self.auto_graded = _("auto-graded {points}")
        self.waiting = both_forms("{n} point waits for a person", "{n} points wait for a person")
        self.not_judged = both_forms("{n} point could not be judged", "{n} points could not be judged")
        self.by_person = both_forms("marked by a person: {n} point", "marked by a person: {n} points")
        self.box = _("points given by a person")
        # What a reader must know before the points.
        self.problem = _("The grader had a problem")
        self.problem_text = _(
            "Something went wrong in the grader, not in the submission. "
            "What could not be judged is not lost; please tell the course staff."
        )
        self.refusal = _("Nothing could be graded")
        self.missing = _("Missing files")
        self.notes = _("Notes on the files")
        self.more = both_forms("and {n} more", "and {n} more")
        # Headings and labels.
        self.overview = _("Overview")
        self.part = _("Part")
        self.auto_points = _("Auto-graded")
        self.manual_points = _("By a person")
        self.earned = _("earned")
        self.bonus_earned = _("bonus, on top")
        self.lost = _("not earned")
        self.unjudged = _("could not be judged")
        self.for_person = _("wait for a person")
        self.rubric = _("What a person looks for")
        self.worth = _("Points")
        self.given = _("Given")
        self.how_graded = _("How this was graded")
        self.submission = _("Submission")
        self.no_name = _("without a name")
        self.files = _("Files")
        self.digest = _("SHA-256")
        self.seed = _("Seed")
        self.started = _("Started")
        self.duration = _("Duration")
        self.seconds = _("{n} s")
        self.machine = _("Machine")
        self.layer = _("Layer of the jail")
        self.state = _("State")
        self.held = _("held")
        self.off = _("missing")
        self.layers = _("The jail around the submission")
        self.layers_off = _("Layers of the jail that were off")
        self.no_layers = _("No layer of the jail is on record for this run.")
        # Samples of a trained model.
        self.percent_sign = _("{n}%")
        self.generation = _("Samples of {model} that the classifier takes for their class. The best evaluation counts.")
        self.no_evaluation = _("No samples of {model} could be judged by the classifier.")
        self.interval_ends = _("{low}% to {high}%")
        self.evaluation = _("{correct} of {samples}: {accuracy} (95% interval {interval}), score {score}")
        self.best_evaluation = _("best, {evaluation}")
        self.best = _("best")
        self.evaluation_columns = (
            _("Evaluation"),
            _("Samples"),
            _("Right"),
            _("Accuracy"),
            _("95% interval (Wilson)"),
            _("Score"),
        )
        self.class_caption = _(
            "Samples that the classifier takes for their class, all evaluations together. "
            "The last column is the share that it reaches on real test images, which is hardly to be beaten."
        )
        self.class_columns = (
            _("Class"),
            _("Samples"),
            _("Right"),
            _("Share"),
            _("Most often taken for"),
            _("Real images"),
        )
        self.weakest_classes = _("weakest classes")
        self.weakest = _("{name}: {correct} of {samples}, {share} (real images: {ceiling})")
        self.taken_for = _("{line}, most often taken for {other}")
        self.picture = _("Samples of {model} from the best evaluation, one row for each class")
        self.for_instructor = _("For the instructor")
        self.signs = _("Signs in the files. They change no mark, and often have a good reason.")
        self.second_opinion = _(
            "The second classifier, which changes no mark, recognises {second} of the samples "
            "of the best evaluation; the first one, {first}."
        )

    def number(self, value: float) -> str:
        """`value` with at most two decimals, and no more of them than are needed."""
        return self._with_mark(f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip("."))

    def percent(self, fraction: float) -> str:
        """`fraction`, 0..1, in percent with one decimal."""
        return self.percent_sign.format(n=self._hundredths(fraction))

    def interval(self, low: float, high: float) -> str:
        """From one fraction to another, in percent with one decimal."""
        return self.interval_ends.format(low=self._hundredths(low), high=self._hundredths(high))

    def count(self, value: float, forms: Forms) -> str:
        """The form that goes with `value`, with the number filled in."""
        plural_from = _PLURAL_FROM.get(self.language)
        singular = value == 1 if plural_from is None else abs(value) < plural_from
        return forms[0 if singular else 1].format(n=self.number(value))

    def _hundredths(self, fraction: float) -> str:
        return self._with_mark(f"{100 * fraction:.1f}")

    def _with_mark(self, decimal: str) -> str:
        return decimal.replace(".", self.decimal_mark)


@cache
def words_for(language: str) -> Words:
    """The words of `language`; English where there are none, so that a report can always be shown."""
    known = language if language in TRANSLATED else "en"
    with speaking(known):
        return Words(known)
