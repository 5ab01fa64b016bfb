"""What the additive toy study says follows from its rows."""

from types import SimpleNamespace

import pytest

from fastdis.studies import _additive_toy_answers as answers
from fastdis.studies import _additive_toy_grid as grid
from fastdis.studies import _additive_toy_sounds as sounds
from fastdis.studies import _additive_toy_tables as tables
from tests.additive_toy_rows import rows


def audits():
    factors = [
        SimpleNamespace(
            name=name, measure="R²", accuracy=0.9, confused=0.02, passes=name == "f0",
            carried=name != "slope",
        )
        for name in ("f0", "slope", "decay")
    ]  # fmt: skip
    return {"cqt": SimpleNamespace(factors=factors)}


def answer(question, **changed):
    """The answer to the question that begins so."""
    found = answers.answers(rows(**changed), audits())
    return next(each for each in found if each.question.startswith(question))


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


def test_pairs_agree_in_all_but_the_system():
    found = tables.pairs(rows(), "mlp-spectrogram", "mlp-cqt")
    assert len(found) == 6
    for left, right in found:
        assert left["system"] == "mlp-spectrogram"
        assert right["system"] == "mlp-cqt"
        for key in ("condition", "latent_dim", "beta"):
            assert left[key] == right[key]


def test_cqt_against_spectrogram():
    told = answer("Does the CQT", mlp_cqt={"explained": 0.8}, cnn_cqt={"explained": 0.2})
    assert "variance explained +0.000, higher in 6 of 18" in told.answer
    by_network = {row[0]: row for row in told.tables[0].rows if row[1] == "variance explained"}
    assert by_network["MLP"][2:] == [0.5, pytest.approx(0.8), "+0.300 ± 0.000", "6 of 6"]
    assert by_network["CNN"][5] == "0 of 6"
    assert by_network["attention RNN"][4] == "+0.000 ± 0.000"


@pytest.mark.parametrize(("last", "begins"), [(1.0, "No: "), (5.0, "Mostly not: ")])
def test_noise_stops_convergence_where_the_loss_does_not_fall(last, begins):
    made = rows()
    made[next(i for i, row in enumerate(made) if row["condition"] == "noise")]["validation"] = [
        4.0, 4.5, last,
    ]  # fmt: skip
    assert sounds.noise(made).answer.startswith(begins)


def test_late_share():
    assert sounds._late_share([4.0, 2.0, 1.5, 1.0]) == pytest.approx(0.5 / 3.0)
    assert sounds._late_share([1.0]) == 0.0
    assert sounds._late_share([1.0, 2.0]) == 0.0


def test_hilbert_is_asked_of_the_mlp_and_of_a_network_that_sees_the_order():
    told = answer(
        "Does Hilbert", mlp_spectrogram_hilbert={"explained": 0.5},
        conv1d_spectrogram_hilbert={"explained": 0.6},
    )  # fmt: skip
    assert "+0.000 ± 0.000 over 6 pairs" in told.answer
    assert "the 1-D CNN +0.100 ± 0.000" in told.answer


def test_the_same_picture():
    assert "In none of 21 models" in answer("Does the CNN give").answer
    told = answer("Does the CNN give", cnn_cqt={"explained": 0.01}).answer
    assert "In 15 of 21 models (β = 1, CNN, CQT; β = 4, CNN, CQT; β = 8, CNN, CQT)" in told


def test_the_order_of_the_networks():
    told = answer("Does the attention RNN", rnn_cqt={"probe": 0.5}, mlp_mel={"probe": 0.6})
    assert told.answer.startswith("It is number 2 of 14")
    assert "first is MLP, mel" in told.answer


def test_codes_that_hold_a_factor_alone():
    told = answer("Which factor does each")
    assert "f0, inharmonicity, slope, harmonics, snr_db and decay can be read" in told.answer
    made = rows()
    for row in made:
        row["gaps"] = [0.3 if name == "f0" else 0.0 for name in row["names"]]
    assert "one code holds a factor clearly ahead" in answers._carriers(made).answer


def test_sizes_images_partials_and_audits():
    assert "Of 20 codes 5.0 are active on average, of 6 5.0" in answer("Are twenty").answer
    images = answer("Do the same networks", cnn_images={"explained": 0.9}).answer
    assert "explain 0.50 to 0.90" in images
    partials = answer("Are the partials")
    assert "0.70 of the variance at the lowest partial and 0.30 at the others" in partials.answer
    assert "0.60 where nothing decays and 0.40 at 10 per second" in partials.answer
    carried = answer("Which factors can")
    assert carried.answer == "cqt carries all but slope (a simple predictor misses decay)."
    assert carried.tables[0].rows[1] == ["slope", "R² 0.90 (2%), not found, in doubt"]


def test_every_cell_has_its_line():
    made = rows()
    assert len(tables.all_cells(made).rows) == len(made)
