"""Mails, tables of values, JSON and web pages are read by what is in them, in any encoding, whatever their name."""

from email.message import EmailMessage

import pytest

from domain.knowledge import media
from domain.knowledge.parse import parse


def mail(*, text: str = "", page: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.com>", "bo@example.com", "Re: Grüße"
    message["Date"] = "Mon, 02 Mar 2026 09:00:00 +0000"
    if text:
        message.set_content(text, charset="iso-8859-1")
    if page:
        (message.add_alternative if text else message.set_content)(page, subtype="html")
    return message


def test_a_mail_says_who_wrote_what_and_what_was_attached() -> None:
    inner = mail(text="the mail before\n")
    message = mail(text="Schöne Grüße\n")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    message.add_attachment(inner)
    extract = parse(message.as_bytes(), "saved.txt")
    assert (extract.media_type, extract.title) == (media.MAIL, "Re: Grüße")
    assert extract.text == (
        "Re: Grüße\n\nFrom: Ann <ann@example.com>\nTo: bo@example.com\nDate: Mon, 02 Mar 2026 09:00:00 +0000\n\n"
        "Schöne Grüße\n\nAttachments: Rechnung März.pdf\n\n"
        "Re: Grüße\n\nFrom: Ann <ann@example.com>\nTo: bo@example.com\nDate: Mon, 02 Mar 2026 09:00:00 +0000\n\n"
        "the mail before"
    )


def test_a_mail_of_html_loses_the_tables_that_only_place_things() -> None:
    page = (
        "<table><tr><td><p>Hello</p><table><tr><th>Plan</th><th>Fee</th></tr><tr><td>Basic</td><td>9</td></tr></table>"
        "</td></tr><tr><td>Bye</td></tr></table>"
    )
    text = parse(mail(page=page).as_bytes(), "a.eml").text
    assert text.endswith("Hello\n\n| Plan | Fee |\n| - | - |\n| Basic | 9 |\n\nBye")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_is_cut_by_the_separator_it_uses(separator: str) -> None:
    rows = [["Name", "Note"], ["Ann", f'"says: a{separator} b"'], ["Bo", "x"]]
    data = "\r\n".join(separator.join(row) for row in rows).encode("utf-16")
    shown = f"says: a{separator} b".replace("|", "\\|").replace("\t", " ").replace("  ", " ")
    assert parse(data, "t.csv").text == f"| Name | Note |\n| - | - |\n| Ann | {shown} |\n| Bo | x |"


def test_json_records_are_a_table_and_other_json_is_written_out() -> None:
    assert parse(b'[{"id": 1, "name": "a"}, {"id": 2, "on": true}]', "a.json").text == (
        "| id | name | on |\n| - | - | - |\n| 1 | a |  |\n| 2 |  | true |"
    )
    assert parse(b'{"id": 1}\n{"id": 2}\n', "a.jsonl").text == "| id |\n| - |\n| 1 |\n| 2 |"
    assert parse(b'{"fee": {"eu": 9}}', "a.json").text == '{\n "fee": {\n  "eu": 9\n }\n}'
    assert parse(b"{not json", "a.json").text == "{not json"


def test_a_web_page_keeps_merged_cells_captions_and_nested_lists() -> None:
    page = (
        "<!doctype html><body><table><caption>Hours</caption><tr><th>Day<th colspan=2>Open</tr>"
        "<tr><td rowspan=2>Mon<td>9<td>12<tr><td>14<td>18</table><ol start=3><li>a<ul><li>b</ul><li>c</ol>"
    )
    assert parse(page.encode(), "hours.md").text == (
        "Hours\n\n| Day | Open | Open |\n| - | - | - |\n| Mon | 9 | 12 |\n| Mon | 14 | 18 |\n\n3. a\n  - b\n4. c"
    )


SENTENCES = {
    "cp1251": "Возврат денег возможен в течение тридцати дней после покупки товара. ",
    "shift_jis": "返品は購入後三十日以内に受け付けます。お問い合わせはこちらまでお願いします。",
    "gb18030": "购买后三十天内可以退款。请联系我们的客户服务部门了解更多信息。",
    "euc_kr": "구매 후 삼십일 이내에 환불이 가능합니다. 고객 센터에 문의하십시오. ",
    "cp1253": "Τώρα η επιστροφή χρημάτων είναι δυνατή εντός τριάντα ημερών από την αγορά. ",
    "utf-16-le": "Money comes back within thirty days, says the form. ",
    "utf-16-be": "Das Geld kommt binnen dreißig Tagen zurück. ",
    "utf-32": "Money comes back within thirty days. ",
}


@pytest.mark.parametrize("encoding", SENTENCES)
def test_plain_text_is_read_in_the_encodings_of_the_world(encoding: str) -> None:
    sentence = SENTENCES[encoding]
    assert sentence.strip() in parse((sentence * 5).encode(encoding), "a.txt").text
