"""The command line's entry: mistakes are one line, exit codes are numbered, Ctrl-C is 130."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click

import deploy.cli as cli
from deploy.cli.reference import pages
from shared import errors

ROOT = Path(__file__).resolve().parents[2]


def run_with(monkeypatch: pytest.MonkeyPatch, raised: BaseException) -> int:
    """Run the command line with a command that raises this; return its exit code."""

    @click.command("doctor")
    def failing() -> None:
        raise raised

    monkeypatch.setattr(cli, "load", lambda name: failing)
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor"])
    assert isinstance(caught.value.code, int)
    return caught.value.code


ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.InkfleetError)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_a_mistake_is_one_line_and_its_exit_code(
    kind: type[errors.InkfleetError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every error of ours ends a command with its own code and one line on stderr."""
    assert run_with(monkeypatch, kind("the file\nis broken")) == kind.exit_code
    assert capsys.readouterr().err == "inkfleet: the file is broken\n"


def test_every_exit_code_is_explained() -> None:
    """Each code stands in the reference beside the name of its error."""
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    for kind in ERRORS:
        line = next(line for line in page.splitlines() if line.startswith(f"| {kind.exit_code} |"))
        assert f"`{kind.__name__}`" in line


def test_exit_codes_are_told_apart() -> None:
    """No two errors share a code, but for one that is a kind of another."""
    apart = [kind for kind in ERRORS if kind is errors.InkfleetError or kind.__base__ is errors.InkfleetError]
    assert len({kind.exit_code for kind in apart}) == len(apart)


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system that nobody caught names its file, and is no traceback."""
    assert run_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/data/x")) == 7
    assert capsys.readouterr().err == "inkfleet: /data/x: No space left on device\n"


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C says so in one word."""
    assert run_with(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


@pytest.mark.parametrize("arguments", [["nosuch"], ["simulate", "--nosuch", "1"], ["doctor", "extra"]])
def test_a_usage_mistake_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command, option or argument is named, with where to read on."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.count("\n") == 1
    assert "--help" in said


def test_every_command_has_help_with_an_example() -> None:
    """``--help`` works for each command and shows how it is called."""

    def examine(command: click.Command, path: str) -> None:
        assert command.help, path
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                examine(inner, f"{path} {name}")
        else:
            assert "Example" in command.help, path

    for name in cli.COMMANDS:
        examine(cli.load(name), name)


def test_the_reference_is_what_the_commands_say() -> None:
    """docs/reference/cli.md is up to date; `make docs` writes it."""
    assert (ROOT / "docs/reference/cli.md").read_text() == pages()


def test_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    """The doctor trains a model and reports each check."""
    command = [sys.executable, "-m", "deploy", "doctor", "--folder", str(tmp_path), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    report = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert report["ok"] is True
    machine = {"Python", "machine", "training", "brokers", "memory", "disk", "camera", "display", "port"}
    assert machine == {finding["check"] for finding in report["findings"]}


def test_doctor_names_a_broker_that_is_absent(unused_port: int) -> None:
    """A broker that does not answer is a fault with its address, and the exit code says so."""
    url = f"mqtt://127.0.0.1:{unused_port}"
    command = [sys.executable, "-m", "deploy", "doctor", "--broker", url]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert run.returncode == errors.RunError.exit_code
    assert str(unused_port) in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_a_terminated_command_ends_like_an_interrupted_one() -> None:
    """SIGTERM takes the same way out as Ctrl-C."""
    code = "import os, signal, deploy.cli as c, rich_click as k\n"
    code += "@k.command('doctor')\ndef f(): print('up', flush=True); signal.pause()\n"
    code += "c.load = lambda n: f\nc.main(['doctor'])\n"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    os.kill(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=400)
    assert (process.returncode, said.strip()) == (130, "interrupted")


def test_ctrl_c_while_the_command_is_loaded_is_no_traceback() -> None:
    """Importing takes a moment; Ctrl-C in it ends the process by the signal, and says nothing."""
    code = """
import os, signal, sys, deploy.__main__
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == "deploy.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed())
deploy.__main__.main()
"""
    run = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, check=False, timeout=400)
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, b"", b"")
