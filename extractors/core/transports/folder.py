"""Folders and single files of this machine or a mounted share."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.transports import RemoteFile, SourceUri, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Set

    from extractors.core.settings import ExtractSettings


class FolderTransport:
    """``file:///folder`` or ``file:///folder/file.csv``."""

    # Reading a local file takes less time than handing it from one thread to another.
    parallel = False
    files_per_connection = 1

    def __init__(self, uri: SourceUri, settings: ExtractSettings) -> None:
        if uri.host not in ("", "localhost"):
            raise Fatal(f"{uri.public}: a file URI has three slashes, file:///folder")
        self.uri = uri
        self._limit = settings.max_file_bytes
        self.root = Path(uri.path)

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:
        """See :class:`~extractors.core.transports.Transport`; the folder's own order."""
        if self.root.is_file():
            yield self._remote(self.root.name, self.root.stat(), self.uri.public)
            return
        if not self.root.is_dir():
            raise Retriable(f"{self.uri.public}: no such folder or file; mount or create it, then run again")
        pending = [(f"{self.root}/{folder}", f"{folder}/" if folder else "") for folder in folders or [""]]
        while pending:
            folder, below = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = below + entry.name
                        try:
                            if entry.is_dir():
                                if folders is None:
                                    pending.append((entry.path, f"{path}/"))
                            elif wanted(path) and entry.is_file():
                                yield self._remote(path, entry.stat(), self.uri.child(path))
                        except FileNotFoundError:
                            continue
            except OSError as error:
                raise Retriable(
                    f"{self.uri.public}/{below}: {error.strerror}; see to its rights, then run again"
                ) from error

    @staticmethod
    def _remote(path: str, stat: os.stat_result, uri: str) -> RemoteFile:
        return RemoteFile(uri, path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def connect(self) -> FolderTransport:
        return self

    def fetch_many(self, files: Sequence[RemoteFile]) -> Iterator[tuple[RemoteFile, bytes | Skippable]]:
        """See :class:`~extractors.core.transports.Connection`."""
        single = self.root.is_file()
        for file in files:
            try:
                refusal = too_large(file, self._limit)
                with open(self.root if single else f"{self.root}/{file.path}", "rb", buffering=0) as content:  # noqa: PTH123 (speed)
                    yield file, refusal or content.read()
            except OSError as error:
                yield file, Skippable(f"{file.uri}: {error.strerror}", "unreadable_file")

    def close(self) -> None:
        """Nothing is open."""
