"""`placement.bind`, `placement.unbind`, `placement.get`, `placement.list`."""

from app.demo.core.faults import Refusal
from app.demo.core.state import PlacementBinding
from app.demo.rest.rest_call import Method, RestAnswer, RestCall

KNOWN_PLACEMENTS = {
    "LEFT_MENU": "",
    "REST_APP_URI": "",
    "USER_PROFILE_MENU": "",
    "TELEPHONY_ANALYTICS_MENU": "telephony",
    "CALL_CARD": "telephony",
    "CRM_CONTACT_DETAIL_TAB": "crm",
    "CRM_COMPANY_DETAIL_TAB": "crm",
    "CRM_LEAD_DETAIL_TAB": "crm",
    "CRM_DEAL_DETAIL_TAB": "crm",
}


def bind_placement(call: RestCall) -> RestAnswer:
    """api-reference/widgets/placement-bind.md; ERROR_PLACEMENT_NOT_FOUND as in telephony/analytics-menu.md.

    Some errors come with HTTP 200. A handler that is already bound is refused.
    """
    call.require_admin()
    placement, handler = call.require_text("PLACEMENT"), call.require_text("HANDLER")
    if placement not in _available(call):
        raise Refusal("ERROR_PLACEMENT_NOT_FOUND", 400, "Placement not found")
    if call.parameter("USER_ID"):
        raise Refusal("ERROR_PLACEMENT_USER_MODE", 200, "User mode is not available")
    if any(
        bound.placement == placement and bound.handler == handler for bound in call.installation.placements
    ):
        raise Refusal("ERROR_CORE", 400, "Unable to set placement handler: Handler already binded")
    call.installation.placements.append(
        PlacementBinding(
            placement=placement,
            handler=handler,
            title=call.text("TITLE"),
            description=call.text("DESCRIPTION"),
            group_name=call.text("GROUP_NAME"),
            lang_all=_languages(call.parameter("LANG_ALL")),
        )
    )
    return RestAnswer(True)


def unbind_placement(call: RestCall) -> RestAnswer:
    """api-reference/widgets/placement-unbind.md; the answer counts each handler twice: found and removed."""
    call.require_admin()
    placement, handler = call.text("PLACEMENT"), call.text("HANDLER")
    if not placement:
        raise Refusal("ERROR_ARGUMENT", 400, "Argument 'PLACEMENT' is null or empty", argument="PLACEMENT")
    bound = call.installation.placements
    kept = [one for one in bound if one.placement != placement or handler not in ("", one.handler)]
    removed = len(bound) - len(kept)
    bound[:] = kept
    return RestAnswer({"count": 2 * removed})


def get_placements(call: RestCall) -> RestAnswer:
    """api-reference/widgets/placement-get.md; OPTIONS are not retained (telephony/analytics-menu.md)."""
    call.require_admin()
    return RestAnswer(
        [
            {
                "placement": bound.placement,
                "userId": bound.user_id,
                "handler": bound.handler,
                "options": [],
                "title": bound.title,
                "description": bound.description,
                "langAll": bound.lang_all or [],
            }
            for bound in call.installation.placements
        ]
    )


def list_placements(call: RestCall) -> RestAnswer:
    """api-reference/widgets/placement-list.md: the placements of one scope, or all within the app's
    scopes.
    """
    scope = call.text("SCOPE")
    if scope:
        return RestAnswer([code for code, owner in KNOWN_PLACEMENTS.items() if owner == scope])
    is_full = str(call.parameter("FULL")).lower() in ("true", "1", "y")
    return RestAnswer(list(KNOWN_PLACEMENTS) if is_full else _available(call))


def _available(call: RestCall) -> list[str]:
    return [
        code
        for code, scope in KNOWN_PLACEMENTS.items()
        if (not scope or scope in call.installation.scope) and code not in call.state.unknown_placements
    ]


def _languages(value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        return {}
    return {
        language: {name: str(texts.get(name, "")) for name in ("TITLE", "DESCRIPTION", "GROUP_NAME")}
        for language, texts in value.items()
        if isinstance(texts, dict)
    }


METHODS = {
    "placement.bind": Method(bind_placement, ("placement",)),
    "placement.unbind": Method(unbind_placement, ("placement",)),
    "placement.get": Method(get_placements, ("placement",)),
    "placement.list": Method(list_placements, ("placement",)),
}
