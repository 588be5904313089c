"""Every procedure that comes with the house can be walked to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from procedure_room import Room

from alerts import procedures, seed
from alerts.procedures import catalogue
from ioc import warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Desk

CODES = {
    "khong-khi-xau", "xa-thai-vuot-quy-chuan", "tau-vuot-ranh-gioi", "tau-mat-ket-noi-6h", "tau-mat-ket-noi-10-ngay",
    "ho-so-qua-han", "phan-anh-qua-han", "van-ban-qua-han", "tin-tieu-cuc-tang", "nguong-dich",
    "tau-phat-sos", "tau-khai-thac-sai-vung",
}  # fmt: skip


def test_each_seeded_procedure_walks_to_its_end(desk: Desk) -> None:
    templates = procedures.list_templates(desk.settings)
    assert {template.code for template in templates} == CODES
    assert all(template.status == "approved" and template.approved_by != template.author for template in templates)
    assert all("phê duyệt" in template.reason and template.legal_basis and template.chain for template in templates)
    for number, template in enumerate(templates):
        room = Room(desk, template.code)
        case = procedures.open_case(
            template.code, "truc", level=3, unit_code="16654", owner_unit="SNNMT", settings=desk.settings,
            at=desk.at(9 + number),
        )  # fmt: skip
        worked = 0
        while ready := [task for task in room.file(9 + number, case.code).tasks if task.status == "ready"]:
            for task in ready:
                assert task.due_at and task.due_at > desk.at(9 + number)
                room.act("accept", task, "truc", hour=9 + number)
                room.act("start", task, "truc", hour=9 + number)
                if task.evidence_required:
                    room.attach(task, 9 + number)
                room.act("finish", task, task.outcomes[0].code, "truc", hour=9 + number)
                worked += 1
        assert {task.status for task in room.file(9 + number, case.code).tasks} <= {"done", "skipped"}, template.code
        assert worked >= 2
        closed = procedures.close_case(case.code, "da-xu-ly", "truc", settings=desk.settings, at=desk.at(20))
        assert closed.status == "closed"


def test_seeding_again_adds_nothing_and_a_new_version_in_the_file_does(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seed.seed(desk.settings)["procedure"] == 0
    (tmp_path / "templates").mkdir()
    (tmp_path / "chains.yaml").write_text("[]")
    text = (catalogue._ROOM / "templates" / "nguong-dich.yaml").read_text(encoding="utf-8")
    file = tmp_path / "templates" / "nguong-dich.yaml"
    file.write_text(text.replace("version: 1", "version: 2"), encoding="utf-8")
    monkeypatch.setattr(catalogue, "_ROOM", tmp_path)
    with warehouse.connect("owner", desk.settings) as connection:
        assert catalogue.load(connection) == 1
    assert procedures.template("nguong-dich", settings=desk.settings).version == 2
    file.write_text(text.replace("chain: khan-cap", "chain: khong-co").replace("version: 1", "version: 3"), "utf-8")
    with (
        pytest.raises(
            procedures.ProcedureRefusedError, match=r"nguong-dich.yaml: không có chuỗi báo lên trên “khong-co”"
        ),
        warehouse.connect("owner", desk.settings) as connection,
    ):
        catalogue.load(connection)


def test_a_draft_lists_its_faults(desk: Desk) -> None:
    step = {"code": "mot", "title_vi": "Một", "title_en": "One", "unit": "fixed:KHONGCO", "role": "x", "sla": "1 hour",
            "calendar": "am-lich", "outcomes": [{"code": "xong", "vi": "Xong", "en": "Done"}]}  # fmt: skip
    content = {"code": "moi", "title_vi": "a", "title_en": "a", "legal_basis": "a", "reason": "a", "chain": "khan-cap",
               "steps": [step]}  # fmt: skip
    with pytest.raises(procedures.ProcedureRefusedError) as refused:
        procedures.draft_template(content, "soan", settings=desk.settings)
    assert "không có đơn vị “KHONGCO”" in str(refused.value) and "không có lịch làm việc “am-lich”" in str(
        refused.value
    )
    with pytest.raises(procedures.ProcedureRefusedError, match="không phải YAML"):
        procedures.draft_template("a: [", "soan", settings=desk.settings)
    draft = procedures.draft_template(
        content | {"steps": [step | {"unit": "rule_owner", "calendar": None}]}, "soan", settings=desk.settings
    )
    procedures.discard_template(draft.template_id, "soan", settings=desk.settings)
    assert "moi" not in {template.code for template in procedures.list_templates(desk.settings)}
