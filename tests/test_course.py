import pytest

from mlsysim import Q_, ArgumentError, Bottleneck
from mlsysim.course import ClaimError, Exercise, Misconception, Outcome, check, claim, predict, progress

EX = Exercise(
    name="Exercise 1",
    answer=lambda: Q_("50 ms"),
    hint="Think of the bytes.",
    misconceptions=(Misconception(answer=lambda: Q_("80 ms"), hint="Weights are read once."),),
)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (None, Outcome.BLANK, ""),
        (..., Outcome.BLANK, ""),
        (Q_("50 ms"), Outcome.RIGHT, ""),
        (Q_("0.0505 s"), Outcome.RIGHT, ""),
        (50, Outcome.WRONG_UNIT, "Give a quantity with its unit, as in Q_(1, 'ms')"),
        ("50 ms", Outcome.WRONG_UNIT, "Give a quantity"),
        (Q_("50 GB"), Outcome.WRONG_UNIT, "yours is in GB"),
        (Q_("80 ms"), Outcome.MISCONCEPTION, "Weights are read once."),
        (Q_("50 s"), Outcome.WRONG_SCALE, "off by a thousand"),
        (Q_("400 ms"), Outcome.WRONG_SCALE, "bits and bytes"),
        (Q_("60 ms"), Outcome.WRONG, "Too high. Think of the bytes."),
        (Q_("-50 ms"), Outcome.WRONG, "The sign is off."),
    ],
)
def test_an_answer_is_told_from_others(answer, outcome, words):
    verdict = check(EX, answer)

    assert verdict.outcome is outcome
    assert words in verdict.message
    assert repr(verdict).startswith("Exercise 1: ")
    assert "<script" not in verdict._repr_html_()


def test_words_and_enums_are_answers_too():
    ex = Exercise(name="E", answer=lambda: Bottleneck.MEMORY)

    assert check(ex, "memory").outcome is Outcome.RIGHT
    assert check(ex, "Memory Bound").outcome is Outcome.RIGHT
    assert check(ex, Bottleneck.COMPUTE).outcome is Outcome.WRONG
    assert check(ex, 3).outcome is Outcome.WRONG


def test_plain_numbers_and_dimensionless_quantities_agree():
    ex = Exercise(name="E", answer=lambda: 1.5)

    assert check(ex, Q_("150 percent")).outcome is Outcome.RIGHT
    assert check(ex, Q_("1.5 s")).outcome is Outcome.WRONG_UNIT
    assert check(ex, 150).outcome is Outcome.WRONG_SCALE


def test_an_answer_of_nought_is_compared():
    ex = Exercise(name="E", answer=lambda: 0)

    assert check(ex, 0).outcome is Outcome.RIGHT
    assert check(ex, 1).outcome is Outcome.WRONG


def test_a_true_claim_is_silent_and_a_false_one_says_both_numbers():
    claim("half", 0.5, 0.5)
    claim("in any unit", Q_("1 s"), Q_("1000 ms"))
    claim("as a word", Bottleneck.MEMORY, "memory")
    with pytest.raises(ClaimError, match=r"'about 15x' says 15; computed: 12"):
        claim("about 15x", 12.0, 15, rel=0.05)
    with pytest.raises(ClaimError):
        claim("another dimension", Q_("1 s"), Q_("1 B"))
    with pytest.raises(ClaimError):
        claim("truth is not one", 1, True)
    with pytest.raises(ClaimError):
        claim("not a number", float("nan"), 1.0, rel=0.5)


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        (None, "You made no guess"),
        (1.4, "well predicted"),
        (3.2, "too high by a factor of 2.286"),
        (0.7, "too low by a factor of 2"),
        (-1, "the sign differs"),
    ],
)
def test_a_prediction_is_compared(guess, words):
    assert words in repr(predict("How much faster?", guess, unit="x").reveal(1.4))


def test_a_word_is_predicted_from_options():
    question = predict("What limits it?", options=["memory", "compute"])

    assert "(memory / compute)" in repr(question)
    assert 'data-options="memory|compute"' in question._repr_html_()
    assert 'data-value="memory|memory bound"' in question.reveal(Bottleneck.MEMORY)._repr_html_()
    with pytest.raises(ArgumentError, match="guess must be one of memory, compute; got 'both'"):
        predict("What limits it?", "both", options=["memory", "compute"])


def test_question_and_answer_find_each_other_on_the_page():
    question = predict("How many?")

    assert f'data-id="{question.ident}"' in question._repr_html_()
    assert f'data-for="{question.ident}"' in question.reveal(3)._repr_html_()
    assert question.ident == predict("How many?", 5).ident != predict("How few?").ident


def test_the_page_can_take_the_note_away_when_a_reader_commits():
    shown = predict("How many?", unit="x").reveal(1.5)._repr_html_()

    assert "The engine says 1.5x.<span" in shown
    assert 'class="mls-reveal-note"> You made no guess' in shown
    assert "mls-reveal-note" not in predict("How many?", 3)._repr_html_()


def test_progress_holds_the_last_verdict_on_each_exercise():
    """Wrong at first, then right: right. Blank: not answered yet."""
    one, two = (Exercise(name=f"Exercise {n} of progress", answer=lambda: 2) for n in (1, 2))
    for exercise, answer in ((one, 3), (two, None), (one, 2)):
        check(exercise, answer)
    mine = dict(progress().rows())
    assert mine["Exercise 1 of progress"] == "right"
    assert mine["Exercise 2 of progress"] == "not answered yet"
    assert progress().title == f"{progress().right} of {len(mine)} exercises right"
