"""Fetches files over several connections, in order, in bounded memory, and goes on after a hang-up."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extractors.core.errors import ExtractError, Retriable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from extractors.core.errors import Skippable
    from extractors.core.settings import ExtractSettings
    from extractors.core.transports import Connection, RemoteFile, Transport

_GROUP_FILES = 32
_GROUP_BYTES = 4 << 20
# Of a file whose size the source does not tell.
_ASSUMED_BYTES = 1 << 20


def fetch_all(
    transport: Transport, files: Sequence[RemoteFile], settings: ExtractSettings
) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
    """Content of ``files``, in their order.

    At most two groups of about 4 MiB per connection are in memory.

    Raises:
        Retriable: the source stayed away for all attempts; everything yielded before is good.
        Fatal: the source refuses the user.
    """
    if not transport.parallel:
        connection = transport.connect()
        try:
            yield from connection.fetch_many(files)
        finally:
            connection.close()
        return
    count = max(1, min(settings.connections, -(-len(files) // transport.files_per_connection)))
    groups = _groups(files, min(_GROUP_FILES, -(-len(files) // count)))
    pool = _Pool(transport, count, settings)
    executor = ThreadPoolExecutor(count, thread_name_prefix="fetch")
    running: deque[Future[list[tuple[RemoteFile, bytes | Skippable]]]] = deque()
    try:
        for group in groups:
            running.append(executor.submit(pool.fetch, group))
            if len(running) >= 2 * count:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()
    finally:
        pool.stopped = True
        for future in running:
            future.cancel()
        executor.shutdown(wait=True)
        pool.close()


def _groups(files: Sequence[RemoteFile], count: int) -> Iterator[list[RemoteFile]]:
    group: list[RemoteFile] = []
    size = 0
    for file in files:
        own = _ASSUMED_BYTES if file.size is None else file.size
        if group and (len(group) >= count or size + own > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(file)
        size += own
    if group:
        yield group


class _Pool:
    """Connections shared by the threads. A source that allows fewer than asked for is served with those it allows."""

    def __init__(self, transport: Transport, count: int, settings: ExtractSettings) -> None:
        self._transport = transport
        self._settings = settings
        self._idle: list[Connection] = []
        self._open = 0
        self._allowed = count
        self._changed = threading.Condition()
        self.stopped = False

    def fetch(self, group: list[RemoteFile]) -> list[tuple[RemoteFile, bytes | Skippable]]:
        done: list[tuple[RemoteFile, bytes | Skippable]] = []
        failures = 0
        while len(done) < len(group) and not self.stopped:
            before = len(done)
            try:
                connection = self._take()
                try:
                    for item in connection.fetch_many(group[len(done) :]):
                        done.append(item)
                except BaseException:
                    self._drop(connection)
                    raise
                self._give(connection)
            except Retriable as error:
                # Progress on the way starts the count afresh: a line that breaks every thousand files still delivers.
                failures = failures + 1 if len(done) == before else 1
                if failures >= self._settings.attempts:
                    raise
                self._pause(min(self._settings.backoff_s * 2 ** (failures - 1), error.delay_s))
        return done

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopped and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    def _take(self) -> Connection:
        with self._changed:
            while not self._idle and self._open >= self._allowed and not self.stopped:
                self._changed.wait(1)
            if self._idle:
                return self._idle.pop()
            self._open += 1
        try:
            return self._transport.connect()
        except Exception as error:
            with self._changed:
                self._open -= 1
                if isinstance(error, ExtractError) and self._open:
                    self._allowed = self._open
                    narrowed = True
                else:
                    narrowed = False
                self._changed.notify()
            if narrowed:
                return self._take()
            raise

    def _give(self, connection: Connection) -> None:
        with self._changed:
            self._idle.append(connection)
            self._changed.notify()

    def _drop(self, connection: Connection) -> None:
        connection.close()
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
