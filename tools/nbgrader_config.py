"""How the course uses nbgrader: tools/notebooks.py and tools/grading.py read this file, nbgrader's way."""

c = get_config()  # noqa: F821, nbgrader brings it

c.ClearSolutions.code_stub = {"python": "# your code here\nraise NotImplementedError"}

steps = "nbgrader.preprocessors."
c.Autograde.autograde_preprocessors = [
    "isolated.Isolated",  # in the place of nbgrader's Execute
    steps + "IgnorePattern",
    steps + "LimitOutput",
    steps + "SaveAutoGrades",
    steps + "CheckCellMetadata",
]
c.Isolated.timeout = 300  # seconds a cell; a notebook has four times as many
c.IgnorePattern.enabled = True  # text on stderr, such as a warning, would cost the points
c.IgnorePattern.pattern = "(?s).*"
