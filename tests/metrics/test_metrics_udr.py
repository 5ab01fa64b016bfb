"""UDR against its definition on rows, closed forms, and models of odd shapes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso

from fastdis.metrics import MetricWarning
from fastdis.metrics.from_codes.udr import _relative_strength, udr

both = pytest.mark.parametrize("similarity", ["lasso", "spearman"])


def models(rows=400, sizes=(4, 3, 5), seed=0):
    """Codes of several models: each mixes the same three factors in its own way."""
    rng = np.random.default_rng(seed)
    v = rng.uniform(-1, 1, (rows, 3))
    return [np.tanh(v @ rng.normal(size=(3, d))) + 0.1 * rng.normal(size=(rows, d)) for d in sizes]


def plain_relative_strength(r, convention="standard"):
    columns = [max(r[:, b]) ** 2 / sum(r[:, b]) if sum(r[:, b]) else 0 for b in range(r.shape[1])]
    rows = [max(r[a]) ** 2 / sum(r[a]) if sum(r[a]) else 0 for a in range(r.shape[0])]
    if convention == "standard":
        return (sum(columns) + sum(rows)) / (r.shape[0] + r.shape[1])
    return (np.mean(columns) + np.mean(rows)) / 2


def plain_udr(codes, similarity, convention="standard"):
    standard = [(z - z.mean(axis=0)) / z.std(axis=0) for z in codes]
    pairwise = np.zeros((len(codes), len(codes)))
    for i, target in enumerate(standard):
        for j, source in enumerate(standard):
            if similarity == "lasso":
                r = np.stack([np.abs(Lasso(alpha=0.1, tol=1e-10).fit(source, column).coef_)
                              for column in target.T])  # fmt: skip
            else:
                r = np.array([[abs(spearmanr(a, b)[0]) for b in source.T] for a in target.T])
            pairwise[i, j] = plain_relative_strength(r, convention) if i != j else 0.0
    scores = [np.median(np.delete(row, i)) for i, row in enumerate(pairwise)]
    return scores, pairwise


@both
@pytest.mark.parametrize("convention", ["standard", "disentanglement_lib"])
def test_udr_follows_its_definition(similarity, convention):
    codes = models(sizes=(4, 3, 5, 2))
    result = udr(codes, similarity=similarity, convention=convention)
    scores, pairwise = plain_udr(codes, similarity, convention)
    np.testing.assert_allclose(result.pairwise, pairwise, atol=1e-6)
    np.testing.assert_allclose(result.scores, scores, atol=1e-6)
    assert [mask.tolist() for mask in result.informative] == [[True] * d for d in (4, 3, 5, 2)]


def test_the_conventions_part_where_models_keep_different_numbers_of_codes():
    standard = udr(models()).pairwise
    library = udr(models(), convention="disentanglement_lib").pairwise
    assert abs(standard - library).max() > 1e-3
    equal = models(sizes=(4, 4, 4))
    library = udr(equal, convention="disentanglement_lib").pairwise
    np.testing.assert_allclose(udr(equal).pairwise, library, atol=1e-12)


def test_the_lasso_predicts_the_row_from_the_column():
    z = np.random.default_rng(0).normal(size=(20_000, 2))
    x = z[:, :1]
    result = udr([x, np.hstack([x, x + 2 * z[:, 1:]])])
    # x follows from x alone, at a weight of 1 less the penalty.
    assert result.pairwise[0, 1] == pytest.approx((0.9 + 0.9 + 0.0) / 3, abs=1e-6)
    # Each of the others follows from x, by its correlation less the penalty.
    u, w = 0.9, 1 / np.sqrt(5) - 0.1
    assert result.pairwise[1, 0] == pytest.approx((u**2 / (u + w) + u + w) / 3, abs=0.01)


# Closed forms


def test_relative_strength_by_hand():
    for convention in ("standard", "disentanglement_lib"):
        assert _relative_strength(np.eye(3)[[2, 0, 1]], convention) == 1.0
        assert _relative_strength(np.ones((4, 4)), convention) == pytest.approx(1 / 4)
        assert _relative_strength(np.zeros((2, 3)), convention) == 0.0
        assert _relative_strength(np.zeros((0, 3)), convention) == 0.0
    r = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 0.0]])
    columns, rows = [1.0, 0.25, 0.0], [1 / 1.5, 0.5]
    assert _relative_strength(r, "standard") == pytest.approx((sum(columns) + sum(rows)) / 5)
    library = (np.mean(columns) + np.mean(rows)) / 2
    assert _relative_strength(r, "disentanglement_lib") == pytest.approx(library)


@both
def test_models_that_agree_but_for_order_and_sign(similarity):
    z = np.linalg.qr(np.random.default_rng(1).normal(size=(300, 4)))[0]
    z -= z.mean(axis=0)
    z = np.linalg.qr(z)[0]  # uncorrelated to rounding
    result = udr([z, -z[:, [2, 0, 3, 1]] * 5 + 1, z[:, ::-1]], similarity=similarity)
    # Perfect codes have weights of 1 less the penalty.
    if similarity == "lasso":
        assert result.scores == pytest.approx([0.9, 0.9, 0.9], abs=1e-6)
    else:
        assert (result.scores > 0.8).all()
    assert not np.diag(result.pairwise).any()


def test_spearman_sees_no_monotone_warp():
    codes = models()
    warped = [np.exp(3 * z) for z in codes]
    expected = udr(codes, similarity="spearman").pairwise
    np.testing.assert_allclose(udr(warped, similarity="spearman").pairwise, expected, atol=1e-12)


def test_an_entangled_model_ranks_last():
    rng = np.random.default_rng(2)
    v = rng.uniform(-1, 1, (2000, 4))
    disentangled = [v[:, rng.permutation(4)] * rng.choice([-1, 1], 4) for _ in range(4)]
    rotated = v @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    for similarity in ("lasso", "spearman"):
        scores = udr([*disentangled, rotated], similarity=similarity).scores
        assert scores.argmin() == 4
        assert scores[4] < scores[:4].min() - 0.2


@both
def test_models_of_noise_have_nothing_in_common(similarity):
    rng = np.random.default_rng(3)
    scores = udr([rng.normal(size=(5000, 3)) for _ in range(3)], similarity=similarity).scores
    assert (scores < 0.05).all()


@both
def test_order_changes_nothing(similarity):
    codes = models()
    rng = np.random.default_rng(4)
    order = rng.permutation(len(codes[0]))
    shuffled = [z[order][:, rng.permutation(z.shape[1])] for z in codes]
    expected = udr(codes, similarity=similarity)
    got = udr(shuffled, similarity=similarity)
    np.testing.assert_allclose(got.pairwise, expected.pairwise, atol=1e-6)
    turned = udr(codes[::-1], similarity=similarity)
    np.testing.assert_allclose(turned.scores[::-1], expected.scores, atol=1e-6)


# Codes that hold nothing


@both
def test_dead_codes_are_left_out(similarity):
    codes = models()
    expected = udr(codes, similarity=similarity)
    for place in (0, 2):
        dead = [np.insert(codes[0], place, 7.0, axis=1), *codes[1:]]
        result = udr(dead, similarity=similarity)
        np.testing.assert_allclose(result.pairwise, expected.pairwise, atol=1e-9)
        assert not result.informative[0][place]


@both
def test_codes_of_little_kl_are_left_out(similarity):
    codes = models()
    noisy = [np.hstack([z, np.random.default_rng(i).normal(size=(len(z), 1))])
             for i, z in enumerate(codes)]  # fmt: skip
    kl = [np.array([1.0] * z.shape[1] + [0.01]) for z in codes]
    result = udr(noisy, kl=kl, similarity=similarity)
    expected = udr(codes, similarity=similarity)
    np.testing.assert_allclose(result.pairwise, expected.pairwise, atol=1e-9)
    assert (udr(noisy, similarity=similarity).scores < expected.scores).all()


def test_the_kl_of_log_variances():
    codes = models()
    logvar = [np.full(z.shape, -3.0) for z in codes]
    logvar[1][:, 2] = 0.0
    codes[1][:, 2] *= 1e-2
    mean, variance = codes[1][:, 2], 1.0
    assert 0.5 * np.mean(mean**2 + variance - np.log(variance) - 1) < 0.01
    result = udr(codes, logvar=logvar)
    assert [mask.tolist() for mask in result.informative] == [
        [True] * 4,
        [True, True, False],
        [True] * 5,
    ]
    as_tensors = udr([torch.tensor(z) for z in codes], logvar=[torch.tensor(x) for x in logvar])
    np.testing.assert_array_equal(as_tensors.pairwise, result.pairwise)
    logvar[1][:, 2] = 1e4  # beyond the floats, and far from the prior
    assert udr(codes, logvar=logvar).informative[1].all()


@both
def test_a_model_without_informative_codes_scores_zero(similarity):
    codes = models()
    with pytest.warns(MetricWarning, match="no code of model 1 is informative; it scores 0"):
        result = udr([codes[0], np.ones((400, 3)), codes[2]], similarity=similarity)
    assert result.scores[1] == 0.0
    assert not result.pairwise[1].any()
    assert not result.pairwise[:, 1].any()
    with pytest.warns(MetricWarning):
        nothing = udr([np.ones((9, 2)), np.ones((9, 2))], similarity=similarity)
    assert not nothing.scores.any()


@both
@pytest.mark.parametrize("case", ["one code", "duplicated", "two rows", "huge", "ties"])
def test_awkward_models_score_numbers(similarity, case):
    codes = {
        "one code": [z[:, :1] for z in models()],
        "duplicated": [np.hstack([z, z, -z]) for z in models()],
        "two rows": [z[:2] for z in models()],
        "huge": [z * scale for z, scale in zip(models(), (1e300, 1e-300, 1.0), strict=True)],
        "ties": [np.round(z) for z in models()],
    }[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = udr(codes, similarity=similarity)
    assert np.isfinite(result.pairwise).all()
    assert (result.scores >= 0).all()
    assert (result.scores <= 1 + 1e-9).all()


# What it takes


def test_one_array_of_models_is_a_list_of_them():
    codes = np.stack(models(sizes=(3, 3, 3)))
    np.testing.assert_array_equal(udr(codes).pairwise, udr(list(codes)).pairwise)


GOOD = models(20)
BAD = [
    ((GOOD[:1],), {}, ValueError, "at least 2 models, got 1"),
    ((5,), {}, TypeError, "codes takes a list of arrays, got 5"),
    (("abc",), {}, TypeError, "codes takes a list of arrays"),
    (([GOOD[0], GOOD[1][:9]],), {}, ValueError, r"same inputs, got \[20, 9\] rows"),
    (([GOOD[0], GOOD[1][:, 0]],), {}, ValueError, r"codes\[1\] takes rows and columns"),
    (([GOOD[0], GOOD[1] * np.nan],), {}, ValueError, r"codes\[1\] takes finite values"),
    ((GOOD,), {"similarity": "lassso"}, ValueError, "did you mean 'lasso'"),
    ((GOOD,), {"convention": "ubisoft"}, ValueError, "convention takes one of 'standard'"),
    ((GOOD,), {"kl": [np.ones(4)]}, ValueError, "kl takes one array for each of 3 models"),
    ((GOOD,), {"kl": [np.ones(3)] * 3}, ValueError, r"kl\[0\] takes shape \(4,\), got \(3,\)"),
    ((GOOD,), {"kl": [[1, 1, 1, np.nan]] * 3}, ValueError, r"kl\[0\] takes finite values"),
    ((GOOD,), {"logvar": GOOD[::-1]}, ValueError, r"logvar\[0\] takes shape \(20, 4\)"),
    ((GOOD,), {"logvar": GOOD, "kl": GOOD}, ValueError, "take one of them"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "options", "error", "message"), BAD, ids=range(len(BAD)))
def test_a_mistake_is_named(given, options, error, message):
    with pytest.raises(error, match=message):
        udr(*given, **options)
