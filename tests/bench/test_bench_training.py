"""The training rows: the same steps as the reference's, or not timed; a GPU's rows, on the CPU."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers import plain_torch
from fastdis._bench import measure
from fastdis._bench.rows import training
from fastdis._threads import get_num_threads

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(get_num_threads())
    yield
    torch.set_num_threads(before)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import bench_training

    return bench_training


pytestmark = pytest.mark.filterwarnings("ignore:.* rows are few")


@pytest.fixture
def tiny(script, monkeypatch):
    """A GPU's rows at a size for a CPU."""
    monkeypatch.setattr(script.training_cuda, "FORMATS", ("channels_last",))
    return script.training_cuda.Size(
        frequencies=2, amplitudes=16, objectives=("beta_tcvae",), seeds=2, epochs=2, evaluations=1,
        dtypes=("float32",), epochs_timed=1, repeats=1,
    )  # fmt: skip


def test_three_steps_are_the_references():
    assert training.loss_error(training.config()) < 1e-6


@pytest.mark.parametrize(
    "options", [{"learning_rate": 2e-3}, {"optimizer": "adamw", "weight_decay": 10.0}], ids=str
)
def test_other_steps_are_not_timed(monkeypatch, options):
    config = training.config
    monkeypatch.setattr(training, "config", lambda **o: config(**o, **options))
    assert "not timed: the error" in measure.measure(training.ROWS[0], "smoke").note


def test_seeds_that_come_out_otherwise_are_not_timed(monkeypatch):
    together = training.seeds_together

    def others(dataset, how, seeds):
        return together(dataset, dataclasses.replace(how, learning_rate=0.01), seeds)

    monkeypatch.setattr(training, "seeds_together", others)
    row = dataclasses.replace(training.ROWS[-1], error_at_most=1e-6)
    monkeypatch.setattr(training, "config", lambda c=training.config, **o: c(batch_size=40, **o))
    assert "not timed: the error" in measure.measure(row, "smoke").note


def test_features_that_are_other_ones_are_not_timed(monkeypatch):
    pytest.importorskip("librosa")
    monkeypatch.setattr(plain_torch, "scipy_loop", lambda columns, t, _: [0.9 * t + 0.1])
    row = next(row for row in training.ROWS if row.needs == "librosa")
    assert "the peer's result is off" in measure.measure(row, "smoke").note


def test_weights_and_multiply_adds_are_counted_right():
    model = plain_torch.ReferenceVAE()
    assert sum(weight.numel() for weight in model.parameters()) == training.WEIGHTS
    with FlopCounterMode(display=False) as counted:
        x_hat, mean, logvar = model(torch.rand(2, 1, 128, 32))
        (x_hat.sum() + mean.sum() + logvar.sum()).backward()
    assert counted.get_total_flops() == 2 * 2 * training.MULTIPLY_ADDS


def test_the_reference_draws_its_own_noise_and_order():
    model, _ = training.model_and_objective()
    x = torch.rand(100, 1, 128, 32)
    torch.manual_seed(0)
    losses = [plain_torch.Reference(model).epoch(plain_torch.OfTensor(x)) for _ in range(2)]
    assert losses[0] != losses[1]
    rows = torch.cat([rows for _, rows in plain_torch.OfTensor(x)])
    assert sorted(rows.tolist()) == list(range(100))


def test_the_rows_of_a_gpu(script, tiny, capsys):
    kept = []
    results = script.training_cuda.measure("cpu", tiny, keep=lambda t: kept.append(len(t["rows"])))
    assert not results["failed"]
    assert kept == [1, 2, 3]
    one, many, whole = results["rows"]
    assert one["error"] < 1e-6
    assert many["error"] < 1e-4
    assert set(many["tried"]) == {f"{e}, float32, channels_last" for e in ("stacked", "threads")}
    assert set(many["epoch_seconds"]) == {"beta_tcvae"}
    assert (whole["epochs_measured"], whole["extrapolated"]) == (2, False)
    assert set(whole["scores"]["beta_tcvae"]["published"]) == set(script.training_cuda.SCORES)
    assert all(math.isfinite(row.get("ratio", row.get("seconds"))) for row in results["rows"])
    shown = script.shown(results)
    assert "one model, batches of 64, float32" in shown
    assert "2 models, 1 objectives x 2 seeds, an epoch" in shown
    json.dumps(results, allow_nan=False)
    assert "Table 1" in capsys.readouterr().out


def test_factor_vae_takes_as_many_steps_of_twice_the_batch(script, tiny, monkeypatch):
    """Of which it halves each, as the reference does; and so its table is no shorter."""
    asked = []

    def train_many(model, objective, dataset, config, **options):
        asked.append((objective.name, config.epochs, config.batch_size, config.validation))
        return []

    monkeypatch.setattr(script.training_cuda.training, "train_many", train_many)
    monkeypatch.setattr(script.training_cuda.Bench, "scores", lambda *_: {})
    size = dataclasses.replace(tiny, objectives=("vae", "factor_vae"), epochs=20)
    bench = script.training_cuda.Bench("cpu", size)
    bench.table_1(("stacked", "float32", "contiguous"), {"vae": 1e-3, "factor_vae": 1e-3})
    assert asked == [("vae", 20, 64, 0.2), ("factor_vae", 40, 128, 0.2)]


def test_where_time_is_short_an_epoch_counts_for_others(script, tiny):
    bench = script.training_cuda.Bench("cpu", tiny, minutes=0.0)
    row = bench.table_1(("threads", "float32", "contiguous"), {"beta_tcvae": 1.0})
    assert (row["epochs_measured"], row["extrapolated"]) == (1, True)
    rest = row["data_seconds"] + row["scores_seconds"]
    assert row["seconds"] == pytest.approx(rest + 2 * row["training_seconds_measured"])
    assert "by 1 epochs of it" in script.shown({"where": {}, "rows": [row], "failed": []})


def test_a_row_of_a_gpu_that_fails_is_said(script, tiny):
    wrong = dataclasses.replace(tiny, dtypes=("tf32",))  # which a CPU has not got
    results = script.training_cuda.measure("cpu", wrong, say=lambda _: None)
    assert results["rows"] == []
    assert (
        "one model, tf32: ValueError: dtype takes 'tf32' on a CUDA device" in results["failed"][0]
    )
    assert "no setting works" in results["failed"][1]
    assert results["failed"][1] in script.shown(results)


def test_wrong_losses_on_a_gpu_are_not_timed(script, tiny, monkeypatch):
    monkeypatch.setattr(script.training_cuda.rows, "loss_error", lambda how: 0.01)
    monkeypatch.setattr(script.training_cuda.Bench, "error_of_many", lambda *_: math.nan)
    results = script.training_cuda.measure("cpu", tiny, say=lambda _: None)
    assert results["rows"] == []
    assert all("not timed" in failure for failure in results["failed"])


def test_without_a_gpu_the_script_says_so(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    monkeypatch.setattr(script.sys, "argv", ["bench_training.py", "--gpu"])
    assert script.main() == 2
    assert "no CUDA device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_memory_of_training_is_measured_in_a_process_of_its_own(monkeypatch, script):
    import memory

    assert set(memory.SIZES) == set(memory.TITLES) == set(memory.UNITS)
    for work in (memory.train, memory.train_many):
        work(64)
    line = memory.of_seeds([("train", 64, 500.0, 100.0), ("train many", 64, 900.0, 500.0)])
    assert "take 0.90 of the memory of two" in line
    assert memory.of_seeds([("maps", 1, 1.0, 1.0)]) == ""


@pytest.mark.parametrize("variant", ["published", "sound"])
def test_table_to_mel_on_the_cpu(script, variant):
    """The code that a GPU runs, on a grid small enough for a CPU; it checks its result."""
    import bench_nn

    figures = bench_nn.measure(variant, "cpu", 1, num_freqs=8, num_amps=4)
    assert figures["clips"] == 128
    assert figures["error"] <= bench_nn.ERROR_AT_MOST


def test_the_histogram_of_tensors_on_the_cpu(script):
    import bench_histogram_cuda

    figures = bench_histogram_cuda.measure(20_000, "cpu", 1)
    assert figures["counts_that_differ"] == 0
