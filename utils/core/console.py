"""A log that grows line by line, with one line below it that says what is being done."""

import sys
import time


class Log:
    """`line` adds a line that stays, `status` shows one that the next call replaces.

    In a notebook all of it is one output, rewritten in place, so that a saved notebook holds the lines that stay and
    nothing else (a tqdm bar would leave a widget or stderr behind). Where the output is a file, only lines are written.
    """

    def __init__(self):
        self.lines, self._shown, self._last = [], None, 0.0
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        self._notebook = getattr(shell, "kernel", None) is not None

    def line(self, text):
        self.lines.append(text)
        if self._notebook:
            self._update()
        else:
            print("\r\x1b[K" * sys.stdout.isatty() + text, flush=True)

    def status(self, text):
        if time.time() - self._last < 0.5:
            return
        self._last = time.time()
        if self._notebook:
            self._update(text)
        elif sys.stdout.isatty():
            print("\r\x1b[K" + text, end="", flush=True)

    def _update(self, *more):
        data = {"text/plain": "\n".join([*self.lines, *more])}
        if self._shown is None:
            self._shown = sys.modules["IPython"].display.display(data, raw=True, display_id=True)
        else:
            self._shown.update(data, raw=True)
