"""How many exports may run at once in this process: each costs the database and the loop their share."""

from app.kit.fairness.places import Places, Sentences, Share
from app.kit.messages.words import N_

SHARE = Share(overall=8, per_portal=3, per_user=1)
_OTHERS = N_("Other users are exporting right now. Try again in a minute.")
_SENTENCES = Sentences(
    code="too_many_exports",
    user=N_("Your last export is still running. Wait for its end or cancel it, then try again."),
    portal=_OTHERS,
    overall=_OTHERS,
    retry_after_s=10,
)


def make_export_places(share: Share = SHARE) -> Places:
    """The places of the exports under way."""
    return Places(share, _SENTENCES)
