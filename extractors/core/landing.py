"""The store of everything ever fetched, so that any batch can be rebuilt from what was received.

Stations send hundreds of thousands of files of a few hundred bytes; one file each would cost an inode and a rename per
reading. A batch's files therefore land in one pack, an ordinary ZIP (stored, not compressed: any tool reads it, any
member is reached directly). Members are addressed by their content: the name is the sha256. ``manifest.jsonl`` inside
says where each came from, so that a pack explains itself without the warehouse.

``ops.landed_file.landed_path`` is ``<pack below IOC_HOME/landing>#<sha256>``.
"""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from pathlib import Path

    from extractors.core.transports import RemoteFile

_MANIFEST = "manifest.jsonl"


class _Stream:
    """A file without seek: zipfile then writes straight on, instead of going back to every member's header."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write
        self.flush = file.flush


class Pack:
    """One pack being written. It appears under its name only when complete; an unfinished one is removed by the
    next."""

    def __init__(self, root: Path, domain: str) -> None:
        now = datetime.now(UTC)
        folder = root / domain / f"{now:%Y-%m}"
        folder.mkdir(parents=True, exist_ok=True)
        # Extractions of a domain are serialised, so whatever is unfinished here belongs to a process that died.
        for stale in folder.parent.glob("*/*.part"):
            stale.unlink()
        self._final = folder / f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}.zip"
        self._partial = self._final.with_suffix(".part")
        self._file = self._partial.open("wb", buffering=1 << 20)
        self._zip = zipfile.ZipFile(cast("BinaryIO", _Stream(self._file)), "w", zipfile.ZIP_STORED)
        self._members: set[str] = set()
        self._manifest: list[str] = []
        self.name = self._final.relative_to(root).as_posix()

    def add(self, remote: RemoteFile, sha256: str, data: bytes) -> str:
        """Land one file; returns its ``landed_path``. Equal content is stored once."""
        if sha256 not in self._members:
            self._members.add(sha256)
            self._zip.writestr(zipfile.ZipInfo(sha256), data)
        modified = remote.mtime.isoformat() if remote.mtime else None
        self._manifest.append(json.dumps({"sha256": sha256, "source_uri": remote.uri, "mtime": modified}))
        return f"{self.name}#{sha256}"

    def commit(self) -> None:
        """Make the pack durable and visible. Call before the transaction that refers to it commits."""
        self._zip.writestr(zipfile.ZipInfo(_MANIFEST), "\n".join(self._manifest) + "\n")
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._final)
        descriptor = os.open(self._final.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Drop an unfinished pack."""
        # Not closed in the ordinary way: that would write the directory of a pack nobody wants, perhaps to a full disk.
        self._zip.fp = None
        with suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)


def read(root: Path, landed_path: str) -> bytes:
    """The bytes that were received.

    Args:
        root: ``settings.landing``.
        landed_path: As in ``ops.landed_file``.

    Raises:
        FileNotFoundError: the pack has been removed (its retention is over).
        KeyError: the pack has no such member.
    """
    pack, _, sha256 = landed_path.partition("#")
    with zipfile.ZipFile(root / pack) as archive:
        return archive.read(sha256)
