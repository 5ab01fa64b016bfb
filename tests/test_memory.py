"""How much memory is free, by the system's own figures, and the errors that say so."""

import math

import numpy as np
import pytest

from fastdis import _memory, cli


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Writes the files in which Linux reports memory; 8 GB are free by default."""
    groups = tmp_path / "groups"
    monkeypatch.setattr(_memory, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(_memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(_memory, "_GROUPS", groups)
    (tmp_path / "meminfo").write_text("MemTotal:  16000000 kB\nMemAvailable:  8000000 kB\n")

    def write(own="", **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            file = groups / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    write()
    return write


def test_what_is_free(system):
    assert _memory.available() == 8_192_000_000


@pytest.mark.parametrize("place", ["", "jobs/", "jobs/7/"])
def test_the_limit_of_a_group_or_one_above_it(system, place):
    files = {"memory.max": "5000\n", "memory.current": "4000\n"}
    files["memory.stat"] = "anon 10\ninactive_file 700\nactive_file 99\n"
    system("0::/jobs/7\n", **{place + name: text for name, text in files.items()})
    assert _memory.available() == 1700  # files read lately give way


def test_a_group_without_a_limit(system):
    system("0::/\n", **{"memory.max": "max\n", "memory.current": "4000\n", "memory.stat": ""})
    assert _memory.available() == 8_192_000_000


def test_the_first_version_of_control_groups(system):
    files = {"limit_in_bytes": "5000\n", "usage_in_bytes": "6000\n"}
    files["stat"] = "inactive_file 1\ntotal_inactive_file 1200\n"
    system(
        "3:cpu:/x\n2:memory:/jobs\n",
        **{f"memory/jobs/memory.{name}": text for name, text in files.items()},
    )
    assert _memory.available() == 200


def test_another_system_has_no_such_files(tmp_path, monkeypatch):
    monkeypatch.setattr(_memory, "_MEMORY", tmp_path / "none")
    assert _memory.available() == math.inf


def test_small_arrays_are_not_asked_for(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: pytest.fail("asked"))
    assert _memory.new_array("it", (4, 1000)).dtype == np.float32


def test_the_error_says_what_to_do():
    refused = r"^it, for a result of shape \(1000000, 1000000\), takes 4,000.0 GB of memory, got "
    with pytest.raises(MemoryError, match=refused + r"[\d,]+\.\d GB; take fewer clips at a time$"):
        _memory.new_array("it", (10**6, 10**6))


def test_the_command_line_says_it_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_memory, "_ALWAYS_THERE", 0)
    # Enough for the mel filters, and not for the clips.
    monkeypatch.setattr(_memory, "available", lambda: 1.5e7)
    path = tmp_path / "set.npz"
    arguments = ["create", "--num_freqs", "64", "--num_amps", "2", "--file_path", str(path)]
    assert cli.main(arguments) == 1
    assert "fastdis: not enough memory: oscillator, for a result of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
