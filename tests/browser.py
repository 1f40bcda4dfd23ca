"""Chromium for the tests that look at pages: headless, 1440 × 900."""

import contextlib
import os
from importlib import resources

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


def axe(browser, context=None, **options):
    """What the accessibility checker finds wrong: a line for each element."""
    browser.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    run = "axe.run(arguments[0] || document, arguments[1]).then(arguments[2])"
    off = {"region": {"enabled": False}}  # the book's title in the sidebar: the theme has it outside of any region
    off["duplicate-id-active"] = {"enabled": False}  # of the theme's two search fields; WCAG 2.2 gave that rule up
    options = {"resultTypes": ["violations"], "rules": off, **options}
    found = browser.execute_async_script(run, context, options)
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]
