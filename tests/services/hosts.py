"""A second host on this machine: a network namespace with its own name, joined by a cable that can be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """Another host.

    Args:
        name: of the host and of its namespace.
        cable: the end of the cable that is on this side.
        here: the address of this side, as the other host sees it.
    """

    name: str
    cable: str
    here: str

    def command(self, *command: str) -> list[str]:
        """A command as it is run there."""
        named = f'hostname {self.name} && exec "$@"'
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", named, "sh", *command]

    def cut(self) -> None:
        """Pull the cable: what was sent is lost, and neither side is told."""
        _ip("link", "set", self.cable, "down")

    def join(self) -> None:
        """Plug the cable in again."""
        _ip("link", "set", self.cable, "up")


def why_none() -> str:
    """Why there can be no second host; empty where there can be one."""
    if shutil.which("ip") is None:
        return "there is no command ip; install iproute2"
    name = f"nnlab-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces need root: {made.stderr.strip()}"
    _ip("netns", "delete", name)
    return ""


@contextmanager
def second_host() -> Iterator[Host]:
    """Make a host with a cable to this one, and remove both at the end."""
    number = os.getpid() % 16_000
    net, cable = f"10.{213 + number // 8_000}.{number // 32 % 250}", f"nnl{number}a"
    start = number % 32 * 8
    here, there = f"{net}.{start + 1}", f"{net}.{start + 2}"
    host = Host(f"nnlab-far-{number}", cable, here)
    far = ("-n", host.name)
    _ip("netns", "add", host.name)
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", host.name)
        _ip("address", "add", f"{here}/30", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip(*far, "address", "add", f"{there}/30", "dev", "cable")
        _ip(*far, "link", "set", "cable", "up")
        _ip(*far, "link", "set", "lo", "up")
        yield host
    finally:
        _ip("netns", "delete", host.name)  # the cable goes with it


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=20)
