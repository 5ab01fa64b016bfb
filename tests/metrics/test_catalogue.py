"""The catalogue of scores holds for what the metrics give, and docs/metrics.md for both."""

import doctest
import inspect
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from fastdis import metrics
from fastdis.metrics._catalogue import CATALOGUE, METRICS
from fastdis.reports.score_tables import known_metric
from tests.metrics.metric_data import grid

ROUNDING = 1e-9


@pytest.fixture
def behaviour(request, monkeypatch):
    """The command that makes the page's figures, and its tables."""
    root = request.config.rootpath
    monkeypatch.syspath_prepend(root / "docs" / "make")
    import metric_behaviour

    return metric_behaviour


def closed_forms():
    rng = np.random.default_rng(0)
    v = grid(3, 4, repeat=20)
    noise = rng.standard_normal((len(v), 2))
    return {
        "perfect": v,
        "permuted, with a dead code": np.column_stack([-v[:, 1], 0 * v[:, 0], 2.0 * v[:, 0]]),
        "duplicated": v[:, [0, 0, 1, 1]],
        "turned": v @ [[1, 1], [-1, 1]],
        "both in one": v @ [[4], [1]],
        "noise": noise,
        "noise in one": noise[:, :1],
        "dead": 0 * v,
    }


@pytest.mark.parametrize("form", closed_forms())
def test_every_score_of_the_panel_is_known_and_in_its_range(form):
    scores = metrics.evaluate(grid(3, 4, repeat=20), closed_forms()[form])
    for name, value in scores.items():
        entry = CATALOGUE[name]
        assert not math.isnan(value), name
        low, high = (end if end is not None else value for end in (entry.low, entry.high))
        assert low - ROUNDING <= value <= high + ROUNDING, f"{name}: {value} of {entry.span}"


def test_the_catalogue_has_the_scores_of_every_convention_and_no_others():
    v = grid(3, 4, repeat=20)
    found = set()
    for convention in metrics.CONVENTIONS:
        scores = metrics.evaluate(v, v, convention=convention)
        assert all(convention in CATALOGUE[name].conventions for name in scores)
        found |= set(scores)
    assert found == {name for name, entry in CATALOGUE.items() if entry.metric}
    assert {CATALOGUE[name].metric for name in found} == set(METRICS)


def test_help_shows_every_keyword_of_a_metric_and_what_it_means():
    for metric in METRICS.values():
        if metric.function is None or metric.group == "unlabelled":
            continue
        parameters = inspect.signature(metric.function).parameters
        assert list(parameters)[:2] == ["factors", "codes"]
        assert {"bins", "discrete", "convention", "active"} <= parameters.keys()
        for parameter in list(parameters.values())[2:]:
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.default is not parameter.empty
        section = metric.function.__doc__.split("Parameters\n----------\n")[1]
        described = re.findall(r"^\w[\w, ]*", section.split("\n\n")[0], re.MULTILINE)
        names = [name for line in described for name in line.split(", ")]
        assert sorted(name.strip() for name in names) == sorted(parameters), metric.name
        with pytest.raises(TypeError, match=f"{metric.name}.* unexpected keyword argument 'seeds'"):
            metric.function([[0], [1]], [[0.0], [1.0]], seeds=1)


def test_a_metric_is_an_attribute_as_soon_as_it_is_declared(monkeypatch):
    new = replace(METRICS["mig"], name="new", function=max)
    monkeypatch.setitem(METRICS, "new", new)
    assert metrics.new is max
    with pytest.raises(AttributeError, match="no attribute 'newer'"):
        metrics.newer  # noqa: B018


def test_other_entries_are_functions_or_parts_of_their_results():
    parts = set(metrics.Separation.__dataclass_fields__)
    for name, entry in CATALOGUE.items():
        assert entry.metric or hasattr(metrics, name) or name in parts, name
        assert bool(entry.conventions) == bool(entry.metric)


def test_perfect_codes_reach_the_end_of_the_range_that_is_better():
    v = grid(3, 4, 5, repeat=10)
    scores = metrics.evaluate(v, v)
    for name in ("mig", "infom", "infoc", "dci_informativeness", "z_diff", "irs", "probe"):
        assert scores[name] == pytest.approx(CATALOGUE[name].high, abs=0.02), name
    for name in ("jemmig_raw", "gaussian_total_correlation", "mutual_information_score"):
        assert CATALOGUE[name].better == "lower"
        assert scores[name] == pytest.approx(CATALOGUE[name].low, abs=0.02), name


def test_functions_beside_evaluate_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    t = np.linspace(-1, 1, 9)[None]
    mean, logvar = rng.standard_normal((60, 3)), np.full((60, 3), -2.0)
    parts = metrics.separation(mean, logvar, samples=50)
    measured = {
        "smoothness": [metrics.smoothness(t, a) for a in (t, np.sign(t))],
        "monotonicity": [metrics.monotonicity(t, a) for a in (t, -t, t**2)],
        "informativeness": metrics.informativeness(mean, logvar),
        "udr": metrics.udr([mean, mean[:, ::-1], -mean]).scores,
        "wsepin": [parts.wsepin],
    }
    assert set(measured) == {name for name, entry in CATALOGUE.items() if not entry.metric}
    for name, values in measured.items():
        entry = CATALOGUE[name]
        assert min(values) >= (-math.inf if entry.low is None else entry.low), name
        assert max(values) <= (math.inf if entry.high is None else entry.high), name
    assert measured["monotonicity"][1] == CATALOGUE["monotonicity"].low


def test_entries_are_sentences_that_fit_a_table():
    titles = [entry.title for entry in CATALOGUE.values()]
    assert len(set(titles)) == len(titles)
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.better in ("higher", "lower", "")
        kinds = ("modularity", "compactness", "explicitness", "holistic", "none of them (")
        assert entry.measures.startswith(kinds)
        for text in (entry.rewards, entry.blind):
            assert text.endswith(".")
            assert text[0].isupper()
            assert "|" not in text


def test_a_report_takes_its_words_from_the_catalogue():
    shown = known_metric("MIG-sup")
    assert shown is CATALOGUE["mig_sup"]
    assert known_metric("mutual_information_score").better == "lower"
    assert known_metric("active_units").better == ""
    assert known_metric("of my own").title == "of my own"


def test_the_ways_to_lose_a_property_begin_at_perfect_codes(behaviour, rng):
    v = behaviour.WIDTH * (rng.random((4000, 3)) - 0.5)
    for way, lose in behaviour.WAYS.items():
        np.testing.assert_allclose(lose(v, 0.0, rng)[:, :3], v, atol=1e-6, err_msg=way)
    turned = np.linalg.lstsq(v, behaviour.mixed(v, 1.0, rng), rcond=None)[0]
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-9)
    assert sorted(np.abs(turned[0]).round(9)) == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    halves = np.corrcoef(v.T, behaviour.spread(v, 1.0, rng).T)[:3, 3:]
    assert np.abs(np.diag(halves)) == pytest.approx(np.sqrt(0.5), abs=0.05)
    moved = behaviour.scrambled(v, 1.0, rng)
    pieces = np.floor((v / behaviour.WIDTH + 0.5) * behaviour.PIECES)
    places = np.floor((moved / behaviour.WIDTH + 0.5) * behaviour.PIECES)
    assert len(np.unique(np.stack([pieces[:, 0], places[:, 0]]), axis=1).T) == behaviour.PIECES


def test_the_command_makes_figures_picture_and_page(behaviour, tmp_path, monkeypatch):
    evaluate = metrics.evaluate

    def of_histograms(factors, codes, names=("histogram",), **options):
        """Where all metrics are asked for, those that take no time."""
        return evaluate(factors, codes, names, **options)

    monkeypatch.setattr(metrics, "evaluate", of_histograms)
    behaviour.main(["--quick", str(tmp_path)])
    figures = json.loads((tmp_path / behaviour.STORED).read_text())
    mig = {way: np.ravel(scores) for way, scores in figures["behaviour"]["mig"].items()}
    assert all(start > 0.9 for start, _ in mig.values())
    assert {way for way, (_, end) in mig.items() if end < 0.1} == {"noise", "spreading", "mixing"}
    assert (tmp_path / behaviour.PICTURE).read_bytes()[:4] == b"\x89PNG"
    page = (tmp_path / behaviour.PAGE).read_text()
    assert "Means over 1 seeds of 300 rows" in page


def test_the_page_holds_the_stored_figures_of_all_metrics(behaviour):
    page = (behaviour.ROOT / behaviour.PAGE).read_text()
    figures = json.loads((behaviour.ROOT / behaviour.STORED).read_text())
    assert behaviour.metric_tables.filled(page, figures) == page
    assert set(figures["behaviour"]) == {name for name, e in CATALOGUE.items() if e.metric}


def test_the_stored_figures_are_what_the_metrics_give(behaviour):
    figures = json.loads((behaviour.ROOT / behaviour.STORED).read_text())
    step, seed = 3, 1
    job = ("mixing", figures["settings"]["steps"][step], seed, figures["settings"]["rows"])
    for name, value in behaviour.scores_of(job).items():
        stored = figures["behaviour"][name]["mixing"][step][seed]
        # What fits models moves a little with the version of scikit-learn.
        assert value == pytest.approx(stored, abs=0.03), name


def test_the_examples_of_the_page_run(behaviour):
    done = doctest.testfile(str(behaviour.ROOT / behaviour.PAGE), module_relative=False)
    assert done.attempted > 5
    assert not done.failed


def test_the_page_is_refused_without_its_markers(behaviour):
    with pytest.raises(ValueError, match="no marker for the table 'behaviour'"):
        behaviour.metric_tables.filled("# Metrics\n", {})
