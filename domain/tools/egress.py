"""Which machines a tool may reach. Resolves a name once, so that what was checked is what is called."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class EgressRefused(Exception):
    """The target is not on the public internet."""


async def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """An address of this host that may be called.

    Raises EgressRefused when every address is private, loopback, link-local or otherwise not public;
    OSError when the name is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if allow_private or _is_public(ipaddress.ip_address(str(address[0]).partition("%")[0])):
            return str(address[0])
    raise EgressRefused(f"{host} is not a public address.")


def _is_public(address: IPAddress) -> bool:
    return all(
        each.is_global and not each.is_multicast and not each.is_reserved and not each.is_unspecified
        for each in _meanings(address)
    )


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _meanings(address: IPAddress) -> Iterator[IPAddress]:
    """The address, or the IPv4 address that it wraps: a wrapped private address is as private."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
