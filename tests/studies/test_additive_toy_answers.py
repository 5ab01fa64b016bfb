"""The tables of the additive toy study hold the numbers that follow from its rows."""

import pytest

from fastdis.datasets import Audit, FactorAudit
from fastdis.reports import Figure
from fastdis.studies.additive_toy import answers, grid, tables
from tests.studies.additive_toy_rows import rows

PICTURE = Figure("", "data:image/png;base64,", "nothing")


@pytest.fixture(autouse=True)
def picture(monkeypatch):
    """Drawing takes longer than all else: one test does it."""
    monkeypatch.setattr(answers, "loss_curves", lambda rows: PICTURE)


def audits():
    factors = [
        FactorAudit(
            name, 0.0, 0.1, 0.2, 0.9 if name == "f0" else 0.1, "R²", 0.0, None, name == "f0", "",
            0.12 if name == "slope" else 0.02,
        )
        for name in ("f0", "slope", "decay")
    ]  # fmt: skip
    return {"cqt": Audit(tuple(factors), "")}


def answer(question, changes=None, **changed):
    """The answer to the question that begins so; ``changes`` are made to each row."""
    made = rows(**changed)
    for row in made:
        row.update({} if changes is None else changes(row))
    found = answers.answers(made, audits())
    return next(each for each in found if each.question.startswith(question))


def table(question, changes=None, **changed):
    """The lines of its table, by what they begin with."""
    (only,) = answer(question, changes, **changed).tables
    assert len({tuple(row[:2]) for row in only.rows}) <= len(only.rows)
    return only.rows


def test_the_grid_has_every_system_with_and_without_noise_and_decay():
    cells = [(row["system"], row["condition"], row["latent_dim"], row["beta"]) for row in rows()]
    assert len(set(cells)) == len(cells)
    for beta in (1.0, 4.0, 8.0):
        for system in grid.THEIRS:
            for condition in ("as reported", "clean", "decay", "noise", "noise and decay"):
                assert (system, condition, 20, beta) in cells
            assert (system, "noise and decay", 6, beta) in cells
        for system in grid.SYSTEMS:
            assert (system, "clean", 20, beta) in cells
            assert (system, "noise and decay", 20, beta) in cells


def test_each_question_has_one_table_and_one_line():
    found = answers.answers(rows(), audits())
    assert len({each.question for each in found}) == len(found)
    for each in found:
        assert len(each.tables) == 1
        assert not each.paragraphs
        assert len(each.answer) < 220


def test_pairs_agree_in_all_but_the_system():
    found = tables.pairs(rows(), "mlp-spectrogram", "mlp-cqt")
    assert len(found) == 6
    for left, right in found:
        assert left["system"] == "mlp-spectrogram"
        assert right["system"] == "mlp-cqt"
        for key in ("condition", "latent_dim", "beta"):
            assert left[key] == right[key]


def test_cqt_against_spectrogram():
    changed = {"mlp_cqt": {"explained": 0.8}, "cnn_cqt": {"explained": 0.2}}
    lines = {row[0]: row[2:] for row in table("Does the CQT", **changed)
             if row[1] == tables.EXPLAINED}  # fmt: skip
    assert lines["MLP, spectrogram → CQT"] == [0.5, pytest.approx(0.8), "+0.300 ± 0.000", "6 of 6"]
    assert lines["CNN, spectrogram → CQT"][2:] == ["-0.300 ± 0.000", "0 of 6"]
    assert lines["attention RNN, spectrogram → CQT"][2:] == ["+0.000 ± 0.000", "0 of 6"]
    assert (
        "variance explained +0.000 (higher in 6 of 18)" in answer("Does the CQT", **changed).answer
    )


@pytest.mark.parametrize(
    ("noisy", "clean", "count"), [(0.5, 0.5, (15, 15)), (0.01, 0.5, (0, 15)), (0.5, 0.01, (15, 0))]
)
def test_how_many_models_learn_with_noise_and_without(noisy, clean, count):
    def changes(row):
        explained = {"noise": noisy, "clean": clean}.get(row["condition"])
        return {} if explained is None else {"explained_expected": explained}

    found = answer("Does noise", changes).answer
    assert f"{count[0]} of 15 models" in found
    assert f"{count[1]} without" in found
    assert list(answer("Does noise").figures) == [PICTURE]
    lines = {row[0]: row[1:] for row in table("Does noise", changes)}
    assert lines["CNN, CQT, noise"] == [0.5, pytest.approx(0.9), pytest.approx(noisy), "17%"]
    assert lines["CNN, CQT, clean"][2] == pytest.approx(clean)


def test_the_share_of_the_last_epoch():
    assert answers.last_share([4.0, 2.0, 1.5, 1.0]) == pytest.approx(0.5 / 3.0)
    assert answers.last_share([1.0, 2.0]) == 0.0


def test_hilbert_is_asked_of_the_mlp_and_of_a_network_that_sees_the_order():
    lines = {
        (row[0], row[1]): row[4]
        for row in table(
            "Does Hilbert", mlp_spectrogram_hilbert={"explained": 0.5},
            conv1d_spectrogram_hilbert={"explained": 0.3, "probe": 0.5},
        )
    }  # fmt: skip
    assert lines["MLP, row → Hilbert", tables.EXPLAINED] == "+0.000 ± 0.000"
    assert lines["1-D CNN, row → Hilbert", tables.EXPLAINED] == "-0.200 ± 0.000"
    assert lines["1-D CNN, row → Hilbert", tables.PROBE] == "+0.100 ± 0.000"
    assert lines["1-D CNN, row → column", tables.EXPLAINED] == "+0.000 ± 0.000"


def test_models_that_collapse_to_the_mean_image():
    def changes(row):
        return {"kl": 0.1 if row["beta"] == 8.0 else 3.0}

    assert answer("Does the CNN coll").answer.startswith("0 of 21 models")
    found = answer("Does the CNN coll", changes, cnn_cqt={"explained": 0.01}).answer
    assert found.startswith("15 of 21 models")
    assert "in 5 of these" in found


def test_the_order_of_the_networks():
    changed = {"rnn_cqt": {"probe": 0.5}, "mlp_mel": {"probe": 0.6}}
    assert [row[0] for row in table("Does the attention RNN", **changed)[:2]] == [
        "MLP, mel", "attention RNN, CQT"
    ]  # fmt: skip
    assert "number 2 of 14" in answer("Does the attention RNN", **changed).answer


def test_beta():
    lines = table("What does β", lambda row: {"explained_expected": 1.0 / row["beta"]})
    assert [row[:2] for row in lines] == [["1", 1.0], ["4", 0.25], ["8", 0.125]]


def test_codes_that_lead_the_second():
    lines = table("Which factor does each")
    assert len(lines) == len(grid.SYSTEMS) + 3
    assert lines[0][1] == "0.30 (code 0, gap 0.05)"
    assert [row[1] for row in lines[-3:]] == ["0.300", "0.050", "0.010"]
    assert "in 0 of 42 models" in answer("Which factor does each").answer
    leading = answer("Which factor does each", lambda row: {
        "gaps": [0.3 * (name == "f0") for name in row["names"]],
        "information": [0.01 for _ in row["names"]],
    })  # fmt: skip
    assert "no factor" in leading.answer
    assert "in 42 of 42 models" in leading.answer
    assert leading.tables[0].rows[0][1] == "0.01"


def test_sizes_images_partials_decays_and_audits():
    assert [row[::4] for row in table("Are twenty")] == [["20", 5.0], ["6", 5.0]]
    assert "0.50 to 0.90" in answer("Do the same networks", cnn_images={"explained": 0.9}).answer
    assert table("Are the partials")[-1] == [answers.MEAN_IMAGE, 9.0, 11.0]
    assert table("Are the partials")[0] == ["MLP, CQT", 3.0, 5.0]
    assert table("Are fast decays")[-1] == ["attention RNN, CQT", 6.0, 5.0, 4.0]
    assert [row[1] for row in table("Which factors can")] == [
        "R² 0.90 (2%), recoverable", "R² 0.10 (12%), hidden by noise", "R² 0.10 (2%), undetected"
    ]  # fmt: skip
    assert "keep: cqt 2; a held-out predictor detects: cqt 1" in answer("Which factors can").answer


def test_every_cell_has_its_line():
    made = rows()
    assert len(tables.all_cells(made).rows) == len(made)


def test_the_loss_curves_are_a_picture():
    assert tables.loss_curves(rows()).uri.startswith("data:image/png;base64,")
