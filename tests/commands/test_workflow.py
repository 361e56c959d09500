"""The workflow of ``docs/ci``: its script runs in a repository, and its pieces exist."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "docs" / "ci" / "mlsysim-compare.yml").read_text("utf-8"))
STEPS = WORKFLOW["jobs"]["compare"]["steps"]
(COMPARE,) = (step["run"] for step in STEPS if step.get("name") == "Compare")

SCENARIO = "model.name = 'Llama3_8B'\nhardware.name = 'A100'\n"

needs_tools = pytest.mark.skipif(not (shutil.which("git") and shutil.which("bash")), reason="no git or bash")


def test_it_installs_by_a_variable_and_uses_standard_actions():
    uses = [step["uses"] for step in STEPS if "uses" in step]

    assert [use.partition("@")[0] for use in uses] == ["actions/checkout", "actions/setup-python"]
    assert WORKFLOW["env"]["MLSYSIM_WHEEL"] == "${{ vars.MLSYSIM_WHEEL }}"
    assert 'pip install "$MLSYSIM_WHEEL"' in "".join(step.get("run", "") for step in STEPS)


@pytest.fixture
def propose(tmp_path):
    """A repository whose branch changes scenarios; run the workflow's script there."""
    home = tmp_path / "repository"
    (home / "scenarios").mkdir(parents=True)
    shim = tmp_path / "bin" / "mlsysim"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m mlsysim "$@"\n', "utf-8")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    summary = tmp_path / "summary.md"
    env = {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(summary),
        "SCENARIOS": WORKFLOW["env"]["SCENARIOS"],
        "FAIL_IF": WORKFLOW["env"]["FAIL_IF"],
        "PYTHONIOENCODING": "utf-8",
    }

    def git(*words):
        subprocess.run([shutil.which("git"), *words], cwd=home, env=env, check=True, capture_output=True)

    def commit(files, message):
        for name, text in files.items():
            (home / "scenarios" / name).write_text(text, "utf-8")
        git("add", "--all")
        git("commit", "--message", message)

    def ran(base, proposal):
        git("init", "--initial-branch", "main")
        commit(base, "base")
        git("update-ref", "refs/remotes/origin/main", "HEAD")
        commit(proposal, "proposal")
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", COMPARE]
        done = subprocess.run(words, cwd=home, env=env, capture_output=True, text=True, check=False)
        return done.returncode, summary.read_text("utf-8") if summary.exists() else done.stderr

    return ran


@needs_tools
def test_a_faster_proposal_passes_with_a_report(propose):
    code, report = propose({"a.toml": SCENARIO}, {"a.toml": SCENARIO.replace("A100", "H100")})

    assert code == 0, report
    assert report.startswith("### Llama-3.1-8B on NVIDIA H100")
    assert "- Speed-up: 1.39x" in report


@needs_tools
def test_a_slower_proposal_fails_with_a_report(propose):
    slower = {"a.toml": SCENARIO.replace("A100", "A30"), "b.toml": SCENARIO.replace("A100", "H100")}
    code, report = propose({"a.toml": SCENARIO, "b.toml": SCENARIO}, slower)

    assert code == 3, report
    assert report.count("### Llama-3.1-8B on") == 2
    assert "mlsysim: --fail-if 'latency > 1.1x': latency is" in report


@needs_tools
def test_a_new_scenario_has_nothing_to_compare_with(propose):
    code, report = propose({"a.toml": SCENARIO}, {"b.toml": SCENARIO})

    assert code == 0, report
    assert "### scenarios/b.toml\n\nNew: there is nothing to compare it with." in report


@needs_tools
def test_a_scenario_that_cannot_be_read_fails_and_says_why(propose):
    code, report = propose({"a.toml": SCENARIO}, {"a.toml": SCENARIO.replace("A100", "A1000")})

    assert code == 2, report
    assert "Hardware has no 'A1000'" in report
