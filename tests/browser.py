"""Chromium for the tests that look at pages: headless, 1440 × 900."""

import contextlib
import shutil

import pytest


@contextlib.contextmanager
def chromium():
    """A Selenium driver; the test is skipped where there is no Chromium, its driver or Selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no Selenium: pip install selenium")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in "headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1440,900", "hide-scrollbars":
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield found
    finally:
        found.quit()
