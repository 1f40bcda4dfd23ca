"""Writes the pages that students get back, `make feedback`: grading/feedback/STUDENT/exercises/NN_….html."""

import html
import re
import sys

import grading
import marks


def feedback():
    """Write the pages that students get back; they show the hidden tests."""
    if not (grading.GRADING / "autograded").exists():
        sys.exit(f"{grading.show(grading.GRADING)}: nothing is graded; `make grade SUBMITTED=FOLDER` comes first")
    grading.tool("GenerateFeedback").start()
    found, releases = grading.records(), grading.released()
    for path in (grading.GRADING / "feedback").rglob("*.html"):
        page = re.sub(r'<script src="http[^>]*>\s*</script>', "", path.read_text("utf-8"))  # nothing from a network
        if record := found.get(path.parts[-3], {}).get(path.stem):
            page = with_head(page, releases[path.stem], record["answers"])
        path.write_text(page, "utf-8")
    print(f"A folder of pages for each student: {grading.show(grading.GRADING / 'feedback')}")


def with_head(page, notebook, answers):
    """A feedback page whose head has the questions and what failed in them, in the place of nbgrader's "Test cell"."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    titles = {f"q{number}": title.replace("`", "") for number, title in re.findall(r"(?m)^## (\d+)\. (.*)", text)}

    def entry(found):
        points, state, message = answers.get(found[1], [0, "not graded", ""])
        line = f'<li><a href="#{found[1]}-check">{html.escape(titles.get(found[1], found[1]))}</a>: {state}'
        return f"{line}, {points:g} of {float(found[2]):g}. {html.escape(marks.short(message))}</li>"

    page = re.sub(r'<li><a href="#comment-.*?</li>', "", page)
    return re.sub(r'<li><a href="#([^"]+)-check">Test cell</a> \(Score: .*? / (.*?)\)</li>', entry, page)


if __name__ == "__main__":
    feedback()
