"""fastdis eval: plain files of factors and codes; where the scores of models are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastdis import cli, datasets, metrics
from fastdis.cli import evaluating
from fastdis.metrics.files import evaluate_files, read_codes, read_factors
from tests.metrics.metric_data import messy

pytestmark = pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")
NAMES = ["mig", "sap", "modularity"]


@pytest.fixture
def arrays(tmp_path):
    """Factors and codes, and the folder where they lie as .npy files."""
    factors, codes = messy()
    np.save(tmp_path / "factors.npy", factors)
    np.save(tmp_path / "codes.npy", codes)
    return factors, codes, tmp_path


def evaluated(folder, factors="factors.npy", codes="codes.npy", *more):
    return cli.main(["eval", "--factors", str(folder / factors), "--codes", str(folder / codes),
                     *more])  # fmt: skip


# Plain files


@pytest.mark.parametrize("convention", ["standard", "ubisoft", "published"])
def test_files_score_as_their_arrays_do(arrays, convention):
    factors, codes, folder = arrays
    given = {"convention": convention, "seed": 1, "bootstrap": 10}
    names = ["mig", "jemmig", "modularity"]
    scores = evaluate_files(folder / "factors.npy", folder / "codes.npy", names, **given)
    assert scores.to_dict() == metrics.evaluate(factors, codes, names, **given).to_dict()


def test_arrays_are_mapped_and_not_read(arrays):
    *_, folder = arrays
    assert isinstance(read_codes(folder / "codes.npy"), np.memmap)
    assert isinstance(read_factors(folder / "factors.npy"), np.memmap)


def test_archives_give_the_array_of_the_name_or_the_only_one(arrays):
    factors, codes, folder = arrays
    np.savez(folder / "both.npz", factors=factors, codes=codes, more=codes)
    np.savez_compressed(folder / "one.npz", z=codes)
    assert np.array_equal(read_factors(folder / "both.npz"), factors)
    assert np.array_equal(read_codes(folder / "both.npz"), codes)
    assert np.array_equal(read_codes(folder / "one.npz"), codes)
    np.savez(folder / "two.npz", a=codes, b=codes)
    with pytest.raises(ValueError, match="one named 'codes', got a, b"):
        read_codes(folder / "two.npz")


def test_tables_name_the_factors_and_keep_their_kinds(arrays):
    factors, codes, folder = arrays
    rng = np.random.default_rng(0)
    level = rng.random(len(codes))
    columns = {
        "pitch": factors[:, 0],
        "level": level,
        "step": factors[:, 1] / 7.0,
        "name": np.array(["sine", "saw", "square"])[factors[:, 2]],
    }
    pq.write_table(pa.table(columns), folder / "factors.parquet")
    pq.write_table(pa.table({f"z{d}": x for d, x in enumerate(codes.T)}), folder / "codes.parquet")
    scores = evaluate_files(folder / "factors.parquet", folder / "codes.parquet", ["mig"])
    assert scores.names == ("pitch", "level", "step", "name")
    plain = np.stack([factors[:, 0], level, factors[:, 1], (4 - factors[:, 2]) % 3], axis=1)
    kinds = [True, False, True, True]
    by_hand = metrics.evaluate(plain, codes, ["mig"], discrete=kinds)
    assert list(scores.details["mig"].per_factor.values()) == pytest.approx(
        list(by_hand.details["mig"].per_factor.values())
    )


def test_the_table_of_a_data_set_keeps_its_space(small_sound, tmp_path):
    small_sound.table().to_parquet(tmp_path / "factors.parquet")
    assert read_factors(tmp_path / "factors.parquet") == small_sound.table()
    datasets.write_shards(datasets.SynTone(num_freqs=4, num_amps=4), tmp_path / "set")
    assert len(read_factors(tmp_path / "set" / "factors.parquet")) == 64


def test_a_whole_panel_of_files_from_the_shell(arrays, capsys):
    *_, folder = arrays
    outputs = ["--json", str(folder / "out" / "s.json"), "--parquet", str(folder / "s.parquet"),
               "--heat_map", str(folder / "s.png")]  # fmt: skip
    more = ["--metrics", "histogram", "unlabelled", "--bins", "12", "--bootstrap", "5"]
    assert evaluated(folder, "factors.npy", "codes.npy", *more, *outputs) == 0
    shown = capsys.readouterr().out
    stored = json.loads((folder / "out" / "s.json").read_text())
    assert stored["bins"] == 12
    assert "mig_sup" in stored["scores"]
    assert "sap" not in stored["scores"]
    assert "mig" in stored["intervals"]
    assert "12 equal-width bins, 600 rows" in shown
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")
    assert pq.read_table(folder / "s.parquet").num_rows > 20


def test_files_that_cannot_be_read_are_named(arrays, capsys):
    _, codes, folder = arrays
    np.save(folder / "pickled.npy", np.array([{}, 1], object), allow_pickle=True)
    (folder / "junk.npy").write_bytes(b"no array")
    (folder / "junk.npz").write_bytes(b"PK\x03\x04 no archive")
    (folder / "junk.parquet").write_bytes(b"no table")
    (folder / "codes.csv").write_text("1,2\n")
    whole = (folder / "codes.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[: len(whole) // 2])
    gaps = pa.table({"a": pa.array([1.0, None]), "b": [1.0, 2.0]})
    pq.write_table(gaps, folder / "gaps.parquet")
    pq.write_table(pa.table({"a": ["x", "y"]}), folder / "text.parquet")
    np.save(folder / "short.npy", codes[:-1])
    np.save(folder / "flat.npy", codes[:, 0])
    np.save(folder / "nan.npy", np.where(codes > 0, codes, np.nan))
    for name, message in [
        ("none.npy", "no such file"), ("pickled.npy", "got Python objects"),
        ("junk.npy", "is truncated or is not an array"), ("junk.npz", "is truncated or is not"),
        ("junk.parquet", "is not a Parquet table"), ("codes.csv", "a .npy, .npz or .parquet file"),
        ("cut.npy", "is truncated"), ("gaps.parquet", "gaps in a"),
        ("text.parquet", "takes numbers, got string in column 'a'"),
        ("short.npy", "600 factors and 599 codes"), ("flat.npy", "codes takes rows and columns"),
        ("nan.npy", "codes takes finite"),
    ]:  # fmt: skip
        assert evaluated(folder, "factors.npy", name, "--metrics", "mig") == 2, name
        error = capsys.readouterr().err.strip().splitlines()
        assert len(error) == 1, error
        assert message in error[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --model, or --codes with --factors"),
        (["--model", "a", "--codes", "b"], "either --model, or --codes with --factors"),
        (["--codes", "c.npy"], "--codes and --factors go together"),
        (["--model", "a", "--bins", "10"], "--bins goes with --codes and --factors"),
        (
            ["--codes", "c.npy", "--factors", "f.npy", "--dataset", "d"],
            "--dataset goes with --model",
        ),
        (["--model", "a", "a"], "each run folder once"),
        (["--model", "a", "--heat_map", "map.gif"], "takes one of 'png', 'svg', 'pdf'"),
        (["--model", "a", "--json", "."], "--json takes a file, got the folder"),
    ],
)
def test_mistakes_are_told_before_the_work(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["eval", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_unknown_metrics_and_bins_are_told(arrays, capsys):
    *_, folder = arrays
    for more, message in [
        (["--metrics", "migg"], "did you mean 'mig'"),
        (["--bins", "1"], "bins takes"),
        (["--bootstrap", "-1"], "bootstrap takes"),
        (["--metrics", "dci", "--convention", "published"], "for dci"),
    ]:
        assert evaluated(folder, "factors.npy", "codes.npy", *more) == 2
        assert message in capsys.readouterr().err


# Several models


def test_models_are_told_apart_by_what_their_paths_do_not_share(tmp_path):
    assert evaluating.labels_of(["runs/vae"]) == [""]
    assert evaluating.labels_of(["runs/vae", "runs/beta_vae/"]) == ["vae", "beta_vae"]
    assert evaluating.labels_of(["q/sound/vae", "q/published/vae"]) == [
        "sound-vae",
        "published-vae",
    ]
    assert evaluating.labels_of(["q/sound", "q/sound/vae"]) == ["sound", "vae"]


def test_a_file_a_model(tmp_path):
    outputs = evaluating.Outputs(json=str(tmp_path / "s.json"), heat_map=str(tmp_path / "map.svg"))
    scores = metrics.evaluate(*messy(), NAMES)
    assert outputs.write(scores, "") == [tmp_path / "s.json", tmp_path / "map.svg"]
    assert outputs.write(scores, "b") == [tmp_path / "s-b.json", tmp_path / "map-b.svg"]
    assert sorted(p.name for p in Path(tmp_path).iterdir()) == [
        "map-b.svg", "map.svg", "s-b.json", "s.json",
    ]  # fmt: skip
