"""The table of the HTTP API's keys.

It stands apart because commands that only look at jobs do without it: for an index that covers some of the rows
SQLAlchemy imports the dialects of both databases, which takes a tenth of the time of `freeda jobs list`.
"""

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from freeda_svc.jobs.tables import Base, now


class ApiKey(Base):
    """A key of the HTTP API.

    Attributes:
        id: eight hexadecimal digits.
        name: what it is for; free again once the key is revoked.
        scope: a ``Scope``.
        digest: SHA-256 of the key's secret part, in hexadecimal.
        expires_at: from when on it is refused; None for never.
        revoked_at: when it was revoked; None while it is not.
        used_at: when it was last used, noted every few minutes.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        Index(
            None,
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
