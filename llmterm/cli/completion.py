"""`llmterm completion`, and what the shells ask when TAB is pressed.

A script calls the program with the line up to the cursor in `_LLMTERM_LINE`, and gets a line for each word that could
stand there: the whole word, a tab, what it means. All shells ask the same way, and nothing of an answer is ever
evaluated by one: titles and names are not ours. Whatever goes wrong while completing, nothing is said.

Options complete by the name of their parameter, which means the same in every command.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import typer

from llmterm import config
from llmterm.assembly import completing
from llmterm.messages import Effort, Verbosity

# What a word of a shell's line may be without quotes; others are not offered.
_PLAIN = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)
_HELP_LENGTH = 60

Word: TypeAlias = tuple[str, str]
Given: TypeAlias = Mapping[str, str]

_BASH = """\
_llmterm_completion() {
    local word meaning whole prefix
    local -a shown
    COMPREPLY=()
    # Bash cuts words at : and =, and wants only the last part of one.
    whole=${COMP_LINE:0:COMP_POINT}
    whole=${whole##*[[:space:]]}
    prefix=${whole%"$2"}
    while IFS=$'\\t' read -r word meaning; do
        case $word in
            "$prefix"*)
                COMPREPLY+=("${word#"$prefix"}")
                shown+=("${word#"$prefix"}${meaning:+  ($meaning)}")
                ;;
        esac
    done < <(_LLMTERM_LINE="${COMP_LINE:0:COMP_POINT}" "$1" 2>/dev/null)
    # 63 is "?": a list of several, from which nothing is put into the line.
    if ((COMP_TYPE == 63 && ${#COMPREPLY[@]} > 1)); then COMPREPLY=("${shown[@]}"); fi
}
complete -o default -F _llmterm_completion llmterm
"""

_ZSH = """\
#compdef llmterm
_llmterm() {
    local word meaning
    local -a words_found shown
    while IFS=$'\\t' read -r word meaning; do
        words_found+=("$word")
        shown+=("$word${meaning:+  -- $meaning}")
    done < <(_LLMTERM_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" "${words[1]}" 2>/dev/null)
    if (( $#words_found )); then
        compadd -V llmterm -l -d shown -a words_found
    else
        _files
    fi
}
# Read as a file of a function path it is the function; evaluated, it defines one.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _llmterm "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _llmterm llmterm
fi
"""

_FISH = """\
function __llmterm_completion
    set -l line (commandline -cp | string collect)
    set -l found (env _LLMTERM_LINE="$line" llmterm 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c llmterm -k -f -a '(__llmterm_completion)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Whose script.")],
) -> None:
    """Print a script that completes commands, providers, models, roles and sessions with TAB.

    For bash, in ~/.bashrc: eval "$(llmterm completion bash)". For zsh, in ~/.zshrc: eval "$(llmterm completion zsh)".
    For fish, in ~/.config/fish/config.fish: llmterm completion fish | source
    """
    typer.echo(_SCRIPTS[shell], nl=False)


def answer(app: typer.Typer, line: str, implied: Callable[[str], bool]) -> None:
    """Print what the last word of `line` may become; `implied` tells of a first word that names none."""
    # Neither an error nor a warning may get between a user and the line that is being typed.
    with suppress(Exception):
        root = typer.main.get_command(app)
        _, *words, typed = split(line)
        found = candidates(root, words, typed, os.environ)
        if implied((words or [typed])[0]):
            chat, ask = (candidates(root, [name, *words], typed, os.environ) for name in ("chat", "ask"))
            found = [*chat, *(each for each in ask if each not in chat), *(found if not words else [])]
        lines = [f"{word}\t{_one_line(meaning)}\n" for word, meaning in found if _PLAIN.fullmatch(word)]
        sys.stdout.write("".join(dict.fromkeys(lines)))
        sys.stdout.flush()


def split(line: str) -> list[str]:
    """Return the words of a line that is being typed as a shell would; the last, maybe empty, is not finished."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(iter(lexer.get_token, None))
    except ValueError:  # a quote that is still open
        return [*words, lexer.token]
    return [*words, ""] if not line or line[-1].isspace() else words


def candidates(root: Any, words: Sequence[str], typed: str, environ: Mapping[str, str]) -> list[Word]:
    """Return what `typed` may become after `words`: whole words, each with what it means."""
    command, given, waiting, place = _walk(root, words)
    if waiting is None and typed.startswith("-") and "=" in typed:
        name, _, begun = typed.partition("=")
        option = _option(command, name)
        if option is None or option.is_flag:
            return []
        return [(f"{name}={value}", meaning) for value, meaning in _values(option, begun, given, environ)]
    if waiting is None and typed.startswith("-"):
        return [(name, meaning) for name, meaning in _option_names(command, given) if name.startswith(typed)]
    if waiting is None and _commands(command):
        return [
            (name, each.get_short_help_str(_HELP_LENGTH))
            for name, each in _commands(command).items()
            if name.startswith(typed) and not each.hidden and not place
        ]
    if waiting is None:
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        waiting = arguments[place] if place < len(arguments) else None
    return _values(waiting, typed, given, environ) if waiting is not None else []


def _walk(root: Any, words: Iterable[str]) -> tuple[Any, dict[str, str], Any, int]:
    """Follow the words; return the command, its options so far, the option without a value, and the arguments' count.

    Nothing is parsed by the commands themselves: that would run what an option like --version does.
    """
    command, waiting, place = root, None, 0
    given: dict[str, str] = {}
    for word in words:
        if waiting is not None:
            given[waiting.name], waiting = word, None
        elif word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            option = _option(command, name)
            if option is None:
                continue
            given[option.name] = value
            waiting = None if equals or option.is_flag else option
        elif word in _commands(command):
            command, given, place = _commands(command)[word], {}, 0
        else:
            place += 1
    return command, given, waiting, place


def _values(parameter: Any, typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    """Return what a parameter may be, as far as that is known."""
    found = _VALUES.get(parameter.name)
    words = found(typed, given, environ) if found else _choices(parameter)
    return [(value, meaning) for value, meaning in words if value.startswith(typed)]


def _choices(parameter: Any) -> list[Word]:
    """Return the words of a closed set: of the parameter's own, else of the setting that has its name."""
    if own := getattr(parameter.type, "choices", ()):
        return [(str(choice), "") for choice in own]
    setting = get_type_hints(config.ChatSettings).get(parameter.name)
    return [(choice, "") for choice in get_args(setting)] if get_origin(setting) is Literal else []


def _providers(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    settings = completing.settings_or_default(environ)
    names = completing.provider_names(settings)
    head, slash, _ = typed.partition("/")
    if slash and head in dict(names):
        return [(f"{head}/{model}", "") for model in completing.model_names(head, settings, environ)]
    return names


def _themes(_typed: str, _given: Given, environ: Mapping[str, str]) -> list[Word]:
    return [(name, "") for name in completing.settings_or_default(environ).theme_names]


def _models(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    settings = completing.settings_or_default(environ)
    provider = given.get("provider", "").partition("/")[0]
    return [(name, "") for name in completing.model_names(provider, settings, environ)]


def _roles(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    return completing.role_names(environ)


def _sessions(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    return completing.session_titles(environ)


def _forms(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    return [("json", "stable, for programs"), ("markdown", "to read")]


def _efforts(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    return [(each, "") for each in get_args(Effort)]


def _verbosities(typed: str, given: Given, environ: Mapping[str, str]) -> list[Word]:
    return [(each, "") for each in get_args(Verbosity)]


_VALUES: Mapping[str, Callable[[str, Given, Mapping[str, str]], list[Word]]] = {
    "provider": _providers,
    "model": _models,
    "models": _providers,
    "role": _roles,
    "session": _sessions,
    "format": _forms,
    "theme": _themes,
    "effort": _efforts,
    "verbosity": _verbosities,
}


def _commands(command: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(command, "commands", {})
    return found


def _options(command: Any) -> Iterator[Any]:
    return (each for each in command.params if each.param_type_name == "option" and not each.hidden)


def _option_names(command: Any, given: Given) -> Iterator[Word]:
    """Yield the long names of the options that can be given, once more or for the first time."""
    for each in _options(command):
        if each.multiple or each.name not in given:
            yield from ((name, each.help or "") for name in (*each.opts, *each.secondary_opts) if name[:2] == "--")
    yield "--help", "Say what there is."


def _option(command: Any, name: str) -> Any:
    return next((each for each in _options(command) if name in (*each.opts, *each.secondary_opts)), None)


def _one_line(text: str) -> str:
    """Return text from elsewhere as a short line without anything that a terminal acts on."""
    from llmterm.render.sanitize import clean

    line = " ".join(clean(text).split())
    return line if len(line) <= _HELP_LENGTH else f"{line[: _HELP_LENGTH - 1]}…"
