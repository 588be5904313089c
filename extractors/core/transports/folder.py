"""Folders and single files of this machine or a mounted share."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.core.errors import Fatal, Retriable, Skippable
from extractors.core.transports import Entry, RemoteFile, SourceUri, too_large, walk

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
        self.skipped: dict[str, str] = {}
        self._limit = settings.max_file_bytes
        self.root = Path(uri.path)

    def list(self, wanted: Callable[[str], bool], folders: Set[str] | None = None) -> Iterator[RemoteFile]:
        """See :class:`~extractors.core.transports.Transport`; the folder's own order."""
        if self.root.is_file():
            stat = self.root.stat()
            yield RemoteFile(self.uri.public, self.root.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))
            return
        if not self.root.is_dir():
            raise Retriable(f"{self.uri.public}: no such folder or file; mount or create it, then run again")
        yield from walk(self, self._entries, wanted, folders)

    def _entries(self, below: str) -> Iterator[Entry]:
        try:
            with os.scandir(f"{self.root}/{below}") as entries:
                for entry in entries:
                    try:
                        if entry.is_dir():
                            yield "dir", entry.name, None, None
                        elif entry.is_file():
                            stat = entry.stat()
                            yield "file", entry.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)
                    except FileNotFoundError:
                        continue
        except OSError as error:
            raise Skippable(f"{self.uri.child(below)}: {error.strerror}", "unreadable_folder") from error

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
