"""The permissions that the app asks for, with the methods that need them. A test compares this list with the
calls in the source and with the README's registration table.

Documentation: api-reference/scopes/permissions.md, and each method's own page.
"""

# Any token may call these methods.
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
# The app does not ask for these: with `disk` a recording is read from Drive, without it from the CRM
# activity.
OPTIONAL_METHODS_BY_SCOPE = {"disk": ("disk.file.get",)}
