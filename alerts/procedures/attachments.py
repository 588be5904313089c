"""Files of a case, kept under their SHA-256 in ``IOC_HOME/evidence``: what was handed in can be proven unchanged.

A file's name is only ever shown, never a path. Its type is told by its first bytes and must fit its ending; what a
browser would run (HTML, SVG, scripts) is not taken.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg.rows import class_row

from alerts import audit
from alerts.incidents import ActRefusedError
from alerts.procedures import flow, views
from alerts.procedures.model import Attachment, AttachmentFile
from ioc import warehouse
from ioc.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ioc.settings import Settings

MAX_BYTES = 20 * 2**20
_ZIP = (b"PK\x03\x04",)
# Ending → media type and the beginnings that its content may have; no beginning: text.
_TYPES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIP),
    "txt": ("text/plain; charset=utf-8", ()),
    "csv": ("text/csv; charset=utf-8", ()),
}


def attach(
    case_code: str,
    file_name: str,
    content: bytes,
    user: str,
    *,
    task_id: int | None = None,
    unit_codes: Sequence[str] | None = None,
    settings: Settings | None = None,
    at: datetime | None = None,
) -> Attachment:
    """Add a file to a case, or to one of its tasks.

    Args:
        case_code: The case; it must be open.
        file_name: As the user's device calls it.
        content: At most ``MAX_BYTES``.
        user: Who hands it in.
        task_id: The task that it proves; None = the case.
        unit_codes: Units that the user answers for; None = all.
        settings: Settings of the stack; default: this process's.
        at: The clock; default: now.

    Raises:
        ActRefusedError: no such open case for these units, empty, too big, or of a type that is not taken.
    """
    at = at or datetime.now(UTC)
    settings = settings or get_settings()
    name = clean_name(file_name)
    media_type = _media_type(name, content)
    digest = hashlib.sha256(content).hexdigest()
    with warehouse.connect("portal", settings) as connection:
        view = views.case_view(connection, case_code, unit_codes, at)
        if view.status != "open":
            raise ActRefusedError("Vụ việc đã đóng, không nhận thêm tệp.")
        flow.check_task(connection, view.case_id, task_id)
        # Before the row: a file without a row is harmless, a row without its file is not.
        _keep(_place(settings, digest), content)
        with connection.cursor(row_factory=class_row(Attachment)) as cursor:
            kept = cursor.execute(
                "insert into sop.attachment (case_id, task_id, file_name, media_type, size_bytes, sha256, uploaded_by, "
                "uploaded_at) values (%s, %s, %s, %s, %s, %s, %s, %s) returning *",
                (view.case_id, task_id, name, media_type, len(content), digest, user, at),
            ).fetchone()
        assert kept is not None
        audit.record(
            connection, at, user, "case.file_added", about=("case", case_code),
            detail={"file": name, "sha256": digest, "bytes": len(content), "task": task_id},
        )  # fmt: skip
        return kept


def read_attachment(
    attachment_id: int,
    unit_codes: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
) -> AttachmentFile:
    """A file with its content, for those who may see its case.

    Raises:
        ActRefusedError: no such file in a case of these units; or its content is lost or no longer what was handed in.
    """
    settings = settings or get_settings()
    with (
        warehouse.connect("portal", settings) as connection,
        connection.cursor(row_factory=class_row(Attachment)) as cursor,
    ):
        found = cursor.execute(
            f"select a.* from sop.attachment a join sop.case_ c using (case_id) "
            f"where a.attachment_id = %(id)s and {views.VISIBLE}",
            {"id": attachment_id, "units": list(unit_codes) if unit_codes is not None else None},
        ).fetchone()
    if found is None:
        raise ActRefusedError("Không có tệp này trong phạm vi của đơn vị.")
    try:
        content = _place(settings, found.sha256).read_bytes()
    except OSError as error:
        raise ActRefusedError("Không đọc được nội dung tệp; hãy báo quản trị hệ thống.") from error
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise ActRefusedError("Nội dung tệp không còn khớp với dấu SHA-256 khi nộp; hãy báo quản trị hệ thống.")
    return AttachmentFile(found, content, content_disposition(found.file_name))


def clean_name(file_name: str) -> str:
    """The last part of a name, NFC, without control characters and what systems reserve; at most 120 characters."""
    name = unicodedata.normalize("NFC", file_name).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    name = re.sub(r'[<>:"|?*;]+', "_", name).strip(" .")
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:110]}{dot}{ending[:9]}" if dot else name[:120]


def content_disposition(file_name: str) -> str:
    """Header value that makes a browser save the file, under its Vietnamese name where it can."""
    plain = unicodedata.normalize("NFKD", file_name.replace("đ", "d").replace("Đ", "D"))
    plain = re.sub(r"[^A-Za-z0-9._ -]", "", plain) or "tep"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _media_type(name: str, content: bytes) -> str:
    if not content:
        raise ActRefusedError("Tệp rỗng.")
    if len(content) > MAX_BYTES:
        raise ActRefusedError(f"Tệp lớn hơn {MAX_BYTES // 2**20} MB.")
    known = _TYPES.get(name.rpartition(".")[2].lower())
    if known is None:
        raise ActRefusedError(f"Loại tệp không được nhận; chỉ nhận: {', '.join(_TYPES)}.")
    media_type, beginnings = known
    if not (content.startswith(beginnings) if beginnings else _is_text(content)):
        raise ActRefusedError("Nội dung tệp không đúng với phần mở rộng của tên.")
    return media_type


def _is_text(content: bytes) -> bool:
    try:
        return "\x00" not in content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False


def _place(settings: Settings, digest: str) -> Path:
    return settings.home / "evidence" / digest[:2] / digest


def _keep(place: Path, content: bytes) -> None:
    if place.exists() and place.stat().st_size == len(content):
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(part).replace(place)
