"""Renders templates as pages, in the reader's language."""

from pathlib import Path
from urllib.parse import urlsplit

from babel.numbers import format_decimal
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from litestar import MediaType, Response

from app.calls.log.call_words import name_cards, name_columns, name_directions, name_outcomes
from app.calls.log.columns import DENSE_FROM, SORT_FIELDS, describe_sort, next_sort
from app.calls.store.outcome import DIRECTIONS, OUTCOMES
from app.kit.messages.languages import LANGUAGES, html_language, text_direction
from app.kit.messages.words import load_all_words, load_words
from app.people.preferences import THEMES
from app.settings import Settings
from app.web.http.assets import ROOT, asset_url, load_assets
from app.web.http.security import origin_of

TEMPLATES = Path(ROOT, "templates")


class Pages:
    """Renders templates with the values that all of them need; every value is escaped.

    Each language has an environment of its own, because Jinja keeps an imported template with the words of
    its first render.
    """

    def __init__(self, settings: Settings) -> None:
        load_assets()  # A missing file stops the process here, not the first visitor's page.
        load_all_words()
        self.base = urlsplit(settings.app_url).path.rstrip("/")
        compiled = _Compiled()
        self.environments = {locale: self._make_environment(locale, compiled) for locale in LANGUAGES}

    def _make_environment(self, locale: str, compiled: BytecodeCache) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=compiled,
        )
        environment.policies["ext.i18n.trimmed"] = True
        words = load_words(locale)
        # The extension adds this method.
        environment.install_gettext_translations(words.catalogue, newstyle=True)  # type: ignore[attr-defined]
        environment.filters["number"] = lambda number: format_decimal(number, locale=locale)
        environment.globals.update(
            base=self.base,
            asset=lambda name: asset_url(self.base, name),
            origin=origin_of,
            directions=DIRECTIONS,
            outcomes=OUTCOMES,
            outcome_words=name_outcomes(words),
            direction_words=name_directions(words),
            card_words=name_cards(words),
            column_words=name_columns(words),
            themes=THEMES,
            sort_fields=SORT_FIELDS,
            next_sort=next_sort,
            describe_sort=describe_sort,
            dense_from=DENSE_FROM,
            language=html_language(locale),
            text_direction=text_direction(locale),
        )
        return environment

    def render(
        self, template: str, headers: dict[str, str], locale: str, status: int = 200, **values: object
    ) -> Response[str]:
        """One page or fragment; `locale` is one of `app.kit.messages.languages.LANGUAGES`."""
        text = self.environments[locale].get_template(template).render(**values)
        headers = {**headers, "Content-Language": html_language(locale)}
        return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


class _Compiled(BytecodeCache):
    """Compiled templates, shared by all languages: the words are in the environment of each language, not in
    the compiled code.
    """

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], Bucket] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with the code that another language compiled from the same source, if
        there is any.
        """
        if kept := self._code.get((bucket.key, bucket.checksum)):
            bucket.code = kept.code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the compiled code for the other languages."""
        self._code[bucket.key, bucket.checksum] = bucket
