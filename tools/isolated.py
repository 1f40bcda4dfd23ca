"""The executor of `make grade`: a loop, a crash or a flood of output ends a cell or a notebook, never the grading.

Before each check something is tried that must fail, and a check counts when it has come to its end: so what empties
checks, on purpose or not, costs their points (`check`).
"""

import functools
import json
import random
import re
import secrets
import time

import nbformat
import wall
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Unicode

SHOWN = 200_000  # characters of output that a cell may have; a notebook ten times as many
ERROR = 2_000  # of an error's text, and of each line of its traceback
LINES = 40  # of a traceback, its last ones
KINDS = {"execute_input", "clear_output", "stream", "error", "display_data", "execute_result", "update_display_data"}
PAGE = "text/plain", "image/png", "image/jpeg"  # what a page shows (feedback.py)
FALSE = {  # what a check may call → such a call that is false
    "np.allclose": "np.allclose(np.arange({a}.0), {b})",
    "np.isclose": "np.isclose(np.array({a}.0), {b})",
    "np.array_equal": "np.array_equal([{a}], [{b}])",
    "isinstance": "isinstance({a}, str)",
    "abs": "abs({a} - {b}) < 0.01",
    "len": "len([{a}]) == {b}",
    "set": "set([{a}]) == set([{b}])",
    "sorted": "sorted([{a}]) == [{b}]",
    "all": "all([{a}, 0])",
    "any": "any([0 * {a}])",
}


class Isolated(Execute):
    """nbgrader's executor, with a limit for a notebook too, four times a cell's. What isn't run shows as error."""

    sockets = Unicode("", help="folder for the sockets of a kernel behind the wall; empty: no wall").tag(config=True)

    def preprocess(self, nb, resources):
        self.stopped, self.shown, end = "", {}, time.monotonic() + 4 * self.timeout
        self.timeout_func = lambda cell: max(1, min(self.timeout, end - time.monotonic()))
        self.raise_on_iopub_timeout = False  # a flood may still be coming when a cell is done
        self.error_on_timeout = self.error_on_timeout | {"evalue": f"stopped after {self.timeout} s"}
        self.store_widget_state, self.shutdown_kernel = False, "immediate"
        if self.sockets:
            self.kernel_manager_class = wall.manager(self.sockets)
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, index):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "a cell of the student's own")
        if not self.stopped:
            try:
                if is_grade(cell) and cell.cell_type == "code":
                    return self.check(cell, index), resources
                return super().preprocess_cell(cell, resources, index)
            except Exception as error:  # whatever ends the kernel or the talk with it
                self.stopped = f"the kernel was lost in {name} ({cut(str(error), 200)}); nothing after it was run"
        if cell.cell_type == "code":
            cell.outputs = [error_output("NotRun", self.stopped)]
        return cell, resources

    def check(self, cell, index):
        """Run a check cell, whose points are all or none: nbgrader gives them where it has no error."""
        source = cell.source
        a, b = random.sample(range(10, 100), 2)
        names = [name for name in FALSE if re.search(rf"(?<![\w.]){re.escape(name)}\(", source)]
        false = " or ".join([f"{a} == {b}", *(FALSE[name].format(a=a, b=b) for name in names)])
        word = secrets.token_hex(8)
        trial = nbformat.v4.new_code_cell(f"assert {false}, {word!r}\n{source}")
        self.to_its_end(trial, index, store_history=False)
        self.nb.cells[index], cell.outputs = cell, trial.outputs
        if self.reply.get("ename") == "CellTimeoutError":
            return cell
        disabled = self.reply.get("status") != "error" or (
            self.reply["ename"] == "AssertionError" and self.reply["evalue"] != word
        )
        if not disabled:
            ended = self.to_its_end(cell, index, store_history=True)
            disabled = not ended and not any(out.output_type == "error" for out in cell.outputs)
        if disabled:
            cell.outputs = [error_output("ChecksDisabled", "checks were disabled before this one: ask the student")]
        return cell

    def to_its_end(self, cell, index, **settings):
        """Run a cell with a line after its last one; whether it came to there."""
        source, word, place = cell.source, secrets.token_hex(8), f"_{secrets.token_hex(8)}"
        self.kc.execute = functools.partial(self.kc.execute, user_expressions={"end": place})
        try:
            cell.source = f"{source}{8 * chr(10)}{place} = {word!r}"  # where no traceback shows it
            self.execute_cell(cell, index, **settings)
        finally:
            del self.kc.execute
            cell.source = source
        return self.reply.get("user_expressions", {}).get("end", {}).get("data", {}).get("text/plain") == repr(word)

    def on_cell_executed(self, **found):
        reply = found["execute_reply"]
        if reply["content"].get("status") == "error":
            reply["content"] = {"status": "error"} | short_error(reply["content"])
        self.reply = reply["content"]
        super().on_cell_executed(**found)

    def process_message(self, msg, cell, cell_index):
        kind, content = msg["msg_type"], msg["content"]
        if kind == "status":
            return super().process_message(msg, cell, cell_index)
        if kind not in KINDS or is_grade(cell) and kind in ("execute_result", "clear_output"):
            return None  # no widgets; and no partial credit, nor an error taken back
        content = short_error(content) if kind == "error" else plain(content)
        size = len(str(content))
        self.shown[cell_index] = self.shown.get(cell_index, 0) + size
        known = any(out.output_type == "error" for out in cell.outputs)
        full = self.shown[cell_index] > SHOWN or sum(self.shown.values()) > 10 * SHOWN
        if full and (kind != "error" or known):
            return None
        return super().process_message(msg | {"content": content}, cell, cell_index)


def cut(text, most):
    return text if len(text) <= most else f"{text[:most]} …"


def short_error(content):
    """An error as Jupyter tells it, no longer than one can read."""
    lines = [cut(str(line), ERROR) for line in list(content.get("traceback", []))[-LINES:]]
    name, says = (str(content.get(key, "")) for key in ("ename", "evalue"))
    return clean({"ename": cut(name, 100), "evalue": cut(says, ERROR), "traceback": lines})


def plain(content):
    """Of another output what a notebook's file and a page can hold: text, pictures as text, Jupyter's names."""
    data, transient = (content.get(key) for key in ("data", "transient"))
    found = {"metadata": {}, "wait": bool(content.get("wait"))}
    if "execution_count" in content:
        found["execution_count"] = content["execution_count"] if isinstance(content["execution_count"], int) else None
    found |= {"name": "stderr" if content.get("name") == "stderr" else "stdout", "text": str(content.get("text", ""))}
    found["data"] = {kind: str(data[kind]) for kind in PAGE if kind in data} if isinstance(data, dict) else {}
    if isinstance(transient, dict) and isinstance(transient.get("display_id"), str):
        found["transient"] = {"display_id": transient["display_id"]}
    return clean(found)


def clean(content):
    """Without half characters, such as "\\ud800", which no file can hold."""
    return json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))


def error_output(name, says):
    return nbformat.v4.new_output("error", ename=name, evalue=says, traceback=[f"{name}: {says}"])
