"""`app.info` of the portal and `profile`, which any token may call without a scope."""

from app.demo.rest.rest_call import Method, RestAnswer, RestCall


def describe_app(call: RestCall) -> RestAnswer:
    """api-reference/common/system/app-info.md"""
    installation = call.installation
    return RestAnswer(
        {
            "ID": 5,
            "CODE": call.token.client_id,
            "VERSION": installation.version,
            "STATUS": installation.status,
            "INSTALLED": installation.is_finished,
            "PAYMENT_EXPIRED": "Y" if installation.days is not None and installation.days < 0 else "N",
            "DAYS": installation.days,
            "LANGUAGE_ID": call.state.language,
            "LICENSE": f"{call.state.language}_basic",
            "LICENSE_TYPE": "basic",
            "LICENSE_FAMILY": "basic",
        }
    )


def describe_profile(call: RestCall) -> RestAnswer:
    """api-reference/common/users/profile.md; empty for an inactive user."""
    user = call.user
    if not user.is_active:
        return RestAnswer([])
    return RestAnswer(
        {
            "ID": str(user.id),
            "ADMIN": user.is_admin,
            "NAME": user.name,
            "LAST_NAME": user.last_name,
            "PERSONAL_GENDER": user.gender,
            "TIME_ZONE": user.time_zone,
        }
    )


METHODS = {"app.info": Method(describe_app), "profile": Method(describe_profile)}
