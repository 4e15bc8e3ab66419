"""Which addresses get our token, and which are refused before anything is sent."""

import pytest

from providers.errors import ProtocolBroken
from providers.graph.endpoint import GraphEndpoint, quoted

ENDPOINT = GraphEndpoint()


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/v1.0/me/mailFolders/a/messages/delta?$skiptoken=x%2Fy",
        "https://graph.microsoft.com:443/v1.0/users/x/messages",
        "https://GRAPH.microsoft.com/v1.0/me",
    ],
)
def test_links_of_our_own_host_are_followed_unchanged(link):
    assert ENDPOINT.followed(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil.example.com/v1.0/me",
        "https://evil.example.com/v1.0/me",
        "http://graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com:8443/v1.0/me",
        "https://graph.microsoft.com@evil.example.com/v1.0/me",
        "https://user@graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com/beta/me",
        "https://graph.microsoft.com/v1.0/../beta/me",
        "https://graph.microsoft.com\\@evil.example.com/v1.0/me",
        "https://[bad/v1.0/",
        "https://graph.microsoft.com:99999/v1.0/me",
        "",
        None,
        7,
    ],
)
def test_links_elsewhere_are_refused(link):
    with pytest.raises(ProtocolBroken) as caught:
        ENDPOINT.followed(link)
    assert caught.value.reason == "link_elsewhere"


def test_uploads_go_to_outlook_and_nowhere_else():
    link = "https://outlook.office.com/api/gv1.0/users/a/messages/b/AttachmentSessions?authtoken=x"
    assert ENDPOINT.uploaded_to(link) == link
    for bad in ("https://evil.example.com/x", "http://outlook.office.com/x", "https://outlook.office.com:444/x", None):
        with pytest.raises(ProtocolBroken):
            ENDPOINT.uploaded_to(bad)


@pytest.mark.parametrize("url", ["http://graph.example.com/v1.0/", "https://graph.microsoft.com/v1.0", "graph", "ftp://x/"])
def test_an_unusable_address_is_named(url):
    with pytest.raises(ValueError, match="Graph address"):
        GraphEndpoint(url)


def test_ids_are_one_segment_of_a_path():
    assert quoted("AAk/a+b=?#") == "AAk%2Fa%2Bb%3D%3F%23"
