from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.history import History
from ...models.history_interval import HistoryInterval
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast


def _get_kwargs(
    resource_id: int,
    *,
    interval: HistoryInterval | Unset = HistoryInterval.HOUR,
    limit: int | Unset = 50,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_interval: str | Unset = UNSET
    if not isinstance(interval, Unset):
        json_interval = interval.value

    params["interval"] = json_interval

    params["limit"] = limit

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/market/resources/{resource_id}/history".format(
            resource_id=quote(str(resource_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> History | Problem | None:
    if response.status_code == 200:
        response_200 = History.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if response.status_code == 406:
        response_406 = Problem.from_dict(response.json())

        return response_406

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[History | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    resource_id: int,
    *,
    client: AuthenticatedClient | Client,
    interval: HistoryInterval | Unset = HistoryInterval.HOUR,
    limit: int | Unset = 50,
) -> Response[History | Problem]:
    """A resource's trades as candles, oldest first

     A resource's trades as candles, oldest first.

    Args:
        resource_id (int):
        interval (HistoryInterval | Unset):  Default: HistoryInterval.HOUR.
        limit (int | Unset):  Default: 50.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[History | Problem]
    """

    kwargs = _get_kwargs(
        resource_id=resource_id,
        interval=interval,
        limit=limit,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    resource_id: int,
    *,
    client: AuthenticatedClient | Client,
    interval: HistoryInterval | Unset = HistoryInterval.HOUR,
    limit: int | Unset = 50,
) -> History | Problem | None:
    """A resource's trades as candles, oldest first

     A resource's trades as candles, oldest first.

    Args:
        resource_id (int):
        interval (HistoryInterval | Unset):  Default: HistoryInterval.HOUR.
        limit (int | Unset):  Default: 50.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        History | Problem
    """

    return sync_detailed(
        resource_id=resource_id,
        client=client,
        interval=interval,
        limit=limit,
    ).parsed


async def asyncio_detailed(
    resource_id: int,
    *,
    client: AuthenticatedClient | Client,
    interval: HistoryInterval | Unset = HistoryInterval.HOUR,
    limit: int | Unset = 50,
) -> Response[History | Problem]:
    """A resource's trades as candles, oldest first

     A resource's trades as candles, oldest first.

    Args:
        resource_id (int):
        interval (HistoryInterval | Unset):  Default: HistoryInterval.HOUR.
        limit (int | Unset):  Default: 50.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[History | Problem]
    """

    kwargs = _get_kwargs(
        resource_id=resource_id,
        interval=interval,
        limit=limit,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    resource_id: int,
    *,
    client: AuthenticatedClient | Client,
    interval: HistoryInterval | Unset = HistoryInterval.HOUR,
    limit: int | Unset = 50,
) -> History | Problem | None:
    """A resource's trades as candles, oldest first

     A resource's trades as candles, oldest first.

    Args:
        resource_id (int):
        interval (HistoryInterval | Unset):  Default: HistoryInterval.HOUR.
        limit (int | Unset):  Default: 50.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        History | Problem
    """

    return (
        await asyncio_detailed(
            resource_id=resource_id,
            client=client,
            interval=interval,
            limit=limit,
        )
    ).parsed
