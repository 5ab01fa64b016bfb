"""Every objective: gradients, stacks, compilers, kinds of float, split and small batches."""

import copy
import json
import threading

import pytest
import torch
from torch.func import functional_call, stack_module_state

from fastdis import objectives
from tests.objectives.objective_data import CASES, D, Pair, Tiny, batch, ready

STEP = torch.tensor(3)
EVERY = pytest.mark.parametrize("case", CASES)


def _pair(case, which=0, seed=1):
    name, *options = CASES[case]
    return Pair(Tiny(seed), ready(name, seed=seed, **options[which]))


def _noise(pair, noise):
    return noise[: pair.objective.draws]


def _total(terms):
    return terms["loss"] + terms.get("discriminator", 0.0)


def test_every_objective_is_among_the_cases():
    assert {name for name, *_ in CASES.values()} == set(objectives.names())


@EVERY
def test_gradients_are_those_of_finite_differences(case):
    pair, (x, noise) = _pair(case), batch()
    weights = dict(pair.named_parameters())
    kept = {key: value for key, value in weights.items() if "discriminator" not in key}

    def loss(*values):
        changed = dict(zip(kept, values, strict=True))
        return functional_call(pair, changed, (x, _noise(pair, noise), STEP))["loss"]

    assert torch.autograd.gradcheck(loss, tuple(kept.values()), eps=1e-7, atol=1e-5, rtol=1e-4)


@EVERY
def test_a_stack_of_two_gives_each_its_own_terms_and_gradients(case):
    pairs = [_pair(case, 0, seed=1), _pair(case, 1, seed=2)]
    draws = pairs[0].objective.draws
    x, noise = (torch.stack(part) for part in zip(batch(seed=1), batch(seed=2), strict=True))
    noise = noise[:, :draws]
    weights, buffers = stack_module_state(pairs)
    base = copy.deepcopy(pairs[0]).to("meta")
    terms = torch.vmap(lambda w, b, *data: functional_call(base, (w, b), (*data, STEP)))(
        weights, buffers, x, noise
    )
    _total(terms).sum().backward()
    for m, pair in enumerate(pairs):
        alone = pair(x[m], noise[m], STEP)
        assert {key: value[m].item() for key, value in terms.items()} == pytest.approx(
            {key: value.item() for key, value in alone.items()}, rel=1e-9
        )
        _total(alone).backward()
        for key, weight in pair.named_parameters():
            torch.testing.assert_close(weights[key].grad[m], weight.grad, rtol=1e-7, atol=1e-10)


@EVERY
def test_a_step_compiles_as_one_graph(case):
    pair, (x, noise) = _pair(case), batch()
    expected = pair(x, _noise(pair, noise), STEP)
    torch.compiler.reset()
    compiled = torch.compile(pair, backend="eager", fullgraph=True)
    for step in (3, 4):  # the number of steps is data, not a constant of the graph
        expected = pair(x, _noise(pair, noise), torch.tensor(step))
        with torch.compiler.set_stance("default" if step == 3 else "fail_on_recompile"):
            terms = compiled(x, _noise(pair, noise), torch.tensor(step))
        for key, value in expected.items():
            torch.testing.assert_close(terms[key], value)


@EVERY
def test_terms_are_of_the_kind_of_the_model_and_float32_under_autocast(case):
    pair, (x, noise) = _pair(case), batch()
    exact = pair(x, _noise(pair, noise), STEP)
    assert {value.dtype for value in exact.values()} == {torch.float64}
    pair, x, noise = pair.float(), x.float(), _noise(pair, noise).float()
    single = pair(x, noise, STEP)
    with torch.autocast("cpu", torch.bfloat16):
        half = pair(x, noise, STEP)
    for key, value in exact.items():
        assert single[key].dtype == half[key].dtype == torch.float32, key
        torch.testing.assert_close(single[key].double(), value, rtol=1e-4, atol=1e-4)
        assert half[key].isfinite(), key
    # Ten times what rounding to 8 bits moves these codes by.
    assert half["reconstruction"].item() == pytest.approx(exact["reconstruction"].item(), rel=0.1)


@EVERY
def test_options_make_the_same_objective_again(case):
    first = ready(CASES[case][0], **CASES[case][2])
    options = json.loads(json.dumps(first.options))
    again = ready(first.name, protocol=first.protocol, **options)
    assert again.options == first.options
    x, noise = batch()
    one, two = (Pair(Tiny(1), each)(x, noise[: each.draws], STEP) for each in (first, again))
    assert one == two


@EVERY
def test_the_smallest_batch_is_finite_and_a_smaller_one_says_so(case):
    pair = _pair(case)
    smallest = pair.objective.smallest_batch
    x, noise = batch(smallest)
    terms = pair(x, _noise(pair, noise), STEP)
    assert all(value.isfinite() for value in terms.values())
    if smallest > 1:
        with pytest.raises(ValueError, match=r"a batch takes .* items here, got"):
            pair(x[:-1], _noise(pair, noise)[:, :-1], STEP)


class _Split(objectives.Rows):
    """Rows of a range that lie in several threads in turn, which meet to gather codes."""

    def __init__(self, whole, rank, meeting):
        self.whole, self.rank, self.meeting = whole, rank, meeting
        self.size = meeting.parties
        self.mine = [row - whole.start for row in whole if row % self.size == rank]

    def mean(self, costs):
        return costs.sum(dim=0) * self.size / len(self.whole)

    def sum(self, costs):
        return costs.sum(dim=0) * self.size

    def gather(self, codes):
        self.meeting.parts[self.rank] = (self.mine, codes)
        self.meeting.wait()
        parts = list(self.meeting.parts)
        self.meeting.wait()
        order = torch.tensor([row for rows, _ in parts for row in rows])
        return torch.cat([codes for _, codes in parts])[order.argsort()]

    def share(self, codes):
        return codes[self.mine]

    def halves(self, size):
        half = len(self.whole) // 2
        rows = [
            _Split(part, self.rank, self.meeting)
            for part in (self.whole[:half], self.whole[half : 2 * half])
        ]
        first = len(rows[0].mine)
        return (slice(0, first), rows[0]), (slice(first, first + len(rows[1].mine)), rows[1])


@EVERY
@pytest.mark.parametrize("clips", [12, 10])  # of 10, partners of a pair lie in different parts
def test_a_batch_split_over_processes_costs_what_the_whole_one_does(case, clips):
    pair, (x, noise) = _pair(case), batch(clips)
    noise = _noise(pair, noise)
    whole = pair(x, noise, STEP)
    _total(whole).backward()
    meeting = threading.Barrier(3)
    meeting.parts, terms = [None] * 3, [None] * 3
    parts = [_pair(case) for _ in range(3)]

    def one(rank):
        parts[rank].objective.rows = _Split(range(clips), rank, meeting)
        try:
            terms[rank] = parts[rank](x[rank::3], noise[:, rank::3], STEP)
        except BaseException:
            meeting.abort()
            raise

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key, value in whole.items():
        torch.testing.assert_close(sum(part[key] for part in terms) / 3, value)
    (sum(map(_total, terms)) / 3).backward()
    for weight, *each in zip(*(p.parameters() for p in (pair, *parts)), strict=True):
        found = sum(part.grad for part in each)
        torch.testing.assert_close(found, weight.grad, rtol=1e-7, atol=1e-9)


def test_noise_of_its_own_is_as_wide_as_it_takes():
    pair, (x, _) = _pair("info_vae"), batch()
    drawn = []
    model = pair.model
    model.sample, sample = lambda *given: drawn.append(given[2]) or sample(*given), model.sample
    torch.manual_seed(0)
    pair.objective(model, x)
    assert drawn[0].shape == (8, D)
    assert drawn[0].dtype == torch.float64
