"""Ctrl-C at a moment when it must wait (for checkpoints)."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def interrupts_wait():
    """Ctrl-C inside is raised at the end; a second one at once."""
    before, pressed = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def later(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
