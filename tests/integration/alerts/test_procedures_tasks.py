"""Tasks: nine states, one winner, evidence; files and directives of a case."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from procedure_room import PDF, Room

from alerts import procedures
from alerts.incidents import ActRefusedError

if TYPE_CHECKING:
    from conftest import Desk

FIRST = "kiem-tra-so-lieu"


@pytest.fixture
def room(desk: Desk) -> Room:
    return Room(desk)


def at_once(*acts: Any) -> list[Any]:
    """Results or refusals of acts that begin at the same moment."""
    results: list[Any] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = acts[number]()
        except ActRefusedError as refusal:
            results[number] = refusal

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_from_the_queue_to_done(room: Room) -> None:
    room.open()
    task = room.task(FIRST, 0.2)
    assert (task.status, task.unit_code, task.acts[0]) == ("ready", "SNNMT", "accept")
    assert task.due_at == room.desk.at(0.6), "half an hour from when it was ready"
    with pytest.raises(ActRefusedError, match="chờ nhận"):
        room.act("start", task, "truc", hour=0.2)
    accepted = room.act("accept", task, "truc", version=task.version, hour=0.2)
    assert (accepted.status, accepted.assignee) == ("accepted", "truc")
    with pytest.raises(ActRefusedError, match="do truc thực hiện"):
        room.act("start", task, "khac", hour=0.25)
    started = room.act("start", task, "truc", hour=0.3)
    with pytest.raises(ActRefusedError, match="chọn kết quả"):
        room.act("finish", task, "tự nghĩ", "truc", hour=0.4)
    done = room.act("finish", task, "dung", "truc", version=started.version, note="Đã đối chiếu", hour=0.4)
    assert (done.status, done.outcome_label and done.outcome_label.vi, done.acts) == ("done", "Số liệu đúng", [])
    assert room.states(0.4) == {
        FIRST: "done", "bao-loi-tram": "skipped", "xac-dinh-nguon": "ready", "khuyen-cao-nguoi-dan": "ready",
        "kiem-tra-hien-truong": "waiting", "chi-dao-khan": "skipped", "bao-cao": "waiting",
    }  # fmt: skip
    assert "điều kiện" in (room.task("chi-dao-khan", 0.4).note or ""), "level 2: the province is not asked"
    acts = [(act["actor"], act["action"]) for act in room.file(0.4).history if act["actor"] != "hệ thống"]
    assert acts == [("truc", "task.accepted"), ("truc", "task.in_progress"), ("truc", "task.done")]


def test_of_two_officers_one_gets_the_task_and_the_other_hears_who(room: Room) -> None:
    room.open()
    task = room.task(FIRST, 0.2)
    results = at_once(
        lambda: room.act("accept", task, "an", version=task.version, hour=0.2),
        lambda: room.act("accept", task, "binh", version=task.version, hour=0.2),
    )
    (refusal,) = [result for result in results if isinstance(result, ActRefusedError)]
    winner = room.task(FIRST, 0.3).assignee
    assert winner in ("an", "binh")
    assert f"{winner} vừa cập nhật" in str(refusal) and "đã nhận" in str(refusal)


def test_a_page_that_is_out_of_date_changes_nothing(room: Room) -> None:
    room.open()
    seen = room.task(FIRST, 0.2)
    room.act("assign", seen, "truc", "lanhdao", hour=0.2)
    with pytest.raises(ActRefusedError, match="lanhdao vừa cập nhật"):
        room.act("assign", seen, "kysu", "quantri", version=seen.version, hour=0.3)
    with pytest.raises(ActRefusedError, match="đã giao cho truc"):
        room.act("accept", seen, "kysu", hour=0.3)
    with pytest.raises(ActRefusedError, match="Không có người dùng"):
        room.act("assign", seen, "khong-co", "lanhdao", hour=0.3)


def test_branches_that_end_together_do_not_overlook_each_other(room: Room) -> None:
    room.open()
    room.work(FIRST, "dung", 0.2)
    for step in ("xac-dinh-nguon", "khuyen-cao-nguoi-dan"):
        task = room.task(step, 0.3)
        room.act("accept", task, "truc", hour=0.3)
        room.act("start", task, "truc", hour=0.3)
        room.attach(task, 0.3)
    tasks = {step: room.task(step, 0.3) for step in ("xac-dinh-nguon", "khuyen-cao-nguoi-dan")}
    results = at_once(
        lambda: room.act("finish", tasks["xac-dinh-nguon"], "khong-ro", "truc", hour=0.4),
        lambda: room.act("finish", tasks["khuyen-cao-nguoi-dan"], "da-thong-bao", "truc", hour=0.4),
    )
    assert [result.status for result in results] == ["done", "done"]
    assert room.states(0.4)["bao-cao"] == "ready"


def test_evidence_is_asked_for_and_stays_provable(room: Room) -> None:
    room.open()
    room.work(FIRST, "dung", 0.2)
    task = room.task("khuyen-cao-nguoi-dan", 0.3)
    assert task.evidence_required and task.directive_vi
    room.act("accept", task, "truc", hour=0.3)
    room.act("start", task, "truc", hour=0.3)
    with pytest.raises(ActRefusedError, match="tệp minh chứng"):
        room.act("finish", task, "da-thong-bao", "truc", hour=0.4)
    with pytest.raises(ActRefusedError, match="không thuộc vụ việc"):
        room.act("finish", task, "da-thong-bao", "truc", evidence=[4711], hour=0.4)
    file = room.attach(task, 0.4)
    done = room.act("finish", task, "da-thong-bao", "truc", hour=0.5)
    digest = hashlib.sha256(PDF).hexdigest()
    assert [(one["file_name"], one["sha256"], one["uploaded_by"]) for one in done.evidence] == [
        ("biên bản.pdf", digest, "truc")
    ]
    kept = room.desk.settings.home / "evidence" / digest[:2] / digest
    assert kept.read_bytes() == PDF
    kept.write_bytes(b"%PDF-1.7 minutes that say something else")
    with pytest.raises(ActRefusedError, match="không còn khớp"):
        procedures.read_attachment(file.attachment_id, settings=room.desk.settings)
    kept.unlink()
    with pytest.raises(ActRefusedError, match="Không đọc được"):
        procedures.read_attachment(file.attachment_id, settings=room.desk.settings)


def test_files_come_in_and_go_out_safely(room: Room) -> None:
    case = room.open()
    room.silence(0, 1)

    def attach(name: str, content: bytes) -> procedures.Attachment:
        return procedures.attach(case.code, name, content, "truc", settings=room.desk.settings, at=room.desk.at(1))

    refused = {
        ("trang.html", b"<script>alert(1)</script>"): "Loại tệp",
        ("anh.svg", b"<svg onload='x'/>"): "Loại tệp",
        ("khong-duoi", PDF): "Loại tệp",
        ("gia.pdf", b"MZ\x90\x00"): "không đúng với phần mở rộng",
        ("gia.txt", b"\x00\x01"): "không đúng với phần mở rộng",
        ("rong.pdf", b""): "rỗng",
        ("to.pdf", b"%PDF-" + b"x" * procedures.MAX_BYTES): "lớn hơn",
    }
    for (name, content), words in refused.items():
        with pytest.raises(ActRefusedError, match=words):
            attach(name, content)
    names = {
        "../../../etc/passwd.txt": "passwd.txt",
        "C:\\Users\\x\\biên bản.txt": "biên bản.txt",
        'a"; filename="b.txt': "a_ filename=_b.txt",
        "dòng\r\nSet-Cookie: x.txt": "dòngSet-Cookie_ x.txt",
        "\u202etxt.exe.txt": "txt.exe.txt",
    }
    for given, kept in names.items():
        file = attach(given, given.encode())
        assert file.file_name == kept
        served = procedures.read_attachment(file.attachment_id, ["SNNMT"], settings=room.desk.settings)
        assert served.content == given.encode()
        header = served.content_disposition
        assert header.startswith('attachment; filename="') and header.isascii() and header.isprintable()
        assert header.count('"') == 2
    place = room.desk.settings.home / "evidence"
    assert all(len(path.name) == 64 and path.parent.parent == place for path in place.rglob("*") if path.is_file())
    with pytest.raises(ActRefusedError, match="Không có tệp này"):
        procedures.read_attachment(file.attachment_id, ["SYT"], settings=room.desk.settings)


def test_what_one_unit_rejects_another_gets(room: Room) -> None:
    room.open()
    room.drain(0.15)
    task = room.task(FIRST, 0.2)
    with pytest.raises(ActRefusedError, match="lý do"):
        room.act("reject", task, "  ", "truc", hour=0.2)
    with pytest.raises(ActRefusedError, match="phạm vi"):
        room.act("reject", task, "Không phải việc của tôi", "ai", unit_codes=["SYT"], hour=0.2)
    rejected = room.act("reject", task, "Không thuộc thẩm quyền", "truc", unit_codes=["SNNMT"], hour=0.2)
    assert (rejected.status, rejected.note, rejected.acts[0]) == ("rejected", "Không thuộc thẩm quyền", "assign")
    assert room.drain(0.25).announced == 1, "the coordinating unit hears of it"
    assert room.states(0.2)["xac-dinh-nguon"] == "waiting", "rejected is not settled"
    given = room.act("assign", task, "lanhdao", "truc", unit_code="UBND", unit_codes=["SNNMT"], hour=0.3)
    assert (given.status, given.assignee, given.unit_code) == ("assigned", "lanhdao", "UBND")
    room.drain(0.31)
    assert room.desk.one(
        "select count(*) from notify.outbox where address = 'lanhdao' and subject like 'Việc được giao%%'"
    ) == 1  # fmt: skip
    room.act("skip", task, "Đã xử lý qua điện thoại", "truc", unit_codes=["SNNMT"], hour=0.4)
    assert room.states(0.4)["bao-cao"] == "ready", "all that asks for an outcome falls away"


def test_a_task_lands_in_the_unit_that_holds_the_place_now(room: Room) -> None:
    room.desk.run("insert into ref.unit_succession values ('14797', '14758', '2026-03-01')")
    room.open()
    room.work(FIRST, "dung", 0.2)
    task = room.task("khuyen-cao-nguoi-dan", 0.3)
    assert task.unit_code == "14758"
    # Merged once more while the task waits: its case and the task go with the place.
    room.desk.run("insert into ref.unit_succession values ('14758', '14812', '2026-03-06')")
    look = {"settings": room.desk.settings, "at": room.desk.at(0.3)}
    assert [case.unit_code for case in procedures.list_cases(["14812"], **look)] == ["14797"]  # type: ignore[arg-type]
    assert [one.task_id for one in procedures.my_tasks(None, ["14812"], **look)] == [task.task_id]  # type: ignore[arg-type]
    assert room.act("accept", task, "ai", unit_codes=["14812"], hour=0.4).status == "accepted"


def test_people_hear_of_their_tasks_once_and_together(room: Room) -> None:
    for number in range(5):
        room.desk.signal({0: 170}, station=f"TH-{number:02}")
    report = room.evaluate(0.1)
    assert (report.opened, report.announced) == (5, 5)
    room.drain(0.2)
    told = room.desk.rows("select address, body from notify.outbox where dedupe_key like 'task|%%' order by 1")
    assert [address for address, _ in told] == ["truc", "truc-ban.snnmt@thanhhoa.example.vn"]
    assert all(case.code in body for _, body in told for case in room.cases(0.2))
    mine = procedures.my_tasks("truc", ["SNNMT"], settings=room.desk.settings, at=room.desk.at(0.2))
    assert len(mine) == 5
    room.act("accept", mine[0], "truc", hour=0.2)
    look = {"settings": room.desk.settings, "at": room.desk.at(0.2)}
    assert [task.task_id for task in procedures.my_tasks("truc", only_mine=True, **look)] == [mine[0].task_id]  # type: ignore[arg-type]
    assert procedures.my_tasks("ai", ["SYT"], **look) == []  # type: ignore[arg-type]


def test_a_directive_is_told_reported_and_overdue_once(room: Room) -> None:
    case = room.open()
    settings = room.desk.settings
    for body, units, due, words in (
        (" ", ["SYT"], 9, "nội dung"), ("Làm", [], 9, "Cần chọn"), ("Làm", ["khong"], 9, "khong"),
        ("Làm", ["SYT"], 0.5, "phải sau"),
    ):  # fmt: skip
        with pytest.raises(ActRefusedError, match=words):
            procedures.directive_send(
                case.code, body, units, room.desk.at(due), "lanhdao", settings=settings, at=room.desk.at(1)
            )
    sent = procedures.directive_send(
        case.code, "Kiểm tra ngay", ["SNNMT", "14797"], room.desk.at(9), "lanhdao", settings=settings,
        at=room.desk.at(1),
    )  # fmt: skip
    assert sent.number.startswith("CĐ-2026-")
    assert room.drain(1.1).directives == 2
    assert room.drain(1.2).directives == 0
    (subject,) = {row[0] for row in room.desk.rows("select subject from notify.outbox where address = 'truc' "
                                                   "and dedupe_key like 'directive|%%'")}  # fmt: skip
    assert sent.number in subject

    def report(unit: str, percent: int, hour: float, **more: Any) -> procedures.Directive:
        return procedures.directive_progress(
            sent.directive_id, unit, "Đã làm", percent, "truc", settings=settings, at=room.desk.at(hour), **more
        )

    with pytest.raises(ActRefusedError, match="gửi tới đơn vị"):
        report("SYT", 10, 2)
    with pytest.raises(ActRefusedError, match="gửi tới đơn vị"):
        report("SNNMT", 10, 2, unit_codes=["SYT"])
    report("SNNMT", 40, 2)
    assert report("SNNMT", 100, 3).recipients[1].percent == 100
    with pytest.raises(ActRefusedError, match="hoàn thành"):
        report("SNNMT", 100, 4)
    assert room.drain(8.9).directives == 0
    assert room.drain(9.1).directives == 1, "only the ward is late"
    assert room.drain(9.2).directives == 0
    (late,) = procedures.directives(["14797"], settings=settings, at=room.desk.at(9.2))
    assert late.is_overdue and [one.is_overdue for one in late.recipients] == [True, False]
    assert room.desk.one("select count(*) from notify.outbox where address = 'lanhdao' and body like '%%QUÁ HẠN%%'")
    report("14797", 100, 10)
    assert procedures.directives(settings=settings, at=room.desk.at(10)) == []
    assert [one["percent"] for one in room.file(10).directives[0].progress] == [40, 100, 100]
