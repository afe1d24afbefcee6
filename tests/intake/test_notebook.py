import json

import pytest

from autograder.intake.notebook import code_of_notebook


def notebook(*cells: dict, **extra: object) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **extra})


def code(source: object) -> dict:
    return {"cell_type": "code", "source": source, "outputs": [], "metadata": {}}


def test_code_cells_are_joined_in_their_order():
    text = notebook(code(["x = 1\n", "y = 2"]), {"cell_type": "markdown", "source": "# no"}, code("x = 3\n"))
    assert code_of_notebook(text) == "x = 1\ny = 2\n\nx = 3\n"


def test_format_3_is_understood():
    text = json.dumps({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1"]}]}]})
    assert code_of_notebook(text) == "a = 1\n"


@pytest.mark.threat(54)
def test_cell_of_another_language_becomes_comments():
    text = notebook(
        code("%%bash\nls 'x\npwd"),
        code("%%time\nx = 1"),
        code("%%writefile q1.py\ny = 1"),
        code("%%writefile a.sh\nls"),
    )
    assert code_of_notebook(text) == (
        "# %%bash\n# ls 'x\n# pwd\n\n%%time\nx = 1\n\n%%writefile q1.py\ny = 1\n\n# %%writefile a.sh\n# ls\n"
    )


@pytest.mark.parametrize(
    "text",
    ["x = 1", "{}", '{"cells": []}', "{'nbformat': 4}", '{"nbformat": 4', "[" * 100_000, '{"a":' * 100_000, ""],
)
def test_what_is_no_notebook_is_left_alone(text):
    assert code_of_notebook(text) is None


@pytest.mark.parametrize(
    "document",
    [
        {"cells": None},
        {"cells": {"a": 1}},
        {"cells": [None, 3, "x", []]},
        {"cells": [{"cell_type": "code"}]},
        {"cells": [{"cell_type": "code", "source": {"x": 1}}]},
        {"cells": [{"cell_type": "code", "source": [1, None, ["x"]]}]},
        {"worksheets": [{"cells": 3}, None]},
    ],
)
def test_wrong_types_are_left_out(document):
    result = code_of_notebook(json.dumps({"nbformat": 4, **document}))
    assert result is not None
    assert not result.strip()


def test_a_number_of_a_million_digits_costs_nothing():
    assert code_of_notebook('{"nbformat": ' + "9" * 1_000_000 + ', "cells": []}') == "\n"
