"""The benchmarks: wrong results are not timed, missing peers are said, every row works."""

import dataclasses
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastdis
from benchmarks.limits import peak
from fastdis import cli
from fastdis._bench import checkout, first_calls, limits, measure, speedup, suite, table
from fastdis._bench.measure import Contestant, Outcome, Row, Trial
from fastdis._bench.rows import features, statistics, synthesis, transforms
from fastdis._threads import get_num_threads, set_num_threads

LIMITS = limits.Limits(copy=1e9, fill=1e9, multiply_adds=1e9)


class Clock:
    """Time that passes only while something sleeps."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def perf_counter(self):
        return self.now

    def process_time(self):
        return 0.0


@pytest.fixture
def clock(monkeypatch):
    """Puts a clock of its own under the measurement."""
    result = Clock()
    monkeypatch.setattr(measure, "time", result)
    return result


def sleeper(clock, seconds, units=1, **options):
    return Contestant(lambda: clock.sleep(seconds), units, **options)


def row(*, ours=(), peer=(), error=0.0, **options):
    trial = Trial(ours, peer, lambda: error, bytes_moved=1e3, multiply_adds=1e2)
    options = {"at_least": 3.0, "error_at_most": 1e-5} | options
    return Row("work", "peer", lambda scale: trial, **options)


@pytest.mark.parametrize(("seconds", "reached"), [(0.4, True), (0.2, False)])
def test_a_row(clock, seconds, reached):
    one = row(ours=[sleeper(clock, 0.1)], peer=[sleeper(clock, seconds)])
    outcome = measure.measure(one, "short")
    assert outcome.reached is reached
    assert outcome.ratio == pytest.approx(seconds / 0.1)
    assert outcome.ours == pytest.approx(10.0)
    assert outcome.spread == pytest.approx(0.0, abs=1e-9)
    assert outcome.share(LIMITS) == (pytest.approx(1e-5), "memory")
    assert not outcome.note


def test_throughput_is_compared_where_the_peer_handles_fewer(clock):
    one = row(ours=[sleeper(clock, 0.1, units=40)], peer=[sleeper(clock, 0.1, units=4)])
    assert measure.measure(one, "short").ratio == pytest.approx(10.0)


def test_the_median_and_the_spread(clock):
    """Of nine ratios 1, 1, 1, 1, 2, 3, 3, 3, 3 half lie from 1 to 3."""
    seconds = iter([1, 1, 3, 1, 3, 2, 3, 1, 3, 1])  # the first warms up
    peer = Contestant(lambda: clock.sleep(next(seconds)), 1)
    outcome = measure.measure(row(ours=[sleeper(clock, 1.0)], peer=[peer]), "full")
    assert (outcome.ratio, outcome.spread) == (pytest.approx(2.0), pytest.approx(1.0))


@pytest.mark.parametrize("error", [2e-5, math.nan])
def test_a_wrong_result_is_not_timed(error):
    never = Contestant(lambda: pytest.fail("timed"), 1)
    outcome = measure.measure(row(ours=[never], error=error), "short")
    assert "not timed" in outcome.note
    assert outcome.reached is None
    assert "not timed" in table.rows_table([outcome], LIMITS)


def test_a_peer_that_computes_something_else_is_not_timed():
    def prepare(scale):
        raise measure.WrongPeerError("not timed: it is off")

    wrong = dataclasses.replace(row(), prepare=prepare)
    assert measure.measure(wrong, "short").note == "not timed: it is off"


def test_a_failure_does_not_end_the_run():
    def run():
        raise OSError("no\nsuch library")

    def prepare(scale):
        run()

    fails = dataclasses.replace(row(), prepare=prepare)
    failing = row(ours=[Contestant(lambda: None, 1)], peer=[Contestant(run, 1)])
    outcomes = [measure.measure(one, "smoke") for one in (fails, failing)]
    assert [one.note for one in outcomes] == ["not timed: OSError: no such library"] * 2


def test_a_first_call_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(first_calls, "_CALLS", {"a call": (1.0, "raise SystemExit(3)")})
    calls = first_calls.first_calls()
    assert calls[0].note.startswith("not timed: CalledProcessError")
    assert calls[0].note in table.first_calls_table(calls)


@pytest.mark.parametrize(("seconds", "said"), [(0.5, "| reached |"), (1.5, "**not reached**")])
def test_first_calls_say_whether_they_are_in_time(seconds, said):
    assert said in table.first_calls_table([first_calls.FirstCall("a call", 1.0, seconds)])


def test_multiply_adds_that_are_not_counted():
    figures = {"ours": 1e3, "peer": 1e3, "ratio": 1.0, "error": 0.0, "spread": 0.0}
    outcome = Outcome(row(), **figures, bytes_moved=1.0, multiply_adds=math.nan)
    assert "nan" not in table.rows_table([outcome], LIMITS)
    assert "No row" in table.held_back([outcome], LIMITS)
    assert table.plain(outcome, LIMITS)["share"] is None


@pytest.mark.parametrize("tasks", [1, 3])
def test_multiply_adds_are_counted_on_every_thread(monkeypatch, tasks):
    """Each of ``tasks`` threads does 1e6 per round; every timing takes 0.05 s."""
    monkeypatch.setattr(limits, "get_num_threads", lambda: tasks)
    monkeypatch.setattr(limits, "_best", lambda run: (run(), 0.05)[1])
    found = limits.in_registers(lambda rounds: 1_000_000 * rounds)
    assert found == pytest.approx(tasks * 1000 * 1e6 / 0.05)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_multiply_adds_in_registers_are_compiled_and_counted():
    multiply_adds = peak.compiled()
    assert multiply_adds(3) == 3 * multiply_adds(1)
    assert multiply_adds(1) in (48_000, 96_000, 192_000)  # 12 chains of 4, 8 or 16, 1000 steps


def test_without_a_compiler_a_product_is_measured_and_the_limit_says_so(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(peak, "compiled", peak.compiled.__wrapped__)
    monkeypatch.setattr(limits, "_product", lambda: 1.0)
    found, how = limits._multiply_adds()
    assert found == limits._MATRIX**3
    assert how.startswith("in a matrix product")
    assert "no-such-compiler" in how


def test_an_installed_package_says_what_only_a_checkout_measures(monkeypatch):
    monkeypatch.setattr(checkout, "PRESENT", False)
    monkeypatch.setattr(limits, "_product", lambda: 1.0)
    assert "benchmarks/limits" in limits._multiply_adds()[1]
    installed = [one for one in suite.ROWS if importlib.util.find_spec(one.needs)]
    assert any(one.own_peer for one in installed)
    for one in installed:
        assert ("benchmarks/peers" in one.missing) is one.own_peer


def test_no_module_needs_a_checkout_to_be_imported(tmp_path):
    """``fastdis bench`` of an installed package can list its rows."""
    shutil.copytree(Path(fastdis.__file__).parent, tmp_path / "fastdis", symlinks=True)
    code = (
        "from fastdis._bench import checkout, suite\n"
        "print(checkout.PRESENT, sum(bool(row.missing) for row in suite.ROWS if row.own_peer))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["False", str(sum(row.own_peer for row in suite.ROWS))]


def test_kernels_on_one_thread_and_on_all():
    before = get_num_threads()
    try:
        set_num_threads(2)
        speedups = speedup.measure_speedups("smoke")
        assert get_num_threads() == 2
        assert {one.threads for one in speedups} == {2}
        assert len(speedups) == 7
        set_num_threads(1)
        assert speedup.measure_speedups("smoke") == []
    finally:
        set_num_threads(before)


def test_a_missing_peer_is_said():
    outcome = measure.measure(row(needs="no_such_package"), "short")
    assert outcome.note == (
        "skipped: no_such_package is not installed (pip install 'fastdis[bench]')"
    )
    assert outcome.note in table.rows_table([outcome], LIMITS)
    assert outcome.reached is None


def test_the_fastest_setting_is_timed(clock):
    settings = [sleeper(clock, 0.2, setting="slow"), sleeper(clock, 0.1, setting="fast")]
    one = row(ours=[sleeper(clock, 0.1)], peer=settings)
    assert measure.measure(one, "smoke").setting == "fast"


def test_both_sides_take_turns_and_tidy_up_untimed(clock):
    turns = []

    def run(name):
        turns.append(name)
        clock.sleep(0.1)

    def one(name):
        return Contestant(lambda: run(name), 1, tidy=lambda: clock.sleep(5.0))

    seconds = measure.alternate([one("ours"), one("peer")], 7)
    np.testing.assert_allclose(seconds, np.full((7, 2), 0.1))
    # An untimed call before each timed one, the last 28.
    assert turns[-28:] == ["ours", "ours", "peer", "peer"] * 7


def test_a_short_call_is_repeated_until_it_can_be_timed(clock):
    calls = []
    contestant = Contestant(lambda: (calls.append(1), clock.sleep(0.001)), 1)
    measure.alternate([contestant], 2, at_least=0.02)
    assert len(calls) >= 2 * 20


def test_a_long_call_is_not_made_twice_for_one_timing(clock):
    calls = []
    contestant = Contestant(lambda: (calls.append(1), clock.sleep(1.0)), 1)
    measure.alternate([contestant], 7, at_least=0.02)
    assert len(calls) == 1 + 7


def test_it_waits_for_busy_threads(clock, monkeypatch):
    monkeypatch.setattr(clock, "process_time", lambda: min(clock.now, 0.1))  # busy for 0.1 s
    measure.settle()
    assert 0.1 <= clock.now < 0.2
    monkeypatch.setattr(clock, "process_time", lambda: clock.now)  # busy for ever
    start = clock.now
    measure.settle(at_most=0.5)
    assert clock.now - start == pytest.approx(0.5, abs=0.02)


def test_shares_of_a_limit():
    two = limits.Limits(copy=10.0, fill=1.0, multiply_adds=100.0)
    assert two.share(5.0, 10.0, seconds=1.0) == (0.5, "memory")
    assert two.share(1.0, 80.0, seconds=2.0) == (0.4, "arithmetic")


def test_what_holds_a_row_back_is_said_below_40_percent():
    def outcome(reason, share):
        return Outcome(row(held_back=reason), ours=1e6 * share, bytes_moved=1e3, multiply_adds=0.0)

    text = table.held_back([outcome("the reason", 0.39)] * 2 + [outcome("another", 0.41)], LIMITS)
    assert text.count("the reason") == 1
    assert "another" not in text
    assert "No row" in table.held_back([outcome("another", 0.41)], LIMITS)


def test_the_higher_of_two_limits():
    assert limits.higher(limits.Limits(1.0, 5.0, 3.0), limits.Limits(2.0, 4.0, 3.0)) == (
        limits.Limits(2.0, 5.0, 3.0)
    )


def test_figures_as_json_hold_no_nan():
    figures = table.plain(Outcome(row(needs="no_such_package"), "skipped"), LIMITS)
    assert figures["ratio"] is None
    assert figures["note"] == "skipped"
    json.dumps(figures, allow_nan=False)


def test_every_row_says_what_would_hold_it_back():
    assert all(r.held_back for r in suite.ROWS)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (99.96, "100"), (1234.0, "1,230"), (198765.0, "199,000")],
)
def test_speeds_have_three_digits(value, text):
    assert table.speed(value) == text


@pytest.mark.parametrize("one", suite.ROWS, ids=str)
def test_every_row_is_right_and_runs(one):
    if one.needs in ("nnAudio", "audioflux") and one.missing:
        pytest.skip(one.missing)
    if one.needs == "audioflux":
        pytest.skip("has to be loaded before torch: see test_audioflux_in_a_process_of_its_own")
    with suite.one_thread_count():
        outcome = measure.measure(one, "smoke")
    assert not outcome.note
    assert outcome.error <= one.error_at_most
    assert math.isfinite(outcome.ratio)


def test_audioflux_in_a_process_of_its_own():
    if importlib.util.find_spec("audioflux") is None:
        pytest.skip("audioflux is not installed")
    code = (
        "from fastdis._bench import measure\n"
        "from fastdis._bench.rows import features\n"
        "features.load_first()\n"
        "row = next(r for r in features.ROWS if r.needs == 'audioflux')\n"
        "outcome = measure.measure(row, 'smoke')\n"
        "print(outcome.note or outcome.ratio > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize(
    ("module", "name", "prepare"),
    [
        (synthesis, "oscillator", synthesis._naive),
        (synthesis, "oscillator", synthesis._band_limited_low),
        (synthesis, "additive", synthesis._additive_numpy),
        (synthesis, "add_noise", synthesis._noise),
        (features, "melspectrogram", features._mel_torch),
        (transforms, "stft", transforms._stft_torch),
        (transforms, "istft", transforms._istft_torch),
    ],
)
def test_a_kernel_that_is_off_by_a_thousandth_is_not_timed(monkeypatch, module, name, prepare):
    kernel = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **options: 1.001 * kernel(*a, **options))
    one = next(r for r in suite.ROWS if r.prepare is prepare)
    assert "not timed" in measure.measure(one, "smoke").note


def test_counts_that_differ_are_not_timed(monkeypatch):
    kernel = statistics.joint_histogram
    monkeypatch.setattr(statistics, "joint_histogram", lambda v, z, **o: kernel(v, z**3, **o))
    assert "not timed" in measure.measure(statistics.ROWS[0], "smoke").note


def test_tones_stay_below_nyquist_and_full_scale():
    frequency, amplitude, _, _ = synthesis.tones(50)
    assert frequency.max() < synthesis.RATE / 2
    assert frequency.min() > 0
    assert np.abs(amplitude).sum(axis=1).max() <= 1 + 1e-12


def test_the_command_prints_and_writes(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(suite, "ROWS", ())
    monkeypatch.setattr(suite, "first_calls", lambda: [first_calls.FirstCall("a call", 1.0, 0.5)])
    monkeypatch.setattr(suite, "measure_limits", lambda: LIMITS)
    monkeypatch.setattr(
        suite, "measure_speedups",
        lambda scale: [speedup.Speedup("a kernel", "clips", 2, 1e3, 2e3, 2.0, 0.01)],
    )  # fmt: skip
    file = tmp_path / "figures.json"
    assert cli.main(["bench", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "| work | against |" in shown
    assert "a call" in shown
    assert "| a kernel | 1,000 clips/s | 2,000 clips/s | **2.00x** |" in shown
    figures = json.loads(file.read_text())
    assert figures["limits"]["copy"] == 1e9
    assert figures["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("place", [".", "file/figures.json"])
def test_a_place_that_cannot_be_written_is_said_first(monkeypatch, tmp_path, capsys, place):
    (tmp_path / "file").touch()
    monkeypatch.setattr(suite, "run", lambda *_: pytest.fail("measured"))
    assert cli.main(["bench", "--json", str(tmp_path / place)]) == 2
    assert "fastdis: " in capsys.readouterr().err
