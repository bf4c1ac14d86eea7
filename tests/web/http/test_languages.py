import pytest
from babel import Locale

from app.bitrix24.languages import find_portal_locale, portal_language
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.messages.languages import LANGUAGES, accept_locale, find_locale, html_language, text_direction
from app.kit.messages.words import load_words
from app.web.http.languages import choose_locale
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import insert_calls


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


def test_a_language_that_we_lack_is_english() -> None:
    assert [choose_locale(lang) for lang in ("ja", "la", "tc", "../en", "")] == ["ja", "es", "en", "en", "en"]


def test_arabic_alone_runs_from_right_to_left() -> None:
    assert [locale for locale in LANGUAGES if text_direction(locale) == "rtl"] == ["ar"]
    assert all(text_direction(locale) == Locale.parse(locale).text_direction for locale in LANGUAGES)
    assert html_language("pt_BR") == "pt-BR"


async def open_in(callbook: Callbook, portal: StandInPortal, language: str) -> Tab:
    portal.state.language = language
    return await open_tab(callbook, portal)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("lang", "language", "direction", "title"),
    [
        *[
            ("en", "en", "ltr", "Call log"),
            ("de", "de", "ltr", "Anrufprotokoll"),
            ("br", "pt-BR", "ltr", "chamadas"),
        ],
        *[
            ("ua", "uk", "ltr", "Журнал дзвінків"),
            ("sc", "zh-Hans", "ltr", "通话记录"),
            ("tc", "en", "ltr", "Call log"),
        ],
        *[("ar", "ar", "rtl", "سجل المكالمات"), ("<i>", "en", "ltr", "Call log")],
    ],
)
async def test_the_log_is_in_the_language_of_the_portals_page(
    callbook: Callbook, stand_in: StandIn, lang: str, language: str, direction: str, title: str
) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_in(callbook, stand_in.portals[0], lang)
    assert f'<html lang="{language}" dir="{direction}"' in tab.page.text
    assert tab.page.headers["content-language"] == language
    assert title in tab.page.text


@pytest.mark.parametrize(
    ("lang", "forms"),
    [
        (
            "ru",
            {
                1: "Найден 1 звонок.",
                2: "Найдено 2 звонка.",
                5: "Найдено 5 звонков.",
                11: "Найдено 11 звонков.",
            },
        ),
        (
            "ar",
            {
                1: "مكالمة واحدة مطابقة.",
                2: "مكالمتان مطابقتان.",
                5: "5 مكالمات مطابقة.",
                11: "11 مكالمة مطابقة.",
            },
        ),
        ("pl", {1: "Pasuje 1 połączenie.", 2: "Pasują 2 połączenia.", 5: "Pasuje 5 połączeń."}),
        ("ja", {1: "1 件の通話が一致しました。", 2: "2 件の通話が一致しました。"}),
    ],
)
async def test_a_number_takes_the_form_that_its_language_has_for_it(
    callbook: Callbook, stand_in: StandIn, lang: str, forms: dict[int, str]
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    tab = await open_in(callbook, stand_in.portals[0], lang)
    inserted = 0
    for count, form in forms.items():
        await insert_calls(portal_id, *({"call_id": f"{number}"} for number in range(inserted, count)))
        inserted = count
        assert f'data-announcement="{form}"' in (await tab.get("/log/summary")).text


async def test_a_session_keeps_the_language_of_its_page(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal.state.language = "de"
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    assert "Noch keine Anrufe" in (await tab.get("/log/rows")).text
    asked = {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token}
    for lang, words in {
        "pt-BR": "Ainda não há chamadas",
        "": "Noch keine Anrufe",
        "??": "No calls yet",
    }.items():
        answer = await callbook.client.post("/session", json={**asked, "lang": lang})
        headers = {"Authorization": f"Bearer {answer.json()['token']}", "Accept-Language": "ja"}
        assert words in (await callbook.client.get("/log/rows", headers=headers)).text


async def test_refusals_are_told_in_the_language_of_their_reader(
    callbook: Callbook, stand_in: StandIn
) -> None:
    """A page that was refused knows its LANG, a request its session, and everything else the browser."""
    portal = stand_in.portals[0]
    portal.state.language = "ru"
    page = await portal.open_page("/")
    assert page.status_code == 403
    assert '<html lang="ru"' in page.text
    assert "Callbook не установлен" in page.text
    await install(callbook, portal)
    tab = await open_in(callbook, portal, "la")
    problem = (await tab.get("/api/v1/calls/none")).json()
    assert (problem["code"], problem["detail"]) == (
        "call_not_found",
        "No existe esa llamada o usted no puede verla.",
    )
    browser = await callbook.client.get("/api/v1/calls", headers={"Accept-Language": "tr,en;q=0.5"})
    assert browser.json()["detail"].startswith("Oturumunuz sona erdi")
    script = await callbook.client.get("/api/v1/calls")
    assert script.json()["detail"].startswith("Your session has ended")


@pytest.mark.parametrize("path", ["/", "/install", "/licence", "/privacy"])
async def test_static_pages_follow_the_browser_and_a_link_may_name_another(
    callbook: Callbook, path: str
) -> None:
    browser = {"Accept-Language": "it-IT,it;q=0.9"}
    assert '<html lang="it"' in (await callbook.client.get(path, headers=browser)).text
    assert '<html lang="pl"' in (await callbook.client.get(f"{path}?LANG=pl", headers=browser)).text
    assert '<html lang="en"' in (await callbook.client.get(path)).text


async def test_remedies_of_the_installation_are_told_in_the_language(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    stand_in.fail("placement.bind", code="ACCESS_DENIED", status=403)
    await install(callbook, portal)
    tab = await open_in(callbook, portal, "de")
    await callbook.settle()
    steps = (await tab.get("/install/progress")).json()
    assert steps[2]["remedy"].startswith("REST ist im Tarif")


async def test_the_placement_has_a_title_in_every_language(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    bound = portal.bound_placement("TELEPHONY_ANALYTICS_MENU")
    assert bound is not None
    assert set(bound.lang_all) == {portal_language(locale) for locale in LANGUAGES}


def test_what_a_catalogue_lacks_is_shown_in_english() -> None:
    words = load_words("de")
    assert words.gettext("") == ""
    assert words.gettext("Never translated %(n)s", n=5) == "Never translated 5"
    assert words.ngettext("%(n)s thing", "%(n)s things", 2) == "2 things"
    assert load_words("xx").gettext("Calls") == "Calls"


async def test_values_are_escaped_in_translations_too(callbook: Callbook) -> None:
    """Jinja trusts a translation, which a test keeps free of markup, and escapes the values in it."""
    german = callbook.parts.pages.environments["de"]
    template = german.from_string('{{ _("User %(id)s", id=name) }}')
    assert template.render(name="<b>") == "Benutzer &lt;b&gt;"
