"""What a reader clicks through, in a real browser: MLflow's pages and the report, which must open without a network."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from checkouts import configure, copied, snakemake
from waiting import LONG

from reproductions.suite.cli import main
from reproductions.suite.publish.tracking.views import CHARTS, COLUMNS

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (BROWSER and DRIVER):
    pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver")
StaleElement = pytest.importorskip("selenium.common.exceptions").StaleElementReferenceException

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --window-size=1800,1200"""
PBT, GRID = "pbt quadratic", "grid quadratic"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser whose network is this machine alone."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    profile = tmp_path_factory.mktemp("profile")
    # Whatever is not this machine itself goes to a proxy that is not there.
    for flag in (*FLAGS.split(), f"--user-data-dir={profile}", "--proxy-server=127.0.0.1:9"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield Page(driver)
    driver.quit()


class Page:
    """What is on the screen, waited for."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        self.driver.get("about:blank")  # otherwise an address that differs after the # alone loads nothing
        self.driver.get(address)

    def until(self, what, xpath, holds=lambda element: element.is_displayed()):
        """The first element at ``xpath`` for which ``holds`` is true; fails with ``what`` and the page's text."""
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            try:
                for element in self.driver.find_elements("xpath", xpath):
                    if holds(element):
                        return element
            except StaleElement:
                pass  # the page replaced it meanwhile
            time.sleep(0.2)
        raise AssertionError(f"{what} did not appear at {self.driver.current_url}:\n{self.text}")

    @property
    def text(self):
        return self.driver.find_element("tag name", "body").text

    def link(self, name):
        return self.until(f"the link {name!r}", f"//a[normalize-space(.)='{name}']")

    def absent(self, name):
        return not self.driver.find_elements("xpath", f"//a[normalize-space(.)='{name}']")

    def row(self, head):
        """The cells beside a row's head in a table."""
        row = self.until(f"the row {head!r}", f"//tr[th[normalize-space(.)='{head}']]")
        return [cell.text for cell in row.find_elements("tag name", "td")]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Two methods with two seeds in a store of their own; the addresses that `ui` prints: table, charts, what differs."""
    folder = tmp_path_factory.mktemp("tracked")
    runs = []
    for method in ("pbt", "grid"):
        for seed in ("0", "1"):
            runs.append(str(folder / f"{method}-{seed}"))
            settings = ["--seed", seed, "--quiet", "--set", "steps=40", "--out", runs[-1]]
            assert main(["run", "toy", method, *settings]) == 0
    assert main(["track", *runs, "--store", str(folder / "store")]) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = [sys.executable, "-m", "reproductions", "ui", "--store", str(folder / "store"), "--port", str(port)]
    with (folder / "ui.log").open("w") as log:
        process = subprocess.Popen(ui, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield addresses(process, folder / "ui.log")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def addresses(process, log):
    """Those that were printed, as soon as the server answers."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        if links := re.findall(r"http://127\.0\.0\.1:\d+/#\S+", log.read_text()):
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(links[0], timeout=5).close()
                return links
            except OSError:
                pass
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def unfold(page, name):
    page.until(f"the button of {name}", f"//*[@role='gridcell'][.//a[normalize-space(.)='{name}']]//button").click()


def test_methods_unfold_into_seeds_and_seeds_into_members_with_their_curves(page, served):
    """From the view of all levels, which MLflow lists under Views: down to the curve of a member's hyperparameter."""
    page.open(served[0].replace("viewStateShareKey=methods", "viewStateShareKey=members"))
    page.link(GRID)
    seeds = [f"pbt seed {seed} quadratic" for seed in (0, 1)]
    assert all(page.absent(name) for name in seeds)
    unfold(page, PBT)
    for name in seeds:
        page.link(name)
    members = [f"pbt seed 0 member {member} quadratic" for member in (0, 1)]
    assert all(page.absent(name) for name in members)
    unfold(page, seeds[0])
    for name in members:
        page.link(name)
    assert page.absent("grid seed 0 quadratic")

    page.link(members[0]).click()
    page.until("the tab", "//*[@role='tab' or self::a][normalize-space(.)='Model metrics']").click()
    for metric in ("h0", "score"):
        curve_of(page, metric)


def test_the_table_shows_methods_with_scores_intervals_and_seeds_without_scrolling(page, served):
    """In the order in which they are read, in the view that the printed address opens; seeds are one click away."""
    page.open(served[0])
    page.link(PBT)
    left = 0
    right = page.driver.find_element("tag name", "body").rect["width"]
    for name in COLUMNS:
        head = page.until(f"the column {name}", f"//*[@role='columnheader'][.//*[normalize-space(.)='{name}']]")
        # What a scrolling table cuts off is drawn, but not where it could be seen.
        box = page.driver.execute_script(
            "return arguments[0].closest('.ag-header').getBoundingClientRect().right", head
        )
        assert left < head.rect["x"]
        assert head.rect["x"] + head.rect["width"] <= min(right, box) + 1
        left = head.rect["x"]
    assert page.absent("pbt seed 0 quadratic")
    unfold(page, PBT)
    page.link("pbt seed 0 quadratic")


def test_the_charts_of_two_methods_stand_in_one_picture(page, served):
    """The printed address: a line a method, bars of what they came to, no seeds, no members, and no other charts."""
    page.open(served[1])
    page.link(PBT)
    page.link(GRID)
    assert page.absent("pbt seed 0 quadratic")
    curve_of(page, "best_so_far")
    for name in (PBT, GRID):
        page.until(f"the legend of {name}", f"//*[contains(normalize-space(.), '{name}')]")
    page.until("bars", f"{CARD.format('final')}//*[contains(@class, 'barlayer')]//*[contains(@class, 'point')]//*")
    page.until("the heading", "//*[normalize-space(.)='Q(theta)']")
    titles = [
        card.text
        for card in page.driver.find_elements("xpath", "//*[@data-testid='experiment-view-compare-runs-card']//h4")
    ]
    assert titles == list(CHARTS)


CARD = "//*[@data-testid='experiment-view-compare-runs-card'][.//h4[normalize-space(.)='{}']]"


def curve_of(page, metric):
    """The line that is drawn in a metric's chart."""
    card = CARD.format(metric)
    line = page.until(
        f"the curve of {metric}",
        f"{card}//*[contains(@class, 'scatterlayer')]//*[contains(@class, 'js-line')]",
        lambda element: (
            len(re.findall(r"[\d.]+,[\d.]+", element.get_attribute("d") or "")) > 5
        ),  # Plotly leaves out points on straight pieces
    )
    assert line.size["width"] > 50


def test_two_methods_stand_side_by_side_with_what_differs(page, served):
    """The printed address of the comparison: names, scores and settings; equal settings can be hidden."""
    page.open(served[2])
    page.until("the heading", "//*[normalize-space(.)='Comparing 2 Runs from 1 Experiment']")
    names = page.row("Run Name:")
    assert set(names) == {PBT, GRID}
    of_pbt = names.index(PBT)
    assert page.row("method")[of_pbt] == "pbt"
    assert page.row("search.explore") == ["noise scale=0.1" if i == of_pbt else "" for i in range(2)]
    assert page.row("population") == ["2", "2"]
    for metric in ("best_so_far", "final", "final_low"):
        page.until(f"the metric {metric}", f"//a[normalize-space(.)='{metric}']", lambda element: True)
    page.until("the switch", "//button[@aria-label='Parameters - Show diff only']").click()
    page.until("the table without population", "//body", lambda body: "\npopulation" not in body.text)
    assert page.row("search.kind")[of_pbt] == "pbt"


def test_the_report_opens_offline_with_categories_captions_and_figures(page, tmp_path):
    """From its file: what was configured, then a figure of an experiment and what it was made from."""
    study = copied(tmp_path)
    configure(study, methods=["pbt", "grid"], seeds=[0])
    snakemake("toy", cwd=study)
    snakemake("toy", "--report", "report.html", cwd=study)
    assert 'src="http' not in (study / "report.html").read_text()
    page.open((study / "report.html").as_uri())
    page.until("the overview", "//*[contains(normalize-space(.), 'reproduced at the smoke scale')]")
    assert "toy (toy, quadratic): pbt, grid; 1 seed(s): 0" in page.text
    for entry in ("Results", "toy", "figures"):
        menu(page, entry)
    figure = "//nav//tr[td[normalize-space(.)='figure2']]//a"
    page.until("the figure's button", f"{figure}[@iconname='eye']").click()
    picture = "//img[contains(@src, 'filename=figure2.svg')]"
    drawn = page.until("the figure", picture, lambda image: int(image.get_property("naturalWidth")) > 100)
    assert drawn.size["width"] > 100
    page.until("the caption's button", f"{figure}[@iconname='information-circle']").click()
    page.until("the caption", "//*[contains(normalize-space(.), 'drawn from the events of 2 finished runs')]")
    assert "pbt on quadratic, grid on quadratic, each with seed-0" in page.text.replace("\n", " ")


def menu(page, entry):
    page.until(
        f"the entry {entry!r}",
        f"//nav//*[self::a or self::li or self::span or self::button][normalize-space(.)='{entry}']",
    ).click()
