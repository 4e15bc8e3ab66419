"""The typed search attributes of every workflow, registered from this one list. They hold opaque ids and enums only."""

from temporalio.common import SearchAttributeKey

TENANT_ID = SearchAttributeKey.for_keyword("TenantId")
INBOX_ID = SearchAttributeKey.for_keyword("InboxId")
PROVIDER = SearchAttributeKey.for_keyword("Provider")
HEALTH = SearchAttributeKey.for_keyword("Health")

ALL = (TENANT_ID, INBOX_ID, PROVIDER, HEALTH)
