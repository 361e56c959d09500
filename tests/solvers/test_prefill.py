"""Parts of prompts by hand: a shared prefix, a chunk, and a chunk beside decoding."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, Engine, Models, Transformer
from mlsysim.solvers.prefill import Prefill, mixed_step

TOY = Accelerator(
    name="Toy",
    peak={"fp16": Q_("100 TFLOP/s")},
    bandwidth=Q_("1 TB/s"),
    capacity=Q_("64 GB"),
    link=Q_("100 GB/s"),
)
NETS = [Models.Llama3_8B, Models.Mixtral_8x7B, Models.DeepSeek_V3, Models.Gemma2_9B]


def prompts(model, prompt=100, **options):
    return Prefill(model=model, hardware=TOY, prompt=prompt, options={"calibration": "ideal", **options})


def test_a_shared_prefix_by_hand(hand):
    """Two prompts of 100, 50 shared: 150 rows of 180e6 FLOP; scores 2(2e8 − 5e7) + 5e7, two heads of 1e7;
    150·20,000 B are written.
    """
    step = prompts(hand).after_prefix(2, 50)

    assert step.work.rows == 150
    assert step.work.matmul == 27e9
    assert step.work.other == pytest.approx(3.7e8, rel=1e-12)
    assert step.work.state == 3e6
    assert step.work.resident == 200e6 + 3e6
    assert step.terms.flops == pytest.approx(27.37e9, rel=1e-12)
    assert step.terms.traffic == pytest.approx(193e6, rel=1e-12)
    assert (step.batch_size, step.prompt) == (2, 100)


@pytest.mark.parametrize(("batch", "prefix"), [(1, 50), (7, 0), (1, 0)])
def test_nothing_to_share_changes_nothing(hand, batch, prefix):
    assert prompts(hand).after_prefix(batch, prefix) == prompts(hand).whole(batch)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(NETS),
    st.integers(2, 40),
    st.integers(0, 900),
    st.integers(1, 99),
    st.sampled_from([1, 2]),
)
def test_more_sharing_is_less_work(model, batch, prefix, more, split):
    reader = prompts(model, 1000, tp_size=split)
    less, much = (reader.after_prefix(batch, p).terms for p in (prefix, prefix + more))

    assert much.flops < less.flops
    assert much.latency <= less.latency * (1 + 1e-12)
    assert much.latency >= reader.whole(1).terms.latency * (1 - 1e-12)


def test_a_chunk_by_hand(hand):
    """Half of a prompt: 50 rows; half of 2e8 and of one head; 100 tokens written, 50 read, in two steps."""
    step = prompts(hand).chunk(1.0, 2)

    assert step.work.rows == 50
    assert step.work.matmul == 9e9
    assert step.work.other == pytest.approx(1.05e8, rel=1e-12)
    assert step.work.state == pytest.approx(1.5e6, rel=1e-12)
    assert step.work.resident == pytest.approx(200e6 + 1.5e6, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([*NETS, None]), st.integers(1, 20), st.integers(1, 30))
def test_chunks_do_the_work_of_a_prompt(hand_net, model, chunks, size):
    """Chunks of equal size: no FLOP is lost or made, and the cache is read besides being written."""
    reader = prompts(model or hand_net, chunks * size)
    step, whole = reader.chunk(1.0, chunks), reader.whole(1)

    assert chunks * step.work.flops == pytest.approx(whole.work.flops, rel=1e-9)
    assert chunks * step.work.state >= whole.work.state * (1 - 1e-12)


@pytest.fixture(scope="module")
def hand_net():
    return Transformer(
        name="hand", layers=10, width=1000, heads=10, kv_heads=5, head_size=100, ffn_width=2000,
        gated=True, vocab=5000, tied=False, context=4096,
    )  # fmt: skip


def test_several_whole_prompts_are_a_batch(hand):
    assert prompts(hand).chunk(3.0, 1).terms.flops == pytest.approx(
        prompts(hand).whole(3).terms.flops, rel=1e-12
    )
    assert prompts(hand).chunk(3.0, 1).terms.traffic == prompts(hand).whole(3).terms.traffic


def test_a_cached_prefix_is_read_and_not_made(hand):
    """50 of 100 tokens cached: 50 rows, scores 2e8 − 5e7 and a head; 50 tokens written, 50 read."""
    step = prompts(hand).chunk(1.0, 1, 50)

    assert step.work.rows == 50
    assert step.work.other == pytest.approx(1.6e8, rel=1e-12)
    assert step.work.state == pytest.approx(100 * 20_000, rel=1e-12)


def mix(model, sequences, context, reader, **options):
    decode = Engine.solve(model, TOY, sequences, context=context, **{"calibration": "ideal", **options})
    chunk = reader.chunk(1.0, 2)
    together = reader.tokens(sequences + int(chunk.work.rows))
    return decode.terms, chunk.terms, mixed_step(decode, chunk, together)


def test_a_mixed_step_by_hand(hand):
    """Four decode at context 105: 776.8e6 FLOP, 8.4e6 B of cache; a chunk has 9.105e9 and 1.5e6: 98.818 µs
    of arithmetic, and 190e6 + 9.9e6 B in 199.9 µs.
    """
    *_, terms = mix(hand, 4, 105, prompts(hand))

    assert terms.compute_time == pytest.approx(98.818e-6, rel=1e-12)
    assert terms.latency == terms.memory_time == pytest.approx(199.9e-6, rel=1e-12)


def test_parts_keep_their_own_efficiency(hand):
    decode, chunk, both = mix(hand, 4, 105, prompts(hand, calibration="serving"), calibration="serving")

    assert decode.compute_efficiency != chunk.compute_efficiency
    assert both.compute_time == pytest.approx(decode.compute_time + chunk.compute_time, rel=1e-12)
    assert both.overhead == decode.overhead == chunk.overhead


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(NETS), st.integers(1, 300), st.integers(2, 2000), st.sampled_from([1, 2, 4]))
def test_a_mixed_step_lies_between_its_parts_and_their_sum(model, sequences, prompt, split):
    reader = prompts(model, prompt, calibration="serving", tp_size=split)
    a, b, both = mix(model, sequences, 100, reader, calibration="serving", tp_size=split)

    assert max(a.latency, b.latency) * (1 - 1e-12) <= both.latency <= a.latency + b.latency
    assert both.traffic < a.traffic + b.traffic


def test_experts_are_read_once():
    """Enough tokens on both sides touch every expert: the mixed step reads each once."""
    model = replace(Models.Mixtral_8x7B)
    a, b, both = mix(model, 500, 0, prompts(model, 2000))
    weights = prompts(model).tokens(5000).work.weights

    assert both.traffic == pytest.approx(a.traffic + b.traffic - weights, rel=1e-9)
