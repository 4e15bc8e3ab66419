"""Which cluster these rows live in, and how often they were restored from a backup."""

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt


class Restore(Base):
    """One row for the birth of the database (era 0) and one for each restore since. `cluster` is PostgreSQL's system
    identifier: rows that wake up in another cluster were restored.
    """

    __tablename__ = "restores"

    era: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[CreatedAt]
    cluster: Mapped[str]
    sends_doubted: Mapped[int] = mapped_column(server_default="0")
