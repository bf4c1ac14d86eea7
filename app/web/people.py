"""How people without a name of their own are called."""

from collections.abc import Callable

from app.kit.words import load_words


def system_user_label(locale: str) -> Callable[[int], str]:
    """Names a user whom the portal never lists: a bot, an integrator, something of Bitrix24's own."""
    words = load_words(locale)
    return lambda user_id: words.gettext("System user %(number)s", number=user_id)
