"""Sweeps: checked before anything is trained, resumed, a row a cell, and alike on a cluster."""

import csv
import json
import os
import signal
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from fastdis import _files, cli, datasets, metrics, models, objectives, train, training
from fastdis._threads import get_num_threads
from fastdis.studies import sweep
from fastdis.studies.sweep import cells, dask_cluster
from fastdis.studies.sweep.plan import plan
from tests.objectives.objective_data import one_thread

TINY = {"name": "SynTone", "variant": "sound", "duration": 0.25, "num_freqs": 4, "num_amps": 4}
# Float64 and nothing measured, so that runs agree whatever they are trained beside.
EXACT = {"dtype": "float64", "compile": "never", "memory_format": "contiguous"}
SMALL = {"dataset": TINY, "latent_dim": 3, "epochs": 1, "batch_size": 16, "metrics": ["mig"],
         **EXACT}  # fmt: skip
OVERFLOWS = 1e39  # as a weight in float32 it is infinite
ASKED = {
    **SMALL,
    "objectives": ["vae", {"name": "beta_vae", "beta": [2, 8, OVERFLOWS]}],
    "seeds": 2,
}


def run(asked, path, **options):
    lines = []
    results = sweep.run(asked, path, progress=False, say=lines.append, **options)
    return results, lines


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Steps this small are slower on several threads."""
    with one_thread():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sweep, of which two cells fail, and its folder."""
    folder = tmp_path_factory.mktemp("sweep") / "s"
    return run(ASKED, folder)[0], folder


@pytest.fixture
def calls(monkeypatch):
    """What each call of train_many was for."""
    found = []
    real = training.train_many

    def noted(model, objective, dataset, config, *, seeds, grid):
        found.append((objective.name, dict(grid), list(seeds)))
        return real(model, objective, dataset, config, seeds=seeds, grid=grid)

    monkeypatch.setattr(training, "train_many", noted)
    return found


def by_cell(results):
    return {
        (row["objective"], row["options"].get("beta"), row["seed"]): row for row in results.rows
    }


def alike(one, two):
    """The same rows, to rounding."""
    assert [row["error"] for row in one] == [row["error"] for row in two]
    for a, b in zip(one, two, strict=True):
        for part in ("train", "validation", "scores"):
            assert a[part] == pytest.approx(b[part], rel=1e-9, abs=1e-12)
    return True


# What is asked for


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"latent_dims": 4}, "a sweep's key takes .* got 'latent_dims'; did you mean 'latent_dim'"),
        ({"epoch": 4}, "did you mean 'epochs'"),
        ({"path": "x"}, "a sweep's key takes"),
        ({"dataset": {**TINY, "num_freq": 4}}, "of data set 'SynTone' .* mean 'num_freqs'"),
        ({"dataset": {"name": "SynTon"}}, "did you mean 'SynTone'"),
        ({"dataset": {"name": "npz", "path": "x"}}, "takes the path of a stored set by itself"),
        ({"objectives": ["beta_va"]}, "did you mean 'beta_vae'"),
        ({"objectives": [{"name": "beta_vae", "betta": 1}]}, "did you mean 'beta'"),
        ({"objectives": [{"beta": 1}]}, r"objectives\[0\] takes a mapping with a name"),
        ({"objectives": [{"name": "beta_vae", "beta": []}]}, "beta of 'beta_vae' takes a value or"),
        ({"objectives": [{"name": "beta_vae", "beta": -1}]}, "beta takes a number >= 0"),
        ({"objectives": ["vae", {"name": "vae", "free_bits": [0]}]}, "each cell once"),
        ({"objectives": ["dip_vae_i"], "protocol": "published"}, "takes 'corrected' for objective"),
        ({"protocol": "soudn"}, "did you mean 'sound'"),
        ({"metrics": ["migg"]}, "did you mean 'mig'"),
        ({"bootstrap": 1}, "bootstrap takes 0 or at least 2"),
        ({"model": "conv33"}, "did you mean 'conv3'"),
        ({"latent_dim": [4, 0]}, "latent_dim takes an integer >= 1"),
        ({"seeds": 0}, "seeds takes an integer >= 1"),
        ({"seeds": [1, 1]}, "seeds takes a value or a list of different ones"),
        ({"learning_rate": -1}, "learning_rate takes"),
        ({"objectives": ["vae", "factor_vae"], "batch_size": 48}, "at most the number of training"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_trained(tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        run({**SMALL, "objectives": ["vae"], **asked}, tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("objectives", [None, [], "vae"])
def test_objectives_are_a_list(objectives):
    with pytest.raises(TypeError, match="objectives takes a list of names"):
        plan({**SMALL, "objectives": objectives})


def test_a_file_that_is_no_sweep(tmp_path):
    for text, message in (("- vae", "takes a mapping"), ("a: [", "is not a YAML file of a sweep")):
        (tmp_path / "s.yaml").write_text(text)
        with pytest.raises(ValueError, match=message):
            plan(tmp_path / "s.yaml")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        plan(tmp_path / "none.yaml")


def test_cells_of_a_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(
        "dataset: {name: SynTone, num_freqs: 4, num_amps: 4}\n"
        "objectives: [vae, {name: beta_tcvae, beta: [4, 8], estimator: [mss, mws]}]\n"
        "latent_dim: [2, 3]\nseeds: [5, 7]\nbatch_size: 8\nlearning_rate: 1e-3\n"
    )
    planned = plan(file)
    labels = [cell.label for cell in planned.cells]
    assert len(set(labels)) == len(labels) == 2 * 2 * (1 + 4)
    assert labels[:2] == ["vae_latent_dim=2/seed=5", "vae_latent_dim=2/seed=7"]
    assert "beta_tcvae_estimator=mws_latent_dim=3/beta=8.0_seed=7" in labels
    assert planned.settings.config["learning_rate"] == 1e-3  # which YAML takes for text
    assert planned.settings.protocol == planned.settings.dataset["variant"] == "sound"
    assert plan(yaml.safe_load(planned.text)) == planned
    published = plan({"dataset": {**TINY, "variant": "published"}, "objectives": ["vae"],
                      "batch_size": 8})  # fmt: skip
    assert published.settings.protocol == "published"


def test_a_stored_set_is_found_from_any_folder(tmp_path, monkeypatch):
    tiny = {key: value for key, value in TINY.items() if key not in ("name", "variant")}
    datasets.write_shards(datasets.SynTone("sound", **tiny), tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    planned = plan({**SMALL, "dataset": "set", "objectives": ["vae"]})
    assert planned.settings.dataset["path"] == str(tmp_path / "set")
    assert planned.settings.protocol == "sound"
    opened = cells.SweepContext(planned.settings, "", "cpu", False).dataset()
    assert len(opened) == 64
    assert not isinstance(opened, datasets.InMemory)  # it may be larger than the memory
    with pytest.raises(ValueError, match="holds 'corrected' features"):
        plan({**SMALL, "dataset": "set", "objectives": ["vae"], "protocol": "published"})


# Rows


def test_a_row_is_what_a_run_alone_gives(made, tmp_path):
    results, folder = made
    data = datasets.build(TINY).in_memory()
    model = models.build("conv3", 3, data.feature_shape, seed=1)
    config = training.TrainConfig(
        epochs=1, batch_size=16, seed=1, progress=False, path=str(tmp_path / "r"), **EXACT
    )
    alone = train(model, objectives.build("beta_vae", beta=8.0), data, config)
    row = by_cell(results)["beta_vae", 8.0, 1]
    assert row["train"] == pytest.approx(alone.history[-1]["train"], rel=1e-9)
    assert row["validation"] == pytest.approx(alone.history[-1]["validation"], rel=1e-9)
    assert row["scores"] == pytest.approx(dict(metrics.panel(model, data, metrics=["mig"])))
    assert (row["epochs"], row["latent_dim"], row["error"]) == (1, 3, None)
    kept = training.load(folder / "cells" / "beta_vae_latent_dim=3" / "beta=8.0_seed=1")
    assert all(
        torch.allclose(a, b, rtol=1e-9)
        for a, b in zip(kept.model.parameters(), model.parameters(), strict=True)
    )


def test_factor_vae_gets_twice_the_batch_and_epochs(tmp_path, monkeypatch):
    asked = []

    def stops(model, objective, dataset, config, **_):
        asked.append((objective.name, config.epochs, config.batch_size))
        raise FloatingPointError

    monkeypatch.setattr(training, "train_many", stops)
    run({**SMALL, "objectives": ["factor_vae", "vae"]}, tmp_path)
    assert asked == [("factor_vae", 2, 32), ("vae", 1, 16)]


def test_a_cell_that_fails_is_a_row_and_the_others_go_on(made):
    results, _ = made
    assert [(row["options"], row["seed"]) for row in results.failed] == [
        ({"beta": OVERFLOWS}, 0), ({"beta": OVERFLOWS}, 1)
    ]  # fmt: skip
    for row in results.failed:
        assert "term 'kl' of the loss is inf at step 1 of epoch 1" in row["error"]
        assert row["scores"] == {}
    assert len(results.rows) == 8
    assert all(row["scores"]["mig"] >= 0 for row in results.rows if not row["error"])


def test_the_tables_say_the_same(made):
    results, folder = made
    written = json.loads((folder / "results.json").read_text())
    assert written["rows"] == results.rows
    with (folder / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0])[:5] == ["objective", "beta", "latent_dim", "seed", "epochs"]
    assert list(lines[0])[-1] == "error"
    for line, row in zip(lines, results.rows, strict=True):
        assert line["beta"] == str(row["options"].get("beta", ""))
        assert bool(line["error"]) == bool(row["error"])
        if not row["error"]:
            assert float(line["mig"]) == row["scores"]["mig"]
            assert float(line["validation_kl"]) == row["validation"]["kl"]
    with (folder / "summary.csv").open() as file:
        summary = {(line["objective"], line["beta"]): line for line in csv.DictReader(file)}
    values = [by_cell(results)["beta_vae", 2.0, seed]["scores"]["mig"] for seed in (0, 1)]
    line = summary["beta_vae", "2.0"]
    assert float(line["mig_mean"]) == pytest.approx(statistics.mean(values))
    assert float(line["mig_deviation"]) == pytest.approx(statistics.stdev(values))
    assert (line["finished"], line["failed"]) == ("2", "0")
    assert summary["beta_vae", "1e+39"]["failed"] == "2"
    assert written["summary"][1]["mean"]["mig"] == pytest.approx(statistics.mean(values))


def test_intervals_where_they_are_asked_for(tmp_path):
    asked = {**SMALL, "objectives": ["vae"], "bootstrap": 20}
    (row,) = run(asked, tmp_path)[0].rows
    low, high = row["intervals"]["mig"]
    assert low <= high


# Going on


def test_finished_cells_are_not_touched_and_new_ones_are_added(tmp_path, calls, monkeypatch):
    small = {**SMALL, "objectives": [{"name": "beta_vae", "beta": [2, 8]}], "seeds": 2}
    more = {**small, "objectives": [{"name": "beta_vae", "beta": [8, 2, 16]}], "seeds": [0, 1, 3]}
    first, _ = run(small, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/**/*")
              if path.is_file()}  # fmt: skip
    assert calls == [("beta_vae", {"beta": [2.0, 8.0]}, [0, 1])]
    calls.clear()
    both, _ = run(more, tmp_path)
    assert calls == [
        ("beta_vae", {"beta": [8.0, 2.0]}, [3]),
        ("beta_vae", {"beta": [16.0]}, [0, 1, 3]),
    ]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert all(row in both.rows for row in first.rows)
    calls.clear()
    monkeypatch.setattr(cells, "score", lambda *_, **__: pytest.fail("scored again"))
    again, lines = run(more, tmp_path)
    assert again == both
    assert calls == []
    assert lines == ["9 cells, 9 of them finished"]


def test_a_stopped_sweep_goes_on_to_the_same_rows(made, tmp_path, monkeypatch):
    real, scored = cells.score, []

    def stops(model, dataset, folder, **options):
        scored.append(folder)
        if len(scored) == 4:
            raise KeyboardInterrupt
        return real(model, dataset, folder, **options)

    monkeypatch.setattr(cells, "score", stops)
    with pytest.raises(KeyboardInterrupt):
        run(ASKED, tmp_path)
    assert not (tmp_path / "results.json").exists()
    results, lines = run(ASKED, tmp_path)
    assert lines[0] == "8 cells, 3 of them finished"
    assert len(scored) == len(set(scored)) + 1  # the one that was stopped
    assert alike(results.rows, made[0].rows)


def test_more_epochs_and_other_metrics(tmp_path, calls):
    small = {**SMALL, "objectives": ["vae"]}
    run(small, tmp_path / "broken")
    longer, _ = run({**small, "epochs": 2}, tmp_path / "broken")
    assert alike(longer.rows, run({**small, "epochs": 2}, tmp_path / "whole")[0].rows)
    other, _ = run({**small, "epochs": 2, "metrics": ["modularity"]}, tmp_path / "broken")
    assert other.rows[0]["train"] == longer.rows[0]["train"]
    assert list(other.rows[0]["scores"]) == ["modularity"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 8}, "holds another sweep: batch_size was 16, is 8"),
        ({"dataset": {**TINY, "num_amps": 3}}, "holds another sweep: dataset was"),
        ({"epochs": 1}, "epochs takes at least the 2 of the sweep"),
        ({"seeds": 1}, "with the cell vae_latent_dim=3/seed=1; a sweep may only get more"),
        ({"schedule": "cosine", "epochs": 3}, "holds another sweep: epochs was 2, is 3"),
    ],
)
def test_another_sweep_in_the_folder(tmp_path, changed, message, monkeypatch):
    asked = {**SMALL, "objectives": ["vae"], "seeds": 2, "epochs": 2}
    monkeypatch.setattr("fastdis.studies.sweep.sweep._rows", lambda *_: [])
    run(asked, tmp_path)
    with pytest.raises(ValueError, match=message):
        run({**asked, **changed}, tmp_path)
    assert run(asked, tmp_path)


def test_two_at_one_folder(tmp_path, monkeypatch):
    def within(*_):
        with pytest.raises(BlockingIOError, match="written to by another"):
            run(asked, tmp_path)
        return []

    asked = {**SMALL, "objectives": ["vae"]}
    monkeypatch.setattr("fastdis.studies.sweep.sweep._rows", within)
    run(asked, tmp_path)


# Together


def test_those_beside_a_failing_cell_stay_in_step(made, calls, tmp_path):
    results, _ = run({**ASKED, "objectives": [ASKED["objectives"][1]]}, tmp_path)
    assert calls == [
        ("beta_vae", {"beta": [2.0, 8.0, OVERFLOWS]}, [0, 1]),
        ("beta_vae", {"beta": [2.0]}, [0, 1]),
        ("beta_vae", {"beta": [8.0, OVERFLOWS]}, [0, 1]),
        ("beta_vae", {"beta": [8.0]}, [0, 1]),
        ("beta_vae", {"beta": [OVERFLOWS]}, [0, 1]),
        ("beta_vae", {"beta": [OVERFLOWS]}, [0]),
        ("beta_vae", {"beta": [OVERFLOWS]}, [1]),
    ]
    assert alike(results.rows, made[0].rows[2:8])
    calls.clear()
    more = {"name": "beta_vae", "beta": [2, 8, OVERFLOWS, 4]}
    run({**ASKED, "objectives": [more]}, tmp_path)  # known to fail, it stops no other
    assert calls == [
        ("beta_vae", {"beta": [4.0]}, [0, 1]),
        ("beta_vae", {"beta": [OVERFLOWS]}, [0]),
        ("beta_vae", {"beta": [OVERFLOWS]}, [1]),
    ]


def test_too_many_for_the_memory_are_halved(made, tmp_path, monkeypatch):
    real = training.train_many

    def small(model, objective, dataset, config, *, seeds, grid, at_most=2):
        if len(seeds) * len(grid.get("beta", [1])) > at_most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, objective, dataset, config, seeds=seeds, grid=grid)

    asked = {**ASKED, "objectives": [{"name": "beta_vae", "beta": [2, 8]}]}
    monkeypatch.setattr(training, "train_many", small)
    assert alike(run(asked, tmp_path / "a")[0].rows, made[0].rows[2:6])
    monkeypatch.setattr(training, "train_many", lambda *a, **k: small(*a, **k, at_most=0))
    with pytest.raises(torch.OutOfMemoryError):
        run(asked, tmp_path / "b")


def test_options_that_are_no_weights_part_the_groups(tmp_path, calls):
    vae = {"name": "vae", "free_bits": [0, 0.5], "variance": [0.1, 0.2]}
    run({**SMALL, "objectives": [vae]}, tmp_path)
    assert calls == [
        ("vae", {"variance": [0.1, 0.2]}, [0]),
        ("vae", {"free_bits": [0.5], "variance": [0.1, 0.2]}, [0]),
    ]


# On a cluster


def test_dask_that_is_missing_or_has_no_address(tmp_path, monkeypatch):
    asked = {**SMALL, "objectives": ["vae"]}
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(ValueError, match=r"scheduler takes the address .*DASK_SCHEDULER_ADDRESS"):
        run(asked, tmp_path / "s", engine="dask")
    with pytest.raises(ValueError, match="scheduler goes with engine 'dask'"):
        run(asked, tmp_path / "s", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="did you mean 'dask'"):
        run(asked, tmp_path / "s", engine="dusk")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'fastdis\[cluster\]'"):
        run(asked, tmp_path / "s", engine="dask")
    assert not (tmp_path / "s").exists()


def test_a_worker_takes_as_many_threads_as_it_has(threads):
    threads(3)
    before = torch.get_num_threads()
    for has, takes in ((1, 1), (2, 2), (8, 3)):
        with dask_cluster._on_threads(has):
            assert (get_num_threads(), torch.get_num_threads()) == (takes, takes)
        assert (get_num_threads(), torch.get_num_threads()) == (3, before)


def test_a_task_waits_for_one_that_is_still_at_its_cell(tmp_path, monkeypatch):
    planned = plan({**SMALL, "objectives": ["vae"]})
    place = cells.SweepContext(planned.settings, str(tmp_path), "cpu", False)
    (cell,) = planned.cells
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    monkeypatch.setattr(dask_cluster, "_kept", [])
    held, waits = ExitStack(), []
    monkeypatch.setattr(dask_cluster.time, "sleep", lambda _: (waits.append(1), held.close()))
    held.enter_context(_files.only_writer(place.path(cell)))
    row = dask_cluster.make_one(place, cell)
    assert waits == [1]
    assert row["scores"] == place.recorded(cell)["scores"] != {}
    monkeypatch.setattr(dask_cluster, "make", lambda *_: pytest.fail("made again"))
    assert dask_cluster.make_one(place, cell) == row


def test_what_a_task_came_to():
    (cell,) = plan({**SMALL, "objectives": ["vae"]}).cells

    def future(cancelled=False, error=None):
        return SimpleNamespace(
            cancelled=lambda: cancelled, exception=lambda: error, result=lambda: {"a": "row"}
        )

    assert dask_cluster._result(future(), cell, "tcp://x") == {"a": "row"}
    row = dask_cluster._result(future(error=OSError("disk full")), cell, "tcp://x")
    assert (row["error"], row["seed"], row["scores"]) == ("OSError: disk full", 0, {})
    with pytest.raises(ConnectionError, match="tcp://x has gone"):
        dask_cluster._result(future(cancelled=True), cell, "tcp://x")


@pytest.mark.slow
def test_a_cluster_makes_the_same_rows_though_a_worker_is_lost(made, tmp_path, monkeypatch):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        lines = []

        def say(line):
            lines.append(line)
            if line.startswith("1 of"):
                os.kill(cluster.workers[0].pid, signal.SIGKILL)

        results = sweep.run(ASKED, tmp_path, engine="dask", progress=False, say=say)
        stamps = [path.stat().st_mtime_ns for path in tmp_path.glob("cells/vae*/*/*")]
        again, more = run(ASKED, tmp_path, engine="dask")
    assert alike(results.rows, made[0].rows)
    assert len(lines) == 1 + len(results.rows)
    assert again == results
    assert more[0] == "8 cells, 6 of them finished"
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("cells/vae*/*/*")] == stamps


# The command


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {**SMALL, "objectives": ["vae"], "seeds": 2}
    Path("mine.yaml").write_text(yaml.safe_dump(asked))
    assert cli.main(["sweep", "mine.yaml"]) == 0
    shown = capsys.readouterr()
    assert "MIG ↑" in shown.out
    assert " ± " in shown.out
    assert "1 of 2: vae_latent_dim=3/seed=0 finished" in shown.err
    page = Path(shown.out.split()[-1])
    assert page.resolve() == tmp_path / "runs" / "mine" / "report.html"
    assert "<h1>Sweep on SynTone</h1>" in page.read_text()
    Path("mine.yaml").write_text(yaml.safe_dump({**asked, "epoch": 3}))
    assert cli.main(["sweep", "mine.yaml"]) == 2
    assert "did you mean 'epochs'" in capsys.readouterr().err


def test_the_command_fails_if_a_cell_did(tmp_path, capsys):
    file = tmp_path / "s.yaml"
    failing = {"name": "beta_vae", "beta": [OVERFLOWS]}
    file.write_text(yaml.safe_dump({**SMALL, "objectives": [failing]}))
    assert cli.main(["sweep", str(file), "--path", str(tmp_path / "s")]) == 1
    shown = capsys.readouterr()
    assert "1 of 1 cells failed" in shown.err
    assert "failed: β-VAE, beta 1e+39, latent 3, seed 0: term 'kl'" in shown.out
    assert "term &#39;kl&#39;" in (tmp_path / "s" / "report.html").read_text()


def test_products():
    points = [(a, b) for a in (1, 2) for b in (3, 4)]
    assert cells._products(points) == [[[1, 2], [3, 4]]]
    found = cells._products([*points, (5, 3)])
    every = {tuple(p) for axes in found for p in np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)}
    assert every == {*points, (5, 3)}
    assert sum(len(a) * len(b) for a, b in found) == 5
