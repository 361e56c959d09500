import threading
import urllib.request

import nbformat
import pytest

from sitebuild import __main__ as command

CELLS = "---\ntitle: P\n---\n\nText.\n\n```{python}\nprint(6 * 7)\n```\n"


@pytest.fixture
def root(project, monkeypatch):
    path = project({"index.qmd": "---\ntitle: Home\n---\nx", "t/01_p.qmd": CELLS, "lib/m.py": "a = 1"})
    monkeypatch.chdir(path)
    return path


def test_build(root, capsys):
    assert command.main(["build", "--jobs", "1", "--salt-tree", "lib"]) == 0
    out = capsys.readouterr().out
    assert "[2/2]" in out
    assert out.endswith("2 pages in _site\n")
    assert (root / "_site/t/01_p.html").is_file()
    assert list((root / ".cache/sitebuild").glob("*.json"))


def test_build_that_fails(root, capsys):
    (root / "index.qmd").write_text("[a](gone.qmd)")
    assert command.main(["build", "--no-cache"]) == 1
    error = capsys.readouterr().err
    assert error.splitlines() == [
        "error: index.qmd:1: broken link gone.qmd: no such page is rendered",
        "1 error",
        "not built; _site is as it was",
    ]


def test_strict_is_an_option_of_build(root):
    (root / "index.qmd").write_text("@nobody")
    assert command.main(["build", "--no-cache"]) == 0
    assert command.main(["build", "--no-cache", "--strict"]) == 1


def test_build_elsewhere_without_a_project(tmp_path, capsys):
    assert command.main(["build", str(tmp_path / "none")]) == 1
    assert "_quarto.yml: no such file; name the directory of the website" in capsys.readouterr().err


@pytest.mark.usefixtures("root")
def test_a_tree_to_hash_must_exist(capsys):
    assert command.main(["build", "--salt-tree", "gone"]) == 1
    assert "gone: no such file or directory to hash" in capsys.readouterr().err


@pytest.mark.parametrize("pages", [["t/01_p.qmd"], ["t/*.qmd"], []])
def test_bless_writes_notebooks_with_outputs(root, pages, capsys):
    assert command.main(["bless", *pages, "--out", "refs"]) == 0
    notebook = nbformat.read(root / "refs/01_p.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cell.outputs[0].text == "42\n"
    assert [path.name for path in (root / "refs").iterdir()] == ["01_p.ipynb"]
    assert "t/01_p.qmd  " in capsys.readouterr().out


@pytest.mark.usefixtures("root")
def test_bless_never_trusts_the_cache(capsys):
    command.main(["build"])
    assert command.main(["bless", "--out", "refs"]) == 0
    assert "cached" not in capsys.readouterr().out.splitlines()[-1]


def test_notebooks_for_readers_have_no_outputs(root):
    assert command.main(["notebooks", "t/01_p.qmd", "--out", "mine"]) == 0
    notebook = nbformat.read(root / "mine/01_p.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.usefixtures("root")
def test_a_page_that_is_not_of_this_website(capsys):
    assert command.main(["bless", "gone.qmd"]) == 1
    assert "gone.qmd: no such page of this website" in capsys.readouterr().err


def test_two_pages_of_one_name_would_be_one_notebook(root, capsys):
    (root / "u").mkdir()
    (root / "u/01_p.qmd").write_text(CELLS)
    assert command.main(["notebooks", "--out", "mine"]) == 1
    assert "t/01_p.qmd has the notebook 01_p.ipynb already" in capsys.readouterr().err


def test_a_cell_that_fails_is_told_and_no_notebook_is_written(root, capsys):
    (root / "t/01_p.qmd").write_text(CELLS.replace("6 * 7", "6 / 0"))
    assert command.main(["bless", "--out", "refs"]) == 1
    assert "t/01_p.qmd:8: cell 1 raised ZeroDivisionError" in capsys.readouterr().err
    assert not (root / "refs").exists()


@pytest.mark.usefixtures("root")
def test_serve_shows_the_site_to_this_machine_alone(monkeypatch, capsys):
    assert command.main(["serve"]) == 1
    assert "there is no website yet; run: python -m sitebuild build" in capsys.readouterr().err
    command.main(["build"])
    servers = []
    original = command.http.server.ThreadingHTTPServer

    class Recorded(original):
        def __init__(self, address, handler):
            super().__init__(address, handler)
            servers.append(self)

        def serve_forever(self, poll_interval=0.05):
            host, port = self.server_address
            assert host == "127.0.0.1"
            threading.Thread(target=super().serve_forever, args=(poll_interval,), daemon=True).start()
            with urllib.request.urlopen(f"http://{host}:{port}/index.html") as answer:
                assert b"Home" in answer.read()
            self.shutdown()
            raise KeyboardInterrupt

    monkeypatch.setattr(command.http.server, "ThreadingHTTPServer", Recorded)
    assert command.main(["serve", "--port", "0"]) == 0
    assert servers
