"""The permissions that the app asks for, by the methods that need them; a test holds this list, the calls in
the source and the README's registration table to each other.

Documentation: api-reference/scopes/permissions.md, and each method's own page.
"""

# Methods that any token may call are under no scope.
WITHOUT_SCOPE = frozenset({"app.info", "profile", "event.bind", "event.unbind", "event.get"})
METHODS_BY_SCOPE = {
    "telephony": ("voximplant.statistic.get",),
    "placement": ("placement.bind", "placement.unbind", "placement.get", "placement.list"),
    "user_brief": ("user.get",),
    "crm": (
        *("crm.activity.list", "crm.activity.get", "crm.activity.call.getTranscript"),
        *("crm.lead.get", "crm.deal.get", "crm.contact.get", "crm.company.get"),
    ),
    "department": ("department.get",),
}
# Not asked for: with it a recording is read from Drive, without it from the call's CRM activity.
OPTIONAL_METHODS_BY_SCOPE = {"disk": ("disk.file.get",)}
