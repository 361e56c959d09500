"""Work from shapes, against sums that can be done by hand and against published counts."""

from dataclasses import replace

import pytest

from mlsysim import Models, Precision, Transformer
from mlsysim.core.counting import Work, count, kv_bytes_per_token, parameters, resident_bytes
from mlsysim.core.models import Encoder, Phase, VisionTransformer
from mlsysim.core.precision import precision

FP16 = precision("fp16")


def decode(model, number_format, batch, context):
    return count(model, Phase.DECODE, number_format, batch=batch, context=context)


def prefill(model, number_format, batch, prompt):
    return count(model, Phase.PREFILL, number_format, batch=batch, prompt=prompt)


def forward(model, number_format, batch, prompt=0.0):
    return count(model, Phase.FORWARD, number_format, batch=batch, prompt=prompt)


@pytest.fixture
def hand():
    """A network whose sums are round.

    Attention 2·1000·1000 + 2·1000·500 = 3e6, feed-forward 3·1000·2000 = 6e6: 9e6 a block, 90e6 in ten;
    the LM head 5000·1000 = 5e6. So P = 95e6, all parameters 100e6; the cache takes
    2·10·5·100·2 B = 20,000 B a token; scores take 4·10·10·100 = 40,000 FLOP a pair.
    """
    return Transformer(
        name="hand",
        layers=10,
        width=1000,
        heads=10,
        kv_heads=5,
        head_size=100,
        ffn_width=2000,
        gated=True,
        vocab=5000,
        tied=False,
        context=4096,
    )


@pytest.fixture
def reader():
    """An encoder: 4·1000² + 2·1000·2000 = 8e6 a block, 80e6 in ten; tables 5.5e6; pooler 1e6."""
    return Encoder(
        name="reader",
        layers=10,
        width=1000,
        heads=10,
        head_size=100,
        ffn_width=2000,
        vocab=5000,
        positions=500,
        context=500,
        pooled=True,
    )


def test_parameters_of_a_decoder(hand):
    """90e6 in blocks, 5e6 for each of two tables; one table where it is tied."""
    assert parameters(hand) == 100e6
    assert parameters(replace(hand, tied=True)) == 95e6
    assert parameters(replace(hand, gated=False)) == 80e6
    assert parameters(replace(hand, positions=4096)) == 100e6 + 4.096e6


def test_decoding_one_token_reads_every_weight_once(hand):
    """2·95e6 FLOP, 2·95e6 bytes: one FLOP for each byte; the embedding table is resident, not read."""
    work = decode(hand, FP16, 1.0, 0.0)
    assert (work.flops, work.traffic, work.resident) == (190e6, 190e6, 200e6)
    assert (work.rows, work.items, work.launches) == (1, 1, 10)


def test_decoding_with_a_cache(hand):
    """Batch 4, context 1000: 4·190e6 + 4·1000·40,000 FLOP; 190e6 + 4·1000·20,000 B."""
    work = decode(hand, FP16, 4.0, 1000.0)
    assert (work.matmul, work.other) == (760e6, 160e6)
    assert (work.weights, work.state, work.activations) == (190e6, 80e6, 0)
    assert work.resident == 280e6


def test_a_tied_table_counts_among_the_weights_that_multiply(hand):
    assert decode(replace(hand, tied=True), FP16, 1.0, 0.0).flops == 190e6


def test_reading_a_prompt(hand):
    """Two prompts of 100 tokens: 2·2·100·90e6 = 36e9 FLOP in blocks; the head on one row each, 2·2·5e6;
    half of 100² pairs, 2·5000·40,000; weights once, and 2·100·20,000 B of cache written.
    """
    work = prefill(hand, FP16, 2.0, 100.0)
    assert work.matmul == 36e9
    assert work.other == 20e6 + 400e6
    assert (work.weights, work.state) == (190e6, 4e6)
    assert (work.rows, work.items) == (200, 200)
    assert work.resident == 204e6


def test_a_window_bounds_what_a_decode_step_sees(hand):
    """With a window of 64 a context of 1000 costs what one of 64 does."""
    narrow = replace(hand, window=64)
    assert decode(narrow, FP16, 4.0, 1000.0) == decode(hand, FP16, 4.0, 64.0)
    assert decode(narrow, FP16, 4.0, 10.0) == decode(hand, FP16, 4.0, 10.0)


def test_a_window_cuts_the_triangle_of_a_prompt(hand):
    """S·w − w²/2 = 100·40 − 800 = 3,200 pairs, times 40,000 FLOP; head 10e6; cache of 40 tokens."""
    work = prefill(replace(hand, window=40), FP16, 1.0, 100.0)
    assert work.other == 10e6 + 3200 * 40_000
    assert work.state == 40 * 20_000


def test_a_window_wider_than_the_prompt_changes_nothing(hand):
    assert prefill(replace(hand, window=4096), FP16, 1.0, 100.0) == prefill(hand, FP16, 1.0, 100.0)


@pytest.mark.parametrize(
    ("name", "weights", "cache"),
    [("fp32", 4, 4), ("fp8", 1, 1), ("int8", 1, 2), ("w8a16", 1, 2), ("int4", 4.125 / 8, 2)],
)
def test_a_format_changes_bytes_and_never_work(hand, name, weights, cache):
    work = decode(hand, precision(name), 3.0, 100.0)
    assert work.weights == pytest.approx(95e6 * weights, rel=1e-15)
    assert work.state == 3 * 100 * 10_000 * cache
    assert work.resident == pytest.approx(100e6 * weights + 3e6 * cache, rel=1e-15)
    assert work.flops == decode(hand, FP16, 3.0, 100.0).flops


def test_cache_and_weights_of_a_format_of_ones_own(hand):
    odd = Precision("odd", weight_bits=3, compute="fp16", activation_bits=16, kv_bits=6)
    assert kv_bytes_per_token(hand, odd) == 10_000 * 6 / 8
    assert resident_bytes(hand, odd) == 100e6 * 3 / 8


@pytest.mark.parametrize(("rows", "whole"), [(1, 8), (7, 8), (8, 8), (9, 16), (41, 48), (48, 48)])
def test_padding_fills_tiles_of_the_matrix_products_alone(rows, whole):
    """Rows are rounded up to a multiple of eight; other FLOP stay as they are."""
    work = Work(
        matmul=10.0 * rows,
        other=7.0,
        rows=float(rows),
        weights=0.0,
        state=0.0,
        activations=0.0,
        resident=0.0,
        launches=1,
        items=1,
    )
    assert work.padded(8) == pytest.approx(10 * whole + 7, rel=1e-15)
    assert work.padded(1) == pytest.approx(10 * rows + 7, rel=1e-15)


def test_an_encoder_reads_everything_at_once(reader):
    """Two sequences of 100 tokens: 2·80e6·200 FLOP; the full square of scores, 2·100²·40,000;
    pooler 2·2e6.

    Outputs written and read again: 10·100·(3·1000 + 2·1000 + 2000) elements of two bytes a sequence.
    """
    work = forward(reader, FP16, 2.0, 100.0)
    assert parameters(reader) == 80e6 + 5.5e6 + 1e6
    assert work.matmul == 32e9
    assert work.other == 800e6 + 4e6
    assert work.activations == 2 * 2 * 2 * 7e6
    assert (work.weights, work.state, work.items, work.rows) == (160e6, 0, 2, 200)


def test_a_vision_transformer_reads_patches_and_a_class_token():
    """A 32-pixel image in 8-pixel patches: 16 patches and a class token, 17 rows a sample."""
    vit = VisionTransformer(
        name="tiny vit",
        image=32,
        patch=8,
        channels=3,
        layers=1,
        width=64,
        heads=4,
        head_size=16,
        ffn_width=128,
        classes=10,
    )
    block, patch = 4 * 64**2 + 2 * 64 * 128, 3 * 8**2 * 64
    work = forward(vit, FP16, 5.0)
    assert parameters(vit) == block + patch + (17 + 1 + 10) * 64
    assert work.matmul == 5 * 17 * 2 * block
    assert work.other == 5 * (4 * 64 * 17**2 + 2 * patch * 16 + 2 * 10 * 64)
    assert work.rows == 5 * 17


# Published counts hold biases and norms, which the counting leaves out: they are subtracted by hand.
# Llama: one norm of width d for each half block, and a final one. GPT-2 and ViT, a block of width d and
# inner width f: biases 3d + d + f + d, two norms of 2d. BERT: the same, without a final norm, with one
# behind the tables (2d) and a pooler bias (d).
PUBLISHED = {
    "Llama3_8B": 8_030_261_248 - 65 * 4096,
    "Llama2_7B": 6_738_415_616 - 65 * 4096,
    "ViT_B16": 86_567_656 - (12 * (9 * 768 + 3072) + 2 * 768 + 768 + 1000),
    "ViT_L16": 304_326_632 - (24 * (9 * 1024 + 4096) + 2 * 1024 + 1024 + 1000),
    "BERT_Large": 335_141_888 - (24 * (9 * 1024 + 4096) + 2 * 1024 + 1024),
    "GPT2_XL": 1_557_611_200 - (48 * (9 * 1600 + 6400) + 2 * 1600),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_agree_with_published_counts_to_the_last_one(name):
    """Counts from the makers' code or weights, as the cards cite them."""
    assert parameters(getattr(Models, name)) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "billions"),
    [("Llama3_70B", 70.6), ("Llama3_405B", 405), ("Llama2_70B", 69), ("Llama2_13B", 13), ("GPT3", 175)],
)
def test_parameters_agree_with_rounded_published_counts(name, billions):
    assert parameters(getattr(Models, name)) / 1e9 == pytest.approx(billions, rel=0.006)


def test_scores_of_a_vision_transformer_agree_with_published_flops():
    """timm counts 17.56 GMAC for ViT-B/16, all matrix products and scores: 35.1 GFLOP."""
    work = forward(Models.ViT_B16, FP16, 1.0)
    assert work.flops / 1e9 == pytest.approx(35.13, rel=1e-3)


def test_work_is_proportional_to_the_batch(hand, reader):
    for work, twice in (
        (decode(hand, FP16, 3.0, 50.0), decode(hand, FP16, 6.0, 50.0)),
        (prefill(hand, FP16, 3.0, 50.0), prefill(hand, FP16, 6.0, 50.0)),
        (forward(reader, FP16, 3.0, 50.0), forward(reader, FP16, 6.0, 50.0)),
    ):
        assert twice.flops == pytest.approx(2 * work.flops, rel=1e-15)
        assert twice.weights == work.weights
        assert twice.state == 2 * work.state
        assert twice.activations == 2 * work.activations


def test_a_network_has_its_own_phases_alone(hand, reader):
    with pytest.raises(TypeError, match="hand has no forward phase; it has decode, prefill"):
        forward(hand, FP16, 1.0)
    with pytest.raises(TypeError, match="reader has no decode phase; it has forward"):
        count(reader, Phase.DECODE, FP16, batch=1.0)
    with pytest.raises(TypeError, match="no counting rule for str"):
        parameters("Llama")
