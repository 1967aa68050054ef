from __future__ import annotations

from datetime import UTC, datetime

from indexer.document import cases_of, device_of, document_of, duration_of, officer_of
from indexer.tree import EXACT_FIELDS, WORD_FIELDS
from indexer.words import analysis
from pipeline.records import Caveat, Known, Stated
from tests.indexer.archive import decided, known, link


def holds(one: Known, text: str, field: str = "text") -> bool:
    sought, held = analysis.phrase(text), document_of(one).words[field]
    length = len(sought.tokens)
    return any(held[at : at + length] == sought.tokens for at in range(len(held)))


def test_a_document_has_the_fields_the_index_knows() -> None:
    document = document_of(known("a", folder="甲", time=decided(datetime(2023, 1, 1, tzinfo=UTC))))
    assert set(document.words) == set(WORD_FIELDS)
    assert set(document.exact) == set(EXACT_FIELDS)


def test_names_folders_notes_reasons_and_caveats_are_text() -> None:
    one = known(
        "a",
        name="门头照片.jpg",
        folder="鑫源达/现场",
        exif__UserComment="油罐二号",
        links=[link("平商务罚字〔2021〕第3号", why="文件夹名称")],
        caveats=[Caveat(code="x", text="clock is off", text_zh="时钟偏差")],
    )
    assert all(
        holds(one, text) for text in ("门头照片", "鑫源达", "油罐二号", "文件夹名称", "时钟偏差", "clock is off")
    )


def test_facts_that_describe_the_file_and_not_the_matter_are_no_text() -> None:
    assert not holds(known("a", container__format="matroska", video__codec="hevc"), "matroska")


def test_a_sidecars_words_are_its_recordings_words() -> None:
    sidecar = known("s", kind="sidecar", parent="a", name="a.json", sidecar__note="闫璐在场", sidecar__officer="褚怀瑾")
    one = known("a", sidecars=[sidecar])
    assert holds(one, "闫璐")
    assert officer_of(one) == "褚怀瑾"
    assert "attached" in document_of(sidecar).exact["flags"]
    assert "attached" not in document_of(one).exact["flags"]


def test_what_a_clerk_stated_comes_before_what_the_file_says() -> None:
    one = known("a", stated=Stated(device="记录仪3号"), device__serial="X1", device__model="EOS")
    assert device_of(one) == "记录仪3号"
    assert device_of(known("b", device__model="EOS", device__serial="X1")) == "X1"
    assert device_of(known("c")) is None


def test_refused_links_are_no_cases_and_leave_no_key() -> None:
    refused = link("平商务罚字〔2021〕第3号", "refused")
    one = known("a", folder="平商务罚字〔2021〕3号", links=[refused, link("岳商务罚字〔2021〕4号")])
    document = document_of(one)
    assert cases_of(one) == ("岳商务罚字〔2021〕4号",)
    assert "平商务罚-2021-3" not in document.exact["keys"]
    assert "unlinked" not in document.exact["flags"]
    assert "unlinked" in document_of(known("b", links=[refused])).exact["flags"]


def test_a_case_is_found_without_its_region_too() -> None:
    keys = document_of(known("a", links=[link("平商务罚字〔2021〕第3号")])).exact["case_keys"]
    assert {"平商务罚-2021-3", "商务罚-2021-3"} <= set(keys)


def test_a_case_linked_twice_is_named_once_confirmed_first() -> None:
    links = [link("平商务罚字〔2021〕3号", "proposed"), link("岳商务罚字〔2021〕4号"), link("平商务罚字〔2021〕3号")]
    assert sorted(cases_of(known("a", links=links))) == ["岳商务罚字〔2021〕4号", "平商务罚字〔2021〕3号"]


def test_the_interval_holds_the_uncertainty() -> None:
    start = datetime(2023, 1, 1, tzinfo=UTC)
    document = document_of(known("a", time=decided(start, length_s=10, uncertainty_s=2.5)))
    base = 1672531200_000  # date -u -d 2023-01-01 +%s
    assert (document.start_ms, document.from_ms, document.to_ms) == (base, base - 2500, base + 12500)


def test_without_a_decided_time_there_is_no_interval() -> None:
    document = document_of(known("a"))
    assert (document.start_ms, document.from_ms, document.to_ms) == (None, None, None)


def test_the_duration_is_that_of_the_data_before_that_of_the_container() -> None:
    assert duration_of(known("a", container__duration_s=9.0, container__data_end_s=8)) == 8.0
    assert duration_of(known("b", container__duration_s=9.0)) == 9.0
    assert duration_of(known("c", container__duration_s="9")) is None


def test_an_original_is_found_by_its_number_and_digests() -> None:
    one = known("01JABC")
    assert set(document_of(one).exact["digests"]) == {"01jabc", one.original.sha256}
