import pytest

from sitebuild.shortcodes import expand


def run(text, metadata=(), variables=()):
    told = []
    out = expand(text, metadata=dict(metadata), variables=dict(variables), warn=told.append)
    return out, told


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("{{< meta title >}}", "T"),
        ("{{<meta a.b>}}", "deep"),
        ("{{< meta list >}}", "x, y"),
        ("{{< var version >}}", "1.0"),
        ("{{< kbd Ctrl+K >}}", "<kbd>Ctrl+K</kbd>"),
        ("{{< pagebreak >}}", '<div class="pagebreak"></div>'),
        ("`{{< meta title >}}`", "`{{< meta title >}}`"),
        ("```\n{{< meta title >}}\n```", "```\n{{< meta title >}}\n```"),
        ("{{{< meta title >}}}", "{{< meta title >}}"),
    ],
)
def test_known_shortcodes(text, out):
    metadata = {"title": "T", "a": {"b": "deep"}, "list": ["x", "y"]}
    assert run(text, metadata, {"version": "1.0"}) == (out, [])


def test_a_film_of_the_site_is_shown_and_one_elsewhere_is_linked():
    assert (
        '<video controls preload="metadata" src="a.mp4" title="A film">'
        in run("{{< video a.mp4 title='A film' >}}")[0]
    )
    out, _ = run("{{< video https://example.org/v title=It's >}}")
    assert out == '<p class="video-link"><a href="https://example.org/v">Video: It&#x27;s</a></p>'
    assert "<video" not in out


def test_what_is_unknown_is_reported_and_left_out():
    assert run("a {{< lipsum 2 >}} b") == ("a  b", ["unknown shortcode {{< lipsum 2 >}}"])
    assert run("{{< meta none >}}") == ("", ["{{< meta none >}} names nothing"])
