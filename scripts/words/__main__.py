"""Bring every catalogue up to date with the application's texts, and count the missing translations."""

from scripts.words.catalogues import (
    TRANSLATED,
    carry_over,
    catalogue_path,
    list_messages,
    read_catalogue,
    write_catalogue,
)
from scripts.words.extraction import extract_messages
from scripts.words.faults import forms_of


def main() -> None:
    """Rewrite each catalogue and print one line for it."""
    template = extract_messages()
    for locale in TRANSLATED:
        catalogue = carry_over(template, read_catalogue(locale), locale)
        catalogue_path(locale).write_text(write_catalogue(catalogue, locale), "utf-8")
        messages = list_messages(catalogue)
        missing = sum(not all(forms_of(message.string)) for message in messages)
        print(f"{locale}: {len(messages)} texts, {missing} without a translation")


main()
