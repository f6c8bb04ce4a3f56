"""A TCP proxy that cuts every connection: in the middle of a call, of an answer, or just between the two.

Rule: what happens to a connection is drawn from a seed when it is accepted: how many bytes may pass each way, and
whether the first bytes of an answer are kept back although the call went through whole. A cut is a reset (SO_LINGER 0),
so that neither side takes half for the whole. It counts what it cut.
"""

import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass, field

_CHUNK = 4096


@dataclass(frozen=True)
class Fate:
    """What one connection may carry before it is cut."""

    call_bytes: int
    answer_bytes: int


@dataclass
class CuttingProxy:
    """Listens on a free port of this machine and passes on to `port`, until closed."""

    port: int
    random: random.Random
    mean_bytes: int
    cut_in: list[str] = field(default_factory=list)
    """Of each cut connection: `call`, `answer`, or `between`."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: str = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Accept nothing more, and wait for what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(timeout=10)

    def _draw(self) -> Fate:
        chance, endless = self.random.random(), 1 << 40
        if chance < 0.2:
            return Fate(endless, 0)
        if chance < 0.4:
            return Fate(endless, self.random.randint(1, 2_000))
        return Fate(int(self.random.expovariate(1 / self.mean_bytes)), endless)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            fate = self._draw()
            thread = threading.Thread(target=self._carry, args=(client, fate), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, fate: Fate) -> None:
        server = socket.create_connection(("127.0.0.1", self.port))
        back = threading.Thread(
            target=self._pass, args=(server, client, fate.answer_bytes, "answer"), daemon=True
        )
        back.start()
        self._pass(client, server, fate.call_bytes, "call")
        back.join(timeout=60)
        client.close()
        server.close()

    def _pass(self, source: socket.socket, target: socket.socket, allowed: int, way: str) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                part = data[: allowed - passed]
                target.sendall(part)
                passed += len(part)
                if len(part) < len(data):
                    self.cut_in.append("between" if way == "answer" and not allowed else way)
                    break
        for each in (source, target):
            with contextlib.suppress(OSError):
                if passed >= allowed:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)
