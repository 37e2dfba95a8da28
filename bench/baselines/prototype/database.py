"""The prototype's tables, by SQLAlchemy with its usual pool."""

import os
from datetime import datetime

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker


class Base(DeclarativeBase):
    pass


class Player(Base):
    __tablename__ = "accounts_player"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    coins: Mapped[int]
    level: Mapped[int]
    is_active: Mapped[bool]


class Resource(Base):
    __tablename__ = "inventory_resource"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Listing(Base):
    __tablename__ = "market_listing"
    id: Mapped[int] = mapped_column(primary_key=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("inventory_resource.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("accounts_player.id"))
    quantity: Mapped[int]
    remaining: Mapped[int]
    unit_price: Mapped[int]
    status: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    resource: Mapped[Resource] = relationship(lazy="joined")
    seller: Mapped[Player] = relationship(lazy="joined")


# SQLAlchemy knows PostgreSQL by its full name alone.
engine = create_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://", 1))
SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)
