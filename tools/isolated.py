"""The executor of `make grade`: a loop, a crash or a flood of output ends a cell or a notebook, never the grading."""

import time

import nbformat
from nbgrader.preprocessors import Execute

SHOWN = 200_000  # characters of output that a cell may have


class Isolated(Execute):
    """nbgrader's executor, with a limit for a notebook too, four times a cell's. What isn't run shows as error."""

    def preprocess(self, nb, resources):
        self.stopped, self.shown, end = "", {}, time.monotonic() + 4 * self.timeout
        self.timeout_func = lambda cell: max(1, min(self.timeout, end - time.monotonic()))
        self.raise_on_iopub_timeout = False  # a flood may still be coming when a cell is done
        self.error_on_timeout = self.error_on_timeout | {"evalue": f"stopped after {self.timeout} s"}
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, index):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "a cell of the student's own")
        if not self.stopped:
            try:
                return super().preprocess_cell(cell, resources, index)
            except Exception as error:  # whatever ends the kernel or the talk with it
                self.stopped = f"the kernel was lost in {name} ({error}); nothing after it was run"
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("error", ename="NotRun", evalue=self.stopped)]
            cell.outputs[0].traceback = [f"NotRun: {self.stopped}"]
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        self.shown[cell_index] = self.shown.get(cell_index, 0) + len(str(msg["content"]))
        if self.shown[cell_index] <= SHOWN or msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        return None
