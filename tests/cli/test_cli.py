"""The command line: the reference's flags, YAML, quick help, errors without a traceback."""

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastdis import TrainConfig, cli, datasets
from fastdis.cli import commands, names, parser

GRID = ["--sample_rate", "8000", "--freq_start", "400", "--freq_end", "1600", "--num_freqs", "4",
        "--amp_start", "0.1", "--amp_end", "1.0", "--num_amps", "4"]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The reference's three commands, on a small grid."""
    folder = tmp_path_factory.mktemp("cli")
    file = folder / "set.npz"
    assert cli.main(["create", *GRID, "--sample_rate", "16000", "--file_path", str(file)]) == 0
    train = ["train", "--dataset", str(file), "--epochs", "1", "--batch_size", "16"]
    train += ["--latent_dim", "4", "--path", str(folder / "runs"), "--protocol", "published"]
    assert cli.main([*train, "--objective", "vae", "factor_vae"]) == 0
    return folder


def test_create_train_eval(made, capsys):
    config = json.loads((made / "runs" / "factor_vae" / "config.json").read_text())
    assert config["config"]["epochs"] == 2
    assert config["config"]["batch_size"] == 32
    models = [str(made / "runs" / name) for name in ("vae", "factor_vae")]
    assert cli.main(["eval", "--model", *models, "--num_experiments", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("as published") == 2
    assert shown.count("±") >= 20
    assert shown.count("mutual_information_score") == 2  # of the panel
    scores = json.loads((made / "runs" / "vae" / "eval.json").read_text())
    assert scores["asked"]["runs"] == 2
    assert cli.main(["eval", "--model", models[0], "--num_experiments", "1"]) == 0
    scores = json.loads((made / "runs" / "vae" / "eval.json").read_text())
    assert scores["asked"]["runs"] == 1


def test_eval_writes_a_file_a_model_and_makes_no_score_twice(made, tmp_path, capsys, monkeypatch):
    models = [str(made / "runs" / name) for name in ("vae", "factor_vae")]
    evaluate = ["eval", "--num_experiments", "1", "--metrics", "mig", "unlabelled"]
    evaluate += ["--bootstrap", "5", "--model", *models]
    assert cli.main([*evaluate, "--json", str(tmp_path / "s.json")]) == 0
    shown = capsys.readouterr().out
    assert shown.count("active_units") == 2
    assert "z_diff" not in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-factor_vae.json", "s-vae.json"]
    saved = json.loads((tmp_path / "s-vae.json").read_text())
    assert "mig" in saved["intervals"]
    assert json.loads((made / "runs" / "vae" / "eval.json").read_text())["panel"] == saved
    monkeypatch.setattr("fastdis.studies.recipe.panel", lambda *_, **__: pytest.fail("again"))
    assert cli.main([*evaluate, "--heat_map", str(tmp_path / "map.png")]) == 0
    assert capsys.readouterr().out.count("active_units") == 2
    assert (tmp_path / "map-vae.png").exists()


def test_scores_follow_the_weights(made, tmp_path):
    """More training, and the scores are made again."""
    train = ["train", "--dataset", str(made / "set.npz"), "--batch_size", "16", "--latent_dim", "4"]
    train += ["--path", str(tmp_path), "--protocol", "published", "--objective", "vae"]
    scores = []
    for epochs in ("1", "4"):
        assert cli.main([*train, "--epochs", epochs]) == 0
        assert cli.main(["eval", "--model", str(tmp_path / "vae"), "--num_experiments", "1"]) == 0
        scores.append(json.loads((tmp_path / "vae" / "eval.json").read_text()))
    assert scores[0]["standard"]["mig"] != scores[1]["standard"]["mig"]
    assert not (tmp_path / "vae" / "scores.json").exists()  # a study's own


def test_shards_of_another_protocol(tmp_path, capsys):
    datasets.write_shards(datasets.SynTone(num_freqs=4, num_amps=4), tmp_path / "s")
    train = ["train", "--dataset", str(tmp_path / "s"), "--path", str(tmp_path)]
    assert cli.main([*train, "--protocol", "sound"]) == 2
    assert "holds 'published' features, the protocol is 'corrected'" in capsys.readouterr().err


def test_shards_of_the_additive_toy_set(tmp_path, capsys):
    """They have one kind of features, which the objectives' own papers go with."""
    toy = datasets.AdditiveToy("mel", clips=40, seed=1)
    datasets.write_shards(toy, tmp_path / "s")
    train = ["train", "--dataset", str(tmp_path / "s"), "--path", str(tmp_path), "--epochs", "1"]
    assert cli.main([*train, "--batch_size", "8", "--objective", "vae", "--model", "mlp"]) == 0
    config = json.loads((tmp_path / "vae" / "config.json").read_text())
    assert config["objective"]["protocol"] == "sound"
    capsys.readouterr()
    assert cli.main([*train, "--protocol", "published"]) == 2
    assert "holds 'corrected' features" in capsys.readouterr().err


def test_a_bad_seed_or_device_leaves_no_folder(tmp_path, capsys):
    for mistake in (["--seed", "-1"], ["--device", "cuda:99"]):
        assert cli.main(["run", "--path", str(tmp_path / "r"), *mistake]) == 2
        assert not (tmp_path / "r").exists()
    assert "seed takes" in capsys.readouterr().err


def test_eval_on_another_set(made, capsys):
    file = str(made / "set.npz")
    model = str(made / "runs" / "vae")
    assert cli.main(["eval", "--model", model, "--num_experiments", "1", "--dataset", file]) == 0
    assert "modularity" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["npz", "shards", "wav", "flac"])
def test_every_format(tmp_path, format, capsys):
    path = tmp_path / "out"
    assert cli.main(["create", *GRID, "--file_path", str(path), "--format", format]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    if format == "npz":
        assert len(datasets.load_npz(path)) == 64
    elif format == "shards":
        assert len(datasets.open_shards(path)) == 64
    else:
        assert len(list(path.glob(f"*.{format}"))) == 64


def test_options_in_a_yaml_file_and_flags_that_override_them(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("num_freqs: 2\nnum_amps: 3\nformat: shards\nvariant: sound\n")
    path = tmp_path / "s"
    arguments = ["create", "--config", str(config), "--num_amps", "1", "--file_path", str(path)]
    assert cli.main(arguments) == 0
    assert len(datasets.open_shards(path)) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n", "takes a mapping"), ("a: [1\n", "is not a YAML file"), ("nope: 1\n", "--nope")],
)
def test_bad_yaml(tmp_path, capsys, text, message):
    config = tmp_path / "c.yaml"
    config.write_text(text)
    try:
        status = cli.main(["create", "--config", str(config)])
    except SystemExit as stop:  # argparse's own exit
        status = stop.code
    assert status == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--freq_end", "9000"], "freq_end takes"),
        (["train", "--dataset", "none.npz"], "none.npz"),
        (["eval", "--model", "none"], "none"),
        (["report", "--path", "none"], "none"),
        (["create", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("fastdis: ")
    assert message in error


def test_info(capsys):
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "oscillator" in shown
    assert "fft" in shown
    assert "threads" in shown


def test_info_audits(tmp_path, capsys):
    path = datasets.save_npz(datasets.SynTone(num_freqs=20, num_amps=4), tmp_path / "a.npz")
    assert cli.main(["info", "--audit", str(path)]) == 0
    assert "Amplitude is erased" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["run"], ["train"]])
def test_help_loads_no_stage(command):
    """It answers within a second because it loads neither torch nor numba, nor what needs them."""
    code = (
        "import sys; from fastdis import cli\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "finally:\n    print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "usage: fastdis" in done.stdout
    loaded = set(done.stdout.split("\n")[-2].split())
    assert "fastdis.cli.parser" in loaded
    assert not loaded & {"torch", "numba", "scipy", "matplotlib", "sklearn", "pyarrow"}


def test_flags_take_the_names_that_the_modules_take():
    from fastdis import metrics, models, objectives, studies
    from fastdis.metrics._counts import estimators
    from fastdis.studies import syntone
    from fastdis.training import config

    assert studies.names() == names.STUDIES
    assert models.names() == names.MODELS
    assert objectives.names() == names.OBJECTIVES
    assert names.SYNTONE_OBJECTIVES == syntone.OBJECTIVES
    assert set(names.PROTOCOLS) == {*objectives.PROTOCOLS, "corrected"}
    assert names.CONVENTIONS == metrics.CONVENTIONS
    assert names.ESTIMATORS == estimators.ESTIMATORS
    for choices in ("COMPILE", "MEMORY_FORMATS", "DTYPES", "TUNE"):
        assert getattr(names, choices) == getattr(config, choices)


def test_train_takes_what_a_configuration_has_by_default():
    options = parser.command_parser().parse_args(["train"])
    for field in dataclasses.fields(TrainConfig):
        if hasattr(options, field.name) and field.name != "path":
            assert getattr(options, field.name) == field.default, field.name


def test_tune_reaches_the_configuration(made, tmp_path):
    train = ["train", "--dataset", str(made / "set.npz"), "--epochs", "1", "--batch_size", "16"]
    train += ["--path", str(tmp_path), "--objective", "vae", "--latent_dim", "2"]
    assert cli.main([*train, "--tune", "measure"]) == 0
    assert json.loads((tmp_path / "vae" / "config.json").read_text())["config"]["tune"] == "measure"


def test_train_imports_no_later_stage(made, tmp_path):
    """Neither metrics nor reports nor studies: they would cost seconds and are not used."""
    train = ["train", "--dataset", str(made / "set.npz"), "--epochs", "1", "--batch_size", "16"]
    train += ["--path", str(tmp_path), "--objective", "vae", "--latent_dim", "2"]
    code = (
        "import sys; from fastdis import cli; status = cli.main(sys.argv[1:]);"
        "print([m for m in sys.modules if m.startswith("
        "('fastdis.metrics', 'fastdis.reports', 'fastdis.studies'))]); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *train], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def stopped(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "info", stopped)
    assert cli.main(["info"]) == 130
    assert "what was finished is kept" in capsys.readouterr().err


@pytest.mark.slow
def test_a_whole_study_in_small_resumes_and_reports(tmp_path, capsys, monkeypatch):
    from fastdis import reports
    from fastdis.studies import syntone
    from fastdis.studies.syntone import study

    few_resamples = functools.partial(study.score, bootstrap=20)
    monkeypatch.setattr(study, "score", few_resamples)
    size = syntone.Preset(num_freqs=4, num_amps=4, epochs=1, runs=2, batch_size=16, latent_dim=3)
    said = []
    results = syntone.run(tmp_path / "s", preset=size, progress=False, say=said.append)
    assert len(results.models) == 8
    assert not results.audits["published"].passes
    page = reports.write(results, tmp_path / "s" / "report.html")
    assert page.stat().st_size > 100_000
    weights = (tmp_path / "s" / "sound" / "vae" / "last.safetensors").read_bytes()
    (tmp_path / "s" / "sound" / "beta_vae" / "last.safetensors").unlink()
    again = syntone.run(tmp_path / "s", preset=size, progress=False, say=said.append)
    assert (tmp_path / "s" / "sound" / "vae" / "last.safetensors").read_bytes() == weights
    for one, two in zip(results.models, again.models, strict=True):
        assert one.scores == two.scores
        assert np.array_equal(one.mutual_information, two.mutual_information)
        assert one.panel.to_dict() == two.panel.to_dict()
    saved = json.loads((tmp_path / "s" / "results.json").read_text())["models"][0]["panel"]
    assert saved["scores"] == dict(results.models[0].panel)
    with pytest.raises(ValueError, match="run of other options"):
        syntone.run(tmp_path / "s", preset=size, seed=1, progress=False)
    with pytest.raises(FileNotFoundError, match="study"):
        syntone.load(tmp_path)
    assert cli.main(["report", "--path", str(tmp_path / "s")]) == 0
    assert capsys.readouterr().out.strip().endswith(str(Path("s") / "report.html"))
