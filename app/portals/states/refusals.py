"""The refusals that a person reads while their portal answers nothing: one page for each state."""

from app.kit.messages.errors import Refusal
from app.kit.messages.words import N_, Words
from app.portals.model import ContactState

KEPT = N_(
    "Nothing is lost: Callbook keeps the recorded calls and adds those that Bitrix24 reports meanwhile."
)
TITLES: dict[ContactState, str] = {
    "payment_required": N_("Bitrix24 asks for payment"),
    "portal_closed": N_("This Bitrix24 is temporarily closed"),
    "plan_without_rest": N_("The plan of this Bitrix24 does not include REST"),
    "restricted": N_("You have no access to Callbook"),
}
REMEDIES: dict[ContactState, str] = {
    "payment_required": N_(
        "The paid or trial period is over. An administrator can pay for Callbook or for the plan "
        "in Bitrix24. Callbook then continues by itself."
    ),
    "portal_closed": N_(
        "An administrator has closed it, perhaps for maintenance. Once it is open again, Callbook "
        "continues by itself."
    ),
    "plan_without_rest": N_(
        "Callbook needs REST, which the current plan does not include. An administrator can change "
        "the plan or start the Market trial. Callbook then continues by itself."
    ),
    "restricted": N_(
        "An administrator of your Bitrix24 lets only certain people use Callbook. Ask the "
        "administrator to add you."
    ),
}


class PortalRefuses(Refusal):
    """The portal refuses everyone now, or only this person; `code` is the state. It proves nothing about the
    token.
    """

    status = 403

    def __init__(self, state: ContactState) -> None:
        super().__init__(REMEDIES[state], code=state)
        self.state = state
        self.title = TITLES[state]
        self.assurance = "" if state == "restricted" else KEPT

    def say(self, words: Words) -> str:
        """The translated remedy, then (but not if restricted) the assurance that no call is lost."""
        remedy = super().say(words)
        return f"{remedy} {words.gettext(self.assurance)}" if self.assurance else remedy
