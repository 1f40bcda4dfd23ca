"""Chromium for the tests that look at pages: headless, 1440 × 900."""

import contextlib
import os

import headless
import pytest


@contextlib.contextmanager
def chromium(*words):
    """A Selenium driver; where there is no Chromium the test is skipped, or fails where COURSE_BROWSER is set.

    words: further arguments for Chromium, without their dashes. What pages log and what they ask for is recorded.
    """
    try:
        headless.find()
    except LookupError as missing:
        (pytest.fail if os.environ.get("COURSE_BROWSER") else pytest.skip)(f"pages aren't looked at: {missing}")
    logs = {"goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
    with headless.chromium(*words, capabilities=logs) as window:
        yield window
