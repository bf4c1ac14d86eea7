"""The findings of axe-core about the contents of a frame."""

from pathlib import Path
from typing import Any

from playwright.async_api import Frame, Page

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RULES = """axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]))"""


async def find_violations(page: Page, frame: Frame) -> list[Any]:
    """Each broken rule, with the elements that break it; the policy of the page itself allows no such
    script.
    """
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Page.setBypassCSP", {"enabled": True})
    await frame.evaluate(AXE.read_text("utf-8"))
    found: list[Any] = await frame.evaluate(_RULES)
    return found
