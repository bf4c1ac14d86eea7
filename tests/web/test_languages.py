import pytest

from app.bitrix24.languages import find_portal_locale, portal_language
from app.kit.languages import LANGUAGES, accept_locale, find_locale, html_language, text_direction
from app.web.languages import choose_locale


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        *[("de", "de"), ("DE-at", "de"), ("pt", "pt_BR"), ("pt-BR", "pt_BR"), ("pt_pt", "pt_BR")],
        *[("zh", "zh_Hans"), ("zh-CN", "zh_Hans"), ("zh-Hans-SG", "zh_Hans")],
        *[("zh-Hant", None), ("zh-TW", None), ("zh-Hant-HK", None), ("vi", None), ("", None), ("*", None)],
    ],
)
def test_a_language_tag_finds_its_locale(tag: str, locale: str | None) -> None:
    assert find_locale(tag) == locale


@pytest.mark.parametrize(
    ("lang", "locale"),
    [
        *[("en", "en"), ("la", "es"), ("br", "pt_BR"), ("ua", "uk"), ("sc", "zh_Hans"), ("kz", "ru")],
        *[("UA", "uk"), ("zh-Hans", "zh_Hans"), ("tc", None), ("in", None), ("vn", None), ("<b>", None)],
    ],
)
def test_a_portal_names_languages_its_own_way(lang: str, locale: str | None) -> None:
    assert find_portal_locale(lang) == locale


def test_a_portal_is_told_languages_by_its_own_names() -> None:
    named = {portal_language(locale): locale for locale in LANGUAGES}
    assert len(named) == len(LANGUAGES)
    assert all(find_portal_locale(name) == locale for name, locale in named.items())


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("de-CH, fr;q=0.9", "de"),
        ("fr;q=0.4, ru;q=0.8, en;q=0.5", "ru"),
        ("vi, th;q=0.9, ja;q=0.1", "ja"),
        ("de;q=0, it;q=0.1", "it"),
        ("de;q=x, it;q=nan", None),
        *[("*", None), ("", None), (",;=,", None), ("en" * 100_000, None)],
    ],
)
def test_a_browser_gets_the_language_that_it_likes_best(header: str, locale: str | None) -> None:
    assert accept_locale(header) == locale


def test_the_users_choice_comes_before_the_portals_and_that_before_the_pages() -> None:
    assert choose_locale("ja", "de", "la") == "ja"
    assert choose_locale("", "de", "la") == "de"
    assert choose_locale("", "", "la") == "es"
    assert choose_locale("la", "../en", "tc") == "en"


def test_arabic_alone_runs_from_right_to_left() -> None:
    assert [locale for locale in LANGUAGES if text_direction(locale) == "rtl"] == ["ar"]
    assert html_language("pt_BR") == "pt-BR"
