"""The languages of Callbook, by locale, and the choice of one for a reader. Pure."""

from types import MappingProxyType

SOURCE = "en"  # The language of the texts in code and templates; all others have a catalogue.
# The name of each in its own language, as a menu of languages shows it.
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
# Tags whose spelling alone would not lead `find_locale` to our locale for them.
_ALIASES = {"pt": "pt_BR", "zh": "zh_Hans", "zh_cn": "zh_Hans", "zh_sg": "zh_Hans"}
_FOREIGN = ("zh_hant", "zh_tw", "zh_hk", "zh_mo")  # Traditional script: its readers do not want our zh_Hans.
_RIGHT_TO_LEFT = ("ar",)  # Babel knows this too, but loads a megabyte for each language that is looked up.
_BY_LOWER = {locale.lower(): locale for locale in LANGUAGES} | _ALIASES


def find_locale(tag: str) -> str | None:
    """Our locale for a language tag of any spelling (`de-AT`, `PT_br`, `zh-Hans-CN`), or None."""
    parts = tag.strip().lower().replace("-", "_").split("_")
    for length in range(min(len(parts), 3), 0, -1):
        name = "_".join(parts[:length])
        if name in _FOREIGN:
            return None
        if name in _BY_LOWER:
            return _BY_LOWER[name]
    return None


def accept_locale(header: str) -> str | None:
    """The best of our locales for an `Accept-Language` header (RFC 9110, 12.5.4); None when it names none."""
    wishes = []
    for position, wish in enumerate(header[:500].split(",")):
        tag, _, quality = wish.partition(";")
        locale, weight = find_locale(tag), _weight(quality)
        if locale is not None and weight > 0:
            wishes.append((-weight, position, locale))
    return min(wishes)[2] if wishes else None


def html_language(locale: str) -> str:
    """The locale in the spelling of HTML and HTTP: `pt-BR`."""
    return locale.replace("_", "-")


def text_direction(locale: str) -> str:
    """`ltr` or `rtl`."""
    return "rtl" if locale in _RIGHT_TO_LEFT else "ltr"


def _weight(quality: str) -> float:
    """The weight in `q=0.8`. Without a weight it is 1. A weight that is no number counts as 0, which refuses
    the language.
    """
    name, _, value = quality.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
