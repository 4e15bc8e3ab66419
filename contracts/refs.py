"""References that every flow shares: a row by its tenant and id, as strings, because ids travel in histories as text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InboxRef:
    tenant_id: str
    inbox_id: str


@dataclass(frozen=True, slots=True)
class FolderRef:
    tenant_id: str
    inbox_id: str
    folder_id: str


@dataclass(frozen=True, slots=True)
class MessageRef:
    tenant_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class ConversationRef:
    tenant_id: str
    conversation_id: str
