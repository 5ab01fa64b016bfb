"""The report: a page that is one file, well formed, escaped, and written whole or not at all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import fastdis
from fastdis import reports
from fastdis.reports import page, score_tables
from tests.reports.report_data import (
    Outline,
    Tones,
    decoded,
    fake_audit,
    fake_results,
    sources,
    without_pictures,
)


@pytest.fixture(scope="module")
def results():
    """Of four models; the loss curves of one of them are enough."""
    results = fake_results()
    first, *others = results.models
    return replace(results, models=[first, *(replace(model, history=[]) for model in others)])


@pytest.fixture(scope="module")
def html(results):
    return page.render(results)


# Imports


def test_figures_leave_pyplot_alone():
    code = (
        "import sys, numpy as np\n"
        "from fastdis.reports import figures\n"
        "figures.sound_figures(np.zeros((1, 64), 'f4'), 100, np.ones(1), 'red')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_reports_imports_nothing_heavy():
    code = "import sys, fastdis.reports; print([m for m in sys.modules if '.' not in m])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"torch", "matplotlib", "PIL", "jinja2", "scipy"} & set(eval(out.stdout))


# The page


def test_page_needs_nothing_from_outside(html):
    assert all(source.startswith("data:") for source in sources(html))
    assert not re.search(r"https?://|@import|<script|<link|url\(", html)
    assert "default-src 'none'" in html


def test_page_is_well_formed_and_labelled(html):
    outline = Outline(html)
    assert len(outline.ids) == len(set(outline.ids))
    targets = {a["href"][1:] for tag, a in outline.tags if tag == "a"}
    assert targets <= set(outline.ids)
    assert {anchor for anchor, _ in page.SECTIONS} - {"answers", "cells", "maps"} <= targets
    for tag, attributes in outline.tags:
        assert tag != "img" or attributes["alt"]
        assert tag != "audio" or attributes["aria-label"]


def test_page_has_every_player_and_picture(html, results):
    kinds = [source.split(";")[0] for source in sources(html)]
    models = len(results.models)
    assert kinds.count("data:audio/wav") == models * (2 * 3 + 6 + 4)
    assert kinds.count("data:image/gif") == models
    for source in sources(html):
        head, data = decoded(source)
        if head.startswith("data:image"):
            Image.open(data).load()


def test_page_shows_what_it_was_given(html, results):
    assert html.index('VAE</span> <span class="tag">published') < html.index('tag">corrected')
    for text in (
        *results.summary, *results.explanation, *results.repeat, "batch size",
        "✓ pass", "✗ fail", "amplitude is erased by the features", "1.7e-16",
        torch.__version__, np.__version__, fastdis.__version__,
    ):  # fmt: skip
        assert text in html, text
    assert "dB\nlouder" in html  # the published features have no absolute level


def test_page_is_the_same_for_the_same_results():
    first, second = (page.render(fake_results(["vae"], ["sound"], epochs=1)) for _ in range(2))
    assert first == second


def test_page_escapes_what_it_is_given(results):
    bad = '<script>alert("1")</script>'
    dataset = Tones()
    dataset.describe = lambda index: bad
    model = replace(
        results.models[0],
        title=bad,
        dataset=dataset,
        history=[{"epoch": 1, "train": {bad: 1.0, "$\\frac{": 2.0}, "validation": {}}],
    )
    shown = replace(
        results, title=bad, summary=[bad], settings={bad: bad}, models=[model], repeat=[bad],
        reference_name=bad, reference_table={bad: {bad: (0.1, 0.1)}}, explanation=[bad],
    )  # fmt: skip
    html = page.render(shown)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    Outline(html)


@pytest.mark.parametrize("protocol", ["published", "sound"])
def test_smallest_results_still_make_a_page(protocol):
    shown = fake_results(["vae"], [protocol], Tones(factors=1), codes=1, epochs=0)
    shown = replace(
        shown, audits={}, reference_table={}, summary=[], explanation=[], repeat=[], settings={}
    )
    html = page.render(shown)
    Outline(html)
    models, audit = (
        html[html.index(f'<section id="{anchor}">') :] for anchor in ("models", "audit")
    )
    assert "<img" not in models[: models.index("</section>")]
    assert "<table" not in audit[: audit.index("</section>")]
    assert sources(html)


def test_values_that_are_not_finite_never_reach_the_reader(results):
    model = results.models[0]
    history = [
        {"epoch": 1, "train": {"loss": np.nan, "kl": 1.0}, "validation": {"loss": np.inf}},
        {"epoch": 2, "train": {"loss": np.nan}, "validation": None, "clips_per_second": np.nan},
    ]
    information = np.array(model.mutual_information)
    information[0] = np.nan
    audit = fake_audit(["frequency"])
    audit.factors[0].accuracy = float("nan")
    model = replace(
        model, history=history, mutual_information=information,
        scores={"standard": {"mig": (np.nan, np.nan)}},
    )  # fmt: skip
    html = page.render(replace(results, models=[model], audits={"published": audit}))
    text = re.sub(r'"data:[^"]*"', "", html[html.index("<main") :])
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<[^>]*>", " ", text), re.IGNORECASE)
    assert score_tables.MISSING_NOTE in html


def test_model_that_gives_nan_is_said_to(results):
    model = results.models[0]
    (broken,) = without_pictures(replace(results, models=[model])).models
    html = page.render(replace(results, models=[broken, results.models[1]]))
    assert html.count("the encoder gave values that are not finite") == 3
    assert html.count("<audio") == 6 + 6 + 4


# The file


def test_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path, results):
    path = tmp_path / "report.html"
    path.write_text("old")
    small = without_pictures(results)
    assert reports.write(small, str(path)) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]
    assert reports.write(small, tmp_path / "new" / "report.html").exists()


def test_no_models_is_an_error(results, tmp_path):
    with pytest.raises(ValueError, match=r"results\.models"):
        reports.write(replace(results, models=[]), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_parts_that_do_not_fit_are_named(results, tmp_path):
    path, model = tmp_path / "report.html", results.models[0]
    for changed, message in [
        (replace(model, protocol=" "), "protocol of 'β-VAE' takes a short text"),
        (replace(model, mutual_information=np.zeros((2, 4))), r"mutual_information of 'β-VAE'"),
        (replace(model, mutual_information=np.zeros((3, 5))), "4, got 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            reports.write(replace(results, models=[changed]), path)
    with pytest.raises(ValueError, match="got two"):
        reports.write(replace(results, models=[model, model]), path)


def test_unwritable_paths_are_named_before_the_work(tmp_path, results, monkeypatch):
    monkeypatch.setattr(page, "render", lambda results: pytest.fail("rendered in vain"))
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path, tmp_path / "file" / "report.html"):
        with pytest.raises(OSError, match=re.escape(json.dumps(str(path))[1:-1])):
            reports.write(results, path)


def test_a_failed_write_names_the_path_and_cleans_up(tmp_path, results, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(page, "render", lambda results: "x")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=r"No space left.*report\.html"):
        reports.write(results, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
