"""The page: what it shows of whole and broken folders, and what Chromium says of it."""

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from saccade.bench.charts import SHADES, Axis, Series, chart, in_bytes, short
from saccade.bench.collect import collect
from saccade.bench.films import film_of
from saccade.bench.report import report
from saccade.errors import InputError


@pytest.fixture(scope="module")
def page(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the whole benchmark."""
    path, faults = report([measured], tmp_path_factory.mktemp("page") / "report.html")
    assert faults == []
    return path


def test_numbers_are_written_short() -> None:
    cases = {0: "0", 384: "384", 1_252_936: "1.25 M", 0.3344: "0.334", 999.6: "1 k", 48_128: "48.1 k", 2: "2"}
    assert {value: short(value) for value in cases} == cases
    assert [in_bytes(count) for count in (0, 128, 75_300)] == ["0 B", "128 B", "75.3 kB"]


def test_a_chart_keeps_order_and_escapes_names() -> None:
    drawn = chart([Series("<b>", "ram", [1, 10, 100], [1, 2, 4])], Axis("x", log=True), Axis("y"), "a & b")
    assert "<b>" not in drawn
    assert 'aria-label="a &amp; b"' in drawn
    path = re.search(r'class="line" d="M([^"]*)"', drawn)
    assert path
    points = [tuple(map(float, pair.split())) for pair in path[1].split("L")]
    across, up = zip(*points, strict=True)
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)  # a logarithm's equal steps
    assert up[0] > up[1] > up[2]


def test_series_of_a_family_differ_in_shade_and_the_legend_agrees() -> None:
    names = [("a", "ram"), ("b", "ram"), ("b", "ram"), ("c", "cnn"), ("d", "ram")]
    drawn = chart([Series(label, family, [1, 2], [1, 2]) for label, family in names], Axis("x"), Axis("y"), "errors")
    lines, legend = drawn.split("<figcaption>")
    shades = [f"s-{shade}" for shade in ("ram shade-0", "ram shade-1", "ram shade-1", "cnn shade-0", "ram shade-2")]
    assert re.findall(r'<g class="(s-[^"]*)"', lines) == shades
    assert re.findall(r'<g class="(s-[^"]*)"', legend) == list(dict.fromkeys(shades))
    style = (files("saccade") / "bench/page/style.css").read_text()
    assert all(f".shade-{shade} {{ --c:" in style for shade in range(1, SHADES))


def test_the_page_is_one_file_that_names_every_command(page: Path, content: dict[str, Any]) -> None:
    text = page.read_text()
    assert len(text) < 5_000_000
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert text.count("data:image/webp;base64,") >= 3
    assert text.count("saccade glimpse train ") >= 4
    assert text.count("Mnih et al. 2014") >= 8
    for row in content["rows"]:
        assert row["label"] in text


def test_broken_folders_are_said_and_the_others_go_on(measured: Path, tmp_path: Path) -> None:
    good, other, torn = (tmp_path / name for name in ("good", "other", "torn"))
    shutil.copytree(measured / "runs" / "fc-seed0", good)
    shutil.copytree(measured / "runs" / "fc-seed0", torn)
    (torn / "metrics.json").write_text('{"error_percent":')
    other.mkdir()
    (other / "benchmark.json").write_text(json.dumps({"format": 99}))
    newer = tmp_path / "newer"
    shutil.copytree(good, newer)
    run = json.loads((newer / "run.json").read_text())
    (newer / "run.json").write_text(json.dumps(run | {"format": 7}))
    with open(good / "log.jsonl", "a") as log:
        log.write('{"step": 3, "ste')  # a training that goes on, or was killed
    found = collect([good, other, torn, newer, tmp_path / "nowhere"])
    assert [run.path for run in found.runs] == [good]
    assert len(found.faults) == 4
    assert all(fault.startswith("expected ") and "\n" not in fault for fault in found.faults)
    path, faults = report([good, other], tmp_path / "page.html")
    assert len(faults) == 1
    assert "format 1 of a benchmark, found 99" in path.read_text()
    with pytest.raises(InputError, match="a benchmark's folder or a run folder"):
        report([other], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_names_from_strangers_are_only_text(measured: Path, tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)</script>".replace("/", "")
    shutil.copytree(measured / "runs" / "fc-seed0", folder)
    path, _ = report([folder], tmp_path / "page.html")
    assert "<script>alert" not in path.read_text()


def test_chromium_shows_it_without_complaint(page: Path, browser: Any) -> None:
    browser.get(page.as_uri())
    run = browser.execute_script
    tabs = browser.find_elements("css selector", "[role=tab]")
    assert [tab.text for tab in tabs][:2] == ["Accuracy and cost", "Image size"]
    for width in (400, 1200):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for tab in tabs:
            tab.click()
            visible = run(
                "return [...document.querySelectorAll('main > section')].filter(s => !s.hidden).map(s => s.id)"
            )
            assert visible == [tab.get_attribute("aria-controls")]
            assert run("return document.documentElement.scrollWidth") <= width, tab.text
            assert run("return document.querySelector('main > section:not([hidden])').innerText.length") > 20
    _sorts(browser, tabs)
    before = run("return getComputedStyle(document.body).backgroundColor")
    browser.find_element("id", "theme").click()
    assert run("return getComputedStyle(document.body).backgroundColor") != before
    assert run("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    own = [request for request in sent if request["documentURL"].startswith(page.as_uri())]  # not the empty tab's
    urls = [request["request"]["url"] for request in own]
    assert urls, "the log has at least the page itself"
    assert [url for url in urls if not url.startswith(("file:", "data:"))] == []


def _sorts(browser: Any, tabs: list[Any]) -> None:
    """A click on a column's head sorts by it, another one the other way round; what has no number stays below."""
    tabs[0].click()
    heads = browser.find_elements("css selector", "#accuracy thead button")
    read = "return [...document.querySelectorAll('#accuracy tbody tr')].map(r => r.cells[1].dataset.value)"
    for reverse in (False, True):
        heads[1].click()
        values = [float(value) for value in browser.execute_script(read)]
        assert values == sorted(values, reverse=reverse)
    heads[3].click()
    adds = browser.execute_script(read.replace("cells[1]", "cells[3]"))
    numbers = [float(value) for value in adds if value is not None]
    assert numbers == sorted(numbers)
    assert adds[: len(numbers)].count(None) == 0


def test_a_network_that_looks_once_has_no_film(measured: Path) -> None:
    assert film_of("baseline", measured / "runs" / "fc-seed0") is None
    film = film_of("glimpse", measured / "runs" / next(p.name for p in (measured / "runs").glob("ram-*")))
    assert film is not None
    assert film.uri.startswith("data:image/webp;base64,")
