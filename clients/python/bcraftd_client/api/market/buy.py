from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.bought import Bought
from ...models.buy_body_request import BuyBodyRequest
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast


def _get_kwargs(
    listing_id: int,
    *,
    body: BuyBodyRequest | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/market/listings/{listing_id}/buy".format(
            listing_id=quote(str(listing_id), safe=""),
        ),
    }

    if not isinstance(body, Unset):
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Bought | Problem | None:
    if response.status_code == 200:
        response_200 = Bought.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if response.status_code == 406:
        response_406 = Problem.from_dict(response.json())

        return response_406

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())

        return response_415

    if response.status_code == 422:
        response_422 = Problem.from_dict(response.json())

        return response_422

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = Problem.from_dict(response.json())

        return response_500

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Bought | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    listing_id: int,
    *,
    client: AuthenticatedClient,
    body: BuyBodyRequest | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Bought | Problem]:
    """Buys a part of a listing, or all that remains

     Buys a part of a listing, or all that remains.

    Args:
        listing_id (int):
        idempotency_key (str | Unset):
        body (BuyBodyRequest | Unset): Refuses fields that it does not know, so that a misspelt
            one is not silently ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Bought | Problem]
    """

    kwargs = _get_kwargs(
        listing_id=listing_id,
        body=body,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    listing_id: int,
    *,
    client: AuthenticatedClient,
    body: BuyBodyRequest | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Bought | Problem | None:
    """Buys a part of a listing, or all that remains

     Buys a part of a listing, or all that remains.

    Args:
        listing_id (int):
        idempotency_key (str | Unset):
        body (BuyBodyRequest | Unset): Refuses fields that it does not know, so that a misspelt
            one is not silently ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Bought | Problem
    """

    return sync_detailed(
        listing_id=listing_id,
        client=client,
        body=body,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    listing_id: int,
    *,
    client: AuthenticatedClient,
    body: BuyBodyRequest | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Bought | Problem]:
    """Buys a part of a listing, or all that remains

     Buys a part of a listing, or all that remains.

    Args:
        listing_id (int):
        idempotency_key (str | Unset):
        body (BuyBodyRequest | Unset): Refuses fields that it does not know, so that a misspelt
            one is not silently ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Bought | Problem]
    """

    kwargs = _get_kwargs(
        listing_id=listing_id,
        body=body,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    listing_id: int,
    *,
    client: AuthenticatedClient,
    body: BuyBodyRequest | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Bought | Problem | None:
    """Buys a part of a listing, or all that remains

     Buys a part of a listing, or all that remains.

    Args:
        listing_id (int):
        idempotency_key (str | Unset):
        body (BuyBodyRequest | Unset): Refuses fields that it does not know, so that a misspelt
            one is not silently ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Bought | Problem
    """

    return (
        await asyncio_detailed(
            listing_id=listing_id,
            client=client,
            body=body,
            idempotency_key=idempotency_key,
        )
    ).parsed
