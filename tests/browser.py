"""Chromium for the tests that look at pages: headless, 1440 × 900."""

import contextlib
import os
import shutil

import pytest

MISSING = "no Chromium with its driver on PATH, so pages aren't looked at: apt-get install chromium chromium-driver"


@contextlib.contextmanager
def chromium(*words):
    """A Selenium driver; where there is no Chromium the test is skipped, or fails where COURSE_BROWSER is set.

    words: further arguments for Chromium, without their dashes. What pages log and what they ask for is recorded.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        (pytest.fail if os.environ.get("COURSE_BROWSER") else pytest.skip)(MISSING)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "window-size=1440,900",
        "hide-scrollbars",
        *words,
    ):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield found
    finally:
        found.quit()
