"""Keepalives: the system ends a TCP connection whose other side is gone."""

import socket
from dataclasses import dataclass

#: The seconds after which the system ends a connection whose peer acknowledges nothing.
_PEER_SILENT_FOR = 60


@dataclass(frozen=True, slots=True)
class Keepalives:
    """The settings of a connection's socket. 0 stands for the system's own."""

    is_on: bool = True
    #: The seconds of silence before the first keepalive.
    idle: int = _PEER_SILENT_FOR // 2
    #: The seconds between two keepalives.
    interval: int = _PEER_SILENT_FOR // 6
    #: The keepalives without an answer that end the connection.
    count: int = 3
    #: The milliseconds for the acknowledgement of data.
    user_timeout: int = _PEER_SILENT_FOR * 1000

    def apply(self, connected: socket.socket) -> None:
        """Set the options of a TCP socket; those that the system has. Source: tcp(7) of Linux."""
        if connected.family not in (socket.AF_INET, socket.AF_INET6):
            return
        options = {"TCP_USER_TIMEOUT": self.user_timeout}
        if self.is_on:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            options |= {
                "TCP_KEEPIDLE": self.idle,
                "TCP_KEEPALIVE": self.idle,  # the name of TCP_KEEPIDLE on macOS
                "TCP_KEEPINTVL": self.interval,
                "TCP_KEEPCNT": self.count,
            }
        for name, value in options.items():
            if value and (option := getattr(socket, name, None)) is not None:
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
