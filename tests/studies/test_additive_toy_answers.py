"""What the additive toy study says follows from its rows."""

from types import SimpleNamespace

import pytest

from fastdis.studies.additive_toy import answers, grid, tables
from fastdis.studies.additive_toy import sound_answers as sounds
from tests.studies.additive_toy_rows import rows


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


def test_noise_stops_convergence_where_models_learn_no_more_than_the_mean():
    def told(within, without):
        made = rows()
        for row in made:
            if row["condition"] in ("noise", "clean"):
                row["explained_expected"] = within if row["condition"] == "noise" else without
        return sounds.noise(made).answer

    assert told(0.5, 0.5).startswith("No: 15 of 15 models learn more than the mean picture with")
    assert told(0.01, 0.5).startswith("Yes: 0 of 15 models")
    assert told(0.01, 0.01).startswith("Yes: 0 of 15 models learn more than the mean picture with")
    made = rows(cnn_cqt={"explained": 0.01})
    for row in made:
        if row["condition"] == "clean":
            row["explained_expected"] = 0.5
    assert sounds.noise(made).answer.startswith("In part: 12 of 15 models")
    assert "CNN, CQT explains 0.01 with noise and 0.50 without" in sounds.noise(made).answer


def test_the_share_of_the_last_epoch():
    assert sounds._last_share([4.0, 2.0, 1.5, 1.0]) == pytest.approx(0.5 / 3.0)
    assert sounds._last_share([1.0, 2.0]) == 0.0


def test_hilbert_is_asked_of_the_mlp_and_of_a_network_that_sees_the_order():
    told = answer(
        "Does Hilbert", mlp_spectrogram_hilbert={"explained": 0.5},
        conv1d_spectrogram_hilbert={"explained": 0.6},
    )  # fmt: skip
    assert "moves the MLP's variance explained by +0.000 ± 0.000 over 6 pairs" in told.answer
    assert "as a sequence, gains by it: variance explained +0.100 ± 0.000" in told.answer
    told = answer("Does Hilbert", conv1d_spectrogram_hilbert={"explained": 0.3, "probe": 0.5})
    assert told.answer.endswith("what its codes tell moves by +0.100 ± 0.000.")
    assert "as a sequence, loses: variance explained -0.200" in told.answer
    assert "does not gain: variance explained +0.000" in answer("Does Hilbert").answer


def test_the_same_picture():
    assert "In none of 21 models" in answer("Does the CNN give").answer
    told = answer("Does the CNN give", cnn_cqt={"explained": 0.01}).answer
    assert "In 15 of 21 models (β = 1, CNN, CQT; β = 4, CNN, CQT; β = 8, CNN, CQT)" in told
    assert "closed" not in " ".join(answer("Does the CNN give").paragraphs)
    made = rows(cnn_cqt={"explained": 0.01})
    for row in made:
        row["kl"] = 0.1 if row["beta"] == 8.0 else 3.0
    assert "In 5 of those 15 the KL divergence is below" in sounds.same_picture(made).paragraphs[1]


def test_the_order_of_the_networks():
    told = answer("Does the attention RNN", rnn_cqt={"probe": 0.5}, mlp_mel={"probe": 0.6})
    assert told.answer.startswith("It is number 2 of 14")
    assert "first is MLP, mel" in told.answer


def test_codes_that_hold_a_factor_alone():
    told = answer("Which factor does each")
    assert "tell of f0, inharmonicity, slope, harmonics, snr_db and decay; no code" in told.answer
    assert len(told.tables[2].rows) == 20
    made = rows()
    for row in made:
        row["gaps"] = [0.3 if name == "f0" else 0.0 for name in row["names"]]
    assert "one code holds a factor clearly ahead" in answers._carriers(made).answer
    for row in made:
        row["information"] = [0.01 for _ in row["names"]]
    assert answers._carriers(made).answer.startswith("Single codes tell of no factor. In")


def test_sizes_images_partials_and_audits():
    assert "Of 20 codes 5.0 are active on average, of 6 5.0;" in answer("Are twenty").answer
    images = answer("Do the same networks", cnn_images={"explained": 0.9}).answer
    assert "explain 0.50 to 0.90" in images
    partials = answer("Are the partials")
    assert "off by 3.0 dB at the lowest partial and by 5.0 at the others" in partials.answer
    assert "one picture for all is off by 9.0 and 11.0; by 6.0 dB where nothing" in partials.answer
    assert "decays and by 4.0 at 10 per second" in partials.answer
    assert partials.tables[0].rows[-1] == ["one picture for all", 9.0, 11.0]
    carried = answer("Which factors can")
    assert carried.answer == "cqt carries all but slope (a simple predictor misses decay)."
    assert carried.tables[0].rows[1] == ["slope", "R² 0.90 (2%), not found, in doubt"]


def test_every_cell_has_its_line():
    made = rows()
    assert len(tables.all_cells(made).rows) == len(made)
