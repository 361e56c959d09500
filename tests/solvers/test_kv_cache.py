"""The KV cache by hand: contiguous and paged, wasted shares, shared prefixes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    ConvNet,
    Engine,
    Hardware,
    MissingSpecError,
    Models,
    Transformer,
)
from mlsysim.core.precision import precision
from mlsysim.solvers.cache_layout import Allocation, cached_bytes, parse_allocation
from mlsysim.solvers.kv_cache import KVCacheModel


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(model, *args, **options):
    return KVCacheModel().solve(
        model, *(args or (toy(),)), **{"prompt": 100, "output": 20, "longest_output": 300, **options}
    )


def test_both_layouts_by_hand(hand):
    """120 tokens of 20,000 B: 2.4 MB are held; contiguous keeps 400 tokens, 8 MB; eight blocks of 16 have
    128 tokens, 2.56 MB. Beside 0.2 GB of weights there are 63.8 GB.
    """
    r = solve(hand)

    assert r.contiguous.held == r.paged.held == 2.4e6
    assert (r.contiguous.reserved, r.paged.reserved) == (8e6, 2.56e6)
    assert (r.contiguous.sequences, r.paged.sequences) == (7975, 24_921)
    assert r.exact_sequences == 26_583
    assert r.contiguous.wasted == pytest.approx(0.7, rel=1e-12)
    assert r.paged.wasted == pytest.approx(1 / 16, rel=1e-12)
    assert r.kv_cache_per_token.m_as("B") == 20_000
    assert r.kv_cache_per_sequence.m_as("MB") == pytest.approx(2.4, rel=1e-12)
    assert r.room.m_as("GB") == pytest.approx(63.8, rel=1e-12)


def test_halfway_through_the_output(hand):
    """110 tokens of 400 kept, and of the 112 in seven blocks."""
    r = solve(hand)

    assert r.contiguous.wasted_midway == pytest.approx(1 - 110 / 400, rel=1e-12)
    assert r.paged.wasted_midway == pytest.approx(1 - 110 / 112, rel=1e-12)


def test_a_known_length_wastes_nothing_at_the_end(hand):
    r = KVCacheModel().solve(hand, toy(), prompt=100, output=20)

    assert r.contiguous.wasted == 0.0
    assert r.contiguous.wasted_midway == pytest.approx(1 / 12, rel=1e-12)


def test_a_shared_prefix_is_cached_once_in_whole_blocks(hand):
    """Of 70 shared tokens 64 fill blocks: 1.28 MB once, and 56 tokens, four blocks of 1.28 MB, for each."""
    r = solve(hand, shared_prefix=70)

    assert r.lengths.shared == 64
    assert r.paged.shared == pytest.approx(64 * 20_000, rel=1e-12)
    assert (r.paged.held, r.paged.reserved) == (56 * 20_000, 64 * 20_000)
    assert r.paged.sequences == int((63.8e9 - 1.28e6) // 1.28e6)
    assert r.contiguous == solve(hand).contiguous


def test_a_window_keeps_what_is_near(hand):
    """A window of 30: each sequence holds its last 30 tokens, none of which is the prefix."""
    r = solve(replace(hand, window=30), shared_prefix=64)

    assert r.paged.held == r.paged.reserved == r.contiguous.reserved == 30 * 20_000
    assert r.paged.shared == 0.0


def test_the_batch_is_what_fits_or_not(hand):
    fitting = solve(hand).paged.sequences

    assert solve(hand, batch_size=fitting).fits
    full = solve(hand, batch_size=fitting + 1)
    assert not full.fits
    assert "does not fit" in repr(full)
    assert not full.fit_as(Allocation.CONTIGUOUS).fits
    assert full.fit_as(Allocation.CONTIGUOUS, 7975).fits
    assert not full.fit_as(Allocation.CONTIGUOUS, 7976).fits


def test_weights_that_do_not_fit_leave_no_room(hand):
    r = solve(hand, toy(capacity=Q_("100 MB")))

    assert (r.contiguous.sequences, r.paged.sequences, r.exact_sequences, r.fits) == (0, 0, 0, False)
    assert r.room.m_as("MB") == pytest.approx(-100)


def test_devices_share_weights_and_heads(hand):
    """Five key-value heads on two devices: three on one of them."""
    r = solve(hand, tp_size=2)

    assert r.weights == 100e6
    assert r.paged.held == pytest.approx(2.4e6 * 3 / 5, rel=1e-12)
    assert r.kv_cache_per_token.m_as("B") == 20_000


@pytest.mark.parametrize(
    ("name", "size"), [("Llama2_7B", 524_288), ("Llama3_8B", 131_072), ("DeepSeek_V3", 70_272)]
)
def test_published_bytes_per_token(name, size):
    model = getattr(Models, name)
    r = KVCacheModel().solve(model, toy())

    assert r.kv_cache_per_token.m_as("B") == size
    assert cached_bytes(model, precision("fp16"), 10) == 10 * size


LENGTHS = {
    "prompt": st.integers(2, 1500),
    "output": st.integers(1, 1000),
    "spare": st.integers(0, 1000),
    "shared": st.floats(0, 0.99),
    "block_size": st.integers(1, 300),
}


@settings(deadline=None, max_examples=60)
@given(**LENGTHS)
def test_pages_never_waste_more_than_a_block(hand_net, prompt, output, *, spare, shared, block_size):
    r = KVCacheModel().solve(
        hand_net,
        toy(),
        prompt=prompt,
        output=output,
        longest_output=output + spare,
        shared_prefix=int(shared * prompt),
        block_size=block_size,
    )
    token = 20_000

    assert 0 <= r.paged.reserved - r.paged.held < block_size * token
    assert 0 <= r.paged.wasted < 1
    assert 0 <= r.contiguous.wasted <= r.contiguous.wasted_midway < 1
    assert r.contiguous.sequences <= r.exact_sequences
    assert r.paged.sequences <= r.exact_sequences
    assert r.paged.shared + r.paged.held == pytest.approx((prompt + output) * token, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(prompt=LENGTHS["prompt"], output=LENGTHS["output"])
def test_blocks_of_one_token_are_exact(hand_net, prompt, output):
    r = KVCacheModel().solve(hand_net, toy(), prompt=prompt, output=output, block_size=1)

    assert r.paged.wasted == 0.0
    assert r.paged.sequences == r.contiguous.sequences == r.exact_sequences


@pytest.fixture(scope="module")
def hand_net():
    return Transformer(
        name="hand", layers=10, width=1000, heads=10, kv_heads=5, head_size=100, ffn_width=2000,
        gated=True, vocab=5000, tied=False, context=4096,
    )  # fmt: skip


def test_the_engine_counts_the_same(hand):
    r = solve(hand, batch_size=3, longest_output=20)
    full = Engine.solve(hand, toy(), 3, context=120)

    assert r.fit_as(Allocation.CONTIGUOUS) == full.fit
    assert 3 * r.contiguous.held == full.work.state


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"longest_output": 19}, "longest_output (19) must be at least output (20)"),
        ({"shared_prefix": 100}, "shared_prefix (100) must be shorter than prompt (100)"),
        ({"shared_prefix": -1}, "shared_prefix must be a whole number of at least 0; got -1"),
        ({"block_size": 0}, "block_size must be a whole number of at least 1; got 0"),
        ({"prompt": 0}, "prompt must be a whole number of at least 1; got 0"),
        ({"longest_output": 4000}, "prompt and longest_output, 4,100 tokens, exceed the context of hand"),
        ({"tp_size": 3}, "tp_size (3) must divide the heads of hand, 10"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"hardware": "Toy"}, "hardware must be a device"),
        ({"model": ConvNet(name="c", input=(3, 8, 8), layers=[{"op": "linear", "out": 2}])}, "generate text"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        KVCacheModel().solve(**{"model": hand, "hardware": toy(), "prompt": 100, "output": 20, **wrong})
    assert said in str(caught.value)
    assert str(caught.value).startswith("KVCacheModel.solve()")


def test_a_capacity_that_nobody_published_is_not_made_up(hand):
    with pytest.raises(MissingSpecError, match="no published capacity"):
        solve(hand, toy(capacity=None))


def test_an_unknown_allocation_is_named():
    assert parse_allocation("paged") is Allocation.PAGED
    with pytest.raises(ArgumentError, match="'contiguous' or 'paged'; got 'pagde'"):
        parse_allocation("pagde")


def test_a_layout_is_named_by_its_word_and_an_unknown_one_is_refused(hand):
    r = KVCacheModel().solve(hand, Hardware.Cloud.H100, prompt=100, output=28)
    assert r.layout("paged") is r.paged
    assert r.layout("contiguous") is r.contiguous
    with pytest.raises(ArgumentError, match="allocation must be 'contiguous' or 'paged'; got 'pages'"):
        r.layout("pages")
