"""Scores as a table, a dict, JSON, Parquet and a heat map; what evaluate() notes and refuses."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from fastdis import metrics
from fastdis.metrics import MetricWarning
from tests.metrics.metric_data import grid, messy

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")


@pytest.fixture(scope="module")
def scores():
    v, z = messy()
    return metrics.evaluate(v, z, ["mig", "modularity", "sap", "dci"])


def test_a_score_holds_its_parts(scores):
    mig = scores.details["mig"]
    assert list(mig.per_factor) == ["factor 0", "factor 1", "factor 2"]
    assert mig.value == pytest.approx(np.mean(list(mig.per_factor.values())))
    modularity = scores.details["modularity"]
    assert list(modularity.per_code) == [0, 1, 2, 3, 4]
    assert modularity.value == pytest.approx(np.mean(list(modularity.per_code.values())))
    assert scores.details["dci_disentanglement"].matrix.shape == (3, 5)


def test_json_holds_everything(scores, tmp_path):
    scores.to_json(tmp_path / "scores.json")
    stored = json.loads((tmp_path / "scores.json").read_text())
    assert stored == scores.to_dict()
    assert stored["scores"] == dict(scores)
    assert stored["details"]["mig"]["per_factor"]["factor 1"] == pytest.approx(
        scores.details["mig"].per_factor["factor 1"]
    )
    assert np.array(stored["mutual_information"]).shape == (3, 5)


def test_parquet_holds_a_number_a_row(scores, tmp_path):
    scores.to_parquet(tmp_path / "scores.parquet")
    table = pq.read_table(tmp_path / "scores.parquet")
    rows = table.to_pylist()
    by_key = {(row["metric"], row["part"], row["of"]): row["value"] for row in rows}
    assert len(by_key) == len(rows)
    for name, value in scores.items():
        assert by_key[name, "score", ""] == value
    assert by_key["modularity", "code", "3"] == scores.details["modularity"].per_code[3]
    about = json.loads(table.schema.metadata[b"fastdis"])
    assert (about["convention"], about["bins"], about["n"]) == ("standard", 20, 600)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_heat_map_is_drawn(scores, tmp_path, suffix):
    scores.heat_map(tmp_path / f"map.{suffix}")
    scores.heat_map(tmp_path / f"dci.{suffix}", "dci_disentanglement")
    first = (tmp_path / f"map.{suffix}").read_bytes()
    assert first != (tmp_path / f"dci.{suffix}").read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])


def test_a_heat_map_of_many_codes_is_drawn(tmp_path):
    v = grid(3, 4, repeat=5)
    z = np.random.default_rng(0).normal(size=(60, 100))
    metrics.evaluate(v, z, ["mig"]).heat_map(tmp_path / "wide.png")
    assert (tmp_path / "wide.png").stat().st_size > 1000


def test_a_heat_map_that_cannot_be_drawn_is_refused(scores, tmp_path):
    with pytest.raises(
        ValueError, match=r"the suffix of .*map.xlsx takes one of 'png', 'svg', 'pdf'"
    ):
        scores.heat_map(tmp_path / "map.xlsx")
    with pytest.raises(ValueError, match="did you mean 'modularity'"):
        scores.heat_map(tmp_path / "map.png", "modularty")
    no_matrix = next((n for n, s in scores.details.items() if s.matrix is None), None)
    if no_matrix:
        with pytest.raises(ValueError, match="name takes a metric with a matrix"):
            scores.heat_map(tmp_path / "map.png", no_matrix)
    assert not list(tmp_path.iterdir())


def test_groups_of_metrics_are_names_too():
    v, z = messy()
    scores = metrics.evaluate(v, z, ["sap", "histogram", "mig"])
    assert list(scores)[:2] == ["sap", "mig"]
    assert {"mig", "jemmig", "dcimig", "modularity", "sap"} <= set(scores)
    swapped = metrics.evaluate(v, z, ["histogram"], convention="published")
    assert set(swapped) == {"mig", "dcimig", "jemmig", "modularity"}
    with pytest.raises(ValueError, match="convention takes 'standard' for dmig"):
        metrics.evaluate(v, z, ["dmig"], convention="published")


def test_factors_that_look_like_codes_are_doubted():
    rng = np.random.default_rng(0)
    factors, codes = rng.integers(0, 4, (500, 3)), rng.normal(size=(500, 8))
    with pytest.warns(MetricWarning, match=r"metrics take \(factors, codes\), in this order"):
        metrics.mig(codes, factors)
    scores = metrics.evaluate(codes, factors, ["mig"])
    assert any("in this order" in text for text in scores.warnings)
    right = metrics.evaluate(factors, codes, ["mig"])
    assert not any("in this order" in text for text in right.warnings)


def test_float_labels_are_doubted():
    v, z = messy()
    with pytest.warns(MetricWarning, match="columns 0, 1, 2 hold whole numbers as floats and are "
                      "taken as categories; pass integers or discrete="):  # fmt: skip
        assert metrics.mig(v.astype(float), z) == metrics.mig(v, z)
    many = np.arange(600.0)[:, None] % 50
    with pytest.warns(MetricWarning, match="columns 0 hold whole numbers as floats and are cut"):
        metrics.mig(many, z)
    for sure in ({"discrete": True}, {"discrete": [True] * 3}):
        scores = metrics.evaluate(v.astype(float), z, ["mig"], **sure)
        assert not any("whole numbers" in text for text in scores.warnings)


def test_a_billion_levels_are_refused_with_a_way_out():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 10**9, (100_000, 1))
    z = v + rng.normal(size=v.shape)
    with pytest.raises(ValueError, match=r"at most 65536 levels.*discrete=False cuts it"):
        metrics.mig(v, z)
    assert metrics.mig(v, z, discrete=False) > 0.99


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"estimator": "ksg"}, ValueError, "estimator takes one of 'plugin'"),
        ({"estimator": "kraskov", "convention": "ubisoft"}, ValueError, "takes 'plugin' for"),
        ({"bootstrap": -1}, ValueError, "bootstrap takes an integer >= 0"),
        ({"bootstrap": 10, "confidence": 1.0}, ValueError, "confidence takes a number above 0"),
        ({"seed": "x"}, TypeError, "seed takes an integer"),
        ({"metrics": [3]}, TypeError, "metrics takes one of"),
        ({"metrics": []}, ValueError, "metrics takes at least one name"),
        ({"metrics": ["unlabelled"], "convention": "ubisoft"}, ValueError, "has some"),
        ({"bootstrap": 1}, ValueError, "at least 2 resamples"),
        ({"bootstrap": 9, "estimator": "kraskov"}, ValueError, "bootstrap takes 0 for the kraskov"),
    ],
)
def test_a_mistake_in_evaluate_is_named(change, error, message):
    v, z = messy()
    with pytest.raises(error, match=message):
        metrics.evaluate(v, z, **({"metrics": ["mig"]} | change))


def test_what_does_not_fit_is_left_out_unless_it_was_named():
    rng = np.random.default_rng(0)
    v = rng.integers(0, 3, (7, 2))  # too few rows for DCI
    z = rng.normal(size=(7, 3))
    scores = metrics.evaluate(v, z, ["histogram", "predictors"])
    assert "mig" in scores
    assert "dci_completeness" not in scores
    assert any(text.startswith("dci is left out: ") for text in scores.warnings)
    with pytest.raises(ValueError, match="at least 8 rows"):
        metrics.evaluate(v, z, ["histogram", "dci"])
    with pytest.raises(ValueError, match="at least one factor that varies"):
        metrics.evaluate(np.ones((9, 2)), rng.normal(size=(9, 3)), ["histogram"])


def test_scores_come_back_from_json(tmp_path):
    v, z = messy()
    scores = metrics.evaluate(v, np.hstack([z, z]), ["histogram", "unlabelled"], bootstrap=9)
    scores.to_json(tmp_path / "scores.json")
    again = metrics.Scores.from_dict(json.loads((tmp_path / "scores.json").read_text()))
    assert dict(again) == dict(scores)
    assert str(again) == str(scores)
    assert again.intervals == scores.intervals
    assert again.details["mig"].per_factor == scores.details["mig"].per_factor


def test_a_part_of_a_metric_is_a_name_too():
    v, z = messy()
    scores = metrics.evaluate(v, z, ["dci_completeness", "mig"], bootstrap=5)
    assert list(scores) == ["dci_completeness", "mig"]
    assert list(scores.intervals) == ["mig"]
    assert any("no intervals for dci" in text for text in scores.warnings)
    with pytest.raises(ValueError, match="did you mean 'dci_completeness'"):
        metrics.evaluate(v, z, ["dci_completness"])


def test_the_codes_that_were_scored_are_told(tmp_path):
    v, z = messy()
    scores = metrics.evaluate(v, z, ["mig"], active=[True, False, True, False, True])
    assert scores.codes == (0, 2, 4)
    assert scores.to_dict()["codes"] == [0, 2, 4]
    assert scores.mutual_information.shape == (3, 3)
    scores.heat_map(tmp_path / "map.SVG")
    assert "dead" not in str(scores)
    dead = metrics.evaluate(v, np.insert(z, 1, 7.0, axis=1), ["mig"])
    assert "6 codes (dead: 1)" in str(dead)


def test_names_in_place_of_codes_are_recognised():
    v, z = messy()
    with pytest.raises(TypeError, match=r"pass metrics=.*'mig'.* by its name"):
        metrics.evaluate([(v, z)], ["mig"])
