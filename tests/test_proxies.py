"""Which proxy is on the way to an address, from the variables in all the ways in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.address import is_loopback
from llmterm.errors import ConfigError
from llmterm.transport import Proxies

PROXY = "http://proxy.example:3128"
EVERYTHING = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}
HOSTS = st.one_of(
    st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,8}){1,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)


def on_the_way(url: str, environ: Mapping[str, str]) -> str:
    proxy = Proxies.of(environ).proxy(url)
    return proxy.address if proxy else ""


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "api.localhost",
        "127.0.0.1",
        "127.8.9.10",
        "127.1",
        "0x7f000001",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
    ],
)
@pytest.mark.parametrize("no_proxy", ["", "example.org", "!nonsense/99 ,,"])
def test_this_machine_is_never_proxied(host: str, no_proxy: str) -> None:
    for scheme in ("http", "https"):
        assert on_the_way(f"{scheme}://{host}:8080/v1", {**EVERYTHING, "NO_PROXY": no_proxy}) == ""


@given(st.integers(0, 2**24 - 1), st.booleans())
def test_all_of_loopback_is_never_proxied(number: int, mapped: bool) -> None:
    address = IPv4Address((127 << 24) + number)
    host = f"[::ffff:{address}]" if mapped else str(address)

    assert is_loopback(host)
    assert on_the_way(f"http://{host}/", EVERYTHING) == ""


@pytest.mark.parametrize(
    "host", ["127.0.0.1.example.org", "localhost.example.org", "notlocalhost", "128.0.0.1", "[::2]", "127.example.org"]
)
def test_what_only_looks_like_this_machine_is_proxied(host: str) -> None:
    assert not is_loopback(host)
    assert on_the_way(f"http://{host}/", EVERYTHING) == PROXY


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, "", ""),
        ({"HTTP_PROXY": PROXY}, PROXY, ""),
        ({"https_proxy": PROXY}, "", PROXY),
        ({"ALL_PROXY": PROXY}, PROXY, PROXY),
        ({"all_proxy": "socks://proxy.example:1080/"}, "socks5://proxy.example:1080", "socks5://proxy.example:1080"),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "b:2"}, "http://a:1", "http://b:2"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://b:2"}, "http://b:2", ""),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": ""}, "", ""),
        ({"HTTP_PROXY": " \t"}, "", ""),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "", ""),
        ({"HTTP_PROXY": "http://user:pa%40ss@[2001:db8::1]:3128"}, "http://[2001:db8::1]:3128", ""),
        ({"HTTP_PROXY": "SOCKS5H://proxy.example"}, "socks5h://proxy.example", ""),
    ],
)
def test_variables_say_which_proxy(environ: Mapping[str, str], http: str, https: str) -> None:
    assert on_the_way("http://models.example/v1", environ) == http
    assert on_the_way("https://models.example/v1", environ) == https


@pytest.mark.parametrize(
    ("no_proxy", "excluded", "others"),
    [
        ("example.org", ["example.org", "api.example.org", "API.Example.ORG", "example.org."], ["anexample.org"]),
        (".example.org", ["example.org", "api.example.org"], ["anexample.org"]),
        ("*.example.org", ["api.example.org"], ["anexample.org"]),
        ("a.example, b.example", ["a.example", "b.example"], ["c.example"]),
        ("a.example b.example\tc.example", ["a.example", "b.example", "c.example"], ["d.example"]),
        (" , a.example ,, ", ["a.example"], ["b.example"]),
        ("*", ["a.example", "10.0.0.1"], []),
        ("a.example, *", ["b.example"], []),
        ("10.0.0.0/8", ["10.0.0.1", "10.255.0.1"], ["11.0.0.1", "a.example"]),
        ("10.1.2.3/8", ["10.9.9.9"], ["11.0.0.1"]),
        ("10.0.0.0/255.0.0.0", ["10.9.9.9"], ["11.0.0.1"]),
        ("2001:db8::/32", ["[2001:db8::1]"], ["[2001:db9::1]", "32.1.13.184"]),
        ("[2001:db8::1]", ["[2001:db8::1]"], ["[2001:db8::2]"]),
        ("192.0.2.1", ["192.0.2.1", "[::ffff:192.0.2.1]"], ["192.0.2.10"]),
        ("a.example:8080", ["a.example:8080"], ["a.example", "a.example:80"]),
        ("[2001:db8::1]:80", ["[2001:db8::1]"], ["[2001:db8::1]:81"]),
        ("http://a.example", ["a.example"], ["b.example"]),
        ("10.0.0.0/99, [, ::/x, a.example", ["a.example"], ["10.0.0.1"]),
    ],
)
def test_exceptions_are_names_addresses_and_networks(no_proxy: str, excluded: list[str], others: list[str]) -> None:
    environ = {**EVERYTHING, "NO_PROXY": no_proxy}

    assert [host for host in excluded if on_the_way(f"http://{host}/v1", environ)] == []
    assert [host for host in others if not on_the_way(f"http://{host}/v1", environ)] == []


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(0, 128))
def test_an_address_is_excluded_by_every_network_around_it(address: IPv4Address | IPv6Address, length: int) -> None:
    network = ip_network((address, min(length, address.max_prefixlen)), strict=False)
    host = f"[{address}]" if address.version == 6 else str(address)

    assert on_the_way(f"https://{host}/", {**EVERYTHING, "no_proxy": f"a.example, {network}"}) == ""


@given(HOSTS, st.text(max_size=30), st.text(max_size=30))
def test_no_variable_is_an_error_where_no_proxy_is_needed(host: str, value: str, no_proxy: str) -> None:
    """Whatever is in it; and where one is needed, it is an error of ours at most."""
    environ = {"HTTP_PROXY": value, "ALL_PROXY": value, "NO_PROXY": no_proxy}
    proxies = Proxies.of(environ)

    assert proxies.proxy("http://localhost:8080/v1") is None
    with suppress(ConfigError):
        proxies.proxy(f"http://{host}/v1")


@pytest.mark.parametrize(
    "value",
    [
        "http://user:se#cret@proxy:80",
        "http://user:secret@",
        "http://u:secret@p:99999",
        "http://[::secret",
        "secret://x",
        "socks4://127.0.0.1:1",
        "http://[",
        "::",
    ],
)
def test_a_proxy_that_is_none_is_named_by_its_variable(value: str) -> None:
    """A slip may have put the password anywhere: the value is not shown."""
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        Proxies.of({"HTTPS_PROXY": value}).proxy("https://models.example/")

    assert "NO_PROXY" in caught.value.hint
    assert "secret@" not in str(caught.value)
    assert "se#cret" not in str(caught.value)


def test_password_of_a_proxy_is_not_shown() -> None:
    proxies = Proxies.of({"ALL_PROXY": "http://user:pa%40ss-word@proxy.example:3128"})
    proxy = proxies.proxy("https://models.example/")

    assert proxy is not None
    assert (proxy.user, proxy.password) == ("user", "pa@ss-word")
    assert "ss-word" not in repr(proxy) + repr(proxies) + repr(proxies.all())
