"""Which addresses belong to the public Internet."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")
_NOT_GLOBAL: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, and the metadata of some clouds
    IPv6Network("::/96"),  # IPv4-compatible, long deprecated
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a local network
)
"""What older Pythons, or all, take for global addresses."""


def is_public(address: str) -> bool:
    """Return whether `address` is an address of the public Internet, also when it is wrapped in another one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(map(_is_global, _unwrapped(parsed)))


def is_literal(host: str) -> bool:
    """Return whether `host` is an address and no name."""
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_literally_private(host: str) -> bool:
    """Return whether `host` can be seen to be none of the public Internet, without asking anybody."""
    name = host.strip("[]").rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost") or (is_literal(name) and not is_public(name))


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_GLOBAL)


def _unwrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return the address that is meant: the IPv4 one inside mapped, NAT64, 6to4 and Teredo forms."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return [*address.teredo]
    return [address]
