"""The panel of a report: its groups and order, marks, intervals, parts, notes and maps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fastdis.metrics import Score
from fastdis.metrics._catalogue import CATALOGUE
from fastdis.reports import page, panel, summary
from tests.reports.report_data import fake_results, without_pictures


@pytest.fixture(scope="module")
def results():
    return fake_results()


def with_scores(results, name, *values):
    """Models of one protocol with one score."""
    sound = next(m for m in results.models if m.protocol == "sound")
    models = [
        replace(sound, title=f"model {i}", panel=replace(sound.panel, details={name: Score(value)}))
        for i, value in enumerate(values)
    ]
    return replace(results, models=models)


def cells(results, name, *values):
    (shown,) = panel.panels(with_scores(results, name, *values))
    (row,) = shown.table.cells
    return row[1:]


def rows_of(panel):
    """The cells of each score by its name."""
    pairs = zip(panel.entries, panel.table.cells, strict=True)
    return {entry.name: row[1:] for entry, row in pairs}


def test_groups_and_rows_stand_in_the_order_of_what_they_measure(results):
    first, second = panel.panels(results)
    assert (first.protocol, second.protocol) == ("published", "sound")
    assert first.models == ["β-VAE", "VAE"]
    title_of = {entry.title: entry.name for entry in first.entries}
    shown = {
        heading.text: [title_of[row[0].text] for row in rows]
        for heading, rows in first.table.sections
    }
    assert shown == {
        "Modularity": ["modularity", "dci_disentanglement"],
        "Compactness": ["mig"],
        "Explicitness": ["probe"],
        "Holistic": ["dcimig"],
        "Without factors": ["gaussian_total_correlation", "active_units"],
    }


def test_every_score_of_the_catalogue_has_one_group():
    for entry in CATALOGUE.values():
        assert sum(entry.measures.startswith(key) for key, _, _ in panel.GROUPS) == 1, entry.name


def test_the_best_of_a_row_follows_its_direction(results):
    def marks(*given):
        return [cell.best for cell in cells(results, *given)]

    assert marks("mig", 0.2, 0.5, 0.5004) == [False, True, True]  # both read 0.500
    assert marks("gaussian_total_correlation", 0.2, 0.5, math.inf) == [True, False, False]
    assert marks("active_units", 3.0, 4.0) == [False, False]
    assert marks("mig", 0.5) == [False]


def test_numbers_read_well(results):
    def texts(*given):
        return [cell.text for cell in cells(results, *given)]

    assert texts("mig", 0.25, -0.01) == ["0.250", "−0.010"]
    assert texts("gaussian_total_correlation", 12.3456) == ["12.346"]
    assert texts("active_units", 7.0) == ["7"]


def test_scores_that_one_model_lacks_are_a_dash(results):
    shown = with_scores(results, "mig", 0.3, 0.4)
    bare = replace(shown.models[1].panel, details={"sap": Score(0.1)})
    models = [shown.models[0], replace(shown.models[1], panel=bare)]
    (one,) = panel.panels(replace(results, models=models))
    rows = rows_of(one)
    assert [cell.text for cell in rows["mig"]] == ["0.300", "–"]
    assert [cell.text for cell in rows["sap"]] == ["–", "0.100"]
    assert not any(cell.best for row in rows.values() for cell in row)


def test_a_score_of_another_version_is_shown_by_its_name(results):
    assert [cell.text for cell in cells(results, "newest", 0.5, 0.7)] == ["0.5", "0.7"]


def test_intervals_and_parts_are_those_of_the_scores(results):
    (first, _), scores = panel.panels(results), results.models[0].panel
    rows = rows_of(first)
    low, high = scores.intervals["mig"]
    expected = "–".join(f"{end:.3f}".replace("-", "−") for end in (low, high))
    assert rows["mig"][0].detail == expected
    assert rows["probe"][0].detail == ""
    assert "90%" in first.table.title.detail
    parts = dict(first.parts)
    assert list(parts) == ["MIG", "Probe", "DCIMIG"]
    assert parts["MIG"][0] == [f"{x:.3f}" for x in scores.details["mig"].per_factor.values()]


def test_warnings_are_said_once_with_the_models_they_are_of(results):
    models = list(results.models)
    models[0] = replace(models[0], panel=replace(models[0].panel, warnings=("a", "b")))
    models[1] = replace(models[1], panel=replace(models[1].panel, warnings=("b",)))
    first, _ = panel.panels(replace(results, models=models))
    assert first.notes == [("β-VAE", "a"), ("All models", "b")]


def test_the_page_holds_the_panel_and_the_importances(results):
    html = page.render(without_pictures(results))
    section = html[html.index('<section id="panel">') : html.index('<section id="audit">')]
    assert section.count('<table class="scores panel">') == 2
    for entry in panel.entries_of(panel.panels(results)):
        assert section.count(f"<dt>{entry.title} ") == 1
    assert html.count("<caption>Importance</caption>") == len(results.models)
    share = results.models[0].panel.details["dci_disentanglement"].matrix.max()
    assert f">{share:.2f}</td>" in html


def test_a_page_without_panels_has_an_empty_section():
    small = without_pictures(fake_results(["vae"], codes=2))
    published, sound = (replace(model, panel=None) for model in small.models)
    html = page.render(replace(small, models=[published, sound]))
    panels = html[html.index('<section id="panel">') : html.index('<section id="audit">')]
    assert "<table" not in panels
    assert "<caption>Importance</caption>" not in html
    some = page.render(replace(small, models=[published, small.models[1]]))
    assert some.count('<table class="scores panel">') == 1
    assert some.count("<caption>Importance</caption>") == 1


def test_the_summary_holds_scores_and_intervals_of_the_panel(results):
    results = replace(results, audits={})
    plain = summary(results)["models"][0]["panel"]
    assert plain["scores"] == dict(results.models[0].panel)
    assert np.allclose(plain["intervals"]["mig"], results.models[0].panel.intervals["mig"])
    assert "details" not in plain
    bare = replace(results, models=[replace(results.models[0], panel=None)])
    assert summary(bare)["models"][0]["panel"] is None
