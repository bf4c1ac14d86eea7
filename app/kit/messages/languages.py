"""The languages that Callbook speaks, by locale, and which of them a reader gets. Pure."""

from types import MappingProxyType

SOURCE = "en"  # What the texts in code and templates are written in; all others have a catalogue.
# Each in its own words, as a list of languages shows them.
LANGUAGES = MappingProxyType(
    {
        "en": "English",
        "de": "Deutsch",
        "fr": "Français",
        "it": "Italiano",
        "es": "Español",
        "pt_BR": "Português (Brasil)",
        "pl": "Polski",
        "ru": "Русский",
        "uk": "Українська",
        "tr": "Türkçe",
        "ar": "العربية",
        "zh_Hans": "简体中文",
        "ja": "日本語",
    }
)
# Tags that mean one of ours although neither they nor their first part are spelled alike.
_ALIASES = {"pt": "pt_BR", "zh": "zh_Hans", "zh_cn": "zh_Hans", "zh_sg": "zh_Hans"}
_FOREIGN = ("zh_hant", "zh_tw", "zh_hk", "zh_mo")  # Written otherwise: simplified is no answer to these.
_RIGHT_TO_LEFT = ("ar",)  # Babel knows it too, and loads a megabyte for each language that it is asked about.
_BY_LOWER = {locale.lower(): locale for locale in LANGUAGES} | _ALIASES


def find_locale(tag: str) -> str | None:
    """Our locale for a language tag of any spelling (`de-AT`, `PT_br`, `zh-Hans-CN`); None for no such."""
    parts = tag.strip().lower().replace("-", "_").split("_")
    for length in range(min(len(parts), 3), 0, -1):
        name = "_".join(parts[:length])
        if name in _FOREIGN:
            return None
        if name in _BY_LOWER:
            return _BY_LOWER[name]
    return None


def accept_locale(header: str) -> str | None:
    """The best of ours in an `Accept-Language` header (RFC 9110, 12.5.4); None when it names none."""
    wishes = []
    for position, wish in enumerate(header[:500].split(",")):
        tag, _, quality = wish.partition(";")
        locale, weight = find_locale(tag), _weight(quality)
        if locale is not None and weight > 0:
            wishes.append((-weight, position, locale))
    return min(wishes)[2] if wishes else None


def html_language(locale: str) -> str:
    """The locale as HTML and HTTP spell it: `pt-BR`."""
    return locale.replace("_", "-")


def text_direction(locale: str) -> str:
    """`ltr` or `rtl`."""
    return "rtl" if locale in _RIGHT_TO_LEFT else "ltr"


def _weight(quality: str) -> float:
    """`q=0.8`, and 1 where there is none; what is no number counts as a refusal."""
    name, _, value = quality.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
