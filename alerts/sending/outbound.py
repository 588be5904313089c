"""HTTP to addresses that other people entered (webhooks, browser push): never to a machine that is none of theirs.

A name may resolve to a public address when it is checked and to a private one when it is used, so what is checked is
the connection itself, after it stands and before anything is sent. Redirects are not followed, proxies are not used.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from ioc.settings import Settings


class AddressRefusedError(Exception):
    """The address leads to a private network that ``IOC_OUTBOUND_NETWORKS`` does not name.

    No ``OSError``: the HTTP library would take it for a connection that failed, and try again.
    """


class _WithoutRedirects(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


def is_allowed(address: str, port: int, settings: Settings) -> bool:
    """Whether a connection to this address may be used: public ones, those of ``IOC_OUTBOUND_NETWORKS``, the sandbox.

    Args:
        address: IPv4 or IPv6 address of the other side.
        port: Its port.
        settings: Settings of the stack.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if settings.with_sandbox and found.is_loopback and port == settings.port_sandbox_http:
        return True
    networks = [ipaddress.ip_network(one, strict=False) for one in settings.outbound_networks.split()]
    return (found.is_global and not found.is_multicast) or any(found in network for network in networks)


def session(settings: Settings) -> requests.Session:
    """A session whose every connection is checked.

    Its requests raise :class:`AddressRefusedError` for an address that may not be reached.
    """

    def checked(sock: socket.socket) -> socket.socket:
        address, port = sock.getpeername()[:2]
        if not is_allowed(address, port, settings):
            sock.close()
            raise AddressRefusedError("this address may not be reached from here")
        return sock

    class Http(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return checked(super()._new_conn())

    class Https(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return checked(super()._new_conn())

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

    made = _WithoutRedirects()
    made.trust_env = False
    for scheme in ("http://", "https://"):
        made.mount(scheme, Adapter())
    return made
