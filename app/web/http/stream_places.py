"""How many recordings and exports this process sends at once: each takes minutes, memory and connections."""

from app.kit.fairness.places import Bounds, Places, Sentences
from app.kit.messages.words import N_
from app.kit.metrics import AUDIO_STREAMS

OF_AUDIO = Bounds(overall=64, per_portal=16, per_user=4)
OF_EXPORTS = Bounds(overall=8, per_portal=3, per_user=1)
_OTHERS_EXPORT = N_("Other users are exporting right now. Try again in a minute.")


def make_audio_places() -> Places:
    """The places of recordings under way: each holds connections and memory."""
    sentences = Sentences(
        user=N_("You are playing too many recordings at once. Stop one, then try again."),
        portal=N_("Your Bitrix24 is playing too many recordings. Try again later."),
        overall=N_("Callbook is playing too many recordings. Try again in a minute."),
    )
    return Places(OF_AUDIO, sentences, AUDIO_STREAMS)


def make_export_places() -> Places:
    """The places of exports under way: each takes a share of the database and of the loop."""
    sentences = Sentences(
        code="too_many_exports",
        user=N_("Your last export is still running. Wait for its end or cancel it, then try again."),
        portal=_OTHERS_EXPORT,
        overall=_OTHERS_EXPORT,
        retry_after_s=10,
    )
    return Places(OF_EXPORTS, sentences)
