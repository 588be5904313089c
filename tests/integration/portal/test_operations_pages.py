"""What people do at night on the pages of operations: search, accept, silence, work tasks, direct, close."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from alerts import procedures, suppressions
from ioc import embed, warehouse
from portal.language import ZONE
from tests.fixtures import portal_operations
from tests.integration.portal.test_pages import words

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ioc.settings import Settings
    from tests.integration.portal.conftest import Person

PDF = b"%PDF-1.4\n% minh chung\n"


@pytest.fixture(scope="module")
def night(installation: Settings, _filled: None) -> portal_operations.Night:
    return portal_operations.night(installation)


@pytest.fixture
def case(night: portal_operations.Night, app: object) -> str:  # noqa: ARG001
    return f"/vu-viec/{night.case_code}"


def incident_of(person: Person, entity: str) -> str:
    found = re.search(
        rf'href="(/canh-bao/[0-9a-f-]{{36}})">(?:(?!</a>).)*{re.escape(entity)}', person.text("/canh-bao"), re.DOTALL
    )
    assert found, entity
    return found[1]


def task_of(settings: Settings, case: str, step: str) -> procedures.TaskView:
    tasks = procedures.case(case.rsplit("/", 1)[1], settings=settings).tasks
    return next(task for task in tasks if task.step_code == step)


def upload(person: Person, path: str, page: str, name: str, content: bytes) -> httpx.Response:
    return person.browser.post(
        path, data={"form_token": person.form_token(page)}, files={"file": (name, content, "application/octet-stream")}
    )


def field(hours: float) -> str:
    """A moment from now as a form's date and time."""
    return f"{datetime.now(ZONE) + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


# --- Incidents


def test_an_incident_shows_the_data_around_it_and_who_was_told(signed_in: Callable[[str], Person], case: str) -> None:
    officer = signed_in("truc")
    html = officer.text(incident_of(officer, "cửa xả 1"))
    text = words(html)
    assert html.count("<polyline") == 2 * 3, "two drawings, three stretches between the hole and the calibration"
    assert html.count('fill="url(#hole-wide)"') == 2
    assert "Cấp 2: 1,5" in text
    assert "đang hiệu chuẩn" in text
    assert "đính chính lần 1" in text, "what came late is shown, not hidden"
    assert f'href="{case}"' in html
    assert "1 trong 6 bước đã xong" in text
    assert "Cán bộ trực Sở Nông nghiệp và Môi trường hộp thư đã đến" in text
    assert 'class="sent"' in html, "the very words that were sent"


def test_incidents_are_found_by_words_level_kind_and_code(signed_in: Callable[[str], Person], case: str) -> None:
    del case
    officer = signed_in("truc")

    def found(query: str) -> str:
        return words(officer.text(f"/canh-bao?{query}").split('data-live="incidents"')[1])

    assert "cửa xả 1" in found("tim=nha may nghi son")
    assert "cửa xả 2" not in found("tim=nha may nghi son")
    assert "Bỉm Sơn" in found("tim=KT_BIMSON")
    assert "Không có cảnh báo đang mở nào khớp" in found("tim=100%25")
    assert "cửa xả 2" not in found("cap=2&tinh_trang=open")
    silent = found("loai=nodata")
    assert "Nguồn im lặng" in silent
    assert "ống khói 3" in silent
    assert "cửa xả 1" not in silent
    assert "Bãi biển Sầm Sơn" in found("tinh_trang=closed")
    code = re.search(r"SC-[0-9A-F]{8}", officer.text(incident_of(officer, "cửa xả 1")))
    assert code
    assert "cửa xả 1" in found(f"tim={code[0]}")
    assert "cửa xả 2" not in found(f"tim={code[0].lower()}")
    for nonsense in ("cap=9", "cap=x", "truoc=yesterday", "loai=%27", "tinh_trang=%00a"):
        assert officer.get(f"/canh-bao?{nonsense}").status_code in (200, 404), nonsense


def test_a_silence_needs_a_reason_and_stays_below_the_roles_ceiling(
    signed_in: Callable[[str], Person], case: str, settings: Settings
) -> None:
    del case
    officer = signed_in("truc")
    page = incident_of(officer, "cửa xả 1")
    none = officer.post(f"{page}/tam-dung", page, reason=" ", hours="4", max_level="2")
    assert none.status_code == 422
    assert "Cần nêu lý do" in none.text
    assert officer.post(f"{page}/tam-dung", page, reason="x", hours="5000", max_level="2").status_code == 422
    high = officer.post(f"{page}/tam-dung", page, reason="thử", hours="4", max_level="4")
    assert high.status_code == 422
    assert "chỉ được tạm dừng thông báo đến cấp 3" in high.text
    done = officer.post(f"{page}/tam-dung", page, reason="Đang <b>súc rửa</b>", hours="4", max_level="2")
    assert done.status_code == 303
    after = officer.text(page)
    assert "đang tạm dừng đến" in words(after)
    assert "Đang &lt;b&gt;súc rửa&lt;/b&gt;" in after
    made = next(s for s in suppressions.listing("now", settings=settings) if "súc rửa</b>" in s.reason)
    assert (made.unit_code, made.max_level, [one["entity"] for one in made.held]) == (
        "SNNMT", 2, ["Nước thải Nhà máy Nghi Sơn, cửa xả 1"],
    )  # fmt: skip
    assert officer.post(f"/tam-dung/{made.suppression_id}/go", "/tam-dung").status_code == 303
    assert "đang tạm dừng đến" not in words(officer.text(page))


def test_an_acceptance_can_be_given_back(signed_in: Callable[[str], Person], case: str) -> None:
    del case
    officer = signed_in("truc")
    page = incident_of(officer, "cửa xả 2")
    officer.post(f"{page}/nhan", page, hours="1", note="tôi đi")
    assert "truc nhận đến" in words(officer.text("/canh-bao?nhan=co"))
    assert officer.post(f"{page}/thoi-nhan", page).status_code == 303
    assert "cửa xả 2" in words(officer.text("/canh-bao?nhan=chua"))
    assert officer.post(f"{page}/thoi-nhan", page).status_code == 422


# --- What is held back


def test_the_calendar_shows_now_planned_dead_and_takes_every_kind(
    signed_in: Callable[[str], Person], case: str, settings: Settings
) -> None:
    del case
    officer = signed_in("truc")
    text = words(officer.text("/tam-dung"))
    for part in ("Cơ sở đang súc rửa bể", "Bảo trì trạm quan trắc", "Trạm hỏng cảm biến", "Chưa xem lại lần nào"):
        assert part in text, part
    late = officer.post("/tam-dung", "/tam-dung", kind="silence", reason="Giữ nguyên chữ đã gõ", until=field(-1),
                        max_level="2", entity="TH_X")  # fmt: skip
    assert late.status_code == 422
    assert "Giữ nguyên chữ đã gõ" in late.text
    assert 'id="form-silence" open' in late.text
    for bad in ({"until": "hôm nay"}, {"kind": "x", "until": field(1)}, {"kind": "mute_timing", "until": field(1)}):
        answer = officer.post("/tam-dung", "/tam-dung", **{"kind": "silence", "reason": "x", "max_level": "2", **bad})
        assert answer.status_code == 422, bad
    officer.post("/tam-dung", "/tam-dung", kind="mute_timing", reason="Ban đêm", until=field(240), max_level="1",
                 weekday="6", daily_from="22:00", daily_to="06:00")  # fmt: skip
    officer.post("/tam-dung", "/tam-dung", kind="dead", reason="Ngừng hẳn", until=field(900), entity="TH_CU*")
    assert "T7 22:00–06:00" in words(officer.text("/tam-dung"))
    dead = next(s for s in suppressions.known_dead(settings) if s.reason == "Ngừng hẳn")
    assert dead.entity_pattern == "TH\\_CU%"
    officer.post(f"/tam-dung/{dead.suppression_id}/xem-lai", "/tam-dung", note="vẫn hỏng")
    assert "truc xem lại lúc" in words(officer.text("/tam-dung"))
    assert officer.post(f"/tam-dung/{dead.suppression_id}/gia-han", "/tam-dung", until=field(1000)).status_code == 303
    assert officer.post(f"/tam-dung/{dead.suppression_id}/gia-han", "/tam-dung", until=field(-1)).status_code == 422


# --- Tasks


def test_a_task_goes_from_queue_to_done_with_its_evidence(
    signed_in: Callable[[str], Person], case: str, settings: Settings
) -> None:
    officer = signed_in("truc")
    task = task_of(settings, case, "yeu-cau-co-so")
    page = f"/cong-viec/{task.task_id}"
    assert f'href="{page}"' in officer.text("/cong-viec")
    assert "quá hạn" in words(officer.text("/cong-viec?xem=cua-toi"))
    assert "Biên bản làm việc với cơ sở.txt" in officer.text(page)

    for name, content, said in [
        ("trang.html", b"<script>", "Loại tệp không được nhận"),
        ("anh.png", b"not a picture", "không đúng với phần mở rộng"),
        ("rong.pdf", b"", "Tệp rỗng"),
    ]:
        answer = upload(officer, f"{page}/tep", page, name, content)
        assert answer.status_code == 422, name
        assert said in answer.text, name
    assert officer.post(f"{page}/tep", page).status_code == 422
    assert upload(officer, f"{page}/tep", page, "Ảnh hiện trường đêm.pdf", PDF).status_code == 303
    file = re.search(r'href="(/tep/\d+)">Ảnh hiện trường', officer.text(page))
    assert file
    got = officer.get(file[1])
    assert got.content == PDF
    assert got.headers["content-disposition"].startswith("attachment; ")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert hashlib.sha256(PDF).hexdigest()[:16] in officer.text(page)

    stale = officer.post(f"{page}/xong", page, outcome="da-khac-phuc", version=str(task.version - 1))
    assert stale.status_code == 422
    assert "Không thể hoàn thành" in stale.text
    assert officer.post(f"{page}/xong", page, outcome="bay", version=str(task.version)).status_code == 422
    assert officer.post(f"{page}/y-kien", page, body="Cơ sở đã <i>dừng</i> xả").status_code == 303
    assert "Cơ sở đã &lt;i&gt;dừng&lt;/i&gt; xả" in officer.text(page)
    done = officer.post(f"{page}/xong", page, outcome="chua-khac-phuc", note="Hẹn 6 giờ", version=str(task.version))
    assert done.status_code == 303
    after = words(officer.text(page))
    assert "hoàn thành" in after
    assert "Chưa khắc phục" in after
    assert f'href="{page}"' in officer.text("/cong-viec?xem=da-xong")

    leader = signed_in("lanhdao")
    assert "2 trong 6 bước đã xong" in words(leader.text(case))
    assert "2 minh chứng" in words(leader.text(case))
    assert "2/6 bước" in words(leader.text("/vu-viec"))
    assert leader.get(file[1]).content == PDF


def test_a_task_is_taken_begun_given_back_and_assigned(
    signed_in: Callable[[str], Person], case: str, settings: Settings
) -> None:
    other = next(one for one in procedures.list_cases(settings=settings) if "KCN Lễ Môn" in one.title_vi)
    assert other.code not in case
    task = procedures.case(other.code, settings=settings).tasks[0]
    page = f"/cong-viec/{task.task_id}"
    officer = signed_in("truc")
    officer.post(f"{page}/nhan", page, version=str(task.version))
    assert "truc nhận lúc" in words(officer.text(page))
    assert officer.post(f"{page}/nhan", page, version=str(task.version)).status_code == 422, "twice pressed, once done"
    assert officer.post(f"{page}/bat-dau", page).status_code == 303
    assert officer.post(f"{page}/tu-choi", page, note="").status_code == 422
    assert officer.post(f"{page}/tu-choi", page, note="Không thuộc thẩm quyền").status_code == 303
    assert "bị từ chối" in words(officer.text(f"/vu-viec/{other.code}"))
    leader = signed_in("lanhdao")
    assert leader.post(f"{page}/giao", page, assignee="khong-co-ai").status_code == 422
    assert leader.post(f"{page}/giao", page, assignee="truc", note="Anh xem lại").status_code == 303
    assert f'href="{page}"' in officer.text("/cong-viec?xem=cua-toi")
    assert leader.post(f"{page}/no-such-act", page).status_code == 404


# --- Cases


def test_a_leader_directs_units_and_sees_their_reports(
    signed_in: Callable[[str], Person], case: str, settings: Settings
) -> None:
    leader, officer = signed_in("lanhdao"), signed_in("truc")
    assert "Kiểm tra ngay việc vận hành" in leader.text(case)
    assert "40 %" in words(leader.text(case))
    past = leader.post(f"{case}/chi-dao", case, body="Làm ngay", to_unit="SNNMT", due_at=field(-2))
    assert past.status_code == 422
    assert "Làm ngay" in past.text, "what was typed stays"
    assert leader.post(f"{case}/chi-dao", case, body="Làm ngay", due_at=field(5)).status_code == 422
    assert (
        leader.post(f"{case}/chi-dao", case, body="Báo cáo trước 6 giờ", to_unit="SNNMT", due_at=field(5)).status_code
        == 303
    )
    directive = procedures.case(case.rsplit("/", 1)[1], settings=settings).directives[-1]
    assert directive.number in officer.text("/cong-viec")
    report = f"{case}/chi-dao/{directive.directive_id}/bao-cao"
    assert officer.post(report, case, unit="SYT", body="hộ", percent="50").status_code == 422, "for another unit"
    assert officer.post(report, case, unit="SNNMT", body="Xong cả", percent="100").status_code == 303
    assert "100 %" in words(leader.text(case))


def test_a_case_is_opened_by_hand_and_closed_with_a_reason(signed_in: Callable[[str], Person], case: str) -> None:
    del case
    officer = signed_in("truc")
    nothing = officer.post("/vu-viec/mo", "/vu-viec/mo", title="Cháy bãi rác", level="3")
    assert nothing.status_code == 422
    assert "Cháy bãi rác" in nothing.text
    fields = {"template": "khong-khi-xau", "title": "Cháy bãi rác Cồn Quán", "level": "3", "unit": "14797"}
    made = officer.post("/vu-viec/mo", "/vu-viec/mo", **fields)
    assert made.status_code == 303
    page = made.headers["location"]
    assert "Cháy bãi rác Cồn Quán" in officer.text("/vu-viec")
    assert "mở bằng tay" in words(officer.text(page))
    unfinished = officer.post(f"{page}/dong", page, reason="da-xu-ly", note="xong")
    assert unfinished.status_code == 422
    assert "công việc chưa xong" in unfinished.text
    assert officer.post(f"{page}/dong", page, reason="bao-dong-gia", cancel_open_tasks="1").status_code == 303
    closed = words(officer.text(page))
    assert "Cảnh báo giả" in closed
    assert "Cháy bãi rác" not in words(officer.text("/vu-viec"))
    assert "Cháy bãi rác" in words(officer.text("/vu-viec?tinh_trang=closed&tim=bãi rác"))
    assert officer.post(f"{page}/y-kien", page, body="Ghi thêm sau khi đóng").status_code in (303, 422)
    assert upload(officer, f"{page}/tep", "/tai-khoan", "a.pdf", PDF).status_code == 422


def test_while_the_alarm_goes_on_closing_needs_more_words(signed_in: Callable[[str], Person], case: str) -> None:
    leader = signed_in("lanhdao")
    page = leader.text(case)
    assert "Cảnh báo vẫn đang diễn ra" in page
    assert 'value="da-xu-ly"' not in page, "“dealt with” is no reason while it goes on"
    answer = leader.post(f"{case}/dong", case, reason="chuyen-co-quan-khac", cancel_open_tasks="1")
    assert answer.status_code == 422
    assert "cần ghi rõ vì sao đóng" in answer.text


def test_indicators_count_what_was_done(signed_in: Callable[[str], Person], case: str) -> None:
    del case
    text = words(signed_in("lanhdao").text("/chi-so?ngay=7"))
    assert "Sở Nông nghiệp và Môi trường" in text
    assert re.search(r"\(\d+ trên \d+ việc\)", text)
    assert "Sở Y tế" not in words(signed_in("truc").text("/chi-so"))


# --- Walls


@pytest.fixture
def paths(case: str, settings: Settings, signed_in: Callable[[str], Person]) -> dict[str, str]:
    officer = signed_in("truc")
    file = procedures.case(case.rsplit("/", 1)[1], settings=settings)
    held = next(s for s in suppressions.listing("now", settings=settings) if "súc rửa bể" in s.reason)
    return {
        "incident": incident_of(officer, "cửa xả 1"),
        "case": case,
        "task": f"/cong-viec/{file.tasks[1].task_id}",
        "file": f"/tep/{file.attachments[0].attachment_id}",
        "directive": f"{case}/chi-dao/{file.directives[0].directive_id}/bao-cao",
        "suppression": f"/tam-dung/{held.suppression_id}",
    }


def test_another_units_officer_finds_nothing_and_changes_nothing(
    health_officer: Person, paths: dict[str, str], settings: Settings
) -> None:
    for path in ("incident", "case", "task", "file"):
        assert health_officer.get(paths[path]).status_code == 404, path
    posts = [
        (f"{paths['incident']}/nhan", {"hours": "1"}),
        (f"{paths['incident']}/thoi-nhan", {}),
        (f"{paths['incident']}/tam-dung", {"reason": "x", "hours": "1", "max_level": "1"}),
        (f"{paths['task']}/nhan", {}),
        (f"{paths['task']}/xong", {"outcome": "da-khac-phuc"}),
        (f"{paths['task']}/giao", {"assignee": "yte"}),
        (f"{paths['task']}/tep", {}),
        (f"{paths['task']}/y-kien", {"body": "x"}),
        (f"{paths['case']}/y-kien", {"body": "x"}),
        (f"{paths['case']}/tep", {}),
        (f"{paths['case']}/chi-dao", {"body": "x", "to_unit": "SYT", "due_at": field(3)}),
        (f"{paths['case']}/dong", {"reason": "bao-dong-gia", "note": "x", "cancel_open_tasks": "1"}),
        (paths["directive"], {"unit": "SNNMT", "body": "x", "percent": "100"}),
        ("/vu-viec/mo", {"template": "khong-khi-xau", "su_co": paths["incident"][-36:], "title": "x"}),
    ]
    with warehouse.connect("owner", settings) as connection:
        before = connection.execute("select max(event_id) from audit.event").fetchone()
    for path, fields in posts:
        answer = health_officer.post(path, "/tai-khoan", **fields)
        assert answer.status_code == 404, f"{path}: {answer.status_code}"
    for act, fields in (("go", {}), ("gia-han", {"until": field(5)}), ("xem-lai", {"note": "x"})):
        answer = health_officer.post(f"{paths['suppression']}/{act}", "/tai-khoan", **fields)
        assert answer.status_code == 422, act
        assert "trong phạm vi của bạn" in answer.text
    with warehouse.connect("owner", settings) as connection:
        after = connection.execute("select max(event_id) from audit.event").fetchone()
    assert before == after, "nothing was done, so nothing was recorded"
    assert "súc rửa bể" not in health_officer.text("/tam-dung")
    assert "VV-20" not in health_officer.text("/vu-viec")
    assert "cửa xả" not in health_officer.text("/cong-viec?xem=don-vi")


def test_engineers_look_on(signed_in: Callable[[str], Person], paths: dict[str, str]) -> None:
    engineer = signed_in("kysu")
    assert "Đóng vụ việc" not in engineer.text(paths["case"])
    assert "Nhận việc" not in engineer.text(paths["task"])
    for path, fields in [
        (f"{paths['case']}/dong", {"reason": "bao-dong-gia", "note": "x"}),
        (f"{paths['case']}/chi-dao", {"body": "x", "to_unit": "SYT", "due_at": field(3)}),
        (f"{paths['case']}/tep", {}),
        (f"{paths['task']}/nhan", {}),
        ("/vu-viec/mo", {"template": "khong-khi-xau", "title": "x"}),
    ]:
        assert engineer.post(path, "/tai-khoan", **fields).status_code == 404, path


PAGES = [
    "/dieu-hanh", "/tam-dung", "/cong-viec", "/cong-viec/1", "/vu-viec", "/vu-viec/mo", "/vu-viec/VV-1", "/chi-so",
    "/bang-tin", "/tep/1",
]  # fmt: skip


def test_nothing_of_it_opens_without_login(anybody: Person) -> None:
    for path in PAGES:
        answer = anybody.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/dang-nhap"), path


def test_what_is_too_big_is_refused_before_it_is_read(
    signed_in: Callable[[str], Person], paths: dict[str, str]
) -> None:
    officer = signed_in("truc")
    big = PDF + b"0" * (procedures.MAX_BYTES + 2**20)
    answer = upload(officer, f"{paths['task']}/tep", paths["task"], "to.pdf", big)
    assert answer.status_code == 413
    assert "Mỗi tệp tối đa 20 MB" in answer.text
    slightly = PDF + b"0" * procedures.MAX_BYTES
    answer = upload(officer, f"{paths['case']}/tep", paths["case"], "to.pdf", slightly)
    assert answer.status_code == 422
    assert "Tệp lớn hơn 20 MB" in answer.text


# What machines send carries a signature instead of a form token.
_SIGNED = ("/api/receipts/",)


def unguarded(person: Person) -> list[str]:
    """Paths that take a post without a form token."""
    posts = {
        re.sub(r"\{[^}]*\}", "1", route.path)
        for route in person.app.routes
        if "POST" in (getattr(route, "methods", None) or ())
    }
    assert len(posts) > 25
    return [
        path
        for path in sorted(posts)
        if not path.startswith(_SIGNED)
        and person.browser.post(path, data={"percent": "1", "inbox_id": "1"}).status_code != 400
    ]


def test_every_post_wants_its_form_token(signed_in: Callable[[str], Person]) -> None:
    assert unguarded(signed_in("quantri")) == []


def test_a_post_without_the_guard_would_be_found(signed_in: Callable[[str], Person]) -> None:
    person = signed_in("quantri")
    routes = list(person.app.router.routes)
    person.app.add_api_route("/planted", lambda: "taken", methods=["POST"])
    assert unguarded(person) == ["/planted"]
    person.app.router.routes[:] = routes


@pytest.mark.parametrize("user", ["lanhdao", "truc", "kysu", "quantri"])
def test_the_hub_tells_how_things_stand_and_leads_where_one_may_go(
    signed_in: Callable[[str], Person], case: str, user: str
) -> None:
    del case
    person = signed_in(user)
    html = person.text("/dieu-hanh")
    text = words(html)
    assert re.search(r"\d+ vụ việc đang mở, \d+ việc quá hạn", text)
    assert re.search(r"\d+ lệnh đang hiệu lực, \d+ chuỗi đã ngừng", text)
    paths = re.findall(r'class="card hub-tile" href="(/[a-z-]+)"', html)
    assert len(paths) >= 9
    for path in paths:
        assert person.get(path).status_code == 200, path


def test_the_dashboard_of_all_units_is_not_for_one_units_officer(
    signed_in: Callable[[str], Person], settings: Settings
) -> None:
    told = settings.home / embed.EMBEDDED_FILE
    told.parent.mkdir(exist_ok=True)
    told.write_text(json.dumps({"dashboards": {"alerts": "0e9f5f6e-1111-2222-3333-444455557777"}, "datasets": {}}))
    officer, leader = signed_in("truc"), signed_in("lanhdao")
    assert officer.get("/bang-tin").status_code == 403
    token = {"X-Form-Token": officer.form_token("/tai-khoan")}
    refused = officer.browser.post("/api/embed/alerts", headers=token)
    assert refused.status_code == 403
    assert "token" not in refused.json()
    token = {"X-Form-Token": leader.form_token("/bang-tin")}
    answer = leader.browser.post("/api/embed/alerts", headers=token)
    told.unlink()
    assert answer.json()["embedded_uuid"] == "0e9f5f6e-1111-2222-3333-444455557777"


def test_a_calendar_that_ends_within_a_year_is_told(signed_in: Callable[[str], Person], installation: Settings) -> None:
    """Deadlines look a year ahead; without the days off of then they would be wrong, and nobody would know."""
    with warehouse.connect("owner", installation) as connection:
        connection.execute(
            "insert into ref.holiday (calendar_code, day, kind, name_vi) "
            "select 'hanh_chinh', make_date(extract(year from now())::integer + 2, 1, 1), 'off', 'Tết Dương lịch' "
            "on conflict do nothing"
        )
    officer = signed_in("truc")
    year = datetime.now(ZONE).year
    assert "Lịch nghỉ chỉ có đến" not in words(officer.text("/dieu-hanh"))
    with warehouse.connect("owner", installation) as connection:
        taken = connection.execute(
            "delete from ref.holiday where extract(year from day) > %s "
            "returning calendar_code, day, kind, name_vi, citation",
            (year,),
        ).fetchall()
    try:
        text = words(officer.text("/dieu-hanh"))
        assert f"Lịch nghỉ chỉ có đến hết năm {year}: nhập ngày nghỉ năm {year + 1}" in text
    finally:
        with warehouse.connect("owner", installation) as connection:
            connection.cursor().executemany(
                "insert into ref.holiday (calendar_code, day, kind, name_vi, citation) values (%s, %s, %s, %s, %s)",
                taken,
            )
