"""`man clusterd`, made from the command line's parser: docs/man/clusterd.1, which the wheel installs.

argparse-manpage makes one too, but repeats the options of every command with each of them and leaves the examples of
commands out.
"""

import argparse
import textwrap
from collections.abc import Iterator

from sploot_clusterd import __version__
from sploot_clusterd.arguments import command_line

_WIDTH = 70
_AFTER_COMMANDS = """\
.SH EXIT STATUS
.TP
0
fine
.TP
1
unhealthy, failed or interrupted; what was done so far is said
.TP
2
wrong usage or configuration
.SH ENVIRONMENT
.TP
.B CLUSTERD_CONFIG
the configuration file, where
.B \\-\\-config
does not name one.
.PP
Most settings have a variable of their own;
.B clusterd config
prints which setting came from where.
.SH FILES
.TP
.I /etc/sploot\\-clusterd/config.toml
settings, where no other file is named
.TP
.I ./clusterd\\-data
what
.B \\-\\-embedded
keeps, if not told otherwise
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
stop: what is in hand is finished first.
A second one ends the daemon at once, and no job is lost by it.
.TP
.B SIGHUP
read tokens and log level again
"""


def manual() -> str:
    """The page, in the macros of man(7)."""
    parser = command_line()
    shared = {option for action in parser._actions for option in action.option_strings} & _options_of_all(parser)
    lines = [
        f'.TH CLUSTERD 1 "" "clusterd {__version__}" "User Commands"',
        ".nh\n.ad l",
        ".SH NAME",
        f"clusterd \\- {_escaped(str(parser.description))}",
        ".SH SYNOPSIS",
        f".B clusterd\n{_escaped('[options]')}",
        ".br",
        f".B clusterd\n{_escaped('[options] COMMAND ...')}",
        ".SH DESCRIPTION",
        *_wrapped("Without a command it runs the daemon, as configured."),
        *_examples(parser),
        ".SH OPTIONS",
        *_wrapped("--config and --url may stand before and after a command."),
        *_arguments(parser, frozenset({"-h"})),
        ".SH COMMANDS",
    ]
    for command in _commands(parser):
        lines += _section(command, frozenset(shared))
    return "\n".join(lines) + "\n" + _AFTER_COMMANDS


def _options_of_all(parser: argparse.ArgumentParser) -> set[str]:
    """The options that every command takes."""
    each = [{option for action in found._actions for option in action.option_strings} for found in _commands(parser)]
    return set.intersection(*each)


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command below this one, each before its own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from _commands(command)


def _section(command: argparse.ArgumentParser, shared: frozenset[str]) -> Iterator[str]:
    """`command` with what it takes, but for the options of every command."""
    own = [action for action in command._actions if not shared & {*action.option_strings}]
    words = [command.prog]
    words += ["[options]"] * any(action.option_strings for action in own)
    words += [_placed(action) for action in own if not action.option_strings]
    yield f'.SS "{_escaped(" ".join(words))}"'
    about = str(command.description)
    yield from _wrapped(about[0].upper() + about[1:] + ".")
    yield from _arguments(command, shared)
    yield from _examples(command)


def _placed(action: argparse.Action) -> str:
    """A positional argument as a synopsis has it."""
    name = str(action.metavar or action.dest)
    if isinstance(action, argparse._SubParsersAction):
        return f"{name} ..."
    return {"?": f"[{name}]", "*": f"[{name} ...]", None: name}[action.nargs]


def _arguments(command: argparse.ArgumentParser, left_out: frozenset[str]) -> Iterator[str]:
    for action in command._actions:
        if left_out & {*action.option_strings} or isinstance(action, argparse._SubParsersAction):
            continue
        yield ".TP"
        yield _name(action)
        yield from _wrapped((action.help or "see the examples") % vars(action))


def _name(action: argparse.Action) -> str:
    """Options in bold, what is to be filled in in italics."""
    if action.nargs == 0:
        value = ""
    elif action.choices:
        value = "|".join(map(str, action.choices)) if action.option_strings and not action.metavar else action.metavar
    else:
        value = str(action.metavar or action.dest.upper())
    value = f"[{value}]" if action.nargs == "?" else value
    options = ", ".join(f"\\fB{_escaped(option)}\\fR" for option in action.option_strings)
    return " ".join(part for part in (options, f"\\fI{_escaped(value)}\\fR" if value else "") if part)


def _examples(command: argparse.ArgumentParser) -> Iterator[str]:
    """The epilog as it stands: the examples, and the environment where there is one."""
    yield from (".PP", ".EX")
    yield from (_line(line) for line in str(command.epilog).rstrip().splitlines())
    yield ".EE"


def _wrapped(text: str) -> Iterator[str]:
    yield from map(_line, textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _line(text: str) -> str:
    """One of text: a dot or quote at its start would be a macro."""
    escaped = _escaped(text)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq").replace("'", r"\(aq")
