"""The table, figures and page of a sweep, of results that were made up."""

import re

import numpy as np
import pytest

from fastdis.reports import sweep
from fastdis.reports.score_tables import known_metric
from fastdis.reports.sweep import figures
from fastdis.reports.sweep import table as sweep_table
from fastdis.reports.sweep.results import Spread, SweepResults
from tests.reports.report_data import Outline

TITLES = {"vae": "VAE", "beta_vae": "β-VAE", "factor_vae": "FactorVAE"}


def row(objective, options=None, latent_dim=4, seed=0, score=0.5, error=None):
    losses = {"loss": 110.0, "reconstruction": 100.0 + seed, "kl": 10.0}
    return {
        "objective": objective, "options": options or {}, "latent_dim": latent_dim, "seed": seed,
        "epochs": 0 if error else 3, "train": {} if error else losses,
        "validation": {} if error else losses, "intervals": {}, "error": error,
        "warnings": [] if error else ["64 rows are <few>"],
        "scores": {} if error else {"mig": score, "jemmig_raw": 1.0},
    }  # fmt: skip


def results_of(rows):
    return SweepResults(
        "Sweep on <Tones>", TITLES, rows, ["mig", "jemmig_raw"], "a: <b>", {"k": "v"}
    )


@pytest.fixture(scope="module")
def results():
    """Two options, two latent sizes, three seeds, one failure."""
    rng = np.random.default_rng(0)
    rows = []
    for size in (4, 8):
        for objective, key, values in (
            ("vae", "", [0]), ("beta_vae", "beta", [1.0, 4.0, 16.0]),
            ("factor_vae", "gamma", [2.0, 3.0]),
        ):  # fmt: skip
            for value in values:
                options = {key: value} if key else {}
                rows += [
                    row(objective, options, size, seed, float(rng.uniform(0.2, 0.6)))
                    for seed in range(3)
                ]
    rows.append(row("beta_vae", {"beta": 1e39}, 4, 0, error="term 'kl' <is> inf"))
    return results_of(rows)


def test_mean_and_deviation_over_seeds():
    rows = [row("vae", seed=seed, score=score) for seed, score in enumerate((0.2, 0.5))]
    rows += [row("beta_vae", {"beta": 4.0}, score=0.3), row("beta_vae", {"beta": 4.0}, 8)]
    rows.append(row("vae", seed=2, error="no"))
    one, two, three = results_of(rows).summary
    assert one.values["mig"] == Spread(0.35, pytest.approx(0.3 / np.sqrt(2)), 2)
    assert (one.finished, one.failed) == (2, 1)
    assert one.values["validation_reconstruction"].mean == 100.5
    assert two.values["mig"] == Spread(0.3, None, 1)
    assert (three.objective, three.options, three.latent_dim) == ("beta_vae", {"beta": 4.0}, 8)


def test_the_table_marks_the_best_and_says_how_many_ended_well():
    rows = [row("vae", seed=seed, score=0.4) for seed in range(2)]
    rows += [row("beta_vae", {"beta": 4.0}, score=0.2), row("vae", seed=2, error="no")]
    table = sweep_table.sweep_table(results_of(rows))
    assert [heading.text for heading in table.headings[3:]] == [
        "Reconstruction ↓", "MIG ↑", "JEMMIG, raw ↓",
    ]  # fmt: skip
    first, second = table.cells
    assert (first[2].text, second[2].text) == ("2 of 3", "1")
    assert [(cell.text, cell.detail) for cell in first[3:]] == [
        ("100.5", "± 0.707"), ("0.400", "± 0.000"), ("1.000", "± 0.000"),
    ]  # fmt: skip
    assert [cell.best for cell in first[3:]] == [False, True, False]  # equal is no best
    assert [cell.best for cell in second[3:]] == [True, False, False]  # a cost: less is better
    assert second[0].detail == "beta 4"


def test_the_table_of_a_terminal(results):
    text = sweep_table.text_table(results)
    lines = text.splitlines()
    assert lines[0].split() == ["latent", "4", "latent", "8"]
    assert [line for line in lines if line and not line.startswith((" ", "failed", "mean"))] == [
        "Reconstruction ↓", "MIG ↑", "JEMMIG, raw ↓",
    ]  # fmt: skip
    start = lines.index("MIG ↑")
    assert [line[:15].strip() for line in lines[start + 1 : start + 8]] == [
        "VAE", "β-VAE, beta 1", "β-VAE, beta 4", "β-VAE, beta 1", "FactorVAE, ga", "FactorVAE, ga",
        "β-VAE, beta 1",
    ]  # fmt: skip
    assert sum(line.count("*") for line in lines[start + 1 : start + 8]) == 1
    assert "failed: β-VAE, beta 1e+39, latent 4, seed 0: term 'kl' <is> inf" in lines
    assert max(map(len, lines)) < 100


def test_a_panel_an_option_and_a_line_an_objective_and_size(results):
    beta, gamma = figures.subplots_of(results)
    assert (beta.name, gamma.name) == ("beta", "gamma")
    lines = {line.label: line for line in beta.lines}
    assert set(lines) == {"VAE, latent 4", "VAE, latent 8", "β-VAE, latent 4", "β-VAE, latent 8"}
    assert [x for x, _ in lines["β-VAE, latent 4"].points] == [1.0, 4.0, 16.0]  # none that failed
    assert lines["VAE, latent 4"].level is results.summary[0]
    assert lines["VAE, latent 4"].points == []
    assert {line.label for line in gamma.lines} == {
        "VAE, latent 4", "VAE, latent 8", "FactorVAE, latent 4", "FactorVAE, latent 8",
    }  # fmt: skip
    styles = {label: (line.color, line.style) for label, line in lines.items()}
    assert len(set(styles.values())) == 4
    assert styles["VAE, latent 4"][0] == styles["VAE, latent 8"][0]


def test_an_objective_with_two_options_has_a_line_each_of_the_other():
    rows = [
        row("beta_vae", {"beta": beta, "variance": variance}, 4, seed)
        for beta in (1.0, 2.0) for variance in (0.1, 0.2) for seed in (0, 1)
    ]  # fmt: skip
    (subplot,) = figures.subplots_of(results_of(rows))
    assert subplot.name == "beta"
    assert [line.label for line in subplot.lines] == ["β-VAE, variance 0.1", "β-VAE, variance 0.2"]


def test_without_a_number_the_latent_size_is_the_axis_and_without_that_the_models():
    sizes = [row("vae", {}, size, seed) for size in (2, 4, 8) for seed in (0, 1)]
    (subplot,) = figures.subplots_of(results_of(sizes))
    assert subplot.name == "latent size"
    assert [x for x, _ in subplot.lines[0].points] == [2, 4, 8]
    models = results_of([row("vae"), row("beta_vae"), row("factor_vae", error="no")])
    assert figures.subplots_of(models) == []
    picture = figures.score_figure(models, [], known_metric("mig"))
    assert picture.startswith("data:image/png;base64,")


def test_the_page_is_one_file_that_nests_and_escapes(results, tmp_path):
    path = sweep.write(results, tmp_path / "report.html")
    html = path.read_text()
    page = Outline(html)
    assert "Sweep on &lt;Tones&gt;" in html
    assert "term &#39;kl&#39; &lt;is&gt; inf" in html
    assert "a: &lt;b&gt;" in html
    assert html.count("64 rows are &lt;few&gt;.") == 1
    sources = re.findall(r'src="([^"]*)"', html)
    assert len(sources) == 3 + 6  # a figure a score, and the names of six lines
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert len(page.ids) == len(set(page.ids))
    links = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a"]
    assert set(links) <= set(page.ids)
    assert html.count("✗ failed") == 1
    assert "<small>± " in html


def test_the_page_of_one_seed_has_no_deviations():
    html = sweep.render(results_of([row("vae")]))
    assert "<small>" not in html


def test_a_page_that_cannot_be_written(results, tmp_path):
    with pytest.raises(OSError, match="cannot write the report"):
        sweep.write(results, tmp_path)
    assert list(tmp_path.iterdir()) == []
