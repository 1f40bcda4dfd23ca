"""A Chromium of the system's without a window: it prints the book, and the tests look at pages in it."""

import contextlib
import shutil

BROWSERS = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
INSTALL = (
    "Install both: Debian: apt-get install chromium chromium-driver; Ubuntu: apt-get install chromium-browser "
    "chromium-chromedriver; Fedora: dnf install chromium chromedriver; macOS: brew install --cask chromium chromedriver"
)
WORDS = "headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1440,900", "hide-scrollbars"


class NoChromiumError(LookupError):
    """There is no Chromium, or no driver, or they don't start; the text says what to install."""


def find():
    """Paths of Chromium and of its driver; NoChromiumError where one is not on PATH."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        found = f"Chromium: {browser or 'not found'}, its driver chromedriver: {driver or 'not found'}"
        raise NoChromiumError(f"Chromium and its driver must be on PATH. {found}. {INSTALL}")
    return browser, driver


@contextlib.contextmanager
def chromium(*words, capabilities=None):
    """A Selenium driver of a headless Chromium, 1440 × 900, which is closed at the end.

    words: further arguments for Chromium, without their dashes. capabilities: Selenium's, by name.
    NoChromiumError where there is none, or where it doesn't start.
    """
    browser, driver = find()
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in (*WORDS, *words):
        options.add_argument(f"--{word}")
    for name, value in (capabilities or {}).items():
        options.set_capability(name, value)
    try:
        window = webdriver.Chrome(options, webdriver.ChromeService(driver))
    except WebDriverException as error:
        why = (error.msg or "no reason is given").splitlines()[0]
        raise NoChromiumError(
            f"{browser} doesn't start by {driver}: {why}. Both must be of one version. {INSTALL}"
        ) from None
    try:
        yield window
    finally:
        window.quit()
