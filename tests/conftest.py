"""What holds for every test: nothing reaches beyond this machine, and hypothesis does not race the clock."""

from __future__ import annotations

import gc
import os
import sys
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "llmterm",
    deadline=None,
    # Each run tries others.
    max_examples=int(os.environ.get("LLMTERM_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("llmterm")


# What needs a pseudo-terminal, or signals as POSIX has them.
collect_ignore = (
    [
        "test_chat_commands.py",
        "test_chat_hotkey.py",
        "test_chat_killed.py",
        "test_chat_local.py",
        "test_chat_pausing.py",
        "test_chat_prompt.py",
        "test_chat_reflow.py",
        "test_chat_resilience.py",
        "test_chat_terminal.py",
        "test_clipboard.py",
        "test_compare.py",
        "test_comparison.py",
        "test_completion.py",
        "test_doctor.py",
        "test_examples.py",
        "test_keys_terminal.py",
    ]
    if sys.platform == "win32"
    else []
)


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and address and isinstance(address[0], str) and not _is_loopback(address[0]):
        raise RuntimeError(f"a test tried to reach {address[0]}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


sys.addaudithook(_stay_on_this_machine)


def need(missing: str) -> None:
    """Skip the test for lack of something, or fail it where everything has to be there."""
    if os.environ.get("LLMTERM_TEST_ALL"):
        pytest.fail(f"this machine has no {missing}, and LLMTERM_TEST_ALL is set")
    pytest.skip(f"needs {missing}")


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a test has left open is complained of where it was left, and not by whichever test comes to collect it."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, those of the embedded model and of the X server follow each other."""
    for item in items:
        for name in ("local", "x11"):
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.xdist_group(name))
