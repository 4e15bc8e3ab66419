"""Every failure name that crosses the wire, with the sentence that people read. `docs/errors.md` explains each one.

An `ApplicationError` has one of these names as its type; those in `NON_RETRYABLE` end the step at once.
"""

SENTENCES: dict[str, str] = {
    "AuthFailed": "The server refused the user name or password. Enter the password again on the inbox page.",
    "ConsentNeeded": "The provider does not let us into this mailbox any more. Connect it again on the inbox page.",
    "OtherMailbox": "The account that agreed opens another mailbox than this inbox's address. Connect it again with the right account.",
    "AuthUnavailable": "The server could not check the password just now. It is tried again by itself.",
    "Unreachable": "The server did not answer. Check the host, the port and the firewall; it is tried again by itself.",
    "Throttled": "The server asked us to slow down. It is tried again by itself.",
    "FolderGone": "The folder no longer exists on the server. Its messages are kept; the folder is looked for again.",
    "ProtocolBroken": "The server answered in a way that breaks the protocol. It is tried again by itself.",
    "Refused": "The server refused for good. The reason stands beside the message or the inbox.",
    "EgressBlocked": "This host may not be reached. An operator can allow its network with MAILROOM_EGRESS_ALLOW.",
    "TlsFailed": "The server's certificate could not be trusted. Check the host name, or install its certificate authority.",
    "TooLarge": "The mail is larger than the limit.",
    "LeaseLost": "Another run has taken over this inbox; this one stops without having written anything.",
    "NotConnected": "The inbox is paused or not connected. Resume or connect it first.",
    "NotFound": "The row no longer exists; there is nothing to do.",
    "CredentialsUnreadable": "The sealed credentials do not open with any key of MAILROOM_CREDENTIAL_KEYS. Restore the key or enter the password again.",
    "BlobMissing": "An object is missing from the S3 bucket. Restore the bucket, then retry.",
    "StorageUnavailable": "The S3 store did not answer. It is tried again by itself.",
    "DatabaseUnavailable": "PostgreSQL did not answer. It is tried again by itself.",
    "PayloadTooLarge": "A step tried to put more than 2 KB into a workflow history. This is a defect of Mailroom.",
}

NON_RETRYABLE: tuple[str, ...] = (
    "AuthFailed",
    "Refused",
    "EgressBlocked",
    "TooLarge",
    "LeaseLost",
    "NotConnected",
    "NotFound",
    "CredentialsUnreadable",
    "PayloadTooLarge",
)
