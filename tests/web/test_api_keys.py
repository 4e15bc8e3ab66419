"""Keys of programs: made with what they may do, shown once, revoked."""

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def test_a_key_is_made_shown_once_and_revoked(desk: Desk) -> None:
    page = desk.sign_in("/settings")
    page.get_by_role("main").get_by_role("link", name="API keys").click()
    form = page.get_by_role("region", name="New key")
    form.get_by_role("button", name="Make a key").click()
    expect(form.get_by_role("alert")).to_contain_text("Give the key a name")
    form.get_by_label("Name").fill("Reporting")
    form.get_by_label("Read").uncheck()
    form.get_by_role("button", name="Make a key").click()
    expect(form.get_by_role("alert")).to_contain_text("Choose at least one thing")
    form.get_by_label("Read").check()
    form.get_by_label("Write").check()
    form.get_by_role("button", name="Make a key").click()
    keys = page.get_by_role("region", name="Keys in use")
    expect(keys.locator("code.secret")).to_contain_text("mr_")
    desk.becomes(lambda: desk.fake.called("POST", "/v1/api-keys"), [{"name": "Reporting", "scopes": ["read", "write"]}])
    page.reload()
    expect(keys.locator("li")).to_contain_text("Reporting")
    expect(keys.locator(".secret")).to_have_count(0)
    keys.get_by_role("button", name="Revoke Reporting").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(keys).to_contain_text("No program has a key.")
