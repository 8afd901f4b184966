"""`clusterd completion`: bash completes commands, options and files by it; zsh and fish where they are installed."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.completion import SHELLS
from tests.support.waiting import wait_until

COMMANDS = {
    *("demo", "config", "replay", "backfill", "dlq", "profile", "partitions", "history", "eval", "dashboards"),
    *("alerts", "completion"),
}


@pytest.fixture
def script(capsys, tmp_path):
    """Writes the script of a shell to a file, whose name it gives."""

    def write(shell: str) -> Path:
        assert main(["completion", shell]) == 0
        file = tmp_path / f"completion.{shell}"
        file.write_text(capsys.readouterr().out)
        return file

    return write


IN_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function_of_clusterd=$(complete -p clusterd | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function_of_clusterd"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(file: Path, *words: str) -> set[str]:
    """What bash would offer for the last of the words."""
    command = ["bash", "--norc", "-c", IN_BASH, "bash", str(file), "clusterd", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=file.parent)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_their_options_and_files(script):
    file = script("bash")
    (file.parent / "jobs.jsonl").touch()
    assert in_bash(file, "") >= COMMANDS
    assert in_bash(file, "da") == {"dashboards"}
    assert in_bash(file, "dlq", "re") == {"replay"}
    assert in_bash(file, "dlq", "list", "--reas") == {"--reason"}
    assert in_bash(file, "completion", "") >= set(SHELLS)
    assert in_bash(file, "replay", "jo") == {"jobs.jsonl"}
    assert in_bash(file, "replay", "--report", "jo") == {"jobs.jsonl"}
    assert in_bash(file, "--config", "jo") == {"jobs.jsonl"}


def test_another_shell_is_wrong_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "tcsh"])
    assert "choose from" in capsys.readouterr().err


def test_a_file_that_may_be_named_again_is_appended():
    program = "from sploot_clusterd.arguments import parsed; print([str(f) for f in parsed(None).report])"
    command = [sys.executable, "-c", program, "replay", "jobs.json", "--report", "a.json", "--report", "b.html"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['a.json', 'b.html']\n"


def test_no_other_command_imports_shtab():
    program = "import sys; from sploot_clusterd.arguments import parsed; parsed([]); print('shtab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


@pytest.mark.system
def test_fish_completes_commands_their_options_and_files(script):
    file = script("fish")
    (file.parent / "jobs.jsonl").touch()

    def offered(line: str) -> set[str]:
        command = ["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=file.parent)
        return {line.split("\t")[0] for line in done.stdout.splitlines()}

    assert offered("clusterd ") >= COMMANDS
    assert offered("clusterd da") == {"dashboards"}
    assert offered("clusterd dlq list --reas") == {"--reason"}
    assert offered("clusterd replay jo") == {"jobs.jsonl"}


@pytest.mark.system
@pytest.mark.parametrize(
    ("typed", "becomes"), [("da", "dashboards"), ("dlq rep", "replay"), ("replay jo", "jobs.jsonl")]
)
def test_zsh_completes_commands_and_files(script, typed, becomes):
    """A real zsh at a terminal: `_clusterd` lies where zsh looks for it, a line is typed, and Tab completes it."""
    functions = script("zsh").parent
    (functions / "completion.zsh").rename(functions / "_clusterd")
    (functions / "jobs.jsonl").touch()
    begin = "PS1='ready> '; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; clusterd() { echo ran: $@ }\n"
    terminal, of_zsh = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "HOME": str(functions)}
    with subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=of_zsh,
        stdout=of_zsh,
        stderr=of_zsh,
        cwd=functions,
        env=environment,
        start_new_session=True,
    ) as shell:
        os.close(of_zsh)
        os.set_blocking(terminal, False)
        shown = bytearray()

        def shows(text: str) -> bool:
            with contextlib.suppress(BlockingIOError):
                shown.extend(os.read(terminal, 65536))
            return text.encode() in shown

        try:
            wait_until(lambda: shows("% ") or shows("# "), what="a prompt")
            os.write(terminal, begin.encode())
            wait_until(lambda: shows("\nready> ") or shows("\rready> "), what="completion to be set up")
            os.write(terminal, f"clusterd {typed}\t".encode())
            *before, _ = typed.split()
            line = " ".join([*before, becomes])
            wait_until(lambda: shows(f"clusterd {line}"), what=f"{typed} to become {line}")
        finally:
            shell.kill()
            os.close(terminal)
