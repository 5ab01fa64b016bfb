"""The additive toy study runs, resumes, and writes its page; on a small grid."""

import json
import shlex
from functools import partial

import numpy as np
import pytest

from fastdis import cli, studies, training
from fastdis.reports import Answer
from fastdis.studies import additive_toy
from fastdis.studies.additive_toy import measure, study
from fastdis.studies.additive_toy.grid import ALL, DECAY, IMAGES, Group, make_dataset
from fastdis.studies.recipe import repeat
from tests.studies.additive_toy_rows import row as additive_toy_row

SMALL = additive_toy.Preset(clips=60, epochs=2, batch_size=20)
SHOWN = Group("mlp-cqt", ALL)
GROUPS = [SHOWN, Group("rnn-cqt", DECAY, 6), Group("mlp-images", IMAGES)]


@pytest.fixture(scope="module")
def small():
    """The study of three groups, one of them shown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study.grid, "groups", lambda: GROUPS)
        patch.setattr(study, "SHOWN", [SHOWN])
        patch.setattr(study, "AUDITED", ("cqt",))
        patch.setattr(study.datasets, "audit", partial(study.datasets.audit, pairs=10))
        patch.setattr(
            study.answers, "answers",
            lambda rows, audits: [Answer("How many?", f"{len(rows)} models.")],
        )  # fmt: skip
        yield


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, additive_toy.run(folder, preset=SMALL, seed=1, say=lambda _: None)


def test_a_run(made):
    folder, results = made
    written = json.loads((folder / "results.json").read_text())
    assert written["answers"][0]["answer"] == "9 models."
    assert len(results.cells.rows) == 9
    assert set(results.audits) == {"cqt"}
    (shown,) = results.models
    assert shown.protocol == ALL
    assert shown.mutual_information.shape == (6, 20)
    assert "dci_disentanglement" in shown.panel
    rows = {(row["system"], row["beta"]): row for row in measure.read(folder, SHOWN)}
    row = rows["mlp-cqt", 4.0]
    for group in GROUPS:  # the answers are tested on made-up rows, so those must be like these
        like = additive_toy_row(group, 4.0)
        for real in measure.read(folder, group):
            assert real.keys() == like.keys()
            assert real["scores"].keys() >= like["scores"].keys()
    assert row["names"] == ["f0", "inharmonicity", "slope", "harmonics", "snr_db", "decay"]
    assert len(row["information"]) == len(row["carriers"]) == len(row["gaps"]) == 6
    assert row["ceiling"] < 1.0
    assert {"fundamental", "partials", "by_decay"} <= row.keys()
    assert [row["latent_dim"] for row in measure.read(folder, GROUPS[1])] == [6, 6, 6]
    assert not measure.run_folder(folder, GROUPS[1], 4.0, 1).exists()  # gigabytes, of all of them


def test_it_goes_on_and_writes_its_page(made, capsys, monkeypatch):
    folder, results = made
    monkeypatch.setattr(training, "train_many", lambda *_, **__: pytest.fail("trained again"))
    again = additive_toy.run(folder, preset=SMALL, seed=1, say=lambda _: None)
    assert again.cells.rows == results.cells.rows
    assert cli.main(["report", "--path", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("How many?\n  9 models.\n")
    assert "Latent maps" in (folder / "report.html").read_text()


def test_a_folder_of_another_run(made):
    with pytest.raises(ValueError, match="holds a run of other options"):
        additive_toy.run(made[0], preset=SMALL, seed=2)
    assert studies.load(made[0]).seed == 1


def test_explained_is_0_for_the_mean_and_1_for_the_thing_itself():
    x = np.random.default_rng(0).normal(size=(50, 1, 4, 3)).astype(np.float32)
    mean = x.mean(axis=0)
    assert measure.explained(x, x, x, mean) == 1.0
    assert measure.explained(x, x, np.broadcast_to(mean, x.shape), mean) == pytest.approx(0.0)
    assert measure.explained(x, x, 2 * x - mean, mean) == pytest.approx(0.0, abs=1e-6)


def test_two_draws_take_the_noise_out():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 1, 2, 2))
    one, other = truth + rng.normal(size=(2, *truth.shape))
    mean = truth.mean(axis=0)
    assert measure.explained(one, other, truth, mean) == pytest.approx(1.0, abs=0.05)
    assert measure.explained(one, one, truth, mean) == pytest.approx(0.5, abs=0.05)


def test_errors_in_decibels_and_those_of_one_picture_for_all():
    toy = make_dataset("cqt", ALL, 40, 0, None)
    data, rows = measure.prepared(toy), np.arange(40)
    mean = data.features.mean(axis=0)
    # A picture that is off by 8 dB everywhere.
    truth = 0.5 * (data.expected[0] + data.expected[1])
    exact = measure.Prepared(data.source, data.dataset, data.scale, (truth, truth))
    found = measure._errors(SHOWN, exact, rows, truth + np.float32(0.1 / data.scale), mean)
    for own, of_mean in (found["fundamental"], found["partials"], *found["by_decay"].values()):
        assert own == pytest.approx(8.0, rel=1e-3)
        assert of_mean > 1.0
    same = measure._errors(SHOWN, exact, rows, np.broadcast_to(mean, truth.shape), mean)
    assert same["partials"][0] == same["partials"][1]


def test_the_bins_of_the_lowest_partial():
    toy = make_dataset("cqt", ALL, 40, 0, None)
    rows = np.arange(40)
    first, others = measure._partial_bins(toy, rows)
    assert first.shape == others.shape == (40, 1, 60, 1)
    assert not (first & others).any()
    table = toy.table(rows)
    names = toy.space.factors[toy.space.names.index("harmonics")].labels
    for i in rows:
        even = names[int(table.levels[i, toy.space.names.index("harmonics")])] == "even"
        stretch = 2.0 * np.sqrt(1.0 + 3.0 * table["inharmonicity"][i]) if even else 1.0
        lowest = table["f0"][i] * stretch
        found = toy.frequencies[first[i, 0, :, 0]]
        assert len(found) == 1
        assert abs(12.0 * np.log2(found[0] / lowest)) <= 0.5


def test_images_that_are_not_there_are_missed_before_the_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images"):
        additive_toy.run(tmp_path / "r", images=tmp_path, say=lambda _: pytest.fail("began"))
    assert not (tmp_path / "r").exists()


def test_images_go_with_this_study_alone(tmp_path, capsys):
    assert cli.main(["run", "--images", str(tmp_path), "--path", str(tmp_path / "r")]) == 2
    assert "--images goes with the study additive-toy, got syntone" in capsys.readouterr().err
    with pytest.raises(ValueError, match="study takes"):
        studies.module_of("additive_tone")


def test_how_to_repeat_a_run():
    presets = additive_toy.PRESETS
    quick = repeat("additive-toy", presets["quick"], presets, 3, images="my digits")
    assert quick == "fastdis run additive-toy --preset quick --seed 3 --images 'my digits'"
    assert repeat("additive-toy", presets["quick"], presets, 3, images=None).endswith("--seed 3")
    own = repeat("additive-toy", SMALL, presets, 3, images="it's")
    (_, flag, code) = shlex.split(own)
    assert flag == "-c"
    assert compile(code, "repeat", "exec")
    assert "from fastdis.studies import additive_toy as s" in code
    assert f"preset=s.{SMALL!r}" in code
    assert 'images="it\'s"' in code
