"""The words that the views of a report put around it, in the languages that an assignment may have."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.grading.report import Status

Forms = tuple[str, str]
"""The forms for one and for many, such as `("{n} point", "{n} points")`."""


@dataclass(frozen=True)
class Words:
    """All phrases of one language; `{n}` and other names in braces are filled in by the views."""

    language: str
    decimal_mark: str
    plural_from: float
    label: str
    semicolon: str
    # What became of a check, and what that means where it could be taken for a failure.
    status: dict[Status, str]
    meaning: dict[Status, str]
    partly: str
    printed: str
    own_lines: str
    # Points.
    points: Forms
    bonus: str
    bonus_title: str
    with_bonus: str
    auto_graded: str
    waiting: Forms
    not_judged: Forms
    by_person: Forms
    box: str
    # What a reader must know before the points.
    problem: str
    problem_text: str
    refusal: str
    missing: str
    notes: str
    more: Forms
    # Headings and labels.
    overview: str
    part: str
    auto_points: str
    manual_points: str
    earned: str
    bonus_earned: str
    lost: str
    unjudged: str
    for_person: str
    rubric: str
    worth: str
    given: str
    how_graded: str
    submission: str
    no_name: str
    files: str
    digest: str
    seed: str
    started: str
    duration: str
    machine: str
    layer: str
    state: str
    held: str
    off: str
    layers: str
    layers_off: str
    no_layers: str
    # Samples of a trained model.
    percent_sign: str
    generation: str
    no_evaluation: str
    interval_ends: str
    evaluation: str
    best_evaluation: str
    best: str
    evaluation_columns: tuple[str, ...]
    class_caption: str
    class_columns: tuple[str, ...]
    weakest_classes: str
    weakest: str
    taken_for: str
    picture: str
    for_instructor: str
    second_opinion: str

    def number(self, value: float) -> str:
        """`value` with at most two decimals, and no more of them than are needed."""
        return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".").replace(".", self.decimal_mark)

    def percent(self, fraction: float) -> str:
        """`fraction`, 0..1, in percent with one decimal."""
        return self.percent_sign.format(n=self._hundredths(fraction))

    def interval(self, low: float, high: float) -> str:
        """From one fraction to another, in percent with one decimal."""
        return self.interval_ends.format(low=self._hundredths(low), high=self._hundredths(high))

    def count(self, value: float, forms: Forms) -> str:
        """The form that goes with `value`, with the number filled in."""
        singular = abs(value) < self.plural_from if self.plural_from > 1 else value == 1
        return forms[0 if singular else 1].format(n=self.number(value))

    def _hundredths(self, fraction: float) -> str:
        return f"{100 * fraction:.1f}".replace(".", self.decimal_mark)


_ENGLISH = Words(
    language="en",
    decimal_mark=".",
    plural_from=1,
    label="{label}: {text}",
    semicolon="; ",
    status={
        Status.PASSED: "passed",
        Status.FAILED: "failed",
        Status.SKIPPED: "skipped",
        Status.UNGRADABLE: "ungradable",
    },
    meaning={
        Status.SKIPPED: "Not run: it needs something that did not work elsewhere.",
        Status.UNGRADABLE: "Could not be judged here, in whole or in part. This says nothing about the work: "
        "what was not judged is neither earned nor lost.",
    },
    partly="partly",
    printed="printed by the submission",
    own_lines="lines of the submission",
    points=("{n} point", "{n} points"),
    bonus="bonus",
    bonus_title="{title} (bonus)",
    with_bonus="{points} + {bonus} bonus",
    auto_graded="auto-graded {points}",
    waiting=("{n} point waits for a person", "{n} points wait for a person"),
    not_judged=("{n} point could not be judged", "{n} points could not be judged"),
    by_person=("marked by a person: {n} point", "marked by a person: {n} points"),
    box="points given by a person",
    problem="The grader had a problem",
    problem_text="Something went wrong in the grader, not in the submission. "
    "What could not be judged is not lost; please tell the course staff.",
    refusal="Nothing could be graded",
    missing="Missing files",
    notes="Notes on the files",
    more=("and {n} more", "and {n} more"),
    overview="Overview",
    part="Part",
    auto_points="Auto-graded",
    manual_points="By a person",
    earned="earned",
    bonus_earned="bonus, on top",
    lost="not earned",
    unjudged="could not be judged",
    for_person="wait for a person",
    rubric="What a person looks for",
    worth="Points",
    given="Given",
    how_graded="How this was graded",
    submission="Submission",
    no_name="without a name",
    files="Files",
    digest="SHA-256",
    seed="Seed",
    started="Started",
    duration="Duration",
    machine="Machine",
    layer="Layer of the jail",
    state="State",
    held="held",
    off="missing",
    layers="The jail around the submission",
    layers_off="Layers of the jail that were off",
    no_layers="No layer of the jail is on record for this run.",
    percent_sign="{n}%",
    generation="Samples of {model} that the classifier takes for their class. The best evaluation counts.",
    no_evaluation="No samples of {model} could be judged by the classifier.",
    interval_ends="{low}% to {high}%",
    evaluation="{correct} of {samples}: {accuracy} (95% interval {interval}), score {score}",
    best_evaluation="best, {evaluation}",
    best="best",
    evaluation_columns=("Evaluation", "Samples", "Right", "Accuracy", "95% interval (Wilson)", "Score"),
    class_caption="Samples that the classifier takes for their class, all evaluations together. "
    "The last column is the share that it reaches on real test images, which is hardly to be beaten.",
    class_columns=("Class", "Samples", "Right", "Share", "Most often taken for", "Real images"),
    weakest_classes="weakest classes",
    weakest="{name}: {correct} of {samples}, {share} (real images: {ceiling})",
    taken_for="{line}, most often taken for {other}",
    picture="Samples of {model} from the best evaluation, one row for each class",
    for_instructor="For the instructor",
    second_opinion="The second classifier, which changes no mark, recognises {second} of the samples "
    "of the best evaluation; the first one, {first}.",
)

_FRENCH = Words(
    language="fr",
    decimal_mark=",",
    plural_from=2,
    label="{label} : {text}",
    semicolon=" ; ",
    status={
        Status.PASSED: "réussi",
        Status.FAILED: "échoué",
        Status.SKIPPED: "non exécuté",
        Status.UNGRADABLE: "non évaluable",
    },
    meaning={
        Status.SKIPPED: "Non exécuté : dépend d'un élément qui n'a pas fonctionné ailleurs.",
        Status.UNGRADABLE: "N'a pas pu être évalué ici, en tout ou en partie. Cela ne dit rien du travail : "
        "ce qui n'a pas été évalué n'est ni gagné ni perdu.",
    },
    partly="partiel",
    printed="affiché par la remise",
    own_lines="lignes de la remise",
    points=("{n} point", "{n} points"),
    bonus="bonus",
    bonus_title="{title} (bonus)",
    with_bonus="{points} + {bonus} en bonus",
    auto_graded="correction automatique : {points}",
    waiting=("{n} point attend une personne", "{n} points attendent une personne"),
    not_judged=("{n} point n'a pas pu être évalué", "{n} points n'ont pas pu être évalués"),
    by_person=("corrigé par une personne : {n} point", "corrigé par une personne : {n} points"),
    box="points donnés par une personne",
    problem="Le correcteur a eu un problème",
    problem_text="Quelque chose a mal tourné dans le correcteur, et non dans la remise. "
    "Ce qui n'a pas pu être évalué n'est pas perdu ; merci de prévenir l'équipe du cours.",
    refusal="Rien n'a pu être évalué",
    missing="Fichiers manquants",
    notes="Remarques sur les fichiers",
    more=("et {n} autre", "et {n} autres"),
    overview="Vue d'ensemble",
    part="Partie",
    auto_points="Automatique",
    manual_points="Par une personne",
    earned="gagnés",
    bonus_earned="en bonus",
    lost="non gagnés",
    unjudged="non évalués",
    for_person="attendent une personne",
    rubric="Ce qu'une personne vérifie",
    worth="Points",
    given="Donnés",
    how_graded="Comment la correction a été faite",
    submission="Remise",
    no_name="sans nom",
    files="Fichiers",
    digest="SHA-256",
    seed="Graine",
    started="Début",
    duration="Durée",
    machine="Machine",
    layer="Couche d'isolation",
    state="État",
    held="active",
    off="absente",
    layers="L'isolation de la remise",
    layers_off="Couches d'isolation inactives",
    no_layers="Aucune couche d'isolation n'est consignée pour cette exécution.",
    percent_sign="{n}\u00a0%",
    generation="Échantillons de {model} que le classifieur attribue à leur classe. La meilleure évaluation compte.",
    no_evaluation="Aucun échantillon de {model} n'a pu être jugé par le classifieur.",
    interval_ends="{low} à {high}\u00a0%",
    evaluation="{correct} sur {samples} : {accuracy} (intervalle à 95 % : {interval}), note {score}",
    best_evaluation="la meilleure, {evaluation}",
    best="la meilleure",
    evaluation_columns=(
        "Évaluation",
        "Échantillons",
        "Bien classés",
        "Exactitude",
        "Intervalle à 95 % (Wilson)",
        "Note",
    ),
    class_caption="Échantillons que le classifieur attribue à leur classe, toutes évaluations confondues. "
    "La dernière colonne donne la même proportion pour de vraies images de test : on ne peut guère espérer mieux.",
    class_columns=(
        "Classe",
        "Échantillons",
        "Bien classés",
        "Proportion",
        "Confusion la plus fréquente",
        "Images réelles",
    ),
    weakest_classes="classes les moins réussies",
    weakest="{name} : {correct} sur {samples}, soit {share} (images réelles : {ceiling})",
    taken_for="{line}, confondue surtout avec {other}",
    picture="Échantillons de {model} tirés de la meilleure évaluation, une ligne par classe",
    for_instructor="Pour l'équipe enseignante",
    second_opinion="Le second classifieur, qui ne change rien à la note, reconnaît {second} des échantillons "
    "de la meilleure évaluation ; le premier, {first}.",
)


def words_for(language: str) -> Words:
    """The words of `language`; English where there are none, so that a report can always be shown."""
    return _FRENCH if language == "fr" else _ENGLISH
