"""The prototype's market page. PROTOTYPE_GUARDED=false serves the handler alone, without its middlewares.

The handler answers with what it decoded, as prototypes do: FastAPI walks over every value of it before it is encoded.
PROTOTYPE_TYPED=true declares the answer as a model instead, which today's FastAPI validates and encodes in Rust.
"""

import base64
import json
import os
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Query
from pydantic import BaseModel
from sqlalchemy import func, select

from bench.baselines.prototype.cache import cache
from bench.baselines.prototype.database import Listing, SessionLocal
from bench.baselines.prototype.middleware import LoginMiddleware, RateLimitMiddleware, SessionMiddleware

LISTINGS_TTL = 60
PAGE = 50

app = FastAPI()
if os.environ.get("PROTOTYPE_GUARDED") != "false":
    # The one that is added last is the outermost: login, then session, then limit.
    app.add_middleware(RateLimitMiddleware)
    app.add_middleware(SessionMiddleware)
    app.add_middleware(LoginMiddleware)


class ListingOut(BaseModel):
    id: int
    resource_id: int
    resource_name: str
    seller_id: int
    seller_login: str
    quantity: int
    remaining: int
    unit_price: int
    status: str
    created_at: datetime
    expires_at: datetime


class ListingsOut(BaseModel):
    source: str
    listings: list[ListingOut]
    next: str | None


def cursor_after(listing: Listing) -> str:
    place = json.dumps(["unit_price,id", listing.unit_price, listing.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_listings(resource_id: int) -> dict[str, Any]:
    query = (
        select(Listing)
        .where(Listing.resource_id == resource_id, Listing.status == "active", Listing.expires_at > func.now())
        .order_by(Listing.unit_price, Listing.id)
        .limit(PAGE + 1)
    )
    with SessionLocal() as database:
        rows = list(database.scalars(query))
    page = [
        {
            "id": row.id,
            "resource_id": row.resource_id,
            "resource_name": row.resource.name,
            "seller_id": row.seller_id,
            "seller_login": row.seller.login,
            "quantity": row.quantity,
            "remaining": row.remaining,
            "unit_price": row.unit_price,
            "status": row.status,
            "created_at": written(row.created_at),
            "expires_at": written(row.expires_at),
        }
        for row in rows[:PAGE]
    ]
    return {"listings": page, "next": cursor_after(rows[PAGE - 1]) if len(rows) > PAGE else None}


IS_TYPED = os.environ.get("PROTOTYPE_TYPED") == "true"


@app.get("/api/market/listings", response_model=ListingsOut if IS_TYPED else None)
async def market_listings(resource_id: int = Query(ge=1)) -> dict[str, Any]:
    key = f"market:listings:{resource_id}"
    cached = cache.get(key)
    if cached is not None:
        return {"source": "cache", **cached}
    page = read_listings(resource_id)
    cache.set(key, page, LISTINGS_TTL)
    return {"source": "database", **page}
